/** Assignments: what is wanted, what is reached, and which replicas are in neither.
 *
 *   1. a move makes wanted(e + 1). It may come while wanted(e) is not reached yet: the newer wish wins, and replicas
 *      that only wanted(e) named are put aside, since the group may know them already
 *   2. the group reports e: current becomes wanted, and every replica in neither is retired, those put aside too. A
 *      report of another epoch than the wanted one is late, and means nothing
 *   3. the nodes of retired replicas destroy them, say so, and the records go
 *
 *  A node that lost its store makes wanted(e + 1) too, of the same nodes: its replica there becomes a new one. */
#include "metadata_outcome.h"

#include "lf_check.h"

#include <inttypes.h>
#include <stdlib.h>

static const struct metadata_replica *on_node(const struct metadata_assignment *assignment, uint64_t node_id) {
    for (size_t i = 0; i < assignment->replica_count; i++)
        if (assignment->replicas[i].node_id == node_id)
            return &assignment->replicas[i];
    return NULL;
}

static const struct metadata_replica *with_id(const struct metadata_assignment *assignment, uint64_t replica_id) {
    for (size_t i = 0; i < assignment->replica_count; i++)
        if (assignment->replicas[i].replica_id == replica_id)
            return &assignment->replicas[i];
    return NULL;
}

uint64_t metadata_replica_on(const struct metadata_partition *partition, uint64_t node_id) {
    const struct metadata_replica *replica = on_node(&partition->wanted, node_id);
    if (!replica)
        replica = on_node(&partition->current, node_id);
    if (replica && replica->lost)
        replica = NULL; /* and then none is put aside there */
    for (size_t i = 0; i < partition->former_count && !replica; i++)
        if (!partition->formers[i].retired && partition->formers[i].replica.node_id == node_id)
            replica = &partition->formers[i].replica;
    return replica ? replica->replica_id : 0;
}

static const struct metadata_former *former(const struct metadata_partition *partition, uint64_t replica_id) {
    for (size_t i = 0; i < partition->former_count; i++)
        if (partition->formers[i].replica.replica_id == replica_id)
            return &partition->formers[i];
    return NULL;
}

uint64_t metadata_node_of_replica(const struct metadata_partition *partition, uint64_t replica_id) {
    const struct metadata_replica *replica = with_id(&partition->wanted, replica_id);
    if (!replica)
        replica = with_id(&partition->current, replica_id);
    const struct metadata_former *gone = replica ? NULL : former(partition, replica_id);
    return replica ? replica->node_id : gone ? gone->replica.node_id : 0;
}

bool metadata_is_retired(const struct metadata_partition *partition, uint64_t replica_id) {
    const struct metadata_former *gone = former(partition, replica_id);
    return gone && gone->retired;
}

static bool same_assignment(const struct metadata_assignment *wanted, const struct metadata_assignment *current) {
    bool same = wanted->epoch == current->epoch && wanted->replica_count == current->replica_count;
    for (size_t i = 0; same && i < wanted->replica_count; i++)
        same = wanted->replicas[i].replica_id == current->replicas[i].replica_id &&
               wanted->replicas[i].node_id == current->replicas[i].node_id && !current->replicas[i].lost;
    return same;
}

static bool assignments_agree(const struct metadata_assignment *wanted, const struct metadata_assignment *current) {
    for (size_t i = 0; i < wanted->replica_count; i++) {
        const struct metadata_replica *same = on_node(current, wanted->replicas[i].node_id);
        const struct metadata_replica *id = with_id(current, wanted->replicas[i].replica_id);
        if (wanted->replicas[i].lost || (same && same->lost ? id != NULL : same != id))
            return false;
    }
    return wanted->epoch > current->epoch || same_assignment(wanted, current);
}

bool metadata_partition_sound(const struct metadata_partition *partition) {
    if (!assignments_agree(&partition->wanted, &partition->current) || partition->former_count > METADATA_FORMERS_MAX)
        return false;
    for (size_t i = 0; i < partition->former_count; i++) {
        const struct metadata_former *at = &partition->formers[i];
        bool lives =
            with_id(&partition->wanted, at->replica.replica_id) || with_id(&partition->current, at->replica.replica_id);
        if (lives || (i > 0 && at[-1].replica.replica_id >= at->replica.replica_id))
            return false;
        if (!at->retired && metadata_replica_on(partition, at->replica.node_id) != at->replica.replica_id)
            return false;
        if (!at->retired && partition->wanted.epoch == partition->current.epoch)
            return false;
    }
    return true;
}

