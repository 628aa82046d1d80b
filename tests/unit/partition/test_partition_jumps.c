/** Offsets that go on far behind where they were: the machine, its row, and where readers stand. One fact each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "entries.h"
#include "partition_jumps.h"
#include "row_image.h"

struct fixture {
    struct partition *partition;
    struct row_image image;
    uint64_t term;
    struct lf_error error;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->partition = partition_new(NULL);
    f->term = 1;
    *state = f;
    return f->partition ? 0 : -1;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    partition_destroy(&f->partition);
    row_image_deinit(&f->image);
    free(f);
    return 0;
}

static uint64_t next_index(const struct fixture *f) { return partition_log_end_index(f->partition) + 1; }
static int64_t end_offset(const struct fixture *f) { return partition_log_end_offset(f->partition); }

static enum lf_status append(struct fixture *f, const struct entry *entry) {
    return partition_append(f->partition, &entry->header, entry_payload(entry), &f->error);
}

static void take(struct fixture *f, struct entry entry) {
    struct log_store_write *write = log_store_write_new(1, 1);
    if (append(f, &entry) != LF_OK ||
        partition_apply(f->partition, entry_bytes(&entry), write, NULL, &f->error) != LF_OK)
        fail_msg("%s", f->error.text);
    row_image_write(&f->image, write, entry.header.index);
    log_store_write_destroy(&write);
}

static void batch(struct fixture *f, uint32_t records) {
    struct batch fields = {.producer = -1, .epoch = -1, .sequence = -1, .count = records, .timestamp = 50};
    struct entry entry = entry_batch(&fields, next_index(f), 100, end_offset(f));
    entry.header.term = f->term;
    lf_put_be32(entry.payload + 12, (uint32_t)f->term);
    take(f, entry);
}

static struct entry jump(struct fixture *f, int64_t committed) {
    uint64_t last_term = f->term;
    f->term += 1000;
    return entry_jump(end_offset(f), committed, last_term, f->term, next_index(f), 100);
}

static struct partition *loaded(struct fixture *f) {
    struct partition *again = partition_new(NULL);
    if (partition_load(again, f->image.applied_index, f->image.rows, f->image.count, f->image.segments,
                       f->image.segment_count, &f->error) != LF_OK)
        fail_msg("%s", f->error.text);
    partition_check_invariants(again);
    return again;
}

static void offsets_go_on_behind_a_jump(void **state) {
    struct fixture *f = *state;
    batch(f, 10);
    take(f, jump(f, 7));
    assert_int_equal(end_offset(f), 10 + LF_OFFSET_JUMP);
    assert_int_equal(partition_high_watermark(f->partition), 10 + LF_OFFSET_JUMP);
    batch(f, 3);
    assert_int_equal(end_offset(f), 13 + LF_OFFSET_JUMP);
    assert_int_equal(partition_open_segment(f->partition)->end_offset, 13 + LF_OFFSET_JUMP);
    partition_check_invariants(f->partition);
}

static void a_jump_stands_in_the_rows_and_in_what_is_compared(void **state) {
    struct fixture *f = *state;
    batch(f, 10);
    uint32_t before = partition_applied_checksum(f->partition);
    take(f, jump(f, 7));
    assert_int_not_equal(partition_applied_checksum(f->partition), before);
    batch(f, 1);
    struct partition *again = loaded(f), *other;
    assert_true(partition_applied_equal(again, f->partition));
    assert_int_equal(partition_applied_checksum(again), partition_applied_checksum(f->partition));
    const struct partition_jumps *jumps = partition_jumps(again);
    assert_int_equal(jumps->count, 1);
    assert_int_equal(jumps->items[0].from, 10);
    assert_int_equal(jumps->items[0].committed, 7);
    assert_int_equal(jumps->items[0].index, 2);
    assert_int_equal(jumps->items[0].last_term, 1);
    assert_int_equal(jumps->items[0].term, 1001);
    /* All rows at once, as an image has them, hold it too. */
    struct log_store_write *write = log_store_write_new(1, 1);
    assert_int_equal(partition_save(f->partition, write), LF_OK);
    other = partition_new(NULL);
    if (partition_load(other, 3, write->rows, write->row_count, NULL, 0, &f->error) != LF_OK)
        fail_msg("%s", f->error.text);
    assert_true(partition_applied_equal(other, f->partition));
    log_store_write_destroy(&write);
    partition_destroy(&other);
    partition_destroy(&again);
}

