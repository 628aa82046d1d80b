/** Compressed records as other producers write them, and as an attacker would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <lz4frame.h>
#include <stdlib.h>
#include <zstd.h>

#include "batches.h"

#define LARGE (600 * 1024)

/* The uncompressed records of one record with a value of LARGE bytes that compress somewhat. */
static struct lf_record large_record(void) {
    static uint8_t value[LARGE];
    if (value[1] == 0)
        for (size_t i = 0; i < sizeof value; i++)
            value[i] = (uint8_t)(i * i / 1000 + 1);
    return (struct lf_record){.timestamp_ms = 0, .value = lf_bytes(value, sizeof value)};
}

static struct lf_bytes records_of(const struct lf_buf *batch) {
    return lf_bytes(batch->data + LF_BATCH_HEADER_BYTES, batch->size - LF_BATCH_HEADER_BYTES);
}

static void assert_reads(enum lf_codec codec, const uint8_t *packed, size_t size, const struct lf_record *record) {
    struct lf_buf *batch = batch_around((uint16_t)codec, 1, lf_bytes(packed, size));
    assert_holds(lf_buf_bytes(batch), 0, record, 1);
    lf_buf_unref(&batch);
}

static void lz4_frames_of_every_kind_are_read(void **state) {
    (void)state;
    struct lf_record record = large_record();
    struct lf_buf *plain = batch_of(LF_CODEC_NONE, &record, 1);
    struct lf_bytes records = records_of(plain);
    static const LZ4F_blockSizeID_t sizes[] = {LZ4F_max64KB, LZ4F_max256KB, LZ4F_max1MB, LZ4F_max4MB};
    for (int i = 0; i < 4 * 8; i++) {
        LZ4F_preferences_t preferences = {0};
        preferences.frameInfo.blockSizeID = sizes[i / 8];
        preferences.frameInfo.blockMode = i & 1 ? LZ4F_blockLinked : LZ4F_blockIndependent;
        preferences.frameInfo.contentChecksumFlag = i & 2 ? LZ4F_contentChecksumEnabled : LZ4F_noContentChecksum;
        preferences.frameInfo.contentSize = i & 4 ? records.size : 0;
        size_t bound = LZ4F_compressFrameBound(records.size, &preferences);
        uint8_t *packed = malloc(bound);
        size_t size = LZ4F_compressFrame(packed, bound, records.data, records.size, &preferences);
        assert_false(LZ4F_isError(size));
        assert_true(size < records.size);
        assert_reads(LF_CODEC_LZ4, packed, size, &record);
        free(packed);
    }
    lf_buf_unref(&plain);
}

/* One frame, streamed at `level` in pieces, so without its content size. */
static size_t zstd_stream(struct lf_bytes in, int level, int window_log, uint8_t *out, size_t capacity) {
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    if (window_log)
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    ZSTD_outBuffer to = {out, capacity, 0};
    size_t left = 1;
    for (size_t at = 0; at < in.size; at += 10000) {
        ZSTD_inBuffer from = {in.data + at, in.size - at < 10000 ? in.size - at : 10000, 0};
        bool last = at + 10000 >= in.size;
        do
            left = ZSTD_compressStream2(context, &to, &from, last ? ZSTD_e_end : ZSTD_e_continue);
        while (!ZSTD_isError(left) && (last ? left > 0 : from.pos < from.size));
    }
    assert_int_equal(left, 0);
    assert_true(ZSTD_getFrameContentSize(out, to.pos) == ZSTD_CONTENTSIZE_UNKNOWN);
    ZSTD_freeCCtx(context);
    return to.pos;
}

static void zstd_frames_without_content_size_and_with_large_windows_are_read(void **state) {
    (void)state;
    struct lf_record record = large_record();
    struct lf_buf *plain = batch_of(LF_CODEC_NONE, &record, 1);
    static const int settings[][2] = {{1, 0}, {3, 0}, {9, 0}, {3, 10}, {3, 27}};
    uint8_t *packed = malloc(LARGE * 2);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        assert_reads(LF_CODEC_ZSTD, packed,
                     zstd_stream(records_of(plain), settings[i][0], settings[i][1], packed, LARGE * 2), &record);
    free(packed);
    lf_buf_unref(&plain);
}

static size_t pack(enum lf_codec codec, struct lf_bytes in, uint8_t *out, size_t capacity) {
    size_t size = codec == LF_CODEC_LZ4 ? LZ4F_compressFrame(out, capacity, in.data, in.size, NULL)
                                        : ZSTD_compress(out, capacity, in.data, in.size, 1);
    assert_false(codec == LF_CODEC_LZ4 ? LZ4F_isError(size) : ZSTD_isError(size));
    return size;
}

