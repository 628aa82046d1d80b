/** Copies, in one walk over the groups; nothing is computed that a reader could compute. */
#include "node_view.h"

#include <stdlib.h>

#include "node_internal.h"

/** One more item of a growing array, zeroed; NULL without memory. */
static void *add(void *items_at, size_t *count, size_t *capacity, size_t size) {
    void *items;
    memcpy(&items, items_at, sizeof items);
    if (*count == *capacity) {
        size_t wanted = *capacity ? 2 * *capacity : 64;
        items = realloc(items, wanted * size);
        if (!items)
            return NULL;
        memcpy(items_at, &items, sizeof items);
        *capacity = wanted;
    }
    return memset((char *)items + (*count)++ * size, 0, size);
}
#define ADD(view, list, count, capacity) add(&(view)->list, &(view)->count, &(view)->capacity, sizeof *(view)->list)

static bool add_replicas(const struct node *node, struct node_view *view, const struct group *group,
                         struct node_group_view *out) {
    struct raft_peer_view peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(group->raft, peers, RAFT_MEMBERS_MAX);
    out->first_replica = view->replica_count;
    for (size_t i = 0; i < count; i++) {
        struct node_replica_view *replica = ADD(view, replicas, replica_count, replica_capacity);
        if (!replica)
            return false;
        *replica = (struct node_replica_view){.node = group_member_node(node, group, peers[i].replica),
                                              .replica = peers[i].replica,
                                              .match = peers[i].match,
                                              .next = peers[i].next,
                                              .inflight = peers[i].inflight,
                                              .inflight_bytes = peers[i].inflight_bytes,
                                              .voter = peers[i].voter,
                                              .replicating = peers[i].replicating,
                                              .needs_image = peers[i].needs_image,
                                              .active = peers[i].active,
                                              .damaged = peers[i].damaged};
        out->replica_count++;
    }
    return true;
}

static void copy_raft(const struct node *node, const struct group *group, struct node_group_view *out) {
    out->leader_node = group_leader_node(node, group);
    out->role = raft_role(group->raft);
    out->term = raft_term(group->raft);
    out->last_index = raft_last_index(group->raft);
    out->durable_index = raft_durable_index(group->raft);
    out->commit = raft_commit(group->raft);
}

static bool is_among(const uint64_t *replicas, uint32_t count, uint64_t replica) {
    for (uint32_t i = 0; i < count; i++)
        if (replicas[i] == replica)
            return true;
    return false;
}

static void copy_configuration(const struct group *group, struct node_group_view *out) {
    const struct raft_configuration *members = raft_configuration(group->raft);
    out->voters = members->voter_count;
    out->learners = members->learner_count;
    out->joint = members->outgoing_count > 0;
    out->epoch = members->epoch;
    out->votes = is_among(members->voters, members->voter_count, group->self) ||
                 is_among(members->outgoing, members->outgoing_count, group->self);
    out->removed |= !out->votes && !is_among(members->learners, members->learner_count, group->self);
}

static void copy_topic(const struct node *node, const struct group *group, struct node_group_view *out) {
    const struct metadata_topic *topic = metadata_topic_by_id(node->metadata, group->topic_id);
    out->partition = group->partition_number;
    out->removed = topic && topic->deleted;
    if (topic)
        memcpy(out->topic, topic->name, strlen(topic->name) + 1);
}

static void copy_segments(const struct partition *partition, struct node_group_view *out) {
    struct partition_bytes bytes = partition_bytes(partition);
    size_t count;
    partition_segments(partition, &count);
    out->segments = count;
    out->bytes = bytes.sealed + bytes.open;
    out->unsealed_bytes = bytes.open;
    out->decisions_waiting = partition_decisions_waiting(partition);
}

static bool add_group(const struct node *node, const struct group *group, struct node_view *view) {
    struct node_group_view *out = ADD(view, groups, group_count, group_capacity);
    if (!out)
        return false;
    out->group = group->id;
    out->state = (enum node_group_state)group->state;
    out->replica = group->self;
    out->apply_blocked = group->apply_blocked;
    out->applied = group->applied;
    out->tail_bytes = group->tail.bytes;
    out->uncommitted_bytes = group->uncommitted_bytes;
    out->appended_bytes = group->appended_bytes;
    if (group->partition) {
        copy_topic(node, group, out);
        copy_segments(group->partition, out);
        out->log_start = partition_log_start_offset(group->partition);
        out->high_watermark = partition_high_watermark(group->partition);
        out->log_end = partition_log_end_offset(group->partition);
    }
    if (!group->raft)
        return true;
    copy_raft(node, group, out);
    copy_configuration(group, out);
    return add_replicas(node, view, group, out);
}

