/** What the core remembers of the log: terms as runs, bytes of the newest entries, configurations.
 *
 *  Terms: a run per term change, found by halving. Bytes: a ring of running sums over the newest entries, indexed by
 *  the low bits of the entry's index, so that the bytes of any stretch are one subtraction; it doubles, up to its
 *  bound, only while an entry it would forget is still wanted (not committed, or a peer has not got it).
 *  Configurations: the last one at or below commit, and all after it, so that truncation can go back to any that may
 *  come into force again.
 *
 *  Adding is in two steps: raft_log_reserve may fail and changes nothing; raft_log_append after it cannot fail.
 */
#ifndef RAFT_LOG_H
#define RAFT_LOG_H

#include "raft.h"
#include "raft_configuration.h"

/** Configuration entries above the last committed one that a log may hold. A leader has at most one that is not
 *  committed; a follower whose commit lags can see more. */
#define RAFT_CONFIGURATIONS_MAX 1024

struct raft_log {
    uint64_t previous_index; /**< the log begins after it */
    uint64_t previous_term;
    uint64_t last_index;
    struct raft_run *runs; /**< ordered by index and by term, covering previous_index + 1 ... last_index */
    size_t run_count;
    size_t run_capacity;
    size_t run_max;
    /** Bytes of the entries sized_from ... i, and of some before them, at i & (size_capacity - 1). */
    uint64_t *sums;
    uint64_t sum_before; /**< the same for sized_from - 1 */
    size_t size_capacity;
    size_t size_max;
    uint64_t sized_from;
    struct raft_configuration_at *configurations; /**< ordered by index, never empty */
    size_t configuration_count;
    size_t configuration_capacity;
};

/** Copies what start says. LF_NO_MEMORY; the start state was checked before. Deinit in any case. */
enum lf_status raft_log_init(struct raft_log *log, const struct raft_start *start, const struct raft_limits *limits);
void raft_log_deinit(struct raft_log *log);

/** Term of the entry; of previous_index previous_term; 0 for any other index. */
uint64_t raft_log_term(const struct raft_log *log, uint64_t index);
static inline uint64_t raft_log_last_term(const struct raft_log *log) {
    return log->run_count > 0 ? log->runs[log->run_count - 1].term : log->previous_term;
}
/** The largest index <= `index` whose term is <= `term`; previous_index when there is none. One step of it skips all of
 *  a conflicting term. */
uint64_t raft_log_not_above(const struct raft_log *log, uint64_t index, uint64_t term);
/** Is (last_index, last_term) at least as up to date as this log? By term first, then by index (A10). */
bool raft_log_covered_by(const struct raft_log *log, uint64_t last_index, uint64_t last_term);

/** Bytes of the entries after `from` up to `to`, as far as they are remembered. */
uint64_t raft_log_bytes(const struct raft_log *log, uint64_t from, uint64_t to);
/** How many entries from `first` fit one message: at least one if there is any. */
uint32_t raft_log_fitting(const struct raft_log *log, uint64_t first, const struct raft_limits *limits);

/** Room for `count` entries with terms as given (all `term` if term != 0). Entries above `keep_above` must not lose
 *  their remembered bytes as long as the bound allows.
 *  LF_NO_MEMORY, LF_FULL (more term changes or configurations than the bound). */
enum lf_status raft_log_reserve(struct raft_log *log, const struct raft_entry *entries, uint32_t count, uint64_t term,
                                uint64_t keep_above);
/** Adds one entry after raft_log_reserve. */
void raft_log_append(struct raft_log *log, uint64_t term, uint32_t bytes,
                     const struct raft_configuration *configuration);
/** Removes the entries at and above `first`. Returns whether the configuration in force changed (E8). */
bool raft_log_truncate(struct raft_log *log, uint64_t first);
/** The log begins after `index` now, which it holds. The configuration in force there stays (CONF). */
void raft_log_compact(struct raft_log *log, uint64_t index);
/** The log becomes an empty one after (index, term). Cannot fail. */
void raft_log_install(struct raft_log *log, uint64_t index, uint64_t term,
                      const struct raft_configuration_at *configuration);
/** Forgets configurations that cannot come into force again now that `commit` is committed. */
void raft_log_committed(struct raft_log *log, uint64_t commit);

static inline const struct raft_configuration_at *raft_log_configuration(const struct raft_log *log) {
    return &log->configurations[log->configuration_count - 1];
}

#endif
