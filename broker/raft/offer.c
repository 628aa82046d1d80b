/** Peers that get an image instead of appends.
 *
 *  Whether a peer is one of them is asked of its progress each time (raft_peer_needs_image), so that nothing can be
 *  stuck in that state: an acknowledgement that reaches the log's begin, whatever it answers, ends it (D10).
 */
#include "raft_internal.h"

/** What it has to hold before appends can go on. */
static uint64_t wanted_of(const struct raft *raft, const struct raft_peer *peer) {
    return peer->image_index > raft->log.previous_index ? peer->image_index : raft->log.previous_index;
}

bool raft_peer_needs_image(const struct raft *raft, const struct raft_peer *peer) {
    return peer->next <= wanted_of(raft, peer);
}

static void send_offer(struct raft *raft, struct raft_peer *peer) {
    struct raft_message *offer = raft_send(raft, RAFT_IMAGE_OFFER, peer->replica);
    offer->image_offer.index = wanted_of(raft, peer);
    offer->image_offer.entry_term = raft_log_term(&raft->log, offer->image_offer.index);
    offer->image_offer.commit = raft->commit;
    offer->image_offer.sequence = ++peer->sequence;
    peer->answered = peer->sequence; /* takes no place in the window */
}

void raft_peer_offer(struct raft *raft, struct raft_peer *peer, uint64_t next) {
    peer->replicating = false;
    peer->next = next > peer->match ? next : peer->match + 1;
    peer->received = peer->match;
    peer->session = peer->sequence;
    peer->answered = peer->sequence;
    RAFT_TRACE(raft, "offer an image to peer=%llu (it needs %llu, gets %llu or later)", raft_u(peer->replica),
               raft_u(peer->next), raft_u(wanted_of(raft, peer)));
    if (!peer->damaged)
        send_offer(raft, peer);
}

void raft_offers_repeat(struct raft *raft) {
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft_peer_needs_image(raft, &raft->peers[i]) && !raft->peers[i].damaged)
            send_offer(raft, &raft->peers[i]);
}

enum lf_status raft_offer(struct raft *raft, uint64_t replica, uint64_t index) {
    if (raft->role != RAFT_LEADER)
        return LF_NOT_LEADER;
    struct raft_peer *peer = raft_peer(raft, replica);
    if (!peer)
        return LF_NOT_FOUND;
    if (index > raft->commit)
        return LF_INVALID;
    if (index > 0 && index <= peer->match)
        return LF_EXISTS;
    bool needed = raft_peer_needs_image(raft, peer);
    peer->image_index = index;
    if (index > 0 && !needed)
        raft_peer_offer(raft, peer, peer->match + 1);
    else if (needed && !raft_peer_needs_image(raft, peer) && !raft_replicate(raft, peer))
        raft_replicate_empty(raft, peer);
    return LF_OK;
}
