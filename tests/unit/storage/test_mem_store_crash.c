/** Every crash point of the store in memory: in each operation of several writes the n-th commit fails, is torn, is
 *  lost, or is the last thing that reached the disk, for every n; then the process, or the power, goes.
 *
 *  After each: what is there is the state after some number of the operation's steps, none of it halfway, at least
 * those that were acknowledged; the other group is as it was; and the operation goes on from there to its end.
 */
#include "contract.h"
#include "mem_store.h"

#include "lf_crc32c.h"

#include <stdio.h>

#define GROUP 3u
#define OTHER 4u
#define STEPS_MAX 8

/* One step: a write, a rewrite, or a segment that is staged. */
struct step {
    struct log_store_write *write;
    struct log_store_rewrite rewrite; /* last_index 0: none */
    struct contract_pile pile;        /* when there is neither */
};

struct operation {
    const char *name;
    uint32_t (*steps)(struct step *steps); /* fills them, returns how many */
    bool in_turn;                          /* a step has to be done before the next is handed over */
};

static struct log_store_write *seal(struct log_store_write *write, uint64_t first_index, uint64_t last_index) {
    struct log_segment segment = contract_segment(write->group, first_index, last_index, 1);
    assert_int_equal(log_store_write_add_seal(write, &segment), LF_OK);
    return write;
}

/* Entries 1..35 of term 1, applied; segments 1-10, 11-20, 21-30; and a group beside. */
static struct log_store_write *base(uint64_t group) {
    struct log_store_write *write = contract_create(group, 1);
    contract_add(write, 1, 35, 1);
    write->applied_index = 33;
    contract_row(write, "a", "old");
    for (uint64_t first = 1; first < 30; first += 10)
        seal(write, first, first + 9);
    return write;
}

static struct log_store_write *next_write(struct step *steps, uint32_t *count) {
    steps[*count].write = contract_write(GROUP, 10 + *count);
    return steps[(*count)++].write;
}

static struct log_store_write *in_term(struct log_store_write *write, uint64_t term) {
    write->has_hard_state = true;
    write->term = term;
    return write;
}

static uint32_t append(struct step *steps) {
    uint32_t count = 0;
    contract_add(in_term(next_write(steps, &count), 2), 36, 5, 2);
    struct log_store_write *write = next_write(steps, &count);
    contract_add(write, 41, 3, 2);
    write->applied_index = 38;
    contract_row(write, "a", "new");
    contract_add(next_write(steps, &count), 44, 1, 2);
    write = next_write(steps, &count);
    write->applied_index = 44;
    contract_row(write, "b", "new");
    return count;
}

static uint32_t truncate(struct step *steps) {
    uint32_t count = 0;
    contract_add(next_write(steps, &count), 36, 5, 1);
    struct log_store_write *write = in_term(next_write(steps, &count), 3);
    write->truncate_from = 34;
    contract_add(write, 34, 2, 3);
    write = next_write(steps, &count);
    write->truncate_from = 35;
    write = next_write(steps, &count);
    contract_add(write, 35, 4, 3);
    write->applied_index = 36;
    return count;
}

static uint32_t roll(struct step *steps) {
    uint32_t count = 0;
    contract_add(next_write(steps, &count), 36, 5, 1);
    struct log_store_write *write = seal(next_write(steps, &count), 31, 38);
    write->applied_index = 38;
    contract_row(write, "segments", "4");
    write = seal(next_write(steps, &count), 39, 42);
    contract_add(write, 41, 3, 1);
    write->applied_index = 42;
    contract_row(write, "segments", "5");
    return count;
}

static uint32_t drop(struct step *steps) {
    uint32_t count = 0;
    struct log_store_write *write = next_write(steps, &count);
    write->drop_before = 11;
    contract_row(write, "start", "11");
    write = seal(next_write(steps, &count), 31, 33);
    write->drop_before = 31;
    contract_row(write, "start", "31");
    write = next_write(steps, &count);
    write->drop_before = 34;
    contract_add(write, 36, 2, 1);
    return count;
}

