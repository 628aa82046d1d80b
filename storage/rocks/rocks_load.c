/** A load: all of a group's rows, in one pass over them. */
#include "log_row.h"
#include "rocks_error.h"
#include "rocks_groups.h"
#include "rocks_reader.h"

#include <inttypes.h>
#include <stdlib.h>

struct load {
    struct log_store_loaded *loaded;
    struct log_group staged; /* orders them */
    size_t run_capacity, row_capacity, segment_capacity;
    struct lf_error *error;
};

static enum lf_status add_run(struct load *load, struct lf_bytes rest, struct lf_bytes value) {
    struct log_store_loaded *loaded = load->loaded;
    if (rest.size != 8 || value.size != 8)
        return LF_DAMAGED;
    enum lf_status status =
        log_array_reserve(&loaded->runs, &load->run_capacity, loaded->run_count, sizeof loaded->runs[0]);
    if (status == LF_OK)
        loaded->runs[loaded->run_count++] =
            (struct log_store_run){.first_index = lf_get_be64(rest.data), .term = lf_get_le64(value.data)};
    return status;
}

static enum lf_status add_row(struct load *load, struct lf_bytes rest, struct lf_bytes value) {
    struct log_store_loaded *loaded = load->loaded;
    enum lf_status status =
        log_array_reserve(&loaded->rows, &load->row_capacity, loaded->row_count, sizeof loaded->rows[0]);
    if (status == LF_OK)
        status = log_row_init(&loaded->rows[loaded->row_count], rest, value);
    if (status == LF_OK)
        loaded->row_count++;
    return status;
}

static enum lf_status add_segment(struct load *load, struct lf_bytes rest, struct lf_bytes value) {
    struct log_store_loaded *loaded = load->loaded;
    struct log_held held;
    if (rest.size != 8)
        return LF_DAMAGED;
    enum lf_status status = rocks_segment_row_decode(lf_get_be64(rest.data), value, &held, load->error);
    if (status == LF_OK)
        status = log_array_reserve(&loaded->segments, &load->segment_capacity, loaded->segment_count,
                                   sizeof loaded->segments[0]);
    if (status == LF_OK)
        loaded->segments[loaded->segment_count++] = held.segment;
    return status;
}

static enum lf_status add_staged(struct load *load, struct lf_bytes rest, struct lf_bytes value) {
    struct log_held held, gone;
    bool replaced;
    if (rest.size != 8)
        return LF_DAMAGED;
    enum lf_status status = rocks_staged_row_decode(lf_get_be64(rest.data), value, &held, load->error);
    return status == LF_OK ? log_group_stage(&load->staged, &held.segment, held.id, &replaced, &gone) : status;
}

static enum lf_status take(struct load *load, uint8_t kind, struct lf_bytes rest, struct lf_bytes value) {
    struct log_store_loaded *loaded = load->loaded;
    bool pair = kind == ROCKS_KIND_DESCRIPTOR || kind == ROCKS_KIND_HARD_STATE || kind == ROCKS_KIND_PREVIOUS;
    size_t wanted = pair ? 16 : 8;
    if (kind == ROCKS_KIND_RUN)
        return add_run(load, rest, value);
    if (kind == ROCKS_KIND_SEGMENT)
        return add_segment(load, rest, value);
    if (kind == ROCKS_KIND_STAGED)
        return add_staged(load, rest, value);
    if (kind == ROCKS_KIND_ROW)
        return add_row(load, rest, value);
    if (kind == ROCKS_KIND_HINT)
        return LF_OK;
    if (value.size != wanted || rest.size != 0)
        return LF_DAMAGED;
    uint64_t first = lf_get_le64(value.data);
    if (kind == ROCKS_KIND_APPLIED)
        loaded->applied_index = first;
    if (kind == ROCKS_KIND_LAST)
        loaded->last_index = first;
    if (kind == ROCKS_KIND_PREVIOUS) {
        loaded->previous_index = first;
        loaded->previous_term = lf_get_le64(value.data + 8);
    }
    if (kind == ROCKS_KIND_DESCRIPTOR) {
        loaded->exists = true;
        loaded->replica_id = lf_get_le64(value.data + 8);
    }
    if (kind == ROCKS_KIND_HARD_STATE) {
        loaded->term = first;
        loaded->vote = lf_get_le64(value.data + 8);
    }
    return LF_OK;
}

/* Hints are many and not asked for: they are stepped over by a seek. */
static void step(rocksdb_iterator_t *iterator, uint64_t group, uint8_t kind) {
    struct rocks_key after = rocks_key_group(group, (enum rocks_kind)(ROCKS_KIND_HINT + 1));
    if (kind == ROCKS_KIND_HINT)
        rocksdb_iter_seek(iterator, (const char *)after.bytes, after.size);
    else
        rocksdb_iter_next(iterator);
}

static enum lf_status load_rows(struct load *load, rocksdb_iterator_t *iterator, uint64_t group,
                                struct lf_error *error) {
    struct rocks_key start = rocks_key_group(group, (enum rocks_kind)0);
    rocksdb_iter_seek(iterator, (const char *)start.bytes, start.size);
    while (rocksdb_iter_valid(iterator)) {
        size_t key_bytes = 0, value_bytes = 0;
        const char *key = rocksdb_iter_key(iterator, &key_bytes);
        const char *value = rocksdb_iter_value(iterator, &value_bytes);
        uint64_t at;
        uint8_t kind;
        struct lf_bytes rest;
        if (!rocks_key_parse(lf_bytes(key, key_bytes), &at, &kind, &rest) || at != group)
            break;
        enum lf_status status = take(load, kind, rest, lf_bytes(value, value_bytes));
        if (status != LF_OK)
            return lf_error_set(error, status, "group %" PRIu64 ": a row of kind '%c' cannot be read", group, kind);
        step(iterator, group, kind);
    }
    char *failure = NULL;
    rocksdb_iter_get_error(iterator, &failure);
    return rocks_error(&failure, error, "load a group");
}

static enum lf_status finish(struct load *load) {
    struct log_store_loaded *loaded = load->loaded;
    loaded->first_index =
        loaded->segment_count > 0 ? loaded->segments[0].first_index : loaded->previous_index + LOG_GROUP_FIRST_INDEX;
    loaded->staged = calloc(load->staged.staged_count + 1, sizeof loaded->staged[0]);
    if (!loaded->staged)
        return lf_error_set(load->error, LF_NO_MEMORY, "no memory to load a group");
    loaded->staged_count = load->staged.staged_count;
    for (size_t i = 0; i < loaded->staged_count; i++)
        loaded->staged[i] = load->staged.staged[i].segment;
    return LF_OK;
}

void rocks_load(const struct rocks_db *db, uint64_t group, struct log_store_completion *completion) {
    struct load load = {.loaded = calloc(1, sizeof *load.loaded), .error = &completion->error};
    if (!load.loaded) {
        completion->status = lf_error_set(&completion->error, LF_NO_MEMORY, "no memory to load a group");
        return;
    }
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_iterator_t *iterator = rocksdb_create_iterator_cf(db->db, options, db->meta);
    completion->status = load_rows(&load, iterator, group, &completion->error);
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(options);
    if (completion->status == LF_OK)
        completion->status = finish(&load);
    log_group_deinit(&load.staged);
    if (completion->status == LF_OK)
        completion->loaded = load.loaded;
    else
        log_store_loaded_destroy(&load.loaded);
}
