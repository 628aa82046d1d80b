/** Batches that are damaged, cut, or lie about their insides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "batches.h"

static const enum lf_codec codecs[] = {LF_CODEC_NONE, LF_CODEC_LZ4, LF_CODEC_ZSTD};
#define CODECS 3

static enum lf_status verify(struct lf_bytes batch) {
    struct lf_batch_header header;
    return lf_batch_verify(batch, NULL, &header, NULL);
}

/* Base offset and leader epoch are outside the CRC, since the leader gives them: the entry's checksum covers those. */
static bool outside_the_sum(size_t at) { return at < 8 || (at >= 12 && at < 16); }

static void no_flipped_bit_becomes_other_content(void **state) {
    (void)state;
    for (size_t c = 0; c < CODECS; c++) {
        struct lf_buf *batch = batch_of(codecs[c], sample_records(), SAMPLE_RECORDS);
        for (size_t bit = 0; bit < batch->size * 8; bit++) {
            batch->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (outside_the_sum(bit / 8))
                assert_holds(lf_buf_bytes(batch), (int64_t)lf_get_be64(batch->data), sample_records(), SAMPLE_RECORDS);
            else
                assert_int_not_equal(verify(lf_buf_bytes(batch)), LF_OK);
            batch->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        lf_buf_unref(&batch);
    }
}

static void no_changed_byte_becomes_other_content(void **state) {
    (void)state;
    struct lf_buf *batch = batch_of(LF_CODEC_NONE, sample_records(), SAMPLE_RECORDS);
    for (size_t at = 0; at < batch->size; at++)
        for (int change = 1; change < 256; change++) {
            batch->data[at] ^= (uint8_t)change;
            assert_int_equal(verify(lf_buf_bytes(batch)) == LF_OK, outside_the_sum(at));
            batch->data[at] ^= (uint8_t)change;
        }
    lf_buf_unref(&batch);
}

static void a_batch_cut_anywhere_or_followed_by_a_byte_is_malformed(void **state) {
    (void)state;
    for (size_t c = 0; c < CODECS; c++) {
        struct lf_buf *batch = batch_of(codecs[c], sample_records(), SAMPLE_RECORDS);
        for (size_t size = 0; size <= batch->size + 1u; size++) {
            uint8_t *cut = malloc(size + 1);
            memset(cut, 0, size + 1);
            memcpy(cut, batch->data, size < batch->size ? size : batch->size);
            uint8_t *exact = exact_copy(lf_bytes(cut, size));
            enum lf_status expected = size == batch->size ? LF_OK : LF_MALFORMED;
            assert_int_equal(verify(lf_bytes(exact, size)), expected);
            assert_int_equal(read_all(lf_bytes(exact, size), NULL, NULL), expected == LF_OK ? LF_END : expected);
            free(exact);
            free(cut);
        }
        lf_buf_unref(&batch);
    }
}

/* The length field and the CRC made right again: only the insides are short. */
static void records_cut_anywhere_under_a_right_header_never_come_back_whole(void **state) {
    (void)state;
    for (size_t c = 0; c < CODECS; c++) {
        struct lf_buf *batch = batch_of(codecs[c], sample_records(), SAMPLE_RECORDS);
        struct lf_bytes records = lf_bytes(batch->data + LF_BATCH_HEADER_BYTES, batch->size - LF_BATCH_HEADER_BYTES);
        for (size_t size = 0; size < records.size; size++) {
            struct lf_buf *cut = batch_around((uint16_t)codecs[c], SAMPLE_RECORDS, lf_bytes(records.data, size));
            uint8_t *exact = exact_copy(lf_buf_bytes(cut));
            enum lf_status status = read_all(lf_bytes(exact, cut->size), NULL, NULL);
            assert_true(status == LF_MALFORMED || status == LF_CORRUPT);
            free(exact);
            lf_buf_unref(&cut);
        }
        lf_buf_unref(&batch);
    }
}

/* A producer that lies with a right CRC: whatever it says, reading ends, inside the bytes, within the count. */
static void any_byte_changed_under_a_right_checksum_is_survived(void **state) {
    (void)state;
    for (size_t c = 0; c < CODECS; c++) {
        struct lf_buf *batch = batch_of(codecs[c], sample_records(), SAMPLE_RECORDS);
        struct lf_batch_limits limits = {.uncompressed_bytes_max = 64 * 1024};
        for (size_t at = 21; at < batch->size; at++)
            for (int change = 1; change < 256; change++) {
                struct lf_buf *lie = lf_buf_copy(lf_buf_bytes(batch));
                int32_t count;
                lie->data[at] ^= (uint8_t)change;
                batch_sum_up(lie);
                enum lf_status status = read_all(lf_buf_bytes(lie), &limits, &count);
                assert_true(status == LF_END || status == LF_MALFORMED || status == LF_CORRUPT ||
                            status == LF_TOO_LARGE || status == LF_UNSUPPORTED);
                assert_true(count <= SAMPLE_RECORDS);
                lf_buf_unref(&lie);
            }
        lf_buf_unref(&batch);
    }
}

static enum lf_status verify_with(size_t at, uint32_t be32, size_t at_other, uint32_t be32_other) {
    struct lf_buf *batch = batch_of(LF_CODEC_NONE, sample_records(), SAMPLE_RECORDS);
    lf_put_be32(batch->data + at, be32);
    lf_put_be32(batch->data + at_other, be32_other);
    batch_sum_up(batch);
    enum lf_status status = verify(lf_buf_bytes(batch));
    lf_buf_unref(&batch);
    return status;
}

static void a_last_offset_delta_that_is_not_count_less_one_is_malformed(void **state) {
    (void)state;
    assert_int_equal(verify_with(23, SAMPLE_RECORDS - 1, 57, SAMPLE_RECORDS), LF_OK);
    assert_int_equal(verify_with(23, SAMPLE_RECORDS, 57, SAMPLE_RECORDS), LF_MALFORMED);
    assert_int_equal(verify_with(23, SAMPLE_RECORDS - 2, 57, SAMPLE_RECORDS), LF_MALFORMED);
    assert_int_equal(verify_with(23, UINT32_MAX, 57, 0), LF_MALFORMED);           /* -1 and none */
    assert_int_equal(verify_with(23, 0x7fffffff, 57, 0x80000000u), LF_MALFORMED); /* wraps around */
    assert_int_equal(verify_with(23, 0x80000000u, 57, 0x80000001u), LF_MALFORMED);
}

static void counts_beyond_the_bytes_or_the_limit_are_refused_unread(void **state) {
    (void)state;
    assert_int_equal(verify_with(23, 99999, 57, 100000), LF_MALFORMED);
    assert_int_equal(verify_with(23, 100000, 57, 100001), LF_TOO_LARGE);
    assert_int_equal(verify_with(23, 0x7ffffffe, 57, 0x7fffffff), LF_TOO_LARGE);
}

static void a_compressed_batch_with_fewer_or_more_records_than_said_is_malformed(void **state) {
    (void)state;
    for (size_t c = 0; c < CODECS; c++)
        for (int32_t says = 1; says < 12; says++) {
            struct lf_buf *batch = batch_of(codecs[c], sample_records(), SAMPLE_RECORDS);
            lf_put_be32(batch->data + 23, (uint32_t)says - 1);
            lf_put_be32(batch->data + 57, (uint32_t)says);
            batch_sum_up(batch);
            int32_t count = 0;
            enum lf_status status = read_all(lf_buf_bytes(batch), NULL, &count);
            assert_int_equal(status, says == SAMPLE_RECORDS ? LF_END : LF_MALFORMED);
            if (codecs[c] != LF_CODEC_NONE)
                assert_int_equal(count, says < SAMPLE_RECORDS ? says : SAMPLE_RECORDS);
            lf_buf_unref(&batch);
        }
}

static void other_magics_and_codecs_are_unsupported(void **state) {
    (void)state;
    struct lf_buf *batch = batch_of(LF_CODEC_NONE, sample_records(), SAMPLE_RECORDS);
    for (int magic = 0; magic < 256; magic++) {
        batch->data[16] = (uint8_t)magic;
        assert_int_equal(verify(lf_buf_bytes(batch)), magic == 2 ? LF_OK : LF_UNSUPPORTED);
    }
    batch->data[16] = 2;
    for (uint8_t codec = 0; codec < 8; codec++) {
        batch->data[22] = codec;
        batch_sum_up(batch);
        bool ours = codec == LF_CODEC_NONE || codec == LF_CODEC_LZ4 || codec == LF_CODEC_ZSTD;
        assert_int_equal(verify(lf_buf_bytes(batch)), ours ? LF_OK : LF_UNSUPPORTED);
    }
    lf_buf_unref(&batch);
}

static void a_producer_that_contradicts_itself_is_malformed(void **state) {
    (void)state;
    static const struct {
        int64_t id;
        int16_t epoch;
        int32_t sequence;
        enum lf_status expected;
    } cases[] = {
        {-1, -1, -1, LF_OK},        {0, 0, 0, LF_OK},
        {1, -1, -1, LF_MALFORMED},  {-1, 0, -1, LF_MALFORMED},
        {-1, -1, 0, LF_MALFORMED},  {1, 0, -1, LF_MALFORMED},
        {1, -1, 0, LF_MALFORMED},   {-1, 0, 0, LF_MALFORMED},
        {-2, -1, -1, LF_MALFORMED}, {INT64_MAX, INT16_MAX, INT32_MAX, LF_OK},
    };
    struct lf_buf *batch = batch_of(LF_CODEC_NONE, sample_records(), SAMPLE_RECORDS);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lf_batch_set_producer(batch, cases[i].id, cases[i].epoch, cases[i].sequence);
        assert_int_equal(verify(lf_buf_bytes(batch)), cases[i].expected);
    }
    lf_buf_unref(&batch);
}

