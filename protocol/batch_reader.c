/** Records out of a batch. A cursor with an end; one way to say malformed; counts checked against what is left. */
#include <stdlib.h>

#include "batch_codec.h"

struct lf_batch_reader {
    struct lf_batch_header header;
    struct lf_batch_limits limits;
    uint8_t *scratch;                       /* decompressed records */
    const uint8_t *first, *last, *at, *end; /* all records; the one read last, as far as `at` */
    int32_t read;
    int64_t next_delta;   /* at least */
    enum lf_status state; /* LF_OK until something is wrong */
    struct lf_record_header *headers;
    int32_t header_capacity;
};

struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

/** Zigzag varint of at most 10 bytes. */
static int64_t take_varlong(struct cursor *cursor) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (cursor->at == cursor->end)
            break;
        uint8_t byte = *cursor->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
    }
    cursor->bad = true;
    return 0;
}

static int32_t take_varint(struct cursor *cursor) {
    int64_t value = take_varlong(cursor);
    if (value < INT32_MIN || value > INT32_MAX)
        cursor->bad = true;
    return (int32_t)value;
}

/** A length and that many bytes; -1 is null. */
static struct lf_bytes take_bytes(struct cursor *cursor, bool null_allowed) {
    int32_t size = take_varint(cursor);
    if (size == -1 && null_allowed)
        return lf_bytes(NULL, 0);
    if (cursor->bad || size < 0 || size > cursor->end - cursor->at) {
        cursor->bad = true;
        return lf_bytes(NULL, 0);
    }
    struct lf_bytes bytes = lf_bytes(cursor->at, (size_t)size);
    cursor->at += size;
    return bytes;
}

enum lf_status lf_batch_reader_new(struct lf_bytes batch, const struct lf_batch_limits *wanted,
                                   struct lf_batch_reader **out, struct lf_error *error) {
    struct lf_batch_limits limits = lf_batch_limits_resolve(wanted);
    struct lf_batch_header header;
    enum lf_status status = lf_batch_verify_kept(batch, &limits, &header, error);
    if (status != LF_OK)
        return status;
    struct lf_batch_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return lf_error_set(error, LF_NO_MEMORY, "out of memory for a batch reader");
    reader->header = header;
    reader->limits = limits;
    struct lf_bytes records = lf_bytes(batch.data + LF_BATCH_HEADER_BYTES, batch.size - LF_BATCH_HEADER_BYTES);
    enum lf_codec codec = header.attributes & 7;
    if (codec != LF_CODEC_NONE) {
        size_t size;
        status = lf_batch_codec_decompress(codec, records, limits.uncompressed_bytes_max, &reader->scratch, &size);
        if (status != LF_OK) {
            free(reader);
            return lf_error_set(error, status, "the records of a batch do not decompress within %zu bytes",
                                limits.uncompressed_bytes_max);
        }
        records = lf_bytes(reader->scratch, size);
    }
    reader->first = reader->last = reader->at = records.data;
    reader->end = records.data + records.size;
    *out = reader;
    return LF_OK;
}

static bool reserve_headers(struct lf_batch_reader *reader, int32_t count) {
    if (count <= reader->header_capacity)
        return true;
    struct lf_record_header *grown =
        realloc(reader->headers, (size_t)count * sizeof *grown); /* seldom more than once */
    if (!grown)
        return false;
    reader->headers = grown;
    reader->header_capacity = count;
    return true;
}

static enum lf_status take_headers(struct lf_batch_reader *reader, struct cursor *cursor, struct lf_record *record) {
    int32_t count = take_varint(cursor);
    if (cursor->bad || count < 0 || count > (cursor->end - cursor->at) / 2) /* two lengths each, at least */
        return LF_MALFORMED;
    if (count > reader->limits.headers_max)
        return LF_TOO_LARGE;
    if (!reserve_headers(reader, count))
        return LF_NO_MEMORY;
    for (int32_t i = 0; i < count; i++) {
        reader->headers[i].key = take_bytes(cursor, false);
        reader->headers[i].value = take_bytes(cursor, true);
    }
    record->headers = count ? reader->headers : NULL;
    record->header_count = count;
    return cursor->bad ? LF_MALFORMED : LF_OK;
}

static enum lf_status next(struct lf_batch_reader *reader, struct lf_record *record) {
    struct cursor all = {reader->at, reader->end, false};
    int32_t size = take_varint(&all);
    if (all.bad || size < 1 || size > all.end - all.at)
        return LF_MALFORMED;
    struct cursor cursor = {all.at + 1, all.at + size, false}; /* after the record's attributes, which mean nothing */
    int64_t timestamp_delta = take_varlong(&cursor);
    int32_t offset_delta = take_varint(&cursor);
    if (cursor.bad || offset_delta < reader->next_delta || offset_delta > reader->header.last_offset_delta)
        return LF_MALFORMED;
    record->offset = (int64_t)((uint64_t)reader->header.base_offset + (uint64_t)offset_delta);
    record->timestamp_ms = (int64_t)((uint64_t)reader->header.base_timestamp_ms + (uint64_t)timestamp_delta);
    record->key = take_bytes(&cursor, true);
    record->value = take_bytes(&cursor, true);
    enum lf_status status = cursor.bad ? LF_MALFORMED : take_headers(reader, &cursor, record);
    if (status != LF_OK)
        return status;
    if (cursor.at != cursor.end)
        return LF_MALFORMED;
    reader->last = reader->at;
    reader->at = cursor.end;
    reader->read++;
    reader->next_delta = (int64_t)offset_delta + 1;
    return LF_OK;
}

enum lf_status lf_batch_reader_next(struct lf_batch_reader *reader, struct lf_record *record) {
    if (reader->state != LF_OK)
        return reader->state;
    if (reader->read == reader->header.record_count)
        reader->state = reader->at == reader->end ? LF_END : LF_MALFORMED;
    else
        reader->state = next(reader, record);
    return reader->state;
}

struct lf_bytes lf_batch_reader_raw(const struct lf_batch_reader *reader) {
    return lf_bytes(reader->last, (size_t)(reader->at - reader->last));
}

size_t lf_batch_reader_bytes(const struct lf_batch_reader *reader) { return (size_t)(reader->end - reader->first); }

void lf_batch_reader_rewind(struct lf_batch_reader *reader) {
    reader->last = reader->at = reader->first;
    reader->read = 0;
    reader->next_delta = 0;
    reader->state = LF_OK;
}

const struct lf_batch_header *lf_batch_reader_header(const struct lf_batch_reader *reader) { return &reader->header; }

void lf_batch_reader_destroy(struct lf_batch_reader **where) {
    struct lf_batch_reader *reader = *where;
    *where = NULL;
    if (!reader)
        return;
    free(reader->scratch);
    free(reader->headers);
    free(reader);
}
