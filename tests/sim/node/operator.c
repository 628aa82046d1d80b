/** The operator: transfers leaderships, moves partitions, adds and removes nodes, and replaces nodes whose disk was
 * lost, with the calls of the client library, one plan at a time, each call again while its outcome is in doubt.
 *
 *  A node is removed as the manual says: drained, emptied by moves, removed; it ends when it hears of it, and its disk
 * is wiped. Its place is free then for a node to be added under its id. A disk is lost while its group's others, all of
 *  them, can do without it; the node comes back under its old name, is turned away, and goes the same way. */
#include "actor.h"
#include "check.h"

#include "client.pb-c.h"

#include <stdio.h>

typedef unsigned long long ull;

#define WORK_MS_MIN 60
#define WORK_MS_MAX 400
/** Calls of one plan before it is given up. */
#define CALLS_MAX 60
/** A removed node that was not told by then is switched off. */
#define GONE_MS 4000

struct sim_actor *sim_operator(struct sim_world *world) {
    return &world->actors[world->actor_count - 2];
}

bool sim_operator_idle(const struct sim_actor *actor) { return actor->plan.call == 0; }

/* ---- who is there ------------------------------------------------------------------------------------------------ */

static bool is_member(const struct sim_host *host) { return host->part == SIM_MEMBER && !host->given_up; }

static uint32_t members(const struct sim_world *world) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->node_count; i++)
        count += is_member(&world->hosts[i]);
    return count;
}

/** Up to `wanted` members in any order, `without` left out (NULL: nobody). Returns how many. */
static size_t draw_members(struct sim_world *world, const struct sim_host *without, size_t wanted,
                           uint64_t nodes[SIM_NODES_MAX]) {
    size_t count = 0;
    for (uint32_t i = 0; i < world->node_count; i++)
        if (is_member(&world->hosts[i]) && &world->hosts[i] != without)
            nodes[count++] = i + 1;
    for (size_t i = 0; i < count; i++) {
        size_t k = (size_t)sim_between(world, i, count - 1);
        uint64_t kept = nodes[i];
        nodes[i] = nodes[k];
        nodes[k] = kept;
    }
    return count < wanted ? count : wanted;
}

static uint64_t group_of(const struct sim_world *world, const struct sim_topic *topic, uint32_t partition) {
    for (uint32_t i = 0; i < world->node_count; i++) {
        uint64_t group =
            sim_host_up(&world->hosts[i]) ? node_find_group(world->hosts[i].node, topic->name, partition) : 0;
        if (group != 0)
            return group;
    }
    return 0;
}

/** Has the host a part in the group, as its leader has it? */
static bool has_part(struct sim_world *world, struct sim_host *host, uint64_t group) {
    const struct sim_host *leader = sim_leader(world, group);
    const struct sim_log *log = sim_log(host, group, false);
    if (!leader)
        return true; /* nobody knows */
    const struct raft_configuration *now = raft_configuration(node_group_raft(leader->node, group));
    const uint64_t *lists[] = {now->voters, now->outgoing, now->learners};
    const uint32_t counts[] = {now->voter_count, now->outgoing_count, now->learner_count};
    for (int list = 0; list < 3; list++)
        for (uint32_t i = 0; i < counts[list]; i++)
            if ((log && lists[list][i] == log->replica) ||
                (host->part == SIM_WIPED && !sim_group_member_runs(world, group, lists[list][i])))
                return true;
    return false;
}

/** A partition of a topic that lives and has a part on the host. */
static struct sim_topic *find_part(struct sim_world *world, struct sim_host *host, uint32_t *partition) {
    for (size_t i = 0; i < world->topic_count; i++) {
        struct sim_topic *topic = world->topics[i];
        for (*partition = 0; topic->state == SIM_TOPIC_LIVE && *partition < topic->partition_count; ++*partition) {
            uint64_t group = group_of(world, topic, *partition);
            if (group != 0 && has_part(world, host, group))
                return topic;
        }
    }
    return NULL;
}

/** Also while so few members are there that it has fewer replicas than it should. */
static bool has_to_last(const struct sim_world *world, uint64_t group) {
    for (size_t i = 0; i < world->topic_count; i++)
        for (uint32_t k = 0;
             (world->topics[i]->main || world->topics[i]->replicas >= 3) && k < world->topics[i]->partition_count; k++)
            if (group_of(world, world->topics[i], k) == group)
                return true;
    return group == 0;
}

