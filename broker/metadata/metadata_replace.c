/** A node goes on with a new store in place of one that is lost.
 *
 *  Only this command does it, and only an operator's word brings it about. The old store is never counted again, and
 *  what it held is lost: in group 0 and in every partition the node gets a new replica, which is filled like any other
 *  before it has a voice. The replicas that are lost keep their places in the groups' majorities until then, so that
 *  nothing which they may have acknowledged is decided without them. */
#include "metadata_outcome.h"

#include <inttypes.h>

/** Replicas that would be there without the node. */
static size_t left(const struct metadata_assignment *assignment, uint64_t node_id,
                   bool (*up)(const void *context, uint64_t node_id), const void *context, bool *concerned) {
    size_t count = 0;
    for (size_t i = 0; i < assignment->replica_count; i++) {
        const struct metadata_replica *replica = &assignment->replicas[i];
        *concerned |= replica->node_id == node_id;
        count += replica->node_id != node_id && !replica->lost && (!up || up(context, replica->node_id));
    }
    return count;
}

static enum lf_status judge_partition(const struct metadata *metadata, const struct metadata_partition *partition,
                                      uint64_t node_id, bool (*up)(const void *context, uint64_t node_id),
                                      const void *context, struct lf_error *error) {
    const struct metadata_assignment *both[] = {&partition->current, &partition->wanted};
    for (int i = 0; i < 2; i++) {
        bool concerned = false;
        size_t others = left(both[i], node_id, up, context, &concerned);
        if (!concerned || others > both[i]->replica_count / 2)
            continue;
        const char *name = metadata_topic_by_id(metadata, partition->topic_id)->name;
        if (both[i]->replica_count <= 2)
            return lf_error_set(error, LF_NOT_READY,
                                "%.80s/%" PRIu32 " has %zu of %zu replicas without node %" PRIu64
                                ": what is on the old store is nowhere else. Put it back, or delete the topic",
                                name, partition->partition, others, both[i]->replica_count, node_id);
        return lf_error_set(error, LF_NOT_READY,
                            "%.80s/%" PRIu32 " has %zu of %zu replicas without node %" PRIu64
                            ": start the other nodes, or wait until they are filled",
                            name, partition->partition, others, both[i]->replica_count, node_id);
    }
    return LF_OK;
}

enum lf_status metadata_judge_replacement(const struct metadata *metadata, uint64_t node_id,
                                          bool (*up)(const void *context, uint64_t node_id), const void *context,
                                          struct lf_error *error) {
    const struct metadata_node *node = metadata_find_node(metadata, node_id);
    size_t others = 0;
    if (!node || !metadata_node_has_store(node))
        return lf_error_set(error, LF_INVALID, "node %" PRIu64 " has no store that could be replaced", node_id);
    for (size_t i = 0; i < metadata->node_count; i++)
        others += metadata->nodes[i].node_id != node_id && !metadata->nodes[i].removed && metadata->nodes[i].pinned;
    if (others == 0)
        return lf_error_set(error, LF_NOT_READY, "without node %" PRIu64 " nobody would hold the cluster's metadata",
                            node_id);
    for (size_t i = 0; i < metadata->topic_count; i++) {
        const struct metadata_topic *topic = metadata->topics[i];
        for (uint32_t k = 0; !topic->deleted && k < topic->partition_count; k++)
            if (judge_partition(metadata, &topic->partitions[k], node_id, up, context, error) != LF_OK)
                return error->code;
    }
    return LF_OK;
}

enum lf_status metadata_apply_replace(struct metadata *metadata, const Lf__ReplaceStore *replace,
                                      struct metadata_applied *applied, struct metadata_changes *changes) {
    struct metadata_node *node = metadata_find_node(metadata, replace->node_id);
    struct lf_error error;
    bool old;
    if (!metadata_id_valid(replace->store_uuid))
        return metadata_refuse(applied, LF_INVALID, "node %" PRIu64 ": a store UUID of %zu bytes", replace->node_id,
                               replace->store_uuid.len);
    const struct metadata_node *owner = metadata_store_owner(metadata, replace->store_uuid.data, &old);
    if (owner && owner == node && !old)
        return LF_OK; /* a repeat */
    if (owner)
        return metadata_refuse(applied, LF_EXISTS, "the new store of node %" PRIu64 " was node %" PRIu64 "'s before",
                               replace->node_id, owner->node_id);
    if (metadata_judge_replacement(metadata, replace->node_id, NULL, NULL, &error) != LF_OK)
        return metadata_outcome(applied, &error);
    if (node->pinned)
        metadata_remember_store(node);
    node->pinned = true;
    memcpy(node->store_uuid, replace->store_uuid.data, LOG_STORE_ID_BYTES);
    node->replica_id = metadata->next_replica++; /* M6: first */
    for (size_t i = 0; i < metadata->topic_count; i++)
        for (uint32_t k = 0; !metadata->topics[i]->deleted && k < metadata->topics[i]->partition_count; k++)
            metadata_replace_replica(metadata, &metadata->topics[i]->partitions[k], node->node_id);
    applied->nodes = applied->partitions = changes->all_topics = true;
    applied->replica_id = node->replica_id;
    changes->node = node;
    return LF_OK;
}
