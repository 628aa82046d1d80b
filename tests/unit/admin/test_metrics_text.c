/** Prometheus' text format, to the letter. */
#include "metrics_text.h"
#include "snapshots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct text text;

static int empty(void **state) {
    (void)state;
    text_deinit(&text);
    return 0;
}

static void a_counter_has_help_type_and_a_sample(void **state) {
    (void)state;
    metrics_counter(&text, "things_total", "Things.", UINT64_MAX);
    assert_string_equal(text_of(&text), "# HELP logflume_things_total Things.\n"
                                        "# TYPE logflume_things_total counter\n"
                                        "logflume_things_total 18446744073709551615\n");
}

static void label_values_and_help_are_escaped(void **state) {
    (void)state;
    metrics_head(&text, "a", "gauge", "back\\slash \"quoted\"\nnext");
    metrics_signed(&text, "a", METRICS_LABELS(METRICS_LABEL("x", "q\"b\\n\nend"), METRICS_LABEL("y", "")), -5);
    assert_string_equal(text_of(&text), "# HELP logflume_a back\\\\slash \"quoted\"\\nnext\n"
                                        "# TYPE logflume_a gauge\n"
                                        "logflume_a{x=\"q\\\"b\\\\n\\nend\",y=\"\"} -5\n");
}

static void seconds_are_exact(void **state) {
    (void)state;
    const struct {
        uint64_t us;
        const char *words;
    } cases[] = {{0, "0"},         {50, "0.00005"},  {1, "0.000001"},           {1000000, "1"},       {1500000, "1.5"},
                 {150, "0.00015"}, {10000000, "10"}, {123456789, "123.456789"}, {1000001, "1.000001"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[64];
        text_deinit(&text);
        metrics_seconds(&text, "s", NULL, cases[i].us);
        snprintf(line, sizeof line, "logflume_s %s\n", cases[i].words);
        assert_string_equal(text_of(&text), line);
    }
}

static void a_histogram_is_cumulative_and_ends_with_all(void **state) {
    (void)state;
    struct lf_histogram histogram = {0};
    lf_histogram_observe(&histogram, 40);
    lf_histogram_observe(&histogram, 160);
    lf_histogram_observe(&histogram, 99000000);
    metrics_histogram(&text, "h_seconds", "H.", &histogram);
    const char *all = text_of(&text);
    assert_ptr_equal(strstr(all, "# HELP logflume_h_seconds H.\n# TYPE logflume_h_seconds histogram\n"
                                 "logflume_h_seconds_bucket{le=\"0.00005\"} 1\n"
                                 "logflume_h_seconds_bucket{le=\"0.0001\"} 1\n"
                                 "logflume_h_seconds_bucket{le=\"0.00015\"} 1\n"
                                 "logflume_h_seconds_bucket{le=\"0.0002\"} 2\n"),
                     all);
    assert_non_null(strstr(all, "logflume_h_seconds_bucket{le=\"10\"} 2\n"
                                "logflume_h_seconds_bucket{le=\"+Inf\"} 3\n"
                                "logflume_h_seconds_sum 99.0002\n"
                                "logflume_h_seconds_count 3\n"));
}

static void a_text_beyond_its_bound_fails_and_keeps_what_it_has(void **state) {
    (void)state;
    text_put(&text, "abc");
    text_add(&text, NULL, TEXT_BYTES_MAX);
    assert_true(text.failed);
    text_put(&text, "more");
    assert_string_equal(text_of(&text), "abc");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, empty, empty)
    const struct CMUnitTest tests[] = {
        TEST(a_counter_has_help_type_and_a_sample),
        TEST(label_values_and_help_are_escaped),
        TEST(seconds_are_exact),
        TEST(a_histogram_is_cumulative_and_ends_with_all),
        TEST(a_text_beyond_its_bound_fails_and_keeps_what_it_has),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
