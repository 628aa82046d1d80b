/** A batch with fewer records: what key compaction writes. */
#include "batch_pack.h"
#include "lf_check.h"
#include "lf_crc32c.h"
#include "lf_record_batch.h"

size_t lf_batch_thin(struct lf_bytes batch, struct lf_bytes records, int32_t count, uint8_t *out) {
    struct lf_batch_header header;
    lf_check(lf_batch_header_decode(batch, &header) == LF_OK);
    lf_check(count >= 1);
    lf_check(records.size > 0);
    uint8_t *body = out + LF_BATCH_HEADER_BYTES;
    size_t packed = (header.attributes & 7) != LF_CODEC_NONE ? lf_batch_pack(records, body) : 0;
    uint16_t codec = packed > 0 ? LF_CODEC_LZ4 : LF_CODEC_NONE;
    if (packed == 0)
        memcpy(body, records.data, records.size);
    size_t size = LF_BATCH_HEADER_BYTES + (packed > 0 ? packed : records.size);
    memcpy(out, batch.data, LF_BATCH_HEADER_BYTES);
    lf_put_be32(out + 8, (uint32_t)size - 12);
    lf_put_be16(out + 21, (uint16_t)((header.attributes & ~7u) | codec));
    lf_put_be32(out + 57, (uint32_t)count);
    lf_put_be32(out + 17, lf_crc32c(0, out + 21, size - 21));
    return size;
}
