/** Of several backups: which copy of a group is taken, and which backup is the base. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "backup_tool.h"

static struct restore_plan plan_of(const struct restore_part *parts, size_t count) {
    struct restore_plan plan = {.parts = malloc(count * sizeof *parts), .count = count};
    assert_non_null(plan.parts);
    memcpy(plan.parts, parts, count * sizeof *parts);
    for (size_t i = 0; i < count; i++)
        plan.held_bytes[parts[i].source] += parts[i].bytes;
    return plan;
}

static uint32_t source_of(const struct restore_plan *plan, uint64_t group) {
    const struct restore_part *part = restore_plan_find(plan, group);
    assert_non_null(part);
    return part->source;
}

static void the_copy_with_the_highest_term_then_index_is_taken(void **state) {
    (void)state;
    const struct restore_part parts[] = {
        {.group = 5, .last_term = 3, .last_index = 900, .source = 0},
        {.group = 0, .last_term = 2, .last_index = 10, .source = 0},
        {.group = 5, .last_term = 4, .last_index = 7, .source = 1},
        {.group = 9, .last_term = 1, .last_index = 8, .source = 2},
        {.group = 9, .last_term = 1, .last_index = 9, .source = 1},
    };
    struct restore_plan plan = plan_of(parts, 5);
    assert_true(restore_plan_choose(&plan));
    assert_int_equal(plan.count, 3);
    assert_int_equal(source_of(&plan, 0), 0);
    assert_int_equal(source_of(&plan, 5), 1);
    assert_int_equal(source_of(&plan, 9), 1);
    assert_null(restore_plan_find(&plan, 6));
    restore_plan_deinit(&plan);
}

static void the_newest_metadata_makes_the_base_and_of_equal_ones_the_fullest(void **state) {
    (void)state;
    struct restore_part parts[] = {
        {.group = 0, .last_term = 2, .last_index = 10, .source = 0},
        {.group = 0, .last_term = 2, .last_index = 10, .source = 1},
        {.group = 0, .last_term = 1, .last_index = 99, .source = 2},
        {.group = 7, .last_term = 1, .last_index = 3, .bytes = 100, .source = 0},
        {.group = 7, .last_term = 1, .last_index = 3, .bytes = 100, .source = 1},
        {.group = 8, .last_term = 1, .last_index = 3, .bytes = 100, .source = 1},
        {.group = 9, .last_term = 1, .last_index = 3, .bytes = 999, .source = 2},
    };
    struct restore_plan plan = plan_of(parts, 7);
    assert_true(restore_plan_choose(&plan));
    assert_int_equal(plan.base, 1);
    assert_int_equal(source_of(&plan, 0), 1);
    restore_plan_deinit(&plan);
    parts[0].last_index++;
    plan = plan_of(parts, 7);
    assert_true(restore_plan_choose(&plan));
    assert_int_equal(plan.base, 0);
    restore_plan_deinit(&plan);
}

static void of_equal_copies_the_base_s_is_taken(void **state) {
    (void)state;
    const struct restore_part parts[] = {
        {.group = 7, .last_term = 1, .last_index = 3, .source = 0},
        {.group = 7, .last_term = 1, .last_index = 3, .source = 1},
        {.group = 7, .last_term = 1, .last_index = 3, .source = 2},
        {.group = 0, .last_term = 2, .last_index = 10, .source = 2},
        {.group = 0, .last_term = 2, .last_index = 9, .source = 0},
    };
    struct restore_plan plan = plan_of(parts, 5);
    assert_true(restore_plan_choose(&plan));
    assert_int_equal(plan.base, 2);
    assert_int_equal(source_of(&plan, 7), 2);
    restore_plan_deinit(&plan);
}

static void without_metadata_there_is_no_base(void **state) {
    (void)state;
    const struct restore_part parts[] = {{.group = 7, .last_term = 1, .last_index = 3}};
    struct restore_plan plan = plan_of(parts, 1);
    assert_false(restore_plan_choose(&plan));
    restore_plan_deinit(&plan);
    struct restore_plan none = {0};
    assert_false(restore_plan_choose(&none));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_copy_with_the_highest_term_then_index_is_taken),
        cmocka_unit_test(the_newest_metadata_makes_the_base_and_of_equal_ones_the_fullest),
        cmocka_unit_test(of_equal_copies_the_base_s_is_taken),
        cmocka_unit_test(without_metadata_there_is_no_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
