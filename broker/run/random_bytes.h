/** The operating system's randomness: identities and seeds begin here, everything below gets them. */
#ifndef RANDOM_BYTES_H
#define RANDOM_BYTES_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t size);
uint64_t random_number(void);

#endif
