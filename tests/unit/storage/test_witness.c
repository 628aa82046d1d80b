/** The witness's bytes and its list of logs, and the file CURRENT. */
#include "contract.h"
#include "current_file.h"
#include "witness.h"

#include <stdio.h>
#include <stdlib.h>

static struct witness example(void) {
    struct witness witness = {
        .generation = 7, .store_uuid = {1, 2, 3}, .manifest_number = 12, .manifest_bytes = 345, .last_sequence = 1000};
    for (uint64_t i = 0; i < 5; i++)
        witness_add(&witness, &(struct witness_wal){.number = 20 + 3 * i, .bytes = 100 * i, .last_sequence = 10 * i});
    return witness;
}

static void what_is_encoded_is_read_back(void **state) {
    (void)state;
    struct witness witness = example(), read;
    uint8_t slot[WITNESS_SLOT_BYTES];
    witness_encode(&witness, slot);
    assert_true(witness_decode(lf_bytes(slot, sizeof slot), &read));
    assert_memory_equal(&read, &witness, sizeof witness);
    assert_false(witness_decode(lf_bytes(slot, sizeof slot - 1), &read));
}

static void a_slot_with_any_bit_changed_is_unreadable(void **state) {
    (void)state;
    struct witness witness = example(), read;
    uint8_t slot[WITNESS_SLOT_BYTES];
    witness_encode(&witness, slot);
    for (size_t bit = 0; bit < 8 * sizeof slot; bit++) {
        slot[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(witness_decode(lf_bytes(slot, sizeof slot), &read));
        slot[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void the_newer_readable_slot_counts(void **state) {
    (void)state;
    uint8_t file[WITNESS_FILE_BYTES] = {0};
    struct witness witness = example(), read;
    struct lf_bytes view = lf_bytes(file, sizeof file);
    assert_false(witness_choose(view, &read));
    assert_false(witness_choose(lf_bytes(file, 0), &read));
    for (uint64_t generation = 1; generation < 6; generation++) {
        witness.generation = generation;
        witness_encode(&witness, file + witness_slot_offset(generation));
        assert_true(witness_choose(view, &read));
        assert_int_equal(read.generation, generation);
    }
    file[witness_slot_offset(5) + 100] ^= 1; /* torn while it was written */
    assert_true(witness_choose(view, &read));
    assert_int_equal(read.generation, 4);
    witness_encode(&witness, file + witness_slot_offset(4)); /* in the wrong place */
    assert_false(witness_choose(view, &read));
}

static void a_full_list_keeps_the_oldest_and_the_newest(void **state) {
    (void)state;
    struct witness witness = {0};
    assert_int_equal(witness_newest(&witness), 0);
    for (uint64_t number = 1; number <= 50; number++)
        witness_add(&witness, &(struct witness_wal){.number = number});
    assert_int_equal(witness.wal_count, WITNESS_WALS_MAX);
    assert_int_equal(witness_newest(&witness), 50);
    assert_non_null(witness_find(&witness, 1));
    assert_null(witness_find(&witness, 2));
    for (uint64_t number = 50; number > 50 - WITNESS_WALS_MAX + 1; number--)
        assert_non_null(witness_find(&witness, number));
}

static void current_names_a_manifest_exactly(void **state) {
    (void)state;
    uint64_t number = 0;
    assert_true(current_file_decode(lf_bytes_text("MANIFEST-000005\n"), &number));
    assert_int_equal(number, 5);
    assert_true(current_file_decode(lf_bytes_text("MANIFEST-12345678\n"), &number));
    assert_int_equal(number, 12345678);
    const char *const bad[] = {"",
                               "\n",
                               "MANIFEST-\n",
                               "MANIFEST-5\n",
                               "MANIFEST-000005",
                               "MANIFEST-000005\n\n",
                               "MANIFEST-00000u\n",
                               "MANIFEST-0000005\n",
                               "MANIFEST-000005 ",
                               "MANIFESU-000005\n",
                               "MANIFEST-99999999999999999999999\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(current_file_decode(lf_bytes_text(bad[i]), &number));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_read_back),
        cmocka_unit_test(a_slot_with_any_bit_changed_is_unreadable),
        cmocka_unit_test(the_newer_readable_slot_counts),
        cmocka_unit_test(a_full_list_keeps_the_oldest_and_the_newest),
        cmocka_unit_test(current_names_a_manifest_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
