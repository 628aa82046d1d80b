/** Lines of the log. */
#include "log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int ends[2];

static int open_pipe(void **state) {
    (void)state;
    return pipe2(ends, O_NONBLOCK);
}

static int close_pipe(void **state) {
    (void)state;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/** What was written, without the time. */
static const char *written(void) {
    static char text[8192];
    ssize_t size = read(ends[0], text, sizeof text - 1);
    if (size <= 0)
        return "";
    text[size] = '\0';
    static const char form[] = "time=2026-01-31T12:00:00.123Z ";
    for (size_t i = 0; i < sizeof form - 1; i++)
        assert_true(form[i] >= '0' && form[i] <= '9' ? text[i] >= '0' && text[i] <= '9' : text[i] == form[i]);
    return text + sizeof form - 1;
}

static void a_line_has_time_and_level(void **state) {
    (void)state;
    struct log log = {.fd = ends[1], .level = LOG_INFO};
    log_line(&log, LOG_WARN, "disk %d\nx", 7);
    assert_string_equal(written(), "level=warn disk 7?x\n");
}

static void lesser_lines_are_left_out(void **state) {
    (void)state;
    struct log log = {.fd = ends[1], .level = LOG_WARN};
    log_line(&log, LOG_INFO, "x");
    assert_string_equal(written(), "");
    log_line(&log, LOG_ERROR, "x");
    assert_string_equal(written(), "level=error x\n");
}

static void decisions_that_come_with_every_entry_are_debug(void **state) {
    (void)state;
    struct log log = {.fd = ends[1], .level = LOG_INFO};
    log_decision(&log, "node=2 group=5 term=7 commit 41^6");
    assert_string_equal(written(), "");
    log_decision(&log, "node=2 group=5 term=7 grant vote to=3 (log equal 41^6)");
    assert_string_equal(written(), "level=info node=2 group=5 term=7 grant vote to=3 (log equal 41^6)\n");
    log_decision(&log, "node=2 peer=3");
    assert_string_equal(written(), "level=info node=2 peer=3\n");
    log.level = LOG_DEBUG;
    log_decision(&log, "node=2 group=5 term=7 commit 41^6");
    assert_string_equal(written(), "level=debug node=2 group=5 term=7 commit 41^6\n");
}

static void long_lines_are_cut(void **state) {
    (void)state;
    struct log log = {.fd = ends[1], .level = LOG_INFO};
    char text[2 * LOG_LINE_BYTES_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    log_line(&log, LOG_INFO, "%s", text);
    const char *line = written();
    assert_int_equal(strlen(line) + 30, LOG_LINE_BYTES_MAX);
    assert_int_equal(line[strlen(line) - 1], '\n');
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_time_and_level),
        TEST(lesser_lines_are_left_out),
        TEST(decisions_that_come_with_every_entry_are_debug),
        TEST(long_lines_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
