#include "raft_internal.h"

void raft_on_pre_vote_reply(struct raft *raft, const struct raft_message *message) {
    if (message->term > raft->term) {
        raft_become_follower(raft, message->term, 0);
        return;
    }
    if (raft->role != RAFT_PRE_CANDIDATE || !message->vote_reply.granted ||
        message->vote_reply.campaign_term != raft->term + 1)
        return; /* of an earlier attempt, or we moved on: a pre-vote is never a vote (A7) */
    if (raft_count_vote(raft, message->from) && raft_may_campaign(raft))
        raft_become_candidate(raft, false);
}
