#include "raft_internal.h"

/** Bytes of own proposals among the entries after `from` up to `to`. */
static uint64_t proposed_bytes(const struct raft *raft, uint64_t from, uint64_t to) {
    uint64_t bytes = 0;
    if (from < raft->noop_index)
        from = raft->noop_index; /* what it inherited and its no-op were never counted */
    for (uint64_t index = from + 1; index <= to; index++)
        bytes += raft_log_bytes(&raft->log, index);
    return bytes;
}

void raft_set_commit(struct raft *raft, uint64_t index) {
    lf_check(index > raft->commit);
    lf_check(index <= raft->log.last_index);
    if (raft->role == RAFT_LEADER) {
        uint64_t released = proposed_bytes(raft, raft->commit, index);
        lf_check(released <= raft->uncommitted_bytes);
        raft->uncommitted_bytes -= released;
    }
    raft->commit = index;
    raft_log_committed(&raft->log, index);
    RAFT_TRACE(raft, "commit %llu^%llu", raft_u(index), raft_u(raft_log_term(&raft->log, index)));
}

/** What each voter holds durably; own entries count by our own disk (C5), and only while we are a voter (C4). */
static uint64_t held_by_majority(struct raft *raft) {
    const struct raft_configuration *configuration = raft_configuration(raft);
    uint64_t held[RAFT_VOTERS_MAX];
    for (uint32_t i = 0; i < configuration->voter_count; i++) {
        uint64_t voter = configuration->voters[i];
        const struct raft_peer *peer = raft_peer(raft, voter);
        if (voter == raft->self)
            held[i] = raft->writes.durable_index;
        else
            held[i] = peer && !peer->damaged ? peer->match : 0;
    }
    return raft_quorum_of(held, configuration->voter_count);
}

void raft_advance_commit(struct raft *raft) {
    if (raft->role != RAFT_LEADER)
        return;
    uint64_t held = held_by_majority(raft);
    if (held <= raft->commit)
        return;
    /* Counting proves an entry of the own term only; what is before comes with it (C1, C2). */
    if (raft_log_term(&raft->log, held) != raft->term)
        return;
    raft_set_commit(raft, held);
}
