/** Batches that compaction passed over: fewer records, each at its own offset, and bytes that depend on nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lz4frame.h>
#include <stdio.h>
#include <stdlib.h>

#include "batch_pack.h"
#include "batches.h"
#include "lf_crc32c.h"

static const enum lf_codec codecs[] = {LF_CODEC_NONE, LF_CODEC_LZ4, LF_CODEC_ZSTD};
#define CODECS 3
#define RECORDS 40

static const struct lf_record *many_records(void) {
    static struct lf_record records[RECORDS];
    static char keys[RECORDS][16];
    for (int i = 0; i < RECORDS; i++) {
        int size = snprintf(keys[i], sizeof keys[i], "key-%d", i);
        records[i] = (struct lf_record){.timestamp_ms = 1000 + i,
                                        .key = lf_bytes(keys[i], (size_t)size),
                                        .value = lf_bytes_text("the same value in all of them, the same value")};
    }
    return records;
}

/** `batch` with only the records whose bit is set (caller unrefs). */
static struct lf_buf *thin(const struct lf_buf *batch, uint64_t keep) {
    struct lf_batch_reader *reader;
    struct lf_record record;
    int32_t count = 0;
    assert_int_equal(lf_batch_reader_new(lf_buf_bytes(batch), NULL, &reader, NULL), LF_OK);
    size_t all = lf_batch_reader_bytes(reader), size = 0;
    uint8_t *records = malloc(all);
    while (lf_batch_reader_next(reader, &record) == LF_OK) {
        struct lf_bytes raw = lf_batch_reader_raw(reader);
        int64_t delta = record.offset - lf_batch_reader_header(reader)->base_offset;
        if (!(keep >> delta & 1))
            continue;
        memcpy(records + size, raw.data, raw.size);
        size += raw.size;
        count++;
    }
    lf_batch_reader_destroy(&reader);
    struct lf_buf *out = lf_buf_new(LF_BATCH_HEADER_BYTES + size);
    out->size = (uint32_t)lf_batch_thin(lf_buf_bytes(batch), lf_bytes(records, size), count, out->data);
    free(records);
    return out;
}

static void records_that_stay_keep_offset_time_and_bytes(void **state) {
    (void)state;
    const uint64_t keeps[] = {1, 1ull << (RECORDS - 1), 0x5555555555ull, 0x8000000001ull, 0x00ff00ff00ull};
    for (size_t c = 0; c < CODECS; c++)
        for (size_t k = 0; k < sizeof keeps / sizeof keeps[0]; k++) {
            const struct lf_record *records = many_records();
            struct lf_buf *batch = batch_of(codecs[c], records, RECORDS);
            lf_batch_set_producer(batch, 7, 3, 11);
            lf_batch_stamp(batch->data, 500, 9);
            struct lf_buf *left = thin(batch, keeps[k]);
            struct lf_batch_header before, after;
            assert_int_equal(lf_batch_header_decode(lf_buf_bytes(batch), &before), LF_OK);
            assert_int_equal(lf_batch_verify_kept(lf_buf_bytes(left), NULL, &after, NULL), LF_OK);
            assert_true(left->size < batch->size || codecs[c] != LF_CODEC_NONE);
            assert_int_equal(after.base_offset, 500);
            assert_int_equal(after.leader_epoch, 9);
            assert_int_equal(after.last_offset_delta, RECORDS - 1);
            assert_int_equal(after.base_timestamp_ms, before.base_timestamp_ms);
            assert_int_equal(after.max_timestamp_ms, before.max_timestamp_ms);
            assert_int_equal(after.producer_id, 7);
            assert_int_equal(after.producer_epoch, 3);
            assert_int_equal(after.base_sequence, 11);
            assert_int_equal(after.record_count, __builtin_popcountll(keeps[k]));
            struct lf_batch_reader *reader;
            struct lf_record record;
            assert_int_equal(lf_batch_reader_new(lf_buf_bytes(left), NULL, &reader, NULL), LF_OK);
            for (int i = 0; i < RECORDS; i++) {
                if (!(keeps[k] >> i & 1))
                    continue;
                assert_int_equal(lf_batch_reader_next(reader, &record), LF_OK);
                assert_int_equal(record.offset, 500 + i);
                assert_int_equal(record.timestamp_ms, records[i].timestamp_ms);
                assert_true(lf_bytes_equal(record.key, records[i].key));
                assert_true(lf_bytes_equal(record.value, records[i].value));
            }
            assert_int_equal(lf_batch_reader_next(reader, &record), LF_END);
            lf_batch_reader_destroy(&reader);
            lf_buf_unref(&left);
            lf_buf_unref(&batch);
        }
}

