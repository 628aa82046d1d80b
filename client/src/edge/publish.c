/** lf_publish copies the message into one allocation and hands that over; the I/O thread feeds it to the core. */
#include "edge.h"

#include <stdlib.h>

/* ---- room -------------------------------------------------------------------------------------------------------- */

static bool room_take(struct lf_client *client, uint64_t bytes) {
    uint64_t before = atomic_fetch_add(&client->inflight_bytes, bytes);
    if (before == 0 || before + bytes <= client->options.inflight_bytes_max)
        return true; /* one message of any size always has room */
    atomic_fetch_sub(&client->inflight_bytes, bytes);
    return false;
}

static void room_give(struct lf_client *client, uint64_t bytes) {
    atomic_fetch_sub(&client->inflight_bytes, bytes);
    if (atomic_load(&client->waiting) > 0)
        lf_client_signal(client);
}

void lf_inflight_release(struct lf_client *client, uint64_t added) {
    uint64_t now = lf_core_pending_bytes(client->core), before = client->core_bytes + added;
    client->core_bytes = now;
    if (before > now)
        room_give(client, before - now);
}

/* ---- the caller's side ------------------------------------------------------------------------------------------- */

static char *put(char **at, const void *bytes, size_t size) {
    char *here = *at;
    if (size > 0)
        memcpy(here, bytes, size);
    *at += size;
    return here;
}

static struct lf_publish_command *command_new(const struct lf_message *message, uint64_t bytes) {
    size_t topic_size = strlen(message->topic) + 1;
    size_t size = sizeof(struct lf_publish_command) + message->header_count * sizeof(struct lf_header) + topic_size +
                  message->key_size + message->value_size;
    for (size_t i = 0; i < message->header_count; i++)
        size += strlen(message->headers[i].key) + 1 + message->headers[i].value_size;
    struct lf_publish_command *command = malloc(size);
    if (!command)
        return NULL;
    command->command.type = LF_COMMAND_PUBLISH;
    command->bytes = bytes;
    command->message = *message;
    struct lf_header *headers = (struct lf_header *)(command + 1);
    char *at = (char *)(headers + message->header_count);
    command->message.topic = put(&at, message->topic, topic_size);
    if (message->key)
        command->message.key = put(&at, message->key, message->key_size);
    if (message->value)
        command->message.value = put(&at, message->value, message->value_size);
    for (size_t i = 0; i < message->header_count; i++) {
        headers[i] = message->headers[i];
        headers[i].key = put(&at, message->headers[i].key, strlen(message->headers[i].key) + 1);
        if (message->headers[i].value)
            headers[i].value = put(&at, message->headers[i].value, message->headers[i].value_size);
    }
    command->message.headers = headers;
    return command;
}

/* Room for the bytes, and a place in the ring. */
static bool hand_over(struct lf_client *client, struct lf_publish_command *command) {
    if (!room_take(client, command->bytes))
        return false;
    if (lf_ring_push(client->ring, &command->command))
        return true;
    /* No signal: the mutex may be ours. The ring is full, so answers are to come, and they wake whoever waits. */
    atomic_fetch_sub(&client->inflight_bytes, command->bytes);
    return false;
}

static bool hand_over_waiting(struct lf_client *client, struct lf_publish_command *command, uint32_t timeout_ms) {
    if (timeout_ms == 0 || pthread_equal(pthread_self(), client->thread))
        return false;
    struct timespec until = lf_clock_deadline(timeout_ms);
    bool handed = false;
    int expired = 0;
    pthread_mutex_lock(&client->mutex);
    atomic_fetch_add(&client->waiting, 1);
    while (!(handed = hand_over(client, command)) && !expired)
        expired = pthread_cond_timedwait(&client->changed, &client->mutex, &until);
    atomic_fetch_sub(&client->waiting, 1);
    pthread_mutex_unlock(&client->mutex);
    return handed;
}

