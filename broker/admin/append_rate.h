/** Replication in bytes per second and peer, between two snapshots at least APPEND_RATE_MS_MIN apart. Pure. */
#ifndef APPEND_RATE_H
#define APPEND_RATE_H

#include "admin_snapshot.h"

#define APPEND_RATE_MS_MIN 1000

/** Zeroed: nothing seen yet; the first rates are 0. */
struct append_rate {
    uint64_t since_ms;
    struct append_rate_peer {
        uint64_t node, bytes, per_second;
    } peers[NODE_PEERS_MAX];
    size_t count;
};

void append_rate_see(struct append_rate *rate, const struct admin_snapshot *snapshot);
/** 0 for a peer never seen. */
uint64_t append_rate_of(const struct append_rate *rate, uint64_t node);

#endif