static uint32_t replace(struct step *steps) {
    uint32_t count = 0;
    contract_pile_make(&steps[count++].pile, GROUP, 1, 20, 1, 3);
    contract_pile_make(&steps[count++].pile, GROUP, 21, 30, 1, 2);
    struct log_store_write *write = next_write(steps, &count);
    const struct log_segment segments[] = {steps[0].pile.segment, steps[1].pile.segment};
    assert_int_equal(log_store_write_set_replacements(write, segments, 2), LF_OK);
    contract_row(write, "a", "new");
    contract_add(next_write(steps, &count), 36, 2, 1);
    return count;
}

static uint32_t repair(struct step *steps) {
    uint32_t count = 0;
    contract_pile_make(&steps[count++].pile, GROUP, 11, 20, 1, 1);
    struct log_store_write *write = next_write(steps, &count);
    assert_int_equal(log_store_write_set_replacements(write, &steps[0].pile.segment, 1), LF_OK);
    return count;
}

/* All entries are commands: what is left of them is a segment without entries. */
static uint32_t rewrite(struct step *steps) {
    uint32_t count = 0;
    struct contract_pile pile;
    contract_pile_make(&pile, GROUP, 1, 20, 1, 1000);
    steps[count++].rewrite = (struct log_store_rewrite){
        .group = GROUP, .first_index = 1, .last_index = 20, .segment_bytes = 1 << 20, .drop_commands = true};
    struct log_store_write *write = next_write(steps, &count);
    assert_int_equal(log_store_write_set_replacements(write, &pile.segment, 1), LF_OK);
    contract_row(write, "a", "new");
    write = next_write(steps, &count);
    write->drop_before = 21;
    return count;
}

static uint32_t install(struct step *steps) {
    uint32_t count = 0;
    contract_pile_make(&steps[count++].pile, GROUP, 31, 45, 2, 2);
    contract_pile_make(&steps[count++].pile, GROUP, 46, 60, 2, 1);
    const struct log_segment segments[] = {contract_segment(GROUP, 21, 30, 1), steps[0].pile.segment,
                                           steps[1].pile.segment};
    struct log_store_write *write = in_term(next_write(steps, &count), 3);
    assert_int_equal(log_store_write_set_install(write, 60, 2, segments, 3), LF_OK);
    contract_row(write, "image", "60");
    contract_add(next_write(steps, &count), 61, 3, 3);
    return count;
}

static uint32_t unstage(struct step *steps) {
    uint32_t count = 0;
    contract_pile_make(&steps[count++].pile, GROUP, 31, 45, 2, 2);
    next_write(steps, &count)->unstage = true;
    contract_pile_make(&steps[count++].pile, GROUP, 31, 50, 2, 1);
    return count;
}

static uint32_t topic_delete(struct step *steps) {
    uint32_t count = 0;
    contract_pile_make(&steps[count++].pile, GROUP, 31, 45, 2, 2);
    next_write(steps, &count)->destroy = true;
    struct log_store_write *write = in_term(next_write(steps, &count), 1); /* and made anew */
    write->create = true;
    write->replica_id = 900;
    contract_add(write, 1, 5, 1);
    write = next_write(steps, &count);
    write->applied_index = 5;
    seal(write, 1, 4);
    return count;
}

static const struct operation operations[] = {
    {"append", append},
    {"truncate", truncate},
    {"roll", roll},
    {"drop", drop},
    {"replace", replace},
    {"repair", repair},
    {"rewrite", rewrite, true},
    {"install", install},
    {"unstage", unstage},
    {"topic delete", topic_delete},
};

static uint32_t number(uint32_t digest, uint64_t value) { return lf_crc32c(digest, &value, sizeof value); }

