/** Sealed segments, where a log begins, rewritten segments, images: S9, S10. */
#include "contract.h"

#include "lf_entry.h"

#include <stdio.h>

#define GROUP 3u

static void seal(struct contract *contract, struct log_store_write *write, uint64_t first_index, uint64_t last_index,
                 uint64_t term) {
    (void)contract;
    struct log_segment segment = contract_segment(write->group, first_index, last_index, term);
    assert_int_equal(log_store_write_add_seal(write, &segment), LF_OK);
}

/* Entries 1..35 of term 1, all applied; segments 1-10, 11-20, 21-30, by two writes. */
static void fill_and_seal(struct contract *contract) {
    struct log_store_write *write = contract_create(GROUP, 1);
    contract_add(write, 1, 35, 1);
    write->applied_index = 35;
    contract_row(write, "a", "old");
    contract_row(write, "b", "old");
    seal(contract, write, 1, 10, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_write(GROUP, 2);
    seal(contract, write, 11, 20, 1);
    seal(contract, write, 21, 30, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
}

struct wanted {
    uint64_t first_index, previous_index, previous_term, last_index, applied_index;
    uint64_t borders[8]; /* first indexes of the segments, then where the active part begins; ends with 0 */
};

static void expect_shape(struct contract *contract, uint64_t group, const struct wanted *wanted) {
    struct log_store_completion *completion = contract_load(contract, group);
    const struct log_store_loaded *loaded = completion->loaded;
    assert_true(loaded->exists);
    assert_int_equal(loaded->first_index, wanted->first_index);
    assert_int_equal(loaded->previous_index, wanted->previous_index);
    assert_int_equal(loaded->previous_term, wanted->previous_term);
    assert_int_equal(loaded->last_index, wanted->last_index);
    assert_int_equal(loaded->applied_index, wanted->applied_index);
    assert_int_equal(loaded->run_count > 0, loaded->last_index > loaded->previous_index);
    if (loaded->run_count > 0)
        assert_int_equal(loaded->runs[0].first_index, loaded->previous_index + 1);
    size_t count = 0;
    while (wanted->borders[count + 1] != 0)
        count++;
    assert_int_equal(loaded->segment_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(loaded->segments[i].first_index, wanted->borders[i]);
        assert_int_equal(loaded->segments[i].last_index + 1, wanted->borders[i + 1]);
    }
    log_store_completion_destroy(&completion);
}

/* What is there is exactly the indexes first..last, below `holes_below` only those that keep_each divides; each byte
 * for byte what contract_add made; and every offset is found where it is. The entry at index i covers offset i - 1. */
static void expect_log(struct contract *contract, uint64_t first, uint64_t last, uint64_t term, uint64_t holes_below,
                       uint64_t keep_each) {
    struct log_store_read read = {
        .group = GROUP, .request = 6, .last_index = UINT64_MAX, .bytes_max = UINT32_MAX, .entries_max = UINT32_MAX};
    struct log_store_completion *completion = contract_read(contract, read);
    if (completion->status != LF_OK)
        fail_msg("read: %s", completion->error.text);
    uint32_t at = 0;
    uint64_t offset = 0;
    for (uint64_t index = first; index <= last; index++) {
        if (index < holes_below && index % keep_each != 0)
            continue;
        assert_true(at < completion->entry_count);
        struct lf_buf *wanted = contract_entry(GROUP, index, term, index, 100);
        assert_true(lf_bytes_equal(lf_buf_bytes(completion->entries[at]), lf_buf_bytes(wanted)));
        lf_buf_unref(&wanted);
        if (at++ == 0)
            assert_int_equal(completion->first_index, index);
        for (; offset < index; offset++) {
            read.from = LOG_STORE_READ_OFFSET;
            read.value = offset;
            read.entries_max = 1;
            struct log_store_completion *found = contract_read(contract, read);
            assert_int_equal(found->status, LF_OK);
            assert_int_equal(found->entry_count, 1);
            assert_int_equal(found->first_index, index);
            log_store_completion_destroy(&found);
        }
    }
    assert_int_equal(completion->entry_count, at);
    log_store_completion_destroy(&completion);
    assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_OFFSET, last, UINT64_MAX), 0);
}

