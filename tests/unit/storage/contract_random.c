/** Random histories against a model: whatever was written, through closing and kills, the store holds what the plain
 *  image of mem_image.h holds. For the store in memory this checks all but the image itself. */
#include "contract.h"

#include "mem_image.h"

#include "lf_entry.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUPS 4u
#define STEPS 400u

struct history {
    struct contract *contract;
    struct mem_image model;
    uint64_t random;
    uint64_t token;
    uint32_t staged, seals, drops, replaced, installs; /* that were done */
};

static uint32_t dice(struct history *history, uint32_t sides) {
    history->random = history->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(history->random >> 33) % sides;
}

static void add_entries(struct history *history, struct log_store_write *write, const struct log_group *log) {
    uint64_t end = log->last_index;
    if (write->truncate_from != 0 && write->truncate_from <= end)
        end = write->truncate_from - 1;
    uint64_t next = end + 1 + (dice(history, 20) == 0); /* now and then a hole */
    uint64_t term = write->has_hard_state ? write->term : log->term;
    for (uint32_t i = dice(history, 6); i > 0; i--, next++) {
        struct lf_buf *entry = contract_entry(write->group, next, term, next, dice(history, 3000));
        assert_int_equal(log_store_write_add_entry(write, next, entry), LF_OK);
    }
}

static void add_state(struct history *history, struct log_store_write *write, const struct log_group *log) {
    if (dice(history, 3) == 0 && log->last_index > 0)
        write->applied_index = log->applied_index + dice(history, 3);
    for (uint32_t i = dice(history, 3); i > 0; i--) {
        char key[8], value[16];
        snprintf(key, sizeof key, "k%u", dice(history, 10));
        snprintf(value, sizeof value, "%llu", (unsigned long long)history->token);
        contract_row(write, key, dice(history, 4) == 0 ? NULL : value);
    }
    if (dice(history, 5) == 0 && log->last_index > 0) {
        uint64_t index = 1 + dice(history, (uint32_t)log->last_index);
        struct log_store_hint hint = {.index = index, .offset = index - 1, .max_timestamp_ms = (int64_t)index};
        assert_int_equal(log_store_write_add_hint(write, hint), LF_OK);
    }
}

/* Where the log ends and what is applied once the write is done. */
static void ends_after(const struct log_store_write *write, const struct log_group *log, uint64_t *end,
                       uint64_t *applied) {
    *end = log->last_index;
    if (write->truncate_from != 0 && write->truncate_from <= *end)
        *end = write->truncate_from - 1;
    *end += write->entry_count;
    *applied = write->applied_index != 0 ? write->applied_index : log->applied_index;
}

/* A segment of the entries that are active in the model, mostly within what is applied. */
static void add_seal(struct history *history, struct log_store_write *write, const struct mem_group *group) {
    uint64_t end, applied, first = log_group_active_index(&group->log), found;
    ends_after(write, &group->log, &end, &applied);
    if (applied > group->log.last_index || write->truncate_from != 0 || applied < first)
        return;
    uint64_t last = first + dice(history, (uint32_t)(applied - first + 1)) + (dice(history, 15) == 0);
    struct log_segment segment;
    log_segment_begin(&segment, first, first - 1, first);
    for (uint64_t index = first; index <= last; index++) {
        struct lf_buf **entry = mem_group_next(group, index, &found);
        if (entry)
            log_segment_add(&segment, lf_buf_bytes(*entry));
    }
    segment.last_index = last;
    if (segment.entry_count > 0)
        assert_int_equal(log_store_write_add_seal(write, &segment), LF_OK);
}

static void add_drop(struct history *history, struct log_store_write *write, const struct log_group *log) {
    if (log->segment_count == 0)
        return;
    const struct log_segment *segment = &log->segments[dice(history, (uint32_t)log->segment_count)].segment;
    write->drop_before = segment->first_index + (dice(history, 10) == 0);
    if (dice(history, 4) == 0)
        write->drop_before = segment->last_index + 1;
}

/* A staged segment in place of those whose borders it has, if there are such; else it is refused, here and there. */
static void add_replacement(struct history *history, struct log_store_write *write, const struct log_group *log) {
    if (log->staged_count == 0)
        return;
    struct log_segment segment = log->staged[dice(history, (uint32_t)log->staged_count)].segment;
    segment.checksum ^= dice(history, 20) == 0;
    assert_int_equal(log_store_write_set_replacements(write, &segment, 1), LF_OK);
}

static void add_segments(struct history *history, struct log_store_write *write, const struct mem_group *group) {
    if (dice(history, 4) == 0)
        add_seal(history, write, group);
    if (dice(history, 30) == 0)
        add_drop(history, write, &group->log);
    if (dice(history, 12) == 0)
        add_replacement(history, write, &group->log);
    write->unstage = dice(history, 60) == 0;
}

