/** The life of a node's process, and carrying out what its steps ask for. */
#include "host.h"

#include "check.h"
#include "connection.h"
#include "net.h"
#include "profile.h"

#include <stdlib.h>
#include <string.h>

#define STOP_MS_MAX 7000

static void new_disk(struct sim_host *host) {
    struct sim_world *world = host->world;
    host->disk = mem_disk_new(sim_random(world));
    for (size_t i = 0; i < LOG_STORE_ID_BYTES; i++)
        host->identity.store_uuid[i] = (uint8_t)sim_random(world);
    mem_disk_set_faults(host->disk, &world->weather.disk);
}

void sim_host_init(struct sim_world *world, struct sim_host *host, uint32_t id) {
    *host = (struct sim_host){.world = world, .id = id, .clock_ppm = 1000000, .identity = {.node_id = id}};
    new_disk(host);
    sim_profile_host_made(host);
    if (id <= world->options.nodes)
        node_founding_hash("sim", world->addresses, world->options.nodes, host->identity.founding_hash);
    host->wall_offset_ms = (int64_t)sim_between(world, 0, 2000) - 1000;
    host->incarnation = sim_between(world, 1, 1000);
    host->tick_at = host->store_at = SIM_NEVER;
    sim_host_clock_boot(host);
}

void sim_host_deinit(struct sim_host *host) {
    node_destroy(&host->node);
    if (host->store)
        mem_store_crash(&host->store, MEM_DISK_KILL);
    node_effects_deinit(&host->effects);
    sim_full_drop(host);
    mem_disk_destroy(&host->disk);
    sim_check_forget(host);
    free(host->backlog);
    free(host->pending);
    free(host->stages);
}

static void on_trace(void *context, const char *line) { sim_trace_line(context, line); }

/** Its configuration: the founders, and itself. Returns how many. */
static size_t configured(const struct sim_host *host, struct node_address out[SIM_NODES_MAX]) {
    const struct sim_world *world = host->world;
    size_t count = world->options.nodes;
    for (size_t i = 0; i < count; i++)
        out[i] = world->addresses[i];
    if (host->id > count)
        out[count++] = world->addresses[host->id - 1];
    return count;
}

static void make_node(struct sim_host *host) {
    struct sim_world *world = host->world;
    struct node_address nodes[SIM_NODES_MAX];
    size_t node_count = configured(host, nodes);
    struct node_options options = {.node_id = host->id,
                                   .cluster_name = "sim",
                                   .nodes = nodes,
                                   .node_count = node_count,
                                   .identity = host->store->identity,
                                   .groups = host->store->groups,
                                   .group_count = host->store->group_count,
                                   .replaces = host->replaces,
                                   .incarnation = host->incarnation,
                                   .seed = sim_random(world),
                                   .now_ms = sim_host_clock_ms(host),
                                   .wall_ms = sim_host_wall_ms(host),
                                   .limits = world->limits};
    memset(host->connected, 0, sizeof host->connected);
    for (size_t i = 0; i < options.node_count; i++)
        host->connected[options.nodes[i].node_id - 1] = true;
    for (size_t i = 0; i < LOG_STORE_ID_BYTES; i++)
        options.new_cluster_id[i] = (uint8_t)sim_random(world);
    struct lf_error error = {0};
    if (node_new(&options, &host->node, &error) != LF_OK)
        sim_fail(world, "node %u cannot be made: %s", host->id, error.text);
    if (world->trace || world->coverage)
        node_set_trace(host->node, on_trace, world);
}

void sim_host_start(struct sim_host *host) {
    struct sim_world *world = host->world;
    if (sim_host_up(host) || host->given_up || host->part == SIM_OUT)
        return;
    host->waits_for_room = host->room == SIM_ROOM_NONE;
    if (host->waits_for_room)
        return;
    host->generation++;
    host->incarnation += sim_between(world, 1, 3);
    host->stopping = host->disk_failing = false;
    host->trap = SIM_TRAP_NONE;
    mem_disk_set_faults(host->disk, &world->weather.disk);
    if (host->generation > 1)
        world->totals.restarts++;
    struct lf_error error = {0};
    if (mem_store_open(host->disk, &host->identity, world->now / SIM_MS, &host->store, &error) != LF_OK)
        sim_fail(world, "node %u cannot open its store: %s", host->id, error.text);
    sim_tracef(world, "start node=%u incarnation=%llu groups=%zu", host->id, (unsigned long long)host->incarnation,
               host->store->group_count);
    make_node(host);
    sim_host_step(host, &(struct node_event){.type = NODE_EVENT_TICK});
    if (sim_host_up(host))
        sim_full_started(host);
}

