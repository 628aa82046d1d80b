/** Applying: each command's outcome is computed here, on every replica alike. */
#include "metadata_outcome.h"

#include "log_row.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum lf_status metadata_outcome(struct metadata_applied *applied, const struct lf_error *error) {
    applied->status = error->code;
    memcpy(applied->text, error->text, sizeof applied->text);
    return LF_OK;
}

enum lf_status metadata_refuse(struct metadata_applied *applied, enum lf_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    applied->status = status;
    vsnprintf(applied->text, sizeof applied->text, format, args);
    va_end(args);
    return LF_OK;
}

static int by_node_id(const void *a, const void *b) {
    uint64_t x = ((const struct metadata_node *)a)->node_id, y = ((const struct metadata_node *)b)->node_id;
    return (x > y) - (x < y);
}

/** Node ids, replica ids and store UUIDs are all different. */
static enum lf_status judge_nodes(const struct metadata_node *nodes, size_t count, struct lf_error *error) {
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++) {
            bool same_store = nodes[i].pinned && nodes[k].pinned &&
                              memcmp(nodes[i].store_uuid, nodes[k].store_uuid, LOG_STORE_ID_BYTES) == 0;
            if (nodes[i].node_id == nodes[k].node_id || nodes[i].replica_id == nodes[k].replica_id || same_store)
                return lf_error_set(error, LF_INVALID, "nodes %" PRIu64 " and %" PRIu64 " share an id",
                                    nodes[k].node_id, nodes[i].node_id);
        }
    return LF_OK;
}

static enum lf_status take_nodes(const Lf__FoundCluster *found, struct metadata_node *nodes, struct lf_error *error) {
    for (size_t i = 0; i < found->n_nodes; i++)
        if (metadata_node_take(found->nodes[i], &nodes[i], error) != LF_OK)
            return error->code;
    qsort(nodes, found->n_nodes, sizeof *nodes, by_node_id);
    return judge_nodes(nodes, found->n_nodes, error);
}

static enum lf_status apply_found(struct metadata *metadata, const Lf__FoundCluster *found,
                                  struct metadata_applied *applied, struct metadata_changes *changes) {
    size_t name = strlen(found->cluster_name);
    if (metadata->founded)
        return metadata_refuse(applied, LF_EXISTS, "the cluster is founded already");
    if (!metadata_id_valid(found->cluster_id) || name >= METADATA_CLUSTER_NAME_BYTES_MAX)
        return metadata_refuse(applied, LF_INVALID, "a cluster id of %zu bytes and a name of %zu",
                               found->cluster_id.len, name);
    if (found->n_nodes == 0 || found->n_nodes > METADATA_LIVE_NODES_MAX)
        return metadata_refuse(applied, LF_INVALID, "%zu founding nodes: 1 to %d can be", found->n_nodes,
                               METADATA_LIVE_NODES_MAX);
    struct metadata_node *nodes = calloc(found->n_nodes, sizeof *nodes);
    struct lf_error error;
    if (!nodes)
        return LF_NO_MEMORY;
    if (take_nodes(found, nodes, &error) != LF_OK) {
        free(nodes);
        return metadata_outcome(applied, &error);
    }
    metadata->founded = applied->founded = applied->nodes = changes->all_nodes = true;
    memcpy(metadata->cluster_id, found->cluster_id.data, LOG_STORE_ID_BYTES);
    memcpy(metadata->cluster_name, found->cluster_name, name + 1);
    metadata->nodes = nodes;
    metadata->node_count = found->n_nodes;
    for (size_t i = 0; i < found->n_nodes; i++)
        if (nodes[i].replica_id >= metadata->next_replica)
            metadata->next_replica = nodes[i].replica_id + 1;
    return LF_OK;
}

static enum lf_status apply_create(struct metadata *metadata, const Lf__CreateTopicCommand *create,
                                   struct metadata_applied *applied, struct metadata_changes *changes) {
    static const struct metadata_limits hard = {.topics_max = UINT32_MAX,
                                                .partitions_per_topic_max = METADATA_PARTITIONS_PER_TOPIC_HARD,
                                                .partitions_max = METADATA_PARTITIONS_HARD};
    struct lf_bytes name = lf_bytes_text(create->name);
    struct lf_error error;
    if (metadata_judge_create_under(metadata, &hard, name, create->partitions, create->replicas, &error) != LF_OK)
        return metadata_outcome(applied, &error);
    struct metadata_topic *topic = metadata_topic_new(metadata->next_topic, name, create->partitions, create->replicas);
    if (!topic)
        return LF_NO_MEMORY;
    metadata->next_topic++;
    for (uint32_t i = 0; i < topic->partition_count; i++) {
        struct metadata_partition *partition = &topic->partitions[i];
        partition->partition = i;
        partition->topic_id = topic->topic_id;
        partition->group = metadata->next_group++;
        metadata_place(metadata, partition->group, create->replicas, &metadata->next_replica, &partition->wanted);
        partition->current = partition->wanted;
    }
    metadata_settings_take(topic, create->settings, create->n_settings);
    if (!metadata_enter_topic(metadata, topic))
        return LF_NO_MEMORY;
    applied->created = changes->topic = topic;
    return LF_OK;
}

