/** What is on a disk of the store in memory: all groups, at one point in the order of writes. */
#ifndef MEM_IMAGE_H
#define MEM_IMAGE_H

#include "mem_group.h"

/** Zeroed is an empty disk. */
struct mem_image {
    bool created; /**< identity is set */
    struct log_store_identity identity;
    struct mem_group **groups; /**< ordered by id */
    size_t group_count, group_capacity;
};

void mem_image_deinit(struct mem_image *image);
/** Makes `copy` (overwritten) equal; entries are shared. LF_NO_MEMORY leaves it empty. */
enum lf_status mem_image_copy(const struct mem_image *image, struct mem_image *copy);
/** The group, or NULL. */
struct mem_group *mem_image_find(const struct mem_image *image, uint64_t group);
/** Judge and carry out one write. LF_INVALID and LF_WRONG_STORE change nothing; LF_NO_MEMORY ends the image's use. */
enum lf_status mem_image_apply(struct mem_image *image, const struct log_store_write *write, struct lf_error *error);
/** Carry out a read or a load. Return (caller destroys) the completion, or NULL without memory. */
struct log_store_completion *mem_image_read(const struct mem_image *image, const struct log_store_read *read);
struct log_store_completion *mem_image_load(const struct mem_image *image, uint64_t group, uint64_t request);

#endif
