/** The rules of idempotent publishing, one fact each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "entries.h"

#define SEQUENCE_MAX 0x7fffffff
#define RETENTION 1000

struct fixture {
    struct partition *partition;
    uint64_t now;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    struct partition_limits limits = {.producers_max = 3, .producer_retention_ms = RETENTION};
    f->partition = partition_new(&limits);
    f->now = 5000;
    *state = f;
    return f->partition ? 0 : -1;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    partition_destroy(&f->partition);
    free(f);
    return 0;
}

static struct partition_verdict judge(const struct fixture *f, int64_t producer, int epoch, int64_t sequence,
                                      uint32_t count) {
    struct batch batch = {.producer = producer, .epoch = epoch, .sequence = sequence, .count = count};
    struct lf_batch_header header = batch_header(&batch);
    return partition_judge(f->partition, &header, f->now);
}

static void append_entry(struct fixture *f, const struct entry *entry) {
    struct lf_error error = {0};
    enum lf_status status = partition_append(f->partition, &entry->header, entry_payload(entry), &error);
    if (status != LF_OK)
        fail_msg("%s: %s", lf_status_name(status), error.text);
}

/** The batch must be judged fine, and joins the log. Returns its base offset. */
static int64_t append(struct fixture *f, int64_t producer, int epoch, int64_t sequence, uint32_t count) {
    struct partition_verdict verdict = judge(f, producer, epoch, sequence, count);
    assert_string_equal(lf_status_name(verdict.status), "OK");
    assert_int_equal(verdict.rests_on_index, 0);
    struct batch batch = {.producer = producer, .epoch = epoch, .sequence = sequence, .count = count};
    struct entry entry =
        entry_batch(&batch, partition_log_end_index(f->partition) + 1, f->now, partition_log_end_offset(f->partition));
    assert_int_equal(verdict.base_offset, partition_log_end_offset(f->partition));
    append_entry(f, &entry);
    return verdict.base_offset;
}

static struct entry raise_entry(const struct fixture *f, int64_t producer, int epoch) {
    return entry_raise(producer, epoch, partition_log_end_index(f->partition) + 1, f->now,
                       partition_log_end_offset(f->partition));
}

static void raise_epoch(struct fixture *f, int64_t producer, int epoch) {
    struct entry entry = raise_entry(f, producer, epoch);
    append_entry(f, &entry);
}

/** The last entry appended is the only one not applied: apply it. */
static struct partition_applied apply(struct fixture *f, const struct entry *entry) {
    struct partition_applied applied;
    struct lf_error error = {0};
    if (partition_apply(f->partition, entry_bytes(entry), NULL, &applied, &error) != LF_OK)
        fail_msg("%s", error.text);
    return applied;
}

static void append_and_apply(struct fixture *f, int64_t producer, int epoch, int64_t sequence, uint32_t count) {
    struct batch batch = {.producer = producer, .epoch = epoch, .sequence = sequence, .count = count};
    struct entry entry =
        entry_batch(&batch, partition_log_end_index(f->partition) + 1, f->now, partition_log_end_offset(f->partition));
    append_entry(f, &entry);
    struct partition_applied applied = apply(f, &entry);
    assert_int_equal(applied.status, LF_OK);
    assert_int_equal(applied.end_offset - applied.base_offset, count);
}

#define assert_verdict(verdict, wanted_status, wanted_rest)                                                            \
    do {                                                                                                               \
        struct partition_verdict got_ = (verdict);                                                                     \
        assert_string_equal(lf_status_name(got_.status), lf_status_name(wanted_status));                               \
        assert_int_equal(got_.rests_on_index, wanted_rest);                                                            \
        if (got_.status != LF_OK && got_.status != LF_DUPLICATE)                                                       \
            assert_int_equal(got_.base_offset, -1);                                                                    \
    } while (0)

