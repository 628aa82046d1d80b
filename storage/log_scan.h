/** Carrying out a read over some source of entries: finding where it starts, collecting, checking. Shared by the
 *  stores.
 *
 *  Hints are only hints: an offset's place is proved by its neighbours' end offsets, so a wrong or missing hint costs
 *  time, never a wrong answer. Every entry given out has passed lf_entry_check (S7).
 */
#ifndef LOG_SCAN_H
#define LOG_SCAN_H

#include "log_store.h"

/** Where the entries come from; one snapshot of a group. The functions are the edge to memory or RocksDB. */
struct log_scan_source {
    void *context;
    uint64_t group;
    uint64_t first_index; /**< of the log */
    uint64_t last_index;  /**< of the log; 0: empty */
    /** View of the entry, valid until the next call. LF_DAMAGED when it is not there or cannot be read. */
    enum lf_status (*entry)(void *context, uint64_t index, struct lf_bytes *entry, struct lf_error *error);
    /** The hint with the largest index at or below `index`. False: none (or unreadable: it is only a hint). */
    bool (*hint)(void *context, uint64_t index, struct log_store_hint *hint);
};

/** Fills completion's entries, entry_count, first_index; status and error when not LF_OK, and then no entries. */
void log_scan_read(const struct log_scan_source *source, const struct log_store_read *read,
                   struct log_store_completion *completion);

#endif
