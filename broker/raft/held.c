/** Messages that wait for the disk: votes, vote requests, acknowledgements.
 *
 *  None of them is stored. What is stored is that one is owed; when the disk allows it, it is made from the state of
 *  that moment, in the term of that moment. So a completion can neither speak for an older term nor to an older leader
 *  (B15), and what was overtaken meanwhile is simply not owed any more.
 */
#include "raft_internal.h"

static bool term_is_durable(const struct raft *raft) { return raft->writes.durable_term == raft->term; }

static void release_vote(struct raft *raft) {
    if (raft->owed_vote == 0 || !term_is_durable(raft) || raft->writes.durable_vote != raft->owed_vote)
        return;
    lf_check(raft->vote == raft->owed_vote);
    struct raft_message *reply = raft_send(raft, RAFT_VOTE_REPLY, raft->owed_vote);
    reply->vote_reply.granted = true;
    reply->vote_reply.campaign_term = raft->term;
    raft->owed_vote = 0;
    raft_reset_election_timer(raft); /* the candidate hears of it only now */
}

/** The voters' disks may be as slow as ours: with many groups on each, a leader's death makes all write votes at once.
 */
static uint64_t own_vote_took_ms(const struct raft *raft) {
    uint64_t took_ms = raft->now_ms - raft->campaign_ms;
    return took_ms < raft->limits.disk_stall_ms ? took_ms : raft->limits.disk_stall_ms;
}

/** Own vote durable before anybody hears of the campaign (A2), own log end durable before it is shown as a reason to be
 *  elected (A3). */
static void release_vote_requests(struct raft *raft) {
    if (raft->role != RAFT_CANDIDATE || raft->vote_requested || !term_is_durable(raft) ||
        raft->writes.durable_vote != raft->self || raft->writes.durable_index != raft->log.last_index)
        return;
    raft->vote_requested = true;
    raft_reset_election_timer(raft); /* a slow disk is not the voters' silence */
    raft->election_deadline_ms += own_vote_took_ms(raft);
    raft_send_vote_requests(raft, RAFT_VOTE_REQUEST);
    if (raft_count_vote(raft, raft->self))
        raft_become_leader(raft);
}

static void release_acknowledgement(struct raft *raft) {
    if (raft->role != RAFT_FOLLOWER || raft->leader == 0)
        return;
    uint64_t durable = raft_acknowledgeable(raft);
    if (durable <= raft->acked_durable)
        return;
    struct raft_message *reply = raft_send(raft, RAFT_APPEND_REPLY, raft->leader);
    reply->append_reply.accepted = true;
    reply->append_reply.durable = durable;
    reply->append_reply.received = raft->equal_index;
    reply->append_reply.last_index = raft->log.last_index;
    raft->acked_durable = durable;
}

void raft_release_held(struct raft *raft) {
    release_vote(raft);
    release_vote_requests(raft);
    release_acknowledgement(raft);
}
