/** Batches from and for another program: `batch_tool encode none|lz4|zstd` and `batch_tool decode`, stdin to stdout.
 *
 *  Not a batch's own format, so that the other program's codec meets ours in the batch alone. Big-endian:
 *     plain  = producer_id i64, producer_epoch i16, base_sequence i32, count i32, count * record
 *     record = offset i64 (ignored by encode), timestamp i64, bytes key, bytes value, headers i32,
 *              headers * (bytes, bytes)
 *     bytes  = size i32 (-1: null), bytes
 *  decode writes attributes u16, base_offset i64, leader_epoch i32, base_timestamp i64, max_timestamp i64, then plain.
 *  Exits 1 with a status' name on stderr when a batch is refused, 2 when it was called wrongly.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lf_record_batch.h"

#define INPUT_BYTES_MAX (64u << 20)
#define HEADERS_MAX 1000

static struct lf_batch_limits limits = {
    .batch_bytes_max = INPUT_BYTES_MAX, .value_bytes_max = INPUT_BYTES_MAX, .headers_max = HEADERS_MAX};

struct input {
    const uint8_t *at, *end;
};

static _Noreturn void refuse(enum lf_status status, const char *what) {
    fprintf(stderr, "%s: %s\n", lf_status_name(status), what);
    exit(1);
}

static const uint8_t *take(struct input *input, size_t size) {
    if ((size_t)(input->end - input->at) < size) {
        fprintf(stderr, "input ends early\n");
        exit(2);
    }
    const uint8_t *at = input->at;
    input->at += size;
    return at;
}

static int64_t take_i64(struct input *input) { return (int64_t)lf_get_be64(take(input, 8)); }
static int32_t take_i32(struct input *input) { return (int32_t)lf_get_be32(take(input, 4)); }

static struct lf_bytes take_bytes(struct input *input) {
    int32_t size = take_i32(input);
    return size < 0 ? lf_bytes(NULL, 0) : lf_bytes(take(input, (size_t)size), (size_t)size);
}

static void put(const void *bytes, size_t size) {
    if (fwrite(bytes, 1, size, stdout) != size) {
        perror("batch_tool: write");
        exit(2);
    }
}

static void put_be(uint64_t value, size_t size) {
    uint8_t bytes[8];
    lf_put_be64(bytes, value);
    put(bytes + 8 - size, size);
}

static void put_bytes(struct lf_bytes bytes) {
    put_be(bytes.data ? bytes.size : UINT32_MAX, 4);
    put(bytes.data ? bytes.data : (const uint8_t *)"", bytes.size);
}

static void add_record(struct lf_batch_builder *builder, struct input *input) {
    static struct lf_record_header headers[HEADERS_MAX];
    take_i64(input); /* offset */
    struct lf_record record = {.timestamp_ms = take_i64(input), .headers = headers};
    record.key = take_bytes(input);
    record.value = take_bytes(input);
    record.header_count = take_i32(input);
    for (int32_t i = 0; i < record.header_count && i < HEADERS_MAX; i++) {
        headers[i].key = take_bytes(input);
        headers[i].value = take_bytes(input);
    }
    enum lf_status status = lf_batch_builder_add(builder, &record);
    if (status != LF_OK)
        refuse(status, "add");
}

static void encode(struct input input, enum lf_codec codec) {
    struct lf_batch_builder *builder = lf_batch_builder_new(codec, &limits);
    struct lf_buf *batch;
    int64_t producer_id = take_i64(&input);
    int16_t producer_epoch = (int16_t)lf_get_be16(take(&input, 2));
    lf_batch_builder_set_producer(builder, producer_id, producer_epoch, take_i32(&input));
    for (int32_t count = take_i32(&input); count > 0; count--)
        add_record(builder, &input);
    enum lf_status status = lf_batch_builder_finish(builder, &batch);
    if (status != LF_OK)
        refuse(status, "finish");
    put(batch->data, batch->size);
    lf_buf_unref(&batch);
    lf_batch_builder_destroy(&builder);
}

static void put_record(const struct lf_record *record) {
    put_be((uint64_t)record->offset, 8);
    put_be((uint64_t)record->timestamp_ms, 8);
    put_bytes(record->key);
    put_bytes(record->value);
    put_be((uint64_t)record->header_count, 4);
    for (int32_t i = 0; i < record->header_count; i++) {
        put_bytes(record->headers[i].key);
        put_bytes(record->headers[i].value);
    }
}

static void decode(struct input input) {
    struct lf_batch_reader *reader;
    struct lf_record record;
    struct lf_error error;
    enum lf_status status =
        lf_batch_reader_new(lf_bytes(input.at, (size_t)(input.end - input.at)), &limits, &reader, &error);
    if (status != LF_OK)
        refuse(status, error.text);
    const struct lf_batch_header *header = lf_batch_reader_header(reader);
    put_be(header->attributes, 2);
    put_be((uint64_t)header->base_offset, 8);
    put_be((uint32_t)header->leader_epoch, 4);
    put_be((uint64_t)header->base_timestamp_ms, 8);
    put_be((uint64_t)header->max_timestamp_ms, 8);
    put_be((uint64_t)header->producer_id, 8);
    put_be((uint16_t)header->producer_epoch, 2);
    put_be((uint32_t)header->base_sequence, 4);
    put_be((uint32_t)header->record_count, 4);
    while ((status = lf_batch_reader_next(reader, &record)) == LF_OK)
        put_record(&record);
    lf_batch_reader_destroy(&reader);
    if (status != LF_END)
        refuse(status, "record");
}

int main(int argc, char **argv) {
    uint8_t *bytes = malloc(INPUT_BYTES_MAX);
    size_t size = bytes ? fread(bytes, 1, INPUT_BYTES_MAX, stdin) : 0;
    struct input input = {bytes, bytes + size};
    if (argc == 3 && strcmp(argv[1], "encode") == 0 && strcmp(argv[2], "none") == 0)
        encode(input, LF_CODEC_NONE);
    else if (argc == 3 && strcmp(argv[1], "encode") == 0 && strcmp(argv[2], "lz4") == 0)
        encode(input, LF_CODEC_LZ4);
    else if (argc == 3 && strcmp(argv[1], "encode") == 0 && strcmp(argv[2], "zstd") == 0)
        encode(input, LF_CODEC_ZSTD);
    else if (argc == 2 && strcmp(argv[1], "decode") == 0)
        decode(input);
    else
        return fprintf(stderr, "usage: batch_tool encode none|lz4|zstd | decode\n"), 2;
    free(bytes);
    return 0;
}
