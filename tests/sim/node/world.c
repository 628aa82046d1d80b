/** A world: made from its seed, run event by event to its end. */
#include "world.h"

#include "actor.h"
#include "check.h"
#include "net.h"
#include "prober.h"
#include "profile.h"

#include <stdio.h>
#include <stdlib.h>

#define EVENTS_MAX 20000000ull

/** Bounds small enough to be met, drawn so that worlds differ. */
static void draw_limits(struct sim_world *world) {
    struct node_limits *limits = &world->limits;
    limits->raft.log_runs_max = 4096;
    limits->raft.sized_entries_max = 4096;
    limits->session_timeout_ms = (uint32_t)sim_between(world, 2000, 8000);
    limits->request_timeout_ms = (uint32_t)sim_between(world, 1000, 5000);
    limits->handover_timeout_ms = 2000;
    limits->tail_cache_bytes_max = 1024 * 1024; /* over all groups: the store is read, too */
    if (sim_chance(world, 700))                 /* else nothing is ever sealed in so short a time */
        limits->active_bytes_max = sim_between(world, 1000, 60000);
    world->retains = sim_fault_on(world, SIM_FAULT_retention);
    world->compacts = sim_fault_on(world, SIM_FAULT_compaction);
    if (sim_chance(world, 600))
        limits->image_backlog_bytes = sim_between(world, 500, 30000);
    if (sim_chance(world, 300))
        limits->raft.inflight_messages_max = (uint32_t)sim_between(world, 2, 5);
    if (sim_chance(world, 300))
        limits->raft.append_entries_max = (uint32_t)sim_between(world, 1, 8);
    if (sim_chance(world, 300))
        limits->raft.append_bytes_max = (uint32_t)sim_between(world, 500, 8000);
    if (sim_chance(world, 300))
        limits->delivery_bytes_max = (uint32_t)sim_between(world, 500, 8000);
    if (sim_chance(world, 300))
        limits->session_unsent_bytes_max = (uint32_t)sim_between(world, 500, 8000);
    if (sim_chance(world, 300))
        limits->publish_credit_bytes = (uint32_t)sim_between(world, 500, 20000);
    if (sim_chance(world, 200))
        limits->raft.uncommitted_bytes_max = (uint32_t)sim_between(world, 4000, 50000);
    if (sim_chance(world, 200))
        limits->raft.sized_entries_max = 64;
}

struct sim_world *sim_world_new(const struct sim_options *options, struct sim_trace *trace,
                                struct sim_coverage *coverage) {
    struct sim_world *world = sim_alloc(1, sizeof *world);
    world->options = *options;
    world->trace = trace;
    world->coverage = coverage;
    world->random = sim_profile_seed(options) * 0x2545f4914f6cdd1du + options->nodes;
    sim_weather_draw(world);
    sim_profile_draw(world);
    draw_limits(world);
    world->node_count = options->nodes + (sim_fault_on(world, SIM_FAULT_join) ? 1 : 0);
    for (uint32_t i = 0; i < world->node_count; i++) {
        world->addresses[i] = (struct node_address){.node_id = i + 1, .client_port = 7700, .peer_port = 7701};
        snprintf(world->addresses[i].host, sizeof world->addresses[i].host, "node%u", i + 1);
    }
    world->hosts = sim_alloc(world->node_count, sizeof *world->hosts);
    for (uint32_t i = 0; i < world->node_count; i++) {
        sim_host_init(world, &world->hosts[i], i + 1);
        if (i >= options->nodes) {
            world->hosts[i].part = SIM_OUT; /* until the operator adds it */
            continue;
        }
        sim_at(world, sim_between(world, 0, 300) * SIM_MS, SIM_HOST_START, i + 1, 0, NULL);
    }
    sim_actors_start(world);
    sim_faults_start(world);
    sim_at(world, SIM_SECOND, SIM_PROBE, 0, 0, NULL);
    return world;
}

