/** One group on a disk of the store in memory: its shape, its entries, its rows. Inside of mem_image. */
#ifndef MEM_GROUP_H
#define MEM_GROUP_H

#include "log_group.h"
#include "log_store.h"

/** What is in a segment, held or staged. */
struct mem_contents {
    uint64_t id;       /**< as in log_held */
    uint64_t *indexes; /**< of its entries, rising */
    struct lf_buf **entries;
    size_t count;
};

struct mem_group {
    struct log_group log;
    struct lf_buf **active; /**< active[i] has index log_group_active_index + i; up to log.last_index */
    size_t active_capacity;
    struct mem_contents *contents; /**< ordered by id */
    size_t contents_count, contents_capacity;
    uint64_t last_id;           /**< of contents; rises */
    struct log_store_row *rows; /**< ordered by key */
    size_t row_count, row_capacity;
    struct log_store_hint *hints; /**< ordered by index */
    size_t hint_count, hint_capacity;
};

/** Leaves NULL; NULL inside is fine. */
void mem_group_destroy(struct mem_group **group);
/** Makes `copy` (zeroed) equal; entries are shared. LF_NO_MEMORY: destroy it. */
enum lf_status mem_group_copy(const struct mem_group *group, struct mem_group *copy);
/** Carry out a judged write (not create or destroy). LF_NO_MEMORY ends the group's use. */
enum lf_status mem_group_apply(struct mem_group *group, const struct log_store_write *write);
/** Where the first entry at or after `index` stands, and its index; NULL: none. */
struct lf_buf **mem_group_next(const struct mem_group *group, uint64_t index, uint64_t *found);

#endif
