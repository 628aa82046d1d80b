/** One partition's batches: what is sent when, in which order, and who is told what became of it (C1, C3, C4). */
#include "core_state.h"

#include <stdio.h>
#include <stdlib.h>

struct lf_publisher *lf_publisher_get(struct lf_core *core, struct lf_topic_state *topic, uint32_t partition) {
    struct lf_publisher **place = &topic->partitions[partition].publisher;
    if (*place)
        return *place;
    struct lf_publisher *publisher = calloc(1, sizeof *publisher);
    if (!publisher || !lf_timer_register(&core->timers, &publisher->timer, LF_TIMER_PUBLISHER, publisher)) {
        free(publisher);
        return NULL;
    }
    publisher->topic = topic;
    publisher->partition = partition;
    publisher->producer_id = -1;
    return *place = publisher;
}

void lf_publisher_dirty(struct lf_core *core, struct lf_publisher *publisher) {
    if (!publisher->active) {
        publisher->active = true;
        publisher->active_next = core->active;
        publisher->active_previous = NULL;
        if (core->active)
            core->active->active_previous = publisher;
        core->active = publisher;
    }
    if (!publisher->dirty) {
        publisher->dirty = true;
        publisher->dirty_next = core->dirty;
        core->dirty = publisher;
    }
}

static void deactivate(struct lf_core *core, struct lf_publisher *publisher) {
    if (!publisher->active)
        return;
    publisher->active = false;
    if (publisher->active_previous)
        publisher->active_previous->active_next = publisher->active_next;
    else
        core->active = publisher->active_next;
    if (publisher->active_next)
        publisher->active_next->active_previous = publisher->active_previous;
}

static void batch_free(struct lf_batch *batch) {
    lf_request_cancel(&batch->request);
    lf_buf_unref(&batch->bytes);
    free(batch->records);
    free(batch->text);
    free(batch);
}

void lf_publisher_free(struct lf_core *core, struct lf_publisher *publisher) {
    for (struct lf_publisher **link = &core->dirty; publisher->dirty && *link; link = &(*link)->dirty_next)
        if (*link == publisher) {
            *link = publisher->dirty_next;
            break;
        }
    deactivate(core, publisher);
    lf_request_cancel(&publisher->raising);
    while (publisher->first) {
        struct lf_batch *batch = publisher->first;
        publisher->first = batch->next;
        batch_free(batch);
    }
    if (publisher->open)
        batch_free(publisher->open);
    lf_batch_builder_destroy(&publisher->builder);
    lf_timer_unregister(&core->timers, &publisher->timer);
    free(publisher);
}

/* ---- outcomes ---------------------------------------------------------------------------------------------------- */

void lf_batch_done(struct lf_core *core, struct lf_batch *batch, enum lf_status status, int64_t base_offset,
                   const char *text) {
    lf_request_cancel(&batch->request);
    batch->done = true;
    batch->status = status;
    batch->base_offset = base_offset;
    if (text && *text && !batch->text)
        batch->text = strndup(text, LF_ERROR_TEXT_BYTES - 1);
    lf_publisher_dirty(core, batch->publisher);
}

void lf_batch_unnumber(struct lf_batch *batch) {
    lf_request_cancel(&batch->request);
    batch->numbered = batch->maybe = batch->held = false;
}

/* 1. What may be in the log is unknown, and nothing may follow it before the epoch was raised.
 * 2. What is certainly not in the log is not done. Its numbers go to the batches after it if those are not in the log
 *    either; else a gap would stay behind, and again the epoch must be raised. */
void lf_batch_give_up(struct lf_core *core, struct lf_batch *batch, enum lf_status status, const char *text) {
    struct lf_publisher *publisher = batch->publisher;
    if (batch->maybe || batch->request) {
        publisher->raise = true;
        lf_core_trace(core, "topic=%s partition=%u sequence=%d unknown (%s)", publisher->topic->name,
                      publisher->partition, batch->sequence, lf_status_name(status));
        if (lf_status_action(status) != LF_ACTION_UNKNOWN)
            status = LF_UNKNOWN_OUTCOME;
        lf_batch_done(core, batch, status, -1, text);
        return;
    }
    if (batch->numbered) {
        bool clean = true;
        for (struct lf_batch *later = batch->next; later; later = later->next)
            clean = clean && (later->done || !later->numbered || (!later->maybe && !later->request));
        if (clean) {
            publisher->next_sequence = batch->sequence;
            for (struct lf_batch *later = batch->next; later; later = later->next)
                if (!later->done)
                    lf_batch_unnumber(later);
        } else {
            publisher->raise = true;
        }
    }
    lf_core_trace(core, "topic=%s partition=%u not done (%s)", publisher->topic->name, publisher->partition,
                  lf_status_name(status));
    lf_batch_done(core, batch, status, -1, text);
}

