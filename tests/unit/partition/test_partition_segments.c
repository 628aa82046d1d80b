/** Segments: what ends one, what goes, what waits, and what a machine loaded anew makes of it. One fact each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "entries.h"
#include "row_image.h"

struct fixture {
    struct partition *partition;
    struct log_store_write *write; /**< of the last entry taken */
    struct row_image image;        /**< all of them carried out */
    struct lf_error error;
};

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->partition = partition_new(NULL);
    *state = f;
    return f->partition ? 0 : -1;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    partition_destroy(&f->partition);
    log_store_write_destroy(&f->write);
    row_image_deinit(&f->image);
    free(f);
    return 0;
}

static void new_write(struct fixture *f) {
    log_store_write_destroy(&f->write);
    f->write = log_store_write_new(1, 1);
    assert_non_null(f->write);
}

static enum lf_status append(struct fixture *f, const struct entry *entry) {
    return partition_append(f->partition, &entry->header, entry_payload(entry), &f->error);
}

/** Appended, applied, written; and a machine loaded from what is written is in the same state. */
static void take(struct fixture *f, struct entry entry) {
    new_write(f);
    if (append(f, &entry) != LF_OK ||
        partition_apply(f->partition, entry_bytes(&entry), f->write, NULL, &f->error) != LF_OK)
        fail_msg("%s", f->error.text);
    row_image_write(&f->image, f->write, entry.header.index);
}

static void assert_reloads(struct fixture *f) {
    struct partition *again = partition_new(NULL);
    if (partition_load(again, f->image.applied_index, f->image.rows, f->image.count, f->image.segments,
                       f->image.segment_count, &f->error) != LF_OK)
        fail_msg("%s", f->error.text);
    assert_true(partition_applied_equal(again, f->partition));
    assert_int_equal(partition_applied_checksum(again), partition_applied_checksum(f->partition));
    assert_int_equal(partition_decisions_waiting(again), partition_decisions_waiting(f->partition));
    size_t count, count_again;
    const struct log_segment *a = partition_segments(f->partition, &count),
                             *b = partition_segments(again, &count_again);
    assert_int_equal(count, count_again);
    for (size_t i = 0; i < count; i++)
        assert_true(log_segment_equal(&a[i], &b[i]));
    partition_check_invariants(again);
    partition_check_invariants(f->partition);
    partition_destroy(&again);
}

static uint64_t next_index(const struct fixture *f) { return partition_log_end_index(f->partition) + 1; }
static int64_t end_offset(const struct fixture *f) { return partition_log_end_offset(f->partition); }

static struct entry batch(const struct fixture *f, uint32_t records) {
    struct batch fields = {.producer = -1, .epoch = -1, .sequence = -1, .count = records, .timestamp = 50};
    return entry_batch(&fields, next_index(f), 100, end_offset(f));
}
static struct entry roll(const struct fixture *f) {
    return entry_plain(LF_ENTRY_SEGMENT_ROLL, next_index(f), 100, end_offset(f));
}
static struct entry log_start(const struct fixture *f, int64_t offset) {
    return entry_log_start(offset, next_index(f), 100, end_offset(f));
}
static struct entry rewrite(const struct fixture *f, uint64_t first, uint64_t last) {
    return entry_rewrite(first, last, next_index(f), 100, end_offset(f));
}
static struct entry rewritten(const struct fixture *f, uint64_t of, uint32_t checksum) {
    return entry_rewritten(of, checksum, next_index(f), 100, end_offset(f));
}

/** `count` segments of two entries each: a batch of ten records, and the roll. */
static void take_segments(struct fixture *f, int count) {
    for (int i = 0; i < count; i++) {
        take(f, batch(f, 10));
        take(f, roll(f));
    }
}

static size_t sealed(const struct fixture *f) {
    size_t count;
    partition_segments(f->partition, &count);
    return count;
}

/** What a store would make of the segments from first_index to last_index: one, without the rolls. */
static struct log_segment merged(const struct fixture *f, uint64_t first_index, uint64_t last_index) {
    size_t count, at = 0;
    const struct log_segment *all = partition_segments(f->partition, &count);
    while (all[at].first_index != first_index)
        at++;
    struct log_segment made = all[at];
    for (; made.last_index != last_index; at++) {
        made.last_index = all[at + 1].last_index;
        made.end_offset = all[at + 1].end_offset;
        made.entry_count += all[at + 1].entry_count;
        made.bytes += all[at + 1].bytes;
        made.command_bytes += all[at + 1].command_bytes;
    }
    made.entry_count = (last_index - first_index + 1) / 2;
    made.bytes -= made.command_bytes;
    made.command_bytes = 0;
    made.rewrites = 1;
    return made;
}

/* The checksum over descriptors, as REWRITTEN carries it: taken from a machine that was first to know. */
static uint32_t own_checksum(const struct fixture *f) {
    uint64_t index;
    uint32_t checksum;
    partition_rewrite_open(f->partition, &index, &checksum);
    return checksum;
}

