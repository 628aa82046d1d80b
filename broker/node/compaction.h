/** When a leader has a partition compacted by key, and how far. Pure: a function of what is sealed and of log time.
 *
 *   K1  from the first segment on, so that what a tombstone stands for is in the range whenever the tombstone is
 *   K2  only sealed segments, whose last entry is at least min.compaction.lag.ms old by log time
 *   K3  when what was never compacted ("dirty") is at least half of the range: so the bytes written again stay below
 * two per byte published, however old the log gets K4  a tombstone goes only delete.retention.ms after a compaction
 * took the older values of its key: whoever had begun to read one of them has had that time to reach the tombstone
 *   K5  where nobody writes K3 never comes: then the clean part is compacted once more for its tombstones, when their
 *       time is over; at most once per delete.retention.ms, and not again for what the same leader did already
 */
#ifndef COMPACTION_H
#define COMPACTION_H

#include "log_store.h"

struct compaction_view {
    const struct log_segment *segments; /**< sealed, oldest first */
    size_t segment_count;
    uint64_t clean_index;     /**< as far as the log was compacted; 0: never */
    uint64_t clean_before_ms; /**< that of a compaction which is over: entries of a lower log time were in it ... */
    uint64_t clean_since_ms;  /**< ... and then it was over, by log time; 0: none */
    uint64_t now_ms;          /**< log time */
    /** clean_index and clean_before_ms when this leader had it done by K5 last; 0: it never had. */
    uint64_t taken_index, taken_before_ms;
    /* settings of the topic: */
    int64_t min_compaction_lag_ms, delete_retention_ms, segment_bytes;
};

struct compaction_figures {
    uint64_t clean_bytes, dirty_bytes; /**< of what may be compacted (K1, K2) */
};

/** What there is to compact. */
void compaction_figures(const struct compaction_view *view, struct compaction_figures *figures);
/** False: not yet. *clean_before_ms: the log time before which all is compacted afterwards. By K5 the range ends at
 *  clean_index. */
bool compaction_choose(const struct compaction_view *view, struct log_store_rewrite *rewrite,
                       uint64_t *clean_before_ms);

#endif
