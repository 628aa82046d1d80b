/** CRC-32C: published vectors, and the two twins agreeing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lf_crc32c.h"

#define BYTES 4096

typedef uint32_t sum(uint32_t crc, const void *data, size_t size);
static sum *const twins[] = {lf_crc32c, lf_crc32c_portable};

static uint64_t next_random(uint64_t *seed) { /* xorshift64 */
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void fill(uint8_t *bytes, size_t size, uint64_t seed) {
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)next_random(&seed);
}

/* Bit by bit, straight from the definition: shares nothing with either twin. */
static uint32_t by_definition(const uint8_t *bytes, size_t size) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82F63B78u : crc >> 1;
    }
    return ~crc;
}

/* Source: RFC 3720, B.4, and the usual check value. */
static void published_vectors_hold(void **state) {
    (void)state;
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];
    memset(ones, 0xff, sizeof ones);
    for (uint8_t i = 0; i < 32; i++) {
        up[i] = i;
        down[i] = (uint8_t)(31 - i);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(twins[i](0, "123456789", 9), 0xE3069283u);
        assert_int_equal(twins[i](0, "", 0), 0);
        assert_int_equal(twins[i](0, zeros, 32), 0x8A9136AAu);
        assert_int_equal(twins[i](0, ones, 32), 0x62A8AB43u);
        assert_int_equal(twins[i](0, up, 32), 0x46DD794Eu);
        assert_int_equal(twins[i](0, down, 32), 0x113FDB5Cu);
    }
}

static void twins_agree_at_every_size_and_alignment(void **state) {
    (void)state;
    static uint8_t bytes[BYTES + 64];
    fill(bytes, sizeof bytes, 7);
    for (size_t at = 0; at < 17; at++)
        for (size_t size = 0; size < 300; size++) {
            uint32_t expected = by_definition(bytes + at, size);
            assert_int_equal(lf_crc32c(0, bytes + at, size), expected);
            assert_int_equal(lf_crc32c_portable(0, bytes + at, size), expected);
        }
}

static void twins_agree_on_random_bytes_starts_and_sizes(void **state) {
    (void)state;
    static uint8_t bytes[BYTES];
    uint64_t seed = 20260101;
    fill(bytes, sizeof bytes, seed);
    for (int i = 0; i < 20000; i++) {
        size_t at = next_random(&seed) % BYTES, size = next_random(&seed) % (BYTES - at + 1);
        uint32_t crc = (uint32_t)next_random(&seed);
        assert_int_equal(lf_crc32c(crc, bytes + at, size), lf_crc32c_portable(crc, bytes + at, size));
    }
}

/* Three stretches are summed side by side: every number of turns, and every rest after them. */
static void long_sums_are_those_of_the_definition(void **state) {
    (void)state;
    static uint8_t bytes[BYTES + 8];
    fill(bytes, sizeof bytes, 11);
    for (size_t size = 300; size <= BYTES; size++)
        for (size_t at = 0; at < 3; at++)
            assert_int_equal(lf_crc32c(0, bytes + at, size), by_definition(bytes + at, size));
}

static void a_sum_goes_on_where_it_stopped(void **state) {
    (void)state;
    static uint8_t bytes[1257];
    fill(bytes, sizeof bytes, 3);
    for (size_t t = 0; t < 2; t++)
        for (size_t cut = 0; cut <= sizeof bytes; cut++)
            assert_int_equal(twins[t](twins[t](0, bytes, cut), bytes + cut, sizeof bytes - cut),
                             by_definition(bytes, sizeof bytes));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors_hold),
        cmocka_unit_test(twins_agree_at_every_size_and_alignment),
        cmocka_unit_test(twins_agree_on_random_bytes_starts_and_sizes),
        cmocka_unit_test(long_sums_are_those_of_the_definition),
        cmocka_unit_test(a_sum_goes_on_where_it_stopped),
    };
    print_message("processor's instruction: %s\n", lf_crc32c_is_hardware() ? "yes" : "no");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
