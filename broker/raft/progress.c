#include "raft_internal.h"

const struct raft_peer *raft_known_peer(const struct raft *raft, uint64_t replica) {
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].replica == replica)
            return &raft->peers[i];
    return NULL;
}

struct raft_peer *raft_peer(struct raft *raft, uint64_t replica) {
    const struct raft_peer *peer = raft_known_peer(raft, replica);
    return peer ? &raft->peers[peer - raft->peers] : NULL;
}

static struct raft_peer fresh_peer(const struct raft *raft, uint64_t replica) {
    return (struct raft_peer){
        .replica = replica,
        .next = raft->log.last_index + 1,
        .sequence = raft->sequence_floor,
        .answered = raft->sequence_floor,
        .session = raft->sequence_floor,
        .match_sequence = raft->sequence_floor,
        .window = raft->limits.inflight_messages_max,
        .heard_ms = raft->now_ms, /* a full election timeout to be heard of */
    };
}

void raft_peers_reset(struct raft *raft, uint64_t next) {
    raft->peer_count = 0;
    raft_peers_follow_configuration(raft);
    for (uint32_t i = 0; i < raft->peer_count; i++)
        raft->peers[i].next = next;
}

void raft_peers_follow_configuration(struct raft *raft) {
    uint64_t members[RAFT_MEMBERS_MAX];
    uint32_t member_count = raft_configuration_members(raft_configuration(raft), members), count = 0;
    struct raft_peer peers[RAFT_MEMBERS_MAX];
    for (uint32_t i = 0; i < raft->peer_count; i++) /* an answer to one that leaves never counts if it comes back */
        if (raft->peers[i].sequence > raft->sequence_floor)
            raft->sequence_floor = raft->peers[i].sequence;
    for (uint32_t i = 0; i < member_count; i++) {
        if (members[i] == raft->self)
            continue;
        const struct raft_peer *known = raft_known_peer(raft, members[i]);
        peers[count++] = known ? *known : fresh_peer(raft, members[i]); /* promotion starts nothing anew (E10) */
    }
    for (uint32_t i = 0; i < count; i++)
        raft->peers[i] = peers[i];
    raft->peer_count = count;
}

uint64_t raft_peer_inflight_bytes(const struct raft *raft, const struct raft_peer *peer) {
    return peer->replicating ? raft_log_bytes(&raft->log, peer->received, peer->next - 1) : 0;
}

void raft_peer_probe(struct raft *raft, struct raft_peer *peer, uint64_t next) {
    if (next <= peer->match)
        next = peer->match + 1; /* what is acknowledged stays so (I4, B6) */
    RAFT_TRACE(raft, "probe peer=%llu after %llu (match %llu)", raft_u(peer->replica), raft_u(next - 1),
               raft_u(peer->match));
    if (peer->replicating && peer->window > 1)
        peer->window /= 2;
    peer->replicating = false;
    peer->next = next;
    peer->received = peer->match;
    peer->session = peer->sequence;
    peer->answered = peer->sequence; /* the window is empty again (H7) */
}

void raft_peer_acked(struct raft *raft, struct raft_peer *peer, uint64_t durable, uint64_t received) {
    if (durable > peer->match) { /* acknowledgements may overtake each other: never back (B5) */
        peer->match = durable;
        peer->match_sequence = peer->sequence;
    }
    if (received < peer->match)
        received = peer->match;
    if (received > peer->received) {
        peer->received = received;
        if (peer->window < raft->limits.inflight_messages_max)
            peer->window++;
    }
    if (peer->next <= peer->received)
        peer->next = peer->received + 1;
    if (peer->received + 1 == peer->next) {
        peer->answered = peer->sequence; /* nothing sent is unanswered, whatever became of the answers */
        if (!peer->replicating && !raft_peer_needs_image(raft, peer)) {
            RAFT_TRACE(raft, "replicate to peer=%llu from %llu", raft_u(peer->replica), raft_u(peer->next));
            peer->replicating = true;
            peer->session = peer->sequence;
        }
    }
}

void raft_peer_is_damaged(struct raft *raft, struct raft_peer *peer, uint64_t last_index) {
    RAFT_TRACE(raft, "peer=%llu is damaged: log end %llu, acknowledged %llu", raft_u(peer->replica), raft_u(last_index),
               raft_u(peer->match));
    peer->damaged = true;
    raft->effects->damaged_peer = peer->replica;
    if (raft->transfer_to == peer->replica)
        raft_transfer_stop(raft, "target damaged");
}

uint64_t raft_peers_lowest_match(const struct raft *raft) {
    uint64_t lowest = UINT64_MAX;
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (!raft->peers[i].damaged && raft->peers[i].match < lowest)
            lowest = raft->peers[i].match;
    return lowest;
}