static uint32_t digest_of(const struct log_store_completion *load, const struct log_store_completion *read) {
    const struct log_store_loaded *loaded = load->loaded;
    uint32_t digest = number(0, loaded->exists);
    const uint64_t fields[] = {loaded->replica_id,  loaded->term,           loaded->vote,
                               loaded->first_index, loaded->previous_index, loaded->previous_term,
                               loaded->last_index,  loaded->applied_index};
    digest = lf_crc32c(digest, fields, sizeof fields);
    for (size_t i = 0; i < loaded->run_count; i++)
        digest = lf_crc32c(digest, &loaded->runs[i], sizeof loaded->runs[i]);
    for (size_t i = 0; i < loaded->row_count; i++) {
        digest = lf_crc32c(digest, loaded->rows[i].key.data, loaded->rows[i].key.size);
        digest = lf_crc32c(digest, loaded->rows[i].value.data, loaded->rows[i].value.size);
    }
    for (size_t i = 0; i < loaded->segment_count; i++)
        digest = lf_crc32c(digest, &loaded->segments[i], sizeof loaded->segments[i]);
    for (size_t i = 0; i < loaded->staged_count; i++)
        digest = lf_crc32c(digest, &loaded->staged[i], sizeof loaded->staged[i]);
    assert_true(read->status == LF_OK || (read->status == LF_NOT_FOUND && !loaded->exists));
    for (uint32_t i = 0; i < read->entry_count; i++)
        digest = lf_crc32c(digest, read->entries[i]->data, read->entries[i]->size);
    return digest;
}

static const struct log_store_read read_all = {.last_index = UINT64_MAX, .bytes_max = 1 << 30, .entries_max = 1 << 20};

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

static uint32_t digest_of_store(struct log_store *store, uint64_t group) {
    struct log_store_read read = read_all;
    read.group = group;
    assert_int_equal(log_store_load(store, group, 1), LF_OK);
    struct log_store_completion *load = wait_for(store);
    assert_int_equal(log_store_read(store, &read), LF_OK);
    struct log_store_completion *entries = wait_for(store);
    uint32_t digest = digest_of(load, entries);
    log_store_completion_destroy(&load);
    log_store_completion_destroy(&entries);
    return digest;
}

static uint32_t make_steps(const struct operation *operation, struct step *steps) {
    memset(steps, 0, STEPS_MAX * sizeof *steps);
    return operation->steps(steps);
}

static void free_steps(struct step *steps, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        log_store_write_destroy(&steps[i].write);
        contract_pile_free(&steps[i].pile);
    }
}

/* Completions of all pieces name their step: a write by its token, a piece by its request. */
static void hand_over(struct log_store *store, struct step *step, uint32_t at) {
    if (step->write) {
        step->write->token = at;
        assert_int_equal(log_store_submit(store, &step->write), LF_OK);
        return;
    }
    if (step->rewrite.last_index != 0) {
        step->rewrite.request = at;
        assert_int_equal(log_store_rewrite(store, &step->rewrite), LF_OK);
        return;
    }
    uint32_t half = step->pile.count / 2;
    for (uint32_t piece = 0; piece < 2; piece++) {
        struct log_store_stage stage = {.group = GROUP, .request = at, .segment = &step->pile.segment};
        stage.first = piece == 0;
        stage.last = piece == 1;
        stage.entries = step->pile.entries + piece * half;
        stage.entry_count = piece == 0 ? half : step->pile.count - half;
        assert_int_equal(log_store_stage(store, &stage), LF_OK);
    }
}

/* Takes what completes until nothing does any more; the first step from `from` on that was not acknowledged. */
static uint32_t acknowledged(struct log_store *store, uint32_t from, uint32_t count, uint32_t *wanted) {
    for (struct log_store_completion *completion; (completion = wait_for(store)) != NULL;) {
        assert_true(completion->status == LF_OK || completion->status == LF_IO);
        wanted[completion->id] -= completion->status == LF_OK;
        log_store_completion_destroy(&completion);
    }
    while (from < count && wanted[from] == 0)
        from++;
    return from;
}

