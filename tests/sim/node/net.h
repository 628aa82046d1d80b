/** Links between nodes. They carry encoded frames, which are decoded where they arrive. */
#ifndef SIM_NET_H
#define SIM_NET_H

#include "host.h"

/** An encoded envelope on its way. */
struct sim_parcel;

/** Borrows the envelope. */
void sim_net_send(struct sim_host *from, const struct peer_envelope *envelope);
/** It arrives now: to be heard, kept for a node that starts soon, or lost. Takes the parcel. */
void sim_net_arrive(struct sim_world *world, struct sim_event *event);
void sim_parcel_destroy(struct sim_parcel *parcel);
/** Cuts links between nodes: node a + 1 is not heard by those in gone[a] (bit b: node b + 1), nor, unless one_way, do
 * they reach it. Returns the cut's number, for sim_net_heal. */
uint64_t sim_net_cut(struct sim_world *world, const uint32_t gone[SIM_NODES_MAX], bool one_way);
/** Does what `from` says reach `to`? Both from 1. */
bool sim_net_hears(const struct sim_world *world, uint32_t from, uint32_t to);
void sim_net_heal(struct sim_world *world, uint64_t cut);
void sim_net_heal_all(struct sim_world *world);

#endif
