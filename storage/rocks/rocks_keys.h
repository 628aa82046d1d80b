/** Keys of the three column families. Numbers in keys are big-endian, so that byte order is number order; values are
 *  little-endian. docs/storage-format.md says where the tables of the values are.
 *
 *  default:  'I'                      identity (log_identity.h)
 *            'N'                      next slot, and next segment id: u64
 *            'G' group:u64 'A'        applied index: u64
 *                          'B' index  the segment whose range begins there: id u64, descriptor (log_segment.h); id 0:
 *                                     its entries are still in `active`
 *                          'D'        slot: u64, replica id: u64
 *                          'H'        term: u64, vote: u64
 *                          'L'        last index: u64
 *                          'O' index  hint: offset u64, max timestamp i64
 *                          'P'        every entry above it is there: index u64, its term u64; absent: 0, 0
 *                          'R' index  run of one term from index on: term u64
 *                          'S' key    a row of applied state
 *                          'T' id     a staged segment: descriptor
 *  active:   slot:u64 index:u64       an entry
 *  segments: id:u64 index:u64         an entry; one segment is one table file
 */
#ifndef ROCKS_KEYS_H
#define ROCKS_KEYS_H

#include "log_store.h"

#define ROCKS_KEY_BYTES_MAX (10u + LOG_STORE_ROW_KEY_BYTES_MAX)
#define ROCKS_ENTRY_KEY_BYTES 16u
#define ROCKS_SEGMENT_ROW_BYTES (8u + LOG_SEGMENT_BYTES)

enum rocks_kind {
    ROCKS_KIND_APPLIED = 'A',
    ROCKS_KIND_SEGMENT = 'B',
    ROCKS_KIND_DESCRIPTOR = 'D',
    ROCKS_KIND_HARD_STATE = 'H',
    ROCKS_KIND_LAST = 'L',
    ROCKS_KIND_HINT = 'O',
    ROCKS_KIND_PREVIOUS = 'P',
    ROCKS_KIND_RUN = 'R',
    ROCKS_KIND_ROW = 'S',
    ROCKS_KIND_STAGED = 'T',
    ROCKS_KIND_END = 0xff, /**< above all kinds: where a group's keys end */
};

struct rocks_key {
    uint8_t bytes[ROCKS_KEY_BYTES_MAX];
    size_t size;
};

struct rocks_key rocks_key_identity(void);
struct rocks_key rocks_key_next_slot(void);
struct rocks_key rocks_key_group(uint64_t group, enum rocks_kind kind);
/** For hints, runs and segments (index), and staged segments (id). */
struct rocks_key rocks_key_at(uint64_t group, enum rocks_kind kind, uint64_t index);
struct rocks_key rocks_key_row(uint64_t group, struct lf_bytes key);
/** In `active` by slot, in `segments` by segment id. */
struct rocks_key rocks_key_entry(uint64_t slot, uint64_t index);

/** A key of the default family that belongs to a group; rest is what follows the kind. False for any other. */
bool rocks_key_parse(struct lf_bytes key, uint64_t *group, uint8_t *kind, struct lf_bytes *rest);
bool rocks_key_parse_entry(struct lf_bytes key, uint64_t *slot, uint64_t *index);

#endif
