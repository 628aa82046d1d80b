/** Applying: the same rules once more, over committed entries, and the rows that changed.
 *
 *  1. the entry must be the one that was appended; 2. is it understood; 3. judged again; 4. rows of producers that
 *  expire; 5. the state; 6. the open segment, and what the entry decides about segments; 7. rows that changed; 8. a
 * hint when due; 9. it leaves the kept ones.
 *
 *  A write takes many entries. The two rows that each of them changes are at its head, once.
 */
#include "partition_internal.h"

#include "lf_check.h"
#include "log_row.h"

#include <inttypes.h>
#include <stdlib.h>

/** Where a write stood before this entry, to go back to. */
struct write_mark {
    uint32_t row_count, hint_count, seal_count;
    uint64_t drop_before;
    bool unstage;
    size_t bytes;
};

static struct write_mark mark(const struct log_store_write *write) {
    if (!write)
        return (struct write_mark){0};
    return (struct write_mark){.row_count = write->row_count,
                               .hint_count = write->hint_count,
                               .seal_count = write->seal_count,
                               .drop_before = write->drop_before,
                               .unstage = write->unstage,
                               .bytes = write->bytes};
}

static void go_back(struct log_store_write *write, const struct write_mark *to) {
    if (!write)
        return;
    while (write->row_count > to->row_count)
        log_row_deinit(&write->rows[--write->row_count]);
    write->hint_count = to->hint_count;
    write->seal_count = to->seal_count;
    write->drop_before = to->drop_before;
    write->unstage = to->unstage;
    write->bytes = to->bytes;
}

enum lf_status partition_set_configuration(struct partition *partition, uint64_t index, struct lf_bytes payload) {
    uint8_t *row = malloc(PARTITION_CONFIGURATION_ROW_FIXED_BYTES + payload.size);
    if (!row)
        return LF_NO_MEMORY;
    row[0] = PARTITION_ROW_VERSION;
    lf_put_le64(row + 1, index);
    if (payload.size > 0)
        memcpy(row + PARTITION_CONFIGURATION_ROW_FIXED_BYTES, payload.data, payload.size);
    free(partition->configuration);
    partition->configuration = row;
    partition->configuration_bytes = payload.size;
    partition->configuration_index = index;
    return LF_OK;
}

static enum lf_status add_expired_rows(const struct partition *partition, uint64_t log_time_ms,
                                       struct log_store_write *write) {
    const struct producer *producer = NULL;
    while ((producer = producer_table_next(&partition->applied.producers, producer)) &&
           partition_expired(producer, log_time_ms, partition->limits.producer_retention_ms)) {
        uint8_t key[PARTITION_PRODUCER_KEY_BYTES];
        partition_producer_key(producer->id, key);
        enum lf_status status = log_store_write_add_row(write, lf_bytes(key, sizeof key), (struct lf_bytes){0});
        if (status != LF_OK)
            return status;
    }
    return LF_OK;
}

/** Room for the rows at the head of the write. */
enum lf_status partition_reserve_head(struct log_store_write *write) {
    static const uint8_t zeroes[PARTITION_META_ROW_BYTES + LOG_SEGMENT_BYTES];
    if (write->row_count > 0) {
        lf_check(write->row_count >= 2 && lf_bytes_equal(write->rows[0].key, lf_bytes("m", 1)));
        return LF_OK;
    }
    enum lf_status status =
        log_store_write_add_row(write, lf_bytes("m", 1), lf_bytes(zeroes, PARTITION_META_ROW_BYTES));
    if (status == LF_OK)
        status = log_store_write_add_row(write, lf_bytes("o", 1), lf_bytes(zeroes, LOG_SEGMENT_BYTES));
    return status;
}

void partition_write_head(const struct partition *partition, struct log_store_write *write) {
    uint8_t meta_row[PARTITION_META_ROW_BYTES], open_row[LOG_SEGMENT_BYTES];
    struct partition_meta meta = partition_meta(partition);
    partition_meta_encode(&meta, meta_row);
    partition_open_encode(&partition->segments.open, open_row);
    log_row_overwrite(&write->rows[0], lf_bytes(meta_row, sizeof meta_row));
    log_row_overwrite(&write->rows[1], lf_bytes(open_row, sizeof open_row));
}

enum lf_status partition_add_jumps_row(const struct partition *partition, struct log_store_write *write) {
    uint8_t row[PARTITION_JUMPS_ROW_BYTES_MAX];
    if (partition->jumps.count == 0)
        return LF_OK;
    size_t bytes = partition_jumps_encode(&partition->jumps, row);
    return log_store_write_add_row(write, lf_bytes("j", 1), lf_bytes(row, bytes));
}

