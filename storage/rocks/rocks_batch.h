/** A judged write as operations of one RocksDB write batch. */
#ifndef ROCKS_BATCH_H
#define ROCKS_BATCH_H

#include "rocks_segments.h"
#include "wal_marker.h"

struct rocks_batch {
    rocksdb_writebatch_t *batch;
    const struct rocks_db *db;
    struct rocks_groups *groups;
    struct rocks_segments *segments;
    struct log_store_identity *identity; /**< changes when the cluster id is pinned */
};

/** Judges the write against the groups; adds its operations and changes the groups. LF_INVALID: nothing was added; any
 *  other failure is final for the store (S6). */
enum lf_status rocks_batch_add(struct rocks_batch *batch, const struct log_store_write *write, struct lf_error *error);

#endif
