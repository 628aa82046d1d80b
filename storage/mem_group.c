#include "mem_group.h"
#include "log_row.h"

#include "lf_check.h"
#include "lf_entry.h"

#include <stdlib.h>

static size_t active_count(const struct mem_group *group) {
    return (size_t)(group->log.last_index - (log_group_active_index(&group->log) - 1));
}

static void contents_deinit(struct mem_contents *contents) {
    for (size_t i = 0; i < contents->count; i++)
        lf_buf_unref(&contents->entries[i]);
    free(contents->entries);
    free(contents->indexes);
}

void mem_group_destroy(struct mem_group **where) {
    struct mem_group *group = *where;
    *where = NULL;
    if (!group)
        return;
    for (size_t i = 0; i < active_count(group); i++)
        lf_buf_unref(&group->active[i]);
    for (size_t i = 0; i < group->contents_count; i++)
        contents_deinit(&group->contents[i]);
    for (size_t i = 0; i < group->row_count; i++)
        log_row_deinit(&group->rows[i]);
    free(group->active);
    free(group->contents);
    free(group->rows);
    free(group->hints);
    log_group_deinit(&group->log);
    free(group);
}

static size_t contents_position(const struct mem_group *group, uint64_t id) {
    size_t low = 0, high = group->contents_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (group->contents[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct lf_buf **mem_group_next(const struct mem_group *group, uint64_t index, uint64_t *found) {
    const struct log_group *log = &group->log;
    for (size_t at = log_group_segment_at(log, index); at < log->segment_count; at++) {
        const struct mem_contents *contents = &group->contents[contents_position(group, log->segments[at].id)];
        size_t low = 0, high = contents->count;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (contents->indexes[middle] < index)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == contents->count)
            continue;
        *found = contents->indexes[low];
        return &contents->entries[low];
    }
    uint64_t first = log_group_active_index(log);
    *found = index > first ? index : first;
    return *found <= log->last_index ? &group->active[*found - first] : NULL;
}

/* Room for `count` entries under a new id. NULL without memory. */
static struct mem_contents *contents_add(struct mem_group *group, size_t count) {
    if (log_array_reserve(&group->contents, &group->contents_capacity, group->contents_count,
                          sizeof group->contents[0]) != LF_OK)
        return NULL;
    struct mem_contents *contents = &group->contents[group->contents_count];
    *contents = (struct mem_contents){.id = group->last_id + 1,
                                      .indexes = calloc(count + 1, sizeof contents->indexes[0]),
                                      .entries = calloc(count + 1, sizeof(struct lf_buf *))};
    if (!contents->indexes || !contents->entries) {
        contents_deinit(contents);
        return NULL;
    }
    group->last_id++;
    group->contents_count++;
    return contents;
}

/* Takes the reference. */
static void contents_put(struct mem_contents *contents, uint64_t index, struct lf_buf *entry) {
    contents->indexes[contents->count] = index;
    contents->entries[contents->count++] = entry;
}

static void contents_remove(struct mem_group *group, uint64_t id) {
    size_t at = contents_position(group, id);
    contents_deinit(&group->contents[at]);
    group->contents_count--;
    memmove(group->contents + at, group->contents + at + 1, (group->contents_count - at) * sizeof group->contents[0]);
}

/* The active entries while a write is carried out: active[0] has index `first`. */
struct active {
    uint64_t first;
    uint64_t end; /* the index after the last one */
};

static enum lf_status put_entries(struct mem_group *group, const struct log_store_write *write,
                                  const struct log_group_change *change, struct active *active) {
    while (active->end > active->first &&
           (write->install || (change->truncate_from != 0 && active->end > change->truncate_from)))
        lf_buf_unref(&group->active[--active->end - active->first]);
    if (write->install)
        active->first = active->end = write->install_index + 1;
    while (group->active_capacity < active->end - active->first + write->entry_count) {
        enum lf_status status =
            log_array_reserve(&group->active, &group->active_capacity, group->active_capacity, sizeof(struct lf_buf *));
        if (status != LF_OK)
            return status;
    }
    for (uint32_t i = 0; i < write->entry_count; i++)
        group->active[active->end++ - active->first] = lf_buf_ref(write->entries[i]);
    return LF_OK;
}

/* Active entries that are in a segment now become its contents; those of one that went at once go too. */
static enum lf_status move_sealed(struct mem_group *group, struct active *active) {
    uint64_t first = log_group_active_index(&group->log);
    for (size_t i = 0; i < group->log.segment_count; i++) {
        struct log_held *held = &group->log.segments[i];
        if (held->id != 0)
            continue;
        struct mem_contents *contents = contents_add(group, held->segment.entry_count);
        if (!contents)
            return LF_NO_MEMORY;
        held->id = contents->id;
        for (uint64_t index = held->segment.first_index; index <= held->segment.last_index; index++)
            contents_put(contents, index, lf_buf_ref(group->active[index - active->first]));
    }
    uint64_t gone = (active->end < first ? active->end : first) - active->first;
    for (uint64_t i = 0; i < gone; i++)
        lf_buf_unref(&group->active[i]);
    if (gone > 0)
        memmove(group->active, group->active + gone, (active->end - active->first - gone) * sizeof group->active[0]);
    return LF_OK;
}

static void cut_hints(struct mem_group *group, const struct log_store_write *write,
                      const struct log_group_change *change) {
    while (group->hint_count > 0 && change->truncate_from != 0 &&
           group->hints[group->hint_count - 1].index >= change->truncate_from)
        group->hint_count--;
    size_t below = write->install ? group->hint_count : 0;
    while (below < group->hint_count && group->hints[below].index < log_group_first_index(&group->log))
        below++;
    group->hint_count -= below;
    if (below > 0)
        memmove(group->hints, group->hints + below, group->hint_count * sizeof group->hints[0]);
}

static enum lf_status put_row(struct mem_group *group, const struct log_store_row *row) {
    size_t low = 0, high = group->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log_row_compare(group->rows[middle].key, row->key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool there = low < group->row_count && lf_bytes_equal(group->rows[low].key, row->key);
    if (!row->value.data && !there)
        return LF_OK;
    if (!row->value.data) {
        log_row_deinit(&group->rows[low]);
        group->row_count--;
        memmove(group->rows + low, group->rows + low + 1, (group->row_count - low) * sizeof group->rows[0]);
        return LF_OK;
    }
    struct log_store_row copy;
    enum lf_status status = log_array_reserve(&group->rows, &group->row_capacity, group->row_count, sizeof copy);
    if (status == LF_OK)
        status = log_row_init(&copy, row->key, row->value);
    if (status != LF_OK)
        return status;
    if (there) {
        log_row_deinit(&group->rows[low]);
    } else {
        memmove(group->rows + low + 1, group->rows + low, (group->row_count - low) * sizeof group->rows[0]);
        group->row_count++;
    }
    group->rows[low] = copy;
    return LF_OK;
}

static enum lf_status put_hint(struct mem_group *group, struct log_store_hint hint) {
    size_t at = group->hint_count;
    while (at > 0 && group->hints[at - 1].index >= hint.index)
        at--;
    if (at < group->hint_count && group->hints[at].index == hint.index) {
        group->hints[at] = hint;
        return LF_OK;
    }
    enum lf_status status =
        log_array_reserve(&group->hints, &group->hint_capacity, group->hint_count, sizeof group->hints[0]);
    if (status != LF_OK)
        return status;
    memmove(group->hints + at + 1, group->hints + at, (group->hint_count - at) * sizeof group->hints[0]);
    group->hints[at] = hint;
    group->hint_count++;
    return LF_OK;
}

static void clear_rows(struct mem_group *group) {
    for (size_t i = 0; i < group->row_count; i++)
        log_row_deinit(&group->rows[i]);
    group->row_count = 0;
}

static uint64_t index_of(const struct lf_buf *entry) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    lf_check(lf_entry_decode(lf_buf_bytes(entry), &header, &payload) == LF_OK);
    return header.index;
}

/* A write of the store's own: its entries are the contents of its segments, which are staged from now on. */
static enum lf_status stage(struct mem_group *group, const struct log_store_write *write) {
    uint32_t next = 0;
    for (uint32_t i = 0; i < write->replacement_count; i++) {
        const struct log_segment *segment = &write->replacements[i];
        struct mem_contents *contents = contents_add(group, segment->entry_count);
        if (!contents)
            return LF_NO_MEMORY;
        uint64_t id = contents->id;
        for (uint64_t n = 0; n < segment->entry_count; n++, next++)
            contents_put(contents, index_of(write->entries[next]), lf_buf_ref(write->entries[next]));
        bool replaced;
        struct log_held gone;
        enum lf_status status = log_group_stage(&group->log, segment, id, &replaced, &gone);
        if (status != LF_OK)
            return status;
        if (replaced)
            contents_remove(group, gone.id);
    }
    return LF_OK;
}

enum lf_status mem_group_apply(struct mem_group *group, const struct log_store_write *write) {
    if (write->stages)
        return stage(group, write);
    struct log_group_change change;
    struct active active = {.first = log_group_active_index(&group->log), .end = group->log.last_index + 1};
    enum lf_status status = log_group_apply(&group->log, write, &change);
    if (status == LF_OK)
        status = put_entries(group, write, &change, &active);
    if (status == LF_OK)
        status = move_sealed(group, &active);
    for (size_t i = 0; status == LF_OK && i < change.gone_count; i++)
        if (change.gone[i].id != 0)
            contents_remove(group, change.gone[i].id);
    if (status == LF_OK)
        cut_hints(group, write, &change);
    if (write->install)
        clear_rows(group);
    for (uint32_t i = 0; status == LF_OK && i < write->row_count; i++)
        status = put_row(group, &write->rows[i]);
    for (uint32_t i = 0; status == LF_OK && i < write->hint_count; i++)
        status = put_hint(group, write->hints[i]);
    if (change.segments_moved)
        lf_check(log_group_check(&group->log, NULL) == LF_OK);
    log_group_change_deinit(&change);
    return status;
}

static enum lf_status copy_contents(const struct mem_group *group, struct mem_group *copy) {
    copy->contents = calloc(group->contents_count + 1, sizeof copy->contents[0]);
    if (!copy->contents)
        return LF_NO_MEMORY;
    copy->contents_capacity = group->contents_count + 1;
    for (size_t i = 0; i < group->contents_count; i++) {
        const struct mem_contents *from = &group->contents[i];
        struct mem_contents *to = contents_add(copy, from->count);
        if (!to)
            return LF_NO_MEMORY;
        to->id = from->id;
        for (size_t at = 0; at < from->count; at++)
            contents_put(to, from->indexes[at], lf_buf_ref(from->entries[at]));
    }
    copy->last_id = group->last_id;
    return LF_OK;
}

enum lf_status mem_group_copy(const struct mem_group *group, struct mem_group *copy) {
    size_t active = active_count(group);
    copy->active = calloc(active + 1, sizeof copy->active[0]);
    copy->hints = calloc(group->hint_count + 1, sizeof copy->hints[0]);
    if (!copy->active || !copy->hints || log_group_copy(&group->log, &copy->log) != LF_OK)
        return LF_NO_MEMORY;
    for (size_t i = 0; i < active; i++)
        copy->active[i] = lf_buf_ref(group->active[i]);
    copy->active_capacity = active + 1;
    if (group->hint_count > 0)
        memcpy(copy->hints, group->hints, group->hint_count * sizeof copy->hints[0]);
    copy->hint_count = group->hint_count;
    copy->hint_capacity = group->hint_count + 1;
    enum lf_status status = copy_contents(group, copy);
    for (size_t i = 0; status == LF_OK && i < group->row_count; i++)
        status = put_row(copy, &group->rows[i]);
    return status;
}
