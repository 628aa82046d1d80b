/** Building command payloads. */
#include "metadata_settings.h"

#include <stdlib.h>

static struct lf_buf *pack(const Lf__MetadataCommand *command) {
    struct lf_buf *buf = lf_buf_new(lf__metadata_command__get_packed_size(command));
    if (buf)
        lf__metadata_command__pack(command, buf->data);
    return buf;
}

static char *text(const char *borrowed) { return (char *)(uintptr_t)borrowed; } /* protobuf-c knows no const */
static ProtobufCBinaryData id_bytes(const uint8_t *id) {
    return (ProtobufCBinaryData){.len = LOG_STORE_ID_BYTES, .data = (uint8_t *)(uintptr_t)id};
}

static void fill_node(Lf__MetadataNode *message, const struct metadata_node *node) {
    lf__metadata_node__init(message);
    message->node_id = node->node_id;
    message->host = text(node->host);
    message->client_port = node->client_port;
    message->peer_port = node->peer_port;
    message->replica_id = node->replica_id;
    if (node->pinned)
        message->store_uuid = id_bytes(node->store_uuid);
}

struct lf_buf *metadata_command_found(const uint8_t cluster_id[LOG_STORE_ID_BYTES], const char *cluster_name,
                                      const struct metadata_node *nodes, size_t count) {
    Lf__FoundCluster found = LF__FOUND_CLUSTER__INIT;
    Lf__MetadataNode *messages = calloc(count + 1, sizeof *messages);
    Lf__MetadataNode **pointers = calloc(count + 1, sizeof *pointers);
    struct lf_buf *buf = NULL;
    if (messages && pointers) {
        for (size_t i = 0; i < count; i++) {
            fill_node(&messages[i], &nodes[i]);
            pointers[i] = &messages[i];
        }
        found.cluster_id = id_bytes(cluster_id);
        found.cluster_name = text(cluster_name);
        found.n_nodes = count;
        found.nodes = pointers;
        Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
        command.body_case = LF__METADATA_COMMAND__BODY_FOUND_CLUSTER;
        command.found_cluster = &found;
        buf = pack(&command);
    }
    free(pointers);
    free(messages);
    return buf;
}

struct lf_buf *metadata_command_pin(uint64_t node_id, const uint8_t store_uuid[LOG_STORE_ID_BYTES]) {
    Lf__PinStore pin = LF__PIN_STORE__INIT;
    pin.node_id = node_id;
    pin.store_uuid = id_bytes(store_uuid);
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    command.body_case = LF__METADATA_COMMAND__BODY_PIN_STORE;
    command.pin_store = &pin;
    return pack(&command);
}

struct lf_buf *metadata_command_create_topic(const char *name, uint32_t partitions, uint32_t replicas,
                                             const struct topic_settings_change *settings) {
    Lf__CreateTopicCommand create = LF__CREATE_TOPIC_COMMAND__INIT;
    struct metadata_settings_packed packed = {.count = 0};
    if (settings)
        metadata_settings_pack(&settings->values, settings->set, &packed);
    create.n_settings = packed.count;
    create.settings = packed.pointers;
    create.name = text(name);
    create.partitions = partitions;
    create.replicas = replicas;
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    command.body_case = LF__METADATA_COMMAND__BODY_CREATE_TOPIC;
    command.create_topic = &create;
    return pack(&command);
}

struct lf_buf *metadata_command_delete_topic(uint64_t topic_id) {
    Lf__DeleteTopicCommand delete = LF__DELETE_TOPIC_COMMAND__INIT;
    delete.topic_id = topic_id;
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    command.body_case = LF__METADATA_COMMAND__BODY_DELETE_TOPIC;
    command.delete_topic = &delete;
    return pack(&command);
}

