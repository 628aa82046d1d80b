/** How long the loop itself did not run: late out of its sleep (the process was stopped or starved), or busy. Pure.
 *
 *  Its own absence is not its leader's silence, so the node is told; and it is a figure operators want.
 */
#ifndef PAUSE_METER_H
#define PAUSE_METER_H

#include "lf_histogram.h"

#include <stdint.h>

/** Pauses up to this are normal and not told, in ms. */
#define PAUSE_METER_NORMAL_MS 50

struct pause_meter {
    uint64_t awake_since_ms;
    uint64_t busy_ms;    /**< of the turn that ended with the last sleep */
    uint64_t due_ms;     /**< when the sleep should end at the latest */
    uint64_t longest_ms; /**< since the last pause_meter_take_longest */
    uint64_t longest_ever_ms;
    struct lf_histogram pauses_us; /**< all of them, in whole ms */
};

void pause_meter_init(struct pause_meter *meter, uint64_t now_ms);
/** About to sleep, for timeout_ms at most. */
void pause_meter_sleep(struct pause_meter *meter, uint64_t now_ms, uint64_t timeout_ms);
/** Awake again. Returns how long the loop was absent: 0 normally. */
uint64_t pause_meter_wake(struct pause_meter *meter, uint64_t now_ms);
/** The longest pause since the last call, short ones included. */
uint64_t pause_meter_take_longest(struct pause_meter *meter);

#endif