static void several_frames_one_after_another_are_read_as_one(void **state) {
    (void)state;
    struct lf_record record = large_record();
    struct lf_buf *plain = batch_of(LF_CODEC_NONE, &record, 1);
    struct lf_bytes records = records_of(plain);
    size_t capacity = LARGE * 2, half = records.size / 3;
    uint8_t *packed = malloc(capacity);
    static const enum lf_codec codecs[] = {LF_CODEC_LZ4, LF_CODEC_ZSTD};
    for (int c = 0; c < 2; c++) {
        size_t size = pack(codecs[c], lf_bytes(records.data, half), packed, capacity);
        size += pack(codecs[c], lf_bytes(records.data + half, records.size - half), packed + size, capacity - size);
        assert_reads(codecs[c], packed, size, &record);
    }
    free(packed);
    lf_buf_unref(&plain);
}

/* Sizes around the first buffer (64 KiB) and its doublings, and the limit itself: exactly it is in, one more is out. */
static void decompression_stops_at_the_limit_and_not_before(void **state) {
    (void)state;
    static uint8_t zeros[300 * 1024];
    static const size_t sizes[] = {100, 64 * 1024 - 12, 64 * 1024 - 11, 64 * 1024, 128 * 1024, 300 * 1024 - 20};
    static const enum lf_codec codecs[] = {LF_CODEC_LZ4, LF_CODEC_ZSTD};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct lf_record record = {.value = lf_bytes(zeros, sizes[i])};
        struct lf_buf *plain = batch_of(LF_CODEC_NONE, &record, 1);
        for (int c = 0; c < 2; c++) {
            struct lf_buf *batch = batch_of(codecs[c], &record, 1);
            struct lf_batch_limits limits = {.uncompressed_bytes_max = records_of(plain).size};
            assert_int_equal(read_all(lf_buf_bytes(batch), &limits, NULL), LF_END);
            limits.uncompressed_bytes_max--;
            assert_int_equal(read_all(lf_buf_bytes(batch), &limits, NULL), LF_TOO_LARGE);
            lf_buf_unref(&batch);
        }
        lf_buf_unref(&plain);
    }
}

/* A few hundred KB that would become 1 GB. */
static void a_bomb_is_too_large(void **state) {
    (void)state;
    static uint8_t zeros[1024 * 1024];
    size_t capacity = 8u << 20;
    uint8_t *packed = malloc(capacity);
    size_t size = pack(LF_CODEC_ZSTD, lf_bytes(zeros, sizeof zeros), packed, capacity), whole = 0;
    for (int i = 0; i < 1024; i++, whole += size)
        memcpy(packed + whole, packed, size); /* frames add up */
    struct lf_buf *batch = batch_around(LF_CODEC_ZSTD, 1, lf_bytes(packed, whole));
    assert_true(batch->size < 1152 * 1024);
    assert_int_equal(read_all(lf_buf_bytes(batch), NULL, NULL), LF_TOO_LARGE);
    lf_buf_unref(&batch);
    size = pack(LF_CODEC_LZ4, lf_bytes(zeros, sizeof zeros), packed, capacity);
    for (whole = 0; whole + size < 1000 * 1024; whole += size)
        memcpy(packed + whole, packed, size);
    batch = batch_around(LF_CODEC_LZ4, 1, lf_bytes(packed, whole));
    assert_int_equal(read_all(lf_buf_bytes(batch), NULL, NULL), LF_TOO_LARGE);
    lf_buf_unref(&batch);
    free(packed);
}

/* The frame header claims a content size; what is inside is another. */
static void a_zstd_frame_that_lies_about_its_content_size_is_corrupt(void **state) {
    (void)state;
    struct lf_record record = {.value = lf_bytes("some bytes, some bytes, some bytes", 34)};
    struct lf_buf *batch = batch_of(LF_CODEC_ZSTD, &record, 1);
    uint8_t *frame = batch->data + LF_BATCH_HEADER_BYTES;
    uint8_t *claim = frame + 5; /* magic 4, descriptor 1 (single segment, one byte of content size), content size */
    uint8_t right = *claim;
    assert_int_equal(ZSTD_getFrameContentSize(frame, batch->size - LF_BATCH_HEADER_BYTES), right);
    for (int says = 0; says < 256; says++) {
        *claim = (uint8_t)says;
        batch_sum_up(batch);
        assert_int_equal(read_all(lf_buf_bytes(batch), NULL, NULL), says == right ? LF_END : LF_CORRUPT);
    }
    lf_buf_unref(&batch);
}

