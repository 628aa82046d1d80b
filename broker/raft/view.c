#include "raft_internal.h"

void raft_set_trace(struct raft *raft, raft_trace *trace, void *context) {
    raft->trace = trace;
    raft->trace_context = context;
}

enum raft_role raft_role(const struct raft *raft) { return raft->role; }
uint64_t raft_self(const struct raft *raft) { return raft->self; }
uint64_t raft_term(const struct raft *raft) { return raft->term; }
uint64_t raft_vote(const struct raft *raft) { return raft->vote; }
uint64_t raft_leader(const struct raft *raft) { return raft->leader; }
uint64_t raft_previous_index(const struct raft *raft) { return raft->log.previous_index; }
uint64_t raft_last_index(const struct raft *raft) { return raft->log.last_index; }
uint64_t raft_durable_index(const struct raft *raft) { return raft->writes.durable_index; }
uint64_t raft_commit(const struct raft *raft) { return raft->commit; }
uint64_t raft_entry_term(const struct raft *raft, uint64_t index) { return raft_log_term(&raft->log, index); }
uint64_t raft_uncommitted_bytes(const struct raft *raft) { return raft->uncommitted_bytes; }

const struct raft_configuration *raft_configuration(const struct raft *raft) {
    return &raft_log_configuration(&raft->log)->configuration;
}

const struct raft_configuration_at *raft_committed_configuration(const struct raft *raft) {
    return &raft->log.configurations[0]; /* older ones are forgotten */
}

bool raft_leads_fully(const struct raft *raft) { return raft_committed_own_term(raft) && raft->transfer_to == 0; }

size_t raft_peers(const struct raft *raft, struct raft_peer_view *out, size_t max) {
    size_t count = 0;
    for (; count < raft->peer_count && count < max; count++) {
        const struct raft_peer *peer = &raft->peers[count];
        out[count] = (struct raft_peer_view){
            .replica = peer->replica,
            .match = peer->match,
            .next = peer->next,
            .received = peer->received,
            .inflight = (uint32_t)raft_peer_inflight(peer),
            .inflight_bytes = raft_peer_inflight_bytes(raft, peer),
            .voter = raft_configuration_votes(raft_configuration(raft), peer->replica),
            .replicating = peer->replicating,
            .needs_image = raft_peer_needs_image(raft, peer),
            .active = raft->now_ms - peer->heard_ms < raft->limits.election_timeout_ms_max,
            .damaged = peer->damaged,
        };
    }
    return count;
}
