#include "key_hash.h"

/* "logflume" and "key hash": any constants do, as long as they never change. */
#define KEY_0 0x656d756c66676f6cull
#define KEY_1 0x687361682079656bull

static inline uint64_t rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

struct sip {
    uint64_t v0, v1, v2, v3;
};

static inline void rounds(struct sip *s, int count) {
    for (int i = 0; i < count; i++) {
        s->v0 += s->v1;
        s->v1 = rotate(s->v1, 13) ^ s->v0;
        s->v0 = rotate(s->v0, 32);
        s->v2 += s->v3;
        s->v3 = rotate(s->v3, 16) ^ s->v2;
        s->v0 += s->v3;
        s->v3 = rotate(s->v3, 21) ^ s->v0;
        s->v2 += s->v1;
        s->v1 = rotate(s->v1, 17) ^ s->v2;
        s->v2 = rotate(s->v2, 32);
    }
}

static inline void absorb(struct sip *s, uint64_t word) {
    s->v3 ^= word;
    rounds(s, 2);
    s->v0 ^= word;
}

struct key_hash key_hash_of(struct lf_bytes key) {
    struct sip s = {.v0 = KEY_0 ^ 0x736f6d6570736575ull,
                    .v1 = KEY_1 ^ 0x646f72616e646f6dull ^ 0xee,
                    .v2 = KEY_0 ^ 0x6c7967656e657261ull,
                    .v3 = KEY_1 ^ 0x7465646279746573ull};
    size_t whole = key.size - key.size % 8;
    for (size_t i = 0; i < whole; i += 8)
        absorb(&s, lf_get_le64(key.data + i));
    uint64_t last = (uint64_t)key.size << 56;
    for (size_t i = whole; i < key.size; i++)
        last |= (uint64_t)key.data[i] << (8 * (i - whole));
    absorb(&s, last);
    struct key_hash hash;
    s.v2 ^= 0xee;
    rounds(&s, 4);
    hash.low = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    s.v1 ^= 0xdd;
    rounds(&s, 4);
    hash.high = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    return hash;
}
