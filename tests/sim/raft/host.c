#include "record.h"
#include "sim.h"

#include <stdlib.h>
#include <string.h>

struct sim_host *sim_host(struct sim_world *world, uint64_t id) {
    return &world->hosts[id - 1];
}

uint64_t sim_host_clock_ms(const struct sim_host *host) {
    return host->clock_base_ms + host->world->now * host->clock_rate_ppm / 1000000 / 1000;
}

/** When the host's clock will show this. */
static uint64_t world_time_of(const struct sim_host *host, uint64_t clock_ms) {
    uint64_t passed_ms = clock_ms > host->clock_base_ms ? clock_ms - host->clock_base_ms : 0;
    return passed_ms * 1000 * 1000000 / host->clock_rate_ppm + 1000;
}

void sim_log_push(struct sim_log *log, const struct sim_entry *entry) {
    log->entries = sim_grown(log->entries, &log->capacity, log->count + 1, sizeof *log->entries);
    log->entries[log->count++] = *entry;
}

void sim_log_cut(struct sim_log *log, uint64_t first_index) {
    if (log->count >= first_index)
        log->count = first_index - 1;
}

static void trace_line(void *context, const char *line) {
    const struct sim_host *host = context;
    if (host->world->options.trace)
        sim_trace(host->world, "node=%llu %s", (unsigned long long)host->id, line);
    if (host->world->on_decision)
        host->world->on_decision(host->world, line);
}

static void collect_runs(const struct sim_log *log, struct raft_run **runs, size_t *count) {
    size_t capacity = 0;
    *runs = NULL;
    *count = 0;
    for (size_t i = log->previous; i < log->count; i++) {
        if (i > log->previous && log->entries[i].term == log->entries[i - 1].term)
            continue;
        *runs = sim_grown(*runs, &capacity, *count + 1, sizeof **runs);
        (*runs)[(*count)++] = (struct raft_run){.first_index = i + 1, .term = log->entries[i].term};
    }
}

static void collect_configurations(const struct sim_host *host, struct raft_configuration_at **at, size_t *count) {
    size_t capacity = 0;
    *at = sim_grown(NULL, &capacity, 1, sizeof **at);
    (*at)[0] = (struct raft_configuration_at){.index = 0, .configuration = *sim_configuration(host->world, 1)};
    *count = 1;
    for (size_t i = 0; i < host->log.count; i++) {
        if (host->log.entries[i].configuration == 0)
            continue;
        if (i < host->log.previous)
            *count = 0; /* what was in force before is not known any more */
        *at = sim_grown(*at, &capacity, *count + 1, sizeof **at);
        (*at)[(*count)++] = (struct raft_configuration_at){
            .index = i + 1, .configuration = *sim_configuration(host->world, host->log.entries[i].configuration)};
    }
}

void sim_host_start(struct sim_host *host) {
    struct sim_world *world = host->world;
    struct raft_run *runs;
    struct raft_configuration_at *configurations;
    struct lf_error error = {0};
    host->log.count = 0;
    for (size_t i = 0; i < host->disk.log.count; i++)
        sim_log_push(&host->log, &host->disk.log.entries[i]);
    host->log.previous = host->disk.log.previous;
    struct raft_start start = {
        .self = host->id,
        .seed = host->start_seed != 0 ? host->start_seed : sim_random(world),
        .now_ms = sim_host_clock_ms(host),
        .term = host->disk.term,
        .vote = host->disk.vote,
        .previous_index = host->log.previous,
        .previous_term = host->log.previous > 0 ? host->log.entries[host->log.previous - 1].term : 0,
        .last_index = host->log.count,
        .commit = host->disk.commit,
        .vote_disabled = host->vote_disabled,
    };
    sim_record(host, SIM_OP_START, start.seed);
    collect_runs(&host->log, &runs, &start.run_count);
    collect_configurations(host, &configurations, &start.configuration_count);
    start.runs = runs;
    start.configurations = configurations;
    if (raft_new(&start, &world->limits, &host->raft, &error) != LF_OK)
        sim_fail(world, "node %llu does not start: %s", (unsigned long long)host->id, error.text);
    free(runs);
    free(configurations);
    if (world->options.trace || world->on_decision)
        raft_set_trace(host->raft, trace_line, host);
    host->incarnation++;
    host->restart_planned = false;
    host->tick_at = UINT64_MAX;
    host->paused_until = 0;
    host->commit_seen = 0;
    sim_trace(world, "node=%llu starts: term %llu, log end %zu, commit %llu%s", (unsigned long long)host->id,
              (unsigned long long)start.term, host->log.count, (unsigned long long)start.commit,
              host->vote_disabled ? ", without a vote" : "");
    sim_check_start(host);
    sim_staging_restarted(host);
    sim_host_step(host, &(struct raft_event){.type = RAFT_EVENT_TICK}, NULL);
}

void sim_host_stop(struct sim_host *host) {
    raft_destroy(&host->raft);
    host->disk.generation++;
    host->proposal_count = 0;
    sim_reads_abandoned(host);
}

