#include "raft_internal.h"

static struct raft_message *reply_to(struct raft *raft, const struct raft_message *message) {
    struct raft_message *reply = raft_send(raft, RAFT_APPEND_REPLY, message->from);
    reply->append_reply.sequence = message->image_offer.sequence;
    reply->append_reply.prev_index = message->image_offer.index;
    reply->append_reply.last_index = raft->log.last_index;
    return reply;
}

/** Up to where our log is equal to the leader's, if it reaches as far as the offer. What is committed every leader of
 *  our term holds: it was committed in this term, by itself, or in an earlier one. */
static uint64_t equal_with(const struct raft *raft, const struct raft_message *message) {
    if (message->image_offer.index <= raft->commit)
        return raft->commit;
    uint64_t index = message->image_offer.index;
    return raft_log_term(&raft->log, index) == message->image_offer.entry_term ? index : 0;
}

void raft_on_image_offer(struct raft *raft, const struct raft_message *message) {
    if (message->image_offer.index == 0 || message->image_offer.entry_term == 0 ||
        message->image_offer.entry_term > message->term || message->image_offer.sequence == 0) {
        RAFT_TRACE(raft, "drop malformed offer from=%llu", raft_u(message->from));
        return;
    }
    if (message->term < raft->term) {
        reply_to(raft, message)->append_reply.sequence = 0; /* as with an append */
        return;
    }
    if (!raft_hear_leader(raft, message))
        return;
    if (raft_contradicts(raft, message->image_offer.index, message->image_offer.entry_term)) {
        raft_contradicted(raft, message, message->image_offer.index);
        return;
    }
    uint64_t equal = equal_with(raft, message);
    struct raft_message *reply = reply_to(raft, message);
    if (equal == 0) {
        RAFT_TRACE(raft, "needs an image of %llu^%llu or later (log end %llu)", raft_u(message->image_offer.index),
                   raft_u(message->image_offer.entry_term), raft_u(raft->log.last_index));
        raft->effects->offered_by = message->from;
        raft->effects->offered_index = message->image_offer.index;
        reply->append_reply.hint_index = raft->commit;
        reply->append_reply.hint_term = raft_log_term(&raft->log, raft->commit);
        return;
    }
    if (equal > raft->equal_index)
        raft->equal_index = equal;
    raft_follow_commit(raft, message->image_offer.commit < equal ? message->image_offer.commit : equal);
    reply->append_reply.accepted = true;
    reply->append_reply.durable = raft_acknowledgeable(raft);
    reply->append_reply.received = raft->equal_index;
    if (reply->append_reply.durable > raft->acked_durable)
        raft->acked_durable = reply->append_reply.durable;
}
