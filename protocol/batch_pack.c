/** The LZ4 block format, greedily: the last place with the same four bytes is the only candidate. One block is at most
 *  64 KiB, so every earlier byte of it is within reach.
 *  Source: the public LZ4 block and frame format descriptions. */
#include "batch_pack.h"

#define BLOCK_BYTES_MAX (64u * 1024)
#define HASH_BITS 13
#define MATCH_BYTES_MIN 4
/** The format's end conditions: the last bytes are literals, and no match begins close to the end. */
#define LITERALS_AT_END 5
#define MATCH_START_BEFORE_END 12
/** After so many misses in a row (as a power of two) the search takes one byte more per step. */
#define SKIP_BITS 6
/** A block length with this bit: its bytes are as they were. */
#define BLOCK_STORED 0x80000000u

/** Magic; version 1 with independent blocks; blocks of 64 KiB; the header's checksum. */
static const uint8_t frame_begin[] = {0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82};
static const uint8_t frame_end[] = {0, 0, 0, 0};

/** Bytes with an end; `full` once they did not fit. */
struct sink {
    uint8_t *at, *end;
    bool full;
};

static void put(struct sink *sink, const uint8_t *bytes, size_t size) {
    if ((size_t)(sink->end - sink->at) < size) {
        sink->full = true;
        return;
    }
    if (size > 0)
        memcpy(sink->at, bytes, size);
    sink->at += size;
}

static void put_byte(struct sink *sink, uint8_t byte) { put(sink, &byte, 1); }

/** What of a length did not fit into its four bits. */
static void put_rest(struct sink *sink, size_t length) {
    if (length < 15)
        return;
    size_t rest = length - 15;
    for (; rest >= 255; rest -= 255)
        put_byte(sink, 255);
    put_byte(sink, (uint8_t)rest);
}

/** match_bytes 0: the last sequence, literals alone. */
static void put_sequence(struct sink *sink, const uint8_t *literals, size_t literal_bytes, size_t distance,
                         size_t match_bytes) {
    size_t match = match_bytes > 0 ? match_bytes - MATCH_BYTES_MIN : 0;
    put_byte(sink, (uint8_t)((literal_bytes < 15 ? literal_bytes : 15) << 4 | (match < 15 ? match : 15)));
    put_rest(sink, literal_bytes);
    put(sink, literals, literal_bytes);
    if (match_bytes == 0)
        return;
    put_byte(sink, (uint8_t)distance);
    put_byte(sink, (uint8_t)(distance >> 8));
    put_rest(sink, match);
}

static uint32_t hash_of(const uint8_t *at) { return lf_get_le32(at) * 2654435761u >> (32 - HASH_BITS); }

static size_t match_length(const uint8_t *a, const uint8_t *b, const uint8_t *end) {
    const uint8_t *begin = b;
    while (b < end && *a == *b) {
        a++;
        b++;
    }
    return (size_t)(b - begin);
}

static void pack_block(struct lf_bytes in, struct sink *sink) {
    uint16_t places[1u << HASH_BITS] = {0};
    const uint8_t *begin = in.data, *end = in.data + in.size, *literals = begin;
    const uint8_t *start_end = in.size > MATCH_START_BEFORE_END ? end - MATCH_START_BEFORE_END : begin;
    size_t misses = 0;
    for (const uint8_t *at = begin + 1; at < start_end && !sink->full;) {
        uint16_t *place = &places[hash_of(at)];
        const uint8_t *candidate = begin + *place;
        *place = (uint16_t)(at - begin);
        if (candidate >= at || lf_get_le32(candidate) != lf_get_le32(at)) {
            at += 1 + (misses++ >> SKIP_BITS);
            continue;
        }
        size_t length =
            MATCH_BYTES_MIN + match_length(candidate + MATCH_BYTES_MIN, at + MATCH_BYTES_MIN, end - LITERALS_AT_END);
        put_sequence(sink, literals, (size_t)(at - literals), (size_t)(at - candidate), length);
        at += length;
        literals = at;
        misses = 0;
    }
    put_sequence(sink, literals, (size_t)(end - literals), 0, 0);
}

static void put_block(struct sink *sink, struct lf_bytes block) {
    uint8_t *length = sink->at;
    put(sink, frame_end, 4); /* the length's place */
    if (sink->full)
        return;
    struct sink body = *sink;
    if (body.end - body.at > (ptrdiff_t)block.size - 1)
        body.end = body.at + block.size - 1;
    pack_block(block, &body);
    if (body.full) {
        put(sink, block.data, block.size);
        if (!sink->full)
            lf_put_le32(length, (uint32_t)block.size | BLOCK_STORED);
        return;
    }
    lf_put_le32(length, (uint32_t)(body.at - sink->at));
    sink->at = body.at;
}

size_t lf_batch_pack(struct lf_bytes in, uint8_t *out) {
    if (in.size == 0)
        return 0;
    struct sink sink = {.at = out, .end = out + in.size - 1};
    put(&sink, frame_begin, sizeof frame_begin);
    while (in.size > 0 && !sink.full) {
        struct lf_bytes block = lf_bytes(in.data, in.size < BLOCK_BYTES_MAX ? in.size : BLOCK_BYTES_MAX);
        put_block(&sink, block);
        in = lf_bytes(in.data + block.size, in.size - block.size);
    }
    put(&sink, frame_end, sizeof frame_end);
    return sink.full ? 0 : (size_t)(sink.at - out);
}
