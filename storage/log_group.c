#include "log_group.h"
#include "log_row.h"

#include "lf_check.h"
#include "lf_entry.h"

#include <inttypes.h>
#include <stdlib.h>

void log_group_deinit(struct log_group *group) {
    free(group->runs);
    *group = (struct log_group){0};
}

uint64_t log_group_term_at(const struct log_group *group, uint64_t index) {
    if (index < LOG_GROUP_FIRST_INDEX || index > group->last_index)
        return 0;
    size_t run = group->run_count;
    while (run > 0 && group->runs[run - 1].first_index > index)
        run--;
    return run > 0 ? group->runs[run - 1].term : 0;
}

/* The end of the log once the write has truncated, before its entries are put. */
static uint64_t end_after_truncation(const struct log_group *group, const struct log_store_write *write) {
    if (write->truncate_from == 0 || write->truncate_from > group->last_index)
        return group->last_index;
    return write->truncate_from - 1;
}

static enum lf_status refuse(const struct log_store_write *write, struct lf_error *error, const char *why, uint64_t got,
                             uint64_t have) {
    return lf_error_set(error, LF_INVALID, "group %" PRIu64 ": %s (%" PRIu64 ", have %" PRIu64 ")", write->group, why,
                        got, have);
}

static enum lf_status judge_existence(const struct log_group *group, const struct log_store_write *write,
                                      struct lf_error *error) {
    if (write->create && write->destroy)
        return refuse(write, error, "create and destroy in one write", 0, 0);
    if (write->create && group)
        return refuse(write, error, "the group to create exists", write->replica_id, group->replica_id);
    if (!write->create && !group)
        return refuse(write, error, "no such group", 0, 0);
    if (write->has_cluster_id && write->group != 0)
        return refuse(write, error, "only group 0 pins the cluster id", 0, 0);
    bool more = write->has_hard_state || write->truncate_from || write->entry_count || write->applied_index ||
                write->row_count || write->hint_count || write->has_cluster_id;
    if (write->destroy && more)
        return refuse(write, error, "a write that destroys carries more", write->entry_count, 0);
    return LF_OK;
}

static enum lf_status judge_hard_state(const struct log_group *group, const struct log_store_write *write,
                                       struct lf_error *error) {
    if (!write->has_hard_state)
        return LF_OK;
    if (write->term < group->term)
        return refuse(write, error, "the term would go back", write->term, group->term);
    if (write->term == group->term && group->vote != 0 && write->vote != group->vote)
        return refuse(write, error, "a second vote in one term", write->vote, group->vote);
    return LF_OK;
}

static enum lf_status judge_entries(const struct log_group *group, const struct log_store_write *write,
                                    struct lf_error *error) {
    uint64_t end = end_after_truncation(group, write);
    if (write->entry_count > 0 && write->first_index != end + 1)
        return refuse(write, error, "entries do not follow the log's end: first", write->first_index, end);
    uint64_t term = log_group_term_at(group, end);
    uint64_t term_max = write->has_hard_state ? write->term : group->term;
    for (uint32_t i = 0; i < write->entry_count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        if (lf_entry_decode(lf_buf_bytes(write->entries[i]), &header, &payload) != LF_OK)
            return refuse(write, error, "malformed entry", write->first_index + i, 0);
        if (header.index != write->first_index + i)
            return refuse(write, error, "the entry's own index differs", header.index, write->first_index + i);
        if (header.term < term || header.term == 0)
            return refuse(write, error, "the entry's term is below the one before it", header.term, term);
        if (header.term > term_max)
            return refuse(write, error, "the entry's term is above the durable term", header.term, term_max);
        term = header.term;
    }
    return LF_OK;
}

static enum lf_status judge_applied(const struct log_group *group, const struct log_store_write *write,
                                    struct lf_error *error) {
    uint64_t end = end_after_truncation(group, write) + write->entry_count;
    if (write->truncate_from != 0 && write->truncate_from <= group->applied_index)
        return refuse(write, error, "truncation of applied entries from", write->truncate_from, group->applied_index);
    if (write->applied_index != 0 && write->applied_index < group->applied_index)
        return refuse(write, error, "the applied index would go back", write->applied_index, group->applied_index);
    if (write->applied_index > end)
        return refuse(write, error, "the applied index is beyond the log's end", write->applied_index, end);
    for (uint32_t i = 0; i < write->hint_count; i++)
        if (write->hints[i].index < LOG_GROUP_FIRST_INDEX || write->hints[i].index > end + 1)
            return refuse(write, error, "a hint is outside the log", write->hints[i].index, end);
    return LF_OK;
}