static void batch_without_producer_is_always_fine(void **state) {
    struct fixture *f = *state;
    append(f, -1, -1, -1, 3);
    append(f, -1, -1, -1, 3);
    assert_int_equal(partition_log_end_offset(f->partition), 6);
    assert_int_equal(partition_high_watermark(f->partition), 0);
}

static void producer_fields_that_contradict_are_malformed(void **state) {
    struct fixture *f = *state;
    assert_verdict(judge(f, -1, 0, -1, 1), LF_MALFORMED, 0);
    assert_verdict(judge(f, -1, -1, 0, 1), LF_MALFORMED, 0);
    assert_verdict(judge(f, -2, -1, -1, 1), LF_MALFORMED, 0);
    assert_verdict(judge(f, 1, -1, 0, 1), LF_MALFORMED, 0);
    assert_verdict(judge(f, 1, 0, -1, 1), LF_MALFORMED, 0);
    assert_verdict(judge(f, 1, 0, 0, 0), LF_MALFORMED, 0);
}

static void unknown_producer_begins_at_zero_or_is_forgotten(void **state) {
    struct fixture *f = *state;
    assert_verdict(judge(f, 7, 0, 1, 1), LF_PRODUCER_FORGOTTEN, 0);
    append(f, 7, 3, 0, 2);
}

static void next_sequence_follows_by_records(void **state) {
    struct fixture *f = *state;
    append(f, 7, 0, 0, 10);
    append(f, 7, 0, 10, 5);
    assert_verdict(judge(f, 7, 0, 16, 1), LF_SEQUENCE_GAP, 2);
    append(f, 7, 0, 15, 1);
}

static void repeat_gets_the_first_answer(void **state) {
    struct fixture *f = *state;
    append(f, -1, -1, -1, 100);
    append(f, 7, 0, 0, 10);
    append(f, 7, 0, 10, 5);
    struct partition_verdict verdict = judge(f, 7, 0, 0, 10);
    assert_verdict(verdict, LF_DUPLICATE, 2);
    assert_int_equal(verdict.base_offset, 100);
    assert_int_equal(verdict.leader_epoch, 1);
    verdict = judge(f, 7, 0, 10, 5);
    assert_verdict(verdict, LF_DUPLICATE, 3);
    assert_int_equal(verdict.base_offset, 110);
}

static void repeat_of_what_is_applied_rests_on_nothing(void **state) {
    struct fixture *f = *state;
    append_and_apply(f, 7, 0, 0, 10);
    append(f, 7, 0, 10, 5);
    assert_verdict(judge(f, 7, 0, 0, 10), LF_DUPLICATE, 0);
    assert_verdict(judge(f, 7, 0, 10, 5), LF_DUPLICATE, 2);
}

static void sixth_last_batch_is_a_repeat_without_offset(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 6; i++)
        append(f, 7, 0, i * 2, 2);
    struct partition_verdict verdict = judge(f, 7, 0, 0, 2);
    assert_verdict(verdict, LF_DUPLICATE, 6);
    assert_int_equal(verdict.base_offset, -1);
    verdict = judge(f, 7, 0, 2, 2);
    assert_verdict(verdict, LF_DUPLICATE, 2);
    assert_int_equal(verdict.base_offset, 2);
}

static void partial_repeat_is_malformed(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 7; i++)
        append(f, 7, 0, i * 4, 4);
    assert_verdict(judge(f, 7, 0, 24, 3), LF_MALFORMED, 7);
    assert_verdict(judge(f, 7, 0, 24, 5), LF_MALFORMED, 7);
    assert_verdict(judge(f, 7, 0, 20, 8), LF_MALFORMED, 7);
    assert_verdict(judge(f, 7, 0, 5, 4), LF_MALFORMED, 7); /* reaches into the oldest known */
    assert_verdict(judge(f, 7, 0, 4, 4), LF_DUPLICATE, 7);
}