static void do_rewrite(struct fixture *f, const struct log_segment *made) {
    uint64_t index;
    struct log_store_rewrite request;
    assert_true(partition_rewrite_due(f->partition, &index, &request));
    assert_int_equal(request.first_index, made->first_index);
    assert_int_equal(request.last_index, made->last_index);
    new_write(f);
    if (partition_rewritten(f->partition, index, made, 1, f->write, &f->error) != LF_OK)
        fail_msg("%s", f->error.text);
    row_image_write(&f->image, f->write, f->image.applied_index);
}

#define assert_append_refused(entry_)                                                                                  \
    do {                                                                                                               \
        struct entry refused_ = (entry_);                                                                              \
        uint32_t sum_ = partition_applied_checksum(f->partition);                                                      \
        uint64_t end_ = partition_log_end_index(f->partition);                                                         \
        assert_int_equal(append(f, &refused_), LF_INTERNAL);                                                           \
        assert_true(f->error.text[0] != '\0');                                                                         \
        assert_int_equal(partition_applied_checksum(f->partition), sum_);                                              \
        assert_int_equal(partition_log_end_index(f->partition), end_);                                                 \
    } while (0)

/* ---- rolls ---- */

static void segment_ends_with_the_roll_entry(void **state) {
    struct fixture *f = *state;
    take(f, batch(f, 10));
    assert_int_equal(f->write->seal_count, 0);
    take(f, roll(f));
    assert_int_equal(f->write->seal_count, 1);
    assert_int_equal(f->write->seals[0].first_index, 1);
    assert_int_equal(f->write->seals[0].last_index, 2);
    assert_int_equal(f->write->seals[0].end_offset, 10);
    assert_int_equal(f->write->seals[0].entry_count, 2);
    assert_int_equal(f->write->seals[0].bytes, 2 * LF_ENTRY_HEADER_BYTES + LF_BATCH_HEADER_BYTES);
    assert_int_equal(f->write->seals[0].command_bytes, LF_ENTRY_HEADER_BYTES);
    assert_int_equal(f->write->seals[0].max_timestamp_ms, 50);
    assert_int_equal(sealed(f), 1);
    assert_int_equal(partition_open_segment(f->partition)->first_index, 3);
    assert_int_equal(partition_open_segment(f->partition)->entry_count, 0);
    assert_reloads(f);
    take(f, batch(f, 1));
    assert_reloads(f);
}

static void descriptor_is_that_of_the_entries(void **state) {
    struct fixture *f = *state;
    struct log_segment slow;
    log_segment_begin(&slow, 1, 0, 0);
    for (int i = 0; i < 20; i++) {
        struct entry entry = i % 3 ? batch(f, 3) : entry_plain(LF_ENTRY_NOOP, next_index(f), 100, end_offset(f));
        log_segment_add(&slow, entry_bytes(&entry));
        take(f, entry);
        assert_true(log_segment_equal(&slow, partition_open_segment(f->partition)));
        assert_reloads(f);
    }
}

static void several_entries_share_a_write(void **state) {
    struct fixture *f = *state;
    new_write(f);
    for (int i = 0; i < 6; i++) {
        struct entry entry = i % 2 ? roll(f) : batch(f, 10);
        assert_int_equal(append(f, &entry), LF_OK);
        assert_int_equal(partition_apply(f->partition, entry_bytes(&entry), f->write, NULL, &f->error), LF_OK);
    }
    struct entry entry = log_start(f, 20);
    assert_int_equal(append(f, &entry), LF_OK);
    assert_int_equal(partition_apply(f->partition, entry_bytes(&entry), f->write, NULL, &f->error), LF_OK);
    assert_int_equal(f->write->row_count, 2);
    assert_int_equal(f->write->seal_count, 3);
    assert_int_equal(f->write->drop_before, 5);
    row_image_write(&f->image, f->write, 7);
    assert_reloads(f);
}

static void roll_with_a_payload_is_refused(void **state) {
    struct fixture *f = *state;
    struct entry entry = roll(f);
    entry.payload_bytes = entry.header.payload_bytes = 1;
    assert_append_refused(entry);
}

static void what_was_sealed_is_part_of_the_state(void **state) {
    struct fixture *f = *state;
    struct partition *other = partition_new(NULL);
    take(f, batch(f, 10));
    take(f, roll(f));
    for (int i = 0; i < 2; i++) {
        struct entry entry = entry_plain(LF_ENTRY_NOOP, (uint64_t)i + 1, 100, i ? 10 : 0);
        if (i == 0)
            entry = entry_batch(
                &(struct batch){.producer = -1, .epoch = -1, .sequence = -1, .count = 10, .timestamp = 50}, 1, 100, 0);
        assert_int_equal(partition_append(other, &entry.header, entry_payload(&entry), NULL), LF_OK);
        assert_int_equal(partition_apply(other, entry_bytes(&entry), NULL, NULL, NULL), LF_OK);
    }
    assert_false(partition_applied_equal(f->partition, other));
    assert_int_not_equal(partition_applied_checksum(f->partition), partition_applied_checksum(other));
    partition_destroy(&other);
}

