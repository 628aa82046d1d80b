#include "actor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT 7700

static void on_trace(void *context, const char *line) {
    const struct sim_actor *actor = context;
    sim_tracef(actor->world, "client=%u %s", actor->number, line);
}

static void begin_life(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    static const enum lf_compression codecs[] = {LF_COMPRESSION_NONE, LF_COMPRESSION_NONE, LF_COMPRESSION_LZ4,
                                                 LF_COMPRESSION_ZSTD};
    char brokers[SIM_NODES_MAX * 16] = "", name[16];
    uint32_t skip = world->options.nodes > 1 ? (uint32_t)sim_between(world, 0, world->options.nodes) : 0;
    /* A list that leaves one out is enough, unless others may be gone for good. */
    bool gone = sim_fault_on(world, SIM_FAULT_damage) || sim_fault_on(world, SIM_FAULT_join) ||
                sim_fault_on(world, SIM_FAULT_wipe);
    for (uint32_t n = 1; n <= world->options.nodes; n++)
        if (n != skip || gone)
            sprintf(brokers + strlen(brokers), "%snode%u:%d", brokers[0] ? "," : "", n, PORT);
    snprintf(name, sizeof name, "client-%u", actor->number);
    struct lf_core_options options = {.seed = sim_random(world)};
    options.client.size = sizeof options.client;
    options.client.connect_timeout_ms = 5000;
    options.client.brokers = brokers;
    options.client.name = name;
    options.client.compression = codecs[sim_between(world, 0, 3)];
    options.client.linger_ms = (uint32_t)sim_between(world, 0, 10);
    options.client.batch_bytes = (uint32_t)(sim_chance(world, 500) ? sim_between(world, 300, 3000) : 16384);
    options.client.delivery_timeout_ms = (uint32_t)sim_between(world, 2500, 6000);
    options.client.request_timeout_ms = (uint32_t)sim_between(world, 1500, 6000);
    options.client.inflight_bytes_max = sim_chance(world, 300) ? 20000 : 32u << 20;
    options.client.fetch_bytes_max = sim_chance(world, 300) ? 4096 : 8u << 20;
    actor->life++;
    actor->clock_offset_ms = sim_between(world, 0, 1u << 31);
    actor->tick_at = SIM_NEVER;
    actor->first_record = world->record_count;
    struct lf_error error = {0};
    if (lf_core_new(&options, world->now / SIM_MS + actor->clock_offset_ms, &actor->core, &error) != LF_OK)
        sim_fail(world, "client %u cannot be made: %s", actor->number, error.text);
    if (world->trace || world->coverage)
        lf_core_set_trace(actor->core, on_trace, actor);
    sim_actor_work_in(actor, sim_between(world, 1, 50));
}

void sim_actors_start(struct sim_world *world) {
    uint32_t publishers = world->options.publishers, subscribers = world->options.subscribers;
    world->actor_count = publishers + subscribers + 2;
    world->actors = sim_alloc(world->actor_count, sizeof *world->actors);
    for (uint32_t i = 0; i < world->actor_count; i++) {
        struct sim_actor *actor = &world->actors[i];
        *actor = (struct sim_actor){.world = world, .number = i + 1, .kind = SIM_ADMIN};
        if (i < publishers)
            actor->kind = SIM_PUBLISHER;
        else if (i < publishers + subscribers)
            actor->kind = SIM_SUBSCRIBER;
        else if (i == publishers + subscribers)
            actor->kind = SIM_OPERATOR;
        begin_life(actor);
    }
}

void sim_actors_deinit(struct sim_world *world) {
    for (uint32_t i = 0; i < world->actor_count; i++) {
        lf_core_destroy(&world->actors[i].core);
        lf_core_effects_deinit(&world->actors[i].effects);
        free(world->actors[i].connections);
    }
    free(world->actors);
}

/* ---- connections ------------------------------------------------------------------------------------------------- */

static struct sim_connection *find(const struct sim_actor *actor, uint64_t number) {
    for (size_t i = 0; i < actor->connection_count; i++)
        if (actor->connections[i]->number == number)
            return actor->connections[i];
    return NULL;
}

static void forget(struct sim_actor *actor, const struct sim_connection *connection) {
    for (size_t i = 0; i < actor->connection_count; i++)
        if (actor->connections[i] == connection) {
            actor->connections[i] = actor->connections[--actor->connection_count];
            return;
        }
}

static void connect_to(struct sim_actor *actor, const struct lf_core_effect *effect) {
    struct sim_connection *connection = sim_connect(actor->world, actor->number, effect->host, effect->connection);
    if (!connection || effect->port != PORT)
        sim_fail(actor->world, "client %u connects to %s:%u", actor->number, effect->host, effect->port);
    connection->actor = actor;
    actor->connections = sim_grown(actor->connections, &actor->connection_capacity, actor->connection_count + 1,
                                   sizeof *actor->connections);
    actor->connections[actor->connection_count++] = connection;
}