static void sequence_never_sent_is_a_gap_although_behind(void **state) {
    struct fixture *f = *state;
    append(f, 7, 0, 0, 10);
    assert_verdict(judge(f, 7, 0, SEQUENCE_MAX, 1), LF_SEQUENCE_GAP, 1);
    assert_verdict(judge(f, 7, 0, SEQUENCE_MAX - 5, 6), LF_SEQUENCE_GAP, 1);
}

static void sequence_wraps_to_zero(void **state) {
    struct fixture *f = *state;
    append(f, 7, 0, 0, SEQUENCE_MAX); /* next is 2^31 - 1 */
    append(f, 7, 0, SEQUENCE_MAX, 1); /* next is 0 */
    append(f, 7, 0, 0, 5);
    struct partition_verdict verdict = judge(f, 7, 0, SEQUENCE_MAX, 1);
    assert_verdict(verdict, LF_DUPLICATE, 2);
    assert_int_equal(verdict.base_offset, SEQUENCE_MAX);
    verdict = judge(f, 7, 0, 0, 5);
    assert_verdict(verdict, LF_DUPLICATE, 3);
    assert_int_equal(verdict.base_offset, (int64_t)SEQUENCE_MAX + 1);
    assert_verdict(judge(f, 7, 0, 6, 5), LF_SEQUENCE_GAP, 3);
    append(f, 7, 0, 5, 5);
}

static void batch_across_the_wrap_is_one_batch(void **state) {
    struct fixture *f = *state;
    append(f, 7, 0, 0, SEQUENCE_MAX);
    append(f, 7, 0, SEQUENCE_MAX, 3);
    assert_verdict(judge(f, 7, 0, SEQUENCE_MAX, 3), LF_DUPLICATE, 2);
    assert_verdict(judge(f, 7, 0, SEQUENCE_MAX, 2), LF_MALFORMED, 2);
    append(f, 7, 0, 2, 1);
}

static void lower_epoch_is_fenced_and_rests_on_the_raise(void **state) {
    struct fixture *f = *state;
    append_and_apply(f, 7, 0, 0, 1);
    append(f, 7, 1, 0, 1);
    append(f, 7, 1, 1, 1);
    assert_verdict(judge(f, 7, 0, 1, 1), LF_PRODUCER_FENCED, 2);
    assert_verdict(judge(f, 7, 0, 0, 1), LF_PRODUCER_FENCED, 2);
}

static void higher_epoch_begins_at_zero(void **state) {
    struct fixture *f = *state;
    append(f, 7, 0, 0, 5);
    assert_verdict(judge(f, 7, 1, 5, 1), LF_SEQUENCE_GAP, 1);
    append(f, 7, 1, 0, 5);
    append(f, 7, 1, 5, 5);
}

static void raise_tells_what_was_accepted_below_and_again(void **state) {
    struct fixture *f = *state;
    append_and_apply(f, -1, -1, -1, 100);
    append_and_apply(f, 7, 2, 0, 10);
    for (int i = 0; i < 2; i++) {
        assert_verdict(partition_judge_epoch(f->partition, 7, 3), LF_OK, 0);
        struct entry entry = raise_entry(f, 7, 3);
        append_entry(f, &entry);
        struct partition_applied applied = apply(f, &entry);
        assert_int_equal(applied.status, LF_OK);
        assert_int_equal(applied.last_sequence, 9);
        assert_int_equal(applied.last_offset, 109);
        assert_int_equal(applied.last_epoch, 2);
        assert_int_equal(applied.base_offset, -1);
        if (i == 0)
            append_and_apply(f, 7, 3, 0, 4); /* under the new epoch: no part of the answer */
    }
}

static void raise_without_batches_between_keeps_the_answer(void **state) {
    struct fixture *f = *state;
    append_and_apply(f, 7, 0, 0, 10);
    for (int epoch = 1; epoch < 4; epoch++) {
        struct entry entry = raise_entry(f, 7, epoch);
        append_entry(f, &entry);
        struct partition_applied applied = apply(f, &entry);
        assert_int_equal(applied.last_sequence, 9);
        assert_int_equal(applied.last_epoch, 0);
    }
}

