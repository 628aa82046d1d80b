#include "partition_entry.h"

#include "lf_crc32c.h"
#include "partition_decision.h"
#include "partition_jumps.h"
#include "raft_log.pb-c.h"

#include <inttypes.h>

void partition_entry_from_batch(struct partition_entry *entry, const struct lf_batch_header *batch) {
    *entry = (struct partition_entry){.type = LF_ENTRY_BATCH,
                                      .max_timestamp_ms = batch->max_timestamp_ms,
                                      .producer_id = batch->producer_id,
                                      .producer_epoch = batch->producer_epoch,
                                      .leader_epoch = batch->leader_epoch,
                                      .base_sequence = batch->base_sequence,
                                      .last_offset_delta = batch->last_offset_delta,
                                      .crc = batch->crc};
}

static enum lf_status decode_batch(struct partition_entry *entry, const struct lf_entry_header *header,
                                   struct lf_bytes payload, struct lf_error *error) {
    struct lf_batch_header batch;
    if (lf_batch_header_decode(payload, &batch) != LF_OK)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": a batch of %zu bytes has no header", header->index,
                            payload.size);
    partition_entry_from_batch(entry, &batch);
    if (batch.last_offset_delta < 0)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": a batch without records", header->index);
    if (batch.base_offset < 0 ||
        (uint64_t)batch.base_offset + (uint64_t)partition_entry_count(entry) != header->end_offset)
        return lf_error_set(error, LF_INTERNAL,
                            "entry %" PRIu64 ": %" PRIu32 " records at offset %" PRId64 " do not end at %" PRIu64,
                            header->index, partition_entry_count(entry), batch.base_offset, header->end_offset);
    if (batch.leader_epoch < 0 || (uint64_t)batch.leader_epoch != header->term)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": leader epoch %" PRId32 " in term %" PRIu64,
                            header->index, batch.leader_epoch, header->term);
    return LF_OK;
}

static enum lf_status decode_producer(struct partition_entry *entry, const struct lf_entry_header *header,
                                      struct lf_bytes payload, struct lf_error *error) {
    Lf__ProducerEntry *message = lf__producer_entry__unpack(NULL, payload.size, payload.data);
    if (!message)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": a producer entry of %zu bytes cannot be read",
                            header->index, payload.size);
    int64_t id = message->producer_id;
    int32_t epoch = message->producer_epoch;
    lf__producer_entry__free_unpacked(message, NULL);
    if (id < 0 || epoch < 0 || epoch > INT16_MAX)
        return lf_error_set(error, LF_INTERNAL,
                            "entry %" PRIu64 ": no producer can have id %" PRId64 " and epoch %" PRId32, header->index,
                            id, epoch);
    entry->producer_id = id;
    entry->producer_epoch = (int16_t)epoch;
    return LF_OK;
}

/** Entries about segments. */
static enum lf_status decode_structure(struct partition_entry *entry, const struct lf_entry_header *header,
                                       struct lf_bytes payload, struct lf_error *error) {
    struct partition_decision decision;
    uint64_t rewrite_index = 0;
    uint32_t checksum;
    enum lf_status status = LF_OK;
    entry->crc = lf_crc32c(0, payload.data, payload.size);
    if (header->type == LF_ENTRY_SEGMENT_ROLL)
        return payload.size == 0 ? LF_OK
                                 : lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": a roll of %zu bytes",
                                                header->index, payload.size);
    if (header->type == LF_ENTRY_REWRITTEN) {
        status = partition_rewritten_decode(header->index, payload, &rewrite_index, &checksum, error);
        entry->value = (int64_t)rewrite_index;
    } else {
        status = partition_decision_decode(header->type, header->index, payload, &decision, error);
        entry->value = decision.offset;
    }
    return status;
}

static enum lf_status decode_jump(struct partition_entry *entry, const struct lf_entry_header *header,
                                  struct lf_bytes payload, struct lf_error *error) {
    struct partition_jump jump = {0};
    entry->crc = lf_crc32c(0, payload.data, payload.size);
    enum lf_status status = partition_jump_decode(header, payload, &jump, error);
    entry->value = jump.from;
    return status;
}

enum lf_status partition_entry_decode(struct partition_entry *entry, const struct lf_entry_header *header,
                                      struct lf_bytes payload, struct lf_error *error) {
    *entry = (struct partition_entry){.producer_id = -1};
    enum lf_status status = LF_OK;
    if (header->end_offset > INT64_MAX)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": end offset %" PRIu64 " is beyond all offsets",
                            header->index, header->end_offset);
    if (header->type == LF_ENTRY_BATCH)
        status = decode_batch(entry, header, payload, error);
    else if (header->type == LF_ENTRY_PRODUCER)
        status = decode_producer(entry, header, payload, error);
    else if (header->type >= LF_ENTRY_SEGMENT_ROLL && header->type <= LF_ENTRY_REWRITTEN)
        status = decode_structure(entry, header, payload, error);
    else if (header->type == LF_ENTRY_OFFSET_JUMP)
        status = decode_jump(entry, header, payload, error);
    else if (header->type == LF_ENTRY_METADATA)
        status =
            lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": a metadata command in a partition", header->index);
    else if (header->type == LF_ENTRY_CONFIGURATION && payload.size > PARTITION_CONFIGURATION_BYTES_MAX)
        status = lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": a configuration of %zu bytes", header->index,
                              payload.size);
    entry->type = header->type;
    entry->must_understand = header->flags & LF_ENTRY_MUST_UNDERSTAND;
    entry->term = header->term;
    entry->log_time_ms = header->log_time_ms;
    entry->end_offset = (int64_t)header->end_offset;
    entry->payload_bytes = header->payload_bytes;
    return status;
}