static void a_batch_above_the_byte_limit_is_too_large(void **state) {
    (void)state;
    struct lf_buf *batch = batch_of(LF_CODEC_NONE, sample_records(), SAMPLE_RECORDS);
    struct lf_batch_header header;
    struct lf_batch_limits limits = {.batch_bytes_max = batch->size};
    struct lf_error error;
    assert_int_equal(lf_batch_verify(lf_buf_bytes(batch), &limits, &header, &error), LF_OK);
    limits.batch_bytes_max--;
    assert_int_equal(lf_batch_verify(lf_buf_bytes(batch), &limits, &header, &error), LF_TOO_LARGE);
    assert_int_equal(error.code, LF_TOO_LARGE);
    lf_buf_unref(&batch);
}

/* ---- records written by hand: padded so that the door lets them in ---- */

/* A single record of these body bytes, read under the default limits. */
static enum lf_status read_body(const struct writer *body) {
    struct writer records = {0};
    write_record(&records, body);
    struct lf_buf *batch = batch_around(0, 1, lf_bytes(records.bytes, records.size));
    uint8_t *exact = exact_copy(lf_buf_bytes(batch));
    enum lf_status status = read_all(lf_bytes(exact, batch->size), NULL, NULL);
    free(exact);
    lf_buf_unref(&batch);
    return status;
}

