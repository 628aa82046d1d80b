/** A subscription: the I/O thread queues verified batches, the application's thread decodes them. */
#include "edge.h"

#include "lf_record_batch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define DECODED_BYTES_MAX (64u * 1024 * 1024)

void lf_subscribe_options_init(struct lf_subscribe_options *options) {
    *options = (struct lf_subscribe_options){.size = sizeof *options, .partition = -1, .start = LF_START_LATEST};
}

static void queue_clear(struct lf_subscription *subscription) {
    for (; subscription->queue_count > 0; subscription->queue_count--) {
        lf_buf_unref(&subscription->queue[subscription->queue_first].buf);
        subscription->queue_first = (subscription->queue_first + 1) % subscription->queue_capacity;
    }
}

static void subscription_free(struct lf_subscription *subscription) {
    queue_clear(subscription);
    lf_batch_reader_destroy(&subscription->reader);
    lf_buf_unref(&subscription->current.buf);
    free(subscription->queue);
    free(subscription->records);
    free(subscription->headers);
    if (subscription->fd >= 0)
        close(subscription->fd);
    pthread_mutex_destroy(&subscription->mutex);
    free(subscription);
}

static void list_add(struct lf_client *client, struct lf_subscription *subscription) {
    pthread_mutex_lock(&client->mutex);
    subscription->next = client->subscriptions;
    if (client->subscriptions)
        client->subscriptions->previous = subscription;
    client->subscriptions = subscription;
    pthread_mutex_unlock(&client->mutex);
}

static void list_remove(struct lf_client *client, struct lf_subscription *subscription) {
    pthread_mutex_lock(&client->mutex);
    if (subscription->previous)
        subscription->previous->next = subscription->next;
    else
        client->subscriptions = subscription->next;
    if (subscription->next)
        subscription->next->previous = subscription->previous;
    pthread_mutex_unlock(&client->mutex);
}

enum lf_status lf_subscribe(struct lf_client *client, const struct lf_subscribe_options *given,
                            struct lf_subscription **out, struct lf_error *error) {
    *out = NULL;
    if (!client || !given || given->size < sizeof given->size + sizeof given->topic)
        return lf_error_set(error, LF_INVALID, "options: call lf_subscribe_options_init first");
    struct lf_subscribe_options options;
    lf_subscribe_options_init(&options);
    memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    struct lf_subscription *subscription = calloc(1, sizeof *subscription);
    if (!subscription)
        return lf_error_set(error, LF_NO_MEMORY, "out of memory");
    pthread_mutex_init(&subscription->mutex, NULL);
    subscription->consumed_command.type = LF_COMMAND_CONSUMED;
    subscription->client = client;
    subscription->id = atomic_fetch_add(&client->last_subscription, 1) + 1;
    subscription->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (subscription->fd < 0) {
        subscription_free(subscription);
        return lf_error_set(error, LF_NO_MEMORY, "no descriptor: %s", strerror(errno));
    }
    list_add(client, subscription);
    struct lf_waited_command command = {.event = {.type = LF_CORE_SUBSCRIBE}, .subscription = subscription};
    command.event.subscribe.id = subscription->id;
    command.event.subscribe.options = &options;
    lf_command_wait(client, &command);
    if (command.status != LF_OK) {
        list_remove(client, subscription);
        subscription_free(subscription);
        return lf_error_set(error, command.status, "%s", command.error.text);
    }
    *out = subscription;
    return LF_OK;
}

void lf_unsubscribe(struct lf_subscription **where) {
    struct lf_subscription *subscription = *where;
    *where = NULL;
    if (!subscription)
        return;
    if (subscription->client) {
        struct lf_waited_command command = {.event = {.type = LF_CORE_UNSUBSCRIBE}, .subscription = subscription};
        command.event.unsubscribe = subscription->id;
        lf_command_wait(subscription->client, &command); /* behind a consumed command that may be in the ring */
        list_remove(subscription->client, subscription);
    }
    subscription_free(subscription);
}

