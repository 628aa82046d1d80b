/** lf_check stays on, says where and what, and evaluates its condition once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lf_check.h"

static int evaluated;

static void broken_check(void) { lf_check(evaluated == 1234); }
static void broken_check_with_words(void) { lf_checkf(evaluated < 0, "term=%d index=%d", 7, 41); }

/* Runs `body` in a child; its stderr in `said`, its wait status returned. */
static int die_in_a_child(void (*body)(void), char *said, size_t size) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        body();
        _exit(0);
    }
    close(ends[1]);
    size_t used = 0;
    ssize_t got;
    while (used < size - 1 && (got = read(ends[0], said + used, size - 1 - used)) > 0)
        used += (size_t)got;
    said[used] = '\0';
    close(ends[0]);
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

static void a_failed_check_names_file_line_and_condition_and_aborts(void **state) {
    (void)state;
    char said[4096];
    int status = die_in_a_child(broken_check, said, sizeof said);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, "test_check.c:"));
    assert_non_null(strstr(said, "check failed: evaluated == 1234\n"));
}

static void a_failed_check_with_words_says_them(void **state) {
    (void)state;
    char said[4096];
    int status = die_in_a_child(broken_check_with_words, said, sizeof said);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(said, "evaluated < 0: term=7 index=41\n"));
}

static void a_true_condition_is_evaluated_once_and_costs_nothing_else(void **state) {
    (void)state;
    evaluated = 0;
    lf_check(++evaluated == 1);
    lf_checkf(++evaluated == 2, "evaluated=%d", evaluated);
    assert_int_equal(evaluated, 2);
    if (evaluated == 2)
        lf_check(evaluated);
    else
        fail(); /* the macro is one statement: this else belongs to the if above */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_check_names_file_line_and_condition_and_aborts),
        cmocka_unit_test(a_failed_check_with_words_says_them),
        cmocka_unit_test(a_true_condition_is_evaluated_once_and_costs_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
