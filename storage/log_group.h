/** The shape of one group's log: what a write is judged by, and what a write does to it. Pure; shared by the stores.
 *
 *  Invariants:
 *   1  runs are ordered by first_index and by term, both rising; none when the log is empty, else runs[0] starts at 1
 *   2  applied_index <= last_index
 *   3  the last run's term <= term
 */
#ifndef LOG_GROUP_H
#define LOG_GROUP_H

#include "log_store.h"

#define LOG_GROUP_FIRST_INDEX 1u

struct log_group {
    uint64_t id;
    uint64_t slot; /**< the rocks store's key prefix; unused elsewhere */
    uint64_t replica_id;
    uint64_t term;
    uint64_t vote;
    uint64_t last_index; /**< 0: empty */
    uint64_t applied_index;
    struct log_store_run *runs;
    size_t run_count;
    size_t run_capacity;
};

void log_group_deinit(struct log_group *group);

/** May this write be done? group: NULL when the store has no such group. Changes nothing.
 *  LF_OK, or LF_INVALID with words: nothing of the write may reach the disk (S4, S5, and what Raft never does: terms
 *  that go back, a second vote in a term, an entry of a term above the durable one, truncation of what is applied). */
enum lf_status log_group_judge(const struct log_group *group, const struct log_store_write *write,
                               struct lf_error *error);

/** What of the log a judged write takes away and adds, for the store that carries it out. */
struct log_group_change {
    uint64_t truncate_from; /**< entries, runs and hints at or above go; 0: none */
    uint64_t truncate_to;   /**< last entry that was there, inclusive */
    size_t run_keep;        /**< runs kept; runs from here on in the group after the change are new */
};

/** Carry out a judged write (not create or destroy of the group itself). LF_NO_MEMORY leaves the group unchanged. */
enum lf_status log_group_apply(struct log_group *group, const struct log_store_write *write,
                               struct log_group_change *change);

/** Do the invariants hold? For what was read from a disk. LF_DAMAGED with words. */
enum lf_status log_group_check(const struct log_group *group, struct lf_error *error);

/** Term of an entry in the log, from the runs; 0 outside. */
uint64_t log_group_term_at(const struct log_group *group, uint64_t index);

#endif
