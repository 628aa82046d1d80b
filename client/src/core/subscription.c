/** Subscriptions: one reader per partition, one end for all of them, credit as the application takes what came. */
#include "core_state.h"

#include <stdio.h>
#include <stdlib.h>

static struct lf_subscription_state *find(struct lf_core *core, uint64_t id) {
    struct lf_subscription_state *subscription = core->subscriptions;
    while (subscription && subscription->id != id)
        subscription = subscription->next;
    return subscription;
}

static enum lf_status check(const struct lf_subscribe_options *options, struct lf_error *error) {
    if (!options->topic || !lf_topic_name_ok(options->topic))
        return lf_error_set(error, LF_INVALID, "topic name: 1 to %d of a-z A-Z 0-9 . _ -, not \".\" or \"..\"",
                            LF_CORE_TOPIC_NAME_MAX);
    if (options->partition < -1)
        return lf_error_set(error, LF_INVALID, "partition %d: -1 or the number of one", options->partition);
    if ((unsigned)options->start > LF_START_TIMESTAMP)
        return lf_error_set(error, LF_INVALID, "no such start: %d", (int)options->start);
    bool takes_value = options->start >= LF_START_OFFSET;
    if (takes_value && options->value < 0)
        return lf_error_set(error, LF_INVALID, "start at %lld: not below 0", (long long)options->value);
    return LF_OK;
}

enum lf_status lf_subscription_start(struct lf_core *core, uint64_t id, const struct lf_subscribe_options *options,
                                     struct lf_error *error) {
    enum lf_status status = check(options, error);
    if (status != LF_OK)
        return status;
    if (core->closed)
        return lf_error_set(error, LF_CLOSED, "the client is closed");
    if (find(core, id))
        return lf_error_set(error, LF_INVALID, "subscription %llu exists", (unsigned long long)id);
    if (core->subscription_count == LF_CORE_SUBSCRIPTIONS_MAX)
        return lf_error_set(error, LF_FULL, "%d subscriptions", LF_CORE_SUBSCRIPTIONS_MAX);
    struct lf_topic_state *topic = lf_topic_get(core, options->topic, &status);
    struct lf_subscription_state *subscription = topic ? calloc(1, sizeof *subscription) : NULL;
    if (!subscription || !lf_timer_register(&core->timers, &subscription->timer, LF_TIMER_READER, subscription)) {
        free(subscription);
        return lf_error_set(error, status == LF_OK ? LF_NO_MEMORY : status, "%s",
                            lf_status_text(status == LF_OK ? LF_NO_MEMORY : status));
    }
    subscription->id = id;
    subscription->topic = topic;
    subscription->options = *options;
    subscription->options.topic = topic->name;
    subscription->started_ms = core->now_ms;
    subscription->next = core->subscriptions;
    core->subscriptions = subscription;
    core->subscription_count++;
    core->wake = true;
    return LF_OK;
}

static void subscription_free(struct lf_core *core, struct lf_subscription_state *subscription) {
    struct lf_subscription_state **link = &core->subscriptions;
    while (*link != subscription)
        link = &(*link)->next;
    *link = subscription->next;
    core->subscription_count--;
    for (uint32_t i = 0; i < subscription->reader_count; i++) {
        lf_reader_detach(core, &subscription->readers[i]);
        lf_timer_unregister(&core->timers, &subscription->readers[i].timer);
    }
    lf_timer_unregister(&core->timers, &subscription->timer);
    free(subscription->readers);
    free(subscription->pieces);
    free(subscription);
}

void lf_subscription_stop(struct lf_core *core, uint64_t id) {
    struct lf_subscription_state *subscription = find(core, id);
    if (subscription)
        subscription_free(core, subscription);
}

/* reader: whose trouble it is; NULL: no one's in particular. */
static void end_for(struct lf_core *core, struct lf_subscription_state *subscription, const struct lf_reader *reader,
                    enum lf_status status, const char *text) {
    lf_core_trace(core, "subscription=%llu ends: %s", (unsigned long long)subscription->id, lf_status_name(status));
    struct lf_core_effect *effect = lf_effect_add(core, LF_CORE_SUBSCRIPTION_ENDED);
    if (effect) {
        effect->subscription = subscription->id;
        effect->status = status;
        effect->partition = reader ? (int32_t)reader->partition : -1;
        bool told = status == LF_OFFSET_BELOW_START || status == LF_HISTORY_DIVERGED;
        effect->missed_to = reader && told ? reader->resume : -1;
        snprintf(effect->text, sizeof effect->text, "%s", text && *text ? text : lf_status_text(status));
    }
    subscription_free(core, subscription);
}

void lf_subscription_end(struct lf_core *core, struct lf_subscription_state *subscription, enum lf_status status,
                         const char *text) {
    end_for(core, subscription, NULL, status, text);
}

void lf_subscriptions_topic_gone(struct lf_core *core, struct lf_topic_state *topic, enum lf_status status) {
    for (struct lf_subscription_state *s = core->subscriptions, *next; s; s = next) {
        next = s->next;
        if (s->topic == topic)
            lf_subscription_end(core, s, s->readers && status == LF_TOPIC_UNKNOWN ? LF_TOPIC_DELETED : status, NULL);
    }
}