/* At once, after closing, and after a kill. */
#define THREE_TIMES(contract)                                                                                          \
    for (int round = 0; round < 3; round++, round == 1   ? contract_reopen(contract)                                   \
                                            : round == 2 ? contract_kill_and_reopen(contract)                          \
                                                         : (void)0)

static void s9_sealed_segments_are_loaded_as_they_were_sealed(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    THREE_TIMES(contract) {
        expect_shape(
            contract, GROUP,
            &(struct wanted){.first_index = 1, .last_index = 35, .applied_index = 35, .borders = {1, 11, 21, 31}});
        struct log_store_completion *completion = contract_load(contract, GROUP);
        for (uint64_t i = 0; i < 3; i++) {
            struct log_segment wanted = contract_segment(GROUP, 10 * i + 1, 10 * i + 10, 1);
            assert_true(log_segment_equal(&completion->loaded->segments[i], &wanted));
        }
        log_store_completion_destroy(&completion);
    }
}

static void s9_entries_of_segments_and_active_ones_are_read_without_a_seam(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    THREE_TIMES(contract) {
        expect_log(contract, 1, 35, 1, 0, 1);
        for (uint64_t index = 1; index <= 35; index++)
            assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_INDEX, index, UINT64_MAX), index);
        assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_INDEX, 8, 7), 0);
    }
}

static void s9_a_log_goes_on_behind_its_segments(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    struct log_store_write *write = contract_write(GROUP, 5);
    contract_add(write, 36, 10, 1);
    write->applied_index = 40;
    seal(contract, write, 31, 38, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_write(GROUP, 6);
    write->truncate_from = 42;
    contract_add(write, 42, 1, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract) {
        expect_log(contract, 1, 42, 1, 0, 1);
        expect_shape(
            contract, GROUP,
            &(struct wanted){.first_index = 1, .last_index = 42, .applied_index = 40, .borders = {1, 11, 21, 31, 39}});
    }
}

static void s9_a_seal_that_does_not_fit_is_refused_with_all_of_its_write(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    const struct {
        uint64_t first_index, last_index, term;
    } wrong[] = {{32, 35, 1}, {30, 35, 1}, {31, 36, 1}, {31, 35, 2}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct log_store_write *write = contract_write(GROUP, 10 + i);
        contract_add(write, 36, 3, 1);
        contract_row(write, "a", "new");
        seal(contract, write, wrong[i].first_index, wrong[i].last_index, wrong[i].term);
        assert_int_equal(contract_do(contract, write), LF_INVALID);
    }
    assert_string_equal(contract_row_of(contract, GROUP, "a"), "old");
    expect_log(contract, 1, 35, 1, 0, 1);
}

static void a_drop_moves_where_the_log_begins(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    struct log_store_write *write = contract_write(GROUP, 5);
    write->drop_before = 15;
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    write = contract_write(GROUP, 6);
    write->drop_before = 21;
    contract_row(write, "a", "new");
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract) {
        assert_string_equal(contract_row_of(contract, GROUP, "a"), "new");
        expect_shape(contract, GROUP,
                     &(struct wanted){.first_index = 21,
                                      .previous_index = 20,
                                      .previous_term = 1,
                                      .last_index = 35,
                                      .applied_index = 35,
                                      .borders = {21, 31}});
        expect_log(contract, 21, 35, 1, 0, 1);
        assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_INDEX, 3, UINT64_MAX), 21);
        assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_INDEX, 3, 20), 0);
    }
    write = contract_write(GROUP, 7);
    write->drop_before = 11; /* gone before: nothing happens */
    assert_int_equal(contract_do(contract, write), LF_OK);
    expect_log(contract, 21, 35, 1, 0, 1);
}

static void a_log_whose_segments_all_went_goes_on(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    struct log_store_write *write = contract_write(GROUP, 5);
    seal(contract, write, 31, 35, 1);
    write->drop_before = 36;
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract) {
        expect_shape(contract, GROUP,
                     &(struct wanted){.first_index = 36,
                                      .previous_index = 35,
                                      .previous_term = 1,
                                      .last_index = 35,
                                      .applied_index = 35,
                                      .borders = {36}});
        assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_INDEX, 1, UINT64_MAX), 0);
    }
    write = contract_write(GROUP, 6);
    contract_add(write, 37, 1, 1);
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    write = contract_write(GROUP, 7);
    contract_add(write, 36, 9, 1);
    write->applied_index = 40;
    seal(contract, write, 36, 40, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract)
    expect_log(contract, 36, 44, 1, 0, 1);
}

