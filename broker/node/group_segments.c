/** The segments of a group on this node: what its machine decided is carried out by the store, in the order decided.
 *
 *  Seals and drops are in the applied write already. A rewrite takes the store its time: 1. it is asked for, when it is
 *  the next thing to do; 2. done, its result takes the old segments' place in a write of its own, after all that was
 *  applied before; 3. drops that waited for it follow; 4. what could not be applied since too much waited goes on. */
#include "node_internal.h"

#include <stdlib.h>

/** A rewrite that the store could not do now is asked for again after this long. */
#define REWRITE_RETRY_MS 1000

void group_segments_count(struct node *node, struct group *group) {
    uint64_t open = group->partition ? partition_bytes(group->partition).open : 0;
    node->open_bytes += open - group->open_bytes;
    group->open_bytes = open;
}

void group_segments_forget(struct node *node, struct group *group) {
    node->open_bytes -= group->open_bytes;
    group->open_bytes = 0;
}

/** 1. */
static void ask_for_rewrite(struct node *node, struct group *group) {
    uint64_t index;
    struct log_store_rewrite rewrite;
    if (group->rewrite_request != 0 || group->state != GROUP_RUNNING || group->image_fetch || repairs_stage(group) ||
        !partition_rewrite_due(group->partition, &index, &rewrite))
        return;
    if (node->now_ms < group->rewrite_retry_ms) {
        node_wake_by(node, group->rewrite_retry_ms);
        return;
    }
    group->rewrite_index = index;
    group->rewrite_request = ++node->next_request;
    rewrite.group = group->id;
    rewrite.request = group->rewrite_request;
    group_flush_applied(node, group); /* the seals of what is to be rewritten may be in it */
    node_add_rewrite(node, &rewrite);
    group->rewrite_since_us = node->now_us;
    node->metrics.rewrites_started++;
    node_tracef(node, "group=%llu rewrite=%llu of segments %llu-%llu begins", (unsigned long long)group->id,
                (unsigned long long)index, (unsigned long long)rewrite.first_index,
                (unsigned long long)rewrite.last_index);
}

/** A write that comes after all that was applied. */
static struct log_store_write *next_write(struct node *node, struct group *group) {
    group_flush_applied(node, group);
    struct log_store_write *write = node_new_write(node, group, 0);
    write->sync = true;
    return write;
}

/** 3. */
static enum lf_status carry_out_drops(struct node *node, struct group *group, struct lf_error *error) {
    enum lf_status status;
    do {
        struct log_store_write *write = next_write(node, group);
        status = partition_carry_out(group->partition, write);
        if (status == LF_OK)
            node_add_write(node, write);
        else
            log_store_write_destroy(&write);
        group->segments_changed |= status == LF_OK;
    } while (status == LF_OK);
    if (group->segments_changed)
        node_wake_by(node, node->now_ms);
    return status == LF_AGAIN ? LF_OK : lf_error_set(error, status, "no memory to carry out a drop");
}

/** 1. and 3., whatever is next: also after a start, which may find either undone. */
static void go_on(struct node *node, struct group *group) {
    struct lf_error error = {0};
    uint64_t index;
    struct log_store_rewrite rewrite;
    if (group->rewrite_request != 0 || partition_decisions_waiting(group->partition) == 0)
        return;
    if (!partition_rewrite_due(group->partition, &index, &rewrite) && carry_out_drops(node, group, &error) != LF_OK)
        group_stop(node, group, &error);
    ask_for_rewrite(node, group);
}

/** The core hears where the log begins now; what is before it nobody can be sent any more, nor read from memory. */
static void tell_core(struct node *node, struct group *group) {
    uint64_t previous = partition_previous_index(group->partition);
    if (previous <= group->compacted_index)
        return;
    group->compacted_index = previous;
    struct raft_event event = {.type = RAFT_EVENT_COMPACTED, .now_ms = node->now_ms, .compacted = {.index = previous}};
    tail_cache_forget(node, group, previous);
    group_step(node, group, &event);
}

void group_segments_applied(struct node *node, struct group *group) {
    struct log_store_write *write = group->applied_write;
    group_segments_count(node, group);
    if (write && write->drop_before != 0) { /* a seal rides along with the next append */
        write->sync = true;                 /* what goes is not to come back */
        group_flush_applied(node, group);
        group->segments_changed = true;
        node_wake_by(node, node->now_ms);
    }
    go_on(node, group);
}

void group_segments_replaced(struct node *node, struct group *group, uint64_t previous_index) {
    group_segments_count(node, group);
    group->compacted_index = previous_index;
    group->segments_changed = false;
    group->rewrite_request = 0; /* the store gives up the one under way */
    group->hold_since_ms = 0;
    node_wake_by(node, node->now_ms);
}

void group_segments_tick(struct node *node, struct group *group) {
    if (!group->partition || group->state != GROUP_RUNNING)
        return;
    if (group->segments_changed) {
        group->segments_changed = false;
        group->history_changes++;
        tell_core(node, group);
    }
    go_on(node, group);
}

