/** Operations of several writes, step by step, for tests that break off between any two of them; and what a group is
 *  like, as one number to compare. */
#ifndef CRASH_OPERATIONS_H
#define CRASH_OPERATIONS_H

#include "contract.h"

/** The group that operations are about, and one beside it that they leave alone. */
#define CRASH_GROUP 3u
#define CRASH_OTHER 4u
#define CRASH_STEPS_MAX 8

/** One step: a write, a rewrite, or a segment that is staged. */
struct crash_step {
    struct log_store_write *write;
    struct log_store_rewrite rewrite; /**< last_index 0: none */
    struct contract_pile pile;        /**< when there is neither */
};

struct crash_operation {
    const char *name;
    uint32_t (*steps)(struct crash_step *steps); /**< fills them, returns how many */
    bool in_turn;                                /**< a step has to be done before the next is handed over */
    bool upgrades; /**< the store is of the format before: without a witness, which it gets when it is opened */
};
extern const struct crash_operation crash_operations[];
extern const size_t crash_operation_count;

/** steps: room for CRASH_STEPS_MAX. */
uint32_t crash_make_steps(const struct crash_operation *operation, struct crash_step *steps);
void crash_free_steps(struct crash_step *steps, uint32_t count);

/** A store and how its completions are waited for. */
struct crash_store {
    struct log_store *store;
    struct log_store_completion *(*wait)(struct log_store *store); /**< NULL: nothing comes any more */
    void (*told)(uint32_t step);                                   /**< it was acknowledged; may be NULL */
};

/** Both groups: entries 1 to 35 of term 1, 33 applied, three segments. */
void crash_fill(const struct crash_store *store);
/** Runs steps from..count; one by one, or all handed over at once, so that several share a commit. Returns the first
 *  that was not acknowledged. */
uint32_t crash_run_steps(const struct crash_store *store, struct crash_step *steps, uint32_t from, uint32_t count,
                         bool at_once);
/** All that a load and a read of everything give, as one number. */
uint32_t crash_digest(const struct crash_store *store, uint64_t group);
/** On a filled store: the digest after each number of steps; states[0] is before the first, room
 *  for CRASH_STEPS_MAX + 1. Returns how many steps. */
uint32_t crash_clean_states(const struct crash_store *store, const struct crash_operation *operation, uint32_t *states);

#endif
