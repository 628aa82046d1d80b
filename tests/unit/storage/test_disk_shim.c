/** The disk of the power cuts itself: what was synced stays, the rest stays or goes, in sectors and names, by the seed.
 */
#include "scratch_directory.h"
#include "shim_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define SEEDS 80

struct place {
    char *base; /* holds root and state */
    char root[64], state[64];
};

static void place_init(struct place *place) {
    place->base = scratch_directory_new();
    snprintf(place->root, sizeof place->root, "%s/root", place->base);
    snprintf(place->state, sizeof place->state, "%s/state", place->base);
}

static void place_deinit(struct place *place) {
    scratch_directory_remove(place->base);
    free(place->base);
}

static int run_writer(const struct place *place, const char *mode, const char *fail, int output_fd) {
    char *arguments[] = {(char *)SHIM_WRITER_FILE, (char *)place->root, (char *)mode, NULL};
    pid_t child = shim_start(arguments, place->root, place->state, fail, output_fd);
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    return how;
}

/* The file's bytes, NUL-terminated; NULL when it does not exist. */
static char *file_of(const struct place *place, const char *name, size_t *size) {
    static char bytes[1 << 17];
    char path[128];
    snprintf(path, sizeof path, "%s/%s", place->root, name);
    FILE *in = fopen(path, "rb");
    if (!in)
        return NULL;
    *size = fread(bytes, 1, sizeof bytes - 1, in);
    bytes[*size] = '\0';
    fclose(in);
    return bytes;
}

static bool all_are(const char *bytes, size_t from, size_t to, char wanted) {
    for (size_t i = from; i < to; i++)
        if (bytes[i] != wanted)
            return false;
    return true;
}

/* How often each fate was met over all seeds. */
static struct {
    unsigned appended_whole, appended_short, appended_zeroes, appended_none;
    unsigned overwritten_new, overwritten_old, overwritten_mixed;
    unsigned fresh_there, fresh_gone, removed_back, removed_gone, target_old, target_new, cut_kept, cut_undone;
} met;

static void check_appended(const struct place *place) {
    size_t size = 0;
    const char *bytes = file_of(place, "appended", &size);
    assert_non_null(bytes);
    assert_in_range(size, 50000, 100000);
    assert_true(all_are(bytes, 0, 50000, 'a'));
    bool zeroes = false;
    for (size_t at = 50000; at < size;) {
        size_t end = (at / 512 + 1) * 512 < size ? (at / 512 + 1) * 512 : size;
        assert_true(all_are(bytes, at, end, 'b') || all_are(bytes, at, end, '\0'));
        zeroes = zeroes || bytes[at] == '\0';
        at = end;
    }
    met.appended_zeroes += zeroes;
    met.appended_whole += size == 100000 && !zeroes;
    met.appended_none += size == 50000;
    met.appended_short += size > 50000 && size < 100000;
}

/* 'b' over [1000, 5000), then 'c' over [1500, 2500), none of it synced. */
static void check_overwritten(const struct place *place) {
    size_t size = 0, old = 0, now = 0;
    const char *bytes = file_of(place, "overwritten", &size);
    assert_non_null(bytes);
    assert_int_equal(size, 8192);
    for (size_t i = 0; i < size; i++) {
        char newest = i >= 1500 && i < 2500 ? 'c' : i >= 1000 && i < 5000 ? 'b' : 'a';
        assert_true(bytes[i] == newest || bytes[i] == 'a' || (newest == 'c' && bytes[i] == 'b'));
        if (newest != 'a') {
            old += bytes[i] == 'a';
            now += bytes[i] == newest;
        }
    }
    met.overwritten_new += now == 4000;
    met.overwritten_old += old == 4000;
    met.overwritten_mixed += now > 0 && old > 0;
}

static void check_names(const struct place *place) {
    size_t size = 0;
    const char *bytes = file_of(place, "fresh", &size);
    met.fresh_there += bytes != NULL;
    met.fresh_gone += bytes == NULL;
    if (bytes)
        assert_true(size == 3000 && all_are(bytes, 0, 3000, 'f'));
    bytes = file_of(place, "removed", &size);
    met.removed_back += bytes != NULL;
    met.removed_gone += bytes == NULL;
    if (bytes)
        assert_true(size == 8192 && all_are(bytes, 0, 8192, 'a'));
    bytes = file_of(place, "target", &size);
    assert_non_null(bytes);
    bool moved = bytes[0] == 's';
    assert_true(moved ? size == 8192 && all_are(bytes, 0, 8192, 's') : all_are(bytes, 0, 8192, 'a'));
    met.target_new += moved;
    met.target_old += !moved;
    bytes = file_of(place, "source", &size);
    assert_true((bytes != NULL) != moved);
    bytes = file_of(place, "shortened", &size);
    assert_non_null(bytes);
    assert_true(size == 100 || size == 8192);
    assert_true(all_are(bytes, 0, size, 'a'));
    met.cut_kept += size == 100;
    met.cut_undone += size == 8192;
}

