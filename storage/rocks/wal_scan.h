/** Judging the write-ahead logs of a store as one stream of batches, oldest log first. Pure.
 *
 *  A batch: sequence u64, count u32 (little-endian), operations; ours begin with a marker (wal_marker.h). The batch
 *  after it has sequence + count. Where reading fails, the batch that should be there has the sequence expected there,
 *  and:
 *   - a readable batch after it whose marker says that this sequence was synced: damage;
 *   - none: a torn end, since nothing shows that the unreadable bytes were ever synced.
 */
#ifndef WAL_SCAN_H
#define WAL_SCAN_H

#include "wal_log.h"
#include "wal_marker.h"

enum wal_verdict { WAL_WHOLE, WAL_TORN, WAL_DAMAGED, WAL_NO_MEMORY };

/** Carried from log to log. Zero-initialise. */
struct wal_stream {
    bool sequence_known; /**< false until the first batch, or forever when the first one cannot be read */
    uint64_t sequence_next;
    uint64_t sequence_first; /**< of the first whole batch */
    bool uuid_known;
    uint8_t store_uuid[LOG_STORE_ID_BYTES];
    bool broken;      /**< something before could not be read; sequence_next is what should be there */
    bool marker_seen; /**< among what follows the broken place, when no sequence is known */
    uint64_t marker;
    uint64_t records; /**< whole ones with operations */
};

struct wal_judgement {
    enum wal_verdict verdict;
    size_t whole_bytes;  /**< TORN: cut here */
    size_t bad_offset;   /**< TORN, DAMAGED: what cannot be read */
    size_t proof_offset; /**< DAMAGED: the batch that shows it had been synced */
};

/** Judge one log file's bytes. After a TORN one every later log is TORN from 0 on, or DAMAGED. */
struct wal_judgement wal_scan(struct wal_stream *stream, struct lf_bytes bytes);

#endif
