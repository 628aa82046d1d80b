/** The door: an event comes in, is given to the file it belongs to, then everything that can move moves. */
#include "core_state.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PUMP_ROUNDS_MAX 4

void lf_core_set_trace(struct lf_core *core, void (*trace)(void *context, const char *line), void *context) {
    core->trace = trace;
    core->trace_context = context;
}

void lf_core_trace(struct lf_core *core, const char *format, ...) {
    if (!core->trace)
        return;
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    core->trace(core->trace_context, line);
}

uint64_t lf_core_random(struct lf_core *core) { /* splitmix64 */
    uint64_t z = core->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t lf_core_jitter(struct lf_core *core, uint64_t ms) {
    uint64_t half = ms / 2;
    return ms - half + lf_core_random(core) % (half + 1);
}

uint64_t lf_core_backoff(struct lf_core *core, uint32_t failures, uint64_t max) {
    uint64_t pause = LF_CORE_BACKOFF_MIN;
    for (uint32_t i = 1; i < failures && pause < max; i++)
        pause += pause / 2;
    return lf_core_jitter(core, pause < max ? pause : max);
}

void lf_core_look_at(struct lf_core *core, uint64_t when_ms) {
    if (core->timer.slot == 0 || when_ms < core->timer.when_ms)
        lf_timer_set(&core->timers, &core->timer, when_ms);
}

static void options_copy(struct lf_core *core, const struct lf_client_options *from) {
    core->options = *from;
    core->options.brokers = NULL;
    core->options.name = NULL;
    if (core->options.batch_bytes < LF_BATCH_HEADER_BYTES)
        core->options.batch_bytes = LF_BATCH_HEADER_BYTES;
    if (core->options.fetch_bytes_max == 0)
        core->options.fetch_bytes_max = 1;
}

enum lf_status lf_core_new(const struct lf_core_options *options, uint64_t now_ms, struct lf_core **out,
                           struct lf_error *error) {
    *out = NULL;
    struct lf_core *core = calloc(1, sizeof *core);
    if (!core)
        return lf_error_set(error, LF_NO_MEMORY, "out of memory");
    options_copy(core, &options->client);
    core->random = options->seed;
    core->now_ms = core->linkless_ms = now_ms;
    core->producer_id = -1;
    const char *brokers = options->client.brokers ? options->client.brokers : "127.0.0.1";
    enum lf_status status = lf_brokers_parse(core, brokers, error);
    if (status == LF_OK) {
        core->client_name = strndup(options->client.name ? options->client.name : "", 128);
        if (!core->client_name || !lf_timer_register(&core->timers, &core->timer, LF_TIMER_CORE, core))
            status = lf_error_set(error, LF_NO_MEMORY, "out of memory");
    }
    if (status != LF_OK) {
        lf_core_destroy(&core);
        return status;
    }
    core->broker_turn = lf_core_random(core) % core->broker_count;
    *out = core;
    return LF_OK;
}

void lf_core_destroy(struct lf_core **where) {
    struct lf_core *core = *where;
    *where = NULL;
    if (!core)
        return;
    lf_calls_free(core);
    lf_subscriptions_free(core);
    lf_topic_states_free(core);
    lf_brokers_free(core);
    for (size_t i = 0; i < core->builder_count; i++)
        lf_batch_builder_destroy(&core->builders[i]);
    lf_timer_unregister(&core->timers, &core->timer);
    lf_map_deinit(&core->wires);
    free(core->timers.heap);
    free(core->client_name);
    free(core);
}

/* Everything gets its outcome now; then the connections go. */
static void close_all(struct lf_core *core) {
    if (core->closed)
        return;
    core->closed = true;
    for (size_t bucket = 0; bucket < LF_CORE_BUCKETS; bucket++)
        for (struct lf_topic_state *topic = core->buckets[bucket]; topic; topic = topic->next_in_bucket) {
            for (uint32_t i = 0; i < topic->partition_count; i++)
                if (topic->partitions[i].publisher)
                    lf_publisher_fail_all(core, topic->partitions[i].publisher, LF_CANCELLED, "the client was closed");
            lf_waiting_fail(core, topic, LF_CANCELLED, "the client was closed");
        }
    lf_calls_close(core);
    while (core->subscriptions)
        lf_subscription_end(core, core->subscriptions, LF_CLOSED, "the client was closed");
    for (size_t i = 0; i < core->broker_count; i++)
        lf_broker_leave(core, core->brokers[i]);
}

static void flush(struct lf_core *core) {
    for (struct lf_publisher *p = core->active; p; p = p->active_next)
        if (p->open) {
            p->open->flush = true;
            lf_publisher_dirty(core, p);
        }
}

static enum lf_status dispatch(struct lf_core *core, const struct lf_core_event *event, struct lf_error *error) {
    switch (event->type) {
    case LF_CORE_TICK:
        return LF_OK;
    case LF_CORE_FRAMES:
        lf_connection_frames(core, event->frames.connection, event->frames.frames, event->frames.count);
        return LF_OK;
    case LF_CORE_GONE:
        lf_connection_gone(core, event->gone);
        return LF_OK;
    case LF_CORE_PUBLISH:
        return lf_publish_accept(core, event, error);
    case LF_CORE_FLUSH:
        flush(core);
        return LF_OK;
    case LF_CORE_SUBSCRIBE:
        return lf_subscription_start(core, event->subscribe.id, event->subscribe.options, error);
    case LF_CORE_UNSUBSCRIBE:
        lf_subscription_stop(core, event->unsubscribe);
        return LF_OK;
    case LF_CORE_CONSUMED:
        lf_subscription_consumed(core, event->consumed.subscription, event->consumed.bytes);
        return LF_OK;
    case LF_CORE_CALL:
        return lf_call_start(core, &event->call, error);
    case LF_CORE_CLOSE:
        close_all(core);
        return LF_OK;
    }
    return lf_error_set(error, LF_INVALID, "unknown event %d", (int)event->type);
}

static void fire(struct lf_core *core, struct lf_timer *timer) {
    switch (timer->kind) {
    case LF_TIMER_BROKER:
        lf_broker_on_timer(core, timer->owner);
        break;
    case LF_TIMER_CORE: /* metadata and producer id are looked at in every pump */
        break;
    case LF_TIMER_TOPIC:
        lf_waiting_on_timer(core, timer->owner);
        break;
    case LF_TIMER_PUBLISHER:
        lf_publisher_dirty(core, timer->owner);
        break;
    case LF_TIMER_READER:
    case LF_TIMER_CALL:
        core->wake = true;
        break;
    }
}

static void pump(struct lf_core *core) {
    for (int round = 0; round < PUMP_ROUNDS_MAX; round++) {
        bool all = core->wake;
        core->wake = false;
        lf_metadata_pump(core);
        lf_producer_pump(core);
        if (all) {
            for (struct lf_publisher *p = core->active; p; p = p->active_next)
                lf_publisher_dirty(core, p);
            lf_subscriptions_pump(core);
            lf_calls_pump(core);
        }
        lf_publishers_pump(core);
        if (!core->wake)
            break;
    }
}

enum lf_status lf_core_step(struct lf_core *core, const struct lf_core_event *event, struct lf_core_effects *effects,
                            struct lf_error *error) {
    if (event->now_ms > core->now_ms)
        core->now_ms = event->now_ms;
    core->wall_ms = event->wall_ms;
    core->effects = effects;
    /* What arrived is heard before any deadline is judged: a late loop is not a silent broker. */
    enum lf_status status = dispatch(core, event, error);
    if (!core->closed) {
        struct lf_timer *timer;
        while ((timer = lf_timer_due(&core->timers, core->now_ms)))
            fire(core, timer);
        pump(core);
    }
    /* A wake left over (more rounds than allowed) is carried out in the next step, at once. */
    effects->deadline_ms = core->wake ? core->now_ms : lf_timers_next(&core->timers);
    core->effects = NULL;
    return status;
}

uint64_t lf_core_pending(const struct lf_core *core) { return core->pending; }

uint64_t lf_core_pending_bytes(const struct lf_core *core) { return core->pending_bytes; }

uint64_t lf_core_accepted(const struct lf_core *core) { return core->accepted; }

uint64_t lf_core_oldest_pending(const struct lf_core *core) {
    uint64_t oldest = core->accepted;
    for (const struct lf_publisher *p = core->active; p; p = p->active_next) {
        const struct lf_batch *batch = p->first ? p->first : p->open;
        if (batch && batch->number < oldest)
            oldest = batch->number;
    }
    for (size_t bucket = 0; bucket < LF_CORE_BUCKETS; bucket++)
        for (const struct lf_topic_state *topic = core->buckets[bucket]; topic; topic = topic->next_in_bucket)
            if (topic->waiting_first && topic->waiting_first->number < oldest)
                oldest = topic->waiting_first->number;
    return oldest;
}
