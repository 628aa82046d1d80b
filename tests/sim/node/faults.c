/** What goes wrong, when: faults one after the other, of the kinds that the world has. Those that no world that has
 * them may miss are brought about in the last third of the storm if chance did not. */
#include "net.h"

#include "actor.h"
#include "check.h"
#include "profile.h"

#include <string.h>

#define DOWN_MS_MIN 50

/* ---- who --------------------------------------------------------------------------------------------------------- */

static struct sim_host *any_host(struct sim_world *world) {
    return &world->hosts[sim_between(world, 0, world->node_count - 1)];
}

/** Half of the time one that leads something. */
static struct sim_host *victim(struct sim_world *world) {
    if (world->group_count > 0 && sim_chance(world, 500)) {
        struct sim_host *leader = sim_leader(world, world->groups[sim_between(world, 0, world->group_count - 1)]->id);
        if (leader)
            return leader;
    }
    return any_host(world);
}

static uint64_t back_at(struct sim_world *world) {
    uint64_t max_ms = sim_chance(world, 800) ? 600 : 2500;
    return world->now + sim_between(world, DOWN_MS_MIN, max_ms) * SIM_MS;
}

/* ---- what -------------------------------------------------------------------------------------------------------- */

static void crash_one(struct sim_world *world) { sim_host_end(victim(world), SIM_END_POWER, back_at(world)); }
static void kill_one(struct sim_world *world) { sim_host_end(victim(world), SIM_END_KILL, back_at(world)); }
static void stop_one(struct sim_world *world) { sim_host_stop(victim(world)); }

static void power_cut(struct sim_world *world) {
    world->totals.power_cuts++;
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct sim_host *host = &world->hosts[i];
        if (sim_host_up(host))
            sim_host_end(host, SIM_END_POWER, back_at(world));
        else
            mem_disk_power_cut(host->disk); /* what an earlier kill left unsynced goes too */
    }
}

static void trap_one(struct sim_world *world) {
    struct sim_host *host = victim(world);
    host->trap = sim_chance(world, 500) ? SIM_TRAP_KILL : SIM_TRAP_POWER;
}

static void fail_disk(struct sim_world *world) {
    struct sim_host *host = victim(world);
    if (!sim_host_up(host) || host->disk_failing || host->stopping)
        return;
    sim_tracef(world, "disk fails node=%u", host->id);
    host->disk_failing = true;
    struct mem_disk_faults faults = world->weather.disk;
    faults.fail_per_million = 1000000;
    mem_disk_set_faults(host->disk, &faults);
}

/** One bit of what one replica has on its disk turns over. One replica in the whole world: of every group that has
 * three, a majority stays whole. */
static void damage(struct sim_world *world) {
    struct sim_host *host = victim(world);
    uint64_t group, index;
    if (sim_lossy(world) || host->part != SIM_MEMBER || !sim_host_up(host) ||
        !mem_store_damage(host->disk, host->store, &group, &index))
        return;
    world->damaged = host;
    world->totals.damages++;
    sim_tracef(world, "damage node=%u group=%llu entry=%llu", host->id, (unsigned long long)group,
               (unsigned long long)index);
}

/** Some clients are on the far side. */
static void stall_clients(struct sim_world *world, uint32_t side, uint64_t until) {
    for (uint32_t client = 0; client < SIM_ACTORS_MAX; client++) {
        if (!sim_chance(world, 300))
            continue;
        for (uint32_t i = 0; i < world->node_count; i++)
            if (side >> i & 1)
                world->stalled_until[client][i] = until;
    }
}

