/** Descriptors: what entries make of them, their bytes, what contradicts itself. */
#include "contract.h"

#define GROUP 3u

static void a_descriptor_follows_from_the_entries(void **state) {
    (void)state;
    struct log_segment segment;
    log_segment_begin(&segment, 5, 40, 700);
    assert_int_equal(segment.entry_count, 0);
    assert_int_equal(segment.last_index, 4);
    struct lf_buf *entries[] = {contract_entry(GROUP, 5, 1, 40, 36), contract_batch_entry(GROUP, 6, 40, 900, 1000),
                                contract_batch_entry(GROUP, 7, 41, INT64_MAX, 2000)};
    for (int i = 0; i < 3; i++) {
        log_segment_add(&segment, lf_buf_bytes(entries[i]));
        assert_true(log_segment_consistent(&segment));
        assert_true(log_segment_whole(&segment));
    }
    assert_int_equal(segment.last_index, 7);
    assert_int_equal(segment.base_offset, 40);
    assert_int_equal(segment.end_offset, 42);
    assert_int_equal(segment.entry_count, 3);
    assert_int_equal(segment.bytes, (uint64_t)entries[0]->size + entries[1]->size + entries[2]->size);
    assert_int_equal(segment.command_bytes, 100);
    assert_int_equal(segment.first_log_time_ms, 5);
    assert_int_equal(segment.last_log_time_ms, 2000);
    assert_int_equal(segment.max_timestamp_ms, 2000 + LOG_STORE_TIME_AHEAD_MS_MAX); /* a wild clock is capped */
    for (int i = 0; i < 3; i++)
        lf_buf_unref(&entries[i]);
}

/** Replicas hold their results against each other by it. */
static void a_sum_tells_descriptors_apart(void **state) {
    (void)state;
    const struct log_segment segment = contract_segment(GROUP, 1, 4, 1);
    struct log_segment other = segment;
    other.rewrites++;
    assert_int_not_equal(log_segment_sum(0, &segment), log_segment_sum(0, &other));
    assert_int_not_equal(log_segment_sum(7, &segment), log_segment_sum(7, &other));
    other = segment;
    other.checksum ^= 1;
    assert_int_not_equal(log_segment_sum(0, &segment), log_segment_sum(0, &other));
    assert_int_not_equal(log_segment_sum(0, &segment), log_segment_sum(7, &segment));
    other = segment;
    assert_int_equal(log_segment_sum(7, &segment), log_segment_sum(7, &other));
}

static void commands_alone_have_no_time(void **state) {
    (void)state;
    const struct log_segment segment = contract_segment(GROUP, 1, 4, 1);
    assert_int_equal(segment.max_timestamp_ms, -1);
    assert_int_equal(segment.command_bytes, segment.bytes);
}

static void an_entry_that_is_left_out_changes_the_descriptor(void **state) {
    (void)state;
    struct contract_pile all, some;
    contract_pile_make(&all, GROUP, 1, 12, 1, 1);
    contract_pile_make(&some, GROUP, 1, 12, 1, 2);
    assert_true(log_segment_whole(&all.segment));
    assert_false(log_segment_whole(&some.segment));
    assert_true(log_segment_consistent(&some.segment));
    assert_int_not_equal(all.segment.checksum, some.segment.checksum);
    assert_false(log_segment_equal(&all.segment, &some.segment));
    contract_pile_free(&all);
    contract_pile_free(&some);
}

static void bytes_come_back_and_every_flipped_bit_is_noticed(void **state) {
    (void)state;
    const struct log_segment segment = contract_segment(GROUP, 3, 9, 2);
    struct log_segment read;
    struct lf_error error = {0};
    uint8_t bytes[LOG_SEGMENT_BYTES];
    log_segment_encode(&segment, bytes);
    assert_int_equal(log_segment_decode(lf_bytes(bytes, sizeof bytes), &read, &error), LF_OK);
    assert_true(log_segment_equal(&segment, &read));
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(log_segment_decode(lf_bytes(bytes, sizeof bytes), &read, &error), LF_DAMAGED);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(log_segment_decode(lf_bytes(bytes, sizeof bytes - 1), &read, &error), LF_DAMAGED);
}

static void a_descriptor_that_contradicts_itself_is_damaged(void **state) {
    (void)state;
    for (int field = 0; field < 9; field++) {
        struct log_segment segment = contract_segment(GROUP, 3, 9, 2), read;
        struct lf_error error = {0};
        uint8_t bytes[LOG_SEGMENT_BYTES];
        segment.first_index = field == 0 ? 0 : segment.first_index;
        segment.last_index = field == 1 ? 2 : field == 2 ? UINT64_MAX : segment.last_index;
        segment.last_term = field == 3 ? 0 : segment.last_term;
        segment.entry_count += field == 4;
        segment.base_offset += field == 5 ? 100 : 0;
        segment.command_bytes += field == 6;
        segment.bytes = field == 7 ? 10 : segment.bytes;
        segment.first_log_time_ms += field == 8 ? 100 : 0;
        log_segment_encode(&segment, bytes);
        assert_int_equal(log_segment_decode(lf_bytes(bytes, sizeof bytes), &read, &error), LF_DAMAGED);
    }
}

static void a_segment_follows_where_the_one_before_ends(void **state) {
    (void)state;
    const struct log_segment before = contract_segment(GROUP, 3, 9, 2);
    for (int field = 0; field < 5; field++) {
        struct log_segment next = contract_segment(GROUP, 10, 12, 2);
        next.first_index += field == 1;
        next.base_offset += field == 2;
        next.last_term -= field == 3;
        next.first_log_time_ms -= field == 4 ? 2 : 0;
        assert_int_equal(log_segment_follows(&next, &before), field == 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_descriptor_follows_from_the_entries),
        cmocka_unit_test(a_sum_tells_descriptors_apart),
        cmocka_unit_test(commands_alone_have_no_time),
        cmocka_unit_test(an_entry_that_is_left_out_changes_the_descriptor),
        cmocka_unit_test(bytes_come_back_and_every_flipped_bit_is_noticed),
        cmocka_unit_test(a_descriptor_that_contradicts_itself_is_damaged),
        cmocka_unit_test(a_segment_follows_where_the_one_before_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
