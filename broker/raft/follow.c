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
