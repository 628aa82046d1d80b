/** Reads: by index, offset and time; limits; hints that are right, absent or wrong: S7, S8. */
#include "contract.h"

static void fill(struct contract *contract, uint64_t group, uint32_t count) {
    struct log_store_write *write = contract_create(group, 1);
    contract_add(write, 1, count, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
}

static void add_hint(struct contract *contract, uint64_t group, struct log_store_hint hint) {
    struct log_store_write *write = contract_write(group, 900);
    assert_int_equal(log_store_write_add_hint(write, hint), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
}

static void a_read_of_an_absent_group_says_so(void **state) {
    struct contract *contract = *state;
    struct log_store_completion *completion =
        contract_read(contract, (struct log_store_read){.group = 99, .request = 4, .value = 1, .last_index = 9});
    assert_int_equal(completion->status, LF_NOT_FOUND);
    log_store_completion_destroy(&completion);
}

static void reads_stop_at_their_limits_yet_give_one_entry(void **state) {
    struct contract *contract = *state;
    fill(contract, 3, 20); /* 164 bytes each */
    const struct {
        uint64_t value, last_index;
        uint32_t bytes_max, entries_max, wanted;
    } cases[] = {
        {1, 20, 1 << 20, 5, 5}, {1, 20, 163, 100, 1},   {1, 20, 327, 100, 1},   {1, 20, 328, 100, 2},
        {1, 20, 0, 100, 1},     {18, 20, 1000, 100, 3}, {18, 19, 1000, 100, 2}, {20, 99, 1000, 100, 1},
        {21, 99, 1000, 100, 0}, {5, 4, 1000, 100, 0},   {0, 2, 1000, 100, 2},   {1, 20, 1000, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct log_store_read read = {.group = 3,
                                      .request = i,
                                      .value = cases[i].value,
                                      .last_index = cases[i].last_index,
                                      .bytes_max = cases[i].bytes_max,
                                      .entries_max = cases[i].entries_max};
        struct log_store_completion *completion = contract_read(contract, read);
        assert_int_equal(completion->status, LF_OK);
        if (completion->entry_count != cases[i].wanted)
            fail_msg("case %zu: %u entries, not %u", i, completion->entry_count, cases[i].wanted);
        log_store_completion_destroy(&completion);
    }
}

/* The entry at index i covers offset i - 1. */
static void expect_offsets(struct contract *contract, uint64_t count) {
    for (uint64_t offset = 0; offset < count; offset++)
        assert_int_equal(contract_find(contract, 3, LOG_STORE_READ_OFFSET, offset, UINT64_MAX), offset + 1);
    assert_int_equal(contract_find(contract, 3, LOG_STORE_READ_OFFSET, count, UINT64_MAX), 0);
    assert_int_equal(contract_find(contract, 3, LOG_STORE_READ_OFFSET, UINT64_MAX, UINT64_MAX), 0);
}

static void an_offset_is_found_without_hints(void **state) {
    fill(*state, 3, 70);
    expect_offsets(*state, 70);
    assert_int_equal(contract_find(*state, 3, LOG_STORE_READ_OFFSET, 50, 50), 0);
    assert_int_equal(contract_find(*state, 3, LOG_STORE_READ_OFFSET, 49, 50), 50);
}

static void an_offset_is_found_with_hints(void **state) {
    fill(*state, 3, 70);
    for (uint64_t index = 10; index <= 70; index += 10)
        add_hint(*state, 3, (struct log_store_hint){.index = index, .offset = index - 1});
    expect_offsets(*state, 70);
    contract_reopen(*state);
    expect_offsets(*state, 70);
}

static void a_wrong_hint_costs_time_and_never_the_answer(void **state) {
    fill(*state, 3, 70);
    add_hint(*state, 3, (struct log_store_hint){.index = 60, .offset = 3});
    add_hint(*state, 3, (struct log_store_hint){.index = 2, .offset = 65});
    expect_offsets(*state, 70);
}

static void an_entry_without_offsets_is_passed_over(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    const uint64_t ends[] = {0, 0, 5, 5, 5, 9, 9};
    for (uint64_t i = 0; i < 7; i++)
        assert_int_equal(log_store_write_add_entry(write, i + 1, contract_entry(3, i + 1, 1, ends[i], 10)), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
    const uint64_t wanted[] = {3, 3, 3, 3, 3, 6, 6, 6, 6, 0};
    for (uint64_t offset = 0; offset < 10; offset++)
        assert_int_equal(contract_find(contract, 3, LOG_STORE_READ_OFFSET, offset, UINT64_MAX), wanted[offset]);
}

static void hints_go_with_the_entries_they_point_at(void **state) {
    struct contract *contract = *state;
    fill(contract, 3, 20);
    add_hint(contract, 3, (struct log_store_hint){.index = 15, .offset = 14, .max_timestamp_ms = 1});
    struct log_store_write *write = contract_write(3, 5);
    write->truncate_from = 10;
    for (uint64_t i = 10; i <= 30; i++) /* these cover ten offsets each */
        assert_int_equal(log_store_write_add_entry(write, i, contract_entry(3, i, 1, 9 + (i - 9) * 10, 10)), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
    for (uint64_t offset = 9; offset < 219; offset++)
        assert_int_equal(contract_find(contract, 3, LOG_STORE_READ_OFFSET, offset, UINT64_MAX), 10 + (offset - 9) / 10);
}

static void a_time_is_found_with_and_without_hints(void **state) {
    struct contract *contract = *state;
    const int64_t times[] = {100, 50, 300, 200, 300, 400};
    struct log_store_write *write = contract_create(3, 1);
    for (uint64_t i = 0; i < 6; i++)
        assert_int_equal(log_store_write_add_entry(write, i + 1, contract_batch_entry(3, i + 1, i, times[i], 500)),
                         LF_OK);
    assert_int_equal(log_store_write_add_entry(write, 7, contract_entry(3, 7, 1, 6, 10)), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
    for (int round = 0; round < 2; round++) {
        const int64_t asked[] = {-5, 0, 50, 100, 101, 200, 300, 301, 400, 401};
        const uint64_t wanted[] = {1, 1, 1, 1, 3, 3, 3, 6, 6, 0};
        for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
            assert_int_equal(contract_find(contract, 3, LOG_STORE_READ_TIME, (uint64_t)asked[i], UINT64_MAX),
                             wanted[i]);
        add_hint(contract, 3, (struct log_store_hint){.index = 2, .offset = 1, .max_timestamp_ms = 100});
        add_hint(contract, 3, (struct log_store_hint){.index = 4, .offset = 3, .max_timestamp_ms = 300});
    }
}

static void a_producers_wild_clock_does_not_catch_later_times(void **state) {
    struct contract *contract = *state;
    const int64_t hour_ms = LOG_STORE_TIME_AHEAD_MS_MAX;
    struct log_store_write *write = contract_create(3, 1);
    assert_int_equal(log_store_write_add_entry(write, 1, contract_batch_entry(3, 1, 0, INT64_MAX, 1000)), LF_OK);
    assert_int_equal(log_store_write_add_entry(write, 2, contract_batch_entry(3, 2, 1, hour_ms * 3, hour_ms * 3)),
                     LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
    assert_int_equal(contract_find(contract, 3, LOG_STORE_READ_TIME, 1000, UINT64_MAX), 1);
    assert_int_equal(contract_find(contract, 3, LOG_STORE_READ_TIME, (uint64_t)hour_ms * 2, UINT64_MAX), 2);
}

static void s8_a_read_sees_every_write_completed_before_it(void **state) {
    struct contract *contract = *state;
    fill(contract, 3, 1);
    for (uint64_t index = 2; index < 200; index++) {
        struct log_store_write *write = contract_write(3, index);
        contract_add(write, index, 1, 1);
        write->sync = false;
        assert_int_equal(contract_do(contract, write), LF_OK);
        assert_int_equal(contract_find(contract, 3, LOG_STORE_READ_INDEX, index, index), index);
    }
}

static void s7_entries_of_many_sizes_come_back_unchanged(void **state) {
    struct contract *contract = *state;
    const size_t sizes[] = {0, 1, 4095, 32 * 1024 - 7, 32 * 1024, 1 << 20, 4 << 20, 3};
    struct log_store_write *write = contract_create(3, 1);
    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal(log_store_write_add_entry(write, i + 1, contract_entry(3, i + 1, 1, i, sizes[i])), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
    for (int round = 0; round < 3; round++) {
        struct log_store_read read = {
            .group = 3, .request = 1, .value = 1, .last_index = 8, .bytes_max = 16 << 20, .entries_max = 8};
        struct log_store_completion *completion = contract_read(contract, read);
        assert_int_equal(completion->entry_count, 8);
        for (uint64_t i = 0; i < 8; i++) {
            struct lf_buf *wanted = contract_entry(3, i + 1, 1, i, sizes[i]);
            assert_true(lf_bytes_equal(lf_buf_bytes(completion->entries[i]), lf_buf_bytes(wanted)));
            lf_buf_unref(&wanted);
        }
        log_store_completion_destroy(&completion);
        if (round == 0)
            contract_kill_and_reopen(contract);
        else
            contract_reopen(contract);
    }
}

const struct CMUnitTest contract_read_tests[] = {
    CONTRACT_TEST(a_read_of_an_absent_group_says_so),
    CONTRACT_TEST(reads_stop_at_their_limits_yet_give_one_entry),
    CONTRACT_TEST(an_offset_is_found_without_hints),
    CONTRACT_TEST(an_offset_is_found_with_hints),
    CONTRACT_TEST(a_wrong_hint_costs_time_and_never_the_answer),
    CONTRACT_TEST(an_entry_without_offsets_is_passed_over),
    CONTRACT_TEST(hints_go_with_the_entries_they_point_at),
    CONTRACT_TEST(a_time_is_found_with_and_without_hints),
    CONTRACT_TEST(a_producers_wild_clock_does_not_catch_later_times),
    CONTRACT_TEST(s8_a_read_sees_every_write_completed_before_it),
    CONTRACT_TEST(s7_entries_of_many_sizes_come_back_unchanged),
};
const size_t contract_read_test_count = sizeof contract_read_tests / sizeof contract_read_tests[0];
