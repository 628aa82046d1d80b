/** Compression of a batch's records, bounded on both ways. For the files of the record batch only. */
#ifndef BATCH_CODEC_H
#define BATCH_CODEC_H

#include "lf_record_batch.h"

/** Most bytes `size` may become, or 0 when the codec is not ours. */
size_t lf_batch_codec_bound(enum lf_codec codec, size_t size);
/** Compress into out (capacity: lf_batch_codec_bound); *written bytes. LF_NO_MEMORY, LF_UNSUPPORTED. */
enum lf_status lf_batch_codec_compress(enum lf_codec codec, struct lf_bytes in, uint8_t *out, size_t capacity,
                                       size_t *written);
/** Decompress; *out is malloc'd (caller frees) and at most bytes_max long. LF_CORRUPT, LF_TOO_LARGE, LF_NO_MEMORY,
 *  LF_UNSUPPORTED. Never trusts a size it is told. */
enum lf_status lf_batch_codec_decompress(enum lf_codec codec, struct lf_bytes in, size_t bytes_max, uint8_t **out,
                                         size_t *size);

#endif
