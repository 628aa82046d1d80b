/** Applied state: S5, rows, their order. */
#include "contract.h"

static void s5_applied_state_and_applied_index_travel_together(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    contract_add(write, 1, 5, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    for (uint64_t applied = 1; applied <= 5; applied++) {
        char value[2] = {(char)('0' + applied), 0};
        write = contract_write(3, 1 + applied);
        write->applied_index = applied;
        contract_row(write, "applied", value);
        assert_int_equal(contract_do(contract, write), LF_OK);
        contract_kill_and_reopen(contract);
        struct log_store_completion *completion = contract_load(contract, 3);
        assert_int_equal(completion->loaded->applied_index, applied);
        log_store_completion_destroy(&completion);
        assert_string_equal(contract_row_of(contract, 3, "applied"), value);
    }
}

static void s5_the_applied_index_stays_within_the_log_and_never_goes_back(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    contract_add(write, 1, 5, 1);
    write->applied_index = 4;
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_write(3, 2);
    write->applied_index = 6;
    contract_row(write, "k", "v");
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    write = contract_write(3, 3);
    write->applied_index = 3;
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    write = contract_write(3, 4);
    write->truncate_from = 5;
    write->applied_index = 5;
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    write = contract_write(3, 5);
    contract_add(write, 6, 1, 1);
    write->applied_index = 6;
    assert_int_equal(contract_do(contract, write), LF_OK);
    assert_string_equal(contract_row_of(contract, 3, "k"), "-");
}

static void rows_come_back_ordered_by_key(void **state) {
    struct contract *contract = *state;
    const char *keys[] = {"b", "a", "\xff\xff", "ab", "", "c", "\x01"};
    const char *wanted[] = {"", "\x01", "a", "ab", "b", "c", "\xff\xff"};
    struct log_store_write *write = contract_create(3, 1);
    for (size_t i = 0; i < 7; i++)
        contract_row(write, keys[i], keys[i]);
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_create(4, 2);
    contract_row(write, "other", "group");
    assert_int_equal(contract_do(contract, write), LF_OK);
    for (int round = 0; round < 2; round++) {
        struct log_store_completion *completion = contract_load(contract, 3);
        assert_int_equal(completion->loaded->row_count, 7);
        for (size_t i = 0; i < 7; i++) {
            assert_true(lf_bytes_equal(completion->loaded->rows[i].key, lf_bytes_text(wanted[i])));
            assert_true(lf_bytes_equal(completion->loaded->rows[i].value, lf_bytes_text(wanted[i])));
        }
        log_store_completion_destroy(&completion);
        contract_reopen(contract);
    }
}

static void rows_are_replaced_and_deleted_and_may_be_empty(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    contract_row(write, "kept", "1");
    contract_row(write, "gone", "1");
    contract_row(write, "twice", "first");
    contract_row(write, "twice", "second");
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_write(3, 2);
    contract_row(write, "kept", "");
    contract_row(write, "gone", NULL);
    contract_row(write, "never there", NULL);
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_reopen(contract);
    struct log_store_completion *completion = contract_load(contract, 3);
    assert_int_equal(completion->loaded->row_count, 2);
    assert_int_equal(completion->loaded->rows[0].value.size, 0);
    assert_non_null(completion->loaded->rows[0].value.data);
    log_store_completion_destroy(&completion);
    assert_string_equal(contract_row_of(contract, 3, "twice"), "second");
    assert_string_equal(contract_row_of(contract, 3, "gone"), "-");
}

static void a_row_of_the_largest_size_fits_and_larger_ones_are_refused(void **state) {
    struct contract *contract = *state;
    uint8_t *value = test_calloc(1, LOG_STORE_ROW_VALUE_BYTES_MAX + 1);
    uint8_t key[LOG_STORE_ROW_KEY_BYTES_MAX + 1] = {0};
    struct log_store_write *write = contract_create(3, 1);
    assert_int_equal(log_store_write_add_row(write, lf_bytes(key, sizeof key), lf_bytes(value, 1)), LF_TOO_LARGE);
    assert_int_equal(
        log_store_write_add_row(write, lf_bytes(key, 1), lf_bytes(value, LOG_STORE_ROW_VALUE_BYTES_MAX + 1)),
        LF_TOO_LARGE);
    assert_int_equal(log_store_write_add_row(write, lf_bytes(key, LOG_STORE_ROW_KEY_BYTES_MAX),
                                             lf_bytes(value, LOG_STORE_ROW_VALUE_BYTES_MAX)),
                     LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_reopen(contract);
    struct log_store_completion *completion = contract_load(contract, 3);
    assert_int_equal(completion->loaded->row_count, 1);
    assert_int_equal(completion->loaded->rows[0].value.size, LOG_STORE_ROW_VALUE_BYTES_MAX);
    log_store_completion_destroy(&completion);
    test_free(value);
}

const struct CMUnitTest contract_applied_tests[] = {
    CONTRACT_TEST(s5_applied_state_and_applied_index_travel_together),
    CONTRACT_TEST(s5_the_applied_index_stays_within_the_log_and_never_goes_back),
    CONTRACT_TEST(rows_come_back_ordered_by_key),
    CONTRACT_TEST(rows_are_replaced_and_deleted_and_may_be_empty),
    CONTRACT_TEST(a_row_of_the_largest_size_fits_and_larger_ones_are_refused),
};
const size_t contract_applied_test_count = sizeof contract_applied_tests / sizeof contract_applied_tests[0];
