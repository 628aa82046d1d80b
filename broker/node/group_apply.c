/** Applying committed entries, in order, each exactly once per start, and answering those who waited for them. */
#include "images.h"

static struct log_store_write *applied_write(struct node *node, struct group *group) {
    if (group->applied_write && group->applied_write->row_count >= NODE_APPLIED_ROWS_MAX)
        group_flush_applied(node, group);
    if (!group->applied_write) {
        group->applied_write = node_new_write(node, group, 0);
        group->applied_write_since_ms = node->now_ms;
        node_wake_by(node, node->now_ms + NODE_APPLIED_LAZY_MS);
    }
    return group->applied_write;
}

/** False: nothing more can be applied here. */
static bool apply_one(struct node *node, struct group *group, uint64_t index) {
    const struct lf_buf *entry = tail_get(&group->tail, index);
    lf_checkf(entry != NULL, "node=%llu group=%llu index=%llu", (unsigned long long)node->id,
              (unsigned long long)group->id, (unsigned long long)index);
    struct lf_entry_header header;
    struct lf_bytes payload;
    lf_check(lf_entry_decode(lf_buf_bytes(entry), &header, &payload) == LF_OK);
    lf_check(header.index == index);
    struct log_store_write *write = applied_write(node, group);
    struct partition_applied partition = {0};
    struct metadata_applied metadata = {0};
    struct lf_error error = {0};
    enum lf_status status = group->partition
                                ? partition_apply(group->partition, lf_buf_bytes(entry), write, &partition, &error)
                                : metadata_apply(node->metadata, &header, payload, write, &metadata, &error);
    if (status == LF_FULL) /* goes on when the store has done what waits */
        return false;
    if (status == LF_UNSUPPORTED) {
        if (!group->apply_blocked)
            node_tracef(node, "group=%llu entry %llu is newer than this version: upgrade this node",
                        (unsigned long long)group->id, (unsigned long long)index);
        group->apply_blocked = true; /* keeps storing and acknowledging */
        return false;
    }
    if (status != LF_OK) {
        group_stop(node, group, &error);
        return false;
    }
    write->applied_index = index;
    group->applied = index;
    node->metrics.entries_applied++;
    if (header.type == LF_ENTRY_CONFIGURATION)
        chores_on_configuration(node, group);
    if (header.type == LF_ENTRY_SEGMENT_ROLL)
        image_source_retry(node, group);
    if (!group->partition)
        cluster_on_applied(node, group, header.type, &metadata);
    parked_resolve(node, group, index, group->partition ? &partition : NULL, group->partition ? NULL : &metadata,
                   header.term);
    return true;
}

void group_apply(struct node *node, struct group *group, uint64_t commit) {
    if (!group_image_is_written(group))
        return; /* image_install_written goes on */
    while (group->applied < commit && group->state == GROUP_RUNNING && !group->apply_blocked)
        if (!apply_one(node, group, group->applied + 1))
            break;
    if (group->partition && group->state == GROUP_RUNNING) {
        group_segments_applied(node, group);
        segments_on_applied(node, group);
    }
    subscriptions_pump_group(node, group);
}
