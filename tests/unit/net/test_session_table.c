/** Routing ids to session numbers. */
#include "session_table.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct session_table table;

static int open_table(void **state) {
    (void)state;
    return session_table_init(&table, 3) ? 0 : -1;
}

static int close_table(void **state) {
    (void)state;
    session_table_deinit(&table);
    return 0;
}

static uint64_t open_session(uint8_t last) {
    const uint8_t id[] = {0, 0xff, 0xff, 0xff, last};
    return session_table_open(&table, lf_bytes(id, sizeof id));
}

static void the_same_connection_is_the_same_session(void **state) {
    (void)state;
    uint64_t a = open_session(0xff), b = open_session(0);
    assert_true(a != 0 && b != 0 && a != b);
    assert_int_equal(open_session(0xff), a);
    uint8_t id[SESSION_ROUTING_ID_BYTES];
    assert_true(session_table_find(&table, a, id));
    assert_memory_equal(id, "\0\xff\xff\xff\xff", sizeof id);
    assert_true(session_table_find(&table, b, id));
    assert_memory_equal(id, "\0\xff\xff\xff\0", sizeof id);
}

static void numbers_are_never_reused(void **state) {
    (void)state;
    uint64_t a = open_session(1);
    session_table_close(&table, a);
    session_table_close(&table, a);
    session_table_close(&table, 99);
    uint8_t id[SESSION_ROUTING_ID_BYTES];
    assert_false(session_table_find(&table, a, id));
    assert_false(session_table_find(&table, 0, id));
    assert_true(open_session(1) > a);
}

static void a_connection_that_was_closed_unread_opens_again_when_it_has_read(void **state) {
    (void)state;
    uint64_t a = open_session(1);
    struct unsent *unsent = session_table_unsent(&table, a);
    unsent_add(unsent, 1000);
    unsent_add(unsent, 2 * SESSION_REOPEN_BYTES);
    assert_int_equal(unsent_bytes(table.sum), 1000 + 2 * SESSION_REOPEN_BYTES);
    session_table_close(&table, a);
    assert_null(session_table_unsent(&table, a));
    assert_int_equal(open_session(1), 0);
    unsent_release(unsent, 2 * SESSION_REOPEN_BYTES);
    uint64_t b = open_session(1);
    assert_true(b > a);
    assert_int_equal(unsent_bytes(session_table_unsent(&table, b)), 1000); /* what it had is still its own */
    unsent_release(unsent, 1000);
    assert_int_equal(unsent_bytes(table.sum), 0);
}

static void a_connection_that_reads_nothing_keeps_its_place_until_it_has_read(void **state) {
    (void)state;
    uint64_t a = open_session(1);
    struct unsent *unsent = session_table_unsent(&table, a);
    unsent_add(unsent, 10);
    session_table_close(&table, a);
    open_session(2), open_session(3);
    assert_int_equal(open_session(4), 0);
    unsent_release(unsent, 10);
    assert_int_not_equal(open_session(4), 0);
}

static void what_is_under_way_outlives_the_table(void **state) {
    (void)state;
    struct unsent *unsent = session_table_unsent(&table, open_session(1));
    unsent_add(unsent, 10);
    session_table_deinit(&table);
    unsent_release(unsent, 10);
    assert_true(session_table_init(&table, 3));
}

static void it_is_bounded(void **state) {
    (void)state;
    uint64_t a = open_session(1);
    open_session(2), open_session(3);
    assert_int_equal(open_session(4), 0);
    session_table_close(&table, a);
    assert_int_not_equal(open_session(4), 0);
}

static void chosen_routing_ids_are_refused(void **state) {
    (void)state;
    assert_int_equal(session_table_open(&table, lf_bytes("abcde", 5)), 0);
    assert_int_equal(session_table_open(&table, lf_bytes("\0bcd", 4)), 0);
    assert_int_equal(session_table_open(&table, lf_bytes("\0bcdef", 6)), 0);
    assert_int_equal(session_table_open(&table, lf_bytes(NULL, 0)), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_table, close_table)
    const struct CMUnitTest tests[] = {
        TEST(the_same_connection_is_the_same_session),
        TEST(numbers_are_never_reused),
        TEST(a_connection_that_was_closed_unread_opens_again_when_it_has_read),
        TEST(a_connection_that_reads_nothing_keeps_its_place_until_it_has_read),
        TEST(what_is_under_way_outlives_the_table),
        TEST(it_is_bounded),
        TEST(chosen_routing_ids_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
