/** How bad a world is, drawn from its seed: which kinds of faults it has, how much of each, how good its links and
 *  disks are. Few faults together find other mistakes than all at once do, so no world has them all for long (Groce and
 *  others, Swarm Testing, ISSTA 2012). */
#include "sim.h"

#define STALL_MS 1500
#define LARGE_WORLDS_PERMILLE 60

const char *const sim_fault_names[SIM_FAULT_KINDS] = {
#define NAME(name, words, weight, nodes) #name,
    SIM_FAULTS(NAME)
#undef NAME
};

static const struct {
    uint32_t weight, nodes;
} kinds[SIM_FAULT_KINDS] = {
#define KIND(name, words, weight, nodes) {weight, nodes},
    SIM_FAULTS(KIND)
#undef KIND
};

static void draw_kinds(struct sim_world *world) {
    static const uint32_t shares[] = {150, 350, 500, 700, 1000};
    uint32_t share = shares[sim_between(world, 0, 4)];
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++) {
        bool on = sim_chance(world, share) && world->options.nodes >= kinds[kind].nodes;
        world->fault_weights[kind] = kinds[kind].weight * (uint32_t)sim_between(world, 1, 4);
        if (on && !(world->options.without >> kind & 1))
            world->faults_on |= 1u << kind;
    }
}

static uint32_t permille(struct sim_world *world, enum sim_fault_kind kind, uint32_t max) {
    uint32_t drawn = (uint32_t)sim_between(world, 1, max);
    return sim_fault_on(world, kind) ? drawn : 0;
}

static void draw_links(struct sim_world *world) {
    struct sim_weather *weather = &world->weather;
    weather->delay_us_min = (uint32_t)sim_between(world, 50, 500);
    weather->delay_us_max = weather->delay_us_min + (uint32_t)sim_between(world, 100, 8000);
    weather->drop_permille = permille(world, SIM_FAULT_drop, sim_chance(world, 200) ? 200 : 40);
    weather->duplicate_permille = permille(world, SIM_FAULT_duplicate, 40);
    weather->reorder_permille = permille(world, SIM_FAULT_reorder, 60);
    weather->late_permille = permille(world, SIM_FAULT_late, 500);
    weather->client_delay_us_max = (uint32_t)sim_between(world, 200, 8000);
}

static void draw_disks(struct sim_world *world) {
    struct mem_disk_faults *disk = &world->weather.disk;
    disk->write_delay_ms_max = (uint32_t)sim_between(world, 0, sim_fault_on(world, SIM_FAULT_disk_slow) ? 20 : 3);
    disk->write_delay_ms_min = disk->write_delay_ms_max > 4 ? 1 : 0;
    disk->read_delay_ms_max = (uint32_t)sim_between(world, 0, 5);
    disk->rewrite_delay_ms_max = 40 * disk->read_delay_ms_max;
    disk->stall_per_million = permille(world, SIM_FAULT_disk_stall, 2000);
    disk->stall_ms = (uint32_t)sim_between(world, 100, STALL_MS);
}

void sim_weather_draw(struct sim_world *world) {
    struct sim_weather *weather = &world->weather;
    static const uint32_t gaps_ms[] = {150, 300, 600, 1200, 2500};
    draw_kinds(world);
    draw_links(world);
    draw_disks(world);
    weather->fault_gap_ms = gaps_ms[sim_between(world, 0, 4)];
    weather->publish_gap_ms = (uint32_t)sim_between(world, 40, 160);
    weather->value_bytes_max = 2000;
    weather->large_permille = 40;
    if (sim_chance(world, LARGE_WORLDS_PERMILLE)) { /* enough that memory does not hold it all */
        weather->value_bytes_max = 60000;
        weather->large_permille = 600;
        weather->publish_gap_ms *= 2;
    }
}
