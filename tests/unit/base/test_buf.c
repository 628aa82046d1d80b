/** Byte numbers and shared buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "lf_buf.h"

static int released;
static void *released_owner;

static void on_release(void *owner) {
    released++;
    released_owner = owner;
}

static void numbers_are_where_the_byte_order_says(void **state) {
    (void)state;
    uint8_t p[8];
    lf_put_le64(p, 0x0102030405060708u);
    assert_memory_equal(p, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    assert_true(lf_get_le64(p) == 0x0102030405060708u);
    assert_true(lf_get_be64(p) == 0x0807060504030201u);
    lf_put_be32(p, 0xfffefdfcu);
    assert_memory_equal(p, "\xff\xfe\xfd\xfc", 4);
    assert_true(lf_get_be32(p) == 0xfffefdfcu && lf_get_le32(p) == 0xfcfdfeffu);
    lf_put_be16(p, 0xff01);
    assert_memory_equal(p, "\xff\x01", 2);
    assert_true(lf_get_be16(p) == 0xff01 && lf_get_le16(p) == 0x01ff);
    lf_put_le16(p, 0xff01);
    lf_put_le32(p + 2, 0x80000000u);
    assert_memory_equal(p, "\x01\xff\x00\x00\x00\x80", 6);
    lf_put_be64(p, UINT64_MAX - 1);
    assert_true(lf_get_be64(p) == UINT64_MAX - 1);
}

static void views_compare_by_content(void **state) {
    (void)state;
    assert_true(lf_bytes_equal(lf_bytes(NULL, 0), lf_bytes("x", 0)));
    assert_true(lf_bytes_equal(lf_bytes_text("ab"), lf_bytes("abc", 2)));
    assert_false(lf_bytes_equal(lf_bytes_text("ab"), lf_bytes_text("abc")));
    assert_false(lf_bytes_equal(lf_bytes_text("ab"), lf_bytes_text("ac")));
}

static void a_copy_is_its_own(void **state) {
    (void)state;
    char text[] = "hello";
    struct lf_buf *buf = lf_buf_copy(lf_bytes_text(text));
    assert_non_null(buf);
    text[0] = 'j';
    assert_true(lf_bytes_equal(lf_buf_bytes(buf), lf_bytes_text("hello")));
    lf_buf_unref(&buf);
    assert_null(buf);
    buf = lf_buf_copy(lf_bytes(NULL, 0));
    assert_int_equal(buf->size, 0);
    lf_buf_unref(&buf);
}

static void the_last_reference_frees(void **state) {
    (void)state;
    struct lf_buf *buf = lf_buf_new(100), *other = lf_buf_ref(buf);
    assert_ptr_equal(buf, other);
    lf_buf_unref(&buf);
    other->data[99] = 1; /* still there: ASan would say otherwise */
    lf_buf_unref(&other);
    lf_buf_unref(&other); /* NULL inside */
}

static void foreign_memory_is_released_once_by_the_last(void **state) {
    (void)state;
    static const char text[] = "not ours";
    released = 0;
    struct lf_buf *buf = lf_buf_new_foreign(text, sizeof text, on_release, &released), *other = lf_buf_ref(buf);
    assert_ptr_equal(lf_buf_bytes(buf).data, text);
    lf_buf_unref(&buf);
    assert_int_equal(released, 0);
    lf_buf_unref(&other);
    assert_int_equal(released, 1);
    assert_ptr_equal(released_owner, &released);
}

static void sizes_beyond_32_bits_are_refused(void **state) {
    (void)state;
    released = 0;
    assert_null(lf_buf_new((size_t)UINT32_MAX + 1));
    assert_null(lf_buf_new_foreign("", (size_t)UINT32_MAX + 1, on_release, NULL));
    assert_int_equal(released, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_where_the_byte_order_says),
        cmocka_unit_test(views_compare_by_content),
        cmocka_unit_test(a_copy_is_its_own),
        cmocka_unit_test(the_last_reference_frees),
        cmocka_unit_test(foreign_memory_is_released_once_by_the_last),
        cmocka_unit_test(sizes_beyond_32_bits_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
