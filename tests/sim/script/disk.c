/** A disk that does what it is told. Writes reach it in order, as in one log; completions come as the script has them.
 */
#include "script.h"

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

static void describe(struct sim_host *host, const struct raft_persist *persist) {
    char cut[40] = "", entries[64] = "", image[64] = "";
    if (persist->install)
        snprintf(image, sizeof image, " image of %llu^%llu", script_u(persist->install_index),
                 script_u(persist->install_term));
    if (persist->truncate)
        snprintf(cut, sizeof cut, " cut from %llu", script_u(persist->first_index));
    if (persist->count > 0)
        snprintf(entries, sizeof entries, " entries %llu ... %llu", script_u(persist->first_index),
                 script_u(persist->first_index + persist->count - 1));
    script_say(script_of(host->world), true, "node=%llu write %llu: term=%llu vote=%llu%s%s%s", script_u(host->id),
               script_u(persist->token), script_u(persist->term), script_u(persist->vote), image, cut, entries);
}

void sim_disk_submit(struct sim_host *host, const struct raft_persist *persist) {
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
            sim_fail(host->world, "no memory");
        memcpy(write->entries, &host->log.entries[persist->first_index - 1], write->count * sizeof *write->entries);
    }
    describe(host, persist);
}

static void forget(struct sim_disk *disk, size_t position) {
    free(disk->writes[position].entries);
    disk->write_count--;
    memmove(disk->writes + position, disk->writes + position + 1,
            (disk->write_count - position) * sizeof *disk->writes);
}

/** The first `count` writes are on the disk. */
static void reach(struct sim_host *host, size_t count) {
    size_t *written = &script_host(host)->written;
    for (; *written < count; ++*written)
        apply(host->world, &host->disk, &host->disk.writes[*written]);
}

void sim_disk_abandon(struct sim_host *host, size_t kept) {
    struct sim_disk *disk = &host->disk;
    reach(host, kept < disk->write_count ? kept : disk->write_count);
    while (disk->write_count > 0)
        forget(disk, disk->write_count - 1);
    script_host(host)->written = 0;
    disk->generation++;
}

static void complete(struct sim_host *host, size_t position, enum lf_status status) {
    struct sim_disk *disk = &host->disk;
    struct raft_event event = {.type = RAFT_EVENT_WROTE,
                               .wrote = {.token = disk->writes[position].token, .status = status}};
    if (position < script_host(host)->written)
        script_host(host)->written--;
    forget(disk, position);
    sim_host_step(host, &event, NULL);
}

bool script_write_next(struct sim_host *host) {
    if (!host->raft || host->disk.write_count == 0 || script_host(host)->disk_held)
        return false;
    reach(host, 1);
    complete(host, 0, LF_OK);
    return true;
}

/** `.N`: the N-th write under way; else the oldest. */
static size_t which(struct script *script, const struct sim_host *host) {
    const char *word = script_peek(script);
    size_t position = 0;
    if (word && word[0] == '.')
        position = strtoull(script_word(script, "a place") + 1, NULL, 10) - 1;
    if (position >= host->disk.write_count)
        script_absent(script, "node %llu has %zu writes under way, not %zu", script_u(host->id), host->disk.write_count,
                      position + 1);
    return position;
}

void script_wrote(struct script *script) {
    struct sim_host *host = script_node_up(script);
    if (script_take(script, "all")) {
        for (size_t left = host->disk.write_count; left > 0 && host->raft; left--) {
            reach(host, 1);
            complete(host, 0, LF_OK);
        }
        return;
    }
    size_t position = which(script, host);
    reach(host, position + 1);
    complete(host, position, LF_OK);
}

void script_fail_write(struct script *script) {
    struct sim_host *host = script_node_up(script);
    size_t position = which(script, host);
    if (script_take(script, "kept"))
        reach(host, position + 1);
    complete(host, position, LF_IO);
}

void script_stall(struct script *script) { script_host(script_node(script))->disk_held = true; }
void script_unstall(struct script *script) { script_host(script_node(script))->disk_held = false; }

/** Asked for by the simulator's own faults; nothing here sets the trap. */
void sim_crash(struct sim_host *host) { sim_fail(host->world, "a trap that no script sets"); }

void script_crash(struct script *script) {
    struct sim_host *host = script_node_up(script);
    size_t kept = 0;
    if (script_take(script, "keeping"))
        kept =
            script_take(script, "all") ? host->disk.write_count : script_number(script, "how many writes, or 'all',");
    script_say(script, false, "node=%llu crashes, %zu of %zu writes reached the disk", script_u(host->id),
               kept < host->disk.write_count ? kept : host->disk.write_count, host->disk.write_count);
    sim_disk_abandon(host, kept);
    sim_host_stop(host);
    host->tick_at = UINT64_MAX;
}
