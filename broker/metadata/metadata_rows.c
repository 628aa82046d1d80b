#include "metadata_rows.h"

#include "lf_crc32c.h"
#include "metadata_settings.h"

#include <stdlib.h>

/** Pack and hand over. */
static enum lf_status give(struct lf_bytes key, const ProtobufCMessage *message, metadata_row_sink *sink,
                           void *context) {
    size_t bytes = protobuf_c_message_get_packed_size(message);
    uint8_t *row = malloc(bytes + 1);
    if (!row)
        return LF_NO_MEMORY;
    protobuf_c_message_pack(message, row);
    enum lf_status status = sink(context, key, lf_bytes(row, bytes));
    free(row);
    return status;
}

static char *text(const char *borrowed) { return (char *)(uintptr_t)borrowed; } /* protobuf-c knows no const */

enum lf_status metadata_rows_counters(const struct metadata *metadata, metadata_row_sink *sink, void *context) {
    Lf__MetadataCounters counters = LF__METADATA_COUNTERS__INIT;
    if (metadata->founded) {
        counters.cluster_id =
            (ProtobufCBinaryData){.len = LOG_STORE_ID_BYTES, .data = (uint8_t *)(uintptr_t)metadata->cluster_id};
        counters.cluster_name = text(metadata->cluster_name);
    }
    counters.next_group = metadata->next_group;
    counters.next_topic = metadata->next_topic;
    counters.next_replica = metadata->next_replica;
    counters.next_producer = metadata->next_producer;
    counters.log_time_ms = metadata->log_time_ms;
    return give(lf_bytes("m", 1), &counters.base, sink, context);
}

enum lf_status metadata_rows_node(const struct metadata_node *node, metadata_row_sink *sink, void *context) {
    Lf__MetadataNode message = LF__METADATA_NODE__INIT;
    message.node_id = node->node_id;
    message.host = text(node->host);
    message.client_port = node->client_port;
    message.peer_port = node->peer_port;
    message.replica_id = node->replica_id;
    if (node->pinned)
        message.store_uuid =
            (ProtobufCBinaryData){.len = LOG_STORE_ID_BYTES, .data = (uint8_t *)(uintptr_t)node->store_uuid};
    message.removed = node->removed;
    message.draining = node->draining;
    message.joining = node->joining;
    ProtobufCBinaryData old_stores[METADATA_OLD_STORES_MAX];
    for (size_t i = 0; i < node->old_store_count; i++)
        old_stores[i] =
            (ProtobufCBinaryData){.len = LOG_STORE_ID_BYTES, .data = (uint8_t *)(uintptr_t)node->old_stores[i]};
    message.n_old_stores = node->old_store_count;
    message.old_stores = old_stores;
    uint8_t key[9] = {'n'};
    lf_put_be64(key + 1, node->node_id);
    return give(lf_bytes(key, sizeof key), &message.base, sink, context);
}

/** Messages of one partition, and room for one row's partitions. */
struct packed_partition {
    Lf__MetadataPartition message;
    struct packed_assignment {
        Lf__MetadataAssignment message;
        Lf__MetadataReplica replicas[METADATA_REPLICAS_MAX];
        Lf__MetadataReplica *pointers[METADATA_REPLICAS_MAX];
    } wanted, current;
    struct packed_former {
        Lf__MetadataFormer message;
        Lf__MetadataReplica replica;
    } * formers; /**< NULL: none */
    Lf__MetadataFormer **former_pointers;
};
struct packing {
    Lf__MetadataPartition **partitions;
    struct packed_partition *packed;
};

static Lf__MetadataAssignment *pack_assignment(struct packed_assignment *packed,
                                               const struct metadata_assignment *assignment) {
    lf__metadata_assignment__init(&packed->message);
    packed->message.epoch = assignment->epoch;
    packed->message.n_replicas = assignment->replica_count;
    packed->message.replicas = packed->pointers;
    for (size_t i = 0; i < assignment->replica_count; i++) {
        lf__metadata_replica__init(&packed->replicas[i]);
        packed->replicas[i].replica_id = assignment->replicas[i].replica_id;
        packed->replicas[i].node_id = assignment->replicas[i].node_id;
        packed->replicas[i].lost = assignment->replicas[i].lost;
        packed->pointers[i] = &packed->replicas[i];
    }
    return &packed->message;
}

/** Few partitions have any, so they are allocated. False without memory. */
static bool pack_formers(struct packed_partition *packed, const struct metadata_partition *partition) {
    size_t count = partition->former_count;
    packed->formers = NULL;
    packed->former_pointers = NULL;
    if (count == 0)
        return true;
    packed->formers = calloc(count, sizeof *packed->formers);
    packed->former_pointers = calloc(count, sizeof(Lf__MetadataFormer *));
    if (!packed->formers || !packed->former_pointers)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct packed_former *former = &packed->formers[i];
        lf__metadata_former__init(&former->message);
        lf__metadata_replica__init(&former->replica);
        former->replica.replica_id = partition->formers[i].replica.replica_id;
        former->replica.node_id = partition->formers[i].replica.node_id;
        former->message.replica = &former->replica;
        former->message.retired = partition->formers[i].retired;
        packed->former_pointers[i] = &former->message;
    }
    packed->message.n_formers = count;
    packed->message.formers = packed->former_pointers;
    return true;
}