void sim_host_wipe(struct sim_host *host, bool joins) {
    sim_host_end(host, SIM_END_POWER, SIM_NEVER);
    mem_disk_destroy(&host->disk);
    new_disk(host);
    if (joins)
        memset(host->identity.founding_hash, 0, sizeof host->identity.founding_hash);
    sim_check_forget(host);
    host->fresh = true;
}

void sim_host_end(struct sim_host *host, enum sim_end how, uint64_t restart_at) {
    struct sim_world *world = host->world;
    if (!sim_host_up(host))
        return;
    world->totals.repeats += node_counts(host->node).duplicates;
    node_destroy(&host->node);
    node_effects_clear(&host->effects);
    sim_connections_host_ended(host, how);
    sim_check_process_ended(host);
    sim_disk_end(host, how);
    host->tick_at = host->store_at = SIM_NEVER;
    if (how == SIM_END_POWER)
        sim_host_clock_boot(host);
    if (host->paused) { /* what waited for it finds it gone */
        host->paused = false;
        sim_host_resume(host);
    }
    if (restart_at != SIM_NEVER)
        sim_at(world, restart_at, SIM_HOST_START, host->id, 0, NULL);
}

static void schedule_tick(struct sim_host *host) {
    uint64_t at = sim_host_clock_reaches(host, host->effects.deadline_ms);
    if (at < host->world->now)
        at = host->world->now;
    if (at < host->tick_at) {
        host->tick_at = at;
        sim_at(host->world, at, SIM_HOST_TICK, host->id, 0, NULL);
    }
}

void sim_host_on_tick(struct sim_host *host, uint64_t at) {
    if (!sim_host_up(host) || host->paused || at != host->tick_at)
        return;
    host->tick_at = SIM_NEVER;
    if (sim_host_clock_ms(host) < host->effects.deadline_ms)
        schedule_tick(host); /* it was moved */
    else
        sim_host_step(host, &(struct node_event){.type = NODE_EVENT_TICK});
}

/** A crash that waited for a write to be under way. */
static bool trap_springs(struct sim_host *host) {
    if (host->trap == SIM_TRAP_NONE || host->pending_count == 0)
        return false;
    struct sim_world *world = host->world;
    enum sim_end how = host->trap == SIM_TRAP_KILL ? SIM_END_KILL : SIM_END_POWER;
    world->totals.traps++;
    host->trap = SIM_TRAP_NONE;
    sim_tracef(world, "trap node=%u %s with %zu writes under way", host->id, how == SIM_END_KILL ? "kill" : "power",
               host->pending_count);
    sim_host_end(host, how, world->now + sim_between(world, 50, 800) * SIM_MS);
    return true;
}

/** It found that what it reads is not what it wrote. Started again it may get by for a while; then it is left alone. */
static void on_damage(struct sim_host *host) {
    struct sim_world *world = host->world;
    sim_tracef(world, "damage noticed node=%u %s", host->id, host->effects.fatal_text);
    world->totals.damages_noticed++;
    host->given_up = world->phase != SIM_STORM || sim_chance(world, 500);
    host->disk_failing = false;
    sim_host_end(host, SIM_END_FATAL, world->now + sim_between(world, 100, 1500) * SIM_MS);
}

static void on_fatal(struct sim_host *host) {
    struct sim_world *world = host->world;
    if (host->effects.fatal == LF_DAMAGED && world->damaged == host) {
        on_damage(host);
        return;
    }
    /* A greeting of the process that had its name before came late and was taken for its own. */
    if (host->effects.fatal == LF_WRONG_STORE && host->part == SIM_MEMBER && host->fresh)
        host->part = SIM_WIPED;
    if (host->effects.fatal == LF_WRONG_STORE && host->replaces)
        sim_fail(world, "node %u is to replace its store and is turned away: %s", host->id, host->effects.fatal_text);
    if (host->effects.fatal == LF_WRONG_STORE && (host->part == SIM_WIPED || host->part == SIM_REMOVED)) {
        sim_tracef(world, "turned away node=%u %s", host->id, host->effects.fatal_text);
        *(host->part == SIM_WIPED ? &world->totals.wiped_turned_away : &world->totals.removed_ended) += 1;
        host->turned_away = true;
        sim_host_end(host, SIM_END_FATAL, SIM_NEVER);
        return;
    }
    if (!host->disk_failing)
        sim_fail(world, "node %u ended by itself: %s", host->id, host->effects.fatal_text);
    sim_tracef(world, "fatal node=%u %s", host->id, host->effects.fatal_text);
    world->totals.disk_failures++;
    host->disk_failing = false;
    mem_disk_set_faults(host->disk, &world->weather.disk);
    sim_host_end(host, SIM_END_FATAL, world->now + sim_between(world, 100, 1500) * SIM_MS);
}

