/** Sessions: connect, hello, ping, and what happens when a broker is silent or gone. */
#include "core_state.h"

#include <stdio.h>

bool lf_broker_ready(const struct lf_broker *broker) { return broker->link == LF_LINK_READY; }

/* Pinged, and nothing at all heard since. */
static bool suspect(const struct lf_core *core, const struct lf_broker *broker) {
    return broker->ping && core->now_ms - broker->ping->sent_ms > LF_CORE_SUSPECT_AFTER &&
           core->now_ms - broker->heard_ms > LF_CORE_SUSPECT_AFTER;
}

bool lf_broker_failing(const struct lf_core *core, const struct lf_broker *broker) {
    if (broker->link == LF_LINK_READY)
        return suspect(core, broker);
    if (broker->link == LF_LINK_HELLO && core->now_ms - broker->opened_ms > LF_CORE_HELLO_SLOW)
        return true;
    return broker->failures > 0;
}

static void connection_open(struct lf_core *core, struct lf_broker *broker) {
    struct lf_core_effect *effect = lf_effect_add(core, LF_CORE_CONNECT);
    if (!effect) {
        broker->retry_at_ms = core->now_ms + LF_CORE_MEMORY_RETRY;
        lf_timer_set(&core->timers, &broker->timer, broker->retry_at_ms);
        return;
    }
    broker->connection = effect->connection = ++core->last_connection;
    strcpy(effect->host, broker->host);
    effect->port = broker->port;
    broker->link = LF_LINK_HELLO;
    broker->wanted = false;
    broker->opened_ms = broker->heard_ms = broker->sent_ms = broker->pinged_ms = core->now_ms;
    broker->tried = ++core->tries;
    broker->credit_total = broker->credit_used = 0;
    broker->credit_short = false;
    broker->session_timeout_ms = 0;
    lf_core_trace(core, "connect %s:%u connection=%llu", broker->host, broker->port,
                  (unsigned long long)broker->connection);
    Lf__Hello hello = LF__HELLO__INIT;
    hello.version_min = hello.version_max = LF_PROTOCOL_VERSION;
    hello.client_name = core->client_name;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_HELLO;
    request.hello = &hello;
    if (!lf_request_send(core, broker, LF_REQUEST_HELLO, broker, &request, NULL))
        lf_broker_drop(core, broker, "out of memory");
    else
        lf_timer_set(&core->timers, &broker->timer, core->now_ms + LF_CORE_HELLO_SLOW + 1);
}

void lf_broker_want(struct lf_core *core, struct lf_broker *broker) {
    if (broker->link != LF_LINK_NONE || core->closed)
        return;
    if (core->now_ms >= broker->retry_at_ms) {
        connection_open(core, broker);
        return;
    }
    broker->wanted = true;
    lf_timer_set(&core->timers, &broker->timer, broker->retry_at_ms);
}

/* One attempt at a time, unless the one under way is slow; the broker tried longest ago goes first. */
static void connect_some(struct lf_core *core) {
    struct lf_broker *next = NULL;
    for (size_t i = 0; i < core->broker_count; i++) {
        struct lf_broker *broker = core->brokers[i];
        if (broker->link == LF_LINK_HELLO && core->now_ms - broker->opened_ms <= LF_CORE_HELLO_SLOW)
            return;
        if (broker->link != LF_LINK_NONE)
            continue;
        bool now = broker->retry_at_ms <= core->now_ms, next_now = next && next->retry_at_ms <= core->now_ms;
        if (!next || (now && (!next_now || broker->tried < next->tried)) ||
            (!now && !next_now && broker->retry_at_ms < next->retry_at_ms))
            next = broker;
    }
    if (next)
        lf_broker_want(core, next);
}

struct lf_broker *lf_broker_any(struct lf_core *core) {
    struct lf_broker *doubtful = NULL;
    for (size_t i = 0; i < core->broker_count; i++) {
        size_t place = (core->broker_turn + i) % core->broker_count;
        struct lf_broker *broker = core->brokers[place];
        if (broker->link != LF_LINK_READY)
            continue;
        if (!broker->retired && !lf_broker_failing(core, broker)) {
            core->broker_turn = (place + 1) % core->broker_count;
            return broker;
        }
        if (!doubtful || doubtful->retired)
            doubtful = broker;
    }
    connect_some(core);
    return doubtful;
}