static void hints_below_the_logs_beginning_do_no_harm(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    struct log_store_write *write = contract_write(GROUP, 5);
    for (uint64_t index = 5; index <= 35; index += 5)
        log_store_write_add_hint(write, (struct log_store_hint){.index = index, .offset = index - 1});
    assert_int_equal(contract_do(contract, write), LF_OK);
    expect_log(contract, 1, 35, 1, 0, 1);
    write = contract_write(GROUP, 6);
    write->drop_before = 21;
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract)
    expect_log(contract, 21, 35, 1, 0, 1);
}

/* The segments 1-20 by one that has only every third entry. */
static void replace_first_two(struct contract *contract) {
    struct contract_pile pile;
    contract_pile_make(&pile, GROUP, 1, 20, 1, 3);
    assert_int_equal(contract_stage(contract, GROUP, &pile, 4), LF_OK);
    struct log_store_write *write = contract_write(GROUP, 8);
    assert_int_equal(log_store_write_set_replacements(write, &pile.segment, 1), LF_OK);
    contract_row(write, "a", "new");
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_pile_free(&pile);
}

static void s10_a_rewritten_segment_takes_the_place_of_others(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    replace_first_two(contract);
    THREE_TIMES(contract) {
        expect_shape(contract, GROUP,
                     &(struct wanted){.first_index = 1,
                                      .previous_index = 20,
                                      .previous_term = 1,
                                      .last_index = 35,
                                      .applied_index = 35,
                                      .borders = {1, 21, 31}});
        expect_log(contract, 1, 35, 1, 21, 3);
        assert_string_equal(contract_row_of(contract, GROUP, "a"), "new");
        assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_INDEX, 19, UINT64_MAX), 21);
        assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_INDEX, 19, 20), 0);
        struct log_store_completion *completion = contract_load(contract, GROUP);
        assert_int_equal(completion->loaded->segments[0].entry_count, 6);
        assert_int_equal(completion->loaded->staged_count, 0);
        log_store_completion_destroy(&completion);
    }
}

static void hints_into_holes_do_no_harm(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    struct log_store_write *write = contract_write(GROUP, 5);
    for (uint64_t index = 2; index <= 35; index += 3)
        log_store_write_add_hint(write, (struct log_store_hint){.index = index, .offset = index - 1});
    assert_int_equal(contract_do(contract, write), LF_OK);
    replace_first_two(contract);
    THREE_TIMES(contract)
    expect_log(contract, 1, 35, 1, 21, 3);
}

static void a_segment_of_which_nothing_is_left_still_stands(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    struct contract_pile pile;
    contract_pile_make(&pile, GROUP, 11, 20, 1, 1000);
    assert_int_equal(contract_stage(contract, GROUP, &pile, 4), LF_OK);
    struct log_store_write *write = contract_write(GROUP, 8);
    assert_int_equal(log_store_write_set_replacements(write, &pile.segment, 1), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract) {
        assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_OFFSET, 9, UINT64_MAX), 10);
        for (uint64_t offset = 10; offset <= 20; offset++)
            assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_OFFSET, offset, UINT64_MAX), 21);
        assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_INDEX, 11, UINT64_MAX), 21);
        assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_INDEX, 11, 15), 0);
    }
    write = contract_write(GROUP, 9);
    write->drop_before = 21;
    assert_int_equal(contract_do(contract, write), LF_OK);
    expect_log(contract, 21, 35, 1, 0, 1);
}

