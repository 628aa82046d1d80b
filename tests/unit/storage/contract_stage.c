/** Segments that come from elsewhere: pieces, proof, what survives. */
#include "contract.h"

#define GROUP 3u

static void create(struct contract *contract, uint64_t group) {
    assert_int_equal(contract_do(contract, contract_create(group, 1)), LF_OK);
}

static size_t staged_count(struct contract *contract, uint64_t group) {
    struct log_store_completion *completion = contract_load(contract, group);
    size_t count = completion->loaded->staged_count;
    for (size_t i = 1; i < count; i++)
        assert_true(completion->loaded->staged[i - 1].first_index <= completion->loaded->staged[i].first_index);
    log_store_completion_destroy(&completion);
    return count;
}

static enum lf_status hand_over(struct contract *contract, const struct contract_pile *pile, uint32_t from, uint32_t to,
                                bool first, bool last) {
    struct log_store_stage stage = {.group = GROUP,
                                    .request = 9,
                                    .segment = &pile->segment,
                                    .first = first,
                                    .last = last,
                                    .entries = (struct lf_buf **)(uintptr_t)&pile->entries[from],
                                    .entry_count = to - from};
    assert_int_equal(log_store_stage(contract->store, &stage), LF_OK);
    struct log_store_completion *completion = contract_wait(contract);
    enum lf_status status = completion->status;
    assert_int_equal(completion->kind, LOG_STORE_DONE_STAGE);
    assert_int_equal(completion->id, 9);
    log_store_completion_destroy(&completion);
    return status;
}

static void a_staged_segment_survives_restarts_until_it_is_dropped(void **state) {
    struct contract *contract = *state;
    struct contract_pile pile;
    create(contract, GROUP);
    contract_pile_make(&pile, GROUP, 11, 30, 1, 1);
    assert_int_equal(contract_stage(contract, GROUP, &pile, 6), LF_OK);
    contract_kill_and_reopen(contract);
    struct log_store_completion *completion = contract_load(contract, GROUP);
    assert_int_equal(completion->loaded->staged_count, 1);
    assert_true(log_segment_equal(&completion->loaded->staged[0], &pile.segment));
    assert_int_equal(completion->loaded->segment_count, 0);
    assert_int_equal(completion->loaded->last_index, 0);
    log_store_completion_destroy(&completion);
    contract_reopen(contract);
    assert_int_equal(staged_count(contract, GROUP), 1);
    struct log_store_write *write = contract_write(GROUP, 2);
    write->unstage = true;
    assert_int_equal(contract_do(contract, write), LF_OK);
    assert_int_equal(staged_count(contract, GROUP), 0);
    contract_kill_and_reopen(contract);
    assert_int_equal(staged_count(contract, GROUP), 0);
    contract_pile_free(&pile);
}

static void staged_segments_may_overlap_and_equal_ones_are_one(void **state) {
    struct contract *contract = *state;
    struct contract_pile piles[3];
    create(contract, GROUP);
    contract_pile_make(&piles[0], GROUP, 11, 20, 1, 1);
    contract_pile_make(&piles[1], GROUP, 11, 20, 1, 2);
    contract_pile_make(&piles[2], GROUP, 1, 40, 1, 2);
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 3; i++)
            assert_int_equal(contract_stage(contract, GROUP, &piles[i], 7), LF_OK);
    assert_int_equal(staged_count(contract, GROUP), 3);
    contract_kill_and_reopen(contract);
    assert_int_equal(staged_count(contract, GROUP), 3);
    for (int i = 0; i < 3; i++)
        contract_pile_free(&piles[i]);
}

static void a_segment_of_no_group_is_refused(void **state) {
    struct contract *contract = *state;
    struct contract_pile pile;
    contract_pile_make(&pile, 9, 1, 10, 1, 1);
    assert_int_equal(contract_stage(contract, 9, &pile, 100), LF_NOT_FOUND);
    contract_pile_free(&pile);
}

