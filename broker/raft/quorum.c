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

static uint64_t half(const uint64_t *voters, uint32_t count, raft_value_of *value_of, const void *context) {
    uint64_t values[RAFT_VOTERS_MAX];
    for (uint32_t i = 0; i < count; i++)
        values[i] = value_of(context, voters[i]);
    return raft_quorum_of(values, count);
}

uint64_t raft_quorum(const struct raft_configuration *configuration, raft_value_of *value_of, const void *context) {
    uint64_t reached = half(configuration->voters, configuration->voter_count, value_of, context);
    if (configuration->outgoing_count == 0)
        return reached;
    uint64_t outgoing = half(configuration->outgoing, configuration->outgoing_count, value_of, context);
    return reached < outgoing ? reached : outgoing;
}
