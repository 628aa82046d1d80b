/** The status table and the words that travel with a status. */
#include "lf_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct row {
    int number;
    const char *name;
    enum lf_action action;
    const char *text;
};

#define ROW(number, name, action, text) {number, #name, LF_ACTION_##action, text},
static const struct row rows[] = {LF_STATUS_TABLE(ROW)};
#undef ROW
#define ROW_COUNT (sizeof rows / sizeof rows[0])

/** What is on the wire already. A new code adds a line here; an old line never changes. */
static const char *const wire_names[] = {
    "OK",
    "INVALID",
    "NO_MEMORY",
    "FULL",
    "MALFORMED",
    "CORRUPT",
    "UNSUPPORTED",
    "IO",
    "NO_SPACE",
    "NOT_FOUND",
    "EXISTS",
    "CLOSED",
    "TIMED_OUT",
    "TOO_LARGE",
    "UNKNOWN_OUTCOME",
    "NOT_LEADER",
    "NO_QUORUM",
    "TOPIC_UNKNOWN",
    "TOPIC_EXISTS",
    "TOPIC_DELETED",
    "TOPIC_RECREATED",
    "PARTITION_UNKNOWN",
    "OFFSET_BELOW_START",
    "HISTORY_DIVERGED",
    "SEQUENCE_GAP",
    "DUPLICATE",
    "PRODUCER_FENCED",
    "PRODUCER_FORGOTTEN",
    "CREDIT_EXCEEDED",
    "OVERLOADED",
    "VERSION",
    "WRONG_CLUSTER",
    "WRONG_STORE",
    "CONNECT",
    "CANCELLED",
    "DAMAGED",
    "NOT_READY",
    "SHUTTING_DOWN",
    "END",
    "AGAIN",
    "INTERNAL",
};
#define WIRE_COUNT (sizeof wire_names / sizeof wire_names[0])

static void numbers_on_the_wire_keep_their_meaning(void **state) {
    (void)state;
    for (size_t i = 0; i < WIRE_COUNT; i++)
        assert_string_equal(lf_status_name((enum lf_status)i), wire_names[i]);
}

static void every_row_is_unique_and_answers_for_itself(void **state) {
    (void)state;
    assert_true(ROW_COUNT >= WIRE_COUNT);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        for (size_t j = i + 1; j < ROW_COUNT; j++) {
            assert_int_not_equal(rows[i].number, rows[j].number);
            assert_string_not_equal(rows[i].name, rows[j].name);
            assert_string_not_equal(rows[i].text, rows[j].text);
        }
        enum lf_status status = (enum lf_status)rows[i].number;
        assert_string_equal(lf_status_name(status), rows[i].name);
        assert_string_equal(lf_status_text(status), rows[i].text);
        assert_int_equal(lf_status_action(status), rows[i].action);
        assert_true(strlen(rows[i].text) > 1);
    }
}

static void a_newer_peers_code_is_an_unknown_outcome(void **state) {
    (void)state;
    enum lf_status newer = (enum lf_status)9999;
    assert_string_equal(lf_status_name(newer), "?");
    assert_true(strlen(lf_status_text(newer)) > 1);
    assert_int_equal(lf_status_action(newer), LF_ACTION_UNKNOWN);
}

static void outcomes_that_may_have_been_done_say_unknown(void **state) {
    (void)state;
    assert_int_equal(lf_status_action(LF_TIMED_OUT), LF_ACTION_UNKNOWN);
    assert_int_equal(lf_status_action(LF_UNKNOWN_OUTCOME), LF_ACTION_UNKNOWN);
    assert_int_equal(lf_status_action(LF_PRODUCER_FORGOTTEN), LF_ACTION_UNKNOWN);
    assert_int_equal(lf_status_action(LF_DUPLICATE), LF_ACTION_NONE);
    assert_int_equal(lf_status_action(LF_NOT_LEADER), LF_ACTION_REDIRECT);
    assert_int_equal(lf_status_action(LF_OK), LF_ACTION_NONE);
}

static void an_error_takes_code_and_words(void **state) {
    (void)state;
    struct lf_error error;
    assert_int_equal(lf_error_set(&error, LF_CORRUPT, "block %d of %s", 7, "x.log"), LF_CORRUPT);
    assert_int_equal(error.code, LF_CORRUPT);
    assert_string_equal(error.text, "block 7 of x.log");
    assert_int_equal(lf_error_set(NULL, LF_FULL, "nobody listens"), LF_FULL);
}

static void long_words_are_cut_and_stay_a_string(void **state) {
    (void)state;
    struct {
        struct lf_error error;
        char fence[16];
    } held;
    char words[2 * LF_ERROR_TEXT_BYTES];
    memset(words, 'w', sizeof words);
    words[sizeof words - 1] = '\0';
    memset(&held, '#', sizeof held);
    lf_error_set(&held.error, LF_IO, "%s", words);
    assert_int_equal(strlen(held.error.text), LF_ERROR_TEXT_BYTES - 1);
    assert_memory_equal(held.fence, "################", sizeof held.fence);
}

static void context_goes_in_front(void **state) {
    (void)state;
    struct lf_error error;
    lf_error_set(&error, LF_INVALID, "bad key");
    assert_int_equal(lf_error_context(&error, "line %d", 3), LF_INVALID);
    assert_int_equal(lf_error_context(&error, "open store"), LF_INVALID);
    assert_string_equal(error.text, "open store: line 3: bad key");
    assert_int_equal(lf_error_context(NULL, "nobody"), LF_INTERNAL);
}

/** Whatever the two lengths, the result is a whole string within its room and keeps both beginnings. */
static void context_and_cause_of_any_length_fit(void **state) {
    (void)state;
    char context[2 * LF_ERROR_TEXT_BYTES], cause[LF_ERROR_TEXT_BYTES];
    for (size_t front = 0; front < sizeof context; front += 5)
        for (size_t back = 0; back < sizeof cause; back += 3) {
            struct {
                struct lf_error error;
                char fence[16];
            } held;
            memset(&held, '#', sizeof held);
            memset(context, 'f', front);
            memset(cause, 'b', back);
            context[front] = cause[back] = '\0';
            lf_error_set(&held.error, LF_IO, "%s", cause);
            assert_int_equal(lf_error_context(&held.error, "%s", context), LF_IO);
            size_t length = strnlen(held.error.text, sizeof held.error.text);
            assert_true(length < LF_ERROR_TEXT_BYTES);
            assert_memory_equal(held.fence, "################", sizeof held.fence);
            const char *colon = strstr(held.error.text, ": ");
            assert_non_null(colon);
            assert_int_equal(colon - held.error.text,
                             front < LF_ERROR_TEXT_BYTES / 2 ? front : LF_ERROR_TEXT_BYTES / 2 - 1);
            size_t kept = strlen(colon + 2);
            assert_true(kept == back || length == LF_ERROR_TEXT_BYTES - 1);
            assert_int_equal(strspn(colon + 2, "b"), kept);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_on_the_wire_keep_their_meaning),
        cmocka_unit_test(every_row_is_unique_and_answers_for_itself),
        cmocka_unit_test(a_newer_peers_code_is_an_unknown_outcome),
        cmocka_unit_test(outcomes_that_may_have_been_done_say_unknown),
        cmocka_unit_test(an_error_takes_code_and_words),
        cmocka_unit_test(long_words_are_cut_and_stay_a_string),
        cmocka_unit_test(context_goes_in_front),
        cmocka_unit_test(context_and_cause_of_any_length_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
