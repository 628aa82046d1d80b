/** Entries as a leader would make them, for a partition: header, and the bytes of the payload that matter. */
#ifndef ENTRIES_H
#define ENTRIES_H

#include "lf_entry.h"
#include "lf_record_batch.h"
#include "partition.h"
#include "raft_log.pb-c.h"

#include <stdlib.h>

struct entry {
    struct lf_entry_header header;
    uint8_t payload[LF_BATCH_HEADER_BYTES];
    size_t payload_bytes;
};

/** The entry as it stands in the log, zeroes where its payload does not matter. Good until the next call. */
static inline struct lf_bytes entry_bytes(const struct entry *entry) {
    static uint8_t bytes[LF_ENTRY_HEADER_BYTES + 2 * 1024 * 1024];
    size_t size = entry->header.payload_bytes;
    if (LF_ENTRY_HEADER_BYTES + size > sizeof bytes || entry->payload_bytes > size)
        abort();
    memset(bytes, 0, LF_ENTRY_HEADER_BYTES + size);
    memcpy(bytes + LF_ENTRY_HEADER_BYTES, entry->payload, entry->payload_bytes);
    lf_entry_encode(&entry->header, 1, lf_bytes(bytes + LF_ENTRY_HEADER_BYTES, size), bytes);
    return lf_bytes(bytes, LF_ENTRY_HEADER_BYTES + size);
}

/** The fields of a batch that a partition looks at. */
struct batch {
    int64_t producer;
    int epoch;
    int64_t sequence;
    uint32_t count;
    int64_t timestamp;
};

static inline struct lf_bytes entry_payload(const struct entry *entry) {
    return lf_bytes(entry->payload, entry->payload_bytes);
}

static inline struct lf_batch_header batch_header(const struct batch *batch) {
    return (struct lf_batch_header){.batch_length = LF_BATCH_HEADER_BYTES - 12,
                                    .leader_epoch = -1,
                                    .last_offset_delta = (int32_t)(batch->count - 1),
                                    .max_timestamp_ms = batch->timestamp,
                                    .producer_id = batch->producer,
                                    .producer_epoch = (int16_t)batch->epoch,
                                    .base_sequence = (int32_t)batch->sequence,
                                    .record_count = (int32_t)batch->count};
}

static inline struct entry entry_plain(uint8_t type, uint64_t index, uint64_t log_time_ms, int64_t end_offset) {
    return (struct entry){.header = {.type = type,
                                     .index = index,
                                     .term = 1 + index / 100,
                                     .log_time_ms = log_time_ms,
                                     .end_offset = (uint64_t)end_offset,
                                     .replica_id = 1}};
}

static inline struct entry entry_batch(const struct batch *batch, uint64_t index, uint64_t log_time_ms,
                                       int64_t base_offset) {
    struct entry entry = entry_plain(LF_ENTRY_BATCH, index, log_time_ms, base_offset + (int64_t)batch->count);
    uint8_t *at = entry.payload;
    lf_put_be64(at, (uint64_t)base_offset);
    lf_put_be32(at + 8, LF_BATCH_HEADER_BYTES - 12);
    lf_put_be32(at + 12, (uint32_t)entry.header.term);
    at[16] = LF_BATCH_MAGIC;
    lf_put_be32(at + 17, (uint32_t)(batch->producer * 31 + batch->sequence));
    lf_put_be32(at + 23, batch->count - 1);
    lf_put_be64(at + 27, (uint64_t)batch->timestamp);
    lf_put_be64(at + 35, (uint64_t)batch->timestamp);
    lf_put_be64(at + 43, (uint64_t)batch->producer);
    lf_put_be16(at + 51, (uint16_t)batch->epoch);
    lf_put_be32(at + 53, (uint32_t)batch->sequence);
    lf_put_be32(at + 57, batch->count);
    entry.header.payload_bytes = (uint32_t)(entry.payload_bytes = LF_BATCH_HEADER_BYTES);
    return entry;
}