static void s10_a_replacement_that_does_not_fit_changes_nothing(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    struct contract_pile pile;
    contract_pile_make(&pile, GROUP, 1, 20, 1, 3);
    for (int staged = 0; staged < 2; staged++) {
        struct log_segment wrong = pile.segment;
        wrong.last_index -= staged;
        struct log_store_write *write = contract_write(GROUP, 8);
        contract_row(write, "a", "new");
        assert_int_equal(log_store_write_set_replacements(write, &wrong, 1), LF_OK);
        assert_int_equal(contract_do(contract, write), LF_INVALID);
        assert_int_equal(contract_stage(contract, GROUP, &pile, 4), LF_OK);
    }
    contract_pile_free(&pile);
    THREE_TIMES(contract) {
        assert_string_equal(contract_row_of(contract, GROUP, "a"), "old");
        expect_log(contract, 1, 35, 1, 0, 1);
    }
}

static void small_neighbours_are_merged_and_stay_whole(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    struct contract_pile pile;
    contract_pile_make(&pile, GROUP, 11, 30, 1, 1);
    pile.segment.rewrites = 1;
    assert_int_equal(contract_stage(contract, GROUP, &pile, 7), LF_OK);
    contract_pile_free(&pile);
    struct log_store_write *write = contract_write(GROUP, 8);
    assert_int_equal(log_store_write_set_replacements(write, &pile.segment, 1), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract) {
        expect_shape(contract, GROUP,
                     &(struct wanted){.first_index = 1, .last_index = 35, .applied_index = 35, .borders = {1, 11, 31}});
        expect_log(contract, 1, 35, 1, 0, 1);
    }
}

static void a_segment_is_written_anew_from_elsewhere(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    struct contract_pile pile;
    contract_pile_make(&pile, GROUP, 11, 20, 1, 1);
    assert_int_equal(contract_stage(contract, GROUP, &pile, 3), LF_OK);
    contract_pile_free(&pile);
    struct log_store_write *write = contract_write(GROUP, 8);
    assert_int_equal(log_store_write_set_replacements(write, &pile.segment, 1), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract) {
        expect_log(contract, 1, 35, 1, 0, 1);
        struct log_store_completion *completion = contract_load(contract, GROUP);
        assert_int_equal(completion->loaded->staged_count, 0);
        log_store_completion_destroy(&completion);
    }
}

/* An image at 50: segment 21-30 as it is, 31-50 from elsewhere, of term 2 and with holes. */
static struct log_store_write *image(struct contract *contract) {
    struct contract_pile pile;
    contract_pile_make(&pile, GROUP, 31, 50, 2, 4);
    assert_int_equal(contract_stage(contract, GROUP, &pile, 100), LF_OK);
    contract_pile_free(&pile);
    const struct log_segment segments[] = {contract_segment(GROUP, 21, 30, 1), pile.segment};
    struct log_store_write *write = contract_write(GROUP, 9);
    assert_int_equal(log_store_write_set_install(write, 50, 2, segments, 2), LF_OK);
    write->has_hard_state = true;
    write->term = 3;
    contract_row(write, "a", "new");
    return write;
}

static void s10_an_install_makes_the_group_anew(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    assert_int_equal(contract_do(contract, image(contract)), LF_OK);
    struct log_store_write *write = contract_write(GROUP, 10);
    contract_add(write, 51, 5, 3);
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract) {
        expect_shape(contract, GROUP,
                     &(struct wanted){.first_index = 21,
                                      .previous_index = 50,
                                      .previous_term = 2,
                                      .last_index = 55,
                                      .applied_index = 50,
                                      .borders = {21, 31, 51}});
        assert_string_equal(contract_row_of(contract, GROUP, "a"), "new");
        assert_string_equal(contract_row_of(contract, GROUP, "b"), "-");
        for (uint64_t offset = 0; offset < 55; offset++) {
            uint64_t index = offset + 1 < 21 ? 21 : offset + 1;
            if (index > 30 && index <= 50)
                index = index <= 48 ? (index + 3) / 4 * 4 : 51;
            assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_OFFSET, offset, UINT64_MAX), index);
        }
        contract_expect_entries(contract, GROUP, 51, 5, 3);
        struct log_store_completion *completion = contract_load(contract, GROUP);
        assert_int_equal(completion->loaded->term, 3);
        assert_int_equal(completion->loaded->staged_count, 0);
        assert_int_equal(completion->loaded->replica_id, GROUP + 100);
        log_store_completion_destroy(&completion);
    }
}

