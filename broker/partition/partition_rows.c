#include "partition_rows.h"

#include <inttypes.h>

static void put_i64(uint8_t *at, int64_t value) { lf_put_le64(at, (uint64_t)value); }
static int64_t get_i64(const uint8_t *at) { return (int64_t)lf_get_le64(at); }

void partition_meta_encode(const struct partition_meta *meta, uint8_t out[PARTITION_META_ROW_BYTES]) {
    out[0] = PARTITION_META_ROW_VERSION;
    put_i64(out + 1, meta->end_offset);
    put_i64(out + 9, meta->log_start_offset);
    lf_put_le64(out + 17, meta->log_time_ms);
    put_i64(out + 25, meta->max_timestamp_ms);
    lf_put_le32(out + 33, meta->hint_entries);
    lf_put_le64(out + 37, meta->hint_bytes);
    lf_put_le64(out + 45, meta->rewrite_index);
    out[53] = meta->rewrite_open;
    lf_put_le32(out + 54, meta->seals_checksum);
    lf_put_le32(out + 58, meta->rewrite_expected);
    lf_put_le32(out + 62, meta->rewrite_own);
}

enum lf_status partition_meta_decode(struct lf_bytes row, struct partition_meta *meta, struct lf_error *error) {
    if (row.size != PARTITION_META_ROW_BYTES || row.data[0] != PARTITION_META_ROW_VERSION)
        return lf_error_set(error, LF_DAMAGED, "the partition's meta row: %zu bytes, version %d", row.size,
                            row.size > 0 ? row.data[0] : -1);
    const uint8_t *at = row.data;
    *meta = (struct partition_meta){.end_offset = get_i64(at + 1),
                                    .log_start_offset = get_i64(at + 9),
                                    .log_time_ms = lf_get_le64(at + 17),
                                    .max_timestamp_ms = get_i64(at + 25),
                                    .hint_entries = lf_get_le32(at + 33),
                                    .hint_bytes = lf_get_le64(at + 37),
                                    .rewrite_index = lf_get_le64(at + 45),
                                    .rewrite_open = at[53] == 1,
                                    .seals_checksum = lf_get_le32(at + 54),
                                    .rewrite_expected = lf_get_le32(at + 58),
                                    .rewrite_own = lf_get_le32(at + 62)};
    if (at[53] > 1 || (meta->rewrite_index == 0 && (meta->rewrite_open || meta->rewrite_own || meta->rewrite_expected)))
        return lf_error_set(error, LF_DAMAGED, "the partition's meta row: rewrite %" PRIu64 ", open %u",
                            meta->rewrite_index, at[53]);
    if (meta->log_start_offset < 0 || meta->log_start_offset > meta->end_offset || meta->max_timestamp_ms < -1)
        return lf_error_set(error, LF_DAMAGED,
                            "the partition's meta row: log start %" PRId64 ", end %" PRId64 ", timestamp %" PRId64,
                            meta->log_start_offset, meta->end_offset, meta->max_timestamp_ms);
    return LF_OK;
}

void partition_open_encode(const struct log_segment *open, uint8_t out[LOG_SEGMENT_BYTES]) {
    if (open->entry_count > 0)
        log_segment_encode(open, out);
    else
        memset(out, 0, LOG_SEGMENT_BYTES);
}

enum lf_status partition_open_decode(struct lf_bytes row, const struct log_segment *before, struct log_segment *open,
                                     struct lf_error *error) {
    static const uint8_t nothing[LOG_SEGMENT_BYTES];
    *open = *before;
    if (row.size == sizeof nothing && memcmp(row.data, nothing, sizeof nothing) == 0)
        return LF_OK;
    enum lf_status status = log_segment_decode(row, open, error);
    if (status != LF_OK)
        return status;
    /* `before` stands where the machine is: after what is in it. */
    if (open->last_index != before->last_index || open->end_offset != before->end_offset ||
        open->last_log_time_ms != before->last_log_time_ms || !log_segment_whole(open) || open->rewrites != 0)
        return lf_error_set(error, LF_DAMAGED,
                            "the open segment ends with entry %" PRIu64 " at offset %" PRIu64 ", applied is %" PRIu64
                            " at %" PRIu64,
                            open->last_index, open->end_offset, before->last_index, before->end_offset);
    return LF_OK;
}

void partition_producer_key(int64_t id, uint8_t out[PARTITION_PRODUCER_KEY_BYTES]) {
    out[0] = 'p';
    lf_put_be64(out + 1, (uint64_t)id);
}

