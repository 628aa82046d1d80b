/** The shape at rest: lookups, copies, invariants. Judging is in log_group_judge.c, changing in log_group_apply.c. */
#include "log_group.h"

#include <inttypes.h>
#include <stdlib.h>

void log_group_deinit(struct log_group *group) {
    free(group->runs);
    free(group->segments);
    free(group->staged);
    *group = (struct log_group){0};
}

/* Room for one more, so that an empty array is an address too. */
static void *copied(const void *items, size_t count, size_t item_bytes) {
    void *copy = calloc(count + 1, item_bytes);
    if (copy && count > 0)
        memcpy(copy, items, count * item_bytes);
    return copy;
}

enum lf_status log_group_copy(const struct log_group *group, struct log_group *copy) {
    *copy = *group;
    copy->runs = copied(group->runs, group->run_count, sizeof group->runs[0]);
    copy->run_capacity = group->run_count + 1;
    copy->segments = copied(group->segments, group->segment_count, sizeof group->segments[0]);
    copy->segment_capacity = group->segment_count + 1;
    copy->staged = copied(group->staged, group->staged_count, sizeof group->staged[0]);
    copy->staged_capacity = group->staged_count + 1;
    if (copy->runs && copy->segments && copy->staged)
        return LF_OK;
    log_group_deinit(copy);
    return LF_NO_MEMORY;
}

void log_group_change_deinit(struct log_group_change *change) {
    free(change->gone);
    *change = (struct log_group_change){0};
}

uint64_t log_group_term_at(const struct log_group *group, uint64_t index) {
    if (index == group->previous_index)
        return group->previous_term;
    if (index < group->previous_index || index > group->last_index)
        return 0;
    size_t run = group->run_count;
    while (run > 0 && group->runs[run - 1].first_index > index)
        run--;
    return run > 0 ? group->runs[run - 1].term : 0;
}

uint64_t log_group_first_index(const struct log_group *group) {
    return group->segment_count > 0 ? group->segments[0].segment.first_index : group->previous_index + 1;
}

uint64_t log_group_active_index(const struct log_group *group) {
    return group->segment_count > 0 ? group->segments[group->segment_count - 1].segment.last_index + 1
                                    : group->previous_index + 1;
}

