/** When a virtual owner lets its log begin later, and what it does with images that its core is offered: they are
 * staged, and installed late, twice, or after a restart. */
#include "record.h"
#include "sim.h"
static void plan_install(struct sim_host *host) {
    struct sim_world *world = host->world;
    uint64_t takes = world->calm ? sim_between(world, 500, 20000)
                                 : sim_between(world, 1000, sim_chance(world, 200) ? 900000 : 90000);
    sim_at(world, world->now + takes, SIM_INSTALL, host->id, ++host->staging_run, NULL);
}

void sim_offered(struct sim_host *host, uint64_t by, uint64_t index) {
    struct sim_world *world = host->world;
    struct sim_host *source = sim_host(world, by);
    world->totals.offers++;
    if (world->replay || host->staging != 0 || !source->raft || raft_commit(source->raft) < index)
        return;
    host->staging = sim_image_make(source);
    sim_trace(world, "node=%llu stages the image of %llu from node=%llu", (unsigned long long)host->id,
              (unsigned long long)world->images[host->staging - 1].index, (unsigned long long)by);
    plan_install(host);
}

/** What was staged survives a restart, or is given up. */
void sim_staging_restarted(struct sim_host *host) {
    if (host->staging == 0 || host->world->replay)
        return;
    if (sim_chance(host->world, 500))
        plan_install(host);
    else
        host->staging = 0;
}

void sim_staging_speed_up(struct sim_host *host) {
    if (host->staging != 0)
        plan_install(host);
}

void sim_install(struct sim_host *host, uint64_t run) {
    struct sim_world *world = host->world;
    uint64_t number = host->staging;
    if (!host->raft || number == 0 || run != host->staging_run)
        return;
    if (host->paused_until > world->now) {
        plan_install(host);
        return;
    }
    enum lf_status status = sim_install_at(host, number);
    world->totals.installs += status == LF_OK;
    world->totals.installs_refused += status == LF_EXISTS;
    if (status != LF_OK && status != LF_EXISTS)
        sim_fail(world, "node %llu answers an image with %s", (unsigned long long)host->id, lf_status_name(status));
    if (sim_chance(world, 100) && !world->calm)
        plan_install(host); /* and once more, later */
    else
        host->staging = 0;
}

void sim_compact(struct sim_world *world) {
    struct sim_host *host = &world->hosts[sim_random(world) % world->options.nodes];
    if (world->now >= world->clients_end)
        return;
    if (host->raft && host->paused_until <= world->now && raft_commit(host->raft) > host->log.previous) {
        uint64_t commit = raft_commit(host->raft);
        sim_compact_at(host, sim_chance(world, 400) ? commit : sim_between(world, host->log.previous + 1, commit));
    }
    struct sim_host *leader = sim_leader(world);
    if (sim_fault_on(world, SIM_FAULT_offer) && leader && leader->paused_until <= world->now && sim_chance(world, 300))
        sim_offer_at(leader, sim_between(world, 1, world->options.nodes));
    sim_at(world, world->now + sim_between(world, 1000, 2 * world->weather.compact_gap_us), SIM_COMPACT, 0, 0, NULL);
}
