/** The contexts the codecs work in, kept per thread: making one costs more than decompressing a small batch (zstd asks
 *  the processor what it can do, which traps into the hypervisor of a virtual machine: some 20 us each). Nothing of one
 *  batch is left for the next. For batch_codec.c only. */
#ifndef CODEC_CONTEXTS_H
#define CODEC_CONTEXTS_H

#include <lz4frame.h>
#include <zstd.h>

/** The calling thread's, made at first use and freed when it ends; NULL: out of memory. */
ZSTD_CCtx *lf_codec_zstd_compressor(void);
ZSTD_DCtx *lf_codec_zstd_decompressor(void);
/** Likewise, at the beginning of a frame. */
LZ4F_dctx *lf_codec_lz4_decompressor(void);
/** What decompressed with it stopped within a frame: the next call makes a new one. (Resetting is not enough:
 * liblz4 1.9.4 keeps how much the frame said is left, and holds it against the next one.) */
void lf_codec_lz4_forget(void);

#endif
