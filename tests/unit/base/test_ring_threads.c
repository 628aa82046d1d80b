/** The ring and shared buffers, many threads: nothing lost, nothing twice, order kept, no wake-up missed.
 *
 *  Threads report through `struct producer` and return values; only the main thread checks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lf_buf.h"
#include "lf_crc32c.h"
#include "lf_ring.h"

#define PRODUCERS 4
#define ITEMS 20000
#define ROUNDS 60000
/* A wake-up that takes this long was lost. */
#define DEADLINE_MS 20000

struct item {
    int producer, number;
    uint64_t twice; /* plain bytes: TSan sees whether the ring orders them */
};

struct producer {
    struct lf_ring *ring;
    struct item *items;
    int number, count;
    atomic_int *go; /* NULL: as fast as it can */
    pthread_t thread;
};

static void *produce(void *argument) {
    struct producer *producer = argument;
    for (int i = 0; i < producer->count; i++) {
        for (int spin = 1; producer->go && atomic_load(producer->go) <= i; spin++)
            if (spin % 1000 == 0) /* awake and near, else the race below is over before it begins */
                sched_yield();
        struct item *item = &producer->items[i];
        item->producer = producer->number;
        item->number = i;
        item->twice = 2 * (uint64_t)i;
        while (!lf_ring_push(producer->ring, item))
            sched_yield();
    }
    return NULL;
}

static void start(struct producer *producer, struct lf_ring *ring, int number, int count, atomic_int *go) {
    *producer = (struct producer){.ring = ring, .number = number, .count = count, .go = go};
    producer->items = calloc((size_t)count, sizeof *producer->items);
    assert_non_null(producer->items);
    assert_int_equal(pthread_create(&producer->thread, NULL, produce, producer), 0);
}

static void join(struct producer *producer) {
    assert_int_equal(pthread_join(producer->thread, NULL), 0);
    free(producer->items);
}

/* The next item, sleeping on the eventfd as the loop does; NULL: no wake-up came. *slept counts the polls. */
static struct item *wait_for_item(struct lf_ring *ring, long *slept) {
    for (;;) {
        struct item *item = lf_ring_pop(ring);
        if (item)
            return item;
        if (!lf_ring_sleep(ring))
            continue;
        struct pollfd fd = {.fd = lf_ring_fd(ring), .events = POLLIN};
        if (poll(&fd, 1, DEADLINE_MS) != 1)
            return NULL;
        ++*slept;
        lf_ring_wake(ring);
    }
}

static void items_of_many_producers_arrive_once_and_each_ones_in_order(void **state) {
    (void)state;
    struct lf_ring *ring = lf_ring_new(64);
    struct producer producers[PRODUCERS];
    int next[PRODUCERS] = {0};
    long slept = 0;
    for (int i = 0; i < PRODUCERS; i++)
        start(&producers[i], ring, i, ITEMS, NULL);
    for (int n = 0; n < PRODUCERS * ITEMS; n++) {
        struct item *item = wait_for_item(ring, &slept);
        assert_non_null(item);
        assert_int_equal(item->number, next[item->producer]++);
        assert_int_equal(item->twice, 2 * item->number);
    }
    assert_null(lf_ring_pop(ring));
    for (int i = 0; i < PRODUCERS; i++)
        join(&producers[i]);
    print_message("%d items, %ld sleeps\n", PRODUCERS * ITEMS, slept);
    lf_ring_destroy(&ring);
}

/* A producer is let go at the very moment the consumer goes to sleep, once per round; nobody else would wake it. */
static void no_wake_up_is_lost_when_pushing_races_with_falling_asleep(void **state) {
    (void)state;
    struct lf_ring *ring = lf_ring_new(4);
    atomic_int go = 0;
    struct producer producer;
    long slept = 0;
    start(&producer, ring, 0, ROUNDS, &go);
    for (int round = 0; round < ROUNDS; round++) {
        atomic_fetch_add(&go, 1);
        for (volatile int spin = round % 1024; spin > 0; spin--)
            ; /* another meeting point each round */
        assert_non_null(wait_for_item(ring, &slept));
    }
    assert_null(lf_ring_pop(ring));
    join(&producer);
    print_message("%d rounds, %ld sleeps\n", ROUNDS, slept);
    assert_true(slept > 0); /* else this test tried nothing */
    lf_ring_destroy(&ring);
}

static void free_owner(void *owner) { free(owner); }

static void *read_and_drop(void *argument) {
    struct lf_buf *buf = argument;
    uintptr_t sum = lf_crc32c_portable(0, buf->data, buf->size); /* builds its tables in whoever comes first */
    lf_buf_unref(&buf);
    return (void *)sum;
}

static void threads_share_a_buffer_and_the_last_frees_it(void **state) {
    (void)state;
    for (int round = 0; round < 50; round++) {
        uint8_t *bytes = malloc(1000);
        assert_non_null(bytes);
        memset(bytes, round, 1000);
        uint32_t expected = lf_crc32c(0, bytes, 1000);
        struct lf_buf *buf = lf_buf_new_foreign(bytes, 1000, free_owner, bytes);
        pthread_t threads[PRODUCERS];
        for (int i = 0; i < PRODUCERS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, read_and_drop, lf_buf_ref(buf)), 0);
        lf_buf_unref(&buf);
        for (int i = 0; i < PRODUCERS; i++) {
            void *sum;
            assert_int_equal(pthread_join(threads[i], &sum), 0);
            assert_int_equal((uintptr_t)sum, expected);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_a_buffer_and_the_last_frees_it),
        cmocka_unit_test(items_of_many_producers_arrive_once_and_each_ones_in_order),
        cmocka_unit_test(no_wake_up_is_lost_when_pushing_races_with_falling_asleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
