/** Records of RocksDB's log files (write-ahead logs and MANIFEST), read from bytes in memory.
 *
 *  The public format: blocks of 32 KB; in them fragments, a 7-byte header then the payload:
 *     0  4  masked crc32c of type and payload
 *     4  2  payload bytes
 *     6  1  type: 1 FULL, 2 FIRST, 3 MIDDLE, 4 LAST (recyclable types 5 to 8 are not used here)
 *  What is left of a block below 7 bytes is filler. Source: RocksDB wiki, "Write Ahead Log File Format".
 */
#ifndef WAL_LOG_H
#define WAL_LOG_H

#include "lf_bytes.h"
#include "lf_status.h"

#define WAL_BLOCK_BYTES 32768u
#define WAL_HEADER_BYTES 7u

enum wal_fragment_type { WAL_FULL = 1, WAL_FIRST, WAL_MIDDLE, WAL_LAST };

/** Zero-initialise with bytes; wal_log_deinit frees what a record of several fragments was put together in. */
struct wal_log {
    struct lf_bytes bytes; /**< borrowed */
    size_t at;
    uint8_t *scratch;
    size_t scratch_bytes, scratch_capacity;
};

struct wal_record {
    size_t offset;           /**< of its first fragment */
    size_t end;              /**< behind its last fragment */
    struct lf_bytes payload; /**< valid until the next call */
};

enum wal_next {
    WAL_NEXT_RECORD,
    WAL_NEXT_END,
    WAL_NEXT_BAD, /**< record->offset: where whole records end; record->end: where the bad fragment starts */
    WAL_NEXT_NO_MEMORY,
};

/** The next record. After WAL_NEXT_BAD do not go on. */
enum wal_next wal_log_next(struct wal_log *log, struct wal_record *record);
void wal_log_deinit(struct wal_log *log);

/** A whole fragment at `at`, its checksum right? */
bool wal_fragment_at(struct lf_bytes bytes, size_t at, enum wal_fragment_type *type, struct lf_bytes *payload);

#endif
