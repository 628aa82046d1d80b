/** Records into a batch. They are encoded as they come, behind room for the header, so that an uncompressed batch is
 *  finished without another copy. */
#include <stdlib.h>

#include "batch_codec.h"
#include "lf_crc32c.h"

#define CAPACITY_MIN 1024

struct lf_batch_builder {
    enum lf_codec codec;
    struct lf_batch_limits limits;
    struct lf_buf *buf; /* header room, then records; size is what is used */
    int32_t count;
    int64_t base_timestamp_ms, max_timestamp_ms;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
};

struct lf_batch_builder *lf_batch_builder_new(enum lf_codec codec, const struct lf_batch_limits *limits) {
    struct lf_batch_builder *builder = calloc(1, sizeof *builder);
    if (!builder)
        return NULL;
    builder->codec = codec;
    builder->limits = lf_batch_limits_resolve(limits);
    lf_batch_builder_set_producer(builder, -1, -1, -1);
    return builder;
}

void lf_batch_builder_destroy(struct lf_batch_builder **where) {
    if (*where)
        lf_buf_unref(&(*where)->buf);
    free(*where);
    *where = NULL;
}

int32_t lf_batch_builder_count(const struct lf_batch_builder *builder) { return builder->count; }

size_t lf_batch_builder_bytes(const struct lf_batch_builder *builder) {
    return builder->buf ? builder->buf->size : LF_BATCH_HEADER_BYTES;
}

void lf_batch_builder_set_producer(struct lf_batch_builder *builder, int64_t producer_id, int16_t producer_epoch,
                                   int32_t base_sequence) {
    builder->producer_id = producer_id;
    builder->producer_epoch = producer_epoch;
    builder->base_sequence = base_sequence;
}

static uint64_t zigzag(int64_t value) { return ((uint64_t)value << 1) ^ (uint64_t)(value >> 63); }

static size_t varint_bytes(int64_t value) {
    size_t bytes = 1;
    for (uint64_t rest = zigzag(value); rest >= 0x80; rest >>= 7)
        bytes++;
    return bytes;
}

static uint8_t *put_varint(uint8_t *at, int64_t value) {
    uint64_t rest = zigzag(value);
    for (; rest >= 0x80; rest >>= 7)
        *at++ = (uint8_t)(rest | 0x80);
    *at++ = (uint8_t)rest;
    return at;
}

static size_t bytes_size(struct lf_bytes bytes) {
    return bytes.data ? varint_bytes((int64_t)bytes.size) + bytes.size : 1;
}