void group_segments_on_log_start(struct node *node, uint64_t id, uint64_t offset) {
    struct group *group = node_group(node, id);
    if (!group || !group->partition || group->state != GROUP_RUNNING || node->space_level != NODE_SPACE_HARD ||
        group->rewrite_request != 0 || offset > INT64_MAX)
        return;
    struct log_store_write *write = next_write(node, group);
    enum lf_status status = partition_drop_ahead(group->partition, (int64_t)offset, write);
    if (status == LF_AGAIN) {
        log_store_write_destroy(&write);
        return;
    }
    if (status != LF_OK) {
        log_store_write_destroy(&write);
        struct lf_error error;
        lf_error_set(&error, status, "no memory to drop segments");
        group_stop(node, group, &error);
        return;
    }
    node_add_write(node, write);
    node_tracef(node, "group=%llu drops what is below offset %llu, as it hears, ahead of the entry",
                (unsigned long long)id, (unsigned long long)offset);
    group->segments_changed = true;
    node_wake_by(node, node->now_ms);
    subscriptions_pump_group(node, group);
}

/** 2. */
static enum lf_status take_rewrite(struct node *node, struct group *group, const struct log_segment *segments,
                                   size_t count, struct lf_error *error) {
    struct log_store_write *write = next_write(node, group);
    enum lf_status status = partition_rewritten(group->partition, group->rewrite_index, segments, count, write, error);
    if (status == LF_CANCELLED)
        write->unstage = true;
    if (status == LF_OK || status == LF_CANCELLED)
        node_add_write(node, write);
    else
        log_store_write_destroy(&write);
    return status == LF_CANCELLED ? LF_OK : status;
}

/** A drop that was applied in the same step may have made it void, and went to the store ahead of it. */
static bool is_due(const struct group *group) {
    uint64_t index;
    struct log_store_rewrite rewrite;
    return partition_rewrite_due(group->partition, &index, &rewrite) && index == group->rewrite_index;
}

static void after_rewrite(struct node *node, struct group *group, enum lf_status status, struct lf_error *error) {
    if (status == LF_OK)
        status = carry_out_drops(node, group, error);
    if (status != LF_OK) {
        group_stop(node, group, error);
        return;
    }
    group->segments_changed = true;
    node_wake_by(node, node->now_ms);
    group_apply(node, group, raft_commit(group->raft)); /* 4. */
}

void group_segments_take_result(struct node *node, struct group *group, const struct log_segment *segments,
                                size_t count) {
    uint64_t index;
    struct log_store_rewrite rewrite;
    struct lf_error error = {0};
    lf_check(group->rewrite_request == 0);
    lf_check(partition_rewrite_due(group->partition, &index, &rewrite));
    group->rewrite_index = index;
    after_rewrite(node, group, take_rewrite(node, group, segments, count, &error), &error);
}

static uint64_t bytes_of(const struct log_segment *segments, size_t count) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += segments[i].bytes;
    return bytes;
}

/** `before`: bytes of all sealed segments before the result took its place. */
static void count_result(struct node *node, const struct group *group, const struct log_store_completion *completion,
                         uint64_t before) {
    struct node_metrics *metrics = &node->metrics;
    uint64_t after = partition_bytes(group->partition).sealed,
             made = bytes_of(completion->segments, completion->segment_count);
    metrics->rewrites_finished++;
    metrics->rewrite_bytes_in += before + made - after;
    metrics->rewrite_bytes_out += made;
    metrics->rewrite_records_in += completion->records;
    metrics->rewrite_records_out += completion->records_kept;
    lf_histogram_observe(&metrics->rewrite_us, node->now_us - group->rewrite_since_us);
}

void group_on_rewrite(struct node *node, struct group *group, const struct log_store_completion *completion) {
    if (group->state != GROUP_RUNNING || completion->id != group->rewrite_request)
        return;
    struct lf_error error = completion->error;
    enum lf_status status = completion->status;
    bool due = is_due(group);
    group->rewrite_request = 0;
    node_tracef(node, "group=%llu rewrite=%llu: %s", (unsigned long long)group->id,
                (unsigned long long)group->rewrite_index, lf_status_name(status));
    node->metrics.rewrites_failed += status != LF_OK || !due;
    if (status == LF_INVALID &&
        is_due(group)) { /* its segments are not the store's: whoever is wrong, they must not go on */
        group_stop(node, group, &error);
        return;
    }
    if (status != LF_OK) { /* cancelled, damaged, no space */
        group->rewrite_retry_ms = node->now_ms + REWRITE_RETRY_MS;
        ask_for_rewrite(node, group);
        return;
    }
    uint64_t before = partition_bytes(group->partition).sealed;
    status = take_rewrite(node, group, completion->segments, completion->segment_count, &error);
    if (status == LF_OK && due)
        count_result(node, group, completion, before);
    after_rewrite(node, group, status, &error);
}
