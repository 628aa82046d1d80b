#include "clock.h"

#include "lf_check.h"

#include <time.h>

static struct timespec look(clockid_t clock) {
    struct timespec now;
    int failed = clock_gettime(clock, &now);
    lf_check(failed == 0);
    return now;
}

uint64_t clock_now_us(void) {
    struct timespec now = look(CLOCK_MONOTONIC);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_now_ms(void) { return clock_now_us() / 1000; }

int64_t clock_wall_ms(void) {
    struct timespec now = look(CLOCK_REALTIME);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
