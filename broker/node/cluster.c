/** Group 0 and what follows from it: founding, pinned stores, and which groups this node holds. */
#include "node_internal.h"

#include <stdlib.h>

/** Members of group 0: as group 0 itself says, else (not founded yet) by place in the founding list ordered by id. */
static size_t metadata_members(const struct node *node, struct group_member *members) {
    const struct metadata_node *nodes;
    size_t count = metadata_nodes(node->metadata, &nodes);
    for (size_t i = 0; i < count && i < RAFT_VOTERS_MAX; i++)
        members[i] = (struct group_member){.replica = nodes[i].replica_id, .node = nodes[i].node_id};
    if (count > 0)
        return count < RAFT_VOTERS_MAX ? count : RAFT_VOTERS_MAX;
    for (size_t i = 0; i < node->founding_count; i++) /* kept ordered by id */
        members[i] = (struct group_member){.replica = i + 1, .node = node->founding[i].node_id};
    return node->founding_count;
}

static uint64_t own_replica(const struct node *node, const struct group_member *members, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (members[i].node == node->id)
            return members[i].replica;
    return 0;
}

void cluster_start(struct node *node) {
    struct group_member members[RAFT_VOTERS_MAX];
    size_t count = metadata_members(node, members);
    uint64_t self = own_replica(node, members, count);
    lf_check(self != 0);
    if (lf_map_get(&node->stored_groups, NODE_MAP_KEY(NODE_GROUP_METADATA))) {
        group_load(node, NODE_GROUP_METADATA, self, members, count, 1);
        return;
    }
    if (!node->founder) {
        node_fail(node, LF_DAMAGED, "the store holds no metadata group and was not made to found a cluster");
        return;
    }
    group_create(node, NODE_GROUP_METADATA, self, members, count, 1);
    node->metadata_ready = true;
}

void cluster_on_metadata_loaded(struct node *node, struct group *group) {
    struct group_member members[RAFT_VOTERS_MAX];
    size_t count = metadata_members(node, members);
    memcpy(group->members, members, count * sizeof *members);
    group->member_count = count;
    if (metadata_founded(node->metadata)) {
        memcpy(node->cluster_id, metadata_cluster_id(node->metadata), LOG_STORE_ID_BYTES);
        node->cluster_known = true;
    }
}

static enum lf_status propose(struct node *node, struct group *group, struct lf_buf *command, uint64_t *index) {
    lf_check(command != NULL);
    enum lf_status status =
        group_propose(node, group, LF_ENTRY_METADATA, LF_ENTRY_MUST_UNDERSTAND, lf_buf_bytes(command), 0, index);
    lf_buf_unref(&command);
    return status;
}

void cluster_found_if_leader(struct node *node) {
    struct group *group = node_group(node, NODE_GROUP_METADATA);
    if (!group || !group_leads(group) || !raft_leads_fully(group->raft) || metadata_founded(node->metadata) ||
        node->founding_proposed_term == raft_term(group->raft))
        return;
    struct metadata_node nodes[NODE_NODES_MAX] = {0};
    for (size_t i = 0; i < node->founding_count; i++) {
        const struct node_address *address = &node->founding[i];
        nodes[i].node_id = address->node_id;
        memcpy(nodes[i].host, address->host, sizeof nodes[i].host);
        nodes[i].client_port = address->client_port;
        nodes[i].peer_port = address->peer_port;
        nodes[i].replica_id = i + 1;
        nodes[i].pinned = address->node_id == node->id;
        if (nodes[i].pinned)
            memcpy(nodes[i].store_uuid, node->identity.store_uuid, LOG_STORE_ID_BYTES);
    }
    uint64_t index;
    if (propose(node, group,
                metadata_command_found(node->new_cluster_id, node->cluster_name, nodes, node->founding_count),
                &index) == LF_OK)
        node->founding_proposed_term = raft_term(group->raft);
}

