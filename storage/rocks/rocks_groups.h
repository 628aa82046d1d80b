/** The shapes of all groups in the store, ordered by id: what the writer judges by. Built from the disk at opening,
 *  where each group is checked; owned by the writer thread afterwards. */
#ifndef ROCKS_GROUPS_H
#define ROCKS_GROUPS_H

#include "log_group.h"
#include "rocks_db.h"
#include "segment_feed.h"

#include <stdatomic.h>

struct rocks_group {
    struct log_group log;      /**< first */
    uint64_t unstreamed_bytes; /**< appended since the segment thread was last told to go on (segment_thread.h) */
    struct segment_feed feed;  /**< emptied by rocks_segments */
    uint64_t stage_epoch;      /**< how often what was staged was given up, since the store was opened */
};
static inline struct rocks_group *rocks_group_of(struct log_group *log) { return (struct rocks_group *)log; }

struct rocks_groups {
    struct log_group **items; /**< ordered by id; each the head of a rocks_group */
    size_t count, capacity;
    atomic_ullong slot_next; /**< slots and segment ids are never reused in a store; the segment thread takes ids */
};

void rocks_groups_deinit(struct rocks_groups *groups);
struct log_group *rocks_groups_find(const struct rocks_groups *groups, uint64_t id);
/** Returns the new group, in place, or NULL without memory. */
struct log_group *rocks_groups_add(struct rocks_groups *groups, uint64_t id);
void rocks_groups_remove(struct rocks_groups *groups, uint64_t id);

/** Their ids, for whoever opens the store. LF_NO_MEMORY. */
enum lf_status rocks_groups_list(const struct rocks_groups *groups, struct log_store *store, struct lf_error *error);

/** The value of a segment's row (rocks_keys.h). */
void rocks_segment_row_encode(const struct log_held *held, uint8_t out[ROCKS_SEGMENT_ROW_BYTES]);
/** The row under this first index. LF_DAMAGED in words. */
enum lf_status rocks_segment_row_decode(uint64_t first_index, struct lf_bytes value, struct log_held *held,
                                        struct lf_error *error);
/** The row under this id. LF_DAMAGED in words. */
enum lf_status rocks_staged_row_decode(uint64_t id, struct lf_bytes value, struct log_held *held,
                                       struct lf_error *error);

/** Reads every group's rows; checks that hard state is there, that runs and segments fit (LF_DAMAGED with words). */
enum lf_status rocks_groups_load(struct rocks_groups *groups, const struct rocks_db *db, struct lf_error *error);

/** The ends of every group's entries: the first one, the last ones, none beyond, no entries of unknown groups. */
enum lf_status rocks_groups_check_entries(const struct rocks_groups *groups, const struct rocks_db *db,
                                          struct lf_error *error);

#endif
