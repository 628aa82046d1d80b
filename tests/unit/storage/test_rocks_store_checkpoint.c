/** Copies of the real store while it runs: whole stores by the rules of a start, with all that was written before. */
#include "rocks_backend.h"
#include "rocks_inspect.h"
#include "rocks_store.h"
#include "scratch_directory.h"
#include "segments_support.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct copies {
    struct contract contract; /* first */
    char *directory;          /* where the copies go */
};

static int setup(void **state) {
    struct copies *copies = test_calloc(1, sizeof *copies);
    copies->contract.backend = &rocks_backend;
    copies->contract.disk = rocks_backend.disk_new();
    copies->directory = scratch_directory_new();
    *state = copies;
    contract_open(&copies->contract);
    return 0;
}

static int teardown(void **state) {
    struct copies *copies = *state;
    log_store_close(&copies->contract.store);
    rocks_backend.disk_destroy(copies->contract.disk);
    for (int i = 0; i < 100; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%d", copies->directory, i);
        if (access(path, F_OK) == 0)
            scratch_directory_remove(path);
    }
    scratch_directory_remove(copies->directory);
    free(copies->directory);
    test_free(copies);
    return 0;
}

static const char *copy_path(const struct copies *copies, int number) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%d", copies->directory, number);
    return path;
}

static void copy(struct copies *copies, int number) {
    struct lf_error error = {0};
    enum lf_status status = log_store_checkpoint(copies->contract.store, copy_path(copies, number), &error);
    if (status != LF_OK)
        fail_msg("copy: %s: %s", lf_status_name(status), error.text);
}

/* As a start would, without one: the files are judged first. */
static void judge(const struct copies *copies, int number) {
    struct rocks_inspect_verdict verdict;
    struct lf_error error = {0};
    assert_int_equal(rocks_inspect_judge(copy_path(copies, number), &verdict, &error), LF_OK);
    if (verdict.error.code != LF_OK)
        fail_msg("copy %d: %s", number, verdict.error.text);
    assert_int_equal(verdict.bytes_torn, 0);
}

/* The contract goes on with the copy in place of the store. */
static void open_copy(struct copies *copies, int number) {
    struct rocks_store_options options = {.directory = copy_path(copies, number)};
    struct lf_error error = {0};
    log_store_close(&copies->contract.store);
    judge(copies, number);
    enum lf_status status = rocks_store_open(&options, &contract_identity, &copies->contract.store, &error);
    if (status != LF_OK)
        fail_msg("open the copy: %s: %s", lf_status_name(status), error.text);
}

static void a_copy_holds_what_was_written_before(void **state) {
    struct copies *copies = *state;
    struct contract *contract = &copies->contract;
    segments_make(contract, 1, 4, 50, 100);
    segments_append(contract, 1, 20, 100);
    copy(copies, 0);
    segments_append(contract, 1, 30, 100); /* this is not of it */
    segments_expect(contract, 1, 1, 250, 100);
    open_copy(copies, 0);
    segments_expect(contract, 1, 1, 220, 100);
    rocks_backend_settle(contract->store);
    segments_expect(contract, 1, 1, 220, 100);
    segments_append(contract, 1, 5, 100); /* and it is a store like any other */
    segments_expect(contract, 1, 1, 225, 100);
}

static void a_copy_misses_bytes_that_are_cut_from_it(void **state) {
    struct copies *copies = *state;
    struct rocks_inspect_verdict verdict;
    struct lf_error error = {0};
    char path[1024] = "";
    off_t size = 0;
    segments_make(&copies->contract, 1, 1, 50, 100);
    copy(copies, 0);
    DIR *directory = opendir(copy_path(copies, 0));
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        struct stat about;
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".log") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", copy_path(copies, 0), entry->d_name);
        assert_int_equal(stat(path, &about), 0);
        assert_int_equal(about.st_nlink, 1); /* the newest log is no link: it still grows */
        size = about.st_size;
    }
    closedir(directory);
    assert_true(size > 0);
    assert_int_equal(truncate(path, size - 1), 0);
    assert_int_equal(rocks_inspect_judge(copy_path(copies, 0), &verdict, &error), LF_OK);
    assert_int_equal(verdict.error.code, LF_DAMAGED);
}

