/** A node that does not run for a while (SIGSTOP, a long stall of the loop, a machine suspended). What arrives waits;
 *  when it runs again, it hears that and its completions first, then a tick that may say how long it was away. */
#include "host.h"

#include "net.h"
#include "world.h"

/** Envelopes that wait in sockets for a node that does not run. */
#define BACKLOG_MAX 4000

void sim_host_pause(struct sim_host *host, uint64_t until, bool told) {
    if (!sim_host_up(host) || host->paused)
        return;
    host->paused = true;
    host->pause_told = told;
    host->paused_at_ms = sim_host_clock_ms(host);
    host->resume_at = until;
    sim_tracef(host->world, "pause node=%u told=%d", host->id, told);
    sim_at(host->world, until, SIM_HOST_RESUME, host->id, host->generation, NULL);
}

bool sim_host_defer(struct sim_host *host, const struct sim_event *event) {
    if (!host->paused)
        return false;
    if (event->kind == SIM_PARCEL && host->backlog_count >= BACKLOG_MAX) { /* its sender's queue is full */
        sim_parcel_destroy(event->load);
        return true;
    }
    host->backlog = sim_grown(host->backlog, &host->backlog_capacity, host->backlog_count + 1, sizeof *host->backlog);
    host->backlog[host->backlog_count++] = *event;
    return true;
}

/** Also called when the process ended while paused: then everything finds it gone. */
void sim_host_resume(struct sim_host *host) {
    uint64_t generation = host->generation;
    host->paused = false;
    size_t count = host->backlog_count;
    for (size_t i = 0; i < count; i++)
        sim_dispatch(host->world, &host->backlog[i]);
    host->backlog_count = 0;
    if (!sim_host_up(host) || host->generation != generation)
        return;
    sim_tracef(host->world, "resume node=%u", host->id);
    host->store_at = host->world->now;
    sim_disk_on_time(host, host->world->now);
    if (!sim_host_up(host) || host->generation != generation)
        return;
    host->tick_at = SIM_NEVER;
    struct node_event tick = {.type = NODE_EVENT_TICK};
    if (host->pause_told)
        tick.absent_ms = sim_host_clock_ms(host) - host->paused_at_ms;
    sim_host_step(host, &tick);
}
