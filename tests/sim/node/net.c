/** Links between nodes: delays, losses, copies, disorder, cuts, and delivery across a restart of the receiver. */
#include "net.h"

#include "peer_codec.h"

#include <stdlib.h>
#include <string.h>

#define LATE_MS_MAX 3000
#define HOLD_MS_MAX 75
#define WAIT_MS_MAX 400

struct sim_parcel {
    uint32_t from, to;
    uint64_t generation; /**< of the receiver when it was sent */
    bool waited, late;
    struct peer_frames frames;
};

void sim_parcel_destroy(struct sim_parcel *parcel) {
    peer_frames_deinit(&parcel->frames);
    free(parcel);
}

static struct sim_parcel *copy(const struct sim_parcel *parcel) {
    struct sim_parcel *twin = sim_alloc(1, sizeof *twin);
    *twin = *parcel;
    twin->frames.frames = sim_alloc(parcel->frames.count, sizeof *twin->frames.frames);
    for (size_t i = 0; i < parcel->frames.count; i++)
        twin->frames.frames[i] = lf_buf_ref(parcel->frames.frames[i]);
    return twin;
}

static bool is_cut(const struct sim_world *world, uint32_t from, uint32_t to) {
    return world->cuts[from - 1][to - 1] != 0;
}

/** In order on its lane, but for those that are held. */
static uint64_t arrival(struct sim_world *world, const struct sim_parcel *parcel, enum peer_lane lane) {
    const struct sim_weather *weather = &world->weather;
    uint64_t at = world->now + sim_between(world, weather->delay_us_min, weather->delay_us_max);
    uint64_t *last = &world->lane_last[parcel->from - 1][parcel->to - 1][lane - 1];
    if (sim_chance(world, weather->reorder_permille)) {
        at += sim_between(world, 1, HOLD_MS_MAX) * SIM_MS;
        world->totals.reordered++;
        return at;
    }
    if (at < *last)
        at = *last;
    *last = at;
    return at;
}

static void post(struct sim_world *world, struct sim_parcel *parcel, enum peer_lane lane) {
    uint64_t at = arrival(world, parcel, lane);
    if (is_cut(world, parcel->from, parcel->to)) {
        if (!sim_chance(world, world->weather.late_permille)) {
            world->totals.blocked++;
            sim_parcel_destroy(parcel);
            return;
        }
        parcel->late = true;
        at += sim_between(world, 10, LATE_MS_MAX) * SIM_MS;
    }
    sim_at(world, at, SIM_PARCEL, parcel->to, parcel->from, parcel);
}

void sim_net_send(struct sim_host *from, const struct peer_envelope *envelope) {
    struct sim_world *world = from->world;
    if (envelope->to_node < 1 || envelope->to_node > world->node_count || envelope->to_node == from->id ||
        envelope->from_node != from->id)
        sim_fail(world, "node %u sends from %llu to %llu", from->id, (unsigned long long)envelope->from_node,
                 (unsigned long long)envelope->to_node);
    world->totals.sent++;
    if (!from->connected[envelope->to_node - 1]) /* forgotten in the very step that sends */
        return;
    if (sim_chance(world, world->weather.drop_permille)) {
        world->totals.dropped++;
        return;
    }
    struct sim_parcel *parcel = sim_alloc(1, sizeof *parcel);
    parcel->from = from->id;
    parcel->to = (uint32_t)envelope->to_node;
    parcel->generation = world->hosts[parcel->to - 1].generation;
    if (peer_codec_encode(envelope, &parcel->frames) != LF_OK)
        sim_fail(world, "node %u: an envelope cannot be encoded", from->id);
    if (sim_chance(world, world->weather.duplicate_permille)) {
        world->totals.duplicated++;
        post(world, copy(parcel), envelope->lane);
    }
    post(world, parcel, envelope->lane);
}

void sim_net_arrive(struct sim_world *world, struct sim_event *event) {
    struct sim_parcel *parcel = event->load;
    struct sim_host *to = &world->hosts[parcel->to - 1];
    if (!sim_host_up(to) && !parcel->waited) { /* what its sender still holds reaches the next process */
        parcel->waited = true;
        sim_at(world, world->now + sim_between(world, 1, WAIT_MS_MAX) * SIM_MS, SIM_PARCEL, parcel->to, parcel->from,
               parcel);
        return;
    }
    if (!sim_host_up(to) || is_cut(world, parcel->from, parcel->to)) {
        world->totals.blocked++;
        sim_parcel_destroy(parcel);
        return;
    }
    world->totals.across_restart += to->generation != parcel->generation;
    world->totals.late += parcel->late;
    struct lf_error error = {0};
    struct peer_envelope *envelope = NULL;
    if (peer_codec_decode(parcel->frames.frames, parcel->frames.count, &envelope, &error) != LF_OK)
        sim_fail(world, "what node %u sent to node %u cannot be decoded: %s", parcel->from, parcel->to, error.text);
    sim_parcel_destroy(parcel);
    sim_host_step(to, &(struct node_event){.type = NODE_EVENT_PEER, .envelope = envelope});
    peer_envelope_destroy(&envelope);
}

/** Each cut is one bit of a link's word, so that they may lie upon each other. */
static uint32_t bit(uint64_t cut) { return 1u << (cut % 32); }

uint64_t sim_net_cut(struct sim_world *world, const uint32_t gone[SIM_NODES_MAX], bool one_way) {
    uint64_t cut = world->next_cut++;
    for (uint32_t a = 0; a < world->node_count; a++)
        for (uint32_t b = 0; b < world->node_count; b++)
            if (gone[a] >> b & 1) {
                world->cuts[a][b] |= bit(cut);
                if (!one_way)
                    world->cuts[b][a] |= bit(cut);
            }
    return cut;
}

bool sim_net_hears(const struct sim_world *world, uint32_t from, uint32_t to) { return !is_cut(world, from, to); }

void sim_net_heal(struct sim_world *world, uint64_t cut) {
    for (uint32_t a = 0; a < world->node_count; a++)
        for (uint32_t b = 0; b < world->node_count; b++)
            world->cuts[a][b] &= ~bit(cut);
}

void sim_net_heal_all(struct sim_world *world) { memset(world->cuts, 0, sizeof world->cuts); }