/** False without memory. */
static bool pack_partition(struct packed_partition *packed, const struct metadata_partition *partition) {
    lf__metadata_partition__init(&packed->message);
    packed->message.partition = partition->partition;
    packed->message.group = partition->group;
    packed->message.wanted = pack_assignment(&packed->wanted, &partition->wanted);
    packed->message.current = pack_assignment(&packed->current, &partition->current);
    return pack_formers(packed, partition);
}

static enum lf_status give_topic_row(const struct metadata_topic *topic, uint32_t number, const struct packing *packing,
                                     metadata_row_sink *sink, void *context) {
    Lf__MetadataTopic message = LF__METADATA_TOPIC__INIT;
    struct metadata_settings_packed settings;
    message.topic_id = topic->topic_id;
    if (number == 0) {
        metadata_settings_pack(&topic->settings, topic->settings_set, &settings);
        message.n_settings = settings.count;
        message.settings = settings.pointers;
        message.name = text(topic->name);
        message.replicas = topic->replicas;
        message.deleted = topic->deleted;
    }
    uint32_t first = number * METADATA_ROW_PARTITIONS, count = topic->partition_count - first;
    if (count > METADATA_ROW_PARTITIONS)
        count = METADATA_ROW_PARTITIONS;
    bool packed = true;
    for (uint32_t i = 0; i < count; i++) {
        packed &= pack_partition(&packing->packed[i], &topic->partitions[first + i]);
        packing->partitions[i] = &packing->packed[i].message;
    }
    message.n_partitions = count;
    message.partitions = packing->partitions;
    uint8_t key[METADATA_KEY_BYTES_MAX] = {'t'};
    lf_put_be64(key + 1, topic->topic_id);
    lf_put_be32(key + 9, number);
    enum lf_status status = packed ? give(lf_bytes(key, sizeof key), &message.base, sink, context) : LF_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        free(packing->packed[i].formers);
        free(packing->packed[i].former_pointers);
    }
    return status;
}

static uint32_t rows_of(const struct metadata_topic *topic) {
    return (topic->partition_count + METADATA_ROW_PARTITIONS - 1) / METADATA_ROW_PARTITIONS;
}

static enum lf_status give_topic_rows(const struct metadata_topic *topic, uint32_t from, uint32_t to,
                                      metadata_row_sink *sink, void *context) {
    size_t room = rows_of(topic) > 1 ? METADATA_ROW_PARTITIONS : topic->partition_count;
    struct packing packing = {.partitions = malloc(room * sizeof *packing.partitions),
                              .packed = malloc(room * sizeof *packing.packed)};
    enum lf_status status = packing.partitions && packing.packed ? LF_OK : LF_NO_MEMORY;
    for (uint32_t number = from; number < to && status == LF_OK; number++)
        status = give_topic_row(topic, number, &packing, sink, context);
    free(packing.packed);
    free(packing.partitions);
    return status;
}

enum lf_status metadata_rows_topic(const struct metadata_topic *topic, metadata_row_sink *sink, void *context) {
    return give_topic_rows(topic, 0, rows_of(topic), sink, context);
}

enum lf_status metadata_rows_topic_one(const struct metadata_topic *topic, uint32_t partition, metadata_row_sink *sink,
                                       void *context) {
    uint32_t number = partition / METADATA_ROW_PARTITIONS;
    return give_topic_rows(topic, number, number + 1, sink, context);
}

enum lf_status metadata_rows_configuration(const struct metadata *metadata, metadata_row_sink *sink, void *context) {
    if (metadata->configuration_index == 0)
        return LF_OK;
    size_t bytes = METADATA_CONFIGURATION_ROW_FIXED_BYTES + metadata->configuration_bytes;
    uint8_t *row = malloc(bytes);
    if (!row)
        return LF_NO_MEMORY;
    row[0] = METADATA_ROW_VERSION;
    lf_put_le64(row + 1, metadata->configuration_index);
    memcpy(row + METADATA_CONFIGURATION_ROW_FIXED_BYTES, metadata->configuration, metadata->configuration_bytes);
    enum lf_status status = sink(context, lf_bytes("c", 1), lf_bytes(row, bytes));
    free(row);
    return status;
}

enum lf_status metadata_rows_all(const struct metadata *metadata, metadata_row_sink *sink, void *context) {
    enum lf_status status = metadata_rows_configuration(metadata, sink, context);
    if (status == LF_OK)
        status = metadata_rows_counters(metadata, sink, context);
    for (size_t i = 0; i < metadata->node_count && status == LF_OK; i++)
        status = metadata_rows_node(&metadata->nodes[i], sink, context);
    for (size_t i = 0; i < metadata->topic_count && status == LF_OK; i++)
        status = metadata_rows_topic(metadata->topics[i], sink, context);
    return status;
}

static enum lf_status sum_up(void *context, struct lf_bytes key, struct lf_bytes value) {
    uint32_t *sum = context;
    *sum = lf_crc32c(lf_crc32c(*sum, key.data, key.size), value.data, value.size);
    return LF_OK;
}

uint32_t metadata_applied_checksum(const struct metadata *metadata) {
    uint8_t index[8];
    lf_put_le64(index, metadata->applied_index);
    uint32_t sum = lf_crc32c(0, index, sizeof index);
    return metadata_rows_all(metadata, sum_up, &sum) == LF_OK ? sum : 0;
}
