/** Bounded queue of pointers after Vyukov's design: each cell carries the number of the turn it is ready for, so
 *  producers claim a cell by one compare-and-swap and the consumer needs none.
 *
 *  Sleeping, without a lost wake-up:
 *  1. the consumer sets `asleep`, 2. looks once more, 3. polls the eventfd;
 *  1. a producer publishes its item, 2. looks at `asleep`, 3. whoever takes `asleep` away writes the eventfd.
 *  Both first steps are stores and both second steps loads, all sequentially consistent: one of the two sees the other.
 */
#include "lf_ring.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CACHE_LINE 64

struct cell {
    atomic_size_t turn;
    void *item;
};

struct lf_ring {
    size_t mask;
    int fd;
    struct cell *cells;
    _Alignas(CACHE_LINE) atomic_size_t tail; /* producers */
    _Alignas(CACHE_LINE) size_t head;        /* the consumer */
    _Alignas(CACHE_LINE) atomic_int asleep;
};

struct lf_ring *lf_ring_new(size_t capacity) {
    if (capacity > LF_RING_CAPACITY_MAX)
        return NULL;
    size_t size = 2;
    while (size < capacity)
        size *= 2;
    struct lf_ring *ring = aligned_alloc(CACHE_LINE, (sizeof *ring + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    if (!ring)
        return NULL;
    ring->cells = calloc(size, sizeof *ring->cells);
    ring->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!ring->cells || ring->fd < 0) {
        if (ring->fd >= 0)
            close(ring->fd);
        free(ring->cells);
        free(ring);
        return NULL;
    }
    ring->mask = size - 1;
    for (size_t i = 0; i < size; i++)
        atomic_init(&ring->cells[i].turn, i);
    atomic_init(&ring->tail, 0);
    ring->head = 0;
    atomic_init(&ring->asleep, 0);
    return ring;
}

void lf_ring_destroy(struct lf_ring **where) {
    struct lf_ring *ring = *where;
    *where = NULL;
    if (!ring)
        return;
    close(ring->fd);
    free(ring->cells);
    free(ring);
}

static void wake(struct lf_ring *ring) {
    uint64_t one = 1;
    ssize_t written = write(ring->fd, &one, sizeof one);
    (void)written; /* EAGAIN: it is readable already */
}

bool lf_ring_push(struct lf_ring *ring, void *item) {
    size_t at = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    struct cell *cell;
    for (;;) {
        cell = &ring->cells[at & ring->mask];
        intptr_t ahead = (intptr_t)(atomic_load_explicit(&cell->turn, memory_order_acquire) - at);
        if (ahead < 0)
            return false;
        if (ahead > 0)
            at = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        else if (atomic_compare_exchange_weak_explicit(&ring->tail, &at, at + 1, memory_order_relaxed,
                                                       memory_order_relaxed))
            break;
    }
    cell->item = item;
    atomic_store_explicit(&cell->turn, at + 1, memory_order_seq_cst);
    if (atomic_load_explicit(&ring->asleep, memory_order_seq_cst) != 0 &&
        atomic_exchange_explicit(&ring->asleep, 0, memory_order_seq_cst) != 0)
        wake(ring);
    return true;
}

static bool ready(const struct lf_ring *ring, memory_order order) {
    return atomic_load_explicit(&ring->cells[ring->head & ring->mask].turn, order) == ring->head + 1;
}

void *lf_ring_pop(struct lf_ring *ring) {
    if (!ready(ring, memory_order_acquire))
        return NULL;
    struct cell *cell = &ring->cells[ring->head & ring->mask];
    void *item = cell->item;
    atomic_store_explicit(&cell->turn, ring->head + ring->mask + 1, memory_order_release);
    ring->head++;
    return item;
}

int lf_ring_fd(const struct lf_ring *ring) { return ring->fd; }

bool lf_ring_sleep(struct lf_ring *ring) {
    atomic_store_explicit(&ring->asleep, 1, memory_order_seq_cst);
    if (!ready(ring, memory_order_seq_cst))
        return true;
    atomic_store_explicit(&ring->asleep, 0, memory_order_seq_cst);
    return false;
}

void lf_ring_wake(struct lf_ring *ring) {
    atomic_store_explicit(&ring->asleep, 0, memory_order_seq_cst);
    uint64_t count;
    ssize_t got = read(ring->fd, &count, sizeof count);
    (void)got; /* EAGAIN: a spurious wake-up */
}
