/** The witness: what of the write-ahead logs and the MANIFEST was on stable storage at some moment. Start-up demands
 * all of it back (preflight.h); without it, a synced end that is missing looks like one that was never synced. Pure.
 *
 *  The file WITNESS holds two slots, WITNESS_SLOT_STRIDE apart so that no device tears both; they are written in turn,
 *  and the readable one of the higher generation counts. A slot, little-endian (offset size field):
 *     0    4  WITNESS_MAGIC
 *     4    2  format, 1
 *     6    2  logs listed
 *     8    8  generation: rises by one with every slot written; even: the first slot, odd: the second
 *    16   16  store uuid
 *    32    8  the MANIFEST's number
 *    40    8  its durable bytes, a whole number of edits
 *    48    8  last sequence that is durable
 *    56  24n  per log, oldest first: number, durable bytes, last sequence in them
 *   508    4  CRC-32C of the 508 bytes before
 */
#ifndef WITNESS_H
#define WITNESS_H

#include "log_store.h"

#define WITNESS_NAME "WITNESS"
#define WITNESS_MAGIC 0x3157464cu /* "LFW1" */
#define WITNESS_SLOT_BYTES 512u
#define WITNESS_SLOT_STRIDE 4096u
#define WITNESS_FILE_BYTES (2 * WITNESS_SLOT_STRIDE)
#define WITNESS_WALS_MAX 18u

struct witness_wal {
    uint64_t number;
    uint64_t bytes;
    uint64_t last_sequence;
};

/** With more logs than fit, the oldest and the newest are listed; that those between are there shows in the sequences.
 */
struct witness {
    uint64_t generation;
    uint8_t store_uuid[LOG_STORE_ID_BYTES];
    uint64_t manifest_number;
    uint64_t manifest_bytes;
    uint64_t last_sequence;
    uint32_t wal_count;
    struct witness_wal wals[WITNESS_WALS_MAX]; /**< numbers rise */
};

void witness_encode(const struct witness *witness, uint8_t slot[WITNESS_SLOT_BYTES]);
/** False: unreadable, which is a slot that was being written when the power went, or damage. */
bool witness_decode(struct lf_bytes slot, struct witness *witness);
/** The newer readable slot of the file. False: none is readable. */
bool witness_choose(struct lf_bytes file, struct witness *witness);
/** Where the slot of this generation lies. */
static inline uint64_t witness_slot_offset(uint64_t generation) { return generation % 2 * WITNESS_SLOT_STRIDE; }

/** NULL when it is not listed. */
const struct witness_wal *witness_find(const struct witness *witness, uint64_t number);
/** Of the newest listed log; 0 without any. */
uint64_t witness_newest(const struct witness *witness);
/** A newer log; the second oldest makes room. */
void witness_add(struct witness *witness, const struct witness_wal *wal);

#endif
