/** One group as it is at one moment: its rows and entries on one snapshot. */
#ifndef ROCKS_VIEW_H
#define ROCKS_VIEW_H

#include "log_scan.h"
#include "rocks_db.h"

struct rocks_view {
    const struct rocks_db *db;
    uint64_t group, slot;
    uint64_t first_index, last_index; /**< of the log */
    const rocksdb_snapshot_t *snapshot;
    rocksdb_readoptions_t *options;            /**< on the snapshot */
    rocksdb_readoptions_t *active_options;     /**< and within the slot */
    rocksdb_readoptions_t *table_options;      /**< and within one segment */
    rocksdb_iterator_t *rows, *active, *table; /**< made when first needed */
    uint64_t table_id;
    struct rocks_key active_end, table_end; /**< where the iterators stop */
};

/** LF_NOT_FOUND: no such group. Close it also on failure. */
enum lf_status rocks_view_open(struct rocks_view *view, const struct rocks_db *db, uint64_t group,
                               struct lf_error *error);
void rocks_view_close(struct rocks_view *view);

/* As in log_scan_source; context is the view. */
enum lf_status rocks_view_segment(void *context, uint64_t index, bool *found, struct log_held *held,
                                  struct lf_error *error);
enum lf_status rocks_view_next(void *context, const struct log_held *held, uint64_t index, uint64_t *found,
                               struct lf_bytes *entry, struct lf_error *error);
bool rocks_view_hint(void *context, uint64_t index, struct log_store_hint *hint);

#endif
