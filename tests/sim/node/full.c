/** Disks that fill up and get room again.
 *
 *  The node is told its room; on the last step nothing is handed to its store any more, as the real loop does. Half of
 *  the time the store met the full disk before that: then what was held back is never written, and with room again the
 *  process begins anew on what its disk has. */
#include "host.h"

#include "check.h"
#include "lf_entry.h"

#define SOFT_BYTES 1000u
#define HARD_BYTES 500u

static const uint64_t rooms[] = {[SIM_ROOM] = 10 * SOFT_BYTES,
                                 [SIM_ROOM_SOFT] = SOFT_BYTES - 1,
                                 [SIM_ROOM_HARD] = HARD_BYTES - 1,
                                 [SIM_ROOM_NONE] = 0};

static void tell(struct sim_host *host) {
    struct node_event event = {
        .type = NODE_EVENT_SPACE,
        .space = {.room_bytes = rooms[host->room], .soft_bytes = SOFT_BYTES, .hard_bytes = HARD_BYTES}};
    sim_host_step(host, &event);
}

void sim_full_started(struct sim_host *host) {
    if (host->room != SIM_ROOM)
        tell(host);
}

void sim_full_hold(struct sim_host *host, struct log_store_write **write) {
    struct log_store_write **end = &host->held;
    while (*end)
        end = &(*end)->next;
    *end = *write;
    *write = NULL;
    (*end)->next = NULL;
}

void sim_full_drop(struct sim_host *host) {
    while (host->held) {
        struct log_store_write *write = host->held;
        host->held = write->next;
        write->next = NULL;
        log_store_write_destroy(&write);
    }
    host->spoiled = false;
}

static void let_go(struct sim_host *host) {
    while (host->held) {
        struct log_store_write *write = host->held;
        host->held = write->next;
        write->next = NULL;
        if (log_store_submit(host->store, &write) != LF_OK)
            sim_fail(host->world, "node %u: the store is full, with a world this small", host->id);
    }
    sim_disk_schedule(host);
}

static void set(struct sim_host *host, enum sim_room room) {
    struct sim_world *world = host->world;
    bool held = host->room == SIM_ROOM_NONE;
    host->room = room;
    sim_tracef(world, "room node=%u step=%d", host->id, (int)room);
    if (held && room != SIM_ROOM_NONE) {
        if (host->waits_for_room) {
            sim_host_start(host);
        } else if (!sim_host_up(host)) {
            host->spoiled = false;
        } else if (host->spoiled) {
            world->totals.full_anew++;
            sim_host_end(host, SIM_END_KILL, world->now + sim_between(world, 0, 400) * SIM_MS);
        } else {
            let_go(host);
        }
    }
    if (sim_host_up(host)) {
        host->spoiled = room == SIM_ROOM_NONE && (host->spoiled || sim_chance(world, 500));
        tell(host);
    }
}

void sim_full_step(struct sim_world *world, const struct sim_event *event) {
    struct sim_host *host = &world->hosts[event->who - 1];
    if (event->number == host->room_number)
        set(host, SIM_ROOM);
}

void sim_full_repair(struct sim_host *host) {
    host->room_number++;
    if (host->room != SIM_ROOM)
        set(host, SIM_ROOM);
}

static void fill(struct sim_host *host) {
    struct sim_world *world = host->world;
    if (!sim_host_up(host) || host->paused || host->stopping || host->room != SIM_ROOM)
        return;
    world->totals.disks_full++;
    enum sim_room room = (enum sim_room)sim_between(world, SIM_ROOM_SOFT, SIM_ROOM_NONE);
    world->totals.full_to_the_end += room == SIM_ROOM_NONE;
    sim_at(world, world->now + sim_between(world, 100, 4000) * SIM_MS, SIM_DISK_ROOM, host->id, ++host->room_number,
           NULL);
    set(host, room);
}

void sim_full_fault(struct sim_world *world, struct sim_host *victim) {
    if (!sim_chance(world, 250)) {
        fill(victim);
        return;
    }
    for (uint32_t i = 0; i < world->node_count; i++)
        fill(&world->hosts[i]);
}

/** FD: what a node writes once it knows that its disk is full. */
void sim_full_check(const struct sim_host *host, const struct log_store_write *write) {
    const struct raft *raft = node_group_raft(host->node, write->group);
    for (uint32_t i = 0; i < write->entry_count; i++) {
        const uint8_t *header = write->entries[i]->data;
        bool batch = header[5] == LF_ENTRY_BATCH;
        bool own = raft && raft_role(raft) == RAFT_LEADER && lf_get_le64(header + 24) == raft_term(raft);
        if (batch && (host->room >= SIM_ROOM_HARD || (own && host->room >= SIM_ROOM_SOFT)))
            sim_fail(host->world, "FD: node %u writes a batch of group %llu with its disk %s", host->id,
                     (unsigned long long)write->group, host->room >= SIM_ROOM_HARD ? "full" : "nearly full");
    }
}
