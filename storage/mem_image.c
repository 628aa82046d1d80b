#include "mem_image.h"
#include "log_identity.h"
#include "log_row.h"

#include <stdlib.h>

static void drop_entries(struct mem_group *group, uint64_t from, uint64_t to) {
    for (uint64_t index = from; index <= to; index++)
        lf_buf_unref(&group->entries[index - 1]);
}

static void group_destroy(struct mem_group *group) {
    if (!group)
        return;
    drop_entries(group, LOG_GROUP_FIRST_INDEX, group->log.last_index);
    for (size_t i = 0; i < group->row_count; i++)
        log_row_deinit(&group->rows[i]);
    free(group->entries);
    free(group->rows);
    free(group->hints);
    log_group_deinit(&group->log);
    free(group);
}

void mem_image_deinit(struct mem_image *image) {
    for (size_t i = 0; i < image->group_count; i++)
        group_destroy(image->groups[i]);
    free(image->groups);
    *image = (struct mem_image){0};
}

static size_t position_of(const struct mem_image *image, uint64_t group) {
    size_t low = 0, high = image->group_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (image->groups[middle]->log.id < group)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct mem_group *mem_image_find(const struct mem_image *image, uint64_t group) {
    size_t at = position_of(image, group);
    return at < image->group_count && image->groups[at]->log.id == group ? image->groups[at] : NULL;
}

static enum lf_status group_insert(struct mem_image *image, struct mem_group *group) {
    enum lf_status status =
        log_array_reserve(&image->groups, &image->group_capacity, image->group_count, sizeof image->groups[0]);
    if (status != LF_OK)
        return status;
    size_t at = position_of(image, group->log.id);
    memmove(image->groups + at + 1, image->groups + at, (image->group_count - at) * sizeof image->groups[0]);
    image->groups[at] = group;
    image->group_count++;
    return LF_OK;
}

static void group_remove(struct mem_image *image, uint64_t id) {
    size_t at = position_of(image, id);
    group_destroy(image->groups[at]);
    image->group_count--;
    memmove(image->groups + at, image->groups + at + 1, (image->group_count - at) * sizeof image->groups[0]);
}

static enum lf_status put_entries(struct mem_group *group, const struct log_store_write *write,
                                  const struct log_group_change *change) {
    if (change->truncate_from != 0)
        drop_entries(group, change->truncate_from, change->truncate_to);
    while (group->hint_count > 0 && change->truncate_from != 0 &&
           group->hints[group->hint_count - 1].index >= change->truncate_from)
        group->hint_count--;
    for (uint32_t i = 0; i < write->entry_count; i++)
        group->entries[write->first_index - 1 + i] = lf_buf_ref(write->entries[i]);
    return LF_OK;
}

static enum lf_status reserve_entries(struct mem_group *group, const struct log_store_write *write) {
    if (write->entry_count == 0)
        return LF_OK;
    uint64_t last = write->first_index + write->entry_count - 1;
    while (group->entry_capacity < last) {
        enum lf_status status =
            log_array_reserve(&group->entries, &group->entry_capacity, group->entry_capacity, sizeof group->entries[0]);
        if (status != LF_OK)
            return status;
    }
    return LF_OK;
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

static enum lf_status group_apply(struct mem_group *group, const struct log_store_write *write) {
    struct log_group_change change;
    enum lf_status status = reserve_entries(group, write);
    if (status == LF_OK)
        status = log_group_apply(&group->log, write, &change);
    if (status == LF_OK)
        status = put_entries(group, write, &change);
    for (uint32_t i = 0; status == LF_OK && i < write->row_count; i++)
        status = put_row(group, &write->rows[i]);
    for (uint32_t i = 0; status == LF_OK && i < write->hint_count; i++)
        status = put_hint(group, write->hints[i]);
    return status;
}

enum lf_status mem_image_apply(struct mem_image *image, const struct log_store_write *write, struct lf_error *error) {
    struct mem_group *group = mem_image_find(image, write->group);
    enum lf_status status = log_group_judge(group ? &group->log : NULL, write, error);
    if (status == LF_OK && write->has_cluster_id)
        status = log_identity_pin(&image->identity, write->cluster_id, error);
    if (status != LF_OK)
        return status;
    if (write->destroy) {
        group_remove(image, write->group);
        return LF_OK;
    }
    if (write->create) {
        group = calloc(1, sizeof *group);
        if (!group)
            return lf_error_set(error, LF_NO_MEMORY, "no memory for a group");
        group->log.id = write->group;
        status = group_insert(image, group);
        if (status != LF_OK) {
            group_destroy(group);
            return lf_error_set(error, status, "no memory for a group");
        }
    }
    status = group_apply(group, write);
    return status == LF_OK ? LF_OK : lf_error_set(error, status, "no memory for a write");
}

/* The whole content of a group as one write on an empty one. */
static enum lf_status group_copy(const struct mem_group *group, struct mem_group *copy) {
    struct log_group *log = &copy->log;
    const struct log_group *from = &group->log;
    *log = *from;
    log->runs = NULL;
    log->run_count = log->run_capacity = 0;
    log->last_index = 0;
    copy->entries = calloc(from->last_index + 1, sizeof copy->entries[0]);
    log->runs = calloc(from->run_count + 1, sizeof log->runs[0]);
    copy->hints = calloc(group->hint_count + 1, sizeof copy->hints[0]);
    if (!copy->entries || !log->runs || !copy->hints)
        return LF_NO_MEMORY;
    for (uint64_t i = 0; i < from->last_index; i++)
        copy->entries[i] = lf_buf_ref(group->entries[i]);
    copy->entry_capacity = from->last_index + 1;
    log->last_index = from->last_index;
    if (from->run_count > 0)
        memcpy(log->runs, from->runs, from->run_count * sizeof log->runs[0]);
    log->run_count = from->run_count;
    log->run_capacity = from->run_count + 1;
    if (group->hint_count > 0)
        memcpy(copy->hints, group->hints, group->hint_count * sizeof copy->hints[0]);
    copy->hint_count = group->hint_count;
    copy->hint_capacity = group->hint_count + 1;
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < group->row_count; i++)
        status = put_row(copy, &group->rows[i]);
    return status;
}

enum lf_status mem_image_copy(const struct mem_image *image, struct mem_image *copy) {
    *copy = (struct mem_image){.created = image->created, .identity = image->identity};
    for (size_t i = 0; i < image->group_count; i++) {
        struct mem_group *group = calloc(1, sizeof *group);
        enum lf_status status = group ? group_copy(image->groups[i], group) : LF_NO_MEMORY;
        if (status == LF_OK)
            status = group_insert(copy, group);
        if (status != LF_OK) {
            group_destroy(group);
            mem_image_deinit(copy);
            return status;
        }
    }
    return LF_OK;
}
