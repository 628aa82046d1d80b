#include "raft_internal.h"

void raft_on_vote_reply(struct raft *raft, const struct raft_message *message) {
    if (message->term > raft->term) {
        raft_become_follower(raft, message->term, 0);
        return;
    }
    if (message->term < raft->term || message->vote_reply.campaign_term != raft->term)
        return; /* a vote of an earlier campaign (A6) */
    if (raft->role != RAFT_CANDIDATE || !raft->vote_requested || !message->vote_reply.granted)
        return;
    RAFT_TRACE(raft, "vote from=%llu", raft_u(message->from));
    if (raft_count_vote(raft, message->from))
        raft_become_leader(raft);
}
