/** Removals of nodes, answered when group 0 does without the node: who asked may then stop it and delete its data.
 *
 *  The command alone is not enough. Until the configuration without the node is committed its vote may be needed, and a
 *  cluster of two of which one was removed and stopped too early would have no majority ever again. */
#include "node_internal.h"

#define REMOVAL_LOOK_MS 20

void removals_wait(struct node *node, const struct parked *parked) {
    if (node->removal_count == NODE_REMOVALS_MAX) {
        reply_error(node, parked->session, parked->request_id, LF_OVERLOADED, "%d removals are under way",
                    NODE_REMOVALS_MAX);
        return;
    }
    node->removals[node->removal_count++] =
        (struct pending_removal){.session = parked->session,
                                 .request_id = parked->request_id,
                                 .node_id = parked->node_id,
                                 .deadline_ms = node->now_ms + node->limits.request_timeout_ms / 2};
    node_wake_by(node, node->now_ms);
}

static void answer(struct node *node, const struct pending_removal *pending) {
    Lf__RemoveNodeReply body = LF__REMOVE_NODE_REPLY__INIT;
    Lf__ClientReply reply;
    reply_init(node, &reply, pending->request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_REMOVE_NODE;
    reply.remove_node = &body;
    reply_send(node, pending->session, &reply, NULL, 0);
}

/** True: it was answered. */
static bool settle(struct node *node, const struct pending_removal *pending) {
    const struct group *group = node_group(node, NODE_GROUP_METADATA);
    const struct metadata_node *known = metadata_node(node->metadata, pending->node_id);
    if (!cluster_leads(node)) { /* asked again of the next controller, it waits there */
        reply_not_leader(node, pending->session, pending->request_id, group);
        return true;
    }
    if (!known || !known->removed || (raft_may_change(group->raft) && !join_in_group_zero(node, known->replica_id))) {
        answer(node, pending);
        return true;
    }
    if (node->now_ms >= pending->deadline_ms) {
        reply_error(node, pending->session, pending->request_id, LF_NOT_READY,
                    "node %llu is removed, but its vote on the metadata still counts: do not stop it yet",
                    (unsigned long long)pending->node_id);
        return true;
    }
    node_wake_by(node, node->now_ms + REMOVAL_LOOK_MS);
    return false;
}

void removals_tick(struct node *node) {
    for (size_t i = node->removal_count; i-- > 0;)
        if (settle(node, &node->removals[i]))
            node->removals[i] = node->removals[--node->removal_count];
}
