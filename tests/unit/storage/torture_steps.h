/** The history that store_torture writes: step n is a function of the seed, n and the state after step n - 1, so
 * anybody can replay it. Every write carries its step as a row, so that a store found after a crash tells how far it
 * got. */
#ifndef TORTURE_STEPS_H
#define TORTURE_STEPS_H

#include "mem_image.h"

#define TORTURE_GROUPS 5u
#define TORTURE_STEP_ROW "step"

#define TORTURE_PILE_ENTRIES_MAX 600u

/** A segment that comes from elsewhere. */
struct torture_pile {
    bool used;
    struct log_segment segment;
    struct lf_buf *entries[TORTURE_PILE_ENTRIES_MAX];
    uint32_t count;
};

struct torture {
    uint64_t seed;
    uint64_t step; /**< done */
    struct mem_image model;
    struct torture_pile pile; /**< what has to be staged before the last step's write, if it is used */
};

void torture_pile_clear(struct torture_pile *pile);
/** Returns (caller unrefs) an entry with this payload. */
struct lf_buf *torture_entry(uint64_t group, uint64_t index, uint64_t term, size_t payload_bytes);

/** Returns (caller destroys or submits) the write of the next step; carries it out on the model. */
struct log_store_write *torture_next(struct torture *torture);
/** The step that destroys a group right after the present one, or after more steps of that same group, whose rows went
 *  with it; 0: none. For finding out how far a store got. */
uint64_t torture_destroying_step(const struct torture *torture, uint64_t *group);
/** Replays up to and including `step`. */
void torture_replay(struct torture *torture, uint64_t step);

#endif
