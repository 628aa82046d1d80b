#include "partition_decision.h"

#include "raft_log.pb-c.h"

#include <inttypes.h>

#define ROW_VERSION 1

static enum lf_status unreadable(uint64_t index, uint8_t type, size_t bytes, struct lf_error *error) {
    return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 " of type %u: %zu bytes that cannot be read", index, type,
                        bytes);
}

static enum lf_status decode_log_start(struct lf_bytes payload, struct partition_decision *decision,
                                       struct lf_error *error) {
    Lf__LogStartEntry *message = lf__log_start_entry__unpack(NULL, payload.size, payload.data);
    if (!message)
        return unreadable(decision->index, decision->type, payload.size, error);
    decision->offset = message->offset;
    lf__log_start_entry__free_unpacked(message, NULL);
    if (decision->offset < 0)
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 ": no log starts at %" PRId64, decision->index,
                            decision->offset);
    return LF_OK;
}

static enum lf_status decode_rewrite(struct lf_bytes payload, struct partition_decision *decision,
                                     struct lf_error *error) {
    Lf__RewriteEntry *message = lf__rewrite_entry__unpack(NULL, payload.size, payload.data);
    if (!message)
        return unreadable(decision->index, decision->type, payload.size, error);
    decision->rewrite = (struct log_store_rewrite){.first_index = message->first_index,
                                                   .last_index = message->last_index,
                                                   .segment_bytes = message->segment_bytes,
                                                   .drop_commands = message->drop_commands,
                                                   .compact = message->compact,
                                                   .tombstones_before_ms = message->tombstones_before_ms};
    decision->clean_before_ms = message->clean_before_ms;
    lf__rewrite_entry__free_unpacked(message, NULL);
    const struct log_store_rewrite *rewrite = &decision->rewrite;
    if (rewrite->first_index == 0 || rewrite->first_index > rewrite->last_index ||
        rewrite->last_index >= decision->index)
        return lf_error_set(error, LF_INTERNAL,
                            "entry %" PRIu64 ": segments from %" PRIu64 " to %" PRIu64 " are to be rewritten",
                            decision->index, rewrite->first_index, rewrite->last_index);
    return LF_OK;
}

enum lf_status partition_decision_decode(uint8_t type, uint64_t index, struct lf_bytes payload,
                                         struct partition_decision *decision, struct lf_error *error) {
    *decision = (struct partition_decision){.index = index, .type = type};
    if (payload.size > sizeof decision->payload)
        return unreadable(index, type, payload.size, error);
    decision->payload_bytes = (uint8_t)payload.size;
    if (payload.size > 0)
        memcpy(decision->payload, payload.data, payload.size);
    return type == LF_ENTRY_LOG_START ? decode_log_start(payload, decision, error)
                                      : decode_rewrite(payload, decision, error);
}

enum lf_status partition_rewritten_decode(uint64_t index, struct lf_bytes payload, uint64_t *rewrite_index,
                                          uint32_t *checksum, struct lf_error *error) {
    Lf__RewrittenEntry *message = lf__rewritten_entry__unpack(NULL, payload.size, payload.data);
    if (!message)
        return unreadable(index, LF_ENTRY_REWRITTEN, payload.size, error);
    *rewrite_index = message->rewrite_index;
    *checksum = message->checksum;
    lf__rewritten_entry__free_unpacked(message, NULL);
    return LF_OK;
}

void partition_decision_key(uint64_t index, uint8_t out[PARTITION_DECISION_KEY_BYTES]) {
    out[0] = 'd';
    lf_put_be64(out + 1, index);
}

size_t partition_decision_encode(const struct partition_decision *decision,
                                 uint8_t out[PARTITION_DECISION_ROW_BYTES_MAX]) {
    out[0] = ROW_VERSION;
    out[1] = decision->type;
    lf_put_le32(out + 2, decision->expected);
    memcpy(out + PARTITION_DECISION_ROW_FIXED_BYTES, decision->payload, decision->payload_bytes);
    return PARTITION_DECISION_ROW_FIXED_BYTES + (size_t)decision->payload_bytes;
}

enum lf_status partition_decision_row_decode(struct lf_bytes key, struct lf_bytes row,
                                             struct partition_decision *decision, struct lf_error *error) {
    if (key.size != PARTITION_DECISION_KEY_BYTES || row.size < PARTITION_DECISION_ROW_FIXED_BYTES ||
        row.data[0] != ROW_VERSION || (row.data[1] != LF_ENTRY_LOG_START && row.data[1] != LF_ENTRY_REWRITE))
        return lf_error_set(error, LF_DAMAGED, "the row of a decision: a key of %zu bytes, %zu bytes, version %d",
                            key.size, row.size, row.size > 0 ? row.data[0] : -1);
    struct lf_bytes payload =
        lf_bytes(row.data + PARTITION_DECISION_ROW_FIXED_BYTES, row.size - PARTITION_DECISION_ROW_FIXED_BYTES);
    if (partition_decision_decode(row.data[1], lf_get_be64(key.data + 1), payload, decision, error) != LF_OK)
        return lf_error_set(error, LF_DAMAGED, "the row of the decision %" PRIu64 " cannot be meant",
                            lf_get_be64(key.data + 1));
    decision->expected = lf_get_le32(row.data + 2);
    if (decision->expected != 0 && decision->type != LF_ENTRY_REWRITE)
        return lf_error_set(error, LF_DAMAGED, "the row of the decision %" PRIu64 " contradicts itself",
                            decision->index);
    return LF_OK;
}
