/** S6 on the real store: whichever call of the disk fails, the writes before it are there, none after it succeeds, and
 *  the next process opens with all that was acknowledged. This one tells what happened, unless RocksDB ends it: Debian
 *  builds it with assertions, and one of them does not expect a file to be closed after a failed write of it. That is
 * an end like any other kill: nothing that was acknowledged may be missing. */
#include "contract.h"
#include "rocks_store.h"
#include "scratch_directory.h"
#include "shim_run.h"
#include "store_faults.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct outcome {
    bool opened;
    bool aborted; /**< by an assertion of RocksDB */
    enum lf_status open_status;
    uint32_t told;         /**< outcomes of writes, in order */
    uint32_t acknowledged; /**< writes that ended LF_OK, all before the first failure */
    enum lf_status failure;
};

/* Runs the program under the rule; checks the order of what it tells. */
static struct outcome run(const char *base, const char *rule) {
    char root[64], state[64], store[96], line[64];
    struct outcome outcome = {.failure = LF_OK};
    int pipes[2];
    snprintf(root, sizeof root, "%s/root", base);
    snprintf(state, sizeof state, "%s/state", base);
    snprintf(store, sizeof store, "%s/root/store", base);
    assert_int_equal(pipe(pipes), 0);
    char *arguments[] = {(char *)STORE_FAULTS_FILE, store, NULL};
    pid_t child = shim_start(arguments, root, state, rule, pipes[1]);
    close(pipes[1]);
    FILE *lines = fdopen(pipes[0], "r");
    while (fgets(line, sizeof line, lines)) {
        unsigned long long index;
        int status;
        if (sscanf(line, "F %d", &status) == 1)
            outcome.open_status = (enum lf_status)status;
        if (sscanf(line, "W %llu %d", &index, &status) != 2)
            continue;
        outcome.opened = true;
        assert_int_equal(index, outcome.told);
        outcome.told++;
        if (outcome.failure == LF_OK)
            outcome.failure = (enum lf_status)status;
        assert_int_equal(status, outcome.failure); /* S6: the same status ever after */
        outcome.acknowledged += status == LF_OK;
    }
    fclose(lines);
    int how = 0;
    waitpid(child, &how, 0);
    outcome.aborted = WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT;
    if (how != 0 && !outcome.aborted)
        fail_msg("%s: the process ended with %d", rule, how);
    if (outcome.opened && !outcome.aborted)
        assert_int_equal(outcome.told, STORE_FAULTS_WRITES);
    return outcome;
}

static void expect_entries(const char *base, uint32_t acknowledged) {
    char directory[96];
    snprintf(directory, sizeof directory, "%s/root/store", base);
    struct rocks_store_options options = {.directory = directory, .create = true};
    const struct log_store_identity identity = {.node_id = 1};
    struct lf_error error = {0};
    struct log_store *store = NULL;
    if (rocks_store_open(&options, &identity, &store, &error) != LF_OK)
        fail_msg("%s", error.text);
    struct log_store_read read = {
        .group = 1, .value = 1, .last_index = UINT64_MAX, .bytes_max = UINT32_MAX, .entries_max = UINT32_MAX};
    struct pollfd waited = {.fd = log_store_fd(store), .events = POLLIN};
    struct log_store_completion *completion;
    assert_int_equal(log_store_read(store, &read), LF_OK);
    while (!(completion = log_store_poll(store)))
        assert_int_equal(poll(&waited, 1, 60000), 1);
    assert_in_range(completion->entry_count + 1, acknowledged, STORE_FAULTS_WRITES);
    for (uint32_t i = 0; i < completion->entry_count; i++) {
        struct lf_buf *wanted = store_faults_entry(i + 1);
        assert_true(lf_bytes_equal(lf_buf_bytes(completion->entries[i]), lf_buf_bytes(wanted)));
        lf_buf_unref(&wanted);
    }
    log_store_completion_destroy(&completion);
    log_store_close(&store);
}

/* Fails the n-th such call for rising n until the rule is never met; how many runs ended in a failed write. */
static uint32_t fail_each(const char *call, const char *what, enum lf_status wanted, uint32_t step) {
    uint32_t failed_writes = 0;
    for (uint32_t n = 1; n < 400; n += step) {
        char rule[64];
        char *base = scratch_directory_new();
        snprintf(rule, sizeof rule, "%s:%u:%s", call, n, what);
        struct outcome outcome = run(base, rule);
        if (outcome.opened && outcome.failure != LF_OK) {
            failed_writes++;
            assert_int_equal(outcome.failure, wanted);
        }
        if (!outcome.opened && !outcome.aborted)
            assert_int_equal(outcome.open_status, wanted);
        if (outcome.acknowledged > 0)
            expect_entries(base, outcome.acknowledged);
        bool met = !outcome.opened || outcome.aborted || outcome.failure != LF_OK;
        scratch_directory_remove(base);
        free(base);
        if (!met && n > 150)
            break;
    }
    return failed_writes;
}

static void s6_a_failed_sync_is_final(void **state) {
    (void)state;
    assert_true(fail_each("fdatasync", "EIO", LF_IO, 5) >= 10);
}

static void s6_a_failed_or_torn_write_is_final(void **state) {
    (void)state;
    assert_true(fail_each("write", "EIO", LF_IO, 7) >= 5);
    assert_true(fail_each("write", "torn", LF_IO, 7) >= 5);
}

static void s6_a_full_disk_is_told_apart_and_final(void **state) {
    (void)state;
    assert_true(fail_each("write", "ENOSPC", LF_NO_SPACE, 7) >= 5);
}

static void a_short_write_is_carried_on(void **state) {
    (void)state;
    char *base = scratch_directory_new();
    struct outcome outcome = run(base, "write:20:short,write:35:short,write:60:short");
    assert_int_equal(outcome.acknowledged, STORE_FAULTS_WRITES);
    expect_entries(base, STORE_FAULTS_WRITES);
    scratch_directory_remove(base);
    free(base);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s6_a_failed_sync_is_final),
        cmocka_unit_test(s6_a_failed_or_torn_write_is_final),
        cmocka_unit_test(s6_a_full_disk_is_told_apart_and_final),
        cmocka_unit_test(a_short_write_is_carried_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
