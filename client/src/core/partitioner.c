#include "core_state.h"

/* Source: the public-domain MurmurHash2 as Kafka's clients use it (seed 0x9747b28c, little-endian words). */
uint32_t lf_murmur2(const void *data, size_t size) {
    const uint32_t m = 0x5bd1e995u;
    const uint8_t *bytes = data;
    uint32_t hash = 0x9747b28cu ^ (uint32_t)size;
    for (; size >= 4; bytes += 4, size -= 4) {
        uint32_t k = lf_get_le32(bytes) * m;
        k ^= k >> 24;
        hash = (hash * m) ^ (k * m);
    }
    if (size >= 3)
        hash ^= (uint32_t)bytes[2] << 16;
    if (size >= 2)
        hash ^= (uint32_t)bytes[1] << 8;
    if (size >= 1)
        hash = (hash ^ bytes[0]) * m;
    hash = (hash ^ (hash >> 13)) * m;
    return hash ^ (hash >> 15);
}
