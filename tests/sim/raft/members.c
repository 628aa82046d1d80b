/** Changes of members: any subset as voters, others as learners or not at all, asked of whoever may lead. */
#include "raft_configuration.h"
#include "sim.h"

static struct raft_configuration everybody(struct sim_world *world) {
    struct raft_configuration all = *sim_configuration(world, 1);
    all.epoch = world->next_epoch++;
    return all;
}

static struct raft_configuration draw(struct sim_world *world) {
    struct raft_configuration drawn = {.epoch = world->next_epoch++};
    uint32_t voters_permille = (uint32_t)sim_between(world, 300, 1000);
    for (uint64_t id = 1; id <= world->options.nodes; id++) {
        if (sim_chance(world, voters_permille))
            drawn.voters[drawn.voter_count++] = id;
        else if (sim_chance(world, 500))
            drawn.learners[drawn.learner_count++] = id;
    }
    if (drawn.voter_count > 0)
        return drawn;
    world->next_epoch--;
    return everybody(world);
}

/** When the faults have stopped everybody comes back, so that all can be compared at the end. */
static bool is_whole(const struct sim_world *world, const struct sim_host *leader) {
    return raft_configuration_same_voters(raft_configuration(leader->raft), sim_configuration(world, 1)) &&
           raft_may_change(leader->raft);
}

static void ask(struct sim_world *world, struct sim_host *host, const struct raft_configuration *target) {
    struct raft_event event = {.type = RAFT_EVENT_CHANGE, .change = target};
    if (sim_host_step(host, &event, NULL) == LF_OK)
        world->totals.changes++;
}

static void prefer(struct sim_world *world) {
    uint64_t replica = sim_between(world, 0, world->options.nodes);
    for (uint32_t i = 0; i < world->options.nodes; i++) {
        struct sim_host *host = &world->hosts[i];
        struct raft_event event = {.type = RAFT_EVENT_PREFER, .prefer = {.replica = replica}};
        if (host->raft && host->paused_until <= world->now && sim_chance(world, 900)) {
            sim_host_step(host, &event, NULL);
            world->totals.preferred++;
        }
    }
}

void sim_change(struct sim_world *world) {
    struct sim_host *host = sim_leader(world);
    if (host && host->paused_until <= world->now) {
        struct raft_configuration target = world->calm ? everybody(world) : draw(world);
        if (!world->calm || !is_whole(world, host))
            ask(world, host, &target);
    }
    if (!world->calm && sim_chance(world, 200))
        prefer(world);
    uint64_t gap = world->calm ? 50000 : sim_between(world, 1000, 2 * world->weather.change_gap_us);
    if (world->now < world->clients_end)
        sim_at(world, world->now + gap, SIM_CHANGE, 0, 0, NULL);
}
