/** When a partition is compacted, and how far. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compaction.h"

#define MIB (1u << 20)

static struct log_segment segments[8];
static struct compaction_view view;
static struct log_store_rewrite rewrite;
static uint64_t clean_before_ms;

/** Four segments of 1 MiB, 100 entries and 1000 ms each; now is 1000 ms after the last. */
static int setup(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 4; i++)
        segments[i] = (struct log_segment){.first_index = 100 * i + 1,
                                           .last_index = 100 * (i + 1),
                                           .bytes = MIB,
                                           .first_log_time_ms = 10000 + 1000 * i,
                                           .last_log_time_ms = 10999 + 1000 * i};
    view = (struct compaction_view){.segments = segments,
                                    .segment_count = 4,
                                    .now_ms = 14999,
                                    .delete_retention_ms = 5000,
                                    .segment_bytes = 16 * MIB};
    return 0;
}

static bool choose(void) { return compaction_choose(&view, &rewrite, &clean_before_ms); }

static void all_that_is_sealed_is_compacted_from_the_first_segment_on(void **state) {
    (void)state;
    assert_true(choose());
    assert_int_equal(rewrite.first_index, 1);
    assert_int_equal(rewrite.last_index, 400);
    assert_int_equal(rewrite.segment_bytes, 16 * MIB);
    assert_true(rewrite.compact);
    assert_true(rewrite.drop_commands);
    assert_int_equal(rewrite.tombstones_before_ms, 0);
    assert_int_equal(clean_before_ms, 13999);
}

static void nothing_sealed_is_nothing_to_compact(void **state) {
    (void)state;
    view.segment_count = 0;
    assert_false(choose());
}

static void what_is_younger_than_the_lag_is_left_out(void **state) {
    (void)state;
    view.min_compaction_lag_ms = 2000;
    assert_true(choose());
    assert_int_equal(rewrite.last_index, 300);
    assert_int_equal(clean_before_ms, 12999);
    view.min_compaction_lag_ms = 2001;
    assert_true(choose());
    assert_int_equal(rewrite.last_index, 200);
    view.min_compaction_lag_ms = 5000;
    assert_false(choose());
}

static void it_waits_until_half_is_dirty(void **state) {
    (void)state;
    struct compaction_figures figures;
    view.clean_index = 400;
    assert_false(choose());
    view.clean_index = 300;
    assert_false(choose());
    segments[3].bytes = 3 * MIB - 1;
    assert_false(choose());
    compaction_figures(&view, &figures);
    assert_int_equal(figures.clean_bytes, 3 * MIB);
    assert_int_equal(figures.dirty_bytes, 3 * MIB - 1);
    segments[3].bytes = 3 * MIB;
    assert_true(choose());
    assert_int_equal(rewrite.first_index, 1);
    assert_int_equal(rewrite.last_index, 400);
}

static void tombstones_go_their_retention_after_a_compaction_was_over(void **state) {
    (void)state;
    view.clean_before_ms = 11500;
    view.clean_since_ms = 10000;
    assert_true(choose());
    assert_int_equal(rewrite.tombstones_before_ms, 0);
    view.now_ms = 15000;
    assert_true(choose());
    assert_int_equal(rewrite.tombstones_before_ms, 11500);
    view.delete_retention_ms = 0;
    view.clean_since_ms = 15000;
    assert_true(choose());
    assert_int_equal(rewrite.tombstones_before_ms, 11500);
    view.clean_since_ms = 0; /* there was none */
    assert_true(choose());
    assert_int_equal(rewrite.tombstones_before_ms, 0);
}

static void tombstones_of_what_nobody_writes_to_go_once(void **state) {
    (void)state;
    view.clean_index = 300;
    view.clean_before_ms = 12999;
    view.clean_since_ms = 13500;
    segments[3].bytes = MIB / 2; /* not dirty enough */
    view.now_ms = 18499;
    assert_false(choose());
    view.now_ms = 18500;
    assert_true(choose());
    assert_int_equal(rewrite.first_index, 1);
    assert_int_equal(rewrite.last_index, 300);
    assert_int_equal(rewrite.tombstones_before_ms, 12999);
    assert_int_equal(clean_before_ms, 12999);
    view.taken_index = 300;
    view.taken_before_ms = 12999;
    assert_false(choose());
    view.clean_before_ms = 13999; /* compacted again since */
    assert_true(choose());
    view.clean_before_ms = 12999;
    view.clean_index = 400;
    assert_true(choose());
    assert_int_equal(rewrite.last_index, 400);
    view.clean_index = 50; /* all that was clean is gone */
    segments[0].bytes = 100 * MIB;
    view.segment_count = 1;
    view.min_compaction_lag_ms = 10000;
    assert_false(choose());
}

#define FACT(f) cmocka_unit_test_setup(f, setup)

int main(void) {
    const struct CMUnitTest tests[] = {
        FACT(all_that_is_sealed_is_compacted_from_the_first_segment_on),
        FACT(nothing_sealed_is_nothing_to_compact),
        FACT(what_is_younger_than_the_lag_is_left_out),
        FACT(it_waits_until_half_is_dirty),
        FACT(tombstones_go_their_retention_after_a_compaction_was_over),
        FACT(tombstones_of_what_nobody_writes_to_go_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
