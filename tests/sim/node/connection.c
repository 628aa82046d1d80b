#include "connection.h"

#include "actor.h"
#include "prober.h"

#include <stdio.h>
#include <stdlib.h>

struct sim_message {
    struct sim_connection *connection;
    bool to_node;
    size_t count;
    struct node_frame frames[];
};

void sim_message_destroy(struct sim_message *message) {
    for (size_t i = 0; i < message->count; i++)
        lf_buf_unref(&message->frames[i].buf);
    free(message);
}

static void client_gone_in(struct sim_connection *connection, uint64_t ms_min, uint64_t ms_max) {
    struct sim_world *world = connection->host->world;
    sim_at(world, world->now + sim_between(world, ms_min, ms_max) * SIM_MS, SIM_CLIENT_GONE, connection->client,
           connection->id, NULL);
}

static void session_gone_in(struct sim_connection *connection, uint64_t ms_min, uint64_t ms_max) {
    struct sim_world *world = connection->host->world;
    sim_at(world, world->now + sim_between(world, ms_min, ms_max) * SIM_MS, SIM_SESSION_GONE, connection->host->id,
           connection->id, NULL);
}

struct sim_connection *sim_connect(struct sim_world *world, uint32_t client, const char *address, uint64_t number) {
    unsigned id = 0;
    if (sscanf(address, "node%u", &id) != 1 || id < 1 || id > world->node_count)
        return NULL;
    struct sim_connection *connection = sim_alloc(1, sizeof *connection);
    world->connections = sim_grown(world->connections, &world->connection_capacity, world->connection_count + 1,
                                   sizeof *world->connections);
    world->connections[world->connection_count++] = connection;
    struct sim_host *host = &world->hosts[id - 1];
    *connection = (struct sim_connection){
        .id = world->connection_count, .client = client, .number = number, .host = host, .client_open = true};
    if (sim_host_up(host)) {
        connection->generation = host->generation;
        connection->node_open = true;
    } else {
        connection->lost_to_node = connection->lost_to_client = true;
        if (world->phase != SIM_STORM || !sim_chance(world, 300)) /* refused; else its machine says nothing */
            client_gone_in(connection, 1, 80);
    }
    return connection;
}

/** In order after what went before. */
static void post(struct sim_connection *connection, const struct node_frame *frames, size_t count, bool to_node) {
    struct sim_world *world = connection->host->world;
    struct sim_message *message = sim_alloc(1, sizeof *message + count * sizeof *frames);
    message->connection = connection;
    message->to_node = to_node;
    message->count = count;
    for (size_t i = 0; i < count; i++) {
        message->frames[i] = frames[i];
        lf_buf_ref(frames[i].buf);
    }
    uint64_t *last = to_node ? &connection->last_to_node : &connection->last_to_client;
    uint64_t stalled = world->stalled_until[connection->client][connection->host->id - 1];
    uint64_t at =
        (stalled > world->now ? stalled : world->now) + sim_between(world, 50, world->weather.client_delay_us_max);
    if (at < *last)
        at = *last;
    *last = at;
    sim_at(world, at, SIM_FRAMES, to_node ? connection->host->id : connection->client, connection->id, message);
}

void sim_connection_from_client(struct sim_connection *connection, const struct node_frame *frames, size_t count) {
    if (connection->client_open && !connection->lost_to_node)
        post(connection, frames, count, true);
}

void sim_connection_drop(struct sim_connection *connection) {
    if (!connection->client_open)
        return;
    connection->client_open = false;
    connection->actor = NULL;
    connection->prober = NULL;
    connection->lost_to_client = true;
    if (connection->node_open && !sim_chance(connection->host->world, 200)) /* else the node finds out when it sends */
        session_gone_in(connection, 0, 50);
}

void sim_connection_from_node(struct sim_host *host, const struct node_client_send *send) {
    struct sim_connection *connection = lf_map_get(&host->world->sessions, send->session);
    if (!connection || connection->host != host || connection->session != send->session)
        return; /* a session that ended meanwhile */
    if (!connection->client_open || connection->lost_to_client) {
        if (connection->node_open)
            session_gone_in(connection, 0, 5);
        return;
    }
    post(connection, send->frames, send->count, false);
}

static void forget_session(struct sim_connection *connection) {
    if (connection->session)
        lf_map_remove(&connection->host->world->sessions, connection->session);
    connection->session = 0;
}

void sim_connection_session_closed(struct sim_host *host, uint64_t session) {
    struct sim_connection *connection = lf_map_get(&host->world->sessions, session);
    if (connection && connection->host == host)
        forget_session(connection);
}

