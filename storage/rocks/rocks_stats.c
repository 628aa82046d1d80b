/** Figures: counters of our own threads, and what RocksDB says of itself. */
#include "rocks_store_inside.h"

#include <stdlib.h>
#include <string.h>

void rocks_stats(const struct log_store *store, struct log_store_stats *out) {
    const struct rocks_store *rocks = (const struct rocks_store *)store;
    const struct rocks_counters *counters = &rocks->counters;
    out->writes = atomic_load_explicit(&counters->writes, memory_order_relaxed);
    out->commits = atomic_load_explicit(&counters->commits, memory_order_relaxed);
    out->syncs = atomic_load_explicit(&counters->syncs, memory_order_relaxed);
    out->bytes_written = atomic_load_explicit(&counters->bytes_written, memory_order_relaxed);
    out->reads = atomic_load_explicit(&counters->reads, memory_order_relaxed);
    for (size_t i = 0; i <= LF_HISTOGRAM_BOUNDS; i++)
        out->sync_us.counts[i] = atomic_load_explicit(&counters->sync_us[i], memory_order_relaxed);
    out->sync_us.sum_us = atomic_load_explicit(&counters->sync_us_sum, memory_order_relaxed);
    out->write_us = rocks->write_us;
    if (rocks->write_count > 0)
        out->oldest_write_us = rocks_clock_us() - rocks->submitted_us[rocks->submitted_first];
    out->writes_waiting = rocks->write_count;
    out->writes_waiting_max = ROCKS_WRITES_MAX;
    out->bytes_waiting = rocks->write_bytes;
    out->bytes_waiting_max = rocks->options.submit_bytes_max;
    out->reads_waiting = rocks->read_count;
    out->reads_waiting_max = rocks->options.reads_max;
}

/* The number after `key` in RocksDB's table of statistics; 0 when it is not there. */
static uint64_t find_number(const char *text, const char *key) {
    const char *at = text ? strstr(text, key) : NULL;
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* A count and a sum stand at the end of a histogram's line. */
static uint64_t find_in_line(const char *text, const char *line, const char *key) {
    const char *at = text ? strstr(text, line) : NULL;
    const char *end = at ? strchr(at, '\n') : NULL;
    const char *found = at ? strstr(at, key) : NULL;
    return found && (!end || found < end) ? strtoull(found + strlen(key), NULL, 10) : 0;
}

static uint64_t property(const struct rocks_db *db, const char *name) {
    uint64_t value = 0;
    return rocksdb_property_int(db->db, name, &value) == 0 ? value : 0;
}

/* Over all families. */
static uint64_t property_sum(const struct rocks_db *db, const char *name) {
    return rocks_db_property(db, db->meta, name) + rocks_db_property(db, db->active, name) +
           rocks_db_property(db, db->segments, name);
}

static void segment_stats(const struct rocks_store *rocks, struct log_store_engine_stats *out) {
    const struct rocks_segments *segments = &rocks->writer.segments;
    const struct rocks_segment_counters *counters = &segments->counters;
    out->segment_tables = rocks_db_segment_tables(&rocks->db);
    out->segment_bytes = rocks_db_property(&rocks->db, rocks->db.segments, "rocksdb.total-sst-files-size");
    out->segments_waiting = atomic_load_explicit(&counters->waiting, memory_order_relaxed);
    out->segments_building = atomic_load_explicit(&counters->building, memory_order_relaxed);
    out->segments_streamed = atomic_load_explicit(&segments->thread.builders_open, memory_order_relaxed);
    out->segment_entries_fed = atomic_load_explicit(&segments->thread.entries_fed, memory_order_relaxed);
    out->segment_entries_read = atomic_load_explicit(&segments->thread.entries_read, memory_order_relaxed);
    out->segments_made = atomic_load_explicit(&counters->made, memory_order_relaxed);
    out->segment_drops_waiting = atomic_load_explicit(&counters->doomed, memory_order_relaxed);
}

void rocks_engine_stats(const struct log_store *store, struct log_store_engine_stats *out) {
    const struct rocks_db *db = &((const struct rocks_store *)store)->db;
    char *text = rocksdb_options_statistics_get_string(db->meta_options);
    out->stall_us = find_number(text, "rocksdb.stall.micros COUNT : ");
    out->log_syncs = find_in_line(text, "rocksdb.wal.file.sync.micros ", "COUNT : ");
    out->log_sync_us = find_in_line(text, "rocksdb.wal.file.sync.micros ", "SUM : ");
    free(text);
    out->background_errors = property(db, "rocksdb.background-errors");
    out->delayed_write_bytes_per_s = property(db, "rocksdb.actual-delayed-write-rate");
    out->writes_stopped = property(db, "rocksdb.is-write-stopped") != 0;
    out->flushes_running = property(db, "rocksdb.num-running-flushes");
    out->compactions_running = property(db, "rocksdb.num-running-compactions");
    out->memtable_bytes = property_sum(db, "rocksdb.cur-size-all-mem-tables");
    out->table_bytes = property_sum(db, "rocksdb.total-sst-files-size");
    segment_stats((const struct rocks_store *)store, out);
    const struct rocks_scrub *scrub = &((const struct rocks_store *)store)->scrub;
    out->scrubbed_bytes = atomic_load_explicit(&scrub->bytes, memory_order_relaxed);
    out->scrub_passes = atomic_load_explicit(&scrub->passes, memory_order_relaxed);
    out->scrub_damages = atomic_load_explicit(&scrub->damages, memory_order_relaxed);
    out->pending_compaction_bytes = property_sum(db, "rocksdb.estimate-pending-compaction-bytes");
}

void rocks_store_statistics(const struct log_store *store, struct rocks_store_statistics *out) {
    const struct rocks_store *rocks = (const struct rocks_store *)store;
    const struct rocks_counters *counters = &rocks->counters;
    char *text = rocksdb_options_statistics_get_string(rocks->db.meta_options);
    *out = (struct rocks_store_statistics){.writes = atomic_load(&counters->writes),
                                           .commits = atomic_load(&counters->commits),
                                           .syncs = atomic_load(&counters->syncs),
                                           .bytes_written = atomic_load(&counters->bytes_written),
                                           .reads = atomic_load(&counters->reads),
                                           .commit_us_max = atomic_load(&counters->commit_us_max),
                                           .stall_us = find_number(text, "rocksdb.stall.micros COUNT : ")};
    free(text);
}
