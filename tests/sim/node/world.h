/** Between world.c and those that hand events back to it. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "sim.h"

/** Gives an event to whom it concerns. */
void sim_dispatch(struct sim_world *world, struct sim_event *event);

#endif
