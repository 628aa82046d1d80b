/** Every crash point of the store in memory: in each operation of several writes the n-th commit fails, is torn, is
 *  lost, or is the last thing that reached the disk, for every n; then the process, or the power, goes.
 *
 *  After each: what is there is the state after some number of the operation's steps, none of it halfway, at least
 * those that were acknowledged; the other group is as it was; and the operation goes on from there to its end.
 */
#include "crash_operations.h"
#include "mem_store.h"

static uint64_t now_ms; /* virtual */

static struct log_store_completion *wait_for(struct log_store *store) {
    for (;;) {
        struct log_store_completion *completion = log_store_poll(store);
        uint64_t deadline_ms = mem_store_deadline(store);
        if (completion || deadline_ms == UINT64_MAX)
            return completion;
        now_ms = deadline_ms;
        mem_store_advance(store, now_ms);
    }
}

static struct crash_store open_store(struct mem_disk *disk) {
    struct crash_store store = {.wait = wait_for};
    struct lf_error error = {0};
    if (mem_store_open(disk, &contract_identity, now_ms, &store.store, &error) != LF_OK)
        fail_msg("open: %s", error.text);
    return store;
}

struct visit {
    const struct crash_operation *operation;
    const uint32_t *states;
    uint32_t step_count;
    uint64_t n;
    enum mem_disk_fate fate;
    enum mem_disk_crash how;
    bool at_once;
};

static uint32_t state_found(const struct visit *visit, const struct crash_store *store, uint32_t at_least) {
    uint32_t digest = crash_digest(store, CRASH_GROUP);
    for (uint32_t i = at_least; i <= visit->step_count; i++)
        if (visit->states[i] == digest)
            return i;
    fail_msg("%s: commit %llu, fate %d, crash %d: after %u acknowledged steps a state that no step leaves",
             visit->operation->name, (unsigned long long)visit->n, visit->fate, visit->how, at_least);
    return 0;
}

/* False: the operation has no n-th commit. */
static bool visit(const struct visit *visit) {
    const struct mem_disk_faults faults = {.write_delay_ms_min = 1, .write_delay_ms_max = 1};
    struct mem_disk *disk = mem_disk_new(visit->n);
    mem_disk_set_faults(disk, &faults);
    struct crash_store store = open_store(disk);
    struct crash_step steps[CRASH_STEPS_MAX];
    crash_fill(&store);
    uint32_t beside = crash_digest(&store, CRASH_OTHER);
    uint32_t count = crash_make_steps(visit->operation, steps);
    mem_disk_break_commit(disk, visit->n, visit->fate);
    uint32_t done = crash_run_steps(&store, steps, 0, count, visit->at_once);
    bool broke = mem_disk_broke_commit(disk);
    assert_true(broke || done == count);
    mem_store_crash(&store.store, visit->how);
    crash_free_steps(steps, count);
    mem_disk_break_commit(disk, 1, 0); /* no more of it */
    store = open_store(disk);
    uint32_t found = state_found(visit, &store, done);
    assert_int_equal(crash_digest(&store, CRASH_OTHER), beside);
    crash_make_steps(visit->operation, steps);
    assert_int_equal(crash_run_steps(&store, steps, found, count, false), count); /* the rest of it */
    mem_store_crash(&store.store, MEM_DISK_POWER);
    store = open_store(disk);
    assert_int_equal(crash_digest(&store, CRASH_GROUP), visit->states[count]);
    log_store_close(&store.store);
    crash_free_steps(steps, count);
    mem_disk_destroy(&disk);
    return broke;
}

static uint32_t visit_all(const struct crash_operation *operation) {
    uint32_t states[CRASH_STEPS_MAX + 1], visited = 0;
    struct visit at = {.operation = operation, .states = states};
    struct mem_disk *disk = mem_disk_new(1);
    struct crash_store store = open_store(disk);
    crash_fill(&store);
    at.step_count = crash_clean_states(&store, operation, states);
    log_store_close(&store.store);
    mem_disk_destroy(&disk);
    for (int at_once = 0; at_once < (operation->in_turn ? 1 : 2); at_once++)
        for (at.how = MEM_DISK_KILL; at.how <= MEM_DISK_POWER; at.how++)
            for (at.fate = MEM_DISK_FAIL; at.fate <= MEM_DISK_KEEP; at.fate++)
                for (at.n = 1, at.at_once = at_once; visit(&at); at.n++)
                    visited++;
    return visited;
}

static void every_crash_point_of_every_operation_is_survived(void **state) {
    (void)state;
    uint32_t sum = 0;
    for (size_t i = 0; i < crash_operation_count; i++) {
        uint32_t visited = visit_all(&crash_operations[i]);
        print_message("%-13s %u crash points\n", crash_operations[i].name, visited);
        assert_true(visited > 0);
        sum += visited;
    }
    print_message("%-13s %u crash points\n", "all", sum);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_crash_point_of_every_operation_is_survived)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
