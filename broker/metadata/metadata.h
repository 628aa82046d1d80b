/** The state machine of group 0: nodes, topics, assignments, counters. Pure and total: every command's outcome is
 *  computed when it is applied, and told to whoever asked.
 *
 *  Invariants:
 *   M1  the state is a function of the entries applied
 *   M2  group, topic, replica and producer ids come from counters that only rise; none is ever reused
 *   M3  a deleted topic stays as a tombstone for ever; its name may be used again under a new id
 *   M4  replicas of a partition are on different nodes; leaders-to-be (first replicas) are spread over the nodes
 *   M5  a store UUID, once pinned, changes only by an explicit command (not in this version)
 */
#ifndef METADATA_H
#define METADATA_H

#include "lf_bytes.h"
#include "lf_entry.h"
#include "log_store.h"

#define METADATA_REPLICAS_MAX 7
#define METADATA_TOPIC_NAME_BYTES_MAX 249
#define METADATA_HOST_BYTES_MAX 256
#define METADATA_CLUSTER_NAME_BYTES_MAX 128
#define METADATA_NODES_MAX 1024
/** Bounds whatever the configured ones are; the same in every version that shares a log. */
#define METADATA_PARTITIONS_PER_TOPIC_HARD 100000u
#define METADATA_PARTITIONS_HARD 1000000u

struct metadata_node {
    uint64_t node_id;
    char host[METADATA_HOST_BYTES_MAX];
    uint32_t client_port, peer_port;
    bool pinned;
    uint8_t store_uuid[LOG_STORE_ID_BYTES];
    uint64_t replica_id; /**< in group 0 */
};

struct metadata_replica {
    uint64_t replica_id, node_id;
};
struct metadata_assignment {
    uint64_t epoch;
    struct metadata_replica replicas[METADATA_REPLICAS_MAX];
    size_t replica_count;
};
struct metadata_partition {
    uint32_t partition;
    uint64_t group;
    uint64_t topic_id;
    struct metadata_assignment wanted, current;
};
struct metadata_topic {
    uint64_t topic_id;
    char name[METADATA_TOPIC_NAME_BYTES_MAX + 1];
    uint32_t replicas;
    struct metadata_partition *partitions;
    uint32_t partition_count;
    bool deleted;
};

struct metadata_limits {
    uint32_t topics_max;               /**< [10000] not deleted ones */
    uint32_t partitions_per_topic_max; /**< [10000] */
    uint32_t partitions_max;           /**< [100000] in the cluster */
};

struct metadata;
struct metadata *metadata_new(const struct metadata_limits *limits); /**< NULL without memory; caller destroys */
void metadata_destroy(struct metadata **metadata);
enum lf_status metadata_load(struct metadata *metadata, uint64_t applied_index, const struct log_store_row *rows,
                             size_t row_count, struct lf_error *error);

/** Build command payloads (Lf__MetadataCommand). Return (caller unrefs) the bytes, or NULL without memory. */
struct lf_buf *metadata_command_found(const uint8_t cluster_id[LOG_STORE_ID_BYTES], const char *cluster_name,
                                      const struct metadata_node *nodes, size_t count);
struct lf_buf *metadata_command_pin(uint64_t node_id, const uint8_t store_uuid[LOG_STORE_ID_BYTES]);
struct lf_buf *metadata_command_create_topic(const char *name, uint32_t partitions, uint32_t replicas);
struct lf_buf *metadata_command_delete_topic(uint64_t topic_id);
struct lf_buf *metadata_command_take_producers(uint32_t count);

/** Limits are judged here alone: they may differ between nodes, and what is in the log means the same on all of them.
 *  Judge a create before it is appended, in words: name, counts, limits, enough nodes (a later apply may still say
 *  TOPIC_EXISTS). LF_OK, LF_INVALID, LF_TOPIC_EXISTS, LF_OVERLOADED (limits). */
enum lf_status metadata_judge_create(const struct metadata *metadata, struct lf_bytes name, uint32_t partitions,
                                     uint32_t replicas, struct lf_error *error);

/** What applying did. */
struct metadata_applied {
    enum lf_status status; /**< LF_OK, LF_TOPIC_EXISTS, LF_TOPIC_UNKNOWN, LF_INVALID, LF_OVERLOADED, LF_EXISTS, ... */
    char text[LF_ERROR_TEXT_BYTES];
    bool founded;
    const struct metadata_topic *created; /**< borrowed until the next apply */
    const struct metadata_topic *deleted; /**< its groups are to be destroyed */
    int64_t first_producer_id;            /**< TakeProducerIds */
};
/** Apply the next entry of group 0 (any type). Adds changed rows to write (NULL: none wanted). LF_OK, LF_INTERNAL,
 *  LF_NO_MEMORY (the machine must be loaded again), LF_UNSUPPORTED (a type with "must be understood", or a command,
 *  that only a newer version knows). A command that cannot be decoded is LF_INTERNAL. When not LF_OK `write` is as it
 *  was. Outcomes in applied->status besides those named: LF_NOT_READY before the cluster is founded, LF_NOT_FOUND for
 * an unknown node, LF_TOPIC_DELETED for a delete that was done before. */
enum lf_status metadata_apply(struct metadata *metadata, const struct lf_entry_header *header, struct lf_bytes payload,
                              struct log_store_write *write, struct metadata_applied *applied, struct lf_error *error);

/** The configuration entry in force as of what is applied. False: none yet. payload borrowed until the next apply. */
bool metadata_configuration(const struct metadata *metadata, uint64_t *index, struct lf_bytes *payload);
uint64_t metadata_applied_index(const struct metadata *metadata);
uint64_t metadata_log_time_ms(const struct metadata *metadata);
bool metadata_founded(const struct metadata *metadata);
const uint8_t *metadata_cluster_id(const struct metadata *metadata);
const char *metadata_cluster_name(const struct metadata *metadata);
const struct metadata_node *metadata_node(const struct metadata *metadata, uint64_t node_id); /**< NULL: unknown */
size_t metadata_nodes(const struct metadata *metadata, const struct metadata_node **nodes);
/** Live topic by name; NULL: none. */
const struct metadata_topic *metadata_topic_by_name(const struct metadata *metadata, struct lf_bytes name);
/** By id, deleted ones included; NULL: never existed. */
const struct metadata_topic *metadata_topic_by_id(const struct metadata *metadata, uint64_t topic_id);
/** Partition by group; NULL: none such. Also of deleted topics. */
const struct metadata_partition *metadata_partition_by_group(const struct metadata *metadata, uint64_t group);
/** Walk all topics, deleted included, by rising id: start with *cursor 0; NULL at the end. */
const struct metadata_topic *metadata_next_topic(const struct metadata *metadata, size_t *cursor);
size_t metadata_topic_count(const struct metadata *metadata);     /**< live ones */
size_t metadata_partition_count(const struct metadata *metadata); /**< of live topics */
uint32_t metadata_applied_checksum(const struct metadata *metadata);
/** Name rule: 1-249 of [a-zA-Z0-9._-], not "." or "..". */
bool metadata_topic_name_valid(struct lf_bytes name);

#endif
