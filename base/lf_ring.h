/** The one bounded queue between threads: many producers, one consumer, C11 atomics, an eventfd to sleep on.
 *
 *  Fixed capacity given at creation (rounded up to a power of two); never allocates afterwards; items are pointers.
 *  The eventfd becomes readable when items wait and the consumer said it would sleep; push never blocks.
 */
#ifndef LF_RING_H
#define LF_RING_H

#include <stdbool.h>
#include <stddef.h>

struct lf_ring;

/** Most items one ring may be made for. */
#define LF_RING_CAPACITY_MAX ((size_t)1 << 24)

/** Returns (caller destroys) a ring for at least `capacity` items, or NULL (no memory, no descriptor, or a
 *  capacity above LF_RING_CAPACITY_MAX). */
struct lf_ring *lf_ring_new(size_t capacity);
/** The ring must be drained and no thread may use it. NULL inside is fine; leaves NULL. */
void lf_ring_destroy(struct lf_ring **ring);
/** Any thread. False when full: the caller keeps the item. */
bool lf_ring_push(struct lf_ring *ring, void *item);
/** The one consumer thread. NULL when empty. */
void *lf_ring_pop(struct lf_ring *ring);
/** Readable when there is something to pop; for poll(2). Consumer only. */
int lf_ring_fd(const struct lf_ring *ring);
/** Consumer: say "I am about to poll lf_ring_fd". Returns false when items wait already (pop instead of polling). */
bool lf_ring_sleep(struct lf_ring *ring);
/** Consumer: after polling; clears the eventfd. */
void lf_ring_wake(struct lf_ring *ring);

#endif
