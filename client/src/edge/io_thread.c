/** The I/O thread: commands in, frames in, ticks; effects out. */
#include "edge.h"

#include <stdlib.h>
#include <zmq.h>

#define SLEEP_MS_MAX 60000

void lf_client_signal(struct lf_client *client) {
    pthread_mutex_lock(&client->mutex);
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);
}

static void answer(struct lf_client *client, struct lf_core_effect *effect) {
    struct lf_waited_command *command = (struct lf_waited_command *)(uintptr_t)effect->call;
    command->status = effect->status;
    lf_error_set(&command->error, effect->status, "%s", effect->text);
    command->reply = effect->reply;
    effect->reply = NULL;
    lf_command_done(client, command);
}

static void carry_out(struct lf_client *client, struct lf_core_effect *effect) {
    switch (effect->type) {
    case LF_CORE_CONNECT:
        lf_connection_open(client, effect->connection, effect->host, effect->port);
        break;
    case LF_CORE_DISCONNECT:
        lf_connection_close(client, effect->connection, effect->farewell);
        break;
    case LF_CORE_SEND:
        lf_connection_send(client, effect->connection, effect->frames, effect->frame_count);
        break;
    case LF_CORE_DELIVERED:
        if (effect->callback)
            effect->callback(&effect->delivery);
        break;
    case LF_CORE_BATCH:
        lf_subscription_deliver(client, effect);
        break;
    case LF_CORE_MISSED:
        lf_subscription_missed(client, effect);
        break;
    case LF_CORE_SUBSCRIPTION_ENDED:
        lf_subscription_over(client, effect);
        break;
    case LF_CORE_ANSWER:
        answer(client, effect);
        break;
    }
}

enum lf_status lf_io_step(struct lf_client *client, struct lf_core_event *event, struct lf_error *error) {
    event->now_ms = lf_clock_ms();
    event->wall_ms = lf_clock_wall_ms();
    enum lf_status status = lf_core_step(client->core, event, &client->effects, error);
    bool accepted = event->type == LF_CORE_PUBLISH && status == LF_OK;
    /* Room is given back before the callbacks run, so that one may publish the next message. */
    lf_inflight_release(client, accepted ? lf_core_message_bytes(event->publish.message) : 0);
    /* A callback's lf_publish only fills the ring, and sockets answer with later events: no step within a step. */
    for (size_t i = 0; i < client->effects.count; i++)
        carry_out(client, &client->effects.items[i]);
    lf_core_effects_clear(&client->effects);
    return status;
}

static void run_commands(struct lf_client *client) {
    for (int i = 0; i < LF_EDGE_COMMANDS_PER_TURN; i++) {
        struct lf_command *command = lf_ring_pop(client->ring);
        if (!command)
            return;
        lf_command_run(client, command);
    }
}

static void wait_for_something(struct lf_client *client, bool more) {
    zmq_pollitem_t items[1 + 2 * LF_EDGE_CONNECTIONS_MAX];
    int count = 0;
    items[count++] = (zmq_pollitem_t){.fd = lf_ring_fd(client->ring), .events = ZMQ_POLLIN};
    for (size_t i = 0; i < client->connection_count; i++) {
        items[count++] = (zmq_pollitem_t){.socket = client->connections[i].socket, .events = ZMQ_POLLIN};
        items[count++] = (zmq_pollitem_t){.socket = client->connections[i].monitor, .events = ZMQ_POLLIN};
    }
    uint64_t now = lf_clock_ms(), until = client->effects.deadline_ms;
    if (client->close_deadline_ms && client->close_deadline_ms < until)
        until = client->close_deadline_ms;
    uint64_t sleep = until > now ? until - now : 0;
    if (sleep > SLEEP_MS_MAX)
        sleep = SLEEP_MS_MAX;
    if (more || !lf_ring_sleep(client->ring))
        sleep = 0;
    zmq_poll(items, count, (long)sleep);
    lf_ring_wake(client->ring);
}

/* All outcomes are told, or the time for it is over. */
static void close_when_done(struct lf_client *client) {
    if (lf_core_pending(client->core) > 0 && lf_clock_ms() < client->close_deadline_ms)
        return;
    struct lf_core_event event = {.type = LF_CORE_CLOSE};
    lf_io_step(client, &event, NULL);
    lf_flushes_check(client);
    client->stop = true;
}

void *lf_io_thread(void *argument) {
    struct lf_client *client = argument;
    while (!client->stop) {
        run_commands(client);
        if (atomic_load(&client->waiting) > 0)
            lf_client_signal(client); /* the ring has room again */
        bool more = lf_connections_receive(client);
        if (client->effects.deadline_ms <= lf_clock_ms()) {
            struct lf_core_event tick = {.type = LF_CORE_TICK};
            lf_io_step(client, &tick, NULL);
        }
        lf_flushes_check(client);
        if (client->close_deadline_ms)
            close_when_done(client);
        if (!client->stop)
            wait_for_something(client, more);
    }
    struct lf_command *command;
    while ((command = lf_ring_pop(client->ring))) /* what callbacks published while closing: refused by the core */
        lf_command_run(client, command);
    lf_connections_close(client);
    return NULL;
}
