/** Carrying out a judged write on a group's shape. */
#include "log_group.h"
#include "log_row.h"

#include "lf_check.h"
#include "lf_entry.h"

#include <stdlib.h>

static size_t runs_kept(const struct log_group *group, uint64_t end) {
    size_t keep = group->run_count;
    while (keep > 0 && group->runs[keep - 1].first_index > end)
        keep--;
    return keep;
}

/* Appends the runs of the write's entries behind `count` runs; the caller has judged terms. */
static enum lf_status add_runs(struct log_group *group, const struct log_store_write *write, size_t *count) {
    uint64_t term = *count > 0 ? group->runs[*count - 1].term : 0;
    for (uint32_t i = 0; i < write->entry_count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        lf_check(lf_entry_decode(lf_buf_bytes(write->entries[i]), &header, &payload) == LF_OK);
        if (header.term == term)
            continue;
        enum lf_status status = log_array_reserve(&group->runs, &group->run_capacity, *count, sizeof group->runs[0]);
        if (status != LF_OK)
            return status;
        group->runs[(*count)++] = (struct log_store_run){.first_index = write->first_index + i, .term = header.term};
        term = header.term;
    }
    return LF_OK;
}

/* Room for as many runs as the write's entries have at most, so that they can be added when nothing may fail. */
static enum lf_status reserve_runs(struct log_group *group, const struct log_store_write *write) {
    size_t runs = 0;
    uint64_t term = 0;
    for (uint32_t i = 0; i < write->entry_count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        lf_check(lf_entry_decode(lf_buf_bytes(write->entries[i]), &header, &payload) == LF_OK);
        runs += header.term != term;
        term = header.term;
    }
    while (group->run_capacity < runs)
        if (log_array_reserve(&group->runs, &group->run_capacity, group->run_capacity, sizeof group->runs[0]) != LF_OK)
            return LF_NO_MEMORY;
    return LF_OK;
}

static void note_truncation(const struct log_group *group, uint64_t end, struct log_group_change *change) {
    if (end >= group->last_index)
        return;
    change->truncate_from = end + 1;
    change->truncate_to = group->last_index;
}

static enum lf_status put_entries(struct log_group *group, const struct log_store_write *write,
                                  struct log_group_change *change) {
    uint64_t end = group->last_index;
    if (write->truncate_from != 0 && write->truncate_from <= end)
        end = write->truncate_from - 1;
    size_t kept = runs_kept(group, end), count = kept;
    change->run_keep = kept;
    note_truncation(group, end, change);
    enum lf_status status = add_runs(group, write, &count);
    if (status != LF_OK)
        return status;
    group->run_count = count;
    group->last_index = end + write->entry_count;
    return LF_OK;
}

/* Entries at or below are no longer promised one by one; runs begin behind. Never goes back. */
static void raise_previous(struct log_group *group, uint64_t index, uint64_t term, struct log_group_change *change) {
    if (index <= group->previous_index)
        return;
    size_t passed = 0;
    while (passed < group->run_count &&
           (passed + 1 < group->run_count ? group->runs[passed + 1].first_index - 1 : group->last_index) <= index)
        passed++;
    group->run_count -= passed;
    if (passed > 0)
        memmove(group->runs, group->runs + passed, group->run_count * sizeof group->runs[0]);
    if (group->run_count > 0 && group->runs[0].first_index <= index)
        group->runs[0].first_index = index + 1;
    group->previous_index = index;
    group->previous_term = term;
    change->previous_moved = true;
    change->run_keep = 0;
}

/* The segments while they are changed. Arrays have room for all that may come. */
struct shaping {
    struct log_held *segments;
    size_t segment_count;
    struct log_held *staged;
    size_t staged_count;
    struct log_held *arrived; /* while segments are exchanged */
    struct log_group_change *change;
};