enum lf_status partition_add_compaction_row(const struct partition *partition, struct log_store_write *write) {
    static const struct partition_compaction none;
    uint8_t row[PARTITION_COMPACTION_ROW_BYTES];
    if (memcmp(&partition->compaction, &none, sizeof none) == 0)
        return LF_OK;
    partition_compaction_encode(&partition->compaction, row);
    return log_store_write_add_row(write, lf_bytes("k", 1), lf_bytes(row, sizeof row));
}

static enum lf_status add_changed_rows(const struct partition *partition, const struct producer *changed,
                                       const struct partition_entry *entry, struct log_store_write *write) {
    bool configuration = entry->type == LF_ENTRY_CONFIGURATION;
    enum lf_status status = LF_OK;
    if (entry->type == LF_ENTRY_REWRITE || entry->type == LF_ENTRY_REWRITTEN)
        status = partition_add_compaction_row(partition, write);
    if (entry->type == LF_ENTRY_OFFSET_JUMP)
        status = partition_add_jumps_row(partition, write);
    if (status == LF_OK && changed) {
        uint8_t key[PARTITION_PRODUCER_KEY_BYTES], row[PARTITION_PRODUCER_ROW_BYTES_MAX];
        partition_producer_key(changed->id, key);
        size_t bytes = partition_producer_encode(changed, row);
        status = log_store_write_add_row(write, lf_bytes(key, sizeof key), lf_bytes(row, bytes));
    }
    if (status == LF_OK && configuration)
        status = log_store_write_add_row(write, lf_bytes("c", 1),
                                         lf_bytes(partition->configuration, PARTITION_CONFIGURATION_ROW_FIXED_BYTES +
                                                                                partition->configuration_bytes));
    return status;
}

/** A hint names a batch: only there "the first with end_offset > offset" is true. */
static bool hint_is_due(const struct partition *partition, const struct partition_entry *entry) {
    return entry->type == LF_ENTRY_BATCH &&
           (partition->hint_entries >= LOG_STORE_HINT_ENTRIES || partition->hint_bytes >= LOG_STORE_HINT_BYTES);
}

static void count_for_hints(struct partition *partition, const struct partition_entry *entry, bool hinted) {
    if (hinted) {
        partition->hint_entries = 0;
        partition->hint_bytes = 0;
    }
    if (partition->hint_entries < UINT32_MAX)
        partition->hint_entries++;
    partition->hint_bytes += LF_ENTRY_HEADER_BYTES + (uint64_t)entry->payload_bytes;
}

static void raise_max_timestamp(struct partition *partition, const struct partition_entry *entry) {
    int64_t timestamp = entry->max_timestamp_ms;
    if (timestamp > PARTITION_TIMESTAMP_AHEAD_MS_MAX &&
        (uint64_t)timestamp - PARTITION_TIMESTAMP_AHEAD_MS_MAX > entry->log_time_ms)
        timestamp = (int64_t)(entry->log_time_ms + PARTITION_TIMESTAMP_AHEAD_MS_MAX);
    if (timestamp > partition->max_timestamp_ms)
        partition->max_timestamp_ms = timestamp;
}

/** Judged by what else is waiting. The decision is for a later step; zeroes when the entry makes none. */
static enum lf_status check_structure(struct partition *partition, const struct lf_entry_header *header,
                                      struct lf_bytes payload, struct partition_decision *decision,
                                      struct lf_error *error) {
    const struct partition_segments *segments = &partition->segments;
    uint64_t rewrite_index;
    uint32_t checksum;
    enum lf_status status = LF_OK;
    *decision = (struct partition_decision){0};
    if (header->type == LF_ENTRY_LOG_START || header->type == LF_ENTRY_REWRITE) {
        status = partition_decision_decode(header->type, header->index, payload, decision, error);
        return status == LF_OK ? partition_segments_check(segments, decision, error) : status;
    }
    if (header->type == LF_ENTRY_REWRITTEN) {
        status = partition_rewritten_decode(header->index, payload, &rewrite_index, &checksum, error);
        decision->expected = checksum;
        if (status == LF_OK && checksum != 0 && segments->own != 0 && checksum != segments->own)
            return lf_error_set(error, LF_INTERNAL,
                                "the rewrite %" PRIu64 " came out as %08" PRIx32 " here and as %08" PRIx32
                                " where the leader was",
                                rewrite_index, segments->own, checksum);
    }
    return status;
}

