/** The disk model of mem_store.h: what a kill and a power cut leave, failures, stalls, virtual time, repeatability. */
#include "contract.h"
#include "mem_store.h"

static struct log_store *open_at(struct mem_disk *disk, uint64_t now_ms) {
    struct log_store *store = NULL;
    struct lf_error error = {0};
    assert_int_equal(mem_store_open(disk, &contract_identity, now_ms, &store, &error), LF_OK);
    return store;
}

static void submit(struct log_store *store, struct log_store_write *write) {
    assert_int_equal(log_store_submit(store, &write), LF_OK);
}

static void submit_entry(struct log_store *store, uint64_t index, bool sync) {
    struct log_store_write *write = index == 1 ? contract_create(3, index) : contract_write(3, index);
    contract_add(write, index, 1, 1);
    write->sync = sync;
    submit(store, write);
}

static uint32_t drain(struct log_store *store, enum lf_status wanted) {
    uint32_t count = 0;
    for (struct log_store_completion *completion; (completion = log_store_poll(store)) != NULL; count++) {
        assert_int_equal(completion->status, wanted);
        log_store_completion_destroy(&completion);
    }
    return count;
}

static uint64_t last_index(struct log_store *store, uint64_t now_ms) {
    assert_int_equal(log_store_load(store, 3, 1), LF_OK);
    mem_store_advance(store, now_ms);
    struct log_store_completion *completion = log_store_poll(store);
    assert_non_null(completion);
    uint64_t last = completion->loaded->last_index;
    log_store_completion_destroy(&completion);
    return last;
}

static void nothing_completes_before_its_time(void **state) {
    (void)state;
    struct mem_disk *disk = mem_disk_new(1);
    const struct mem_disk_faults faults = {.write_delay_ms_min = 10, .write_delay_ms_max = 10};
    mem_disk_set_faults(disk, &faults);
    struct log_store *store = open_at(disk, 100);
    assert_int_equal(mem_store_deadline(store), UINT64_MAX);
    submit_entry(store, 1, true);
    submit_entry(store, 2, true); /* waits for the first, then goes with the third */
    submit_entry(store, 3, true);
    assert_int_equal(mem_store_deadline(store), 110);
    mem_store_advance(store, 109);
    assert_int_equal(drain(store, LF_OK), 0);
    mem_store_advance(store, 110);
    assert_int_equal(drain(store, LF_OK), 1);
    assert_int_equal(mem_store_deadline(store), 120);
    mem_store_advance(store, 500);
    assert_int_equal(drain(store, LF_OK), 2);
    assert_int_equal(mem_store_deadline(store), UINT64_MAX);
    assert_int_equal(mem_disk_counts(disk).commits, 2);
    assert_int_equal(log_store_fd(store), -1);
    log_store_close(&store);
    mem_disk_destroy(&disk);
}

static void a_stalled_commit_takes_the_stalls_time(void **state) {
    (void)state;
    struct mem_disk *disk = mem_disk_new(1);
    const struct mem_disk_faults faults = {.stall_per_million = 1000000, .stall_ms = 3000};
    mem_disk_set_faults(disk, &faults);
    struct log_store *store = open_at(disk, 0);
    submit_entry(store, 1, true);
    assert_int_equal(mem_store_deadline(store), 3000);
    assert_int_equal(mem_disk_counts(disk).stalled, 1);
    log_store_close(&store);
    mem_disk_destroy(&disk);
}