bool lf_subscription_resume(const struct lf_subscription *given, int32_t *partition, int64_t *offset) {
    struct lf_subscription *subscription = (struct lf_subscription *)(uintptr_t)given; /* its mutex is locked */
    if (!subscription)
        return false;
    pthread_mutex_lock(&subscription->mutex);
    bool told = subscription->status == LF_OFFSET_BELOW_START || subscription->status == LF_HISTORY_DIVERGED;
    bool known = subscription->ended && told && subscription->resume_offset >= 0;
    if (known) {
        *partition = subscription->resume_partition;
        *offset = subscription->resume_offset;
    }
    pthread_mutex_unlock(&subscription->mutex);
    return known;
}

int lf_subscription_fd(const struct lf_subscription *subscription) { return subscription->fd; }

/* ---- the I/O thread's side --------------------------------------------------------------------------------------- */

static void raise_flag(struct lf_subscription *subscription) {
    uint64_t one = 1;
    ssize_t written = write(subscription->fd, &one, sizeof one);
    (void)written; /* EAGAIN: it is raised */
}

static void end_locked(struct lf_subscription *subscription, enum lf_status status, const char *text) {
    if (subscription->ended)
        return;
    subscription->ended = true;
    subscription->status = status;
    memccpy(subscription->text, text, '\0', sizeof subscription->text - 1);
    raise_flag(subscription);
}

static bool queue_grow(struct lf_subscription *subscription) {
    if (subscription->queue_count < subscription->queue_capacity)
        return true;
    size_t capacity = subscription->queue_capacity ? subscription->queue_capacity * 2 : 64;
    struct lf_queued_batch *queue = calloc(capacity, sizeof *queue);
    if (!queue)
        return false;
    for (size_t i = 0; i < subscription->queue_count; i++)
        queue[i] = subscription->queue[(subscription->queue_first + i) % subscription->queue_capacity];
    free(subscription->queue);
    subscription->queue = queue;
    subscription->queue_first = 0;
    subscription->queue_capacity = capacity;
    return true;
}

/* False: not taken, and the subscription ends, since nothing may be left out silently. */
static bool queue_add_locked(struct lf_subscription *subscription, const struct lf_queued_batch *item) {
    if (subscription->ended || !queue_grow(subscription)) {
        end_locked(subscription, LF_NO_MEMORY, "out of memory");
        return false;
    }
    size_t place = (subscription->queue_first + subscription->queue_count++) % subscription->queue_capacity;
    subscription->queue[place] = *item;
    if (subscription->queue_count == 1)
        raise_flag(subscription);
    return true;
}

void lf_subscription_deliver(struct lf_client *client, struct lf_core_effect *effect) {
    struct lf_subscription *subscription = lf_map_get(&client->by_id, effect->subscription);
    if (!subscription)
        return;
    struct lf_queued_batch item = {.buf = effect->batch,
                                   .offset = effect->batch_offset,
                                   .size = effect->batch_size,
                                   .partition = effect->partition,
                                   .skip_below = effect->skip_below};
    pthread_mutex_lock(&subscription->mutex);
    if (queue_add_locked(subscription, &item))
        effect->batch = NULL;
    pthread_mutex_unlock(&subscription->mutex);
}

/* The item queued last, if it says that the offsets before these were missed too. */
static struct lf_queued_batch *last_missed(struct lf_subscription *subscription, const struct lf_core_effect *effect) {
    if (subscription->queue_count == 0)
        return NULL;
    size_t place = (subscription->queue_first + subscription->queue_count - 1) % subscription->queue_capacity;
    struct lf_queued_batch *last = &subscription->queue[place];
    bool touch = !last->buf && last->partition == effect->partition && last->missed_to == effect->missed_from;
    return touch && !last->diverged && !effect->diverged ? last : NULL;
}

void lf_subscription_missed(struct lf_client *client, const struct lf_core_effect *effect) {
    struct lf_subscription *subscription = lf_map_get(&client->by_id, effect->subscription);
    if (!subscription)
        return;
    struct lf_queued_batch item = {.partition = effect->partition,
                                   .skip_below = effect->missed_from,
                                   .missed_to = effect->missed_to,
                                   .diverged = effect->diverged};
    pthread_mutex_lock(&subscription->mutex);
    struct lf_queued_batch *last = last_missed(subscription, effect); /* credit bounds batches, this bounds these */
    if (last)
        last->missed_to = effect->missed_to;
    else
        queue_add_locked(subscription, &item);
    pthread_mutex_unlock(&subscription->mutex);
}

