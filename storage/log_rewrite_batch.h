/** One batch under compaction: its keys, and what is left of it. For log_rewrite.c only. */
#ifndef LOG_REWRITE_BATCH_H
#define LOG_REWRITE_BATCH_H

#include "key_map.h"
#include "lf_entry.h"

/** What is left of a batch. */
enum batch_fate {
    BATCH_STAYS,   /**< as it is, all its records */
    BATCH_GOES,    /**< none */
    BATCH_THINNED, /**< made anew with fewer records */
    BATCH_UNSOUND, /**< as it is, by W4 */
};

struct batch_survivors {
    uint64_t tombstones_before_ms; /**< 0: none goes */
    /* Out: */
    uint64_t records, records_kept;
    struct lf_bytes entry; /**< BATCH_THINNED: the new entry, valid until the next call */
    /* Kept from call to call: */
    uint8_t *records_bytes, *entry_bytes;
    size_t records_capacity, entry_capacity;
};

void batch_survivors_deinit(struct batch_survivors *survivors);

/** Note the keys of a batch, whose entry's header is `header`: put them all (new: also those not in the map), or raise
 *  those that are there. A batch that is not sound (W4) has none. LF_FULL, LF_NO_MEMORY. */
enum lf_status batch_keys_note(struct key_map *map, struct lf_bytes batch, bool new, bool force);

/** Decide over the batch of the entry. map: holds the newest offset of each of its keys. LF_OK, LF_NO_MEMORY. */
enum lf_status batch_survivors_of(struct batch_survivors *survivors, const struct key_map *map, uint64_t group,
                                  const struct lf_entry_header *header, struct lf_bytes batch, enum batch_fate *fate);

#endif
