/** A batch as it comes, and once more with length, magic and CRC made right, so that mutations reach the records. What
 *  reads well is built again and must read the same. */
#include <stdlib.h>

#include "lf_check.h"
#include "lf_crc32c.h"
#include "lf_record_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct lf_batch_limits limits = {.batch_bytes_max = 1u << 20, .uncompressed_bytes_max = 1u << 20};

static void check_refusal(enum lf_status status) {
    lf_check(status == LF_MALFORMED || status == LF_CORRUPT || status == LF_TOO_LARGE || status == LF_UNSUPPORTED);
}

/** FNV-1a over all that a record says; every byte is read. */
static uint64_t record_sum(uint64_t sum, const struct lf_record *record) {
    struct lf_bytes parts[] = {lf_bytes(&record->timestamp_ms, 8), record->key, record->value};
    for (int32_t i = -3; i < 2 * record->header_count; i++) {
        const struct lf_record_header *header = i < 0 ? NULL : &record->headers[i / 2];
        struct lf_bytes part = i < 0 ? parts[i + 3] : i % 2 ? header->value : header->key;
        sum = (sum ^ (part.data ? part.size : UINT64_MAX)) * 0x100000001b3u;
        for (size_t at = 0; at < part.size; at++)
            sum = (sum ^ part.data[at]) * 0x100000001b3u;
    }
    return sum;
}

/** The sum over a batch's records, also put into `builder` when given; 0: it did not read to the end. */
static uint64_t read_batch(struct lf_bytes batch, struct lf_batch_builder *builder) {
    struct lf_batch_reader *reader;
    struct lf_record record;
    struct lf_error error;
    enum lf_status status = lf_batch_reader_new(batch, &limits, &reader, &error);
    if (status != LF_OK) {
        check_refusal(status);
        lf_check(error.code == status);
        return 0;
    }
    uint64_t sum = 0xcbf29ce484222325u;
    int32_t count = 0;
    while ((status = lf_batch_reader_next(reader, &record)) == LF_OK) {
        sum = record_sum(sum, &record);
        lf_check(++count <= lf_batch_reader_header(reader)->record_count);
        if (builder && lf_batch_builder_add(builder, &record) != LF_OK)
            builder = NULL; /* above a limit that a reader does not have */
    }
    if (status != LF_END)
        check_refusal(status);
    if (status == LF_END)
        lf_check(count == lf_batch_reader_header(reader)->record_count);
    lf_batch_reader_destroy(&reader);
    return status == LF_END ? sum : 0;
}

static void read_and_build_again(struct lf_bytes batch) {
    static const enum lf_codec codecs[] = {LF_CODEC_NONE, LF_CODEC_LZ4, LF_CODEC_ZSTD};
    struct lf_batch_builder *builder = lf_batch_builder_new(codecs[batch.size % 3], &limits);
    struct lf_buf *again;
    uint64_t sum = read_batch(batch, builder);
    uint32_t count = lf_get_be32(batch.data + 57);
    if (sum != 0 && (uint32_t)lf_batch_builder_count(builder) == count) {
        enum lf_status status = lf_batch_builder_finish(builder, &again);
        lf_check(status == LF_OK);
        uint64_t second = read_batch(lf_buf_bytes(again), NULL);
        lf_check(second == sum);
        lf_buf_unref(&again);
    }
    lf_batch_builder_destroy(&builder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    read_batch(lf_bytes(data, size), NULL);
    if (size < LF_BATCH_HEADER_BYTES)
        return 0;
    uint8_t *mended = malloc(size);
    memcpy(mended, data, size);
    lf_put_be32(mended + 8, (uint32_t)size - 12);
    mended[16] = LF_BATCH_MAGIC;
    lf_put_be32(mended + 17, lf_crc32c(0, mended + 21, size - 21));
    read_and_build_again(lf_bytes(mended, size));
    free(mended);
    return 0;
}
