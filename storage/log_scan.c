#include "log_scan.h"
#include "log_row.h"

#include "lf_entry.h"
#include "lf_record_batch.h"

#include <inttypes.h>

struct scan {
    const struct log_scan_source *source;
    uint64_t first; /* range searched, inclusive */
    uint64_t last;
    struct lf_error *error;
};

/* Any status of the entry's own check means that what we wrote is not what we read. */
static enum lf_status peek(const struct scan *scan, uint64_t index, struct lf_bytes *entry,
                           struct lf_entry_header *header, struct lf_bytes *payload) {
    const struct log_scan_source *source = scan->source;
    enum lf_status status = source->entry(source->context, index, entry, scan->error);
    if (status != LF_OK)
        return status;
    struct lf_error detail = {0};
    status = lf_entry_check(*entry, source->group, header, payload, &detail);
    if (status != LF_OK)
        return lf_error_set(scan->error, LF_DAMAGED, "group %" PRIu64 " entry %" PRIu64 ": %s", source->group, index,
                            detail.text);
    if (header->index != index)
        return lf_error_set(scan->error, LF_DAMAGED, "group %" PRIu64 " entry %" PRIu64 ": says it is %" PRIu64,
                            source->group, index, header->index);
    return LF_OK;
}

static enum lf_status end_offset_at(const struct scan *scan, uint64_t index, uint64_t *end_offset) {
    struct lf_bytes entry, payload;
    struct lf_entry_header header;
    enum lf_status status = peek(scan, index, &entry, &header, &payload);
    *end_offset = header.end_offset;
    return status;
}

/* Hints rise in index, offset and time together: the last one that is `before` the value, by bisection over indexes. */
static bool hint_before(const struct scan *scan, const struct log_store_read *read, struct log_store_hint *found) {
    const struct log_scan_source *source = scan->source;
    uint64_t low = scan->first, high = scan->last;
    bool any = false;
    while (low <= high) {
        uint64_t middle = low + (high - low) / 2;
        struct log_store_hint hint;
        if (!source->hint(source->context, middle, &hint) || hint.index < low) {
            low = middle + 1; /* no hint in low..middle */
            continue;
        }
        bool before = read->from == LOG_STORE_READ_OFFSET ? hint.offset <= read->value
                                                          : hint.max_timestamp_ms < (int64_t)read->value;
        if (before) {
            *found = hint;
            any = true;
            low = middle + 1;
        } else {
            high = hint.index - 1; /* hint.index >= low >= 1 */
        }
    }
    return any;
}

/* The first index in low..high whose end offset is above the value; high is known to be. */
static enum lf_status bisect(const struct scan *scan, uint64_t value, uint64_t low, uint64_t high, uint64_t *index) {
    while (low < high) {
        uint64_t middle = low + (high - low) / 2, end;
        enum lf_status status = end_offset_at(scan, middle, &end);
        if (status != LF_OK)
            return status;
        if (end > value)
            high = middle;
        else
            low = middle + 1;
    }
    *index = low;
    return LF_OK;
}

/* 1. start at the hint, if the entry before it proves it; 2. double the distance until above; 3. bisect between. */
static enum lf_status find_offset(const struct scan *scan, const struct log_store_read *read, uint64_t *index) {
    uint64_t low = scan->first, end;
    struct log_store_hint hint;
    if (hint_before(scan, read, &hint) && hint.index > scan->first) { /* 1 */
        enum lf_status status = end_offset_at(scan, hint.index - 1, &end);
        if (status != LF_OK)
            return status;
        if (end <= read->value)
            low = hint.index;
    }
    for (uint64_t step = 1;; step *= 2) { /* 2 */
        uint64_t high = scan->last - low < step ? scan->last : low + step - 1;
        enum lf_status status = end_offset_at(scan, high, &end);
        if (status != LF_OK)
            return status;
        if (end > read->value)
            return bisect(scan, read->value, low, high, index); /* 3 */
        if (high == scan->last) {
            *index = scan->last + 1;
            return LF_OK;
        }
        low = high + 1;
    }
}

/* A producer's clock may be anywhere; its batches count as at most a little ahead of the log's time. */
static int64_t capped_time_ms(const struct lf_batch_header *batch, const struct lf_entry_header *header) {
    uint64_t cap = header->log_time_ms + LOG_STORE_TIME_AHEAD_MS_MAX;
    return batch->max_timestamp_ms > 0 && (uint64_t)batch->max_timestamp_ms > cap ? (int64_t)cap
                                                                                  : batch->max_timestamp_ms;
}

static enum lf_status find_time(const struct scan *scan, const struct log_store_read *read, uint64_t *index) {
    struct log_store_hint hint;
    uint64_t at = hint_before(scan, read, &hint) ? hint.index : scan->first;
    for (; at <= scan->last; at++) {
        struct lf_bytes entry, payload;
        struct lf_entry_header header;
        struct lf_batch_header batch;
        enum lf_status status = peek(scan, at, &entry, &header, &payload);
        if (status != LF_OK)
            return status;
        if (header.type != LF_ENTRY_BATCH || lf_batch_header_decode(payload, &batch) != LF_OK)
            continue;
        if (capped_time_ms(&batch, &header) >= (int64_t)read->value)
            break;
    }
    *index = at;
    return LF_OK;
}

static enum lf_status find_start(const struct scan *scan, const struct log_store_read *read, uint64_t *index) {
    if (read->from == LOG_STORE_READ_OFFSET)
        return find_offset(scan, read, index);
    if (read->from == LOG_STORE_READ_TIME)
        return find_time(scan, read, index);
    *index = read->value > scan->first ? read->value : scan->first;
    return LF_OK;
}

static enum lf_status collect(const struct scan *scan, const struct log_store_read *read, uint64_t index,
                              struct log_store_completion *completion) {
    size_t capacity = 0, bytes = 0;
    uint32_t entries_max = read->entries_max > 0 ? read->entries_max : 1;
    completion->first_index = index;
    for (; index <= scan->last && completion->entry_count < entries_max; index++) {
        struct lf_bytes entry, payload;
        struct lf_entry_header header;
        enum lf_status status = peek(scan, index, &entry, &header, &payload);
        if (status != LF_OK)
            return status;
        if (completion->entry_count > 0 && bytes + entry.size > read->bytes_max)
            break;
        status =
            log_array_reserve(&completion->entries, &capacity, completion->entry_count, sizeof completion->entries[0]);
        struct lf_buf *copy = status == LF_OK ? lf_buf_copy(entry) : NULL;
        if (!copy)
            return lf_error_set(scan->error, LF_NO_MEMORY, "no memory for a read of %zu bytes", entry.size);
        completion->entries[completion->entry_count++] = copy;
        bytes += entry.size;
    }
    return LF_OK;
}

void log_scan_read(const struct log_scan_source *source, const struct log_store_read *read,
                   struct log_store_completion *completion) {
    struct scan scan = {.source = source, .first = source->first_index, .error = &completion->error};
    scan.last = read->last_index < source->last_index ? read->last_index : source->last_index;
    if (scan.last < scan.first)
        return;
    uint64_t index = 0;
    enum lf_status status = find_start(&scan, read, &index);
    if (status == LF_OK && index <= scan.last)
        status = collect(&scan, read, index, completion);
    if (status == LF_OK)
        return;
    completion->status = status;
    for (uint32_t i = 0; i < completion->entry_count; i++)
        lf_buf_unref(&completion->entries[i]);
    completion->entry_count = 0;
}
