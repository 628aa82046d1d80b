/** The store and the engine below it. */
#include "metrics.h"
#include "metrics_text.h"

void metrics_write_store(struct text *text, const struct log_store_stats *stats,
                         const struct log_store_engine_stats *engine) {
    metrics_counter(text, "store_writes_total", "Writes of all groups.", stats->writes);
    metrics_counter(text, "store_commits_total", "Commits these were merged into.", stats->commits);
    metrics_counter(text, "store_syncs_total", "Commits that were synced.", stats->syncs);
    metrics_counter(text, "store_written_bytes_total", "Bytes of these writes.", stats->bytes_written);
    metrics_counter(text, "store_reads_total", "Reads.", stats->reads);
    metrics_histogram(text, "store_sync_seconds", "One synced commit: log append and fdatasync, in the writer thread.",
                      &stats->sync_us);
    metrics_histogram(text, "store_write_seconds", "One write from submission to the loop's learning that it is done.",
                      &stats->write_us);
    metrics_gauge_seconds(text, "store_oldest_write_seconds", "Age of the oldest unfinished write; 0: none.",
                          stats->oldest_write_us);
    metrics_counter_seconds(text, "store_stall_seconds_total", "Writes held back by the engine.", engine->stall_us);
    metrics_gauge(text, "store_writes_stopped", "1: the engine takes no writes now.", engine->writes_stopped);
    metrics_gauge(text, "store_delayed_write_bytes_per_second", "Rate the engine slows writes to; 0: not slowed.",
                  engine->delayed_write_bytes_per_s);
    metrics_counter(text, "store_background_errors_total", "Errors of flushes and compactions.",
                    engine->background_errors);
    metrics_counter(text, "store_log_syncs_total", "Syncs of the engine's write-ahead log.", engine->log_syncs);
    metrics_counter_seconds(text, "store_log_sync_seconds_total", "Time of these.", engine->log_sync_us);
    metrics_gauge(text, "store_flushes_running", "Memtables being flushed.", engine->flushes_running);
    metrics_gauge(text, "store_compactions_running", "Compactions under way.", engine->compactions_running);
    metrics_gauge(text, "store_memtable_bytes", "Written and not flushed.", engine->memtable_bytes);
    metrics_gauge(text, "store_table_bytes", "Table files.", engine->table_bytes);
    metrics_gauge(text, "store_pending_compaction_bytes", "Bytes that compactions have before them.",
                  engine->pending_compaction_bytes);
    metrics_gauge(text, "store_segments", "Sealed segments that have their table.", engine->segment_tables);
    metrics_gauge(text, "store_segment_bytes", "Bytes of these tables.", engine->segment_bytes);
    metrics_gauge(text, "store_segments_waiting", "Sealed segments without a table yet.", engine->segments_waiting);
    metrics_gauge(text, "store_segments_building", "Of these, being made.", engine->segments_building);
    metrics_gauge(text, "store_segments_streamed", "Open segments that are written beside the log.",
                  engine->segments_streamed);
    metrics_counter(text, "store_segments_made_total", "Tables of segments made.", engine->segments_made);
    metrics_counter(text, "store_segment_entries_fed_total", "Entries written to these from memory.",
                    engine->segment_entries_fed);
    metrics_counter(text, "store_segment_entries_read_total", "Entries read again, out of the store, for these.",
                    engine->segment_entries_read);
    metrics_gauge(text, "store_segment_drops_waiting", "Tables of dropped segments that are not deleted yet.",
                  engine->segment_drops_waiting);
    metrics_counter(text, "store_scrubbed_bytes_total", "Entries and rows read to find damage.",
                    engine->scrubbed_bytes);
    metrics_counter(text, "store_scrub_passes_total", "Times everything was read so.", engine->scrub_passes);
    metrics_counter(text, "store_scrub_damages_total", "Damaged places found so.", engine->scrub_damages);
}
