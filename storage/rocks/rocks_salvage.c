#include "rocks_salvage.h"
#include "log_row.h"
#include "rocks_error.h"
#include "segment_thread.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct damaged {
    uint64_t id;
    char name[32]; /* as RocksDB says it: "/NUMBER.sst" */
};

struct salvage {
    struct damaged *items;
    size_t count, capacity;
};

/* Can the table be opened and its first entry be read? */
static bool is_readable(const struct rocks_db *db, uint64_t id) {
    struct rocks_key from = rocks_key_entry(id, 0), end = rocks_key_entry(id + 1, 0);
    struct lf_error error = {0};
    char *failure = NULL;
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(options, 0);
    rocksdb_readoptions_set_iterate_upper_bound(options, (const char *)end.bytes, end.size);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator_cf(db->db, options, db->segments);
    rocksdb_iter_seek(iterator, (const char *)from.bytes, from.size);
    rocksdb_iter_get_error(iterator, &failure);
    bool readable = rocks_error(&failure, &error, "open a segment") == LF_OK;
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(options);
    return readable;
}

static enum lf_status find_damaged(const struct rocks_db *db, struct salvage *salvage) {
    enum lf_status status = LF_OK;
    const rocksdb_livefiles_t *files = rocksdb_livefiles(db->db);
    for (int i = 0; status == LF_OK && i < rocksdb_livefiles_count(files); i++) {
        uint64_t id;
        if (!rocks_table_segment(files, i, &id) || is_readable(db, id))
            continue;
        status = log_array_reserve(&salvage->items, &salvage->capacity, salvage->count, sizeof salvage->items[0]);
        if (status != LF_OK)
            break;
        struct damaged *damaged = &salvage->items[salvage->count++];
        damaged->id = id;
        snprintf(damaged->name, sizeof damaged->name, "%s", rocksdb_livefiles_name(files, i));
    }
    rocksdb_livefiles_destroy(files);
    return status;
}

/* For who wants to look at it; where it cannot be kept, the segment is repaired all the same. */
static void keep_copy(const char *directory, const struct damaged *damaged) {
    char *from = NULL, *to = NULL;
    bool named = asprintf(&from, "%s%s", directory, damaged->name) >= 0 &&
                 asprintf(&to, "%s%s.torn.%" PRIu64, directory, damaged->name, damaged->id) >= 0;
    int failed = named ? link(from, to) : -1;
    (void)failed;
    free(from);
    free(to);
}

enum lf_status rocks_salvage(const struct rocks_store_options *options, uint64_t node_id, struct lf_error *error) {
    struct rocks_db db;
    struct salvage salvage = {0};
    enum lf_status status = rocks_db_open_leniently(&db, options, node_id, true, error);
    if (status != LF_OK)
        return status == LF_DAMAGED ? LF_NOT_FOUND : status;
    status = find_damaged(&db, &salvage);
    rocks_db_close(&db);
    if (status != LF_OK)
        lf_error_set(error, status, "no memory to look for damaged segments");
    else if (salvage.count == 0)
        status = LF_NOT_FOUND;
    for (size_t i = 0; status == LF_OK && i < salvage.count && i < ROCKS_SALVAGE_KEPT_MAX; i++)
        keep_copy(options->directory, &salvage.items[i]);
    if (status == LF_OK)
        status = rocks_db_open_leniently(&db, options, node_id, false, error);
    for (size_t i = 0; status == LF_OK && i < salvage.count; i++)
        status = segment_delete(&db, salvage.items[i].id, error);
    rocks_db_close(&db);
    free(salvage.items);
    return status;
}