static enum lf_status check(struct partition *partition, const struct lf_entry_header *header, struct lf_bytes payload,
                            struct partition_entry *entry, struct lf_error *error) {
    if (partition->broken)
        return lf_error_set(error, LF_INTERNAL, "memory ran out while applying entry %" PRIu64 ": load it again",
                            partition->applied.index);
    enum lf_status status = partition_entry_decode(entry, header, payload, error);
    if (status != LF_OK)
        return status;
    if (partition->kept_count == 0 || memcmp(entry, partition_kept_at(partition, 0), sizeof *entry) != 0) /* 1 */
        return lf_error_set(error, LF_INTERNAL, "entry %" PRIu64 " to be applied is not the one appended",
                            header->index);
    if (entry->type > LF_ENTRY_TYPE_MAX_KNOWN && entry->must_understand) /* 2 */
        return lf_error_set(error, LF_UNSUPPORTED, "entry %" PRIu64 " of type %u is newer: upgrade this node",
                            header->index, entry->type);
    return partition_state_check(&partition->applied, entry, header->index, partition->limits.producer_retention_ms,
                                 error); /* 3 */
}

/** Terms rise from jump to jump: what lies between them was others'. */
static enum lf_status check_jump(const struct partition *partition, const struct lf_entry_header *header,
                                 struct lf_bytes payload, struct partition_jump *jump, struct lf_error *error) {
    const struct partition_jumps *jumps = &partition->jumps;
    enum lf_status status = partition_jump_decode(header, payload, jump, error);
    if (status == LF_OK && jumps->count > 0 && jump->last_term < jumps->items[jumps->count - 1].term)
        status =
            lf_error_set(error, LF_INTERNAL,
                         "entry %" PRIu64 ": offsets jump after term %" PRIu64 ", but did so before in term %" PRIu64,
                         header->index, jump->last_term, jumps->items[jumps->count - 1].term);
    return status;
}

/** What an entry is about, once judged. */
struct subject {
    struct partition_entry entry;
    struct partition_decision decision;
    struct partition_jump jump;
    struct lf_bytes whole, payload;
};

static enum lf_status reserve(struct partition *partition, const struct subject *subject,
                              struct log_store_write *write) {
    enum lf_status status = write ? partition_reserve_head(write) : LF_OK;
    if (status == LF_OK && !producer_table_reserve(&partition->applied.producers))
        status = LF_NO_MEMORY;
    if (status == LF_OK && partition_is_structure(subject->entry.type))
        status = partition_segments_reserve(&partition->segments);
    return status;
}

/** 6. */
static enum lf_status change_segments(struct partition *partition, const struct subject *subject,
                                      struct log_store_write *write) {
    struct partition_segments *segments = &partition->segments;
    log_segment_add(&segments->open, subject->whole);
    switch (subject->entry.type) {
    case LF_ENTRY_SEGMENT_ROLL:
        return partition_segments_roll(segments, write);
    case LF_ENTRY_REWRITE:
        if (subject->decision.rewrite.compact)
            partition_compaction_begin(&partition->compaction, &subject->decision.rewrite,
                                       subject->decision.clean_before_ms);
        return partition_segments_decide(segments, &subject->decision, write);
    case LF_ENTRY_LOG_START:
        return partition_segments_decide(segments, &subject->decision, write);
    case LF_ENTRY_REWRITTEN:
        partition_compaction_end(&partition->compaction, subject->entry.log_time_ms);
        return partition_segments_expect(segments, partition->applied.rewrite_index, subject->decision.expected, write);
    default:
        return LF_OK;
    }
}

/** 4 to 8. Only memory can fail here. */
static enum lf_status advance(struct partition *partition, const struct subject *subject, struct log_store_write *write,
                              struct partition_applied *outcome) {
    const struct partition_entry *entry = &subject->entry;
    struct log_store_hint hint = {.index = partition->applied.index + 1,
                                  .offset = (uint64_t)partition->applied.end_offset,
                                  .max_timestamp_ms = partition->max_timestamp_ms};
    bool hinted = hint_is_due(partition, entry), configuration = entry->type == LF_ENTRY_CONFIGURATION;
    enum lf_status status = reserve(partition, subject, write);
    if (status == LF_OK && write)
        status = add_expired_rows(partition, entry->log_time_ms, write); /* 4 */
    if (status == LF_OK && configuration)
        status = partition_set_configuration(partition, hint.index, subject->payload);
    if (status != LF_OK)
        return status;
    const struct producer *changed =
        partition_state_advance(&partition->applied, entry, partition->limits.producer_retention_ms, outcome); /* 5 */
    count_for_hints(partition, entry, hinted);
    if (entry->type == LF_ENTRY_BATCH)
        raise_max_timestamp(partition, entry);
    if (entry->type == LF_ENTRY_OFFSET_JUMP)
        partition_jumps_add(&partition->jumps, &subject->jump);
    status = change_segments(partition, subject, write); /* 6 */
    if (status == LF_OK && write)
        status = add_changed_rows(partition, changed, entry, write); /* 7 */
    if (status == LF_OK && write && hinted)
        status = log_store_write_add_hint(write, hint); /* 8 */
    if (status == LF_OK && write)
        partition_write_head(partition, write);
    return status;
}

