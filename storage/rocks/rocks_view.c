#include "rocks_view.h"
#include "rocks_error.h"
#include "rocks_groups.h"

#include <inttypes.h>

/* ---- rows ---- */

static enum lf_status find_group(struct rocks_view *view, struct lf_error *error) {
    struct rocks_key key = rocks_key_group(view->group, ROCKS_KIND_DESCRIPTOR);
    uint8_t value[16];
    bool found;
    enum lf_status status = rocks_db_get(view->db, view->options, &key, value, 16, &found, error);
    if (status != LF_OK)
        return status;
    if (!found)
        return lf_error_set(error, LF_NOT_FOUND, "group %" PRIu64 ": not in this store", view->group);
    view->slot = lf_get_le64(value);
    key = rocks_key_group(view->group, ROCKS_KIND_LAST);
    status = rocks_db_get(view->db, view->options, &key, value, 8, &found, error);
    if (status == LF_OK && !found)
        status = lf_error_set(error, LF_DAMAGED, "group %" PRIu64 ": where its log ends is missing", view->group);
    view->last_index = status == LF_OK ? lf_get_le64(value) : 0;
    return status;
}

static enum lf_status find_first_index(struct rocks_view *view, struct lf_error *error) {
    struct rocks_key key = rocks_key_group(view->group, ROCKS_KIND_PREVIOUS);
    struct log_held held;
    uint8_t value[16];
    bool found;
    enum lf_status status = rocks_db_get(view->db, view->options, &key, value, 16, &found, error);
    view->first_index = status == LF_OK && found ? lf_get_le64(value) + 1 : LOG_GROUP_FIRST_INDEX;
    if (status == LF_OK)
        status = rocks_view_segment(view, 0, &found, &held, error);
    if (status == LF_OK && found)
        view->first_index = held.segment.first_index;
    return status;
}

/* The row of this group and kind at which the iterator stands. */
static bool row_at(const struct rocks_view *view, enum rocks_kind wanted, uint64_t *at, struct lf_bytes *value) {
    size_t key_bytes = 0;
    uint64_t group;
    uint8_t kind;
    struct lf_bytes rest;
    if (!rocksdb_iter_valid(view->rows))
        return false;
    const char *key = rocksdb_iter_key(view->rows, &key_bytes);
    if (!rocks_key_parse(lf_bytes(key, key_bytes), &group, &kind, &rest) || group != view->group)
        return false;
    if (kind != wanted || rest.size != 8)
        return false;
    *at = lf_get_be64(rest.data);
    const char *data = rocksdb_iter_value(view->rows, &value->size);
    value->data = (const uint8_t *)data;
    return true;
}

static void seek_row(struct rocks_view *view, enum rocks_kind kind, uint64_t index, bool backwards) {
    struct rocks_key key = rocks_key_at(view->group, kind, index);
    if (!view->rows)
        view->rows = rocksdb_create_iterator_cf(view->db->db, view->options, view->db->meta);
    if (backwards)
        rocksdb_iter_seek_for_prev(view->rows, (const char *)key.bytes, key.size);
    else
        rocksdb_iter_seek(view->rows, (const char *)key.bytes, key.size);
}

static enum lf_status rows_status(const struct rocks_view *view, struct lf_error *error) {
    char *failure = NULL;
    rocksdb_iter_get_error(view->rows, &failure);
    return rocks_error(&failure, error, "read rows");
}

/* The one that begins at or before the index, unless it ends before: then the next. */
enum lf_status rocks_view_segment(void *context, uint64_t index, bool *found, struct log_held *held,
                                  struct lf_error *error) {
    struct rocks_view *view = context;
    uint64_t first_index;
    struct lf_bytes value;
    *found = false;
    seek_row(view, ROCKS_KIND_SEGMENT, index, true);
    if (row_at(view, ROCKS_KIND_SEGMENT, &first_index, &value)) {
        enum lf_status status = rocks_segment_row_decode(first_index, value, held, error);
        *found = status == LF_OK && held->segment.last_index >= index;
        if (status != LF_OK || *found)
            return status;
        rocksdb_iter_next(view->rows);
    } else {
        seek_row(view, ROCKS_KIND_SEGMENT, index, false);
    }
    if (!row_at(view, ROCKS_KIND_SEGMENT, &first_index, &value))
        return rows_status(view, error);
    *found = true;
    return rocks_segment_row_decode(first_index, value, held, error);
}

bool rocks_view_hint(void *context, uint64_t index, struct log_store_hint *hint) {
    struct rocks_view *view = context;
    struct lf_bytes value;
    seek_row(view, ROCKS_KIND_HINT, index, true);
    if (!row_at(view, ROCKS_KIND_HINT, &hint->index, &value) || value.size != 16)
        return false;
    hint->offset = lf_get_le64(value.data);
    hint->max_timestamp_ms = (int64_t)lf_get_le64(value.data + 8);
    return true;
}

/* ---- entries ---- */

