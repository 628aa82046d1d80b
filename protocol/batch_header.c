/** The 61 bytes before the records: reading, judging, stamping. */
#include "lf_crc32c.h"
#include "lf_record_batch.h"

#define AT_LENGTH 8
#define AT_EPOCH 12
#define AT_MAGIC 16
#define AT_CRC 17
#define AT_ATTRIBUTES 21
#define AT_LAST_DELTA 23
#define AT_BASE_TIMESTAMP 27
#define AT_MAX_TIMESTAMP 35
#define AT_PRODUCER_ID 43
#define AT_PRODUCER_EPOCH 51
#define AT_BASE_SEQUENCE 53
#define AT_COUNT 57
/** Length and everything before it are not counted by the length field. */
#define BEFORE_LENGTH_BYTES 12
/** Smallest record: length, attributes, timestamp delta, offset delta, null key, null value, no headers. */
#define RECORD_BYTES_MIN 7

_Static_assert(AT_COUNT + 4 == LF_BATCH_HEADER_BYTES, "the header is 61 bytes");

struct lf_batch_limits lf_batch_limits_default(void) {
    return (struct lf_batch_limits){.batch_bytes_max = 1152 * 1024,
                                    .records_max = 100000,
                                    .key_bytes_max = 64 * 1024,
                                    .value_bytes_max = 1024 * 1024,
                                    .headers_max = 64,
                                    .uncompressed_bytes_max = 64u * 1024 * 1024};
}

struct lf_batch_limits lf_batch_limits_resolve(const struct lf_batch_limits *limits) {
    struct lf_batch_limits all = lf_batch_limits_default();
    if (!limits)
        return all;
#define RESOLVE(member) all.member = limits->member ? limits->member : all.member
    RESOLVE(batch_bytes_max);
    RESOLVE(records_max);
    RESOLVE(key_bytes_max);
    RESOLVE(value_bytes_max);
    RESOLVE(headers_max);
    RESOLVE(uncompressed_bytes_max);
#undef RESOLVE
    return all;
}

enum lf_status lf_batch_header_decode(struct lf_bytes batch, struct lf_batch_header *header) {
    if (batch.size < LF_BATCH_HEADER_BYTES)
        return LF_MALFORMED;
    const uint8_t *p = batch.data;
    *header = (struct lf_batch_header){.base_offset = (int64_t)lf_get_be64(p),
                                       .batch_length = (int32_t)lf_get_be32(p + AT_LENGTH),
                                       .leader_epoch = (int32_t)lf_get_be32(p + AT_EPOCH),
                                       .crc = lf_get_be32(p + AT_CRC),
                                       .attributes = lf_get_be16(p + AT_ATTRIBUTES),
                                       .last_offset_delta = (int32_t)lf_get_be32(p + AT_LAST_DELTA),
                                       .base_timestamp_ms = (int64_t)lf_get_be64(p + AT_BASE_TIMESTAMP),
                                       .max_timestamp_ms = (int64_t)lf_get_be64(p + AT_MAX_TIMESTAMP),
                                       .producer_id = (int64_t)lf_get_be64(p + AT_PRODUCER_ID),
                                       .producer_epoch = (int16_t)lf_get_be16(p + AT_PRODUCER_EPOCH),
                                       .base_sequence = (int32_t)lf_get_be32(p + AT_BASE_SEQUENCE),
                                       .record_count = (int32_t)lf_get_be32(p + AT_COUNT)};
    return LF_OK;
}

static enum lf_status judge_counts(const struct lf_batch_header *header, size_t size, bool holes,
                                   const struct lf_batch_limits *limits, struct lf_error *error) {
    int64_t last = (int64_t)header->record_count - 1;
    if (header->record_count < 1 || header->last_offset_delta < last || (!holes && header->last_offset_delta != last))
        return lf_error_set(error, LF_MALFORMED, "batch says %d records and a last offset delta of %d",
                            header->record_count, header->last_offset_delta);
    if (header->record_count > limits->records_max)
        return lf_error_set(error, LF_TOO_LARGE, "batch has %d records; %d are allowed", header->record_count,
                            limits->records_max);
    uint16_t codec = header->attributes & 7;
    if (codec != LF_CODEC_NONE && codec != LF_CODEC_LZ4 && codec != LF_CODEC_ZSTD)
        return lf_error_set(error, LF_UNSUPPORTED, "compression codec %u is not taken: use none, lz4 or zstd", codec);
    if (codec == LF_CODEC_NONE && (uint64_t)header->record_count * RECORD_BYTES_MIN > size - LF_BATCH_HEADER_BYTES)
        return lf_error_set(error, LF_MALFORMED, "batch says %d records, more than its bytes can hold",
                            header->record_count);
    return LF_OK;
}

