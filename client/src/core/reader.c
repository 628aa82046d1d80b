/** One partition of a subscription: where it is subscribed, and where else when that fails. */
#include "core_state.h"

#include <stdio.h>

void lf_reader_failed(struct lf_core *core, struct lf_reader *reader, enum lf_status status, const char *text) {
    reader->tries++;
    reader->choice++;
    reader->last_status = status;
    snprintf(reader->last_text, sizeof reader->last_text, "%s", text && *text ? text : lf_status_text(status));
    reader->retry_at_ms = core->now_ms + lf_core_backoff(core, reader->tries, LF_CORE_BACKOFF_MAX);
    lf_core_trace(core, "subscription=%llu partition=%u next=%lld again: %s",
                  (unsigned long long)reader->subscription->id, reader->partition, (long long)reader->next,
                  reader->last_text);
    core->wake = true;
}

void lf_reader_detach(struct lf_core *core, struct lf_reader *reader) {
    lf_request_cancel(&reader->request);
    if (reader->wire_id == 0)
        return;
    lf_map_remove(&core->wires, reader->wire_id);
    if (lf_broker_ready(reader->broker)) {
        Lf__Unsubscribe body = LF__UNSUBSCRIBE__INIT;
        body.subscription = reader->wire_id;
        Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
        request.body_case = LF__CLIENT_REQUEST__BODY_UNSUBSCRIBE;
        request.unsubscribe = &body;
        lf_notice_send(core, reader->broker, &request); /* its answer is of no interest */
    }
    reader->broker->readers--;
    reader->broker = NULL;
    reader->wire_id = 0;
    if (reader->state == LF_READER_SUBSCRIBING || reader->state == LF_READER_STREAMING)
        reader->state = LF_READER_IDLE;
}

bool lf_reader_at_end(struct lf_core *core, struct lf_reader *reader) {
    if (reader->end < 0 || !reader->established || reader->next < reader->end)
        return false;
    lf_reader_detach(core, reader);
    reader->state = LF_READER_ENDED;
    lf_timer_cancel(&core->timers, &reader->timer);
    core->wake = true;
    return true;
}

void lf_reader_grant(struct lf_core *core, struct lf_reader *reader) {
    uint64_t window = reader->subscription->window;
    if (reader->state != LF_READER_STREAMING || reader->unconsumed >= window)
        return;
    uint64_t total = reader->wire_received + (window - reader->unconsumed);
    bool exhausted = reader->wire_received >= reader->wire_credit;
    if (total <= reader->wire_credit || (!exhausted && total - reader->wire_credit < window / 4))
        return;
    if (exhausted)
        reader->heard_ms = core->now_ms; /* it may send again from now on */
    reader->wire_credit = total;
    Lf__Credit body = LF__CREDIT__INIT;
    body.subscription = reader->wire_id;
    body.credit_total = total;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_CREDIT;
    request.credit = &body;
    lf_notice_send(core, reader->broker, &request);
}

static int64_t position(const struct lf_reader *reader) {
    return reader->established ? reader->next : reader->subscription->options.value;
}

/* The log begins at `start`, beyond its position: it goes on there, and says what it missed, or is refused. False: it
 * does not go on. */
static bool overtaken(struct lf_core *core, struct lf_reader *reader, int64_t start) {
    int64_t at = position(reader);
    if (!reader->subscription->options.reset_to_log_start) {
        lf_reader_failed(core, reader, LF_OFFSET_BELOW_START, NULL);
        snprintf(reader->last_text, sizeof reader->last_text,
                 "offset %lld is below the log start: the first offset that exists is %lld", (long long)at,
                 (long long)start);
        reader->resume = start;
        reader->final = true;
        return false;
    }
    struct lf_core_effect *effect = lf_effect_add(core, LF_CORE_MISSED);
    if (!effect) {
        lf_reader_failed(core, reader, LF_NO_MEMORY, NULL); /* nothing may be left out silently */
        return false;
    }
    effect->subscription = reader->subscription->id;
    effect->partition = (int32_t)reader->partition;
    effect->missed_from = at;
    effect->missed_to = start;
    lf_core_trace(core, "subscription=%llu partition=%u missed %lld to %lld",
                  (unsigned long long)reader->subscription->id, reader->partition, (long long)at, (long long)start);
    reader->next = start;
    reader->leader_epoch = -1; /* of the record before it, which is gone */
    reader->established = true;
    return true;
}

/* A majority was lost, and its position lies in what it had: it goes on at `resume`, which may be before, and says so,
 * or is refused. False: it does not go on. */