static void a_jump_that_does_not_follow_is_refused(void **state) {
    struct fixture *f = *state;
    batch(f, 10);
    struct entry wrong = jump(f, 7);
    wrong.header.end_offset++; /* not as far as all of them go */
    assert_int_equal(append(f, &wrong), LF_INTERNAL);
    wrong = entry_jump(11, 7, 1, 9, 2, 100); /* not from the end */
    assert_int_equal(append(f, &wrong), LF_INTERNAL);
    wrong = entry_jump(10, 11, 1, 9, 2, 100); /* more committed than there is */
    assert_int_equal(append(f, &wrong), LF_INTERNAL);
    wrong = entry_jump(10, 7, 9, 9, 2, 100); /* no higher term */
    assert_int_equal(append(f, &wrong), LF_INTERNAL);
    wrong.payload[0] = 0xff;
    assert_int_equal(append(f, &wrong), LF_INTERNAL);
    wrong = entry_jump(10, 7, 1, 9, 2, 100);
    assert_int_equal(append(f, &wrong), LF_OK);
}

static void a_jump_leaves_with_the_entries_after_it(void **state) {
    struct fixture *f = *state;
    batch(f, 10);
    struct entry entry = jump(f, 10);
    assert_int_equal(append(f, &entry), LF_OK);
    assert_int_equal(end_offset(f), 10 + LF_OFFSET_JUMP);
    partition_truncate(f->partition, 2);
    assert_int_equal(end_offset(f), 10);
    assert_int_equal(partition_jumps(f->partition)->count, 0);
    batch(f, 1);
    assert_int_equal(end_offset(f), 11);
}

static void the_newest_jumps_are_kept(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < PARTITION_JUMPS_MAX + 3; i++) {
        batch(f, 1);
        take(f, jump(f, end_offset(f)));
    }
    const struct partition_jumps *jumps = partition_jumps(f->partition);
    assert_int_equal(jumps->count, PARTITION_JUMPS_MAX);
    assert_int_equal(jumps->items[0].from, 4 + 3 * LF_OFFSET_JUMP);
    assert_int_equal(partition_jump_to(&jumps->items[PARTITION_JUMPS_MAX - 1]), end_offset(f));
    struct partition *again = loaded(f);
    assert_true(partition_applied_equal(again, f->partition));
    partition_destroy(&again);
}

static void a_row_that_cannot_be_meant_is_damage(void **state) {
    struct fixture *f = *state;
    batch(f, 10);
    take(f, jump(f, 7));
    uint8_t row[PARTITION_JUMPS_ROW_BYTES_MAX], bad[PARTITION_JUMPS_ROW_BYTES_MAX];
    struct partition_jumps jumps = *partition_jumps(f->partition), read;
    size_t size = partition_jumps_encode(&jumps, row);
    int64_t end = 10 + LF_OFFSET_JUMP;
    assert_int_equal(partition_jumps_decode(lf_bytes(row, size), 2, end, &read, &f->error), LF_OK);
    assert_memory_equal(&read.items[0], &jumps.items[0], sizeof read.items[0]);
    assert_int_equal(partition_jumps_decode(lf_bytes(row, size), 1, end, &read, &f->error), LF_DAMAGED);
    assert_int_equal(partition_jumps_decode(lf_bytes(row, size), 2, end - 1, &read, &f->error), LF_DAMAGED);
    assert_int_equal(partition_jumps_decode(lf_bytes(row, size - 1), 2, end, &read, &f->error), LF_DAMAGED);
    assert_int_equal(partition_jumps_decode(lf_bytes(row, 1), 2, end, &read, &f->error), LF_DAMAGED);
    for (size_t at = 0; at < 2; at++) {
        memcpy(bad, row, size);
        bad[at] = 0;
        assert_int_equal(partition_jumps_decode(lf_bytes(bad, size), 2, end, &read, &f->error), LF_DAMAGED);
    }
    jumps.items[jumps.count++] = jumps.items[0]; /* twice the same */
    size = partition_jumps_encode(&jumps, bad);
    assert_int_equal(partition_jumps_decode(lf_bytes(bad, size), 2, 2 * end, &read, &f->error), LF_DAMAGED);
}

