/** Group 0's machine when memory runs out: each allocation of a history fails once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../partition/failing_memory.h"
#include "commands.h"

#define COMMANDS 60

static struct lf_buf *command_at(int number) {
    char name[16];
    uint8_t uuid[LOG_STORE_ID_BYTES] = {(uint8_t)number};
    snprintf(name, sizeof name, "t%d", number);
    if (number % 5 == 4)
        return metadata_command_delete_topic((uint64_t)number / 5 + 1);
    if (number % 10 == 7)
        return metadata_command_move((uint64_t)number / 10 * 8 + 1, 0, (uint64_t[]){number % 20 == 7 ? 4 : 1, 2}, 2);
    if (number % 10 == 8)
        return metadata_command_report((uint64_t)number / 10 * 8 + 1, 2);
    if (number % 20 == 12)
        return metadata_command_add_node(4 + (uint64_t)number / 20, name, 1, 1);
    if (number % 20 == 13)
        return metadata_command_pin(4 + (uint64_t)number / 20, uuid);
    if (number % 20 == 16)
        return metadata_command_remove_node(2 + (uint64_t)number / 20, 0);
    if (number % 20 == 3)
        return metadata_command_pin(2 + (uint64_t)number / 20 % 2, uuid);
    return metadata_command_create_topic(name, 1 + (uint32_t)number % 3, 3, NULL);
}

static void each_failing_allocation_is_told_and_rows_stay_whole(void **state) {
    (void)state;
    long n = 0;
    for (bool failed = true; failed; n++) {
        struct log0 log;
        log0_open(&log, NULL);
        log0_found(&log, 3);
        uint64_t good = metadata_applied_index(log.metadata);
        enum lf_status status = LF_OK;
        for (int i = 0; i < COMMANDS && status == LF_OK; i++) {
            struct lf_buf *command = command_at(i);
            uint32_t rows = log.write->row_count;
            size_t bytes = log.write->bytes;
            allocations_left = n; /* of this one entry */
            status = log0_apply(&log, LF_ENTRY_METADATA, 0, lf_buf_bytes(command), NULL);
            failed = allocation_failed();
            if (status == LF_OK) {
                good++;
            } else {
                assert_true(failed);
                assert_int_equal(status, LF_NO_MEMORY);
                assert_int_equal(log.write->row_count, rows);
                assert_int_equal(log.write->bytes, bytes);
                assert_int_equal(log0_apply(&log, LF_ENTRY_NOOP, 0, lf_bytes("", 0), NULL), LF_INTERNAL);
            }
            lf_buf_unref(&command);
        }
        row_image_write(&log.image, log.write, good);
        struct metadata *again = metadata_new(NULL);
        if (metadata_load(again, good, log.image.rows, log.image.count, &log.error) != LF_OK)
            fail_msg("%s", log.error.text);
        if (status == LF_OK)
            assert_int_equal(metadata_applied_checksum(again), metadata_applied_checksum(log.metadata));
        metadata_destroy(&again);
        failed = status != LF_OK;
        log0_close(&log);
    }
    assert_true(n > 5);
}

static void each_failing_allocation_of_loading_is_told(void **state) {
    (void)state;
    struct log0 log;
    log0_open(&log, NULL);
    log0_found(&log, 3);
    for (int i = 0; i < COMMANDS; i++)
        log0_command(&log, command_at(i));
    log0_apply(&log, LF_ENTRY_CONFIGURATION, 0, lf_bytes_text("voters"), NULL);
    log0_flush(&log);
    long n = 0;
    for (bool failed = true; failed; n++) {
        struct metadata *again = metadata_new(NULL);
        allocations_left = n;
        enum lf_status status =
            metadata_load(again, log.image.applied_index, log.image.rows, log.image.count, &log.error);
        failed = allocation_failed();
        assert_int_equal(status, failed ? LF_NO_MEMORY : LF_OK);
        if (failed)
            assert_int_equal(metadata_load(again, log.image.applied_index, log.image.rows, log.image.count, NULL),
                             LF_OK);
        assert_int_equal(metadata_applied_checksum(again), metadata_applied_checksum(log.metadata));
        metadata_destroy(&again);
    }
    assert_true(n > 50);
    log0_close(&log);
}

static void commands_without_memory_are_null(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++) {
        allocations_left = 0;
        assert_null(command_at(i));
        assert_true(allocation_failed());
    }
    static const uint8_t id[LOG_STORE_ID_BYTES] = {1};
    struct metadata_node nodes[2] = {founding_node(1), founding_node(2)};
    for (long n = 0; n < 3; n++) {
        allocations_left = n;
        assert_null(metadata_command_found(id, "c", nodes, 2));
        assert_true(allocation_failed());
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failing_allocation_is_told_and_rows_stay_whole),
        cmocka_unit_test(each_failing_allocation_of_loading_is_told),
        cmocka_unit_test(commands_without_memory_are_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
