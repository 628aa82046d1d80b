/** Rebuilding the applied state from its rows and the store's segments; and all rows at once. */
#include "partition_internal.h"

#include "log_row.h"

#include <inttypes.h>
#include <stdlib.h>

static void reset(struct partition *partition) {
    struct partition fresh = {.limits = partition->limits, .max_timestamp_ms = -1};
    partition_state_deinit(&partition->applied);
    partition_state_deinit(&partition->log_end);
    partition_segments_deinit(&partition->segments);
    free(partition->configuration);
    free(partition->kept);
    partition_state_init(&fresh.applied);
    partition_state_init(&fresh.log_end);
    partition_segments_begin(&fresh.segments, 0, 0, 0);
    *partition = fresh;
}

static bool key_is(const struct log_store_row *row, char name) {
    return row->key.size == 1 && row->key.data[0] == name;
}

/** The one row of this name. */
static enum lf_status find_row(const struct partition *partition, char name, const struct log_store_row *rows,
                               size_t row_count, const struct log_store_row **found, struct lf_error *error) {
    *found = NULL;
    for (size_t i = 0; i < row_count; i++) {
        if (!key_is(&rows[i], name))
            continue;
        if (*found)
            return lf_error_set(error, LF_DAMAGED, "the partition has two rows '%c'", name);
        *found = &rows[i];
    }
    if (!*found)
        return lf_error_set(error, LF_DAMAGED, "applied to entry %" PRIu64 ", but there is no row '%c'",
                            partition->applied.index, name);
    return LF_OK;
}

static enum lf_status load_meta(struct partition *partition, const struct log_store_row *rows, size_t row_count,
                                struct partition_meta *meta, struct lf_error *error) {
    const struct log_store_row *found;
    enum lf_status status = find_row(partition, 'm', rows, row_count, &found, error);
    if (status == LF_OK)
        status = partition_meta_decode(found->value, meta, error);
    if (status == LF_OK && meta->rewrite_index > partition->applied.index)
        status = lf_error_set(error, LF_DAMAGED, "the rewrite %" PRIu64 ", but applied is %" PRIu64,
                              meta->rewrite_index, partition->applied.index);
    if (status != LF_OK)
        return status;
    partition->applied.end_offset = meta->end_offset;
    partition->applied.log_time_ms = meta->log_time_ms;
    partition->applied.log_start_offset = meta->log_start_offset;
    partition->applied.rewrite_index = meta->rewrite_index;
    partition->applied.rewrite_open = meta->rewrite_open;
    partition->segments.seals_checksum = meta->seals_checksum;
    partition->segments.expected = meta->rewrite_expected;
    partition->segments.own = meta->rewrite_own;
    partition->max_timestamp_ms = meta->max_timestamp_ms;
    partition->hint_entries = meta->hint_entries;
    partition->hint_bytes = meta->hint_bytes;
    return LF_OK;
}

/** The open segment follows the last sealed one and ends where the machine is. */
static enum lf_status load_open(struct partition *partition, const struct log_store_row *rows, size_t row_count,
                                struct lf_error *error) {
    const struct log_store_row *found;
    struct partition_segments *segments = &partition->segments;
    struct log_segment before;
    partition_segments_begin(segments, partition->applied.index, partition->applied.end_offset,
                             partition->applied.log_time_ms);
    before = segments->open;
    for (size_t i = 0; i < row_count; i++)
        if (key_is(&rows[i], 'e') && rows[i].value.size == 8)
            segments->heard_start = (int64_t)lf_get_le64(rows[i].value.data);
    enum lf_status status = find_row(partition, 'o', rows, row_count, &found, error);
    if (status == LF_OK)
        status = partition_open_decode(found->value, &before, &segments->open, error);
    const struct log_segment *last = segments->count > 0 ? &segments->sealed[segments->count - 1] : NULL;
    if (status == LF_OK && last &&
        (last->last_index + 1 != segments->open.first_index || last->end_offset != segments->open.base_offset))
        status = lf_error_set(error, LF_DAMAGED,
                              "the open segment begins with entry %" PRIu64 ", the last sealed one ends with %" PRIu64,
                              segments->open.first_index, last->last_index);
    if (status == LF_OK && segments->heard_start < 0)
        status = lf_error_set(error, LF_DAMAGED, "no log starts at offset %" PRId64, segments->heard_start);
    if (status == LF_OK && partition_segments_base_offset(segments) > (uint64_t)partition_log_start_offset(partition))
        status = lf_error_set(error, LF_DAMAGED, "the log starts at offset %" PRId64 ", the first segment at %" PRIu64,
                              partition_log_start_offset(partition), partition_segments_base_offset(segments));
    return status;
}