static struct partition_jumps two_jumps(void) {
    return (struct partition_jumps){.count = 2,
                                    .items = {{.from = 100, .committed = 90, .index = 5, .last_term = 3, .term = 1000},
                                              {.from = 200 + LF_OFFSET_JUMP,
                                               .committed = 200 + LF_OFFSET_JUMP,
                                               .index = 9,
                                               .last_term = 1001,
                                               .term = 2000}}};
}

static int64_t diverged(int64_t offset, int32_t epoch) {
    struct partition_jumps jumps = two_jumps();
    int64_t resume = -1;
    bool told = partition_jumps_diverged(&jumps, offset, epoch, &resume);
    assert_true(told == (resume >= 0));
    return resume;
}

static void a_reader_within_a_gap_is_told_where_it_ends(void **state) {
    (void)state;
    const int64_t first = 100 + LF_OFFSET_JUMP, second = 200 + 2 * LF_OFFSET_JUMP;
    assert_int_equal(diverged(99, -1), -1);
    assert_int_equal(diverged(100, -1), -1); /* it has read all before, and goes on across */
    assert_int_equal(diverged(101, -1), first);
    assert_int_equal(diverged(101, 3), first);
    assert_int_equal(diverged(first - 1, 7), first);
    assert_int_equal(diverged(first, -1), -1);
    assert_int_equal(diverged(200 + LF_OFFSET_JUMP, -1), -1);
    assert_int_equal(diverged(201 + LF_OFFSET_JUMP, -1), second);
    assert_int_equal(diverged(second, -1), -1);
}

static void a_reader_of_a_term_that_never_was_here_is_told(void **state) {
    (void)state;
    assert_int_equal(diverged(95, 3), -1);
    assert_int_equal(diverged(95, 4), 90); /* what it read from 90 on others may have had otherwise */
    assert_int_equal(diverged(100, 999), 90);
    assert_int_equal(diverged(90, 4), -1); /* committed before: the same everywhere */
    assert_int_equal(diverged(100, 1000), -1);
}

static void counting_back_leaves_gaps_out(void **state) {
    (void)state;
    struct partition_jumps jumps = two_jumps();
    const int64_t end = 5 + 200 + 2 * LF_OFFSET_JUMP;
    assert_int_equal(partition_jumps_back(&jumps, 0, end, 0), end);
    assert_int_equal(partition_jumps_back(&jumps, 0, end, 5), end - 5);
    assert_int_equal(partition_jumps_back(&jumps, 0, end, 6), 199 + LF_OFFSET_JUMP);
    assert_int_equal(partition_jumps_back(&jumps, 0, end, 5 + 100), 100 + LF_OFFSET_JUMP);
    assert_int_equal(partition_jumps_back(&jumps, 0, end, 5 + 100 + 30), 70);
    assert_int_equal(partition_jumps_back(&jumps, 80, end, 5 + 100 + 30), 80);
    assert_int_equal(partition_jumps_back(&jumps, 0, end, INT64_MAX), 0);
    assert_int_equal(partition_jumps_back(&jumps, 150 + LF_OFFSET_JUMP, end, 90), 150 + LF_OFFSET_JUMP);
    assert_int_equal(partition_jumps_floor(&jumps, 100), 100);
    assert_int_equal(partition_jumps_floor(&jumps, 101), 100);
    assert_int_equal(partition_jumps_floor(&jumps, 100 + LF_OFFSET_JUMP), 100 + LF_OFFSET_JUMP);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(offsets_go_on_behind_a_jump, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_jump_stands_in_the_rows_and_in_what_is_compared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_jump_that_does_not_follow_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_jump_leaves_with_the_entries_after_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_newest_jumps_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_row_that_cannot_be_meant_is_damage, set_up, tear_down),
        cmocka_unit_test(a_reader_within_a_gap_is_told_where_it_ends),
        cmocka_unit_test(a_reader_of_a_term_that_never_was_here_is_told),
        cmocka_unit_test(counting_back_leaves_gaps_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
