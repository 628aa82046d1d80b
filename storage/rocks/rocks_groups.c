#include "rocks_groups.h"
#include "log_row.h"
#include "rocks_error.h"

#include <inttypes.h>
#include <stdlib.h>

void rocks_groups_deinit(struct rocks_groups *groups) {
    for (size_t i = 0; i < groups->count; i++) {
        log_group_deinit(groups->items[i]);
        free(groups->items[i]);
    }
    free(groups->items);
    groups->items = NULL;
    groups->count = groups->capacity = 0;
}

static size_t position_of(const struct rocks_groups *groups, uint64_t id) {
    size_t low = 0, high = groups->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (groups->items[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct log_group *rocks_groups_find(const struct rocks_groups *groups, uint64_t id) {
    size_t at = position_of(groups, id);
    return at < groups->count && groups->items[at]->id == id ? groups->items[at] : NULL;
}

struct log_group *rocks_groups_add(struct rocks_groups *groups, uint64_t id) {
    struct rocks_group *made = calloc(1, sizeof *made);
    struct log_group *group = &made->log;
    if (!made || log_array_reserve(&groups->items, &groups->capacity, groups->count, sizeof group) != LF_OK) {
        free(made);
        return NULL;
    }
    group->id = id;
    size_t at = position_of(groups, id);
    memmove(groups->items + at + 1, groups->items + at, (groups->count - at) * sizeof group);
    groups->items[at] = group;
    groups->count++;
    return group;
}

void rocks_groups_remove(struct rocks_groups *groups, uint64_t id) {
    size_t at = position_of(groups, id);
    log_group_deinit(groups->items[at]);
    free(groups->items[at]);
    groups->count--;
    memmove(groups->items + at, groups->items + at + 1, (groups->count - at) * sizeof groups->items[0]);
}

enum lf_status rocks_groups_list(const struct rocks_groups *groups, struct log_store *store, struct lf_error *error) {
    store->groups = calloc(groups->count + 1, sizeof store->groups[0]);
    if (!store->groups)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for groups");
    for (size_t i = 0; i < groups->count; i++)
        store->groups[i] = groups->items[i]->id;
    store->group_count = groups->count;
    return LF_OK;
}

void rocks_segment_row_encode(const struct log_held *held, uint8_t out[ROCKS_SEGMENT_ROW_BYTES]) {
    lf_put_le64(out, held->id);
    log_segment_encode(&held->segment, out + 8);
}

enum lf_status rocks_segment_row_decode(uint64_t first_index, struct lf_bytes value, struct log_held *held,
                                        struct lf_error *error) {
    if (value.size != ROCKS_SEGMENT_ROW_BYTES)
        return lf_error_set(error, LF_DAMAGED, "a segment's row has %zu bytes, not %u", value.size,
                            ROCKS_SEGMENT_ROW_BYTES);
    held->id = lf_get_le64(value.data);
    enum lf_status status = log_segment_decode(lf_bytes(value.data + 8, value.size - 8), &held->segment, error);
    if (status == LF_OK && held->segment.first_index != first_index)
        status = lf_error_set(error, LF_DAMAGED, "a segment's row under %" PRIu64 " says it begins at %" PRIu64,
                              first_index, held->segment.first_index);
    return status;
}

enum lf_status rocks_staged_row_decode(uint64_t id, struct lf_bytes value, struct log_held *held,
                                       struct lf_error *error) {
    held->id = id;
    return log_segment_decode(value, &held->segment, error);
}

/* What one pass over a group's rows has seen. */
struct seen {
    bool descriptor, hard_state, last;
};

static enum lf_status wrong_size(uint64_t group, uint8_t kind, size_t bytes, struct lf_error *error) {
    return lf_error_set(error, LF_DAMAGED, "group %" PRIu64 ": a row of kind '%c' with %zu bytes", group, kind, bytes);
}

static enum lf_status take_run(struct log_group *group, struct lf_bytes rest, struct lf_bytes value,
                               struct lf_error *error) {
    if (rest.size != 8 || value.size != 8)
        return wrong_size(group->id, ROCKS_KIND_RUN, value.size, error);
    if (log_array_reserve(&group->runs, &group->run_capacity, group->run_count, sizeof group->runs[0]) != LF_OK)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for term runs");
    group->runs[group->run_count++] =
        (struct log_store_run){.first_index = lf_get_be64(rest.data), .term = lf_get_le64(value.data)};
    return LF_OK;
}

static enum lf_status take_segment(struct log_group *group, struct lf_bytes rest, struct lf_bytes value,
                                   struct lf_error *error) {
    if (rest.size != 8)
        return wrong_size(group->id, ROCKS_KIND_SEGMENT, value.size, error);
    if (log_array_reserve(&group->segments, &group->segment_capacity, group->segment_count,
                          sizeof group->segments[0]) != LF_OK)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for segments");
    return rocks_segment_row_decode(lf_get_be64(rest.data), value, &group->segments[group->segment_count++], error);
}

static enum lf_status take_staged(struct log_group *group, struct lf_bytes rest, struct lf_bytes value,
                                  struct lf_error *error) {
    struct log_held held, gone;
    bool replaced;
    if (rest.size != 8)
        return wrong_size(group->id, ROCKS_KIND_STAGED, value.size, error);
    enum lf_status status = rocks_staged_row_decode(lf_get_be64(rest.data), value, &held, error);
    if (status != LF_OK)
        return status;
    status = log_group_stage(group, &held.segment, held.id, &replaced, &gone);
    if (status == LF_OK && replaced)
        return lf_error_set(error, LF_DAMAGED, "group %" PRIu64 ": a segment is staged twice", group->id);
    return status == LF_OK ? status : lf_error_set(error, status, "no memory for segments");
}

static enum lf_status take_row(struct log_group *group, struct seen *seen, uint8_t kind, struct lf_bytes rest,
                               struct lf_bytes value, struct lf_error *error) {
    bool pair = kind == ROCKS_KIND_DESCRIPTOR || kind == ROCKS_KIND_HARD_STATE || kind == ROCKS_KIND_PREVIOUS;
    size_t wanted = pair ? 16 : 8;
    if (kind == ROCKS_KIND_RUN)
        return take_run(group, rest, value, error);
    if (kind == ROCKS_KIND_SEGMENT)
        return take_segment(group, rest, value, error);
    if (kind == ROCKS_KIND_STAGED)
        return take_staged(group, rest, value, error);
    if (kind == ROCKS_KIND_HINT || kind == ROCKS_KIND_ROW)
        return LF_OK;
    if (value.size != wanted || rest.size != 0)
        return wrong_size(group->id, kind, value.size, error);
    uint64_t first = lf_get_le64(value.data);
    uint64_t second = pair ? lf_get_le64(value.data + 8) : 0;
    switch (kind) {
    case ROCKS_KIND_APPLIED:
        group->applied_index = first;
        return LF_OK;
    case ROCKS_KIND_DESCRIPTOR:
        seen->descriptor = true;
        group->slot = first;
        group->replica_id = second;
        return LF_OK;
    case ROCKS_KIND_HARD_STATE:
        seen->hard_state = true;
        group->term = first;
        group->vote = second;
        return LF_OK;
    case ROCKS_KIND_LAST:
        seen->last = true;
        group->last_index = first;
        return LF_OK;
    case ROCKS_KIND_PREVIOUS:
        group->previous_index = first;
        group->previous_term = second;
        return LF_OK;
    default:
        return lf_error_set(error, LF_UNSUPPORTED, "group %" PRIu64 ": a row of unknown kind %u", group->id, kind);
    }
}

static enum lf_status check_group(const struct rocks_groups *groups, const struct log_group *group,
                                  const struct seen *seen, struct lf_error *error) {
    if (!seen->descriptor)
        return lf_error_set(error, LF_DAMAGED, "group %" PRIu64 ": its descriptor is missing", group->id);
    if (!seen->hard_state)
        return lf_error_set(error, LF_DAMAGED, "group %" PRIu64 ": its hard state is missing", group->id);
    if (!seen->last)
        return lf_error_set(error, LF_DAMAGED, "group %" PRIu64 ": where its log ends is missing", group->id);
    if (group->slot >= atomic_load(&groups->slot_next))
        return lf_error_set(error, LF_DAMAGED, "group %" PRIu64 ": slot %" PRIu64 " was never given", group->id,
                            group->slot);
    return log_group_check(group, error);
}

static bool iterator_row(rocksdb_iterator_t *iterator, uint64_t *group, uint8_t *kind, struct lf_bytes *rest) {
    size_t size = 0;
    if (!rocksdb_iter_valid(iterator))
        return false;
    const char *key = rocksdb_iter_key(iterator, &size);
    return rocks_key_parse(lf_bytes(key, size), group, kind, rest);
}

/* Rows of applied state and hints may be many and need no reading here: step over them by a seek. */
static void next_row(rocksdb_iterator_t *iterator, uint64_t group, uint8_t kind) {
    if (kind != ROCKS_KIND_ROW && kind != ROCKS_KIND_HINT) {
        rocksdb_iter_next(iterator);
        return;
    }
    struct rocks_key after = rocks_key_group(group, (enum rocks_kind)(kind + 1));
    rocksdb_iter_seek(iterator, (const char *)after.bytes, after.size);
}

static enum lf_status load_group(struct rocks_groups *groups, rocksdb_iterator_t *iterator, uint64_t id,
                                 struct lf_error *error) {
    struct seen seen = {0};
    struct log_group *group = rocks_groups_add(groups, id);
    if (!group)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for groups");
    uint64_t at;
    uint8_t kind;
    struct lf_bytes rest;
    while (iterator_row(iterator, &at, &kind, &rest) && at == id) {
        size_t size = 0;
        const char *value = rocksdb_iter_value(iterator, &size);
        enum lf_status status = take_row(group, &seen, kind, rest, lf_bytes(value, size), error);
        if (status != LF_OK)
            return status;
        next_row(iterator, id, kind);
    }
    return check_group(groups, group, &seen, error);
}

static enum lf_status load_slot_next(struct rocks_groups *groups, const struct rocks_db *db,
                                     const rocksdb_readoptions_t *options, struct lf_error *error) {
    struct rocks_key key = rocks_key_next_slot();
    uint8_t value[8];
    bool found;
    enum lf_status status = rocks_db_get(db, options, &key, value, sizeof value, &found, error);
    atomic_store(&groups->slot_next, status == LF_OK && found ? lf_get_le64(value) : 1);
    return status;
}

enum lf_status rocks_groups_load(struct rocks_groups *groups, const struct rocks_db *db, struct lf_error *error) {
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_iterator_t *iterator = rocksdb_create_iterator_cf(db->db, options, db->meta);
    enum lf_status status = load_slot_next(groups, db, options, error);
    uint64_t group;
    uint8_t kind;
    struct lf_bytes rest;
    rocksdb_iter_seek(iterator, "G", 1);
    while (status == LF_OK && iterator_row(iterator, &group, &kind, &rest))
        status = load_group(groups, iterator, group, error);
    char *failure = NULL;
    rocksdb_iter_get_error(iterator, &failure);
    if (failure)
        status = rocks_error(&failure, error, "read groups");
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(options);
    return status;
}
