/** RocksDB's options: every one that is not its default, and why. Those without a C setter go through a string.
 *  Measurements: docs/decisions/0002-active-family-compaction.md, 0010-segments-as-table-files.md. */
#include "rocks_options.h"
#include "log_rewrite.h"
#include "rocks_db.h"
#include "rocks_error.h"

#include <stdio.h>

#define MIB (1024u * 1024)
#define META_MEMTABLE_BYTES (4 * MIB)
#define SEGMENTS_MEMTABLE_BYTES (64 * 1024) /* stays empty */
#define MEMTABLES_MAX 4                     /* flushes that wait before writes do */
#define BLOCK_CACHE_BYTES (32 * MIB)
#define BLOCK_BYTES (16 * 1024)
#define BACKGROUND_JOBS 3
#define BACKGROUND_BYTES_PER_S (160ll * MIB)
#define BACKGROUND_REFILL_US (20 * 1000)
#define SYNC_STEP_BYTES (256 * 1024) /* written pages go to the disk steadily, not all at the end */
#define INFO_LOG_BYTES MIB
#define INFO_LOG_FILES 4
/** Above all levels: nothing is written. On a full disk RocksDB's own log ends the process; what it would say comes as
 * errors of calls and in its statistics. */
#define INFO_LOG_NOTHING 6
#define MANIFEST_BYTES (64 * MIB) /* some 500,000 tables: a larger one would be written anew with every edit */
#define RUNS_MAX 48
#define MERGE_WIDTH_MIN 16
#define MERGE_WIDTH_MAX 64
#define NEVER_STALL_FILES (1 << 30)

struct rocks_store_options rocks_options_complete(const struct rocks_store_options *options) {
    struct rocks_store_options all = *options;
    all.memtable_bytes = all.memtable_bytes ? all.memtable_bytes : 32 * MIB;
    all.wal_bytes_max = all.wal_bytes_max ? all.wal_bytes_max : 96 * MIB;
    all.commit_bytes_max = all.commit_bytes_max ? all.commit_bytes_max : LOG_STORE_COMMIT_BYTES_MAX_DEFAULT;
    all.submit_bytes_max = all.submit_bytes_max ? all.submit_bytes_max : LOG_STORE_SUBMIT_BYTES_MAX_DEFAULT;
    all.reads_max = all.reads_max ? all.reads_max : 1024;
    all.reader_threads = all.reader_threads ? all.reader_threads : 2;
    all.segment_builders_max = all.segment_builders_max ? all.segment_builders_max : 32;
    all.stage_bytes_max = all.stage_bytes_max ? all.stage_bytes_max : 16 * MIB;
    if (all.compaction_memory_bytes == 0)
        all.compaction_memory_bytes = LOG_REWRITE_MEMORY_BYTES_DEFAULT;
    all.compaction_bytes_per_s = all.compaction_bytes_per_s ? all.compaction_bytes_per_s : 128 * MIB;
    all.open_files_max = all.open_files_max ? all.open_files_max : 512;
    return all;
}

uint32_t rocks_memtable_bytes(uint32_t configured, uint64_t node_id) {
    return configured / 4 * (3 + (uint32_t)(node_id % 3));
}

static void set_durability(rocksdb_options_t *options, const struct rocks_store_options *given) {
    rocksdb_options_set_wal_recovery_mode(options, rocksdb_tolerate_corrupted_tail_records_recovery);
    rocksdb_options_set_recycle_log_file_num(options, 0);
    rocksdb_options_set_wal_compression(options, rocksdb_no_compression);
    rocksdb_options_set_manual_wal_flush(options, 0);
    rocksdb_options_set_enable_pipelined_write(options, 0);
    rocksdb_options_set_use_fsync(options, 0);
    rocksdb_options_set_paranoid_checks(options, 1);
    rocksdb_options_set_max_total_wal_size(options, given->wal_bytes_max);
}

static void set_pace(rocksdb_options_t *options, rocksdb_ratelimiter_t *limiter) {
    rocksdb_options_set_bytes_per_sync(options, SYNC_STEP_BYTES);
    rocksdb_options_set_wal_bytes_per_sync(options, SYNC_STEP_BYTES);
    rocksdb_options_set_ratelimiter(options, limiter);
    rocksdb_options_set_max_background_jobs(options, BACKGROUND_JOBS);
    rocksdb_options_set_avoid_unnecessary_blocking_io(options, 1);
    rocksdb_options_set_allow_concurrent_memtable_write(options, 0); /* one writer thread */
}

static void set_bounds(rocksdb_options_t *options, const struct rocks_store_options *given) {
    rocksdb_options_set_max_open_files(options, (int)given->open_files_max);
    rocksdb_options_set_skip_stats_update_on_db_open(options, 1);
    rocksdb_options_set_max_manifest_file_size(options, MANIFEST_BYTES);
    rocksdb_options_set_max_log_file_size(options, INFO_LOG_BYTES);
    rocksdb_options_set_keep_log_file_num(options, INFO_LOG_FILES);
    rocksdb_options_set_info_log_level(options, INFO_LOG_NOTHING);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    rocksdb_options_enable_statistics(options);
}

