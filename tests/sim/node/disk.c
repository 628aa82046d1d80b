/** A node's store: the shipped interface over a disk in memory, and a list of what was handed over and is not done. */
#include "host.h"

#include "check.h"
#include "profile.h"

static uint32_t parts_of(const struct log_store_write *write) {
    uint32_t parts = 0;
#define PART(name, happens) parts |= (happens) ? 1u << SIM_PART_##name : 0;
    SIM_WRITE_PARTS(PART)
#undef PART
    return parts;
}

static void push_pending(struct sim_host *host, const struct log_store_write *write) {
    if (host->pending_head > 0 && host->pending_head == host->pending_capacity - host->pending_count) {
        for (size_t i = 0; i < host->pending_count; i++)
            host->pending[i] = host->pending[host->pending_head + i];
        host->pending_head = 0;
    }
    size_t end = host->pending_head + host->pending_count;
    host->pending = sim_grown(host->pending, &host->pending_capacity, end + 1, sizeof *host->pending);
    host->pending[end] = (struct sim_pending_write){.group = write->group,
                                                    .token = write->token,
                                                    .number = ++host->next_write,
                                                    .hard_state = write->has_hard_state,
                                                    .create = write->create,
                                                    .destroy = write->destroy,
                                                    .parts = parts_of(write),
                                                    .term = write->term,
                                                    .vote = write->vote,
                                                    .drop_before = write->drop_before};
    host->pending_count++;
}

void sim_disk_submit(struct sim_host *host, struct log_store_write **write) {
    push_pending(host, *write);
    sim_full_check(host, *write);
    if (host->room == SIM_ROOM_NONE)
        sim_full_hold(host, write);
    else if (log_store_submit(host->store, write) != LF_OK)
        sim_fail(host->world, "node %u: the store is full, with a world this small", host->id);
}

void sim_disk_read(struct sim_host *host, const struct log_store_read *read) {
    sim_check_ask(host, read);
    if (log_store_read(host->store, read) != LF_OK)
        sim_fail(host->world, "node %u: too many reads under way, with a world this small", host->id);
}

void sim_disk_stage(struct sim_host *host, struct node_stage *stage) {
    stage->stage.segment = &stage->segment;
    stage->stage.entries = stage->entries;
    host->stages = sim_grown(host->stages, &host->stage_capacity, host->stage_count + 1, sizeof *host->stages);
    host->stages[host->stage_count++] = (struct sim_pending_stage){.group = stage->stage.group,
                                                                   .request = stage->stage.request,
                                                                   .last = stage->stage.last,
                                                                   .segment = stage->segment};
    if (log_store_stage(host->store, &stage->stage) != LF_OK)
        sim_fail(host->world, "node %u: too much is being staged, with a world this small", host->id);
}

void sim_disk_rewrite(struct sim_host *host, const struct log_store_rewrite *rewrite) {
    if (log_store_rewrite(host->store, rewrite) != LF_OK)
        sim_fail(host->world, "node %u: too many rewrites under way, with a world this small", host->id);
}

void sim_disk_load(struct sim_host *host, uint64_t group, uint64_t request) {
    if (log_store_load(host->store, group, request) != LF_OK)
        sim_fail(host->world, "node %u: too many loads under way, with a world this small", host->id);
}

void sim_disk_schedule(struct sim_host *host) {
    sim_profile_disk_used(host);
    uint64_t deadline_ms = mem_store_deadline(host->store);
    if (deadline_ms == UINT64_MAX)
        return;
    uint64_t at = deadline_ms * SIM_MS;
    if (at < host->world->now)
        at = host->world->now;
    if (at < host->store_at) {
        host->store_at = at;
        sim_at(host->world, at, SIM_HOST_STORE, host->id, 0, NULL);
    }
}

