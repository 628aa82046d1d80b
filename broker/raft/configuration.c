#include "raft_log.h"

bool raft_configuration_is_valid(const struct raft_configuration *configuration) {
    if (configuration->voter_count < 1 || configuration->voter_count > RAFT_VOTERS_MAX)
        return false;
    for (uint32_t i = 0; i < configuration->voter_count; i++) {
        if (configuration->voters[i] == 0)
            return false;
        for (uint32_t k = 0; k < i; k++)
            if (configuration->voters[k] == configuration->voters[i])
                return false;
    }
    return true;
}

bool raft_configuration_has(const struct raft_configuration *configuration, uint64_t replica) {
    for (uint32_t i = 0; i < configuration->voter_count; i++)
        if (configuration->voters[i] == replica)
            return true;
    return false;
}

bool raft_configuration_same_voters(const struct raft_configuration *a, const struct raft_configuration *b) {
    if (a->voter_count != b->voter_count)
        return false;
    for (uint32_t i = 0; i < a->voter_count; i++)
        if (!raft_configuration_has(b, a->voters[i]))
            return false;
    return true;
}