static void truncated_entries_about_segments_are_not_counted(void **state) {
    struct fixture *f = *state;
    take(f, batch(f, 10));
    struct entry entry = roll(f);
    assert_int_equal(append(f, &entry), LF_OK);
    entry = log_start(f, 5);
    assert_int_equal(append(f, &entry), LF_OK);
    assert_int_equal(partition_structure_unapplied(f->partition), 2);
    partition_truncate(f->partition, 3);
    assert_int_equal(partition_structure_unapplied(f->partition), 1);
    partition_truncate(f->partition, 2);
    assert_int_equal(partition_structure_unapplied(f->partition), 0);
    assert_int_equal(partition_judge_log_start(f->partition, 5).status, LF_OK); /* at 0 again */
    take(f, roll(f));
    assert_int_equal(partition_structure_unapplied(f->partition), 0);
}

/* ---- log start ---- */

static void log_start_drops_whole_segments_below_it(void **state) {
    struct fixture *f = *state;
    take_segments(f, 3);
    take(f, log_start(f, 10));
    assert_int_equal(f->write->drop_before, 3);
    assert_int_equal(partition_log_start_offset(f->partition), 10);
    assert_int_equal(sealed(f), 2);
    assert_int_equal(partition_first_index(f->partition), 3);
    assert_int_equal(partition_previous_index(f->partition), 2);
    assert_reloads(f);
}

static void log_start_in_a_segment_leaves_it_whole(void **state) {
    struct fixture *f = *state;
    take_segments(f, 3);
    take(f, log_start(f, 15));
    assert_int_equal(f->write->drop_before, 3);
    assert_int_equal(partition_log_start_offset(f->partition), 15);
    assert_int_equal(sealed(f), 2);
    take(f, log_start(f, 19));
    assert_int_equal(f->write->drop_before, 0);
    assert_int_equal(sealed(f), 2);
    assert_reloads(f);
}

static void log_start_at_the_end_leaves_the_open_segment(void **state) {
    struct fixture *f = *state;
    take_segments(f, 2);
    take(f, batch(f, 5));
    take(f, log_start(f, 25));
    assert_int_equal(sealed(f), 0);
    assert_int_equal(partition_first_index(f->partition), 5);
    assert_reloads(f);
    take(f, roll(f));
    assert_int_equal(sealed(f), 1); /* sealed later: a roll drops nothing */
    take(f, log_start(f, 25));
    assert_int_equal(sealed(f), 0);
    assert_int_equal(partition_first_index(f->partition), 8);
    assert_reloads(f);
}

static void log_start_never_falls(void **state) {
    struct fixture *f = *state;
    take_segments(f, 3);
    take(f, log_start(f, 20));
    assert_append_refused(log_start(f, 19));
    assert_append_refused(log_start(f, 0));
    take(f, log_start(f, 20));
    assert_int_equal(partition_log_start_offset(f->partition), 20);
}

static void log_start_is_not_beyond_the_end(void **state) {
    struct fixture *f = *state;
    take_segments(f, 1);
    assert_append_refused(log_start(f, 11));
    assert_append_refused(log_start(f, -1));
    take(f, log_start(f, 10));
}

static void judge_knows_what_is_in_the_log(void **state) {
    struct fixture *f = *state;
    take_segments(f, 2);
    struct entry entry = batch(f, 10);
    assert_int_equal(append(f, &entry), LF_OK);
    assert_int_equal(partition_judge_log_start(f->partition, 20).status, LF_OK);
    assert_int_equal(partition_judge_log_start(f->partition, 21).status, LF_INVALID); /* not committed */
    assert_int_equal(partition_judge_log_start(f->partition, -1).status, LF_INVALID);
    entry = log_start(f, 12);
    assert_int_equal(append(f, &entry), LF_OK);
    struct partition_verdict verdict = partition_judge_log_start(f->partition, 11);
    assert_int_equal(verdict.status, LF_DUPLICATE);
    assert_int_equal(verdict.base_offset, 12);
    assert_int_equal(verdict.rests_on_index, 6);
    assert_int_equal(partition_judge_log_start(f->partition, 13).status, LF_OK);
    assert_int_equal(partition_log_start_offset(f->partition), 0);
}

static void entries_that_cannot_be_read_are_refused(void **state) {
    struct fixture *f = *state;
    take_segments(f, 1);
    for (uint8_t type = LF_ENTRY_LOG_START; type <= LF_ENTRY_REWRITTEN; type++) {
        struct entry entry = entry_plain(type, next_index(f), 100, end_offset(f));
        memset(entry.payload, 0xff, 9);
        entry_set_payload(&entry, 9);
        assert_append_refused(entry);
    }
    assert_append_refused(rewrite(f, 0, 2));
    assert_append_refused(rewrite(f, 2, 1));
    assert_append_refused(rewrite(f, 1, next_index(f)));
    assert_append_refused(rewritten(f, 1, 7));
}

/* ---- rewrites ---- */

