#include "record.h"
#include "sim.h"

#include <string.h>

static struct sim_host *victim(struct sim_world *world) {
    struct sim_host *leader = sim_leader(world);
    if (leader && sim_chance(world, 500))
        return leader;
    return &world->hosts[sim_random(world) % world->options.nodes];
}

static void plan_restart(struct sim_world *world, struct sim_host *host) {
    host->vote_disabled = sim_chance(world, 50) && sim_fault_on(world, SIM_FAULT_mute);
    world->totals.mute_restarts += host->vote_disabled;
    uint64_t away = sim_chance(world, 300) ? sim_between(world, 1000, 20000) : sim_between(world, 20000, 700000);
    sim_at(world, world->now + away, SIM_RESTART, host->id, host->incarnation, NULL);
}

void sim_host_end(struct sim_host *host, size_t kept) {
    sim_record(host, SIM_OP_CRASH, kept);
    sim_disk_abandon(host, kept);
    sim_host_stop(host);
}

void sim_crash(struct sim_host *host) {
    struct sim_world *world = host->world;
    if (!host->raft)
        return;
    size_t kept = host->disk.trapped ? 0 : sim_between(world, 0, host->disk.write_count);
    host->disk.trapped = false;
    if (kept < host->disk.write_count)
        world->totals.crashes++;
    sim_trace(world, "node=%llu crashes, %zu of %zu writes reached the disk", (unsigned long long)host->id, kept,
              host->disk.write_count);
    sim_host_end(host, kept);
    plan_restart(world, host);
}

static void kill(struct sim_world *world, struct sim_host *host) {
    if (!host->raft)
        return;
    world->totals.kills++;
    sim_trace(world, "node=%llu is killed, its writes stay", (unsigned long long)host->id);
    sim_host_end(host, host->disk.write_count);
    plan_restart(world, host);
}

static void power_cut(struct sim_world *world) {
    world->totals.power_cuts++;
    for (uint32_t i = 0; i < world->options.nodes; i++)
        sim_crash(&world->hosts[i]);
}

static void stall_disk(struct sim_world *world, struct sim_host *host) {
    world->totals.disk_stalls++;
    uint64_t until = world->now + sim_between(world, 50000, 1800000);
    if (host->disk.busy_until < until)
        host->disk.busy_until = until; /* what is issued from now on waits */
    sim_trace(world, "node=%llu has a slow disk until %.3f", (unsigned long long)host->id, (double)until / 1000.0);
}

static void pause_host(struct sim_world *world, struct sim_host *host) {
    if (!host->raft || host->paused_until > world->now)
        return;
    world->totals.pauses++;
    host->paused_since = world->now;
    host->paused_until = world->now + sim_between(world, 20000, 900000);
    sim_trace(world, "node=%llu pauses until %.3f", (unsigned long long)host->id, (double)host->paused_until / 1000.0);
    sim_at(world, host->paused_until + 1, SIM_RESUME, host->id, 0, NULL);
}

/** Two sides; or one node on its own. */
static void split(struct sim_world *world) {
    bool side[SIM_HOSTS_MAX] = {false};
    if (sim_chance(world, 500))
        side[victim(world)->id - 1] = true;
    else
        for (uint32_t i = 0; i < world->options.nodes; i++)
            side[i] = sim_chance(world, 500);
    for (uint32_t i = 0; i < world->options.nodes; i++)
        for (uint32_t k = 0; k < world->options.nodes; k++)
            world->blocked[i][k] = side[i] != side[k];
}

/** Single links in one direction; or nobody hears, or is heard by, one node. */
static void split_one_way(struct sim_world *world) {
    uint64_t one = victim(world)->id - 1;
    uint64_t shape = sim_random(world) % 3;
    for (uint32_t i = 0; i < world->options.nodes; i++) {
        for (uint32_t k = 0; k < world->options.nodes; k++) {
            bool random_link = shape == 0 && sim_chance(world, 350);
            world->blocked[i][k] = i != k && (random_link || (shape == 1 && i == one) || (shape == 2 && k == one));
        }
    }
}

