/** The misbehaviour switch's decisions. */
#include "unreliable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct unreliable_options options;
static struct lf_error error;

static void what_is_written_is_what_is_meant(void **state) {
    (void)state;
    assert_int_equal(unreliable_parse("seed=18446744073709551615,delay=0.1,hold=0.01,drop=0,duplicate=1,reorder=.5",
                                      &options, &error),
                     LF_OK);
    assert_true(options.on);
    assert_true(options.seed == UINT64_MAX);
    assert_int_equal(options.delay, 100000);
    assert_int_equal(options.hold, 10000);
    assert_int_equal(options.drop, 0);
    assert_int_equal(options.duplicate, 1000000);
    assert_int_equal(options.reorder, 500000);
    assert_int_equal(unreliable_parse("drop=0.000001", &options, &error), LF_OK);
    assert_int_equal(options.drop, 1);
    assert_int_equal(options.seed, 1);
    assert_int_equal(unreliable_parse("1", &options, &error), LF_OK);
    assert_int_equal(options.drop, 20000);
    assert_int_equal(options.delay, 100000);
    assert_int_equal(options.hold, 10000);
    assert_int_equal(unreliable_parse("", &options, &error), LF_OK);
    assert_false(options.on);
    assert_int_equal(unreliable_parse("0", &options, &error), LF_OK);
    assert_false(options.on);
}

static void nonsense_is_refused(void **state) {
    (void)state;
    const char *const wrong[] = {"2",
                                 "yes",
                                 "drop",
                                 "drop=",
                                 "drop=1.1",
                                 "drop=-1",
                                 "drop=1e-3",
                                 "drop=0.1,",
                                 "drp=0.1",
                                 "drop=.1,drop=.1",
                                 "seed=",
                                 "seed=x",
                                 ",",
                                 "drop=.",
                                 "drop=0.1 ",
                                 "drop=10",
                                 "drop=1.0.0",
                                 "seed=1,seed=1",
                                 "drop=0.00000011"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (unreliable_parse(wrong[i], &options, &error) == LF_OK)
            fail_msg("taken: %s", wrong[i]);
        assert_true(error.text[0] != '\0');
    }
}

static void off_changes_nothing(void **state) {
    (void)state;
    struct unreliable unreliable;
    struct unreliable_fate fates[2];
    unreliable_parse("0", &options, &error);
    unreliable_init(&unreliable, &options);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(unreliable_decide(&unreliable, fates), 1);
        assert_false(fates[0].drop || fates[0].delay_ms || fates[0].in_order || fates[0].after_next);
    }
}

static void equal_seeds_decide_equally_and_others_do_not(void **state) {
    (void)state;
    struct unreliable a, b, c;
    unreliable_parse("1", &options, &error);
    unreliable_init(&a, &options);
    unreliable_init(&b, &options);
    options.seed = 2;
    unreliable_init(&c, &options);
    int different = 0;
    for (int i = 0; i < 10000; i++) {
        struct unreliable_fate of_a[2] = {0}, of_b[2] = {0}, of_c[2] = {0};
        int copies = unreliable_decide(&a, of_a);
        assert_int_equal(unreliable_decide(&b, of_b), copies);
        assert_int_equal(of_a[0].drop, of_b[0].drop);
        assert_int_equal(of_a[0].delay_ms, of_b[0].delay_ms);
        different += unreliable_decide(&c, of_c) != copies || of_a[0].delay_ms != of_c[0].delay_ms;
    }
    assert_true(different > 100);
}

static void each_kind_happens_about_as_often_as_asked(void **state) {
    (void)state;
    enum { MESSAGES = 100000 };
    struct unreliable unreliable;
    unreliable_parse("seed=3,delay=0.1,hold=0.01,drop=0.02,duplicate=0.03,reorder=0.04", &options, &error);
    unreliable_init(&unreliable, &options);
    int copies = 0, drops = 0, holds = 0, delays = 0, reorders = 0;
    for (int i = 0; i < MESSAGES; i++) {
        struct unreliable_fate fates[2];
        int count = unreliable_decide(&unreliable, fates);
        copies += count - 1;
        for (int j = 0; j < count; j++) {
            drops += fates[j].drop;
            holds += fates[j].delay_ms == UNRELIABLE_HOLD_MS;
            reorders += fates[j].after_next;
            delays += fates[j].in_order;
            assert_true(!fates[j].in_order ||
                        (fates[j].delay_ms >= UNRELIABLE_DELAY_MS_MIN && fates[j].delay_ms <= UNRELIABLE_DELAY_MS_MAX));
        }
    }
    assert_in_range(copies, 2700, 3300);
    assert_in_range(drops, 1800, 2300);
    assert_in_range(holds, 900, 1150);
    assert_in_range(reorders, 3600, 4400);
    assert_in_range(delays, 9000, 10500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_what_is_meant),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(off_changes_nothing),
        cmocka_unit_test(equal_seeds_decide_equally_and_others_do_not),
        cmocka_unit_test(each_kind_happens_about_as_often_as_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
