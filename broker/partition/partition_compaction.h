/** What a partition remembers of its compactions, so that any leader knows what is to be compacted next and which
 *  tombstones have stayed long enough. A function of the entries, equal everywhere.
 *
 *  Row "k" (little-endian, once there was a compacting REWRITE): u8 version 1, then u64 each: clean_index,
 *  clean_before_ms, clean_since_ms, open_index, open_before_ms, open_tombstones_before_ms.
 */
#ifndef PARTITION_COMPACTION_H
#define PARTITION_COMPACTION_H

#include "log_store.h"

#define PARTITION_COMPACTION_ROW_BYTES 49

struct partition_compaction {
    uint64_t clean_index;     /**< the log up to it was compacted, and that is over; 0: never */
    uint64_t clean_before_ms; /**< when it was, entries of a lower log time were in it. Of the first compaction after
                                 the one that took tombstones, so that a busy partition does not put it off for ever */
    uint64_t clean_since_ms;  /**< log time at which it was over; 0: none since tombstones were taken */
    uint64_t open_index;      /**< the compaction under way reaches so far; 0: none is */
    uint64_t open_before_ms, open_tombstones_before_ms;
};

/** A compacting REWRITE is applied. clean_before_ms: as it says itself. */
void partition_compaction_begin(struct partition_compaction *compaction, const struct log_store_rewrite *rewrite,
                                uint64_t clean_before_ms);
/** The REWRITTEN of the last REWRITE is applied, at this log time. False: that was no compaction. */
bool partition_compaction_end(struct partition_compaction *compaction, uint64_t log_time_ms);

void partition_compaction_encode(const struct partition_compaction *compaction,
                                 uint8_t out[PARTITION_COMPACTION_ROW_BYTES]);
/** LF_DAMAGED in words. applied_index, log_time_ms: of the state it belongs to. */
enum lf_status partition_compaction_decode(struct lf_bytes row, uint64_t applied_index, uint64_t log_time_ms,
                                           struct partition_compaction *compaction, struct lf_error *error);

#endif
