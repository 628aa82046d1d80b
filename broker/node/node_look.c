/** Looking at a node from outside: its groups, its counts, its invariants. Nothing here changes it. */
#include "node.h"

#include "node_internal.h"

uint64_t node_id(const struct node *node) { return node->id; }

size_t node_groups(const struct node *node, uint64_t *out, size_t max) {
    size_t cursor = 0, count = 0;
    const struct group *group;
    while ((group = lf_map_next(&node->groups, &cursor)))
        if (group->state == GROUP_RUNNING && count++ < max)
            out[count - 1] = group->id;
    return count;
}

const struct raft *node_group_raft(const struct node *node, uint64_t id) {
    const struct group *group = node_group(node, id);
    return group && group->state == GROUP_RUNNING ? group->raft : NULL;
}

bool node_holds_metadata(const struct node *node) {
    const struct raft *raft = node_group_raft(node, NODE_GROUP_METADATA);
    return raft && raft_durable_index(raft) > 0;
}

enum node_space_level node_space_level(const struct node *node) { return node->space_level; }

uint64_t node_group_applied(const struct node *node, uint64_t id) {
    const struct group *group = node_group(node, id);
    return group && group->state == GROUP_RUNNING ? group->applied : 0;
}

const struct lf_buf *node_group_entry(const struct node *node, uint64_t id, uint64_t index) {
    const struct group *group = node_group(node, id);
    return group ? tail_get(&group->tail, index) : NULL;
}

const struct partition *node_group_partition(const struct node *node, uint64_t id) {
    const struct group *group = node_group(node, id);
    return group && group->state == GROUP_RUNNING ? group->partition : NULL;
}

uint64_t node_find_group(const struct node *node, const char *topic, uint32_t partition) {
    const struct metadata_topic *found = metadata_topic_by_name(node->metadata, lf_bytes_text(topic));
    return found && partition < found->partition_count ? found->partitions[partition].group : 0;
}

uint32_t node_group_applied_checksum(const struct node *node, uint64_t id) {
    const struct group *group = node_group(node, id);
    if (!group)
        return 0;
    return group->partition ? partition_applied_checksum(group->partition) : metadata_applied_checksum(node->metadata);
}

struct node_counts node_counts(const struct node *node) {
    struct node_counts counts = node->counts;
    size_t cursor = 0;
    const struct group *group;
    while ((group = lf_map_next(&node->groups, &cursor))) {
        counts.groups_led += group_leads(group);
        counts.rewrites_waiting += group->rewrite_request != 0;
        counts.groups_running += group->state == GROUP_RUNNING;
    }
    counts.sessions = node->sessions.count;
    counts.subscriptions = node->subscriptions.count;
    return counts;
}

void node_check_invariants(const struct node *node) {
    size_t cursor = 0;
    const struct group *group;
    uint64_t uncommitted = 0, tails = 0, open = 0;
    while ((group = lf_map_next(&node->groups, &cursor))) {
        uncommitted += group->uncommitted_bytes;
        tails += group->tail.bytes;
        open += group->open_bytes;
        if (group->state != GROUP_RUNNING)
            continue;
        raft_check_invariants(group->raft, NULL);
        lf_check(group->applied <= raft_commit(group->raft));
        lf_check(group->tail.first_index <= group->applied + 1);
        lf_check(group->tail.first_index + group->tail.count == raft_last_index(group->raft) + 1);
        if (group->assigned) /* R1: reconcile.c */
            lf_check(group->self > node_group(node, NODE_GROUP_METADATA)->self);
        if (group->partition) {
            lf_check(partition_applied_index(group->partition) == group->applied);
            lf_check(partition_log_end_index(group->partition) == raft_last_index(group->raft));
            partition_check_invariants(group->partition);
        }
    }
    lf_check(uncommitted == node->uncommitted_bytes);
    lf_check(tails == node->tail_bytes);
    lf_check(open == node->open_bytes);
}
