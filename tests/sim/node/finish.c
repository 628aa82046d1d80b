/** After the storm: 1. the cluster is whole again within the bound; 2. what is published now is acknowledged, and every
 *  message has its outcome; 3. everything is read back from every replica. */
#include "actor.h"
#include "check.h"
#include "net.h"
#include "prober.h"

#include "raft_configuration.h"

#include <stdio.h>

typedef unsigned long long ull;

#define LOOK_MS 50
#define GROUPS_MAX 128
#define WHY_BYTES 256

#define NOT_YET(...)                                                                                                   \
    do {                                                                                                               \
        snprintf(why, WHY_BYTES, __VA_ARGS__);                                                                         \
        return false;                                                                                                  \
    } while (0)

/** Nodes that do not come back by themselves. */
static uint32_t gone_nodes(const struct sim_world *world) {
    uint32_t gone = 0;
    for (uint32_t i = 0; i < world->node_count; i++)
        gone += world->hosts[i].given_up || world->hosts[i].part == SIM_WIPED || world->hosts[i].part == SIM_REMOVED;
    return gone;
}

/** Has it a part in what comes at the end? */
static bool counts(const struct sim_host *host) { return host->part == SIM_MEMBER && !host->given_up; }

/** Of a move that a newer one replaced: it stays until that one is through, which a lost node may put off for ever. */
static bool is_left_over(const struct sim_world *world, const struct raft *leader, const struct raft *replica) {
    return gone_nodes(world) > 0 && !raft_configuration_has(raft_configuration(leader), raft_self(replica));
}

/** One leader that can do everything, and all replicas where it is. A group that lost its majority for good is not
 * asked for. */
static bool group_whole(struct sim_world *world, uint64_t group, char *why) {
    if (gone_nodes(world) > 0 && !sim_group_can_lead(world, group))
        return true;
    const struct sim_host *leader = sim_leader(world, group);
    if (!leader)
        NOT_YET("group %llu has no leader", (ull)group);
    const struct raft *raft = node_group_raft(leader->node, group);
    uint64_t commit = raft_commit(raft);
    if (!raft_leads_fully(raft) || commit != raft_last_index(raft) || raft_uncommitted_bytes(raft) != 0)
        NOT_YET("group %llu: its leader, node %u, has committed %llu of %llu, %llu bytes open", (ull)group, leader->id,
                (ull)commit, (ull)raft_last_index(raft), (ull)raft_uncommitted_bytes(raft));
    uint32_t found = 0, sum = node_group_applied_checksum(leader->node, group);
    for (uint32_t i = 0; i < world->node_count; i++) {
        const struct node *node = world->hosts[i].node;
        const struct raft *replica = node && counts(&world->hosts[i]) ? node_group_raft(node, group) : NULL;
        if (!replica || is_left_over(world, raft, replica))
            continue;
        found++;
        if (raft_leader(replica) != raft_self(raft) || raft_last_index(replica) != commit ||
            raft_durable_index(replica) != commit || node_group_applied(node, group) != commit)
            NOT_YET(
                "group %llu: node %u is at term %llu, log %llu, durable %llu, applied %llu; the leader at %llu, %llu",
                (ull)group, i + 1, (ull)raft_term(replica), (ull)raft_last_index(replica),
                (ull)raft_durable_index(replica), (ull)node_group_applied(node, group), (ull)raft_term(raft),
                (ull)commit);
        if (node_group_applied_checksum(node, group) != sum)
            sim_fail(world, "SM: group %llu has another state on node %u than on node %u, both at %llu", (ull)group,
                     i + 1, leader->id, (ull)commit);
    }
    uint32_t members = raft_configuration(raft)->voter_count + raft_configuration(raft)->learner_count;
    if (raft_configuration(raft)->outgoing_count > 0)
        NOT_YET("group %llu is between two configurations", (ull)group);
    /* One that is gone may have two: the replica it lost, and the one that was to be filled in its place. */
    uint32_t gone = gone_nodes(world) * (world->totals.stores_replaced > 0 ? 2 : 1);
    if (found > members || found + gone < members)
        NOT_YET("group %llu runs on %u nodes, it has %u members", (ull)group, found, members);
    return true;
}

