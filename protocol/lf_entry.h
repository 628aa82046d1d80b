/** The entry: 64 bytes of header and a payload; what Raft replicates and the store keeps.
 *
 *  Little-endian, byte table (offset size field):
 *     0  4  crc32c      over group id (8 bytes LE), then bytes 4..63 of this header, then the covered payload bytes
 *     4  1  format      LF_ENTRY_FORMAT
 *     5  1  type        enum lf_entry_type
 *     6  2  flags       bit 0: must be understood; the others 0
 *     8  4  payload_bytes
 *    12  4  reserved    0
 *    16  8  index
 *    24  8  term
 *    32  8  log_time_ms never goes back within a group
 *    40  8  end_offset  the offset after this entry
 *    48  8  replica_id  the writer (the leader that appended it)
 *    56  8  reserved    0
 *
 *  Covered payload bytes: a batch's first 21 (what its own CRC-32C leaves out, and that CRC); all of a command's. So a
 *  batch entry is whole when both checksums hold: lf_entry_check does both.
 */
#ifndef LF_ENTRY_H
#define LF_ENTRY_H

#include "lf_bytes.h"
#include "lf_status.h"

#define LF_ENTRY_HEADER_BYTES 64
#define LF_ENTRY_FORMAT 1
/** Hard limit for one entry's payload (batch_bytes_hard), in bytes. */
#define LF_ENTRY_PAYLOAD_BYTES_HARD (4u * 1024 * 1024)
/** How much of a batch the entry's checksum covers, in bytes. */
#define LF_ENTRY_BATCH_COVERED_BYTES 21

/** Numbers are stored and never reused. */
enum lf_entry_type {
    LF_ENTRY_NOOP = 1,          /**< a new leader's first entry; empty payload */
    LF_ENTRY_CONFIGURATION = 2, /**< members of the group (protocol/raft_log.proto) */
    LF_ENTRY_BATCH = 3,         /**< a record batch */
    LF_ENTRY_METADATA = 4,      /**< a command of group 0 (protocol/metadata.proto) */
    LF_ENTRY_LEVEL = 5,         /**< reserved: raises what the group's entries may mean */
    LF_ENTRY_PRODUCER = 6,      /**< a producer raises its epoch in this partition (protocol/raft_log.proto) */
    /* The set of segments is changed by the log alone; payloads in protocol/raft_log.proto, rules in
     * broker/partition/partition.h. All must be understood. */
    LF_ENTRY_SEGMENT_ROLL = 7, /**< a segment ends with this entry; empty payload */
    LF_ENTRY_LOG_START = 8,    /**< the log's first offset, up to which whole segments go */
    LF_ENTRY_REWRITE = 9,      /**< neighbouring segments become new ones, which lack some of their entries */
    LF_ENTRY_REWRITTEN = 10,   /**< what came of it where the leader is: must be equal everywhere */
    /** Offsets go on far behind where they were: what is here is all that is left of a lost majority's log. Made by
     *  `logflumed store recover` alone, never proposed; must be understood. */
    LF_ENTRY_OFFSET_JUMP = 11,
    LF_ENTRY_TYPE_MAX_KNOWN = LF_ENTRY_OFFSET_JUMP,
};

#define LF_ENTRY_MUST_UNDERSTAND 0x0001u
/** How far an OFFSET_JUMP goes, in offsets: more than the lost majority can have given meanwhile. */
#define LF_OFFSET_JUMP (INT64_C(1) << 32)

struct lf_entry_header {
    uint8_t type;
    uint16_t flags;
    uint32_t payload_bytes;
    uint64_t index;
    uint64_t term;
    uint64_t log_time_ms;
    uint64_t end_offset;
    uint64_t replica_id;
};

/** Write the header for `payload` into 64 bytes at `out`, checksum included. payload.size must equal payload_bytes. */
void lf_entry_encode(const struct lf_entry_header *header, uint64_t group, struct lf_bytes payload,
                     uint8_t out[LF_ENTRY_HEADER_BYTES]);

/** Read and judge a whole entry (header then payload, nothing after).
 *  Returns LF_OK; LF_MALFORMED (sizes, reserved bits), LF_CORRUPT (entry checksum, or the batch's own CRC-32C),
 *  LF_UNSUPPORTED (format). `header` and `payload` (a view into entry) are set on LF_OK only. `error` may be NULL. */
enum lf_status lf_entry_check(struct lf_bytes entry, uint64_t group, struct lf_entry_header *header,
                              struct lf_bytes *payload, struct lf_error *error);

/** The same without checksums, for bytes checked before in this process. */
enum lf_status lf_entry_decode(struct lf_bytes entry, struct lf_entry_header *header, struct lf_bytes *payload);

#endif
