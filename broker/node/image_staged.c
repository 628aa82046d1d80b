/** Which segments of others are staged in the store for this group. They outlive the fetch that brought them, and the
 *  process, so that the next fetch goes on with them; when none comes for a while they are given up. */
#include "images.h"

#include <stdlib.h>

void image_staged_add(struct node *node, struct group *group, const struct log_segment *segment) {
    if (group->staged_count == group->staged_capacity) {
        size_t capacity = group->staged_capacity ? group->staged_capacity * 2 : 16;
        struct log_segment *grown = realloc(group->staged, capacity * sizeof *grown);
        lf_check(grown != NULL);
        group->staged = grown;
        group->staged_capacity = capacity;
    }
    group->staged[group->staged_count++] = *segment;
    group->staged_ms = node->now_ms;
}

bool image_staged_has(const struct group *group, const struct log_segment *segment) {
    for (size_t i = group->staged_count; i > 0; i--)
        if (log_segment_equal(&group->staged[i - 1], segment))
            return true;
    return false;
}

void image_staged_forget(struct group *group) {
    free(group->staged);
    group->staged = NULL;
    group->staged_count = group->staged_capacity = 0;
}

void image_staged_written(struct node *node, struct group *group, const struct log_store_write *write) {
    if (write->unstage) {
        image_fetch_unstaged(node, group);
        repairs_unstaged(node, group);
    }
    if (write->unstage || write->install) {
        image_staged_forget(group);
        return;
    }
    if (write->replacement_count == 0)
        return;
    uint64_t first_index = write->replacements[0].first_index,
             last_index = write->replacements[write->replacement_count - 1].last_index;
    size_t kept = 0;
    for (size_t i = 0; i < group->staged_count; i++)
        if (group->staged[i].first_index < first_index || group->staged[i].last_index > last_index)
            group->staged[kept++] = group->staged[i];
    group->staged_count = kept;
}

void image_staged_give_up(struct node *node, struct group *group) {
    if (group->staged_count == 0)
        return;
    group_flush_applied(node, group);
    struct log_store_write *write = node_new_write(node, group, 0);
    write->unstage = true;
    node_add_write(node, write);
    node_tracef(node, "group=%llu gives up %zu staged segments", (unsigned long long)group->id, group->staged_count);
    image_staged_forget(group);
}

void image_staged_tick(struct node *node, struct group *group) {
    if (group->staged_count == 0 || group->image_fetch)
        return;
    uint64_t until_ms = group->staged_ms + IMAGE_STAGED_KEEP_MS;
    if (group->rewrite_request != 0)
        node_wake_by(node, node->now_ms + IMAGE_FAILED_MS); /* what it makes is staged, too */
    else if (node->now_ms < until_ms && node->space_level != NODE_SPACE_HARD)
        node_wake_by(node, until_ms);
    else
        image_staged_give_up(node, group);
}
