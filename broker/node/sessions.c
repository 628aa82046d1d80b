/** Client sessions: opened by the first frames, alive by any traffic, ended by silence or an unreachable connection. */
#include "node_internal.h"

#include <stdlib.h>

struct session *node_session(const struct node *node, uint64_t id) {
    return lf_map_get(&node->sessions, id);
}

void session_close(struct node *node, struct session *session) {
    while (session->subscriptions)
        subscription_free(node, session->subscriptions);
    lf_map_remove(&node->sessions, session->id);
    free(session); /* what it waits for finds nobody to answer */
}

static void on_hello(struct node *node, struct session *session, const Lf__ClientRequest *request) {
    const Lf__Hello *hello = request->hello;
    Lf__ClientReply reply;
    reply_init(node, &reply, request->request_id);
    Lf__HelloReply body = LF__HELLO_REPLY__INIT;
    char text[LF_ERROR_TEXT_BYTES];
    if (hello->version_max < NODE_PROTOCOL_VERSION_MIN || hello->version_min > NODE_PROTOCOL_VERSION_MAX) {
        struct lf_error error;
        lf_error_set(&error, LF_VERSION, "this broker speaks protocol %d to %d, the client %u to %u",
                     NODE_PROTOCOL_VERSION_MIN, NODE_PROTOCOL_VERSION_MAX, hello->version_min, hello->version_max);
        memcpy(text, error.text, sizeof text);
        reply.status = LF_VERSION;
        reply.error = text;
        reply_send(node, session->id, &reply, NULL, 0);
        return;
    }
    session->hello = true;
    session->version = hello->version_max < NODE_PROTOCOL_VERSION_MAX ? hello->version_max : NODE_PROTOCOL_VERSION_MAX;
    body.version = session->version;
    body.node_id = node->id;
    body.node_incarnation = node->incarnation;
    body.session_timeout_ms = node->limits.session_timeout_ms;
    body.batch_bytes_max = node->limits.batch_bytes_max;
    body.records_max = node->limits.records_per_batch_max;
    body.publish_inflight_batches = PARTITION_PRODUCER_BATCHES;
    reply.body_case = LF__CLIENT_REPLY__BODY_HELLO;
    reply.hello = &body;
    reply_send(node, session->id, &reply, NULL, 0);
}