static void a_segment_that_is_not_what_its_descriptor_says_is_damaged(void **state) {
    struct contract *contract = *state;
    create(contract, GROUP);
    for (int wrong = 0; wrong < 12; wrong++) {
        struct contract_pile pile;
        contract_pile_make(&pile, GROUP, 11, 30, 1, wrong < 9 ? 1 : 2);
        struct log_segment *segment = &pile.segment;
        segment->checksum ^= wrong == 0;
        segment->bytes += wrong == 1;
        segment->command_bytes -= wrong == 2;
        segment->max_timestamp_ms += wrong == 3;
        segment->last_log_time_ms += wrong == 4;
        segment->end_offset += wrong == 5;
        segment->last_term += wrong == 6;
        if (wrong == 7) { /* entries in the wrong order */
            struct lf_buf *first = pile.entries[0];
            pile.entries[0] = pile.entries[1];
            pile.entries[1] = first;
        }
        if (wrong == 8) { /* one of another group */
            lf_buf_unref(&pile.entries[4]);
            pile.entries[4] = contract_entry(GROUP + 1, 15, 1, 15, 100);
        }
        if (wrong == 9) /* one is missing at the end */
            lf_buf_unref(&pile.entries[--pile.count]);
        if (wrong == 10) { /* one bit in one entry */
            struct lf_buf *copy = lf_buf_copy(lf_buf_bytes(pile.entries[2]));
            copy->data[80] ^= 4;
            lf_buf_unref(&pile.entries[2]);
            pile.entries[2] = copy;
        }
        segment->checksum ^= wrong == 11 ? 1u << 31 : 0;
        enum lf_status status = contract_stage(contract, GROUP, &pile, 6);
        if (status != LF_DAMAGED)
            fail_msg("case %d: %s", wrong, lf_status_name(status));
        contract_pile_free(&pile);
    }
    assert_int_equal(staged_count(contract, GROUP), 0);
    contract_reopen(contract);
    assert_int_equal(staged_count(contract, GROUP), 0);
}

static void a_descriptor_that_contradicts_itself_is_refused(void **state) {
    struct contract *contract = *state;
    struct contract_pile pile;
    create(contract, GROUP);
    contract_pile_make(&pile, GROUP, 11, 30, 1, 1);
    pile.segment.last_index = 10;
    assert_int_equal(contract_stage(contract, GROUP, &pile, 100), LF_INVALID);
    contract_pile_free(&pile);
}

static void pieces_belong_to_the_segment_begun_last(void **state) {
    struct contract *contract = *state;
    struct contract_pile one, other;
    create(contract, GROUP);
    contract_pile_make(&one, GROUP, 11, 30, 1, 1);
    contract_pile_make(&other, GROUP, 31, 50, 1, 1);
    assert_int_equal(hand_over(contract, &one, 5, 20, false, true), LF_INVALID); /* none was begun */
    assert_int_equal(hand_over(contract, &one, 0, 5, true, false), LF_OK);
    assert_int_equal(hand_over(contract, &other, 5, 20, false, true), LF_INVALID);
    assert_int_equal(hand_over(contract, &one, 5, 10, false, false), LF_OK); /* is as it was */
    assert_int_equal(hand_over(contract, &other, 0, 5, true, false), LF_OK); /* in place of the first */
    assert_int_equal(hand_over(contract, &one, 10, 20, false, true), LF_INVALID);
    assert_int_equal(hand_over(contract, &other, 5, 20, false, true), LF_OK);
    assert_int_equal(staged_count(contract, GROUP), 1);
    assert_int_equal(hand_over(contract, &one, 0, 5, true, false), LF_OK);
    assert_int_equal(hand_over(contract, &one, 0, 20, true, true), LF_OK); /* anew */
    assert_int_equal(staged_count(contract, GROUP), 2);
    contract_pile_free(&one);
    contract_pile_free(&other);
}

static void after_damage_what_was_begun_is_gone(void **state) {
    struct contract *contract = *state;
    struct contract_pile pile;
    create(contract, GROUP);
    contract_pile_make(&pile, GROUP, 11, 30, 1, 1);
    assert_int_equal(hand_over(contract, &pile, 0, 5, true, false), LF_OK);
    assert_int_equal(hand_over(contract, &pile, 3, 10, false, false), LF_DAMAGED);
    assert_int_equal(hand_over(contract, &pile, 5, 20, false, true), LF_INVALID);
    assert_int_equal(contract_stage(contract, GROUP, &pile, 100), LF_OK);
    contract_pile_free(&pile);
}

static void a_restart_and_unstage_forget_what_was_begun(void **state) {
    struct contract *contract = *state;
    struct contract_pile pile;
    create(contract, GROUP);
    contract_pile_make(&pile, GROUP, 11, 30, 1, 1);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(hand_over(contract, &pile, 0, 5, true, false), LF_OK);
        struct log_store_write *write = contract_write(GROUP, 3);
        write->unstage = true;
        if (round == 0)
            contract_reopen(contract);
        else if (round == 1)
            contract_kill_and_reopen(contract);
        else
            assert_int_equal(contract_do(contract, write), LF_OK);
        if (round < 2)
            log_store_write_destroy(&write);
        assert_int_equal(hand_over(contract, &pile, 5, 20, false, true), LF_INVALID);
        assert_int_equal(staged_count(contract, GROUP), 0);
    }
    contract_pile_free(&pile);
}

