/** What is built comes back, with every codec; and what the builder refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "batches.h"

static const enum lf_codec codecs[] = {LF_CODEC_NONE, LF_CODEC_LZ4, LF_CODEC_ZSTD};
#define CODECS 3

static struct lf_batch_header header_of(const struct lf_buf *batch) {
    struct lf_batch_header header;
    struct lf_batch_limits limits = {.batch_bytes_max = 64u << 20};
    assert_int_equal(lf_batch_verify(lf_buf_bytes(batch), &limits, &header, NULL), LF_OK);
    return header;
}

static void records_come_back_as_they_went_in(void **state) {
    (void)state;
    for (size_t i = 0; i < CODECS; i++) {
        struct lf_buf *batch = batch_of(codecs[i], sample_records(), SAMPLE_RECORDS);
        struct lf_batch_header header = header_of(batch);
        assert_int_equal(header.attributes, codecs[i]);
        assert_int_equal(header.record_count, SAMPLE_RECORDS);
        assert_int_equal(header.last_offset_delta, SAMPLE_RECORDS - 1);
        assert_int_equal(header.base_timestamp_ms, 1700000000000);
        assert_int_equal(header.max_timestamp_ms, 1700000000123);
        assert_int_equal(header.base_offset, 0);
        assert_int_equal(header.leader_epoch, -1);
        assert_int_equal(header.batch_length, batch->size - 12);
        assert_int_equal(header.producer_id, -1);
        assert_int_equal(header.producer_epoch, -1);
        assert_int_equal(header.base_sequence, -1);
        assert_holds(lf_buf_bytes(batch), 0, sample_records(), SAMPLE_RECORDS);
        lf_buf_unref(&batch);
    }
}

/* Byte by byte from the table in lf_record_batch.h, worked out by hand. */
static void the_bytes_of_one_record_are_those_of_the_table(void **state) {
    (void)state;
    struct lf_record_header header = {.key = lf_bytes_text("h"), .value = lf_bytes(NULL, 0)};
    struct lf_record record = {.timestamp_ms = 1,
                               .key = lf_bytes(NULL, 0),
                               .value = lf_bytes_text("ab"),
                               .headers = &header,
                               .header_count = 1};
    struct lf_buf *batch = batch_of(LF_CODEC_NONE, &record, 1);
    static const uint8_t records[] = {
        11 << 1,                                                 /* length */
        0,       0, 0, 1, 2 << 1, 'a', 'b', 1 << 1, 1 << 1, 'h', /* attributes, deltas, null key, value, headers */
        1                                                        /* null value */
    };
    assert_int_equal(batch->size, LF_BATCH_HEADER_BYTES + sizeof records);
    assert_memory_equal(batch->data + LF_BATCH_HEADER_BYTES, records, sizeof records);
    static const uint8_t front[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 61, 0xff, 0xff, 0xff, 0xff, 2};
    assert_memory_equal(batch->data, front, sizeof front);
    lf_buf_unref(&batch);
}

static void values_of_no_bytes_and_of_a_megabyte_come_back(void **state) {
    (void)state;
    static uint8_t bytes[1024 * 1024];
    for (int random = 0; random < 2; random++) {
        if (random)
            random_fill(bytes, sizeof bytes, 5);
        struct lf_record records[] = {{.value = lf_bytes(bytes, 0)},
                                      {.value = lf_bytes(bytes, sizeof bytes)},
                                      {.value = lf_bytes(bytes, sizeof bytes), .key = lf_bytes(bytes, 64 * 1024)},
                                      {.value = lf_bytes(bytes, 0)}};
        for (size_t i = 0; i < CODECS; i++) {
            struct lf_buf *batch = batch_of(codecs[i], records, 4);
            assert_holds(lf_buf_bytes(batch), 0, records, 4);
            lf_buf_unref(&batch);
        }
    }
}

static void a_megabyte_with_a_large_key_fits_the_default_limits(void **state) {
    (void)state;
    static uint8_t bytes[1024 * 1024];
    random_fill(bytes, sizeof bytes, 6);
    struct lf_record record = {.value = lf_bytes(bytes, sizeof bytes), .key = lf_bytes(bytes, 64 * 1024)};
    for (size_t i = 0; i < CODECS; i++) {
        struct lf_batch_builder *builder = lf_batch_builder_new(codecs[i], NULL);
        struct lf_buf *batch;
        assert_int_equal(lf_batch_builder_add(builder, &record), LF_OK);
        assert_int_equal(lf_batch_builder_finish(builder, &batch), LF_OK);
        assert_int_equal(read_all(lf_buf_bytes(batch), NULL, NULL), LF_END);
        assert_holds(lf_buf_bytes(batch), 0, &record, 1);
        lf_buf_unref(&batch);
        lf_batch_builder_destroy(&builder);
    }
}

