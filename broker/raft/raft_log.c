#include "raft_log.h"

#include "lf_check.h"

#include <stdlib.h>
#include <string.h>

/** Entries whose bytes are remembered at least: 1 KiB per group. */
#define SIZES_MIN 128u

static size_t power_of_two_from(size_t wanted) {
    size_t power = 1;
    while (power < wanted)
        power *= 2;
    return power;
}

enum lf_status raft_log_init(struct raft_log *log, const struct raft_start *start, const struct raft_limits *limits) {
    *log = (struct raft_log){.previous_index = start->previous_index,
                             .previous_term = start->previous_term,
                             .last_index = start->last_index,
                             .run_count = start->run_count,
                             .run_capacity = start->run_count + 8,
                             .run_max = limits->log_runs_max,
                             .size_max = power_of_two_from(limits->sized_entries_max),
                             .sized_from = start->last_index + 1,
                             .configuration_count = start->configuration_count,
                             .configuration_capacity = start->configuration_count + 2};
    log->size_capacity = log->size_max < SIZES_MIN ? log->size_max : SIZES_MIN;
    log->runs = malloc(log->run_capacity * sizeof *log->runs);
    log->sums = malloc(log->size_capacity * sizeof *log->sums);
    log->configurations = malloc(log->configuration_capacity * sizeof *log->configurations);
    if (!log->runs || !log->sums || !log->configurations)
        return LF_NO_MEMORY;
    if (start->run_count > 0)
        memcpy(log->runs, start->runs, start->run_count * sizeof *log->runs);
    memcpy(log->configurations, start->configurations, start->configuration_count * sizeof *log->configurations);
    return LF_OK;
}

void raft_log_deinit(struct raft_log *log) {
    free(log->runs);
    free(log->sums);
    free(log->configurations);
    *log = (struct raft_log){0};
}

/** Position of the run that holds index, previous_index < index <= last_index. The newest run is asked for most. */
static size_t run_of(const struct raft_log *log, uint64_t index) {
    size_t low = 0, high = log->run_count - 1;
    if (log->runs[high].first_index <= index)
        return high;
    while (low < high) { /* the answer is in low ... high - 1 */
        size_t middle = low + (high - low + 1) / 2;
        if (log->runs[middle].first_index <= index)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

uint64_t raft_log_term(const struct raft_log *log, uint64_t index) {
    if (index == log->previous_index)
        return log->previous_term;
    if (index < log->previous_index || index > log->last_index)
        return 0;
    return log->runs[run_of(log, index)].term;
}

uint64_t raft_log_not_above(const struct raft_log *log, uint64_t index, uint64_t term) {
    if (index > log->last_index)
        index = log->last_index;
    if (index <= log->previous_index)
        return log->previous_index;
    size_t run = run_of(log, index);
    if (log->runs[run].term <= term)
        return index;
    size_t low = 0, high = run; /* runs before `low` have terms <= term, those from `high` on have not */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->runs[middle].term <= term)
            low = middle + 1;
        else
            high = middle;
    }
    return log->runs[low].first_index - 1;
}

bool raft_log_covered_by(const struct raft_log *log, uint64_t last_index, uint64_t last_term) {
    uint64_t own_term = raft_log_last_term(log);
    return last_term > own_term || (last_term == own_term && last_index >= log->last_index);
}

/** Up to `index`, sized_from - 1 <= index <= last_index. */
static uint64_t sum_at(const struct raft_log *log, uint64_t index) {
    return index < log->sized_from ? log->sum_before : log->sums[index & (log->size_capacity - 1)];
}

uint64_t raft_log_bytes(const struct raft_log *log, uint64_t from, uint64_t to) {
    if (to > log->last_index)
        to = log->last_index;
    if (to <= from || to < log->sized_from)
        return 0;
    return sum_at(log, to) - sum_at(log, from);
}