enum lf_status log_group_judge(const struct log_group *group, const struct log_store_write *write,
                               struct lf_error *error) {
    const struct log_group none = {0};
    enum lf_status status = judge_existence(group, write, error);
    if (status != LF_OK || write->destroy)
        return status;
    if (write->seal_count || write->drop_before || write->replacements || write->install || write->unstage)
        return lf_error_set(error, LF_UNSUPPORTED, "group %" PRIu64 ": segments are not kept yet", write->group);
    const struct log_group *before = group ? group : &none;
    status = judge_hard_state(before, write, error);
    if (status == LF_OK)
        status = judge_entries(before, write, error);
    if (status == LF_OK)
        status = judge_applied(before, write, error);
    return status;
}

static size_t runs_kept(const struct log_group *group, uint64_t end) {
    size_t keep = group->run_count;
    while (keep > 0 && group->runs[keep - 1].first_index > end)
        keep--;
    return keep;
}

/* Appends the runs of the write's entries behind `count` runs; the caller has judged terms. */
static enum lf_status add_runs(struct log_group *group, const struct log_store_write *write, size_t *count) {
    uint64_t term = *count > 0 ? group->runs[*count - 1].term : 0;
    for (uint32_t i = 0; i < write->entry_count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        lf_check(lf_entry_decode(lf_buf_bytes(write->entries[i]), &header, &payload) == LF_OK);
        if (header.term == term)
            continue;
        enum lf_status status = log_array_reserve(&group->runs, &group->run_capacity, *count, sizeof group->runs[0]);
        if (status != LF_OK)
            return status;
        group->runs[(*count)++] = (struct log_store_run){.first_index = write->first_index + i, .term = header.term};
        term = header.term;
    }
    return LF_OK;
}

enum lf_status log_group_apply(struct log_group *group, const struct log_store_write *write,
                               struct log_group_change *change) {
    uint64_t end = end_after_truncation(group, write);
    size_t kept = runs_kept(group, end);
    size_t count = kept;
    *change = (struct log_group_change){.run_keep = kept};
    if (end < group->last_index) {
        change->truncate_from = end + 1;
        change->truncate_to = group->last_index;
    }
    enum lf_status status = add_runs(group, write, &count);
    if (status != LF_OK)
        return status;
    group->run_count = count;
    group->last_index = end + write->entry_count;
    if (write->create)
        group->replica_id = write->replica_id;
    if (write->has_hard_state) {
        group->term = write->term;
        group->vote = write->vote;
    }
    if (write->applied_index != 0)
        group->applied_index = write->applied_index;
    return LF_OK;
}

static enum lf_status damaged(const struct log_group *group, struct lf_error *error, const char *what, uint64_t got,
                              uint64_t limit) {
    return lf_error_set(error, LF_DAMAGED, "group %" PRIu64 ": %s (%" PRIu64 ", against %" PRIu64 ")", group->id, what,
                        got, limit);
}

enum lf_status log_group_check(const struct log_group *group, struct lf_error *error) {
    if ((group->last_index == 0) != (group->run_count == 0))
        return damaged(group, error, "term runs do not fit the log's end", group->run_count, group->last_index);
    if (group->run_count > 0 && group->runs[0].first_index != LOG_GROUP_FIRST_INDEX)
        return damaged(group, error, "the first term run does not start the log", group->runs[0].first_index, 1);
    for (size_t i = 1; i < group->run_count; i++) {
        if (group->runs[i].first_index <= group->runs[i - 1].first_index)
            return damaged(group, error, "term runs out of order", group->runs[i].first_index, i);
        if (group->runs[i].term <= group->runs[i - 1].term)
            return damaged(group, error, "terms of runs do not rise", group->runs[i].term, group->runs[i - 1].term);
    }
    const struct log_store_run *last = group->run_count > 0 ? &group->runs[group->run_count - 1] : NULL;
    if (last && last->first_index > group->last_index)
        return damaged(group, error, "a term run starts beyond the log's end", last->first_index, group->last_index);
    if (last && last->term > group->term)
        return damaged(group, error, "the log's last term is above the durable term", last->term, group->term);
    if (group->applied_index > group->last_index)
        return damaged(group, error, "applied index beyond the log's end", group->applied_index, group->last_index);
    return LF_OK;
}