static void groups_stage_side_by_side_and_completions_come_in_order(void **state) {
    struct contract *contract = *state;
    struct contract_pile piles[3];
    for (uint64_t group = 0; group < 3; group++) {
        create(contract, group);
        contract_pile_make(&piles[group], group, 11, 30, 1, 1);
    }
    for (uint32_t piece = 0; piece < 4; piece++)
        for (uint64_t group = 0; group < 3; group++) {
            struct log_store_stage stage = {.group = group,
                                            .request = 100 + piece * 3 + group,
                                            .segment = &piles[group].segment,
                                            .first = piece == 0,
                                            .last = piece == 3,
                                            .entries = &piles[group].entries[5 * piece],
                                            .entry_count = 5};
            assert_int_equal(log_store_stage(contract->store, &stage), LF_OK);
        }
    for (uint64_t request = 100; request < 112; request++) {
        struct log_store_completion *completion = contract_wait(contract);
        assert_int_equal(completion->id, request);
        assert_int_equal(completion->status, LF_OK);
        log_store_completion_destroy(&completion);
    }
    for (uint64_t group = 0; group < 3; group++) {
        assert_int_equal(staged_count(contract, group), 1);
        contract_pile_free(&piles[group]);
    }
}

static void staging_has_a_bound_in_bytes(void **state) {
    struct contract *contract = *state;
    create(contract, GROUP);
    struct contract_pile pile = {.count = 0};
    log_segment_begin(&pile.segment, 1, 0, 1);
    for (uint64_t index = 1; index <= 3; index++) {
        struct lf_buf *entry = contract_entry(GROUP, index, 1, index, 4 << 20);
        log_segment_add(&pile.segment, lf_buf_bytes(entry));
        pile.entries[pile.count++] = entry;
    }
    struct log_store_stage stage = {
        .group = GROUP, .request = 1, .segment = &pile.segment, .first = true, .last = true, .entry_count = 3};
    stage.entries = pile.entries;
    assert_int_equal(log_store_stage(contract->store, &stage), LF_OK); /* larger than the bound, yet alone */
    assert_int_equal(log_store_stage(contract->store, &stage), LF_FULL);
    struct log_store_completion *completion = contract_wait(contract);
    assert_int_equal(completion->status, LF_OK);
    log_store_completion_destroy(&completion);
    assert_int_equal(staged_count(contract, GROUP), 1);
    contract_pile_free(&pile);
}

static void staging_leaves_the_log_and_its_reads_alone(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(GROUP, 1);
    contract_add(write, 1, 20, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    struct contract_pile pile;
    contract_pile_make(&pile, GROUP, 11, 30, 1, 2);
    assert_int_equal(contract_stage(contract, GROUP, &pile, 3), LF_OK);
    contract_expect_entries(contract, GROUP, 1, 20, 1);
    contract_kill_and_reopen(contract);
    contract_expect_entries(contract, GROUP, 1, 20, 1);
    contract_pile_free(&pile);
}

const struct CMUnitTest contract_stage_tests[] = {
    CONTRACT_TEST(a_staged_segment_survives_restarts_until_it_is_dropped),
    CONTRACT_TEST(staged_segments_may_overlap_and_equal_ones_are_one),
    CONTRACT_TEST(a_segment_of_no_group_is_refused),
    CONTRACT_TEST(a_segment_that_is_not_what_its_descriptor_says_is_damaged),
    CONTRACT_TEST(a_descriptor_that_contradicts_itself_is_refused),
    CONTRACT_TEST(pieces_belong_to_the_segment_begun_last),
    CONTRACT_TEST(after_damage_what_was_begun_is_gone),
    CONTRACT_TEST(a_restart_and_unstage_forget_what_was_begun),
    CONTRACT_TEST(groups_stage_side_by_side_and_completions_come_in_order),
    CONTRACT_TEST(staging_has_a_bound_in_bytes),
    CONTRACT_TEST(staging_leaves_the_log_and_its_reads_alone),
};
const size_t contract_stage_test_count = sizeof contract_stage_tests / sizeof contract_stage_tests[0];
