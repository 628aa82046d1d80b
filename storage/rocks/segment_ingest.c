#include "rocks_error.h"
#include "segment_thread.h"

#include "lf_check.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* Files are moved in by a hard link. No snapshot matters, since nobody reads the segment before its row has the id; and
 * no sequence number may be given, since start-up demands that the logs' are without a gap (wal_scan.h). */
static rocksdb_ingestexternalfileoptions_t *ingest_options(void) {
    rocksdb_ingestexternalfileoptions_t *options = rocksdb_ingestexternalfileoptions_create();
    rocksdb_ingestexternalfileoptions_set_move_files(options, 1);
    rocksdb_ingestexternalfileoptions_set_snapshot_consistency(options, 0);
    rocksdb_ingestexternalfileoptions_set_allow_global_seqno(options, 0);
    rocksdb_ingestexternalfileoptions_set_allow_blocking_flush(options, 0);
    return options;
}

static enum lf_status ingest_paths(const struct segment_thread *thread, char *const *paths, size_t count,
                                   struct lf_error *error) {
    char *failure = NULL;
    rocksdb_ingestexternalfileoptions_t *options = ingest_options();
    rocksdb_ingest_external_file_cf(thread->db->db, thread->db->segments, (const char *const *)paths, count, options,
                                    &failure);
    rocksdb_ingestexternalfileoptions_destroy(options);
    return rocks_error(&failure, error, count == 1 ? "ingest a segment" : "ingest segments");
}

enum lf_status segment_ingest(const struct segment_thread *thread, const uint64_t *ids, size_t count,
                              struct lf_error *error) {
    char *paths[SEGMENT_INGEST_MAX] = {NULL};
    enum lf_status status = LF_OK;
    lf_check(count <= SEGMENT_INGEST_MAX);
    for (size_t i = 0; i < count; i++)
        if (!(paths[i] = segment_file_path(thread->directory, ids[i])))
            status = lf_error_set(error, LF_NO_MEMORY, "no memory for a segment's path");
    if (status == LF_OK && count > 0)
        status = ingest_paths(thread, paths, count, error);
    for (size_t i = 0; i < count; i++) {
        if (status != LF_OK)
            segment_file_remove(thread->directory, ids[i]);
        free(paths[i]);
    }
    return status;
}

/* Under RocksDB's lock, which writes need: a microsecond or two for each. */
#define TABLES_LISTED_MAX 2000
/* Of the reaper's: those are brought by the writer, which must not free a large file itself. */
#define PLACES_FOR_LOGS 16

static bool is_of(const struct segment_job *job, uint64_t id) {
    for (size_t i = 0; i < job->made_count; i++)
        if (job->made[i].id == id)
            return true;
    return false;
}

void segment_files_hand_over(const struct segment_thread *thread, const struct segment_job *job) {
    size_t places = file_reaper_places(thread->reaper);
    if (places <= PLACES_FOR_LOGS || rocks_db_segment_tables(thread->db) > TABLES_LISTED_MAX)
        return;
    const rocksdb_livefiles_t *tables = rocksdb_livefiles(thread->db->db);
    for (int i = 0; places > PLACES_FOR_LOGS && i < rocksdb_livefiles_count(tables); i++) {
        char path[PATH_MAX];
        uint64_t id;
        if (!rocks_table_segment(tables, i, &id) || !is_of(job, id) ||
            snprintf(path, sizeof path, "%s%s", thread->directory, rocksdb_livefiles_name(tables, i)) >=
                (int)sizeof path)
            continue;
        file_reaper_take(thread->reaper, open(path, O_WRONLY | O_CLOEXEC));
        places--;
    }
    rocksdb_livefiles_destroy(tables);
}

/* Without reading it, so that a damaged one goes as well. */
enum lf_status segment_delete(const struct rocks_db *db, uint64_t id, struct lf_error *error) {
    struct rocks_key from = rocks_key_entry(id, 0), to = rocks_key_entry(id, UINT64_MAX);
    char *failure = NULL;
    rocksdb_delete_file_in_range_cf(db->db, db->segments, (const char *)from.bytes, from.size, (const char *)to.bytes,
                                    to.size, &failure);
    return rocks_error(&failure, error, "delete a segment");
}