static void raise_of_an_unknown_producer_has_nothing_to_tell(void **state) {
    struct fixture *f = *state;
    struct entry entry = raise_entry(f, 7, 3);
    append_entry(f, &entry);
    assert_verdict(judge(f, 7, 2, 0, 1), LF_PRODUCER_FENCED, 1);
    struct partition_applied applied = apply(f, &entry);
    assert_int_equal(applied.last_sequence, -1);
    assert_int_equal(applied.last_offset, -1);
    assert_int_equal(applied.last_epoch, -1);
    assert_verdict(judge(f, 7, 2, 0, 1), LF_PRODUCER_FENCED, 0);
}

static void after_a_raise_only_sequence_zero_is_taken(void **state) {
    struct fixture *f = *state;
    append(f, 7, 0, 0, 10);
    raise_epoch(f, 7, 1);
    assert_verdict(judge(f, 7, 1, 10, 1), LF_SEQUENCE_GAP, 2);
    assert_verdict(judge(f, 7, 1, SEQUENCE_MAX, 1), LF_SEQUENCE_GAP, 2);
    assert_verdict(judge(f, 7, 0, 10, 1), LF_PRODUCER_FENCED, 2);
    append(f, 7, 1, 0, 1);
}

static void raise_to_a_lower_epoch_is_fenced(void **state) {
    struct fixture *f = *state;
    raise_epoch(f, 7, 5);
    assert_verdict(partition_judge_epoch(f->partition, 7, 4), LF_PRODUCER_FENCED, 1);
    assert_verdict(partition_judge_epoch(f->partition, 7, 5), LF_OK, 0);
    assert_verdict(partition_judge_epoch(f->partition, -1, 5), LF_MALFORMED, 0);
    assert_verdict(partition_judge_epoch(f->partition, 7, -1), LF_MALFORMED, 0);
}

static void overtaken_raise_in_the_log_changes_nothing(void **state) {
    struct fixture *f = *state;
    struct entry high = raise_entry(f, 7, 5);
    append_entry(f, &high);
    apply(f, &high);
    struct entry low = raise_entry(f, 7, 4);
    append_entry(f, &low);
    struct partition_applied applied = apply(f, &low);
    assert_int_equal(applied.status, LF_PRODUCER_FENCED);
    assert_verdict(judge(f, 7, 4, 0, 1), LF_PRODUCER_FENCED, 0);
}

static void epoch_edges_hold(void **state) {
    struct fixture *f = *state;
    append(f, 7, INT16_MAX - 1, 0, 1);
    append(f, 7, INT16_MAX, 0, 1);
    assert_verdict(judge(f, 7, 0, 0, 1), LF_PRODUCER_FENCED, 2);
}

static void full_table_refuses_new_producers_only(void **state) {
    struct fixture *f = *state;
    append_and_apply(f, 1, 0, 0, 1);
    append_and_apply(f, 2, 0, 0, 1);
    append(f, 3, 0, 0, 1);
    assert_verdict(judge(f, 4, 0, 0, 1), LF_OVERLOADED, 3);
    assert_verdict(partition_judge_epoch(f->partition, 4, 1), LF_OVERLOADED, 3);
    assert_verdict(judge(f, 4, 0, 1, 1), LF_PRODUCER_FORGOTTEN, 0);
    append(f, 1, 0, 1, 1);
    assert_verdict(partition_judge_epoch(f->partition, 2, 1), LF_OK, 0);
}

