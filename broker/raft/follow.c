#include "raft_internal.h"

bool raft_hear_leader(struct raft *raft, const struct raft_message *message) {
    lf_check(message->term >= raft->term);
    if (message->term == raft->term &&
        (raft->role == RAFT_LEADER || (raft->leader != 0 && raft->leader != message->from))) {
        RAFT_TRACE(raft, "drop a second leader's message from=%llu", raft_u(message->from));
        return false;
    }
    if (message->term > raft->term || raft->role != RAFT_FOLLOWER || raft->leader == 0)
        raft_become_follower(raft, message->term, message->from);
    raft->leader_heard_ms = raft->now_ms;
    raft_reset_election_timer(raft);
    return true;
}

void raft_follow_commit(struct raft *raft, uint64_t index) {
    if (index <= raft->commit)
        return; /* a leader that knows less, or an old message (B4) */
    lf_check(index <= raft->equal_index);
    raft_set_commit(raft, index);
}

bool raft_contradicts(const struct raft *raft, uint64_t index, uint64_t term) {
    if (index == 0 || index > raft->commit)
        return false;
    if (index < raft->log.previous_index)
        return term > raft->log.previous_term;
    return term != raft_log_term(&raft->log, index);
}

void raft_contradicted(struct raft *raft, const struct raft_message *message, uint64_t index) {
    RAFT_TRACE(raft, "drop %s from=%llu: it contradicts committed %llu^%llu",
               message->type == RAFT_IMAGE_OFFER ? "offer" : "append", raft_u(message->from), raft_u(index),
               raft_u(raft_log_term(&raft->log, index)));
    raft->effects->contradicted_index = index;
}
