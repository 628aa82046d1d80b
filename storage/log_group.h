/** The shape of one group's log: what a write is judged by, and what a write does to it. Pure; shared by the stores.
 *
 *  Parts of one write take effect in this order: hard state, truncation, entries, applied index; seals; replacements;
 *  the drop; what is left staged. An install comes first, then its entries.
 *
 *  Invariants (log_group_check):
 *   1  runs are ordered by first_index and by term, both rising; runs[0] begins right after previous_index; there are
 *      none exactly when last_index == previous_index
 *   2  previous_index <= applied_index <= last_index
 *   3  previous_term <= the first run's term, the last run's term <= term; previous_term is 0 exactly when
 *      previous_index is
 *   4  segments are consistent (log_segment.h), ordered, and touch each other in indexes and offsets; their log times
 *      do not go back
 *   5  the first segment begins at or before previous_index + 1, the last one ends at or after previous_index and not
 *      after applied_index; one that lacks entries ends at or before previous_index; above it, a segment's last_term
 *      is what the runs say
 *   6  staged segments are consistent and ordered (log_held_compare), no two equal
 */
#ifndef LOG_GROUP_H
#define LOG_GROUP_H

#include "log_store.h"

#define LOG_GROUP_FIRST_INDEX 1u

/** A segment that a group holds, or has staged. */
struct log_held {
    struct log_segment segment;
    uint64_t id; /**< the store's own name for its contents; 0 when just sealed: they are where the entries were put */
};

struct log_group {
    uint64_t id;
    uint64_t slot; /**< the rocks store's key prefix; unused elsewhere */
    uint64_t replica_id;
    uint64_t term;
    uint64_t vote;
    uint64_t previous_index; /**< every entry above it is there; 0: all that ever were */
    uint64_t previous_term;
    uint64_t last_index; /**< previous_index when nothing is above it */
    uint64_t applied_index;
    struct log_store_run *runs;
    size_t run_count;
    size_t run_capacity;
    struct log_held *segments;
    size_t segment_count;
    size_t segment_capacity;
    struct log_held *staged;
    size_t staged_count;
    size_t staged_capacity;
};

void log_group_deinit(struct log_group *group);
/** Makes `copy` (overwritten) equal. LF_NO_MEMORY leaves it empty. */
enum lf_status log_group_copy(const struct log_group *group, struct log_group *copy);

/** May this write be done? group: NULL when the store has no such group. Changes nothing.
 *  LF_OK, or LF_INVALID with words: nothing of the write may reach the disk (S4, S5, S9, S10, and what Raft never does:
 *  terms that go back, a second vote in a term, an entry of a term above the durable one, truncation of what is
 *  applied, an install over entries that follow the image's own last one). */
enum lf_status log_group_judge(const struct log_group *group, const struct log_store_write *write,
                               struct lf_error *error);

/** What of the log a judged write takes away and adds, for the store that carries it out. Owns `gone`. */
struct log_group_change {
    uint64_t truncate_from; /**< entries in no segment, runs and hints at or above go; 0: none */
    uint64_t truncate_to;   /**< last entry that was there, inclusive */
    size_t run_keep;        /**< runs kept; runs from here on in the group after the change are new */
    bool previous_moved;    /**< previous_index or its term changed: no run of before is kept, run_keep is 0 */
    bool segments_moved;    /**< `segments` or `staged` changed: hints below the first index go, all of them for an
                                 install */
    struct log_held *gone;  /**< held or staged before, not now: segments dropped, replaced, unstaged */
    size_t gone_count;
};
void log_group_change_deinit(struct log_group_change *change);

/** Carry out a judged write (not create or destroy of the group itself). LF_NO_MEMORY: nothing to use on. New seals
 *  have id 0; what was staged, or held, keeps its id. */
enum lf_status log_group_apply(struct log_group *group, const struct log_store_write *write,
                               struct log_group_change *change);

/** The segment is staged from now on under `id`; one equal to it is no longer (true: *gone is that one).
 *  LF_NO_MEMORY leaves all as it was. */
enum lf_status log_group_stage(struct log_group *group, const struct log_segment *segment, uint64_t id, bool *replaced,
                               struct log_held *gone);

/** Do the invariants hold? For what was read from a disk. LF_DAMAGED with words. */
enum lf_status log_group_check(const struct log_group *group, struct lf_error *error);

/** Term of an entry, from the runs; previous_term at previous_index; 0 elsewhere. */
uint64_t log_group_term_at(const struct log_group *group, uint64_t index);
/** Where the log begins: at its first segment, else after previous_index. */
uint64_t log_group_first_index(const struct log_group *group);
/** The first index that is in no segment: there, up to last_index, lie the active entries. */
uint64_t log_group_active_index(const struct log_group *group);
/** Position of the first segment that ends at or after `index`; segment_count: none. */
size_t log_group_segment_at(const struct log_group *group, uint64_t index);
/** Order of staged segments: first index, last index, then the rest. <0, 0 (equal descriptors), >0. */
int log_held_compare(const struct log_segment *a, const struct log_segment *b);

#endif
