#include "record.h"
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAULTS_US 8000000u
#define CLIENTS_AFTER_US 2000000u
#define QUIET_US 800000u

uint64_t sim_random(struct sim_world *world) {
    uint64_t z = world->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

uint64_t sim_between(struct sim_world *world, uint64_t low, uint64_t high) {
    return low + sim_random(world) % (high - low + 1);
}

bool sim_chance(struct sim_world *world, uint32_t permille) { return sim_random(world) % 1000 < permille; }

void sim_trace(const struct sim_world *world, const char *format, ...) {
    if (!world->options.trace)
        return;
    va_list args;
    printf("%10.3f ", (double)world->now / 1000.0);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

void (*sim_on_failure)(const struct sim_world *world, const char *reason);

void sim_fail(const struct sim_world *world, const char *format, ...) {
    char reason[512];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    fflush(stdout);
    if (sim_on_failure)
        sim_on_failure(world, reason);
    _exit(1);
}

void *sim_grown(void *items, size_t *capacity, size_t wanted, size_t item_bytes) {
    if (wanted <= *capacity)
        return items;
    size_t doubled = *capacity * 2 > wanted ? *capacity * 2 : wanted + 16;
    void *grown = realloc(items, doubled * item_bytes);
    if (!grown) {
        fprintf(stderr, "out of memory\n");
        exit(2);
    }
    memset((char *)grown + *capacity * item_bytes, 0, (doubled - *capacity) * item_bytes);
    *capacity = doubled;
    return grown;
}

static void init_host(struct sim_world *world, uint64_t id) {
    static const uint64_t bases[] = {0, 1000, (1ull << 31) - 2000, (1ull << 32) - 2000, (1ull << 63) - 2000};
    struct sim_host *host = sim_host(world, id);
    uint64_t rate = sim_between(world, 950000, 1050000);
    host->world = world;
    host->id = id;
    host->clock_base_ms = bases[sim_random(world) % 5];
    host->clock_rate_ppm = sim_fault_on(world, SIM_FAULT_clock_rate) ? rate : 1000000;
    host->tick_at = UINT64_MAX;
}

void sim_world_init(struct sim_world *world, const struct sim_options *options) {
    *world = (struct sim_world){.options = *options,
                                .random = options->seed * 0x2545f4914f6cdd1du + options->nodes,
                                .faults_end = FAULTS_US,
                                .clients_end = FAULTS_US + CLIENTS_AFTER_US,
                                .end = FAULTS_US + CLIENTS_AFTER_US + QUIET_US,
                                .next_value = 1,
                                .next_epoch = 2,
                                .next_read = 1};
    sim_draw_weather(world);
    sim_configurations_found(world);
    if (raft_effects_init(&world->effects, &world->limits) != LF_OK)
        sim_fail(world, "no memory");
    for (uint32_t i = 0; i < options->nodes; i++)
        init_host(world, i + 1);
}

struct sim_host *sim_host_add(struct sim_world *world) {
    uint64_t id = ++world->options.nodes;
    init_host(world, id);
    struct sim_host *host = sim_host(world, id);
    sim_record(host, SIM_OP_ADD, host->clock_base_ms);
    return host;
}

static void begin(struct sim_world *world) {
    for (uint32_t i = 0; i < world->options.nodes; i++)
        sim_host_start(&world->hosts[i]);
    sim_at(world, 300000, SIM_PROPOSE, 0, 0, NULL);
    sim_at(world, 300000, SIM_READ, 0, 0, NULL);
    if (sim_fault_on(world, SIM_FAULT_transfer))
        sim_at(world, sim_between(world, 400000, 1200000), SIM_TRANSFER, 0, 0, NULL);
    sim_at(world, 500000, SIM_FAULT, 0, 0, NULL);
    if (world->weather.change_gap_us > 0)
        sim_at(world, sim_between(world, 400000, 1200000), SIM_CHANGE, 0, 0, NULL);
    if (world->weather.compact_gap_us > 0)
        sim_at(world, sim_between(world, 400000, 1200000), SIM_COMPACT, 0, 0, NULL);
}

static void resume(struct sim_world *world, struct sim_host *host) {
    if (!host->raft || host->paused_until > world->now)
        return;
    uint64_t absent_ms = (world->now - host->paused_since) / 1000;
    /* Sometimes a process does not notice that it was away; that must cost an election at worst. */
    sim_host_tick(host, sim_chance(world, 700) ? absent_ms : 0);
}

/** A paused process gets everything when it goes on, its own timer last. */
static bool postponed(struct sim_world *world, const struct sim_event *event) {
    if (event->kind != SIM_DELIVER && event->kind != SIM_WROTE && event->kind != SIM_TICK)
        return false;
    struct sim_host *host = sim_host(world, event->host);
    if (!host->raft || host->paused_until <= world->now)
        return false;
    if (event->kind == SIM_TICK)
        return true; /* resume ticks */
    sim_at(world, host->paused_until, event->kind, event->host, event->generation, event->message);
    return true;
}

static void happen(struct sim_world *world, struct sim_event *event) {
    struct sim_host *host = event->host != 0 ? sim_host(world, event->host) : NULL;
    switch (event->kind) {
    case SIM_DELIVER:
        sim_deliver(world, event);
        break;
    case SIM_WROTE:
        sim_disk_on_wrote(host, event->generation);
        break;
    case SIM_TICK:
        if (host->raft && host->tick_at == event->at) {
            host->tick_at = UINT64_MAX;
            sim_host_tick(host, 0);
        }
        break;
    case SIM_PROPOSE:
        sim_propose(world);
        break;
    case SIM_READ:
        sim_read(world);
        break;
    case SIM_FAULT:
        sim_fault(world);
        break;
    case SIM_HEAL:
        sim_heal(world);
        break;
    case SIM_RESTART:
        if (!host->raft && !host->retired && event->generation == host->incarnation)
            sim_host_start(host);
        break;
    case SIM_RESUME:
        resume(world, host);
        break;
    case SIM_TRANSFER:
        sim_transfer(world);
        break;
    case SIM_CHANGE:
        sim_change(world);
        break;
    case SIM_COMPACT:
        sim_compact(world);
        break;
    case SIM_INSTALL:
        sim_install(host, event->generation);
        break;
    }
}

void sim_world_run(struct sim_world *world) {
    struct sim_event event;
    uint64_t commits_seen = 0;
    begin(world);
    while (sim_next(world, &event)) {
        if (event.at > world->faults_end && !world->calm) {
            world->now = world->faults_end;
            sim_faults_stop(world);
            sim_at(world, event.at, event.kind, event.host, event.generation, event.message);
            continue; /* what begins now may come before it: time never goes back */
        }
        while (event.at > world->end && sim_catches_up(world, &commits_seen))
            world->end += QUIET_US;
        if (event.at > world->end) {
            sim_message_release(&event.message);
            break;
        }
        world->now = event.at;
        if (!postponed(world, &event))
            happen(world, &event);
    }
    world->now = world->end;
    sim_check_recovered(world);
}

void sim_world_deinit(struct sim_world *world) {
    for (uint32_t i = 0; i < world->options.nodes; i++) {
        struct sim_host *host = &world->hosts[i];
        sim_host_stop(host);
        sim_disk_abandon(host, 0);
        raft_destroy(&host->before);
        free(host->log.entries);
        free(host->disk.log.entries);
        free(host->disk.writes);
        free(host->proposals);
    }
    for (size_t i = 0; i < world->event_count; i++)
        sim_message_release(&world->events[i].message);
    for (size_t i = 0; i < world->index_capacity; i++)
        free(world->indexes[i].known);
    free(world->indexes);
    free(world->events);
    sim_configurations_free(world);
    free(world->reads);
    free(world->images);
    raft_effects_deinit(&world->effects);
}