/* Runs steps from..count; one by one, or all handed over at once, so that several share a commit. */
static uint32_t run_steps(struct log_store *store, struct step *steps, uint32_t from, uint32_t count, bool at_once) {
    uint32_t wanted[STEPS_MAX] = {0};
    for (uint32_t i = from; i < count; i++) {
        wanted[i] = steps[i].write || steps[i].rewrite.last_index != 0 ? 1 : 2;
        hand_over(store, &steps[i], i);
        if (!at_once && acknowledged(store, i, i + 1, wanted) == i)
            return i;
    }
    return at_once ? acknowledged(store, from, count, wanted) : count;
}

static struct log_store *open_store(struct mem_disk *disk) {
    struct log_store *store = NULL;
    struct lf_error error = {0};
    if (mem_store_open(disk, &contract_identity, now_ms, &store, &error) != LF_OK)
        fail_msg("open: %s", error.text);
    return store;
}

static struct log_store *open_filled(struct mem_disk *disk) {
    struct log_store *store = open_store(disk);
    struct step first[2] = {{.write = base(GROUP)}, {.write = base(OTHER)}};
    assert_int_equal(run_steps(store, first, 0, 2, false), 2);
    return store;
}

/* The digest after each number of steps, without any crash; states[0] is before the first. */
static uint32_t clean_states(const struct operation *operation, uint32_t states[STEPS_MAX + 1]) {
    struct mem_disk *disk = mem_disk_new(1);
    struct log_store *store = open_filled(disk);
    struct step steps[STEPS_MAX];
    uint32_t count = make_steps(operation, steps);
    states[0] = digest_of_store(store, GROUP);
    for (uint32_t i = 0; i < count; i++) {
        if (run_steps(store, steps, i, i + 1, false) != i + 1)
            fail_msg("%s: step %u is refused", operation->name, i);
        states[i + 1] = digest_of_store(store, GROUP);
    }
    free_steps(steps, count);
    log_store_close(&store);
    mem_disk_destroy(&disk);
    return count;
}

struct visit {
    const struct operation *operation;
    const uint32_t *states;
    uint32_t step_count;
    uint64_t n;
    enum mem_disk_fate fate;
    enum mem_disk_crash how;
    bool at_once;
};

static uint32_t state_found(const struct visit *visit, struct log_store *store, uint32_t at_least) {
    uint32_t digest = digest_of_store(store, GROUP);
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
    struct log_store *store = open_filled(disk);
    struct step steps[STEPS_MAX];
    uint32_t beside = digest_of_store(store, OTHER);
    uint32_t count = make_steps(visit->operation, steps);
    mem_disk_break_commit(disk, visit->n, visit->fate);
    uint32_t done = run_steps(store, steps, 0, count, visit->at_once);
    bool broke = mem_disk_broke_commit(disk);
    assert_true(broke || done == count);
    mem_store_crash(&store, visit->how);
    free_steps(steps, count);
    mem_disk_break_commit(disk, 1, 0); /* no more of it */
    store = open_store(disk);
    uint32_t found = state_found(visit, store, done);
    assert_int_equal(digest_of_store(store, OTHER), beside);
    make_steps(visit->operation, steps);
    assert_int_equal(run_steps(store, steps, found, count, false), count); /* the rest of it */
    mem_store_crash(&store, MEM_DISK_POWER);
    store = open_store(disk);
    assert_int_equal(digest_of_store(store, GROUP), visit->states[count]);
    log_store_close(&store);
    free_steps(steps, count);
    mem_disk_destroy(&disk);
    return broke;
}

static uint32_t visit_all(const struct operation *operation) {
    uint32_t states[STEPS_MAX + 1], visited = 0;
    struct visit at = {.operation = operation, .states = states};
    at.step_count = clean_states(operation, states);
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
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        uint32_t visited = visit_all(&operations[i]);
        print_message("%-13s %u crash points\n", operations[i].name, visited);
        assert_true(visited > 0);
        sum += visited;
    }
    print_message("%-13s %u crash points\n", "all", sum);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_crash_point_of_every_operation_is_survived)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
