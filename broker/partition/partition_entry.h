/** What the machine keeps of an entry that is not applied yet: all that its effect depends on, in 64 bytes. */
#ifndef PARTITION_ENTRY_H
#define PARTITION_ENTRY_H

#include "lf_entry.h"
#include "lf_record_batch.h"

/** The longest configuration payload, in bytes: 7 voters need far less. */
#define PARTITION_CONFIGURATION_BYTES_MAX (64u * 1024)

struct partition_entry {
    uint64_t term;
    uint64_t log_time_ms;
    int64_t end_offset;
    union {
        int64_t max_timestamp_ms; /**< batch */
        int64_t value; /**< LOG_START: the offset; REWRITTEN: the index of its REWRITE; OFFSET_JUMP: from where */
    };
    int64_t producer_id;  /**< batch, PRODUCER; else -1 */
    int32_t leader_epoch; /**< batch, as are the next three */
    int32_t base_sequence;
    int32_t last_offset_delta;
    uint32_t crc; /**< batch: its own; entries about segments, OFFSET_JUMP: of the payload */
    uint32_t payload_bytes;
    int16_t producer_epoch; /**< batch, PRODUCER */
    uint8_t type;
    uint8_t must_understand;
};
_Static_assert(sizeof(struct partition_entry) == 64, "compared byte by byte: no padding");

static inline uint32_t partition_entry_count(const struct partition_entry *batch) {
    return (uint32_t)batch->last_offset_delta + 1;
}
static inline int64_t partition_entry_base_offset(const struct partition_entry *batch) {
    return batch->end_offset - (int64_t)partition_entry_count(batch);
}

/** The producer fields of a batch that is not in the log yet; the rest zeroes. */
void partition_entry_from_batch(struct partition_entry *entry, const struct lf_batch_header *batch);
/** Read an entry of the log. LF_INTERNAL in words when header and payload contradict each other, or nothing of this
 *  kind belongs in a partition. Types this version does not know are fine here. */
enum lf_status partition_entry_decode(struct partition_entry *entry, const struct lf_entry_header *header,
                                      struct lf_bytes payload, struct lf_error *error);

#endif