/* Compaction that lags costs reads a few more runs; it must never hold writes back. */
static void set_no_stalls(rocksdb_options_t *options) {
    rocksdb_options_set_max_write_buffer_number(options, MEMTABLES_MAX);
    rocksdb_options_set_level0_slowdown_writes_trigger(options, NEVER_STALL_FILES);
    rocksdb_options_set_level0_stop_writes_trigger(options, NEVER_STALL_FILES);
    rocksdb_options_set_soft_pending_compaction_bytes_limit(options, 0);
    rocksdb_options_set_hard_pending_compaction_bytes_limit(options, 0);
    rocksdb_options_set_compression(options, rocksdb_no_compression); /* batches come compressed */
}

static void set_table(rocksdb_options_t *options, rocksdb_cache_t *cache) {
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_block_size(table, BLOCK_BYTES);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    rocksdb_block_based_options_set_format_version(table, 5);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
}

/* What is sealed is deleted here soon after, so late merges find little left to write, and serve reads and space only:
 * none below RUNS_MAX runs, then few, wide merges
 * of runs of similar size. */
static void set_active_compaction(rocksdb_options_t *options) {
    rocksdb_universal_compaction_options_t *universal = rocksdb_universal_compaction_options_create();
    rocksdb_options_set_compaction_style(options, rocksdb_universal_compaction);
    rocksdb_universal_compaction_options_set_size_ratio(universal, 50);
    rocksdb_universal_compaction_options_set_min_merge_width(universal, MERGE_WIDTH_MIN);
    rocksdb_universal_compaction_options_set_max_merge_width(universal, MERGE_WIDTH_MAX);
    rocksdb_universal_compaction_options_set_max_size_amplification_percent(universal, 1 << 30);
    rocksdb_universal_compaction_options_set_stop_style(universal, rocksdb_similar_size_compaction_stop_style);
    rocksdb_options_set_universal_compaction_options(options, universal);
    rocksdb_universal_compaction_options_destroy(universal);
    rocksdb_options_set_level0_file_num_compaction_trigger(options, RUNS_MAX);
}

/* `options` (taken) with what only a string can set; NULL and words when RocksDB does not know one of them. */
static rocksdb_options_t *with_string(rocksdb_options_t *options, struct lf_error *error) {
    const char *text = "avoid_flush_during_recovery=false;avoid_flush_during_shutdown=false;"
                       "ttl=0;periodic_compaction_seconds=0;verify_sst_unique_id_in_manifest=true;"
                       "allow_fallocate=true;two_write_queues=false;unordered_write=false";
    rocksdb_options_t *all = rocksdb_options_create();
    char *failure = NULL;
    rocksdb_get_options_from_string(options, text, all, &failure);
    rocksdb_options_destroy(options);
    if (rocks_error(&failure, error, "RocksDB options") == LF_OK)
        return all;
    rocksdb_options_destroy(all);
    return NULL;
}

rocksdb_options_t *rocks_options_meta(const struct rocks_store_options *given, rocksdb_cache_t *cache,
                                      rocksdb_ratelimiter_t *limiter, struct lf_error *error) {
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, given->create);
    rocksdb_options_set_create_missing_column_families(options, 1);
    set_durability(options, given);
    set_pace(options, limiter);
    set_bounds(options, given);
    set_no_stalls(options);
    set_table(options, cache);
    rocksdb_options_set_write_buffer_size(options, META_MEMTABLE_BYTES);
    return with_string(options, error);
}

rocksdb_options_t *rocks_options_active(const struct rocks_store_options *given, uint64_t node_id,
                                        rocksdb_cache_t *cache, struct lf_error *error) {
    rocksdb_options_t *options = rocksdb_options_create();
    set_no_stalls(options);
    set_table(options, cache);
    set_active_compaction(options);
    rocksdb_options_set_write_buffer_size(options, rocks_memtable_bytes(given->memtable_bytes, node_id));
    return with_string(options, error);
}

/* Never written to but by ingestion, never merged: a segment is one file of the last level, whose range of keys no
 * other one shares. Its files need no place in level 0, so they can be deleted by range. */
rocksdb_options_t *rocks_options_segments(rocksdb_cache_t *cache, struct lf_error *error) {
    rocksdb_options_t *options = rocksdb_options_create();
    set_no_stalls(options);
    set_table(options, cache);
    rocksdb_options_set_disable_auto_compactions(options, 1);
    rocksdb_options_set_write_buffer_size(options, SEGMENTS_MEMTABLE_BYTES);
    return with_string(options, error);
}

rocksdb_cache_t *rocks_options_cache(void) { return rocksdb_cache_create_lru(BLOCK_CACHE_BYTES); }

rocksdb_ratelimiter_t *rocks_options_limiter(void) {
    return rocksdb_ratelimiter_create(BACKGROUND_BYTES_PER_S, BACKGROUND_REFILL_US, 10);
}
