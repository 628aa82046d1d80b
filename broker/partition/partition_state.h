/** One of the two states of a partition: the rules, over whatever entries it has been advanced by. */
#ifndef PARTITION_STATE_H
#define PARTITION_STATE_H

#include "producer_table.h"

struct partition_state {
    struct producer_table producers;
    uint64_t index; /**< the last entry it holds */
    uint64_t log_time_ms;
    int64_t end_offset;
    int64_t log_start_offset;
    uint64_t rewrite_index; /**< of the last REWRITE; 0: there was none */
    bool rewrite_open;      /**< its REWRITTEN has not come */
    uint64_t used_index;    /**< the last entry that changed a producer; not stored, like the next */
    uint64_t expired_index; /**< the last entry at which a producer expired */
    uint64_t start_index;   /**< the last entry that moved the log start; not stored either */
};

void partition_state_init(struct partition_state *state);
void partition_state_deinit(struct partition_state *state);
/** False without memory (state unchanged). */
bool partition_state_copy(struct partition_state *state, const struct partition_state *source);

/** Has this producer left by log time? */
static inline bool partition_expired(const struct producer *producer, uint64_t log_time_ms, uint64_t retention_ms) {
    return log_time_ms > producer->last_use_ms && log_time_ms - producer->last_use_ms > retention_ms;
}

/** What verdicts are given under. */
struct partition_rules {
    uint64_t retention_ms;
    uint32_t producers_max; /**< UINT32_MAX: what is in the log already is not held against the table's size */
};
/** The verdict on a batch at this log time. rests_on_index is raw: applied or not. */
struct partition_verdict partition_state_judge(const struct partition_state *state, const struct partition_entry *batch,
                                               uint64_t log_time_ms, const struct partition_rules *rules);
struct partition_verdict partition_state_judge_epoch(const struct partition_state *state, int64_t producer_id,
                                                     int16_t producer_epoch, uint64_t log_time_ms,
                                                     const struct partition_rules *rules);
/** The verdict on moving the log start. `committed_end`: no record from there on may go. */
struct partition_verdict partition_state_judge_log_start(const struct partition_state *state, int64_t offset,
                                                         int64_t committed_end);
/** May this entry come next? LF_OK; LF_INTERNAL in words: index, log time, offset or log start do not follow (P3,
 *  P7), or a batch or a rewrite that must not be there. */
enum lf_status partition_state_check(const struct partition_state *state, const struct partition_entry *entry,
                                     uint64_t index, uint64_t retention_ms, struct lf_error *error);
/** The entry, checked LF_OK and with room reserved for a producer, comes next. Cannot fail. Returns the producer whose
 *  row it changed, or NULL; *outcome (may be NULL) is what to tell whoever waits. */
const struct producer *partition_state_advance(struct partition_state *state, const struct partition_entry *entry,
                                               uint64_t retention_ms, struct partition_applied *outcome);

#endif
