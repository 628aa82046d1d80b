/** A segment: a sealed run of a group's log, the unit in which history is dropped, sent, rewritten and repaired.
 *
 *  A segment stands for a range of indexes. After it was made it holds every entry of the range; a rewrite
 * (log_store.h) may have left some out. Its descriptor is a function of the entries alone, so equal on all replicas.
 */
#ifndef LOG_SEGMENT_H
#define LOG_SEGMENT_H

#include "lf_bytes.h"
#include "lf_status.h"

#include <stdint.h>

/** Bytes of an encoded descriptor. */
#define LOG_SEGMENT_BYTES 112

struct log_segment {
    uint64_t first_index; /**< of the range it stands for, both inclusive */
    uint64_t last_index;
    uint64_t last_term;         /**< of the entry at last_index, also when that one is not in it any more */
    uint64_t base_offset;       /**< the offset before the range */
    uint64_t end_offset;        /**< the offset after the range */
    uint64_t entry_count;       /**< that it holds; last_index - first_index + 1 unless it was rewritten */
    uint64_t bytes;             /**< of the entries that it holds, headers included */
    uint64_t command_bytes;     /**< those among them that are no batches */
    uint64_t first_log_time_ms; /**< of the range */
    uint64_t last_log_time_ms;
    int64_t max_timestamp_ms; /**< largest batch timestamp, capped as in time reads, of the entries that it held when
                                   it was sealed; -1: none */
    uint64_t checksum;        /**< CRC-32C of the headers of its entries, in order: covers all, since a header covers
                                   its payload */
    uint64_t rewrites;        /**< how often it was rewritten */
};

/** Begin the descriptor of the range from first_index on. offset, log_time_ms: before it. */
void log_segment_begin(struct log_segment *segment, uint64_t first_index, uint64_t offset, uint64_t log_time_ms);
/** The next entry of the range is in it. `entry` is whole and checked; its index is above all before. */
void log_segment_add(struct log_segment *segment, struct lf_bytes entry);
/** Is an entry missing in the range? */
static inline bool log_segment_whole(const struct log_segment *segment) {
    return segment->entry_count == segment->last_index - segment->first_index + 1;
}
/** Do the fields agree with each other? What can be said without the entries. */
bool log_segment_consistent(const struct log_segment *segment);
/** Does the segment begin where `before` ends: index, offset; terms and log times not below? */
bool log_segment_follows(const struct log_segment *segment, const struct log_segment *before);
bool log_segment_equal(const struct log_segment *a, const struct log_segment *b);

/** Byte table: the fields in order, u64 little-endian each, then 8 bytes: crc32c of what is before, 0. */
void log_segment_encode(const struct log_segment *segment, uint8_t out[LOG_SEGMENT_BYTES]);
/** The CRC-32C of the fields' bytes, carried on from `before` (0 at first), to tell lists of descriptors apart. Never
 * over the encoded whole: the CRC of bytes that end with their own CRC is the same for all. */
uint32_t log_segment_sum(uint32_t before, const struct log_segment *segment);
/** LF_DAMAGED in words: size, checksum, or fields that contradict each other. */
enum lf_status log_segment_decode(struct lf_bytes bytes, struct log_segment *segment, struct lf_error *error);

#endif