static void cut(struct sim_world *world, bool one_way) {
    uint32_t nodes = world->node_count;
    if (nodes < 2)
        return;
    uint32_t side = (uint32_t)sim_between(world, 1, (1u << nodes) - 2);
    struct sim_host *alone = victim(world);
    if (sim_chance(world, 500))
        side = 1u << (alone->id - 1);
    if (one_way && sim_chance(world, 500))
        side = ~side & ((1u << nodes) - 1);
    uint32_t gone[SIM_NODES_MAX] = {0};
    for (uint32_t i = 0; i < nodes; i++)
        gone[i] = side >> i & 1 ? ~side & ((1u << nodes) - 1) : 0;
    uint64_t number = sim_net_cut(world, gone, one_way);
    uint64_t until = world->now + sim_between(world, 100, 2500) * SIM_MS;
    sim_tracef(world, "cut=%llu side=%x one_way=%d", (unsigned long long)number, side, one_way);
    *(one_way ? &world->totals.one_way : &world->totals.partitions) += 1;
    sim_at(world, until, SIM_HEAL, 0, number, NULL);
    stall_clients(world, side, until);
}
static void partition(struct sim_world *world) { cut(world, false); }
static void one_way(struct sim_world *world) { cut(world, true); }

/** Some pairs of nodes do not hear each other, while others hear both. With five, sometimes the shape of H4: three hear
 *  each other, each of the other two hears one of them only. */
static uint64_t partial_cut(struct sim_world *world, bool shape_h4) {
    uint32_t nodes = world->node_count, order[SIM_NODES_MAX], gone[SIM_NODES_MAX] = {0};
    for (uint32_t i = 0; i < nodes; i++)
        order[i] = i;
    for (uint32_t i = nodes - 1; i > 0; i--) {
        uint32_t k = (uint32_t)sim_between(world, 0, i), kept = order[i];
        order[i] = order[k];
        order[k] = kept;
    }
    /* Nodes that do not count take no place among the three: the others could elect nobody. */
    for (uint32_t i = 0, next = 0; shape_h4 && i < nodes; i++)
        if (world->hosts[order[i]].part == SIM_MEMBER) {
            uint32_t counts = order[i];
            memmove(&order[next + 1], &order[next], (i - next) * sizeof *order);
            order[next++] = counts;
        }
    for (uint32_t i = 0; i < nodes; i++)
        for (uint32_t k = i + 1; k < nodes; k++) {
            bool linked = shape_h4 ? k < 3 || (i == 1 && k == 3) || (i == 2 && k == 4) : sim_chance(world, 600);
            if (!linked)
                gone[order[i]] |= 1u << order[k];
        }
    uint64_t number = sim_net_cut(world, gone, false);
    sim_tracef(world, "cut=%llu partial h4=%d first=%u", (unsigned long long)number, shape_h4, order[0] + 1);
    return number;
}

static void partial(struct sim_world *world) {
    uint64_t number = partial_cut(world, world->options.nodes == 5 && sim_chance(world, 500));
    world->totals.partial++;
    sim_at(world, world->now + sim_between(world, 200, 3000) * SIM_MS, SIM_HEAL, 0, number, NULL);
}

static void pause_one(struct sim_world *world) {
    struct sim_host *host = victim(world);
    if (!sim_host_up(host) || host->paused)
        return;
    bool told = sim_chance(world, 500);
    *(told ? &world->totals.pauses_told : &world->totals.pauses_untold) += 1;
    sim_host_pause(host, world->now + sim_between(world, 20, sim_chance(world, 300) ? 3000 : 600) * SIM_MS, told);
}

static void step_clock(struct sim_world *world) {
    struct sim_host *host = any_host(world);
    int64_t by_ms = (int64_t)sim_between(world, 0, 120000) - 60000;
    host->wall_offset_ms += by_ms;
    world->totals.clock_steps++;
    sim_tracef(world, "clock step node=%u by=%lld ms", host->id, (long long)by_ms);
}

/** As after a machine slept and its clock went on. */
static void jump_clock(struct sim_world *world) {
    struct sim_host *host = any_host(world);
    uint64_t by_ms = sim_between(world, 50, sim_chance(world, 200) ? 20000 : 1500);
    world->totals.clock_jumps++;
    sim_tracef(world, "clock jump node=%u by=%llu ms", host->id, (unsigned long long)by_ms);
    sim_host_clock_rate(host, host->clock_ppm);
    host->clock_us += by_ms * SIM_MS;
    if (sim_host_up(host) && !host->paused)
        sim_host_step(host, &(struct node_event){.type = NODE_EVENT_TICK});
}

