#include "segment_clean.h"
#include "log_row.h"
#include "segment_file.h"
#include "segment_thread.h"
#include "store_directory.h"

#include <stdlib.h>
#include <string.h>

struct ids {
    uint64_t *items;
    size_t count, capacity;
};

static enum lf_status add_id(struct ids *ids, uint64_t id) {
    enum lf_status status = log_array_reserve(&ids->items, &ids->capacity, ids->count, sizeof ids->items[0]);
    if (status == LF_OK)
        ids->items[ids->count++] = id;
    return status;
}

static int compare(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static enum lf_status add_all(struct ids *ids, const struct log_held *held, size_t count) {
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < count; i++)
        if (held[i].id != 0)
            status = add_id(ids, held[i].id);
    return status;
}

static enum lf_status list_named(const struct rocks_groups *groups, struct ids *ids) {
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < groups->count; i++) {
        status = add_all(ids, groups->items[i]->segments, groups->items[i]->segment_count);
        if (status == LF_OK)
            status = add_all(ids, groups->items[i]->staged, groups->items[i]->staged_count);
    }
    if (ids->count > 0)
        qsort(ids->items, ids->count, sizeof ids->items[0], compare);
    return status;
}

static void raise_next(struct rocks_groups *groups, uint64_t id) {
    if (atomic_load(&groups->slot_next) <= id)
        atomic_store(&groups->slot_next, id + 1);
}

static enum lf_status clean_tables(struct rocks_groups *groups, const struct rocks_db *db, const struct ids *named,
                                   struct lf_error *error) {
    enum lf_status status = LF_OK;
    const rocksdb_livefiles_t *files = rocksdb_livefiles(db->db);
    for (int i = 0; status == LF_OK && i < rocksdb_livefiles_count(files); i++) {
        uint64_t id;
        if (!rocks_table_segment(files, i, &id))
            continue;
        raise_next(groups, id);
        if (named->count == 0 || !bsearch(&id, named->items, named->count, sizeof id, compare))
            status = segment_delete(db, id, error);
    }
    rocksdb_livefiles_destroy(files);
    return status;
}

static enum lf_status clean_files(struct rocks_groups *groups, const char *directory, struct lf_error *error) {
    struct store_files files;
    enum lf_status status = store_files_list(directory, &files, error);
    if (status != LF_OK)
        return status;
    for (size_t i = 0; i < files.count; i++) {
        if (files.items[i].kind != STORE_FILE_SEGMENT)
            continue;
        raise_next(groups, files.items[i].number);
        segment_file_remove(directory, files.items[i].number);
    }
    store_files_deinit(&files);
    return LF_OK;
}

enum lf_status segment_clean(struct rocks_groups *groups, const struct rocks_db *db, const char *directory,
                             struct lf_error *error) {
    struct ids named = {0};
    enum lf_status status = list_named(groups, &named);
    if (status != LF_OK)
        lf_error_set(error, status, "no memory for segments");
    if (status == LF_OK)
        status = clean_tables(groups, db, &named, error);
    if (status == LF_OK)
        status = clean_files(groups, directory, error);
    free(named.items);
    return status;
}