static bool nodes_whole(struct sim_world *world, char *why) {
    for (uint32_t i = 0; i < world->node_count; i++)
        if ((!sim_host_up(&world->hosts[i]) || world->hosts[i].stopping) && counts(&world->hosts[i]))
            NOT_YET("node %u does not run", i + 1);
    for (uint32_t i = 0; i < world->node_count; i++) {
        if (!counts(&world->hosts[i]))
            continue;
        uint64_t ids[GROUPS_MAX];
        size_t count = node_groups(world->hosts[i].node, ids, GROUPS_MAX);
        for (size_t k = 0; k < count; k++)
            if (!group_whole(world, ids[k], why))
                return false;
        if (count == 0)
            NOT_YET("node %u runs no group", i + 1);
    }
    return true;
}

/** What was made is everywhere, what was deleted is nowhere. */
static bool topics_whole(struct sim_world *world, char *why) {
    for (size_t i = 0; i < world->topic_count; i++) {
        const struct sim_topic *topic = world->topics[i];
        for (uint32_t n = 0; n < world->node_count; n++) {
            if (!counts(&world->hosts[n]))
                continue;
            bool there = node_find_group(world->hosts[n].node, topic->name, 0) != 0;
            if (topic->state == SIM_TOPIC_LIVE && !there)
                NOT_YET("node %u does not know topic %s", n + 1, topic->name);
            if (topic->state == SIM_TOPIC_GONE && there)
                NOT_YET("node %u knows topic %s, which was deleted or never made", n + 1, topic->name);
        }
    }
    return true;
}

static bool clients_done(struct sim_world *world, char *why) {
    for (uint32_t i = 0; i < world->actor_count; i++)
        if (lf_core_pending(world->actors[i].core) != 0)
            NOT_YET("client %u has %llu messages without an outcome", i + 1,
                    (ull)lf_core_pending(world->actors[i].core));
    if (!sim_operator_idle(sim_operator(world)))
        NOT_YET("the operator has no answer");
    if (!sim_admin_idle(sim_admin(world)))
        NOT_YET("calls of client %u have no answer", sim_admin(world)->number);
    for (size_t i = 0; world->read_back_began > 0 && i < world->record_count; i++)
        if (world->records[i]->published_at >= world->read_back_began && world->records[i]->outcome != SIM_ACKED &&
            world->records[i]->status != LF_FULL)
            sim_fail(world, "record %zu, published when all was well again, is told %s", i + 1,
                     lf_status_name(world->records[i]->status));
    return true;
}

/** 2. When all is over, one more record of every publisher to every partition that lives. */
static void publish_again(struct sim_world *world) {
    world->read_back_began = world->now;
    for (uint32_t i = 0; i < world->options.publishers; i++)
        for (size_t t = 0; t < world->topic_count; t++)
            for (uint32_t k = 0; k < world->topics[t]->partition_count && world->topics[t]->main; k++)
                sim_publish(&world->actors[i], world->topics[t], (int32_t)k);
}

static void too_late(struct sim_world *world, uint64_t since, uint64_t bound_ms, const char *why) {
    if (world->now - since > bound_ms * SIM_MS)
        sim_fail(world, "LV: %llu ms after the faults stopped: %s", (ull)((world->now - since) / SIM_MS), why);
}

static bool look(struct sim_world *world, char *why) {
    if (!sim_liveness_done(world))
        return false; /* it has bounds of its own; and parts of the net may still be cut */
    switch (world->phase) {
    case SIM_RECOVERY:
        if (world->read_back_began == 0) {
            if (nodes_whole(world, why) && clients_done(world, why))
                publish_again(world);
            else
                too_late(world, world->led_at, SIM_RECOVERY_MS, why);
            return false;
        }
        if (!clients_done(world, why) || !nodes_whole(world, why) || !topics_whole(world, why)) {
            too_late(world, world->read_back_began, SIM_RECOVERY_MS, why);
            return false;
        }
        world->phase = SIM_READ_BACK;
        world->read_back_began = world->read_back_at = world->now;
        for (uint32_t i = 0; i < world->node_count; i++)
            if (sim_host_up(&world->hosts[i]) && counts(&world->hosts[i]))
                sim_read_back_start(&world->hosts[i]);
        return false;
    default:
        if (sim_read_back_done(world))
            return true;
        sim_read_back_explain(world, why, WHY_BYTES);
        too_late(world, world->read_back_at, SIM_READ_BACK_MS, why);
        return false;
    }
}

void sim_recovery_check(struct sim_world *world) {
    char why[WHY_BYTES] = "nothing was looked at";
    if (look(world, why)) {
        sim_read_back_check_keys(world);
        sim_ledger_verify(world);
        world->phase = SIM_OVER;
        return;
    }
    sim_at(world, world->now + LOOK_MS * SIM_MS, SIM_CHECK, 0, 0, NULL);
}
