/** A fuzzer's input read front to back; past the end everything is 0 or empty. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include "lf_crc32c.h"
#include "lf_record_batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t fuzz_u8(struct fuzz_input *input) {
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

static inline uint16_t fuzz_le16(struct fuzz_input *input) {
    uint16_t low = fuzz_u8(input);
    return (uint16_t)(low | fuzz_u8(input) << 8);
}

/** A 16-bit little-endian size and that many bytes, or what is left. */
static inline struct lf_bytes fuzz_sized(struct fuzz_input *input) {
    size_t size = fuzz_le16(input);
    struct lf_bytes bytes = lf_bytes(input->at, size < input->left ? size : input->left);
    input->at += bytes.size;
    input->left -= bytes.size;
    return bytes;
}

/** Give a batch's length and checksum the values its bytes have: what lies behind these doors is worth fuzzing too. */
static inline void fuzz_repair_batch(uint8_t *batch, size_t size) {
    if (size < LF_BATCH_HEADER_BYTES)
        return;
    lf_put_be32(batch + 8, (uint32_t)size - 12);
    lf_put_be32(batch + 17, lf_crc32c(0, batch + 21, size - 21));
}

#endif