static void s10_an_install_brings_entries_that_are_in_no_segment_yet(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    struct log_store_write *write = image(contract);
    contract_add(write, 51, 20, 3);
    write->applied_index = 69;
    assert_int_equal(contract_do(contract, write), LF_INVALID); /* the rows are of its end */
    write = image(contract);
    contract_add(write, 51, 20, 3);
    write->applied_index = 70;
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract) {
        expect_shape(contract, GROUP,
                     &(struct wanted){.first_index = 21,
                                      .previous_index = 50,
                                      .previous_term = 2,
                                      .last_index = 70,
                                      .applied_index = 70,
                                      .borders = {21, 31, 51}});
        contract_expect_entries(contract, GROUP, 51, 20, 3);
        assert_string_equal(contract_row_of(contract, GROUP, "a"), "new");
    }
    /* They are sealed like any other. */
    write = contract_write(GROUP, 11);
    contract_add(write, 71, 5, 3);
    write->applied_index = 75;
    seal(contract, write, 51, 75, 3);
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract) contract_expect_entries(contract, GROUP, 51, 25, 3);
}

static void s10_an_install_that_is_refused_changes_nothing(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    struct log_store_write *write = image(contract);
    write->install_index = 51; /* where no segment ends */
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    write = image(contract);
    contract_add(write, 51, 1, 3);
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    write = contract_write(GROUP, 11);
    assert_int_equal(log_store_write_set_install(write, 35, 1, NULL, 0), LF_OK); /* applied already */
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    THREE_TIMES(contract) {
        assert_string_equal(contract_row_of(contract, GROUP, "b"), "old");
        expect_log(contract, 1, 35, 1, 0, 1);
    }
}

static void s10_an_install_never_takes_entries_that_follow_its_own_last_one(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    struct log_store_write *write = contract_write(GROUP, 5);
    write->has_hard_state = true;
    write->term = 3;
    contract_add(write, 36, 20, 2);
    assert_int_equal(contract_do(contract, write), LF_OK);
    assert_int_equal(contract_do(contract, image(contract)), LF_INVALID);
    contract_expect_entries(contract, GROUP, 36, 20, 2);
    write = contract_write(GROUP, 6);
    write->truncate_from = 45;
    assert_int_equal(contract_do(contract, write), LF_OK);
    assert_int_equal(contract_do(contract, image(contract)), LF_OK);
}

static void an_install_may_create_the_group_without_segments(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(GROUP, 1);
    write->term = 4;
    assert_int_equal(log_store_write_set_install(write, 70, 3, NULL, 0), LF_OK);
    contract_row(write, "a", "new");
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_write(GROUP, 2);
    contract_add(write, 71, 3, 4);
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract) {
        expect_shape(contract, GROUP,
                     &(struct wanted){.first_index = 71,
                                      .previous_index = 70,
                                      .previous_term = 3,
                                      .last_index = 73,
                                      .applied_index = 70,
                                      .borders = {71}});
        contract_expect_entries(contract, GROUP, 71, 3, 4);
    }
}

static void a_destroyed_group_leaves_no_segments_to_its_successor(void **state) {
    struct contract *contract = *state;
    fill_and_seal(contract);
    struct contract_pile pile;
    contract_pile_make(&pile, GROUP, 1, 20, 1, 3);
    assert_int_equal(contract_stage(contract, GROUP, &pile, 4), LF_OK);
    contract_pile_free(&pile);
    struct log_store_write *write = contract_write(GROUP, 5);
    write->destroy = true;
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_create(GROUP, 6);
    contract_add(write, 1, 3, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract) {
        struct log_store_completion *completion = contract_load(contract, GROUP);
        assert_int_equal(completion->loaded->segment_count, 0);
        assert_int_equal(completion->loaded->staged_count, 0);
        log_store_completion_destroy(&completion);
        expect_log(contract, 1, 3, 1, 0, 1);
    }
}

