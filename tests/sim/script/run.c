/** Commands that do many steps. */
#include "script.h"

/** Steps of one command; more is a cluster that never comes to rest. */
#define STEPS_MAX 200000u

static bool write_any(struct script *script) {
    for (uint32_t i = 0; i < script->world.options.nodes; i++)
        if (script_write_next(&script->world.hosts[i]))
            return true;
    return false;
}

static void settle_within(struct script *script, uint64_t steps_max) {
    for (uint64_t steps = 0; script_deliver_next(script) || write_any(script); steps++)
        if (steps == steps_max)
            script_failed(script, "not at rest after %llu messages and writes", script_u(steps));
}

static void settle(struct script *script) { settle_within(script, STEPS_MAX); }

void script_settle(struct script *script) {
    settle_within(script, script_take(script, "within") ? script_number(script, "how many steps") : STEPS_MAX);
}

/** Ticks when its core wants to, until it does something about an election. */
static void campaign(struct script *script, struct sim_host *host) {
    const struct raft_effects *effects = &script->world.effects;
    if (raft_role(host->raft) == RAFT_LEADER)
        script_failed(script, "node %llu leads", script_u(host->id));
    for (int tries = 0; tries < 10; tries++) {
        if (host->tick_at == UINT64_MAX)
            break;
        if (host->tick_at > script->world.now)
            script->world.now = host->tick_at;
        script_tick_host(host, 0);
        if (!host->raft || effects->message_count > 0 || effects->has_persist || effects->role_changed)
            return;
    }
    script_failed(script, "node %llu does not campaign", script_u(host->id));
}

void script_campaign(struct script *script) { campaign(script, script_node_up(script)); }

/** With the votes of those named and of nobody else. Stops when it leads: its no-op is in flight. */
static void elect_with(struct script *script, struct sim_host *host) {
    bool among[SIM_HOSTS_MAX] = {false};
    among[host->id - 1] = true;
    while (script_next_is_number(script))
        among[script_node_up(script)->id - 1] = true;
    for (int tries = 0; tries < 5 && raft_role(host->raft) != RAFT_LEADER; tries++) {
        bool busy = true;
        campaign(script, host);
        while (busy && raft_role(host->raft) != RAFT_LEADER) {
            busy = script_deliver_election(script, among);
            for (uint32_t i = 0; !busy && i < script->world.options.nodes; i++)
                busy = among[i] && script_write_next(&script->world.hosts[i]);
        }
    }
    script_drop_election(script, host->id);
}

void script_elect(struct script *script) {
    struct sim_host *host = script_node_up(script);
    if (script_take(script, "with"))
        elect_with(script, host);
    for (int tries = 0; tries < 5 && raft_role(host->raft) != RAFT_LEADER; tries++) {
        campaign(script, host);
        settle(script);
        if (!host->raft)
            break;
    }
    if (!host->raft || raft_role(host->raft) != RAFT_LEADER)
        script_failed(script, "node %llu is not elected", script_u(host->id));
}

static struct sim_host *next_due(struct script *script, uint64_t until) {
    struct sim_host *next = NULL;
    for (uint32_t i = 0; i < script->world.options.nodes; i++) {
        struct sim_host *host = &script->world.hosts[i];
        if (host->raft && host->tick_at <= until && (!next || host->tick_at < next->tick_at))
            next = host;
    }
    return next;
}

void script_run(struct script *script) {
    uint64_t until = script->world.now + script_number(script, "milliseconds") * 1000;
    struct sim_host *host;
    settle(script);
    while ((host = next_due(script, until)) != NULL) {
        if (host->tick_at > script->world.now)
            script->world.now = host->tick_at;
        script_tick_host(host, 0);
        settle(script);
    }
    script->world.now = until;
}
