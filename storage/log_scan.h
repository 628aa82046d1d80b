/** Carrying out a read over some source of entries: finding where it starts, collecting, checking. Shared by the
 *  stores.
 *
 *  Logs begin late, and rewritten segments have holes. A hole is allowed only where descriptors say so: in a segment
 *  that is not whole. Anywhere else a missing entry is damage, never the end of the log.
 *
 *  Hints are only hints: an offset's place is proved by its neighbours' end offsets or by descriptors, so a wrong or
 *  missing hint costs time, never a wrong answer. Every entry given out has passed lf_entry_check (S7).
 */
#ifndef LOG_SCAN_H
#define LOG_SCAN_H

#include "log_group.h"
#include "log_store.h"

/** Where the entries come from; one snapshot of a group. The functions are the edge to memory or RocksDB. */
struct log_scan_source {
    void *context;
    uint64_t group;
    uint64_t first_index; /**< of the log: of its first segment, else after previous_index */
    uint64_t last_index;  /**< of the log; below first_index: empty */
    /** The segment with the smallest last_index at or above `index`; *found false: the active part is there. */
    enum lf_status (*segment)(void *context, uint64_t index, bool *found, struct log_held *segment,
                              struct lf_error *error);
    /** In this segment, or NULL: in the active part: the entry with the smallest index at or above `index`, and that
     *  index; *found 0: there is none. The view is valid until the next call. LF_DAMAGED when it cannot be read. */
    enum lf_status (*next)(void *context, const struct log_held *segment, uint64_t index, uint64_t *found,
                           struct lf_bytes *entry, struct lf_error *error);
    /** The hint with the largest index at or below `index`. False: none (or unreadable: it is only a hint). */
    bool (*hint)(void *context, uint64_t index, struct log_store_hint *hint);
};

/** Fills completion's entries, entry_count, first_index; status and error when not LF_OK, and then no entries, and the
 *  segment in which the damage is. */
void log_scan_read(const struct log_scan_source *source, const struct log_store_read *read,
                   struct log_store_completion *completion);

#endif