static void a_thinned_batch_can_be_thinned_again(void **state) {
    (void)state;
    for (size_t c = 0; c < CODECS; c++) {
        struct lf_buf *batch = batch_of(codecs[c], many_records(), RECORDS);
        struct lf_buf *once = thin(batch, 0x0f0f0f0f0full);
        struct lf_buf *twice = thin(once, 0x0303030303ull);
        struct lf_buf *at_once = thin(batch, 0x0303030303ull);
        assert_int_equal(twice->size, at_once->size);
        assert_memory_equal(twice->data, at_once->data, twice->size);
        lf_buf_unref(&batch);
        lf_buf_unref(&once);
        lf_buf_unref(&twice);
        lf_buf_unref(&at_once);
    }
}

static void the_door_takes_no_batch_with_holes(void **state) {
    (void)state;
    struct lf_buf *batch = batch_of(LF_CODEC_NONE, many_records(), RECORDS);
    struct lf_buf *left = thin(batch, 6);
    struct lf_batch_header header;
    assert_int_equal(lf_batch_verify(lf_buf_bytes(left), NULL, &header, NULL), LF_MALFORMED);
    assert_int_equal(lf_batch_verify_kept(lf_buf_bytes(left), NULL, &header, NULL), LF_OK);
    lf_buf_unref(&left);
    lf_buf_unref(&batch);
}

static void more_records_than_offsets_are_malformed_everywhere(void **state) {
    (void)state;
    struct lf_buf *batch = batch_of(LF_CODEC_NONE, many_records(), RECORDS);
    struct lf_batch_header header;
    lf_put_be32(batch->data + 23, RECORDS - 2);
    batch_sum_up(batch);
    assert_int_equal(lf_batch_verify_kept(lf_buf_bytes(batch), NULL, &header, NULL), LF_MALFORMED);
    assert_int_equal(read_all(lf_buf_bytes(batch), NULL, NULL), LF_MALFORMED);
    lf_buf_unref(&batch);
}

/** A record without key and value at this offset delta. */
static void write_empty_record(struct writer *records, int64_t delta) {
    struct writer body = {.size = 0};
    write_byte(&body, 0);
    write_varint(&body, 0);
    write_varint(&body, delta);
    write_varint(&body, -1);
    write_varint(&body, -1);
    write_varint(&body, 0);
    write_record(records, &body);
}

static enum lf_status read_deltas(int64_t first, int64_t second, int32_t last_delta) {
    struct writer records = {.size = 0};
    write_empty_record(&records, first);
    write_empty_record(&records, second);
    struct lf_buf *batch = batch_around(LF_CODEC_NONE, 2, lf_bytes(records.bytes, records.size));
    lf_put_be32(batch->data + 23, (uint32_t)last_delta);
    batch_sum_up(batch);
    enum lf_status status = read_all(lf_buf_bytes(batch), NULL, NULL);
    lf_buf_unref(&batch);
    return status;
}

