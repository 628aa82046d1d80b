/** CRC-32C (Castagnoli), with the processor's instruction where it has one and a portable twin that gives the same. */
#ifndef LF_CRC32C_H
#define LF_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/** Checksum of `size` bytes going on from `crc` (0 to start): lf_crc32c(lf_crc32c(0, a), b) is the sum of a then b.
 *  Chooses the implementation once, safely from any thread. */
uint32_t lf_crc32c(uint32_t crc, const void *data, size_t size);
/** The portable twin, for tests and processors without the instruction. */
uint32_t lf_crc32c_portable(uint32_t crc, const void *data, size_t size);
/** Whether lf_crc32c uses the processor's instruction. */
int lf_crc32c_is_hardware(void);

#endif
