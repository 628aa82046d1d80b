/** Rebuilding the applied state from its rows, which come in key order: configuration, counters, nodes, topics. */
#include "metadata_node.h"
#include "metadata_rows.h"
#include "metadata_settings.h"

#include "log_row.h"

#include <inttypes.h>
#include <stdlib.h>

/** Where the walk over the rows is. */
struct load {
    struct metadata *metadata;
    bool have_counters;
    struct metadata_topic *topic; /**< being put together from its rows; not entered yet */
    uint32_t topic_rows;
    uint64_t partitions_entered;
    struct lf_error *error;
};

static enum lf_status damaged(const struct load *load, const char *what, uint64_t id) {
    return lf_error_set(load->error, LF_DAMAGED, "the metadata rows: %s (%" PRIu64 ")", what, id);
}

static enum lf_status no_memory(const struct load *load) {
    return lf_error_set(load->error, LF_NO_MEMORY, "no memory for the metadata");
}

static enum lf_status load_configuration(struct load *load, struct lf_bytes row) {
    if (row.size < METADATA_CONFIGURATION_ROW_FIXED_BYTES || row.data[0] != METADATA_ROW_VERSION ||
        row.size - METADATA_CONFIGURATION_ROW_FIXED_BYTES > METADATA_CONFIGURATION_BYTES_MAX)
        return damaged(load, "the configuration's size or version", row.size);
    uint64_t index = lf_get_le64(row.data + 1);
    if (index == 0 || index > load->metadata->applied_index)
        return damaged(load, "the configuration's index", index);
    struct lf_bytes payload =
        lf_bytes(row.data + METADATA_CONFIGURATION_ROW_FIXED_BYTES, row.size - METADATA_CONFIGURATION_ROW_FIXED_BYTES);
    return metadata_set_configuration(load->metadata, index, payload) == LF_OK ? LF_OK : no_memory(load);
}

static enum lf_status take_counters(struct load *load, const Lf__MetadataCounters *counters) {
    struct metadata *metadata = load->metadata;
    if (counters->next_group == 0 || counters->next_topic == 0 || counters->next_replica == 0 ||
        counters->next_producer == 0 || counters->next_producer > INT64_MAX)
        return damaged(load, "a counter that cannot be", counters->next_producer);
    metadata->next_group = counters->next_group;
    metadata->next_topic = counters->next_topic;
    metadata->next_replica = counters->next_replica;
    metadata->next_producer = counters->next_producer;
    metadata->log_time_ms = counters->log_time_ms;
    load->have_counters = true;
    if (counters->cluster_id.len == 0)
        return LF_OK;
    size_t name = strlen(counters->cluster_name);
    if (!metadata_id_valid(counters->cluster_id) || name >= METADATA_CLUSTER_NAME_BYTES_MAX)
        return damaged(load, "the cluster's id or name", counters->cluster_id.len);
    metadata->founded = true;
    memcpy(metadata->cluster_id, counters->cluster_id.data, LOG_STORE_ID_BYTES);
    memcpy(metadata->cluster_name, counters->cluster_name, name + 1);
    return LF_OK;
}

static enum lf_status load_counters(struct load *load, struct lf_bytes row) {
    Lf__MetadataCounters *counters = lf__metadata_counters__unpack(NULL, row.size, row.data);
    if (!counters)
        return damaged(load, "the counters cannot be read", row.size);
    enum lf_status status = take_counters(load, counters);
    lf__metadata_counters__free_unpacked(counters, NULL);
    return status;
}

static enum lf_status load_node(struct load *load, struct lf_bytes key, struct lf_bytes row) {
    struct metadata *metadata = load->metadata;
    if (key.size != 9 || !metadata->founded || metadata->node_count >= METADATA_NODES_MAX)
        return damaged(load, "a node's key, or one too many", key.size);
    struct metadata_node *nodes = realloc(metadata->nodes, (metadata->node_count + 1) * sizeof *nodes);
    if (!nodes)
        return no_memory(load);
    metadata->nodes = nodes;
    Lf__MetadataNode *message = lf__metadata_node__unpack(NULL, row.size, row.data);
    if (!message)
        return damaged(load, "a node cannot be read", lf_get_be64(key.data + 1));
    struct metadata_node *node = &nodes[metadata->node_count];
    struct lf_error words;
    enum lf_status status = metadata_node_take(message, node, &words);
    lf__metadata_node__free_unpacked(message, NULL);
    if (status != LF_OK)
        return lf_error_set(load->error, LF_DAMAGED, "the metadata rows: %.200s", words.text);
    if (node->node_id != lf_get_be64(key.data + 1) || node->replica_id >= metadata->next_replica)
        return damaged(load, "a node's id or replica", node->node_id);
    metadata->node_count++; /* by rising id, as the keys */
    if (metadata_live_nodes(metadata) > METADATA_LIVE_NODES_MAX)
        return damaged(load, "one node too many", node->node_id);
    return LF_OK;
}

