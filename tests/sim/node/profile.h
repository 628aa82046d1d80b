/** Named kinds of worlds (enum sim_profile), beside those that the seed alone decides. */
#ifndef SIM_PROFILE_H
#define SIM_PROFILE_H

#include "sim.h"

bool sim_profile_find(const char *name, enum sim_profile *profile);
const char *sim_profile_name(enum sim_profile profile);
/** Virtual seconds before the faults stop. */
uint32_t sim_profile_seconds(enum sim_profile profile);
/** What a world with these options is drawn from. */
uint64_t sim_profile_seed(const struct sim_options *options);
/** After the weather: what the profile asks for instead. */
void sim_profile_draw(struct sim_world *world);
/** A host has its first disk. */
void sim_profile_host_made(struct sim_host *host);
/** A host's disk may have begun a commit. */
void sim_profile_disk_used(struct sim_host *host);
/** SIM_POINT: the process goes, if it is still that one. */
void sim_profile_point(struct sim_host *host, uint64_t generation);
/** A moment for a fault: true when the profile did what it does. */
bool sim_profile_fault(struct sim_world *world);

#endif