static void rewrite_waits_for_the_store(void **state) {
    struct fixture *f = *state;
    take_segments(f, 3);
    take(f, rewrite(f, 1, 4));
    assert_int_equal(partition_decisions_waiting(f->partition), 1);
    assert_int_equal(sealed(f), 3);
    assert_reloads(f);
    struct log_segment made = merged(f, 1, 4);
    do_rewrite(f, &made);
    assert_int_equal(f->write->replacement_count, 1);
    assert_int_equal(f->write->applied_index, 0);
    assert_int_equal(sealed(f), 2);
    assert_int_equal(partition_previous_index(f->partition), 4);
    assert_int_equal(partition_decisions_waiting(f->partition), 0);
    assert_reloads(f);
}

static void rewrite_is_no_part_of_the_common_state(void **state) {
    struct fixture *f = *state;
    take_segments(f, 2);
    take(f, rewrite(f, 1, 4));
    uint32_t before = partition_applied_checksum(f->partition);
    struct log_segment made = merged(f, 1, 4);
    do_rewrite(f, &made);
    assert_int_equal(partition_applied_checksum(f->partition), before);
}

/** One compaction of all that is sealed, done and over; its REWRITTEN has this log time. */
static void compact(struct fixture *f, uint64_t clean_before_ms, uint64_t tombstones_before_ms, uint64_t log_time_ms) {
    size_t count;
    const struct log_segment *all = partition_segments(f->partition, &count);
    uint64_t first = all[0].first_index, last = all[count - 1].last_index, index = next_index(f);
    take(f, entry_compact(first, last, clean_before_ms, tombstones_before_ms, index, log_time_ms, end_offset(f)));
    struct log_segment made = merged(f, first, last);
    do_rewrite(f, &made);
    assert_int_equal(partition_compaction(f->partition)->open_index, last);
    take(f, entry_rewritten(index, own_checksum(f), next_index(f), log_time_ms, end_offset(f)));
}

static void assert_clean(const struct fixture *f, uint64_t index, uint64_t before_ms, uint64_t since_ms) {
    const struct partition_compaction *compaction = partition_compaction(f->partition);
    assert_int_equal(compaction->clean_index, index);
    assert_int_equal(compaction->clean_before_ms, before_ms);
    assert_int_equal(compaction->clean_since_ms, since_ms);
    assert_int_equal(compaction->open_index, 0);
}

static void compactions_are_remembered(void **state) {
    struct fixture *f = *state;
    take_segments(f, 2);
    take(f, rewrite(f, 1, 4)); /* merges only */
    struct log_segment made = merged(f, 1, 4);
    do_rewrite(f, &made);
    take(f, rewritten(f, 5, own_checksum(f)));
    assert_clean(f, 0, 0, 0);
    take(f, roll(f));
    compact(f, 90, 0, 150);
    assert_clean(f, 7, 90, 150);
    assert_reloads(f);
}

/* Else those of a partition that is compacted again and again would never have stayed long enough. */
static void the_time_tombstones_wait_begins_anew_only_when_some_were_taken(void **state) {
    struct fixture *f = *state;
    take_segments(f, 1);
    compact(f, 90, 0, 150);
    take(f, entry_plain(LF_ENTRY_SEGMENT_ROLL, next_index(f), 160, end_offset(f)));
    compact(f, 155, 0, 170);
    assert_clean(f, 5, 90, 150);
    take(f, entry_plain(LF_ENTRY_SEGMENT_ROLL, next_index(f), 180, end_offset(f)));
    compact(f, 175, 90, 190);
    assert_clean(f, 8, 175, 190);
    assert_reloads(f);
}

static void rewrite_of_what_is_no_segment_stops(void **state) {
    struct fixture *f = *state;
    take_segments(f, 2);
    struct entry entry = rewrite(f, 1, 3);
    assert_int_equal(append(f, &entry), LF_OK);
    assert_int_equal(partition_apply(f->partition, entry_bytes(&entry), NULL, NULL, &f->error), LF_INTERNAL);
}

static void only_one_rewrite_at_a_time(void **state) {
    struct fixture *f = *state;
    take_segments(f, 4);
    take(f, rewrite(f, 1, 4));
    assert_append_refused(rewrite(f, 5, 8));
    struct log_segment made = merged(f, 1, 4);
    do_rewrite(f, &made);
    assert_append_refused(rewrite(f, 5, 8));
    assert_append_refused(rewritten(f, 8, own_checksum(f)));
    take(f, rewritten(f, 9, own_checksum(f)));
    assert_append_refused(rewritten(f, 9, own_checksum(f)));
    take(f, rewrite(f, 5, 8));
    assert_reloads(f);
}

