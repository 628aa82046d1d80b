/** Liveness, group by group: how long after the faults stopped did it have a leader and a commit?
 *
 *  A group is asked for when a majority of its voters runs on nodes that hear each other, all with all; a partial
 *  partition that outlasts the faults leaves such a majority to some groups and not to others. A leader counts when a
 *  majority of the voters, itself included, follows it in its term, and it has committed an entry of that term and,
 * since then, all of its log or at least something that nobody had committed before. */
#include "check.h"
#include "net.h"

#include <stdio.h>

typedef unsigned long long ull;

#define LOOK_MS 10

/** The node that runs the replica, or NULL. */
static struct sim_host *host_of(struct sim_world *world, uint64_t group, uint64_t replica) {
    for (uint32_t i = 0; i < world->node_count; i++) {
        struct sim_host *host = &world->hosts[i];
        bool lost = host->part == SIM_WIPED || host->part == SIM_OUT; /* what it says counts for nothing */
        const struct raft *raft = sim_host_up(host) && !lost ? node_group_raft(host->node, group) : NULL;
        if (raft && raft_self(raft) == replica)
            return host;
    }
    return NULL;
}

bool sim_group_member_runs(struct sim_world *world, uint64_t group, uint64_t replica) {
    return host_of(world, group, replica) != NULL;
}

bool sim_group_member_is_on(struct sim_world *world, uint64_t group, uint64_t replica, const struct sim_host *host) {
    return host_of(world, group, replica) == host;
}

static bool hear_each_other(const struct sim_world *world, uint32_t nodes) {
    for (uint32_t a = 0; a < world->node_count; a++)
        for (uint32_t b = 0; b < world->node_count; b++)
            if (a != b && (nodes >> a & 1) && (nodes >> b & 1) && !sim_net_hears(world, a + 1, b + 1))
                return false;
    return true;
}

static uint32_t count_bits(uint32_t bits) { return (uint32_t)__builtin_popcount(bits); }

/** Is there a majority of `voters` (bits of nodes, of `count` voters) that runs and hears each other? */
static bool has_whole_majority(struct sim_world *world, uint32_t voters, uint32_t count) {
    for (uint32_t some = voters; some != 0; some = (some - 1) & voters)
        if (count_bits(some) > count / 2 && hear_each_other(world, some))
            return true;
    return false;
}

static uint32_t nodes_of(struct sim_world *world, uint64_t group, const uint64_t *voters, uint32_t count) {
    uint32_t nodes = 0;
    for (uint32_t v = 0; v < count; v++) {
        const struct sim_host *voter = host_of(world, group, voters[v]);
        nodes |= voter ? 1u << (voter->id - 1) : 0;
    }
    return nodes;
}

/** The replica with the longest log of those that run: what it holds can win. */
static const struct raft *furthest(struct sim_world *world, uint64_t group) {
    const struct raft *best = NULL;
    for (uint32_t i = 0; i < world->node_count; i++) {
        const struct sim_host *host = &world->hosts[i];
        const struct raft *raft =
            sim_host_up(host) && host->part == SIM_MEMBER ? node_group_raft(host->node, group) : NULL;
        if (!raft)
            continue;
        uint64_t term = raft_entry_term(raft, raft_last_index(raft));
        uint64_t best_term = best ? raft_entry_term(best, raft_last_index(best)) : 0;
        if (!best || term > best_term || (term == best_term && raft_last_index(raft) > raft_last_index(best)))
            best = raft;
    }
    return best;
}

/** Could this group have a leader, by the newest configuration? While that is joint two majorities have to hear each
 *  other; then all that run are asked for. */
bool sim_group_can_lead(struct sim_world *world, uint64_t group) {
    const struct raft *raft = furthest(world, group);
    if (!raft)
        return false;
    const struct raft_configuration *members = raft_configuration(raft);
    uint32_t nodes = nodes_of(world, group, members->voters, members->voter_count);
    uint32_t outgoing = nodes_of(world, group, members->outgoing, members->outgoing_count);
    if (!has_whole_majority(world, nodes, members->voter_count))
        return false;
    return members->outgoing_count == 0 ||
           (has_whole_majority(world, outgoing, members->outgoing_count) && hear_each_other(world, nodes | outgoing));
}