static void timestamps_of_any_distance_come_back(void **state) {
    (void)state;
    static const int64_t times[] = {0, INT64_MAX, INT64_MIN, -1, 1, INT64_MAX - 1, INT64_MIN + 1};
    for (size_t first = 0; first < 7; first++) {
        struct lf_record records[8] = {0};
        for (size_t i = 0; i < 8; i++)
            records[i].timestamp_ms = times[(first + i) % 7];
        struct lf_buf *batch = batch_of(LF_CODEC_NONE, records, 8);
        assert_int_equal(header_of(batch).base_timestamp_ms, times[first]);
        assert_int_equal(header_of(batch).max_timestamp_ms, INT64_MAX);
        assert_holds(lf_buf_bytes(batch), 0, records, 8);
        lf_buf_unref(&batch);
    }
}

static void random_records_come_back(void **state) {
    (void)state;
    static uint8_t bytes[2000];
    uint64_t seed = 11;
    random_fill(bytes, sizeof bytes / 2, seed); /* the other half compresses well */
    for (int round = 0; round < 300; round++) {
        struct lf_record records[50] = {0};
        struct lf_record_header headers[64];
        int32_t count = 1 + (int32_t)(random_next(&seed) % 50);
        for (int h = 0; h < 64; h++) {
            headers[h].key = lf_bytes(bytes + random_next(&seed) % 1000, random_next(&seed) % 20);
            headers[h].value = lf_bytes(random_next(&seed) % 3 ? bytes : NULL, 0);
            if (headers[h].value.data)
                headers[h].value.size = random_next(&seed) % 200;
        }
        for (int32_t i = 0; i < count; i++) {
            records[i].timestamp_ms = (int64_t)(random_next(&seed) % 100000);
            if (random_next(&seed) % 4)
                records[i].key = lf_bytes(bytes + random_next(&seed) % 1000, random_next(&seed) % 100);
            if (random_next(&seed) % 8)
                records[i].value = lf_bytes(bytes + random_next(&seed) % 1000, random_next(&seed) % 1000);
            records[i].headers = headers;
            records[i].header_count = random_next(&seed) % 3 ? 0 : (int32_t)(random_next(&seed) % 65);
        }
        struct lf_buf *batch = batch_of(codecs[round % CODECS], records, count);
        lf_batch_stamp(batch->data, round * 1000, round);
        assert_int_equal(header_of(batch).leader_epoch, round);
        assert_holds(lf_buf_bytes(batch), round * 1000, records, count);
        lf_buf_unref(&batch);
    }
}

static void a_stamp_changes_offset_and_epoch_and_no_checksum(void **state) {
    (void)state;
    struct lf_buf *batch = batch_of(LF_CODEC_ZSTD, sample_records(), SAMPLE_RECORDS);
    lf_batch_stamp(batch->data, INT64_MAX - SAMPLE_RECORDS, INT32_MAX);
    assert_int_equal(header_of(batch).base_offset, INT64_MAX - SAMPLE_RECORDS);
    assert_int_equal(header_of(batch).leader_epoch, INT32_MAX);
    assert_holds(lf_buf_bytes(batch), INT64_MAX - SAMPLE_RECORDS, sample_records(), SAMPLE_RECORDS);
    lf_buf_unref(&batch);
}

static void the_producer_is_in_the_header_and_can_be_renumbered(void **state) {
    (void)state;
    struct lf_batch_builder *builder = lf_batch_builder_new(LF_CODEC_LZ4, NULL);
    struct lf_buf *batch;
    lf_batch_builder_set_producer(builder, INT64_MAX, INT16_MAX, INT32_MAX);
    assert_int_equal(lf_batch_builder_add(builder, sample_records()), LF_OK);
    assert_int_equal(lf_batch_builder_finish(builder, &batch), LF_OK);
    struct lf_batch_header header = header_of(batch);
    assert_true(header.producer_id == INT64_MAX && header.producer_epoch == INT16_MAX);
    assert_int_equal(header.base_sequence, INT32_MAX);
    lf_batch_set_producer(batch, 12, 3, 0);
    header = header_of(batch);
    assert_true(header.producer_id == 12 && header.producer_epoch == 3 && header.base_sequence == 0);
    assert_holds(lf_buf_bytes(batch), 0, sample_records(), 1);
    lf_buf_unref(&batch);
    lf_batch_builder_destroy(&builder);
}

