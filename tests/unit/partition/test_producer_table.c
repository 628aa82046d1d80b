/** The table of producers against a list that does everything the slow way, and rows held against themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "partition_rows.h"
#include "producer_table.h"

#define IDS 700

static uint32_t next_random(uint32_t *random) {
    *random ^= *random << 13;
    *random ^= *random >> 17;
    return *random ^= *random << 5;
}

/** Ids that fall on few slots, and ordinary ones. */
static int64_t id_at(uint32_t i) { return i % 2 ? (int64_t)i : (int64_t)i << 40; }

static void check_same(const struct producer_table *table, const uint64_t *last_use, uint32_t count) {
    assert_int_equal(table->count, count);
    uint64_t before = 0;
    uint32_t seen = 0;
    const struct producer *producer = NULL;
    while ((producer = producer_table_next(table, producer))) {
        assert_true(producer->last_use_ms >= before);
        before = producer->last_use_ms;
        seen++;
    }
    assert_int_equal(seen, count);
    for (uint32_t i = 0; i < IDS; i++) {
        producer = producer_table_find(table, id_at(i));
        assert_int_equal(producer != NULL, last_use[i] != 0);
        if (producer)
            assert_int_equal(producer->last_use_ms, last_use[i]);
    }
}

static void table_agrees_with_a_list(void **state) {
    (void)state;
    struct producer_table table, copy;
    uint64_t last_use[IDS] = {0}, now = 1;
    uint32_t random = 5, count = 0, largest = 0;
    producer_table_init(&table);
    producer_table_init(&copy);
    for (int step = 0; step < 60000; step++) {
        uint32_t i = next_random(&random) % IDS;
        bool shrink = step / 5000 % 3 == 2;
        now += next_random(&random) % 2;
        if (next_random(&random) % 10 < (shrink ? 7 : 3) && count > 0) {
            const struct producer *oldest = producer_table_next(&table, NULL);
            uint32_t at = 0;
            while (id_at(at) != oldest->id)
                at++;
            for (uint32_t k = 0; k < IDS; k++)
                assert_true(last_use[k] == 0 || last_use[k] >= oldest->last_use_ms);
            producer_table_remove_oldest(&table);
            last_use[at] = 0;
            count--;
        } else {
            struct producer *producer = producer_table_find(&table, id_at(i));
            assert_int_equal(producer != NULL, last_use[i] != 0);
            if (!producer) {
                assert_true(producer_table_reserve(&table));
                producer = producer_table_insert(&table, id_at(i));
                count++;
            }
            producer_table_touch(&table, producer, now);
            last_use[i] = now;
        }
        largest = count > largest ? count : largest;
        if (step % 500 == 0) {
            check_same(&table, last_use, count);
            assert_true(producer_table_copy(&copy, &table));
            check_same(&copy, last_use, count);
        }
    }
    assert_in_range(largest, 300, IDS);
    producer_table_clear(&table);
    memset(last_use, 0, sizeof last_use);
    check_same(&table, last_use, 0);
    producer_table_deinit(&table);
    producer_table_deinit(&copy);
}

static struct producer sound(void) {
    struct producer producer;
    producer_init(&producer, 7);
    producer.epoch = 3;
    producer.accepted = 30;
    producer.last_use_ms = 100;
    producer.lower_epoch = 2;
    producer.lower_sequence = 5;
    producer.lower_offset = 9;
    producer.batch_count = 3;
    for (int i = 0; i < 3; i++)
        producer.batches[i] = (struct producer_batch){
            .first = 10u * (uint32_t)i, .count = 10, .leader_epoch = i, .base_offset = 20 + 10 * i};
    return producer;
}

static enum lf_status decode(const struct producer *producer, struct producer *out) {
    static const struct partition_meta meta = {.end_offset = 50, .log_time_ms = 100};
    uint8_t key[PARTITION_PRODUCER_KEY_BYTES], row[PARTITION_PRODUCER_ROW_BYTES_MAX];
    partition_producer_key(producer->id, key);
    size_t bytes = partition_producer_encode(producer, row);
    return partition_producer_decode(lf_bytes(key, sizeof key), lf_bytes(row, bytes), &meta, out, NULL);
}

static void sound_row_comes_back_equal(void **state) {
    (void)state;
    struct producer producer = sound(), out;
    assert_int_equal(decode(&producer, &out), LF_OK);
    assert_true(producer_equal(&producer, &out));
    producer.accepted = (uint64_t)1 << 40; /* five batches of many */
    producer.batch_count = 5;
    for (int i = 0; i < 5; i++)
        producer.batches[i] = (struct producer_batch){
            .first = producer.accepted - 10 + 2u * (uint32_t)i, .count = 2, .base_offset = 2 * i};
    assert_int_equal(decode(&producer, &out), LF_OK);
    assert_true(producer_equal(&producer, &out));
}

static void row_that_contradicts_itself_is_damage(void **state) {
    (void)state;
    struct producer producer, out;
#define assert_damage(change)                                                                                          \
    do {                                                                                                               \
        producer = sound();                                                                                            \
        change;                                                                                                        \
        assert_int_equal(decode(&producer, &out), LF_DAMAGED);                                                         \
    } while (0)
    assert_damage(producer.id = -1);
    assert_damage(producer.epoch = -1);
    assert_damage(producer.last_use_ms = 101);
    assert_damage(producer.accepted = 31); /* more than its batches, though fewer than five are known */
    assert_damage(producer.accepted = 29);
    assert_damage(producer.accepted = 0);
    assert_damage(producer.batch_count = 0);
    assert_damage(producer.lower_epoch = 3);
    assert_damage(producer.lower_epoch = -1);
    assert_damage(producer.lower_sequence = -1);
    assert_damage(producer.lower_offset = -1);
    assert_damage(producer.lower_offset = 50);
    assert_damage(producer.batches[2].base_offset = 41); /* ends beyond the log */
    assert_damage(producer.batches[1].base_offset = 31); /* overlaps the next */
    assert_damage(producer.batches[0].base_offset = -1);
    assert_damage(producer.batches[0].leader_epoch = -1);
    assert_damage(producer.batches[0].leader_epoch = 2); /* above that of a later batch */
    assert_damage(producer.batches[1].count = 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_agrees_with_a_list),
        cmocka_unit_test(sound_row_comes_back_equal),
        cmocka_unit_test(row_that_contradicts_itself_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