/** Rows come ordered by key: decisions by index. */
static enum lf_status load_decision(struct partition *partition, const struct log_store_row *row,
                                    struct lf_error *error) {
    struct partition_segments *segments = &partition->segments;
    struct partition_decision decision;
    enum lf_status status = partition_decision_row_decode(row->key, row->value, &decision, error);
    if (status != LF_OK)
        return status;
    uint64_t before = segments->decision_count > 0 ? segments->decisions[segments->decision_count - 1].index : 0;
    if (decision.index <= before || decision.index > partition->applied.index ||
        decision.offset > partition->applied.log_start_offset || segments->decision_count == PARTITION_DECISIONS_MAX)
        return lf_error_set(error, LF_DAMAGED, "the decision %" PRIu64 " waits after %" PRIu64 ", applied is %" PRIu64,
                            decision.index, before, partition->applied.index);
    if (log_array_reserve(&segments->decisions, &segments->decision_capacity, segments->decision_count,
                          sizeof *segments->decisions) != LF_OK)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for decisions about segments");
    segments->decisions[segments->decision_count++] = decision;
    return LF_OK;
}

static enum lf_status load_configuration(struct partition *partition, struct lf_bytes row, struct lf_error *error) {
    if (partition->configuration_index != 0)
        return lf_error_set(error, LF_DAMAGED, "the partition has two configuration rows");
    if (row.size < PARTITION_CONFIGURATION_ROW_FIXED_BYTES || row.data[0] != PARTITION_ROW_VERSION ||
        row.size - PARTITION_CONFIGURATION_ROW_FIXED_BYTES > PARTITION_CONFIGURATION_BYTES_MAX)
        return lf_error_set(error, LF_DAMAGED, "the configuration row: %zu bytes, version %d", row.size,
                            row.size > 0 ? row.data[0] : -1);
    uint64_t index = lf_get_le64(row.data + 1);
    if (index == 0 || index > partition->applied.index)
        return lf_error_set(error, LF_DAMAGED, "the configuration of entry %" PRIu64 ", but applied is %" PRIu64, index,
                            partition->applied.index);
    struct lf_bytes payload = lf_bytes(row.data + PARTITION_CONFIGURATION_ROW_FIXED_BYTES,
                                       row.size - PARTITION_CONFIGURATION_ROW_FIXED_BYTES);
    enum lf_status status = partition_set_configuration(partition, index, payload);
    return status == LF_OK ? LF_OK : lf_error_set(error, status, "no memory for the configuration");
}