static void on_stopped(struct sim_host *host) {
    struct sim_world *world = host->world;
    sim_tracef(world, "stopped node=%u", host->id);
    sim_host_end(host, SIM_END_STOPPED, world->now + sim_between(world, 50, 1500) * SIM_MS);
}

static void carry_out(struct sim_host *host) {
    struct node_effects *effects = &host->effects;
    for (size_t i = 0; i < effects->write_count; i++)
        sim_disk_submit(host, &effects->writes[i]);
    for (size_t i = 0; i < effects->read_count; i++)
        sim_disk_read(host, &effects->reads[i]);
    for (size_t i = 0; i < effects->stage_count; i++)
        sim_disk_stage(host, &effects->stages[i]);
    for (size_t i = 0; i < effects->rewrite_count; i++)
        sim_disk_rewrite(host, &effects->rewrites[i]);
    for (size_t i = 0; i < effects->load_count; i++)
        sim_disk_load(host, effects->loads[i].group, effects->loads[i].request);
    for (size_t i = 0; i < effects->forgotten_count; i++)
        host->connected[effects->forgotten[i] - 1] = false;
    for (size_t i = 0; i < effects->connect_count; i++)
        host->connected[effects->connects[i].node_id - 1] = true;
    for (size_t i = 0; i < effects->envelope_count; i++) {
        sim_check_envelope(host, effects->envelopes[i]);
        sim_net_send(host, effects->envelopes[i]);
    }
    for (size_t i = 0; i < effects->send_count; i++)
        sim_connection_from_node(host, &effects->sends[i]);
    for (size_t i = 0; i < effects->closed_count; i++)
        sim_connection_session_closed(host, effects->closed_sessions[i]);
    for (size_t i = 0; i < effects->watch_count; i++)
        sim_connection_watched(host, effects->watches[i].session);
}

void sim_host_step(struct sim_host *host, struct node_event *event) {
    struct sim_world *world = host->world;
    event->now_ms = sim_host_clock_ms(host);
    event->wall_ms = sim_host_wall_ms(host);
    world->totals.steps++;
    node_step(host->node, event, &host->effects);
    if (host->effects.fatal != LF_OK) {
        on_fatal(host);
        return;
    }
    sim_check_step(host);
    if (host->replaces && !host->fresh) { /* it was taken in */
        sim_tracef(world, "replaced node=%u", host->id);
        world->totals.stores_replaced++;
        host->replaces = false;
        host->part = SIM_MEMBER;
    }
    carry_out(host);
    bool stopped = host->effects.stopped;
    node_effects_clear(&host->effects);
    if (stopped) {
        on_stopped(host);
        return;
    }
    if (trap_springs(host))
        return;
    schedule_tick(host);
    sim_disk_schedule(host);
}

void sim_host_stop(struct sim_host *host) {
    struct sim_world *world = host->world;
    if (!sim_host_up(host) || host->paused || host->stopping)
        return;
    sim_tracef(world, "stop node=%u", host->id);
    world->totals.stops++;
    host->stopping = true;
    sim_at(world, world->now + STOP_MS_MAX * SIM_MS, SIM_HOST_STOP_LATEST, host->id, host->generation, NULL);
    sim_host_step(host, &(struct node_event){.type = NODE_EVENT_STOP});
}

struct sim_host *sim_leader(struct sim_world *world, uint64_t group) {
    struct sim_host *found = NULL;
    uint64_t term = 0;
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct sim_host *host = &world->hosts[i];
        const struct raft *raft = sim_host_up(host) ? node_group_raft(host->node, group) : NULL;
        if (raft && raft_role(raft) == RAFT_LEADER && raft_term(raft) > term) {
            found = host;
            term = raft_term(raft);
        }
    }
    return found;
}
