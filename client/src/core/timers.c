#include "lf_timers.h"

#include <stdlib.h>

bool lf_timer_register(struct lf_timers *timers, struct lf_timer *timer, enum lf_timer_kind kind, void *owner) {
    if (timers->registered == timers->capacity) {
        size_t capacity = timers->capacity ? timers->capacity * 2 : 64;
        struct lf_timer **heap = realloc(timers->heap, capacity * sizeof *heap);
        if (!heap)
            return false;
        timers->heap = heap;
        timers->capacity = capacity;
    }
    timers->registered++;
    *timer = (struct lf_timer){.kind = kind, .owner = owner, .registered = true};
    return true;
}

static void put(struct lf_timers *timers, size_t place, struct lf_timer *timer) {
    timers->heap[place] = timer;
    timer->slot = place + 1;
}

static void sift_up(struct lf_timers *timers, size_t place) {
    struct lf_timer *timer = timers->heap[place];
    while (place > 0 && timers->heap[(place - 1) / 2]->when_ms > timer->when_ms) {
        put(timers, place, timers->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    put(timers, place, timer);
}

static void sift_down(struct lf_timers *timers, size_t place) {
    struct lf_timer *timer = timers->heap[place];
    for (;;) {
        size_t child = place * 2 + 1;
        if (child >= timers->count)
            break;
        if (child + 1 < timers->count && timers->heap[child + 1]->when_ms < timers->heap[child]->when_ms)
            child++;
        if (timers->heap[child]->when_ms >= timer->when_ms)
            break;
        put(timers, place, timers->heap[child]);
        place = child;
    }
    put(timers, place, timer);
}

void lf_timer_cancel(struct lf_timers *timers, struct lf_timer *timer) {
    if (timer->slot == 0)
        return;
    size_t place = timer->slot - 1;
    struct lf_timer *last = timers->heap[--timers->count];
    timer->slot = 0;
    if (last == timer)
        return;
    put(timers, place, last);
    sift_up(timers, place);
    sift_down(timers, last->slot - 1);
}

void lf_timer_unregister(struct lf_timers *timers, struct lf_timer *timer) {
    if (!timer->registered)
        return;
    lf_timer_cancel(timers, timer);
    timer->registered = false;
    timers->registered--;
}

void lf_timer_set(struct lf_timers *timers, struct lf_timer *timer, uint64_t when_ms) {
    if (!timer->registered || (timer->slot > 0 && timer->when_ms == when_ms))
        return;
    timer->when_ms = when_ms;
    if (timer->slot == 0)
        put(timers, timers->count++, timer);
    sift_up(timers, timer->slot - 1);
    sift_down(timers, timer->slot - 1);
}

struct lf_timer *lf_timer_due(struct lf_timers *timers, uint64_t now_ms) {
    if (timers->count == 0 || timers->heap[0]->when_ms > now_ms)
        return NULL;
    struct lf_timer *timer = timers->heap[0];
    lf_timer_cancel(timers, timer);
    return timer;
}

uint64_t lf_timers_next(const struct lf_timers *timers) {
    return timers->count ? timers->heap[0]->when_ms : UINT64_MAX;
}