enum lf_status lf_publish(struct lf_client *client, const struct lf_message *message, lf_delivery_callback *callback,
                          void *context, uint32_t timeout_ms, struct lf_error *error) {
    if (!client || !message)
        return lf_error_set(error, LF_INVALID, "no client or no message");
    enum lf_status status = lf_core_message_check(message, error);
    if (status != LF_OK)
        return status;
    if (atomic_load_explicit(&client->closing, memory_order_relaxed))
        return lf_error_set(error, LF_CLOSED, "the client is closing");
    struct lf_publish_command *command = command_new(message, lf_core_message_bytes(message));
    if (!command)
        return lf_error_set(error, LF_NO_MEMORY, "out of memory");
    command->callback = callback;
    command->context = context;
    if (hand_over(client, command) || hand_over_waiting(client, command, timeout_ms))
        return LF_OK;
    free(command);
    return lf_error_set(error, LF_FULL, "%llu bytes are unanswered (inflight_bytes_max)",
                        (unsigned long long)atomic_load(&client->inflight_bytes));
}

/* ---- the I/O thread's side --------------------------------------------------------------------------------------- */

void lf_publish_run(struct lf_client *client, struct lf_publish_command *command) {
    struct lf_core_event event = {.type = LF_CORE_PUBLISH};
    event.publish.message = &command->message;
    event.publish.callback = command->callback;
    event.publish.context = command->context;
    struct lf_error error = {0};
    enum lf_status status = lf_io_step(client, &event, &error);
    if (status != LF_OK) { /* accepted by lf_publish, so its outcome is told */
        room_give(client, command->bytes);
        struct lf_delivery delivery = {.status = status == LF_CLOSED ? LF_CANCELLED : status,
                                       .error_text = error.text,
                                       .topic = command->message.topic,
                                       .partition = command->message.partition,
                                       .offset = -1,
                                       .context = command->context};
        if (command->callback)
            command->callback(&delivery);
    }
    free(command);
}

/* ---- flush ------------------------------------------------------------------------------------------------------- */

static void flush_unref(struct lf_flush *flush) {
    if (atomic_fetch_sub(&flush->refs, 1) == 1)
        free(flush);
}

enum lf_status lf_flush(struct lf_client *client, uint32_t timeout_ms) {
    struct lf_flush *flush = calloc(1, sizeof *flush);
    if (!client || !flush) {
        free(flush);
        return client ? LF_NO_MEMORY : LF_INVALID;
    }
    flush->command.type = LF_COMMAND_FLUSH;
    atomic_init(&flush->refs, 2);
    struct timespec until = lf_clock_deadline(timeout_ms);
    lf_command_push(client, &flush->command);
    pthread_mutex_lock(&client->mutex);
    int expired = 0;
    while (!flush->done && !expired)
        expired = pthread_cond_timedwait(&client->changed, &client->mutex, &until);
    bool done = flush->done;
    pthread_mutex_unlock(&client->mutex);
    flush_unref(flush);
    return done ? LF_OK : LF_TIMED_OUT;
}

void lf_flush_run(struct lf_client *client, struct lf_flush *flush) {
    struct lf_core_event event = {.type = LF_CORE_FLUSH};
    lf_io_step(client, &event, NULL);
    flush->target = lf_core_accepted(client->core);
    flush->next = client->flushes;
    client->flushes = flush;
}

void lf_flushes_check(struct lf_client *client) {
    if (!client->flushes)
        return;
    uint64_t oldest = lf_core_oldest_pending(client->core);
    for (struct lf_flush **link = &client->flushes; *link;) {
        struct lf_flush *flush = *link;
        if (oldest < flush->target) {
            link = &flush->next;
            continue;
        }
        *link = flush->next;
        pthread_mutex_lock(&client->mutex);
        flush->done = true;
        pthread_cond_broadcast(&client->changed);
        pthread_mutex_unlock(&client->mutex);
        flush_unref(flush);
    }
}
