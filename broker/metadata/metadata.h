/** The state machine of group 0: nodes, topics, assignments, counters. Pure and total: every command's outcome is
 *  computed when it is applied, and told to whoever asked.
 *
 *  Invariants:
 *   M1  the state is a function of the entries applied
 *   M2  group, topic, replica and producer ids come from counters that only rise; none is ever reused. After a lost
 *       majority (an OFFSET_JUMP) those of replicas and producers go on 2^32 behind, since stores and clients may have
 *       ids that this log never gave
 *   M3  a deleted topic stays as a tombstone for ever; its name may be used again under a new id
 *   M4  replicas of a partition are on different nodes; leaders-to-be (first replicas) are spread over the nodes
 *   M5  a store UUID is pinned once, to one node. Only removing the node, or replacing its store, takes it away, and
 *       then it is never pinned again: neither to this node nor to another
 *   M6  the record of a node stays for ever. A removed node that is added again has another replica in group 0 and no
 *       store; so all replicas that its present store may hold have greater ids than its replica in group 0
 *   M7  of one partition a node has at most one replica that lives: in wanted, in current, or put aside (it was wanted
 *       once, and a newer wish came before that one was reached). A node that stays, or is wanted again, keeps it
 *   M8  current.epoch <= wanted.epoch; equal epochs mean equal replicas. Epochs of a partition only rise
 *   M9  a replica is retired when the group has reached an assignment without it, and only then; the record stands
 *       until its node says that it is destroyed, or until the node is removed or its store replaced
 *   M10 a replica that was lost with its store stands in current alone, marked so, until the group has reached an
 *       assignment without it. It lives no more: a node that stays, or is wanted again, gets a new one
 */
#ifndef METADATA_H
#define METADATA_H

#include "lf_bytes.h"
#include "lf_entry.h"
#include "log_store.h"
#include "topic_settings.h"

#define METADATA_REPLICAS_MAX 7
#define METADATA_TOPIC_NAME_BYTES_MAX 249
#define METADATA_HOST_BYTES_MAX 256
#define METADATA_CLUSTER_NAME_BYTES_MAX 128
/** Records of nodes, removed ones included; and nodes that are in the cluster. */
#define METADATA_NODES_MAX 1024
#define METADATA_LIVE_NODES_MAX 16
/** Stores that one node had before it was removed or its store replaced: the newest. A node that was removed so often
 *  comes back under another id. */
#define METADATA_OLD_STORES_MAX 8
/** Replicas of a partition that are put aside or retired. Moves wait until some are destroyed. */
#define METADATA_FORMERS_MAX 32
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
    bool removed;        /**< only the record is left */
    bool draining;       /**< nothing new is placed on it, and what it has moves away */
    bool joining;        /**< added, and its store was not seen yet */
    uint8_t old_stores[METADATA_OLD_STORES_MAX][LOG_STORE_ID_BYTES]; /**< pinned before, oldest first */
    size_t old_store_count;
};

/** A founder has a store from the beginning, pinned or not; an added node has none before it is pinned. */
static inline bool metadata_node_has_store(const struct metadata_node *node) {
    return !node->removed && !node->joining;
}

