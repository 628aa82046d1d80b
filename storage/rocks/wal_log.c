#include "wal_log.h"

#include "lf_crc32c.h"

#include <stdlib.h>

/* The checksum is kept rotated and shifted, since sums of bytes that hold sums are weak. */
static uint32_t unmask(uint32_t masked) {
    uint32_t rotated = masked - 0xa282ead8u;
    return rotated >> 17 | rotated << 15;
}

bool wal_fragment_at(struct lf_bytes bytes, size_t at, enum wal_fragment_type *type, struct lf_bytes *payload) {
    size_t block_end = at - at % WAL_BLOCK_BYTES + WAL_BLOCK_BYTES;
    size_t end = block_end < bytes.size ? block_end : bytes.size;
    if (at >= end || end - at < WAL_HEADER_BYTES)
        return false;
    const uint8_t *header = bytes.data + at;
    size_t length = lf_get_le16(header + 4);
    if (header[6] < WAL_FULL || header[6] > WAL_LAST)
        return false;
    if (length > end - at - WAL_HEADER_BYTES)
        return false;
    if (unmask(lf_get_le32(header)) != lf_crc32c(0, header + 6, 1 + length))
        return false;
    *type = (enum wal_fragment_type)header[6];
    *payload = lf_bytes(header + WAL_HEADER_BYTES, length);
    return true;
}

static bool keep(struct wal_log *log, struct lf_bytes payload) {
    size_t wanted = log->scratch_bytes + payload.size;
    if (wanted > log->scratch_capacity) {
        size_t capacity = wanted * 2;
        uint8_t *grown = realloc(log->scratch, capacity);
        if (!grown)
            return false;
        log->scratch = grown;
        log->scratch_capacity = capacity;
    }
    if (payload.size > 0)
        memcpy(log->scratch + log->scratch_bytes, payload.data, payload.size);
    log->scratch_bytes = wanted;
    return true;
}

static void skip_filler(struct wal_log *log) {
    size_t left = WAL_BLOCK_BYTES - log->at % WAL_BLOCK_BYTES;
    if (left >= WAL_HEADER_BYTES)
        return;
    log->at += left;
    if (log->at > log->bytes.size)
        log->at = log->bytes.size;
}

enum wal_next wal_log_next(struct wal_log *log, struct wal_record *record) {
    bool inside = false;
    skip_filler(log);
    *record = (struct wal_record){.offset = log->at, .end = log->at};
    if (log->at == log->bytes.size)
        return WAL_NEXT_END;
    log->scratch_bytes = 0;
    for (;;) {
        enum wal_fragment_type type;
        struct lf_bytes payload;
        skip_filler(log);
        record->end = log->at;
        if (!wal_fragment_at(log->bytes, log->at, &type, &payload))
            return WAL_NEXT_BAD;
        bool starts = type == WAL_FULL || type == WAL_FIRST;
        if (starts == inside)
            return WAL_NEXT_BAD;
        log->at += WAL_HEADER_BYTES + payload.size;
        record->end = log->at;
        if (type == WAL_FULL) {
            record->payload = payload;
            return WAL_NEXT_RECORD;
        }
        inside = true;
        if (!keep(log, payload))
            return WAL_NEXT_NO_MEMORY;
        if (type == WAL_LAST) {
            record->payload = lf_bytes(log->scratch, log->scratch_bytes);
            return WAL_NEXT_RECORD;
        }
    }
}

void wal_log_deinit(struct wal_log *log) {
    free(log->scratch);
    *log = (struct wal_log){0};
}
