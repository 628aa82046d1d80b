/** What of others' segments counts as staged follows what the store is told to do with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "images.h"

static struct node node;
static struct group group;

static struct log_segment segment(uint64_t first_index) {
    return (struct log_segment){.first_index = first_index, .last_index = first_index + 9, .last_term = 1};
}

static int setup(void **state) {
    (void)state;
    memset(&group, 0, sizeof group);
    for (uint64_t first_index = 1; first_index < 50; first_index += 10) {
        struct log_segment staged = segment(first_index);
        image_staged_add(&node, &group, &staged);
    }
    return 0;
}

static int teardown(void **state) {
    (void)state;
    image_staged_forget(&group);
    return 0;
}

static bool has(uint64_t first_index) {
    struct log_segment asked = segment(first_index);
    return image_staged_has(&group, &asked);
}

static void what_the_store_gives_up_is_not_counted_on(void **state) {
    (void)state;
    struct log_store_write write = {.unstage = true};
    image_staged_written(&node, &group, &write);
    assert_false(has(1));
    assert_int_equal(group.staged_count, 0);
}

static void what_a_replacement_takes_or_covers_is_not_counted_on(void **state) {
    (void)state;
    struct log_segment made[] = {segment(11), segment(21)};
    struct log_store_write write = {.replacements = made, .replacement_count = 2};
    image_staged_written(&node, &group, &write);
    assert_true(has(1) && has(31) && has(41));
    assert_false(has(11) || has(21));
}

static void other_writes_leave_it(void **state) {
    (void)state;
    struct log_store_write write = {.drop_before = 31};
    image_staged_written(&node, &group, &write);
    assert_int_equal(group.staged_count, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_the_store_gives_up_is_not_counted_on, setup, teardown),
        cmocka_unit_test_setup_teardown(what_a_replacement_takes_or_covers_is_not_counted_on, setup, teardown),
        cmocka_unit_test_setup_teardown(other_writes_leave_it, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
