/** From messages to batches: accept, choose the partition, fill the open batch, close it. */
#include "core_state.h"

#include <stdlib.h>

uint64_t lf_core_message_bytes(const struct lf_message *message) {
    uint64_t bytes = LF_CORE_MESSAGE_OVERHEAD + message->key_size + message->value_size;
    for (size_t i = 0; i < message->header_count; i++)
        bytes += strlen(message->headers[i].key) + message->headers[i].value_size + 8;
    return bytes;
}

enum lf_status lf_core_message_check(const struct lf_message *message, struct lf_error *error) {
    if (!message->topic || !lf_topic_name_ok(message->topic))
        return lf_error_set(error, LF_INVALID, "topic name: 1 to %d of a-z A-Z 0-9 . _ -, not \".\" or \"..\"",
                            LF_CORE_TOPIC_NAME_MAX);
    if (message->partition < -1)
        return lf_error_set(error, LF_INVALID, "partition %d: -1 or the number of one", message->partition);
    if ((!message->key && message->key_size) || (!message->value && message->value_size))
        return lf_error_set(error, LF_INVALID, "a size without bytes");
    if (message->timestamp_ms < 0)
        return lf_error_set(error, LF_INVALID, "timestamp before 1970");
    if (message->value_size > LF_CORE_VALUE_BYTES_MAX)
        return lf_error_set(error, LF_TOO_LARGE, "value of %zu bytes; the limit is %d", message->value_size,
                            LF_CORE_VALUE_BYTES_MAX);
    if (message->key_size > LF_CORE_KEY_BYTES_MAX)
        return lf_error_set(error, LF_TOO_LARGE, "key of %zu bytes; the limit is %d", message->key_size,
                            LF_CORE_KEY_BYTES_MAX);
    if (message->header_count > LF_CORE_HEADERS_MAX)
        return lf_error_set(error, LF_TOO_LARGE, "%zu headers; the limit is %d", message->header_count,
                            LF_CORE_HEADERS_MAX);
    for (size_t i = 0; i < message->header_count; i++) {
        const struct lf_header *header = &message->headers[i];
        if (!header->key || (!header->value && header->value_size))
            return lf_error_set(error, LF_INVALID, "header %zu has no key, or a size without bytes", i);
        if (strlen(header->key) > LF_CORE_KEY_BYTES_MAX || header->value_size > LF_CORE_KEY_BYTES_MAX)
            return lf_error_set(error, LF_TOO_LARGE, "header %zu is larger than %d bytes", i, LF_CORE_KEY_BYTES_MAX);
    }
    return LF_OK;
}