static void on_staged(struct sim_host *host, const struct log_store_completion *completion) {
    if (host->stage_head == host->stage_count)
        sim_fail(host->world, "node %u: a piece completed that was not handed over", host->id);
    const struct sim_pending_stage *stage = &host->stages[host->stage_head++];
    if (stage->group != completion->group || stage->request != completion->id)
        sim_fail(host->world, "node %u: pieces complete out of order: group %llu request %llu", host->id,
                 (unsigned long long)completion->group, (unsigned long long)completion->id);
    if (completion->status == LF_OK && stage->last && !stage->taken_back)
        sim_check_staged(host, stage->group, &stage->segment);
    if (host->stage_head == host->stage_count)
        host->stage_head = host->stage_count = 0;
}

static void on_wrote(struct sim_host *host, const struct log_store_completion *completion) {
    if (host->pending_count == 0)
        sim_fail(host->world, "node %u: a write completed that was not handed over", host->id);
    struct sim_pending_write write = host->pending[host->pending_head++];
    if (--host->pending_count == 0)
        host->pending_head = 0;
    if (write.group != completion->group || write.token != completion->id)
        sim_fail(host->world, "node %u: writes complete out of order (S2): group %llu token %llu", host->id,
                 (unsigned long long)completion->group, (unsigned long long)completion->id);
    if (completion->status == LF_OK)
        sim_check_wrote(host, &write);
}

void sim_disk_on_time(struct sim_host *host, uint64_t at) {
    if (!sim_host_up(host) || host->paused || at != host->store_at)
        return;
    uint64_t generation = host->generation;
    host->store_at = SIM_NEVER;
    mem_store_advance(host->store, host->world->now / SIM_MS);
    struct log_store_completion *completion;
    while (sim_host_up(host) && host->generation == generation && (completion = log_store_poll(host->store)) != NULL) {
        if (completion->kind == LOG_STORE_DONE_WRITE)
            on_wrote(host, completion);
        else if (completion->kind == LOG_STORE_DONE_READ)
            sim_check_read(host, completion);
        else if (completion->kind == LOG_STORE_DONE_STAGE)
            on_staged(host, completion);
        else if (completion->kind == LOG_STORE_DONE_LOAD)
            sim_check_loaded(host, completion);
        else if (completion->kind == LOG_STORE_DONE_REWRITE && completion->status == LF_OK)
            for (uint32_t i = 0; i < completion->segment_count; i++)
                sim_check_staged(host, completion->group, &completion->segments[i]);
        struct node_event event = {.type = NODE_EVENT_STORE, .completion = completion};
        sim_host_step(host, &event);
        log_store_completion_destroy(&completion);
    }
    if (sim_host_up(host))
        sim_disk_schedule(host);
}

static const char *const ends[] = {"killed", "power lost", "stopped", "disk failed"};

void sim_disk_end(struct sim_host *host, enum sim_end how) {
    struct sim_totals *totals = &host->world->totals;
    struct mem_disk_counts before = mem_disk_counts(host->disk);
    if (how == SIM_END_STOPPED)
        log_store_close(&host->store);
    else
        mem_store_crash(&host->store, how == SIM_END_POWER ? MEM_DISK_POWER : MEM_DISK_KILL);
    struct mem_disk_counts after = mem_disk_counts(host->disk);
    uint64_t kept = after.kept - before.kept, lost = after.lost - before.lost, torn = after.torn - before.torn;
    totals->commits_lost += lost;
    totals->commits_torn += torn;
    if (how == SIM_END_POWER) {
        totals->crashes++;
        totals->crashes_lost += lost + torn > 0;
    } else if (how == SIM_END_KILL) {
        totals->kills++;
        totals->kills_kept += kept > 0;
    }
    sim_tracef(host->world, "%s node=%u writes under way=%zu; commits kept=%llu lost=%llu torn=%llu", ends[how],
               host->id, host->pending_count, (unsigned long long)kept, (unsigned long long)lost,
               (unsigned long long)torn);
    host->pending_head = host->pending_count = 0;
    host->stage_head = host->stage_count = 0;
    sim_full_drop(host);
}
