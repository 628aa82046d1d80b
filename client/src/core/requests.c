/** Requests and who waits for their answers. */
#include "core_state.h"

#include <stdlib.h>

/* One multipart as an effect. Takes header; borrows batch. */
static bool frames_send(struct lf_core *core, struct lf_broker *broker, struct lf_buf *header, struct lf_buf *batch) {
    struct lf_frame *frames = calloc(2, sizeof *frames);
    struct lf_core_effect *effect = frames ? lf_effect_add(core, LF_CORE_SEND) : NULL;
    if (!effect) {
        free(frames);
        lf_buf_unref(&header);
        return false;
    }
    effect->connection = broker->connection;
    effect->frames = frames;
    effect->frame_count = batch ? 2 : 1;
    frames[0] = (struct lf_frame){.buf = header, .size = header->size};
    if (batch)
        frames[1] = (struct lf_frame){.buf = lf_buf_ref(batch), .size = batch->size};
    broker->sent_ms = core->now_ms;
    return true;
}

static struct lf_buf *pack(struct lf_core *core, Lf__ClientRequest *message) {
    message->protocol_version = LF_PROTOCOL_VERSION;
    if (core->cluster_known && message->body_case != LF__CLIENT_REQUEST__BODY_HELLO)
        message->cluster_id = (ProtobufCBinaryData){.len = sizeof core->cluster_id, .data = core->cluster_id};
    struct lf_buf *buf = lf_buf_new(lf__client_request__get_packed_size(message));
    if (buf)
        lf__client_request__pack(message, buf->data);
    return buf;
}

/* We were away for longer than the broker keeps a silent session: it has forgotten us. Its timer drops it, at once. */
static bool session_dead(struct lf_core *core, struct lf_broker *broker) {
    if (!lf_broker_session_dead(core, broker))
        return false;
    lf_timer_set(&core->timers, &broker->timer, core->now_ms);
    return true;
}

struct lf_request *lf_request_send(struct lf_core *core, struct lf_broker *broker, enum lf_request_kind kind,
                                   void *owner, Lf__ClientRequest *message, struct lf_buf *batch) {
    if (broker->link == LF_LINK_NONE || session_dead(core, broker))
        return NULL;
    message->request_id = core->last_request + 1;
    struct lf_request *request = calloc(1, sizeof *request);
    struct lf_buf *header = request ? pack(core, message) : NULL;
    if (!header || !frames_send(core, broker, header, batch)) {
        free(request);
        return NULL;
    }
    *request = (struct lf_request){.id = ++core->last_request,
                                   .kind = kind,
                                   .broker = broker,
                                   .owner = owner,
                                   .sent_ms = core->now_ms,
                                   .previous = broker->last};
    if (broker->last)
        broker->last->next = request;
    else
        broker->first = request;
    broker->last = request;
    /* From idle to waiting: the next look at this broker must not be a whole ping interval away. */
    if (broker->link == LF_LINK_READY && broker->first == request &&
        (broker->timer.slot == 0 || broker->timer.when_ms > core->now_ms + LF_CORE_LOOK_INTERVAL))
        lf_timer_set(&core->timers, &broker->timer, core->now_ms + LF_CORE_LOOK_INTERVAL);
    return request;
}

void lf_notice_send(struct lf_core *core, struct lf_broker *broker, Lf__ClientRequest *message) {
    if (broker->link == LF_LINK_NONE || session_dead(core, broker))
        return;
    message->request_id = ++core->last_request;
    struct lf_buf *header = pack(core, message);
    if (header)
        frames_send(core, broker, header, NULL);
}

static void unlink_request(struct lf_request *request) {
    struct lf_broker *broker = request->broker;
    if (request->previous)
        request->previous->next = request->next;
    else
        broker->first = request->next;
    if (request->next)
        request->next->previous = request->previous;
    else
        broker->last = request->previous;
}

void lf_request_cancel(struct lf_request **where) {
    struct lf_request *request = *where;
    *where = NULL;
    if (!request)
        return;
    unlink_request(request);
    free(request);
}

struct lf_request *lf_request_find(struct lf_broker *broker, uint64_t id) {
    struct lf_request *request = broker->first; /* answers mostly come in order: near the front */
    while (request && request->id != id)
        request = request->next;
    return request;
}

uint64_t lf_request_patience(enum lf_request_kind kind) {
    switch (kind) {
    case LF_REQUEST_METADATA:
        return 1000;
    case LF_REQUEST_INIT_PRODUCER:
        return 3000;
    case LF_REQUEST_PUBLISH:
        return 15000;
    case LF_REQUEST_RAISE:
    case LF_REQUEST_SUBSCRIBE:
    case LF_REQUEST_CALL:
        return 5000;
    case LF_REQUEST_END:
        return 3000;
    case LF_REQUEST_HELLO:
    case LF_REQUEST_PING:
        break;
    }
    return UINT64_MAX; /* the session's own time-outs judge these */
}

void lf_request_resolve(struct lf_core *core, struct lf_request *request, Lf__ClientReply **where) {
    struct lf_broker *broker = request->broker;
    void *owner = request->owner;
    enum lf_request_kind kind = request->kind;
    unlink_request(request);
    free(request);
    Lf__ClientReply *reply = where ? *where : NULL;
    switch (kind) {
    case LF_REQUEST_HELLO:
        lf_broker_on_hello(core, broker, reply);
        break;
    case LF_REQUEST_PING:
        broker->ping = NULL;
        break;
    case LF_REQUEST_METADATA:
        core->metadata_request = NULL;
        lf_metadata_on_reply(core, broker, reply);
        break;
    case LF_REQUEST_INIT_PRODUCER:
        core->producer_request = NULL;
        lf_producer_on_reply(core, broker, reply);
        break;
    case LF_REQUEST_PUBLISH:
        ((struct lf_batch *)owner)->request = NULL;
        lf_publish_on_reply(core, broker, owner, reply);
        break;
    case LF_REQUEST_RAISE:
        ((struct lf_publisher *)owner)->raising = NULL;
        lf_raise_on_reply(core, broker, owner, reply);
        break;
    case LF_REQUEST_END:
        ((struct lf_reader *)owner)->request = NULL;
        lf_reader_on_end(core, broker, owner, reply);
        break;
    case LF_REQUEST_SUBSCRIBE:
        ((struct lf_reader *)owner)->request = NULL;
        lf_reader_on_subscribed(core, broker, owner, reply);
        break;
    case LF_REQUEST_CALL:
        ((struct lf_call *)owner)->request = NULL;
        lf_call_on_reply(core, broker, owner, where);
        break;
    }
}
