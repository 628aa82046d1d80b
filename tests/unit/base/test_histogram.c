/** Durations in buckets. */
#include "lf_histogram.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void a_bound_belongs_to_its_bucket(void **state) {
    (void)state;
    for (size_t i = 0; i < LF_HISTOGRAM_BOUNDS; i++) {
        assert_int_equal(lf_histogram_bucket(lf_histogram_bounds_us[i]), i);
        assert_int_equal(lf_histogram_bucket(lf_histogram_bounds_us[i] + 1), i + 1);
        assert_true(i == 0 || lf_histogram_bounds_us[i] > lf_histogram_bounds_us[i - 1]);
    }
    assert_int_equal(lf_histogram_bucket(0), 0);
    assert_int_equal(lf_histogram_bucket(UINT64_MAX), LF_HISTOGRAM_BOUNDS);
}

static void what_is_observed_is_counted_once(void **state) {
    (void)state;
    struct lf_histogram histogram = {0};
    lf_histogram_observe(&histogram, 0);
    lf_histogram_observe(&histogram, 150);
    lf_histogram_observe(&histogram, 151);
    lf_histogram_observe(&histogram, 60000000);
    assert_int_equal(lf_histogram_count(&histogram), 4);
    assert_int_equal(histogram.sum_us, 60000301);
    assert_int_equal(histogram.counts[0], 1);
    assert_int_equal(histogram.counts[2], 1);
    assert_int_equal(histogram.counts[3], 1);
    assert_int_equal(histogram.counts[LF_HISTOGRAM_BOUNDS], 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bound_belongs_to_its_bucket),
        cmocka_unit_test(what_is_observed_is_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