void cluster_pin_stores(struct node *node) {
    struct group *group = node_group(node, NODE_GROUP_METADATA);
    if (!group || !group_leads(group) || !raft_leads_fully(group->raft) || !metadata_founded(node->metadata))
        return;
    for (size_t i = 0; i < node->peer_count; i++) {
        struct peer *peer = &node->peers[i];
        const struct metadata_node *known = metadata_node(node->metadata, peer->address.node_id);
        if (!known || known->pinned || !peer->store_seen || peer->pin_proposed_term == raft_term(group->raft))
            continue;
        uint64_t index;
        if (propose(node, group, metadata_command_pin(peer->address.node_id, peer->store_uuid), &index) == LF_OK)
            peer->pin_proposed_term = raft_term(group->raft);
    }
}

/** What group 0 says of one topic, made true on this node. */
static void reconcile_topic(struct node *node, const struct metadata_topic *topic) {
    for (uint32_t i = 0; i < topic->partition_count; i++) {
        const struct metadata_partition *partition = &topic->partitions[i];
        struct group_member members[RAFT_VOTERS_MAX];
        size_t count = partition->current.replica_count;
        lf_check(count <= RAFT_VOTERS_MAX);
        for (size_t k = 0; k < count; k++)
            members[k] = (struct group_member){.replica = partition->current.replicas[k].replica_id,
                                               .node = partition->current.replicas[k].node_id};
        uint64_t self = own_replica(node, members, count);
        struct group *group = node_group(node, partition->group);
        bool stored = lf_map_get(&node->stored_groups, NODE_MAP_KEY(partition->group)) != NULL;
        if (topic->deleted) { /* an explicit record: only this destroys */
            if (group) {
                group_destroy(node, group);
            } else if (stored) {
                group_destroy_stored(node, partition->group);
                lf_map_remove(&node->stored_groups, NODE_MAP_KEY(partition->group));
            }
        } else if (self != 0 && !group) {
            if (stored)
                group_load(node, partition->group, self, members, count, partition->current.epoch);
            else if (node->groups.count < node->limits.groups_max)
                group_create(node, partition->group, self, members, count, partition->current.epoch);
            else
                node_tracef(node, "group=%llu not held: groups_max=%u reached", (unsigned long long)partition->group,
                            node->limits.groups_max);
            group = node_group(node, partition->group);
            if (group) {
                group->topic_id = topic->topic_id;
                group->partition_number = partition->partition;
            }
        }
    }
}

void cluster_reconcile(struct node *node) {
    size_t cursor = 0;
    const struct metadata_topic *topic;
    while ((topic = metadata_next_topic(node->metadata, &cursor)))
        reconcile_topic(node, topic);
}

/** The cluster has its id: pin it in the store, and know the nodes by group 0 from now on. */
static void founded(struct node *node, struct group *group) {
    const uint8_t *id = metadata_cluster_id(node->metadata);
    if (node->cluster_known && memcmp(node->cluster_id, id, LOG_STORE_ID_BYTES) != 0) {
        node_fail(node, LF_WRONG_CLUSTER, "the store belongs to another cluster than the group it takes part in");
        return;
    }
    memcpy(node->cluster_id, id, LOG_STORE_ID_BYTES);
    node->cluster_known = true;
    struct log_store_write *write = node_new_write(node, group, 0);
    write->has_cluster_id = true;
    memcpy(write->cluster_id, id, LOG_STORE_ID_BYTES);
    write->sync = true;
    node_add_write(node, write);
    node_tracef(node, "cluster founded: %s", metadata_cluster_name(node->metadata));
}

static void check_own_pin(struct node *node) {
    const struct metadata_node *self = metadata_node(node->metadata, node->id);
    if (self && self->pinned && memcmp(self->store_uuid, node->identity.store_uuid, LOG_STORE_ID_BYTES) != 0)
        node_fail(node, LF_WRONG_STORE,
                  "the cluster knows node %llu by another store: start it on its old data directory",
                  (unsigned long long)node->id);
}

void cluster_on_applied(struct node *node, struct group *group, uint8_t entry_type,
                        const struct metadata_applied *applied) {
    if (entry_type != LF_ENTRY_METADATA)
        return;
    if (applied->founded)
        founded(node, group);
    if (applied->created)
        reconcile_topic(node, applied->created);
    if (applied->deleted)
        reconcile_topic(node, applied->deleted);
    check_own_pin(node);
}