/* attributes, timestamp delta 0, offset delta 0 */
static struct writer begin_body(void) {
    struct writer body = {0};
    write_byte(&body, 0);
    write_varint(&body, 0);
    write_varint(&body, 0);
    return body;
}

static void write_raw(struct writer *writer, size_t count, uint8_t byte, uint8_t last) {
    for (size_t i = 0; i + 1 < count; i++)
        write_byte(writer, byte);
    write_byte(writer, last);
}

static void varints_that_are_too_long_or_too_large_are_malformed(void **state) {
    (void)state;
    static const struct {
        size_t bytes;
        uint8_t last;
        enum lf_status expected;
    } cases[] = {{10, 0x01, LF_END},       /* the largest number: a timestamp delta */
                 {10, 0x02, LF_MALFORMED}, /* one bit more */
                 {10, 0x7f, LF_MALFORMED}, {11, 0x00, LF_MALFORMED}, {40, 0x00, LF_MALFORMED},
                 {9, 0x7f, LF_END},        {2, 0x00, LF_END}}; /* a longer way to say it is taken */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct writer body = {0};
        write_byte(&body, 0);
        write_raw(&body, cases[i].bytes, 0xff, cases[i].last);
        write_varint(&body, 0); /* offset delta */
        write_varint(&body, -1);
        write_varint(&body, -1);
        write_varint(&body, 0);
        assert_int_equal(read_body(&body), cases[i].expected);
    }
}

static void lengths_beyond_the_record_are_malformed(void **state) {
    (void)state;
    static const int64_t sizes[] = {-2,        3,         100,       INT32_MAX,       (int64_t)INT32_MAX + 1,
                                    INT64_MAX, INT32_MIN, INT64_MIN, (int64_t)1 << 32};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct writer key = begin_body(), value = begin_body(), header_key = begin_body(), header_value = begin_body();
        write_varint(&key, sizes[i]);
        write_text(&key, "ab");
        assert_int_equal(read_body(&key), LF_MALFORMED);
        write_varint(&value, -1);
        write_varint(&value, sizes[i]);
        write_text(&value, "ab");
        assert_int_equal(read_body(&value), LF_MALFORMED);
        write_varint(&header_key, -1);
        write_varint(&header_key, -1);
        header_value = header_key;
        write_varint(&header_key, 1);
        write_varint(&header_key, sizes[i]);
        write_text(&header_key, "ab");
        assert_int_equal(read_body(&header_key), LF_MALFORMED);
        write_varint(&header_value, 1);
        write_varint(&header_value, 0);
        write_varint(&header_value, sizes[i]);
        write_text(&header_value, "ab");
        assert_int_equal(read_body(&header_value), LF_MALFORMED);
    }
}

