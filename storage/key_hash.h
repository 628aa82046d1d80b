/** 128 bits of a record's key, for telling keys apart without keeping them.
 *
 *  SipHash-2-4 with 128 bits of output and a fixed key: the same on every node. Two keys with one hash would lose the
 *  older one's record; by chance that is one pair in 2^64 keys.
 *  Source: Aumasson, Bernstein, "SipHash: a fast short-input PRF", and the authors' 128-bit variant.
 */
#ifndef KEY_HASH_H
#define KEY_HASH_H

#include "lf_bytes.h"

struct key_hash {
    uint64_t low, high;
};

struct key_hash key_hash_of(struct lf_bytes key);

#endif