static bool take_assignment(const struct load *load, const Lf__MetadataAssignment *message,
                            struct metadata_assignment *assignment) {
    if (!message || message->epoch == 0 || message->n_replicas == 0 || message->n_replicas > METADATA_REPLICAS_MAX)
        return false;
    assignment->epoch = message->epoch;
    assignment->replica_count = message->n_replicas;
    for (size_t i = 0; i < message->n_replicas; i++) {
        struct metadata_replica replica = {.replica_id = message->replicas[i]->replica_id,
                                           .node_id = message->replicas[i]->node_id,
                                           .lost = message->replicas[i]->lost};
        if (replica.replica_id == 0 || replica.replica_id >= load->metadata->next_replica ||
            !metadata_find_node(load->metadata, replica.node_id))
            return false;
        for (size_t k = 0; k < i; k++)
            if (assignment->replicas[k].node_id == replica.node_id ||
                assignment->replicas[k].replica_id == replica.replica_id)
                return false;
        assignment->replicas[i] = replica;
    }
    return true;
}

/** False: they cannot be. What was taken is the partition's either way. LF_NO_MEMORY is told by *memory. */
static bool take_formers(const struct load *load, const Lf__MetadataPartition *message,
                         struct metadata_partition *partition, bool *memory) {
    *memory = true;
    if (message->n_formers == 0)
        return true;
    if (message->n_formers > METADATA_FORMERS_MAX)
        return false;
    partition->formers = calloc(message->n_formers, sizeof *partition->formers);
    *memory = partition->formers != NULL;
    for (size_t i = 0; *memory && i < message->n_formers; i++) {
        const Lf__MetadataReplica *replica = message->formers[i]->replica;
        if (!replica || replica->replica_id == 0 || replica->replica_id >= load->metadata->next_replica ||
            !metadata_find_node(load->metadata, replica->node_id))
            return false;
        partition->formers[partition->former_count++] =
            (struct metadata_former){.replica = {.replica_id = replica->replica_id, .node_id = replica->node_id},
                                     .retired = message->formers[i]->retired};
    }
    return *memory;
}

/** LF_OK, LF_DAMAGED, LF_NO_MEMORY: then nothing of it stays. */
static enum lf_status take_partition(struct load *load, const Lf__MetadataPartition *from,
                                     struct metadata_partition *partition) {
    const struct metadata_topic *topic = load->topic;
    bool memory = true;
    *partition =
        (struct metadata_partition){.partition = from->partition, .group = from->group, .topic_id = topic->topic_id};
    bool good = partition->partition == topic->partition_count && partition->group != 0 &&
                partition->group < load->metadata->next_group &&
                take_assignment(load, from->wanted, &partition->wanted) &&
                take_assignment(load, from->current, &partition->current) &&
                take_formers(load, from, partition, &memory) && metadata_partition_sound(partition);
    if (good)
        return LF_OK;
    free(partition->formers);
    return memory ? damaged(load, "a partition's number, group or replicas", topic->topic_id) : no_memory(load);
}

static enum lf_status finish_topic(struct load *load) {
    struct metadata *metadata = load->metadata;
    struct metadata_topic *topic = load->topic;
    load->topic = NULL;
    if (!topic)
        return LF_OK;
    if (topic->partition_count == 0 ||
        (!topic->deleted && metadata_topic_by_name(metadata, lf_bytes_text(topic->name)))) {
        uint64_t id = topic->topic_id;
        metadata_topic_free(topic);
        return damaged(load, "a topic without partitions, or with another's name", id);
    }
    load->partitions_entered += topic->partition_count;
    if (!metadata_enter_topic(metadata, topic))
        return no_memory(load);
    if (metadata->partitions_by_group.count != load->partitions_entered)
        return damaged(load, "a topic shares a group with another", topic->topic_id);
    return LF_OK;
}

/** Row 0 begins the topic. */
static enum lf_status begin_topic(struct load *load, const Lf__MetadataTopic *message) {
    struct lf_bytes name = lf_bytes_text(message->name);
    if (!metadata_topic_name_valid(name) || message->replicas == 0 || message->replicas > METADATA_REPLICAS_MAX ||
        message->topic_id >= load->metadata->next_topic)
        return damaged(load, "a topic's name, replicas or id", message->topic_id);
    if (!metadata_settings_known(message->settings, message->n_settings))
        return lf_error_set(load->error, LF_UNSUPPORTED,
                            "topic %" PRIu64 " has settings of a newer version: upgrade this node", message->topic_id);
    load->topic = metadata_topic_new(message->topic_id, name, 0, message->replicas);
    load->topic_rows = 0;
    if (!load->topic)
        return no_memory(load);
    load->topic->deleted = message->deleted;
    metadata_settings_take(load->topic, message->settings, message->n_settings);
    return LF_OK;
}