/** Some pairs do not hear each other, while others hear both; with five founders sometimes as in H4. */
static void split_partly(struct sim_world *world) {
    bool h4 = world->options.nodes == 5 && sim_chance(world, 500);
    for (uint32_t i = 0; i < world->options.nodes; i++)
        for (uint32_t k = i + 1; k < world->options.nodes; k++) {
            bool linked = h4 ? k < 3 || (i == 1 && k == 3) || (i == 2 && k == 4) : sim_chance(world, 600);
            world->blocked[i][k] = world->blocked[k][i] = !linked;
        }
}

static void partition(struct sim_world *world, enum sim_fault_kind kind) {
    if (kind == SIM_FAULT_one_way) {
        world->totals.one_way++;
        split_one_way(world);
    } else if (kind == SIM_FAULT_partial) {
        world->totals.partial++;
        split_partly(world);
    } else {
        world->totals.partitions++;
        split(world);
    }
    for (uint32_t i = 0; i < world->options.nodes; i++)
        for (uint32_t k = 0; k < world->options.nodes; k++)
            if (world->blocked[i][k])
                sim_trace(world, "cut %u -> %u", i + 1, k + 1);
    world->next_heal = world->now + sim_between(world, 50000, 900000);
    sim_at(world, world->next_heal, SIM_HEAL, 0, 0, NULL);
}

void sim_heal(struct sim_world *world) {
    if (world->now < world->next_heal)
        return; /* a later partition took its place */
    memset(world->blocked, 0, sizeof world->blocked);
    sim_trace(world, "heal");
}

static void jump_clock(struct sim_world *world, struct sim_host *host) {
    world->totals.clock_jumps++;
    uint64_t by_ms = sim_between(world, 10, sim_chance(world, 300) ? 5000 : 400);
    sim_record(host, SIM_OP_JUMP, by_ms);
    host->clock_base_ms += by_ms;
    sim_trace(world, "node=%llu: its clock jumps", (unsigned long long)host->id);
    if (host->raft && host->paused_until <= world->now)
        sim_host_tick(host, 0);
}

static void happen(struct sim_world *world, enum sim_fault_kind kind) {
    struct sim_host *host = victim(world);
    switch (kind) {
    case SIM_FAULT_crash:
        sim_crash(host);
        return;
    case SIM_FAULT_kill:
        kill(world, host);
        return;
    case SIM_FAULT_power_cut:
        power_cut(world);
        return;
    case SIM_FAULT_disk_stall:
        stall_disk(world, host);
        return;
    case SIM_FAULT_disk_failure:
        host->disk.failing = true;
        return;
    case SIM_FAULT_pause:
        pause_host(world, host);
        return;
    case SIM_FAULT_trap:
        host->disk.trapped = true;
        return;
    case SIM_FAULT_clock_jump:
        jump_clock(world, host);
        return;
    case SIM_FAULT_wipe:
        sim_wipe(world);
        return;
    default:
        partition(world, kind);
    }
}

void sim_fault(struct sim_world *world) {
    uint64_t sum = 0;
    if (world->calm)
        return;
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++)
        sum += sim_fault_on(world, kind) ? world->fault_weights[kind] : 0;
    if (sum == 0)
        return; /* a quiet world */
    uint64_t at = sim_between(world, 0, sum - 1);
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++) {
        uint64_t weight = sim_fault_on(world, kind) ? world->fault_weights[kind] : 0;
        if (at < weight) {
            world->faults_met |= 1u << kind;
            happen(world, kind);
            break;
        }
        at -= weight;
    }
    sim_at(world, world->now + sim_between(world, 1000, 2 * world->weather.fault_gap_us), SIM_FAULT, 0, 0, NULL);
}
