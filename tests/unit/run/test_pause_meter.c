/** How long the loop did not run. */
#include "pause_meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct pause_meter meter;

static void sleeping_as_intended_is_no_pause(void **state) {
    (void)state;
    pause_meter_init(&meter, 1000);
    pause_meter_sleep(&meter, 1000, 25);
    assert_int_equal(pause_meter_wake(&meter, 1025), 0);
    pause_meter_sleep(&meter, 1026, 25);
    assert_int_equal(pause_meter_wake(&meter, 1027), 0);
    assert_int_equal(pause_meter_take_longest(&meter), 1);
    assert_int_equal(pause_meter_take_longest(&meter), 0);
}

static void waking_late_is_an_absence(void **state) {
    (void)state;
    pause_meter_init(&meter, 1000);
    pause_meter_sleep(&meter, 1000, 25);
    assert_int_equal(pause_meter_wake(&meter, 1025 + PAUSE_METER_NORMAL_MS), 0);
    pause_meter_sleep(&meter, 2000, 0);
    assert_int_equal(pause_meter_wake(&meter, 9000), 7000 + 2000 - 1075);
    assert_int_equal(pause_meter_take_longest(&meter), 7925);
}

static void a_long_turn_is_an_absence_too(void **state) {
    (void)state;
    pause_meter_init(&meter, 1000);
    pause_meter_sleep(&meter, 1000, 0);
    assert_int_equal(pause_meter_wake(&meter, 1000), 0);
    pause_meter_sleep(&meter, 1200, 10); /* the turn took 200 ms */
    assert_int_equal(pause_meter_wake(&meter, 1205), 200);
    pause_meter_sleep(&meter, 1206, 10);
    assert_int_equal(pause_meter_wake(&meter, 1216), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sleeping_as_intended_is_no_pause),
        cmocka_unit_test(waking_late_is_an_absence),
        cmocka_unit_test(a_long_turn_is_an_absence_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
