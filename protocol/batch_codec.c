#include "batch_codec.h"

#include <lz4frame.h>
#include <stdlib.h>
#include <zstd.h>

#define ZSTD_LEVEL 3
#define FIRST_OUTPUT_BYTES (64u * 1024)

size_t batch_codec_bound(enum lf_codec codec, size_t size) {
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

enum lf_status batch_codec_compress(enum lf_codec codec, struct lf_bytes in, uint8_t *out, size_t capacity,
                                    size_t *written) {
    if (codec == LF_CODEC_LZ4) {
        LZ4F_preferences_t preferences = {0};
        preferences.frameInfo.blockMode = LZ4F_blockIndependent;
        preferences.frameInfo.blockSizeID = LZ4F_max64KB;
        *written = LZ4F_compressFrame(out, capacity, in.data, in.size, &preferences);
        return LZ4F_isError(*written) ? LF_NO_MEMORY : LF_OK;
    }
    if (codec == LF_CODEC_ZSTD) {
        *written = ZSTD_compress(out, capacity, in.data, in.size, ZSTD_LEVEL); /* writes the content size */
        return ZSTD_isError(*written) ? LF_NO_MEMORY : LF_OK;
    }
    return LF_UNSUPPORTED;
}

/** Room to decompress more; doubles up to the bound. */
static enum lf_status grow(uint8_t **out, size_t *capacity, size_t bytes_max) {
    if (*capacity >= bytes_max)
        return LF_TOO_LARGE;
    size_t wanted = *capacity ? *capacity * 2 : FIRST_OUTPUT_BYTES;
    if (wanted > bytes_max)
        wanted = bytes_max;
    uint8_t *grown = realloc(*out, wanted);
    if (!grown)
        return LF_NO_MEMORY;
    *out = grown;
    *capacity = wanted;
    return LF_OK;
}

/** One codec's streaming step: consumes and produces; *done when a frame ended. */
struct stream {
    LZ4F_dctx *lz4;
    ZSTD_DStream *zstd;
};

static enum lf_status step(struct stream *stream, struct lf_bytes *in, uint8_t *out, size_t *room, bool *done) {
    if (stream->lz4) {
        size_t consumed = in->size;
        size_t hint = LZ4F_decompress(stream->lz4, out, room, in->data, &consumed, NULL);
        if (LZ4F_isError(hint))
            return LF_CORRUPT;
        *in = lf_bytes(in->data + consumed, in->size - consumed);
        *done = hint == 0;
        return LF_OK;
    }
    ZSTD_inBuffer from = {in->data, in->size, 0};
    ZSTD_outBuffer to = {out, *room, 0};
    size_t hint = ZSTD_decompressStream(stream->zstd, &to, &from);
    if (ZSTD_isError(hint))
        return LF_CORRUPT;
    *in = lf_bytes(in->data + from.pos, in->size - from.pos);
    *room = to.pos;
    *done = hint == 0;
    return LF_OK;
}

static enum lf_status run(struct stream *stream, struct lf_bytes in, size_t bytes_max, uint8_t **out, size_t *size) {
    size_t capacity = 0;
    bool done = false;
    *out = NULL;
    *size = 0;
    while (!done || in.size > 0) { /* several frames one after another are one stream */
        if (*size == capacity) {
            enum lf_status status = grow(out, &capacity, bytes_max);
            if (status != LF_OK)
                return status;
        }
        size_t room = capacity - *size, before = in.size;
        enum lf_status status = step(stream, &in, *out + *size, &room, &done);
        if (status != LF_OK)
            return status;
        *size += room;
        if (!done && room == 0 && in.size == before)
            return LF_CORRUPT; /* ends in the middle of a frame */
    }
    return LF_OK;
}

enum lf_status batch_codec_decompress(enum lf_codec codec, struct lf_bytes in, size_t bytes_max, uint8_t **out,
                                      size_t *size) {
    struct stream stream = {0};
    if (codec == LF_CODEC_LZ4 && LZ4F_isError(LZ4F_createDecompressionContext(&stream.lz4, LZ4F_VERSION)))
        return LF_NO_MEMORY;
    if (codec == LF_CODEC_ZSTD && !(stream.zstd = ZSTD_createDStream()))
        return LF_NO_MEMORY;
    if (!stream.lz4 && !stream.zstd)
        return LF_UNSUPPORTED;
    if (stream.zstd)
        ZSTD_DCtx_setParameter(stream.zstd, ZSTD_d_windowLogMax, 23); /* 8 MiB: a window is memory a peer asks for */
    enum lf_status status = run(&stream, in, bytes_max, out, size);
    if (status != LF_OK) {
        free(*out);
        *out = NULL;
    }
    if (stream.lz4)
        LZ4F_freeDecompressionContext(stream.lz4);
    ZSTD_freeDStream(stream.zstd);
    return status;
}