static enum lf_status judge_producer(const struct lf_batch_header *header, struct lf_error *error) {
    bool none = header->producer_id == -1 && header->producer_epoch == -1 && header->base_sequence == -1;
    bool whole = header->producer_id >= 0 && header->producer_epoch >= 0 && header->base_sequence >= 0;
    if (!none && !whole)
        return lf_error_set(error, LF_MALFORMED, "producer id %lld, epoch %d and sequence %d contradict each other",
                            (long long)header->producer_id, header->producer_epoch, header->base_sequence);
    return LF_OK;
}

static enum lf_status verify(struct lf_bytes batch, bool holes, const struct lf_batch_limits *wanted,
                             struct lf_batch_header *header, struct lf_error *error) {
    struct lf_batch_limits limits = lf_batch_limits_resolve(wanted);
    struct lf_batch_header read;
    if (lf_batch_header_decode(batch, &read) != LF_OK)
        return lf_error_set(error, LF_MALFORMED, "batch of %zu bytes is shorter than its header of %d", batch.size,
                            LF_BATCH_HEADER_BYTES);
    if (batch.size > limits.batch_bytes_max)
        return lf_error_set(error, LF_TOO_LARGE, "batch has %zu bytes; %zu are allowed", batch.size,
                            limits.batch_bytes_max);
    if (batch.data[AT_MAGIC] != LF_BATCH_MAGIC)
        return lf_error_set(error, LF_UNSUPPORTED, "batch has magic %u; only 2 is taken", batch.data[AT_MAGIC]);
    if (read.batch_length < 0 || (size_t)read.batch_length + BEFORE_LENGTH_BYTES != batch.size)
        return lf_error_set(error, LF_MALFORMED, "batch says %d bytes and has %zu", read.batch_length,
                            batch.size - BEFORE_LENGTH_BYTES);
    uint32_t sum = lf_crc32c(0, batch.data + AT_ATTRIBUTES, batch.size - AT_ATTRIBUTES);
    if (sum != read.crc)
        return lf_error_set(error, LF_CORRUPT, "batch checksum is %08x, its bytes give %08x", read.crc, sum);
    enum lf_status status = judge_counts(&read, batch.size, holes, &limits, error);
    if (status == LF_OK)
        status = judge_producer(&read, error);
    if (status == LF_OK)
        *header = read;
    return status;
}

enum lf_status lf_batch_verify(struct lf_bytes batch, const struct lf_batch_limits *limits,
                               struct lf_batch_header *header, struct lf_error *error) {
    return verify(batch, false, limits, header, error);
}

enum lf_status lf_batch_verify_kept(struct lf_bytes batch, const struct lf_batch_limits *limits,
                                    struct lf_batch_header *header, struct lf_error *error) {
    return verify(batch, true, limits, header, error);
}

void lf_batch_stamp(uint8_t *batch, int64_t base_offset, int32_t leader_epoch) {
    lf_put_be64(batch, (uint64_t)base_offset);
    lf_put_be32(batch + AT_EPOCH, (uint32_t)leader_epoch);
}

void lf_batch_set_producer(struct lf_buf *batch, int64_t producer_id, int16_t producer_epoch, int32_t base_sequence) {
    lf_put_be64(batch->data + AT_PRODUCER_ID, (uint64_t)producer_id);
    lf_put_be16(batch->data + AT_PRODUCER_EPOCH, (uint16_t)producer_epoch);
    lf_put_be32(batch->data + AT_BASE_SEQUENCE, (uint32_t)base_sequence);
    lf_put_be32(batch->data + AT_CRC, lf_crc32c(0, batch->data + AT_ATTRIBUTES, batch->size - AT_ATTRIBUTES));
}