/* The connection is no more: what was asked there has no answer. */
static void connection_lost(struct lf_core *core, struct lf_broker *broker, const char *why) {
    bool was_ready = broker->link == LF_LINK_READY;
    lf_core_trace(core, "gone %s:%u connection=%llu (%s)", broker->host, broker->port,
                  (unsigned long long)broker->connection, why);
    broker->link = LF_LINK_NONE;
    broker->connection = 0;
    broker->wanted = false;
    broker->failures++;
    broker->retry_at_ms = core->now_ms + lf_core_backoff(core, broker->failures, LF_CORE_BACKOFF_MAX);
    lf_timer_cancel(&core->timers, &broker->timer);
    if (was_ready && --core->ready_count == 0)
        core->linkless_ms = core->now_ms;
    if (!was_ready && core->ready_count == 0)
        lf_error_set(&core->connect_error, broker->refused ? core->connect_error.code : LF_CONNECT, "%.100s:%u: %s",
                     broker->host, broker->port, why);
    while (broker->first)
        lf_request_resolve(core, broker->first, NULL);
    lf_readers_broker_gone(core, broker);
    if (was_ready && !core->closed)
        lf_metadata_want(core, NULL);
    core->wake = true;
}

static void disconnect(struct lf_core *core, struct lf_broker *broker, bool farewell, const char *why) {
    struct lf_core_effect *effect = lf_effect_add(core, LF_CORE_DISCONNECT);
    if (effect) {
        effect->connection = broker->connection;
        effect->farewell = farewell;
    }
    connection_lost(core, broker, why);
}

void lf_broker_drop(struct lf_core *core, struct lf_broker *broker, const char *why) {
    if (broker->link != LF_LINK_NONE)
        disconnect(core, broker, false, why);
}

void lf_broker_leave(struct lf_core *core, struct lf_broker *broker) {
    /* A hello that is under way makes a session, too; one that has waited for long is for nobody. */
    bool session = broker->link == LF_LINK_READY ||
                   (broker->link == LF_LINK_HELLO && core->now_ms - broker->opened_ms <= LF_CORE_HELLO_SLOW);
    Lf__Goodbye body = LF__GOODBYE__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_GOODBYE;
    request.goodbye = &body;
    if (session)
        lf_notice_send(core, broker, &request);
    if (broker->link != LF_LINK_NONE)
        disconnect(core, broker, session, "the client was closed");
}

static void refuse(struct lf_core *core, struct lf_broker *broker, enum lf_status status, const char *text) {
    char why[160];
    snprintf(why, sizeof why, "%.150s", text && *text ? text : lf_status_text(status));
    core->connect_error.code = status;
    broker->refused = status == LF_VERSION || status == LF_WRONG_CLUSTER;
    lf_broker_drop(core, broker, why);
    if (broker->refused)
        broker->retry_at_ms = core->now_ms + lf_core_jitter(core, LF_CORE_BACKOFF_MAX);
    broker->refused = false;
}

void lf_broker_on_hello(struct lf_core *core, struct lf_broker *broker, const Lf__ClientReply *reply) {
    if (!reply)
        return;
    if (reply->status != LF_OK) {
        refuse(core, broker, (enum lf_status)reply->status, reply->error);
        return;
    }
    if (reply->cluster_id.len == 0) {
        refuse(core, broker, LF_NOT_READY, "its cluster is not founded yet");
        return;
    }
    if (reply->body_case != LF__CLIENT_REPLY__BODY_HELLO || reply->hello->version != LF_PROTOCOL_VERSION ||
        reply->cluster_id.len != sizeof core->cluster_id) {
        refuse(core, broker, LF_VERSION, "its hello makes no sense");
        return;
    }
    const Lf__HelloReply *hello = reply->hello;
    if (!core->cluster_known) {
        memcpy(core->cluster_id, reply->cluster_id.data, sizeof core->cluster_id);
        core->cluster_known = true;
    } else if (memcmp(core->cluster_id, reply->cluster_id.data, sizeof core->cluster_id) != 0) {
        refuse(core, broker, LF_WRONG_CLUSTER, "it belongs to another cluster than the brokers before it");
        return;
    }
    broker->node_id = hello->node_id;
    broker->session_timeout_ms = hello->session_timeout_ms ? hello->session_timeout_ms : 30000;
    if (broker->session_timeout_ms < 30)
        broker->session_timeout_ms = 30;
    broker->batch_bytes_max = hello->batch_bytes_max;
    broker->records_max = hello->records_max;
    if (hello->batch_bytes_max && (core->batch_bytes_limit == 0 || hello->batch_bytes_max < core->batch_bytes_limit))
        core->batch_bytes_limit = hello->batch_bytes_max;
    broker->inflight_batches = hello->publish_inflight_batches;
    if (broker->inflight_batches == 0 || broker->inflight_batches > LF_CORE_INFLIGHT_BATCHES)
        broker->inflight_batches = LF_CORE_INFLIGHT_BATCHES;
    broker->link = LF_LINK_READY;
    broker->failures = 0;
    core->ready_count++;
    core->wake = true;
    lf_core_trace(core, "ready %s:%u connection=%llu node=%llu", broker->host, broker->port,
                  (unsigned long long)broker->connection, (unsigned long long)broker->node_id);
    lf_timer_set(&core->timers, &broker->timer, core->now_ms);
    if (core->controller_node == 0)
        lf_metadata_want(core, NULL);
}

