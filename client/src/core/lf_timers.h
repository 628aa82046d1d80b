/** A heap of deadlines. Room is made when a timer is registered, so that setting one never fails. */
#ifndef LF_TIMERS_H
#define LF_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lf_timer_kind {
    LF_TIMER_BROKER,
    LF_TIMER_CORE,
    LF_TIMER_TOPIC,
    LF_TIMER_PUBLISHER,
    LF_TIMER_READER,
    LF_TIMER_CALL
};
struct lf_timer {
    uint64_t when_ms;
    size_t slot; /* place in the heap plus 1; 0: not set */
    enum lf_timer_kind kind;
    void *owner;
    bool registered;
};
struct lf_timers {
    struct lf_timer **heap;
    size_t count, capacity, registered;
};
/** Makes room, so that lf_timer_set cannot fail later. False without memory. */
bool lf_timer_register(struct lf_timers *timers, struct lf_timer *timer, enum lf_timer_kind kind, void *owner);
void lf_timer_unregister(struct lf_timers *timers, struct lf_timer *timer);
void lf_timer_set(struct lf_timers *timers, struct lf_timer *timer, uint64_t when_ms);
void lf_timer_cancel(struct lf_timers *timers, struct lf_timer *timer);
/** The earliest that is due, now cancelled; NULL: none. */
struct lf_timer *lf_timer_due(struct lf_timers *timers, uint64_t now_ms);
uint64_t lf_timers_next(const struct lf_timers *timers);

#endif
