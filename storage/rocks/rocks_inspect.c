#include "rocks_inspect.h"

#include "log_identity.h"
#include "rocks_damaged.h"
#include "rocks_error.h"
#include "rocks_options.h"
#include "rocks_store_inside.h"
#include "store_directory.h"
#include "store_shadow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAMILIES_MAX 8

struct rocks_inspect {
    struct rocks_store rocks; /* first */
    struct store_shadow shadow;
    struct log_store_ops ops;
};

/* ---- the start-up check ---------------------------------------------------------------------------------------------
 */

/* A process that has the store open would change it under us. A store without the lock file never was opened. */
static enum lf_status hold(const char *directory, int *fd, struct lf_error *error) {
    struct store_files files;
    enum lf_status status = store_files_list(directory, &files, error);
    if (status != LF_OK)
        return status;
    bool locked = store_files_count(&files, STORE_FILE_LOCK) > 0;
    bool holds = store_files_count(&files, STORE_FILE_CURRENT) + store_files_count(&files, STORE_FILE_TABLE) +
                     store_files_count(&files, STORE_FILE_WAL) >
                 0;
    store_files_deinit(&files);
    if (!holds)
        return lf_error_set(error, LF_NOT_FOUND, "no store in %s", directory);
    return locked ? store_directory_lock_shared(directory, fd, error) : LF_OK;
}

static enum lf_status judge(const char *directory, struct rocks_inspect_verdict *verdict, struct preflight_plan *plan,
                            struct lf_error *error) {
    *verdict = (struct rocks_inspect_verdict){0};
    enum lf_status status = preflight_judge(directory, &verdict->report, plan, &verdict->error);
    if (status == LF_OK)
        status = store_condemned(directory, &verdict->error);
    for (size_t i = 0; i < plan->cut_count; i++) {
        struct store_files files;
        if (store_files_list(directory, &files, error) != LF_OK)
            return error->code;
        for (size_t k = 0; k < files.count; k++)
            if (strcmp(files.items[k].name, plan->cuts[i].name) == 0)
                verdict->bytes_torn += files.items[k].bytes - plan->cuts[i].keep;
        store_files_deinit(&files);
    }
    if (status == LF_OK)
        verdict->error = (struct lf_error){0};
    else if (status != LF_DAMAGED)
        *error = verdict->error;
    return status == LF_DAMAGED ? LF_OK : status;
}

enum lf_status rocks_inspect_judge(const char *directory, struct rocks_inspect_verdict *verdict,
                                   struct lf_error *error) {
    struct preflight_plan plan = {0};
    int lock = -1;
    enum lf_status status = hold(directory, &lock, error);
    if (status == LF_OK)
        status = judge(directory, verdict, &plan, error);
    preflight_plan_deinit(&plan);
    if (lock >= 0)
        close(lock);
    return status;
}

/* ---- opening --------------------------------------------------------------------------------------------------------
 */

static rocksdb_column_family_handle_t **place_of(struct rocks_db *db, const char *family) {
    if (strcmp(family, "default") == 0)
        return &db->meta;
    if (strcmp(family, "segments") == 0)
        return &db->segments;
    return strcmp(family, "active") == 0 ? &db->active : NULL;
}

static const rocksdb_options_t *options_of(const struct rocks_db *db, const char *family) {
    if (strcmp(family, "segments") == 0)
        return db->segment_options;
    return strcmp(family, "active") == 0 ? db->active_options : db->meta_options;
}

static enum lf_status open_families(struct rocks_db *db, const char *directory, char **names, size_t count,
                                    struct lf_error *error) {
    const rocksdb_options_t *options[FAMILIES_MAX];
    rocksdb_column_family_handle_t *handles[FAMILIES_MAX] = {0};
    char *failure = NULL;
    if (count > FAMILIES_MAX)
        return lf_error_set(error, LF_UNSUPPORTED, "the store has %zu column families: a newer version wrote it",
                            count);
    for (size_t i = 0; i < count; i++)
        options[i] = options_of(db, names[i]);
    db->db = rocksdb_open_for_read_only_column_families(db->meta_options, directory, (int)count,
                                                        (const char *const *)names, options, handles, 0, &failure);
    enum lf_status status = rocks_error(&failure, error, "open RocksDB");
    for (size_t i = 0; i < count; i++) {
        rocksdb_column_family_handle_t **place = place_of(db, names[i]);
        if (place)
            *place = handles[i];
        else if (handles[i])
            rocksdb_column_family_handle_destroy(handles[i]);
    }
    if (status == LF_OK && (!db->meta || !db->active)) /* without `segments` it has none */
        status = lf_error_set(error, LF_DAMAGED, "the store lacks a column family");
    return status;
}

