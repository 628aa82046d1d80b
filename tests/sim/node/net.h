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
/** Cuts links between nodes: of each pair (a, b) with a in `side` and b not. one_way: only from a to b. Returns the
 *  cut's number, for sim_net_heal. */
uint64_t sim_net_cut(struct sim_world *world, uint32_t side, bool one_way);
void sim_net_heal(struct sim_world *world, uint64_t cut);
void sim_net_heal_all(struct sim_world *world);

#endif
