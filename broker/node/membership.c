/** The controller keeps group 0's own members: every node of the cluster is in it, up to five as voters.
 *
 *  The goal is worked out from what is applied and from the configuration in force: nodes that are in the cluster and
 *  whose store is pinned are members; voters stay voters; places among them go to learners that have caught up, first
 *  to those that are not being drained; who is in the cluster no more goes. One change at a time. */
#include "node_internal.h"

#include "raft_configuration.h"

#define MEMBERSHIP_MS 100

/** Most wished for as voters first. */
enum wish { WISH_VOTER, WISH_CAUGHT_UP, WISH_DRAINING, WISH_COUNT };

static bool wished(const struct group *group, const struct raft_configuration *now, const struct metadata_node *known,
                   enum wish wish) {
    bool votes = raft_configuration_is_voter(now, known->replica_id);
    switch (wish) {
    case WISH_VOTER:
        return votes && !known->draining;
    case WISH_CAUGHT_UP:
        return !votes && !known->draining && raft_configuration_has(now, known->replica_id) &&
               group_caught_up(group, known->replica_id);
    default:
        return votes && known->draining;
    }
}

static struct raft_configuration goal(const struct node *node, const struct group *group,
                                      const struct raft_configuration *now) {
    const struct metadata_node *nodes;
    size_t count = metadata_nodes(node->metadata, &nodes);
    struct raft_configuration goal = {.epoch = now->epoch + 1};
    for (int wish = WISH_VOTER; wish < WISH_COUNT; wish++)
        for (size_t i = 0; i < count && goal.voter_count < NODE_METADATA_VOTERS_MAX; i++)
            if (!nodes[i].removed && wished(group, now, &nodes[i], (enum wish)wish))
                goal.voters[goal.voter_count++] = nodes[i].replica_id;
    for (size_t i = 0; i < count && goal.learner_count < RAFT_LEARNERS_MAX; i++) {
        bool member = raft_configuration_has(now, nodes[i].replica_id) || nodes[i].pinned;
        if (!nodes[i].removed && member && !raft_configuration_is_voter(&goal, nodes[i].replica_id))
            goal.learners[goal.learner_count++] = nodes[i].replica_id;
    }
    return goal;
}

static bool same_members(const struct raft_configuration *a, const struct raft_configuration *b) {
    bool same = raft_configuration_same_voters(a, b) && a->learner_count == b->learner_count;
    for (uint32_t i = 0; same && i < a->learner_count; i++)
        same = raft_configuration_has(b, a->learners[i]);
    return same;
}

static void change(struct node *node, struct group *group) {
    struct raft_configuration now = *raft_configuration(group->raft);
    struct raft_configuration wanted = goal(node, group, &now);
    if (wanted.voter_count == 0 || same_members(&now, &wanted))
        return;
    struct raft_event event = {.type = RAFT_EVENT_CHANGE, .now_ms = node->now_ms, .change = &wanted};
    enum lf_status status = group_step(node, group, &event);
    node_tracef(node, "group=0 members: voters=%u learners=%u: %s", wanted.voter_count, wanted.learner_count,
                lf_status_name(status));
}

void membership_tick(struct node *node) {
    struct group *group = node_group(node, NODE_GROUP_METADATA);
    if (!cluster_leads(node) || node->stopping)
        return;
    if (node->now_ms >= node->membership_ms) {
        node->membership_ms = node->now_ms + MEMBERSHIP_MS;
        if (raft_may_change(group->raft))
            change(node, group);
    }
    node_wake_by(node, node->membership_ms);
}
