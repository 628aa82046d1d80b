/** Room of removed files is given back step by step, and never that of a file which still has a name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_reaper.h"
#include "scratch_directory.h"

#define LARGE ((off_t)3 * FILE_REAPER_STEP_BYTES + 5)
#define DEADLINE_MS 10000

struct place {
    char *directory;
    struct file_reaper *reaper;
};

static int setup(void **state) {
    struct place *place = calloc(1, sizeof *place);
    struct lf_error error = {0};
    place->directory = scratch_directory_new();
    place->reaper = file_reaper_new(&error);
    assert_non_null(place->reaper);
    *state = place;
    return 0;
}

static int teardown(void **state) {
    struct place *place = *state;
    file_reaper_destroy(&place->reaper);
    scratch_directory_remove(place->directory);
    free(place->directory);
    free(place);
    return 0;
}

static const char *path(const struct place *place, const char *name) {
    static char text[2][512];
    static int turn;
    turn = !turn;
    snprintf(text[turn], sizeof text[turn], "%s/%s", place->directory, name);
    return text[turn];
}

static int create(const struct place *place, const char *name, off_t bytes) {
    int fd = open(path(place, name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, bytes), 0);
    return fd;
}

static off_t size_of(int fd) {
    struct stat about;
    assert_int_equal(fstat(fd, &about), 0);
    return about.st_size;
}

static bool comes_to_nothing(int fd) {
    for (int i = 0; i < DEADLINE_MS && size_of(fd) > 0; i++)
        usleep(1000);
    return size_of(fd) == 0;
}

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0 || errno != EBADF; }

static void file_without_a_name_is_truncated_and_closed(void **state) {
    struct place *place = *state;
    int fd = create(place, "a", LARGE), watched = dup(fd);
    file_reaper_take(place->reaper, fd);
    assert_int_equal(unlink(path(place, "a")), 0);
    assert_true(comes_to_nothing(watched));
    for (int i = 0; i < DEADLINE_MS && is_open(fd); i++)
        usleep(1000);
    assert_false(is_open(fd));
    close(watched);
}

/** As that of a backup, whose link is the last. The one that is taken after it has its turn after it. */
static void file_with_any_name_left_is_not_touched(void **state) {
    struct place *place = *state;
    int linked = create(place, "a", LARGE), other = create(place, "b", LARGE), watched = dup(other);
    assert_int_equal(link(path(place, "a"), path(place, "link")), 0);
    file_reaper_take(place->reaper, linked);
    assert_int_equal(unlink(path(place, "a")), 0);
    file_reaper_take(place->reaper, other);
    assert_int_equal(unlink(path(place, "b")), 0);
    assert_true(comes_to_nothing(watched));
    assert_true(is_open(linked));
    assert_int_equal(size_of(linked), LARGE);
    assert_int_equal(unlink(path(place, "link")), 0);
    int again = dup(linked);
    assert_true(comes_to_nothing(again));
    close(again);
    close(watched);
}

/** A filesystem that does not count names must not make every file look as if it had none. */
static void file_without_a_name_from_the_beginning_is_closed_whole(void **state) {
    struct place *place = *state;
    int fd = create(place, "a", LARGE), watched = dup(fd);
    assert_int_equal(unlink(path(place, "a")), 0);
    file_reaper_take(place->reaper, fd);
    assert_false(is_open(fd));
    assert_int_equal(size_of(watched), LARGE);
    assert_int_equal(file_reaper_places(place->reaper), FILE_REAPER_HELD_MAX);
    close(watched);
}

static void one_too_many_is_closed_whole(void **state) {
    struct place *place = *state;
    int held[FILE_REAPER_HELD_MAX + 1];
    for (unsigned i = 0; i <= FILE_REAPER_HELD_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "%u", i);
        held[i] = create(place, name, LARGE);
    }
    for (unsigned i = 0; i <= FILE_REAPER_HELD_MAX; i++) {
        assert_int_equal(file_reaper_places(place->reaper), FILE_REAPER_HELD_MAX - i);
        file_reaper_take(place->reaper, held[i]);
    }
    assert_true(is_open(held[FILE_REAPER_HELD_MAX - 1]));
    assert_false(is_open(held[FILE_REAPER_HELD_MAX]));
    struct stat about;
    file_reaper_destroy(&place->reaper);
    for (unsigned i = 0; i <= FILE_REAPER_HELD_MAX; i++)
        assert_false(is_open(held[i]));
    assert_int_equal(stat(path(place, "1"), &about), 0);
    assert_int_equal(about.st_size, LARGE);
}

static void without_a_reaper_files_are_closed(void **state) {
    struct place *place = *state;
    int fd = create(place, "a", 1);
    file_reaper_take(NULL, fd);
    assert_false(is_open(fd));
    assert_int_equal(file_reaper_places(NULL), 0);
    file_reaper_take(place->reaper, -1);
    file_reaper_take(NULL, -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(file_without_a_name_is_truncated_and_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(file_with_any_name_left_is_not_touched, setup, teardown),
        cmocka_unit_test_setup_teardown(file_without_a_name_from_the_beginning_is_closed_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(one_too_many_is_closed_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_reaper_files_are_closed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
