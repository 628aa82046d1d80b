/** A failed check ends the process and says where and why; a true one does nothing. Death happens in a child. */
#include "lf_check.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int looks;

static int look(int answer) {
    looks++;
    return answer;
}

/** Runs act in a child; returns its wait status and what it wrote to stderr. */
static int run_in_child(void (*act)(void), char *words, size_t size) {
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        act();
        _exit(42);
    }
    close(ends[1]);
    size_t used = 0;
    ssize_t got;
    while (used < size - 1 && (got = read(ends[0], words + used, size - 1 - used)) > 0)
        used += (size_t)got;
    words[used] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void plain(void) { lf_check(1 + 1 == 3); }
static void with_values(void) { lf_checkf(look(0), "term=%d index=%d", 7, 41); }
static void long_values(void) {
    char words[4096];
    memset(words, 'x', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    lf_checkf(look(0), "%s", words);
}
static void holds(void) {
    lf_check(look(1));
    lf_checkf(look(1), "never said %d", 1);
    _exit(looks == 2 ? 0 : 1);
}

static void a_failed_check_aborts_and_names_file_line_and_condition(void **state) {
    (void)state;
    char words[8192];
    int status = run_in_child(plain, words, sizeof words);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(words, "test_check.c:"));
    assert_non_null(strstr(words, "1 + 1 == 3"));
}

static void a_failed_check_says_the_values(void **state) {
    (void)state;
    char words[8192];
    int status = run_in_child(with_values, words, sizeof words);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(words, "look(0)"));
    assert_non_null(strstr(words, "term=7 index=41"));
}

static void too_many_words_are_cut_and_still_abort(void **state) {
    (void)state;
    char words[8192];
    int status = run_in_child(long_values, words, sizeof words);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(words, "xxxxxxxx"));
}

static void a_check_that_holds_looks_once_and_goes_on(void **state) {
    (void)state;
    char words[8192];
    looks = 0;
    int status = run_in_child(holds, words, sizeof words);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_string_equal(words, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_check_aborts_and_names_file_line_and_condition),
        cmocka_unit_test(a_failed_check_says_the_values),
        cmocka_unit_test(too_many_words_are_cut_and_still_abort),
        cmocka_unit_test(a_check_that_holds_looks_once_and_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
