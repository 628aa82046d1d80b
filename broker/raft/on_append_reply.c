#include "raft_internal.h"

/** An answer to something sent after its acknowledgement came in shows a log that does not hold what it acknowledged:
 * the replica lost it. Slow it is not (rule 11); only then does an end below match mean that (B7). */
static bool shows_loss(const struct raft_peer *peer, const struct raft_message *message) {
    if (message->append_reply.sequence <= peer->match_sequence)
        return false;
    return message->append_reply.last_index < peer->match ||
           (!message->append_reply.accepted && message->append_reply.prev_index <= peer->match);
}

static void accepted(struct raft *raft, struct raft_peer *peer, const struct raft_message *message) {
    if (message->append_reply.received > raft->log.last_index ||
        message->append_reply.durable > message->append_reply.received) {
        RAFT_TRACE(raft, "drop impossible acknowledgement from=%llu", raft_u(message->from));
        return;
    }
    if (message->append_reply.sequence > peer->answered)
        peer->answered = message->append_reply.sequence;
    raft_peer_acked(raft, peer, message->append_reply.durable, message->append_reply.received);
    raft_advance_commit(raft);
    raft_replicate(raft, peer);
}

static void refused(struct raft *raft, struct raft_peer *peer, const struct raft_message *message) {
    uint64_t prev = message->append_reply.prev_index;
    if (message->append_reply.sequence <= peer->session || prev <= peer->match || prev >= peer->next)
        return; /* overtaken: the peer has caught up, or is being probed elsewhere (B6) */
    /* A hint before our log's begin: the peer does not hold its last entry, or that would be the hint. */
    uint64_t hint = message->append_reply.hint_index;
    uint64_t agreed =
        hint < raft->log.previous_index ? hint : raft_log_not_above(&raft->log, hint, message->append_reply.hint_term);
    uint64_t next = agreed + 1 < prev ? agreed + 1 : prev;
    raft_peer_probe(raft, peer, next);
    if (raft_peer_needs_image(raft, peer))
        raft_peer_offer(raft, peer, next);
    raft_replicate(raft, peer);
}

void raft_on_append_reply(struct raft *raft, const struct raft_message *message) {
    struct raft_peer *peer = raft_peer(raft, message->from);
    if (raft->role != RAFT_LEADER || !peer || message->append_reply.sequence > peer->sequence)
        return;
    peer->heard_ms = raft->now_ms;
    if (peer->damaged)
        return;
    if (shows_loss(peer, message))
        raft_peer_is_damaged(raft, peer, message->append_reply.last_index);
    else if (message->append_reply.accepted)
        accepted(raft, peer, message);
    else
        refused(raft, peer, message);
}
