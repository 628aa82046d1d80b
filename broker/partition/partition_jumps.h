/** The places where this partition's offsets go on far behind where they were, since a majority was lost there.
 *
 *  Records from `from` on may have been given by others and lost with them: a reader that stands in there has read
 *  another history, and is told so. A function of the entries, equal everywhere.
 *
 *  Row "j" (little-endian, once there was one): u8 version 1, u8 count, then per jump, oldest first: i64 from,
 *  i64 committed, u64 index, u64 term, u64 last_term.
 */
#ifndef PARTITION_JUMPS_H
#define PARTITION_JUMPS_H

#include "lf_entry.h"

#include <stdbool.h>

/** Kept per partition: the newest. Who stands in an older one is not told, but goes on where records are. */
#define PARTITION_JUMPS_MAX 16
#define PARTITION_JUMPS_ROW_FIXED_BYTES 2
#define PARTITION_JUMP_BYTES 40
#define PARTITION_JUMPS_ROW_BYTES_MAX (PARTITION_JUMPS_ROW_FIXED_BYTES + PARTITION_JUMPS_MAX * PARTITION_JUMP_BYTES)

struct partition_jump {
    int64_t from;      /**< the end offset before; after it, it is from + LF_OFFSET_JUMP */
    int64_t committed; /**< up to here all was known to be committed when it was made */
    uint64_t index;    /**< of its entry, as is the next */
    uint64_t term;
    uint64_t last_term; /**< of the last entry before the recovery */
};

static inline int64_t partition_jump_to(const struct partition_jump *jump) { return jump->from + LF_OFFSET_JUMP; }

struct partition_jumps {
    uint32_t count;
    struct partition_jump items[PARTITION_JUMPS_MAX]; /**< oldest first */
};

/** From the whole entry's header and payload. LF_INTERNAL in words: it cannot be read, or cannot be meant. */
enum lf_status partition_jump_decode(const struct lf_entry_header *header, struct lf_bytes payload,
                                     struct partition_jump *jump, struct lf_error *error);
/** One more; the oldest goes when there are too many. */
void partition_jumps_add(struct partition_jumps *jumps, const struct partition_jump *jump);

/** Does a reader that stands at `offset`, and got what is before it in `leader_epoch` (-1: not known), come from
 *  another history? Then *resume is where this one goes on for it: after the gap if it stands in there; where what is
 *  committed ended, if what it read in a term that this log never had lies before the gap. */
bool partition_jumps_diverged(const struct partition_jumps *jumps, int64_t offset, int32_t leader_epoch,
                              int64_t *resume);
/** So many offsets before `end`, those in gaps not counted; not below `start`. */
int64_t partition_jumps_back(const struct partition_jumps *jumps, int64_t start, int64_t end, int64_t count);
/** The lowest offset with the same records before it: `offset`, or the beginning of the gap it lies within. */
int64_t partition_jumps_floor(const struct partition_jumps *jumps, int64_t offset);

/** Returns the bytes used of out. */
size_t partition_jumps_encode(const struct partition_jumps *jumps, uint8_t out[PARTITION_JUMPS_ROW_BYTES_MAX]);
/** LF_DAMAGED in words. applied_index, end_offset: of the state it belongs to. */
enum lf_status partition_jumps_decode(struct lf_bytes row, uint64_t applied_index, int64_t end_offset,
                                      struct partition_jumps *jumps, struct lf_error *error);

#endif
