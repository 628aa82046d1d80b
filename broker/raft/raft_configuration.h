/** Looking at and making configurations. Pure, for the core and its owner. */
#ifndef RAFT_CONFIGURATION_H
#define RAFT_CONFIGURATION_H

#include "raft.h"

/** 1 ... RAFT_VOTERS_MAX voters, counts within bounds, in each list none 0 and none twice, no voter a learner too. */
bool raft_configuration_is_valid(const struct raft_configuration *configuration);
/** In any of its lists. */
bool raft_configuration_has(const struct raft_configuration *configuration, uint64_t replica);
/** Will it vote once the configuration is not joint any more? */
bool raft_configuration_is_voter(const struct raft_configuration *configuration, uint64_t replica);
/** In either half. */
bool raft_configuration_votes(const struct raft_configuration *configuration, uint64_t replica);
/** Everybody, each once: voters, outgoing ones, learners. Returns how many. */
uint32_t raft_configuration_members(const struct raft_configuration *configuration, uint64_t members[RAFT_MEMBERS_MAX]);
/** The next configuration on the way from `now`, which is not joint, to `target`: joint when the voters differ. */
struct raft_configuration raft_configuration_towards(const struct raft_configuration *now,
                                                     const struct raft_configuration *target);
/** What comes after a joint configuration. */
struct raft_configuration raft_configuration_left(const struct raft_configuration *joint);
bool raft_configuration_same_voters(const struct raft_configuration *a, const struct raft_configuration *b);

#endif
