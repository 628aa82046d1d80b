#include "raft_internal.h"

/** splitmix64: a counter and a mixing function, so that any seed is good. */
uint64_t raft_random(struct raft *raft) {
    uint64_t z = raft->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t raft_election_timeout(struct raft *raft) {
    uint64_t low = raft->limits.election_timeout_ms_min, high = raft->limits.election_timeout_ms_max;
    return low + raft_random(raft) % (high - low + 1);
}