static void copies_share_the_tables_that_did_not_change(void **state) {
    struct copies *copies = *state;
    struct contract *contract = &copies->contract;
    size_t shared = 0;
    segments_make(contract, 1, 4, 50, 1000);
    rocks_backend_settle(contract->store);
    copy(copies, 0);
    segments_make_more(contract, 1, 1, 50, 1000);
    rocks_backend_settle(contract->store);
    copy(copies, 1);
    DIR *directory = opendir(copy_path(copies, 1));
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[1024];
        struct stat about;
        snprintf(path, sizeof path, "%s/%s", copy_path(copies, 1), entry->d_name);
        assert_int_equal(stat(path, &about), 0);
        shared += strstr(entry->d_name, ".sst") && about.st_nlink == 3;
    }
    closedir(directory);
    assert_true(shared >= 4);
    segments_drop(contract, 1, 101); /* the copies keep what the store drops */
    rocks_backend_settle(contract->store);
    open_copy(copies, 0);
    segments_expect(contract, 1, 1, 200, 1000);
}

static size_t count_files(const char *path, const char *end) {
    size_t count = 0;
    DIR *directory = opendir(path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        size_t length = strlen(entry->d_name), tail = strlen(end);
        count += length > tail && strcmp(entry->d_name + length - tail, end) == 0;
    }
    closedir(directory);
    return count;
}

/* A flush of the entries begins a new log, and the old one is still needed for the rows: the MANIFEST's end is behind
 * the old log's then. */
static void a_copy_with_several_logs_demands_of_each_what_is_in_it(void **state) {
    struct copies *copies = *state;
    struct contract *contract = &copies->contract;
    const struct rocks_disk *disk = contract->disk;
    struct rocks_store_options options = {.directory = disk->directory, .memtable_bytes = 128 * 1024};
    struct lf_error error = {0};
    log_store_close(&contract->store);
    assert_int_equal(rocks_store_open(&options, &contract_identity, &contract->store, &error), LF_OK);
    assert_int_equal(contract_do(contract, contract_create(1, 1)), LF_OK);
    size_t tables = count_files(disk->directory, ".sst") + 4; /* the newest may be unfinished */
    uint32_t entries = 0;
    for (; entries < 20000 && count_files(disk->directory, ".sst") < tables; entries += 20)
        segments_append(contract, 1, 20, 1000);
    assert_true(count_files(disk->directory, ".sst") >= tables);
    copy(copies, 0);
    assert_true(count_files(copy_path(copies, 0), ".log") >= 2);
    open_copy(copies, 0);
    segments_expect(contract, 1, 1, entries, 1000);
}

struct copier {
    struct log_store *store;
    const struct copies *copies;
    int count;
    struct lf_error error;
};

static void *copy_again_and_again(void *argument) {
    struct copier *copier = argument;
    for (int i = 0; i < copier->count && copier->error.code == LF_OK; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%d", copier->copies->directory, i);
        log_store_checkpoint(copier->store, path, &copier->error);
    }
    return NULL;
}

/* Seals, ingestions, flushes and drops go on meanwhile: no copy has a row without its table. */
static void copies_beside_seals_and_drops_are_whole(void **state) {
    struct copies *copies = *state;
    struct contract *contract = &copies->contract;
    struct copier copier = {.store = contract->store, .copies = copies, .count = 12};
    pthread_t thread;
    segments_make(contract, 1, 2, 20, 4000);
    assert_int_equal(pthread_create(&thread, NULL, copy_again_and_again, &copier), 0);
    for (uint64_t round = 0; round < 120; round++) {
        segments_make_more(contract, 1, 1, 20, 4000);
        if (round % 10 == 9)
            segments_drop(contract, 1, 1 + (round - 9) * 20);
    }
    pthread_join(thread, NULL);
    if (copier.error.code != LF_OK)
        fail_msg("copy: %s", copier.error.text);
    for (int i = 0; i < copier.count; i++) {
        open_copy(copies, i);
        rocks_backend_settle(contract->store);
        struct log_store_completion *loaded = contract_load(contract, 1);
        uint64_t first = loaded->loaded->first_index, last = loaded->loaded->last_index;
        log_store_completion_destroy(&loaded);
        segments_expect(contract, 1, first, (uint32_t)(last - first + 1), 4000);
    }
}

static void a_copy_to_a_place_that_is_taken_is_refused(void **state) {
    struct copies *copies = *state;
    struct lf_error error = {0};
    segments_make(&copies->contract, 1, 1, 10, 100);
    copy(copies, 0);
    assert_int_not_equal(log_store_checkpoint(copies->contract.store, copy_path(copies, 0), &error), LF_OK);
    judge(copies, 0);
    segments_append(&copies->contract, 1, 5, 100);
    segments_expect(&copies->contract, 1, 1, 15, 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_holds_what_was_written_before, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_misses_bytes_that_are_cut_from_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_with_several_logs_demands_of_each_what_is_in_it, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_share_the_tables_that_did_not_change, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_beside_seals_and_drops_are_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_to_a_place_that_is_taken_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
