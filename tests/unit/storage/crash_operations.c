#include "crash_operations.h"

#include "lf_crc32c.h"

#define GROUP CRASH_GROUP

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

static struct log_store_write *next_write(struct crash_step *steps, uint32_t *count) {
    steps[*count].write = contract_write(GROUP, 10 + *count);
    return steps[(*count)++].write;
}

static struct log_store_write *in_term(struct log_store_write *write, uint64_t term) {
    write->has_hard_state = true;
    write->term = term;
    return write;
}

static uint32_t append(struct crash_step *steps) {
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

static uint32_t truncate(struct crash_step *steps) {
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

static uint32_t roll(struct crash_step *steps) {
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

static uint32_t drop(struct crash_step *steps) {
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

static uint32_t replace(struct crash_step *steps) {
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

static uint32_t repair(struct crash_step *steps) {
    uint32_t count = 0;
    contract_pile_make(&steps[count++].pile, GROUP, 11, 20, 1, 1);
    struct log_store_write *write = next_write(steps, &count);
    assert_int_equal(log_store_write_set_replacements(write, &steps[0].pile.segment, 1), LF_OK);
    return count;
}

/* All entries are commands: what is left of them is a segment without entries. */
static uint32_t rewrite(struct crash_step *steps) {
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

static uint32_t install(struct crash_step *steps) {
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

static uint32_t unstage(struct crash_step *steps) {
    uint32_t count = 0;
    contract_pile_make(&steps[count++].pile, GROUP, 31, 45, 2, 2);
    next_write(steps, &count)->unstage = true;
    contract_pile_make(&steps[count++].pile, GROUP, 31, 50, 2, 1);
    return count;
}

static uint32_t topic_delete(struct crash_step *steps) {
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

const struct crash_operation crash_operations[] = {
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
    {"upgrade", append, .upgrades = true},
};

const size_t crash_operation_count = sizeof crash_operations / sizeof crash_operations[0];

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

uint32_t crash_digest(const struct crash_store *store, uint64_t group) {
    struct log_store_read read = read_all;
    read.group = group;
    assert_int_equal(log_store_load(store->store, group, 1), LF_OK);
    struct log_store_completion *load = store->wait(store->store);
    assert_non_null(load);
    assert_int_equal(log_store_read(store->store, &read), LF_OK);
    struct log_store_completion *entries = store->wait(store->store);
    assert_non_null(entries);
    uint32_t digest = digest_of(load, entries);
    log_store_completion_destroy(&load);
    log_store_completion_destroy(&entries);
    return digest;
}

uint32_t crash_make_steps(const struct crash_operation *operation, struct crash_step *steps) {
    memset(steps, 0, CRASH_STEPS_MAX * sizeof *steps);
    return operation->steps(steps);
}

void crash_free_steps(struct crash_step *steps, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        log_store_write_destroy(&steps[i].write);
        contract_pile_free(&steps[i].pile);
    }
}

/* Completions name their step: a write by its token, the others by their request. How many come. */
static uint32_t hand_over(struct log_store *store, struct crash_step *step, uint32_t at) {
    if (step->write) {
        step->write->token = at;
        assert_int_equal(log_store_submit(store, &step->write), LF_OK);
        return 1;
    }
    if (step->rewrite.last_index != 0) {
        step->rewrite.request = at;
        assert_int_equal(log_store_rewrite(store, &step->rewrite), LF_OK);
        return 1;
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
    return 2;
}

/* Takes the completions of the steps from..count, as far as they come; the first step that was not acknowledged. */
static uint32_t acknowledged(const struct crash_store *store, uint32_t from, uint32_t count, uint32_t *wanted) {
    uint32_t outstanding = 0, first = from;
    for (uint32_t i = from; i < count; i++)
        outstanding += wanted[i];
    for (; outstanding > 0; outstanding--) {
        struct log_store_completion *completion = store->wait(store->store);
        if (!completion)
            break;
        assert_true(completion->status == LF_OK || completion->status == LF_IO);
        wanted[completion->id] -= completion->status == LF_OK;
        if (wanted[completion->id] == 0 && store->told)
            store->told((uint32_t)completion->id);
        log_store_completion_destroy(&completion);
    }
    while (first < count && wanted[first] == 0)
        first++;
    return first;
}

uint32_t crash_run_steps(const struct crash_store *store, struct crash_step *steps, uint32_t from, uint32_t count,
                         bool at_once) {
    uint32_t wanted[CRASH_STEPS_MAX] = {0};
    for (uint32_t i = from; i < count; i++) {
        wanted[i] = hand_over(store->store, &steps[i], i);
        if (!at_once && acknowledged(store, i, i + 1, wanted) == i)
            return i;
    }
    return at_once ? acknowledged(store, from, count, wanted) : count;
}

void crash_fill(const struct crash_store *store) {
    struct crash_step first[2] = {{.write = base(GROUP)}, {.write = base(CRASH_OTHER)}};
    assert_int_equal(crash_run_steps(store, first, 0, 2, false), 2);
}

uint32_t crash_clean_states(const struct crash_store *store, const struct crash_operation *operation,
                            uint32_t *states) {
    struct crash_step steps[CRASH_STEPS_MAX];
    uint32_t count = crash_make_steps(operation, steps);
    states[0] = crash_digest(store, GROUP);
    for (uint32_t i = 0; i < count; i++) {
        if (crash_run_steps(store, steps, i, i + 1, false) != i + 1)
            fail_msg("%s: step %u is refused", operation->name, i);
        states[i + 1] = crash_digest(store, GROUP);
    }
    crash_free_steps(steps, count);
    return count;
}
