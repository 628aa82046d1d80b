/** Where the simulator draws when something happens, a scenario keeps it until it is told. */
#include "script.h"

void script_add_message(struct script *script, struct sim_message *message, const char *name) {
    script->messages =
        sim_grown(script->messages, &script->message_capacity, script->message_count + 1, sizeof *script->messages);
    struct script_message *added = &script->messages[script->message_count++];
    *added = (struct script_message){.message = message};
    snprintf(added->name, sizeof added->name, "%s", name);
}

struct sim_message *script_remove_message(struct script *script, size_t position) {
    struct sim_message *message = script->messages[position].message;
    for (size_t i = position + 1; i < script->message_count; i++)
        script->messages[i - 1] = script->messages[i];
    script->message_count--;
    return message;
}

void sim_at(struct sim_world *world, uint64_t at, enum sim_event_kind kind, uint64_t host, uint64_t generation,
            struct sim_message *message) {
    struct script *script = script_of(world);
    char text[256];
    (void)at;
    (void)host;
    (void)generation;
    if (kind != SIM_DELIVER)
        return; /* ticks are in the host; a stopped node starts when the script says so */
    script_add_message(script, message, "");
    FILE *out = fmemopen(text, sizeof text, "w");
    if (!out)
        script_bad(script, "no memory");
    script_describe(out, &message->message);
    fclose(out);
    script_say(script, true, "%s", text);
}

void script_tick_host(struct sim_host *host, uint64_t absent_ms) {
    struct raft_event event = {.type = RAFT_EVENT_TICK, .tick = {.absent_ms = absent_ms}};
    host->tick_at = UINT64_MAX;
    sim_host_step(host, &event, NULL);
}

void script_elapse(struct script *script) { script->world.now += script_number(script, "milliseconds") * 1000; }

void script_tick(struct script *script) {
    bool all = script_take(script, "all");
    bool who[SIM_HOSTS_MAX] = {false};
    uint64_t absent_ms = 0;
    while (!all && script_next_is_number(script))
        who[script_node_up(script)->id - 1] = true;
    if (script_take(script, "absent"))
        absent_ms = script_number(script, "milliseconds");
    for (uint32_t i = 0; i < script->world.options.nodes; i++)
        if (script->world.hosts[i].raft && (all || who[i]))
            script_tick_host(&script->world.hosts[i], absent_ms);
}
