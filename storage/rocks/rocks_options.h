/** Making RocksDB's options. All return what the caller destroys. */
#ifndef ROCKS_OPTIONS_H
#define ROCKS_OPTIONS_H

#include "rocks_store.h"

#include <rocksdb/c.h>

/** Of the database and its default family. NULL with words when RocksDB refuses one. */
rocksdb_options_t *rocks_options_meta(const struct rocks_store_options *given, rocksdb_cache_t *cache,
                                      rocksdb_ratelimiter_t *limiter, struct lf_error *error);
/** Of the active family. */
rocksdb_options_t *rocks_options_active(const struct rocks_store_options *given, uint64_t node_id,
                                        rocksdb_cache_t *cache, struct lf_error *error);
/** Of the family of sealed segments, and of the files that are ingested into it. */
rocksdb_options_t *rocks_options_segments(rocksdb_cache_t *cache, struct lf_error *error);
rocksdb_cache_t *rocks_options_cache(void);
rocksdb_ratelimiter_t *rocks_options_limiter(void);

#endif