void sim_connection_watched(struct sim_host *host, uint64_t session) {
    struct sim_world *world = host->world;
    world->totals.rooms_awaited++;
    uint64_t slowest_ms =
        world->phase == SIM_STORM ? 20 : 1; /* at the end everything is read, through small windows too */
    sim_at(world, world->now + sim_between(world, 0, slowest_ms) * SIM_MS, SIM_CLIENT_ROOM, host->id, session, NULL);
}

void sim_client_room(struct sim_world *world, const struct sim_event *event) {
    const struct sim_connection *connection = lf_map_get(&world->sessions, event->number);
    if (!connection || connection->host->id != event->who)
        return; /* the session is over */
    sim_host_step(connection->host,
                  &(struct node_event){.type = NODE_EVENT_CLIENT_ROOM, .client = {.session = event->number}});
}

void sim_connection_break(struct sim_connection *connection) {
    struct sim_world *world = connection->host->world;
    connection->lost_to_node |= sim_chance(world, 600); /* else what is on its way still arrives */
    connection->lost_to_client |= sim_chance(world, 600);
    client_gone_in(connection, 0, 500);
    session_gone_in(connection, 0, 3000);
}

void sim_connections_host_ended(struct sim_host *host, enum sim_end how) {
    struct sim_world *world = host->world;
    for (size_t i = 0; i < world->connection_count; i++) {
        struct sim_connection *connection = world->connections[i];
        if (connection->host != host || !connection->node_open)
            continue;
        connection->node_open = false;
        connection->lost_to_node = true;
        forget_session(connection);
        if (how == SIM_END_POWER) {
            connection->lost_to_client |= sim_chance(world, 500);
            client_gone_in(connection, 200, world->phase == SIM_STORM ? 5000 : 500);
        } else {
            client_gone_in(connection, 0, 20);
        }
    }
}

static void to_node(struct sim_message *message) {
    struct sim_connection *connection = message->connection;
    struct sim_host *host = connection->host;
    struct sim_world *world = host->world;
    if (connection->lost_to_node || !connection->node_open || connection->generation != host->generation)
        return;
    if (connection->session == 0) {
        connection->session = ++world->next_session;
        if (!lf_map_put(&world->sessions, connection->session, connection))
            sim_fail(world, "out of memory");
    }
    struct node_event event = {
        .type = NODE_EVENT_CLIENT,
        .client = {.session = connection->session, .frames = message->frames, .count = message->count}};
    sim_host_step(host, &event);
}

bool sim_frames_wait(struct sim_world *world, const struct sim_event *event) {
    (void)world;
    const struct sim_message *message = event->load;
    return message->to_node && sim_host_defer(message->connection->host, event);
}

void sim_frames_arrive(struct sim_world *world, struct sim_event *event) {
    (void)world;
    struct sim_message *message = event->load;
    struct sim_connection *connection = message->connection;
    if (message->to_node)
        to_node(message);
    else if (!connection->lost_to_client && connection->client_open && connection->actor)
        sim_actor_frames(connection->actor, connection, message->frames, message->count);
    else if (!connection->lost_to_client && connection->client_open && connection->prober)
        sim_prober_frames(connection->prober, message->frames, message->count);
    sim_message_destroy(message);
}

/** The node notices. */
void sim_session_gone(struct sim_world *world, struct sim_event *event) {
    struct sim_connection *connection = world->connections[event->number - 1];
    struct sim_host *host = connection->host;
    if (!connection->node_open || connection->generation != host->generation || !sim_host_up(host))
        return;
    uint64_t session = connection->session;
    connection->node_open = false;
    connection->lost_to_node = true;
    forget_session(connection);
    if (session)
        sim_host_step(host, &(struct node_event){.type = NODE_EVENT_CLIENT_GONE, .session = session});
}

/** The client notices. */
void sim_client_gone(struct sim_world *world, uint64_t id) {
    struct sim_connection *connection = world->connections[id - 1];
    if (!connection->client_open)
        return;
    connection->client_open = false;
    connection->lost_to_client = connection->lost_to_node = true;
    struct sim_actor *actor = connection->actor;
    struct sim_prober *prober = connection->prober;
    connection->actor = NULL;
    connection->prober = NULL;
    if (actor)
        sim_actor_gone(actor, connection);
    else if (prober)
        sim_prober_gone(prober);
}

void sim_connections_deinit(struct sim_world *world) {
    for (size_t i = 0; i < world->connection_count; i++)
        free(world->connections[i]);
    free(world->connections);
    lf_map_deinit(&world->sessions);
}