/* Tell the outcomes at the front of the queue. False: no memory for it now. */
static bool tell_done(struct lf_core *core, struct lf_publisher *publisher) {
    while (publisher->first && publisher->first->done) {
        struct lf_batch *batch = publisher->first;
        if (!lf_effects_reserve(core->effects, batch->count))
            return false;
        for (uint32_t i = 0; i < batch->count; i++)
            lf_effect_delivered(core, batch->records[i].callback, batch->records[i].context, publisher->topic->name,
                                (int32_t)publisher->partition, batch->status,
                                batch->base_offset < 0 ? -1 : batch->base_offset + i, batch->text,
                                i == 0 ? batch->text : NULL);
        batch->text = NULL; /* the first effect keeps it */
        core->pending -= batch->count;
        core->pending_bytes -= batch->message_bytes;
        publisher->first = batch->next;
        if (!publisher->first)
            publisher->last = NULL;
        publisher->batch_count--;
        batch_free(batch);
    }
    return true;
}

void lf_publisher_fail_all(struct lf_core *core, struct lf_publisher *publisher, enum lf_status status,
                           const char *text) {
    if (publisher->open)
        lf_publisher_close_batch(core, publisher);
    for (struct lf_batch *batch = publisher->first; batch; batch = batch->next)
        if (!batch->done) {
            bool unknown = batch->maybe || batch->request;
            lf_batch_done(core, batch, unknown ? LF_UNKNOWN_OUTCOME : status, -1, text);
        }
    tell_done(core, publisher);
}

/* The words and the status for a batch whose time is over before any broker took it. */
static enum lf_status reason_of(const struct lf_core *core, const struct lf_batch *batch) {
    if (batch->refused != LF_OK)
        return batch->refused;
    return core->ready_count == 0 ? LF_CONNECT : LF_NOT_READY;
}

static void give_up_expired(struct lf_core *core, struct lf_publisher *publisher) {
    if (publisher->open && publisher->open->deadline_ms <= core->now_ms)
        lf_publisher_close_batch(core, publisher);
    for (struct lf_batch *batch = publisher->first; batch && batch->deadline_ms <= core->now_ms; batch = batch->next) {
        if (batch->done)
            continue;
        char last[LF_ERROR_TEXT_BYTES] = "";
        if (batch->refused != LF_OK)
            snprintf(last, sizeof last, "; last: %s", lf_status_text(batch->refused));
        bool unknown = batch->maybe || batch->request;
        char text[LF_ERROR_TEXT_BYTES];
        snprintf(text, sizeof text, "no %s before the delivery time-out%s%.150s", unknown ? "answer" : "broker took it",
                 unknown ? ": the outcome is unknown" : "", last);
        lf_batch_give_up(core, batch, unknown ? LF_UNKNOWN_OUTCOME : reason_of(core, batch), text);
    }
}

/* ---- sending ----------------------------------------------------------------------------------------------------- */

void lf_publisher_back_off(struct lf_core *core, struct lf_publisher *publisher) {
    publisher->tries++;
    uint64_t max = publisher->tries < LF_CORE_LEADER_SEARCH_TRIES ? LF_CORE_LEADER_SEARCH_MAX : LF_CORE_BACKOFF_MAX;
    uint64_t at = core->now_ms + lf_core_backoff(core, publisher->tries, max);
    if (at > publisher->retry_at_ms)
        publisher->retry_at_ms = at;
    lf_publisher_dirty(core, publisher);
}

/* Bytes that ZeroMQ may still be sending are not changed: a renumbered batch is a copy. */
static bool number(struct lf_publisher *publisher, struct lf_batch *batch) {
    if (atomic_load(&batch->bytes->refs) != 1) {
        struct lf_buf *copy = lf_buf_copy(lf_buf_bytes(batch->bytes));
        if (!copy)
            return false;
        lf_buf_unref(&batch->bytes);
        batch->bytes = copy;
    }
    batch->producer_id = publisher->producer_id;
    batch->epoch = publisher->epoch;
    batch->sequence = publisher->next_sequence;
    batch->numbered = true;
    publisher->next_sequence = lf_sequence_add(publisher->next_sequence, batch->count);
    lf_batch_set_producer(batch->bytes, batch->producer_id, batch->epoch, batch->sequence);
    return true;
}

static bool batch_send(struct lf_core *core, struct lf_broker *broker, struct lf_batch *batch) {
    struct lf_publisher *publisher = batch->publisher;
    if (!batch->numbered && !number(publisher, batch))
        return false;
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    topic.name = publisher->topic->name;
    topic.id = publisher->topic->id;
    Lf__Publish body = LF__PUBLISH__INIT;
    body.topic = &topic;
    body.partition = publisher->partition;
    body.ack_level = LF__ACK_LEVEL__ACK_QUORUM;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_PUBLISH;
    request.publish = &body;
    batch->request = lf_request_send(core, broker, LF_REQUEST_PUBLISH, batch, &request, batch->bytes);
    if (!batch->request)
        return false;
    batch->held = false;
    broker->credit_used += batch->bytes->size;
    return true;
}

