/** The shapes of all groups in the store, ordered by id: what the writer judges by. Built from the disk at opening,
 *  where each group is checked; owned by the writer thread afterwards. */
#ifndef ROCKS_GROUPS_H
#define ROCKS_GROUPS_H

#include "log_group.h"
#include "rocks_db.h"

struct rocks_groups {
    struct log_group **items; /**< ordered by id */
    size_t count, capacity;
    uint64_t slot_next; /**< slots are never reused in a store */
};

void rocks_groups_deinit(struct rocks_groups *groups);
struct log_group *rocks_groups_find(const struct rocks_groups *groups, uint64_t id);
/** Returns the new group, in place, or NULL without memory. */
struct log_group *rocks_groups_add(struct rocks_groups *groups, uint64_t id);
void rocks_groups_remove(struct rocks_groups *groups, uint64_t id);

/** Reads every group's rows; checks that hard state is there and runs fit (LF_DAMAGED with words). */
enum lf_status rocks_groups_load(struct rocks_groups *groups, const struct rocks_db *db, struct lf_error *error);

/** The ends of every group's entries: the first one, the last ones, none beyond, no entries of unknown groups. */
enum lf_status rocks_groups_check_entries(const struct rocks_groups *groups, const struct rocks_db *db,
                                          struct lf_error *error);

#endif