/* An image: the last held segments, as many as the dice say, and one that is staged behind them. */
static void add_install(struct history *history, struct log_store_write *write, const struct log_group *log) {
    struct log_segment segments[CONTRACT_PILE_MAX];
    uint32_t count = dice(history, 3);
    size_t held = log->segment_count < count ? log->segment_count : count;
    count = 0;
    for (size_t i = log->segment_count - held; i < log->segment_count; i++)
        segments[count++] = log->segments[i].segment;
    for (size_t i = 0; i < log->staged_count; i++)
        if (log->staged[i].segment.first_index == log_group_active_index(log) && dice(history, 2) == 0) {
            segments[count++] = log->staged[i].segment;
            break;
        }
    uint64_t index = count > 0 ? segments[count - 1].last_index : log->applied_index + dice(history, 5);
    uint64_t term = count > 0 ? segments[count - 1].last_term : log->term - dice(history, 2);
    assert_int_equal(log_store_write_set_install(write, index, term, segments, count), LF_OK);
    uint32_t more = dice(history, 2) == 0 ? dice(history, 4) : 0;
    if (more > 0)
        contract_add(write, index + 1, more, log->term);
    if (more > 0)
        write->applied_index = index + more;
    contract_row(write, "installed", "yes");
}

/* Entries of the held segments, without those that the dice take, or made-up ones behind them; or, now and then, not
 * what the descriptor says. */
static void make_pile(struct history *history, const struct mem_group *group, struct contract_pile *pile) {
    const struct log_group *log = &group->log;
    uint64_t active = log_group_active_index(log), first = active, last = active + dice(history, 20), found;
    bool held = log->segment_count > 0 && dice(history, 3) != 0;
    struct log_segment *segment = &pile->segment;
    uint64_t rewrites = 0, term = log->term;
    if (held) {
        uint32_t from = dice(history, (uint32_t)log->segment_count);
        uint32_t to =
            from + dice(history, (uint32_t)log->segment_count - from < 3 ? (uint32_t)log->segment_count - from : 3);
        first = log->segments[from].segment.first_index;
        last = log->segments[to].segment.last_index;
        rewrites = log->segments[to].segment.rewrites + 1;
        term = log->segments[to].segment.last_term;
    }
    pile->count = 0;
    log_segment_begin(segment, first, first - 1, first);
    for (uint64_t index = first; index <= last && pile->count < CONTRACT_PILE_MAX; index++) {
        struct lf_buf **entry = held ? mem_group_next(group, index, &found) : NULL;
        if (held && (!entry || found != index || dice(history, 3) == 0))
            continue;
        struct lf_buf *copy =
            held ? lf_buf_ref(*entry) : contract_entry(log->id, index, term, index, dice(history, 300));
        log_segment_add(segment, lf_buf_bytes(copy));
        pile->entries[pile->count++] = copy;
    }
    segment->last_index = segment->end_offset = segment->last_log_time_ms = last;
    segment->first_log_time_ms = first;
    segment->last_term = term;
    segment->rewrites = rewrites;
    segment->checksum ^= dice(history, 15) == 0;
}

static void stage_in_model(struct history *history, const struct contract_pile *pile, uint64_t group) {
    struct log_store_write *write = contract_write(group, 0);
    write->stages = true;
    assert_int_equal(log_store_write_set_replacements(write, &pile->segment, 1), LF_OK);
    for (uint32_t i = 0; i < pile->count; i++)
        assert_int_equal(log_store_write_push_entry(write, lf_buf_ref(pile->entries[i])), LF_OK);
    assert_int_equal(mem_image_apply(&history->model, write, NULL), LF_OK);
    log_store_write_destroy(&write);
}

static void stage(struct history *history) {
    struct contract_pile pile;
    uint64_t id = dice(history, GROUPS);
    const struct mem_group *group = mem_image_find(&history->model, id);
    if (!group || group->log.staged_count > 8)
        return;
    make_pile(history, group, &pile);
    enum lf_status status = contract_stage(history->contract, id, &pile, 1 + dice(history, 10));
    assert_true(status == LF_OK || status == LF_DAMAGED);
    if (status == LF_OK) /* log_stage.c has tests of its own */
        stage_in_model(history, &pile, id);
    history->staged += status == LF_OK;
    contract_pile_free(&pile);
}

static struct log_store_write *random_write(struct history *history) {
    uint64_t id = dice(history, GROUPS);
    const struct mem_group *group = mem_image_find(&history->model, id);
    struct log_store_write *write = contract_write(id, ++history->token);
    const struct log_group none = {0};
    const struct log_group *log = group ? &group->log : &none;
    write->sync = dice(history, 2) == 0;
    if (group && dice(history, 40) == 0) {
        write->destroy = true;
        return write;
    }
    write->create = !group;
    write->replica_id = history->token;
    if (write->create || dice(history, 4) == 0) {
        write->has_hard_state = true;
        write->term = log->term + dice(history, 2) + write->create;
        write->vote = write->term == log->term ? log->vote : dice(history, 3);
    }
    if (group && dice(history, 60) == 0) {
        add_install(history, write, log);
        return write;
    }
    if (dice(history, 6) == 0 && log->last_index > 0)
        write->truncate_from = log->applied_index + 1 + dice(history, 5) - (dice(history, 10) == 0);
    add_entries(history, write, log);
    add_state(history, write, log);
    if (group)
        add_segments(history, write, group);
    return write;
}