static int by_last_use(const void *a, const void *b) {
    const struct producer *x = a, *y = b;
    if (x->last_use_ms != y->last_use_ms)
        return x->last_use_ms < y->last_use_ms ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/** Rows come ordered by key, the table wants them by last use. */
static enum lf_status insert_all(struct partition *partition, struct producer *found, size_t count,
                                 struct lf_error *error) {
    struct producer_table *table = &partition->applied.producers;
    if (count > 0)
        qsort(found, count, sizeof *found, by_last_use);
    for (size_t i = 0; i < count; i++) {
        if (producer_table_find(table, found[i].id))
            return lf_error_set(error, LF_DAMAGED, "producer %" PRId64 " has two rows", found[i].id);
        if (!producer_table_reserve(table))
            return lf_error_set(error, LF_NO_MEMORY, "no memory for %zu producers", count);
        struct producer *row = producer_table_insert(table, found[i].id);
        found[i].older = row->older;
        found[i].newer = row->newer;
        *row = found[i];
    }
    return LF_OK;
}

static enum lf_status load_rows(struct partition *partition, const struct log_store_row *rows, size_t row_count,
                                struct producer *found, struct lf_error *error) {
    struct partition_meta meta;
    size_t count = 0;
    enum lf_status status = load_meta(partition, rows, row_count, &meta, error);
    if (status == LF_OK)
        status = load_open(partition, rows, row_count, error);
    for (size_t i = 0; i < row_count && status == LF_OK; i++) {
        struct lf_bytes key = rows[i].key;
        if (key_is(&rows[i], 'm') || key_is(&rows[i], 'o') || (key_is(&rows[i], 'e') && rows[i].value.size == 8))
            continue;
        if (key_is(&rows[i], 'k'))
            status = partition_compaction_decode(rows[i].value, partition->applied.index, meta.log_time_ms,
                                                 &partition->compaction, error);
        else if (key_is(&rows[i], 'j'))
            status = partition_jumps_decode(rows[i].value, partition->applied.index, meta.end_offset, &partition->jumps,
                                            error);
        else if (key_is(&rows[i], 'c'))
            status = load_configuration(partition, rows[i].value, error);
        else if (key.size > 0 && key.data[0] == 'd')
            status = load_decision(partition, &rows[i], error);
        else if (key.size > 0 && key.data[0] == 'p')
            status = partition_producer_decode(key, rows[i].value, &meta, &found[count++], error);
        else
            status = lf_error_set(error, LF_DAMAGED, "a row with a key of %zu bytes, beginning with %d, means nothing",
                                  key.size, key.size > 0 ? key.data[0] : -1);
    }
    return status == LF_OK ? insert_all(partition, found, count, error) : status;
}

enum lf_status partition_load(struct partition *partition, uint64_t applied_index, const struct log_store_row *rows,
                              size_t row_count, const struct log_segment *segments, size_t segment_count,
                              struct lf_error *error) {
    reset(partition);
    if (applied_index == 0)
        return row_count == 0 && segment_count == 0
                   ? LF_OK
                   : lf_error_set(error, LF_DAMAGED, "nothing is applied, but there are rows or segments");
    if (row_count > PRODUCER_TABLE_ROWS_HARD)
        return lf_error_set(error, LF_DAMAGED, "%zu rows: more than a partition can have", row_count);
    partition->applied.index = applied_index;
    struct producer *found = calloc(row_count + 1, sizeof *found);
    enum lf_status status = found ? LF_OK : lf_error_set(error, LF_NO_MEMORY, "no memory for %zu rows", row_count);
    if (status == LF_OK)
        status = partition_segments_load(&partition->segments, segments, segment_count, error);
    if (status == LF_OK)
        status = load_rows(partition, rows, row_count, found, error);
    free(found);
    if (status == LF_OK && !partition_state_copy(&partition->log_end, &partition->applied))
        status = lf_error_set(error, LF_NO_MEMORY, "no memory for the log end");
    if (status != LF_OK)
        reset(partition);
    return status;
}

/* ---- all rows ---- */

static enum lf_status save_decisions(const struct partition *partition, struct log_store_write *write) {
    enum lf_status status = LF_OK;
    for (size_t i = 0; i < partition->segments.decision_count && status == LF_OK; i++) {
        uint8_t key[PARTITION_DECISION_KEY_BYTES], row[PARTITION_DECISION_ROW_BYTES_MAX];
        partition_decision_key(partition->segments.decisions[i].index, key);
        size_t bytes = partition_decision_encode(&partition->segments.decisions[i], row);
        status = log_store_write_add_row(write, lf_bytes(key, sizeof key), lf_bytes(row, bytes));
    }
    return status;
}

enum lf_status partition_save(const struct partition *partition, struct log_store_write *write) {
    if (partition->applied.index == 0)
        return LF_OK;
    enum lf_status status = partition_reserve_head(write);
    if (status != LF_OK)
        return status;
    partition_write_head(partition, write);
    if (partition->configuration_index != 0)
        status = log_store_write_add_row(write, lf_bytes("c", 1),
                                         lf_bytes(partition->configuration, PARTITION_CONFIGURATION_ROW_FIXED_BYTES +
                                                                                partition->configuration_bytes));
    if (status == LF_OK)
        status = partition_add_compaction_row(partition, write);
    if (status == LF_OK)
        status = partition_add_jumps_row(partition, write);
    uint8_t heard[8];
    lf_put_le64(heard, (uint64_t)partition->segments.heard_start);
    if (status == LF_OK && partition->segments.heard_start > 0)
        status = log_store_write_add_row(write, lf_bytes("e", 1), lf_bytes(heard, sizeof heard));
    if (status == LF_OK)
        status = save_decisions(partition, write);
    const struct producer *producer = NULL;
    while (status == LF_OK && (producer = producer_table_next(&partition->applied.producers, producer))) {
        uint8_t key[PARTITION_PRODUCER_KEY_BYTES], row[PARTITION_PRODUCER_ROW_BYTES_MAX];
        partition_producer_key(producer->id, key);
        size_t bytes = partition_producer_encode(producer, row);
        status = log_store_write_add_row(write, lf_bytes(key, sizeof key), lf_bytes(row, bytes));
    }
    return status;
}