static bool diverged(struct lf_core *core, struct lf_reader *reader, int64_t resume) {
    int64_t at = position(reader);
    if (!reader->subscription->options.reset_to_log_start) {
        lf_reader_failed(core, reader, LF_HISTORY_DIVERGED, NULL);
        snprintf(reader->last_text, sizeof reader->last_text,
                 "offset %lld belongs to a history that was lost with a majority of the brokers: this one goes on at "
                 "%lld",
                 (long long)at, (long long)resume);
        reader->resume = resume;
        reader->final = true;
        return false;
    }
    struct lf_core_effect *effect = lf_effect_add(core, LF_CORE_MISSED);
    if (!effect) {
        lf_reader_failed(core, reader, LF_NO_MEMORY, NULL);
        return false;
    }
    effect->subscription = reader->subscription->id;
    effect->partition = (int32_t)reader->partition;
    effect->missed_from = at;
    effect->missed_to = resume;
    effect->diverged = true;
    lf_core_trace(core, "subscription=%llu partition=%u diverged at %lld, goes on at %lld",
                  (unsigned long long)reader->subscription->id, reader->partition, (long long)at, (long long)resume);
    reader->next = resume;
    reader->leader_epoch = -1;
    reader->established = true;
    return true;
}

/* ---- whom to read from ------------------------------------------------------------------------------------------- */

/* Choice 0 is the leader (or whoever may know it), the others are the replicas in turn. NULL: none now. */
static struct lf_broker *target(struct lf_core *core, struct lf_reader *reader) {
    struct lf_topic_state *topic = reader->subscription->topic;
    const struct lf_partition_state *partition = &topic->partitions[reader->partition];
    size_t count = partition->replica_count;
    bool certain;
    if (count == 0 || reader->choice % (count + 1) == 0)
        return lf_partition_target(core, topic, reader->partition, &certain);
    size_t first = reader->choice % (count + 1) - 1;
    for (size_t i = 0; i < count; i++) {
        struct lf_broker *broker = lf_broker_by_node(core, partition->replica_nodes[(first + i) % count]);
        if (!broker)
            continue;
        if (lf_broker_ready(broker) && !lf_broker_failing(core, broker))
            return broker;
        lf_broker_want(core, broker);
    }
    lf_metadata_want(core, topic);
    return NULL;
}

static void topic_ref(const struct lf_reader *reader, Lf__TopicRef *ref) {
    *ref = (Lf__TopicRef)LF__TOPIC_REF__INIT;
    ref->name = reader->subscription->topic->name;
    ref->id = reader->subscription->topic_id;
}

static void seek_end(struct lf_core *core, struct lf_reader *reader, struct lf_broker *broker) {
    Lf__TopicRef topic;
    topic_ref(reader, &topic);
    Lf__OffsetsLookup body = LF__OFFSETS_LOOKUP__INIT;
    body.topic = &topic;
    body.partition = reader->partition;
    body.kind = LF__LOOKUP_KIND__LOOKUP_END;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_OFFSETS_LOOKUP;
    request.offsets_lookup = &body;
    reader->request = lf_request_send(core, broker, LF_REQUEST_END, reader, &request, NULL);
}

static void start_of(const struct lf_reader *reader, Lf__Subscribe *body, Lf__Position *position) {
    const struct lf_subscribe_options *options = &reader->subscription->options;
    position->leader_epoch = reader->leader_epoch;
    if (reader->established) {
        body->from = LF__START_FROM__START_OFFSET;
        position->offset = reader->next;
        return;
    }
    switch (options->start) {
    case LF_START_EARLIEST:
        body->from = LF__START_FROM__START_EARLIEST;
        break;
    case LF_START_LATEST:
        body->from = LF__START_FROM__START_LATEST;
        break;
    case LF_START_OFFSET:
        body->from = LF__START_FROM__START_OFFSET;
        position->offset = options->value;
        break;
    case LF_START_TAIL:
        body->from = LF__START_FROM__START_TAIL;
        body->tail = options->value;
        break;
    case LF_START_TIMESTAMP:
        body->from = LF__START_FROM__START_TIMESTAMP;
        body->timestamp_ms = options->value;
        break;
    }
}

