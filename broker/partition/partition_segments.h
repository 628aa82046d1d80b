/** The segments of one partition as this replica holds them, and the decisions about them that are not carried out yet.
 *
 *  The sealed ones are what the store holds; the open one is the descriptor of what is applied after them. A REWRITE is
 *  carried out by the store in its own time, so what it replaces depends on how far the store is: the sealed list and
 *  the waiting decisions are the replica's own matter, no part of the state that is equal everywhere.
 */
#ifndef PARTITION_SEGMENTS_H
#define PARTITION_SEGMENTS_H

#include "partition_decision.h"

/** Decisions waiting behind a rewrite. At the bound the replica applies no further rewrite until one is done. */
#define PARTITION_DECISIONS_MAX 64

struct partition_segments {
    struct log_segment open; /**< entry_count 0: nothing is applied after the last sealed one */
    struct log_segment *sealed;
    size_t count, capacity;
    uint64_t bytes, command_bytes; /**< of the sealed ones */
    struct partition_decision *decisions;
    size_t decision_count, decision_capacity; /**< a drop waits only behind a REWRITE */
    /* Equal everywhere: */
    uint32_t seals_checksum; /**< CRC-32C over the descriptors of all seals there ever were */
    uint32_t expected;       /**< what the REWRITTEN of the last REWRITE said; 0: nothing yet */
    /* Not: */
    uint32_t own;        /**< the same, as it came out here; 0: not known */
    int64_t heard_start; /**< a committed log start whose entry is not applied here, but dropped by; 0: none */
};

void partition_segments_deinit(struct partition_segments *segments);
/** Room for one more sealed one and one more decision. LF_NO_MEMORY. */
enum lf_status partition_segments_reserve(struct partition_segments *segments);
/** The open one begins after `index`. */
void partition_segments_begin(struct partition_segments *segments, uint64_t index, int64_t offset,
                              uint64_t log_time_ms);
/** Take up the store's list (copied), oldest first. LF_DAMAGED in words, LF_NO_MEMORY. */
enum lf_status partition_segments_load(struct partition_segments *segments, const struct log_segment *sealed,
                                       size_t count, struct lf_error *error);
/** May the applied entry's decision be taken up? LF_OK; LF_FULL; LF_INTERNAL: what it names is not there. */
enum lf_status partition_segments_check(const struct partition_segments *segments,
                                        const struct partition_decision *decision, struct lf_error *error);

/* Effects of entries, with room reserved. What the store must do goes into `write` (NULL: none wanted): LF_NO_MEMORY,
 * then only the write is to be set back. */
enum lf_status partition_segments_roll(struct partition_segments *segments, struct log_store_write *write);
enum lf_status partition_segments_decide(struct partition_segments *segments, const struct partition_decision *decision,
                                         struct log_store_write *write);
/** `rewrite_index` came out as `checksum` where the leader was. */
enum lf_status partition_segments_expect(struct partition_segments *segments, uint64_t rewrite_index, uint32_t checksum,
                                         struct log_store_write *write);

/** The waiting REWRITE, first of the decisions, was done by the store. is_last: no REWRITE was applied after it.
 *  LF_INTERNAL in words: that is no result, or not the leader's; LF_NO_MEMORY. */
enum lf_status partition_segments_rewritten(struct partition_segments *segments, bool is_last,
                                            const struct log_segment *made, size_t made_count,
                                            struct log_store_write *write, struct lf_error *error);
/** Whole segments below a committed log start go ahead of the entry that says so. False: none can. */
bool partition_segments_drop_ahead(struct partition_segments *segments, int64_t offset, struct log_store_write *write);
/** The first of the decisions is a drop that has waited: now. LF_NO_MEMORY. */
enum lf_status partition_segments_carry_out(struct partition_segments *segments, struct log_store_write *write);

/** The first offset that is here. Nothing from the log start on is missing: it is not above that (P7). */
static inline uint64_t partition_segments_base_offset(const struct partition_segments *segments) {
    return segments->count > 0 ? segments->sealed[0].base_offset : segments->open.base_offset;
}
/** Where the range begins in `sealed` and how many they are; 0: its ends are no borders of segments. */
size_t partition_segments_find(const struct partition_segments *segments, uint64_t first_index, uint64_t last_index,
                               size_t *at);
/** The checksum that REWRITTEN entries carry: never 0. */
uint32_t partition_segments_checksum(const struct log_segment *segments, size_t count);

#endif