static void drop_behind_a_rewrite_waits_for_it(void **state) {
    struct fixture *f = *state;
    take_segments(f, 3);
    take(f, rewrite(f, 1, 4));
    take(f, log_start(f, 10));
    assert_int_equal(f->write->drop_before, 0);
    assert_int_equal(partition_log_start_offset(f->partition), 10); /* at once */
    assert_int_equal(sealed(f), 3);
    assert_int_equal(partition_carry_out(f->partition, f->write), LF_AGAIN);
    take(f, log_start(f, 12));
    assert_int_equal(partition_decisions_waiting(f->partition), 2); /* the last of the drops says it all */
    assert_reloads(f);
    struct log_segment made = merged(f, 1, 4);
    do_rewrite(f, &made);
    assert_int_equal(f->write->drop_before, 0);
    new_write(f);
    assert_int_equal(partition_carry_out(f->partition, f->write), LF_OK);
    assert_int_equal(f->write->drop_before, 0); /* 12 lies in the segment that was made */
    row_image_write(&f->image, f->write, f->image.applied_index);
    assert_int_equal(sealed(f), 2);
    assert_int_equal(partition_decisions_waiting(f->partition), 0);
    assert_reloads(f);
}

static void drop_of_all_that_is_rewritten_does_not_wait(void **state) {
    struct fixture *f = *state;
    take_segments(f, 3);
    take(f, rewrite(f, 1, 4));
    take(f, log_start(f, 15));
    take(f, log_start(f, 20));
    assert_int_equal(f->write->drop_before, 5);
    assert_true(f->write->unstage);
    assert_int_equal(partition_decisions_waiting(f->partition), 0);
    assert_int_equal(sealed(f), 1);
    assert_reloads(f);
    struct log_segment late = {.first_index = 1, .last_index = 4};
    assert_int_equal(partition_rewritten(f->partition, 7, &late, 1, NULL, &f->error), LF_CANCELLED);
    assert_int_equal(own_checksum(f), 0);
    take(f, rewritten(f, 7, 1234)); /* whatever the leader of then made of it */
    assert_reloads(f);
}

static void rewrites_pile_up_where_the_store_is_slow(void **state) {
    struct fixture *f = *state;
    take_segments(f, 4);
    struct log_segment first = merged(f, 1, 4), second = merged(f, 5, 8);
    take(f, rewrite(f, 1, 4));
    take(f, rewritten(f, 9, 0));
    take(f, log_start(f, 5));
    take(f, rewrite(f, 5, 8));
    assert_int_equal(partition_decisions_waiting(f->partition), 3);
    assert_reloads(f);
    do_rewrite(f, &first);
    assert_int_equal(own_checksum(f), 0); /* not of the last one */
    new_write(f);
    assert_int_equal(partition_carry_out(f->partition, f->write), LF_OK);
    row_image_write(&f->image, f->write, f->image.applied_index);
    assert_reloads(f);
    do_rewrite(f, &second);
    assert_int_not_equal(own_checksum(f), 0);
    assert_int_equal(sealed(f), 2);
    assert_reloads(f);
}

static void too_many_waiting_rewrites_hold_up_applying(void **state) {
    struct fixture *f = *state;
    take_segments(f, 1);
    struct entry entry;
    int taken = 0;
    for (;; taken++) {
        entry = rewrite(f, 1, 2);
        assert_int_equal(append(f, &entry), LF_OK);
        enum lf_status status = partition_apply(f->partition, entry_bytes(&entry), NULL, NULL, &f->error);
        if (status == LF_FULL)
            break;
        assert_int_equal(status, LF_OK);
        struct entry done = rewritten(f, entry.header.index, 0);
        assert_int_equal(append(f, &done), LF_OK);
        assert_int_equal(partition_apply(f->partition, entry_bytes(&done), NULL, NULL, &f->error), LF_OK);
    }
    assert_in_range(taken, 16, 64);
    uint64_t index;
    struct log_store_rewrite request;
    struct log_segment made = merged(f, 1, 2);
    assert_true(partition_rewrite_due(f->partition, &index, &request));
    assert_int_equal(partition_rewritten(f->partition, index, &made, 1, NULL, &f->error), LF_OK);
    assert_int_equal(partition_apply(f->partition, entry_bytes(&entry), NULL, NULL, &f->error), LF_OK);
}

static void unequal_rewrites_stop_the_group(void **state) {
    struct fixture *f = *state;
    take_segments(f, 2);
    struct log_segment made = merged(f, 1, 4);
    take(f, rewrite(f, 1, 4));
    do_rewrite(f, &made);
    struct entry entry = rewritten(f, 5, own_checksum(f) ^ 1);
    assert_int_equal(append(f, &entry), LF_OK);
    assert_int_equal(partition_apply(f->partition, entry_bytes(&entry), NULL, NULL, &f->error), LF_INTERNAL);
    assert_non_null(strstr(f->error.text, "came out as"));
}

static void unequal_rewrites_stop_the_group_also_when_the_store_is_late(void **state) {
    struct fixture *f = *state;
    take_segments(f, 2);
    struct log_segment made = merged(f, 1, 4);
    take(f, rewrite(f, 1, 4));
    take(f, rewritten(f, 5, 77));
    assert_reloads(f);
    assert_int_equal(partition_rewritten(f->partition, 5, &made, 1, NULL, &f->error), LF_INTERNAL);
    assert_non_null(strstr(f->error.text, "came out as"));
}

