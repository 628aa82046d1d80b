#include "lf_entry.h"

#include "lf_crc32c.h"
#include "lf_record_batch.h"

#define AT_FORMAT 4
#define AT_TYPE 5
#define AT_FLAGS 6
#define AT_PAYLOAD_BYTES 8
#define AT_RESERVED 12
#define AT_INDEX 16
#define AT_TERM 24
#define AT_LOG_TIME 32
#define AT_END_OFFSET 40
#define AT_REPLICA 48
#define AT_RESERVED_END 56

_Static_assert(AT_RESERVED_END + 8 == LF_ENTRY_HEADER_BYTES, "the header is 64 bytes");
_Static_assert(LF_ENTRY_BATCH_COVERED_BYTES < LF_BATCH_HEADER_BYTES,
               "what the entry covers is inside the batch header");

static uint32_t checksum(const uint8_t *header, uint64_t group, uint8_t type, struct lf_bytes payload) {
    uint8_t id[8];
    lf_put_le64(id, group);
    uint32_t sum = lf_crc32c(0, id, sizeof id);
    sum = lf_crc32c(sum, header + AT_FORMAT, LF_ENTRY_HEADER_BYTES - AT_FORMAT);
    size_t covered = payload.size;
    if (type == LF_ENTRY_BATCH && covered > LF_ENTRY_BATCH_COVERED_BYTES)
        covered = LF_ENTRY_BATCH_COVERED_BYTES;
    return covered > 0 ? lf_crc32c(sum, payload.data, covered) : sum;
}

void lf_entry_encode(const struct lf_entry_header *header, uint64_t group, struct lf_bytes payload,
                     uint8_t out[LF_ENTRY_HEADER_BYTES]) {
    memset(out, 0, LF_ENTRY_HEADER_BYTES);
    out[AT_FORMAT] = LF_ENTRY_FORMAT;
    out[AT_TYPE] = header->type;
    lf_put_le16(out + AT_FLAGS, header->flags);
    lf_put_le32(out + AT_PAYLOAD_BYTES, header->payload_bytes);
    lf_put_le64(out + AT_INDEX, header->index);
    lf_put_le64(out + AT_TERM, header->term);
    lf_put_le64(out + AT_LOG_TIME, header->log_time_ms);
    lf_put_le64(out + AT_END_OFFSET, header->end_offset);
    lf_put_le64(out + AT_REPLICA, header->replica_id);
    lf_put_le32(out, checksum(out, group, header->type, payload));
}

static enum lf_status decode(struct lf_bytes entry, struct lf_entry_header *header, struct lf_bytes *payload,
                             struct lf_error *error) {
    if (entry.size < LF_ENTRY_HEADER_BYTES)
        return lf_error_set(error, LF_MALFORMED, "entry of %zu bytes is shorter than its header", entry.size);
    const uint8_t *p = entry.data;
    if (p[AT_FORMAT] != LF_ENTRY_FORMAT)
        return lf_error_set(error, LF_UNSUPPORTED, "entry format %u is not known to this version", p[AT_FORMAT]);
    uint32_t payload_bytes = lf_get_le32(p + AT_PAYLOAD_BYTES);
    if (payload_bytes > LF_ENTRY_PAYLOAD_BYTES_HARD || payload_bytes != entry.size - LF_ENTRY_HEADER_BYTES)
        return lf_error_set(error, LF_MALFORMED, "entry says %u payload bytes and has %zu", payload_bytes,
                            entry.size - LF_ENTRY_HEADER_BYTES);
    if (lf_get_le32(p + AT_RESERVED) != 0 || lf_get_le64(p + AT_RESERVED_END) != 0)
        return lf_error_set(error, LF_MALFORMED, "entry has reserved bytes set");
    *header = (struct lf_entry_header){.type = p[AT_TYPE],
                                       .flags = lf_get_le16(p + AT_FLAGS),
                                       .payload_bytes = payload_bytes,
                                       .index = lf_get_le64(p + AT_INDEX),
                                       .term = lf_get_le64(p + AT_TERM),
                                       .log_time_ms = lf_get_le64(p + AT_LOG_TIME),
                                       .end_offset = lf_get_le64(p + AT_END_OFFSET),
                                       .replica_id = lf_get_le64(p + AT_REPLICA)};
    *payload = lf_bytes(p + LF_ENTRY_HEADER_BYTES, payload_bytes);
    return LF_OK;
}

enum lf_status lf_entry_decode(struct lf_bytes entry, struct lf_entry_header *header, struct lf_bytes *payload) {
    return decode(entry, header, payload, NULL);
}

/** The batch's own CRC-32C: what the entry's checksum does not cover. */
static enum lf_status check_batch(struct lf_bytes payload, struct lf_error *error) {
    if (payload.size < LF_BATCH_HEADER_BYTES)
        return lf_error_set(error, LF_MALFORMED, "batch of %zu bytes is shorter than its header", payload.size);
    uint32_t length = lf_get_be32(payload.data + 8);
    if (length != payload.size - 12)
        return lf_error_set(error, LF_MALFORMED, "batch says %u bytes and has %zu", length, payload.size - 12);
    uint32_t sum = lf_crc32c(0, payload.data + 21, payload.size - 21);
    if (sum != lf_get_be32(payload.data + 17))
        return lf_error_set(error, LF_CORRUPT, "batch checksum is %08x, its bytes give %08x",
                            lf_get_be32(payload.data + 17), sum);
    return LF_OK;
}

enum lf_status lf_entry_check(struct lf_bytes entry, uint64_t group, struct lf_entry_header *header,
                              struct lf_bytes *payload, struct lf_error *error) {
    struct lf_entry_header read;
    struct lf_bytes bytes;
    enum lf_status status = decode(entry, &read, &bytes, error);
    if (status != LF_OK)
        return status;
    uint32_t sum = checksum(entry.data, group, read.type, bytes);
    if (sum != lf_get_le32(entry.data))
        return lf_error_set(error, LF_CORRUPT, "entry checksum is %08x, its bytes give %08x", lf_get_le32(entry.data),
                            sum);
    if (read.type == LF_ENTRY_BATCH && (status = check_batch(bytes, error)) != LF_OK)
        return status;
    *header = read;
    *payload = bytes;
    return LF_OK;
}
