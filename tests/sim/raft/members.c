/** Changes of members: any subset as voters, others as learners or not at all, asked of whoever may lead; replicas
 * whose disks are wiped, and new ones, under new ids, in their place. */
#include "raft_configuration.h"
#include "record.h"
#include "sim.h"

#include <string.h>

/** All that can run, the newest first: as many voters as there may be, learners the others. */
static struct raft_configuration everybody(struct sim_world *world) {
    struct raft_configuration all = {.epoch = world->next_epoch++};
    for (uint64_t id = world->options.nodes; id >= 1; id--) {
        if (sim_host(world, id)->retired)
            continue;
        if (all.voter_count < SIM_FOUNDERS_MAX)
            all.voters[all.voter_count++] = id;
        else
            all.learners[all.learner_count++] = id;
    }
    return all;
}

static struct raft_configuration draw(struct sim_world *world) {
    struct raft_configuration drawn = {.epoch = world->next_epoch++};
    uint32_t voters_permille = (uint32_t)sim_between(world, 300, 1000);
    for (uint64_t id = 1; id <= world->options.nodes; id++) {
        if (sim_host(world, id)->retired)
            continue;
        if (sim_chance(world, voters_permille) && drawn.voter_count < RAFT_VOTERS_MAX)
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
static bool is_whole(const struct sim_host *leader, const struct raft_configuration *target) {
    const struct raft_configuration *now = raft_configuration(leader->raft);
    return raft_configuration_same_voters(now, target) && now->learner_count == target->learner_count &&
           raft_may_change(leader->raft);
}

void sim_change_at(struct sim_host *host, const struct raft_configuration *target) {
    struct raft_event event = {.type = RAFT_EVENT_CHANGE, .change = target};
    sim_record_change(host, target);
    if (sim_host_step(host, &event, NULL) == LF_OK)
        host->world->totals.changes++;
}

void sim_prefer_at(struct sim_host *host, uint64_t replica) {
    struct raft_event event = {.type = RAFT_EVENT_PREFER, .prefer = {.replica = replica}};
    sim_record(host, SIM_OP_PREFER, replica);
    sim_host_step(host, &event, NULL);
    host->world->totals.preferred++;
}

static void prefer(struct sim_world *world) {
    uint64_t replica = sim_between(world, 0, world->options.nodes);
    for (uint32_t i = 0; i < world->options.nodes; i++) {
        struct sim_host *host = &world->hosts[i];
        if (host->raft && host->paused_until <= world->now && sim_chance(world, 900))
            sim_prefer_at(host, replica);
    }
}

void sim_change(struct sim_world *world) {
    struct sim_host *host = sim_leader(world);
    if (host && host->paused_until <= world->now) {
        struct raft_configuration target = world->calm ? everybody(world) : draw(world);
        if (!world->calm || !is_whole(host, &target))
            sim_change_at(host, &target);
    }
    if (!world->calm && sim_fault_on(world, SIM_FAULT_prefer) && sim_chance(world, 200))
        prefer(world);
    uint64_t gap = world->calm ? 50000 : sim_between(world, 1000, 2 * world->weather.change_gap_us);
    if (world->now < world->clients_end)
        sim_at(world, world->now + gap, SIM_CHANGE, 0, 0, NULL);
}

/* ---- wiped disks ------------------------------------------------------------------------------------------------- */

static bool majority_without(struct sim_world *world, const uint64_t *voters, uint32_t count, uint64_t lost) {
    uint32_t gone = 0;
    for (uint32_t i = 0; i < count; i++)
        gone += voters[i] == lost || sim_host(world, voters[i])->retired;
    return count == 0 || gone <= (count - 1) / 2;
}

static bool does_without(struct sim_world *world, uint32_t number, uint64_t lost) {
    const struct raft_configuration *members = sim_configuration(world, number);
    return majority_without(world, members->voters, members->voter_count, lost) &&
           majority_without(world, members->outgoing, members->outgoing_count, lost);
}

/** Those that are not settled: they may come into force for somebody. */
static bool open_ones_do_without(struct sim_world *world, const struct sim_log *log, uint64_t lost) {
    for (size_t i = world->committed; i < log->count; i++)
        if (log->entries[i].configuration != 0 && !does_without(world, log->entries[i].configuration, lost))
            return false;
    return true;
}

/** The last settled one that the log holds: as long as it is the last for somebody, it counts. */
static bool settled_one_does_without(struct sim_world *world, const struct sim_log *log, uint64_t lost) {
    for (size_t i = log->count < world->committed ? log->count : world->committed; i > 0; i--)
        if (log->entries[i - 1].configuration != 0)
            return does_without(world, log->entries[i - 1].configuration, lost);
    return does_without(world, 1, lost);
}

/** Also what the wiped ones held may still be on its way to others. */
static bool may_lose(struct sim_world *world, uint64_t lost) {
    for (uint32_t i = 0; i < world->options.nodes; i++) {
        const struct sim_host *host = &world->hosts[i];
        if (host->incarnation == 0)
            continue;
        if (!open_ones_do_without(world, &host->log, lost) || !open_ones_do_without(world, &host->disk.log, lost) ||
            (!host->retired && !settled_one_does_without(world, &host->disk.log, lost)))
            return false;
    }
    return true;
}

void sim_wipe(struct sim_world *world) {
    struct sim_host *host = &world->hosts[sim_random(world) % world->options.nodes];
    if (host->retired || world->weather.change_gap_us == 0 || world->options.nodes == SIM_HOSTS_MAX ||
        !may_lose(world, host->id))
        return;
    sim_trace(world, "node=%llu is wiped", (unsigned long long)host->id);
    if (host->raft)
        sim_host_end(host, 0);
    host->retired = true; /* its disk stays as it was: what was acknowledged was there */
    world->totals.wiped++;
    struct sim_host *added = sim_host_add(world);
    world->totals.added++;
    sim_trace(world, "node=%llu comes in its place", (unsigned long long)added->id);
    sim_at(world, world->now + sim_between(world, 1000, 1000000), SIM_RESTART, added->id, 0, NULL);
}