static inline struct entry entry_raise(int64_t producer, int32_t epoch, uint64_t index, uint64_t log_time_ms,
                                       int64_t end_offset) {
    struct entry entry = entry_plain(LF_ENTRY_PRODUCER, index, log_time_ms, end_offset);
    Lf__ProducerEntry message = LF__PRODUCER_ENTRY__INIT;
    message.producer_id = producer;
    message.producer_epoch = epoch;
    entry.payload_bytes = lf__producer_entry__pack(&message, entry.payload);
    entry.header.payload_bytes = (uint32_t)entry.payload_bytes;
    return entry;
}

static inline struct entry entry_configuration(const char *payload, uint64_t index, uint64_t log_time_ms,
                                               int64_t end_offset) {
    struct entry entry = entry_plain(LF_ENTRY_CONFIGURATION, index, log_time_ms, end_offset);
    entry.payload_bytes = strlen(payload);
    memcpy(entry.payload, payload, entry.payload_bytes);
    entry.header.payload_bytes = (uint32_t)entry.payload_bytes;
    return entry;
}

static inline void entry_set_payload(struct entry *entry, size_t bytes) {
    entry->payload_bytes = bytes;
    entry->header.payload_bytes = (uint32_t)bytes;
}

static inline struct entry entry_log_start(int64_t offset, uint64_t index, uint64_t log_time_ms, int64_t end_offset) {
    struct entry entry = entry_plain(LF_ENTRY_LOG_START, index, log_time_ms, end_offset);
    Lf__LogStartEntry message = LF__LOG_START_ENTRY__INIT;
    message.offset = offset;
    entry_set_payload(&entry, lf__log_start_entry__pack(&message, entry.payload));
    return entry;
}

static inline struct entry entry_rewrite(uint64_t first_index, uint64_t last_index, uint64_t index,
                                         uint64_t log_time_ms, int64_t end_offset) {
    struct entry entry = entry_plain(LF_ENTRY_REWRITE, index, log_time_ms, end_offset);
    Lf__RewriteEntry message = LF__REWRITE_ENTRY__INIT;
    message.first_index = first_index;
    message.last_index = last_index;
    message.segment_bytes = UINT32_MAX;
    message.drop_commands = true;
    entry_set_payload(&entry, lf__rewrite_entry__pack(&message, entry.payload));
    return entry;
}

static inline struct entry entry_compact(uint64_t first_index, uint64_t last_index, uint64_t clean_before_ms,
                                         uint64_t tombstones_before_ms, uint64_t index, uint64_t log_time_ms,
                                         int64_t end_offset) {
    struct entry entry = entry_plain(LF_ENTRY_REWRITE, index, log_time_ms, end_offset);
    Lf__RewriteEntry message = LF__REWRITE_ENTRY__INIT;
    message.first_index = first_index;
    message.last_index = last_index;
    message.segment_bytes = UINT32_MAX;
    message.drop_commands = message.compact = true;
    message.clean_before_ms = clean_before_ms;
    message.tombstones_before_ms = tombstones_before_ms;
    entry_set_payload(&entry, lf__rewrite_entry__pack(&message, entry.payload));
    return entry;
}

static inline struct entry entry_rewritten(uint64_t rewrite, uint32_t checksum, uint64_t index, uint64_t log_time_ms,
                                           int64_t end_offset) {
    struct entry entry = entry_plain(LF_ENTRY_REWRITTEN, index, log_time_ms, end_offset);
    Lf__RewrittenEntry message = LF__REWRITTEN_ENTRY__INIT;
    message.rewrite_index = rewrite;
    message.checksum = checksum;
    entry_set_payload(&entry, lf__rewritten_entry__pack(&message, entry.payload));
    return entry;
}

static inline struct entry entry_jump(int64_t from, int64_t committed, uint64_t last_term, uint64_t term,
                                      uint64_t index, uint64_t log_time_ms) {
    struct entry entry = entry_plain(LF_ENTRY_OFFSET_JUMP, index, log_time_ms, from + LF_OFFSET_JUMP);
    Lf__OffsetJumpEntry message = LF__OFFSET_JUMP_ENTRY__INIT;
    message.from_offset = from;
    message.committed_offset = committed;
    message.last_term = last_term;
    entry.header.term = term;
    entry.header.flags = LF_ENTRY_MUST_UNDERSTAND;
    entry_set_payload(&entry, lf__offset_jump_entry__pack(&message, entry.payload));
    return entry;
}

#endif
