/** Answers to clients. */
#include "node_internal.h"

#include "raft_configuration.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/** Answers up to this many bytes are sent also where nothing long is. Only answers that change nothing are longer. */
#define REPLY_SHORT_BYTES 4096u

void reply_init(struct node *node, Lf__ClientReply *reply, uint64_t request_id) {
    lf__client_reply__init(reply);
    reply->protocol_version = NODE_PROTOCOL_VERSION_MAX;
    reply->request_id = request_id;
    if (node->cluster_known) {
        reply->cluster_id.data = node->cluster_id;
        reply->cluster_id.len = sizeof node->cluster_id;
    }
}

void reply_send(struct node *node, uint64_t session_id, Lf__ClientReply *reply, const struct node_frame *frames,
                size_t count) {
    struct session *session = node_session(node, session_id);
    if (!session)
        return; /* gone while it waited */
    if (reply->request_id != 0)
        node->metrics.answers[reply->status < NODE_METRICS_STATUSES ? reply->status : NODE_METRICS_STATUSES - 1]++;
    uint64_t granted = session->publish_answered + node->limits.publish_credit_bytes;
    if (granted > session->publish_granted)
        session->publish_granted = granted;
    if (reply->request_id != 0)
        reply->publish_credit_total = session->publish_granted;
    size_t size = lf__client_reply__get_packed_size(reply);
    if (size > REPLY_SHORT_BYTES && reply->request_id != 0 && !room_left(node, session)) {
        reply_error(node, session_id, reply->request_id, LF_OVERLOADED,
                    "%llu bytes of answers wait for this client to read them: no room for %zu more",
                    (unsigned long long)session->unsent_bytes, size);
        return;
    }
    struct lf_buf *header = lf_buf_new(size);
    lf_check(header != NULL);
    lf__client_reply__pack(reply, header->data);
    struct node_frame *all = node_alloc(count + 1, sizeof *all);
    all[0] = (struct node_frame){.buf = header, .size = header->size};
    for (size_t i = 0; i < count; i++) {
        all[i + 1] = frames[i];
        lf_buf_ref(frames[i].buf);
    }
    node_add_send(node, session_id, all, count + 1);
    room_use(node, session, &(struct node_client_send){.frames = all, .count = count + 1});
    free(all);
}

void reply_error(struct node *node, uint64_t session, uint64_t request_id, enum lf_status status, const char *format,
                 ...) {
    char text[LF_ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    Lf__ClientReply reply;
    reply_init(node, &reply, request_id);
    reply.status = (uint32_t)status;
    reply.error = text;
    reply_send(node, session, &reply, NULL, 0);
}

/** Whom to ask. A replica that its group went on without hears of no leader any more: then a member knows. */
static uint64_t whom_to_ask(const struct node *node, const struct group *group) {
    uint64_t leader = group_leader_node(node, group);
    if (leader != 0 || !group->assigned || raft_configuration_votes(raft_configuration(group->raft), group->self))
        return leader;
    for (size_t i = 0; i < group->assigned->wanted.replica_count && leader == 0; i++)
        if (group->assigned->wanted.replicas[i].node_id != node->id)
            leader = group->assigned->wanted.replicas[i].node_id;
    return leader;
}

void reply_not_leader(struct node *node, uint64_t session, uint64_t request_id, const struct group *group) {
    uint64_t leader = whom_to_ask(node, group);
    Lf__Broker broker;
    if (leader == 0 || leader == node->id || !topics_broker(node, leader, &broker)) {
        /* Leader of the group but not yet, or no longer, able to take anything; or nobody leads. */
        enum lf_status status = leader == node->id ? LF_NOT_READY : LF_NO_QUORUM;
        reply_error(node, session, request_id, status, "no leader can take requests for group %llu now",
                    (unsigned long long)group->id);
        return;
    }
    Lf__Leader hint = LF__LEADER__INIT;
    hint.broker = &broker;
    hint.leader_epoch = (int32_t)raft_term(group->raft);
    Lf__ClientReply reply;
    reply_init(node, &reply, request_id);
    reply.status = LF_NOT_LEADER;
    reply.error = (char *)(uintptr_t)lf_status_text(LF_NOT_LEADER);
    reply.leader = &hint;
    reply_send(node, session, &reply, NULL, 0);
}
