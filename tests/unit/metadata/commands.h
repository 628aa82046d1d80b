/** Group 0's log in tests: entries numbered by themselves, rows into an image. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "../partition/row_image.h"

#include "lf_buf.h"
#include "metadata.h"

#include <stdio.h>

#define REPLICAS_OF_GROUP_0 3

struct log0 {
    struct metadata *metadata;
    struct row_image image;
    struct log_store_write *write;
    uint64_t log_time_ms;
    struct lf_error error;
};

static inline void log0_open(struct log0 *log, const struct metadata_limits *limits) {
    *log = (struct log0){.metadata = metadata_new(limits), .write = log_store_write_new(0, 1), .log_time_ms = 100};
}

static inline void log0_flush(struct log0 *log) {
    row_image_write(&log->image, log->write, metadata_applied_index(log->metadata));
    log_store_write_destroy(&log->write);
    log->write = log_store_write_new(0, 1);
}

static inline void log0_close(struct log0 *log) {
    metadata_destroy(&log->metadata);
    log_store_write_destroy(&log->write);
    row_image_deinit(&log->image);
}

static inline enum lf_status log0_apply(struct log0 *log, uint8_t type, uint16_t flags, struct lf_bytes payload,
                                        struct metadata_applied *applied) {
    struct lf_entry_header header = {.type = type,
                                     .flags = flags,
                                     .payload_bytes = (uint32_t)payload.size,
                                     .index = metadata_applied_index(log->metadata) + 1,
                                     .term = 1,
                                     .log_time_ms = log->log_time_ms};
    return metadata_apply(log->metadata, &header, payload, log->write, applied, &log->error);
}

/** Takes the command. */
static inline struct metadata_applied log0_command(struct log0 *log, struct lf_buf *command) {
    struct metadata_applied applied = {.status = LF_INTERNAL};
    if (log0_apply(log, LF_ENTRY_METADATA, LF_ENTRY_MUST_UNDERSTAND, lf_buf_bytes(command), &applied) != LF_OK)
        applied.status = LF_INTERNAL;
    lf_buf_unref(&command);
    return applied;
}

/** A node as founders describe it; only node 1 has its store pinned. */
static inline struct metadata_node founding_node(uint64_t id) {
    struct metadata_node node = {.node_id = id,
                                 .host = "127.0.0.1",
                                 .client_port = 7700,
                                 .peer_port = 7701,
                                 .replica_id = id,
                                 .pinned = id == 1};
    if (node.pinned)
        memset(node.store_uuid, (int)id, sizeof node.store_uuid);
    return node;
}

static inline struct metadata_applied log0_found(struct log0 *log, uint64_t nodes) {
    static const uint8_t cluster_id[LOG_STORE_ID_BYTES] = "0123456789abcde";
    struct metadata_node list[32];
    for (uint64_t i = 0; i < nodes; i++) /* not in order */
        list[i] = founding_node(nodes - i);
    return log0_command(log, metadata_command_found(cluster_id, "flume", list, nodes));
}

static inline struct metadata_applied log0_create(struct log0 *log, const char *name, uint32_t partitions,
                                                  uint32_t replicas) {
    return log0_command(log, metadata_command_create_topic(name, partitions, replicas, NULL));
}

/** A node that was added and has shown its store (its UUID is made of `store`). */
static inline struct metadata_applied log0_join(struct log0 *log, uint64_t node_id, uint8_t store) {
    uint8_t uuid[LOG_STORE_ID_BYTES] = {store, 0xee};
    char host[16];
    snprintf(host, sizeof host, "host%d", (int)node_id);
    struct metadata_applied added = log0_command(log, metadata_command_add_node(node_id, host, 7700, 7701));
    if (added.status == LF_OK)
        log0_command(log, metadata_command_pin(node_id, uuid));
    return added;
}

/** To the nodes listed, 0 ends the list. */
static inline struct metadata_applied log0_move(struct log0 *log, uint64_t topic_id, uint32_t partition,
                                                const uint64_t *nodes) {
    size_t count = 0;
    while (nodes[count] != 0)
        count++;
    return log0_command(log, metadata_command_move(topic_id, partition, nodes, count));
}
#define NODES(...) ((const uint64_t[]){__VA_ARGS__, 0})

static inline struct metadata_applied log0_report(struct log0 *log, uint64_t group, uint64_t epoch) {
    return log0_command(log, metadata_command_report(group, epoch));
}

#endif
