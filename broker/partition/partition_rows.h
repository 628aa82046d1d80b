/** The rows that a partition's applied state is kept as. Little-endian values, big-endian ids in keys.
 *
 *  "m"            meta: u8 version 2, i64 end_offset, i64 log_start_offset, u64 log_time_ms, i64 max_timestamp_ms,
 *                 u32 hint_entries, u64 hint_bytes, u64 rewrite_index, u8 rewrite_open, u32 seals_checksum,
 *                 u32 rewrite_expected, u32 rewrite_own
 *  "o"            open segment: its descriptor (storage/log_segment.h), or 112 zeroes while nothing is in it
 *  "d" u64 index  a decision about segments that is applied and not carried out (partition_decision.h)
 *  "e"            i64: a committed log start that was heard of ahead of its entry, and dropped by; absent: none
 *  "k"            what it remembers of compactions (partition_compaction.h)
 *  "j"            where offsets jump (partition_jumps.h)
 *  "c"            configuration: u8 version 1, u64 index, then the entry's payload
 *  "p" u64 id     producer: u8 version 1, u16 epoch, u64 accepted, u64 last_use_ms, i32 lower_epoch,
 *                 i32 lower_sequence, i64 lower_offset, u8 batch count, then per batch, oldest first:
 *                 i64 base_offset, u32 records, i32 leader_epoch
 *
 *  Decoders take nothing on trust: sizes exact, every field within what the machine can make.
 */
#ifndef PARTITION_ROWS_H
#define PARTITION_ROWS_H

#include "log_segment.h"
#include "producer.h"

#define PARTITION_ROW_VERSION 1
#define PARTITION_META_ROW_VERSION 2
#define PARTITION_META_ROW_BYTES 66
#define PARTITION_PRODUCER_KEY_BYTES 9
#define PARTITION_PRODUCER_ROW_FIXED_BYTES 36
#define PARTITION_PRODUCER_ROW_BATCH_BYTES 16
#define PARTITION_PRODUCER_ROW_BYTES_MAX                                                                               \
    (PARTITION_PRODUCER_ROW_FIXED_BYTES + PARTITION_PRODUCER_BATCHES * PARTITION_PRODUCER_ROW_BATCH_BYTES)
#define PARTITION_CONFIGURATION_ROW_FIXED_BYTES 9

/** Applied state besides the producers. */
struct partition_meta {
    int64_t end_offset;
    int64_t log_start_offset;
    uint64_t log_time_ms;
    int64_t max_timestamp_ms; /**< running maximum; -1: none */
    uint32_t hint_entries;    /**< since the last hint */
    uint64_t hint_bytes;
    uint64_t rewrite_index;                                 /**< of the last REWRITE; 0: there was none */
    bool rewrite_open;                                      /**< its REWRITTEN has not come */
    uint32_t seals_checksum, rewrite_expected, rewrite_own; /**< struct partition_segments */
};

void partition_meta_encode(const struct partition_meta *meta, uint8_t out[PARTITION_META_ROW_BYTES]);
/** LF_OK or LF_DAMAGED in words, like all below. */
enum lf_status partition_meta_decode(struct lf_bytes row, struct partition_meta *meta, struct lf_error *error);

/** The open segment; `before`: as it is while nothing is in it. */
void partition_open_encode(const struct log_segment *open, uint8_t out[LOG_SEGMENT_BYTES]);
enum lf_status partition_open_decode(struct lf_bytes row, const struct log_segment *before, struct log_segment *open,
                                     struct lf_error *error);

void partition_producer_key(int64_t id, uint8_t out[PARTITION_PRODUCER_KEY_BYTES]);
/** Returns the bytes used of out. */
size_t partition_producer_encode(const struct producer *producer, uint8_t out[PARTITION_PRODUCER_ROW_BYTES_MAX]);
/** `meta`: what the rest of the state says, to hold the row against. Fills in all but the table's own fields. */
enum lf_status partition_producer_decode(struct lf_bytes key, struct lf_bytes row, const struct partition_meta *meta,
                                         struct producer *producer, struct lf_error *error);

#endif
