/** Configurations in a script: `voters 1 2 3 learners 4`. */
#include "raft_configuration.h"
#include "script.h"

#include <string.h>

static uint32_t replicas(struct script *script, uint64_t *out, uint32_t most) {
    uint32_t count = 0;
    while (script_next_is_number(script)) {
        if (count == most)
            script_bad(script, "more than %u members of a kind", most);
        out[count++] = script_node(script)->id;
    }
    if (count == 0)
        script_bad(script, "members are node numbers, such as: voters 1 2 3");
    return count;
}

bool script_members(struct script *script, struct raft_configuration *configuration) {
    bool any = false;
    while (script_peek(script)) {
        if (script_take(script, "voters"))
            configuration->voter_count = replicas(script, configuration->voters, RAFT_VOTERS_MAX);
        else if (script_take(script, "outgoing"))
            configuration->outgoing_count = replicas(script, configuration->outgoing, RAFT_VOTERS_MAX);
        else if (script_take(script, "learners"))
            configuration->learner_count = replicas(script, configuration->learners, RAFT_LEARNERS_MAX);
        else if (script_take(script, "epoch"))
            configuration->epoch = script_number(script, "an epoch");
        else
            break;
        any = true;
    }
    return any;
}

void script_change(struct script *script) {
    struct sim_host *host = script_node_up(script);
    struct raft_configuration target = {.epoch = script->world.next_epoch++};
    if (!script_members(script, &target))
        script_bad(script, "change to what? Such as: change 1 voters 1 2 3 learners 4");
    struct raft_event event = {.type = RAFT_EVENT_CHANGE, .change = &target};
    script_told(script, host, "the change", sim_host_step(host, &event, NULL));
}

void script_prefer(struct script *script) {
    struct sim_host *host = script_node_up(script);
    struct raft_event event = {.type = RAFT_EVENT_PREFER, .prefer = {.replica = script_number(script, "a node, or 0")}};
    sim_host_step(host, &event, NULL);
}

static bool same(const uint64_t *wanted, uint32_t wanted_count, const uint64_t *is, uint32_t is_count) {
    for (uint32_t i = 0; i < wanted_count; i++) {
        bool found = false;
        for (uint32_t k = 0; k < is_count; k++)
            found |= is[k] == wanted[i];
        if (!found)
            return false;
    }
    return wanted_count == is_count;
}

static void print(char *text, size_t bytes, const char *kind, const uint64_t *is, uint32_t count) {
    size_t used = strlen(text);
    used += (size_t)snprintf(text + used, bytes - used, "%s", count > 0 ? kind : "");
    for (uint32_t i = 0; i < count && used < bytes; i++)
        used += (size_t)snprintf(text + used, bytes - used, " %llu", script_u(is[i]));
}

void script_expect_members(struct script *script, const struct sim_host *host) {
    struct raft_configuration wanted = {0};
    const struct raft_configuration *is = raft_configuration(host->raft);
    char text[512] = "";
    if (!script_members(script, &wanted))
        script_bad(script, "which members? Such as: expect 1 members voters 1 2 3");
    if (same(wanted.voters, wanted.voter_count, is->voters, is->voter_count) &&
        same(wanted.outgoing, wanted.outgoing_count, is->outgoing, is->outgoing_count) &&
        same(wanted.learners, wanted.learner_count, is->learners, is->learner_count))
        return;
    print(text, sizeof text, "voters", is->voters, is->voter_count);
    print(text, sizeof text, " outgoing", is->outgoing, is->outgoing_count);
    print(text, sizeof text, " learners", is->learners, is->learner_count);
    script_failed(script, "the configuration of node %llu is: %s", script_u(host->id), text);
}
