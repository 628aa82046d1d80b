/** Random histories against a model: whatever was written, through closing and kills, the store holds what the plain
 *  image of mem_image.h holds. For the store in memory this checks all but the image itself. */
#include "contract.h"

#include "mem_image.h"

#include <stdio.h>
#include <stdlib.h>

#define GROUPS 4u
#define STEPS 400u

struct history {
    struct contract *contract;
    struct mem_image model;
    uint64_t random;
    uint64_t token;
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
    if (dice(history, 6) == 0 && log->last_index > 0)
        write->truncate_from = log->applied_index + 1 + dice(history, 5) - (dice(history, 10) == 0);
    add_entries(history, write, log);
    add_state(history, write, log);
    return write;
}

static void step(struct history *history) {
    struct log_store_write *write = random_write(history);
    enum lf_status wanted = mem_image_apply(&history->model, write, NULL);
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
        if (dice(&history, 50) == 0)
            contract_reopen(contract);
        else if (dice(&history, 50) == 0)
            contract_kill_and_reopen(contract);
        if (dice(&history, 20) == 0)
            compare(&history);
    }
    compare(&history);
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
