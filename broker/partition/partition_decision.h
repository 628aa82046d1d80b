/** A decision about segments: an entry of type LOG_START or REWRITE that is applied, and waits to be carried out. */
#ifndef PARTITION_DECISION_H
#define PARTITION_DECISION_H

#include "lf_entry.h"
#include "log_store.h"

/** Row of a decision: u8 version 1, u8 entry type, u32 expected checksum, then the entry's payload. */
#define PARTITION_DECISION_KEY_BYTES 9
#define PARTITION_DECISION_ROW_FIXED_BYTES 6
/** More than the longest payload of such an entry needs, in bytes. */
#define PARTITION_DECISION_PAYLOAD_BYTES_MAX 64
#define PARTITION_DECISION_ROW_BYTES_MAX (PARTITION_DECISION_ROW_FIXED_BYTES + PARTITION_DECISION_PAYLOAD_BYTES_MAX)

struct partition_decision {
    uint64_t index; /**< of the entry */
    uint8_t type;
    uint8_t payload_bytes;
    uint8_t payload[PARTITION_DECISION_PAYLOAD_BYTES_MAX];
    uint32_t expected;                /**< REWRITE: what its REWRITTEN says; 0: not known */
    int64_t offset;                   /**< LOG_START */
    struct log_store_rewrite rewrite; /**< REWRITE; group and request are 0 */
    uint64_t clean_before_ms;         /**< REWRITE that compacts: partition_compaction_begin */
};

/** From an entry's payload. LF_INTERNAL in words: it cannot be read, or cannot be meant. */
enum lf_status partition_decision_decode(uint8_t type, uint64_t index, struct lf_bytes payload,
                                         struct partition_decision *decision, struct lf_error *error);
/** The payload of a REWRITTEN entry, likewise. */
enum lf_status partition_rewritten_decode(uint64_t index, struct lf_bytes payload, uint64_t *rewrite_index,
                                          uint32_t *checksum, struct lf_error *error);

void partition_decision_key(uint64_t index, uint8_t out[PARTITION_DECISION_KEY_BYTES]);
/** Returns the bytes used of out. */
size_t partition_decision_encode(const struct partition_decision *decision,
                                 uint8_t out[PARTITION_DECISION_ROW_BYTES_MAX]);
/** LF_DAMAGED in words. */
enum lf_status partition_decision_row_decode(struct lf_bytes key, struct lf_bytes row,
                                             struct partition_decision *decision, struct lf_error *error);

#endif