static rocksdb_iterator_t *open_active(struct rocks_view *view) {
    if (!view->active) {
        view->active_options = rocksdb_readoptions_create();
        rocksdb_readoptions_set_fill_cache(view->active_options, !view->db->cold);
        view->active_end = rocks_key_entry(view->slot + 1, 0);
        rocksdb_readoptions_set_snapshot(view->active_options, view->snapshot);
        rocksdb_readoptions_set_iterate_upper_bound(view->active_options, (const char *)view->active_end.bytes,
                                                    view->active_end.size);
        view->active = rocksdb_create_iterator_cf(view->db->db, view->active_options, view->db->active);
    }
    return view->active;
}

static void close_table(struct rocks_view *view) {
    if (view->table)
        rocksdb_iter_destroy(view->table);
    if (view->table_options)
        rocksdb_readoptions_destroy(view->table_options);
    view->table = NULL;
    view->table_options = NULL;
}

/* Bounded to the one file, so that no other one is opened, which may be damaged. */
static rocksdb_iterator_t *open_table(struct rocks_view *view, uint64_t id) {
    if (!view->table || view->table_id != id) {
        close_table(view);
        view->table_id = id;
        view->table_options = rocksdb_readoptions_create();
        rocksdb_readoptions_set_fill_cache(view->table_options, !view->db->cold);
        view->table_end = rocks_key_entry(id + 1, 0);
        rocksdb_readoptions_set_snapshot(view->table_options, view->snapshot);
        rocksdb_readoptions_set_iterate_upper_bound(view->table_options, (const char *)view->table_end.bytes,
                                                    view->table_end.size);
        view->table = rocksdb_create_iterator_cf(view->db->db, view->table_options, view->db->segments);
    }
    return view->table;
}

/* Where the iterator stands; 0: at no entry. */
static uint64_t index_at(const rocksdb_iterator_t *iterator) {
    uint64_t space, index;
    size_t size = 0;
    if (!rocksdb_iter_valid(iterator))
        return 0;
    const char *key = rocksdb_iter_key(iterator, &size);
    return rocks_key_parse_entry(lf_bytes(key, size), &space, &index) ? index : 0;
}

/* A segment that lacks entries by right may lack them at the end; but not all that its descriptor counts. */
static enum lf_status check_table(const struct rocks_view *view, const struct log_held *held, struct lf_error *error) {
    struct rocks_key first = rocks_key_entry(held->id, 0);
    rocksdb_iter_seek(view->table, (const char *)first.bytes, first.size);
    if (held->segment.entry_count == 0 || index_at(view->table) != 0)
        return LF_OK;
    return lf_error_set(error, LF_DAMAGED,
                        "group %" PRIu64 ": the table of the segment %" PRIu64 "-%" PRIu64 " is missing", view->group,
                        held->segment.first_index, held->segment.last_index);
}

/* Mostly the next one is asked for, so a step is tried before a seek. A table that the disk cannot read is as damaged
 * as one that has other bytes. */
enum lf_status rocks_view_next(void *context, const struct log_held *held, uint64_t index, uint64_t *found,
                               struct lf_bytes *entry, struct lf_error *error) {
    struct rocks_view *view = context;
    bool in_table = held && held->id != 0;
    rocksdb_iterator_t *entries = in_table ? open_table(view, held->id) : open_active(view);
    struct rocks_key wanted = rocks_key_entry(in_table ? held->id : view->slot, index);
    if (index > 1 && index_at(entries) == index - 1)
        rocksdb_iter_next(entries);
    if (index_at(entries) != index)
        rocksdb_iter_seek(entries, (const char *)wanted.bytes, wanted.size);
    *found = index_at(entries);
    if (*found != 0) {
        const char *value = rocksdb_iter_value(entries, &entry->size);
        entry->data = (const uint8_t *)value;
        return LF_OK;
    }
    char *failure = NULL;
    rocksdb_iter_get_error(entries, &failure);
    enum lf_status status = rocks_error(&failure, error, in_table ? "read a segment" : "read entries");
    if (in_table && status == LF_OK)
        return check_table(view, held, error);
    return in_table && status == LF_IO ? LF_DAMAGED : status;
}

/* ---- all of it ---- */

enum lf_status rocks_view_open(struct rocks_view *view, const struct rocks_db *db, uint64_t group,
                               struct lf_error *error) {
    *view = (struct rocks_view){.db = db, .group = group, .options = rocksdb_readoptions_create()};
    rocksdb_readoptions_set_fill_cache(view->options, !db->cold);
    view->snapshot = rocksdb_create_snapshot(db->db);
    rocksdb_readoptions_set_snapshot(view->options, view->snapshot);
    enum lf_status status = find_group(view, error);
    return status == LF_OK ? find_first_index(view, error) : status;
}

void rocks_view_close(struct rocks_view *view) {
    if (view->rows)
        rocksdb_iter_destroy(view->rows);
    if (view->active)
        rocksdb_iter_destroy(view->active);
    close_table(view);
    if (view->active_options)
        rocksdb_readoptions_destroy(view->active_options);
    rocksdb_readoptions_destroy(view->options);
    rocksdb_release_snapshot(view->db->db, view->snapshot);
    *view = (struct rocks_view){0};
}
