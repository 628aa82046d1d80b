/** Liveness: what must come back when the faults have stopped. */
#include "sim.h"

#include <string.h>

/** How long a world goes on at most while what piled up still passes. */
#define CATCH_UP_US_MAX 60000000u

void sim_faults_stop(struct sim_world *world) {
    world->calm = true;
    world->recovering = true;
    memset(world->blocked, 0, sizeof world->blocked);
    world->weather.write_us_max = 1000;
    world->weather.propose_gap_us = 10000;
    sim_trace(world, "faults stop");
    if (world->weather.change_gap_us > 0)
        sim_at(world, world->now, SIM_CHANGE, 0, 0, NULL); /* everybody becomes a member again */
    for (uint32_t i = 0; i < world->options.nodes; i++) {
        struct sim_host *host = &world->hosts[i];
        host->disk.failing = false;
        host->disk.trapped = false;
        sim_disk_speed_up(host);
        sim_staging_speed_up(host);
        if (host->raft && host->vote_disabled)
            sim_host_end(host, host->disk.write_count);
        host->vote_disabled = false;
        if (!host->raft && !host->retired)
            sim_host_start(host);
        if (host->raft && sim_fault_on(world, SIM_FAULT_prefer))
            sim_prefer_at(host, 0); /* or leadership moves once more just before the end */
        if (host->paused_until > world->now) {
            host->paused_until = world->now;
            sim_at(world, world->now, SIM_RESUME, host->id, 0, NULL);
        }
    }
}

/** What moves when a replica catches up. */
static uint64_t commits_of_all(const struct sim_world *world) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < world->options.nodes; i++)
        sum += world->hosts[i].raft ? raft_commit(world->hosts[i].raft) : 0;
    return sum;
}

static bool all_have_it_all(struct sim_world *world) {
    struct sim_host *leader = sim_leader(world);
    if (!leader)
        return false;
    for (uint32_t i = 0; i < world->options.nodes; i++) {
        const struct sim_host *host = &world->hosts[i];
        if (!host->retired && (!host->raft || raft_commit(host->raft) != raft_last_index(leader->raft)))
            return false;
    }
    return true;
}

bool sim_catches_up(struct sim_world *world, uint64_t *commits_seen) {
    uint64_t commits = commits_of_all(world), seen = *commits_seen;
    *commits_seen = commits;
    bool behind = seen != 0 || !all_have_it_all(world); /* once gone on for, a world ends at rest */
    return world->end - world->faults_end < CATCH_UP_US_MAX && commits > seen && behind;
}

static void check_peers_idle(struct sim_world *world, struct sim_host *leader) {
    struct raft_peer_view peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(leader->raft, peers, RAFT_MEMBERS_MAX);
    for (size_t i = 0; i < count; i++) {
        if (peers[i].match != raft_last_index(leader->raft))
            sim_fail(world, "peer %llu is at %llu of %llu", (unsigned long long)peers[i].replica,
                     (unsigned long long)peers[i].match, (unsigned long long)raft_last_index(leader->raft));
        if (peers[i].inflight != 0)
            sim_fail(world, "peer %llu has %u appends in flight for ever", (unsigned long long)peers[i].replica,
                     peers[i].inflight);
        if (!peers[i].active)
            sim_fail(world, "peer %llu is not heard of", (unsigned long long)peers[i].replica);
    }
}

void sim_check_recovered(struct sim_world *world) {
    struct sim_host *leader = sim_leader(world);
    if (!leader || !raft_leads_fully(leader->raft))
        sim_fail(world, "no leader that can lead after the faults stopped");
    if (world->first_ack_after_faults == 0) {
        sim_check_gap(world, "the end");
        sim_fail(world, "no acknowledgement after the faults stopped");
    }
    for (uint32_t i = 0; i < world->options.nodes; i++) {
        struct sim_host *host = &world->hosts[i];
        if (host->retired)
            continue;
        if (!host->raft || raft_commit(host->raft) != raft_last_index(leader->raft) ||
            host->log.count != leader->log.count)
            sim_fail(world, "node %llu did not catch up: commit %llu, log end %zu; leader's log end %zu",
                     (unsigned long long)host->id, host->raft ? (unsigned long long)raft_commit(host->raft) : 0,
                     host->log.count, leader->log.count);
    }
    check_peers_idle(world, leader);
    if (raft_uncommitted_bytes(leader->raft) != 0)
        sim_fail(world, "%llu bytes of quota lost", (unsigned long long)raft_uncommitted_bytes(leader->raft));
    if (world->read_count > 0)
        sim_fail(world, "read %llu of node %llu was never answered", (unsigned long long)world->reads[0].id,
                 (unsigned long long)world->reads[0].host);
}