static void step(struct history *history) {
    struct log_store_write *write = random_write(history);
    enum lf_status wanted = mem_image_apply(&history->model, write, NULL);
    if (wanted == LF_OK) {
        history->seals += write->seal_count;
        history->drops += write->drop_before != 0;
        history->replaced += write->replacement_count;
        history->installs += write->install;
    }
    assert_int_equal(contract_do(history->contract, write), wanted);
}

static void compare_loaded(const struct log_store_completion *real, const struct log_store_completion *model) {
    const struct log_store_loaded *a = real->loaded, *b = model->loaded;
    assert_int_equal(a->exists, b->exists);
    assert_int_equal(a->replica_id, b->replica_id);
    assert_int_equal(a->term, b->term);
    assert_int_equal(a->vote, b->vote);
    assert_int_equal(a->last_index, b->last_index);
    assert_int_equal(a->applied_index, b->applied_index);
    assert_int_equal(a->run_count, b->run_count);
    for (size_t i = 0; i < a->run_count; i++)
        assert_memory_equal(&a->runs[i], &b->runs[i], sizeof a->runs[i]);
    assert_int_equal(a->first_index, b->first_index);
    assert_int_equal(a->previous_index, b->previous_index);
    assert_int_equal(a->previous_term, b->previous_term);
    assert_int_equal(a->segment_count, b->segment_count);
    for (size_t i = 0; i < a->segment_count; i++)
        assert_true(log_segment_equal(&a->segments[i], &b->segments[i]));
    assert_int_equal(a->staged_count, b->staged_count);
    for (size_t i = 0; i < a->staged_count; i++)
        assert_true(log_segment_equal(&a->staged[i], &b->staged[i]));
    assert_int_equal(a->row_count, b->row_count);
    for (size_t i = 0; i < a->row_count; i++) {
        assert_true(lf_bytes_equal(a->rows[i].key, b->rows[i].key));
        assert_true(lf_bytes_equal(a->rows[i].value, b->rows[i].value));
    }
}

static void compare_read(struct history *history, struct log_store_read read) {
    struct log_store_completion *real = contract_read(history->contract, read);
    struct log_store_completion *model = mem_image_read(&history->model, &read);
    assert_non_null(model);
    assert_int_equal(real->status, model->status);
    assert_int_equal(real->entry_count, model->entry_count);
    if (real->entry_count > 0)
        assert_int_equal(real->first_index, model->first_index);
    for (uint32_t i = 0; i < real->entry_count; i++)
        assert_true(lf_bytes_equal(lf_buf_bytes(real->entries[i]), lf_buf_bytes(model->entries[i])));
    log_store_completion_destroy(&real);
    log_store_completion_destroy(&model);
}

static void compare(struct history *history) {
    for (uint64_t id = 0; id < GROUPS; id++) {
        struct log_store_completion *real = contract_load(history->contract, id);
        struct log_store_completion *model = mem_image_load(&history->model, id, 42);
        assert_non_null(model);
        compare_loaded(real, model);
        log_store_completion_destroy(&real);
        log_store_completion_destroy(&model);
        struct log_store_read read = {
            .group = id, .request = 1, .value = 1, .last_index = UINT64_MAX, .bytes_max = 1 << 30, .entries_max = 9999};
        compare_read(history, read);
        read.from = LOG_STORE_READ_OFFSET;
        read.entries_max = 2;
        for (uint32_t i = 0; i < 5; i++) {
            read.value = dice(history, 40);
            compare_read(history, read);
        }
    }
}

static void run_seed(struct contract *contract, uint64_t seed) {
    struct history history = {.contract = contract, .random = seed};
    for (uint32_t i = 0; i < STEPS; i++) {
        step(&history);
        if (dice(&history, 6) == 0)
            stage(&history);
        if (dice(&history, 50) == 0)
            contract_reopen(contract);
        else if (dice(&history, 50) == 0)
            contract_kill_and_reopen(contract);
        if (dice(&history, 20) == 0)
            compare(&history);
    }
    compare(&history);
    print_message("%u seals, %u drops, %u staged, %u replaced, %u installs\n", history.seals, history.drops,
                  history.staged, history.replaced, history.installs);
    mem_image_deinit(&history.model);
}

static void random_histories_leave_what_the_model_holds(void **state) {
    const char *given = getenv("LOGFLUME_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
    print_message("seed %llu (LOGFLUME_SEED chooses)\n", (unsigned long long)seed);
    run_seed(*state, seed);
}

const struct CMUnitTest contract_random_tests[] = {CONTRACT_TEST(random_histories_leave_what_the_model_holds)};
const size_t contract_random_test_count = 1;
