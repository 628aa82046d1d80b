/** A client's birth and end. */
#include "edge.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <zmq.h>

#define CLOSE_TIMEOUT_MS_MAX (24u * 3600 * 1000)

void lf_client_options_init(struct lf_client_options *options) {
    *options = (struct lf_client_options){.size = sizeof *options,
                                          .compression = LF_COMPRESSION_NONE,
                                          .linger_ms = 5,
                                          .batch_bytes = 16384,
                                          .inflight_bytes_max = 32 * 1024 * 1024,
                                          .delivery_timeout_ms = 120000,
                                          .request_timeout_ms = 10000,
                                          .connect_timeout_ms = 5000,
                                          .fetch_bytes_max = 8 * 1024 * 1024};
}

static enum lf_status options_check(const struct lf_client_options *o, struct lf_error *error) {
    if (o->name && strlen(o->name) > 128)
        return lf_error_set(error, LF_INVALID, "name: longer than 128 bytes");
    if (o->compression != LF_COMPRESSION_NONE && o->compression != LF_COMPRESSION_LZ4 &&
        o->compression != LF_COMPRESSION_ZSTD)
        return lf_error_set(error, LF_INVALID, "compression: %d is none of none, lz4, zstd", (int)o->compression);
    if (o->linger_ms > 60000)
        return lf_error_set(error, LF_INVALID, "linger_ms: %u is above 60000", o->linger_ms);
    if (o->batch_bytes < 128 || o->batch_bytes > 1024 * 1024)
        return lf_error_set(error, LF_INVALID, "batch_bytes: %u is not within 128 and 1048576", o->batch_bytes);
    if (o->inflight_bytes_max < 1024)
        return lf_error_set(error, LF_INVALID, "inflight_bytes_max: below 1024");
    if (o->delivery_timeout_ms == 0 || o->request_timeout_ms == 0 || o->connect_timeout_ms == 0)
        return lf_error_set(error, LF_INVALID, "a time-out of 0 ms");
    if (o->fetch_bytes_max == 0)
        return lf_error_set(error, LF_INVALID, "fetch_bytes_max: 0");
    return LF_OK;
}

/* An older program's options are shorter than ours: what it does not know keeps its default. */
static enum lf_status options_take(const struct lf_client_options *from, struct lf_client_options *to,
                                   struct lf_error *error) {
    lf_client_options_init(to);
    if (!from)
        return LF_OK;
    if (from->size < sizeof from->size + sizeof from->brokers)
        return lf_error_set(error, LF_INVALID, "options: call lf_client_options_init first");
    memcpy(to, from, from->size < sizeof *to ? from->size : sizeof *to);
    to->size = sizeof *to;
    return options_check(to, error);
}

static void client_free(struct lf_client *client) {
    if (client->context)
        zmq_ctx_term(client->context);
    lf_core_destroy(&client->core);
    lf_core_effects_deinit(&client->effects);
    lf_map_deinit(&client->by_id);
    lf_ring_destroy(&client->ring);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->mutex);
    free(client);
}

static enum lf_status parts_make(struct lf_client *client, struct lf_error *error) {
    struct lf_core_options core = {.client = client->options};
    if (getrandom(&core.seed, sizeof core.seed, 0) != sizeof core.seed)
        core.seed = lf_clock_ms() ^ (uint64_t)(uintptr_t)client;
    enum lf_status status = lf_core_new(&core, lf_clock_ms(), &client->core, error);
    if (status != LF_OK)
        return status;
    client->options.brokers = client->options.name = NULL; /* borrowed for this call only */
    client->ring = lf_ring_new(LF_EDGE_RING_ITEMS);
    client->context = zmq_ctx_new();
    if (!client->ring || !client->context)
        return lf_error_set(error, LF_NO_MEMORY, "out of memory or descriptors");
    return LF_OK;
}

/* The host's signals are for the host's threads. */
static enum lf_status thread_start(struct lf_client *client, struct lf_error *error) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int failed = pthread_create(&client->thread, NULL, lf_io_thread, client);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed)
        return lf_error_set(error, LF_NO_MEMORY, "cannot start a thread: %s", strerror(failed));
    return LF_OK;
}

enum lf_status lf_client_new(const struct lf_client_options *options, struct lf_client **out, struct lf_error *error) {
    *out = NULL;
    struct lf_client *client = calloc(1, sizeof *client);
    if (!client)
        return lf_error_set(error, LF_NO_MEMORY, "out of memory");
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&client->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&client->mutex, NULL);
    enum lf_status status = options_take(options, &client->options, error);
    if (status == LF_OK)
        status = parts_make(client, error);
    if (status == LF_OK)
        status = thread_start(client, error);
    if (status != LF_OK) {
        client_free(client);
        return status;
    }
    *out = client;
    return LF_OK;
}

void lf_client_close(struct lf_client **where, uint32_t timeout_ms) {
    struct lf_client *client = *where;
    *where = NULL;
    if (!client)
        return;
    atomic_store(&client->closing, true);
    struct lf_close_command command = {.command.type = LF_COMMAND_CLOSE};
    command.deadline_ms = lf_clock_ms() + (timeout_ms < CLOSE_TIMEOUT_MS_MAX ? timeout_ms : CLOSE_TIMEOUT_MS_MAX);
    lf_command_push(client, &command.command);
    pthread_join(client->thread, NULL);
    lf_subscriptions_orphan(client);
    client_free(client);
}
