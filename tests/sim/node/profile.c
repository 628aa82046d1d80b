/** Worlds that ask one question each.
 *
 *  rate: eight groups, 200 publishes per second, every kind of fault, but in a fifth of the seconds only: how many
 * virtual seconds pass in a second of one core, with all checks on? pause: calm, but one node does not run for ten
 * minutes. While it is away and when it comes back, no group that others lead may change its leader or its term.
 *  points: the same short life each time, in which one node is cut off, is away, and comes back; but in each seed
 * another one of that node's commits fails, is torn, is lost, or is the last thing it does. */
#include "profile.h"

#include "check.h"
#include "net.h"

#include <string.h>

typedef unsigned long long ull;

#define RATE_BAD_PERMILLE 200
#define RATE_FAULT_GAP_MS 250
/** Three publishers, 2.8 records at a time in the mean. */
#define RATE_PUBLISH_GAP_MS 37
/** Runs are four times longer than storms: subscribers that begin anywhere would read a record 14 times in the mean. So
 *  four in five begin this many records before the end at the earliest, which makes it 5 (storms: 3). */
#define RATE_READ_BACK 100
#define PAUSE_BEGINS_MS 10000
/** After a node stopped running: what it led has new leaders by then. */
#define PAUSE_SETTLED_MS 3000
#define PAUSE_MS (10 * 60 * 1000)
#define PAUSE_LOOK_AFTER_MS 5000

/** Crash points: of seed s the commit number s / 4, in one of four ways; and another life in every so many seeds. */
#define POINT_LIVES 4096 /* a little more than a life has commits, four times */
#define POINT_SECONDS 6
#define POINT_CUT_MS 1500
#define POINT_HEAL_MS 2200
#define POINT_AWAY_MS 2800
#define POINT_BACK_MS 4200

static const char *const names[] = {"storm", "rate", "pause", "points"};

bool sim_profile_find(const char *name, enum sim_profile *profile) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) {
            *profile = (enum sim_profile)i;
            return true;
        }
    return false;
}

const char *sim_profile_name(enum sim_profile profile) { return names[profile]; }

uint32_t sim_profile_seconds(enum sim_profile profile) {
    static const uint32_t seconds[] = {SIM_FAULTS_SECONDS, 100,
                                       (PAUSE_BEGINS_MS + PAUSE_SETTLED_MS + PAUSE_MS + PAUSE_LOOK_AFTER_MS) / 1000 + 2,
                                       POINT_SECONDS};
    return seconds[profile];
}

/* ---- rate -------------------------------------------------------------------------------------------------------- */

static void draw_rate(struct sim_world *world) {
    struct sim_weather *weather = &world->weather;
    const uint32_t other_groups = 1u << SIM_FAULT_damage | 1u << SIM_FAULT_transfer | 1u << SIM_FAULT_move |
                                  1u << SIM_FAULT_join | 1u << SIM_FAULT_wipe | 1u << SIM_FAULT_retention |
                                  1u << SIM_FAULT_compaction; /* three nodes, eight groups */
    world->faults_on = ((1u << SIM_FAULT_KINDS) - 1) & ~other_groups & ~world->options.without;
    weather->publish_gap_ms = RATE_PUBLISH_GAP_MS;
    weather->value_bytes_max = 2000;
    weather->large_permille = 40;
    weather->read_back = RATE_READ_BACK;
    weather->drop_permille = weather->duplicate_permille = weather->reorder_permille = 20;
    weather->late_permille = 250;
    weather->fault_gap_ms = RATE_FAULT_GAP_MS;
    world->bad_weather = *weather;
}

static void rate_fault(struct sim_world *world) {
    uint64_t second = world->now / SIM_SECOND;
    if (second != world->second) {
        world->second = second;
        world->second_is_bad = sim_chance(world, RATE_BAD_PERMILLE);
        *(world->second_is_bad ? &world->totals.bad_seconds : &world->totals.good_seconds) += 1;
        struct sim_weather *weather = &world->weather;
        *weather = world->bad_weather;
        if (!world->second_is_bad)
            weather->drop_permille = weather->duplicate_permille = weather->reorder_permille = 0;
    }
    if (world->second_is_bad)
        sim_fault_draw(world);
    sim_at(world, world->now + sim_between(world, 1, 2 * RATE_FAULT_GAP_MS) * SIM_MS, SIM_FAULT, 0, 0, NULL);
}

