/** The metadata of a restored cluster names the restored node for what came from other nodes' backups.
 *
 *  By commands at the end of its log, as if an operator had moved the partitions there: so whoever replays the log gets
 *  the same, and replica ids come from the one counter. The node takes the place of the one whose replica was taken, or
 *  of the last one wanted; the others stay wanted, as for the partitions that the node had anyway. Which of them really
 *  is a member says the log of the group. */
#include "backup_tool.h"

#include <inttypes.h>

struct assign {
    uint64_t node_id;
    const struct recover_group *group;
    struct log_store_write *write;
    struct metadata *metadata;
    uint32_t applied; /**< entries of the write that are in the metadata */
    struct metadata_applied outcome;
    struct lf_error *error;
};

static enum lf_status apply_rest(struct assign *assign) {
    enum lf_status status = LF_OK;
    while (status == LF_OK && assign->applied < assign->write->entry_count) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        assign->outcome = (struct metadata_applied){0};
        status = lf_entry_check(lf_buf_bytes(assign->write->entries[assign->applied++]), 0, &header, &payload,
                                assign->error);
        if (status == LF_OK)
            status = metadata_apply(assign->metadata, &header, payload, NULL, &assign->outcome, assign->error);
    }
    return status;
}

/** Takes the command. What became of it is in assign->outcome. */
static enum lf_status command(struct assign *assign, struct lf_buf *command) {
    enum lf_status status =
        command ? recover_group_add_command(assign->group, assign->write, lf_buf_bytes(command)) : LF_NO_MEMORY;
    lf_buf_unref(&command);
    if (status != LF_OK)
        return lf_error_set(assign->error, status, "no memory for the metadata's commands");
    return apply_rest(assign);
}

static size_t members_wanted(const struct assign *assign, const struct metadata_partition *partition, uint64_t from,
                             uint64_t nodes[METADATA_REPLICAS_MAX]) {
    const struct metadata_assignment *wanted = &partition->wanted;
    size_t count = 0, replaced = wanted->replica_count;
    for (size_t i = 0; i < wanted->replica_count; i++)
        if (wanted->replicas[i].node_id == from)
            replaced = i;
    if (replaced == wanted->replica_count && replaced > 0)
        replaced--;
    nodes[count++] = assign->node_id;
    for (size_t i = 0; i < wanted->replica_count; i++)
        if (i != replaced)
            nodes[count++] = wanted->replicas[i].node_id;
    return count;
}

static enum lf_status assign_one(struct assign *assign, uint64_t group, uint64_t from) {
    uint64_t nodes[METADATA_REPLICAS_MAX];
    const struct metadata_partition *partition = metadata_partition_by_group(assign->metadata, group);
    uint64_t topic = partition->topic_id;
    uint32_t number = partition->partition;
    const struct metadata_node *node = metadata_node(assign->metadata, assign->node_id);
    if (metadata_replica_on(partition, assign->node_id) != 0)
        return LF_OK;
    enum lf_status status = LF_OK;
    if (node && node->draining) /* it is all there is now */
        status = command(assign, metadata_command_drain_node(assign->node_id, true));
    size_t count = members_wanted(assign, partition, from, nodes);
    if (status == LF_OK)
        status = command(assign, metadata_command_move(topic, number, nodes, count));
    if (status == LF_OK && assign->outcome.status != LF_OK && count > 1) /* one of the others is not to be had */
        status = command(assign, metadata_command_move(topic, number, nodes, 1));
    if (status == LF_OK && assign->outcome.status != LF_OK)
        status =
            lf_error_set(assign->error, LF_INVALID, "group %" PRIu64 " cannot be moved to node %" PRIu64 ": %.200s",
                         group, assign->node_id, assign->outcome.text);
    return status;
}

enum lf_status restore_assign(const struct restore_plan *plan, uint64_t node_id, const struct recover_group *group,
                              struct log_store_write *write, struct metadata *metadata, struct lf_error *error) {
    struct assign assign = {.node_id = node_id, .group = group, .write = write, .metadata = metadata, .error = error};
    enum lf_status status = apply_rest(&assign);
    for (size_t i = 0; status == LF_OK && i < plan->count; i++)
        if (plan->parts[i].group != 0 && plan->parts[i].source != plan->base)
            status = assign_one(&assign, plan->parts[i].group, plan->node_ids[plan->parts[i].source]);
    return status;
}
