/** The misbehaviour switch: decides, from a seed, what happens to each message to a peer. Pure; for tests of the real
 *  program (LOGFLUME_UNRELIABLE_RPC, transport.unreliable). The transport carries it out with a delay_queue.
 */
#ifndef UNRELIABLE_H
#define UNRELIABLE_H

#include "lf_status.h"

#include <stdbool.h>
#include <stdint.h>

#define UNRELIABLE_DELAY_MS_MIN 1
#define UNRELIABLE_DELAY_MS_MAX 5
#define UNRELIABLE_HOLD_MS 75
/** A message that waits for the next one to pass it goes after this many ms all the same. */
#define UNRELIABLE_REORDER_MS_MAX 5
#define UNRELIABLE_CERTAIN 1000000u

/** Probabilities in parts per million. */
struct unreliable_options {
    bool on;
    uint64_t seed;
    uint32_t delay;     /**< it and what is behind it on its lane waits 1-5 ms */
    uint32_t hold;      /**< it alone waits 75 ms; what is behind it passes */
    uint32_t drop;      /**< it is lost */
    uint32_t duplicate; /**< it goes twice; the copy has a fate of its own, but is not copied again */
    uint32_t reorder;   /**< the next one on its lane passes it */
};

/** "seed=7,delay=0.1,drop=0.02": what is not named is 0 (seed 1). "1": the defaults
 * seed=1,delay=0.1,hold=0.01,drop=0.02, duplicate=0.02,reorder=0.02. "" and "0": off. LF_INVALID in words. */
enum lf_status unreliable_parse(const char *text, struct unreliable_options *options, struct lf_error *error);

struct unreliable {
    struct unreliable_options options;
    uint64_t state;
};
void unreliable_init(struct unreliable *unreliable, const struct unreliable_options *options);

/** Fate of one copy. All false and 0: send at once, in order. */
struct unreliable_fate {
    bool drop;
    bool in_order;   /**< with delay_ms: later messages of its lane wait behind it */
    bool after_next; /**< send when the next one of its lane was sent, at the latest after delay_ms */
    uint32_t delay_ms;
};

/** Decides the next message; returns how many copies there are (1 or 2) and their fates. */
int unreliable_decide(struct unreliable *unreliable, struct unreliable_fate fates[2]);

#endif
