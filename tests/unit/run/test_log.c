/** Lines of the log. */
#include "log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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

static void a_line_may_be_json(void **state) {
    (void)state;
    struct log log = {.fd = ends[1], .level = LOG_INFO, .format = LOG_JSON};
    char text[1024];
    log_line(&log, LOG_WARN, "disk=%d is \"full\"\n", 7);
    ssize_t size = read(ends[0], text, sizeof text - 1);
    assert_true(size > 0);
    text[size] = '\0';
    assert_memory_equal(text, "{\"time\":\"20", 11);
    assert_non_null(strstr(text, "Z\",\"level\":\"warn\",\"disk\":7,\"message\":\"is \\\"full\\\"?\"}\n"));
}

/** Reads until nothing is there; counts lines, and those that hold the words. */
static size_t read_lines(const char *words, size_t *with_words) {
    static char text[1 << 20];
    size_t size = 0, lines = 0;
    for (ssize_t got; size < sizeof text - 1 && (got = read(ends[0], text + size, sizeof text - 1 - size)) > 0;)
        size += (size_t)got;
    text[size] = '\0';
    *with_words = 0;
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) && rest; lines++)
        *with_words += strstr(line, words) != NULL;
    return lines;
}

static void a_reader_that_stops_is_not_waited_for(void **state) {
    (void)state;
    struct log log = {.fd = ends[1], .level = LOG_INFO};
    size_t lines = 20000, seen = 0, told = 0, with;
    for (size_t i = 0; i < lines; i++)
        log_line(&log, LOG_INFO, "line=%zu of many, with words to make it longer", i);
    assert_true(log.dropped > 0);
    assert_true(log.backlog_bytes > LOG_BACKLOG_BYTES_MAX - LOG_LINE_BYTES_MAX);
    assert_true(log.backlog_bytes <= LOG_BACKLOG_BYTES_MAX);
    while (log.backlog_bytes > 0) { /* it reads again: what waited comes first, then how many are missing */
        seen += read_lines("lines_dropped=", &with);
        told += with;
        log_flush(&log);
    }
    seen += read_lines("lines_dropped=", &with);
    told += with;
    assert_int_equal(told, 1);
    assert_int_equal(seen - 1 + log.dropped, lines);
    log_line(&log, LOG_INFO, "after");
    assert_int_equal(read_lines("after", &with), 1);
    assert_int_equal(with, 1);
    log_close(&log);
}

static void what_waits_at_the_end_is_given_up_when_nobody_reads(void **state) {
    (void)state;
    struct log log = {.fd = ends[1], .level = LOG_INFO};
    while (log.dropped == 0)
        log_line(&log, LOG_INFO, "line");
    log_close(&log);
    assert_int_equal(log.backlog_bytes, 0);
}

static void a_socket_is_not_waited_for_either(void **state) {
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0); /* blocking, as an init system gives it */
    struct log log = {.fd = pair[1], .level = LOG_INFO};
    log_line(&log, LOG_INFO, "first");
    char text[256];
    ssize_t size = read(pair[0], text, sizeof text - 1);
    assert_true(size > 6 && memcmp(text + size - 6, "first\n", 6) == 0);
    for (int i = 0; i < 100000 && log.dropped == 0; i++)
        log_line(&log, LOG_INFO, "a line of some length, again and again and again and again and again and again");
    assert_true(log.dropped > 0);
    close(pair[0]);
    log_close(&log);
    close(pair[1]);
}

static void a_stopped_terminal_is_not_waited_for(void **state) {
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(terminal >= 0);
    struct log log = {.fd = log_descriptor(terminal), .level = LOG_INFO};
    assert_int_not_equal(log.fd, terminal);
    assert_int_equal(fcntl(terminal, F_GETFL) & O_NONBLOCK, 0); /* whoever shares it notices nothing */
    for (int i = 0; i < 100000 && log.dropped == 0; i++)
        log_line(&log, LOG_INFO, "a line of some length, again and again and again and again and again and again");
    assert_true(log.dropped > 0);
    close(master);
    log_close(&log);
    close(log.fd);
    close(terminal);
    assert_int_equal(log_descriptor(ends[1]), ends[1]);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)
    const struct CMUnitTest tests[] = {
        TEST(a_line_has_time_and_level),
        TEST(lesser_lines_are_left_out),
        TEST(decisions_that_come_with_every_entry_are_debug),
        TEST(long_lines_are_cut),
        TEST(a_line_may_be_json),
        TEST(a_reader_that_stops_is_not_waited_for),
        TEST(a_socket_is_not_waited_for_either),
        TEST(a_stopped_terminal_is_not_waited_for),
        TEST(what_waits_at_the_end_is_given_up_when_nobody_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