void lf_subscriptions_free(struct lf_core *core) {
    struct lf_core_effects nowhere = {0};
    core->effects = &nowhere;
    while (core->subscriptions)
        subscription_free(core, core->subscriptions);
    lf_core_effects_deinit(&nowhere);
}

void lf_subscription_consumed(struct lf_core *core, uint64_t id, uint64_t bytes) {
    struct lf_subscription_state *subscription = find(core, id);
    while (subscription && bytes > 0 && subscription->piece_count > 0) {
        struct lf_delivered_piece *piece = &subscription->pieces[subscription->piece_first];
        uint64_t taken = bytes < piece->bytes ? bytes : piece->bytes;
        struct lf_reader *reader = &subscription->readers[piece->reader];
        reader->unconsumed -= taken;
        piece->bytes -= taken;
        bytes -= taken;
        if (piece->bytes == 0) {
            subscription->piece_first = (subscription->piece_first + 1) % subscription->piece_capacity;
            subscription->piece_count--;
        }
        lf_reader_grant(core, reader);
    }
}

/* ---- moving ------------------------------------------------------------------------------------------------------ */

static bool readers_make(struct lf_core *core, struct lf_subscription_state *subscription) {
    bool all = subscription->options.partition < 0;
    uint32_t count = all ? subscription->topic->partition_count : 1;
    struct lf_reader *readers = calloc(count, sizeof *readers);
    uint32_t made = 0;
    for (; readers && made < count; made++) {
        struct lf_reader *reader = &readers[made];
        if (!lf_timer_register(&core->timers, &reader->timer, LF_TIMER_READER, reader))
            break;
        reader->subscription = subscription;
        reader->partition = all ? made : (uint32_t)subscription->options.partition;
        reader->state = subscription->options.exit_at_end ? LF_READER_SEEKING_END : LF_READER_IDLE;
        reader->leader_epoch = -1;
        reader->end = reader->high_watermark = reader->resume = -1;
    }
    if (made < count) {
        while (made > 0)
            lf_timer_unregister(&core->timers, &readers[--made].timer);
        free(readers);
        return false;
    }
    subscription->readers = readers;
    subscription->reader_count = count;
    subscription->topic_id = subscription->topic->id;
    subscription->window = core->options.fetch_bytes_max / count;
    if (subscription->window == 0)
        subscription->window = 1;
    return true;
}

/* Nothing is known of the topic yet. False: given up. */
static bool wait_for_topic(struct lf_core *core, struct lf_subscription_state *subscription) {
    uint64_t since = subscription->started_ms;
    if (core->ready_count == 0) {
        uint64_t alone = core->linkless_ms > since ? core->linkless_ms : since;
        if (core->now_ms - alone >= core->options.connect_timeout_ms) {
            lf_subscription_end(core, subscription,
                                core->connect_error.code != LF_OK ? core->connect_error.code : LF_CONNECT,
                                core->connect_error.text);
            return false;
        }
        lf_timer_set(&core->timers, &subscription->timer, alone + core->options.connect_timeout_ms);
    } else {
        lf_timer_set(&core->timers, &subscription->timer, since + core->options.request_timeout_ms);
    }
    if (core->now_ms - since >= core->options.request_timeout_ms) {
        lf_subscription_end(core, subscription, LF_TIMED_OUT, "no broker could say where the topic is");
        return false;
    }
    if (!subscription->topic->asked)
        lf_metadata_want(core, subscription->topic);
    return true;
}

static void subscription_pump(struct lf_core *core, struct lf_subscription_state *subscription) {
    if (!subscription->readers) {
        if (subscription->topic->known != LF_TOPIC_KNOWN) {
            wait_for_topic(core, subscription);
            return;
        }
        if (subscription->options.partition >= 0 &&
            (uint32_t)subscription->options.partition >= subscription->topic->partition_count) {
            lf_subscription_end(core, subscription, LF_PARTITION_UNKNOWN, NULL);
            return;
        }
        lf_timer_cancel(&core->timers, &subscription->timer);
        if (!readers_make(core, subscription)) {
            lf_subscription_end(core, subscription, LF_NO_MEMORY, NULL);
            return;
        }
    }
    uint32_t ended = 0;
    for (uint32_t i = 0; i < subscription->reader_count; i++) {
        struct lf_reader *reader = &subscription->readers[i];
        lf_reader_pump(core, reader);
        if (reader->final) {
            char text[LF_ERROR_TEXT_BYTES];
            snprintf(text, sizeof text, "partition %u: %.230s", reader->partition, reader->last_text);
            end_for(core, subscription, reader, reader->last_status, text);
            return;
        }
        ended += reader->state == LF_READER_ENDED;
    }
    if (ended == subscription->reader_count)
        lf_subscription_end(core, subscription, LF_END, NULL);
}

void lf_subscriptions_pump(struct lf_core *core) {
    for (struct lf_subscription_state *s = core->subscriptions, *next; s; s = next) {
        next = s->next; /* a pump ends no other subscription than its own */
        subscription_pump(core, s);
    }
}
