/** Life of the machine, and looking at it. */
#include "metadata_internal.h"

#include <stdlib.h>

struct metadata *metadata_new(const struct metadata_limits *limits) {
    struct metadata *metadata = calloc(1, sizeof *metadata);
    if (!metadata)
        return NULL;
    if (limits)
        metadata->limits = *limits;
    if (metadata->limits.topics_max == 0)
        metadata->limits.topics_max = METADATA_TOPICS_MAX_DEFAULT;
    if (metadata->limits.partitions_per_topic_max == 0)
        metadata->limits.partitions_per_topic_max = METADATA_PARTITIONS_PER_TOPIC_MAX_DEFAULT;
    if (metadata->limits.partitions_max == 0)
        metadata->limits.partitions_max = METADATA_PARTITIONS_MAX_DEFAULT;
    metadata_reset(metadata);
    return metadata;
}

void metadata_reset(struct metadata *metadata) {
    for (size_t i = 0; i < metadata->topic_count; i++)
        metadata_topic_free(metadata->topics[i]);
    free(metadata->topics);
    free(metadata->nodes);
    free(metadata->configuration);
    lf_map_deinit(&metadata->topics_by_id);
    lf_map_deinit(&metadata->partitions_by_group);
    metadata_names_deinit(&metadata->names);
    struct metadata_limits limits = metadata->limits;
    *metadata = (struct metadata){.limits = limits,
                                  .next_group = 1,
                                  .next_topic = 1,
                                  .next_replica = 1,
                                  .next_producer = 1}; /* group 0 is ours */
}

void metadata_destroy(struct metadata **where) {
    struct metadata *metadata = *where;
    *where = NULL;
    if (!metadata)
        return;
    metadata_reset(metadata);
    free(metadata);
}

struct metadata_node *metadata_find_node(const struct metadata *metadata, uint64_t node_id) {
    size_t low = 0, high = metadata->node_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (metadata->nodes[middle].node_id < node_id)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < metadata->node_count && metadata->nodes[low].node_id == node_id;
    return found ? &metadata->nodes[low] : NULL;
}

enum lf_status metadata_set_configuration(struct metadata *metadata, uint64_t index, struct lf_bytes payload) {
    uint8_t *copy = malloc(payload.size + 1);
    if (!copy)
        return LF_NO_MEMORY;
    if (payload.size > 0)
        memcpy(copy, payload.data, payload.size);
    free(metadata->configuration);
    metadata->configuration = copy;
    metadata->configuration_bytes = payload.size;
    metadata->configuration_index = index;
    return LF_OK;
}

bool metadata_configuration(const struct metadata *metadata, uint64_t *index, struct lf_bytes *payload) {
    if (metadata->configuration_index == 0)
        return false;
    *index = metadata->configuration_index;
    *payload = lf_bytes(metadata->configuration, metadata->configuration_bytes);
    return true;
}

uint64_t metadata_applied_index(const struct metadata *metadata) { return metadata->applied_index; }
uint64_t metadata_log_time_ms(const struct metadata *metadata) { return metadata->log_time_ms; }
bool metadata_founded(const struct metadata *metadata) { return metadata->founded; }
const uint8_t *metadata_cluster_id(const struct metadata *metadata) { return metadata->cluster_id; }
const char *metadata_cluster_name(const struct metadata *metadata) { return metadata->cluster_name; }

const struct metadata_node *metadata_node(const struct metadata *metadata, uint64_t node_id) {
    return metadata_find_node(metadata, node_id);
}

size_t metadata_nodes(const struct metadata *metadata, const struct metadata_node **nodes) {
    *nodes = metadata->nodes;
    return metadata->node_count;
}

struct metadata_topic *metadata_find_topic(const struct metadata *metadata, uint64_t topic_id) {
    return lf_map_get(&metadata->topics_by_id, topic_id);
}

struct metadata_partition *metadata_find_partition(const struct metadata *metadata, uint64_t group) {
    return lf_map_get(&metadata->partitions_by_group, group);
}

const struct metadata_topic *metadata_topic_by_name(const struct metadata *metadata, struct lf_bytes name) {
    return metadata_names_get(&metadata->names, name);
}

const struct metadata_topic *metadata_topic_by_id(const struct metadata *metadata, uint64_t topic_id) {
    return lf_map_get(&metadata->topics_by_id, topic_id);
}

const struct metadata_partition *metadata_partition_by_group(const struct metadata *metadata, uint64_t group) {
    return lf_map_get(&metadata->partitions_by_group, group);
}

const struct metadata_topic *metadata_next_topic(const struct metadata *metadata, size_t *cursor) {
    return *cursor < metadata->topic_count ? metadata->topics[(*cursor)++] : NULL;
}

size_t metadata_topic_count(const struct metadata *metadata) { return metadata->live_topics; }
size_t metadata_partition_count(const struct metadata *metadata) { return metadata->live_partitions; }
