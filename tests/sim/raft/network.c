#include "record.h"
#include "sim.h"

#include <stdlib.h>
#include <string.h>

static struct sim_message *packed(struct sim_host *from, const struct raft_message *message) {
    if (message->type == RAFT_APPEND_REQUEST && message->append_request.prev_index < from->log.previous)
        sim_fail(from->world, "node %llu sends what is after %llu; its log begins after %llu",
                 (unsigned long long)from->id, (unsigned long long)message->append_request.prev_index,
                 (unsigned long long)from->log.previous);
    uint32_t count = message->type == RAFT_APPEND_REQUEST ? message->append_request.count : 0;
    size_t bytes = sizeof(struct sim_message) + count * (sizeof(struct raft_entry) + sizeof(struct sim_entry));
    struct sim_message *packed = malloc(bytes);
    if (!packed)
        sim_fail(from->world, "no memory");
    *packed = (struct sim_message){
        .message = *message, .receiver_incarnation = sim_host(from->world, message->to)->incarnation, .references = 1};
    if (count == 0)
        return packed;
    packed->entries = (struct raft_entry *)(packed + 1);
    packed->payload = (struct sim_entry *)(packed->entries + count);
    memcpy(packed->payload, &from->log.entries[message->append_request.prev_index], count * sizeof *packed->payload);
    for (uint32_t i = 0; i < count; i++) {
        const struct sim_entry *entry = &packed->payload[i];
        packed->entries[i] = (struct raft_entry){.term = entry->term, .bytes = entry->bytes};
        if (entry->configuration != 0)
            packed->entries[i].configuration = sim_configuration(from->world, entry->configuration);
    }
    packed->message.append_request.entries = packed->entries;
    return packed;
}

void sim_message_release(struct sim_message **where) {
    struct sim_message *message = *where;
    *where = NULL;
    if (message && --message->references == 0)
        free(message);
}

static uint64_t arrival(struct sim_world *world) {
    uint64_t at = world->now + sim_between(world, 50, world->calm ? 1000 : world->weather.delay_us_max);
    if (!world->calm && sim_chance(world, world->weather.hold_permille)) {
        world->totals.held++;
        at += sim_between(world, 20000, sim_chance(world, 100) ? 1500000 : 120000);
    }
    return at;
}

void sim_send(struct sim_host *from, const struct raft_message *message) {
    struct sim_world *world = from->world;
    sim_check_message(from, message);
    world->totals.messages++;
    if (world->blocked[from->id - 1][message->to - 1]) {
        world->totals.cut++;
        return;
    }
    if (!world->calm && sim_chance(world, world->weather.drop_permille)) {
        world->totals.dropped++;
        return;
    }
    struct sim_message *sent = packed(from, message);
    sent->order = ++world->link_sent[from->id - 1][message->to - 1];
    sim_at(world, arrival(world), SIM_DELIVER, message->to, 0, sent);
    while (!world->calm && sim_chance(world, world->weather.duplicate_permille)) {
        world->totals.duplicated++;
        sent->references++;
        sim_at(world, arrival(world), SIM_DELIVER, message->to, 0, sent);
    }
}

void sim_deliver(struct sim_world *world, struct sim_event *event) {
    struct sim_message *sent = event->message;
    struct sim_host *host = sim_host(world, event->host);
    uint64_t *seen = &world->link_seen[sent->message.from - 1][event->host - 1];
    if (host->raft && !world->blocked[sent->message.from - 1][event->host - 1]) {
        if (sent->order < *seen)
            world->totals.reordered++;
        else
            *seen = sent->order;
        if (host->incarnation != sent->receiver_incarnation)
            world->totals.across_restart++;
        sim_record_deliver(host, sent);
        struct raft_event step = {.type = RAFT_EVENT_MESSAGE, .message = &sent->message};
        sim_host_step(host, &step, sent->payload);
    }
    sim_message_release(&event->message);
}
