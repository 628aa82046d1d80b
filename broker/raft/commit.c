#include "raft_internal.h"

/** Bytes of own proposals among the entries after `from` up to `to`. */
static uint64_t proposed_bytes(const struct raft *raft, uint64_t from, uint64_t to) {
    if (from < raft->noop_index)
        from = raft->noop_index; /* what it inherited and its no-op were never counted */
    return raft_log_bytes(&raft->log, from, to);
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

/** What a voter holds durably; own entries count by our own disk (C5). */
static uint64_t held_by(const void *context, uint64_t voter) {
    const struct raft *raft = context;
    if (voter == raft->self)
        return raft->writes.durable_index;
    const struct raft_peer *peer = raft_known_peer(raft, voter);
    return peer && !peer->damaged ? peer->match : 0;
}

void raft_advance_commit(struct raft *raft) {
    if (raft->role != RAFT_LEADER)
        return;
    uint64_t held = raft_quorum(raft_configuration(raft), held_by, raft);
    if (held <= raft->commit)
        return;
    /* Counting proves an entry of the own term only; what is before comes with it (C1, C2). */
    if (raft_log_term(&raft->log, held) != raft->term)
        return;
    raft_set_commit(raft, held);
}
