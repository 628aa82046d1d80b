/** Room on the data filesystem: what is judged, and what is done with the ballast. */
#include "disk_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

#define KIB 1024ull
#define MIB (1024ull * 1024)
#define GIB (1024ull * MIB)

static const struct disk_space_limits limits = {
    .soft_bytes = 800 * MIB, .hard_bytes = 400 * MIB, .ballast_bytes = 100 * MIB};

static struct disk_space_orders judge(uint64_t free_bytes, uint64_t ballast_bytes, bool held) {
    struct disk_space_sample sample = {.free_bytes = free_bytes, .ballast_bytes = ballast_bytes, .held = held};
    return disk_space_judge(&limits, &sample);
}

static void limits_follow_the_size_of_the_filesystem(void **state) {
    (void)state;
    const struct disk_space_limits none = {0};
    struct disk_space_limits large = disk_space_limits_complete(&none, 1000 * GIB);
    assert_int_equal(large.soft_bytes, GIB);
    assert_int_equal(large.hard_bytes, GIB / 2);
    assert_int_equal(large.ballast_bytes, GIB / 16);
    struct disk_space_limits small = disk_space_limits_complete(&none, 192 * MIB);
    assert_int_equal(small.soft_bytes, 24 * MIB);
    assert_int_equal(small.hard_bytes, 12 * MIB);
    struct disk_space_limits given = disk_space_limits_complete(&limits, GIB);
    assert_memory_equal(&given, &limits, sizeof limits);
}

static void what_the_ballast_lacks_is_no_room(void **state) {
    (void)state;
    assert_int_equal(judge(900 * MIB, 100 * MIB, false).space.room_bytes, 900 * MIB);
    assert_int_equal(judge(900 * MIB, 0, false).space.room_bytes, 800 * MIB);
    assert_int_equal(judge(50 * MIB, 0, false).space.room_bytes, 0);
    assert_int_equal(judge(900 * MIB, 200 * MIB, false).space.room_bytes, 900 * MIB); /* it was configured smaller */
}

static void the_ballast_goes_at_the_hard_limit_and_comes_back_first(void **state) {
    (void)state;
    assert_int_equal(judge(400 * MIB, 100 * MIB, false).ballast, DISK_BALLAST_KEEP);
    assert_int_equal(judge(399 * MIB, 100 * MIB, false).ballast, DISK_BALLAST_RELEASE);
    assert_int_equal(judge(399 * MIB, 0, false).ballast, DISK_BALLAST_KEEP);
    assert_int_equal(judge(499 * MIB, 0, false).ballast, DISK_BALLAST_KEEP); /* what it gave is not new room */
    assert_int_equal(judge(600 * MIB, 0, false).ballast, DISK_BALLAST_GROW);
    assert_int_equal(judge(600 * MIB, 50 * MIB, false).ballast, DISK_BALLAST_GROW);
    assert_int_equal(judge(600 * MIB, 100 * MIB, false).ballast, DISK_BALLAST_KEEP);
}

static void below_the_floor_nothing_is_written_until_there_is_twice_as_much(void **state) {
    (void)state;
    assert_false(judge(100 * MIB, 0, false).hold);
    assert_true(judge(100 * MIB - 1, 0, false).hold);
    assert_true(judge(200 * MIB - 1, 0, true).hold);
    assert_false(judge(200 * MIB, 0, true).hold);
}

static void the_less_is_left_the_sooner_it_is_looked_again(void **state) {
    (void)state;
    struct disk_space_orders orders = judge(1000 * MIB, 100 * MIB, false);
    assert_int_equal(disk_space_written_max(&orders), 100 * MIB); /* half of 600, at three bytes for one */
    orders = judge(400 * MIB, 100 * MIB, false);
    assert_int_equal(disk_space_written_max(&orders), 0);
}

/* ---- the guard, on a real filesystem ---- */

static char directory[] = "/tmp/logflume-disk-guard-XXXXXX";
static struct disk_guard guard;

static int make_directory(void **state) {
    (void)state;
    snprintf(directory, sizeof directory, "/tmp/logflume-disk-guard-XXXXXX");
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
    (void)state;
    char path[128];
    disk_guard_deinit(&guard);
    snprintf(path, sizeof path, "%s/" DISK_GUARD_BALLAST_FILE, directory);
    unlink(path);
    return rmdir(directory);
}

static uint64_t ballast_on_disk(void) {
    char path[128];
    struct stat about;
    snprintf(path, sizeof path, "%s/" DISK_GUARD_BALLAST_FILE, directory);
    return stat(path, &about) == 0 ? 512 * (uint64_t)about.st_blocks : 0;
}

static void the_ballast_takes_real_room_and_gives_it_back(void **state) {
    (void)state;
    struct disk_space_limits low = {.soft_bytes = 8 * KIB, .hard_bytes = 4 * KIB, .ballast_bytes = 24 * MIB};
    disk_guard_init(&guard, directory, &low, NULL);
    uint64_t now = 1000;
    assert_true(disk_guard_look(&guard, now, 0));
    if (guard.no_ballast)
        skip(); /* not every filesystem can */
    assert_int_equal(ballast_on_disk(), DISK_GUARD_BALLAST_STEP_BYTES);
    assert_false(disk_guard_look(&guard, now + DISK_GUARD_MS - 1, 0));
    assert_true(disk_guard_look(&guard, now += DISK_GUARD_MS, 0));
    assert_int_equal(ballast_on_disk(), 24 * MIB);
    disk_guard_deinit(&guard);

    struct disk_space_limits high = {.soft_bytes = 1ull << 62, .hard_bytes = 1ull << 61, .ballast_bytes = 24 * MIB};
    disk_guard_init(&guard, directory, &high, NULL); /* a later start finds it */
    assert_int_equal(guard.ballast_bytes, 24 * MIB);
    assert_true(disk_guard_look(&guard, now, 0));
    assert_int_equal(ballast_on_disk(), 0);
    assert_true(guard.orders.hold);
}

static void writing_much_makes_it_look_sooner(void **state) {
    (void)state;
    struct statvfs about;
    assert_int_equal(statvfs(directory, &about), 0);
    uint64_t free_bytes = (uint64_t)about.f_bavail * about.f_frsize;
    struct disk_space_limits close = {
        .soft_bytes = free_bytes / 2, .hard_bytes = free_bytes / 2, .ballast_bytes = 4 * KIB};
    disk_guard_init(&guard, directory, &close, NULL);
    assert_true(disk_guard_look(&guard, 1000, 0));
    assert_false(disk_guard_look(&guard, 1000 + DISK_GUARD_MS_MIN, free_bytes / 100));
    assert_true(disk_guard_look(&guard, 1000 + DISK_GUARD_MS_MIN, free_bytes / 10));
    assert_false(disk_guard_look(&guard, 1000 + DISK_GUARD_MS_MIN, free_bytes)); /* yet not at every turn */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_follow_the_size_of_the_filesystem),
        cmocka_unit_test(what_the_ballast_lacks_is_no_room),
        cmocka_unit_test(the_ballast_goes_at_the_hard_limit_and_comes_back_first),
        cmocka_unit_test(below_the_floor_nothing_is_written_until_there_is_twice_as_much),
        cmocka_unit_test(the_less_is_left_the_sooner_it_is_looked_again),
        cmocka_unit_test_setup_teardown(the_ballast_takes_real_room_and_gives_it_back, make_directory,
                                        remove_directory),
        cmocka_unit_test_setup_teardown(writing_much_makes_it_look_sooner, make_directory, remove_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
