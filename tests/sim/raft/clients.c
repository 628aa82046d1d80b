#include "record.h"
#include "sim.h"

#include <stdlib.h>
#include <string.h>

static bool awake(const struct sim_host *host) { return host->raft && host->paused_until <= host->world->now; }

/** Mostly the newest leader; also one that does not know yet that it is none any more, and nodes that are none. */
static struct sim_host *addressed(struct sim_world *world) {
    struct sim_host *host = sim_leader(world);
    if (!host || sim_chance(world, 250))
        host = &world->hosts[sim_random(world) % world->options.nodes];
    return awake(host) ? host : NULL;
}

static void remember_proposal(struct sim_host *host, uint64_t index, uint64_t value) {
    host->proposals =
        sim_grown(host->proposals, &host->proposal_capacity, host->proposal_count + 1, sizeof *host->proposals);
    host->proposals[host->proposal_count++] = (struct sim_proposal){
        .index = index, .term = raft_term(host->raft), .value = value, .started_us = host->world->now};
}

void sim_propose_at(struct sim_host *host, const uint32_t *bytes, uint32_t count) {
    struct sim_world *world = host->world;
    struct sim_entry entries[SIM_PROPOSED_MAX];
    struct raft_entry wanted[SIM_PROPOSED_MAX] = {0};
    sim_record_propose(host, bytes, count);
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct sim_entry){.value = world->next_value++, .bytes = bytes[i]};
        wanted[i].bytes = bytes[i];
    }
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE, .propose = {.entries = wanted, .count = count}};
    bool leads = raft_role(host->raft) == RAFT_LEADER;
    enum lf_status status = sim_host_step(host, &event, entries);
    if (status != LF_OK) {
        world->totals.refused++;
        return;
    }
    if (!leads)
        sim_fail(world, "node %llu took a proposal and does not lead", (unsigned long long)host->id);
    if (!host->raft)
        return; /* crashed over it: its outcome is unknown */
    world->totals.proposed += count;
    for (uint32_t i = 0; i < count; i++)
        remember_proposal(host, world->effects.proposed_index + i, entries[i].value);
    sim_proposals_settle(host); /* a single voter may have committed already */
}

static void propose_some(struct sim_world *world, struct sim_host *host) {
    uint32_t bytes[SIM_PROPOSED_MAX];
    uint32_t count = (uint32_t)sim_between(world, 1, sim_chance(world, 200) ? SIM_PROPOSED_MAX : 2);
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = (uint32_t)sim_between(world, 70, 1500);
    sim_propose_at(host, bytes, count);
}

void sim_propose(struct sim_world *world) {
    if (world->now >= world->clients_end)
        return;
    struct sim_host *host = addressed(world);
    if (host)
        propose_some(world, host);
    sim_at(world, world->now + sim_between(world, 100, 2 * world->weather.propose_gap_us), SIM_PROPOSE, 0, 0, NULL);
}

void sim_proposals_settle(struct sim_host *host) {
    struct sim_world *world = host->world;
    if (host->proposal_count == 0)
        return;
    uint64_t commit = raft_commit(host->raft);
    size_t kept = 0;
    for (size_t i = 0; i < host->proposal_count; i++) {
        const struct sim_proposal *proposal = &host->proposals[i];
        if (raft_entry_term(host->raft, proposal->index) != proposal->term)
            continue; /* overwritten: it will never be acknowledged */
        if (proposal->index > commit) {
            host->proposals[kept++] = *proposal;
            continue;
        }
        world->totals.acknowledged++;
        if (world->calm && world->first_ack_after_faults == 0 && proposal->started_us >= world->faults_end)
            world->first_ack_after_faults = world->now;
        if (world->indexes[proposal->index].entry.value != proposal->value)
            sim_fail(world, "acknowledged %llu at %llu, committed is %llu", (unsigned long long)proposal->value,
                     (unsigned long long)proposal->index,
                     (unsigned long long)world->indexes[proposal->index].entry.value);
    }
    host->proposal_count = kept;
}