/** Formers are in order. False without memory. */
static bool add_former(struct metadata_partition *partition, struct metadata_replica replica, bool retired) {
    lf_check(partition->former_count < METADATA_FORMERS_MAX && !former(partition, replica.replica_id));
    struct metadata_former *formers =
        realloc(partition->formers, (partition->former_count + 1) * sizeof *partition->formers);
    if (!formers)
        return false;
    partition->formers = formers;
    size_t at = partition->former_count++;
    for (; at > 0 && formers[at - 1].replica.replica_id > replica.replica_id; at--)
        formers[at] = formers[at - 1];
    formers[at] = (struct metadata_former){.replica = replica, .retired = retired};
    return true;
}

static void drop_former(struct metadata_partition *partition, size_t at) {
    partition->former_count--;
    for (size_t i = at; i < partition->former_count; i++)
        partition->formers[i] = partition->formers[i + 1];
    if (partition->former_count == 0) {
        free(partition->formers);
        partition->formers = NULL;
    }
}

bool metadata_forget_retired_on(struct metadata_partition *partition, uint64_t node_id) {
    size_t before = partition->former_count;
    for (size_t i = partition->former_count; i-- > 0;)
        if (partition->formers[i].retired && partition->formers[i].replica.node_id == node_id)
            drop_former(partition, i);
    return partition->former_count != before;
}

void metadata_replace_replica(struct metadata *metadata, struct metadata_partition *partition, uint64_t node_id) {
    for (size_t i = partition->former_count; i-- > 0;)
        if (partition->formers[i].replica.node_id == node_id)
            drop_former(partition, i);
    struct metadata_assignment *current = &partition->current, *wanted = &partition->wanted;
    for (size_t i = 0; i < current->replica_count; i++)
        current->replicas[i].lost |= current->replicas[i].node_id == node_id;
    for (size_t i = 0; i < wanted->replica_count; i++) {
        if (wanted->replicas[i].node_id != node_id)
            continue;
        wanted->replicas[i] = (struct metadata_replica){.replica_id = metadata->next_replica++, .node_id = node_id};
        wanted->epoch++;
    }
}

/** The partition is there, and these nodes may hold it. */
static enum lf_status judge_move(const struct metadata *metadata, const Lf__MovePartitionCommand *move,
                                 const struct metadata_partition *partition, struct lf_error *error) {
    if (move->n_nodes == 0 || move->n_nodes > METADATA_REPLICAS_MAX)
        return lf_error_set(error, LF_INVALID, "%zu nodes: a partition is on 1 to %d", move->n_nodes,
                            METADATA_REPLICAS_MAX);
    for (size_t i = 0; i < move->n_nodes; i++) {
        const struct metadata_node *node = metadata_find_node(metadata, move->nodes[i]);
        if (!node || node->removed)
            return lf_error_set(error, LF_NOT_FOUND, "there is no node %" PRIu64, move->nodes[i]);
        for (size_t k = 0; k < i; k++)
            if (move->nodes[k] == move->nodes[i])
                return lf_error_set(error, LF_INVALID, "node %" PRIu64 " is there twice", move->nodes[i]);
        if (node->joining)
            return lf_error_set(error, LF_INVALID, "node %" PRIu64 " has not joined yet: start it there with --join",
                                node->node_id);
        if (node->draining && !on_node(&partition->wanted, node->node_id))
            return lf_error_set(error, LF_INVALID, "node %" PRIu64 " is being drained", node->node_id);
    }
    if (partition->former_count + 2 * METADATA_REPLICAS_MAX > METADATA_FORMERS_MAX)
        return lf_error_set(error, LF_INVALID,
                            "%zu former replicas of this partition are not destroyed yet: start the nodes that hold "
                            "them, or remove them",
                            partition->former_count);
    return LF_OK;
}

static bool is_wanted_already(const struct metadata_partition *partition, const Lf__MovePartitionCommand *move) {
    bool same = partition->wanted.replica_count == move->n_nodes;
    for (size_t i = 0; same && i < move->n_nodes; i++)
        same = partition->wanted.replicas[i].node_id == move->nodes[i];
    return same;
}