static void ping(struct lf_core *core, struct lf_broker *broker) {
    Lf__Ping body = LF__PING__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_PING;
    request.ping = &body;
    broker->pinged_ms = core->now_ms;
    broker->ping = lf_request_send(core, broker, LF_REQUEST_PING, broker, &request, NULL);
}

static void resolve_overdue(struct lf_core *core, struct lf_broker *broker) {
    for (struct lf_request *request = broker->first; request;) {
        if (core->now_ms - request->sent_ms >= lf_request_patience(request->kind)) {
            lf_request_resolve(core, request, NULL);
            request = broker->first; /* the handler may have changed the list */
        } else {
            request = request->next;
        }
    }
}

bool lf_broker_session_dead(const struct lf_core *core, const struct lf_broker *broker) {
    return broker->link == LF_LINK_READY && core->now_ms - broker->sent_ms >= broker->session_timeout_ms;
}

/* Somebody waits for this broker and nothing was heard for a while: is it there at all? */
static bool probe_due(const struct lf_core *core, const struct lf_broker *broker) {
    uint64_t after = LF_CORE_PROBE_AFTER;
    if (broker->first && core->now_ms - broker->first->sent_ms >= LF_CORE_SUSPECT_AFTER)
        after = LF_CORE_SUSPECT_AFTER;
    else if (broker->readers == 0)
        return false;
    if (after > broker->session_timeout_ms / 3)
        after = broker->session_timeout_ms / 3;
    return core->now_ms - broker->heard_ms >= after && core->now_ms - broker->pinged_ms >= after;
}

static void look_over(struct lf_core *core, struct lf_broker *broker) {
    uint64_t now = core->now_ms, third = broker->session_timeout_ms / 3;
    if (lf_broker_session_dead(core, broker)) {
        lf_broker_drop(core, broker, "we were silent for longer than the session lasts");
        return;
    }
    if (now - broker->heard_ms >= broker->session_timeout_ms) {
        lf_broker_drop(core, broker, "no answer within the session's time-out");
        return;
    }
    resolve_overdue(core, broker);
    if (broker->link != LF_LINK_READY)
        return;
    bool used = broker->first || broker->readers > 0;
    if (!broker->ping && (now - broker->pinged_ms >= third || probe_due(core, broker)))
        ping(core, broker);
    if (broker->link != LF_LINK_READY)
        return;
    if (suspect(core, broker)) {
        for (struct lf_request *request = broker->first; request; request = request->next)
            if (request->kind == LF_REQUEST_PUBLISH)
                lf_metadata_want(core, ((struct lf_batch *)request->owner)->publisher->topic);
        core->wake = true;
    }
    uint64_t next = broker->pinged_ms + third;
    if (used && next > now + LF_CORE_LOOK_INTERVAL)
        next = now + LF_CORE_LOOK_INTERVAL;
    uint64_t end = broker->heard_ms + broker->session_timeout_ms;
    next = next <= now ? now + 1 : next; /* a ping is out already */
    lf_timer_set(&core->timers, &broker->timer, next < end ? next : end);
}

void lf_broker_on_timer(struct lf_core *core, struct lf_broker *broker) {
    uint64_t patience = LF_CORE_HELLO_MAX;
    if (core->options.connect_timeout_ms && patience > core->options.connect_timeout_ms)
        patience = core->options.connect_timeout_ms;
    switch (broker->link) {
    case LF_LINK_NONE:
        if (broker->wanted)
            lf_broker_want(core, broker);
        break;
    case LF_LINK_HELLO:
        if (core->now_ms - broker->opened_ms >= patience) {
            lf_broker_drop(core, broker, "no answer");
        } else {
            lf_timer_set(&core->timers, &broker->timer, broker->opened_ms + patience);
            core->wake = true;
        }
        break;
    case LF_LINK_READY:
        look_over(core, broker);
        break;
    }
}

