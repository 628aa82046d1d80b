/** The preset's sanitizer is really on, in our libraries too, and its report survives cmocka's signal handlers.
 *
 *  Runs itself with the name of a mistake as argument; the child must make it, end badly and show the report. Asked
 *  only where LOGFLUME_SANITIZE is set. The mistakes are made inside base's own functions where possible: they would
 *  not be seen if only this file were instrumented. */
#include "lf_crc32c.h"
#include "lf_map.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char *program;

/* ---- the mistakes ---- */

static void read_past_the_end(void) {
    uint8_t *bytes = malloc(16);
    memset(bytes, 1, 16);
    printf("%u\n", lf_crc32c_portable(0, bytes, 17));
    free(bytes);
}

static void use_after_free(void) {
    struct lf_map map = {0};
    lf_map_put(&map, 1, &map);
    struct lf_map stale = map;
    lf_map_deinit(&map);
    printf("%p\n", lf_map_get(&stale, 1));
}

static void leak(void) {
    void *volatile lost = malloc(100);
    lost = NULL;
    printf("%p\n", lost);
}

static void overflow(void) {
    volatile int32_t most = INT32_MAX;
    most = most + 1;
    printf("%d\n", most);
}

static void *put_in(void *map) {
    for (uint64_t i = 1; i < 1000; i++)
        lf_map_put(map, i, map);
    return NULL;
}

static void race(void) {
    struct lf_map map = {0};
    pthread_t other;
    lf_map_put(&map, 5000, &map);
    if (pthread_create(&other, NULL, put_in, &map) != 0)
        exit(0);
    for (uint64_t i = 0; i < 100000; i++)
        lf_map_get(&map, 5000);
    pthread_join(other, NULL);
    lf_map_deinit(&map);
}

static void touch_nothing(void **state) {
    (void)state;
    volatile int *volatile nowhere = (volatile int *)8;
    *nowhere = 1;
}

/** A wild write inside a test: cmocka would catch the signal and say only that. */
static void wild_write_under_cmocka(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(touch_nothing)};
    exit(cmocka_run_group_tests(tests, NULL, NULL));
}

static const struct mistake {
    const char *name;
    void (*make)(void);
} mistakes[] = {{"read-past-the-end", read_past_the_end},
                {"use-after-free", use_after_free},
                {"leak", leak},
                {"overflow", overflow},
                {"race", race},
                {"wild-write", wild_write_under_cmocka}};

static int make(const char *name) {
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++)
        if (strcmp(mistakes[i].name, name) == 0)
            mistakes[i].make();
    return 0; /* nothing was seen */
}

/* ---- the facts ---- */

static void child_reports(const char *name, const char *report) {
    char words[32768];
    size_t used = 0;
    ssize_t got;
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        execl(program, program, name, (char *)NULL);
        _exit(0);
    }
    close(ends[1]);
    while (used < sizeof words - 1 && (got = read(ends[0], words + used, sizeof words - 1 - used)) > 0)
        used += (size_t)got;
    words[used] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!strstr(words, report))
        fail_msg("%s: no `%s` in what was said:\n%s", name, report, words);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void address_errors_are_reported(void **state) {
    (void)state;
    if (!strstr(LOGFLUME_SANITIZE, "address"))
        skip();
    child_reports("read-past-the-end", "AddressSanitizer: heap-buffer-overflow");
    child_reports("read-past-the-end", "lf_crc32c_portable");
    child_reports("use-after-free", "AddressSanitizer: heap-use-after-free");
}

static void leaks_are_reported(void **state) {
    (void)state;
    if (!strstr(LOGFLUME_SANITIZE, "address"))
        skip();
    child_reports("leak", "LeakSanitizer: detected memory leaks");
}

static void undefined_behaviour_is_reported_and_ends_the_program(void **state) {
    (void)state;
    if (!strstr(LOGFLUME_SANITIZE, "undefined"))
        skip();
    child_reports("overflow", "runtime error: signed integer overflow");
}

static void races_are_reported(void **state) {
    (void)state;
    if (!strstr(LOGFLUME_SANITIZE, "thread"))
        skip();
    child_reports("race", "ThreadSanitizer: data race");
    child_reports("race", "lf_map_put");
}

static void a_wild_write_under_cmocka_is_still_reported(void **state) {
    (void)state;
    child_reports("wild-write",
                  strstr(LOGFLUME_SANITIZE, "thread") ? "ThreadSanitizer: SEGV" : "AddressSanitizer: SEGV");
    child_reports("wild-write", "touch_nothing");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_errors_are_reported),
        cmocka_unit_test(leaks_are_reported),
        cmocka_unit_test(undefined_behaviour_is_reported_and_ends_the_program),
        cmocka_unit_test(races_are_reported),
        cmocka_unit_test(a_wild_write_under_cmocka_is_still_reported),
    };
    if (argc == 2)
        return make(argv[1]);
    program = argv[0];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
