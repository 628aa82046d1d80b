/** The id map against a plain array, with ids that collide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "lf_map.h"

#define IDS 400

static uint64_t next_random(uint64_t *seed) { /* xorshift64 */
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void an_empty_map_has_nothing(void **state) {
    (void)state;
    struct lf_map map = {0};
    size_t cursor = 0;
    assert_null(lf_map_get(&map, 1));
    assert_null(lf_map_remove(&map, 1));
    assert_null(lf_map_next(&map, &cursor));
    lf_map_deinit(&map);
}

static void a_second_put_replaces(void **state) {
    (void)state;
    struct lf_map map = {0};
    int a, b;
    assert_true(lf_map_put(&map, 7, &a) && lf_map_put(&map, 7, &b));
    assert_int_equal(map.count, 1);
    assert_ptr_equal(lf_map_get(&map, 7), &b);
    assert_ptr_equal(lf_map_remove(&map, 7), &b);
    assert_null(lf_map_get(&map, 7));
    assert_int_equal(map.count, 0);
    lf_map_deinit(&map);
}

static void same_as(const struct lf_map *map, void *const *expected, const uint64_t *ids) {
    size_t count = 0, walked = 0, cursor = 0;
    for (size_t i = 0; i < IDS; i++) {
        assert_ptr_equal(lf_map_get(map, ids[i]), expected[i]);
        count += expected[i] != NULL;
    }
    while (lf_map_next(map, &cursor))
        walked++;
    assert_int_equal(map->count, count);
    assert_int_equal(walked, count);
}

/* Ids near each other, far apart and with equal low bits; removals in the middle of runs close the gaps. */
static void it_agrees_with_an_array_over_random_puts_and_removes(void **state) {
    (void)state;
    struct lf_map map = {0};
    uint64_t ids[IDS], seed = 99;
    void *expected[IDS] = {0};
    for (size_t i = 0; i < IDS; i++)
        ids[i] = i < 150 ? i + 1 : i < 300 ? (uint64_t)i << 44 : UINT64_MAX - i * 16;
    for (int step = 0; step < 60000; step++) {
        size_t i = next_random(&seed) % IDS;
        if (next_random(&seed) % 100 < ((step / 5000) % 2 ? 35u : 60u)) {
            expected[i] = &ids[next_random(&seed) % IDS];
            assert_true(lf_map_put(&map, ids[i], expected[i]));
        } else {
            assert_ptr_equal(lf_map_remove(&map, ids[i]), expected[i]);
            expected[i] = NULL;
        }
        if (step % 500 == 0)
            same_as(&map, expected, ids);
    }
    same_as(&map, expected, ids);
    lf_map_deinit(&map);
    assert_null(map.slots);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(a_second_put_replaces),
        cmocka_unit_test(it_agrees_with_an_array_over_random_puts_and_removes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