/* An unanswered batch at a broker that is not where we would send now: wait for its answer, for a while. */
static bool answer_overdue(const struct lf_core *core, const struct lf_request *request) {
    return lf_broker_failing(core, request->broker) || core->now_ms - request->sent_ms >= LF_CORE_ANSWER_OVERDUE;
}

static void send_window(struct lf_core *core, struct lf_publisher *publisher) {
    if (core->now_ms < publisher->retry_at_ms)
        return;
    bool certain, unanswered = false; /* an earlier one is out since before this call */
    struct lf_broker *broker = lf_partition_target(core, publisher->topic, publisher->partition, &certain);
    if (!broker)
        return;
    uint32_t window = certain ? broker->inflight_batches : 1, place = 0;
    for (struct lf_batch *batch = publisher->first; batch && place < window; batch = batch->next, place++) {
        if (batch->done)
            continue;
        if (batch->request && batch->request->broker != broker) {
            if (!certain || !answer_overdue(core, batch->request))
                return;
            lf_request_cancel(&batch->request); /* the leader is another one now; the repeat is told apart there */
            batch->maybe = true;
        }
        if (batch->request || (batch->held && unanswered)) {
            unanswered = true;
            continue;
        }
        if (broker->credit_used >= broker->credit_total) {
            broker->credit_short = true;
            return;
        }
        if (!batch_send(core, broker, batch)) {
            publisher->retry_at_ms = core->now_ms + LF_CORE_MEMORY_RETRY;
            return;
        }
    }
}

static bool open_is_due(const struct lf_core *core, const struct lf_publisher *publisher) {
    const struct lf_batch *open = publisher->open;
    if (!open || publisher->batch_count >= LF_CORE_INFLIGHT_BATCHES)
        return false;
    return open->flush || lf_batch_builder_bytes(publisher->builder) >= core->options.batch_bytes ||
           core->now_ms >= open->opened_ms + core->options.linger_ms;
}

static void set_timer(struct lf_core *core, struct lf_publisher *publisher) {
    const struct lf_batch *oldest = publisher->first ? publisher->first : publisher->open;
    if (!oldest) {
        lf_timer_cancel(&core->timers, &publisher->timer);
        return;
    }
    uint64_t at = oldest->deadline_ms;
    if (publisher->open && publisher->batch_count < LF_CORE_INFLIGHT_BATCHES &&
        publisher->open->opened_ms + core->options.linger_ms < at)
        at = publisher->open->opened_ms + core->options.linger_ms;
    if (publisher->first) {
        uint64_t look = core->now_ms + LF_CORE_LOOK_INTERVAL;
        if (publisher->retry_at_ms > core->now_ms && publisher->retry_at_ms < look)
            look = publisher->retry_at_ms;
        const struct lf_request *out = publisher->first->request;
        if (out && out->sent_ms + LF_CORE_ANSWER_OVERDUE > core->now_ms && out->sent_ms + LF_CORE_ANSWER_OVERDUE < look)
            look = out->sent_ms + LF_CORE_ANSWER_OVERDUE;
        at = look < at ? look : at;
    }
    lf_timer_set(&core->timers, &publisher->timer, at > core->now_ms ? at : core->now_ms + 1);
}

void lf_publisher_pump(struct lf_core *core, struct lf_publisher *publisher) {
    give_up_expired(core, publisher);
    if (!tell_done(core, publisher)) {
        lf_timer_set(&core->timers, &publisher->timer, core->now_ms + LF_CORE_MEMORY_RETRY);
        return;
    }
    while (open_is_due(core, publisher))
        lf_publisher_close_batch(core, publisher);
    if (publisher->first && (publisher->raise || publisher->renew))
        lf_producer_recover(core, publisher);
    if (publisher->first && !publisher->raise && !publisher->renew && lf_producer_identify(core, publisher))
        send_window(core, publisher);
    set_timer(core, publisher);
    if (!publisher->first && !publisher->open)
        deactivate(core, publisher);
}

void lf_publishers_pump(struct lf_core *core) {
    /* What a pump makes dirty again (an outcome known at once) is pumped in this call too; each pump tells or sends. */
    for (int budget = 100000; core->dirty && budget > 0; budget--) {
        struct lf_publisher *publisher = core->dirty;
        core->dirty = publisher->dirty_next;
        publisher->dirty = false;
        lf_publisher_pump(core, publisher);
    }
    if (core->dirty)
        core->wake = true;
}
