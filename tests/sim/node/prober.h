/** Clients without the library: they say what they want to one node, in the protocol's own words, and believe nothing.
 *  In the storm they ask any replica for an end; at the end they read every partition from every replica. */
#ifndef SIM_PROBER_H
#define SIM_PROBER_H

#include "connection.h"

struct sim_prober;

/** Asks a node for the end of some partition. */
void sim_probe(struct sim_world *world);
/** Reads everything that the node holds; sim_read_back_done says when all are through. */
void sim_read_back_start(struct sim_host *host);
bool sim_read_back_done(const struct sim_world *world);
/** Of topics that are compacted: each replica gave the last record of each key that anybody read or was told of, unless
 * that was a tombstone, and never an earlier one. */
void sim_read_back_check_keys(struct sim_world *world);
/** What is not finished yet, in words. */
void sim_read_back_explain(const struct sim_world *world, char *text, size_t size);

void sim_prober_frames(struct sim_prober *prober, const struct node_frame *frames, size_t count);
void sim_prober_gone(struct sim_prober *prober);
void sim_probers_deinit(struct sim_world *world);

#endif