static void subscribe(struct lf_core *core, struct lf_reader *reader, struct lf_broker *broker) {
    uint64_t window = reader->subscription->window, wire_id = core->last_wire_id + 1;
    if (!lf_map_put(&core->wires, wire_id, reader))
        return;
    Lf__TopicRef topic;
    topic_ref(reader, &topic);
    Lf__Position position = LF__POSITION__INIT;
    Lf__Subscribe body = LF__SUBSCRIBE__INIT;
    body.subscription = wire_id;
    body.topic = &topic;
    body.partition = reader->partition;
    body.position = &position;
    start_of(reader, &body, &position);
    body.reset_to_log_start = reader->subscription->options.reset_to_log_start;
    body.credit_total = window > reader->unconsumed ? window - reader->unconsumed : 1;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &body;
    reader->request = lf_request_send(core, broker, LF_REQUEST_SUBSCRIBE, reader, &request, NULL);
    if (!reader->request) {
        lf_map_remove(&core->wires, wire_id);
        return;
    }
    core->last_wire_id = reader->wire_id = wire_id;
    reader->wire_credit = body.credit_total;
    reader->wire_received = 0;
    reader->broker = broker;
    broker->readers++;
    reader->state = LF_READER_SUBSCRIBING;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/* These are one replica's trouble; another may have what we need. */
static bool elsewhere(enum lf_status status) {
    return status == LF_DAMAGED || status == LF_CORRUPT || status == LF_IO || status == LF_INTERNAL ||
           status == LF_MALFORMED || status == LF_NOT_FOUND;
}

void lf_reader_refused(struct lf_core *core, struct lf_reader *reader, struct lf_broker *broker,
                       const Lf__ClientReply *reply, const Lf__Position *resume) {
    struct lf_topic_state *topic = reader->subscription->topic;
    enum lf_status status = reply ? (enum lf_status)reply->status : LF_UNKNOWN_OUTCOME;
    if (status == LF_OK)
        status = LF_NOT_READY; /* ended without a reason, or an answer of another kind */
    const char *text = reply ? reply->error : "the connection was lost";
    lf_reader_failed(core, reader, status, text);
    if (!reply)
        return;
    if (status == LF_NOT_LEADER) {
        lf_metadata_not_leader(core, topic, reader->partition, broker, reply->leader);
        reader->choice = 0;
    } else if (status == LF_TOPIC_UNKNOWN || status == LF_PARTITION_UNKNOWN) {
        lf_metadata_want(core, topic); /* if it is really gone, metadata ends us */
    } else if (status == LF_OFFSET_BELOW_START && resume && resume->offset > position(reader)) {
        if (overtaken(core, reader, resume->offset) && !lf_reader_at_end(core, reader))
            reader->retry_at_ms = core->now_ms; /* it may begin there at once */
    } else if (status == LF_HISTORY_DIVERGED && resume && resume->offset >= 0 && resume->offset != position(reader)) {
        if (diverged(core, reader, resume->offset) && !lf_reader_at_end(core, reader))
            reader->retry_at_ms = core->now_ms;
    } else if (elsewhere(status)) {
        size_t replicas = topic->partitions[reader->partition].replica_count;
        reader->final = ++reader->damage > 2 * (replicas + 1);
    } else if (lf_status_action(status) == LF_ACTION_GIVE_UP) {
        reader->final = true;
    }
}

void lf_reader_on_end(struct lf_core *core, struct lf_broker *broker, struct lf_reader *reader,
                      const Lf__ClientReply *reply) {
    if (!reply || reply->status != LF_OK || reply->body_case != LF__CLIENT_REPLY__BODY_OFFSETS_LOOKUP ||
        !reply->offsets_lookup->position || reply->offsets_lookup->position->offset < 0) {
        lf_reader_refused(core, reader, broker, reply, NULL);
        return;
    }
    reader->end = reply->offsets_lookup->position->offset;
    reader->state = LF_READER_IDLE;
    core->wake = true;
}

/* The position that a broker gave. False: the reader failed. */
static bool position_take(struct lf_core *core, struct lf_reader *reader, const Lf__SubscribeReply *said) {
    const struct lf_subscribe_options *options = &reader->subscription->options;
    bool asked = reader->established || options->start == LF_START_OFFSET;
    int64_t wanted = position(reader);
    if (said->start_offset < 0 || (asked && said->start_offset > wanted && !options->reset_to_log_start)) {
        lf_reader_failed(core, reader, LF_INTERNAL, "the broker began at an offset that was not asked for");
        reader->final = true;
        return false;
    }
    if (asked && said->start_offset > wanted && !overtaken(core, reader, said->start_offset))
        return false;
    reader->next = asked && said->start_offset < wanted ? wanted : said->start_offset;
    reader->established = true;
    reader->high_watermark = said->high_watermark;
    return true;
}

void lf_reader_on_subscribed(struct lf_core *core, struct lf_broker *broker, struct lf_reader *reader,
                             const Lf__ClientReply *reply) {
    bool answered = reply && reply->body_case == LF__CLIENT_REPLY__BODY_SUBSCRIBE;
    if (!answered || reply->status != LF_OK) {
        Lf__Position resume = LF__POSITION__INIT;
        if (answered && reply->status == LF_HISTORY_DIVERGED)
            resume.offset = reply->subscribe->start_offset;
        else
            resume.offset = answered ? reply->subscribe->log_start_offset : -1;
        lf_reader_detach(core, reader);
        lf_reader_refused(core, reader, broker, reply, answered ? &resume : NULL);
        return;
    }
    if (!position_take(core, reader, reply->subscribe)) {
        lf_reader_detach(core, reader);
        return;
    }
    lf_core_trace(core, "subscription=%llu partition=%u at %lld on node=%llu",
                  (unsigned long long)reader->subscription->id, reader->partition, (long long)reader->next,
                  (unsigned long long)broker->node_id);
    reader->state = LF_READER_STREAMING;
    reader->heard_ms = core->now_ms;
    if (!lf_reader_at_end(core, reader)) {
        lf_reader_grant(core, reader);
        lf_timer_set(&core->timers, &reader->timer, core->now_ms + LF_CORE_READER_STALLED);
    }
}

void lf_readers_broker_gone(struct lf_core *core, struct lf_broker *broker) {
    for (struct lf_subscription_state *s = core->subscriptions; s && broker->readers > 0; s = s->next)
        for (uint32_t i = 0; i < s->reader_count; i++)
            if (s->readers[i].broker == broker) {
                lf_reader_detach(core, &s->readers[i]);
                lf_reader_failed(core, &s->readers[i], LF_CONNECT, "the connection was lost");
                s->readers[i].choice = 0;
            }
}

/* ---- moving ------------------------------------------------------------------------------------------------------ */

/* More is there, the broker may send, and does not. */
static void watch_stream(struct lf_core *core, struct lf_reader *reader) {
    int64_t there = reader->high_watermark > reader->end ? reader->high_watermark : reader->end;
    bool waiting = reader->next < there && reader->wire_received < reader->wire_credit;
    bool stalled = waiting && core->now_ms - reader->heard_ms >= LF_CORE_READER_STALLED;
    if (stalled || lf_broker_failing(core, reader->broker)) {
        lf_reader_detach(core, reader);
        lf_reader_failed(core, reader, LF_TIMED_OUT, "the broker sends nothing any more");
        return;
    }
    uint64_t next = waiting ? reader->heard_ms + LF_CORE_READER_STALLED : core->now_ms + LF_CORE_READER_STALLED;
    lf_timer_set(&core->timers, &reader->timer, next > core->now_ms ? next : core->now_ms + 1);
}

/* Never accepted by any broker, and the time for that is over. */
static bool start_overdue(struct lf_core *core, struct lf_reader *reader) {
    uint64_t since = reader->subscription->started_ms;
    if (reader->established)
        return false;
    if (core->ready_count == 0) {
        uint64_t alone = core->linkless_ms > since ? core->linkless_ms : since;
        if (core->now_ms - alone < core->options.connect_timeout_ms)
            return false;
        reader->last_status = LF_CONNECT;
        snprintf(reader->last_text, sizeof reader->last_text, "%s", core->connect_error.text);
    } else if (core->now_ms - since < core->options.request_timeout_ms) {
        return false;
    } else if (reader->last_status == LF_OK) {
        reader->last_status = LF_TIMED_OUT;
        snprintf(reader->last_text, sizeof reader->last_text, "no broker answered in time");
    }
    return reader->final = true;
}

void lf_reader_pump(struct lf_core *core, struct lf_reader *reader) {
    if (reader->state == LF_READER_ENDED || reader->final)
        return;
    if (reader->state == LF_READER_STREAMING) {
        watch_stream(core, reader);
        return;
    }
    if (reader->request && lf_broker_failing(core, reader->request->broker)) {
        lf_reader_detach(core, reader);
        lf_reader_failed(core, reader, LF_TIMED_OUT, "the broker does not answer");
    }
    lf_timer_set(&core->timers, &reader->timer, core->now_ms + LF_CORE_LOOK_INTERVAL);
    if (reader->request || start_overdue(core, reader))
        return;
    if (core->now_ms < reader->retry_at_ms) {
        lf_timer_set(&core->timers, &reader->timer, reader->retry_at_ms);
        return;
    }
    struct lf_broker *broker = target(core, reader);
    if (!broker)
        return;
    if (reader->state == LF_READER_SEEKING_END)
        seek_end(core, reader, broker);
    else
        subscribe(core, reader, broker);
}
