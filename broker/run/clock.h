/** The broker's only look at the operating system's clocks; everything below gets time with its events. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/** Monotonic, in milliseconds; goes on while the process is stopped. */
uint64_t clock_now_ms(void);
/** The same clock in microseconds. */
uint64_t clock_now_us(void);
/** Unix time in milliseconds. */
int64_t clock_wall_ms(void);

#endif