static void offsets_in_a_batch_rise_and_end_with_the_last_delta(void **state) {
    (void)state;
    assert_int_equal(read_deltas(0, 1, 1), LF_END);
    assert_int_equal(read_deltas(3, 7, 9), LF_END);
    assert_int_equal(read_deltas(3, 9, 9), LF_END);
    assert_int_equal(read_deltas(3, 10, 9), LF_MALFORMED);
    assert_int_equal(read_deltas(3, 3, 9), LF_MALFORMED);
    assert_int_equal(read_deltas(7, 3, 9), LF_MALFORMED);
    assert_int_equal(read_deltas(-1, 3, 9), LF_MALFORMED);
    assert_int_equal(read_deltas(1, 0, 1), LF_MALFORMED);
    assert_int_equal(read_deltas(5, INT32_MAX, INT32_MAX), LF_END);
    assert_int_equal(read_deltas(INT32_MAX, INT32_MAX, INT32_MAX), LF_MALFORMED);
}

static void expect_unpacks(struct lf_bytes in) {
    uint8_t *packed = malloc(in.size + 1), *again = malloc(in.size + 1);
    size_t size = lf_batch_pack(in, packed);
    assert_true(size == 0 || size < in.size);
    if (size > 0) {
        LZ4F_dctx *context;
        size_t room = in.size + 1, taken = size;
        assert_false(LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
        size_t total = 0, at = 0, hint = 1;
        while (hint != 0) {
            room = in.size + 1 - total;
            taken = size - at;
            hint = LZ4F_decompress(context, again + total, &room, packed + at, &taken, NULL);
            assert_false(LZ4F_isError(hint));
            assert_true(room + taken > 0);
            total += room;
            at += taken;
        }
        LZ4F_freeDecompressionContext(context);
        assert_int_equal(at, size);
        assert_int_equal(total, in.size);
        assert_memory_equal(again, in.data, in.size);
    }
    free(packed);
    free(again);
}

static void liblz4_unpacks_what_we_pack(void **state) {
    (void)state;
    uint64_t seed = 42;
    for (int round = 0; round < 400; round++) {
        size_t size = random_next(&seed) % (round % 10 == 0 ? 300000 : 3000);
        uint8_t *bytes = malloc(size + 1);
        uint64_t letters = 1 + random_next(&seed) % 255, run = 1 + random_next(&seed) % 300;
        for (size_t i = 0; i < size;) {
            bool again = i > 20 && random_next(&seed) % 3 > 0;
            size_t from = again ? random_next(&seed) % i : 0;
            for (size_t n = random_next(&seed) % run + 1; n > 0 && i < size; n--, i++)
                bytes[i] = again ? bytes[from++] : (uint8_t)(random_next(&seed) % letters);
        }
        expect_unpacks(lf_bytes(bytes, size));
        free(bytes);
    }
    for (size_t size = 0; size < 200; size++) { /* the ends of the format */
        uint8_t zeroes[200] = {0};
        expect_unpacks(lf_bytes(zeroes, size));
    }
}

/* On disks of clusters in use: these numbers must never change. */
static void the_packed_bytes_are_fixed_for_ever(void **state) {
    (void)state;
    size_t size = 0;
    uint8_t *text = malloc(200100), *packed = malloc(200100);
    uint64_t seed = 7;
    while (size < 200000) /* four blocks, the last one short */
        size += (size_t)snprintf((char *)text + size, 100, "{\"user\": %u, \"page\": \"/shop/%u\", \"ms\": %u}",
                                 (unsigned)(random_next(&seed) % 1000), (unsigned)(random_next(&seed) % 50),
                                 (unsigned)(random_next(&seed) % 100000));
    size_t bytes = lf_batch_pack(lf_bytes(text, size), packed);
    assert_int_equal(bytes, 57391);
    assert_int_equal(lf_crc32c(0, packed, bytes), 0x1f63b0b1);
    free(text);
    free(packed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_that_stay_keep_offset_time_and_bytes),
        cmocka_unit_test(a_thinned_batch_can_be_thinned_again),
        cmocka_unit_test(the_door_takes_no_batch_with_holes),
        cmocka_unit_test(more_records_than_offsets_are_malformed_everywhere),
        cmocka_unit_test(offsets_in_a_batch_rise_and_end_with_the_last_delta),
        cmocka_unit_test(liblz4_unpacks_what_we_pack),
        cmocka_unit_test(the_packed_bytes_are_fixed_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
