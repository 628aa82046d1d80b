#include "raft_internal.h"

/** Would it get this vote? Promises nothing, changes nothing, writes nothing; not even the election timer (H5). */
static bool would_grant(const struct raft *raft, const struct raft_message *message, const char **why) {
    *why = "log behind";
    if (!raft_log_covered_by(&raft->log, message->vote_request.last_index, message->vote_request.last_term))
        return false;
    *why = "term not above";
    if (message->term <= raft->term)
        return false;
    *why = "leader alive";
    if (raft_sticks_to_leader(raft))
        return false;
    *why = "may not vote";
    return !raft->vote_disabled;
}

void raft_on_pre_vote_request(struct raft *raft, const struct raft_message *message) {
    const char *why;
    bool granted = would_grant(raft, message, &why);
    /* The answer carries our own term, also when it is the lower one, and the campaign's beside it: the asker neither
     * takes the answer for an old one nor misses that it is behind (H1, H2). */
    struct raft_message *reply = raft_send(raft, RAFT_PRE_VOTE_REPLY, message->from);
    reply->vote_reply.granted = granted;
    reply->vote_reply.campaign_term = message->term;
    if (granted)
        RAFT_TRACE(raft, "grant pre-vote to=%llu for term %llu", raft_u(message->from), raft_u(message->term));
    else
        RAFT_TRACE(raft, "refuse pre-vote to=%llu (%s)", raft_u(message->from), why);
}
