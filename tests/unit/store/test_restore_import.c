/** A group of one store made in another one: real stores, whatever the shape of its log. */
#include "rocks_backend.h"
#include "segments_support.h"

#include "backup_tool.h"

#include <stdlib.h>
#include <string.h>

#define GROUP 9
#define REPLICA 77
#define BYTES 100 /* of a payload, as contract_add has them */

struct fixture {
    struct contract from, to;
    struct store_wish wish;
    struct store_tool from_tool, to_tool;
    struct log_store_completion *was, *is; /* loads */
    struct lf_error error;
};

static void open_one(struct contract *contract) {
    contract->backend = &rocks_backend;
    contract->disk = rocks_backend.disk_new();
    contract_open(contract);
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    open_one(&f->from);
    open_one(&f->to);
    f->wish.quiet = true;
    f->from_tool.wish = f->to_tool.wish = &f->wish;
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    log_store_completion_destroy(&f->was);
    log_store_completion_destroy(&f->is);
    log_store_close(&f->from.store);
    log_store_close(&f->to.store);
    rocks_backend.disk_destroy(f->from.disk);
    rocks_backend.disk_destroy(f->to.disk);
    free(f);
    return 0;
}

static enum lf_status import(struct fixture *f) {
    f->from_tool.store = f->from.store;
    f->to_tool.store = f->to.store;
    return restore_import(&f->from_tool, &f->to_tool, GROUP, REPLICA, &f->error);
}

