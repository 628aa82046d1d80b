#include "script.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

void script_nodes(struct script *script) {
    struct sim_world *world = &script->world;
    uint64_t count = script_number(script, "how many nodes");
    if (script->made)
        script_bad(script, "the nodes are there already");
    if (count < 1 || count > SIM_HOSTS_MAX)
        script_bad(script, "%llu nodes: 1 ... %d are possible", script_u(count), SIM_HOSTS_MAX);
    script->made = true;
    world->options.nodes = (uint32_t)count;
    world->options.trace = true;
    world->calm = true; /* the network neither drops nor duplicates by itself */
    world->now = 1000000;
    world->next_value = 1;
    world->next_epoch = 2;
    for (uint32_t i = 0; i < count; i++) {
        struct sim_host *host = &world->hosts[i];
        host->world = world;
        host->id = i + 1;
        host->clock_rate_ppm = 1000000;
    }
    sim_configurations_found(world);
    struct raft_configuration founding = {.epoch = 1};
    if (script_members(script, &founding))
        *world->configurations[0] = founding;
}

struct limit {
    const char *name;
    size_t offset;
};

#define LIMIT(name)                                                                                                    \
    { #name, offsetof(struct raft_limits, name) }

static const struct limit limits[] = {
    LIMIT(election_timeout_ms_min),
    LIMIT(election_timeout_ms_max),
    LIMIT(heartbeat_ms),
    LIMIT(inflight_messages_max),
    LIMIT(inflight_bytes_max),
    LIMIT(pipeline_messages),
    LIMIT(append_entries_max),
    LIMIT(append_bytes_max),
    LIMIT(uncommitted_bytes_max),
    LIMIT(reads_max),
    LIMIT(sized_entries_max),
    LIMIT(unsized_entries_max),
    LIMIT(log_runs_max),
    LIMIT(disk_stall_ms),
    LIMIT(prefer_after_ms),
};

void script_limit(struct script *script) {
    const char *name = script_word(script, "a limit");
    uint32_t value = (uint32_t)script_number(script, "its value");
    if (script->world.effects.messages)
        script_bad(script, "limits come before the first 'start'");
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        if (strcmp(limits[i].name, name) != 0)
            continue;
        memcpy((char *)&script->world.limits + limits[i].offset, &value, sizeof value);
        return;
    }
    script_bad(script, "no limit '%s': broker/raft/raft.h has them in struct raft_limits", name);
}

void script_clock(struct script *script) {
    struct sim_host *host = script_node(script);
    host->clock_base_ms = script_number(script, "milliseconds");
    if (host->incarnation > 0)
        script_bad(script, "a clock is set before the node first starts");
}

void script_seed(struct script *script) {
    struct sim_host *host = script_node(script);
    host->start_seed = script_number(script, "a seed");
}

void script_jump(struct script *script) {
    struct sim_host *host = script_node(script);
    host->clock_base_ms += script_number(script, "milliseconds");
}

void script_disk_holds(struct script *script) {
    struct sim_host *host = script_node(script);
    struct sim_disk *disk = &host->disk;
    if (host->raft)
        script_bad(script, "node %llu runs: what its disk holds is said while it is down", script_u(host->id));
    if (host->incarnation > 0) { /* after it ran, this is a disk that lost or changed something */
        host->lossy = true;
        host->promised_term = host->promised_index = 0;
        memset(host->votes, 0, sizeof host->votes);
    }
    while (script_peek(script)) {
        if (script_take(script, "term"))
            disk->term = script_number(script, "a term");
        else if (script_take(script, "vote"))
            disk->vote = script_number(script, "a node");
        else if (script_take(script, "commit"))
            disk->commit = script_number(script, "an index");
        else if (script_take(script, "ends"))
            sim_log_cut(&disk->log, script_number(script, "an index") + 1);
        else if (script_take(script, "empty"))
            disk->log.previous = disk->log.count = disk->commit = disk->term = disk->vote = 0;
        else if (!script_take(script, "log"))
            script_bad(script, "'%s': a disk has term, vote, commit and log, ends somewhere, or is empty",
                       script_peek(script));
        else if (script_runs(script, &disk->log) == 0)
            script_bad(script, "a log is runs of entries as TERMxCOUNT, such as 1x3 2x1");
    }
    uint64_t last_term = disk->log.count > 0 ? disk->log.entries[disk->log.count - 1].term : 0;
    if (last_term > disk->term)
        script_bad(script, "entries of term %llu on a disk of term %llu", script_u(last_term), script_u(disk->term));
    if (disk->commit > disk->log.count)
        script_bad(script, "commit %llu beyond the log", script_u(disk->commit));
}

static void start(struct sim_host *host) {
    struct sim_world *world = host->world;
    if (!world->effects.messages && raft_effects_init(&world->effects, &world->limits) != LF_OK)
        sim_fail(world, "no memory");
    /* Entries that a script put there were not seen when they were appended. */
    host->log.count = 0;
    for (size_t i = 0; i < host->disk.log.count; i++) {
        sim_log_push(&host->log, &host->disk.log.entries[i]);
        sim_check_entry(host, i + 1);
    }
    sim_host_start(host);
}

void script_start(struct script *script) {
    if (!script->made)
        script_bad(script, "there are no nodes yet: begin with 'nodes 3'");
    if (script_peek(script)) {
        while (script_peek(script)) {
            struct sim_host *host = script_node(script);
            if (host->raft)
                script_absent(script, "node %llu runs already", script_u(host->id));
            start(host);
        }
        return;
    }
    for (uint32_t i = 0; i < script->world.options.nodes; i++)
        if (!script->world.hosts[i].raft)
            start(&script->world.hosts[i]);
}

void script_deinit(struct script *script) {
    struct sim_world *world = &script->world;
    while (script->message_count > 0) {
        struct sim_message *message = script_remove_message(script, script->message_count - 1);
        sim_message_release(&message);
    }
    for (uint32_t i = 0; i < world->options.nodes; i++) {
        struct sim_host *host = &world->hosts[i];
        sim_host_stop(host);
        sim_disk_abandon(host, 0);
        raft_destroy(&host->before);
        free(host->log.entries);
        free(host->disk.log.entries);
        free(host->disk.writes);
    }
    for (size_t i = 0; i < world->index_capacity; i++)
        free(world->indexes[i].known);
    free(world->indexes);
    free(script->messages);
    free(world->images);
    sim_configurations_free(world);
    raft_effects_deinit(&world->effects);
}