static bool add_peer(const struct node *node, const struct peer *peer, struct node_view *view) {
    struct node_peer_view *out = ADD(view, peers, peer_count, peer_capacity);
    if (!out)
        return false;
    out->node = peer->address.node_id;
    out->incarnation = peer->incarnation;
    out->silent_ms = node->now_ms - (peer->heard_ms ? peer->heard_ms : node->started_ms);
    out->reachable = peer->heard_ms != 0 && out->silent_ms <= NODE_PEER_ALIVE_MS;
    out->clock_offset_ms = peer->clock_offset_ms;
    out->space_level = peer->space_level;
    out->appended_entries = peer->appended_entries;
    out->appended_bytes = peer->appended_bytes;
    memcpy(out->envelopes, peer->envelopes, sizeof out->envelopes);
    return true;
}

static void put(struct node_queue_view *queues, size_t *count, const char *name, uint64_t used, uint64_t bound) {
    lf_check(*count < NODE_VIEW_QUEUES_MAX);
    queues[(*count)++] = (struct node_queue_view){.name = name, .used = used, .bound = bound};
}

static void copy_queues(const struct node *node, struct node_view *view) {
    const struct node_limits *limits = &node->limits;
    view->item_count = view->byte_count = 0;
    put(view->items, &view->item_count, "groups", node->groups.count, limits->groups_max);
    put(view->items, &view->item_count, "sessions", node->sessions.count, limits->sessions_max);
    put(view->items, &view->item_count, "subscriptions", node->subscriptions.count, limits->subscriptions_max);
    put(view->items, &view->item_count, "parked_answers", node->parked_count, limits->parked_answers_max);
    put(view->items, &view->item_count, "node_reads", node->reads.count, limits->reads_max);
    put(view->bytes, &view->byte_count, "uncommitted", node->uncommitted_bytes, limits->uncommitted_bytes_max);
    put(view->bytes, &view->byte_count, "unsent", node->unsent_bytes, limits->unsent_bytes_max);
    put(view->bytes, &view->byte_count, "active", node->open_bytes, limits->active_bytes_max);
    put(view->bytes, &view->byte_count, "tail_cache", node->tail_bytes, limits->tail_cache_bytes_max);
}

enum lf_status node_view_fill(const struct node *node, struct node_view *view) {
    bool whole = true;
    size_t cursor = 0;
    const struct group *group;
    view->node_id = node->id;
    view->incarnation = node->incarnation;
    memcpy(view->cluster_name, node->cluster_name, sizeof node->cluster_name);
    memcpy(view->cluster_id, node->cluster_id, sizeof view->cluster_id);
    view->cluster_known = node->cluster_known;
    view->metadata_ready = node->metadata_ready;
    view->stopping = node->stopping;
    view->space = node->space;
    view->space_level = node->space_level;
    view->counts = node_counts(node);
    view->metrics = node->metrics;
    view->group_count = view->replica_count = view->peer_count = 0;
    while (whole && (group = lf_map_next(&node->groups, &cursor)))
        whole = add_group(node, group, view);
    for (size_t i = 0; whole && i < node->peer_count; i++)
        whole = node->peers[i].guest || add_peer(node, &node->peers[i], view);
    copy_queues(node, view);
    return whole ? LF_OK : LF_NO_MEMORY;
}

void node_view_deinit(struct node_view *view) {
    free(view->groups);
    free(view->replicas);
    free(view->peers);
    *view = (struct node_view){0};
}

const char *node_group_state_name(enum node_group_state state) {
    switch (state) {
    case NODE_GROUP_LOADING:
        return "loading";
    case NODE_GROUP_RUNNING:
        return "running";
    case NODE_GROUP_STOPPED:
        return "stopped";
    }
    return "?";
}

_Static_assert((int)NODE_GROUP_LOADING == (int)GROUP_LOADING && (int)NODE_GROUP_RUNNING == (int)GROUP_RUNNING &&
                   (int)NODE_GROUP_STOPPED == (int)GROUP_STOPPED,
               "states are copied as they are");
_Static_assert(NODE_VIEW_NAME_BYTES > METADATA_TOPIC_NAME_BYTES_MAX &&
                   NODE_VIEW_NAME_BYTES > METADATA_CLUSTER_NAME_BYTES_MAX,
               "names fit");
