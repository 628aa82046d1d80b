/** The tails of all groups share one bound.
 *
 *  A group may use what the others leave. When the cache is full, the group that grows gives up what exceeds its equal
 *  share, and so do others in turn: each entry that comes in looks at a few, so that a group that fell silent with much
 *  in memory does not keep it for ever. Entries that the store does not hold yet for reading stay whatever the bound:
 *  quotas of the core and the node bound those. */
#include "node_internal.h"

static void count(struct node *node, const struct tail *tail, uint64_t bytes_before) {
    node->tail_bytes += tail->bytes - bytes_before;
}

static void shrink(struct node *node, struct group *group) {
    uint64_t before = group->tail.bytes;
    if (group->raft)
        tail_evict(&group->tail, group_readable(group) + 1, node->limits.tail_cache_bytes_max / node->groups.count);
    count(node, &group->tail, before);
}

static bool is_full(const struct node *node) { return node->tail_bytes > node->limits.tail_cache_bytes_max; }

void tail_cache_push(struct node *node, struct group *group, struct lf_buf *entry) {
    uint64_t before = group->tail.bytes;
    lf_check(tail_push(&group->tail, entry));
    count(node, &group->tail, before);
    if (is_full(node))
        shrink(node, group);
    for (int i = 0; i < NODE_TAIL_VISITS_MAX && is_full(node); i++) {
        struct group *other = lf_map_next(&node->groups, &node->tail_cursor);
        if (other)
            shrink(node, other);
        else
            node->tail_cursor = 0;
    }
}

void tail_cache_forget(struct node *node, struct group *group, uint64_t index) {
    uint64_t before = group->tail.bytes, readable = group_readable(group);
    tail_evict(&group->tail, (index < readable ? index : readable) + 1, 0);
    count(node, &group->tail, before);
}

void tail_cache_truncate(struct node *node, struct group *group, uint64_t index) {
    uint64_t before = group->tail.bytes;
    tail_truncate(&group->tail, index);
    count(node, &group->tail, before);
}

void tail_cache_drop(struct node *node, struct group *group) {
    node->tail_bytes -= group->tail.bytes;
    tail_deinit(&group->tail);
}
