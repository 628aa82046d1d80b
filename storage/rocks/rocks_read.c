/** A read: the group's slot and end, then its entries by exact key, all on one snapshot. */
#include "log_scan.h"
#include "rocks_error.h"
#include "rocks_reader.h"

#include <inttypes.h>

struct view {
    const struct rocks_db *db;
    const rocksdb_snapshot_t *snapshot;
    rocksdb_readoptions_t *options;
    rocksdb_iterator_t *entries;
    rocksdb_iterator_t *hints; /* made when first needed */
    struct rocks_key end;      /* of the slot: where the iterator may stop */
    uint64_t group;
    uint64_t slot;
};

/* Where the iterator stands; 0: at no entry. */
static uint64_t index_at(const rocksdb_iterator_t *iterator) {
    uint64_t slot, index;
    size_t size = 0;
    if (!rocksdb_iter_valid(iterator))
        return 0;
    const char *key = rocksdb_iter_key(iterator, &size);
    return rocks_key_parse_entry(lf_bytes(key, size), &slot, &index) ? index : 0;
}

/* Mostly the next one is asked for, so a step is tried before a seek. */
static enum lf_status next_entry(void *context, const struct log_held *segment, uint64_t index, uint64_t *found,
                                 struct lf_bytes *entry, struct lf_error *error) {
    struct view *view = context;
    (void)segment;
    struct rocks_key wanted = rocks_key_entry(view->slot, index);
    if (index > 1 && index_at(view->entries) == index - 1)
        rocksdb_iter_next(view->entries);
    if (index_at(view->entries) != index)
        rocksdb_iter_seek(view->entries, (const char *)wanted.bytes, wanted.size);
    *found = index_at(view->entries);
    if (*found != 0) {
        const char *value = rocksdb_iter_value(view->entries, &entry->size);
        entry->data = (const uint8_t *)value;
        return LF_OK;
    }
    char *failure = NULL;
    rocksdb_iter_get_error(view->entries, &failure);
    return rocks_error(&failure, error, "read entries");
}

static enum lf_status no_segment(void *context, uint64_t index, bool *found, struct log_held *segment,
                                 struct lf_error *error) {
    (void)context;
    (void)index;
    (void)segment;
    (void)error;
    *found = false;
    return LF_OK;
}

static bool hint_at(void *context, uint64_t index, struct log_store_hint *hint) {
    struct view *view = context;
    if (!view->hints)
        view->hints = rocksdb_create_iterator_cf(view->db->db, view->options, view->db->meta);
    struct rocks_key key = rocks_key_at(view->group, ROCKS_KIND_HINT, index);
    rocksdb_iter_seek_for_prev(view->hints, (const char *)key.bytes, key.size);
    if (!rocksdb_iter_valid(view->hints))
        return false;
    size_t key_bytes = 0, value_bytes = 0;
    const char *found = rocksdb_iter_key(view->hints, &key_bytes);
    const char *value = rocksdb_iter_value(view->hints, &value_bytes);
    uint64_t group;
    uint8_t kind;
    struct lf_bytes rest;
    if (!rocks_key_parse(lf_bytes(found, key_bytes), &group, &kind, &rest) || group != view->group)
        return false;
    if (kind != ROCKS_KIND_HINT || rest.size != 8 || value_bytes != 16)
        return false;
    hint->index = lf_get_be64(rest.data);
    hint->offset = lf_get_le64((const uint8_t *)value);
    hint->max_timestamp_ms = (int64_t)lf_get_le64((const uint8_t *)value + 8);
    return true;
}

static enum lf_status find_group(struct view *view, uint64_t *last_index, struct lf_error *error) {
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
    *last_index = lf_get_le64(value);
    return status;
}

static void read_entries(struct view *view, const struct log_store_read *read, uint64_t last_index,
                         struct log_store_completion *completion) {
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_snapshot(options, view->snapshot);
    view->end = rocks_key_entry(view->slot + 1, 0);
    rocksdb_readoptions_set_iterate_upper_bound(options, (const char *)view->end.bytes, view->end.size);
    view->entries = rocksdb_create_iterator_cf(view->db->db, options, view->db->active);
    struct log_scan_source source = {.context = view,
                                     .group = view->group,
                                     .first_index = LOG_GROUP_FIRST_INDEX,
                                     .last_index = last_index,
                                     .segment = no_segment,
                                     .next = next_entry,
                                     .hint = hint_at};
    log_scan_read(&source, read, completion);
    rocksdb_iter_destroy(view->entries);
    rocksdb_readoptions_destroy(options);
}

void rocks_read(const struct rocks_db *db, const struct log_store_read *read, struct log_store_completion *completion) {
    struct view view = {.db = db, .group = read->group, .options = rocksdb_readoptions_create()};
    uint64_t last_index = 0;
    view.snapshot = rocksdb_create_snapshot(db->db);
    rocksdb_readoptions_set_snapshot(view.options, view.snapshot);
    completion->status = find_group(&view, &last_index, &completion->error);
    if (completion->status == LF_OK && last_index > 0)
        read_entries(&view, read, last_index, completion);
    if (view.hints)
        rocksdb_iter_destroy(view.hints);
    rocksdb_readoptions_destroy(view.options);
    rocksdb_release_snapshot(db->db, view.snapshot);
}