struct metadata_replica {
    uint64_t replica_id, node_id;
    bool lost; /**< M10 */
};
struct metadata_assignment {
    uint64_t epoch;
    struct metadata_replica replicas[METADATA_REPLICAS_MAX];
    size_t replica_count;
};
/** A replica in neither assignment. */
struct metadata_former {
    struct metadata_replica replica;
    bool retired; /**< its node destroys it; else put aside: its fate hangs on the move under way */
};
struct metadata_partition {
    uint32_t partition;
    uint64_t group;
    uint64_t topic_id;
    struct metadata_assignment wanted, current;
    struct metadata_former *formers; /**< by rising replica id; NULL: none */
    size_t former_count;
};
struct metadata_topic {
    uint64_t topic_id;
    char name[METADATA_TOPIC_NAME_BYTES_MAX + 1];
    uint32_t replicas;
    struct metadata_partition *partitions;
    uint32_t partition_count;
    struct topic_settings settings;
    uint32_t settings_set; /**< bit per row of topic_setting_rows: not the default's */
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
/** LF_OK, LF_DAMAGED, LF_NO_MEMORY, LF_UNSUPPORTED (what only a newer version knows); in words. */
enum lf_status metadata_load(struct metadata *metadata, uint64_t applied_index, const struct log_store_row *rows,
                             size_t row_count, struct lf_error *error);

/** Build command payloads (Lf__MetadataCommand). Return (caller unrefs) the bytes, or NULL without memory. */
struct lf_buf *metadata_command_found(const uint8_t cluster_id[LOG_STORE_ID_BYTES], const char *cluster_name,
                                      const struct metadata_node *nodes, size_t count);
struct lf_buf *metadata_command_pin(uint64_t node_id, const uint8_t store_uuid[LOG_STORE_ID_BYTES]);
/** settings: what is set in it; NULL: nothing. */
struct lf_buf *metadata_command_create_topic(const char *name, uint32_t partitions, uint32_t replicas,
                                             const struct topic_settings_change *settings);
struct lf_buf *metadata_command_alter_topic(uint64_t topic_id, const struct topic_settings_change *change);
struct lf_buf *metadata_command_delete_topic(uint64_t topic_id);
struct lf_buf *metadata_command_take_producers(uint32_t count);
struct lf_buf *metadata_command_add_node(uint64_t node_id, const char *host, uint32_t client_port, uint32_t peer_port);
struct lf_buf *metadata_command_remove_node(uint64_t node_id, uint64_t replica_id);
struct lf_buf *metadata_command_drain_node(uint64_t node_id, bool stop);
struct lf_buf *metadata_command_move(uint64_t topic_id, uint32_t partition, const uint64_t *nodes, size_t count);
/** The group has reached the assignment of this epoch. */
struct lf_buf *metadata_command_report(uint64_t group, uint64_t epoch);
/** Take this new store in place of the node's, which is lost. */
struct lf_buf *metadata_command_replace_store(uint64_t node_id, const uint8_t store_uuid[LOG_STORE_ID_BYTES]);
/** The retired replica is destroyed. */
struct lf_buf *metadata_command_forget(uint64_t group, uint64_t replica_id);

/** Limits are judged here alone: they may differ between nodes, and what is in the log means the same on all of them.
 *  Judge a create before it is appended, in words: name, counts, limits, enough nodes (a later apply may still say
 *  TOPIC_EXISTS). LF_OK, LF_INVALID, LF_TOPIC_EXISTS, LF_OVERLOADED (limits). */
enum lf_status metadata_judge_create(const struct metadata *metadata, struct lf_bytes name, uint32_t partitions,
                                     uint32_t replicas, struct lf_error *error);

/** May the node's store be given up for lost? Not while a partition, by its current or its wanted replicas, would have
 *  no majority left among those whose node `up` says runs (NULL: all do). LF_OK; LF_NOT_READY names one and says what
 *  helps, LF_INVALID for a node that has none. */
enum lf_status metadata_judge_replacement(const struct metadata *metadata, uint64_t node_id,
                                          bool (*up)(const void *context, uint64_t node_id), const void *context,
                                          struct lf_error *error);

/** What applying did. */
struct metadata_applied {
    enum lf_status status; /**< LF_OK, LF_TOPIC_EXISTS, LF_TOPIC_UNKNOWN, LF_INVALID, LF_OVERLOADED, LF_EXISTS, ... */
    char text[LF_ERROR_TEXT_BYTES];
    bool founded;
    const struct metadata_topic *created;       /**< borrowed until the next apply */
    const struct metadata_topic *deleted;       /**< its groups are to be destroyed */
    const struct metadata_topic *altered;       /**< its settings changed, or were as wanted */
    int64_t first_producer_id;                  /**< TakeProducerIds */
    bool nodes;                                 /**< the nodes, or what is known of one, changed */
    bool partitions;                            /**< assignments of any partitions changed */
    const struct metadata_partition *partition; /**< whose assignments or formers changed; borrowed likewise */
    uint64_t replica_id;                        /**< AddNode: in group 0 */
    uint64_t epoch;                             /**< MovePartition: of what is wanted */
};
/** Apply the next entry of group 0 (any type). Adds changed rows to write (NULL: none wanted). LF_OK, LF_INTERNAL,
 *  LF_NO_MEMORY (the machine must be loaded again), LF_UNSUPPORTED (a type with "must be understood", or a command,
 *  that only a newer version knows). A command that cannot be decoded is LF_INTERNAL. When not LF_OK `write` is as it
 *  was. Outcomes in applied->status besides those named: LF_NOT_READY before the cluster is founded, LF_NOT_FOUND for
 *  an unknown node, LF_TOPIC_DELETED for a delete that was done before. */
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
/** All records, removed nodes included. */
size_t metadata_nodes(const struct metadata *metadata, const struct metadata_node **nodes);
/** May new replicas be placed on it? */
bool metadata_node_takes_replicas(const struct metadata_node *node);
/** Replicas that live on the node (M7), of live topics: what must move away before it can be removed. `first`, if not
 *  NULL: one such partition, or NULL. */
size_t metadata_held_by(const struct metadata *metadata, uint64_t node_id, const struct metadata_partition **first);
/** The living replica (M10) of the partition on the node; 0: none. */
uint64_t metadata_replica_on(const struct metadata_partition *partition, uint64_t node_id);
/** The node of a replica of the partition, whichever list it is in; 0: none such. */
uint64_t metadata_node_of_replica(const struct metadata_partition *partition, uint64_t replica_id);
bool metadata_is_retired(const struct metadata_partition *partition, uint64_t replica_id);
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
