/** The id map against a model: a plain array searched from end to end. */
#include "lf_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define IDS 300
#define STEPS 200000

struct model {
    uint64_t ids[IDS];
    void *values[IDS]; /**< NULL: not there */
    size_t count;
};

static void an_empty_map_has_nothing(void **state) {
    (void)state;
    struct lf_map map = {0};
    size_t cursor = 0;
    assert_null(lf_map_get(&map, 1));
    assert_null(lf_map_remove(&map, 1));
    assert_null(lf_map_next(&map, &cursor));
    lf_map_deinit(&map);
}

static void zero_is_never_there(void **state) {
    (void)state;
    struct lf_map map = {0};
    int value;
    assert_true(lf_map_put(&map, 1, &value));
    assert_null(lf_map_get(&map, 0));
    assert_null(lf_map_remove(&map, 0));
    assert_int_equal(map.count, 1);
    lf_map_deinit(&map);
    assert_int_equal(map.count, 0);
    assert_null(map.slots);
}

static void check_walk(const struct lf_map *map, const struct model *model) {
    size_t cursor = 0, seen = 0;
    uint8_t found[IDS] = {0};
    const uint64_t *value;
    while ((value = lf_map_next(map, &cursor))) {
        size_t which = 0; /* values point at a word inside the model's ids */
        while (which < IDS && model->values[which] != value)
            which++;
        assert_true(which < IDS);
        assert_false(found[which]);
        found[which] = 1;
        seen++;
    }
    assert_int_equal(seen, model->count);
    assert_int_equal(map->count, model->count);
}

static void random_steps(uint64_t (*make_id)(size_t), uint16_t seed) {
    struct lf_map map = {0};
    struct model model = {0};
    unsigned short random[3] = {seed, 7, 9};
    static uint64_t words[2][IDS]; /* two values per id: replacing is seen */
    for (size_t i = 0; i < IDS; i++)
        model.ids[i] = make_id(i);
    for (int step = 0; step < STEPS; step++) {
        size_t which = (uint32_t)jrand48(random) % IDS;
        /* Tides: long rises and falls, so that the table is crowded and emptied again and again. */
        uint32_t removals = step / 3000 % 2 ? 70 : 25;
        void *before = model.values[which];
        if ((uint32_t)jrand48(random) % 100 < removals) {
            assert_ptr_equal(lf_map_remove(&map, model.ids[which]), before);
            model.count -= before != NULL;
            model.values[which] = NULL;
        } else {
            void *value = &words[(uint32_t)jrand48(random) % 2][which];
            assert_true(lf_map_put(&map, model.ids[which], value));
            model.count += before == NULL;
            model.values[which] = value;
        }
        size_t other = (uint32_t)jrand48(random) % IDS;
        assert_ptr_equal(lf_map_get(&map, model.ids[other]), model.values[other]);
        if (step % 500 == 0)
            check_walk(&map, &model);
    }
    for (size_t i = 0; i < IDS; i++)
        assert_ptr_equal(lf_map_get(&map, model.ids[i]), model.values[i]);
    assert_true(map.count * 4 <= map.capacity * 3);
    lf_map_deinit(&map);
}

static uint64_t counting(size_t i) { return i + 1; }
static uint64_t high(size_t i) { return UINT64_MAX - i; }
static uint64_t spread(size_t i) { return (uint64_t)(i + 1) << 44; }
/** The inverse of the map's multiplier times small steps: every id has the same home in any table here. */
static uint64_t crowded(size_t i) {
    uint64_t inverse = 1;
    for (int round = 0; round < 6; round++) /* Newton: doubles the right bits */
        inverse *= 2 - 0x9E3779B97F4A7C15u * inverse;
    return ((uint64_t)(i + 1) << 40) * inverse;
}

static void counting_ids_agree_with_the_model(void **state) {
    (void)state;
    random_steps(counting, 1);
}
static void the_highest_ids_agree_with_the_model(void **state) {
    (void)state;
    random_steps(high, 2);
}
static void ids_without_low_bits_agree_with_the_model(void **state) {
    (void)state;
    random_steps(spread, 3);
}
static void ids_that_all_want_one_slot_agree_with_the_model(void **state) {
    (void)state;
    random_steps(crowded, 4);
}

static void equal_histories_walk_alike(void **state) {
    (void)state;
    struct lf_map a = {0}, b = {0};
    static uint64_t words[1000];
    for (size_t i = 0; i < 1000; i++) {
        assert_true(lf_map_put(&a, i * 31 + 1, &words[i]));
        assert_true(lf_map_put(&b, i * 31 + 1, &words[i]));
        if (i % 3 == 0) {
            lf_map_remove(&a, i / 2 * 31 + 1);
            lf_map_remove(&b, i / 2 * 31 + 1);
        }
    }
    size_t at_a = 0, at_b = 0;
    void *value;
    do {
        value = lf_map_next(&a, &at_a);
        assert_ptr_equal(value, lf_map_next(&b, &at_b));
    } while (value);
    lf_map_deinit(&a);
    lf_map_deinit(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_map_has_nothing),
        cmocka_unit_test(zero_is_never_there),
        cmocka_unit_test(counting_ids_agree_with_the_model),
        cmocka_unit_test(the_highest_ids_agree_with_the_model),
        cmocka_unit_test(ids_without_low_bits_agree_with_the_model),
        cmocka_unit_test(ids_that_all_want_one_slot_agree_with_the_model),
        cmocka_unit_test(equal_histories_walk_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
