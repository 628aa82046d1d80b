/** Opening, step by step: directory, lock, preflight, RocksDB, identity, groups, threads. Each failure undoes all. */
#include "log_identity.h"
#include "preflight.h"
#include "rocks_damaged.h"
#include "rocks_error.h"
#include "rocks_salvage.h"
#include "rocks_store_inside.h"
#include "segment_clean.h"
#include "store_directory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first files that creation makes are a MANIFEST and CURRENT; what comes later shows that CURRENT was there. */
static enum lf_status judge_without_current(const char *directory, const struct store_files *files,
                                            struct lf_error *error) {
    for (size_t i = 0; i < files->count; i++) {
        const struct store_file *file = &files->items[i];
        bool later = file->kind == STORE_FILE_TABLE || file->kind == STORE_FILE_SEGMENT ||
                     file->kind == STORE_FILE_WITNESS || (file->kind == STORE_FILE_WAL && file->bytes > 0);
        if (file->kind == STORE_FILE_OTHER)
            return lf_error_set(error, LF_INVALID, "%s holds something else: %s", directory, file->name);
        if (later)
            return lf_error_set(error, LF_DAMAGED, "%s/CURRENT is missing: %s shows that it was there", directory,
                                file->name);
    }
    return LF_OK;
}

static enum lf_status judge_files(const char *directory, const struct store_files *files, bool *present,
                                  struct lf_error *error) {
    *present = store_files_count(files, STORE_FILE_DAMAGED) > 0;
    if (*present)
        return LF_OK;
    if (store_files_count(files, STORE_FILE_CURRENT) > 0)
        return preflight_has_data(directory, present, error);
    return judge_without_current(directory, files, error);
}

enum lf_status rocks_store_present(const char *directory, bool *present, struct lf_error *error) {
    struct store_files files;
    struct lf_error detail = {0};
    *present = false;
    enum lf_status status = store_files_list(directory, &files, &detail);
    if (status == LF_NOT_FOUND)
        return LF_OK;
    if (status != LF_OK)
        return lf_error_set(error, status, "%s", detail.text);
    status = judge_files(directory, &files, present, error);
    store_files_deinit(&files);
    return status;
}

static enum lf_status write_identity(struct rocks_store *rocks, const struct log_store_identity *identity,
                                     struct lf_error *error) {
    uint8_t row[LOG_IDENTITY_BYTES];
    struct rocks_key key = rocks_key_identity();
    log_identity_encode(identity, row);
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    rocksdb_writebatch_put(batch, (const char *)key.bytes, key.size, (const char *)row, sizeof row);
    enum lf_status status = rocks_db_write(&rocks->db, batch, true, error);
    rocksdb_writebatch_destroy(batch);
    return status;
}

/* The first row ever written. A store without it and with groups has lost it. */
static enum lf_status load_identity(struct rocks_store *rocks, const struct log_store_identity *given, bool create,
                                    struct lf_error *error) {
    uint8_t row[LOG_IDENTITY_BYTES];
    bool found = false;
    struct rocks_key key = rocks_key_identity();
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    enum lf_status status = rocks_db_get(&rocks->db, options, &key, row, sizeof row, &found, error);
    rocksdb_readoptions_destroy(options);
    if (status != LF_OK)
        return status;
    if (found) {
        status = log_identity_decode(lf_bytes(row, sizeof row), &rocks->store.identity, error);
        if (status == LF_OK && rocks->options.adopt_cluster_id)
            memcpy(rocks->store.identity.cluster_id, rocks->options.adopt_cluster_id, LOG_STORE_ID_BYTES);
        if (status == LF_OK)
            status = log_identity_check(&rocks->store.identity, given, error);
        if (status != LF_OK || !rocks->options.adopt_cluster_id)
            return status;
        return write_identity(rocks, &rocks->store.identity, error);
    }
    if (rocks->writer.groups.count > 0)
        return lf_error_set(error, LF_DAMAGED, "the identity row is missing");
    if (!create)
        return lf_error_set(error, LF_NOT_FOUND, "the store was never finished being created");
    status = write_identity(rocks, given, error);
    rocks->store.identity = *given;
    return status;
}

