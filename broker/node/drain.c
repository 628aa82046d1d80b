/** Draining: nodes that are to become empty; and leadership that leaves nodes with too little room on their disks.
 *
 *  The controller moves partitions off them, a few at a time, to where the fewest replicas are wanted; it looks at what
 *  is wanted, so it also changes a move under way whose target is drained meanwhile. Each node gives its leaderships
 *  away by itself, at once. What has nowhere to go stays, and the node is not called drained. */
#include "node_internal.h"

#include "raft_configuration.h"

#define DRAIN_MS 200
#define LEAD_AWAY_MS 100

struct places {
    const struct metadata_node *takers[METADATA_LIVE_NODES_MAX];
    size_t wanted[METADATA_LIVE_NODES_MAX]; /**< replicas, by taker */
    size_t count;
    uint32_t under_way; /**< moves */
};

static void count_on(struct places *places, uint64_t node_id) {
    for (size_t i = 0; i < places->count; i++)
        places->wanted[i] += places->takers[i]->node_id == node_id;
}

static void survey(const struct node *node, struct places *places) {
    const struct metadata_node *nodes;
    size_t count = metadata_nodes(node->metadata, &nodes), cursor = 0;
    for (size_t i = 0; i < count && places->count < METADATA_LIVE_NODES_MAX; i++)
        if (metadata_node_takes_replicas(&nodes[i]))
            places->takers[places->count++] = &nodes[i];
    const struct metadata_topic *topic;
    while ((topic = metadata_next_topic(node->metadata, &cursor)))
        for (uint32_t i = 0; !topic->deleted && i < topic->partition_count; i++) {
            const struct metadata_partition *partition = &topic->partitions[i];
            places->under_way += partition->wanted.epoch != partition->current.epoch;
            for (size_t k = 0; k < partition->wanted.replica_count; k++)
                count_on(places, partition->wanted.replicas[k].node_id);
        }
}

static bool among(const uint64_t *nodes, size_t count, uint64_t node_id) {
    for (size_t i = 0; i < count; i++)
        if (nodes[i] == node_id)
            return true;
    return false;
}

/** Where the fewest replicas are and none of these; 0: nowhere. Counts it as placed. */
static uint64_t take_place(struct places *places, const uint64_t *taken, size_t count) {
    size_t best = places->count;
    for (size_t i = 0; i < places->count; i++)
        if (!among(taken, count, places->takers[i]->node_id) &&
            (best == places->count || places->wanted[i] < places->wanted[best]))
            best = i;
    if (best == places->count)
        return 0;
    places->wanted[best]++;
    return places->takers[best]->node_id;
}

static bool is_draining(const struct node *node, uint64_t node_id) {
    const struct metadata_node *known = metadata_node(node->metadata, node_id);
    return known && known->draining;
}

/** Asks for the move when something is to be moved and can be. */
static bool move_off(struct node *node, const struct metadata_partition *partition, struct places *places) {
    uint64_t nodes[METADATA_REPLICAS_MAX];
    size_t count = partition->wanted.replica_count;
    bool changed = false;
    for (size_t i = 0; i < count; i++)
        nodes[i] = partition->wanted.replicas[i].node_id;
    for (size_t i = 0; i < count; i++) {
        uint64_t to = is_draining(node, nodes[i]) ? take_place(places, nodes, count) : 0;
        changed |= to != 0;
        nodes[i] = to != 0 ? to : nodes[i];
    }
    if (!changed)
        return false;
    struct lf_buf *command = metadata_command_move(partition->topic_id, partition->partition, nodes, count);
    if (cluster_propose(node, command) != LF_OK)
        return false;
    node->drain_index = raft_last_index(node_group(node, NODE_GROUP_METADATA)->raft);
    return true;
}

static bool anything_drains(const struct node *node) {
    const struct metadata_node *nodes;
    size_t count = metadata_nodes(node->metadata, &nodes);
    bool drains = false;
    for (size_t i = 0; i < count; i++)
        drains |= nodes[i].draining;
    return drains;
}

/** The walk goes over a state that proposals may change only where a group is alone: then it ends. */
static void move_some(struct node *node) {
    struct places places = {.count = 0};
    survey(node, &places);
    uint64_t applied = cluster_applied(node);
    size_t cursor = 0;
    const struct metadata_topic *topic;
    while (cluster_leads(node) && cluster_applied(node) == applied &&
           (topic = metadata_next_topic(node->metadata, &cursor)))
        for (uint32_t i = 0;
             !topic->deleted && i < topic->partition_count && cluster_leads(node) && cluster_applied(node) == applied;
             i++) {
            const struct metadata_partition *partition = &topic->partitions[i];
            bool moves = partition->wanted.epoch != partition->current.epoch; /* aimed elsewhere, it is no other move */
            if (moves || places.under_way < node->limits.drain_moves_max)
                places.under_way += move_off(node, partition, &places) && !moves;
        }
}

/** The voter that has most, is heard of, is not to be emptied itself and, `roomy`, has room on its disk; 0: none. */
static uint64_t successor(const struct node *node, const struct group *group, bool roomy) {
    struct raft_peer_view peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(group->raft, peers, RAFT_MEMBERS_MAX), best = count;
    for (size_t i = 0; i < count; i++) {
        uint64_t node_id = group_member_node(node, group, peers[i].replica);
        bool fit = raft_configuration_is_voter(raft_configuration(group->raft), peers[i].replica) && peers[i].active &&
                   !peers[i].damaged && node_id != 0 && !is_draining(node, node_id) &&
                   (!roomy || space_of(node, node_id) == NODE_SPACE_ENOUGH);
        if (fit && (best == count || peers[i].match > peers[best].match))
            best = i;
    }
    return best < count ? peers[best].replica : 0;
}

static void lead_away(struct node *node) {
    size_t cursor = 0;
    struct group *group;
    while ((group = lf_map_next(&node->groups, &cursor))) {
        uint64_t to = group_leads(group) ? successor(node, group, true) : 0;
        if (to == 0 && group_leads(group) && is_draining(node, node->id))
            to = successor(node, group, false);
        struct raft_event event = {.type = RAFT_EVENT_TRANSFER, .now_ms = node->now_ms, .transfer = {.to = to}};
        if (to != 0)
            group_step(node, group, &event);
    }
}

void drain_tick(struct node *node) {
    if (!node->stopping && (is_draining(node, node->id) || node->space_level != NODE_SPACE_ENOUGH)) {
        if (node->now_ms >= node->lead_away_ms) {
            node->lead_away_ms = node->now_ms + LEAD_AWAY_MS;
            lead_away(node);
        }
        node_wake_by(node, node->lead_away_ms);
    }
    if (node->stopping || !cluster_leads(node) || !anything_drains(node))
        return;
    if (node->now_ms >= node->drain_ms) {
        node->drain_ms = node->now_ms + DRAIN_MS;
        if (cluster_applied(node) >= node->drain_index) /* what was asked for last is in the state */
            move_some(node);
    }
    node_wake_by(node, node->drain_ms);
}
