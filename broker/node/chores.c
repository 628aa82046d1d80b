/** What group 0 wants of this node's replicas and cannot be done while its entry is applied: looked at every beat until
 *  nothing is left. Here are: who should lead, moves under way (moves.c), and saying that retired replicas are gone. */
#include "node_internal.h"

#include <stdlib.h>

#include "raft_configuration.h"

/** A beat, and how often the controller is told again of what is gone. */
#define CHORES_MS 50
#define REPORTS_MS 250

static bool anything_retired_here(const struct node *node, const struct metadata_partition *partition) {
    for (size_t i = 0; i < partition->former_count; i++)
        if (partition->formers[i].retired && partition->formers[i].replica.node_id == node->id)
            return true;
    return false;
}

/** The first replica whose node is not being drained and has room on its disk; 0: nobody special. */
static uint64_t preferred(const struct node *node, const struct metadata_partition *partition) {
    for (size_t i = 0; i < partition->wanted.replica_count; i++) {
        uint64_t node_id = partition->wanted.replicas[i].node_id;
        const struct metadata_node *known = metadata_node(node->metadata, node_id);
        if (known && !known->removed && !known->draining && space_of(node, node_id) == NODE_SPACE_ENOUGH)
            return partition->wanted.replicas[i].replica_id;
    }
    return 0;
}

static bool prefers_another(const struct node *node, const struct metadata_partition *partition) {
    const struct group *group = node_group(node, partition->group);
    return group && group->state != GROUP_STOPPED && group->preferred != preferred(node, partition);
}

/** The assignment is reached, as far as group 0 knows, but the group, led from here, has other voters: it went on alone
 * after a majority was lost (`logflumed store recover`). It is led back to its assignment, like to a new one. */
static bool went_on_alone(const struct group *group, const struct metadata_partition *partition) {
    if (!group || !group_leads(group) || partition->wanted.epoch != partition->current.epoch)
        return false;
    const struct raft_configuration *now = raft_configuration(group->raft);
    bool short_of = now->epoch == partition->wanted.epoch && now->outgoing_count == 0 &&
                    now->voter_count < partition->wanted.replica_count;
    for (uint32_t i = 0; i < now->voter_count && short_of; i++)
        short_of = metadata_node_of_replica(partition, now->voters[i]) != 0;
    return short_of;
}

void chores_on_lead(struct node *node, const struct group *group) {
    if (!group->assigned || !went_on_alone(group, group->assigned))
        return;
    node_tracef(node, "group=%llu goes on alone after a lost majority: its other replicas are to be filled",
                (unsigned long long)group->id);
    lf_check(lf_map_put(&node->chores, NODE_MAP_KEY(group->id), (void *)(uintptr_t)group->assigned));
    node_wake_by(node, node->chores_ms);
}

void chores_look_at(struct node *node, const struct metadata_partition *partition) {
    bool moves = partition->wanted.epoch != partition->current.epoch && node_group(node, partition->group);
    if (!moves && !anything_retired_here(node, partition) && !prefers_another(node, partition))
        return;
    lf_check(lf_map_put(&node->chores, NODE_MAP_KEY(partition->group), (void *)(uintptr_t)partition));
    node_wake_by(node, node->chores_ms);
}

void chores_on_configuration(struct node *node, struct group *group) {
    group->configuration_proposed = true; /* whoever leads, its log has one */
    if (lf_map_get(&node->chores, NODE_MAP_KEY(group->id))) {
        group->reported_ms = 0;
        node->chores_ms = node->now_ms;
        node_wake_by(node, node->now_ms);
    }
}

static void prefer(struct node *node, struct group *group, const struct metadata_partition *partition) {
    uint64_t replica = preferred(node, partition);
    if (group->preferred == replica)
        return;
    group->preferred = replica;
    struct raft_event event = {.type = RAFT_EVENT_PREFER, .now_ms = node->now_ms, .prefer = {.replica = replica}};
    group_step(node, group, &event);
}

/** True: the store holds it, or may, or is still destroying it. */
static bool may_be_held(const struct node *node, uint64_t id, uint64_t replica) {
    const struct group *group = node_group(node, id);
    return lf_map_get(&node->stored_groups, NODE_MAP_KEY(id)) || lf_map_get(&node->destroying, NODE_MAP_KEY(id)) ||
           (group && (group->self == 0 || group->self == replica));
}

static void report_destroyed(struct node *node, const struct metadata_partition *partition) {
    for (size_t i = 0; i < partition->former_count; i++) {
        const struct metadata_former *former = &partition->formers[i];
        if (!former->retired || former->replica.node_id != node->id ||
            may_be_held(node, partition->group, former->replica.replica_id))
            continue;
        struct peer_report report = {
            .group = partition->group, .kind = PEER_REPORT_DESTROYED, .value = former->replica.replica_id};
        reports_send(node, &report);
        return; /* one at a time: if we are the controller the list may be another one now */
    }
}

/** True: there is more to do. */
static bool do_chores(struct node *node, const struct metadata_partition *partition, bool reports) {
    if (metadata_topic_by_id(node->metadata, partition->topic_id)->deleted)
        return false;
    struct group *group = node_group(node, partition->group);
    if (group && group->state == GROUP_RUNNING)
        prefer(node, group, partition);
    bool moves = group && (partition->wanted.epoch != partition->current.epoch || went_on_alone(group, partition));
    if (moves && group->state == GROUP_RUNNING)
        moves_lead(node, group, partition);
    bool retired = anything_retired_here(node, partition);
    if (retired && reports)
        report_destroyed(node, partition);
    return moves || retired || prefers_another(node, partition);
}

void chores_tick(struct node *node) {
    if (node->chores.count == 0 || node->now_ms < node->chores_ms) {
        if (node->chores.count > 0)
            node_wake_by(node, node->chores_ms);
        return;
    }
    node->chores_ms = node->now_ms + CHORES_MS;
    bool reports = node->now_ms >= node->reports_ms;
    if (reports)
        node->reports_ms = node->now_ms + REPORTS_MS;
    size_t count = 0, cursor = 0;
    const struct metadata_partition **due = node_alloc(node->chores.count, sizeof(*due));
    const struct metadata_partition *partition;
    while ((partition = lf_map_next(&node->chores, &cursor)))
        due[count++] = partition; /* the map may change under what is done */
    for (size_t i = 0; i < count; i++)
        if (!do_chores(node, due[i], reports))
            lf_map_remove(&node->chores, NODE_MAP_KEY(due[i]->group));
    free(due);
    if (node->chores.count > 0)
        node_wake_by(node, node->chores_ms);
}
