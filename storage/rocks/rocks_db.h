/** RocksDB itself: opened with our options, its three column families, and the few calls everything here is made of. */
#ifndef ROCKS_DB_H
#define ROCKS_DB_H

#include "rocks_keys.h"
#include "rocks_store.h"

#include <rocksdb/c.h>

struct rocks_db {
    rocksdb_t *db;
    rocksdb_column_family_handle_t *meta;     /**< the default family: all but entries */
    rocksdb_column_family_handle_t *active;   /**< entries that are in no table of their segment yet */
    rocksdb_column_family_handle_t *segments; /**< sealed segments: ingested, never written to */
    rocksdb_options_t *meta_options;
    rocksdb_options_t *active_options;
    rocksdb_options_t *segment_options;
    rocksdb_cache_t *cache;
    rocksdb_ratelimiter_t *limiter;
    rocksdb_writeoptions_t *write_synced;
    rocksdb_writeoptions_t *write_unsynced;
    bool cold; /**< what is read goes past the cache */
};

/** Zeroes of `options` replaced by the defaults. */
struct rocks_store_options rocks_options_complete(const struct rocks_store_options *options);
/** How large one memtable is on this node: the configured size times 3/4, 1 or 5/4, so that nodes do not flush at once.
 */
uint32_t rocks_memtable_bytes(uint32_t configured, uint64_t node_id);

/** Opens, creating when options->create; preflight has been done. On failure nothing is left open. */
enum lf_status rocks_db_open(struct rocks_db *db, const struct rocks_store_options *options, uint64_t node_id,
                             struct lf_error *error);
/** The same, but a table that cannot be opened is not looked at; only to take such a one out (rocks_salvage.h).
 * read_only: nothing is written. */
enum lf_status rocks_db_open_leniently(struct rocks_db *db, const struct rocks_store_options *options, uint64_t node_id,
                                       bool read_only, struct lf_error *error);
void rocks_db_close(struct rocks_db *db);

/** A value copied out. found = false leaves value untouched. */
enum lf_status rocks_db_get(const struct rocks_db *db, const rocksdb_readoptions_t *read_options,
                            const struct rocks_key *key, void *value, size_t value_bytes, bool *found,
                            struct lf_error *error);

/** One batch; sync = fdatasync of the write-ahead log before it returns. There is no write without the log. */
enum lf_status rocks_db_write(struct rocks_db *db, rocksdb_writebatch_t *batch, bool sync, struct lf_error *error);

/** A number that RocksDB knows of a family; 0: it does not. */
uint64_t rocks_db_property(const struct rocks_db *db, rocksdb_column_family_handle_t *family, const char *name);
/** Tables of the family `segments`. */
uint64_t rocks_db_segment_tables(const struct rocks_db *db);

/** The segment whose table is file i of the list; false: it is no segment's. */
bool rocks_table_segment(const rocksdb_livefiles_t *files, int i, uint64_t *id);

#endif