size_t log_group_segment_at(const struct log_group *group, uint64_t index) {
    size_t low = 0, high = group->segment_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (group->segments[middle].segment.last_index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int log_held_compare(const struct log_segment *a, const struct log_segment *b) {
    if (a->first_index != b->first_index)
        return a->first_index < b->first_index ? -1 : 1;
    if (a->last_index != b->last_index)
        return a->last_index < b->last_index ? -1 : 1;
    uint8_t left[LOG_SEGMENT_BYTES], right[LOG_SEGMENT_BYTES];
    log_segment_encode(a, left);
    log_segment_encode(b, right);
    return memcmp(left, right, sizeof left);
}

static enum lf_status damaged(const struct log_group *group, struct lf_error *error, const char *what, uint64_t got,
                              uint64_t limit) {
    return lf_error_set(error, LF_DAMAGED, "group %" PRIu64 ": %s (%" PRIu64 ", against %" PRIu64 ")", group->id, what,
                        got, limit);
}

/* 1 */
static enum lf_status check_runs(const struct log_group *group, struct lf_error *error) {
    if ((group->last_index == group->previous_index) != (group->run_count == 0))
        return damaged(group, error, "term runs do not fit the log's end", group->run_count, group->last_index);
    if (group->run_count > 0 && group->runs[0].first_index != group->previous_index + 1)
        return damaged(group, error, "the first term run does not start the log", group->runs[0].first_index,
                       group->previous_index + 1);
    for (size_t i = 1; i < group->run_count; i++) {
        if (group->runs[i].first_index <= group->runs[i - 1].first_index)
            return damaged(group, error, "term runs out of order", group->runs[i].first_index, i);
        if (group->runs[i].term <= group->runs[i - 1].term)
            return damaged(group, error, "terms of runs do not rise", group->runs[i].term, group->runs[i - 1].term);
    }
    const struct log_store_run *last = group->run_count > 0 ? &group->runs[group->run_count - 1] : NULL;
    if (last && last->first_index > group->last_index)
        return damaged(group, error, "a term run starts beyond the log's end", last->first_index, group->last_index);
    return LF_OK;
}

/* 2, 3 */
static enum lf_status check_ends(const struct log_group *group, struct lf_error *error) {
    if (group->previous_index > group->applied_index)
        return damaged(group, error, "the log begins behind what is applied", group->previous_index,
                       group->applied_index);
    if (group->applied_index > group->last_index)
        return damaged(group, error, "applied index beyond the log's end", group->applied_index, group->last_index);
    if ((group->previous_index == 0) != (group->previous_term == 0))
        return damaged(group, error, "the term before the log does not fit its index", group->previous_term,
                       group->previous_index);
    if (group->run_count > 0 && group->runs[0].term < group->previous_term)
        return damaged(group, error, "the first run's term is below the one before the log", group->runs[0].term,
                       group->previous_term);
    uint64_t last_term = log_group_term_at(group, group->last_index);
    if (last_term > group->term)
        return damaged(group, error, "the log's last term is above the durable term", last_term, group->term);
    return LF_OK;
}

/* 4 */
static enum lf_status check_segments(const struct log_group *group, struct lf_error *error) {
    for (size_t i = 0; i < group->segment_count; i++) {
        const struct log_segment *segment = &group->segments[i].segment;
        const struct log_segment *before = i > 0 ? &group->segments[i - 1].segment : NULL;
        if (!log_segment_consistent(segment))
            return damaged(group, error, "a segment's descriptor contradicts itself", segment->first_index, i);
        if (before && !log_segment_follows(segment, before))
            return damaged(group, error, "a segment does not follow the one before it", segment->first_index,
                           before->last_index);
        if (!log_segment_whole(segment) && segment->last_index > group->previous_index)
            return damaged(group, error, "a segment lacks entries that have to be there", segment->last_index,
                           group->previous_index);
        if (segment->last_index >= group->previous_index && /* 5 */
            log_group_term_at(group, segment->last_index) != segment->last_term)
            return damaged(group, error, "a segment's last term is not the log's", segment->last_term,
                           log_group_term_at(group, segment->last_index));
    }
    return LF_OK;
}

/* 5 */
static enum lf_status check_borders(const struct log_group *group, struct lf_error *error) {
    uint64_t first = log_group_first_index(group), sealed = log_group_active_index(group) - 1;
    if (first > group->previous_index + 1)
        return damaged(group, error, "the first segment begins too late", first, group->previous_index + 1);
    if (sealed < group->previous_index)
        return damaged(group, error, "the last segment ends too early", sealed, group->previous_index);
    if (sealed > group->applied_index)
        return damaged(group, error, "a segment ends behind what is applied", sealed, group->applied_index);
    return LF_OK;
}

/* 6 */
static enum lf_status check_staged(const struct log_group *group, struct lf_error *error) {
    for (size_t i = 0; i < group->staged_count; i++) {
        const struct log_segment *segment = &group->staged[i].segment;
        if (!log_segment_consistent(segment))
            return damaged(group, error, "a staged segment's descriptor contradicts itself", segment->first_index, i);
        if (i > 0 && log_held_compare(&group->staged[i - 1].segment, segment) >= 0)
            return damaged(group, error, "staged segments out of order", segment->first_index, i);
    }
    return LF_OK;
}

enum lf_status log_group_check(const struct log_group *group, struct lf_error *error) {
    enum lf_status status = check_runs(group, error);
    if (status == LF_OK)
        status = check_ends(group, error);
    if (status == LF_OK)
        status = check_segments(group, error);
    if (status == LF_OK)
        status = check_borders(group, error);
    if (status == LF_OK)
        status = check_staged(group, error);
    return status;
}