static void a_time_is_found_in_segments_with_holes(void **state) {
    struct contract *contract = *state;
    const int64_t times[] = {100, 50, 300, 200, 300, 400};
    struct contract_pile pile = {.count = 0};
    struct log_segment segments[2];
    struct log_store_write *write = contract_create(GROUP, 1);
    for (uint64_t i = 0; i < 6; i++) {
        struct lf_buf *entry = contract_batch_entry(GROUP, i + 1, i, times[i], 500);
        if (i % 3 == 0)
            log_segment_begin(&segments[i / 3], i + 1, i, 500);
        log_segment_add(&segments[i / 3], lf_buf_bytes(entry));
        if (i == 0)
            pile.entries[pile.count++] = lf_buf_ref(entry);
        assert_int_equal(log_store_write_add_entry(write, i + 1, entry), LF_OK);
    }
    assert_int_equal(log_store_write_add_entry(write, 7, contract_entry(GROUP, 7, 1, 6, 10)), LF_OK);
    assert_int_equal(log_store_write_add_entry(write, 8, contract_batch_entry(GROUP, 8, 6, 350, 500)), LF_OK);
    write->applied_index = 6;
    log_store_write_add_seal(write, &segments[0]);
    log_store_write_add_seal(write, &segments[1]);
    assert_int_equal(contract_do(contract, write), LF_OK);
    const int64_t asked[] = {-5, 0, 100, 101, 300, 301, 400, 401};
    const uint64_t whole[] = {1, 1, 1, 3, 3, 6, 6, 0}, holes[] = {1, 1, 1, 4, 5, 6, 6, 0};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_TIME, (uint64_t)asked[i], UINT64_MAX), whole[i]);
    struct log_segment first; /* 2 and 3 go, with them the time 300; the descriptor still says that it was there */
    log_segment_begin(&first, 1, 0, 500);
    log_segment_add(&first, lf_buf_bytes(pile.entries[0]));
    pile.segment = segments[0];
    pile.segment.entry_count = 1;
    pile.segment.bytes = first.bytes;
    pile.segment.checksum = first.checksum;
    pile.segment.rewrites = 1;
    assert_int_equal(contract_stage(contract, GROUP, &pile, 1), LF_OK);
    contract_pile_free(&pile);
    write = contract_write(GROUP, 2);
    log_store_write_set_replacements(write, &pile.segment, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    THREE_TIMES(contract)
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        assert_int_equal(contract_find(contract, GROUP, LOG_STORE_READ_TIME, (uint64_t)asked[i], UINT64_MAX), holes[i]);
}

const struct CMUnitTest contract_segment_tests[] = {
    CONTRACT_TEST(s9_sealed_segments_are_loaded_as_they_were_sealed),
    CONTRACT_TEST(s9_entries_of_segments_and_active_ones_are_read_without_a_seam),
    CONTRACT_TEST(s9_a_log_goes_on_behind_its_segments),
    CONTRACT_TEST(s9_a_seal_that_does_not_fit_is_refused_with_all_of_its_write),
    CONTRACT_TEST(a_drop_moves_where_the_log_begins),
    CONTRACT_TEST(a_log_whose_segments_all_went_goes_on),
    CONTRACT_TEST(hints_below_the_logs_beginning_do_no_harm),
    CONTRACT_TEST(s10_a_rewritten_segment_takes_the_place_of_others),
    CONTRACT_TEST(hints_into_holes_do_no_harm),
    CONTRACT_TEST(a_segment_of_which_nothing_is_left_still_stands),
    CONTRACT_TEST(s10_a_replacement_that_does_not_fit_changes_nothing),
    CONTRACT_TEST(small_neighbours_are_merged_and_stay_whole),
    CONTRACT_TEST(a_segment_is_written_anew_from_elsewhere),
    CONTRACT_TEST(s10_an_install_makes_the_group_anew),
    CONTRACT_TEST(s10_an_install_brings_entries_that_are_in_no_segment_yet),
    CONTRACT_TEST(s10_an_install_that_is_refused_changes_nothing),
    CONTRACT_TEST(s10_an_install_never_takes_entries_that_follow_its_own_last_one),
    CONTRACT_TEST(an_install_may_create_the_group_without_segments),
    CONTRACT_TEST(a_destroyed_group_leaves_no_segments_to_its_successor),
    CONTRACT_TEST(a_time_is_found_in_segments_with_holes),
};
const size_t contract_segment_test_count = sizeof contract_segment_tests / sizeof contract_segment_tests[0];