/** In place of a sealed segment, with one of `keep_each` of its entries. */
static void make_holes(struct contract *contract, uint64_t first, uint64_t last, uint64_t keep_each) {
    struct contract_pile pile;
    contract_pile_make(&pile, GROUP, first, last, 1, keep_each);
    assert_int_equal(contract_stage(contract, GROUP, &pile, 4), LF_OK);
    struct log_store_write *write = contract_write(GROUP, 3);
    assert_int_equal(log_store_write_set_replacements(write, &pile.segment, 1), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_pile_free(&pile);
}

/** Entries that are not applied yet, of a higher term; and some state. */
static void add_tail(struct contract *contract, uint64_t first, uint32_t count) {
    struct log_store_write *write = contract_write(GROUP, 4);
    write->has_hard_state = write->sync = true;
    write->term = 5;
    write->vote = 12;
    contract_add(write, first, count, 5);
    contract_row(write, "one", "1");
    contract_row(write, "two", "2");
    assert_int_equal(contract_do(contract, write), LF_OK);
}

static void assert_same_entries(struct fixture *f) {
    const uint64_t last = f->was->loaded->last_index;
    for (uint64_t next = 1; next <= last;) {
        const struct log_store_read read = {.group = GROUP,
                                            .from = LOG_STORE_READ_INDEX,
                                            .value = next,
                                            .last_index = last,
                                            .bytes_max = 1u << 30,
                                            .entries_max = 1};
        struct log_store_completion *a = contract_read(&f->from, read), *b = contract_read(&f->to, read);
        assert_int_equal(a->entry_count, b->entry_count);
        next = last + 1;
        if (a->entry_count > 0) {
            struct lf_bytes x = lf_buf_bytes(a->entries[0]), y = lf_buf_bytes(b->entries[0]);
            assert_int_equal(a->first_index, b->first_index);
            assert_int_equal(x.size, y.size);
            assert_memory_equal(x.data, y.data, x.size);
            next = a->first_index + 1;
        }
        log_store_completion_destroy(&a);
        log_store_completion_destroy(&b);
    }
}

/** The group is there as it was, under its new replica id, also after another start. */
static void assert_same(struct fixture *f) {
    contract_kill_and_reopen(&f->to);
    f->was = contract_load(&f->from, GROUP);
    f->is = contract_load(&f->to, GROUP);
    const struct log_store_loaded *was = f->was->loaded, *is = f->is->loaded;
    assert_true(is->exists);
    assert_int_equal(is->replica_id, REPLICA);
    assert_int_equal(is->term, was->term);
    assert_int_equal(is->vote, 0);
    assert_int_equal(is->last_index, was->last_index);
    assert_int_equal(is->applied_index, was->applied_index);
    assert_int_equal(is->first_index, was->first_index);
    assert_int_equal(is->staged_count, 0);
    assert_int_equal(is->segment_count, was->segment_count);
    for (size_t i = 0; i < was->segment_count; i++)
        assert_true(log_segment_equal(&is->segments[i], &was->segments[i]));
    assert_int_equal(is->row_count, was->row_count);
    for (size_t i = 0; i < was->row_count; i++) {
        assert_int_equal(is->rows[i].value.size, was->rows[i].value.size);
        assert_memory_equal(is->rows[i].value.data, was->rows[i].value.data, was->rows[i].value.size);
    }
    assert_same_entries(f);
}

static void a_log_with_segments_holes_and_a_tail_comes_over_as_it_is(void **state) {
    struct fixture *f = *state;
    segments_make(&f->from, GROUP, 4, 20, BYTES);
    make_holes(&f->from, 1, 20, 3);
    make_holes(&f->from, 21, 40, 1000); /* nothing is left in it */
    segments_append(&f->from, GROUP, 15, BYTES);
    add_tail(&f->from, 96, 5);
    assert_int_equal(import(f), LF_OK);
    assert_same(f);
    assert_int_equal(f->is->loaded->segment_count, 4);
    assert_int_equal(f->is->loaded->last_index, 100);
    assert_int_equal(f->is->loaded->applied_index, 95);
}

static void a_log_of_which_all_segments_were_dropped_begins_where_it_began(void **state) {
    struct fixture *f = *state;
    segments_make(&f->from, GROUP, 2, 20, BYTES);
    segments_drop(&f->from, GROUP, 41);
    segments_append(&f->from, GROUP, 3, BYTES);
    add_tail(&f->from, 44, 2);
    assert_int_equal(import(f), LF_OK);
    assert_same(f);
    assert_int_equal(f->is->loaded->previous_index, 40);
}

static void a_log_that_ends_with_its_last_segment(void **state) {
    struct fixture *f = *state;
    segments_make(&f->from, GROUP, 2, 20, BYTES);
    assert_int_equal(import(f), LF_OK);
    assert_same(f);
}

static void a_young_log_without_segments(void **state) {
    struct fixture *f = *state;
    segments_make(&f->from, GROUP, 0, 1, BYTES);
    segments_append(&f->from, GROUP, 7, BYTES);
    add_tail(&f->from, 8, 3);
    assert_int_equal(import(f), LF_OK);
    assert_same(f);
    assert_int_equal(f->is->loaded->previous_index, 0);
}

static void more_than_a_piece_goes_in_pieces(void **state) {
    struct fixture *f = *state;
    segments_make(&f->from, GROUP, 1, 3 * STORE_READ_BYTES / 65536, 65536);
    segments_append(&f->from, GROUP, 3 * STORE_READ_BYTES / 65536, 65536);
    assert_int_equal(import(f), LF_OK);
    assert_same(f);
}

static void what_is_not_there_or_there_already_is_said(void **state) {
    struct fixture *f = *state;
    assert_int_equal(import(f), LF_NOT_FOUND);
    segments_make(&f->from, GROUP, 1, 20, BYTES);
    segments_make(&f->to, GROUP, 1, 10, BYTES);
    assert_int_equal(import(f), LF_INVALID);
    assert_non_null(strstr(f->error.text, "group 9"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_log_with_segments_holes_and_a_tail_comes_over_as_it_is),
        TEST(a_log_of_which_all_segments_were_dropped_begins_where_it_began),
        TEST(a_log_that_ends_with_its_last_segment),
        TEST(a_young_log_without_segments),
        TEST(more_than_a_piece_goes_in_pieces),
        TEST(what_is_not_there_or_there_already_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