static enum lf_status apply_delete(struct metadata *metadata, const Lf__DeleteTopicCommand *delete,
                                   struct metadata_applied *applied, struct metadata_changes *changes) {
    struct metadata_topic *topic = lf_map_get(&metadata->topics_by_id, delete->topic_id);
    if (!topic)
        return metadata_refuse(applied, LF_TOPIC_UNKNOWN, "there never was a topic with id %" PRIu64, delete->topic_id);
    if (topic->deleted)
        return metadata_refuse(applied, LF_TOPIC_DELETED, "topic %.200s was deleted before", topic->name);
    metadata_bury_topic(metadata, topic);
    applied->deleted = changes->topic = topic;
    changes->one_row = true; /* the first one says so */
    return LF_OK;
}

static enum lf_status apply_take(struct metadata *metadata, const Lf__TakeProducerIds *take,
                                 struct metadata_applied *applied) {
    if (take->count == 0)
        return metadata_refuse(applied, LF_INVALID, "0 producer ids are wanted");
    if (metadata->next_producer > (uint64_t)INT64_MAX - take->count)
        return metadata_refuse(applied, LF_OVERLOADED, "there are no more producer ids");
    applied->first_producer_id = (int64_t)metadata->next_producer;
    metadata->next_producer += take->count;
    return LF_OK;
}

static enum lf_status apply_command(struct metadata *metadata, const Lf__MetadataCommand *command,
                                    struct metadata_applied *applied, struct metadata_changes *changes) {
    if (command->body_case == LF__METADATA_COMMAND__BODY_FOUND_CLUSTER)
        return apply_found(metadata, command->found_cluster, applied, changes);
    if (!metadata->founded)
        return metadata_refuse(applied, LF_NOT_READY, "the cluster is not founded yet");
    switch (command->body_case) {
    case LF__METADATA_COMMAND__BODY_PIN_STORE:
        return metadata_apply_pin(metadata, command->pin_store, applied, changes);
    case LF__METADATA_COMMAND__BODY_CREATE_TOPIC:
        return apply_create(metadata, command->create_topic, applied, changes);
    case LF__METADATA_COMMAND__BODY_DELETE_TOPIC:
        return apply_delete(metadata, command->delete_topic, applied, changes);
    case LF__METADATA_COMMAND__BODY_ALTER_TOPIC:
        return metadata_apply_alter(metadata, command->alter_topic, applied, changes);
    case LF__METADATA_COMMAND__BODY_TAKE_PRODUCER_IDS:
        return apply_take(metadata, command->take_producer_ids, applied);
    case LF__METADATA_COMMAND__BODY_ADD_NODE:
        return metadata_apply_add(metadata, command->add_node, applied, changes);
    case LF__METADATA_COMMAND__BODY_REMOVE_NODE:
        return metadata_apply_remove(metadata, command->remove_node, applied, changes);
    case LF__METADATA_COMMAND__BODY_DRAIN_NODE:
        return metadata_apply_drain(metadata, command->drain_node, applied, changes);
    case LF__METADATA_COMMAND__BODY_MOVE_PARTITION:
        return metadata_apply_move(metadata, command->move_partition, applied, changes);
    case LF__METADATA_COMMAND__BODY_REPORT_CURRENT:
        return metadata_apply_report(metadata, command->report_current, applied, changes);
    case LF__METADATA_COMMAND__BODY_FORGET_REPLICA:
        return metadata_apply_forget(metadata, command->forget_replica, applied, changes);
    case LF__METADATA_COMMAND__BODY_REPLACE_STORE:
        return metadata_apply_replace(metadata, command->replace_store, applied, changes);
    default:
        return LF_INTERNAL; /* judged before: check_command */
    }
}

/** Index and log time follow, and the type belongs here. */
static enum lf_status check(const struct metadata *metadata, const struct lf_entry_header *header, size_t payload_bytes,
                            struct lf_error *error) {
    if (metadata->broken)
        return lf_error_set(error, LF_INTERNAL, "memory ran out while applying entry %" PRIu64 ": load it again",
                            metadata->applied_index);
    if (header->index != metadata->applied_index + 1)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 " after entry %" PRIu64, header->index,
                            metadata->applied_index);
    if (header->log_time_ms < metadata->log_time_ms)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": log time %" PRIu64 " after %" PRIu64, header->index,
                            header->log_time_ms, metadata->log_time_ms);
    if (header->type == LF_ENTRY_BATCH || header->type == LF_ENTRY_PRODUCER)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": type %u does not belong in group 0", header->index,
                            header->type);
    if (header->type == LF_ENTRY_CONFIGURATION && payload_bytes > METADATA_CONFIGURATION_BYTES_MAX)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": a configuration of %zu bytes", header->index,
                            payload_bytes);
    if (header->type == LF_ENTRY_OFFSET_JUMP && metadata->next_producer > (uint64_t)(INT64_MAX - LF_OFFSET_JUMP))
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": producer ids are used up", header->index);
    if (header->type > LF_ENTRY_TYPE_MAX_KNOWN && (header->flags & LF_ENTRY_MUST_UNDERSTAND))
        return lf_error_set(error, LF_UNSUPPORTED, "entry %" PRIu64 " of type %u is newer: upgrade this node",
                            header->index, header->type);
    return LF_OK;
}

