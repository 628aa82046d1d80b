#include "append_rate.h"

static struct append_rate_peer *find(struct append_rate *rate, uint64_t node) {
    for (size_t i = 0; i < rate->count; i++)
        if (rate->peers[i].node == node)
            return &rate->peers[i];
    if (rate->count == NODE_PEERS_MAX)
        return NULL;
    rate->peers[rate->count] = (struct append_rate_peer){.node = node};
    return &rate->peers[rate->count++];
}

void append_rate_see(struct append_rate *rate, const struct admin_snapshot *snapshot) {
    uint64_t ms = snapshot->now_ms - rate->since_ms;
    if (rate->since_ms != 0 && ms < APPEND_RATE_MS_MIN)
        return;
    for (size_t i = 0; i < snapshot->node.peer_count; i++) {
        const struct node_peer_view *view = &snapshot->node.peers[i];
        struct append_rate_peer *peer = find(rate, view->node);
        if (!peer)
            continue;
        uint64_t bytes = view->appended_bytes > peer->bytes ? view->appended_bytes - peer->bytes : 0;
        peer->per_second = rate->since_ms == 0 ? 0 : bytes * 1000 / ms;
        peer->bytes = view->appended_bytes;
    }
    rate->since_ms = snapshot->now_ms;
}

uint64_t append_rate_of(const struct append_rate *rate, uint64_t node) {
    for (size_t i = 0; i < rate->count; i++)
        if (rate->peers[i].node == node)
            return rate->peers[i].per_second;
    return 0;
}