static void bytes_and_count_tell_what_finishing_will_give(void **state) {
    (void)state;
    struct lf_batch_builder *builder = lf_batch_builder_new(LF_CODEC_NONE, NULL);
    struct lf_buf *batch;
    assert_int_equal(lf_batch_builder_bytes(builder), LF_BATCH_HEADER_BYTES);
    for (int i = 0; i < SAMPLE_RECORDS; i++) {
        assert_int_equal(lf_batch_builder_count(builder), i);
        lf_batch_builder_add(builder, &sample_records()[i]);
    }
    size_t bytes = lf_batch_builder_bytes(builder);
    assert_int_equal(lf_batch_builder_finish(builder, &batch), LF_OK);
    assert_int_equal(batch->size, bytes);
    assert_int_equal(lf_batch_builder_count(builder), 0);
    assert_int_equal(lf_batch_builder_bytes(builder), LF_BATCH_HEADER_BYTES);
    lf_buf_unref(&batch);
    lf_batch_builder_destroy(&builder);
}

static void an_empty_builder_has_nothing_to_finish(void **state) {
    (void)state;
    struct lf_batch_builder *builder = lf_batch_builder_new(LF_CODEC_NONE, NULL);
    struct lf_buf *batch = NULL;
    assert_int_equal(lf_batch_builder_finish(builder, &batch), LF_INVALID);
    assert_null(batch);
    lf_batch_builder_destroy(&builder);
    assert_null(builder);
    lf_batch_builder_destroy(&builder);
}

/* Full is no loss: what was refused goes into the next batch of the same builder. */
static void a_full_builder_refuses_and_goes_on_after_finish(void **state) {
    (void)state;
    static uint8_t value[100];
    struct lf_batch_limits limits = {.batch_bytes_max = 1000};
    struct lf_record record = {.value = lf_bytes(value, sizeof value)};
    for (size_t c = 0; c < CODECS; c++) {
        struct lf_batch_builder *builder = lf_batch_builder_new(codecs[c], &limits);
        int32_t total = 0;
        for (int round = 0; round < 5; round++) {
            struct lf_buf *batch;
            while (lf_batch_builder_add(builder, &record) == LF_OK)
                total++;
            assert_int_equal(lf_batch_builder_add(builder, &record), LF_FULL);
            assert_in_range(lf_batch_builder_bytes(builder), 1000 - 109, 1000);
            assert_int_equal(lf_batch_builder_finish(builder, &batch), LF_OK);
            assert_true(batch->size <= 1000);
            int32_t read;
            assert_int_equal(read_all(lf_buf_bytes(batch), &limits, &read), LF_END);
            assert_int_equal(read, 8);
            lf_buf_unref(&batch);
        }
        assert_int_equal(total, 40);
        lf_batch_builder_destroy(&builder);
    }
}

static void the_number_of_records_is_bounded(void **state) {
    (void)state;
    struct lf_batch_limits limits = {.records_max = 3};
    struct lf_batch_builder *builder = lf_batch_builder_new(LF_CODEC_NONE, &limits);
    struct lf_record record = {0};
    for (int i = 0; i < 3; i++)
        assert_int_equal(lf_batch_builder_add(builder, &record), LF_OK);
    assert_int_equal(lf_batch_builder_add(builder, &record), LF_FULL);
    lf_batch_builder_destroy(&builder);
}

static void a_record_above_a_limit_is_too_large_and_one_at_it_is_not(void **state) {
    (void)state;
    static uint8_t bytes[300];
    struct lf_batch_limits limits = {
        .batch_bytes_max = 300, .key_bytes_max = 10, .value_bytes_max = 20, .headers_max = 2};
    struct lf_record_header headers[3];
    for (int i = 0; i < 3; i++)
        headers[i] = (struct lf_record_header){.key = lf_bytes(bytes, 1), .value = lf_bytes(bytes, 1)};
    struct lf_record fits = {
        .key = lf_bytes(bytes, 10), .value = lf_bytes(bytes, 20), .headers = headers, .header_count = 2};
    struct lf_record key = fits, value = fits, count = fits, negative = fits;
    key.key.size = 11;
    value.value.size = 21;
    count.header_count = 3;
    negative.header_count = -1;
    for (int before = 0; before < 2; before++) { /* alike in an empty and in a started batch */
        struct lf_batch_builder *builder = lf_batch_builder_new(LF_CODEC_NONE, &limits);
        if (before)
            assert_int_equal(lf_batch_builder_add(builder, &fits), LF_OK);
        assert_int_equal(lf_batch_builder_add(builder, &key), LF_TOO_LARGE);
        assert_int_equal(lf_batch_builder_add(builder, &value), LF_TOO_LARGE);
        assert_int_equal(lf_batch_builder_add(builder, &count), LF_TOO_LARGE);
        assert_int_equal(lf_batch_builder_add(builder, &negative), LF_TOO_LARGE);
        assert_int_equal(lf_batch_builder_add(builder, &fits), LF_OK);
        lf_batch_builder_destroy(&builder);
    }
    struct lf_batch_builder *builder = lf_batch_builder_new(LF_CODEC_NONE, &limits);
    headers[1].value.size = 230; /* beyond the batch by itself */
    assert_int_equal(lf_batch_builder_add(builder, &fits), LF_TOO_LARGE);
    headers[1].value.size = SIZE_MAX / 2;
    assert_int_equal(lf_batch_builder_add(builder, &fits), LF_TOO_LARGE);
    headers[1] = (struct lf_record_header){0};
    assert_int_equal(lf_batch_builder_add(builder, &fits), LF_INVALID);
    assert_int_equal(lf_batch_builder_count(builder), 0);
    lf_batch_builder_destroy(&builder);
}

