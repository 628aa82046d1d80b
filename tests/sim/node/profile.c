/** Worlds that ask one question each.
 *
 *  rate: eight groups, 200 publishes per second, every kind of fault, but in a fifth of the seconds only: how many
 * virtual seconds pass in a second of one core, with all checks on? pause: calm, but one node does not run for ten
 * minutes. While it is away and when it comes back, no group that others lead may change its leader or its term. */
#include "profile.h"

#include "check.h"

#include <string.h>

typedef unsigned long long ull;

#define RATE_BAD_PERMILLE 200
#define RATE_FAULT_GAP_MS 250
/** Three publishers, 2.8 records at a time in the mean. */
#define RATE_PUBLISH_GAP_MS 37
#define PAUSE_BEGINS_MS 10000
/** After a node stopped running: what it led has new leaders by then. */
#define PAUSE_SETTLED_MS 3000
#define PAUSE_MS (10 * 60 * 1000)
#define PAUSE_LOOK_AFTER_MS 5000

static const char *const names[] = {"storm", "rate", "pause"};

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
    static const uint32_t seconds[] = {
        SIM_FAULTS_SECONDS, 100, (PAUSE_BEGINS_MS + PAUSE_SETTLED_MS + PAUSE_MS + PAUSE_LOOK_AFTER_MS) / 1000 + 2};
    return seconds[profile];
}

/* ---- rate -------------------------------------------------------------------------------------------------------- */

static void draw_rate(struct sim_world *world) {
    struct sim_weather *weather = &world->weather;
    const uint32_t other_groups = 1u << SIM_FAULT_damage | 1u << SIM_FAULT_transfer | 1u << SIM_FAULT_move |
                                  1u << SIM_FAULT_join | 1u << SIM_FAULT_wipe |
                                  1u << SIM_FAULT_retention; /* three nodes, eight groups */
    world->faults_on = ((1u << SIM_FAULT_KINDS) - 1) & ~other_groups & ~world->options.without;
    weather->publish_gap_ms = RATE_PUBLISH_GAP_MS;
    weather->value_bytes_max = 2000;
    weather->large_permille = 40;
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

/* ------------------------------------------------------------------------------------------------------------------ */

void sim_profile_draw(struct sim_world *world) {
    if (world->options.profile == SIM_PROFILE_RATE)
        draw_rate(world);
    else if (world->options.profile == SIM_PROFILE_PAUSE)
        draw_pause(world);
}

bool sim_profile_fault(struct sim_world *world) {
    if (world->options.profile == SIM_PROFILE_PAUSE) {
        pause_fault(world);
        return true;
    }
    if (world->options.profile == SIM_PROFILE_RATE && world->now < world->faults_until) {
        rate_fault(world);
        return true;
    }
    return false;
}
