/** The queue of what will happen: a heap by time, then by order of arrival. */
#include "replay.h"
#include "sim.h"

static bool before(const struct sim_event *a, const struct sim_event *b) {
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void swap(struct sim_event *a, struct sim_event *b) {
    struct sim_event kept = *a;
    *a = *b;
    *b = kept;
}

void sim_at(struct sim_world *world, uint64_t at, enum sim_event_kind kind, uint64_t host, uint64_t generation,
            struct sim_message *message) {
    if (world->replay) { /* nothing happens by itself */
        if (kind == SIM_DELIVER)
            sim_replay_sent(world->replay, message);
        return;
    }
    world->events = sim_grown(world->events, &world->event_capacity, world->event_count + 1, sizeof *world->events);
    size_t i = world->event_count++;
    world->events[i] = (struct sim_event){.at = at,
                                          .order = world->event_order++,
                                          .kind = kind,
                                          .host = host,
                                          .generation = generation,
                                          .message = message};
    for (; i > 0 && before(&world->events[i], &world->events[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&world->events[i], &world->events[(i - 1) / 2]);
}

bool sim_next(struct sim_world *world, struct sim_event *event) {
    if (world->event_count == 0)
        return false;
    *event = world->events[0];
    world->events[0] = world->events[--world->event_count];
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1, right = left + 1;
        if (left < world->event_count && before(&world->events[left], &world->events[least]))
            least = left;
        if (right < world->event_count && before(&world->events[right], &world->events[least]))
            least = right;
        if (least == i)
            return true;
        swap(&world->events[i], &world->events[least]);
        i = least;
    }
}
