#include "batch_codec.h"

#include <stdlib.h>
#include <zstd_errors.h>

#include "codec_contexts.h"

#define ZSTD_LEVEL 3
#define OUTPUT_BYTES_FIRST_MIN 4096u
#define OUTPUT_BYTES_FIRST_MAX (64u * 1024)
#define RATIO_GUESSED 4

size_t lf_batch_codec_bound(enum lf_codec codec, size_t size) {
    switch (codec) {
    case LF_CODEC_NONE:
        return size;
    case LF_CODEC_LZ4:
        return LZ4F_compressFrameBound(size, NULL);
    case LF_CODEC_ZSTD:
        return ZSTD_compressBound(size);
    }
    return 0;
}

enum lf_status lf_batch_codec_compress(enum lf_codec codec, struct lf_bytes in, uint8_t *out, size_t capacity,
                                       size_t *written) {
    if (codec == LF_CODEC_LZ4) {
        LZ4F_preferences_t preferences = {0};
        preferences.frameInfo.blockMode = LZ4F_blockIndependent;
        preferences.frameInfo.blockSizeID = LZ4F_max64KB;
        *written = LZ4F_compressFrame(out, capacity, in.data, in.size, &preferences);
        return LZ4F_isError(*written) ? LF_NO_MEMORY : LF_OK;
    }
    if (codec == LF_CODEC_ZSTD) {
        ZSTD_CCtx *context = lf_codec_zstd_compressor();
        if (!context)
            return LF_NO_MEMORY;
        *written = ZSTD_compressCCtx(context, out, capacity, in.data, in.size, ZSTD_LEVEL); /* with the content size */
        return ZSTD_isError(*written) ? LF_NO_MEMORY : LF_OK;
    }
    return LF_UNSUPPORTED;
}

/** The capacity to try first for `size` bytes of unknown content, at most capacity_max. */
static size_t capacity_first(size_t size, size_t capacity_max) {
    size_t wanted = size < OUTPUT_BYTES_FIRST_MAX / RATIO_GUESSED ? size * RATIO_GUESSED : OUTPUT_BYTES_FIRST_MAX;
    if (wanted < OUTPUT_BYTES_FIRST_MIN)
        wanted = OUTPUT_BYTES_FIRST_MIN;
    return wanted < capacity_max ? wanted : capacity_max;
}

/** The next to try. */
static size_t capacity_after(size_t capacity, size_t capacity_max) {
    return capacity < capacity_max / 2 ? capacity * 2 : capacity_max;
}

/** Frames one after another, step by step; LZ4 keeps the window of dependent blocks itself (64 KiB). */
static enum lf_status lz4_run(LZ4F_dctx *context, struct lf_bytes in, size_t bytes_max, uint8_t **out, size_t *size) {
    size_t capacity = 0, capacity_max = bytes_max + 1; /* room for the byte that is too much */
    size_t first = capacity_first(in.size, capacity_max);
    bool done = false;
    while (!done || in.size > 0) {
        if (*size > bytes_max)
            return LF_TOO_LARGE;
        if (*size == capacity) {
            capacity = capacity ? capacity_after(capacity, capacity_max) : first;
            uint8_t *grown = realloc(*out, capacity);
            if (!grown)
                return LF_NO_MEMORY;
            *out = grown;
        }
        size_t room = capacity - *size, consumed = in.size;
        size_t hint = LZ4F_decompress(context, *out + *size, &room, in.data, &consumed, NULL);
        if (LZ4F_isError(hint))
            return strcmp(LZ4F_getErrorName(hint), "ERROR_allocation_failed") == 0 ? LF_NO_MEMORY : LF_CORRUPT;
        in = lf_bytes(in.data + consumed, in.size - consumed);
        *size += room;
        done = hint == 0;
        if (!done && room == 0 && consumed == 0)
            return LF_CORRUPT; /* ends in the middle of a frame */
    }
    return *size > bytes_max ? LF_TOO_LARGE : LF_OK;
}

static enum lf_status lz4_decompress(struct lf_bytes in, size_t bytes_max, uint8_t **out, size_t *size) {
    LZ4F_dctx *context = lf_codec_lz4_decompressor();
    enum lf_status status = context ? lz4_run(context, in, bytes_max, out, size) : LF_NO_MEMORY;
    if (status != LF_OK)
        lf_codec_lz4_forget();
    return status;
}

/** In one go, into what the frame says it needs or a guess, and again into twice as much: so no frame can ask for a
 *  window of its own, and the bytes said never count for more than a first try within the bound. */
static enum lf_status zstd_decompress(struct lf_bytes in, size_t bytes_max, uint8_t **out, size_t *size) {
    unsigned long long said = ZSTD_getFrameContentSize(in.data, in.size);
    if (said == ZSTD_CONTENTSIZE_ERROR)
        return LF_CORRUPT;
    ZSTD_DCtx *context = lf_codec_zstd_decompressor();
    if (!context)
        return LF_NO_MEMORY;
    size_t capacity = capacity_first(in.size, bytes_max);
    if (said != ZSTD_CONTENTSIZE_UNKNOWN && said > capacity)
        capacity = said < bytes_max ? (size_t)said : bytes_max;
    for (;;) {
        *out = malloc(capacity);
        if (!*out)
            return LF_NO_MEMORY;
        *size = ZSTD_decompressDCtx(context, *out, capacity, in.data, in.size);
        if (!ZSTD_isError(*size))
            return LF_OK;
        ZSTD_ErrorCode error = ZSTD_getErrorCode(*size);
        if (error != ZSTD_error_dstSize_tooSmall)
            return error == ZSTD_error_memory_allocation ? LF_NO_MEMORY : LF_CORRUPT;
        if (capacity == bytes_max)
            return LF_TOO_LARGE;
        capacity = capacity_after(capacity, bytes_max);
        free(*out);
    }
}

enum lf_status lf_batch_codec_decompress(enum lf_codec codec, struct lf_bytes in, size_t bytes_max, uint8_t **out,
                                         size_t *size) {
    enum lf_status status = LF_UNSUPPORTED;
    *out = NULL;
    *size = 0;
    if (codec == LF_CODEC_LZ4)
        status = lz4_decompress(in, bytes_max, out, size);
    else if (codec == LF_CODEC_ZSTD)
        status = zstd_decompress(in, bytes_max, out, size);
    if (status != LF_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}
