#include "log_scan.h"
#include "log_row.h"

#include "lf_entry.h"
#include "lf_record_batch.h"

#include <inttypes.h>

struct scan {
    const struct log_scan_source *source;
    uint64_t first; /* range searched, inclusive */
    uint64_t last;
    struct log_held held; /* the segment looked into last; last_index 0: none yet */
    uint64_t active;      /* the active part is known to begin at or before; UINT64_MAX: not known */
    struct lf_error *error;
    struct log_segment *damaged;
};

/* An entry, checked. */
struct found {
    uint64_t index; /* 0: none */
    struct lf_bytes entry, payload;
    struct lf_entry_header header;
};

static enum lf_status missing(const struct scan *scan, uint64_t index) {
    return lf_error_set(scan->error, LF_DAMAGED, "group %" PRIu64 ": entry %" PRIu64 " is missing", scan->source->group,
                        index);
}

/* The segment that covers the index; NULL: it is active. */
static enum lf_status locate(struct scan *scan, uint64_t index, const struct log_held **held) {
    const struct log_segment *segment = &scan->held.segment;
    *held = NULL;
    if (index >= scan->active)
        return LF_OK;
    if (index < segment->first_index || index > segment->last_index) {
        bool found = false;
        enum lf_status status = scan->source->segment(scan->source->context, index, &found, &scan->held, scan->error);
        if (status != LF_OK || !found) {
            scan->held = (struct log_held){0};
            scan->active = status == LF_OK ? index : scan->active;
            return status;
        }
        if (segment->first_index > index)
            return missing(scan, index);
    }
    *held = &scan->held;
    return LF_OK;
}

/* Any status of the entry's own check means that what we wrote is not what we read. */
static enum lf_status check(const struct scan *scan, struct found *found) {
    uint64_t group = scan->source->group;
    struct lf_error detail = {0};
    if (lf_entry_check(found->entry, group, &found->header, &found->payload, &detail) != LF_OK)
        return lf_error_set(scan->error, LF_DAMAGED, "group %" PRIu64 " entry %" PRIu64 ": %s", group, found->index,
                            detail.text);
    if (found->header.index != found->index)
        return lf_error_set(scan->error, LF_DAMAGED, "group %" PRIu64 " entry %" PRIu64 ": says it is %" PRIu64, group,
                            found->index, found->header.index);
    return LF_OK;
}

/* The next entry within one segment, or the active part; none only where entries may be missing. */
static enum lf_status next_within(const struct scan *scan, const struct log_held *held, uint64_t index,
                                  struct found *found) {
    const struct log_scan_source *source = scan->source;
    uint64_t end = held ? held->segment.last_index : source->last_index;
    enum lf_status status = source->next(source->context, held, index, &found->index, &found->entry, scan->error);
    if (status != LF_OK)
        return status;
    if (found->index > end)
        found->index = 0;
    if (found->index != index && (!held || log_segment_whole(&held->segment)))
        return missing(scan, index);
    return found->index != 0 ? check(scan, found) : LF_OK;
}

/* The next entry at or after index; none (index 0) when the range ends before. */
static enum lf_status next_entry(struct scan *scan, uint64_t index, struct found *found) {
    const struct log_held *held;
    enum lf_status status = LF_OK;
    for (; status == LF_OK && index <= scan->last; index = held->segment.last_index + 1) {
        status = locate(scan, index, &held);
        if (status == LF_OK)
            status = next_within(scan, held, index, found);
        if (status == LF_DAMAGED && held)
            *scan->damaged = held->segment;
        if (status != LF_OK || found->index > scan->last)
            break;
        if (found->index != 0)
            return LF_OK;
    }
    found->index = 0;
    return status;
}