void sim_read_at(struct sim_host *host) {
    struct sim_world *world = host->world;
    sim_record(host, SIM_OP_READ, 0);
    world->reads = sim_grown(world->reads, &world->read_capacity, world->read_count + 1, sizeof *world->reads);
    uint64_t id = world->next_read++;
    world->reads[world->read_count++] = (struct sim_read){.host = host->id,
                                                          .incarnation = host->incarnation,
                                                          .id = id,
                                                          .floor = world->committed,
                                                          .started_us = world->now};
    struct raft_event event = {.type = RAFT_EVENT_READ, .read = {.id = id}};
    if (sim_host_step(host, &event, NULL) == LF_OK)
        return;
    for (size_t i = 0; i < world->read_count; i++)
        if (world->reads[i].id == id)
            world->reads[i] = world->reads[--world->read_count];
}

void sim_read(struct sim_world *world) {
    if (world->now >= world->clients_end)
        return;
    struct sim_host *host = sim_chance(world, 500) ? addressed(world) : NULL;
    if (!host)
        host = &world->hosts[sim_random(world) % world->options.nodes];
    uint32_t burst = sim_chance(world, 100) ? 6 : 1;
    for (uint32_t i = 0; i < burst && awake(host); i++)
        sim_read_at(host);
    sim_at(world, world->now + sim_between(world, 100, 2 * world->weather.read_gap_us), SIM_READ, 0, 0, NULL);
}

static void answered(struct sim_host *host, const struct raft_read_answer *answer) {
    struct sim_world *world = host->world;
    for (size_t i = 0; i < world->read_count; i++) {
        struct sim_read read = world->reads[i];
        if (read.id != answer->id)
            continue;
        world->reads[i] = world->reads[--world->read_count];
        if (read.host != host->id || read.incarnation != host->incarnation)
            sim_fail(world, "read %llu answered by another", (unsigned long long)read.id);
        if (answer->status != LF_OK) {
            world->totals.reads_failed++;
            return;
        }
        world->totals.reads++;
        world->totals.reads_by_followers += raft_role(host->raft) != RAFT_LEADER;
        sim_trace(world, "node=%llu read %llu: index %llu", (unsigned long long)host->id, (unsigned long long)read.id,
                  (unsigned long long)answer->index);
        if (answer->index < read.floor)
            sim_fail(world, "read %llu began at %.3f when %llu was committed and got index %llu",
                     (unsigned long long)read.id, (double)read.started_us / 1000.0, (unsigned long long)read.floor,
                     (unsigned long long)answer->index);
        return;
    }
    sim_fail(world, "node %llu answers read %llu twice or unasked", (unsigned long long)host->id,
             (unsigned long long)answer->id);
}

void sim_reads_answered(struct sim_host *host, const struct raft_effects *effects) {
    for (size_t i = 0; i < effects->read_count; i++)
        answered(host, &effects->reads[i]);
}

void sim_reads_abandoned(struct sim_host *host) {
    struct sim_world *world = host->world;
    for (size_t i = 0; i < world->read_count;) {
        if (world->reads[i].host == host->id)
            world->reads[i] = world->reads[--world->read_count];
        else
            i++;
    }
}

void sim_transfer_at(struct sim_host *host, uint64_t to) {
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER, .transfer = {.to = to}};
    sim_record(host, SIM_OP_TRANSFER, to);
    if (sim_host_step(host, &event, NULL) == LF_OK)
        host->world->totals.transfers++;
}

void sim_transfer(struct sim_world *world) {
    if (world->now >= world->clients_end)
        return;
    struct sim_host *host = sim_leader(world);
    if (host && awake(host))
        sim_transfer_at(host, sim_chance(world, 500) ? 0 : sim_between(world, 1, world->options.nodes));
    sim_at(world, world->now + sim_between(world, 50000, 2500000), SIM_TRANSFER, 0, 0, NULL);
}
