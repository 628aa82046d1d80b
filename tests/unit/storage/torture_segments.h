/** The part of a torture history that seals, drops, replaces and installs segments. Everything fits the model, so that
 *  no store may refuse it. */
#ifndef TORTURE_SEGMENTS_H
#define TORTURE_SEGMENTS_H

#include "torture_steps.h"

/** Draws a number below `sides` from the step's dice. */
typedef uint32_t (*torture_roll)(void *dice, uint32_t sides);

/** Seals what is applied after the write, or a part of it; seldom in some groups, so that their segments get large. */
void torture_add_seal(struct log_store_write *write, const struct mem_group *group, torture_roll roll, void *dice);
/** Drops some of the oldest segments. */
void torture_add_drop(struct log_store_write *write, const struct mem_group *group, torture_roll roll, void *dice);
/** One new segment, lacking entries here and there, in place of some; it is in `piles` and has to be staged first.
 *  False: the group has no segments. */
bool torture_add_replacement(struct torture *torture, struct log_store_write *write, const struct mem_group *group,
                             torture_roll roll, void *dice);
/** An image: some of the segments that are held and, mostly, one in `piles` behind them. */
void torture_add_install(struct torture *torture, struct log_store_write *write, const struct mem_group *group,
                         torture_roll roll, void *dice);

#endif
