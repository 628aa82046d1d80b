#include "partition_compaction.h"

#include <inttypes.h>

#define ROW_VERSION 1
#define FIELDS 6
_Static_assert(PARTITION_COMPACTION_ROW_BYTES == 1 + 8 * FIELDS, "the byte table");

void partition_compaction_begin(struct partition_compaction *compaction, const struct log_store_rewrite *rewrite,
                                uint64_t clean_before_ms) {
    compaction->open_index = rewrite->last_index;
    compaction->open_before_ms = clean_before_ms;
    compaction->open_tombstones_before_ms = rewrite->tombstones_before_ms;
}

bool partition_compaction_end(struct partition_compaction *compaction, uint64_t log_time_ms) {
    if (compaction->open_index == 0)
        return false;
    bool took_tombstones = compaction->open_tombstones_before_ms > 0 &&
                           compaction->open_tombstones_before_ms >= compaction->clean_before_ms;
    if (compaction->open_index > compaction->clean_index)
        compaction->clean_index = compaction->open_index;
    if (compaction->clean_since_ms == 0 || took_tombstones) {
        compaction->clean_before_ms = compaction->open_before_ms;
        compaction->clean_since_ms = log_time_ms;
    }
    compaction->open_index = compaction->open_before_ms = compaction->open_tombstones_before_ms = 0;
    return true;
}

void partition_compaction_encode(const struct partition_compaction *compaction,
                                 uint8_t out[PARTITION_COMPACTION_ROW_BYTES]) {
    const uint64_t fields[FIELDS] = {compaction->clean_index,    compaction->clean_before_ms,
                                     compaction->clean_since_ms, compaction->open_index,
                                     compaction->open_before_ms, compaction->open_tombstones_before_ms};
    out[0] = ROW_VERSION;
    for (size_t i = 0; i < FIELDS; i++)
        lf_put_le64(out + 1 + 8 * i, fields[i]);
}

enum lf_status partition_compaction_decode(struct lf_bytes row, uint64_t applied_index, uint64_t log_time_ms,
                                           struct partition_compaction *compaction, struct lf_error *error) {
    if (row.size != PARTITION_COMPACTION_ROW_BYTES || row.data[0] != ROW_VERSION)
        return lf_error_set(error, LF_DAMAGED, "the partition's row of compactions: %zu bytes, version %d", row.size,
                            row.size > 0 ? row.data[0] : -1);
    uint64_t fields[FIELDS];
    for (size_t i = 0; i < FIELDS; i++)
        fields[i] = lf_get_le64(row.data + 1 + 8 * i);
    *compaction = (struct partition_compaction){.clean_index = fields[0],
                                                .clean_before_ms = fields[1],
                                                .clean_since_ms = fields[2],
                                                .open_index = fields[3],
                                                .open_before_ms = fields[4],
                                                .open_tombstones_before_ms = fields[5]};
    if (compaction->clean_index > applied_index || compaction->open_index > applied_index ||
        compaction->clean_since_ms > log_time_ms)
        return lf_error_set(error, LF_DAMAGED,
                            "the partition's row of compactions: up to %" PRIu64 " and %" PRIu64
                            ", applied is %" PRIu64,
                            compaction->clean_index, compaction->open_index, applied_index);
    return LF_OK;
}