static void s6_a_failed_commit_ends_the_store_until_it_is_opened_again(void **state) {
    (void)state;
    struct mem_disk *disk = mem_disk_new(1);
    struct log_store *store = open_at(disk, 0);
    submit_entry(store, 1, true);
    mem_store_advance(store, 1);
    assert_int_equal(drain(store, LF_OK), 1);
    struct mem_disk_faults faults = {.fail_per_million = 1000000};
    mem_disk_set_faults(disk, &faults);
    submit_entry(store, 2, true);
    submit_entry(store, 3, true);
    mem_store_advance(store, 2);
    assert_int_equal(drain(store, LF_IO), 2);
    faults.fail_per_million = 0;
    mem_disk_set_faults(disk, &faults);
    submit_entry(store, 4, true);
    mem_store_advance(store, 3);
    assert_int_equal(drain(store, LF_IO), 1);
    assert_int_equal(mem_disk_counts(disk).failed, 1);
    mem_store_crash(&store, MEM_DISK_POWER);
    store = open_at(disk, 10);
    uint64_t last = last_index(store, 10);
    assert_true(last == 1 || last == 2);
    submit_entry(store, last + 1, true);
    mem_store_advance(store, 11);
    assert_int_equal(drain(store, LF_OK), 1);
    log_store_close(&store);
    mem_disk_destroy(&disk);
}

/* Per seed: entries 1..3 synced, 4..6 completed unsynced, 7 under way; then the process ends. Where the log ends. */
static uint64_t end_after(uint64_t seed, enum mem_disk_crash how, bool cut_later, struct mem_disk_counts *counts) {
    struct mem_disk *disk = mem_disk_new(seed);
    struct log_store *store = open_at(disk, 0);
    for (uint64_t index = 1; index <= 6; index++) {
        submit_entry(store, index, index <= 3);
        mem_store_advance(store, index);
    }
    assert_int_equal(drain(store, LF_OK), 6);
    submit_entry(store, 7, true);
    mem_store_crash(&store, how);
    if (cut_later)
        mem_disk_power_cut(disk);
    store = open_at(disk, 100);
    uint64_t last = last_index(store, 100);
    *counts = mem_disk_counts(disk);
    mem_store_crash(&store, MEM_DISK_POWER);
    store = open_at(disk, 200); /* what an opening found stays, even through a power cut */
    assert_int_equal(last_index(store, 200), last);
    log_store_close(&store);
    mem_disk_destroy(&disk);
    return last;
}

static void a_kill_keeps_what_was_handed_to_the_disk(void **state) {
    (void)state;
    uint32_t ends[8] = {0};
    struct mem_disk_counts counts, sum = {0};
    for (uint64_t seed = 0; seed < 200; seed++) {
        ends[end_after(seed, MEM_DISK_KILL, false, &counts)]++;
        sum.kept += counts.kept;
        sum.lost += counts.lost;
        sum.torn += counts.torn;
    }
    assert_int_equal(ends[6] + ends[7], 200);
    assert_true(ends[6] > 20 && ends[7] > 20);
    assert_true(sum.kept > 20 && sum.lost > 20 && sum.torn > 20);
}

static void a_power_cut_keeps_what_was_synced_and_a_prefix_of_the_rest(void **state) {
    (void)state;
    for (int later = 0; later < 2; later++) {
        uint32_t ends[8] = {0};
        struct mem_disk_counts counts;
        for (uint64_t seed = 0; seed < 400; seed++)
            ends[end_after(seed, later ? MEM_DISK_KILL : MEM_DISK_POWER, later == 1, &counts)]++;
        assert_int_equal(ends[0] + ends[1] + ends[2], 0);
        for (int end = 3; end <= 7; end++)
            assert_true(ends[end] > 10);
    }
}

static void the_same_seed_gives_the_same_fate(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct mem_disk_counts a, b;
        assert_int_equal(end_after(seed, MEM_DISK_POWER, false, &a), end_after(seed, MEM_DISK_POWER, false, &b));
        assert_memory_equal(&a, &b, sizeof a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_completes_before_its_time),
        cmocka_unit_test(a_stalled_commit_takes_the_stalls_time),
        cmocka_unit_test(s6_a_failed_commit_ends_the_store_until_it_is_opened_again),
        cmocka_unit_test(a_kill_keeps_what_was_handed_to_the_disk),
        cmocka_unit_test(a_power_cut_keeps_what_was_synced_and_a_prefix_of_the_rest),
        cmocka_unit_test(the_same_seed_gives_the_same_fate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
