/** What a world is like, drawn from its seed: its kinds of faults, how much of each, and the limits of its cores. */
#include "sim.h"

const char *const sim_fault_names[SIM_FAULT_KINDS] = {
#define NAME(name, words, weight) #name,
    SIM_FAULTS(NAME)
#undef NAME
};

static const uint32_t weights[SIM_FAULT_KINDS] = {
#define WEIGHT(name, words, weight) weight,
    SIM_FAULTS(WEIGHT)
#undef WEIGHT
};

static uint32_t one_of(struct sim_world *world, const uint32_t *choices, size_t count) {
    return choices[sim_random(world) % count];
}

#define ONE_OF(world, ...)                                                                                             \
    one_of((world), (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void draw_kinds(struct sim_world *world) {
    uint32_t share = ONE_OF(world, 150, 350, 500, 700, 1000);
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++) {
        bool on = sim_chance(world, share);
        world->fault_weights[kind] = weights[kind] * (uint32_t)sim_between(world, 1, 4);
        if (on && !(world->options.without >> kind & 1))
            world->faults_on |= 1u << kind;
    }
}

/** Of a kind that is not on, the best that there is. */
static uint32_t of_kind(const struct sim_world *world, enum sim_fault_kind kind, uint32_t drawn, uint32_t best) {
    return sim_fault_on(world, kind) ? drawn : best;
}

void sim_draw_weather(struct sim_world *world) {
    draw_kinds(world);
    world->weather = (struct sim_weather){
        .drop_permille = of_kind(world, SIM_FAULT_drop, ONE_OF(world, 5, 20, 100, 250), 0),
        .duplicate_permille = of_kind(world, SIM_FAULT_duplicate, ONE_OF(world, 10, 100), 0),
        .hold_permille = of_kind(world, SIM_FAULT_hold, ONE_OF(world, 5, 30, 100), 0),
        .delay_us_max = ONE_OF(world, 500, 2000, 5000, 20000),
        .write_us_max = of_kind(world, SIM_FAULT_slow_disk, ONE_OF(world, 5000, 30000), ONE_OF(world, 300, 1000)),
        .fault_gap_us = ONE_OF(world, 100000, 250000, 600000),
        .propose_gap_us = ONE_OF(world, 3000, 10000, 30000, 100000),
        .read_gap_us = ONE_OF(world, 10000, 30000),
        .compact_gap_us = of_kind(world, SIM_FAULT_compact, ONE_OF(world, 20000, 100000, 500000), 0),
        .change_gap_us = of_kind(world, SIM_FAULT_change, ONE_OF(world, 100000, 300000, 1000000, 4000000), 0),
    };
    world->limits = (struct raft_limits){
        .election_timeout_ms_min = 150,
        .election_timeout_ms_max = 300,
        .heartbeat_ms = 50,
        .inflight_messages_max = ONE_OF(world, 1, 2, 4, 64),
        .inflight_bytes_max = ONE_OF(world, 2000, 100000, 8u << 20),
        .pipeline_messages = ONE_OF(world, 1, 2, 4, 64),
        .append_entries_max = ONE_OF(world, 1, 3, 16, 256),
        .append_bytes_max = ONE_OF(world, 500, 3000, 1u << 20),
        .uncommitted_bytes_max = ONE_OF(world, 5000, 100000, 16u << 20),
        .reads_max = ONE_OF(world, 4, 64),
        .sized_entries_max = ONE_OF(world, 16, 64, 65536),
        .unsized_entries_max = ONE_OF(world, 1, 16),
        .prefer_after_ms = ONE_OF(world, 100, 500, 2000),
    };
    /* Through a small window no great backlog passes in time: none builds up. Where members change, a replica that
     * counts for nothing may have one all the same, so windows are not that small there. */
    struct raft_limits *limits = &world->limits;
    if (sim_fault_on(world, SIM_FAULT_change)) {
        limits->inflight_messages_max = ONE_OF(world, 1, 2, 4, 64);
        limits->append_entries_max = limits->inflight_messages_max < 4 ? ONE_OF(world, 16, 256) : ONE_OF(world, 4, 64);
        limits->append_bytes_max = ONE_OF(world, 8000, 1u << 20);
        limits->inflight_bytes_max = ONE_OF(world, 20000, 8u << 20);
        limits->unsized_entries_max = 16;
    } else if (limits->inflight_messages_max * limits->append_entries_max < 16) {
        limits->uncommitted_bytes_max = 5000;
    }
}