static enum lf_status open_read_only(struct rocks_db *db, const char *directory, struct lf_error *error) {
    struct rocks_store_options options = rocks_options_complete(&(struct rocks_store_options){.directory = directory});
    *db = (struct rocks_db){.cache = rocks_options_cache(), .limiter = rocks_options_limiter()};
    db->meta_options = rocks_options_meta(&options, db->cache, db->limiter, error);
    db->active_options = rocks_options_active(&options, 1, db->cache, error);
    db->segment_options = rocks_options_segments(db->cache, error);
    if (!db->meta_options || !db->active_options || !db->segment_options)
        return LF_INTERNAL;
    rocksdb_options_set_create_missing_column_families(db->meta_options, 0);
    char *failure = NULL;
    size_t count = 0;
    char **names = rocksdb_list_column_families(db->meta_options, directory, &count, &failure);
    enum lf_status status = rocks_error(&failure, error, "open RocksDB");
    if (status == LF_OK)
        status = open_families(db, directory, names, count, error);
    if (names)
        rocksdb_list_column_families_destroy(names, count);
    return status;
}

static enum lf_status load_identity(struct rocks_store *rocks, struct lf_error *error) {
    uint8_t row[LOG_IDENTITY_BYTES];
    bool found = false;
    struct rocks_key key = rocks_key_identity();
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    enum lf_status status = rocks_db_get(&rocks->db, options, &key, row, sizeof row, &found, error);
    rocksdb_readoptions_destroy(options);
    if (status == LF_OK && !found)
        status = lf_error_set(error, LF_DAMAGED, "the identity row is missing");
    return status == LF_OK ? log_identity_decode(lf_bytes(row, sizeof row), &rocks->store.identity, error) : status;
}

static enum lf_status load_groups(struct rocks_store *rocks, struct lf_error *error) {
    struct rocks_groups *groups = &rocks->writer.groups;
    enum lf_status status = rocks_groups_load(groups, &rocks->db, error);
    return status == LF_OK ? rocks_groups_list(groups, &rocks->store, error) : status;
}

static enum lf_status start_reader(struct rocks_store *rocks, struct lf_error *error) {
    rocks->completed = lf_ring_new(rocks->options.reads_max);
    if (!rocks->completed)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for completions");
    struct rocks_reader *reader = &rocks->readers[rocks->reader_count++];
    *reader = (struct rocks_reader){.db = &rocks->db, .completed = rocks->completed, .counters = &rocks->counters};
    return rocks_reader_start(reader, rocks->options.reads_max, error);
}

/* ---- the store ------------------------------------------------------------------------------------------------------
 */

static enum lf_status no_submit(struct log_store *store, struct log_store_write **write) {
    (void)store;
    (void)write;
    return LF_UNSUPPORTED;
}
static enum lf_status no_stage(struct log_store *store, const struct log_store_stage *stage) {
    (void)store;
    (void)stage;
    return LF_UNSUPPORTED;
}
static enum lf_status no_rewrite(struct log_store *store, const struct log_store_rewrite *rewrite) {
    (void)store;
    (void)rewrite;
    return LF_UNSUPPORTED;
}

static void close_inspected(struct log_store *store) {
    struct rocks_inspect *inspect = (struct rocks_inspect *)store;
    struct store_shadow shadow = inspect->shadow;
    struct rocks_store *rocks = &inspect->rocks;
    rocks_store_free(&rocks);
    store_shadow_remove(&shadow);
}

static enum lf_status open_steps(struct rocks_inspect *inspect, const struct rocks_inspect_options *options,
                                 struct lf_error *error) {
    struct rocks_inspect_verdict verdict;
    struct preflight_plan plan = {0};
    struct rocks_store *rocks = &inspect->rocks;
    enum lf_status status = hold(options->directory, &rocks->lock_fd, error);
    if (status == LF_OK)
        status = judge(options->directory, &verdict, &plan, error);
    bool damaged = status == LF_OK && verdict.error.code != LF_OK;
    if (damaged && !options->despite_damage) {
        *error = verdict.error;
        status = LF_DAMAGED;
    }
    if (status == LF_OK)
        status = store_shadow_make(options->directory, damaged ? NULL : &plan, &inspect->shadow, error);
    preflight_plan_deinit(&plan);
    if (status == LF_OK)
        status = open_read_only(&rocks->db, inspect->shadow.directory, error);
    if (status == LF_OK)
        status = load_identity(rocks, error);
    if (status == LF_OK)
        status = load_groups(rocks, error);
    return status == LF_OK ? start_reader(rocks, error) : status;
}

enum lf_status rocks_inspect_open(const struct rocks_inspect_options *options, struct log_store **store,
                                  struct lf_error *error) {
    struct rocks_inspect *inspect = calloc(1, sizeof *inspect);
    if (!inspect)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for a store");
    inspect->ops = rocks_store_ops;
    inspect->ops.submit = no_submit;
    inspect->ops.stage = no_stage;
    inspect->ops.rewrite = no_rewrite;
    inspect->ops.checkpoint = NULL;
    inspect->ops.close = close_inspected;
    inspect->rocks.store.ops = &inspect->ops;
    inspect->rocks.options = rocks_options_complete(&(struct rocks_store_options){0});
    inspect->rocks.lock_fd = -1;
    inspect->rocks.writer.db = &inspect->rocks.db;
    enum lf_status status = open_steps(inspect, options, error);
    if (status == LF_OK)
        *store = &inspect->rocks.store;
    else
        close_inspected(&inspect->rocks.store);
    return status;
}