static enum lf_status begin_shaping(const struct log_group *group, const struct log_store_write *write,
                                    struct log_group_change *change, struct shaping *shaping) {
    size_t segments = group->segment_count + write->seal_count + write->replacement_count + write->install_count + 1;
    *shaping = (struct shaping){.change = change};
    shaping->segments = calloc(segments, sizeof shaping->segments[0]);
    shaping->staged = calloc(group->staged_count + 1, sizeof shaping->staged[0]);
    shaping->arrived = calloc((size_t)write->replacement_count + write->install_count + 1, sizeof shaping->arrived[0]);
    change->gone = calloc(segments + group->staged_count, sizeof change->gone[0]);
    if (!shaping->segments || !shaping->staged || !shaping->arrived || !change->gone) {
        free(shaping->segments);
        free(shaping->staged);
        free(shaping->arrived);
        log_group_change_deinit(change);
        return LF_NO_MEMORY;
    }
    if (group->segment_count > 0)
        memcpy(shaping->segments, group->segments, group->segment_count * sizeof shaping->segments[0]);
    if (group->staged_count > 0)
        memcpy(shaping->staged, group->staged, group->staged_count * sizeof shaping->staged[0]);
    shaping->segment_count = group->segment_count;
    shaping->staged_count = group->staged_count;
    change->segments_moved = true;
    return LF_OK;
}

static void end_shaping(struct log_group *group, const struct log_store_write *write, struct shaping *shaping) {
    free(group->segments);
    free(group->staged);
    free(shaping->arrived);
    group->segments = shaping->segments;
    group->segment_capacity =
        group->segment_count + write->seal_count + write->replacement_count + write->install_count + 1;
    group->segment_count = shaping->segment_count;
    group->staged_capacity = group->staged_count + 1;
    group->staged = shaping->staged;
    group->staged_count = shaping->staged_count;
}

static void let_go(struct shaping *shaping, const struct log_held *held) {
    shaping->change->gone[shaping->change->gone_count++] = *held;
}

static void remove_at(struct log_held *items, size_t *count, size_t at) {
    memmove(items + at, items + at + 1, (*count - at - 1) * sizeof items[0]);
    (*count)--;
}

static void drop_staged(struct shaping *shaping, uint64_t first_index, uint64_t last_index) {
    for (size_t i = shaping->staged_count; i > 0; i--) {
        const struct log_held held = shaping->staged[i - 1];
        if (held.segment.first_index < first_index || held.segment.last_index > last_index)
            continue;
        let_go(shaping, &held);
        remove_at(shaping->staged, &shaping->staged_count, i - 1);
    }
}

/* A staged copy goes before a held one: so a damaged segment is repaired. */
static struct log_held take(struct shaping *shaping, size_t at, size_t count, const struct log_segment *segment) {
    struct log_held held = {.segment = *segment};
    for (size_t i = 0; i < shaping->staged_count; i++)
        if (log_held_compare(&shaping->staged[i].segment, segment) == 0) {
            held.id = shaping->staged[i].id;
            remove_at(shaping->staged, &shaping->staged_count, i);
            return held;
        }
    for (; count > 0; at++, count--)
        if (log_held_compare(&shaping->segments[at].segment, segment) == 0) {
            held.id = shaping->segments[at].id;
            shaping->segments[at].segment.first_index = 0; /* taken: does not go */
            return held;
        }
    lf_check(false); /* judged: it is staged or held */
    return held;
}

/* The new ones take the place of `count` old ones at `at`. */
static void exchange(struct shaping *shaping, size_t at, size_t count, const struct log_segment *segments,
                     uint32_t new_count) {
    for (uint32_t i = 0; i < new_count; i++)
        shaping->arrived[i] = take(shaping, at, count, &segments[i]);
    for (size_t i = at; i < at + count; i++)
        if (shaping->segments[i].segment.first_index != 0)
            let_go(shaping, &shaping->segments[i]);
    size_t behind = shaping->segment_count - at - count;
    memmove(shaping->segments + at + new_count, shaping->segments + at + count, behind * sizeof shaping->segments[0]);
    for (uint32_t i = 0; i < new_count; i++)
        shaping->segments[at + i] = shaping->arrived[i];
    shaping->segment_count = at + new_count + behind;
}

static void seal(struct shaping *shaping, const struct log_store_write *write) {
    for (uint32_t i = 0; i < write->seal_count; i++)
        shaping->segments[shaping->segment_count++] = (struct log_held){.segment = write->seals[i]};
}

