/** What a full store does not take waits in order. */
#include "store_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/** A store that takes `room` requests and notes their ids. */
struct fake_store {
    struct log_store store;
    int room;
    enum lf_status refusal;
    uint64_t taken[64];
    size_t count;
    uint64_t oldest_write_us;
};

static enum lf_status take(struct log_store *store, uint64_t id) {
    struct fake_store *fake = (struct fake_store *)store;
    if (fake->room == 0)
        return fake->refusal;
    fake->room--;
    fake->taken[fake->count++] = id;
    return LF_OK;
}

static enum lf_status fake_submit(struct log_store *store, struct log_store_write **write) {
    enum lf_status status = take(store, (*write)->token);
    if (status == LF_OK)
        log_store_write_destroy(write);
    return status;
}

static enum lf_status fake_read(struct log_store *store, const struct log_store_read *read) {
    return take(store, 100 + read->request);
}

static enum lf_status fake_load(struct log_store *store, uint64_t group, uint64_t request) {
    return take(store, 200 + group + request);
}

static void fake_stats(const struct log_store *store, struct log_store_stats *out) {
    out->oldest_write_us = ((const struct fake_store *)store)->oldest_write_us;
}

static const struct log_store_ops ops = {
    .submit = fake_submit, .read = fake_read, .load = fake_load, .stats = fake_stats};
static struct fake_store fake;
static struct store_queue queue;
static struct log_store_write *writes[4];
static struct log_store_read reads[4];
static struct node_load loads[4];

static int open_queue(void **state) {
    (void)state;
    fake = (struct fake_store){.store = {.ops = &ops}, .refusal = LF_FULL};
    store_queue_init(&queue, &fake.store);
    return 0;
}

static int close_queue(void **state) {
    (void)state;
    store_queue_deinit(&queue);
    return 0;
}

/** `count` of each kind, numbered from `first`. */
static enum lf_status add(uint64_t first, size_t count) {
    struct node_effects effects = {.writes = writes,
                                   .write_count = count,
                                   .reads = reads,
                                   .read_count = count,
                                   .loads = loads,
                                   .load_count = count};
    struct lf_error error = {0};
    for (size_t i = 0; i < count; i++) {
        writes[i] = log_store_write_new(1, first + i);
        reads[i] = (struct log_store_read){.request = first + i};
        loads[i] = (struct node_load){.group = 0, .request = first + i};
    }
    enum lf_status status = store_queue_add(&queue, &effects, &error);
    for (size_t i = 0; i < count; i++)
        assert_null(writes[i]);
    assert_true(status == LF_OK || error.code == status);
    return status;
}

static void assert_taken(const uint64_t *ids, size_t count) {
    assert_int_equal(fake.count, count);
    assert_memory_equal(fake.taken, ids, count * sizeof *ids);
    fake.count = 0;
}
#define TAKEN(...) assert_taken((uint64_t[]){__VA_ARGS__}, sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void what_fits_goes_at_once(void **state) {
    (void)state;
    fake.room = 100;
    assert_int_equal(add(1, 2), LF_OK);
    TAKEN(1, 2, 101, 102, 201, 202);
    assert_true(store_queue_is_empty(&queue));
    assert_int_equal(queue.waiting_bytes, 0);
}

static void what_does_not_fit_waits_in_order(void **state) {
    (void)state;
    fake.room = 1;
    assert_int_equal(add(1, 2), LF_OK);
    TAKEN(1);
    assert_true(queue.waiting_bytes > 0);
    assert_int_equal(add(3, 2), LF_OK);
    assert_int_equal(fake.count, 0);
    fake.room = 4; /* 2 3 4, then one read */
    assert_int_equal(store_queue_retry(&queue, NULL), LF_OK);
    TAKEN(2, 3, 4, 101);
    assert_int_equal(queue.waiting_bytes, 0);
    assert_int_equal(add(5, 1), LF_OK);
    fake.room = 100;
    assert_int_equal(store_queue_retry(&queue, NULL), LF_OK);
    TAKEN(5, 102, 103, 104, 105, 201, 202, 203, 204, 205);
    assert_true(store_queue_is_empty(&queue));
}

static void on_a_full_disk_writes_wait_and_reads_go_on(void **state) {
    (void)state;
    fake.room = 100;
    queue.held = true;
    assert_int_equal(add(1, 2), LF_OK);
    TAKEN(101, 102, 201, 202);
    assert_true(queue.waiting_bytes > 0);
    queue.held = false;
    assert_int_equal(add(3, 1), LF_OK);
    TAKEN(1, 2, 3, 103, 203);
    assert_true(store_queue_is_empty(&queue));
}

static void a_finished_store_is_told(void **state) {
    (void)state;
    fake.refusal = LF_IO;
    assert_int_equal(add(1, 1), LF_IO);
}

static void what_waits_is_dropped_at_the_end(void **state) {
    (void)state;
    assert_int_equal(add(1, 4), LF_OK); /* the leak checker is the judge */
    assert_false(store_queue_is_empty(&queue));
}

static void a_write_that_waits_too_long_at_the_disk_is_a_lag(void **state) {
    (void)state;
    assert_false(store_queue_lags(&queue));
    fake.oldest_write_us = 1000ull * STORE_QUEUE_LAG_MS_MAX;
    assert_false(store_queue_lags(&queue));
    fake.oldest_write_us++;
    assert_true(store_queue_lags(&queue));
    fake.oldest_write_us = 0;
    queue.waiting_bytes = STORE_QUEUE_WAITING_BYTES_MAX + 1;
    assert_true(store_queue_lags(&queue));
    queue.waiting_bytes = 0;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_queue, close_queue)
    const struct CMUnitTest tests[] = {
        TEST(what_fits_goes_at_once),
        TEST(what_does_not_fit_waits_in_order),
        TEST(on_a_full_disk_writes_wait_and_reads_go_on),
        TEST(a_finished_store_is_told),
        TEST(what_waits_is_dropped_at_the_end),
        TEST(a_write_that_waits_too_long_at_the_disk_is_a_lag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