static void rate_clock(struct sim_world *world) {
    struct sim_host *host = any_host(world);
    uint64_t ppm = sim_chance(world, 300) ? 1000000 : sim_between(world, 900000, 1100000);
    world->totals.clock_rates += ppm != 1000000;
    sim_tracef(world, "clock rate node=%u ppm=%llu", host->id, (unsigned long long)ppm);
    sim_host_clock_rate(host, ppm);
    if (sim_host_up(host) && !host->paused) /* its deadline is at another moment now */
        sim_host_step(host, &(struct node_event){.type = NODE_EVENT_TICK});
}

static void break_link(struct sim_world *world) {
    for (int tries = 0; tries < 20 && world->connection_count > 0; tries++) {
        struct sim_connection *connection = world->connections[sim_between(world, 0, world->connection_count - 1)];
        if (!connection->client_open || !connection->node_open)
            continue;
        world->totals.link_breaks++;
        sim_tracef(world, "break client=%u node=%u", connection->client, connection->host->id);
        sim_connection_break(connection);
        return;
    }
}

static void stall_link(struct sim_world *world) {
    uint32_t client = (uint32_t)sim_between(world, 0, SIM_ACTORS_MAX - 1);
    struct sim_host *host = any_host(world);
    world->totals.link_stalls++;
    world->stalled_until[client][host->id - 1] = world->now + sim_between(world, 50, 3000) * SIM_MS;
}

static void end_client(struct sim_world *world) {
    struct sim_actor *actor =
        &world->actors[sim_between(world, 0, world->actor_count - 3)]; /* not the last two, who have plans */
    bool closing = sim_chance(world, 400);
    *(closing ? &world->totals.client_closes : &world->totals.client_crashes) += 1;
    sim_actor_restart(actor, closing);
}

static void fill_disk(struct sim_world *world) { sim_full_fault(world, victim(world)); }

static void (*const happen[SIM_FAULT_KINDS])(struct sim_world *world) = {
    [SIM_FAULT_crash] = crash_one,       [SIM_FAULT_kill] = kill_one,         [SIM_FAULT_stop] = stop_one,
    [SIM_FAULT_power_cut] = power_cut,   [SIM_FAULT_trap] = trap_one,         [SIM_FAULT_disk_failure] = fail_disk,
    [SIM_FAULT_damage] = damage,         [SIM_FAULT_partition] = partition,   [SIM_FAULT_one_way] = one_way,
    [SIM_FAULT_partial] = partial,       [SIM_FAULT_pause] = pause_one,       [SIM_FAULT_clock_step] = step_clock,
    [SIM_FAULT_clock_jump] = jump_clock, [SIM_FAULT_clock_rate] = rate_clock, [SIM_FAULT_link_break] = break_link,
    [SIM_FAULT_link_stall] = stall_link, [SIM_FAULT_client_end] = end_client, [SIM_FAULT_disk_full] = fill_disk,
};

/* ---- when -------------------------------------------------------------------------------------------------------- */

bool sim_main_topics_live(const struct sim_world *world) {
    for (size_t i = 0; i < world->topic_count; i++)
        if (world->topics[i]->main && world->topics[i]->state != SIM_TOPIC_LIVE)
            return false;
    return world->topic_count >= 2;
}

/** What no world may miss: true when something is still to come. */
static bool bring_about(struct sim_world *world) {
    const struct sim_totals *totals = &world->totals;
    struct sim_host *host = victim(world);
    if (sim_fault_on(world, SIM_FAULT_trap) && totals->crashes_lost == 0)
        host->trap = SIM_TRAP_POWER;
    else if (sim_fault_on(world, SIM_FAULT_trap) && totals->kills_kept == 0)
        host->trap = SIM_TRAP_KILL;
    else if (sim_fault_on(world, SIM_FAULT_partition) && totals->partitions == 0)
        cut(world, false);
    else
        return totals->publishes < SIM_PUBLISHES_MIN || !sim_main_topics_live(world);
    return true;
}