static void bytes_that_are_no_frame_are_corrupt(void **state) {
    (void)state;
    static uint8_t noise[1000];
    random_fill(noise, sizeof noise, 23);
    for (size_t size = 0; size < sizeof noise; size += 37) {
        struct lf_buf *lz4 = batch_around(LF_CODEC_LZ4, 1, lf_bytes(noise, size));
        struct lf_buf *zstd = batch_around(LF_CODEC_ZSTD, 1, lf_bytes(noise, size));
        assert_int_equal(read_all(lf_buf_bytes(lz4), NULL, NULL), LF_CORRUPT);
        assert_int_equal(read_all(lf_buf_bytes(zstd), NULL, NULL), LF_CORRUPT);
        lf_buf_unref(&lz4);
        lf_buf_unref(&zstd);
    }
}

/* Contexts are kept from one batch to the next; what is left over from a bad one must not be. */
static void a_bad_frame_spoils_nothing_that_comes_after_it(void **state) {
    (void)state;
    struct lf_record large = large_record(), record = {.value = lf_bytes("good", 4)};
    struct lf_buf *plain = batch_of(LF_CODEC_NONE, &large, 1);
    struct lf_bytes records = records_of(plain);
    size_t capacity = LARGE * 2;
    uint8_t *packed = malloc(capacity);
    static const enum lf_codec codecs[] = {LF_CODEC_LZ4, LF_CODEC_ZSTD};
    for (int c = 0; c < 2; c++) {
        LZ4F_preferences_t preferences = {.frameInfo.contentSize = records.size};
        size_t size = c == 0 ? LZ4F_compressFrame(packed, capacity, records.data, records.size, &preferences)
                             : pack(LF_CODEC_ZSTD, records, packed, capacity);
        struct lf_buf *good = batch_of(codecs[c], &record, 1);
        for (size_t cut = 0; cut < size; cut += size / 17 + 1) { /* its content size said, and not all there */
            struct lf_buf *bad = batch_around((uint16_t)codecs[c], 1, lf_bytes(packed, cut));
            assert_int_equal(read_all(lf_buf_bytes(bad), NULL, NULL), LF_CORRUPT);
            assert_holds(lf_buf_bytes(good), 0, &record, 1);
            lf_buf_unref(&bad);
        }
        struct lf_buf *whole = batch_around((uint16_t)codecs[c], 1, lf_bytes(packed, size));
        struct lf_batch_limits limits = {.uncompressed_bytes_max = LARGE / 2};
        assert_int_equal(read_all(lf_buf_bytes(whole), &limits, NULL), LF_TOO_LARGE);
        assert_holds(lf_buf_bytes(good), 0, &record, 1);
        lf_buf_unref(&whole);
        lf_buf_unref(&good);
    }
    free(packed);
    lf_buf_unref(&plain);
}

/* What we write: LZ4 blocks that do not need each other, zstd frames that say their size. */
static void our_own_frames_are_independent_and_say_their_size(void **state) {
    (void)state;
    struct lf_record record = large_record();
    struct lf_buf *plain = batch_of(LF_CODEC_NONE, &record, 1);
    struct lf_buf *zstd = batch_of(LF_CODEC_ZSTD, &record, 1), *lz4 = batch_of(LF_CODEC_LZ4, &record, 1);
    assert_int_equal(ZSTD_getFrameContentSize(records_of(zstd).data, records_of(zstd).size), records_of(plain).size);
    LZ4F_dctx *context;
    LZ4F_frameInfo_t info;
    size_t size = records_of(lz4).size;
    assert_false(LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
    assert_false(LZ4F_isError(LZ4F_getFrameInfo(context, &info, records_of(lz4).data, &size)));
    assert_int_equal(info.blockMode, LZ4F_blockIndependent);
    LZ4F_freeDecompressionContext(context);
    assert_true(zstd->size < plain->size && lz4->size < plain->size);
    lf_buf_unref(&plain);
    lf_buf_unref(&zstd);
    lf_buf_unref(&lz4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lz4_frames_of_every_kind_are_read),
        cmocka_unit_test(zstd_frames_without_content_size_and_with_large_windows_are_read),
        cmocka_unit_test(several_frames_one_after_another_are_read_as_one),
        cmocka_unit_test(decompression_stops_at_the_limit_and_not_before),
        cmocka_unit_test(a_bomb_is_too_large),
        cmocka_unit_test(a_zstd_frame_that_lies_about_its_content_size_is_corrupt),
        cmocka_unit_test(bytes_that_are_no_frame_are_corrupt),
        cmocka_unit_test(a_bad_frame_spoils_nothing_that_comes_after_it),
        cmocka_unit_test(our_own_frames_are_independent_and_say_their_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
