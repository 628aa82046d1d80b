/** LZ4 frames whose bytes depend on the input alone: on no library, no version of one, no processor.
 *
 *  Compaction writes batches anew on every replica, and the results must be equal byte for byte. So this compressor is
 *  ours, small, and never changed: a better one would be another function, chosen by the log. Readers decompress what
 *  it makes like any other LZ4 frame. (docs/decisions/0012-survivors-are-written-by-our-own-hand.md)
 */
#ifndef BATCH_PACK_H
#define BATCH_PACK_H

#include "lf_bytes.h"

/** Write `in` to out (room for in.size) as one frame: independent blocks of 64 KiB, no checksums (the batch has one).
 *  Returns its bytes, or 0 when it would not be smaller than `in`. */
size_t lf_batch_pack(struct lf_bytes in, uint8_t *out);

#endif