static void what_was_synced_stays_and_the_rest_goes_or_stays_by_chance(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct place place;
        place_init(&place);
        assert_int_equal(run_writer(&place, "cut", NULL, -1), 9 /* SIGKILL */);
        shim_cut(place.state, seed, NULL, 0);
        check_appended(&place);
        check_overwritten(&place);
        check_names(&place);
        place_deinit(&place);
    }
    const unsigned counts[] = {met.appended_whole,  met.appended_short,  met.appended_zeroes,   met.appended_none,
                               met.overwritten_new, met.overwritten_old, met.overwritten_mixed, met.fresh_there,
                               met.fresh_gone,      met.removed_back,    met.removed_gone,      met.target_old,
                               met.target_new,      met.cut_kept,        met.cut_undone};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (counts[i] == 0)
            fail_msg("fate %zu was never met", i);
}

static void the_same_seed_cuts_the_same(void **state) {
    (void)state;
    char first[256], second[256];
    for (int round = 0; round < 2; round++) {
        struct place place;
        place_init(&place);
        run_writer(&place, "cut", NULL, -1);
        shim_cut(place.state, 5, round ? second : first, sizeof first);
        place_deinit(&place);
    }
    assert_string_equal(first, second);
}

static void without_a_cut_everything_written_is_there(void **state) {
    (void)state;
    struct place place;
    size_t size = 0;
    place_init(&place);
    run_writer(&place, "cut", NULL, -1);
    assert_non_null(file_of(&place, "appended", &size));
    assert_int_equal(size, 100000);
    assert_null(file_of(&place, "removed", &size));
    place_deinit(&place);
}

/* The calls' results under a rule, as one text. */
static const char *calls_under(const char *mode, const char *fail, int *how) {
    static char text[4096];
    struct place place;
    int pipes[2];
    place_init(&place);
    assert_int_equal(pipe(pipes), 0);
    *how = run_writer(&place, mode, fail, pipes[1]);
    close(pipes[1]);
    size_t size = 0;
    for (ssize_t got; (got = read(pipes[0], text + size, sizeof text - 1 - size)) > 0;)
        size += (size_t)got;
    text[size] = '\0';
    close(pipes[0]);
    place_deinit(&place);
    return text;
}

static unsigned count_of(const char *text, const char *line) {
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, line)) != NULL; at += strlen(line))
        count++;
    return count;
}

static void the_nth_call_fails_tears_or_waits(void **state) {
    (void)state;
    int how;
    const char *text = calls_under("calls", "fdatasync:3:EIO", &how);
    assert_int_equal(count_of(text, "fdatasync -1 5\n"), 1);
    assert_int_equal(count_of(text, "fdatasync 0 0\n"), 9);
    text = calls_under("calls", "write:4+:ENOSPC", &how);
    assert_int_equal(count_of(text, "write -1 28\n"), 7);
    assert_int_equal(count_of(text, "write 100 0\n"), 3);
    text = calls_under("calls", "write:2:short,write:5:torn", &how);
    assert_int_equal(count_of(text, "write 50 0\n"), 1);
    assert_int_equal(count_of(text, "write -1 5\n"), 1);
    text = calls_under("calls", "fdatasync:4:kill", &how);
    assert_int_equal(how, 9);
    assert_int_equal(count_of(text, "fdatasync 0 0\n"), 3); /* a round is printed at its end */
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    calls_under("calls", "fdatasync:1+:delay=30", &how);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 300);
}

static void a_file_closed_through_a_stream_is_not_taken_for_what_gets_its_number(void **state) {
    (void)state;
    int how;
    assert_string_equal(calls_under("pipe", "write:1+:ENOSPC", &how), "write 100\n");
    assert_int_equal(how, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_synced_stays_and_the_rest_goes_or_stays_by_chance),
        cmocka_unit_test(the_same_seed_cuts_the_same),
        cmocka_unit_test(without_a_cut_everything_written_is_there),
        cmocka_unit_test(the_nth_call_fails_tears_or_waits),
        cmocka_unit_test(a_file_closed_through_a_stream_is_not_taken_for_what_gets_its_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