static void what_does_not_stand_for_the_range_is_no_result(void **state) {
    struct fixture *f = *state;
    take_segments(f, 3);
    struct log_segment good = merged(f, 1, 4), bad = good;
    take(f, rewrite(f, 1, 4));
    assert_int_equal(partition_rewritten(f->partition, 7, &bad, 0, NULL, &f->error), LF_INTERNAL);
    bad.last_index = 6;
    assert_int_equal(partition_rewritten(f->partition, 7, &bad, 1, NULL, &f->error), LF_INTERNAL);
    bad = good;
    bad.end_offset--;
    assert_int_equal(partition_rewritten(f->partition, 7, &bad, 1, NULL, &f->error), LF_INTERNAL);
    bad = good;
    bad.last_term++;
    assert_int_equal(partition_rewritten(f->partition, 7, &bad, 1, NULL, &f->error), LF_INTERNAL);
    assert_int_equal(partition_rewritten(f->partition, 7, &good, 1, NULL, &f->error), LF_OK);
}

static void bytes_are_those_of_the_segments(void **state) {
    struct fixture *f = *state;
    take_segments(f, 3);
    take(f, batch(f, 1));
    const uint64_t each = 2 * LF_ENTRY_HEADER_BYTES + LF_BATCH_HEADER_BYTES;
    struct partition_bytes bytes = partition_bytes(f->partition);
    assert_int_equal(bytes.sealed, 3 * each);
    assert_int_equal(bytes.sealed_commands, 3 * LF_ENTRY_HEADER_BYTES);
    assert_int_equal(bytes.open, LF_ENTRY_HEADER_BYTES + LF_BATCH_HEADER_BYTES);
    take(f, log_start(f, 10));
    struct log_segment made = merged(f, 3, 6);
    take(f, rewrite(f, 3, 6));
    do_rewrite(f, &made);
    bytes = partition_bytes(f->partition);
    assert_int_equal(bytes.sealed, 2 * (LF_ENTRY_HEADER_BYTES + LF_BATCH_HEADER_BYTES));
    assert_int_equal(bytes.sealed_commands, 0);
    assert_reloads(f);
}

/* ---- without room ---- */

static enum lf_status drop_ahead(struct fixture *f, int64_t offset) {
    new_write(f);
    enum lf_status status = partition_drop_ahead(f->partition, offset, f->write);
    if (status == LF_OK)
        row_image_write(&f->image, f->write, f->image.applied_index);
    return status;
}

static void log_start_that_is_heard_of_drops_ahead_of_its_entry(void **state) {
    struct fixture *f = *state;
    take_segments(f, 3);
    take(f, batch(f, 10));
    uint32_t sum = partition_applied_checksum(f->partition);
    assert_int_equal(drop_ahead(f, 9), LF_AGAIN);
    assert_int_equal(drop_ahead(f, 1000), LF_OK); /* beyond what is known here */
    assert_int_equal(f->write->drop_before, 7);
    assert_int_equal(sealed(f), 0);
    assert_int_equal(partition_log_start_offset(f->partition), 1000);
    assert_int_equal(partition_applied_checksum(f->partition), sum); /* no part of the common state */
    assert_reloads(f);
    assert_int_equal(drop_ahead(f, 1000), LF_AGAIN);
    take(f, log_start(f, 15)); /* the entries come all the same */
    assert_int_equal(partition_log_start_offset(f->partition), 1000);
    take(f, roll(f));
    assert_reloads(f);
    assert_int_equal(drop_ahead(f, 1001), LF_OK);
    assert_int_equal(sealed(f), 0);
    assert_reloads(f);
}

static void rewrite_of_what_was_dropped_ahead_is_void(void **state) {
    struct fixture *f = *state;
    take_segments(f, 3);
    assert_int_equal(drop_ahead(f, 20), LF_OK);
    take(f, rewrite(f, 1, 4));
    assert_int_equal(partition_decisions_waiting(f->partition), 0);
    take(f, rewritten(f, 7, 77));
    assert_reloads(f);
    struct entry entry = rewrite(f, 3, 6); /* half of it is here */
    assert_int_equal(append(f, &entry), LF_OK);
    assert_int_equal(partition_apply(f->partition, entry_bytes(&entry), NULL, NULL, &f->error), LF_INTERNAL);
}

static void nothing_drops_ahead_of_a_rewrite(void **state) {
    struct fixture *f = *state;
    take_segments(f, 3);
    take(f, rewrite(f, 1, 4));
    assert_int_equal(drop_ahead(f, 20), LF_AGAIN);
    assert_int_equal(sealed(f), 3);
}

/* ---- loading ---- */

static void saved_rows_are_those_that_were_written(void **state) {
    struct fixture *f = *state;
    take_segments(f, 2);
    take(f, entry_batch(&(struct batch){.producer = 7, .count = 2}, next_index(f), 100, end_offset(f)));
    take(f, entry_configuration("members", next_index(f), 100, end_offset(f)));
    take(f, rewrite(f, 1, 4));
    take(f, log_start(f, 3));
    struct row_image saved = {0};
    new_write(f);
    assert_int_equal(partition_save(f->partition, f->write), LF_OK);
    row_image_write(&saved, f->write, f->image.applied_index);
    assert_int_equal(saved.count, f->image.count);
    for (size_t i = 0; i < saved.count; i++) {
        assert_true(lf_bytes_equal(saved.rows[i].key, f->image.rows[i].key));
        assert_true(lf_bytes_equal(saved.rows[i].value, f->image.rows[i].value));
    }
    row_image_deinit(&saved);
}