struct lf_buf *metadata_command_alter_topic(uint64_t topic_id, const struct topic_settings_change *change) {
    Lf__AlterTopicCommand alter = LF__ALTER_TOPIC_COMMAND__INIT;
    struct metadata_settings_packed packed;
    uint32_t reset[TOPIC_SETTINGS_COUNT];
    metadata_settings_pack(&change->values, change->set, &packed);
    alter.topic_id = topic_id;
    alter.n_set = packed.count;
    alter.set = packed.pointers;
    alter.reset = reset;
    for (int row = 0; row < TOPIC_SETTINGS_COUNT; row++)
        if (change->reset & (UINT32_C(1) << row))
            reset[alter.n_reset++] = topic_setting_rows[row].number;
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    command.body_case = LF__METADATA_COMMAND__BODY_ALTER_TOPIC;
    command.alter_topic = &alter;
    return pack(&command);
}

struct lf_buf *metadata_command_take_producers(uint32_t count) {
    Lf__TakeProducerIds take = LF__TAKE_PRODUCER_IDS__INIT;
    take.count = count;
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    command.body_case = LF__METADATA_COMMAND__BODY_TAKE_PRODUCER_IDS;
    command.take_producer_ids = &take;
    return pack(&command);
}

struct lf_buf *metadata_command_add_node(uint64_t node_id, const char *host, uint32_t client_port, uint32_t peer_port) {
    Lf__AddNodeCommand add = LF__ADD_NODE_COMMAND__INIT;
    add.node_id = node_id;
    add.host = text(host);
    add.client_port = client_port;
    add.peer_port = peer_port;
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    command.body_case = LF__METADATA_COMMAND__BODY_ADD_NODE;
    command.add_node = &add;
    return pack(&command);
}

struct lf_buf *metadata_command_remove_node(uint64_t node_id, uint64_t replica_id) {
    Lf__RemoveNodeCommand remove = LF__REMOVE_NODE_COMMAND__INIT;
    remove.node_id = node_id;
    remove.replica_id = replica_id;
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    command.body_case = LF__METADATA_COMMAND__BODY_REMOVE_NODE;
    command.remove_node = &remove;
    return pack(&command);
}

struct lf_buf *metadata_command_drain_node(uint64_t node_id, bool stop) {
    Lf__DrainNodeCommand drain = LF__DRAIN_NODE_COMMAND__INIT;
    drain.node_id = node_id;
    drain.stop = stop;
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    command.body_case = LF__METADATA_COMMAND__BODY_DRAIN_NODE;
    command.drain_node = &drain;
    return pack(&command);
}

struct lf_buf *metadata_command_move(uint64_t topic_id, uint32_t partition, const uint64_t *nodes, size_t count) {
    Lf__MovePartitionCommand move = LF__MOVE_PARTITION_COMMAND__INIT;
    move.topic_id = topic_id;
    move.partition = partition;
    move.n_nodes = count;
    move.nodes = (uint64_t *)(uintptr_t)nodes; /* packed, never written */
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    command.body_case = LF__METADATA_COMMAND__BODY_MOVE_PARTITION;
    command.move_partition = &move;
    return pack(&command);
}

struct lf_buf *metadata_command_report(uint64_t group, uint64_t epoch) {
    Lf__ReportCurrent report = LF__REPORT_CURRENT__INIT;
    report.group = group;
    report.epoch = epoch;
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    command.body_case = LF__METADATA_COMMAND__BODY_REPORT_CURRENT;
    command.report_current = &report;
    return pack(&command);
}

struct lf_buf *metadata_command_replace_store(uint64_t node_id, const uint8_t store_uuid[LOG_STORE_ID_BYTES]) {
    Lf__ReplaceStore replace = LF__REPLACE_STORE__INIT;
    replace.node_id = node_id;
    replace.store_uuid = (ProtobufCBinaryData){.len = LOG_STORE_ID_BYTES, .data = (uint8_t *)(uintptr_t)store_uuid};
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    command.body_case = LF__METADATA_COMMAND__BODY_REPLACE_STORE;
    command.replace_store = &replace;
    return pack(&command);
}

struct lf_buf *metadata_command_forget(uint64_t group, uint64_t replica_id) {
    Lf__ForgetReplica forget = LF__FORGET_REPLICA__INIT;
    forget.group = group;
    forget.replica_id = replica_id;
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    command.body_case = LF__METADATA_COMMAND__BODY_FORGET_REPLICA;
    command.forget_replica = &forget;
    return pack(&command);
}