void lf_subscription_over(struct lf_client *client, const struct lf_core_effect *effect) {
    struct lf_subscription *subscription = lf_map_get(&client->by_id, effect->subscription);
    if (!subscription)
        return;
    pthread_mutex_lock(&subscription->mutex);
    if (!subscription->ended) {
        subscription->resume_partition = effect->partition;
        subscription->resume_offset = effect->missed_to;
    }
    end_locked(subscription, effect->status, effect->text);
    pthread_mutex_unlock(&subscription->mutex);
}

void lf_subscription_consumed_run(struct lf_client *client, struct lf_subscription *subscription) {
    atomic_store(&subscription->consumed_queued, false);
    struct lf_core_event event = {.type = LF_CORE_CONSUMED};
    event.consumed.subscription = subscription->id;
    event.consumed.bytes = atomic_exchange(&subscription->consumed, 0);
    lf_io_step(client, &event, NULL);
}

void lf_subscriptions_orphan(struct lf_client *client) {
    for (struct lf_subscription *s = client->subscriptions; s; s = s->next) {
        pthread_mutex_lock(&s->mutex);
        end_locked(s, LF_CLOSED, "the client was closed");
        s->client = NULL;
        pthread_mutex_unlock(&s->mutex);
    }
}

/* ---- the application's side -------------------------------------------------------------------------------------- */

/* Tell that the current batch was taken, unless told already and not yet heard. */
static void current_done(struct lf_subscription *subscription) {
    if (!subscription->current.buf)
        return;
    lf_batch_reader_destroy(&subscription->reader);
    lf_buf_unref(&subscription->current.buf);
    atomic_fetch_add(&subscription->consumed, subscription->current.size);
    pthread_mutex_lock(&subscription->mutex);
    struct lf_client *client = subscription->client;
    pthread_mutex_unlock(&subscription->mutex);
    if (client && !atomic_exchange(&subscription->consumed_queued, true))
        lf_command_push(client, &subscription->consumed_command);
}

/* True: a batch is current. False: *status says what there is instead (LF_AGAIN: nothing yet). */
static bool current_take(struct lf_subscription *subscription, enum lf_status *status, struct lf_error *error) {
    pthread_mutex_lock(&subscription->mutex);
    bool taken = subscription->queue_count > 0;
    if (taken) {
        subscription->current = subscription->queue[subscription->queue_first];
        subscription->queue_first = (subscription->queue_first + 1) % subscription->queue_capacity;
        subscription->queue_count--;
    } else if (subscription->ended) {
        *status = subscription->status;
        lf_error_set(error, subscription->status, "%s", subscription->text);
    } else {
        *status = LF_AGAIN;
    }
    if (subscription->queue_count == 0 && !subscription->ended) {
        uint64_t raised;
        ssize_t got = read(subscription->fd, &raised, sizeof raised);
        (void)got; /* EAGAIN: not raised */
    }
    pthread_mutex_unlock(&subscription->mutex);
    return taken;
}

static bool reserve(void **array, size_t *capacity, size_t wanted, size_t item) {
    if (wanted <= *capacity)
        return true;
    size_t bigger = *capacity ? *capacity : 256;
    while (bigger < wanted)
        bigger *= 2;
    void *grown = realloc(*array, bigger * item);
    if (!grown)
        return false;
    *array = grown;
    *capacity = bigger;
    return true;
}

