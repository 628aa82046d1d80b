#include "raft_internal.h"

void raft_on_timeout_now(struct raft *raft, const struct raft_message *message) {
    if (message->term < raft->term || !raft_hear_leader(raft, message))
        return;
    uint64_t end = raft->log.last_index;
    bool whole = message->timeout_now.index == end &&
                 message->timeout_now.entry_term == raft_log_last_term(&raft->log) &&
                 raft->writes.durable_index == end && raft->writes.durable_term == raft->term;
    if (!whole || !raft_may_campaign(raft)) {
        RAFT_TRACE(raft, "do not take over at %llu^%llu (log end %llu, durable %llu)",
                   raft_u(message->timeout_now.index), raft_u(message->timeout_now.entry_term), raft_u(end),
                   raft_u(raft->writes.durable_index));
        return;
    }
    raft_become_candidate(raft, true); /* no pre-vote: the leader's own heartbeats would call it back (E13) */
}
