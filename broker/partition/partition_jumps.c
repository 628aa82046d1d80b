#include "partition_jumps.h"

#include "raft_log.pb-c.h"

#include <inttypes.h>

#define ROW_VERSION 1

/** What holds of every jump by itself. */
static bool is_sound(const struct partition_jump *jump) {
    return jump->from >= 0 && jump->from <= INT64_MAX - LF_OFFSET_JUMP && jump->committed >= 0 &&
           jump->committed <= jump->from && jump->index > 0 && jump->last_term < jump->term;
}

enum lf_status partition_jump_decode(const struct lf_entry_header *header, struct lf_bytes payload,
                                     struct partition_jump *jump, struct lf_error *error) {
    Lf__OffsetJumpEntry *message = lf__offset_jump_entry__unpack(NULL, payload.size, payload.data);
    if (!message)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": an offset jump of %zu bytes cannot be read",
                            header->index, payload.size);
    *jump = (struct partition_jump){.from = message->from_offset,
                                    .committed = message->committed_offset,
                                    .index = header->index,
                                    .term = header->term,
                                    .last_term = message->last_term};
    lf__offset_jump_entry__free_unpacked(message, NULL);
    if (!is_sound(jump) || header->end_offset != (uint64_t)partition_jump_to(jump))
        return lf_error_set(error, LF_INTERNAL,
                            "entry %" PRIu64 ": no offsets jump from %" PRId64 " (committed %" PRId64 ") to %" PRIu64,
                            header->index, jump->from, jump->committed, header->end_offset);
    return LF_OK;
}

void partition_jumps_add(struct partition_jumps *jumps, const struct partition_jump *jump) {
    if (jumps->count == PARTITION_JUMPS_MAX)
        memmove(&jumps->items[0], &jumps->items[1], --jumps->count * sizeof jumps->items[0]);
    jumps->items[jumps->count++] = *jump;
}

bool partition_jumps_diverged(const struct partition_jumps *jumps, int64_t offset, int32_t leader_epoch,
                              int64_t *resume) {
    for (uint32_t i = 0; i < jumps->count; i++) {
        const struct partition_jump *jump = &jumps->items[i];
        bool others =
            leader_epoch >= 0 && (uint64_t)leader_epoch > jump->last_term && (uint64_t)leader_epoch < jump->term;
        if (offset > jump->from && offset < partition_jump_to(jump)) {
            *resume = partition_jump_to(jump);
            return true;
        }
        if (others && offset > jump->committed && offset <= jump->from) {
            *resume = jump->committed;
            return true;
        }
    }
    return false;
}

int64_t partition_jumps_back(const struct partition_jumps *jumps, int64_t start, int64_t end, int64_t count) {
    for (uint32_t i = jumps->count; i > 0; i--) {
        const struct partition_jump *jump = &jumps->items[i - 1];
        if (count <= end - partition_jump_to(jump))
            break;
        count -= end - partition_jump_to(jump);
        end = jump->from;
    }
    return count > end - start ? start : end - count;
}

int64_t partition_jumps_floor(const struct partition_jumps *jumps, int64_t offset) {
    for (uint32_t i = 0; i < jumps->count; i++)
        if (offset > jumps->items[i].from && offset < partition_jump_to(&jumps->items[i]))
            return jumps->items[i].from;
    return offset;
}

size_t partition_jumps_encode(const struct partition_jumps *jumps, uint8_t out[PARTITION_JUMPS_ROW_BYTES_MAX]) {
    uint8_t *at = out + PARTITION_JUMPS_ROW_FIXED_BYTES;
    out[0] = ROW_VERSION;
    out[1] = (uint8_t)jumps->count;
    for (uint32_t i = 0; i < jumps->count; i++, at += PARTITION_JUMP_BYTES) {
        lf_put_le64(at, (uint64_t)jumps->items[i].from);
        lf_put_le64(at + 8, (uint64_t)jumps->items[i].committed);
        lf_put_le64(at + 16, jumps->items[i].index);
        lf_put_le64(at + 24, jumps->items[i].term);
        lf_put_le64(at + 32, jumps->items[i].last_term);
    }
    return (size_t)(at - out);
}

/** Jumps follow each other, and the last one does not reach beyond the end. */
static bool follows(const struct partition_jumps *jumps, uint32_t at, uint64_t applied_index, int64_t end_offset) {
    const struct partition_jump *jump = &jumps->items[at];
    if (!is_sound(jump) || jump->index > applied_index || partition_jump_to(jump) > end_offset)
        return false;
    return at == 0 || (jump->index > jump[-1].index && jump->from >= partition_jump_to(&jump[-1]) &&
                       jump->last_term >= jump[-1].term);
}

enum lf_status partition_jumps_decode(struct lf_bytes row, uint64_t applied_index, int64_t end_offset,
                                      struct partition_jumps *jumps, struct lf_error *error) {
    *jumps = (struct partition_jumps){0};
    if (row.size < PARTITION_JUMPS_ROW_FIXED_BYTES || row.data[0] != ROW_VERSION || row.data[1] == 0 ||
        row.data[1] > PARTITION_JUMPS_MAX ||
        row.size != PARTITION_JUMPS_ROW_FIXED_BYTES + row.data[1] * (size_t)PARTITION_JUMP_BYTES)
        return lf_error_set(error, LF_DAMAGED, "the partition's row of offset jumps: %zu bytes, version %d", row.size,
                            row.size > 0 ? row.data[0] : -1);
    jumps->count = row.data[1];
    const uint8_t *at = row.data + PARTITION_JUMPS_ROW_FIXED_BYTES;
    for (uint32_t i = 0; i < jumps->count; i++, at += PARTITION_JUMP_BYTES) {
        jumps->items[i] = (struct partition_jump){.from = (int64_t)lf_get_le64(at),
                                                  .committed = (int64_t)lf_get_le64(at + 8),
                                                  .index = lf_get_le64(at + 16),
                                                  .term = lf_get_le64(at + 24),
                                                  .last_term = lf_get_le64(at + 32)};
        if (!follows(jumps, i, applied_index, end_offset))
            return lf_error_set(error, LF_DAMAGED,
                                "the partition's row of offset jumps: one from %" PRId64 " at entry %" PRIu64
                                ", applied is %" PRIu64 " at %" PRId64,
                                jumps->items[i].from, jumps->items[i].index, applied_index, end_offset);
    }
    return LF_OK;
}
