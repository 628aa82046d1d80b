#include "mem_image.h"
#include "log_identity.h"
#include "log_row.h"

#include <inttypes.h>
#include <stdlib.h>

void mem_image_deinit(struct mem_image *image) {
    for (size_t i = 0; i < image->group_count; i++)
        mem_group_destroy(&image->groups[i]);
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
    mem_group_destroy(&image->groups[at]);
    image->group_count--;
    memmove(image->groups + at, image->groups + at + 1, (image->group_count - at) * sizeof image->groups[0]);
}

static enum lf_status stage(struct mem_group *group, const struct log_store_write *write, struct lf_error *error) {
    if (!group)
        return lf_error_set(error, LF_INVALID, "group %" PRIu64 ": not in this store", write->group);
    enum lf_status status = mem_group_apply(group, write);
    return status == LF_OK ? LF_OK : lf_error_set(error, status, "no memory for a segment");
}

enum lf_status mem_image_apply(struct mem_image *image, const struct log_store_write *write, struct lf_error *error) {
    struct mem_group *group = mem_image_find(image, write->group);
    if (write->stages)
        return stage(group, write, error);
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
            mem_group_destroy(&group);
            return lf_error_set(error, status, "no memory for a group");
        }
    }
    status = mem_group_apply(group, write);
    return status == LF_OK ? LF_OK : lf_error_set(error, status, "no memory for a write");
}

enum lf_status mem_image_copy(const struct mem_image *image, struct mem_image *copy) {
    *copy = (struct mem_image){.created = image->created, .identity = image->identity};
    for (size_t i = 0; i < image->group_count; i++) {
        struct mem_group *group = calloc(1, sizeof *group);
        enum lf_status status = group ? mem_group_copy(image->groups[i], group) : LF_NO_MEMORY;
        if (status == LF_OK)
            status = group_insert(copy, group);
        if (status != LF_OK) {
            mem_group_destroy(&group);
            mem_image_deinit(copy);
            return status;
        }
    }
    return LF_OK;
}