static void expired_producer_makes_room(void **state) {
    struct fixture *f = *state;
    for (int id = 1; id <= 3; id++)
        append(f, id, 0, 0, 1);
    f->now += RETENTION;
    append(f, 1, 0, 1, 1); /* exactly at the edge: nobody left */
    assert_verdict(judge(f, 4, 0, 0, 1), LF_OVERLOADED, 4);
    f->now++;
    append(f, 4, 0, 0, 1); /* 2 and 3 leave */
    assert_verdict(judge(f, 2, 0, 1, 1), LF_PRODUCER_FORGOTTEN, 5);
    append(f, 1, 0, 2, 1);
}

static void producer_expired_by_the_time_of_judging_is_forgotten(void **state) {
    struct fixture *f = *state;
    append_and_apply(f, 1, 0, 0, 1);
    append(f, 1, 0, 1, 1);
    f->now += RETENTION + 1;
    assert_verdict(judge(f, 1, 0, 2, 1), LF_PRODUCER_FORGOTTEN, 2);
    append(f, 1, 0, 0, 1);
}

static void truncation_brings_back_an_expired_producer(void **state) {
    struct fixture *f = *state;
    append_and_apply(f, 1, 0, 0, 1);
    uint64_t then = f->now;
    f->now += RETENTION + 1;
    append(f, -1, -1, -1, 1);
    assert_verdict(judge(f, 1, 0, 1, 1), LF_PRODUCER_FORGOTTEN, 2);
    partition_truncate(f->partition, 2);
    f->now = then;
    append(f, 1, 0, 1, 1);
}

static void truncation_forgets_exactly_what_left(void **state) {
    struct fixture *f = *state;
    append_and_apply(f, 1, 0, 0, 5);
    append(f, 1, 0, 5, 5);
    append(f, 2, 0, 0, 1);
    raise_epoch(f, 1, 1);
    append(f, 1, 1, 0, 1);
    partition_truncate(f->partition, 4);
    assert_int_equal(partition_log_end_index(f->partition), 3);
    assert_int_equal(partition_log_end_offset(f->partition), 11);
    assert_verdict(judge(f, 1, 0, 5, 5), LF_DUPLICATE, 2);
    assert_verdict(judge(f, 2, 0, 0, 1), LF_DUPLICATE, 3);
    partition_truncate(f->partition, 9); /* beyond the end */
    partition_truncate(f->partition, 2);
    assert_int_equal(partition_log_end_offset(f->partition), 5);
    append(f, 1, 0, 5, 1);
    assert_verdict(judge(f, 2, 0, 1, 1), LF_PRODUCER_FORGOTTEN, 0);
}

int main(void) {
#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FACT(batch_without_producer_is_always_fine),
        FACT(producer_fields_that_contradict_are_malformed),
        FACT(unknown_producer_begins_at_zero_or_is_forgotten),
        FACT(next_sequence_follows_by_records),
        FACT(repeat_gets_the_first_answer),
        FACT(repeat_of_what_is_applied_rests_on_nothing),
        FACT(sixth_last_batch_is_a_repeat_without_offset),
        FACT(partial_repeat_is_malformed),
        FACT(sequence_never_sent_is_a_gap_although_behind),
        FACT(sequence_wraps_to_zero),
        FACT(batch_across_the_wrap_is_one_batch),
        FACT(lower_epoch_is_fenced_and_rests_on_the_raise),
        FACT(higher_epoch_begins_at_zero),
        FACT(raise_tells_what_was_accepted_below_and_again),
        FACT(raise_without_batches_between_keeps_the_answer),
        FACT(raise_of_an_unknown_producer_has_nothing_to_tell),
        FACT(after_a_raise_only_sequence_zero_is_taken),
        FACT(raise_to_a_lower_epoch_is_fenced),
        FACT(overtaken_raise_in_the_log_changes_nothing),
        FACT(epoch_edges_hold),
        FACT(full_table_refuses_new_producers_only),
        FACT(expired_producer_makes_room),
        FACT(producer_expired_by_the_time_of_judging_is_forgotten),
        FACT(truncation_brings_back_an_expired_producer),
        FACT(truncation_forgets_exactly_what_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