/* Of the first entry at or after index; UINT64_MAX: there is none. */
static enum lf_status end_offset_at(struct scan *scan, uint64_t index, uint64_t *end_offset) {
    struct found found;
    enum lf_status status = next_entry(scan, index, &found);
    *end_offset = status == LF_OK && found.index != 0 ? found.header.end_offset : UINT64_MAX;
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

/* The first index in low..high at or after which the next entry's end offset is above the value; high is known to be
 * one. */
static enum lf_status bisect(struct scan *scan, uint64_t value, uint64_t low, uint64_t high, uint64_t *index) {
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

/* Where the first segment begins that ends above the offset; behind all segments when none does. */
static enum lf_status pass_segments(const struct scan *scan, uint64_t offset, uint64_t *index) {
    const struct log_scan_source *source = scan->source;
    uint64_t low = scan->first, high = scan->last;
    while (low <= high) {
        uint64_t middle = low + (high - low) / 2;
        struct log_held held;
        bool found = false;
        enum lf_status status = source->segment(source->context, middle, &found, &held, scan->error);
        if (status != LF_OK)
            return status;
        if (found && held.segment.end_offset <= offset)
            low = held.segment.last_index + 1;
        else if (!found || held.segment.first_index > middle)
            high = middle - 1; /* middle >= low >= 1 */
        else
            high = held.segment.first_index - 1;
    }
    *index = low;
    return LF_OK;
}

/* 1. pass whole segments by their descriptors; 2. start at the hint, if the entry right before it proves it; 3. double
 * the distance until above; 4. bisect between. */
static enum lf_status find_offset(struct scan *scan, const struct log_store_read *read, uint64_t *index) {
    uint64_t low, end;
    struct log_store_hint hint;
    enum lf_status status = pass_segments(scan, read->value, &low); /* 1 */
    if (status != LF_OK)
        return status;
    if (hint_before(scan, read, &hint) && hint.index > low && hint.index <= scan->last) { /* 2 */
        struct found found;
        status = next_entry(scan, hint.index - 1, &found);
        if (status != LF_OK)
            return status;
        if (found.index == hint.index - 1 && found.header.end_offset <= read->value)
            low = hint.index;
    }
    for (uint64_t step = 1; low <= scan->last; step *= 2) { /* 3 */
        uint64_t high = scan->last - low < step ? scan->last : low + step - 1;
        status = end_offset_at(scan, high, &end);
        if (status != LF_OK)
            return status;
        if (end > read->value)
            return bisect(scan, read->value, low, high, index); /* 4 */
        low = high + 1;
    }
    *index = low;
    return LF_OK;
}

/* A producer's clock may be anywhere; its batches count as at most a little ahead of the log's time. */
static int64_t capped_time_ms(const struct lf_batch_header *batch, const struct lf_entry_header *header) {
    uint64_t cap = header->log_time_ms + LOG_STORE_TIME_AHEAD_MS_MAX;
    return batch->max_timestamp_ms > 0 && (uint64_t)batch->max_timestamp_ms > cap ? (int64_t)cap
                                                                                  : batch->max_timestamp_ms;
}

/* A segment in which no batch ever was late enough is passed unread. */
static enum lf_status find_time(struct scan *scan, const struct log_store_read *read, uint64_t *index) {
    struct log_store_hint hint;
    uint64_t at = hint_before(scan, read, &hint) ? hint.index : scan->first;
    while (at <= scan->last) {
        const struct log_held *held;
        struct found found;
        struct lf_batch_header batch;
        enum lf_status status = locate(scan, at, &held);
        if (status == LF_OK && held && held->segment.max_timestamp_ms < (int64_t)read->value) {
            at = held->segment.last_index + 1;
            continue;
        }
        if (status == LF_OK)
            status = next_entry(scan, at, &found);
        if (status != LF_OK)
            return status;
        at = found.index;
        if (at == 0)
            break;
        if (found.header.type == LF_ENTRY_BATCH && lf_batch_header_decode(found.payload, &batch) == LF_OK &&
            capped_time_ms(&batch, &found.header) >= (int64_t)read->value)
            break;
        at++;
    }
    *index = at == 0 ? scan->last + 1 : at;
    return LF_OK;
}

static enum lf_status find_start(struct scan *scan, const struct log_store_read *read, uint64_t *index) {
    if (read->from == LOG_STORE_READ_OFFSET)
        return find_offset(scan, read, index);
    if (read->from == LOG_STORE_READ_TIME)
        return find_time(scan, read, index);
    *index = read->value > scan->first ? read->value : scan->first;
    return LF_OK;
}

static enum lf_status collect(struct scan *scan, const struct log_store_read *read, uint64_t index,
                              struct log_store_completion *completion) {
    size_t capacity = 0, bytes = 0;
    uint32_t entries_max = read->entries_max > 0 ? read->entries_max : 1;
    while (index <= scan->last && completion->entry_count < entries_max) {
        struct found found;
        enum lf_status status = next_entry(scan, index, &found);
        if (status != LF_OK)
            return status;
        if (found.index == 0 || (completion->entry_count > 0 && bytes + found.entry.size > read->bytes_max))
            break;
        status =
            log_array_reserve(&completion->entries, &capacity, completion->entry_count, sizeof completion->entries[0]);
        struct lf_buf *copy = status == LF_OK ? lf_buf_copy(found.entry) : NULL;
        if (!copy)
            return lf_error_set(scan->error, LF_NO_MEMORY, "no memory for a read of %zu bytes", found.entry.size);
        if (completion->entry_count == 0)
            completion->first_index = found.index;
        completion->entries[completion->entry_count++] = copy;
        bytes += found.entry.size;
        index = found.index + 1;
    }
    return LF_OK;
}

void log_scan_read(const struct log_scan_source *source, const struct log_store_read *read,
                   struct log_store_completion *completion) {
    struct scan scan = {.source = source,
                        .first = source->first_index,
                        .active = UINT64_MAX,
                        .error = &completion->error,
                        .damaged = &completion->segment};
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
