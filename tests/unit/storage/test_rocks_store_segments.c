/** What only the real store has: segments as table files, made behind the log, deleted whole, damaged alone. */
#include "rocks_backend.h"
#include "rocks_store.h"
#include "scratch_directory.h"
#include "segments_support.h"

#include "lf_entry.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int setup(void **state) {
    struct contract *contract = test_calloc(1, sizeof *contract);
    contract->backend = &rocks_backend;
    contract->disk = rocks_backend.disk_new();
    *state = contract;
    contract_open(contract);
    return 0;
}

static int teardown(void **state) {
    struct contract *contract = *state;
    log_store_close(&contract->store);
    rocks_backend.disk_destroy(contract->disk);
    test_free(contract);
    return 0;
}

static const char *directory_of(const struct contract *contract) {
    return ((const struct rocks_disk *)contract->disk)->directory;
}

static struct log_store_engine_stats stats_of(struct contract *contract) {
    struct log_store_engine_stats stats;
    rocks_backend_settle(contract->store);
    log_store_engine_stats(contract->store, &stats);
    return stats;
}

/* Of those called NUMBER.ending. */
static void newest_file(const struct contract *contract, const char *ending, char path[512]) {
    DIR *stream = opendir(directory_of(contract));
    unsigned newest = 0, number;
    char rest[8];
    assert_non_null(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (sscanf(entry->d_name, "%u.%7s", &number, rest) == 2 && strcmp(rest, ending) == 0 && number > newest)
            newest = number;
    closedir(stream);
    snprintf(path, 512, "%s/%06u.%s", directory_of(contract), newest, ending);
}

/* ---- making ---- */

static void a_sealed_segment_becomes_one_table(void **state) {
    struct contract *contract = *state;
    segments_make(contract, 1, 4, 50, 100);
    struct log_store_engine_stats stats = stats_of(contract);
    assert_int_equal(stats.segment_tables, 4);
    assert_int_equal(stats.segments_made, 4);
    segments_expect(contract, 1, 1, 200, 100);
    contract_reopen(contract);
    segments_expect(contract, 1, 1, 200, 100);
    assert_int_equal(stats_of(contract).segment_tables, 4);
}

/* 16 groups of 64 entries of 32 KB, sealed again and again: most of it is streamed while it grows. */
static void segments_are_written_beside_the_log(void **state) {
    struct contract *contract = *state;
    uint64_t streamed = 0;
    for (uint64_t group = 1; group <= 8; group++)
        segments_make(contract, group, 1, 4, 32768);
    for (uint32_t round = 0; round < 64; round++)
        for (uint64_t group = 1; group <= 8; group++) {
            struct log_store_engine_stats stats;
            segments_append(contract, group, 1, 32768);
            log_store_engine_stats(contract->store, &stats);
            streamed = stats.segments_streamed > streamed ? stats.segments_streamed : streamed;
        }
    for (uint64_t group = 1; group <= 8; group++)
        segments_seal(contract, group);
    assert_true(streamed > 0);
    struct log_store_engine_stats stats = stats_of(contract);
    assert_int_equal(stats.segment_tables, 16);
    assert_int_equal(stats.segment_entries_fed + stats.segment_entries_read, 8 * 68);
    assert_true(stats.segment_entries_fed >= 8 * 32); /* a slow thread may have to read some */
    for (uint64_t group = 1; group <= 8; group++)
        segments_expect(contract, group, 1, 68, 32768);
}

static void a_seal_that_was_not_carried_out_is_after_a_restart(void **state) {
    struct contract *contract = *state;
    segments_make(contract, 1, 3, 2000, 100);
    contract_reopen(contract); /* most likely before all tables were made */
    segments_expect(contract, 1, 1, 6000, 100);
    assert_int_equal(stats_of(contract).segment_tables, 3);
    contract_reopen(contract);
    assert_int_equal(stats_of(contract).segment_tables, 3);
    segments_expect(contract, 1, 1, 6000, 100);
}

static void files_that_were_being_made_are_removed(void **state) {
    struct contract *contract = *state;
    char path[256];
    log_store_close(&contract->store);
    snprintf(path, sizeof path, "%s/segment-77.building", directory_of(contract));
    int fd = open(path, O_CREAT | O_WRONLY, 0644);
    assert_true(fd >= 0);
    close(fd);
    contract_open(contract);
    assert_int_not_equal(access(path, F_OK), 0);
    segments_make(contract, 1, 1, 10, 100);
    assert_int_equal(stats_of(contract).segment_tables, 1);
}

static struct log_store_write *sealing(uint64_t group, uint64_t last_index, size_t bytes) {
    struct log_segment segment = segments_describe(group, 1, last_index, bytes);
    struct log_store_write *write = contract_write(group, 2);
    for (uint64_t index = 1; index <= last_index + 1; index++) /* one more is not sealed */
        assert_int_equal(log_store_write_add_entry(write, index, contract_entry(group, index, 1, index, bytes)), LF_OK);
    write->applied_index = last_index;
    assert_int_equal(log_store_write_add_seal(write, &segment), LF_OK);
    return write;
}

/* The thread is at work on a large segment of another group when it is sealed and the image comes. */
static void an_install_keeps_a_segment_that_has_no_table_yet(void **state) {
    struct contract *contract = *state;
    assert_int_equal(contract_do(contract, contract_create(1, 1)), LF_OK);
    assert_int_equal(contract_do(contract, contract_create(2, 1)), LF_OK);
    segments_stage(contract, 1, 81, 90, 100);
    struct log_segment segments[2] = {segments_describe(1, 1, 80, 100), segments_describe(1, 81, 90, 100)};
    struct log_store_write *image = contract_write(1, 3);
    assert_int_equal(log_store_write_set_install(image, 90, 1, segments, 2), LF_OK);
    contract_submit(contract, sealing(2, 150, 100000));
    contract_submit(contract, sealing(1, 80, 100));
    contract_submit(contract, image);
    for (int i = 0; i < 3; i++) {
        struct log_store_completion *completion = contract_wait(contract);
        assert_int_equal(completion->status, LF_OK);
        log_store_completion_destroy(&completion);
    }
    segments_expect(contract, 1, 1, 90, 100);
    assert_int_equal(stats_of(contract).segment_tables, 3);
    segments_expect(contract, 1, 1, 90, 100);
}

/* ---- dropping ---- */

static void dropping_frees_files_and_writes_no_others_anew(void **state) {
    struct contract *contract = *state;
    segments_make(contract, 1, 8, 100, 1000);
    segments_make(contract, 2, 2, 100, 1000);
    uint64_t bytes = stats_of(contract).segment_bytes;
    segments_drop(contract, 1, 401);
    struct log_store_engine_stats stats = stats_of(contract);
    assert_int_equal(stats.segment_tables, 6);
    assert_in_range(stats.segment_bytes, bytes * 59 / 100, bytes * 61 / 100);
    segments_expect(contract, 1, 401, 400, 1000);
    segments_expect(contract, 2, 1, 200, 1000);
    contract_reopen(contract);
    segments_expect(contract, 1, 401, 400, 1000);
    assert_int_equal(stats_of(contract).segment_tables, 6);
}

static uint64_t store_bytes(const struct contract *contract) {
    char path[512];
    uint64_t bytes = 0;
    DIR *directory = opendir(directory_of(contract));
    for (struct dirent *entry; directory && (entry = readdir(directory)) != NULL;) {
        struct stat about;
        snprintf(path, sizeof path, "%s/%s", directory_of(contract), entry->d_name);
        bytes += strstr(entry->d_name, ".sst") && stat(path, &about) == 0 ? (uint64_t)about.st_size : 0;
    }
    closedir(directory);
    return bytes;
}

/** Several memtables of sealed and dropped entries lie in `active` until so many runs are there that they are merged.
 */
static void tidying_gives_back_what_dropped_entries_hold(void **state) {
    struct contract *contract = *state;
    segments_make(contract, 1, 6, 300, 32768);
    segments_drop(contract, 1, 1 + 5 * 300);
    rocks_backend_settle(contract->store);
    assert_true(store_bytes(contract) > 15 * 1024 * 1024); /* one segment of 10 MB is left */
    log_store_tidy(contract->store);
    for (int i = 0; i < 2000 && store_bytes(contract) > 12 * 1024 * 1024; i++)
        poll(NULL, 0, 10);
    assert_true(store_bytes(contract) <= 12 * 1024 * 1024);
    segments_expect(contract, 1, 1 + 5 * 300, 300, 32768);
}

/** And by itself where it is much beside what is left. */
static void dropping_most_gives_back_what_dropped_entries_hold(void **state) {
    struct contract *contract = *state;
    segments_make(contract, 1, 1, 1, 1000);
    for (int i = 0; i < 12; i++) /* in tables of `active` long before they are sealed */
        segments_append(contract, 1, 300, 32768);
    segments_seal(contract, 1);
    struct log_store_engine_stats stats = stats_of(contract);
    assert_true(store_bytes(contract) > stats.segment_bytes + 64 * 1024 * 1024); /* or this test shows nothing */
    segments_drop(contract, 1, 3602);
    for (int i = 0; i < 2000 && store_bytes(contract) > 1024 * 1024; i++)
        poll(NULL, 0, 10);
    assert_true(store_bytes(contract) <= 1024 * 1024);
}

/* Removed as usual it would keep its bytes for who has it open. */
static void expect_truncated(int fd) {
    struct stat about = {.st_size = 1};
    for (int i = 0; i < 2000 && fstat(fd, &about) == 0 && about.st_size > 0; i++)
        poll(NULL, 0, 10);
    assert_int_equal(about.st_size, 0);
    close(fd);
}

static int open_newest(const struct contract *contract, const char *ending) {
    char path[512];
    newest_file(contract, ending, path);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    return fd;
}

static void the_reaper_gets_dropped_tables_and_old_logs(void **state) {
    struct contract *contract = *state;
    segments_make(contract, 1, 2, 100, 1000);
    rocks_backend_settle(contract->store);
    int table = open_newest(contract, "sst"), log = open_newest(contract, "log");
    segments_drop(contract, 1, 201);
    expect_truncated(table);
    segments_make(contract, 2, 1, 1, 1000);
    for (int i = 0; i < 13; i++) /* more than all logs may have: the oldest goes */
        segments_append(contract, 2, 300, 32768);
    expect_truncated(log);
}

static void a_destroyed_group_takes_its_segments_along(void **state) {
    struct contract *contract = *state;
    segments_make(contract, 1, 3, 100, 1000);
    segments_make(contract, 2, 2, 100, 1000);
    segments_append(contract, 1, 3, 1000); /* kept in memory for the next segment */
    struct log_store_write *write = contract_write(1, 99);
    write->destroy = true;
    assert_int_equal(contract_do(contract, write), LF_OK);
    assert_int_equal(stats_of(contract).segment_tables, 2);
    contract_reopen(contract);
    segments_expect(contract, 2, 1, 200, 1000);
    assert_int_equal(stats_of(contract).segment_tables, 2);
}

/* Tables go without regard to snapshots: a read that was begun before begins anew. */
static void reads_beside_drops_meet_no_damage(void **state) {
    struct contract *contract = *state;
    const uint32_t segments = 40, reads = 6;
    segments_make(contract, 1, segments, 20, 2000);
    rocks_backend_settle(contract->store);
    for (uint32_t i = 1; i < segments; i++) {
        struct log_store_write *write = contract_write(1, i);
        write->drop_before = (uint64_t)i * 20 + 1;
        contract_submit(contract, write);
        for (uint32_t n = 0; n < reads; n++) {
            struct log_store_read read = {.group = 1,
                                          .from = LOG_STORE_READ_INDEX,
                                          .value = 1,
                                          .last_index = UINT64_MAX,
                                          .bytes_max = UINT32_MAX,
                                          .entries_max = UINT32_MAX};
            assert_int_equal(log_store_read(contract->store, &read), LF_OK);
        }
    }
    for (uint32_t i = 0; i < (segments - 1) * (reads + 1); i++) {
        struct log_store_completion *completion = contract_wait(contract);
        if (completion->status != LF_OK)
            fail_msg("%s", completion->error.text);
        log_store_completion_destroy(&completion);
    }
    segments_expect(contract, 1, (segments - 1) * 20 + 1, 20, 2000);
}

/* ---- damage ---- */

/* Turns bytes over, `from_end` before the end of the file. Twice: as before. */
static void turn_over(const char *path, off_t from_end) {
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    off_t at = lseek(fd, 0, SEEK_END) - from_end;
    uint8_t bytes[16];
    assert_int_equal(pread(fd, bytes, sizeof bytes, at), sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] ^= 0xff;
    assert_int_equal(pwrite(fd, bytes, sizeof bytes, at), sizeof bytes);
    close(fd);
}

static void damage_newest_table(struct contract *contract, off_t from_end) {
    char path[512];
    newest_file(contract, "sst", path);
    turn_over(path, from_end);
}

static void expect_damaged(struct contract *contract, uint64_t group, uint64_t first_index, uint64_t last_index) {
    struct log_store_read read = {.group = group,
                                  .from = LOG_STORE_READ_INDEX,
                                  .value = first_index,
                                  .last_index = UINT64_MAX,
                                  .bytes_max = UINT32_MAX,
                                  .entries_max = UINT32_MAX};
    struct log_store_completion *completion = contract_read(contract, read);
    assert_int_equal(completion->status, LF_DAMAGED);
    assert_int_equal(completion->segment.first_index, first_index);
    assert_int_equal(completion->segment.last_index, last_index);
    log_store_completion_destroy(&completion);
}

/* The tables of segments are made before: nothing else has one yet. */
static void damaged_segment(struct contract *contract, off_t from_end) {
    segments_make(contract, 1, 2, 100, 1000);
    stats_of(contract);
    contract_reopen(contract);
    segments_make(contract, 2, 1, 100, 1000);
    stats_of(contract);
    segments_append(contract, 2, 10, 1000);
    log_store_close(&contract->store);
    damage_newest_table(contract, from_end);
    contract_open(contract);
    expect_damaged(contract, 2, 1, 100);
    segments_expect(contract, 1, 1, 200, 1000);
    segments_expect(contract, 2, 101, 10, 1000);
    segments_make_more(contract, 1, 1, 100, 1000);
    segments_stage(contract, 2, 1, 100, 1000);
    segments_replace(contract, 2, 1, 100, 1000);
    segments_expect(contract, 2, 1, 110, 1000);
    assert_int_equal(stats_of(contract).segment_tables, 4);
    contract_reopen(contract);
    segments_expect(contract, 2, 1, 110, 1000);
    segments_expect(contract, 1, 1, 300, 1000);
}

static void a_damaged_block_is_the_damage_of_its_segment(void **state) { damaged_segment(*state, 50000); }

/* The segment 1-100 as one that holds its even entries only. */
static void thin_out(struct contract *contract, uint64_t group) {
    struct log_segment segment;
    struct lf_buf *entries[50];
    log_segment_begin(&segment, 1, 0, 1);
    for (uint32_t i = 0; i < 50; i++) {
        entries[i] = contract_entry(group, 2 * (uint64_t)i + 2, 1, 2 * (uint64_t)i + 2, 1000);
        log_segment_add(&segment, lf_buf_bytes(entries[i]));
    }
    segment.first_log_time_ms = 1;
    segment.rewrites = 1;
    struct log_store_stage stage = {
        .group = group, .segment = &segment, .first = true, .last = true, .entries = entries, .entry_count = 50};
    assert_int_equal(log_store_stage(contract->store, &stage), LF_OK);
    struct log_store_completion *completion = contract_wait(contract);
    assert_int_equal(completion->status, LF_OK);
    log_store_completion_destroy(&completion);
    for (uint32_t i = 0; i < 50; i++)
        lf_buf_unref(&entries[i]);
    struct log_store_write *write = contract_write(group, 7);
    assert_int_equal(log_store_write_set_replacements(write, &segment, 1), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
}

static void a_segment_that_may_lack_entries_does_not_lack_all_without_a_word(void **state) {
    struct contract *contract = *state;
    segments_make(contract, 1, 1, 100, 1000);
    thin_out(contract, 1);
    stats_of(contract);
    log_store_close(&contract->store);
    damage_newest_table(contract, 16);
    contract_open(contract);
    expect_damaged(contract, 1, 1, 100);
}

static void expect_scrub_finds(struct contract *contract, uint64_t group, uint64_t first_index) {
    struct log_store_completion *completion = contract_wait(contract);
    assert_int_equal(completion->kind, LOG_STORE_DONE_DAMAGE);
    assert_int_equal(completion->group, group);
    assert_int_equal(completion->segment.first_index, first_index);
    log_store_completion_destroy(&completion);
}

/* Until a round that began from now on is over. */
static void wait_round(struct contract *contract) {
    uint64_t wanted = stats_of(contract).scrub_passes + 2;
    for (int waited_ms = 0; stats_of(contract).scrub_passes < wanted; waited_ms += 10) {
        assert_true(waited_ms < 60000);
        usleep(10000);
    }
}

static void a_scrub_tells_again_of_what_was_whole_between(void **state) {
    struct contract *contract = *state;
    char table[512];
    segments_make(contract, 1, 2, 100, 1000);
    stats_of(contract);
    log_store_close(&contract->store);
    ((struct rocks_disk *)contract->disk)->scrub_bytes_per_s = 1u << 30;
    newest_file(contract, "sst", table);
    turn_over(table, 50000);
    contract_open(contract);
    expect_scrub_finds(contract, 1, 101);
    wait_round(contract);
    assert_null(log_store_poll(contract->store)); /* once as long as it stays so */
    turn_over(table, 50000);
    wait_round(contract); /* nobody else reads: a block in the cache is not read from the file */
    turn_over(table, 50000);
    expect_scrub_finds(contract, 1, 101);
    assert_int_equal(stats_of(contract).scrub_damages, 2);
}

static void a_store_opens_though_the_end_of_a_segment_is_damaged(void **state) { damaged_segment(*state, 16); }

int main(void) {
#define SEGMENTS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        SEGMENTS_TEST(a_sealed_segment_becomes_one_table),
        SEGMENTS_TEST(segments_are_written_beside_the_log),
        SEGMENTS_TEST(a_seal_that_was_not_carried_out_is_after_a_restart),
        SEGMENTS_TEST(an_install_keeps_a_segment_that_has_no_table_yet),
        SEGMENTS_TEST(files_that_were_being_made_are_removed),
        SEGMENTS_TEST(dropping_frees_files_and_writes_no_others_anew),
        SEGMENTS_TEST(tidying_gives_back_what_dropped_entries_hold),
        SEGMENTS_TEST(dropping_most_gives_back_what_dropped_entries_hold),
        SEGMENTS_TEST(the_reaper_gets_dropped_tables_and_old_logs),
        SEGMENTS_TEST(a_destroyed_group_takes_its_segments_along),
        SEGMENTS_TEST(reads_beside_drops_meet_no_damage),
        SEGMENTS_TEST(a_damaged_block_is_the_damage_of_its_segment),
        SEGMENTS_TEST(a_segment_that_may_lack_entries_does_not_lack_all_without_a_word),
        SEGMENTS_TEST(a_store_opens_though_the_end_of_a_segment_is_damaged),
        SEGMENTS_TEST(a_scrub_tells_again_of_what_was_whole_between),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
