/** One producer as one partition knows it: its epoch, how far it got, and its last batches.
 *
 *  Every epoch begins at sequence 0, so `accepted` (records taken under this epoch) says it all: the next sequence is
 *  its low 31 bits, and a sequence further back than `accepted` was never taken.
 */
#ifndef PARTITION_PRODUCER_H
#define PARTITION_PRODUCER_H

#include "partition.h"
#include "partition_entry.h"

/** Sequences are 31 bits and wrap to 0. */
#define PRODUCER_SEQUENCE_MASK 0x7fffffffu
/** Serial-number arithmetic: up to so far back is behind, everything else is ahead. */
#define PRODUCER_BEHIND_MAX 0x40000000u

struct producer_batch {
    uint64_t first; /**< records of this epoch before it */
    uint32_t count;
    int32_t leader_epoch;
    int64_t base_offset;
    uint64_t index; /**< of its entry; not stored: matters only while it is not applied */
};

struct producer {
    int64_t id;
    uint64_t accepted;    /**< records taken under this epoch */
    uint64_t last_use_ms; /**< log time */
    int64_t lower_offset; /**< of the last record taken under a lower epoch; -1: none */
    int32_t lower_sequence;
    int32_t lower_epoch;
    int16_t epoch;
    uint8_t batch_count;
    struct producer_batch batches[PARTITION_PRODUCER_BATCHES]; /**< oldest first, without holes */
    uint64_t epoch_index;  /**< the entry that set the epoch; not stored, like last_index */
    uint64_t last_index;   /**< the last entry that changed this row */
    uint32_t older, newer; /**< the table's list by last use; next free row */
};

/** A producer without history. */
void producer_init(struct producer *producer, int64_t id);
/** The verdict on a batch of this producer. rests_on_index is the raw index, applied or not. */
struct partition_verdict producer_judge(const struct producer *producer, const struct partition_entry *batch);
/** The batch, judged LF_OK, is taken at `index`. */
void producer_accept(struct producer *producer, const struct partition_entry *batch, uint64_t index);
/** The epoch, not below the present one, holds from `index` on. */
void producer_raise(struct producer *producer, int16_t epoch, uint64_t index);
/** Equal in all that is stored. */
bool producer_equal(const struct producer *a, const struct producer *b);

#endif
