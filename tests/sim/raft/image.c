/** A virtual owner's part of compaction and images.
 *
 *  An image is of a committed prefix, so what it stands for is known to the world. A log array keeps what an image
 *  stands for, so that all checks can compare it; `previous` says what nobody may send or start from any more. */
#include "record.h"
#include "sim.h"

void sim_log_install(struct sim_world *world, struct sim_log *log, uint64_t index) {
    log->count = 0;
    for (uint64_t i = 1; i <= index; i++)
        sim_log_push(log, &world->indexes[i].entry);
    log->previous = index;
}

uint64_t sim_image_make(struct sim_host *host) {
    struct sim_world *world = host->world;
    struct sim_image image = {.index = raft_commit(host->raft), .leader_term = raft_term(host->raft)};
    image.term = raft_entry_term(host->raft, image.index);
    for (uint64_t i = 1; i <= image.index; i++) {
        if (host->log.entries[i - 1].configuration == 0)
            continue;
        image.configuration_index = i;
        image.configuration = host->log.entries[i - 1].configuration;
    }
    if (image.configuration == 0)
        image.configuration = 1;
    world->images = sim_grown(world->images, &world->image_capacity, world->image_count + 1, sizeof *world->images);
    world->images[world->image_count++] = image;
    sim_record(host, SIM_OP_IMAGE, world->image_count);
    return world->image_count;
}

void sim_compact_at(struct sim_host *host, uint64_t index) {
    struct raft_event event = {.type = RAFT_EVENT_COMPACTED, .compacted = {.index = index}};
    if (index > raft_commit(host->raft))
        return; /* replayed otherwise */
    sim_record(host, SIM_OP_COMPACT, index);
    if (index > host->log.previous) {
        host->world->totals.compactions++;
        host->log.previous = index; /* gone at once: what the core sends in this very step must not need it */
    }
    if (sim_host_step(host, &event, NULL) != LF_OK)
        sim_fail(host->world, "node %llu does not take a compaction up to %llu", (unsigned long long)host->id,
                 (unsigned long long)index);
}

enum lf_status sim_install_at(struct sim_host *host, uint64_t number) {
    struct sim_world *world = host->world;
    if (number == 0 || number > world->image_count || world->images[number - 1].index == 0)
        return LF_NOT_FOUND;
    struct sim_image image = world->images[number - 1]; /* its host may be another one's source: the table may move */
    struct raft_configuration_at at = {.index = image.configuration_index,
                                       .configuration = *sim_configuration(world, image.configuration)};
    struct raft_event event = {
        .type = RAFT_EVENT_INSTALL,
        .install = {.index = image.index, .term = image.term, .leader_term = image.leader_term, .configuration = &at}};
    sim_record(host, SIM_OP_INSTALL, number);
    return sim_host_step(host, &event, NULL);
}

void sim_offer_at(struct sim_host *host, uint64_t replica) {
    struct raft_event event = {.type = RAFT_EVENT_OFFER,
                               .offer = {.replica = replica, .index = raft_commit(host->raft)}};
    sim_record(host, SIM_OP_OFFER, replica);
    if (event.offer.index > 0 && sim_host_step(host, &event, NULL) == LF_OK)
        host->world->totals.offers_wanted++;
}
