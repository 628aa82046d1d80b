/** After opening: are the ends of every group's log there? The whole log is not read; a hole in its middle is found
 * when it is read, and is damage then (log_scan.h). */
#include "rocks_error.h"
#include "rocks_groups.h"

#include "lf_entry.h"

#include <inttypes.h>
#include <stdlib.h>

/* How much of a log's end is read: entries and bytes, whichever is reached first, yet two entries. */
#define TAIL_ENTRIES 32u
#define TAIL_BYTES (256u * 1024)

/* What was sealed is dead in `active`, by one range for each segment, until it is merged away. Whoever walks through
 * such a region is led from range to range, at each looking into all runs: so every iterator here is bounded to what
 * should be there, or to little, and the cost of a start does not grow with the data. */
struct check {
    const struct rocks_groups *groups;
    const struct rocks_db *db;
    struct rocks_key from, to; /* of the iterator: it refers to them */
    rocksdb_readoptions_t *options;
    rocksdb_iterator_t *iterator;
    struct lf_error *error;
};

static void close_range(struct check *check) {
    if (check->iterator)
        rocksdb_iter_destroy(check->iterator);
    if (check->options)
        rocksdb_readoptions_destroy(check->options);
    check->iterator = NULL;
    check->options = NULL;
}

/* Entries from..to, `to` not included. */
static void open_range(struct check *check, struct rocks_key from, struct rocks_key to) {
    close_range(check);
    check->from = from;
    check->to = to;
    check->options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(check->options, 0);
    rocksdb_readoptions_set_iterate_lower_bound(check->options, (const char *)check->from.bytes, check->from.size);
    rocksdb_readoptions_set_iterate_upper_bound(check->options, (const char *)check->to.bytes, check->to.size);
    check->iterator = rocksdb_create_iterator_cf(check->db->db, check->options, check->db->active);
}

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

/* Nothing of the group lies in `active` from..to, `to` not included. */
static enum lf_status check_nothing(struct check *check, const struct log_group *group, struct rocks_key from,
                                    struct rocks_key to, const char *what) {
    uint64_t slot, at;
    open_range(check, from, to);
    rocksdb_iter_seek_to_first(check->iterator);
    if (place(check, &slot, &at))
        return lf_error_set(check->error, LF_DAMAGED, "group %" PRIu64 ": entry %" PRIu64 " %s", group->id, at, what);
    return iterator_status(check);
}

/* The ends of what lies between two runs, all of it dead or never there. */
static enum lf_status check_gap(struct check *check, const struct log_group *group, uint64_t from, uint64_t to) {
    static const char what[] = "lies where a table took its place";
    if (from >= to)
        return LF_OK;
    enum lf_status status =
        check_nothing(check, group, rocks_key_entry(group->slot, from), rocks_key_entry(group->slot, from + 1), what);
    return status == LF_OK ? check_nothing(check, group, rocks_key_entry(group->slot, to - 1),
                                           rocks_key_entry(group->slot, to), what)
                           : status;
}

/* Both ends of a run of entries in `active`, and those of the gap between it and the run before. */
static enum lf_status check_run(struct check *check, const struct log_group *group, uint64_t *behind, uint64_t first,
                                uint64_t last) {
    size_t bytes;
    enum lf_status status = check_gap(check, group, *behind, first);
    *behind = last + 1;
    if (status != LF_OK || first > last)
        return status;
    open_range(check, rocks_key_entry(group->slot, first), rocks_key_entry(group->slot, last + 1));
    seek(check, group->slot, first);
    status = check_entry(check, group, first, &bytes);
    return status == LF_OK ? check_tail(check, group, first, last) : status;
}

/* In `active` are the entries of sealed segments without a table, and those of no segment; one run as far as they
 * follow each other: while tables wait to be made there may be hundreds of such segments. */
static enum lf_status check_group(struct check *check, const struct log_group *group) {
    uint64_t behind = 0, first = 0, last = 0; /* of the run so far; last 0: none */
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < group->segment_count; i++) {
        const struct log_segment *segment = &group->segments[i].segment;
        if (group->segments[i].id != 0)
            continue;
        if (last != 0 && segment->first_index != last + 1)
            status = check_run(check, group, &behind, first, last);
        if (last == 0 || segment->first_index != last + 1)
            first = segment->first_index;
        last = segment->last_index;
    }
    uint64_t rest = log_group_active_index(group);
    if (status == LF_OK && last != 0 && rest != last + 1)
        status = check_run(check, group, &behind, first, last);
    if (status == LF_OK)
        status = check_run(check, group, &behind, last != 0 && rest == last + 1 ? first : rest, group->last_index);
    return status == LF_OK ? check_nothing(check, group, rocks_key_entry(group->slot, behind),
                                           rocks_key_entry(group->slot + 1, 0), "lies beyond the log's end")
                           : status;
}

static int compare_slots(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Nothing lies between the groups' slots: entries under a slot that no group has mean that a group's rows are gone. */
static enum lf_status check_slots(struct check *check) {
    size_t count = check->groups->count;
    enum lf_status status = LF_OK;
    uint64_t slot, index, next = 0;
    uint64_t *slots = malloc((count + 1) * sizeof *slots);
    if (!slots)
        return lf_error_set(check->error, LF_NO_MEMORY, "no memory for %zu slots", count);
    for (size_t i = 0; i < count; i++)
        slots[i] = check->groups->items[i]->slot;
    slots[count] = UINT64_MAX;
    qsort(slots, count, sizeof *slots, compare_slots);
    for (size_t i = 0; status == LF_OK && i <= count; next = slots[i++] + 1) {
        if (next >= slots[i])
            continue;
        open_range(check, rocks_key_entry(next, 0), rocks_key_entry(slots[i], 0));
        rocksdb_iter_seek_to_first(check->iterator);
        status = place(check, &slot, &index)
                     ? lf_error_set(check->error, LF_DAMAGED, "entries in slot %" PRIu64 " belong to no group", slot)
                     : iterator_status(check);
    }
    free(slots);
    return status;
}

enum lf_status rocks_groups_check_entries(const struct rocks_groups *groups, const struct rocks_db *db,
                                          struct lf_error *error) {
    struct check check = {.groups = groups, .db = db, .error = error};
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < groups->count; i++)
        status = check_group(&check, groups->items[i]);
    if (status == LF_OK)
        status = check_slots(&check);
    close_range(&check);
    return status;
}