static void segments_that_do_not_meet_are_damage(void **state) {
    struct fixture *f = *state;
    take_segments(f, 3);
    take(f, batch(f, 1));
    struct partition *again = partition_new(NULL);
    struct log_segment *segments = f->image.segments;
    assert_int_equal(partition_load(again, 7, f->image.rows, f->image.count, segments, 2, &f->error), LF_DAMAGED);
    segments[1].last_index--;
    assert_int_equal(partition_load(again, 7, f->image.rows, f->image.count, segments, 3, &f->error), LF_DAMAGED);
    segments[1].last_index++;
    segments[1].base_offset--;
    assert_int_equal(partition_load(again, 7, f->image.rows, f->image.count, segments, 3, &f->error), LF_DAMAGED);
    segments[1].base_offset++;
    assert_int_equal(partition_load(again, 7, f->image.rows, f->image.count, segments + 1, 2, &f->error), LF_DAMAGED);
    assert_int_equal(partition_load(again, 7, f->image.rows, f->image.count, segments, 3, &f->error), LF_OK);
    partition_destroy(&again);
}

/* ---- replicas whose stores work at their own pace ---- */

#define REPLICAS 3
#define ROUNDS 300

struct replica {
    struct partition *partition;
    struct row_image image;
};

struct cluster {
    uint32_t random;
    uint64_t index, rewrites, voided;
    int64_t end;
    struct replica replicas[REPLICAS];
};

static uint32_t below(struct cluster *c, uint32_t bound) {
    c->random ^= c->random << 13;
    c->random ^= c->random >> 17;
    c->random ^= c->random << 5;
    return c->random % bound;
}

static void finish_write(struct replica *replica, struct log_store_write **write, uint64_t applied) {
    row_image_write(&replica->image, *write, applied);
    log_store_write_destroy(write);
}

static void carry_out_drops(struct replica *replica) {
    for (;;) {
        struct log_store_write *write = log_store_write_new(1, 1);
        if (partition_carry_out(replica->partition, write) == LF_AGAIN) {
            log_store_write_destroy(&write);
            return;
        }
        finish_write(replica, &write, replica->image.applied_index);
    }
}

/** The store has done the rewrite that is due: all of the range in one, without its commands. */
static bool store_works(struct replica *replica) {
    uint64_t index;
    struct log_store_rewrite wanted;
    struct lf_error error = {0};
    if (!partition_rewrite_due(replica->partition, &index, &wanted))
        return false;
    size_t count, at = 0;
    const struct log_segment *all = partition_segments(replica->partition, &count);
    while (all[at].first_index != wanted.first_index)
        at++;
    struct log_segment made = all[at];
    for (; made.last_index != wanted.last_index; at++) {
        const struct log_segment *next = &all[at + 1];
        made.last_index = next->last_index;
        made.last_term = next->last_term;
        made.end_offset = next->end_offset;
        made.entry_count += next->entry_count;
        made.bytes += next->bytes;
        made.command_bytes += next->command_bytes;
        made.checksum = made.checksum * 31 + next->checksum;
    }
    made.entry_count -= made.command_bytes > 0;
    made.bytes -= made.command_bytes;
    made.command_bytes = 0;
    made.rewrites++;
    struct log_store_write *write = log_store_write_new(1, 1);
    if (partition_rewritten(replica->partition, index, &made, 1, write, &error) != LF_OK)
        fail_msg("%s", error.text);
    finish_write(replica, &write, replica->image.applied_index);
    carry_out_drops(replica);
    return true;
}

static void reload(struct replica *replica) {
    struct lf_error error = {0};
    if (partition_load(replica->partition, replica->image.applied_index, replica->image.rows, replica->image.count,
                       replica->image.segments, replica->image.segment_count, &error) != LF_OK)
        fail_msg("%s", error.text);
    carry_out_drops(replica);
}

/** What the leader, replica 0, would propose: judged by what it holds, one thing at a time. */
static struct entry next_entry(struct cluster *c) {
    const struct partition *leader = c->replicas[0].partition;
    size_t count;
    const struct log_segment *all = partition_segments(leader, &count);
    uint64_t index, time = 100 + c->index;
    uint32_t checksum;
    bool open = partition_rewrite_open(leader, &index, &checksum), idle = partition_decisions_waiting(leader) == 0;
    uint32_t kind = below(c, 10);
    if (kind == 0)
        return entry_plain(LF_ENTRY_SEGMENT_ROLL, c->index, time, c->end);
    if (kind == 1) {
        int64_t start = partition_log_start_offset(leader);
        return entry_log_start(start + below(c, (uint32_t)(c->end - start) / 4 + 1), c->index, time, c->end);
    }
    if (kind == 2 && open && idle)
        return entry_rewritten(index, checksum, c->index, time, c->end);
    if (kind <= 3 && !open && idle && count > 1) {
        size_t first = below(c, (uint32_t)count), last = first + below(c, (uint32_t)(count - first));
        c->rewrites++;
        return entry_rewrite(all[first].first_index, all[last].last_index, c->index, time, c->end);
    }
    if (kind == 4)
        return entry_plain(LF_ENTRY_NOOP, c->index, time, c->end);
    c->end += 3;
    return entry_batch(&(struct batch){.producer = -1, .epoch = -1, .sequence = -1, .count = 3}, c->index, time,
                       c->end - 3);
}