uint32_t raft_log_fitting(const struct raft_log *log, uint64_t first, const struct raft_limits *limits) {
    if (first > log->last_index)
        return 0;
    uint64_t available = log->last_index - first + 1;
    if (first < log->sized_from) { /* bytes not known: a few at a time */
        uint64_t unsized = log->sized_from - first;
        uint64_t most = available < unsized ? available : unsized;
        return (uint32_t)(most < limits->unsized_entries_max ? most : limits->unsized_entries_max);
    }
    uint32_t most = (uint32_t)(available < limits->append_entries_max ? available : limits->append_entries_max);
    if (raft_log_bytes(log, first - 1, first - 1 + most) <= limits->append_bytes_max)
        return most;
    uint32_t low = 1, high = most; /* the first `low` go: all that fit, or one; `high` do not fit */
    while (low + 1 < high) {
        uint32_t middle = low + (high - low) / 2;
        if (raft_log_bytes(log, first - 1, first - 1 + middle) <= limits->append_bytes_max)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static enum lf_status grow(void **items, size_t *capacity, size_t wanted, size_t most, size_t item_bytes) {
    if (wanted > most)
        return LF_FULL;
    if (wanted <= *capacity)
        return LF_OK;
    size_t doubled = *capacity * 2 > wanted ? *capacity * 2 : wanted;
    void *grown = realloc(*items, doubled * item_bytes);
    if (!grown)
        return LF_NO_MEMORY;
    *items = grown;
    *capacity = doubled;
    return LF_OK;
}

/** Doubles the ring of sizes until `count` more entries push out none above keep_above, or the bound is reached. */
static enum lf_status reserve_sizes(struct raft_log *log, uint32_t count, uint64_t keep_above) {
    uint64_t keep_from = keep_above + 1 > log->sized_from ? keep_above + 1 : log->sized_from;
    uint64_t wanted = log->last_index + 1 + count - keep_from;
    size_t capacity = log->size_capacity;
    while (capacity < wanted && capacity < log->size_max)
        capacity *= 2;
    if (capacity == log->size_capacity)
        return LF_OK;
    uint64_t *sums = malloc(capacity * sizeof *sums);
    if (!sums)
        return LF_NO_MEMORY;
    for (uint64_t index = log->sized_from; index <= log->last_index; index++)
        sums[index & (capacity - 1)] = log->sums[index & (log->size_capacity - 1)];
    free(log->sums);
    log->sums = sums;
    log->size_capacity = capacity;
    return LF_OK;
}

enum lf_status raft_log_reserve(struct raft_log *log, const struct raft_entry *entries, uint32_t count, uint64_t term,
                                uint64_t keep_above) {
    size_t runs = log->run_count, configurations = log->configuration_count;
    uint64_t last_term = raft_log_last_term(log);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t entry_term = term != 0 ? term : entries[i].term;
        if (entry_term != last_term || runs == 0)
            runs++;
        last_term = entry_term;
        if (entries[i].configuration)
            configurations++;
    }
    void *items = log->runs;
    enum lf_status status = grow(&items, &log->run_capacity, runs, log->run_max, sizeof *log->runs);
    log->runs = items;
    if (status != LF_OK)
        return status;
    items = log->configurations;
    status = grow(&items, &log->configuration_capacity, configurations, RAFT_CONFIGURATIONS_MAX,
                  sizeof *log->configurations);
    log->configurations = items;
    if (status != LF_OK)
        return status;
    return reserve_sizes(log, count, keep_above);
}

void raft_log_append(struct raft_log *log, uint64_t term, uint32_t bytes,
                     const struct raft_configuration *configuration) {
    lf_checkf(term >= raft_log_last_term(log), "term %llu after %llu", (unsigned long long)term,
              (unsigned long long)raft_log_last_term(log));
    log->last_index++;
    if (log->run_count == 0 || log->runs[log->run_count - 1].term != term) {
        lf_check(log->run_count < log->run_capacity);
        log->runs[log->run_count++] = (struct raft_run){.first_index = log->last_index, .term = term};
    }
    uint64_t sum = sum_at(log, log->last_index - 1) + bytes;
    if (log->last_index - log->sized_from + 1 > log->size_capacity) { /* the ring goes round: the oldest is forgotten */
        log->sum_before = sum_at(log, log->sized_from);
        log->sized_from++;
    }
    log->sums[log->last_index & (log->size_capacity - 1)] = sum;
    if (configuration) {
        lf_check(log->configuration_count < log->configuration_capacity);
        log->configurations[log->configuration_count++] =
            (struct raft_configuration_at){.index = log->last_index, .configuration = *configuration};
    }
}

bool raft_log_truncate(struct raft_log *log, uint64_t first) {
    lf_check(first > log->previous_index);
    lf_check(first <= log->last_index);
    log->last_index = first - 1;
    while (log->run_count > 0 && log->runs[log->run_count - 1].first_index >= first)
        log->run_count--;
    if (log->sized_from > log->last_index + 1)
        log->sized_from = log->last_index + 1;
    bool rolled_back = false;
    while (raft_log_configuration(log)->index >= first) {
        lf_check(log->configuration_count > 1);
        log->configuration_count--;
        rolled_back = true;
    }
    return rolled_back;
}

void raft_log_committed(struct raft_log *log, uint64_t commit) {
    size_t obsolete = 0;
    while (obsolete + 1 < log->configuration_count && log->configurations[obsolete + 1].index <= commit)
        obsolete++;
    if (obsolete == 0)
        return;
    log->configuration_count -= obsolete;
    memmove(log->configurations, log->configurations + obsolete,
            log->configuration_count * sizeof *log->configurations);
}

void raft_log_compact(struct raft_log *log, uint64_t index) {
    lf_check(index > log->previous_index);
    lf_check(index <= log->last_index);
    uint64_t term = raft_log_term(log, index);
    size_t gone = index == log->last_index ? log->run_count : run_of(log, index + 1);
    log->run_count -= gone;
    memmove(log->runs, log->runs + gone, log->run_count * sizeof *log->runs);
    if (log->run_count > 0)
        log->runs[0].first_index = index + 1;
    if (log->sized_from <= index) {
        log->sum_before = sum_at(log, index);
        log->sized_from = index + 1;
    }
    log->previous_index = index;
    log->previous_term = term;
    raft_log_committed(log, index);
}

void raft_log_install(struct raft_log *log, uint64_t index, uint64_t term,
                      const struct raft_configuration_at *configuration) {
    log->previous_index = log->last_index = index;
    log->previous_term = term;
    log->run_count = 0;
    log->sum_before = 0;
    log->sized_from = index + 1;
    log->configuration_count = 1;
    log->configurations[0] = *configuration;
}