static enum lf_status load_groups(struct rocks_store *rocks, struct lf_error *error) {
    struct rocks_groups *groups = &rocks->writer.groups;
    enum lf_status status = rocks_groups_load(groups, &rocks->db, error);
    if (status == LF_OK)
        status = rocks_groups_check_entries(groups, &rocks->db, error);
    if (status == LF_OK)
        status = segment_clean(groups, &rocks->db, rocks->options.directory, error);
    if (status == LF_OK)
        status = rocks_segments_load(&rocks->writer.segments);
    return status == LF_OK ? rocks_groups_list(groups, &rocks->store, error) : status;
}

/* The writer and the segment thread hand things to each other: both rings are there before either runs. */
static enum lf_status start_writing(struct rocks_store *rocks, struct lf_error *error) {
    struct segment_thread *thread = &rocks->writer.segments.thread;
    thread->db = &rocks->db;
    thread->reaper = rocks->reaper;
    thread->id_next = &rocks->writer.groups.slot_next;
    thread->builders_max = rocks->options.segment_builders_max;
    thread->compaction_memory_bytes = rocks->options.compaction_memory_bytes;
    thread->compaction_bytes_per_s = rocks->options.compaction_bytes_per_s;
    enum lf_status status = segment_thread_init(thread, rocks->options.directory, error);
    if (status == LF_OK)
        status = rocks_writer_start(&rocks->writer, ROCKS_WRITES_MAX, error);
    thread->answers = rocks->writer.ring;
    return status == LF_OK ? segment_thread_start(thread, error) : status;
}

static enum lf_status start_threads(struct rocks_store *rocks, struct lf_error *error) {
    uint32_t reads_max = rocks->options.reads_max;
    rocks->completed =
        lf_ring_new(ROCKS_WRITES_MAX + (size_t)reads_max + ROCKS_STAGES_MAX + SEGMENT_REWRITES_MAX + ROCKS_DAMAGES_MAX);
    if (!rocks->completed)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for completions");
    rocks->writer.completed = rocks->completed;
    rocks->writer.counters = &rocks->counters;
    rocks->writer.identity = rocks->store.identity;
    rocks->writer.commit_bytes_max = rocks->options.commit_bytes_max;
    enum lf_status status = start_writing(rocks, error);
    uint32_t threads = rocks->options.reader_threads;
    for (; status == LF_OK && rocks->reader_count < threads && rocks->reader_count < ROCKS_READER_THREADS_MAX;
         rocks->reader_count++) {
        struct rocks_reader *reader = &rocks->readers[rocks->reader_count];
        *reader = (struct rocks_reader){.db = &rocks->db, .completed = rocks->completed, .counters = &rocks->counters};
        status = rocks_reader_start(reader, reads_max, error);
    }
    if (status == LF_OK)
        status =
            rocks_scrub_start(&rocks->scrub, &rocks->db, rocks->completed, rocks->options.scrub_bytes_per_s, error);
    return status;
}

static enum lf_status prepare_directory(struct rocks_store *rocks, const struct rocks_store_options *options,
                                        struct lf_error *error) {
    bool present;
    struct store_files files;
    enum lf_status status = rocks_store_present(options->directory, &present, error);
    if (status != LF_OK)
        return status;
    status = store_condemned(options->directory, error);
    if (status != LF_OK)
        return status;
    if (!present && !options->create)
        return lf_error_set(error, LF_NOT_FOUND, "no store in %s", options->directory);
    status = store_directory_make(options->directory, error);
    if (status == LF_OK)
        status = store_directory_lock(options->directory, &rocks->lock_fd, error);
    if (status == LF_OK)
        status = store_files_list(options->directory, &files, error);
    if (status != LF_OK)
        return status;
    struct preflight_report report;
    if (store_files_count(&files, STORE_FILE_CURRENT) > 0)
        status = preflight(options->directory, &report, error);
    store_files_deinit(&files);
    return status;
}

