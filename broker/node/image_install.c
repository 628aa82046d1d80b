/** An image takes the place of a replica's log and state.
 *
 *  1. The rows are loaded into a new machine: if they make no sense, nothing has happened.
 *  2. The core judges, and replaces its log in memory (broker/raft/install.c).
 *  3. Its write becomes the one that installs history, rows and hard state; in the same step the new machine takes the
 *     place of the old one. The disk follows in the order of writes: what is read, acknowledged or voted on waits for
 * it as it does for any write. */
#include "images.h"

/** The core's log is empty after the image: so are the caches. */
static void replace_state(struct node *node, struct group *group, uint64_t index) {
    tail_cache_drop(node, group);
    tail_init(&group->tail, index + 1);
    partition_destroy(&group->partition);
    group->partition = group->image_machine;
    group->image_machine = NULL;
    group->applied = index;
    group->image_unwritten = true;
    group->apply_blocked = false;
    group->image_base_index = image_fetch_fetched(group)->base_index;
    group->image_base_term = image_fetch_fetched(group)->base_term;
    group->configuration_proposed = true;
}

void image_install_carry_out(struct node *node, struct group *group, const struct raft_persist *persist) {
    struct image_fetched *fetched = image_fetch_fetched(group);
    lf_check(fetched && group->image_machine && persist->install_index == fetched->index);
    group_flush_applied(node, group); /* segments that count as held may be sealed by it only */
    struct log_store_write *write = fetched->rows;
    fetched->rows = NULL;
    write->token = persist->token;
    write->has_hard_state = true;
    write->term = persist->term;
    write->vote = persist->vote;
    write->sync = true;
    lf_check(log_store_write_set_install(write, fetched->base_index, fetched->base_term, fetched->segments,
                                         (uint32_t)fetched->segment_count) == LF_OK);
    write->applied_index = fetched->index;
    node_add_write(node, write);
    replace_state(node, group, persist->install_index);
    image_staged_forget(group);
    group_segments_replaced(node, group, persist->install_index);
}

/** Is the tail what the state says of the open segment, to the bit? */
static bool tail_is_the_open_segment(const struct partition *machine, const struct image_fetched *fetched) {
    const struct log_segment *open = partition_open_segment(machine);
    struct log_segment tail;
    if (fetched->rows->entry_count == 0)
        return open->entry_count == 0;
    if (fetched->segment_count == 0) /* what was before it is not known */
        return open->last_index == fetched->index && open->entry_count == fetched->rows->entry_count;
    const struct log_segment *last = &fetched->segments[fetched->segment_count - 1];
    log_segment_begin(&tail, fetched->base_index + 1, last->end_offset, last->last_log_time_ms);
    for (uint32_t i = 0; i < fetched->rows->entry_count; i++)
        log_segment_add(&tail, lf_buf_bytes(fetched->rows->entries[i]));
    return log_segment_equal(&tail, open);
}

void image_install_written(struct node *node, struct group *group, uint64_t commit) {
    group->image_unwritten = false;
    if (group->state != GROUP_RUNNING)
        return;
    parked_resolve(node, group, group->applied, NULL, NULL,
                   raft_term(group->raft)); /* reads, which wait for an index */
    group_apply(node, group, commit);
}

/** Did the image's history leave this one's, where more is committed here than went with it? Either records beyond
 * those that did; or something of a term that who went on never had: then it had others at the same indexes. Terms from
 * the jump's on are its own: the entry before the jump may be committed here without it. */
static bool contradicts(const struct group *group, const struct partition *image) {
    const struct partition_jumps *ours = partition_jumps(group->partition), *theirs = partition_jumps(image);
    uint64_t own_term = raft_entry_term(group->raft, raft_commit(group->raft));
    for (uint32_t i = 0; i < theirs->count; i++) {
        const struct partition_jump *jump = &theirs->items[i];
        bool known = false, more = partition_high_watermark(group->partition) > jump->from,
             other = own_term > jump->last_term && own_term < jump->term;
        for (uint32_t k = 0; k < ours->count; k++)
            known |= memcmp(jump, &ours->items[k], sizeof *jump) == 0;
        if (!known && (more || other))
            return true;
    }
    return false;
}

enum lf_status image_install(struct node *node, struct group *group, struct lf_error *error) {
    const struct image_fetched *fetched = image_fetch_fetched(group);
    struct partition_limits limits = {.producers_max = node->limits.producers_per_partition_max,
                                      .producer_retention_ms = node->limits.producer_retention_ms};
    struct partition *machine = partition_new(&limits);
    lf_check(machine != NULL);
    enum lf_status status = partition_load(machine, fetched->index, fetched->rows->rows, fetched->rows->row_count,
                                           fetched->segments, fetched->segment_count, error);
    if (status == LF_OK && !tail_is_the_open_segment(machine, fetched))
        status = lf_error_set(error, LF_DAMAGED, "its tail is not what its state says");
    if (status != LF_OK) {
        partition_destroy(&machine);
        return LF_DAMAGED;
    }
    if (contradicts(group, machine)) {
        partition_destroy(&machine);
        group_contradicted(node, group, raft_commit(group->raft));
        return LF_CANCELLED;
    }
    group->image_machine = machine;
    struct raft_event event = {.type = RAFT_EVENT_INSTALL,
                               .now_ms = node->now_ms,
                               .install = {.index = fetched->index,
                                           .term = fetched->entry_term,
                                           .leader_term = fetched->leader_term,
                                           .configuration = &fetched->configuration}};
    status = group_step(node, group, &event);
    partition_destroy(&group->image_machine); /* not taken: not needed */
    if (status == LF_OK)
        chores_on_configuration(node, group);
    return status == LF_INVALID ? lf_error_set(error, LF_DAMAGED, "its index, terms or members contradict each other")
                                : status;
}