static struct lf_broker *broker_by_connection(struct lf_core *core, uint64_t connection) {
    for (size_t i = 0; connection && i < core->broker_count; i++)
        if (core->brokers[i]->connection == connection)
            return core->brokers[i];
    return NULL;
}

static void credit_heard(struct lf_core *core, struct lf_broker *broker, uint64_t total) {
    if (total <= broker->credit_total)
        return;
    broker->credit_total = total;
    if (!broker->credit_short || broker->credit_used >= total)
        return;
    broker->credit_short = false;
    /* The dirty ones are pumped last first: in two halves, so that scarce credit does not always go to the same. */
    uint64_t skip = lf_core_random(core) % 64, place = 0;
    for (struct lf_publisher *p = core->active; p; p = p->active_next)
        if (place++ >= skip)
            lf_publisher_dirty(core, p);
    for (struct lf_publisher *p = core->active; p; p = p->active_next)
        lf_publisher_dirty(core, p);
}

/* An answer that nobody waits for any more. A subscription that came about all the same is ended. */
static void late_reply(struct lf_core *core, struct lf_broker *broker, const Lf__ClientReply *reply) {
    if (broker->link != LF_LINK_READY || reply->status != LF_OK ||
        reply->body_case != LF__CLIENT_REPLY__BODY_SUBSCRIBE || reply->subscribe->subscription == 0 ||
        lf_map_get(&core->wires, reply->subscribe->subscription))
        return;
    Lf__Unsubscribe body = LF__UNSUBSCRIBE__INIT;
    body.subscription = reply->subscribe->subscription;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_UNSUBSCRIBE;
    request.unsubscribe = &body;
    lf_notice_send(core, broker, &request);
}

/* Returns false when the broker talks nonsense. */
static bool reply_heard(struct lf_core *core, struct lf_broker *broker, Lf__ClientReply **reply,
                        struct lf_frame *frames, size_t count) {
    credit_heard(core, broker, (*reply)->publish_credit_total);
    if ((*reply)->request_id == 0) {
        if (broker->link == LF_LINK_READY && (*reply)->body_case == LF__CLIENT_REPLY__BODY_DELIVER)
            return lf_deliver(core, broker, (*reply)->deliver, frames, count);
        if (broker->link == LF_LINK_READY && (*reply)->body_case == LF__CLIENT_REPLY__BODY_SUBSCRIPTION_END)
            lf_deliver_end(core, broker, *reply);
        if (broker->link == LF_LINK_HELLO && (*reply)->status != LF_OK) /* no room for a session */
            refuse(core, broker, (enum lf_status)(*reply)->status, (*reply)->error);
        return true;
    }
    if ((*reply)->status == LF_CLOSED && broker->link == LF_LINK_READY) {
        /* We were silent for too long, as it heard us: what it says no to may well be done on a new connection. */
        lf_broker_drop(core, broker, "the broker ended the session");
        return true;
    }
    struct lf_request *request = lf_request_find(broker, (*reply)->request_id);
    if (!request)
        late_reply(core, broker, *reply);
    else if (broker->link == LF_LINK_READY || request->kind == LF_REQUEST_HELLO)
        lf_request_resolve(core, request, reply);
    return true;
}

void lf_connection_frames(struct lf_core *core, uint64_t connection, struct lf_frame *frames, size_t count) {
    struct lf_broker *broker = broker_by_connection(core, connection);
    if (!broker || count == 0)
        return;
    broker->heard_ms = core->now_ms;
    Lf__ClientReply *reply = lf__client_reply__unpack(NULL, frames[0].size, frames[0].buf->data + frames[0].offset);
    if (!reply || !reply_heard(core, broker, &reply, frames, count))
        lf_broker_drop(core, broker, "it sent what makes no sense");
    if (reply)
        lf__client_reply__free_unpacked(reply, NULL);
}

void lf_connection_gone(struct lf_core *core, uint64_t connection) {
    struct lf_broker *broker = broker_by_connection(core, connection);
    if (broker)
        connection_lost(core, broker, broker->link == LF_LINK_HELLO ? "cannot connect" : "connection closed");
}
