/** What of the log goes into one delivery, and what it says is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "delivery.h"
#include "lf_entry.h"
#include "lf_record_batch.h"

#define BYTES_MAX 10000

static struct lf_buf *held[600];
static size_t held_count;

static int teardown(void **state) {
    (void)state;
    while (held_count > 0)
        lf_buf_unref(&held[--held_count]);
    return 0;
}

/** An entry of this type that ends at end_offset; a batch takes `records` offsets before it. */
static struct lf_buf *entry(uint8_t type, int64_t end_offset, uint32_t records) {
    uint8_t payload[LF_BATCH_HEADER_BYTES] = {0};
    lf_put_be64(payload, (uint64_t)end_offset - records);
    struct lf_entry_header header = {
        .type = type, .payload_bytes = sizeof payload, .index = 1, .term = 1, .end_offset = (uint64_t)end_offset};
    struct lf_buf *buf = lf_buf_new(LF_ENTRY_HEADER_BYTES + sizeof payload);
    lf_entry_encode(&header, 1, lf_bytes(payload, sizeof payload), buf->data);
    memcpy(buf->data + LF_ENTRY_HEADER_BYTES, payload, sizeof payload);
    return held[held_count++] = buf;
}
static struct lf_buf *batch(int64_t end_offset, uint32_t records) { return entry(LF_ENTRY_BATCH, end_offset, records); }
static struct lf_buf *command(int64_t end_offset) { return entry(LF_ENTRY_NOOP, end_offset, 0); }

static void batches_that_touch_say_nothing_of_what_is_gone(void **state) {
    (void)state;
    struct delivery delivery;
    delivery_init(&delivery, 3);
    assert_true(delivery_add(&delivery, BYTES_MAX, batch(5, 5))); /* begins below */
    assert_true(delivery_add(&delivery, BYTES_MAX, command(5)));
    assert_true(delivery_add(&delivery, BYTES_MAX, batch(7, 2)));
    assert_int_equal(delivery.count, 2);
    assert_false(delivery.has_gone);
    assert_int_equal(delivery.next_offset, 7);
}

static void holes_are_said_before_the_batch_and_after_the_last(void **state) {
    (void)state;
    struct delivery delivery;
    delivery_init(&delivery, 3);
    assert_true(delivery_add(&delivery, BYTES_MAX, batch(10, 2)));
    assert_true(delivery_add(&delivery, BYTES_MAX, batch(12, 2)));
    assert_true(delivery_add(&delivery, BYTES_MAX, command(14)));
    assert_true(delivery_add(&delivery, BYTES_MAX, batch(20, 1)));
    assert_true(delivery_add(&delivery, BYTES_MAX, command(25)));
    assert_true(delivery.has_gone);
    assert_int_equal(delivery.count, 3);
    static const int64_t expected[] = {8, 0, 19, 25};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(delivery.gone_below[i], expected[i]);
    assert_int_equal(delivery.next_offset, 25);
}

static void commands_alone_can_tell_what_is_gone(void **state) {
    (void)state;
    struct delivery delivery;
    delivery_init(&delivery, 3);
    assert_true(delivery_add(&delivery, BYTES_MAX, command(3)));
    assert_false(delivery.has_gone);
    assert_true(delivery_add(&delivery, BYTES_MAX, command(9)));
    assert_int_equal(delivery.count, 0);
    assert_int_equal(delivery.gone_below[0], 9);
    assert_int_equal(delivery.next_offset, 9);
}

static void a_batch_that_does_not_fit_changes_nothing(void **state) {
    (void)state;
    struct delivery delivery;
    delivery_init(&delivery, 0);
    assert_true(delivery_add(&delivery, 1, batch(1, 1))); /* the first always fits */
    assert_false(delivery_add(&delivery, 1, batch(9, 1)));
    assert_false(delivery.has_gone);
    assert_int_equal(delivery.next_offset, 1);
    delivery_init(&delivery, 0);
    for (int64_t i = 1; i <= DELIVERY_BATCHES_MAX; i++)
        assert_true(delivery_add(&delivery, UINT64_MAX, batch(i, 1)));
    assert_false(delivery_add(&delivery, UINT64_MAX, batch(400, 1)));
    assert_true(delivery_add(&delivery, UINT64_MAX, command(300))); /* tells what is gone even then */
    assert_int_equal(delivery.gone_below[DELIVERY_BATCHES_MAX], 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(batches_that_touch_say_nothing_of_what_is_gone, teardown),
        cmocka_unit_test_teardown(holes_are_said_before_the_batch_and_after_the_last, teardown),
        cmocka_unit_test_teardown(commands_alone_can_tell_what_is_gone, teardown),
        cmocka_unit_test_teardown(a_batch_that_does_not_fit_changes_nothing, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
