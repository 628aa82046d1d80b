#include "rocks_db.h"
#include "rocks_error.h"
#include "rocks_options.h"

#include <stdlib.h>

#define FAMILIES 3

enum how { OPEN, OPEN_LENIENTLY, LOOK_LENIENTLY };

static enum lf_status open_families(struct rocks_db *db, const char *directory, enum how how, struct lf_error *error) {
    const char *names[FAMILIES] = {"default", "active", "segments"};
    const rocksdb_options_t *options[FAMILIES] = {db->meta_options, db->active_options, db->segment_options};
    rocksdb_column_family_handle_t *handles[FAMILIES] = {0};
    char *failure = NULL;
    rocksdb_options_set_paranoid_checks(db->meta_options, how == OPEN);
    if (how == LOOK_LENIENTLY)
        db->db = rocksdb_open_for_read_only_column_families(db->meta_options, directory, FAMILIES, names, options,
                                                            handles, 0, &failure);
    else
        db->db = rocksdb_open_column_families(db->meta_options, directory, FAMILIES, names, options, handles, &failure);
    db->meta = handles[0];
    db->active = handles[1];
    db->segments = handles[2];
    return rocks_error(&failure, error, "open RocksDB");
}

static enum lf_status open_how(struct rocks_db *db, const struct rocks_store_options *options, uint64_t node_id,
                               enum how how, struct lf_error *error) {
    *db = (struct rocks_db){.cache = rocks_options_cache(), .limiter = rocks_options_limiter()};
    db->write_synced = rocksdb_writeoptions_create();
    db->write_unsynced = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(db->write_synced, 1);
    db->meta_options = rocks_options_meta(options, db->cache, db->limiter, error);
    db->active_options = rocks_options_active(options, node_id, db->cache, error);
    db->segment_options = rocks_options_segments(db->cache, error);
    enum lf_status status = LF_INTERNAL;
    if (db->meta_options && db->active_options && db->segment_options)
        status = open_families(db, options->directory, how, error);
    if (status != LF_OK)
        rocks_db_close(db);
    return status;
}

enum lf_status rocks_db_open(struct rocks_db *db, const struct rocks_store_options *options, uint64_t node_id,
                             struct lf_error *error) {
    return open_how(db, options, node_id, OPEN, error);
}

enum lf_status rocks_db_open_leniently(struct rocks_db *db, const struct rocks_store_options *options, uint64_t node_id,
                                       bool read_only, struct lf_error *error) {
    return open_how(db, options, node_id, read_only ? LOOK_LENIENTLY : OPEN_LENIENTLY, error);
}

void rocks_db_close(struct rocks_db *db) {
    rocksdb_column_family_handle_t *handles[FAMILIES] = {db->meta, db->active, db->segments};
    for (int i = 0; i < FAMILIES; i++)
        if (handles[i])
            rocksdb_column_family_handle_destroy(handles[i]);
    if (db->db)
        rocksdb_close(db->db);
    if (db->meta_options)
        rocksdb_options_destroy(db->meta_options);
    if (db->active_options)
        rocksdb_options_destroy(db->active_options);
    if (db->segment_options)
        rocksdb_options_destroy(db->segment_options);
    if (db->write_synced)
        rocksdb_writeoptions_destroy(db->write_synced);
    if (db->write_unsynced)
        rocksdb_writeoptions_destroy(db->write_unsynced);
    if (db->limiter)
        rocksdb_ratelimiter_destroy(db->limiter);
    if (db->cache)
        rocksdb_cache_destroy(db->cache);
    *db = (struct rocks_db){0};
}

enum lf_status rocks_db_get(const struct rocks_db *db, const rocksdb_readoptions_t *read_options,
                            const struct rocks_key *key, void *value, size_t value_bytes, bool *found,
                            struct lf_error *error) {
    char *failure = NULL;
    *found = false;
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned_cf(db->db, read_options, db->meta, (const char *)key->bytes, key->size, &failure);
    enum lf_status status = rocks_error(&failure, error, "read");
    if (status != LF_OK || !slice)
        return status;
    size_t size = 0;
    const char *data = rocksdb_pinnableslice_value(slice, &size);
    if (size == value_bytes) {
        memcpy(value, data, size);
        *found = true;
    } else {
        status = lf_error_set(error, LF_DAMAGED, "a row of kind '%c' has %zu bytes, not %zu",
                              key->size > 9 ? key->bytes[9] : key->bytes[0], size, value_bytes);
    }
    rocksdb_pinnableslice_destroy(slice);
    return status;
}

enum lf_status rocks_db_write(struct rocks_db *db, rocksdb_writebatch_t *batch, bool sync, struct lf_error *error) {
    char *failure = NULL;
    rocksdb_write(db->db, sync ? db->write_synced : db->write_unsynced, batch, &failure);
    return rocks_error(&failure, error, "write");
}

uint64_t rocks_db_property(const struct rocks_db *db, rocksdb_column_family_handle_t *family, const char *name) {
    uint64_t value = 0;
    return rocksdb_property_int_cf(db->db, family, name, &value) == 0 ? value : 0;
}

/* All of them lie in the last level. */
uint64_t rocks_db_segment_tables(const struct rocks_db *db) {
    char *text = rocksdb_property_value_cf(db->db, db->segments, "rocksdb.num-files-at-level6");
    uint64_t count = text ? strtoull(text, NULL, 10) : 0;
    rocksdb_free(text);
    return count;
}

bool rocks_table_segment(const rocksdb_livefiles_t *files, int i, uint64_t *id) {
    size_t size = 0;
    uint64_t index;
    const char *key = rocksdb_livefiles_smallestkey(files, i, &size);
    return strcmp(rocksdb_livefiles_column_family_name(files, i), "segments") == 0 &&
           rocks_key_parse_entry(lf_bytes(key, size), id, &index);
}
