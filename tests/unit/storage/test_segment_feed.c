/** What the segment thread is lent: one stretch of entries per group, bounded over all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "segment_feed.h"

#define KIB 1024u

/* Entries whose first byte is their index; truncating from `truncate_from` first, if that is not 0. */
static bool write_entries(struct segment_feeds *feeds, struct segment_feed *feed, uint64_t truncate_from,
                          uint64_t first_index, uint32_t count, size_t bytes) {
    struct log_store_write *write = log_store_write_new(7, 1);
    write->truncate_from = truncate_from;
    for (uint32_t i = 0; i < count; i++) {
        struct lf_buf *entry = lf_buf_new(bytes);
        memset(entry->data, 0, bytes);
        entry->data[0] = (uint8_t)(first_index + i);
        assert_int_equal(log_store_write_add_entry(write, first_index + i, entry), LF_OK);
    }
    bool kept = segment_feed_write(feeds, feed, write);
    log_store_write_destroy(&write);
    return kept;
}

static struct segment_job *take(struct segment_feeds *feeds, struct segment_feed *feed, uint64_t from, uint64_t until) {
    struct segment_job *job = segment_job_new(SEGMENT_JOB_STREAM, 7);
    segment_feed_take(feeds, feed, from, until, job);
    return job;
}

/* Takes from..until, and expects first..last in it; first 0: nothing. */
static void expect_taken(struct segment_feeds *feeds, struct segment_feed *feed, uint64_t from, uint64_t until,
                         uint64_t first, uint64_t last) {
    struct segment_job *job = take(feeds, feed, from, until);
    if (first == 0) {
        assert_int_equal(job->entry_count, 0);
    } else {
        assert_int_equal(job->entries_from, first);
        assert_int_equal(job->entry_count, last - first + 1);
        for (uint32_t i = 0; i < job->entry_count; i++)
            assert_int_equal(job->entries[i]->data[0], (uint8_t)(first + i));
    }
    segment_job_destroy(&job);
    assert_int_equal(feeds->lent_bytes, 0);
}

static void entries_are_lent_once_and_in_order(void **state) {
    (void)state;
    struct segment_feeds feeds = {0};
    struct segment_feed feed = {0};
    assert_true(write_entries(&feeds, &feed, 0, 5, 4, KIB));
    assert_true(write_entries(&feeds, &feed, 0, 9, 2, KIB));
    assert_int_equal(feeds.bytes, 6 * KIB);
    struct segment_job *job = take(&feeds, &feed, 5, 7);
    assert_int_equal(feeds.bytes, 3 * KIB);
    assert_int_equal(feeds.lent_bytes, 3 * KIB);
    segment_job_destroy(&job);
    expect_taken(&feeds, &feed, 5, 7, 0, 0);
    expect_taken(&feeds, &feed, 5, 99, 8, 10);
    assert_true(write_entries(&feeds, &feed, 0, 11, 1, KIB));
    expect_taken(&feeds, &feed, 11, 11, 11, 11);
    segment_feed_clear(&feeds, &feed);
    assert_int_equal(feeds.bytes, 0);
}

static void what_is_before_goes(void **state) {
    (void)state;
    struct segment_feeds feeds = {0};
    struct segment_feed feed = {0};
    assert_true(write_entries(&feeds, &feed, 0, 1, 10, KIB));
    expect_taken(&feeds, &feed, 4, 6, 4, 6);
    assert_int_equal(feeds.bytes, 4 * KIB);
    expect_taken(&feeds, &feed, 20, 30, 0, 0);
    assert_int_equal(feeds.bytes, 0);
    assert_true(write_entries(&feeds, &feed, 0, 11, 1, KIB));
    expect_taken(&feeds, &feed, 11, 11, 11, 11);
    segment_feed_clear(&feeds, &feed);
}

/* The bytes that were truncated must never be in a segment: what has their index now is. */
static void truncated_entries_are_not_lent(void **state) {
    (void)state;
    for (uint64_t from = 1; from <= 6; from++) {
        struct segment_feeds feeds = {0};
        struct segment_feed feed = {0};
        assert_true(write_entries(&feeds, &feed, 0, 2, 4, KIB));
        assert_true(write_entries(&feeds, &feed, from, from, 1, 2 * KIB));
        struct segment_job *job = take(&feeds, &feed, 1, 99);
        uint64_t first = from < 2 ? from : 2;
        assert_int_equal(job->entries_from, first);
        assert_int_equal(job->entry_count, from - first + 1);
        assert_int_equal(job->entries[from - first]->size, 2 * KIB);
        segment_job_destroy(&job);
        segment_feed_clear(&feeds, &feed);
        assert_int_equal(feeds.bytes, 0);
    }
}

static void a_truncation_without_entries_cuts_too(void **state) {
    (void)state;
    struct segment_feeds feeds = {0};
    struct segment_feed feed = {0};
    assert_true(write_entries(&feeds, &feed, 0, 1, 5, KIB));
    assert_true(write_entries(&feeds, &feed, 3, 3, 0, KIB));
    expect_taken(&feeds, &feed, 1, 99, 1, 2);
    segment_feed_clear(&feeds, &feed);
}

static void a_gap_begins_anew(void **state) {
    (void)state;
    struct segment_feeds feeds = {0};
    struct segment_feed feed = {0};
    assert_true(write_entries(&feeds, &feed, 0, 1, 3, KIB));
    assert_true(write_entries(&feeds, &feed, 0, 9, 2, KIB));
    assert_int_equal(feeds.bytes, 2 * KIB);
    expect_taken(&feeds, &feed, 1, 99, 9, 10);
    segment_feed_clear(&feeds, &feed);
}

/* Also with what jobs have, until they are destroyed. */
static void what_is_kept_is_bounded(void **state) {
    (void)state;
    struct segment_feeds feeds = {0};
    struct segment_feed feed = {0}, other = {0};
    const uint32_t half = SEGMENT_FEED_BYTES_MAX / 2 / (64 * KIB);
    assert_true(write_entries(&feeds, &feed, 0, 1, half, 64 * KIB));
    struct segment_job *job = take(&feeds, &feed, 1, half);
    assert_true(write_entries(&feeds, &other, 0, 1, half, 64 * KIB));
    assert_false(write_entries(&feeds, &feed, 0, half + 1, 1, 1));
    assert_int_equal(feed.count, 0);
    segment_job_destroy(&job);
    assert_true(write_entries(&feeds, &feed, 0, half + 2, 1, 1));
    expect_taken(&feeds, &feed, 1, 99999, half + 2, half + 2);
    segment_feed_clear(&feeds, &feed);
    segment_feed_clear(&feeds, &other);
    assert_int_equal(feeds.bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_lent_once_and_in_order),
        cmocka_unit_test(what_is_before_goes),
        cmocka_unit_test(truncated_entries_are_not_lent),
        cmocka_unit_test(a_truncation_without_entries_cuts_too),
        cmocka_unit_test(a_gap_begins_anew),
        cmocka_unit_test(what_is_kept_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
