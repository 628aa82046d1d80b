#include "wal_builder.h"

#include "lf_check.h"
#include "lf_crc32c.h"

#include <stdlib.h>

const uint8_t wal_builder_uuid[LOG_STORE_ID_BYTES] = {7, 7, 7, 1};

static uint8_t *grow(struct wal_builder *builder, size_t size) {
    if (builder->size + size > builder->capacity) {
        builder->capacity = (builder->size + size) * 2;
        builder->bytes = realloc(builder->bytes, builder->capacity);
        lf_check(builder->bytes != NULL);
    }
    uint8_t *at = builder->bytes + builder->size;
    memset(at, 0, size);
    builder->size += size;
    return at;
}

static void fragment(struct wal_builder *builder, uint8_t type, const uint8_t *payload, size_t size) {
    uint8_t *at = grow(builder, WAL_HEADER_BYTES + size);
    lf_put_le16(at + 4, (uint16_t)size);
    at[6] = type;
    if (size > 0)
        memcpy(at + WAL_HEADER_BYTES, payload, size);
    uint32_t crc = lf_crc32c(0, at + 6, 1 + size);
    lf_put_le32(at, (crc >> 15 | crc << 17) + 0xa282ead8u);
}

size_t wal_builder_record(struct wal_builder *builder, const uint8_t *payload, size_t size) {
    size_t start = SIZE_MAX;
    for (bool first = true;; first = false) {
        size_t left = WAL_BLOCK_BYTES - builder->size % WAL_BLOCK_BYTES;
        if (left < WAL_HEADER_BYTES) {
            grow(builder, left);
            left = WAL_BLOCK_BYTES;
        }
        if (first)
            start = builder->size;
        size_t part = left - WAL_HEADER_BYTES < size ? left - WAL_HEADER_BYTES : size;
        bool last = part == size;
        fragment(builder, (uint8_t)(first ? last ? WAL_FULL : WAL_FIRST : last ? WAL_LAST : WAL_MIDDLE), payload, part);
        payload += part;
        size -= part;
        if (last)
            return start;
    }
}

size_t wal_builder_batch(struct wal_builder *builder, uint32_t count, size_t filler) {
    size_t size = 12 + 2 + WAL_MARKER_BYTES + filler;
    uint8_t *payload = malloc(size);
    lf_check(payload != NULL);
    lf_put_le64(payload, builder->sequence);
    lf_put_le32(payload + 8, count);
    payload[12] = 3;
    payload[13] = WAL_MARKER_BYTES;
    struct wal_marker marker = {.synced_sequence = builder->synced_sequence};
    memcpy(marker.store_uuid, wal_builder_uuid, LOG_STORE_ID_BYTES);
    wal_marker_encode(&marker, payload + 14);
    for (size_t i = 0; i < filler; i++)
        payload[14 + WAL_MARKER_BYTES + i] = (uint8_t)(i * 31 + builder->sequence);
    size_t start = wal_builder_record(builder, payload, size);
    builder->sequence += count;
    free(payload);
    return start;
}

void wal_builder_sync(struct wal_builder *builder) { builder->synced_sequence = builder->sequence - 1; }

struct lf_bytes wal_builder_view(const struct wal_builder *builder) {
    return lf_bytes(builder->bytes, builder->size);
}

void wal_builder_deinit(struct wal_builder *builder) {
    free(builder->bytes);
    *builder = (struct wal_builder){0};
}
