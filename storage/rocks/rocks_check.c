/** After opening: are the ends of every group's log there? The whole log is not read; a hole in its middle is found
 * when it is read, and is damage then (log_scan.h). */
#include "rocks_error.h"
#include "rocks_groups.h"

#include "lf_entry.h"

#include <inttypes.h>

/* How much of a log's end is read: entries and bytes, whichever is reached first, yet two entries. */
#define TAIL_ENTRIES 32u
#define TAIL_BYTES (256u * 1024)

struct check {
    const struct rocks_groups *groups;
    rocksdb_iterator_t *iterator;
    struct lf_error *error;
};

static enum lf_status iterator_status(const struct check *check) {
    char *failure = NULL;
    rocksdb_iter_get_error(check->iterator, &failure);
    return rocks_error(&failure, check->error, "read entries");
}

/* Where the iterator stands; false at the end. */
static bool place(const struct check *check, uint64_t *slot, uint64_t *index) {
    size_t size = 0;
    if (!rocksdb_iter_valid(check->iterator))
        return false;
    const char *key = rocksdb_iter_key(check->iterator, &size);
    return rocks_key_parse_entry(lf_bytes(key, size), slot, index);
}

static enum lf_status check_entry(const struct check *check, const struct log_group *group, uint64_t index,
                                  size_t *bytes) {
    uint64_t slot, at;
    if (!place(check, &slot, &at) || slot != group->slot || at != index) {
        enum lf_status status = iterator_status(check);
        return status != LF_OK ? status
                               : lf_error_set(check->error, LF_DAMAGED,
                                              "group %" PRIu64 ": entry %" PRIu64 " is missing", group->id, index);
    }
    struct lf_entry_header header;
    struct lf_bytes payload;
    struct lf_error detail = {0};
    const char *value = rocksdb_iter_value(check->iterator, bytes);
    if (lf_entry_check(lf_bytes(value, *bytes), group->id, &header, &payload, &detail) != LF_OK)
        return lf_error_set(check->error, LF_DAMAGED, "group %" PRIu64 " entry %" PRIu64 ": %s", group->id, index,
                            detail.text);
    if (header.index != index || (index > group->previous_index && header.term != log_group_term_at(group, index)))
        return lf_error_set(check->error, LF_DAMAGED,
                            "group %" PRIu64 " entry %" PRIu64 ": says index %" PRIu64 " term %" PRIu64, group->id,
                            index, header.index, header.term);
    return LF_OK;
}

static void seek(const struct check *check, uint64_t slot, uint64_t index) {
    struct rocks_key key = rocks_key_entry(slot, index);
    rocksdb_iter_seek(check->iterator, (const char *)key.bytes, key.size);
}

/* Downwards from `last`, which is there, no further than `first`. */
static enum lf_status check_tail(const struct check *check, const struct log_group *group, uint64_t first,
                                 uint64_t last) {
    size_t bytes_read = 0, bytes = 0;
    seek(check, group->slot, last);
    for (uint64_t n = 0; n <= last - first && n < TAIL_ENTRIES && (n < 2 || bytes_read < TAIL_BYTES); n++) {
        enum lf_status status = check_entry(check, group, last - n, &bytes);
        if (status != LF_OK)
            return status;
        bytes_read += bytes;
        rocksdb_iter_prev(check->iterator);
    }
    return iterator_status(check);
}

/* Nothing of the group lies in `active` from `index` on, up to `next`. */
static enum lf_status check_nothing(const struct check *check, const struct log_group *group, uint64_t index,
                                    uint64_t next, const char *what) {
    uint64_t slot, at;
    seek(check, group->slot, index);
    if (place(check, &slot, &at) && slot == group->slot && at < next)
        return lf_error_set(check->error, LF_DAMAGED, "group %" PRIu64 ": entry %" PRIu64 " %s", group->id, at, what);
    return iterator_status(check);
}

/* Both ends of a run of entries in `active`, and that nothing lies between it and the run before. */
static enum lf_status check_run(const struct check *check, const struct log_group *group, uint64_t *behind,
                                uint64_t first, uint64_t last) {
    size_t bytes;
    enum lf_status status = check_nothing(check, group, *behind, first, "lies where a table took its place");
    *behind = last + 1;
    if (status != LF_OK || first > last)
        return status;
    seek(check, group->slot, first);
    status = check_entry(check, group, first, &bytes);
    return status == LF_OK ? check_tail(check, group, first, last) : status;
}

/* In `active` are the entries of sealed segments without a table, and those of no segment. */
static enum lf_status check_group(const struct check *check, const struct log_group *group) {
    uint64_t behind = 0;
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < group->segment_count; i++)
        if (group->segments[i].id == 0)
            status = check_run(check, group, &behind, group->segments[i].segment.first_index,
                               group->segments[i].segment.last_index);
    if (status == LF_OK)
        status = check_run(check, group, &behind, log_group_active_index(group), group->last_index);
    return status == LF_OK ? check_nothing(check, group, behind, UINT64_MAX, "lies beyond the log's end") : status;
}

static bool slot_is_known(const struct rocks_groups *groups, uint64_t slot) {
    for (size_t i = 0; i < groups->count; i++)
        if (groups->items[i]->slot == slot)
            return true;
    return false;
}

/* One seek per slot: entries under a slot that no group has mean that a group's rows are gone. */
static enum lf_status check_slots(const struct check *check) {
    uint64_t slot, index;
    for (seek(check, 0, 0); place(check, &slot, &index); seek(check, slot + 1, 0))
        if (!slot_is_known(check->groups, slot))
            return lf_error_set(check->error, LF_DAMAGED, "entries in slot %" PRIu64 " belong to no group", slot);
    return iterator_status(check);
}

enum lf_status rocks_groups_check_entries(const struct rocks_groups *groups, const struct rocks_db *db,
                                          struct lf_error *error) {
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(options, 0);
    struct check check = {.groups = groups, .error = error};
    check.iterator = rocksdb_create_iterator_cf(db->db, options, db->active);
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < groups->count; i++)
        status = check_group(&check, groups->items[i]);
    if (status == LF_OK)
        status = check_slots(&check);
    rocksdb_iter_destroy(check.iterator);
    rocksdb_readoptions_destroy(options);
    return status;
}
