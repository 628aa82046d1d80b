/** The queue between threads: order, bound, and that a sleeping consumer is always woken.
 *  Threads report back; only the test's own thread asserts. */
#include "lf_ring.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PRODUCERS 4
#define ITEMS_EACH 50000
#define SMALL_ROUNDS 20000
/** No wake-up for this long is a lost wake-up. */
#define DEADLINE_MS 20000

static void *item(uintptr_t number) { return (void *)number; } // NOLINT: a number travels as a pointer

static void a_ring_holds_at_least_what_was_asked_and_then_refuses(void **state) {
    (void)state;
    for (size_t capacity = 0; capacity < 70; capacity++) {
        struct lf_ring *ring = lf_ring_new(capacity);
        assert_non_null(ring);
        uintptr_t held = 0;
        while (lf_ring_push(ring, item(held + 1)))
            held++;
        assert_true(held >= capacity && held <= 2 * capacity + 2);
        assert_int_equal(held & (held - 1), 0);
        assert_false(lf_ring_push(ring, item(999)));
        for (uintptr_t i = 1; i <= held; i++)
            assert_ptr_equal(lf_ring_pop(ring), item(i));
        assert_null(lf_ring_pop(ring));
        lf_ring_destroy(&ring);
        assert_null(ring);
    }
    struct lf_ring *none = NULL;
    lf_ring_destroy(&none);
}

static void a_ring_nobody_can_hold_is_refused(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* a sanitizer's allocator ends the process at such a size */
#endif
    assert_null(lf_ring_new(SIZE_MAX / 64));
}

static void order_survives_many_turns(void **state) {
    (void)state;
    struct lf_ring *ring = lf_ring_new(8);
    uintptr_t in = 0, out = 0;
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < round % 9; i++)
            in += lf_ring_push(ring, item(in + 1));
        for (int i = 0; i < (round + 5) % 9; i++) {
            void *got = lf_ring_pop(ring);
            assert_ptr_equal(got, out < in ? item(out + 1) : NULL);
            out += got != NULL;
        }
        assert_true(in - out <= 8);
    }
    while (lf_ring_pop(ring))
        out++;
    assert_int_equal(in, out);
    lf_ring_destroy(&ring);
}

static int readable(const struct lf_ring *ring, int timeout_ms) {
    struct pollfd look = {.fd = lf_ring_fd(ring), .events = POLLIN};
    return poll(&look, 1, timeout_ms);
}

static void the_descriptor_wakes_only_who_said_it_sleeps(void **state) {
    (void)state;
    struct lf_ring *ring = lf_ring_new(4);
    assert_true(lf_ring_push(ring, item(1)));
    assert_int_equal(readable(ring, 0), 0); /* nobody sleeps: no system call was spent */
    assert_false(lf_ring_sleep(ring));      /* something waits: pop instead */
    assert_ptr_equal(lf_ring_pop(ring), item(1));
    assert_true(lf_ring_sleep(ring));
    assert_int_equal(readable(ring, 0), 0);
    assert_true(lf_ring_push(ring, item(2)));
    assert_true(lf_ring_push(ring, item(3)));
    assert_int_equal(readable(ring, 0), 1);
    lf_ring_wake(ring);
    assert_int_equal(readable(ring, 0), 0);
    assert_ptr_equal(lf_ring_pop(ring), item(2));
    assert_ptr_equal(lf_ring_pop(ring), item(3));
    lf_ring_destroy(&ring);
}

struct shared {
    struct lf_ring *ring;
    atomic_size_t popped; /**< by the consumer, of all producers */
    bool one_at_a_time;
    size_t each;
};

struct producer {
    struct shared *shared;
    uintptr_t number;
    size_t refused;
};

static void *produce(void *context) {
    struct producer *mine = context;
    struct shared *shared = mine->shared;
    for (size_t i = 0; i < shared->each; i++) {
        while (!lf_ring_push(shared->ring, item(mine->number << 32 | (i + 1)))) {
            mine->refused++;
            sched_yield();
        }
        while (shared->one_at_a_time && atomic_load_explicit(&shared->popped, memory_order_relaxed) <= i)
            sched_yield();
    }
    return NULL;
}

struct outcome {
    size_t popped, sleeps;
    size_t next[PRODUCERS]; /**< last number seen of each producer */
    const char *wrong;      /**< NULL: nothing */
};

static void take(struct outcome *outcome, void *got) {
    uintptr_t number = (uintptr_t)got;
    size_t from = number >> 32, at = number & UINT32_MAX;
    if (from >= PRODUCERS || at != outcome->next[from] + 1)
        outcome->wrong = "an item was lost, doubled or out of order";
    else
        outcome->next[from] = at;
    outcome->popped++;
}

static struct outcome consume(struct shared *shared, size_t total) {
    struct outcome outcome = {0};
    while (outcome.popped < total && !outcome.wrong) {
        void *got = lf_ring_pop(shared->ring);
        if (got) {
            take(&outcome, got);
            atomic_store_explicit(&shared->popped, outcome.popped, memory_order_relaxed);
            continue;
        }
        if (!lf_ring_sleep(shared->ring)) {
            /* Between claiming a cell and filling it a producer may be preempted: then another's item waits behind. */
            continue;
        }
        outcome.sleeps++;
        if (readable(shared->ring, DEADLINE_MS) != 1)
            outcome.wrong = "a wake-up was lost";
        lf_ring_wake(shared->ring);
    }
    return outcome;
}

static void run(size_t capacity, size_t producers, size_t each, bool one_at_a_time) {
    struct shared shared = {.ring = lf_ring_new(capacity), .one_at_a_time = one_at_a_time, .each = each};
    struct producer all[PRODUCERS];
    pthread_t threads[PRODUCERS];
    assert_non_null(shared.ring);
    for (size_t i = 0; i < producers; i++) {
        all[i] = (struct producer){.shared = &shared, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &all[i]), 0);
    }
    struct outcome outcome = consume(&shared, producers * each);
    if (outcome.wrong)
        fail_msg("%s after %zu items and %zu sleeps", outcome.wrong, outcome.popped, outcome.sleeps);
    size_t refused = 0;
    for (size_t i = 0; i < producers; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(outcome.next[i], each);
        refused += all[i].refused;
    }
    print_message("%zu items, %zu sleeps, %zu refusals\n", outcome.popped, outcome.sleeps, refused);
    assert_null(lf_ring_pop(shared.ring));
    assert_true(outcome.sleeps > 0 || !one_at_a_time);
    lf_ring_destroy(&shared.ring);
}

static void many_producers_lose_nothing(void **state) {
    (void)state;
    run(1024, PRODUCERS, ITEMS_EACH, false);
}
static void many_producers_lose_nothing_in_a_tiny_ring(void **state) {
    (void)state;
    run(2, PRODUCERS, ITEMS_EACH / 5, false);
}
static void each_single_item_wakes_the_sleeper(void **state) {
    (void)state;
    run(16, 1, SMALL_ROUNDS, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_holds_at_least_what_was_asked_and_then_refuses),
        cmocka_unit_test(a_ring_nobody_can_hold_is_refused),
        cmocka_unit_test(order_survives_many_turns),
        cmocka_unit_test(the_descriptor_wakes_only_who_said_it_sleeps),
        cmocka_unit_test(many_producers_lose_nothing),
        cmocka_unit_test(many_producers_lose_nothing_in_a_tiny_ring),
        cmocka_unit_test(each_single_item_wakes_the_sleeper),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