static uint8_t *put_bytes(uint8_t *at, struct lf_bytes bytes) {
    if (!bytes.data)
        return put_varint(at, -1);
    at = put_varint(at, (int64_t)bytes.size);
    if (bytes.size > 0)
        memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static enum lf_status judge(const struct lf_batch_builder *builder, const struct lf_record *record) {
    const struct lf_batch_limits *limits = &builder->limits;
    if (record->key.size > limits->key_bytes_max || record->value.size > limits->value_bytes_max ||
        record->header_count < 0 || record->header_count > limits->headers_max)
        return LF_TOO_LARGE;
    for (int32_t i = 0; i < record->header_count; i++) {
        if (!record->headers[i].key.data)
            return LF_INVALID;
        if (record->headers[i].key.size > limits->batch_bytes_max ||
            record->headers[i].value.size > limits->batch_bytes_max)
            return LF_TOO_LARGE;
    }
    return LF_OK;
}

/** Bytes of the record after its own length. */
static size_t body_size(const struct lf_batch_builder *builder, const struct lf_record *record, int64_t delta) {
    size_t size = 1 + varint_bytes(delta) + varint_bytes(builder->count) + bytes_size(record->key) +
                  bytes_size(record->value) + varint_bytes(record->header_count);
    for (int32_t i = 0; i < record->header_count; i++)
        size += bytes_size(record->headers[i].key) + bytes_size(record->headers[i].value);
    return size;
}

/** Room for `more` bytes behind what is there. */
static enum lf_status reserve(struct lf_batch_builder *builder, size_t more) {
    size_t used = lf_batch_builder_bytes(builder);
    if (builder->buf && used + more <= builder->buf->capacity)
        return LF_OK;
    size_t capacity = builder->buf ? builder->buf->capacity * 2 : CAPACITY_MIN;
    while (capacity < used + more)
        capacity *= 2;
    struct lf_buf *grown = lf_buf_new(capacity);
    if (!grown)
        return LF_NO_MEMORY;
    if (builder->buf)
        memcpy(grown->data, builder->buf->data, used);
    grown->size = (uint32_t)used;
    lf_buf_unref(&builder->buf);
    builder->buf = grown;
    return LF_OK;
}

enum lf_status lf_batch_builder_add(struct lf_batch_builder *builder, const struct lf_record *record) {
    enum lf_status status = judge(builder, record);
    if (status != LF_OK)
        return status;
    int64_t base = builder->count ? builder->base_timestamp_ms : record->timestamp_ms;
    int64_t delta = (int64_t)((uint64_t)record->timestamp_ms - (uint64_t)base);
    size_t body = body_size(builder, record, delta), whole = varint_bytes((int64_t)body) + body;
    size_t used = lf_batch_builder_bytes(builder);
    if (used + whole > builder->limits.batch_bytes_max || builder->count >= builder->limits.records_max)
        return builder->count ? LF_FULL : LF_TOO_LARGE;
    if ((status = reserve(builder, whole)) != LF_OK)
        return status;
    uint8_t *at = put_varint(builder->buf->data + used, (int64_t)body);
    *at++ = 0; /* attributes */
    at = put_varint(at, delta);
    at = put_varint(at, builder->count);
    at = put_bytes(at, record->key);
    at = put_bytes(at, record->value);
    at = put_varint(at, record->header_count);
    for (int32_t i = 0; i < record->header_count; i++)
        at = put_bytes(put_bytes(at, record->headers[i].key), record->headers[i].value);
    builder->buf->size = (uint32_t)(at - builder->buf->data);
    if (builder->count == 0 || record->timestamp_ms > builder->max_timestamp_ms)
        builder->max_timestamp_ms = record->timestamp_ms;
    builder->base_timestamp_ms = base;
    builder->count++;
    return LF_OK;
}

static void put_header(const struct lf_batch_builder *builder, struct lf_buf *batch, enum lf_codec codec) {
    uint8_t *p = batch->data;
    lf_put_be64(p, 0);
    lf_put_be32(p + 8, batch->size - 12);
    lf_put_be32(p + 12, UINT32_MAX);
    p[16] = LF_BATCH_MAGIC;
    lf_put_be16(p + 21, (uint16_t)codec);
    lf_put_be32(p + 23, (uint32_t)(builder->count - 1));
    lf_put_be64(p + 27, (uint64_t)builder->base_timestamp_ms);
    lf_put_be64(p + 35, (uint64_t)builder->max_timestamp_ms);
    lf_put_be32(p + 57, (uint32_t)builder->count);
    lf_batch_set_producer(batch, builder->producer_id, builder->producer_epoch, builder->base_sequence);
}

/** *batch: the compressed twin, or NULL when it would not be smaller than a batch may be. */
static enum lf_status compress(const struct lf_batch_builder *builder, struct lf_buf **batch) {
    struct lf_bytes records =
        lf_bytes(builder->buf->data + LF_BATCH_HEADER_BYTES, builder->buf->size - LF_BATCH_HEADER_BYTES);
    size_t bound = lf_batch_codec_bound(builder->codec, records.size), written = 0;
    struct lf_buf *out = lf_buf_new(LF_BATCH_HEADER_BYTES + bound);
    if (!out)
        return LF_NO_MEMORY;
    enum lf_status status =
        lf_batch_codec_compress(builder->codec, records, out->data + LF_BATCH_HEADER_BYTES, bound, &written);
    out->size = (uint32_t)(LF_BATCH_HEADER_BYTES + written);
    if (status != LF_OK || out->size > builder->limits.batch_bytes_max)
        lf_buf_unref(&out); /* random bytes grow a little: then it goes as it is */
    *batch = out;
    return status;
}

enum lf_status lf_batch_builder_finish(struct lf_batch_builder *builder, struct lf_buf **batch) {
    if (builder->count == 0)
        return LF_INVALID;
    struct lf_buf *done = NULL;
    enum lf_codec codec = builder->codec;
    if (codec != LF_CODEC_NONE) {
        enum lf_status status = compress(builder, &done);
        if (status != LF_OK)
            return status;
    }
    if (!done) {
        codec = LF_CODEC_NONE;
        done = lf_buf_ref(builder->buf);
    }
    lf_buf_unref(&builder->buf);
    put_header(builder, done, codec);
    builder->count = 0;
    *batch = done;
    return LF_OK;
}
