#include "raft_internal.h"

/** The peer is there, yet lacks something, and nothing was sent since this beat left: what was sent before may be lost,
 *  a whole window of it (H6). Ask at the end of it; a refusal tells what to send again. */
static void nudge(struct raft *raft, struct raft_peer *peer) {
    if (raft_peer_needs_image(raft, peer) || raft_replicate(raft, peer))
        return;
    if (raft_peer_inflight(peer) >= raft->limits.inflight_messages_max)
        peer->answered++; /* the oldest is given up, so that the window is never overrun */
    raft_replicate_empty(raft, peer);
}

void raft_on_heartbeat_reply(struct raft *raft, const struct raft_message *message) {
    struct raft_peer *peer = raft_peer(raft, message->from);
    uint64_t durable = message->heartbeat.commit;
    if (raft->role != RAFT_LEADER || !peer || message->heartbeat.sequence > raft->round_sent)
        return;
    peer->heard_ms = raft->now_ms;
    if (peer->damaged)
        return;
    if (message->heartbeat.sequence > peer->round_acked)
        peer->round_acked = message->heartbeat.sequence;
    if (durable > peer->match && durable <= raft->log.last_index) {
        raft_peer_acked(raft, peer, durable, durable); /* its acknowledgement got lost */
        raft_advance_commit(raft);
    }
    if (peer->match < raft->log.last_index && message->heartbeat.sequence > peer->append_round)
        nudge(raft, peer);
}
