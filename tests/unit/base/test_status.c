/** The status table and errors with context. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lf_status.h"

static const struct row {
    int number;
    const char *name;
    enum lf_action action;
    const char *text;
} rows[] = {
#define ROW(number, name, action, text) {number, #name, LF_ACTION_##action, text},
    LF_STATUS_TABLE(ROW)
#undef ROW
};
#define ROWS (sizeof rows / sizeof rows[0])

static void every_status_has_the_name_text_and_action_of_its_row(void **state) {
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        enum lf_status status = (enum lf_status)rows[i].number;
        assert_string_equal(lf_status_name(status), rows[i].name);
        assert_string_equal(lf_status_text(status), rows[i].text);
        assert_int_equal(lf_status_action(status), rows[i].action);
        assert_true(strlen(rows[i].text) > 0);
    }
}

static void numbers_count_up_from_zero_without_a_gap(void **state) {
    (void)state;
    for (size_t i = 0; i < ROWS; i++)
        assert_int_equal(rows[i].number, i);
}

/* They travel on the wire: whoever renumbers a status has to face this list. */
static void numbers_never_change(void **state) {
    (void)state;
    assert_int_equal(LF_OK, 0);
    assert_int_equal(LF_MALFORMED, 4);
    assert_int_equal(LF_CORRUPT, 5);
    assert_int_equal(LF_UNKNOWN_OUTCOME, 14);
    assert_int_equal(LF_NOT_LEADER, 15);
    assert_int_equal(LF_SEQUENCE_GAP, 24);
    assert_int_equal(LF_DUPLICATE, 25);
    assert_int_equal(LF_PRODUCER_FORGOTTEN, 27);
    assert_int_equal(LF_DAMAGED, 35);
    assert_int_equal(LF_INTERNAL, 40);
}

static void a_newer_peers_number_is_an_unknown_outcome(void **state) {
    (void)state;
    enum lf_status newer = (enum lf_status)(int)ROWS;
    assert_string_equal(lf_status_name(newer), "?");
    assert_int_equal(lf_status_action(newer), LF_ACTION_UNKNOWN);
    assert_non_null(lf_status_text(newer));
    assert_string_equal(lf_status_name((enum lf_status) - 1), "?");
}

static void error_set_formats_and_returns_the_code(void **state) {
    (void)state;
    struct lf_error error;
    assert_int_equal(lf_error_set(&error, LF_NOT_FOUND, "no %s in %d", "key", 7), LF_NOT_FOUND);
    assert_int_equal(error.code, LF_NOT_FOUND);
    assert_string_equal(error.text, "no key in 7");
}

static void error_without_a_place_keeps_the_code(void **state) {
    (void)state;
    assert_int_equal(lf_error_set(NULL, LF_IO, "lost %d", 1), LF_IO);
    assert_int_equal(lf_error_context(NULL, "read %d", 1), LF_INTERNAL);
}

static void context_goes_in_front(void **state) {
    (void)state;
    struct lf_error error;
    lf_error_set(&error, LF_CORRUPT, "bad key");
    assert_int_equal(lf_error_context(&error, "block %d", 3), LF_CORRUPT);
    assert_int_equal(lf_error_context(&error, "open store"), LF_CORRUPT);
    assert_string_equal(error.text, "open store: block 3: bad key");
}

static void long_text_is_cut_and_ended(void **state) {
    (void)state;
    struct lf_error error;
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    lf_error_set(&error, LF_IO, "%s", text);
    assert_int_equal(strlen(error.text), LF_ERROR_TEXT_BYTES - 1);
}

/* Context never eats more than half, so the cause stays readable; the cause loses its end, never its beginning. */
static void long_context_leaves_the_cause_readable(void **state) {
    (void)state;
    struct lf_error error;
    char text[1000];
    memset(text, 'c', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t cause = 0; cause < LF_ERROR_TEXT_BYTES; cause++) {
        lf_error_set(&error, LF_IO, "%.*s", (int)cause, text);
        lf_error_context(&error, "%0*d", 600, 0);
        size_t before = LF_ERROR_TEXT_BYTES / 2 - 1, room = LF_ERROR_TEXT_BYTES - 1 - before - 2;
        assert_int_equal(strlen(error.text), before + 2 + (cause < room ? cause : room));
        assert_memory_equal(error.text + before, ": ", 2);
        assert_int_equal(strspn(error.text + before + 2, "c"), cause < room ? cause : room);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_the_name_text_and_action_of_its_row),
        cmocka_unit_test(numbers_count_up_from_zero_without_a_gap),
        cmocka_unit_test(numbers_never_change),
        cmocka_unit_test(a_newer_peers_number_is_an_unknown_outcome),
        cmocka_unit_test(error_set_formats_and_returns_the_code),
        cmocka_unit_test(error_without_a_place_keeps_the_code),
        cmocka_unit_test(context_goes_in_front),
        cmocka_unit_test(long_text_is_cut_and_ended),
        cmocka_unit_test(long_context_leaves_the_cause_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
