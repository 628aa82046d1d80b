/** Leadership handed over by request: answered when another leads, or when the time is over. Where a partition has a
 *  preferred leader (the first of its assignment) that one takes over again later. */
#include "node_internal.h"

#include "raft_configuration.h"

#define TRANSFER_RETRY_MS 50

static void answer(struct node *node, uint64_t session, uint64_t request_id, uint64_t leader) {
    Lf__TransferLeaderReply body = LF__TRANSFER_LEADER_REPLY__INIT;
    body.leader_node = leader;
    Lf__ClientReply reply;
    reply_init(node, &reply, request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_TRANSFER_LEADER;
    reply.transfer_leader = &body;
    reply_send(node, session, &reply, NULL, 0);
}

/** LF_OK with *group, which may be led elsewhere. */
static enum lf_status find(struct node *node, const Lf__TransferLeader *transfer, struct group **group) {
    const struct metadata_partition *partition = NULL;
    enum lf_status status =
        transfer->topic ? topics_find_partition(node, transfer->topic, transfer->partition, &partition) : LF_OK;
    if (status != LF_OK)
        return status;
    *group = node_group(node, partition ? partition->group : NODE_GROUP_METADATA);
    if (!*group)
        return LF_NOT_LEADER;
    return (*group)->state == GROUP_RUNNING ? LF_OK : LF_NOT_READY;
}

/** The voter on that node; 0: none. */
static uint64_t voter_on(const struct node *node, const struct group *group, uint64_t node_id) {
    const struct raft_configuration *now = raft_configuration(group->raft);
    for (uint32_t i = 0; i < now->voter_count; i++)
        if (group_member_node(node, group, now->voters[i]) == node_id)
            return now->voters[i];
    return 0;
}

static void hand_over(struct node *node, struct group *group, uint64_t to) {
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER, .now_ms = node->now_ms, .transfer = {.to = to}};
    group_step(node, group, &event); /* one under way, or nobody fit: asked again */
}

void transfers_on_request(struct node *node, struct session *session, const Lf__ClientRequest *request) {
    const Lf__TransferLeader *transfer = request->transfer_leader;
    struct group *group = NULL;
    enum lf_status status = find(node, transfer, &group);
    if (status != LF_OK) {
        reply_error(node, session->id, request->request_id, status, "%s", lf_status_text(status));
        return;
    }
    uint64_t leader = group_leader_node(node, group);
    if (leader != 0 && leader == transfer->to_node) {
        answer(node, session->id, request->request_id, leader);
        return;
    }
    if (!group_leads(group)) {
        reply_not_leader(node, session->id, request->request_id, group);
        return;
    }
    uint64_t to = transfer->to_node ? voter_on(node, group, transfer->to_node) : 0;
    if (transfer->to_node != 0 && to == 0) {
        reply_error(node, session->id, request->request_id, LF_INVALID, "node %llu has no vote in this group",
                    (unsigned long long)transfer->to_node);
        return;
    }
    if (raft_configuration(group->raft)->voter_count == 1) {
        reply_error(node, session->id, request->request_id, LF_INVALID, "there is nobody else to lead this group");
        return;
    }
    if (node->transfer_count == NODE_TRANSFERS_MAX) {
        reply_error(node, session->id, request->request_id, LF_OVERLOADED, "%d transfers are under way",
                    NODE_TRANSFERS_MAX);
        return;
    }
    node->transfers[node->transfer_count++] =
        (struct pending_transfer){.session = session->id,
                                  .request_id = request->request_id,
                                  .group = group->id,
                                  .to = to,
                                  .retry_ms = node->now_ms + TRANSFER_RETRY_MS,
                                  .deadline_ms = node->now_ms + node->limits.request_timeout_ms / 2};
    node_wake_by(node, node->now_ms + TRANSFER_RETRY_MS);
    hand_over(node, group, to);
}

/** True: it was answered. */
static bool settle(struct node *node, struct pending_transfer *pending) {
    struct group *group = node_group(node, pending->group);
    if (!group || group->state != GROUP_RUNNING) {
        reply_error(node, pending->session, pending->request_id, LF_NOT_LEADER, "this node does not hold it any more");
        return true;
    }
    uint64_t leader = group_leader_node(node, group);
    if (leader != 0 && leader != node->id) {
        answer(node, pending->session, pending->request_id, leader);
        return true;
    }
    if (node->now_ms >= pending->deadline_ms) {
        reply_error(node, pending->session, pending->request_id, LF_NO_QUORUM,
                    "nobody took over: is the other replica up, and has it caught up?");
        return true;
    }
    if (node->now_ms >= pending->retry_ms) {
        pending->retry_ms = node->now_ms + TRANSFER_RETRY_MS;
        if (group_leads(group))
            hand_over(node, group, pending->to);
    }
    node_wake_by(node, pending->retry_ms);
    return false;
}

void transfers_tick(struct node *node) {
    for (size_t i = node->transfer_count; i-- > 0;)
        if (settle(node, &node->transfers[i]))
            node->transfers[i] = node->transfers[--node->transfer_count];
}
