/** Building write-ahead logs byte by byte, for tests of what reads them. */
#ifndef WAL_BUILDER_H
#define WAL_BUILDER_H

#include "wal_scan.h"

struct wal_builder {
    uint8_t *bytes;
    size_t size, capacity;
    uint64_t sequence;        /**< of the next batch */
    uint64_t synced_sequence; /**< for the next batch's marker */
};

extern const uint8_t wal_builder_uuid[LOG_STORE_ID_BYTES];

void wal_builder_deinit(struct wal_builder *builder);
/** A batch of `count` operations and `filler` more bytes, marked. Returns where its first fragment starts. */
size_t wal_builder_batch(struct wal_builder *builder, uint32_t count, size_t filler);
/** All batches so far are synced: what the next markers say. */
void wal_builder_sync(struct wal_builder *builder);
/** Any record. */
size_t wal_builder_record(struct wal_builder *builder, const uint8_t *payload, size_t size);
struct lf_bytes wal_builder_view(const struct wal_builder *builder);

#endif
