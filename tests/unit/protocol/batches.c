#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "batches.h"
#include "lf_crc32c.h"

uint64_t random_next(uint64_t *seed) { /* xorshift64 */
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

void random_fill(uint8_t *bytes, size_t size, uint64_t seed) {
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random_next(&seed);
}

const struct lf_record *sample_records(void) {
    static struct lf_record records[SAMPLE_RECORDS];
    static struct lf_record_header headers[2];
    headers[0] = (struct lf_record_header){.key = lf_bytes_text("trace"), .value = lf_bytes_text("0af7")};
    headers[1] = (struct lf_record_header){.key = lf_bytes_text(""), .value = lf_bytes(NULL, 0)};
    records[0] = (struct lf_record){.timestamp_ms = 1700000000000,
                                    .key = lf_bytes_text("key"),
                                    .value = lf_bytes_text("a value, a value, a value")};
    records[1] = (struct lf_record){
        .timestamp_ms = 1700000000123, .value = lf_bytes("", 0), .headers = headers, .header_count = 2};
    records[2] = (struct lf_record){.timestamp_ms = 1700000000123, .key = lf_bytes("", 0)};
    records[3] = (struct lf_record){.timestamp_ms = -5, .key = lf_bytes("\0\n", 2), .value = lf_bytes_text("last")};
    return records;
}

struct lf_buf *batch_of(enum lf_codec codec, const struct lf_record *records, int32_t count) {
    struct lf_batch_limits limits = {.batch_bytes_max = 64u << 20, .value_bytes_max = 32u << 20};
    struct lf_batch_builder *builder = lf_batch_builder_new(codec, &limits);
    struct lf_buf *batch = NULL;
    for (int32_t i = 0; i < count; i++)
        assert_int_equal(lf_batch_builder_add(builder, &records[i]), LF_OK);
    assert_int_equal(lf_batch_builder_finish(builder, &batch), LF_OK);
    lf_batch_builder_destroy(&builder);
    return batch;
}

void batch_sum_up(struct lf_buf *batch) {
    lf_put_be32(batch->data + 17, lf_crc32c(0, batch->data + 21, batch->size - 21));
}

struct lf_buf *batch_around(uint16_t attributes, int32_t count, struct lf_bytes records) {
    struct lf_buf *batch = lf_buf_new(LF_BATCH_HEADER_BYTES + records.size);
    uint8_t *p = batch->data;
    memset(p, 0, LF_BATCH_HEADER_BYTES);
    lf_put_be32(p + 8, batch->size - 12);
    p[16] = LF_BATCH_MAGIC;
    lf_put_be16(p + 21, attributes);
    lf_put_be32(p + 23, (uint32_t)count - 1);
    memset(p + 43, 0xff, 14); /* no producer */
    lf_put_be32(p + 57, (uint32_t)count);
    if (records.size > 0)
        memcpy(p + LF_BATCH_HEADER_BYTES, records.data, records.size);
    batch_sum_up(batch);
    return batch;
}

uint8_t *exact_copy(struct lf_bytes bytes) {
    uint8_t *copy = malloc(bytes.size ? bytes.size : 1);
    assert_non_null(copy);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return copy;
}

enum lf_status read_all(struct lf_bytes batch, const struct lf_batch_limits *limits, int32_t *count) {
    struct lf_batch_reader *reader = NULL;
    struct lf_record record;
    int32_t read = 0;
    enum lf_status status = lf_batch_reader_new(batch, limits, &reader, NULL);
    while (status == LF_OK && (status = lf_batch_reader_next(reader, &record)) == LF_OK)
        read++;
    if (reader)
        assert_int_equal(lf_batch_reader_next(reader, &record), status); /* how it ended sticks */
    if (count)
        *count = read;
    lf_batch_reader_destroy(&reader);
    return status;
}

static void assert_same_bytes(struct lf_bytes a, struct lf_bytes b) {
    assert_int_equal(a.data == NULL, b.data == NULL); /* null and empty are different things */
    assert_int_equal(a.size, b.size);
    if (a.size > 0)
        assert_memory_equal(a.data, b.data, a.size);
}

void assert_holds(struct lf_bytes batch, int64_t base_offset, const struct lf_record *records, int32_t count) {
    struct lf_batch_limits limits = {.batch_bytes_max = 64u << 20};
    struct lf_batch_reader *reader;
    struct lf_record record;
    assert_int_equal(lf_batch_reader_new(batch, &limits, &reader, NULL), LF_OK);
    for (int32_t i = 0; i < count; i++) {
        assert_int_equal(lf_batch_reader_next(reader, &record), LF_OK);
        assert_int_equal(record.offset, base_offset + i);
        assert_int_equal(record.timestamp_ms, records[i].timestamp_ms);
        assert_same_bytes(record.key, records[i].key);
        assert_same_bytes(record.value, records[i].value);
        assert_int_equal(record.header_count, records[i].header_count);
        for (int32_t h = 0; h < record.header_count; h++) {
            assert_same_bytes(record.headers[h].key, records[i].headers[h].key);
            assert_same_bytes(record.headers[h].value, records[i].headers[h].value);
        }
    }
    assert_int_equal(lf_batch_reader_next(reader, &record), LF_END);
    lf_batch_reader_destroy(&reader);
}

void write_byte(struct writer *writer, uint8_t byte) {
    assert_true(writer->size < sizeof writer->bytes);
    writer->bytes[writer->size++] = byte;
}

void write_varint(struct writer *writer, int64_t value) {
    uint64_t rest = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    for (; rest >= 0x80; rest >>= 7)
        write_byte(writer, (uint8_t)(rest | 0x80));
    write_byte(writer, (uint8_t)rest);
}

void write_text(struct writer *writer, const char *text) {
    for (; *text; text++)
        write_byte(writer, (uint8_t)*text);
}

void write_record(struct writer *writer, const struct writer *body) {
    write_varint(writer, (int64_t)body->size);
    for (size_t i = 0; i < body->size; i++)
        write_byte(writer, body->bytes[i]);
}