static enum lf_status take_partitions(struct load *load, const Lf__MetadataTopic *message) {
    struct metadata_topic *topic = load->topic;
    size_t wanted = topic->partition_count + message->n_partitions;
    if (topic->partition_count != load->topic_rows * METADATA_ROW_PARTITIONS || message->n_partitions == 0 ||
        message->n_partitions > METADATA_ROW_PARTITIONS || wanted > METADATA_PARTITIONS_PER_TOPIC_HARD)
        return damaged(load, "a topic's partitions are not whole", topic->topic_id);
    struct metadata_partition *partitions = realloc(topic->partitions, wanted * sizeof *partitions);
    if (!partitions)
        return no_memory(load);
    topic->partitions = partitions;
    for (size_t i = 0; i < message->n_partitions; i++) {
        enum lf_status status = take_partition(load, message->partitions[i], &partitions[topic->partition_count]);
        if (status != LF_OK)
            return status;
        topic->partition_count++;
    }
    load->topic_rows++;
    return LF_OK;
}

static enum lf_status take_topic_row(struct load *load, struct lf_bytes key, const Lf__MetadataTopic *message) {
    uint64_t topic_id = lf_get_be64(key.data + 1);
    uint32_t number = lf_get_be32(key.data + 9);
    enum lf_status status = LF_OK;
    if (message->topic_id != topic_id || topic_id == 0)
        return damaged(load, "a topic row under another's key", topic_id);
    if (number == 0) {
        status = finish_topic(load);
        if (status == LF_OK)
            status = begin_topic(load, message);
    } else if (!load->topic || load->topic->topic_id != topic_id || load->topic_rows != number) {
        status = damaged(load, "a topic's row is missing", topic_id);
    }
    return status == LF_OK ? take_partitions(load, message) : status;
}

static enum lf_status load_topic_row(struct load *load, struct lf_bytes key, struct lf_bytes row) {
    if (key.size != METADATA_KEY_BYTES_MAX)
        return damaged(load, "a topic's key", key.size);
    Lf__MetadataTopic *message = lf__metadata_topic__unpack(NULL, row.size, row.data);
    if (!message)
        return damaged(load, "a topic cannot be read", lf_get_be64(key.data + 1));
    enum lf_status status = take_topic_row(load, key, message);
    lf__metadata_topic__free_unpacked(message, NULL);
    return status;
}

static enum lf_status load_row(struct load *load, const struct log_store_row *row) {
    char kind = row->key.size > 0 ? (char)row->key.data[0] : '?';
    if (kind == 'c' && row->key.size == 1)
        return load_configuration(load, row->value);
    if (kind == 'm' && row->key.size == 1)
        return load_counters(load, row->value);
    if (kind == 'n' && load->have_counters)
        return load_node(load, row->key, row->value);
    if (kind == 't' && load->have_counters)
        return load_topic_row(load, row->key, row->value);
    return damaged(load, "a key that means nothing here, of so many bytes", row->key.size);
}

/** Ids are given without holes, so a missing row shows. */
static enum lf_status check_whole(const struct load *load) {
    const struct metadata *metadata = load->metadata;
    if (!load->have_counters)
        return damaged(load, "there are no counters, yet entries are applied", metadata->applied_index);
    if (metadata->founded != (metadata->node_count > 0))
        return damaged(load, "nodes and founding do not agree", metadata->node_count);
    if (metadata->topic_count != metadata->next_topic - 1)
        return damaged(load, "topics are missing; there are", metadata->topic_count);
    if (load->partitions_entered != metadata->next_group - 1)
        return damaged(load, "partitions are missing; there are", load->partitions_entered);
    return LF_OK;
}

static enum lf_status load_rows(struct load *load, const struct log_store_row *rows, size_t row_count) {
    enum lf_status status = LF_OK;
    for (size_t i = 0; i < row_count && status == LF_OK; i++) {
        if (i > 0 && log_row_compare(rows[i - 1].key, rows[i].key) >= 0)
            return damaged(load, "keys do not rise at row", i);
        status = load_row(load, &rows[i]);
    }
    if (status == LF_OK)
        status = finish_topic(load);
    return status == LF_OK ? check_whole(load) : status;
}

enum lf_status metadata_load(struct metadata *metadata, uint64_t applied_index, const struct log_store_row *rows,
                             size_t row_count, struct lf_error *error) {
    metadata_reset(metadata);
    if (applied_index == 0)
        return row_count == 0 ? LF_OK : lf_error_set(error, LF_DAMAGED, "nothing is applied, but there are rows");
    metadata->applied_index = applied_index;
    struct load load = {.metadata = metadata, .error = error};
    enum lf_status status = load_rows(&load, rows, row_count);
    if (load.topic)
        metadata_topic_free(load.topic);
    if (status != LF_OK)
        metadata_reset(metadata);
    return status;
}
