#ifndef METADATA_INTERNAL_H
#define METADATA_INTERNAL_H

#include "lf_map.h"
#include "metadata.h"

#define METADATA_TOPICS_MAX_DEFAULT 10000
#define METADATA_PARTITIONS_PER_TOPIC_MAX_DEFAULT 10000
#define METADATA_PARTITIONS_MAX_DEFAULT 100000
/** The longest configuration payload, in bytes. */
#define METADATA_CONFIGURATION_BYTES_MAX (64u * 1024)
#define METADATA_PORT_MAX 65535u
/** As node.id in a configuration. */
#define METADATA_NODE_ID_MAX 1000000000u

/** Live topics by name: open addressing over topics owned elsewhere. Zero-initialised is empty. */
struct metadata_names {
    struct metadata_topic **slots;
    size_t capacity; /**< 0 or a power of two */
    size_t count;
};
struct metadata_topic *metadata_names_get(const struct metadata_names *names, struct lf_bytes name);
/** The name must not be there. False without memory. */
bool metadata_names_put(struct metadata_names *names, struct metadata_topic *topic);
/** The topic must be there. */
void metadata_names_remove(struct metadata_names *names, const struct metadata_topic *topic);
void metadata_names_deinit(struct metadata_names *names);

struct metadata {
    struct metadata_limits limits;
    bool broken; /**< memory ran out in the middle of an apply */
    uint64_t applied_index;
    uint64_t log_time_ms;
    bool founded;
    uint8_t cluster_id[LOG_STORE_ID_BYTES];
    char cluster_name[METADATA_CLUSTER_NAME_BYTES_MAX];
    uint64_t next_group, next_topic, next_replica, next_producer;

    struct metadata_node *nodes; /**< by rising id */
    size_t node_count;

    struct metadata_topic **topics; /**< all that ever were, by rising id */
    size_t topic_count, topic_capacity;
    struct lf_map topics_by_id;
    struct lf_map partitions_by_group;
    struct metadata_names names;
    size_t live_topics, live_partitions;

    uint64_t configuration_index; /**< 0: none */
    uint8_t *configuration;
    size_t configuration_bytes;
};

/** Empty, as new: everything freed but the limits. */
void metadata_reset(struct metadata *metadata);
struct metadata_topic *metadata_find_topic(const struct metadata *metadata, uint64_t topic_id);
struct metadata_partition *metadata_find_partition(const struct metadata *metadata, uint64_t group);
/** Nodes in the cluster. */
size_t metadata_live_nodes(const struct metadata *metadata);
struct metadata_node *metadata_find_node(const struct metadata *metadata, uint64_t node_id);
/** Copies. LF_OK, LF_NO_MEMORY. */
enum lf_status metadata_set_configuration(struct metadata *metadata, uint64_t index, struct lf_bytes payload);

/** Returns (caller frees by metadata_topic_free) a topic with zeroed partitions, or NULL. The name is copied. */
struct metadata_topic *metadata_topic_new(uint64_t topic_id, struct lf_bytes name, uint32_t partitions,
                                          uint32_t replicas);
void metadata_topic_free(struct metadata_topic *topic);
/** Enter a topic whose partitions have their groups into all indexes; takes it. False without memory (the machine is
 *  not to be used any further, but owns the topic). Ids rise. */
bool metadata_enter_topic(struct metadata *metadata, struct metadata_topic *topic);
/** The live topic becomes a tombstone. */
void metadata_bury_topic(struct metadata *metadata, struct metadata_topic *topic);

/** Judge under given bounds; see metadata_judge_create. */
enum lf_status metadata_judge_create_under(const struct metadata *metadata, const struct metadata_limits *limits,
                                           struct lf_bytes name, uint32_t partitions, uint32_t replicas,
                                           struct lf_error *error);
/** M4, M7, M8 and that every list is in order. */
bool metadata_partition_sound(const struct metadata_partition *partition);
/** Fills `nodes` with those that take replicas, by rising id; returns how many. */
size_t metadata_takers(const struct metadata *metadata, const struct metadata_node *nodes[METADATA_LIVE_NODES_MAX]);
/** Fill in who holds the partition of this group. Replica ids come from the counter at *next_replica. `replicas` is at
 *  most the number of nodes that take replicas.
 *
 *  First replicas go round over the nodes by group id, over all topics; the others follow at a distance that grows by
 *  one with each round, so that the nodes share what a lost node led. */
void metadata_place(const struct metadata *metadata, uint64_t group, uint32_t replicas, uint64_t *next_replica,
                    struct metadata_assignment *assignment);

#endif