/** LF_OK with *command (caller frees), LF_INTERNAL, LF_UNSUPPORTED. */
static enum lf_status decode(const struct lf_entry_header *header, struct lf_bytes payload,
                             Lf__MetadataCommand **command, struct lf_error *error) {
    *command = lf__metadata_command__unpack(NULL, payload.size, payload.data);
    if (!*command)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": a command of %zu bytes cannot be read",
                            header->index, payload.size);
    if ((*command)->body_case != LF__METADATA_COMMAND__BODY__NOT_SET && metadata_settings_known_in(*command))
        return LF_OK;
    lf__metadata_command__free_unpacked(*command, NULL);
    *command = NULL;
    return lf_error_set(error, LF_UNSUPPORTED, "entry %" PRIu64 ": a newer command: upgrade this node", header->index);
}

static enum lf_status add_row(void *context, struct lf_bytes key, struct lf_bytes value) {
    return log_store_write_add_row(context, key, value);
}

static enum lf_status add_rows(const struct metadata *metadata, const struct metadata_changes *changes,
                               struct log_store_write *write) {
    enum lf_status status = metadata_rows_counters(metadata, add_row, write);
    if (status == LF_OK && changes->configuration)
        status = metadata_rows_configuration(metadata, add_row, write);
    if (status == LF_OK && changes->node)
        status = metadata_rows_node(changes->node, add_row, write);
    for (size_t i = 0; changes->all_nodes && i < metadata->node_count && status == LF_OK; i++)
        status = metadata_rows_node(&metadata->nodes[i], add_row, write);
    if (status == LF_OK && changes->topic && changes->one_row)
        status = metadata_rows_topic_one(changes->topic, changes->partition, add_row, write);
    else if (status == LF_OK && changes->topic)
        status = metadata_rows_topic(changes->topic, add_row, write);
    for (size_t i = 0; changes->all_topics && i < metadata->topic_count && status == LF_OK; i++)
        status = metadata_rows_topic(metadata->topics[i], add_row, write);
    return status;
}

static enum lf_status advance(struct metadata *metadata, const struct lf_entry_header *header, struct lf_bytes payload,
                              const Lf__MetadataCommand *command, struct log_store_write *write,
                              struct metadata_applied *applied) {
    struct metadata_changes changes = {0};
    enum lf_status status = LF_OK;
    metadata->applied_index = header->index;
    metadata->log_time_ms = header->log_time_ms;
    if (command)
        status = apply_command(metadata, command, applied, &changes);
    if (header->type == LF_ENTRY_CONFIGURATION) {
        changes.configuration = true;
        status = metadata_set_configuration(metadata, header->index, payload);
    }
    if (header->type == LF_ENTRY_OFFSET_JUMP) { /* M2: whoever was lost may have given some */
        metadata->next_replica += (uint64_t)LF_OFFSET_JUMP;
        metadata->next_producer += (uint64_t)LF_OFFSET_JUMP;
    }
    if (status == LF_OK && write)
        status = add_rows(metadata, &changes, write);
    return status;
}

enum lf_status metadata_apply(struct metadata *metadata, const struct lf_entry_header *header, struct lf_bytes payload,
                              struct log_store_write *write, struct metadata_applied *applied, struct lf_error *error) {
    Lf__MetadataCommand *command = NULL;
    struct metadata_applied done = {.status = LF_OK, .first_producer_id = -1};
    enum lf_status status = check(metadata, header, payload.size, error);
    if (status == LF_OK && header->type == LF_ENTRY_METADATA)
        status = decode(header, payload, &command, error);
    if (status != LF_OK)
        return status;
    uint32_t rows_before = write ? write->row_count : 0;
    size_t bytes_before = write ? write->bytes : 0;
    status = advance(metadata, header, payload, command, write, &done);
    if (command)
        lf__metadata_command__free_unpacked(command, NULL);
    if (status != LF_OK) {
        while (write && write->row_count > rows_before)
            log_row_deinit(&write->rows[--write->row_count]);
        if (write)
            write->bytes = bytes_before;
        metadata->broken = true;
        return lf_error_set(error, status, "entry %" PRIu64 " cannot be applied: %s", header->index,
                            lf_status_name(status));
    }
    if (applied)
        *applied = done;
    return LF_OK;
}