static void tell_now(struct lf_core *core, const struct lf_waiting *waiting, const char *topic, int32_t partition,
                     enum lf_status status) {
    lf_effect_delivered(core, waiting->callback, waiting->context, topic, partition, status, -1, NULL, NULL);
    core->pending--;
    core->pending_bytes -= waiting->bytes;
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

static struct lf_batch_builder *builder_take(struct lf_core *core) {
    if (core->builder_count > 0)
        return core->builders[--core->builder_count];
    return lf_batch_builder_new((enum lf_codec)core->options.compression, NULL);
}

static void builder_give_back(struct lf_core *core, struct lf_batch_builder **builder) {
    if (core->builder_count < LF_CORE_BUILDERS_KEPT) {
        core->builders[core->builder_count++] = *builder;
        *builder = NULL;
    } else {
        lf_batch_builder_destroy(builder);
    }
}

static bool batch_open(struct lf_core *core, struct lf_publisher *publisher, uint64_t number, uint64_t deadline_ms) {
    struct lf_batch *batch = calloc(1, sizeof *batch);
    struct lf_batch_builder *builder = batch ? builder_take(core) : NULL;
    if (!builder) {
        free(batch);
        return false;
    }
    batch->publisher = publisher;
    batch->number = number;
    batch->opened_ms = core->now_ms;
    batch->deadline_ms = deadline_ms;
    publisher->open = batch;
    publisher->builder = builder;
    return true;
}

void lf_publisher_close_batch(struct lf_core *core, struct lf_publisher *publisher) {
    struct lf_batch *batch = publisher->open;
    enum lf_status status = lf_batch_builder_finish(publisher->builder, &batch->bytes);
    publisher->open = NULL;
    if (status == LF_OK)
        builder_give_back(core, &publisher->builder);
    else
        lf_batch_builder_destroy(&publisher->builder);
    if (publisher->last)
        publisher->last->next = batch;
    else
        publisher->first = batch;
    publisher->last = batch;
    publisher->batch_count++;
    if (status != LF_OK)
        lf_batch_done(core, batch, status, -1, "could not encode the batch");
    struct lf_topic_state *topic = publisher->topic;
    if (topic->sticky == publisher->partition)
        topic->sticky = (topic->sticky + 1) % topic->partition_count;
    lf_publisher_dirty(core, publisher);
}

/* How far the open batch may fill: batch_bytes, and on while the window is full anyway. */
static size_t fill_limit(const struct lf_core *core, const struct lf_publisher *publisher) {
    size_t limit = core->options.batch_bytes;
    if (publisher->batch_count >= LF_CORE_INFLIGHT_BATCHES && limit < LF_CORE_BATCH_GROW_BYTES &&
        core->batch_bytes_limit > 0)
        limit = LF_CORE_BATCH_GROW_BYTES;
    if (core->batch_bytes_limit > 0 && limit > core->batch_bytes_limit)
        limit = core->batch_bytes_limit;
    return limit;
}

static bool records_grow(struct lf_batch *batch) {
    if (batch->count < batch->capacity)
        return true;
    uint32_t capacity = batch->capacity ? batch->capacity * 2 : 16;
    struct lf_batch_record *records = realloc(batch->records, capacity * sizeof *records);
    if (!records)
        return false;
    batch->records = records;
    batch->capacity = capacity;
    return true;
}

static struct lf_record record_of(struct lf_core *core, const struct lf_message *message,
                                  struct lf_record_header headers[LF_CORE_HEADERS_MAX]) {
    for (size_t i = 0; i < message->header_count; i++) {
        headers[i].key = lf_bytes_text(message->headers[i].key);
        headers[i].value = lf_bytes(message->headers[i].value, message->headers[i].value_size);
    }
    return (struct lf_record){.timestamp_ms = message->timestamp_ms ? message->timestamp_ms : core->wall_ms,
                              .key = lf_bytes(message->key, message->key_size),
                              .value = lf_bytes(message->value, message->value_size),
                              .headers = headers,
                              .header_count = (int32_t)message->header_count};
}

/* Adds to the partition's open batch. Not LF_OK: not added. */
static enum lf_status batch_add(struct lf_core *core, struct lf_publisher *publisher,
                                const struct lf_waiting *waiting) {
    struct lf_record_header headers[LF_CORE_HEADERS_MAX];
    struct lf_record record = record_of(core, &waiting->message, headers);
    if (publisher->open && lf_batch_builder_bytes(publisher->builder) + waiting->bytes > fill_limit(core, publisher))
        lf_publisher_close_batch(core, publisher);
    for (;;) {
        bool fresh = !publisher->open;
        if (fresh && !batch_open(core, publisher, waiting->number, waiting->deadline_ms))
            return LF_NO_MEMORY;
        struct lf_batch *batch = publisher->open;
        enum lf_status status = records_grow(batch) ? lf_batch_builder_add(publisher->builder, &record) : LF_NO_MEMORY;
        if (status == LF_FULL && !fresh) {
            lf_publisher_close_batch(core, publisher);
            continue;
        }
        if (status == LF_OK) {
            batch->records[batch->count++] =
                (struct lf_batch_record){.callback = waiting->callback, .context = waiting->context};
            batch->message_bytes += waiting->bytes;
            bool full = lf_batch_builder_bytes(publisher->builder) >= core->options.batch_bytes;
            if (fresh || full)
                lf_publisher_dirty(core, publisher);
        } else if (fresh) {
            builder_give_back(core, &publisher->builder);
            free(batch->records);
            free(batch);
            publisher->open = NULL;
        }
        return status;
    }
}

static uint32_t choose_partition(const struct lf_topic_state *topic, const struct lf_message *message) {
    if (message->partition >= 0)
        return (uint32_t)message->partition;
    if (message->key)
        return (lf_murmur2(message->key, message->key_size) & 0x7fffffffu) % topic->partition_count;
    return topic->sticky;
}

static enum lf_status route(struct lf_core *core, struct lf_topic_state *topic, const struct lf_waiting *waiting,
                            int32_t *partition) {
    uint32_t number = choose_partition(topic, &waiting->message);
    *partition = (int32_t)number;
    if (number >= topic->partition_count)
        return LF_PARTITION_UNKNOWN;
    struct lf_publisher *publisher = lf_publisher_get(core, topic, number);
    return publisher ? batch_add(core, publisher, waiting) : LF_NO_MEMORY;
}

/* ---- messages that wait for their topic -------------------------------------------------------------------------- */

static char *put(char **at, const void *bytes, size_t size) {
    char *here = *at;
    if (size > 0)
        memcpy(here, bytes, size);
    *at += size;
    return here;
}

/* One allocation holds the message and all that it points to; its topic is the topic's own name. */
static struct lf_waiting *waiting_new(const struct lf_topic_state *topic, const struct lf_message *message) {
    size_t size = sizeof(struct lf_waiting) + message->header_count * sizeof(struct lf_header) + message->key_size +
                  message->value_size;
    for (size_t i = 0; i < message->header_count; i++)
        size += strlen(message->headers[i].key) + 1 + message->headers[i].value_size;
    struct lf_waiting *waiting = malloc(size);
    if (!waiting)
        return NULL;
    waiting->next = NULL;
    waiting->message = *message;
    waiting->message.topic = topic->name;
    struct lf_header *headers = (struct lf_header *)(waiting + 1);
    char *at = (char *)(headers + message->header_count);
    if (message->key)
        waiting->message.key = put(&at, message->key, message->key_size);
    if (message->value)
        waiting->message.value = put(&at, message->value, message->value_size);
    for (size_t i = 0; i < message->header_count; i++) {
        headers[i] = message->headers[i];
        headers[i].key = put(&at, message->headers[i].key, strlen(message->headers[i].key) + 1);
        if (message->headers[i].value)
            headers[i].value = put(&at, message->headers[i].value, message->headers[i].value_size);
    }
    waiting->message.headers = headers;
    return waiting;
}

static enum lf_status wait_for_topic(struct lf_core *core, struct lf_topic_state *topic, const struct lf_waiting *now) {
    struct lf_waiting *waiting = waiting_new(topic, &now->message);
    if (!waiting)
        return LF_NO_MEMORY;
    waiting->callback = now->callback;
    waiting->context = now->context;
    waiting->number = now->number;
    waiting->deadline_ms = now->deadline_ms;
    waiting->bytes = now->bytes;
    if (topic->waiting_last)
        topic->waiting_last->next = waiting;
    else
        topic->waiting_first = waiting;
    topic->waiting_last = waiting;
    lf_timer_set(&core->timers, &topic->timer, topic->waiting_first->deadline_ms);
    if (!topic->asked)
        lf_metadata_want(core, topic);
    return LF_OK;
}

static struct lf_waiting *waiting_pop(struct lf_topic_state *topic) {
    struct lf_waiting *waiting = topic->waiting_first;
    topic->waiting_first = waiting->next;
    if (!topic->waiting_first)
        topic->waiting_last = NULL;
    return waiting;
}

void lf_waiting_route(struct lf_core *core, struct lf_topic_state *topic) {
    while (topic->waiting_first) {
        struct lf_waiting *waiting = waiting_pop(topic);
        int32_t partition = -1;
        enum lf_status status = route(core, topic, waiting, &partition);
        if (status != LF_OK)
            tell_now(core, waiting, topic->name, partition, status);
        free(waiting);
    }
    lf_timer_cancel(&core->timers, &topic->timer);
}

void lf_waiting_fail(struct lf_core *core, struct lf_topic_state *topic, enum lf_status status, const char *text) {
    (void)text;
    while (topic->waiting_first) {
        struct lf_waiting *waiting = waiting_pop(topic);
        tell_now(core, waiting, topic->name, waiting->message.partition, status);
        free(waiting);
    }
    lf_timer_cancel(&core->timers, &topic->timer);
}

void lf_waiting_on_timer(struct lf_core *core, struct lf_topic_state *topic) {
    while (topic->waiting_first && topic->waiting_first->deadline_ms <= core->now_ms) {
        struct lf_waiting *waiting = waiting_pop(topic);
        tell_now(core, waiting, topic->name, waiting->message.partition,
                 core->ready_count == 0 ? LF_CONNECT : LF_NOT_READY);
        free(waiting);
    }
    if (topic->waiting_first)
        lf_timer_set(&core->timers, &topic->timer, topic->waiting_first->deadline_ms);
}

enum lf_status lf_publish_accept(struct lf_core *core, const struct lf_core_event *event, struct lf_error *error) {
    const struct lf_message *message = event->publish.message;
    if (core->closed)
        return lf_error_set(error, LF_CLOSED, "the client is closed");
    enum lf_status status = lf_core_message_check(message, error);
    if (status != LF_OK)
        return status;
    struct lf_waiting now = {.message = *message,
                             .callback = event->publish.callback,
                             .context = event->publish.context,
                             .number = core->accepted,
                             .deadline_ms = core->now_ms + core->options.delivery_timeout_ms,
                             .bytes = lf_core_message_bytes(message)};
    if (core->pending > 0 && core->pending_bytes + now.bytes > core->options.inflight_bytes_max)
        return lf_error_set(error, LF_FULL, "%llu bytes are unanswered", (unsigned long long)core->pending_bytes);
    struct lf_topic_state *topic = lf_topic_get(core, message->topic, &status);
    if (!topic)
        return lf_error_set(error, status, "topic %.100s: %s", message->topic, lf_status_text(status));
    int32_t partition;
    if (topic->known != LF_TOPIC_KNOWN || topic->waiting_first)
        status = wait_for_topic(core, topic, &now);
    else if ((status = route(core, topic, &now, &partition)) == LF_PARTITION_UNKNOWN)
        status = wait_for_topic(core, topic, &now); /* there may be more of them by now: ask */
    if (status != LF_OK)
        return lf_error_set(error, status, "%s", lf_status_text(status));
    core->pending++;
    core->pending_bytes += now.bytes;
    core->accepted++;
    return LF_OK;
}
