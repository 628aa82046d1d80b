#include "record.h"
#include "sim.h"

#include <stdlib.h>
#include <string.h>

static void apply(struct sim_world *world, struct sim_disk *disk, const struct sim_write *write) {
    disk->term = write->term;
    disk->vote = write->vote;
    if (write->install != 0)
        sim_log_install(world, &disk->log, write->install);
    if (write->truncate)
        sim_log_cut(&disk->log, write->first_index);
    for (uint32_t i = 0; i < write->count; i++)
        sim_log_push(&disk->log, &write->entries[i]);
    if (write->commit > disk->commit)
        disk->commit = write->commit;
    if (write->previous > disk->log.previous)
        disk->log.previous = write->previous;
}

void sim_disk_submit(struct sim_host *host, const struct raft_persist *persist) {
    struct sim_world *world = host->world;
    struct sim_disk *disk = &host->disk;
    disk->writes = sim_grown(disk->writes, &disk->write_capacity, disk->write_count + 1, sizeof *disk->writes);
    struct sim_write *write = &disk->writes[disk->write_count++];
    *write = (struct sim_write){.token = persist->token,
                                .term = persist->term,
                                .vote = persist->vote,
                                .commit = raft_commit(host->raft),
                                .previous = host->log.previous,
                                .truncate = persist->truncate,
                                .install = persist->install ? persist->install_index : 0,
                                .first_index = persist->first_index,
                                .count = persist->count};
    if (write->count > 0) {
        write->entries = malloc(write->count * sizeof *write->entries);
        if (!write->entries)
            sim_fail(world, "no memory");
        memcpy(write->entries, &host->log.entries[persist->first_index - 1], write->count * sizeof *write->entries);
    }
    uint64_t at = world->now + sim_between(world, 100, world->weather.write_us_max);
    disk->busy_until = at > disk->busy_until ? at : disk->busy_until; /* in order */
    sim_at(world, disk->busy_until, SIM_WROTE, host->id, disk->generation, NULL);
}

static void forget_first(struct sim_disk *disk) {
    free(disk->writes[0].entries);
    memmove(disk->writes, disk->writes + 1, --disk->write_count * sizeof *disk->writes);
}

void sim_disk_complete(struct sim_host *host, enum lf_status status, bool kept) {
    struct sim_disk *disk = &host->disk;
    struct raft_event event = {.type = RAFT_EVENT_WROTE, .wrote = {.token = disk->writes[0].token, .status = status}};
    sim_record(host, status == LF_OK ? SIM_OP_WROTE : SIM_OP_WRITE_FAILED, kept);
    if (status == LF_OK || kept)
        apply(host->world, disk, &disk->writes[0]);
    forget_first(disk);
    if (host->raft)
        sim_host_step(host, &event, NULL);
}

void sim_disk_on_wrote(struct sim_host *host, uint64_t generation) {
    struct sim_disk *disk = &host->disk;
    if (generation != disk->generation)
        return;
    if (!disk->failing) {
        sim_disk_complete(host, LF_OK, true);
        return;
    }
    host->world->totals.disk_failures++;
    disk->failing = false;
    /* What it left behind nobody knows: the write may be there in part, here: whole or not. */
    sim_disk_complete(host, LF_IO, sim_chance(host->world, 300));
}

void sim_disk_abandon(struct sim_host *host, size_t kept) {
    struct sim_disk *disk = &host->disk;
    while (disk->write_count > 0) {
        if (kept > 0) {
            apply(host->world, disk, &disk->writes[0]);
            kept--;
        } else {
            host->world->totals.lost_writes++;
        }
        forget_first(disk);
    }
    disk->generation++;
    disk->busy_until = 0;
    disk->failing = false;
}

void sim_disk_speed_up(struct sim_host *host) {
    struct sim_world *world = host->world;
    struct sim_disk *disk = &host->disk;
    disk->generation++; /* the completions planned before are not waited for */
    disk->busy_until = world->now;
    for (size_t i = 0; i < disk->write_count; i++) {
        disk->busy_until += sim_between(world, 100, world->weather.write_us_max);
        sim_at(world, disk->busy_until, SIM_WROTE, host->id, disk->generation, NULL);
    }
}
