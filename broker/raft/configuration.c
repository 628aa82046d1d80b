#include "raft_configuration.h"

#include <string.h>

static bool names(const uint64_t *replicas, uint32_t count, uint64_t replica) {
    for (uint32_t i = 0; i < count; i++)
        if (replicas[i] == replica)
            return true;
    return false;
}

/** None 0, none twice. */
static bool distinct(const uint64_t *replicas, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (replicas[i] == 0 || names(replicas, i, replicas[i]))
            return false;
    return true;
}

bool raft_configuration_is_valid(const struct raft_configuration *configuration) {
    if (configuration->voter_count < 1 || configuration->voter_count > RAFT_VOTERS_MAX ||
        configuration->outgoing_count > RAFT_VOTERS_MAX || configuration->learner_count > RAFT_LEARNERS_MAX)
        return false;
    for (uint32_t i = 0; i < configuration->learner_count; i++)
        if (names(configuration->voters, configuration->voter_count, configuration->learners[i]))
            return false;
    return distinct(configuration->voters, configuration->voter_count) &&
           distinct(configuration->outgoing, configuration->outgoing_count) &&
           distinct(configuration->learners, configuration->learner_count);
}

bool raft_configuration_is_voter(const struct raft_configuration *configuration, uint64_t replica) {
    return names(configuration->voters, configuration->voter_count, replica);
}

bool raft_configuration_votes(const struct raft_configuration *configuration, uint64_t replica) {
    return raft_configuration_is_voter(configuration, replica) ||
           names(configuration->outgoing, configuration->outgoing_count, replica);
}

bool raft_configuration_has(const struct raft_configuration *configuration, uint64_t replica) {
    return raft_configuration_votes(configuration, replica) ||
           names(configuration->learners, configuration->learner_count, replica);
}

static void add(uint64_t *members, uint32_t *count, const uint64_t *replicas, uint32_t replica_count) {
    for (uint32_t i = 0; i < replica_count; i++)
        if (!names(members, *count, replicas[i]))
            members[(*count)++] = replicas[i];
}

uint32_t raft_configuration_members(const struct raft_configuration *configuration,
                                    uint64_t members[RAFT_MEMBERS_MAX]) {
    uint32_t count = 0;
    add(members, &count, configuration->voters, configuration->voter_count);
    add(members, &count, configuration->outgoing, configuration->outgoing_count);
    add(members, &count, configuration->learners, configuration->learner_count);
    return count;
}

bool raft_configuration_same_voters(const struct raft_configuration *a, const struct raft_configuration *b) {
    if (a->voter_count != b->voter_count)
        return false;
    for (uint32_t i = 0; i < a->voter_count; i++)
        if (!raft_configuration_is_voter(b, a->voters[i]))
            return false;
    return true;
}

struct raft_configuration raft_configuration_towards(const struct raft_configuration *now,
                                                     const struct raft_configuration *target) {
    struct raft_configuration next = *target;
    if (raft_configuration_same_voters(now, target))
        return next;
    next.outgoing_count = now->voter_count;
    memcpy(next.outgoing, now->voters, sizeof next.outgoing);
    return next;
}

struct raft_configuration raft_configuration_left(const struct raft_configuration *joint) {
    struct raft_configuration next = *joint;
    next.outgoing_count = 0;
    memset(next.outgoing, 0, sizeof next.outgoing);
    return next;
}
