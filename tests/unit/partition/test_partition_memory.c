/** A partition when memory runs out: each allocation of a history fails once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "entries.h"
#include "failing_memory.h"
#include "row_image.h"

#define ENTRIES 120

/** Batches of ever new producers, so that tables and lists grow; a configuration now and then; segments;
 *  expiry at the end. */
static struct entry entry_at(uint64_t index, int64_t end) {
    uint64_t log_time_ms = index < ENTRIES ? 100 : 10000000;
    if (index % 17 == 0)
        return entry_configuration("some members", index, log_time_ms, end);
    if (index % 19 == 0)
        return entry_raise((int64_t)index, 1, index, log_time_ms, end);
    if (index % 11 == 0)
        return entry_plain(LF_ENTRY_SEGMENT_ROLL, index, log_time_ms, end);
    if (index == 60 || index == 90)
        return entry_log_start((int64_t)index / 2, index, log_time_ms, end);
    if (index == 80)
        return entry_rewrite(23, 44, index, log_time_ms, end);
    if (index == 100)
        return entry_rewritten(80, 5, index, log_time_ms, end);
    return entry_batch(&(struct batch){.producer = (int64_t)index, .count = 2}, index, log_time_ms, end);
}

/** Returns whether the machine is still good: an append that failed is repeated, a failed apply ends it. */
static bool take(struct partition *partition, struct log_store_write *write, const struct entry *entry) {
    struct lf_error error;
    enum lf_status status = partition_append(partition, &entry->header, entry_payload(entry), &error);
    if (status == LF_NO_MEMORY) {
        assert_int_equal(partition_log_end_index(partition), entry->header.index - 1);
        status = partition_append(partition, &entry->header, entry_payload(entry), &error);
    }
    assert_int_equal(status, LF_OK);
    uint32_t rows = write->row_count, hints = write->hint_count;
    size_t bytes = write->bytes;
    status = partition_apply(partition, entry_bytes(entry), write, NULL, &error);
    if (status == LF_OK)
        return true;
    assert_int_equal(status, LF_NO_MEMORY);
    assert_int_equal(write->row_count, rows);
    assert_int_equal(write->hint_count, hints);
    assert_int_equal(write->bytes, bytes);
    assert_int_equal(partition_apply(partition, entry_bytes(entry), write, NULL, &error), LF_INTERNAL);
    return false;
}

static void each_failing_allocation_is_told_and_rows_stay_whole(void **state) {
    (void)state;
    long fails = 0, ends = 0;
    for (long n = 0;; n++) {
        struct row_image image = {0};
        struct partition *partition = partition_new(NULL);
        struct log_store_write *write = log_store_write_new(1, 1);
        uint64_t good = 0;
        allocations_left = n;
        for (uint64_t index = 1; index <= ENTRIES; index++) {
            struct entry entry = entry_at(index, partition_log_end_offset(partition));
            if (!take(partition, write, &entry))
                break;
            good = index;
        }
        bool failed = allocation_failed();
        row_image_write(&image, write, good);
        struct partition *again = partition_new(NULL);
        assert_int_equal(
            partition_load(again, good, image.rows, image.count, image.segments, image.segment_count, NULL), LF_OK);
        if (good == ENTRIES)
            assert_true(partition_applied_equal(partition, again));
        partition_destroy(&again);
        partition_destroy(&partition);
        log_store_write_destroy(&write);
        row_image_deinit(&image);
        fails += failed;
        ends += good < ENTRIES;
        if (!failed)
            break;
    }
    assert_in_range(ends, 200, fails - 5); /* some only fail an append, and it goes on */
}

static void each_failing_allocation_of_loading_is_told(void **state) {
    (void)state;
    struct row_image image = {0};
    struct partition *partition = partition_new(NULL);
    struct log_store_write *write = log_store_write_new(1, 1);
    for (uint64_t index = 1; index < ENTRIES; index++) {
        struct entry entry = entry_at(index, partition_log_end_offset(partition));
        assert_true(take(partition, write, &entry));
    }
    row_image_write(&image, write, ENTRIES - 1);
    long n = 0;
    for (bool failed = true; failed; n++) {
        allocations_left = n;
        struct partition *again = partition_new(NULL);
        enum lf_status status = again ? partition_load(again, ENTRIES - 1, image.rows, image.count, image.segments,
                                                       image.segment_count, NULL)
                                      : LF_OK;
        failed = allocation_failed();
        if (again && failed) {
            assert_int_equal(status, LF_NO_MEMORY);
            assert_int_equal(
                partition_load(again, ENTRIES - 1, image.rows, image.count, image.segments, image.segment_count, NULL),
                LF_OK);
        }
        assert_true(!again || partition_applied_equal(partition, again));
        partition_destroy(&again);
    }
    assert_true(n > 5);
    partition_destroy(&partition);
    log_store_write_destroy(&write);
    row_image_deinit(&image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failing_allocation_is_told_and_rows_stay_whole),
        cmocka_unit_test(each_failing_allocation_of_loading_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
