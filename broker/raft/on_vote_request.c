#include "raft_internal.h"

static void refuse(struct raft *raft, const struct raft_message *message, const char *why) {
    struct raft_message *reply = raft_send(raft, RAFT_VOTE_REPLY, message->from);
    reply->vote_reply.campaign_term = message->term;
    RAFT_TRACE(raft, "refuse vote to=%llu (%s, log end %llu^%llu)", raft_u(message->from), why,
               raft_u(message->vote_request.last_index), raft_u(message->vote_request.last_term));
}

void raft_on_vote_request(struct raft *raft, const struct raft_message *message) {
    if (message->term < raft->term) {
        refuse(raft, message, "old term");
        return;
    }
    if (message->term > raft->term && !message->vote_request.transfer && raft_sticks_to_leader(raft)) {
        RAFT_TRACE(raft, "ignore vote request from=%llu term %llu (leader alive)", raft_u(message->from),
                   raft_u(message->term));
        return;
    }
    if (message->term > raft->term)
        raft_become_follower(raft, message->term, 0);
    /* The log is compared on every path, also when this vote was given before (A4); being the one we hand leadership to
     * gives no vote of its own (A9). */
    if (raft->vote_disabled)
        refuse(raft, message, "may not vote");
    else if (raft->vote != 0 && raft->vote != message->from)
        refuse(raft, message, "voted for another");
    else if (raft->leader != 0)
        refuse(raft, message, "has a leader");
    else if (!raft_log_covered_by(&raft->log, message->vote_request.last_index, message->vote_request.last_term))
        refuse(raft, message, "log behind");
    else {
        RAFT_TRACE(raft, "grant vote to=%llu (log end %llu^%llu, own %llu^%llu)", raft_u(message->from),
                   raft_u(message->vote_request.last_index), raft_u(message->vote_request.last_term),
                   raft_u(raft->log.last_index), raft_u(raft_log_last_term(&raft->log)));
        if (raft->role != RAFT_FOLLOWER)
            raft_become_follower(raft, raft->term, 0); /* it asked for pre-votes itself; now it waits for this one */
        if (raft->vote != message->from)
            raft_persist(raft)->hard_state_changed = true;
        raft->vote = message->from;
        raft->owed_vote = message->from; /* leaves when durable: held.c */
        raft_reset_election_timer(raft);
    }
}