size_t partition_producer_encode(const struct producer *producer, uint8_t out[PARTITION_PRODUCER_ROW_BYTES_MAX]) {
    out[0] = PARTITION_ROW_VERSION;
    lf_put_le16(out + 1, (uint16_t)producer->epoch);
    lf_put_le64(out + 3, producer->accepted);
    lf_put_le64(out + 11, producer->last_use_ms);
    lf_put_le32(out + 19, (uint32_t)producer->lower_epoch);
    lf_put_le32(out + 23, (uint32_t)producer->lower_sequence);
    put_i64(out + 27, producer->lower_offset);
    out[35] = producer->batch_count;
    uint8_t *at = out + PARTITION_PRODUCER_ROW_FIXED_BYTES;
    for (int i = 0; i < producer->batch_count; i++, at += PARTITION_PRODUCER_ROW_BATCH_BYTES) {
        put_i64(at, producer->batches[i].base_offset);
        lf_put_le32(at + 8, producer->batches[i].count);
        lf_put_le32(at + 12, (uint32_t)producer->batches[i].leader_epoch);
    }
    return (size_t)(at - out);
}

/** What was accepted under lower epochs: all of it or nothing. */
static bool lower_is_sound(const struct producer *producer, const struct partition_meta *meta) {
    if (producer->lower_epoch == -1)
        return producer->lower_sequence == -1 && producer->lower_offset == -1;
    return producer->lower_epoch >= 0 && producer->lower_epoch < producer->epoch && producer->lower_sequence >= 0 &&
           producer->lower_offset >= 0 && producer->lower_offset < meta->end_offset;
}

/** The batches end at `accepted`, follow each other, and are all there are unless the list is full. */
static bool batches_are_sound(struct producer *producer, const struct partition_meta *meta) {
    uint64_t first = producer->accepted;
    int64_t end_max = meta->end_offset;
    int32_t leader_epoch_max = INT32_MAX;
    for (int i = producer->batch_count - 1; i >= 0; i--) {
        struct producer_batch *batch = &producer->batches[i];
        if (batch->count == 0 || batch->count > first || batch->count > PRODUCER_SEQUENCE_MASK + 1u)
            return false;
        if (batch->base_offset < 0 || batch->base_offset > end_max || end_max - batch->base_offset < batch->count)
            return false;
        if (batch->leader_epoch < 0 || batch->leader_epoch > leader_epoch_max)
            return false;
        first -= batch->count;
        batch->first = first;
        end_max = batch->base_offset;
        leader_epoch_max = batch->leader_epoch;
    }
    return first == 0 || producer->batch_count == PARTITION_PRODUCER_BATCHES;
}

enum lf_status partition_producer_decode(struct lf_bytes key, struct lf_bytes row, const struct partition_meta *meta,
                                         struct producer *producer, struct lf_error *error) {
    if (key.size != PARTITION_PRODUCER_KEY_BYTES || (key.data[1] & 0x80))
        return lf_error_set(error, LF_DAMAGED, "a producer row's key of %zu bytes names no producer", key.size);
    producer_init(producer, (int64_t)lf_get_be64(key.data + 1));
    if (row.size < PARTITION_PRODUCER_ROW_FIXED_BYTES || row.data[0] != PARTITION_ROW_VERSION ||
        row.data[35] > PARTITION_PRODUCER_BATCHES ||
        row.size != PARTITION_PRODUCER_ROW_FIXED_BYTES + row.data[35] * (size_t)PARTITION_PRODUCER_ROW_BATCH_BYTES)
        return lf_error_set(error, LF_DAMAGED, "producer %" PRId64 ": a row of %zu bytes, version %d", producer->id,
                            row.size, row.size > 0 ? row.data[0] : -1);
    producer->epoch = (int16_t)lf_get_le16(row.data + 1);
    producer->accepted = lf_get_le64(row.data + 3);
    producer->last_use_ms = lf_get_le64(row.data + 11);
    producer->lower_epoch = (int32_t)lf_get_le32(row.data + 19);
    producer->lower_sequence = (int32_t)lf_get_le32(row.data + 23);
    producer->lower_offset = get_i64(row.data + 27);
    producer->batch_count = row.data[35];
    const uint8_t *at = row.data + PARTITION_PRODUCER_ROW_FIXED_BYTES;
    for (int i = 0; i < producer->batch_count; i++, at += PARTITION_PRODUCER_ROW_BATCH_BYTES)
        producer->batches[i] = (struct producer_batch){
            .base_offset = get_i64(at), .count = lf_get_le32(at + 8), .leader_epoch = (int32_t)lf_get_le32(at + 12)};
    if (producer->epoch < 0 || producer->last_use_ms > meta->log_time_ms || !lower_is_sound(producer, meta) ||
        !batches_are_sound(producer, meta))
        return lf_error_set(error, LF_DAMAGED, "producer %" PRId64 ": its row contradicts itself", producer->id);
    return LF_OK;
}