enum lf_status partition_apply(struct partition *partition, struct lf_bytes bytes, struct log_store_write *write,
                               struct partition_applied *applied, struct lf_error *error) {
    struct lf_entry_header header;
    struct subject subject = {.whole = bytes};
    if (lf_entry_decode(bytes, &header, &subject.payload) != LF_OK)
        return lf_error_set(error, LF_INTERNAL, "%zu bytes to be applied are no entry", bytes.size);
    enum lf_status status = check(partition, &header, subject.payload, &subject.entry, error);
    if (status == LF_OK)
        status = check_structure(partition, &header, subject.payload, &subject.decision, error);
    if (status == LF_OK && header.type == LF_ENTRY_OFFSET_JUMP)
        status = check_jump(partition, &header, subject.payload, &subject.jump, error);
    if (status != LF_OK)
        return status;
    struct write_mark before = mark(write);
    struct partition_applied outcome;
    status = advance(partition, &subject, write, &outcome);
    if (status != LF_OK) {
        go_back(write, &before);
        partition->broken = true;
        return lf_error_set(error, status, "no memory to apply entry %" PRIu64, header.index);
    }
    partition->kept_first = (partition->kept_first + 1) & (partition->kept_capacity - 1); /* 9 */
    partition->kept_count--;
    partition->kept_structure -= partition_is_structure(subject.entry.type);
    if (applied)
        *applied = outcome;
    return LF_OK;
}

/* ---- what waited ---- */

enum lf_status partition_rewritten(struct partition *partition, uint64_t index, const struct log_segment *segments,
                                   size_t count, struct log_store_write *write, struct lf_error *error) {
    uint64_t due;
    struct log_store_rewrite rewrite;
    if (partition->broken)
        return lf_error_set(error, LF_INTERNAL, "memory ran out: load it again");
    if (!partition_rewrite_due(partition, &due, &rewrite) || due != index)
        return lf_error_set(error, LF_CANCELLED, "the rewrite %" PRIu64 " is not wanted any more", index);
    enum lf_status status = write ? partition_reserve_head(write) : LF_OK;
    if (status == LF_OK)
        status = partition_segments_rewritten(&partition->segments, index == partition->applied.rewrite_index, segments,
                                              count, write, error);
    else
        lf_error_set(error, status, "no memory for the rewrite %" PRIu64, index);
    if (status == LF_OK && write)
        partition_write_head(partition, write);
    partition->broken |= status == LF_NO_MEMORY;
    return status;
}

enum lf_status partition_drop_ahead(struct partition *partition, int64_t offset, struct log_store_write *write) {
    struct partition_segments *segments = &partition->segments;
    uint8_t row[8];
    if (partition->broken || offset <= partition->applied.log_start_offset)
        return LF_AGAIN;
    enum lf_status status = write ? partition_reserve_head(write) : LF_OK;
    if (status != LF_OK || !partition_segments_drop_ahead(segments, offset, write))
        return status == LF_OK ? LF_AGAIN : status;
    if (write) {
        lf_put_le64(row, (uint64_t)segments->heard_start);
        status = log_store_write_add_row(write, lf_bytes("e", 1), lf_bytes(row, sizeof row));
        partition_write_head(partition, write);
    }
    partition->broken |= status != LF_OK;
    return status;
}

enum lf_status partition_carry_out(struct partition *partition, struct log_store_write *write) {
    struct partition_segments *segments = &partition->segments;
    if (partition->broken || segments->decision_count == 0 || segments->decisions[0].type != LF_ENTRY_LOG_START)
        return LF_AGAIN;
    enum lf_status status = write ? partition_reserve_head(write) : LF_OK;
    if (status == LF_OK)
        status = partition_segments_carry_out(segments, write);
    if (status == LF_OK && write)
        partition_write_head(partition, write);
    partition->broken |= status == LF_NO_MEMORY;
    return status;
}