/** Every group that has to last, and any other with three replicas, can do without the host's, now and for good. */
static bool can_lose(struct sim_world *world, const struct sim_host *host) {
    if (world->damaged && !(world->damaged == host && host->given_up))
        return false;
    for (size_t i = 0; i < world->group_count; i++) {
        const struct sim_group *group = world->groups[i];
        if (group->condemned)
            continue;
        const struct sim_host *leader = sim_leader(world, group->id);
        const struct raft *raft = leader ? node_group_raft(leader->node, group->id) : NULL;
        if (!raft || !raft_leads_fully(raft) || raft_configuration(raft)->outgoing_count > 0)
            return false;
        const struct raft_configuration *now = raft_configuration(raft);
        uint32_t left = 0, voters = now->voter_count;
        for (uint32_t v = 0; v < now->voter_count; v++)
            left += sim_group_member_runs(world, group->id, now->voters[v]) &&
                    !sim_group_member_is_on(world, group->id, now->voters[v], host);
        for (uint32_t l = 0; l < now->learner_count; l++) /* its promotion may be on its way */
            voters += !sim_group_member_runs(world, group->id, now->learners[l]) ||
                      sim_group_member_is_on(world, group->id, now->learners[l], host);
        if ((voters >= 3 || has_to_last(world, group->id)) && left <= voters / 2)
            return false;
    }
    return true;
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

static void ask(struct sim_actor *actor, struct lf_core_call call) {
    struct sim_world *world = actor->world;
    call.id = actor->plan.call = ++actor->next_id;
    actor->plan.calls++;
    sim_tracef(world, "operator call=%llu type=%d %s-%u node=%llu", (ull)call.id, (int)call.type,
               call.topic ? call.topic : "", call.partitions, (ull)call.node);
    struct lf_core_event event = {.type = LF_CORE_CALL, .call = call};
    enum lf_status status = sim_actor_step(actor, &event);
    if (status != LF_OK)
        sim_fail(world, "the operator's call is refused with %s", lf_status_name(status));
}

static void ask_move(struct sim_actor *actor, const struct sim_topic *topic, uint32_t partition,
                     const struct sim_host *without) {
    uint64_t nodes[SIM_NODES_MAX];
    size_t count = draw_members(actor->world, without, topic->replicas, nodes);
    if (count > 0)
        ask(actor, (struct lf_core_call){.type = LF_CALL_PARTITION_MOVE,
                                         .topic = topic->name,
                                         .partitions = partition,
                                         .nodes = nodes,
                                         .node_count = count});
}

static void ask_node(struct sim_actor *actor, enum lf_core_call_type type, const struct sim_host *host, bool stop) {
    const struct node_address *address = &actor->world->addresses[host->id - 1];
    ask(actor, (struct lf_core_call){.type = type,
                                     .node = host->id,
                                     .host = address->host,
                                     .client_port = address->client_port,
                                     .peer_port = address->peer_port,
                                     .stop = stop});
}

/* ---- plans ------------------------------------------------------------------------------------------------------- */

static struct sim_topic *some_topic(struct sim_world *world) {
    struct sim_topic *topic =
        world->topic_count > 0 ? world->topics[sim_between(world, 0, world->topic_count - 1)] : NULL;
    return topic && topic->state == SIM_TOPIC_LIVE ? topic : NULL;
}

static void transfer(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    const struct sim_topic *topic = sim_chance(world, 200) ? NULL : some_topic(world);
    actor->plan.kind = SIM_PLAN_TRANSFER;
    world->totals.transfers++;
    ask(actor,
        (struct lf_core_call){.type = LF_CALL_LEADER_TRANSFER,
                              .topic = topic ? topic->name : NULL,
                              .partitions = topic ? (uint32_t)sim_between(world, 0, topic->partition_count - 1) : 0,
                              .node = sim_chance(world, 500) ? 0 : sim_between(world, 1, world->node_count)});
}

static void move(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    const struct sim_topic *topic = some_topic(world);
    if (!topic || members(world) < topic->replicas)
        return;
    actor->plan.kind = SIM_PLAN_MOVE;
    ask_move(actor, topic, (uint32_t)sim_between(world, 0, topic->partition_count - 1), NULL);
}

static void add_or_remove(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    for (uint32_t i = 0; i < world->node_count; i++)
        if (world->hosts[i].part == SIM_WIPED &&
            !world->hosts[i].replaces) { /* left over from a plan that was given up */
            actor->plan = (struct sim_plan){.kind = SIM_PLAN_WIPE, .step = SIM_STEP_DRAIN, .host = &world->hosts[i]};
            return;
        } else if (world->hosts[i].part == SIM_OUT) {
            actor->plan = (struct sim_plan){.kind = SIM_PLAN_ADD, .step = SIM_STEP_ADD, .host = &world->hosts[i]};
            return;
        }
    struct sim_host *host = &world->hosts[sim_between(world, 0, world->node_count - 1)];
    if (is_member(host) && members(world) > world->options.nodes)
        actor->plan = (struct sim_plan){.kind = SIM_PLAN_REMOVE, .step = SIM_STEP_DRAIN, .host = host};
}

/** Is all that it holds elsewhere too, so that the cluster will give it up? */
static bool holds_nothing_alone(struct sim_world *world, struct sim_host *host) {
    for (size_t i = 0; i < world->topic_count; i++) {
        const struct sim_topic *topic = world->topics[i];
        for (uint32_t k = 0; topic->replicas < 3 && topic->state != SIM_TOPIC_GONE && k < topic->partition_count; k++) {
            uint64_t group = group_of(world, topic, k);
            if (group != 0 && has_part(world, host, group))
                return false;
        }
    }
    return true;
}

/** The damaged one if it waits for its operator, else any. */
static struct sim_host *to_be_lost(struct sim_world *world) {
    if (world->damaged && world->damaged->given_up)
        return world->damaged;
    return &world->hosts[sim_between(world, 0, world->node_count - 1)];
}

/** A disk is lost. Its node comes back under its old name and is turned away, then it is removed and added again; or
 * its operator has its store replaced, which goes on by itself. */
static void wipe(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    struct sim_host *host = to_be_lost(world);
    bool damaged = host->given_up;
    if (host->part != SIM_MEMBER || !sim_main_topics_live(world) || !can_lose(world, host))
        return;
    host->replaces = (damaged || sim_chance(world, 500)) && holds_nothing_alone(world, host);
    if (damaged && !host->replaces)
        return;
    if (!host->replaces)
        actor->plan = (struct sim_plan){.kind = SIM_PLAN_WIPE, .step = SIM_STEP_DRAIN, .host = host};
    world->wiped++;
    world->totals.wipes++;
    sim_tracef(world, "wipe node=%u replace=%d", host->id, host->replaces);
    host->part = SIM_WIPED;
    host->turned_away = host->given_up = false;
    sim_host_wipe(host, host->replaces || sim_chance(world, 500));
    sim_at(world, world->now + sim_between(world, 10, 1000) * SIM_MS, SIM_HOST_START, host->id, 0, NULL);
}

static void begin(struct sim_actor *actor) {
    static const enum sim_fault_kind kinds[] = {SIM_FAULT_transfer, SIM_FAULT_move, SIM_FAULT_join, SIM_FAULT_wipe};
    static void (*const plans[])(struct sim_actor * actor) = {transfer, move, add_or_remove, wipe};
    struct sim_world *world = actor->world;
    uint64_t which = sim_between(world, 0, 3);
    actor->plan = (struct sim_plan){0};
    if (!sim_fault_on(world, kinds[which]) || world->topic_count < 2 || world->topics[0]->state != SIM_TOPIC_LIVE)
        return;
    world->faults_met |= 1u << kinds[which];
    plans[which](actor);
}

/** Switched off for good; an empty disk is put in, for whoever is added in its place. */
static void clear_away(struct sim_actor *actor) {
    struct sim_plan *plan = &actor->plan;
    sim_host_wipe(plan->host, true);
    plan->host->part = SIM_OUT;
    plan->step = SIM_STEP_ADD;
    if (plan->kind == SIM_PLAN_REMOVE)
        plan->kind = SIM_PLAN_NONE;
}

/** Is it to be removed although another one, just added, was turned away since? What is moved off it would have one
 * replica less then, and a damaged one among them is more than a group can do without. */
static bool is_one_too_many(const struct sim_world *world, const struct sim_plan *plan) {
    return plan->kind == SIM_PLAN_REMOVE && plan->step < SIM_STEP_REMOVE && members(world) <= world->options.nodes;
}

static void go_on(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    struct sim_plan *plan = &actor->plan;
    struct sim_topic *topic;
    uint32_t partition;
    if (is_one_too_many(world, plan)) {
        plan->kind = SIM_PLAN_NONE; /* it stays drained */
        return;
    }
    switch (plan->step) {
    case SIM_STEP_DRAIN:
        ask_node(actor, LF_CALL_NODE_DRAIN, plan->host, false);
        return;
    case SIM_STEP_EMPTY:
        topic = find_part(world, plan->host, &partition);
        if (topic)
            ask_move(actor, topic, partition, plan->host);
        else
            plan->step = SIM_STEP_REMOVE;
        return;
    case SIM_STEP_REMOVE:
        plan->was = plan->host->part;
        plan->host->part = SIM_REMOVED; /* as soon as it is asked it may be so */
        ask_node(actor, LF_CALL_NODE_REMOVE, plan->host, false);
        return;
    case SIM_STEP_GONE:
        if (!sim_host_up(plan->host) || world->now > plan->since + GONE_MS * SIM_MS)
            clear_away(actor);
        return;
    case SIM_STEP_ADD:
        ask_node(actor, LF_CALL_NODE_ADD, plan->host, false);
        return;
    default:
        plan->kind = SIM_PLAN_NONE;
    }
}

void sim_operator_work(struct sim_actor *actor) {
    struct sim_world *world = actor->world;
    struct sim_plan *plan = &actor->plan;
    if (world->phase != SIM_STORM)
        return;
    if (plan->call == 0 && plan->kind == SIM_PLAN_NONE)
        begin(actor);
    if (plan->call == 0 && plan->kind != SIM_PLAN_NONE)
        go_on(actor);
    sim_actor_work_in(actor, sim_between(world, WORK_MS_MIN, WORK_MS_MAX));
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

static void on_removed(struct sim_actor *actor, enum lf_status status) {
    struct sim_plan *plan = &actor->plan;
    if (status == LF_OK) {
        actor->world->totals.nodes_removed++;
        plan->step = SIM_STEP_GONE;
        plan->since = actor->world->now;
    } else if (status == LF_INVALID && plan->tries_unknown == 0) {
        plan->host->part = plan->was; /* it was not done, for sure */
        plan->step = SIM_STEP_EMPTY;
    } else {
        plan->tries_unknown++;
        if (status == LF_INVALID) /* not done by now; an earlier call may still do it when nothing is left there */
            plan->step = SIM_STEP_EMPTY;
    }
}

static void on_added(struct sim_actor *actor, enum lf_status status) {
    struct sim_world *world = actor->world;
    struct sim_plan *plan = &actor->plan;
    if (status != LF_OK)
        return; /* once more */
    world->totals.nodes_added++;
    plan->host->part = SIM_MEMBER;
    plan->host->turned_away = false;
    sim_at(world, world->now + sim_between(world, 1, 800) * SIM_MS, SIM_HOST_START, plan->host->id, 0, NULL);
    plan->kind = SIM_PLAN_NONE;
}

void sim_operator_answer(struct sim_actor *actor, const struct lf_core_effect *effect) {
    struct sim_world *world = actor->world;
    struct sim_plan *plan = &actor->plan;
    if (effect->call != plan->call)
        sim_fail(world, "the operator hears of call %llu, which it did not make", (ull)effect->call);
    plan->call = 0;
    sim_tracef(world, "operator call=%llu: %s (%s)", (ull)effect->call, lf_status_name(effect->status), effect->text);
    switch (plan->kind) {
    case SIM_PLAN_TRANSFER:
        world->totals.transfers_done += effect->status == LF_OK;
        plan->kind = SIM_PLAN_NONE;
        return;
    case SIM_PLAN_MOVE:
        world->totals.moves += effect->status == LF_OK;
        plan->kind = SIM_PLAN_NONE;
        return;
    default:
        break;
    }
    if (plan->step == SIM_STEP_DRAIN && effect->status == LF_OK) {
        world->totals.nodes_drained++;
        plan->step = SIM_STEP_EMPTY;
    } else if (plan->step == SIM_STEP_EMPTY) {
        world->totals.moves += effect->status == LF_OK;
    } else if (plan->step == SIM_STEP_REMOVE) {
        on_removed(actor, effect->status);
    } else if (plan->step == SIM_STEP_ADD) {
        on_added(actor, effect->status);
    }
    if (plan->calls > CALLS_MAX && plan->step < SIM_STEP_REMOVE && plan->tries_unknown == 0)
        plan->kind = SIM_PLAN_NONE; /* it stays drained, or lost */
}
