/** The ring, one thread: order, bounds, sleeping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>

#include "lf_ring.h"

static bool readable(const struct lf_ring *ring) {
    struct pollfd fd = {.fd = lf_ring_fd(ring), .events = POLLIN};
    return poll(&fd, 1, 0) == 1;
}

static void items_come_out_in_the_order_they_went_in_over_many_turns(void **state) {
    (void)state;
    static char items[1000];
    struct lf_ring *ring = lf_ring_new(8);
    size_t in = 0, out = 0;
    assert_null(lf_ring_pop(ring));
    while (out < sizeof items) {
        for (int i = 0; i < 5 && in < sizeof items; i++)
            in += lf_ring_push(ring, &items[in]);
        for (int i = 0; i < 3 && out < in; i++)
            assert_ptr_equal(lf_ring_pop(ring), &items[out++]);
    }
    assert_null(lf_ring_pop(ring));
    lf_ring_destroy(&ring);
    assert_null(ring);
    lf_ring_destroy(&ring);
}

static void a_full_ring_refuses_and_takes_again_after_a_pop(void **state) {
    (void)state;
    char item, other;
    for (size_t capacity = 1; capacity < 40; capacity++) {
        struct lf_ring *ring = lf_ring_new(capacity);
        size_t held = 0;
        while (lf_ring_push(ring, &item))
            held++;
        assert_true(held >= capacity && (held & (held - 1)) == 0 && (held < 2 * capacity || held == 2));
        assert_ptr_equal(lf_ring_pop(ring), &item);
        assert_true(lf_ring_push(ring, &other));
        assert_false(lf_ring_push(ring, &other));
        while (lf_ring_pop(ring))
            ;
        lf_ring_destroy(&ring);
    }
}

static void a_capacity_above_the_limit_is_refused(void **state) {
    (void)state;
    assert_null(lf_ring_new(LF_RING_CAPACITY_MAX + 1));
    assert_null(lf_ring_new(SIZE_MAX));
}

static void no_wake_up_is_written_while_the_consumer_is_awake(void **state) {
    (void)state;
    char item;
    struct lf_ring *ring = lf_ring_new(4);
    assert_true(lf_ring_push(ring, &item));
    assert_false(readable(ring));
    lf_ring_pop(ring);
    lf_ring_destroy(&ring);
}

static void sleeping_is_refused_while_items_wait(void **state) {
    (void)state;
    char item;
    struct lf_ring *ring = lf_ring_new(4);
    lf_ring_push(ring, &item);
    assert_false(lf_ring_sleep(ring));
    lf_ring_pop(ring);
    assert_true(lf_ring_sleep(ring));
    lf_ring_wake(ring);
    lf_ring_destroy(&ring);
}

static void the_first_push_after_sleep_wakes_once(void **state) {
    (void)state;
    char item;
    struct lf_ring *ring = lf_ring_new(4);
    assert_true(lf_ring_sleep(ring));
    assert_false(readable(ring));
    lf_ring_push(ring, &item);
    assert_true(readable(ring));
    lf_ring_push(ring, &item);
    lf_ring_wake(ring);
    assert_false(readable(ring));
    assert_non_null(lf_ring_pop(ring));
    assert_non_null(lf_ring_pop(ring));
    assert_true(lf_ring_sleep(ring));
    assert_false(readable(ring));
    lf_ring_wake(ring);
    lf_ring_destroy(&ring);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_the_order_they_went_in_over_many_turns),
        cmocka_unit_test(a_full_ring_refuses_and_takes_again_after_a_pop),
        cmocka_unit_test(a_capacity_above_the_limit_is_refused),
        cmocka_unit_test(no_wake_up_is_written_while_the_consumer_is_awake),
        cmocka_unit_test(sleeping_is_refused_while_items_wait),
        cmocka_unit_test(the_first_push_after_sleep_wakes_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