/** 1. False without memory. */
static bool want(struct metadata *metadata, struct metadata_partition *partition,
                 const Lf__MovePartitionCommand *move) {
    struct metadata_assignment before = partition->wanted;
    struct metadata_assignment wanted = {.epoch = before.epoch + 1, .replica_count = move->n_nodes};
    for (size_t i = 0; i < move->n_nodes; i++) {
        uint64_t kept = metadata_replica_on(partition, move->nodes[i]);
        wanted.replicas[i] =
            (struct metadata_replica){.replica_id = kept ? kept : metadata->next_replica++, .node_id = move->nodes[i]};
    }
    partition->wanted = wanted;
    for (size_t i = partition->former_count; i-- > 0;)
        if (with_id(&wanted, partition->formers[i].replica.replica_id))
            drop_former(partition, i);
    for (size_t i = 0; i < before.replica_count; i++) {
        uint64_t id = before.replicas[i].replica_id;
        if (!with_id(&wanted, id) && !with_id(&partition->current, id) &&
            !add_former(partition, before.replicas[i], false))
            return false;
    }
    return true;
}

static void changed(struct metadata *metadata, struct metadata_partition *partition, struct metadata_applied *applied,
                    struct metadata_changes *changes) {
    applied->partition = partition;
    changes->topic = metadata_find_topic(metadata, partition->topic_id);
    changes->one_row = true;
    changes->partition = partition->partition;
}

enum lf_status metadata_apply_move(struct metadata *metadata, const Lf__MovePartitionCommand *move,
                                   struct metadata_applied *applied, struct metadata_changes *changes) {
    struct metadata_topic *topic = metadata_find_topic(metadata, move->topic_id);
    struct lf_error error;
    if (!topic || topic->deleted)
        return metadata_refuse(applied, topic ? LF_TOPIC_DELETED : LF_TOPIC_UNKNOWN,
                               "there is no topic with id %" PRIu64, move->topic_id);
    if (move->partition >= topic->partition_count)
        return metadata_refuse(applied, LF_PARTITION_UNKNOWN, "topic %.200s has %" PRIu32 " partitions", topic->name,
                               topic->partition_count);
    struct metadata_partition *partition = &topic->partitions[move->partition];
    applied->epoch = partition->wanted.epoch;
    if (is_wanted_already(partition, move))
        return LF_OK; /* a repeat */
    if (judge_move(metadata, move, partition, &error) != LF_OK)
        return metadata_outcome(applied, &error);
    if (!want(metadata, partition, move))
        return LF_NO_MEMORY;
    applied->epoch = partition->wanted.epoch;
    changed(metadata, partition, applied, changes);
    return LF_OK;
}

/** 2. */
enum lf_status metadata_apply_report(struct metadata *metadata, const Lf__ReportCurrent *report,
                                     struct metadata_applied *applied, struct metadata_changes *changes) {
    struct metadata_partition *partition = metadata_find_partition(metadata, report->group);
    if (!partition)
        return metadata_refuse(applied, LF_NOT_FOUND, "there is no group %" PRIu64, report->group);
    if (metadata_find_topic(metadata, partition->topic_id)->deleted)
        return metadata_refuse(applied, LF_TOPIC_DELETED, "the topic of group %" PRIu64 " was deleted", report->group);
    if (partition->wanted.epoch != report->epoch)
        return metadata_refuse(applied, LF_INVALID, "group %" PRIu64 " reports epoch %" PRIu64 ", wanted is %" PRIu64,
                               report->group, report->epoch, partition->wanted.epoch);
    if (partition->current.epoch == report->epoch)
        return LF_OK; /* a repeat */
    struct metadata_assignment before = partition->current;
    partition->current = partition->wanted;
    for (size_t i = 0; i < partition->former_count; i++)
        partition->formers[i].retired = true;
    for (size_t i = 0; i < before.replica_count; i++)
        if (!before.replicas[i].lost && !with_id(&partition->current, before.replicas[i].replica_id) &&
            !add_former(partition, before.replicas[i], true))
            return LF_NO_MEMORY;
    changed(metadata, partition, applied, changes);
    return LF_OK;
}

/** 3. */
enum lf_status metadata_apply_forget(struct metadata *metadata, const Lf__ForgetReplica *forget,
                                     struct metadata_applied *applied, struct metadata_changes *changes) {
    struct metadata_partition *partition = metadata_find_partition(metadata, forget->group);
    if (!partition)
        return metadata_refuse(applied, LF_NOT_FOUND, "there is no group %" PRIu64, forget->group);
    for (size_t i = 0; i < partition->former_count; i++) {
        if (partition->formers[i].replica.replica_id != forget->replica_id || !partition->formers[i].retired)
            continue;
        drop_former(partition, i);
        changed(metadata, partition, applied, changes);
        return LF_OK;
    }
    return metadata_refuse(applied, LF_NOT_FOUND, "replica %" PRIu64 " of group %" PRIu64 " is not retired",
                           forget->replica_id, forget->group);
}