static bool record_add(struct lf_subscription *s, size_t place, const struct lf_record *record) {
    size_t headers = (size_t)record->header_count;
    if (!reserve((void **)&s->records, &s->record_capacity, place + 1, sizeof *s->records) ||
        !reserve((void **)&s->headers, &s->header_capacity, s->header_count + headers, sizeof *s->headers))
        return false;
    for (size_t i = 0; i < headers; i++)
        s->headers[s->header_count + i] = (struct lf_header_view){.key = (const char *)record->headers[i].key.data,
                                                                  .key_size = record->headers[i].key.size,
                                                                  .value = record->headers[i].value.data,
                                                                  .value_size = record->headers[i].value.size};
    s->header_count += headers;
    s->records[place] = (struct lf_record_view){.partition = s->current.partition,
                                                .offset = record->offset,
                                                .timestamp_ms = record->timestamp_ms,
                                                .key = record->key.data,
                                                .key_size = record->key.size,
                                                .value = record->value.data,
                                                .value_size = record->value.size,
                                                .header_count = headers};
    return true;
}

/* Headers were gathered in an array that may have moved: point to them now. */
static void headers_join(struct lf_subscription *subscription, size_t count) {
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        struct lf_record_view *record = &subscription->records[i];
        record->headers = record->header_count ? &subscription->headers[at] : NULL;
        at += record->header_count;
    }
}

static enum lf_status decode(struct lf_subscription *subscription, struct lf_records *records, struct lf_error *error) {
    struct lf_batch_limits limits = {.batch_bytes_max = DECODED_BYTES_MAX,
                                     .records_max = INT32_MAX,
                                     .key_bytes_max = DECODED_BYTES_MAX,
                                     .value_bytes_max = DECODED_BYTES_MAX,
                                     .headers_max = INT32_MAX,
                                     .uncompressed_bytes_max = DECODED_BYTES_MAX};
    const struct lf_queued_batch *current = &subscription->current;
    struct lf_bytes bytes = lf_bytes(current->buf->data + current->offset, current->size);
    enum lf_status status = lf_batch_reader_new(bytes, &limits, &subscription->reader, error);
    size_t count = 0;
    subscription->header_count = 0;
    while (status == LF_OK) {
        struct lf_record record;
        status = lf_batch_reader_next(subscription->reader, &record);
        if (status == LF_OK && record.offset >= current->skip_below && !record_add(subscription, count++, &record))
            status = LF_NO_MEMORY;
    }
    if (status != LF_END)
        return lf_error_set(error, status, "partition %d, the batch from offset %lld on: %s", current->partition,
                            (long long)lf_get_be64(bytes.data), lf_status_text(status));
    headers_join(subscription, count);
    *records = (struct lf_records){.records = subscription->records, .count = count};
    return LF_OK;
}

/* Nothing comes after a batch that cannot be read. */
static void fail(struct lf_subscription *subscription, enum lf_status status, const struct lf_error *error) {
    pthread_mutex_lock(&subscription->mutex);
    queue_clear(subscription);
    end_locked(subscription, status, error ? error->text : lf_status_text(status));
    pthread_mutex_unlock(&subscription->mutex);
}

static void wait_for_flag(const struct lf_subscription *subscription, uint64_t until_ms) {
    uint64_t now = lf_clock_ms();
    if (now >= until_ms)
        return;
    struct pollfd item = {.fd = subscription->fd, .events = POLLIN};
    poll(&item, 1, until_ms - now < 60000 ? (int)(until_ms - now) : 60000);
}

enum lf_status lf_poll(struct lf_subscription *subscription, uint32_t timeout_ms, struct lf_records *records,
                       struct lf_error *error) {
    *records = (struct lf_records){0};
    if (!subscription)
        return lf_error_set(error, LF_INVALID, "no subscription");
    uint64_t until = lf_clock_ms() + timeout_ms;
    for (;;) {
        current_done(subscription);
        enum lf_status status;
        if (current_take(subscription, &status, error)) {
            if (!subscription->current.buf) {
                records->missed_partition = subscription->current.partition;
                records->missed_from = subscription->current.skip_below;
                records->missed_to = subscription->current.missed_to;
                records->diverged = subscription->current.diverged;
                return LF_OK;
            }
            status = decode(subscription, records, error);
            if (status == LF_OK && records->count == 0)
                continue;
            if (status != LF_OK)
                fail(subscription, status, error);
            return status;
        }
        if (status != LF_AGAIN || lf_clock_ms() >= until)
            return status;
        wait_for_flag(subscription, until);
    }
}
