/** Topics: names, judging, placing, and the indexes they are found by. */
#include "metadata_internal.h"

#include "lf_check.h"

#include <inttypes.h>
#include <stdlib.h>

bool metadata_topic_name_valid(struct lf_bytes name) {
    if (name.size == 0 || name.size > METADATA_TOPIC_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                    c == '_' || c == '-';
        if (!fine)
            return false;
    }
    return !lf_bytes_equal(name, lf_bytes_text(".")) && !lf_bytes_equal(name, lf_bytes_text(".."));
}

enum lf_status metadata_judge_create_under(const struct metadata *metadata, const struct metadata_limits *limits,
                                           struct lf_bytes name, uint32_t partitions, uint32_t replicas,
                                           struct lf_error *error) {
    if (!metadata_topic_name_valid(name))
        return lf_error_set(error, LF_INVALID,
                            "a topic name is 1 to %d characters of a-z A-Z 0-9 . _ - and neither \".\" nor \"..\"",
                            METADATA_TOPIC_NAME_BYTES_MAX);
    if (metadata_topic_by_name(metadata, name))
        return lf_error_set(error, LF_TOPIC_EXISTS, "topic %.*s exists already", (int)name.size,
                            (const char *)name.data);
    if (partitions == 0 || partitions > limits->partitions_per_topic_max)
        return lf_error_set(error, LF_INVALID, "%" PRIu32 " partitions: a topic has 1 to %" PRIu32, partitions,
                            limits->partitions_per_topic_max);
    if (replicas == 0 || replicas > METADATA_REPLICAS_MAX)
        return lf_error_set(error, LF_INVALID, "%" PRIu32 " replicas: a partition has 1 to %d", replicas,
                            METADATA_REPLICAS_MAX);
    const struct metadata_node *takers[METADATA_LIVE_NODES_MAX];
    size_t nodes = metadata_takers(metadata, takers);
    if (replicas > nodes)
        return lf_error_set(error, LF_INVALID,
                            "%" PRIu32 " replicas need as many nodes; the cluster has %zu that take replicas", replicas,
                            nodes);
    if (metadata->live_topics >= limits->topics_max)
        return lf_error_set(error, LF_OVERLOADED, "the cluster has %zu topics: the limit", metadata->live_topics);
    if (metadata->live_partitions + partitions > limits->partitions_max)
        return lf_error_set(error, LF_OVERLOADED,
                            "%zu partitions and %" PRIu32 " more would exceed the limit of %" PRIu32,
                            metadata->live_partitions, partitions, limits->partitions_max);
    return LF_OK;
}

enum lf_status metadata_judge_create(const struct metadata *metadata, struct lf_bytes name, uint32_t partitions,
                                     uint32_t replicas, struct lf_error *error) {
    return metadata_judge_create_under(metadata, &metadata->limits, name, partitions, replicas, error);
}

void metadata_place(const struct metadata *metadata, uint64_t group, uint32_t replicas, uint64_t *next_replica,
                    struct metadata_assignment *assignment) {
    const struct metadata_node *takers[METADATA_LIVE_NODES_MAX];
    uint64_t nodes = metadata_takers(metadata, takers), turn = group - 1;
    lf_check(group > 0);
    lf_check(replicas > 0 && replicas <= nodes && replicas <= METADATA_REPLICAS_MAX);
    uint64_t first = turn % nodes, round = turn / nodes;
    *assignment = (struct metadata_assignment){.epoch = 1, .replica_count = replicas};
    for (uint32_t i = 0; i < replicas; i++) {
        uint64_t at = i == 0 ? first : (first + 1 + (round + i - 1) % (nodes - 1)) % nodes;
        assignment->replicas[i] =
            (struct metadata_replica){.replica_id = (*next_replica)++, .node_id = takers[at]->node_id};
    }
}

struct metadata_topic *metadata_topic_new(uint64_t topic_id, struct lf_bytes name, uint32_t partitions,
                                          uint32_t replicas) {
    lf_check(name.size <= METADATA_TOPIC_NAME_BYTES_MAX);
    struct metadata_topic *topic = calloc(1, sizeof *topic);
    if (!topic)
        return NULL;
    topic->partitions = calloc(partitions + 1, sizeof *topic->partitions);
    if (!topic->partitions) {
        free(topic);
        return NULL;
    }
    memcpy(topic->name, name.data, name.size);
    topic->topic_id = topic_id;
    topic->replicas = replicas;
    topic->partition_count = partitions;
    topic->settings = topic_settings_default;
    return topic;
}

void metadata_topic_free(struct metadata_topic *topic) {
    for (uint32_t i = 0; i < topic->partition_count; i++)
        free(topic->partitions[i].formers);
    free(topic->partitions);
    free(topic);
}

static bool reserve(struct metadata *metadata) {
    if (metadata->topic_count < metadata->topic_capacity)
        return true;
    size_t capacity = metadata->topic_capacity ? metadata->topic_capacity * 2 : 16;
    struct metadata_topic **topics = realloc(metadata->topics, capacity * sizeof(struct metadata_topic *));
    if (!topics)
        return false;
    metadata->topics = topics;
    metadata->topic_capacity = capacity;
    return true;
}

bool metadata_enter_topic(struct metadata *metadata, struct metadata_topic *topic) {
    if (!reserve(metadata)) {
        metadata_topic_free(topic);
        return false;
    }
    lf_check(metadata->topic_count == 0 || metadata->topics[metadata->topic_count - 1]->topic_id < topic->topic_id);
    metadata->topics[metadata->topic_count++] = topic;
    if (!lf_map_put(&metadata->topics_by_id, topic->topic_id, topic))
        return false;
    for (uint32_t i = 0; i < topic->partition_count; i++)
        if (!lf_map_put(&metadata->partitions_by_group, topic->partitions[i].group, &topic->partitions[i]))
            return false;
    if (topic->deleted)
        return true;
    metadata->live_topics++;
    metadata->live_partitions += topic->partition_count;
    return metadata_names_put(&metadata->names, topic);
}

void metadata_bury_topic(struct metadata *metadata, struct metadata_topic *topic) {
    lf_check(!topic->deleted);
    metadata_names_remove(&metadata->names, topic);
    topic->deleted = true;
    metadata->live_topics--;
    metadata->live_partitions -= topic->partition_count;
}
