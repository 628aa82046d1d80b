#include "raft_internal.h"

static void send_append(struct raft *raft, struct raft_peer *peer, uint32_t count) {
    struct raft_message *request = raft_send(raft, RAFT_APPEND_REQUEST, peer->replica);
    uint64_t prev = peer->next - 1;
    lf_check(prev >= raft->log.previous_index); /* its term is known, never 0 by want of it (B10) */
    lf_check(prev + count <= raft->log.last_index);
    request->append_request.prev_index = prev;
    request->append_request.prev_term = raft_log_term(&raft->log, prev);
    request->append_request.commit = raft->commit;
    request->append_request.sequence = ++peer->sequence;
    request->append_request.count = count;
    peer->append_round = raft->round_sent;
}

/** How many entries the next append takes; 0: none may leave now. What does not fill an append waits for the next
 * answer once a few are under way, and then goes together: adaptive batching without a timer. */
static uint32_t next_count(const struct raft *raft, const struct raft_peer *peer) {
    uint64_t inflight = raft_peer_inflight(peer);
    if (inflight >= (peer->replicating ? peer->window : 1))
        return 0;
    uint32_t count = raft_log_fitting(&raft->log, peer->next, &raft->limits);
    if (count == 0 || inflight == 0)
        return count;
    bool fills = peer->next + count <= raft->log.last_index || count == raft->limits.append_entries_max;
    if (!fills && inflight >= raft->limits.pipeline_messages)
        return 0;
    uint64_t bytes = raft_log_bytes(&raft->log, peer->received, peer->next - 1 + count);
    return bytes <= raft->limits.inflight_bytes_max ? count : 0;
}

bool raft_replicate(struct raft *raft, struct raft_peer *peer) {
    bool sent = false;
    if (peer->damaged || raft_peer_needs_image(raft, peer)) /* also next == previous_index (B12) */
        return false;
    for (uint32_t count; (count = next_count(raft, peer)) > 0;) {
        send_append(raft, peer, count);
        if (peer->replicating)
            peer->next += count; /* on the assumption that it arrives */
        sent = true;
    }
    return sent;
}

void raft_replicate_all(struct raft *raft) {
    for (uint32_t i = 0; i < raft->peer_count; i++)
        raft_replicate(raft, &raft->peers[i]);
}

void raft_replicate_empty(struct raft *raft, struct raft_peer *peer) {
    if (!peer->damaged && !raft_peer_needs_image(raft, peer))
        send_append(raft, peer, 0);
}

void raft_beat(struct raft *raft) {
    raft->round_sent++;
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct raft_peer *peer = &raft->peers[i];
        struct raft_message *beat = raft_send(raft, RAFT_HEARTBEAT_REQUEST, peer->replica);
        beat->heartbeat.commit = raft->commit < peer->match ? raft->commit : peer->match; /* I7 */
        beat->heartbeat.sequence = raft->round_sent;
    }
}
