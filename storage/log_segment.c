#include "log_segment.h"
#include "log_store.h"

#include "lf_check.h"
#include "lf_crc32c.h"
#include "lf_entry.h"
#include "lf_record_batch.h"

#include <inttypes.h>

#define FIELDS 13
_Static_assert(LOG_SEGMENT_BYTES == (FIELDS + 1) * 8, "the byte table");
_Static_assert(sizeof(struct log_segment) == FIELDS * 8, "nothing beside the fields: they are compared as bytes");

void log_segment_begin(struct log_segment *segment, uint64_t first_index, uint64_t offset, uint64_t log_time_ms) {
    *segment = (struct log_segment){.first_index = first_index,
                                    .last_index = first_index - 1,
                                    .base_offset = offset,
                                    .end_offset = offset,
                                    .first_log_time_ms = log_time_ms,
                                    .last_log_time_ms = log_time_ms,
                                    .max_timestamp_ms = -1};
}

static void raise_max_timestamp(struct log_segment *segment, struct lf_bytes batch, uint64_t log_time_ms) {
    struct lf_batch_header header;
    lf_check(lf_batch_header_decode(batch, &header) == LF_OK);
    int64_t cap = log_time_ms > INT64_MAX - LOG_STORE_TIME_AHEAD_MS_MAX
                      ? INT64_MAX
                      : (int64_t)(log_time_ms + LOG_STORE_TIME_AHEAD_MS_MAX);
    int64_t timestamp = header.max_timestamp_ms < cap ? header.max_timestamp_ms : cap;
    if (timestamp > segment->max_timestamp_ms)
        segment->max_timestamp_ms = timestamp;
}

void log_segment_add(struct log_segment *segment, struct lf_bytes entry) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    lf_check(lf_entry_decode(entry, &header, &payload) == LF_OK);
    lf_check(header.index > segment->last_index);
    if (segment->entry_count == 0)
        segment->first_log_time_ms = header.log_time_ms;
    segment->last_index = header.index;
    segment->last_term = header.term;
    segment->end_offset = header.end_offset;
    segment->last_log_time_ms = header.log_time_ms;
    segment->entry_count++;
    segment->bytes += entry.size;
    if (header.type == LF_ENTRY_BATCH)
        raise_max_timestamp(segment, payload, header.log_time_ms);
    else
        segment->command_bytes += entry.size;
    segment->checksum = lf_crc32c((uint32_t)segment->checksum, entry.data, LF_ENTRY_HEADER_BYTES);
}

bool log_segment_consistent(const struct log_segment *segment) {
    if (segment->first_index == 0 || segment->last_index < segment->first_index || segment->last_index == UINT64_MAX)
        return false;
    if (segment->last_term == 0 || segment->entry_count > segment->last_index - segment->first_index + 1)
        return false;
    if (segment->base_offset > segment->end_offset || segment->command_bytes > segment->bytes)
        return false;
    if (segment->bytes / LF_ENTRY_HEADER_BYTES < segment->entry_count)
        return false;
    return segment->first_log_time_ms <= segment->last_log_time_ms && segment->checksum <= UINT32_MAX;
}

bool log_segment_follows(const struct log_segment *segment, const struct log_segment *before) {
    return segment->first_index == before->last_index + 1 && segment->base_offset == before->end_offset &&
           segment->last_term >= before->last_term && segment->first_log_time_ms >= before->last_log_time_ms;
}

bool log_segment_equal(const struct log_segment *a, const struct log_segment *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

void log_segment_encode(const struct log_segment *segment, uint8_t out[LOG_SEGMENT_BYTES]) {
    const uint64_t fields[FIELDS] = {segment->first_index,
                                     segment->last_index,
                                     segment->last_term,
                                     segment->base_offset,
                                     segment->end_offset,
                                     segment->entry_count,
                                     segment->bytes,
                                     segment->command_bytes,
                                     segment->first_log_time_ms,
                                     segment->last_log_time_ms,
                                     (uint64_t)segment->max_timestamp_ms,
                                     segment->checksum,
                                     segment->rewrites};
    for (size_t i = 0; i < FIELDS; i++)
        lf_put_le64(out + 8 * i, fields[i]);
    lf_put_le64(out + 8 * FIELDS, lf_crc32c(0, out, 8 * FIELDS));
}

uint32_t log_segment_sum(uint32_t before, const struct log_segment *segment) {
    uint8_t bytes[LOG_SEGMENT_BYTES];
    log_segment_encode(segment, bytes);
    return lf_crc32c(before, bytes, 8 * FIELDS);
}

enum lf_status log_segment_decode(struct lf_bytes bytes, struct log_segment *segment, struct lf_error *error) {
    if (bytes.size != LOG_SEGMENT_BYTES)
        return lf_error_set(error, LF_DAMAGED, "a segment's descriptor has %zu bytes, not %d", bytes.size,
                            LOG_SEGMENT_BYTES);
    if (lf_get_le64(bytes.data + 8 * FIELDS) != lf_crc32c(0, bytes.data, 8 * FIELDS))
        return lf_error_set(error, LF_DAMAGED, "a segment's descriptor does not have its checksum");
    uint64_t fields[FIELDS];
    for (size_t i = 0; i < FIELDS; i++)
        fields[i] = lf_get_le64(bytes.data + 8 * i);
    struct log_segment read = {.first_index = fields[0],
                               .last_index = fields[1],
                               .last_term = fields[2],
                               .base_offset = fields[3],
                               .end_offset = fields[4],
                               .entry_count = fields[5],
                               .bytes = fields[6],
                               .command_bytes = fields[7],
                               .first_log_time_ms = fields[8],
                               .last_log_time_ms = fields[9],
                               .max_timestamp_ms = (int64_t)fields[10],
                               .checksum = fields[11],
                               .rewrites = fields[12]};
    if (!log_segment_consistent(&read))
        return lf_error_set(error, LF_DAMAGED,
                            "the descriptor of the segment %" PRIu64 "-%" PRIu64 " contradicts itself",
                            read.first_index, read.last_index);
    *segment = read;
    return LF_OK;
}
