#include "codec_contexts.h"

#include <stdbool.h>
#include <stdlib.h>
#include <threads.h>

struct contexts {
    ZSTD_CCtx *zstd_compressor;
    ZSTD_DCtx *zstd_decompressor;
    LZ4F_dctx *lz4_decompressor;
};

static once_flag once = ONCE_FLAG_INIT;
static tss_t key;
static bool has_key;

static void contexts_free(void *pointer) {
    struct contexts *contexts = pointer;
    ZSTD_freeCCtx(contexts->zstd_compressor);
    ZSTD_freeDCtx(contexts->zstd_decompressor);
    LZ4F_freeDecompressionContext(contexts->lz4_decompressor);
    free(contexts);
}

static void make_key(void) { has_key = tss_create(&key, contexts_free) == thrd_success; }

static struct contexts *mine(void) {
    call_once(&once, make_key);
    if (!has_key)
        return NULL;
    struct contexts *contexts = tss_get(key);
    if (contexts)
        return contexts;
    contexts = calloc(1, sizeof *contexts);
    if (contexts && tss_set(key, contexts) != thrd_success) {
        free(contexts);
        return NULL;
    }
    return contexts;
}

ZSTD_CCtx *lf_codec_zstd_compressor(void) {
    struct contexts *contexts = mine();
    if (contexts && !contexts->zstd_compressor)
        contexts->zstd_compressor = ZSTD_createCCtx();
    return contexts ? contexts->zstd_compressor : NULL;
}

ZSTD_DCtx *lf_codec_zstd_decompressor(void) {
    struct contexts *contexts = mine();
    if (contexts && !contexts->zstd_decompressor)
        contexts->zstd_decompressor = ZSTD_createDCtx();
    return contexts ? contexts->zstd_decompressor : NULL;
}

LZ4F_dctx *lf_codec_lz4_decompressor(void) {
    struct contexts *contexts = mine();
    if (!contexts)
        return NULL;
    if (!contexts->lz4_decompressor &&
        LZ4F_isError(LZ4F_createDecompressionContext(&contexts->lz4_decompressor, LZ4F_VERSION)))
        contexts->lz4_decompressor = NULL;
    return contexts->lz4_decompressor;
}

void lf_codec_lz4_forget(void) {
    struct contexts *contexts = mine();
    if (!contexts)
        return;
    LZ4F_freeDecompressionContext(contexts->lz4_decompressor);
    contexts->lz4_decompressor = NULL;
}