static void send_frames(struct sim_actor *actor, const struct lf_core_effect *effect) {
    struct sim_connection *connection = find(actor, effect->connection);
    struct node_frame frames[8];
    if (effect->frame_count > 8)
        sim_fail(actor->world, "client %u sends %zu frames", actor->number, effect->frame_count);
    for (size_t i = 0; i < effect->frame_count; i++)
        frames[i] = (struct node_frame){effect->frames[i].buf, effect->frames[i].offset, effect->frames[i].size};
    if (connection)
        sim_connection_from_client(connection, frames, effect->frame_count);
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static void carry_out(struct sim_actor *actor, const struct lf_core_effect *effect) {
    struct sim_connection *connection;
    switch (effect->type) {
    case LF_CORE_CONNECT:
        connect_to(actor, effect);
        return;
    case LF_CORE_DISCONNECT:
        connection = find(actor, effect->connection);
        if (connection) {
            forget(actor, connection);
            sim_connection_drop(connection);
        }
        return;
    case LF_CORE_SEND:
        send_frames(actor, effect);
        return;
    case LF_CORE_DELIVERED:
        if (effect->callback)
            effect->callback(&effect->delivery);
        return;
    case LF_CORE_BATCH:
        sim_subscriber_batch(actor, effect);
        return;
    case LF_CORE_MISSED:
        sim_subscriber_missed(actor, effect);
        return;
    case LF_CORE_SUBSCRIPTION_ENDED:
        sim_subscriber_ended(actor, effect);
        return;
    case LF_CORE_ANSWER:
        if (actor->kind == SIM_OPERATOR)
            sim_operator_answer(actor, effect);
        else
            sim_admin_answer(actor, effect);
        return;
    }
}

static void schedule_tick(struct sim_actor *actor) {
    uint64_t deadline_ms = actor->effects.deadline_ms;
    if (deadline_ms == UINT64_MAX)
        return;
    uint64_t at = deadline_ms > actor->clock_offset_ms ? (deadline_ms - actor->clock_offset_ms) * SIM_MS : 0;
    if (at < actor->world->now)
        at = actor->world->now;
    if (at < actor->tick_at) {
        actor->tick_at = at;
        sim_at(actor->world, at, SIM_ACTOR_TICK, actor->number, 0, NULL);
    }
}

enum lf_status sim_actor_step(struct sim_actor *actor, struct lf_core_event *event) {
    struct sim_world *world = actor->world;
    struct lf_error error = {0};
    event->now_ms = world->now / SIM_MS + actor->clock_offset_ms;
    event->wall_ms = SIM_WALL_START_MS + (int64_t)(world->now / SIM_MS);
    world->totals.client_steps++;
    enum lf_status status = lf_core_step(actor->core, event, &actor->effects, &error);
    for (size_t i = 0; i < actor->effects.count; i++)
        carry_out(actor, &actor->effects.items[i]);
    lf_core_effects_clear(&actor->effects);
    schedule_tick(actor);
    return status;
}

void sim_actor_on_tick(struct sim_actor *actor, uint64_t at) {
    if (at != actor->tick_at)
        return;
    actor->tick_at = SIM_NEVER;
    sim_actor_step(actor, &(struct lf_core_event){.type = LF_CORE_TICK});
}

void sim_actor_work_in(struct sim_actor *actor, uint64_t ms) {
    struct sim_world *world = actor->world;
    sim_at(world, world->now + ms * SIM_MS + sim_between(world, 0, 999), SIM_ACTOR_WORK, actor->number, actor->life,
           NULL);
}

void sim_actor_work(struct sim_actor *actor, uint64_t life) {
    if (life != actor->life)
        return;
    switch (actor->kind) {
    case SIM_PUBLISHER:
        sim_publisher_work(actor);
        return;
    case SIM_SUBSCRIBER:
        sim_subscriber_work(actor);
        return;
    case SIM_OPERATOR:
        sim_operator_work(actor);
        return;
    case SIM_ADMIN:
        sim_admin_work(actor);
        return;
    }
}

void sim_actor_frames(struct sim_actor *actor, const struct sim_connection *connection, const struct node_frame *frames,
                      size_t count) {
    struct lf_frame *copy = sim_alloc(count, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = (struct lf_frame){frames[i].buf, frames[i].offset, frames[i].size};
    struct lf_core_event event = {.type = LF_CORE_FRAMES,
                                  .frames = {.connection = connection->number, .frames = copy, .count = count}};
    sim_actor_step(actor, &event);
    free(copy);
}

void sim_actor_gone(struct sim_actor *actor, const struct sim_connection *connection) {
    uint64_t number = connection->number;
    forget(actor, connection);
    sim_actor_step(actor, &(struct lf_core_event){.type = LF_CORE_GONE, .gone = number});
}

void sim_actor_restart(struct sim_actor *actor, bool closing) {
    struct sim_world *world = actor->world;
    sim_tracef(world, "client=%u %s, %llu pending", actor->number, closing ? "closes" : "crashes",
               (unsigned long long)lf_core_pending(actor->core));
    if (closing) {
        sim_actor_step(actor, &(struct lf_core_event){.type = LF_CORE_CLOSE});
        if (lf_core_pending(actor->core) != 0)
            sim_fail(world, "client %u is closed and has messages without an outcome", actor->number);
    }
    lf_core_destroy(&actor->core);
    while (actor->connection_count > 0)
        sim_connection_drop(actor->connections[--actor->connection_count]);
    for (size_t i = actor->first_record; i < world->record_count; i++)
        if (world->records[i]->publisher == actor->number) {
            if (closing && world->records[i]->outcome == SIM_PENDING)
                sim_fail(world, "record %zu has no outcome after its client was closed", i + 1);
            sim_record_abandon(world->records[i]);
        }
    actor->reading = (struct sim_reading){0};
    begin_life(actor);
}
