/** What will happen: a heap by time, then by order of arrival. */
#include "sim.h"

static bool before(const struct sim_event *a, const struct sim_event *b) {
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void sim_at(struct sim_world *world, uint64_t at, enum sim_event_kind kind, uint32_t who, uint64_t number, void *load) {
    world->events = sim_grown(world->events, &world->event_capacity, world->event_count + 1, sizeof *world->events);
    struct sim_event event = {.at = at < world->now ? world->now : at,
                              .order = world->event_order++,
                              .kind = kind,
                              .who = who,
                              .number = number,
                              .load = load};
    size_t i = world->event_count++;
    for (; i > 0 && before(&event, &world->events[(i - 1) / 2]); i = (i - 1) / 2)
        world->events[i] = world->events[(i - 1) / 2];
    world->events[i] = event;
}

bool sim_next(struct sim_world *world, struct sim_event *event) {
    if (world->event_count == 0)
        return false;
    *event = world->events[0];
    struct sim_event last = world->events[--world->event_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= world->event_count)
            break;
        if (child + 1 < world->event_count && before(&world->events[child + 1], &world->events[child]))
            child++;
        if (!before(&world->events[child], &last))
            break;
        world->events[i] = world->events[child];
        i = child;
    }
    world->events[i] = last;
    return true;
}