/** The entry that the leading core made by itself. */
static struct sim_entry own_entry(struct sim_host *host, const struct raft_effects *effects) {
    struct sim_world *world = host->world;
    struct sim_entry entry = {.term = raft_term(host->raft), .bytes = 64};
    if (!effects->own_configuration) {
        entry.value = entry.term | 1ull << 63;
        return entry;
    }
    bool joint = effects->own_configuration->outgoing_count > 0;
    entry.value = world->next_value++ | 1ull << 62;
    entry.bytes = RAFT_CONFIGURATION_BYTES_MAX;
    entry.configuration = sim_configuration_add(world, effects->own_configuration);
    world->totals.configurations++;
    world->totals.joint += joint;
    if (!joint && host->before) /* there is no state before when only outcomes count */
        world->totals.left += raft_configuration(host->before)->outgoing_count > 0;
    return entry;
}

/** The owner's part of a step: keep the bytes of what entered or left the log. */
static void follow_log(struct sim_host *host, const struct raft_effects *effects, const struct sim_entry *entries) {
    const struct raft_persist *persist = &effects->persist;
    if (effects->truncated_from != 0) {
        for (size_t i = effects->truncated_from - 1; i < host->log.count; i++)
            host->world->totals.rolled_back += host->log.entries[i].configuration != 0;
        sim_log_cut(&host->log, effects->truncated_from);
        host->world->totals.truncations++;
        sim_proposals_settle(host);
    }
    if (!effects->has_persist)
        return;
    if (persist->install) {
        sim_check_install(host, persist);
        sim_log_install(host->world, &host->log, persist->install_index);
        host->commit_seen = persist->install_index; /* it is committed: that is what the image was made of */
    }
    for (uint32_t i = 0; i < persist->count; i++) {
        uint64_t index = persist->first_index + i;
        struct sim_entry entry;
        if (index == effects->own_index) {
            entry = own_entry(host, effects);
        } else {
            entry = entries[persist->message_skip + i];
            entry.term = raft_entry_term(host->raft, index);
        }
        if (index != host->log.count + 1)
            sim_fail(host->world, "node %llu puts %llu after %zu", (unsigned long long)host->id,
                     (unsigned long long)index, host->log.count);
        sim_log_push(&host->log, &entry);
        sim_check_entry(host, index);
    }
    sim_disk_submit(host, persist);
}

static void plan_tick(struct sim_host *host, uint64_t deadline_ms) {
    if (deadline_ms == UINT64_MAX)
        return;
    uint64_t at = world_time_of(host, deadline_ms);
    if (at <= host->world->now)
        at = host->world->now + 1;
    if (host->tick_at > host->world->now && at >= host->tick_at)
        return;
    host->tick_at = at;
    sim_at(host->world, at, SIM_TICK, host->id, 0, NULL);
}

void sim_host_tick(struct sim_host *host, uint64_t absent_ms) {
    sim_record(host, SIM_OP_TICK, absent_ms);
    sim_host_step(host, &(struct raft_event){.type = RAFT_EVENT_TICK, .tick = {.absent_ms = absent_ms}}, NULL);
}

enum lf_status sim_host_step(struct sim_host *host, struct raft_event *event, const struct sim_entry *entries) {
    struct sim_world *world = host->world;
    struct raft_effects *effects = &world->effects;
    event->now_ms = sim_host_clock_ms(host);
    if (!world->options.outcomes_only)
        raft_clone_into(&host->before, host->raft);
    enum lf_status status = raft_step(host->raft, event, effects);
    world->totals.steps++;
    if (!world->options.outcomes_only)
        raft_check_invariants(host->raft, host->before);

    follow_log(host, effects, entries);
    sim_check_step(host);
    for (size_t i = 0; i < effects->message_count; i++)
        sim_send(host, &effects->messages[i]);
    sim_proposals_settle(host);
    sim_reads_answered(host, effects);
    if (effects->offered_by != 0)
        sim_offered(host, effects->offered_by, effects->offered_index);
    plan_tick(host, effects->deadline_ms);
    if (effects->failed && !host->restart_planned) {
        host->restart_planned = true;
        sim_trace(world, "node=%llu stops: its disk failed", (unsigned long long)host->id);
        sim_disk_abandon(host, 0);
        sim_host_stop(host);
        sim_at(world, world->now + sim_between(world, 10000, 400000), SIM_RESTART, host->id, host->incarnation, NULL);
    } else if (host->disk.trapped && host->raft && effects->has_persist) {
        world->totals.traps++;
        sim_crash(host);
    }
    return status;
}

struct sim_host *sim_leader(struct sim_world *world) {
    struct sim_host *leader = NULL;
    for (uint32_t i = 0; i < world->options.nodes; i++) {
        struct sim_host *host = &world->hosts[i];
        if (host->raft && raft_role(host->raft) == RAFT_LEADER &&
            (!leader || raft_term(host->raft) > raft_term(leader->raft)))
            leader = host;
    }
    return leader;
}