static void to_host(struct sim_world *world, struct sim_event *event) {
    struct sim_host *host = &world->hosts[event->who - 1];
    switch (event->kind) {
    case SIM_HOST_TICK:
        sim_host_on_tick(host, event->at);
        return;
    case SIM_HOST_STORE:
        sim_disk_on_time(host, event->at);
        return;
    case SIM_HOST_START:
        sim_host_start(host);
        return;
    case SIM_POINT:
        sim_profile_point(host, event->number);
        return;
    case SIM_HOST_RESUME:
        if (host->paused && host->resume_at == event->at)
            sim_host_resume(host);
        return;
    case SIM_HOST_STOP_LATEST:
        if (sim_host_up(host) && host->stopping && host->generation == event->number)
            sim_fail(world, "node %u was asked to stop and did not", host->id);
        return;
    case SIM_PARCEL:
        if (!sim_host_defer(host, event))
            sim_net_arrive(world, event);
        return;
    case SIM_SESSION_GONE:
        if (!sim_host_defer(host, event))
            sim_session_gone(world, event);
        return;
    case SIM_DISK_ROOM:
        if (!sim_host_defer(host, event))
            sim_full_step(world, event);
        return;
    case SIM_CLIENT_ROOM:
        if (!sim_host_defer(host, event))
            sim_client_room(world, event);
        return;
    default:
        return;
    }
}

void sim_dispatch(struct sim_world *world, struct sim_event *event) {
    switch (event->kind) {
    case SIM_FRAMES: /* in either direction */
        if (!sim_frames_wait(world, event))
            sim_frames_arrive(world, event);
        return;
    case SIM_CLIENT_GONE:
        sim_client_gone(world, event->number);
        return;
    case SIM_ACTOR_TICK:
        sim_actor_on_tick(&world->actors[event->who - 1], event->at);
        return;
    case SIM_ACTOR_WORK:
        sim_actor_work(&world->actors[event->who - 1], event->number);
        return;
    case SIM_PROBE:
        sim_probe(world);
        return;
    case SIM_FAULT:
        sim_fault(world);
        return;
    case SIM_HEAL:
        sim_heal(world, event->number);
        return;
    case SIM_CHECK:
        sim_recovery_check(world);
        return;
    case SIM_LIVENESS:
        sim_liveness_look(world);
        return;
    default:
        to_host(world, event);
    }
}

void sim_world_run(struct sim_world *world) {
    struct sim_event event;
    for (uint64_t count = 0; world->phase != SIM_OVER; count++) {
        if (!sim_next(world, &event) || count > EVENTS_MAX)
            sim_fail(world, "the world does not come to its end");
        world->now = event.at;
        world->fingerprint = (world->fingerprint ^ event.at ^ ((uint64_t)event.kind << 56) ^
                              ((uint64_t)event.who << 48) ^ event.number) *
                             0x9e3779b97f4a7c15u;
        sim_dispatch(world, &event);
    }
}

static void drop_event(const struct sim_event *event) {
    if (event->kind == SIM_PARCEL)
        sim_parcel_destroy(event->load);
    else if (event->kind == SIM_FRAMES)
        sim_message_destroy(event->load);
}

void sim_world_destroy(struct sim_world **where) {
    struct sim_world *world = *where;
    *where = NULL;
    for (size_t i = 0; i < world->event_count; i++)
        drop_event(&world->events[i]);
    for (uint32_t i = 0; i < world->node_count; i++) {
        for (size_t k = 0; k < world->hosts[i].backlog_count; k++)
            drop_event(&world->hosts[i].backlog[k]);
        sim_host_deinit(&world->hosts[i]);
    }
    sim_actors_deinit(world);
    sim_probers_deinit(world);
    sim_connections_deinit(world);
    sim_ledger_deinit(world);
    sim_check_deinit(world);
    free(world->events);
    free(world->hosts);
    free(world);
}