/* ---- pause ------------------------------------------------------------------------------------------------------- */

static void draw_pause(struct sim_world *world) {
    struct sim_weather *weather = &world->weather;
    world->faults_on = 1u << SIM_FAULT_pause;
    weather->publish_gap_ms = 2000;
    weather->large_permille = 0;
    weather->drop_permille = weather->duplicate_permille = weather->reorder_permille = 0;
    weather->delay_us_max = weather->delay_us_min + 1000;
    weather->disk = (struct mem_disk_faults){.write_delay_ms_max = 3, .read_delay_ms_max = 1};
}

static void begin_pause(struct sim_world *world) {
    uint64_t number = sim_between(world, 0, world->node_count - 1);
    struct sim_host *host = &world->hosts[number];
    if (!sim_host_up(host))
        sim_fail(world, "node %u does not run, and nothing went wrong", host->id);
    bool told = sim_chance(world, 500);
    *(told ? &world->totals.pauses_told : &world->totals.pauses_untold) += 1;
    sim_host_pause(host, world->now + (PAUSE_SETTLED_MS + PAUSE_MS) * SIM_MS, told);
    world->pause_step = 1;
    sim_at(world, world->now + PAUSE_SETTLED_MS * SIM_MS, SIM_FAULT, 0, 0, NULL);
}

static uint64_t led_term(struct sim_world *world, const struct sim_group *group) {
    const struct sim_host *leader = sim_leader(world, group->id);
    return leader ? raft_term(node_group_raft(leader->node, group->id)) : 0;
}

static void note_leaders(struct sim_world *world) {
    for (size_t i = 0; i < world->group_count; i++) {
        struct sim_group *group = world->groups[i];
        group->term_before = group->condemned ? 0 : led_term(world, group);
        if (group->term_before == 0 && !group->condemned && sim_group_can_lead(world, group->id))
            sim_fail(world, "LV: group %llu has no leader %u ms after one node went away", (ull)group->id,
                     PAUSE_SETTLED_MS);
    }
    world->pause_step = 2;
    sim_at(world, world->now + (PAUSE_MS + PAUSE_LOOK_AFTER_MS) * SIM_MS, SIM_FAULT, 0, 0, NULL);
}

static void compare_leaders(struct sim_world *world) {
    for (size_t i = 0; i < world->group_count; i++) {
        struct sim_group *group = world->groups[i];
        if (group->term_before == 0 || group->condemned)
            continue;
        uint64_t term = led_term(world, group);
        if (term != group->term_before)
            sim_fail(world, "LV: group %llu is led in term %llu after a node was away for %u s, before in term %llu",
                     (ull)group->id, (ull)term, PAUSE_MS / 1000, (ull)group->term_before);
        world->totals.undisturbed++;
    }
    sim_faults_stop(world);
}

static void pause_fault(struct sim_world *world) {
    if (world->now < PAUSE_BEGINS_MS * SIM_MS) {
        sim_at(world, PAUSE_BEGINS_MS * SIM_MS, SIM_FAULT, 0, 0, NULL);
        return;
    }
    switch (world->pause_step) {
    case 0:
        begin_pause(world);
        return;
    case 1:
        note_leaders(world);
        return;
    default:
        compare_leaders(world);
    }
}

/* ---- points ------------------------------------------------------------------------------------------------------ */

uint64_t sim_profile_seed(const struct sim_options *options) {
    return options->profile == SIM_PROFILE_POINTS ? options->seed / POINT_LIVES : options->seed;
}

