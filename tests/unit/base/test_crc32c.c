/** CRC-32C against published vectors, and the two implementations against each other. */
#include "lf_crc32c.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHECK_SUM 0xE3069283u /* of "123456789", the catalogue's check value */
#define THREADS 8
#define ALIGNMENTS 16
#define SIZES 600
#define LARGE_BYTES (1024 * 1024 + 13)

static void fill(uint8_t *data, size_t size, unsigned short seed[3]) {
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)jrand48(seed);
}

static void *first_use(void *sum) {
    *(uint32_t *)sum = lf_crc32c_portable(0, "123456789", 9);
    return NULL;
}

/** Runs first: the portable tables are not built yet. */
static void threads_may_meet_at_the_first_use(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    uint32_t sums[THREADS] = {0};
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, first_use, &sums[i]), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(sums[i], CHECK_SUM);
}

/** RFC 3720, appendix B.4; the bytes there are in little-endian order of the sum. */
static void published_vectors_hold(void **state) {
    (void)state;
    uint8_t bytes[32];
    struct {
        const char *what;
        uint32_t sum;
    } expected[] = {{"zeroes", 0x8A9136AAu}, {"ones", 0x62A8AB43u}, {"rising", 0x46DD794Eu}, {"falling", 0x113FDB5Cu}};
    for (size_t which = 0; which < 4; which++) {
        for (int i = 0; i < 32; i++)
            bytes[i] = (uint8_t[]){0, 0xff, (uint8_t)i, (uint8_t)(31 - i)}[which];
        print_message("%s\n", expected[which].what);
        assert_int_equal(lf_crc32c(0, bytes, sizeof bytes), expected[which].sum);
        assert_int_equal(lf_crc32c_portable(0, bytes, sizeof bytes), expected[which].sum);
    }
    assert_int_equal(lf_crc32c(0, "123456789", 9), CHECK_SUM);
    assert_int_equal(lf_crc32c_portable(0, "123456789", 9), CHECK_SUM);
}

static void nothing_sums_to_nothing(void **state) {
    (void)state;
    assert_int_equal(lf_crc32c(0, "", 0), 0);
    assert_int_equal(lf_crc32c(CHECK_SUM, "", 0), CHECK_SUM);
    assert_int_equal(lf_crc32c_portable(CHECK_SUM, "", 0), CHECK_SUM);
}

static void both_twins_agree_at_every_size_and_alignment(void **state) {
    (void)state;
    unsigned short seed[3] = {1, 2, 3};
    uint8_t *exact = NULL;
    uint8_t data[SIZES + ALIGNMENTS];
    fill(data, sizeof data, seed);
    for (size_t at = 0; at < ALIGNMENTS; at++)
        for (size_t size = 0; size < SIZES; size++) {
            uint32_t start = (uint32_t)jrand48(seed);
            assert_int_equal(lf_crc32c(start, data + at, size), lf_crc32c_portable(start, data + at, size));
        }
    for (size_t size = 1; size < 70; size++) { /* its own allocation: reading past the end is seen by ASan */
        exact = malloc(size);
        assert_non_null(exact);
        fill(exact, size, seed);
        assert_int_equal(lf_crc32c(0, exact, size), lf_crc32c_portable(0, exact, size));
        free(exact);
    }
}

static void a_large_input_sums_alike(void **state) {
    (void)state;
    unsigned short seed[3] = {4, 5, 6};
    uint8_t *data = malloc(LARGE_BYTES);
    assert_non_null(data);
    fill(data, LARGE_BYTES, seed);
    uint32_t whole = lf_crc32c(0, data, LARGE_BYTES);
    assert_int_equal(whole, lf_crc32c_portable(0, data, LARGE_BYTES));
    for (int i = 0; i < 50; i++) {
        size_t cut = (uint32_t)jrand48(seed) % LARGE_BYTES;
        assert_int_equal(lf_crc32c(lf_crc32c(0, data, cut), data + cut, LARGE_BYTES - cut), whole);
        assert_int_equal(lf_crc32c_portable(lf_crc32c(0, data, cut), data + cut, LARGE_BYTES - cut), whole);
    }
    free(data);
}

static void the_sum_of_two_parts_is_the_sum_of_the_whole(void **state) {
    (void)state;
    for (size_t cut = 0; cut <= 9; cut++) {
        assert_int_equal(lf_crc32c(lf_crc32c(0, "123456789", cut), "123456789" + cut, 9 - cut), CHECK_SUM);
        assert_int_equal(lf_crc32c_portable(lf_crc32c_portable(0, "123456789", cut), "123456789" + cut, 9 - cut),
                         CHECK_SUM);
    }
}

static void the_processors_instruction_is_used_where_there_is_one(void **state) {
    (void)state;
    print_message("hardware CRC-32C: %s\n", lf_crc32c_is_hardware() ? "yes" : "no");
#if defined(__x86_64__)
    char line[4096], has = 0;
    FILE *info = fopen("/proc/cpuinfo", "r");
    if (!info)
        skip();
    while (!has && fgets(line, sizeof line, info))
        has = strncmp(line, "flags", 5) == 0 && strstr(line, " sse4_2") != NULL;
    fclose(info);
    assert_int_equal(lf_crc32c_is_hardware(), has);
#else
    skip();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_may_meet_at_the_first_use),
        cmocka_unit_test(published_vectors_hold),
        cmocka_unit_test(nothing_sums_to_nothing),
        cmocka_unit_test(both_twins_agree_at_every_size_and_alignment),
        cmocka_unit_test(a_large_input_sums_alike),
        cmocka_unit_test(the_sum_of_two_parts_is_the_sum_of_the_whole),
        cmocka_unit_test(the_processors_instruction_is_used_where_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
