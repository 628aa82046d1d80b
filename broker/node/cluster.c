/** Group 0 itself: founding, pinned stores, and what its entries mean for the node as a whole. */
#include "node_internal.h"

#include <stdlib.h>

/** As founded: by place in the founding list, which is ordered by id; the first few vote. */
static struct raft_configuration founding_members(const struct node *node) {
    struct raft_configuration initial = {.epoch = 1};
    for (size_t i = 0; i < node->founding_count; i++)
        if (i < NODE_METADATA_VOTERS_MAX)
            initial.voters[initial.voter_count++] = i + 1;
        else
            initial.learners[initial.learner_count++] = i + 1;
    return initial;
}

static uint64_t founding_replica(const struct node *node) {
    for (size_t i = 0; i < node->founding_count; i++)
        if (node->founding[i].node_id == node->id)
            return i + 1;
    return 0;
}

bool cluster_leads(const struct node *node) {
    const struct group *group = node_group(node, NODE_GROUP_METADATA);
    return group && group_leads(group) && raft_leads_fully(group->raft) && metadata_founded(node->metadata);
}

uint64_t cluster_applied(const struct node *node) {
    const struct group *group = node_group(node, NODE_GROUP_METADATA);
    return group && group->state == GROUP_RUNNING ? group->applied : 0;
}

void cluster_start(struct node *node) {
    struct raft_configuration initial = founding_members(node);
    if (lf_map_get(&node->stored_groups, NODE_MAP_KEY(NODE_GROUP_METADATA))) {
        group_load(node, NODE_GROUP_METADATA, 0, &initial); /* whose replica it is, the store says */
        return;
    }
    if (!node->founder) {
        node->joining = true; /* the store was made to join: join.c */
        return;
    }
    group_create(node, NODE_GROUP_METADATA, founding_replica(node), &initial);
    node->metadata_ready = true;
}

/** Others go by the cluster's address, whatever the configuration here says. */
static void compare_address(struct node *node, const struct metadata_node *self) {
    for (size_t i = 0; i < node->founding_count; i++) {
        const struct node_address *own = &node->founding[i];
        bool differs =
            own->node_id == node->id && (own->peer_port != self->peer_port || own->client_port != self->client_port);
        if (differs && node->address_said != self->peer_port)
            node_tracef(node,
                        "the cluster knows this node at %s (client port %u, peer port %u), its configuration says %s "
                        "(%u, %u): nobody will find it there",
                        self->host, self->client_port, self->peer_port, own->host, own->client_port, own->peer_port);
        if (differs)
            node->address_said = self->peer_port;
    }
}

/** Group 0 gave this node another replica than the one that runs here, or none. */
static void check_own_record(struct node *node) {
    const struct metadata_node *self = metadata_node(node->metadata, node->id);
    const struct group *group = node_group(node, NODE_GROUP_METADATA);
    if (!self || !group || self->replica_id < group->self)
        return; /* history from before this store */
    if (self->removed || self->replica_id > group->self) {
        if (node->removed_ms == 0)
            node_tracef(node, "this node was removed from the cluster: it stays until it is not needed any more");
        node->removed_ms = node->removed_ms ? node->removed_ms : node->now_ms;
    } else if (self->pinned && memcmp(self->store_uuid, node->identity.store_uuid, LOG_STORE_ID_BYTES) != 0) {
        node_fail(node, LF_WRONG_STORE,
                  "the cluster knows node %llu by another store: start it on its old data directory",
                  (unsigned long long)node->id);
    } else {
        compare_address(node, self);
    }
}

void cluster_on_metadata_loaded(struct node *node, struct group *group) {
    node->peers_stale = true;
    if (metadata_founded(node->metadata)) {
        memcpy(node->cluster_id, metadata_cluster_id(node->metadata), LOG_STORE_ID_BYTES);
        node->cluster_known = true;
        check_own_record(node);
    } else if (!node->founder) { /* it had joined, and heard nothing of the cluster before it ended */
        node->joining = group->awaits_members = true;
    }
}

static enum lf_status propose(struct node *node, struct group *group, struct lf_buf *command, uint64_t *index) {
    lf_check(command != NULL);
    enum lf_status status =
        group_propose(node, group, LF_ENTRY_METADATA, LF_ENTRY_MUST_UNDERSTAND, lf_buf_bytes(command), 0, index);
    lf_buf_unref(&command);
    return status;
}

enum lf_status cluster_propose(struct node *node, struct lf_buf *command) {
    struct group *group = node_group(node, NODE_GROUP_METADATA);
    uint64_t index;
    lf_check(cluster_leads(node));
    return propose(node, group, command, &index);
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

#define PIN_RETRY_MS 1000

static void pin_own_store(struct node *node, struct group *group) {
    const struct metadata_node *self = metadata_node(node->metadata, node->id);
    uint64_t index;
    if (!self || !metadata_node_has_store(self) || self->pinned || self->replica_id != group->self ||
        node->now_ms < node->pin_due_ms)
        return;
    if (propose(node, group, metadata_command_pin(node->id, node->identity.store_uuid), &index) == LF_OK)
        node->pin_due_ms = node->now_ms + PIN_RETRY_MS;
}

void cluster_pin_stores(struct node *node) {
    struct group *group = node_group(node, NODE_GROUP_METADATA);
    if (!group || !group_leads(group) || !raft_leads_fully(group->raft) || !metadata_founded(node->metadata))
        return;
    pin_own_store(node, group);
    for (size_t i = 0; i < node->peer_count; i++) {
        struct peer *peer = &node->peers[i];
        const struct metadata_node *known = metadata_node(node->metadata, peer->address.node_id);
        if (!known || known->removed || known->pinned || !peer->store_seen || node->now_ms < peer->pin_due_ms)
            continue;
        uint64_t index; /* again and again: what was seen may have been a process of before, whose store is refused */
        if (propose(node, group, metadata_command_pin(peer->address.node_id, peer->store_uuid), &index) == LF_OK)
            peer->pin_due_ms = node->now_ms + PIN_RETRY_MS;
    }
}

void cluster_write_id(struct node *node, const struct group *group) {
    struct log_store_write *write = node_new_write(node, group, 0);
    write->has_cluster_id = true;
    memcpy(write->cluster_id, node->cluster_id, LOG_STORE_ID_BYTES);
    write->sync = true;
    node_add_write(node, write);
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
    group_flush_applied(node, group); /* so that a node that joined never has to ask again who its members are */
    cluster_write_id(node, group);
    node_tracef(node, "cluster %s: %s", node->founder ? "founded" : "joined", metadata_cluster_name(node->metadata));
}

void cluster_on_applied(struct node *node, struct group *group, uint8_t entry_type,
                        const struct metadata_applied *applied) {
    node->peers_stale |= entry_type == LF_ENTRY_CONFIGURATION;
    join_drop_welcome(node);
    if (entry_type != LF_ENTRY_METADATA)
        return;
    if (applied->founded)
        founded(node, group);
    if (applied->nodes) {
        node->peers_stale = true;
        check_own_record(node);
        reconcile_nodes(node);
    }
    if (applied->partitions)
        cluster_reconcile(node);
    if (applied->created)
        reconcile_topic(node, applied->created);
    if (applied->deleted)
        reconcile_topic(node, applied->deleted);
    if (applied->partition)
        reconcile_partition(node, applied->partition);
}