static enum lf_status open_database(struct rocks_store *rocks, const struct rocks_store_options *options,
                                    uint64_t node_id, struct lf_error *error) {
    struct lf_error detail = {0};
    enum lf_status status = rocks_db_open(&rocks->db, options, node_id, error);
    if (status != LF_DAMAGED || rocks_salvage(options, node_id, &detail) != LF_OK)
        return status;
    return rocks_db_open(&rocks->db, options, node_id, error);
}

static enum lf_status open_steps(struct rocks_store *rocks, const struct rocks_store_options *options,
                                 const struct log_store_identity *identity, struct lf_error *error) {
    enum lf_status status = prepare_directory(rocks, options, error);
    if (status == LF_OK && (rocks->reaper = file_reaper_new(error)) == NULL)
        status = error->code;
    if (status == LF_OK)
        status = open_database(rocks, options, identity->node_id, error);
    if (status == LF_OK)
        status = load_groups(rocks, error);
    if (status == LF_OK)
        status = load_identity(rocks, identity, options->create, error);
    if (status == LF_OK)
        status = witness_keeper_open(&rocks->writer.witness, options->directory, rocks->reaper,
                                     rocks->store.identity.store_uuid, rocksdb_get_latest_sequence_number(rocks->db.db),
                                     rocks_clock_us(), error);
    if (status == LF_OK)
        status = start_threads(rocks, error);
    return status;
}

/* The last word, once RocksDB's threads have stopped: all that was written is durable, and known to be. Where it cannot
 * be said, the next start only knows less. */
static void say_farewell(struct rocks_store *rocks) {
    struct lf_error error = {0};
    if (rocks->witness_kept && rocks->writer.final.code == LF_OK)
        witness_keeper_say(&rocks->writer.witness, rocks_clock_us(), &error);
    witness_keeper_deinit(&rocks->writer.witness);
}

enum lf_status rocks_store_open(const struct rocks_store_options *options, const struct log_store_identity *identity,
                                struct log_store **store, struct lf_error *error) {
    struct rocks_store *rocks = calloc(1, sizeof *rocks);
    if (!rocks)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for a store");
    rocks->store.ops = &rocks_store_ops;
    rocks->options = rocks_options_complete(options);
    rocks->lock_fd = -1;
    rocks->writer.db = &rocks->db;
    rocks->writer.segments.groups = &rocks->writer.groups;
    enum lf_status status = open_steps(rocks, &rocks->options, identity, error);
    rocks->options.directory = NULL; /* borrowed for the call */
    rocks->options.adopt_cluster_id = NULL;
    if (status == LF_OK) {
        rocks->witness_kept = true;
        *store = &rocks->store;
        return LF_OK;
    }
    lf_error_context(error, "open store %s", options->directory);
    rocks_store_free(&rocks);
    return status;
}

void rocks_store_free(struct rocks_store **where) {
    struct rocks_store *rocks = *where;
    *where = NULL;
    rocks_scrub_stop(&rocks->scrub);
    segment_thread_stop(&rocks->writer.segments.thread);
    rocks_writer_stop(&rocks->writer);
    for (uint32_t i = 0; i < rocks->reader_count; i++)
        rocks_reader_stop(&rocks->readers[i]);
    for (struct log_store_completion *left; rocks->completed && (left = lf_ring_pop(rocks->completed)) != NULL;)
        log_store_completion_destroy(&left);
    rocks_writer_deinit(&rocks->writer);
    for (uint32_t i = 0; i < rocks->reader_count; i++)
        rocks_reader_deinit(&rocks->readers[i]);
    lf_ring_destroy(&rocks->completed);
    rocks_db_close(&rocks->db);
    say_farewell(rocks);
    file_reaper_destroy(&rocks->reaper);
    if (rocks->lock_fd >= 0)
        close(rocks->lock_fd);
    free(rocks->store.groups);
    free(rocks);
}
