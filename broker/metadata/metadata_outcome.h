/** What applying one command changes, and how outcomes are told. For the files that apply commands. */
#ifndef METADATA_OUTCOME_H
#define METADATA_OUTCOME_H

#include "metadata_node.h"
#include "metadata_rows.h"
#include "metadata_settings.h"

/** What one entry changed, besides the counters. */
struct metadata_changes {
    bool all_nodes, configuration;
    bool all_topics; /**< rows of all topics: a node was removed, or lost its store */
    const struct metadata_node *node;
    const struct metadata_topic *topic;
    bool one_row; /**< of the topic: the one with `partition` */
    uint32_t partition;
};

/* Outcomes fill in applied (its status and words) and changes. They return LF_OK or LF_NO_MEMORY. */
enum lf_status metadata_outcome(struct metadata_applied *applied, const struct lf_error *error);
enum lf_status metadata_refuse(struct metadata_applied *applied, enum lf_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* metadata_members.c */
enum lf_status metadata_apply_add(struct metadata *metadata, const Lf__AddNodeCommand *add,
                                  struct metadata_applied *applied, struct metadata_changes *changes);
/** Its pinned store becomes an old one; of these the newest METADATA_OLD_STORES_MAX are kept. */
void metadata_remember_store(struct metadata_node *node);
enum lf_status metadata_apply_remove(struct metadata *metadata, const Lf__RemoveNodeCommand *remove,
                                     struct metadata_applied *applied, struct metadata_changes *changes);
enum lf_status metadata_apply_drain(struct metadata *metadata, const Lf__DrainNodeCommand *drain,
                                    struct metadata_applied *applied, struct metadata_changes *changes);
enum lf_status metadata_apply_pin(struct metadata *metadata, const Lf__PinStore *pin, struct metadata_applied *applied,
                                  struct metadata_changes *changes);

/* metadata_settings.c */
enum lf_status metadata_apply_alter(struct metadata *metadata, const Lf__AlterTopicCommand *alter,
                                    struct metadata_applied *applied, struct metadata_changes *changes);

/** The node with this store, now or before (*old); NULL: never seen. */
const struct metadata_node *metadata_store_owner(const struct metadata *metadata, const uint8_t *store_uuid, bool *old);

/* metadata_replace.c */
enum lf_status metadata_apply_replace(struct metadata *metadata, const Lf__ReplaceStore *replace,
                                      struct metadata_applied *applied, struct metadata_changes *changes);

/* metadata_moves.c */
enum lf_status metadata_apply_move(struct metadata *metadata, const Lf__MovePartitionCommand *move,
                                   struct metadata_applied *applied, struct metadata_changes *changes);
enum lf_status metadata_apply_report(struct metadata *metadata, const Lf__ReportCurrent *report,
                                     struct metadata_applied *applied, struct metadata_changes *changes);
enum lf_status metadata_apply_forget(struct metadata *metadata, const Lf__ForgetReplica *forget,
                                     struct metadata_applied *applied, struct metadata_changes *changes);
/** The node's store is lost, and all replicas of the partition that were on it: a new one where one is wanted. */
void metadata_replace_replica(struct metadata *metadata, struct metadata_partition *partition, uint64_t node_id);
/** Drops the records of retired replicas on this node; says whether there were any. */
bool metadata_forget_retired_on(struct metadata_partition *partition, uint64_t node_id);

#endif
