/** Every start has a larger number, whatever the clock does. */
#include "incarnation.h"

#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/logflume-test-incarnation-XXXXXX";
static char path[64];

static int make(void **state) {
    (void)state;
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof path, "%s/" INCARNATION_FILE, directory);
    return 0;
}

static int forget(void **state) {
    (void)state;
    unlink(path);
    return 0;
}

static int drop(void **state) {
    (void)state;
    return rmdir(directory);
}

static uint64_t next(int64_t wall_ms) {
    uint64_t incarnation = 0;
    struct lf_error error = {0};
    if (incarnation_next(directory, wall_ms, &incarnation, &error) != LF_OK)
        fail_msg("%s", error.text);
    return incarnation;
}

static void it_follows_the_clock(void **state) {
    (void)state;
    assert_int_equal(next(1000), 1000);
    assert_int_equal(next(5000), 5000);
}

static void it_rises_when_the_clock_stands_or_goes_back(void **state) {
    (void)state;
    assert_int_equal(next(1000), 1000);
    assert_int_equal(next(1000), 1001);
    assert_int_equal(next(10), 1002);
    assert_int_equal(next(-5), 1003);
    assert_int_equal(next(1003), 1004);
}

static void a_damaged_file_is_named(void **state) {
    (void)state;
    static const char *const wrong[] = {"", "12", "x\n", "-1\n", "1 2\n", "99999999999999999999999\n", "\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_int_equal(write(fd, wrong[i], strlen(wrong[i])), strlen(wrong[i]));
        close(fd);
        uint64_t incarnation;
        struct lf_error error = {0};
        if (incarnation_next(directory, 1000, &incarnation, &error) != LF_DAMAGED)
            fail_msg("taken: %s", wrong[i]);
        assert_non_null(strstr(error.text, path));
    }
}

static void an_absent_directory_is_named(void **state) {
    (void)state;
    uint64_t incarnation;
    struct lf_error error = {0};
    assert_int_equal(incarnation_next("/nonexistent", 1000, &incarnation, &error), LF_IO);
    assert_string_equal(error.text, "create /nonexistent/incarnation.new: No such file or directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(it_follows_the_clock, forget),
        cmocka_unit_test_teardown(it_rises_when_the_clock_stands_or_goes_back, forget),
        cmocka_unit_test_teardown(a_damaged_file_is_named, forget),
        cmocka_unit_test(an_absent_directory_is_named),
    };
    return cmocka_run_group_tests(tests, make, drop);
}