static void draw_points(struct sim_world *world) {
    struct sim_weather *weather = &world->weather;
    world->faults_on =
        (1u << SIM_FAULT_retention | 1u << SIM_FAULT_compaction | 1u << SIM_FAULT_transfer) & ~world->options.without;
    weather->publish_gap_ms = 25;
    weather->large_permille = 100;
    weather->value_bytes_max = 2000;
    weather->drop_permille = weather->duplicate_permille = weather->reorder_permille = 0;
    weather->delay_us_max = weather->delay_us_min + 1000;
    weather->disk = (struct mem_disk_faults){.write_delay_ms_min = 1, .write_delay_ms_max = 3, .read_delay_ms_max = 1};
}

void sim_profile_host_made(struct sim_host *host) {
    const struct sim_options *options = &host->world->options;
    if (options->profile != SIM_PROFILE_POINTS || host->id != 1)
        return;
    uint64_t point = options->seed % POINT_LIVES;
    mem_disk_break_commit(host->disk, point / 4 + 1, MEM_DISK_FAIL + (enum mem_disk_fate)(point % 4));
}

static void points_fault(struct sim_world *world) {
    static const uint64_t steps_ms[] = {POINT_CUT_MS, POINT_HEAL_MS, POINT_AWAY_MS, POINT_SECONDS * 1000};
    struct sim_host *host = &world->hosts[0];
    uint32_t gone[SIM_NODES_MAX] = {~1u & ((1u << world->node_count) - 1)};
    switch (world->point_step++) {
    case 0:
        break;
    case 1:
        world->point_cut = sim_net_cut(world, gone, false);
        break;
    case 2:
        sim_net_heal(world, world->point_cut);
        break;
    case 3:
        sim_host_end(host, SIM_END_KILL, POINT_BACK_MS * SIM_MS);
        break;
    default:
        mem_disk_break_commit(host->disk, 1, 0);
        sim_faults_stop(world);
        return;
    }
    sim_at(world, steps_ms[world->point_step - 1] * SIM_MS, SIM_FAULT, 0, 0, NULL);
}

static void count_parts(struct sim_host *host) {
    struct sim_totals *totals = &host->world->totals;
    uint32_t parts = 0;
    for (size_t i = 0; i < host->pending_count; i++)
        parts |= host->pending[host->pending_head + i].parts;
#define COUNT(name, happens) totals->point_##name += parts >> SIM_PART_##name & 1;
    SIM_WRITE_PARTS(COUNT)
#undef COUNT
}

void sim_profile_disk_used(struct sim_host *host) {
    struct sim_world *world = host->world;
    if (world->options.profile != SIM_PROFILE_POINTS || world->point_reached || !mem_disk_broke_commit(host->disk))
        return;
    world->point_reached = true;
    world->totals.points++;
    count_parts(host);
    sim_tracef(world, "crash point %llu node=%u", (ull)(world->options.seed % POINT_LIVES), host->id);
    if (world->options.seed % 4 + MEM_DISK_FAIL == MEM_DISK_FAIL)
        host->disk_failing = true; /* it finds out by itself */
    else
        sim_at(world, world->now + sim_between(world, 0, 30) * SIM_MS, SIM_POINT, host->id, host->generation, NULL);
}

void sim_profile_point(struct sim_host *host, uint64_t generation) {
    struct sim_world *world = host->world;
    if (sim_host_up(host) && host->generation == generation)
        sim_host_end(host, sim_chance(world, 500) ? SIM_END_KILL : SIM_END_POWER,
                     world->now + sim_between(world, 50, 500) * SIM_MS);
}

/* ------------------------------------------------------------------------------------------------------------------ */

void sim_profile_draw(struct sim_world *world) {
    if (world->options.profile == SIM_PROFILE_POINTS)
        draw_points(world);
    else if (world->options.profile == SIM_PROFILE_RATE)
        draw_rate(world);
    else if (world->options.profile == SIM_PROFILE_PAUSE)
        draw_pause(world);
}

bool sim_profile_fault(struct sim_world *world) {
    if (world->options.profile == SIM_PROFILE_PAUSE) {
        pause_fault(world);
        return true;
    }
    if (world->options.profile == SIM_PROFILE_POINTS) {
        points_fault(world);
        return true;
    }
    if (world->options.profile == SIM_PROFILE_RATE && world->now < world->faults_until) {
        rate_fault(world);
        return true;
    }
    return false;
}