static void on_ping(struct node *node, struct session *session, const Lf__ClientRequest *request) {
    Lf__PingReply body = LF__PING_REPLY__INIT;
    Lf__ClientReply reply;
    reply_init(node, &reply, request->request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_PING;
    reply.ping = &body;
    reply_send(node, session->id, &reply, NULL, 0);
}

/** *request may be taken (set NULL) by what has to wait. */
static void dispatch(struct node *node, struct session *session, Lf__ClientRequest **where, struct node_frame *frames,
                     size_t count) {
    Lf__ClientRequest *request = *where;
    switch (request->body_case) {
    case LF__CLIENT_REQUEST__BODY_HELLO:
        on_hello(node, session, request);
        return;
    case LF__CLIENT_REQUEST__BODY_PING:
        on_ping(node, session, request);
        return;
    case LF__CLIENT_REQUEST__BODY_GOODBYE:
        node_add_closed(node, session->id);
        session_close(node, session);
        return;
    case LF__CLIENT_REQUEST__BODY_PUBLISH:
        if (count != 2) {
            reply_error(node, session->id, request->request_id, LF_MALFORMED,
                        "publish is two frames, the request and one batch; got %zu", count);
            return;
        }
        publish_on_request(node, session, request, &frames[1]);
        return;
    case LF__CLIENT_REQUEST__BODY_RAISE_PRODUCER_EPOCH:
        publish_on_raise_epoch(node, session, request);
        return;
    case LF__CLIENT_REQUEST__BODY_CREATE_TOPIC:
    case LF__CLIENT_REQUEST__BODY_DELETE_TOPIC:
    case LF__CLIENT_REQUEST__BODY_ALTER_TOPIC:
    case LF__CLIENT_REQUEST__BODY_INIT_PRODUCER:
    case LF__CLIENT_REQUEST__BODY_ADD_NODE:
    case LF__CLIENT_REQUEST__BODY_REMOVE_NODE:
    case LF__CLIENT_REQUEST__BODY_DRAIN_NODE:
    case LF__CLIENT_REQUEST__BODY_MOVE_PARTITION:
        commands_on_request(node, session, request);
        return;
    case LF__CLIENT_REQUEST__BODY_METADATA:
    case LF__CLIENT_REQUEST__BODY_LIST_TOPICS:
    case LF__CLIENT_REQUEST__BODY_DESCRIBE_TOPIC:
    case LF__CLIENT_REQUEST__BODY_DESCRIBE_SETTINGS:
        topics_on_metadata(node, session, where);
        return;
    case LF__CLIENT_REQUEST__BODY_TRIM_PARTITION:
        segments_on_trim(node, session, request);
        return;
    case LF__CLIENT_REQUEST__BODY_LIST_SEGMENTS:
        segments_on_list(node, session, request);
        return;
    case LF__CLIENT_REQUEST__BODY_CLUSTER_STATUS:
        topics_on_status(node, session, where);
        return;
    case LF__CLIENT_REQUEST__BODY_CLUSTER_CHECK:
        check_on_request(node, session, request);
        return;
    case LF__CLIENT_REQUEST__BODY_BACKUP:
        backups_on_request(node, session, request);
        return;
    case LF__CLIENT_REQUEST__BODY_TRANSFER_LEADER:
        transfers_on_request(node, session, request);
        return;
    case LF__CLIENT_REQUEST__BODY_SUBSCRIBE:
        subscriptions_on_subscribe(node, session, where);
        return;
    case LF__CLIENT_REQUEST__BODY_UNSUBSCRIBE:
        subscriptions_on_unsubscribe(node, session, request);
        return;
    case LF__CLIENT_REQUEST__BODY_CREDIT:
        subscriptions_on_credit(node, session, request->credit);
        return;
    case LF__CLIENT_REQUEST__BODY_OFFSETS_LOOKUP:
        lookups_on_offsets(node, session, where);
        return;
    default:
        reply_error(node, session->id, request->request_id, LF_UNSUPPORTED,
                    "this broker does not know that request: upgrade it, or use an older client");
    }
}

static enum lf_status judge(const struct node *node, const struct session *session, const Lf__ClientRequest *request,
                            struct lf_error *error) {
    if (request->request_id == 0 && request->body_case != LF__CLIENT_REQUEST__BODY_CREDIT)
        return lf_error_set(error, LF_MALFORMED, "request_id must not be 0");
    if (!session->hello && request->body_case != LF__CLIENT_REQUEST__BODY_HELLO)
        return lf_error_set(error, LF_CLOSED, "no session: one begins with hello, and ends by silence");
    if (request->body_case != LF__CLIENT_REQUEST__BODY_HELLO && request->protocol_version != session->version)
        return lf_error_set(error, LF_VERSION, "hello agreed on protocol %u, this request says %u", session->version,
                            request->protocol_version);
    if (request->cluster_id.len != 0 && node->cluster_known &&
        (request->cluster_id.len != LOG_STORE_ID_BYTES ||
         memcmp(request->cluster_id.data, node->cluster_id, LOG_STORE_ID_BYTES) != 0))
        return lf_error_set(error, LF_WRONG_CLUSTER, "this broker belongs to another cluster: check the addresses");
    return LF_OK;
}

/** The session of these frames, opened if it is new. NULL: no room. */
static struct session *open_session(struct node *node, uint64_t id) {
    struct session *session = node_session(node, id);
    if (session || node->sessions.count >= node->limits.sessions_max)
        return session;
    session = node_alloc(1, sizeof *session);
    session->id = id;
    lf_check(lf_map_put(&node->sessions, id, session));
    return session;
}

/** To somebody without a session: an answer, then nothing is kept. */
static void refuse(struct node *node, uint64_t id, enum lf_status status, const char *text) {
    Lf__ClientReply reply;
    reply_init(node, &reply, 0);
    reply.status = (uint32_t)status;
    reply.error = (char *)(uintptr_t)text;
    struct lf_buf *header = lf_buf_new(lf__client_reply__get_packed_size(&reply));
    lf_check(header != NULL);
    lf__client_reply__pack(&reply, header->data);
    struct node_frame frame = {.buf = header, .size = header->size};
    node_add_send(node, id, &frame, 1);
    node_add_closed(node, id);
}

void sessions_on_frames(struct node *node, const struct node_event *event) {
    uint64_t id = event->client.session;
    struct node_frame *frames = event->client.frames;
    size_t count = event->client.count;
    struct session *session = open_session(node, id);
    room_on_told(node, session, event);
    if (!session) {
        refuse(node, id, LF_OVERLOADED, "sessions_max is reached: retry later or use another broker");
        return;
    }
    session->heard_ms = node->now_ms;
    Lf__ClientRequest *request = NULL;
    if (count >= 1 && frames[0].size <= NODE_REQUEST_HEADER_BYTES_MAX)
        request = lf__client_request__unpack(NULL, frames[0].size, frames[0].buf->data + frames[0].offset);
    struct lf_error error;
    if (room_closes(node, session, request ? request->request_id : 0)) {
        if (request)
            lf__client_request__free_unpacked(request, NULL);
        return;
    }
    if (!request) {
        reply_error(node, id, 0, LF_MALFORMED, "frame 1 is not a ClientRequest of at most %u bytes",
                    NODE_REQUEST_HEADER_BYTES_MAX);
        return;
    }
    if (judge(node, session, request, &error) != LF_OK)
        reply_error(node, id, request->request_id, error.code, "%s", error.text);
    else
        dispatch(node, session, &request, frames, count);
    if (request)
        lf__client_request__free_unpacked(request, NULL);
}

void sessions_tick(struct node *node) {
    if (node->now_ms < node->session_check_ms)
        return;
    node->session_check_ms = node->now_ms + node->limits.session_timeout_ms / 4;
    size_t cursor = 0;
    struct session *session;
    uint64_t silent[64]; /* the rest next time: the map must not change under the walk */
    size_t count = 0;
    while ((session = lf_map_next(&node->sessions, &cursor)) && count < 64)
        if (node->now_ms - session->heard_ms > node->limits.session_timeout_ms)
            silent[count++] = session->id;
    for (size_t i = 0; i < count; i++) {
        node_add_closed(node, silent[i]);
        session_close(node, node_session(node, silent[i]));
    }
}
