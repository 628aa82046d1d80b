#include "raft_internal.h"

void raft_on_heartbeat_request(struct raft *raft, const struct raft_message *message) {
    if (message->term >= raft->term) {
        if (!raft_hear_leader(raft, message))
            return;
        /* The leader says no more than what we acknowledged to it, so the logs are equal up to there, also after a
         * restart. A log that ends before has lost something; it takes nothing on trust. */
        uint64_t commit = message->heartbeat.commit;
        if (commit <= raft->log.last_index) {
            if (commit > raft->equal_index)
                raft->equal_index = commit;
            raft_follow_commit(raft, commit);
        }
    }
    struct raft_message *reply = raft_send(raft, RAFT_HEARTBEAT_REPLY, message->from);
    if (message->term < raft->term)
        return; /* our term alone: a round of an older leadership must confirm nothing in this one */
    reply->heartbeat.sequence = message->heartbeat.sequence;
    reply->heartbeat.commit = raft_acknowledgeable(raft);
}
