#include "raft_internal.h"

uint64_t raft_quorum_of(const uint64_t *values, uint32_t count) {
    lf_check(count >= 1);
    lf_check(count <= RAFT_VOTERS_MAX);
    uint64_t falling[RAFT_VOTERS_MAX];
    for (uint32_t i = 0; i < count; i++) { /* insertion: at most seven */
        uint32_t at = i;
        for (; at > 0 && falling[at - 1] < values[i]; at--)
            falling[at] = falling[at - 1];
        falling[at] = values[i];
    }
    return falling[count / 2]; /* count / 2 + 1 of them are at least this */
}

bool raft_quorum_granted(uint32_t granted, uint32_t count) {
    uint32_t votes = 0;
    for (uint32_t i = 0; i < count; i++)
        votes += granted >> i & 1u;
    return votes > count / 2;
}
