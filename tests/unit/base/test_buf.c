/** Reference-counted buffers: who frees, and when. */
#include "lf_buf.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define THREADS 8
#define ROUNDS 2000

static void a_new_buffer_has_one_owner_and_its_size(void **state) {
    (void)state;
    for (size_t size = 0; size < 100; size += 33) {
        struct lf_buf *buf = lf_buf_new(size);
        assert_non_null(buf);
        assert_int_equal(atomic_load(&buf->refs), 1);
        assert_int_equal(buf->size, size);
        assert_int_equal(buf->capacity, size);
        memset(buf->data, 0xa5, size);
        assert_true(lf_buf_bytes(buf).data == buf->data && lf_buf_bytes(buf).size == size);
        lf_buf_unref(&buf);
        assert_null(buf);
    }
}

static void a_copy_does_not_follow_its_source(void **state) {
    (void)state;
    uint8_t bytes[5] = {1, 2, 3, 4, 5};
    struct lf_buf *buf = lf_buf_copy(lf_bytes(bytes, sizeof bytes));
    memset(bytes, 0, sizeof bytes);
    assert_memory_equal(buf->data, ((uint8_t[]){1, 2, 3, 4, 5}), 5);
    lf_buf_unref(&buf);
    buf = lf_buf_copy(lf_bytes(NULL, 0));
    assert_non_null(buf);
    assert_int_equal(buf->size, 0);
    lf_buf_unref(&buf);
}

static void count_release(void *owner) { atomic_fetch_add((atomic_int *)owner, 1); }

static void foreign_memory_is_released_once_by_the_last_owner(void **state) {
    (void)state;
    atomic_int released = 0;
    struct lf_buf *buf = lf_buf_new_foreign("water", 5, count_release, &released);
    struct lf_buf *other = lf_buf_ref(buf);
    assert_ptr_equal(buf, other);
    assert_true(lf_bytes_equal(lf_buf_bytes(other), lf_bytes_text("water")));
    lf_buf_unref(&buf);
    assert_int_equal(atomic_load(&released), 0);
    lf_buf_unref(&other);
    assert_int_equal(atomic_load(&released), 1);
}

static void nothing_is_dropped_twice(void **state) {
    (void)state;
    struct lf_buf *none = NULL;
    lf_buf_unref(&none);
    assert_null(none);
}

static void sizes_that_do_not_fit_are_refused(void **state) {
    (void)state;
    atomic_int released = 0;
    assert_null(lf_buf_new((size_t)UINT32_MAX + 1));
    assert_null(lf_buf_new(SIZE_MAX));
    assert_null(lf_buf_new_foreign("", (size_t)UINT32_MAX + 1, count_release, &released));
    assert_int_equal(atomic_load(&released), 0);
}

struct shared {
    struct lf_buf *buf;
    uint64_t sum;
};

static void *read_and_drop(void *context) {
    struct shared *mine = context;
    for (uint32_t i = 0; i < mine->buf->size; i++)
        mine->sum += mine->buf->data[i];
    lf_buf_unref(&mine->buf);
    return NULL;
}

static void one_round_of_sharing(atomic_int *released) {
    static uint8_t bytes[64];
    memset(bytes, 1, sizeof bytes);
    struct lf_buf *buf = lf_buf_new_foreign(bytes, sizeof bytes, count_release, released);
    struct shared shares[THREADS];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        shares[i] = (struct shared){.buf = lf_buf_ref(buf)};
        assert_int_equal(pthread_create(&threads[i], NULL, read_and_drop, &shares[i]), 0);
    }
    lf_buf_unref(&buf);
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(shares[i].sum, sizeof bytes);
    }
}

static void threads_that_share_a_buffer_free_it_once(void **state) {
    (void)state;
    atomic_int released = 0;
    for (int round = 0; round < ROUNDS / THREADS; round++) {
        one_round_of_sharing(&released);
        assert_int_equal(atomic_load(&released), round + 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_buffer_has_one_owner_and_its_size),
        cmocka_unit_test(a_copy_does_not_follow_its_source),
        cmocka_unit_test(foreign_memory_is_released_once_by_the_last_owner),
        cmocka_unit_test(nothing_is_dropped_twice),
        cmocka_unit_test(sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(threads_that_share_a_buffer_free_it_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