static void replace(struct log_group *group, struct shaping *shaping, const struct log_store_write *write) {
    uint32_t count = write->replacement_count;
    if (count == 0)
        return;
    uint64_t first_index = write->replacements[0].first_index, last_index = write->replacements[count - 1].last_index;
    size_t at = 0, end;
    while (shaping->segments[at].segment.first_index != first_index)
        at++;
    for (end = at; shaping->segments[end].segment.last_index != last_index;)
        end++;
    exchange(shaping, at, end + 1 - at, write->replacements, count);
    drop_staged(shaping, first_index, last_index);
    for (uint32_t i = 0; i < count; i++)
        if (!log_segment_whole(&write->replacements[i]))
            raise_previous(group, write->replacements[i].last_index, write->replacements[i].last_term, shaping->change);
}

static void drop(struct log_group *group, struct shaping *shaping, const struct log_store_write *write) {
    size_t count = 0;
    while (count < shaping->segment_count && shaping->segments[count].segment.last_index < write->drop_before)
        let_go(shaping, &shaping->segments[count++]);
    if (count == 0)
        return;
    const struct log_segment last = shaping->segments[count - 1].segment;
    shaping->segment_count -= count;
    memmove(shaping->segments, shaping->segments + count, shaping->segment_count * sizeof shaping->segments[0]);
    raise_previous(group, last.last_index, last.last_term, shaping->change);
}

/* Entries beside it come behind it. Their runs have room. */
static void install(struct log_group *group, struct shaping *shaping, const struct log_store_write *write) {
    exchange(shaping, 0, shaping->segment_count, write->install_segments, write->install_count);
    drop_staged(shaping, 0, UINT64_MAX);
    note_truncation(group, log_group_active_index(group) - 1, shaping->change);
    shaping->change->previous_moved = true;
    shaping->change->run_keep = 0;
    group->run_count = 0;
    group->previous_index = group->last_index = group->applied_index = write->install_index;
    group->previous_term = write->install_term;
    size_t count = 0;
    lf_check(add_runs(group, write, &count) == LF_OK);
    group->run_count = count;
    group->last_index += write->entry_count;
    if (write->applied_index != 0)
        group->applied_index = write->applied_index;
}

/* In the order that log_group.h says. */
static enum lf_status shape_segments(struct log_group *group, const struct log_store_write *write,
                                     struct log_group_change *change) {
    if (!write->seal_count && !write->drop_before && !write->replacement_count && !write->install && !write->unstage)
        return LF_OK;
    struct shaping shaping;
    enum lf_status status = begin_shaping(group, write, change, &shaping);
    if (status != LF_OK)
        return status;
    if (write->install) {
        install(group, &shaping, write);
    } else {
        seal(&shaping, write);
        replace(group, &shaping, write);
        drop(group, &shaping, write);
    }
    if (write->unstage)
        drop_staged(&shaping, 0, UINT64_MAX);
    end_shaping(group, write, &shaping);
    return LF_OK;
}

enum lf_status log_group_apply(struct log_group *group, const struct log_store_write *write,
                               struct log_group_change *change) {
    *change = (struct log_group_change){0};
    enum lf_status status = write->install ? reserve_runs(group, write) : put_entries(group, write, change);
    if (status != LF_OK)
        return status;
    if (write->create)
        group->replica_id = write->replica_id;
    if (write->has_hard_state) {
        group->term = write->term;
        group->vote = write->vote;
    }
    if (write->applied_index != 0)
        group->applied_index = write->applied_index;
    return shape_segments(group, write, change);
}

enum lf_status log_group_stage(struct log_group *group, const struct log_segment *segment, uint64_t id, bool *replaced,
                               struct log_held *gone) {
    size_t at = 0;
    while (at < group->staged_count && log_held_compare(&group->staged[at].segment, segment) < 0)
        at++;
    *replaced = at < group->staged_count && log_held_compare(&group->staged[at].segment, segment) == 0;
    if (*replaced) {
        *gone = group->staged[at];
        group->staged[at].id = id;
        return LF_OK;
    }
    enum lf_status status =
        log_array_reserve(&group->staged, &group->staged_capacity, group->staged_count, sizeof group->staged[0]);
    if (status != LF_OK)
        return status;
    memmove(group->staged + at + 1, group->staged + at, (group->staged_count - at) * sizeof group->staged[0]);
    group->staged[at] = (struct log_held){.segment = *segment, .id = id};
    group->staged_count++;
    return LF_OK;
}
