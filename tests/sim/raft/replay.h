/** Feeding cores a list of operations again, or a part of such a list.
 *
 *  What an operation needs and does not find (a message that nobody sent now, a write that is not under way, a host
 *  that is down) makes it nothing. A message is looked for by all that it says, then by its kind and term. */
#ifndef SIM_REPLAY_H
#define SIM_REPLAY_H

#include "record.h"

#include <stdio.h>

struct sim_replay {
    const struct sim_recording *recording;
    const bool *chosen;                                      /**< by operation; NULL: all of them */
    FILE *script;                                            /**< NULL, or where the scenario goes */
    const char *title;                                       /**< of the scenario */
    struct sim_message **sent[SIM_HOSTS_MAX][SIM_HOSTS_MAX]; /**< in flight, in the order of sending */
    size_t sent_count[SIM_HOSTS_MAX][SIM_HOSTS_MAX], sent_capacity[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
    uint64_t written_ms; /**< the scenario's time */
    uint64_t copies;     /**< named in the scenario */
    uint64_t used;       /**< operations that were something */
};

/** Called for each message sent; takes it. */
void sim_replay_sent(struct sim_replay *replay, struct sim_message *message);
/** Runs them in a world of these options. Does not return when a check fails. */
void sim_replay_run(struct sim_replay *replay, const struct sim_options *options);

/* script.c: the words of a scenario */
void sim_script_begin(struct sim_replay *replay, const struct sim_world *world, const char *title);
void sim_script_op(struct sim_replay *replay, const struct sim_world *world, const struct sim_op *op,
                   const struct sim_message *message, size_t place, bool again);

#endif
