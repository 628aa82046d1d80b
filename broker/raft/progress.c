#include "raft_internal.h"

struct raft_peer *raft_peer(struct raft *raft, uint64_t replica) {
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].replica == replica)
            return &raft->peers[i];
    return NULL;
}

static struct raft_peer fresh_peer(const struct raft *raft, uint64_t replica) {
    return (struct raft_peer){
        .replica = replica,
        .next = raft->log.last_index + 1,
        .window = raft->limits.inflight_messages_max,
        .heard_ms = raft->now_ms, /* a full election timeout to be heard of */
    };
}

void raft_peers_reset(struct raft *raft) {
    raft->peer_count = 0;
    raft_peers_follow_configuration(raft);
}

void raft_peers_follow_configuration(struct raft *raft) {
    const struct raft_configuration *configuration = raft_configuration(raft);
    struct raft_peer peers[RAFT_VOTERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < configuration->voter_count; i++) {
        uint64_t replica = configuration->voters[i];
        if (replica == raft->self)
            continue;
        const struct raft_peer *known = raft_peer(raft, replica);
        peers[count++] = known ? *known : fresh_peer(raft, replica);
    }
    for (uint32_t i = 0; i < count; i++)
        raft->peers[i] = peers[i];
    raft->peer_count = count;
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
        if (!peer->replicating) {
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