static void a_header_without_a_key_is_malformed(void **state) {
    (void)state;
    struct writer body = begin_body();
    write_varint(&body, -1);
    write_varint(&body, -1);
    write_varint(&body, 1);
    write_varint(&body, -1);
    write_varint(&body, -1);
    assert_int_equal(read_body(&body), LF_MALFORMED);
}

static void header_counts_are_bounded_before_anything_is_allocated(void **state) {
    (void)state;
    static const struct {
        int64_t count;
        enum lf_status expected;
    } cases[] = {{-1, LF_MALFORMED},        {1, LF_MALFORMED},         {INT32_MAX, LF_MALFORMED},
                 {INT64_MAX, LF_MALFORMED}, {INT64_MIN, LF_MALFORMED}, {0, LF_END}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct writer body = begin_body();
        write_varint(&body, -1);
        write_varint(&body, -1);
        write_varint(&body, cases[i].count);
        assert_int_equal(read_body(&body), cases[i].expected);
    }
    for (int count = 64; count <= 65; count++) {
        struct writer body = begin_body();
        write_varint(&body, -1);
        write_varint(&body, -1);
        write_varint(&body, count);
        for (int i = 0; i < count; i++) {
            write_varint(&body, 0);
            write_varint(&body, -1);
        }
        assert_int_equal(read_body(&body), count == 64 ? LF_END : LF_TOO_LARGE);
    }
}

static void bytes_after_the_headers_of_a_record_are_malformed(void **state) {
    (void)state;
    struct writer body = begin_body();
    write_varint(&body, -1);
    write_varint(&body, -1);
    write_varint(&body, 0);
    assert_int_equal(read_body(&body), LF_END);
    write_byte(&body, 0);
    assert_int_equal(read_body(&body), LF_MALFORMED);
}

static void offset_deltas_that_do_not_count_up_are_malformed(void **state) {
    (void)state;
    static const int64_t deltas[] = {-1, 1, INT32_MAX, INT32_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof deltas / sizeof deltas[0]; i++) {
        struct writer body = {0};
        write_byte(&body, 0);
        write_varint(&body, 0);
        write_varint(&body, deltas[i]);
        write_varint(&body, -1);
        write_varint(&body, -1);
        write_varint(&body, 0);
        assert_int_equal(read_body(&body), LF_MALFORMED);
    }
}

static void record_lengths_that_lie_are_malformed(void **state) {
    (void)state;
    static const int64_t sizes[] = {0, -1, 1, 5, 7, 100, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct writer records = {0};
        write_varint(&records, sizes[i]);
        for (int rest = 0; rest < 3; rest++)
            write_byte(&records, 0);
        write_varint(&records, -1);
        write_varint(&records, -1);
        write_varint(&records, 0);
        struct lf_buf *batch = batch_around(0, 1, lf_bytes(records.bytes, records.size));
        assert_int_equal(read_all(lf_buf_bytes(batch), NULL, NULL), LF_MALFORMED);
        lf_buf_unref(&batch);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_flipped_bit_becomes_other_content),
        cmocka_unit_test(no_changed_byte_becomes_other_content),
        cmocka_unit_test(a_batch_cut_anywhere_or_followed_by_a_byte_is_malformed),
        cmocka_unit_test(records_cut_anywhere_under_a_right_header_never_come_back_whole),
        cmocka_unit_test(any_byte_changed_under_a_right_checksum_is_survived),
        cmocka_unit_test(a_last_offset_delta_that_is_not_count_less_one_is_malformed),
        cmocka_unit_test(counts_beyond_the_bytes_or_the_limit_are_refused_unread),
        cmocka_unit_test(a_compressed_batch_with_fewer_or_more_records_than_said_is_malformed),
        cmocka_unit_test(other_magics_and_codecs_are_unsupported),
        cmocka_unit_test(a_producer_that_contradicts_itself_is_malformed),
        cmocka_unit_test(a_batch_above_the_byte_limit_is_too_large),
        cmocka_unit_test(varints_that_are_too_long_or_too_large_are_malformed),
        cmocka_unit_test(lengths_beyond_the_record_are_malformed),
        cmocka_unit_test(a_header_without_a_key_is_malformed),
        cmocka_unit_test(header_counts_are_bounded_before_anything_is_allocated),
        cmocka_unit_test(bytes_after_the_headers_of_a_record_are_malformed),
        cmocka_unit_test(offset_deltas_that_do_not_count_up_are_malformed),
        cmocka_unit_test(record_lengths_that_lie_are_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
