/** Rebuilding the applied state from its rows. */
#include "partition_internal.h"

#include <inttypes.h>
#include <stdlib.h>

static void reset(struct partition *partition) {
    struct partition fresh = {.limits = partition->limits, .max_timestamp_ms = -1};
    partition_state_deinit(&partition->applied);
    partition_state_deinit(&partition->log_end);
    free(partition->configuration);
    free(partition->kept);
    partition_state_init(&fresh.applied);
    partition_state_init(&fresh.log_end);
    *partition = fresh;
}

static bool key_is(const struct log_store_row *row, char name) {
    return row->key.size == 1 && row->key.data[0] == name;
}

static enum lf_status load_meta(struct partition *partition, const struct log_store_row *rows, size_t row_count,
                                struct partition_meta *meta, struct lf_error *error) {
    const struct log_store_row *found = NULL;
    for (size_t i = 0; i < row_count; i++) {
        if (!key_is(&rows[i], 'm'))
            continue;
        if (found)
            return lf_error_set(error, LF_DAMAGED, "the partition has two meta rows");
        found = &rows[i];
    }
    if (!found)
        return lf_error_set(error, LF_DAMAGED, "applied to entry %" PRIu64 ", but there is no meta row",
                            partition->applied.index);
    enum lf_status status = partition_meta_decode(found->value, meta, error);
    if (status != LF_OK)
        return status;
    partition->applied.end_offset = meta->end_offset;
    partition->applied.log_time_ms = meta->log_time_ms;
    partition->log_start_offset = meta->log_start_offset;
    partition->max_timestamp_ms = meta->max_timestamp_ms;
    partition->hint_entries = meta->hint_entries;
    partition->hint_bytes = meta->hint_bytes;
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
    for (size_t i = 0; i < row_count && status == LF_OK; i++) {
        struct lf_bytes key = rows[i].key;
        if (key_is(&rows[i], 'm'))
            continue;
        if (key_is(&rows[i], 'c'))
            status = load_configuration(partition, rows[i].value, error);
        else if (key.size > 0 && key.data[0] == 'p')
            status = partition_producer_decode(key, rows[i].value, &meta, &found[count++], error);
        else
            status = lf_error_set(error, LF_DAMAGED, "a row with a key of %zu bytes, beginning with %d, means nothing",
                                  key.size, key.size > 0 ? key.data[0] : -1);
    }
    return status == LF_OK ? insert_all(partition, found, count, error) : status;
}

enum lf_status partition_load(struct partition *partition, uint64_t applied_index, const struct log_store_row *rows,
                              size_t row_count, struct lf_error *error) {
    reset(partition);
    if (applied_index == 0)
        return row_count == 0 ? LF_OK : lf_error_set(error, LF_DAMAGED, "nothing is applied, but there are rows");
    if (row_count > PRODUCER_TABLE_ROWS_HARD)
        return lf_error_set(error, LF_DAMAGED, "%zu rows: more than a partition can have", row_count);
    partition->applied.index = applied_index;
    struct producer *found = calloc(row_count + 1, sizeof *found);
    enum lf_status status = found ? load_rows(partition, rows, row_count, found, error)
                                  : lf_error_set(error, LF_NO_MEMORY, "no memory for %zu rows", row_count);
    free(found);
    if (status == LF_OK && !partition_state_copy(&partition->log_end, &partition->applied))
        status = lf_error_set(error, LF_NO_MEMORY, "no memory for the log end");
    if (status != LF_OK)
        reset(partition);
    return status;
}