void sim_fault_draw(struct sim_world *world) {
    uint64_t sum = 0;
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++)
        sum += sim_fault_on(world, kind) ? world->fault_weights[kind] : 0;
    if (sum == 0)
        return; /* a calm world */
    uint64_t at = sim_between(world, 0, sum - 1);
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++) {
        uint32_t weight = sim_fault_on(world, kind) ? world->fault_weights[kind] : 0;
        if (at < weight) {
            world->faults_met |= 1u << kind;
            happen[kind](world);
            return;
        }
        at -= weight;
    }
}

void sim_fault(struct sim_world *world) {
    if (world->phase != SIM_STORM || sim_profile_fault(world))
        return;
    bool missing = world->now * 3 > world->faults_until * 2 && bring_about(world);
    if (world->now >= world->faults_until && !missing) {
        sim_faults_stop(world);
        return;
    }
    if (world->now >= world->faults_until + SIM_FAULTS_EXTRA_SECONDS * SIM_SECOND) {
        if (world->totals.publishes < SIM_PUBLISHES_MIN || !sim_main_topics_live(world))
            sim_fail(world, "only %llu records published, topics live: %d", (unsigned long long)world->totals.publishes,
                     sim_main_topics_live(world));
        sim_faults_stop(world);
        return;
    }
    if (world->now < world->faults_until)
        sim_fault_draw(world);
    sim_at(world, world->now + sim_between(world, 1, 2ull * world->weather.fault_gap_ms) * SIM_MS, SIM_FAULT, 0, 0,
           NULL);
}

void sim_faults_start(struct sim_world *world) {
    world->faults_until = world->options.seconds * SIM_SECOND;
    sim_at(world, sim_between(world, 1, 3000) * SIM_MS, SIM_FAULT, 0, 0, NULL);
}

void sim_heal(struct sim_world *world, uint64_t number) {
    sim_tracef(world, "heal=%llu", (unsigned long long)number);
    sim_net_heal(world, number);
}

static void repair(struct sim_host *host) {
    struct sim_world *world = host->world;
    host->trap = SIM_TRAP_NONE;
    world->totals.disk_stalls += mem_disk_counts(host->disk).stalled;
    if (host->disk_failing) { /* it must not get by with a disk that failed and works again */
        host->disk_failing = false;
        sim_host_end(host, SIM_END_FATAL, SIM_NEVER);
    }
    mem_disk_set_faults(host->disk, &world->weather.disk);
    if (host->paused)
        sim_host_resume(host);
    sim_full_repair(host);
    sim_at(world, world->now, SIM_HOST_START, host->id, 0, NULL);
}

void sim_faults_stop(struct sim_world *world) {
    sim_tracef(world, "the faults stop");
    struct sim_weather *weather = &world->weather;
    world->phase = SIM_RECOVERY;
    world->recovery_began = world->now;
    weather->drop_permille = weather->duplicate_permille = weather->reorder_permille = weather->late_permille = 0;
    weather->delay_us_max = weather->delay_us_min + 500;
    weather->client_delay_us_max = 500;
    weather->disk = (struct mem_disk_faults){.write_delay_ms_max = 2, .read_delay_ms_max = 1};
    sim_net_heal_all(world);
    if (world->options.nodes == 5 && sim_fault_on(world, SIM_FAULT_partial) && sim_chance(world, 500)) {
        world->totals.partial_at_end++;
        world->partial_cut = partial_cut(world, true) + 1; /* H4: leaders come all the same */
    }
    memset(world->stalled_until, 0, sizeof world->stalled_until);
    for (uint32_t i = 0; i < world->node_count; i++)
        repair(&world->hosts[i]);
    for (size_t i = 0; i < world->connection_count; i++) {
        struct sim_connection *connection = world->connections[i];
        if (connection->client_open && (connection->lost_to_client || connection->lost_to_node))
            sim_at(world, world->now + sim_between(world, 1, 300) * SIM_MS, SIM_CLIENT_GONE, connection->client,
                   connection->id, NULL);
    }
    sim_liveness_start(world);
    sim_at(world, world->now + 50 * SIM_MS, SIM_CHECK, 0, 0, NULL);
}