static bool follows(struct sim_world *world, uint64_t group, uint64_t replica, const struct raft *leader) {
    const struct sim_host *host = host_of(world, group, replica);
    if (!host)
        return false;
    const struct raft *raft = node_group_raft(host->node, group);
    return raft_term(raft) == raft_term(leader) && raft_leader(raft) == raft_self(leader);
}

static bool has_leader(struct sim_world *world, const struct sim_group *group) {
    const struct sim_host *host = sim_leader(world, group->id);
    const struct raft *leader = host ? node_group_raft(host->node, group->id) : NULL;
    if (!leader || !raft_leads_fully(leader) ||
        (raft_commit(leader) != raft_last_index(leader) && raft_commit(leader) <= group->committed_at_calm))
        return false;
    const struct raft_configuration *members = raft_configuration(leader);
    uint32_t with = 0, of_outgoing = 0;
    for (uint32_t v = 0; v < members->voter_count; v++)
        with += follows(world, group->id, members->voters[v], leader);
    for (uint32_t v = 0; v < members->outgoing_count; v++)
        of_outgoing += follows(world, group->id, members->outgoing[v], leader);
    return with > members->voter_count / 2 &&
           (members->outgoing_count == 0 || of_outgoing > members->outgoing_count / 2);
}

void sim_liveness_start(struct sim_world *world) {
    for (size_t i = 0; i < world->group_count; i++) {
        world->groups[i]->waits = !world->groups[i]->condemned;
        world->groups[i]->committed_at_calm = world->groups[i]->committed;
    }
    sim_at(world, world->now + 1, SIM_LIVENESS, 0, 0, NULL);
}

static void note(struct sim_world *world, uint64_t after_ms) {
    uint64_t bin = after_ms / SIM_LEADER_BIN_MS;
    world->liveness.bins[bin < SIM_LEADER_BINS ? bin : SIM_LEADER_BINS - 1]++;
    if (after_ms > world->liveness.worst_ms)
        world->liveness.worst_ms = (uint32_t)after_ms;
}

bool sim_liveness_done(const struct sim_world *world) {
    for (size_t i = 0; i < world->group_count; i++)
        if (world->groups[i]->waits)
            return false;
    return true;
}

/** A group of the last to have a leader says what it waits for. */
static void give_up(struct sim_world *world, const struct sim_group *group) {
    char text[300] = "";
    int used = 0;
    for (uint32_t i = 0; i < world->node_count && used < (int)sizeof text - 60; i++) {
        const struct raft *raft =
            sim_host_up(&world->hosts[i]) ? node_group_raft(world->hosts[i].node, group->id) : NULL;
        if (raft)
            used += snprintf(text + used, sizeof text - (size_t)used, " node %u: %s term %llu log %llu;", i + 1,
                             raft_role_name(raft_role(raft)), (ull)raft_term(raft), (ull)raft_last_index(raft));
    }
    sim_fail(world, "LV: group %llu has no leader with a commit %u ms after the faults stopped:%s", (ull)group->id,
             SIM_LEADER_MS, text);
}

void sim_liveness_look(struct sim_world *world) {
    uint64_t after_ms = (world->now - world->recovery_began) / SIM_MS;
    for (size_t i = 0; i < world->group_count; i++) {
        struct sim_group *group = world->groups[i];
        if (!group->waits)
            continue;
        if (group->condemned) {
            group->waits = false;
        } else if (has_leader(world, group)) {
            group->waits = false;
            note(world, after_ms);
            if (after_ms > SIM_LEADER_MS_MOSTLY)
                sim_tracef(world, "group=%llu had its leader late, after %llu ms", (ull)group->id, (ull)after_ms);
        } else if (after_ms > SIM_LEADER_MS) {
            if (sim_group_can_lead(world, group->id))
                give_up(world, group);
            group->waits = false;
        }
    }
    if (!sim_liveness_done(world)) {
        sim_at(world, world->now + LOOK_MS * SIM_MS, SIM_LIVENESS, 0, 0, NULL);
        return;
    }
    if (world->partial_cut != 0)
        sim_heal(world, world->partial_cut - 1);
    world->partial_cut = 0;
    world->led_at = world->now;
}
