/** The log data that every write batch begins with: which sequence was the last one synced before the batch was begun.
 *  It lets start-up tell a torn end (cut it) from damage (refuse): what is unreadable had been synced when a readable
 *  batch after it says so.
 *
 *  Little-endian, byte table (offset size field):
 *     0  4  WAL_MARKER_MAGIC
 *     4 16  store uuid: whose log this is, which no client knows
 *    20  8  last sequence synced before this batch was begun
 */
#ifndef WAL_MARKER_H
#define WAL_MARKER_H

#include "log_store.h"

#define WAL_MARKER_BYTES 28
#define WAL_MARKER_MAGIC 0x314c464cu /* "LFL1" */

struct wal_marker {
    uint8_t store_uuid[LOG_STORE_ID_BYTES];
    uint64_t synced_sequence;
};

static inline void wal_marker_encode(const struct wal_marker *marker, uint8_t out[WAL_MARKER_BYTES]) {
    lf_put_le32(out, WAL_MARKER_MAGIC);
    memcpy(out + 4, marker->store_uuid, LOG_STORE_ID_BYTES);
    lf_put_le64(out + 20, marker->synced_sequence);
}

static inline bool wal_marker_decode(struct lf_bytes bytes, struct wal_marker *marker) {
    if (bytes.size != WAL_MARKER_BYTES || lf_get_le32(bytes.data) != WAL_MARKER_MAGIC)
        return false;
    memcpy(marker->store_uuid, bytes.data + 4, LOG_STORE_ID_BYTES);
    marker->synced_sequence = lf_get_le64(bytes.data + 20);
    return true;
}

#endif