/* Random bytes grow when compressed; the batch must still fit, so it goes uncompressed and says so. */
static void what_compression_would_push_over_the_limit_goes_uncompressed(void **state) {
    (void)state;
    static uint8_t value[900];
    random_fill(value, sizeof value, 17);
    struct lf_record record = {.value = lf_bytes(value, sizeof value)};
    struct lf_buf *plain = batch_of(LF_CODEC_NONE, &record, 1);
    struct lf_batch_limits limits = {.batch_bytes_max = plain->size};
    for (size_t c = 1; c < CODECS; c++) {
        struct lf_batch_builder *builder = lf_batch_builder_new(codecs[c], &limits);
        struct lf_buf *batch;
        assert_int_equal(lf_batch_builder_add(builder, &record), LF_OK);
        assert_int_equal(lf_batch_builder_finish(builder, &batch), LF_OK);
        assert_int_equal(header_of(batch).attributes, LF_CODEC_NONE);
        assert_true(lf_bytes_equal(lf_buf_bytes(batch), lf_buf_bytes(plain)));
        lf_buf_unref(&batch);
        lf_batch_builder_destroy(&builder);
    }
    lf_buf_unref(&plain);
}

static void assert_same_limits(struct lf_batch_limits a, struct lf_batch_limits b) {
    assert_int_equal(a.batch_bytes_max, b.batch_bytes_max);
    assert_int_equal(a.records_max, b.records_max);
    assert_int_equal(a.key_bytes_max, b.key_bytes_max);
    assert_int_equal(a.value_bytes_max, b.value_bytes_max);
    assert_int_equal(a.headers_max, b.headers_max);
    assert_int_equal(a.uncompressed_bytes_max, b.uncompressed_bytes_max);
}

static void limits_of_zero_are_the_defaults(void **state) {
    (void)state;
    struct lf_batch_limits zero = {0}, all = {1, 2, 3, 4, 5, 6}, headers = {.headers_max = 1};
    struct lf_batch_limits expected = lf_batch_limits_default();
    assert_same_limits(lf_batch_limits_resolve(&zero), expected);
    assert_same_limits(lf_batch_limits_resolve(NULL), expected);
    assert_same_limits(lf_batch_limits_resolve(&all), all);
    expected.headers_max = 1;
    assert_same_limits(lf_batch_limits_resolve(&headers), expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_as_they_went_in),
        cmocka_unit_test(the_bytes_of_one_record_are_those_of_the_table),
        cmocka_unit_test(values_of_no_bytes_and_of_a_megabyte_come_back),
        cmocka_unit_test(a_megabyte_with_a_large_key_fits_the_default_limits),
        cmocka_unit_test(timestamps_of_any_distance_come_back),
        cmocka_unit_test(random_records_come_back),
        cmocka_unit_test(a_stamp_changes_offset_and_epoch_and_no_checksum),
        cmocka_unit_test(the_producer_is_in_the_header_and_can_be_renumbered),
        cmocka_unit_test(bytes_and_count_tell_what_finishing_will_give),
        cmocka_unit_test(an_empty_builder_has_nothing_to_finish),
        cmocka_unit_test(a_full_builder_refuses_and_goes_on_after_finish),
        cmocka_unit_test(the_number_of_records_is_bounded),
        cmocka_unit_test(a_record_above_a_limit_is_too_large_and_one_at_it_is_not),
        cmocka_unit_test(what_compression_would_push_over_the_limit_goes_uncompressed),
        cmocka_unit_test(limits_of_zero_are_the_defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