static void apply_everywhere(struct cluster *c, const struct entry *entry) {
    for (int i = 0; i < REPLICAS; i++) {
        struct replica *replica = &c->replicas[i];
        struct log_store_write *write = log_store_write_new(1, 1);
        struct lf_error error = {0};
        assert_int_equal(partition_append(replica->partition, &entry->header, entry_payload(entry), &error), LF_OK);
        enum lf_status status = partition_apply(replica->partition, entry_bytes(entry), write, NULL, &error);
        while (status == LF_FULL && store_works(replica))
            status = partition_apply(replica->partition, entry_bytes(entry), write, NULL, &error);
        if (status != LF_OK)
            fail_msg("%s", error.text);
        c->voided += write->unstage;
        finish_write(replica, &write, entry->header.index);
        partition_check_invariants(replica->partition);
        assert_true(partition_applied_equal(replica->partition, c->replicas[0].partition));
    }
}

/** Replica 0's store works often, the others' seldom; any may be loaded anew at any time. */
static void replicas_with_stores_of_their_own_pace_come_out_equal(void **state) {
    (void)state;
    uint64_t rewrites = 0, voided = 0, most_waiting = 0;
    for (uint32_t seed = 1; seed <= 60; seed++) {
        struct cluster c = {.random = seed * 2654435761u};
        for (int i = 0; i < REPLICAS; i++)
            c.replicas[i].partition = partition_new(NULL);
        for (int round = 0; round < ROUNDS; round++) {
            c.index++;
            struct entry entry = next_entry(&c);
            apply_everywhere(&c, &entry);
            for (int i = 0; i < REPLICAS; i++) {
                struct replica *replica = &c.replicas[i];
                if (below(&c, i == 0 ? 2 : 40) == 0)
                    store_works(replica);
                if (below(&c, 30) == 0)
                    reload(replica);
                if (partition_decisions_waiting(replica->partition) > most_waiting)
                    most_waiting = partition_decisions_waiting(replica->partition);
            }
        }
        for (int i = 0; i < REPLICAS; i++) {
            while (store_works(&c.replicas[i])) {
            }
            reload(&c.replicas[i]);
            size_t count, count_0;
            const struct log_segment *list = partition_segments(c.replicas[i].partition, &count),
                                     *list_0 = partition_segments(c.replicas[0].partition, &count_0);
            assert_int_equal(count, count_0);
            for (size_t k = 0; k < count; k++)
                assert_true(log_segment_equal(&list[k], &list_0[k]));
        }
        rewrites += c.rewrites;
        voided += c.voided;
        for (int i = 0; i < REPLICAS; i++) {
            partition_destroy(&c.replicas[i].partition);
            row_image_deinit(&c.replicas[i].image);
        }
    }
    assert_true(rewrites > 500);
    assert_true(voided > 20);
    assert_true(most_waiting > 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(segment_ends_with_the_roll_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(descriptor_is_that_of_the_entries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_entries_share_a_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(roll_with_a_payload_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_sealed_is_part_of_the_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncated_entries_about_segments_are_not_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(log_start_drops_whole_segments_below_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(log_start_in_a_segment_leaves_it_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(log_start_at_the_end_leaves_the_open_segment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(log_start_never_falls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(log_start_is_not_beyond_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(judge_knows_what_is_in_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(entries_that_cannot_be_read_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rewrite_waits_for_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rewrite_is_no_part_of_the_common_state, set_up, tear_down),
        cmocka_unit_test_setup_teardown(compactions_are_remembered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_time_tombstones_wait_begins_anew_only_when_some_were_taken, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(rewrite_of_what_is_no_segment_stops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_one_rewrite_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drop_behind_a_rewrite_waits_for_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drop_of_all_that_is_rewritten_does_not_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rewrites_pile_up_where_the_store_is_slow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_waiting_rewrites_hold_up_applying, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unequal_rewrites_stop_the_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unequal_rewrites_stop_the_group_also_when_the_store_is_late, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_stand_for_the_range_is_no_result, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_are_those_of_the_segments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(log_start_that_is_heard_of_drops_ahead_of_its_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rewrite_of_what_was_dropped_ahead_is_void, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_drops_ahead_of_a_rewrite, set_up, tear_down),
        cmocka_unit_test_setup_teardown(saved_rows_are_those_that_were_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(segments_that_do_not_meet_are_damage, set_up, tear_down),
        cmocka_unit_test(replicas_with_stores_of_their_own_pace_come_out_equal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
