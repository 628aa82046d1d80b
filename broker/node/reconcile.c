/** What group 0 says of partitions, made true on this node: which replicas it holds.
 *
 *  Invariants:
 *   R1  a replica is made only because wanted or current names this node, with the replica id given there, and only if
 *       that id is greater than the node's replica id in group 0: smaller ones were another store's
 *   R2  a replica is destroyed only because a record says so: its topic's tombstone, or *retired* with this very
 *       replica id; and the record is in the store before the destruction is
 *   R3  a replica that is here and that no record speaks of stays as it is
 *   R4  a replica that is wanted but not current begins as a learner beside the current voters; what its group really
 *       consists of comes with its log
 *   R5  that a retired replica is gone is said only when the store has destroyed it, or holds nothing
 *   R6  a replica is made only when the store has finished with the one that was here before: completions name the
 *       group and a token, and tokens begin anew with each replica
 *
 *  Which replica the store holds is known only when it is loaded; then the question is asked again (reconcile_loaded).
 *  What cannot be done at once is a chore (chores.c). */
#include "node_internal.h"

#include <stdlib.h>

#include "raft_configuration.h"

/** The replica this store should hold; 0: none. R1. */
static uint64_t replica_here(const struct node *node, const struct metadata_partition *partition) {
    const struct group *metadata = node_group(node, NODE_GROUP_METADATA);
    uint64_t replica = metadata_replica_on(partition, node->id);
    return metadata && replica > metadata->self ? replica : 0;
}

static bool names(const struct metadata_assignment *assignment, uint64_t replica) {
    for (size_t i = 0; i < assignment->replica_count; i++)
        if (assignment->replicas[i].replica_id == replica)
            return true;
    return false;
}

/** R4. */
static struct raft_configuration first_members(const struct metadata_partition *partition, uint64_t self) {
    struct raft_configuration initial = {.epoch = partition->current.epoch};
    for (size_t i = 0; i < partition->current.replica_count; i++)
        initial.voters[initial.voter_count++] = partition->current.replicas[i].replica_id;
    if (!raft_configuration_has(&initial, self))
        initial.learners[initial.learner_count++] = self;
    return initial;
}

static void name_group(struct group *group, const struct metadata_partition *partition) {
    group->topic_id = partition->topic_id;
    group->partition_number = partition->partition;
}

static void create(struct node *node, const struct metadata_partition *partition, uint64_t replica) {
    if (!names(&partition->current, replica) && !names(&partition->wanted, replica))
        return; /* put aside, and never made */
    if (node->groups.count >= node->limits.groups_max) {
        node_tracef(node, "group=%llu not held: groups_max=%u reached", (unsigned long long)partition->group,
                    node->limits.groups_max);
        return;
    }
    struct raft_configuration initial = first_members(partition, replica);
    name_group(group_create(node, partition->group, replica, &initial), partition);
}

static void load(struct node *node, const struct metadata_partition *partition) {
    struct raft_configuration initial = first_members(partition, 0);
    initial.learner_count = 0;
    group_load(node, partition->group, 0, &initial);
    name_group(node_group(node, partition->group), partition);
}

/** R2: the tombstone. */
static void destroy_deleted(struct node *node, const struct metadata_partition *partition) {
    struct group *group = node_group(node, partition->group);
    if (group) {
        group_destroy(node, group, LF_TOPIC_DELETED);
    } else if (lf_map_get(&node->stored_groups, NODE_MAP_KEY(partition->group))) {
        group_destroy_stored(node, partition->group);
        lf_map_remove(&node->stored_groups, NODE_MAP_KEY(partition->group));
    }
}

/** The store is not done with the replica that was here: R6. */
static bool being_destroyed(const struct node *node, const struct metadata_partition *partition) {
    return lf_map_get(&node->destroying, NODE_MAP_KEY(partition->group)) != NULL;
}

void reconcile_partition(struct node *node, const struct metadata_partition *partition) {
    if (metadata_topic_by_id(node->metadata, partition->topic_id)->deleted) {
        destroy_deleted(node, partition);
        return;
    }
    struct group *group = node_group(node, partition->group);
    uint64_t wants = replica_here(node, partition);
    if (group && group->self != 0 && group->self != wants && metadata_is_retired(partition, group->self)) {
        group_destroy(node, group, LF_NOT_LEADER); /* clients ask for the partition's replicas again */
        group = NULL;
    }
    bool stored = lf_map_get(&node->stored_groups, NODE_MAP_KEY(partition->group)) != NULL;
    if (!group && stored)
        load(node, partition);
    else if (!group && wants != 0 && !being_destroyed(node, partition))
        create(node, partition, wants);
    chores_look_at(node, partition);
}

bool reconcile_loaded(struct node *node, struct group *group, uint64_t replica) {
    const struct metadata_partition *partition = group->assigned;
    uint64_t wants = replica_here(node, partition);
    group->self = replica;
    if (replica == wants)
        group->initial = first_members(partition, replica);
    if (replica == wants || metadata_topic_by_id(node->metadata, partition->topic_id)->deleted)
        return true;
    if (!metadata_is_retired(partition, replica)) { /* R3, and nothing good can come of it */
        node_tracef(node, "group=%llu replica=%llu is in the store, but group 0 speaks of %llu: left alone",
                    (unsigned long long)group->id, (unsigned long long)replica, (unsigned long long)wants);
        return true;
    }
    group_destroy(node, group, LF_NOT_LEADER); /* then one that is wanted is made: reconcile_destroyed */
    chores_look_at(node, partition);
    return false;
}

void reconcile_destroyed(struct node *node, uint64_t group) {
    const struct metadata_partition *partition = metadata_partition_by_group(node->metadata, group);
    if (partition && node->fatal == LF_OK)
        reconcile_partition(node, partition);
}

void reconcile_topic(struct node *node, const struct metadata_topic *topic) {
    for (uint32_t i = 0; i < topic->partition_count; i++)
        reconcile_partition(node, &topic->partitions[i]);
}

void reconcile_nodes(struct node *node) {
    size_t cursor = 0;
    const struct group *group;
    while ((group = lf_map_next(&node->groups, &cursor))) /* who is preferred may have changed */
        if (group->assigned)
            chores_look_at(node, group->assigned);
}

void cluster_reconcile(struct node *node) {
    size_t cursor = 0;
    const struct metadata_topic *topic;
    while ((topic = metadata_next_topic(node->metadata, &cursor)))
        reconcile_topic(node, topic);
}
