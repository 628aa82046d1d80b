#include "rewrite_log.h"

#include "lf_check.h"
#include "lf_entry.h"

#include <stdio.h>
#include <stdlib.h>

void rewrite_log_init(struct rewrite_log *log, uint64_t first_index, uint64_t first_offset) {
    *log = (struct rewrite_log){.first_index = first_index, .next_offset = first_offset, .log_time_ms = 1000};
}

void rewrite_log_deinit(struct rewrite_log *log) {
    for (size_t i = 0; i < log->count; i++)
        lf_buf_unref(&log->entries[i]);
    free(log->entries);
    free(log->segments);
    *log = (struct rewrite_log){0};
}

/** Takes the entry; NULL: one that is not there. */
static void push(struct rewrite_log *log, struct lf_buf *entry) {
    if (log->count == log->capacity) {
        log->capacity = log->capacity ? 2 * log->capacity : 64;
        log->entries = realloc(log->entries, log->capacity * sizeof log->entries[0]);
        lf_check(log->entries != NULL);
    }
    log->entries[log->count++] = entry;
}

void rewrite_log_add(struct rewrite_log *log, uint8_t type, struct lf_bytes payload, uint32_t records) {
    log->next_offset += records;
    struct lf_entry_header header = {.type = type,
                                     .payload_bytes = (uint32_t)payload.size,
                                     .index = log->first_index + log->count,
                                     .term = 3,
                                     .log_time_ms = log->log_time_ms++,
                                     .end_offset = log->next_offset,
                                     .replica_id = 1};
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + payload.size);
    lf_check(entry != NULL);
    lf_entry_encode(&header, REWRITE_LOG_GROUP, payload, entry->data);
    if (payload.size > 0)
        memcpy(entry->data + LF_ENTRY_HEADER_BYTES, payload.data, payload.size);
    push(log, entry);
}

void rewrite_log_add_batch(struct rewrite_log *log, struct lf_buf **batch) {
    lf_batch_stamp((*batch)->data, (int64_t)log->next_offset, 3);
    rewrite_log_add(log, LF_ENTRY_BATCH, lf_buf_bytes(*batch), lf_get_be32((*batch)->data + 23) + 1);
    lf_buf_unref(batch);
}

void rewrite_log_add_records(struct rewrite_log *log, enum lf_codec codec, const struct lf_record *records,
                             int32_t count) {
    struct lf_batch_builder *builder = lf_batch_builder_new(codec, NULL);
    struct lf_buf *batch = NULL;
    for (int32_t i = 0; i < count; i++) {
        enum lf_status status = lf_batch_builder_add(builder, &records[i]);
        lf_check(status == LF_OK);
    }
    enum lf_status status = lf_batch_builder_finish(builder, &batch);
    lf_check(status == LF_OK);
    lf_batch_builder_destroy(&builder);
    rewrite_log_add_batch(log, &batch);
}

static void add_segment(struct rewrite_log *log, const struct log_segment *segment) {
    log->segments = realloc(log->segments, (log->segment_count + 1) * sizeof log->segments[0]);
    lf_check(log->segments != NULL);
    log->segments[log->segment_count++] = *segment;
}

void rewrite_log_seal(struct rewrite_log *log) {
    const struct log_segment *before = log->segment_count > 0 ? &log->segments[log->segment_count - 1] : NULL;
    uint64_t first = before ? before->last_index + 1 : log->first_index;
    struct log_segment segment;
    log_segment_begin(&segment, first, before ? before->end_offset : log->next_offset, 0);
    if (!before) /* the offset before its first entry */
        for (size_t i = log->count; i-- > 0;) {
            struct lf_bytes entry = lf_buf_bytes(log->entries[i]);
            segment.base_offset =
                entry.data[5] == LF_ENTRY_BATCH ? lf_get_be64(entry.data + LF_ENTRY_HEADER_BYTES) : segment.base_offset;
        }
    for (size_t i = first - log->first_index; i < log->count; i++)
        log_segment_add(&segment, lf_buf_bytes(log->entries[i]));
    add_segment(log, &segment);
}

struct log_store_rewrite rewrite_log_all(const struct rewrite_log *log) {
    return (struct log_store_rewrite){.group = REWRITE_LOG_GROUP,
                                      .first_index = log->first_index,
                                      .last_index = log->segments[log->segment_count - 1].last_index};
}

struct run {
    const struct rewrite_log *from;
    struct rewrite_log *to;
};

static enum lf_status read(void *context, uint64_t index, uint64_t last_index, struct lf_bytes *entry,
                           struct lf_error *error) {
    const struct rewrite_log *log = ((struct run *)context)->from;
    (void)error;
    for (; index <= last_index; index++) {
        lf_check(index >= log->first_index);
        if (index - log->first_index >= log->count || !log->entries[index - log->first_index])
            continue;
        *entry = lf_buf_bytes(log->entries[index - log->first_index]);
        return LF_OK;
    }
    return LF_END;
}

static enum lf_status put(void *context, uint64_t index, struct lf_bytes entry, struct lf_error *error) {
    struct rewrite_log *log = ((struct run *)context)->to;
    (void)error;
    lf_check(index >= log->first_index + log->count);
    while (log->first_index + log->count < index)
        push(log, NULL);
    push(log, lf_buf_copy(entry));
    return LF_OK;
}

static enum lf_status segment_made(void *context, const struct log_segment *segment, struct lf_error *error) {
    struct rewrite_log *log = ((struct run *)context)->to;
    (void)error;
    while (log->first_index + log->count <= segment->last_index)
        push(log, NULL);
    log->next_offset = segment->end_offset;
    add_segment(log, segment);
    return LF_OK;
}

enum lf_status rewrite_log_run(const struct rewrite_log *log, const struct log_store_rewrite *request,
                               size_t memory_bytes, size_t step_bytes, struct rewrite_log *out,
                               struct log_rewrite_figures *figures, struct lf_error *error) {
    rewrite_log_init(out, log->first_index, 0);
    struct run run = {.from = log, .to = out};
    struct log_rewrite_io io = {.context = &run, .read = read, .put = put, .segment = segment_made};
    struct log_rewrite *rewrite = NULL;
    enum lf_status status =
        log_rewrite_new(request, log->segments, log->segment_count, memory_bytes, &io, &rewrite, error);
    if (status != LF_OK)
        return status;
    while ((status = log_rewrite_step(rewrite, step_bytes, error)) == LF_AGAIN)
        ;
    if (figures)
        log_rewrite_figures(rewrite, figures);
    log_rewrite_destroy(&rewrite);
    if (status != LF_OK)
        rewrite_log_deinit(out);
    return status;
}

bool rewrite_log_equal(const struct rewrite_log *a, const struct rewrite_log *b) {
    if (a->count != b->count || a->segment_count != b->segment_count)
        return false;
    for (size_t i = 0; i < a->segment_count; i++)
        if (!log_segment_equal(&a->segments[i], &b->segments[i]))
            return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!a->entries[i] != !b->entries[i])
            return false;
        if (a->entries[i] && !lf_bytes_equal(lf_buf_bytes(a->entries[i]), lf_buf_bytes(b->entries[i])))
            return false;
    }
    return true;
}

static size_t text_of(struct lf_bytes batch, char *text, size_t room) {
    struct lf_batch_limits limits = {.batch_bytes_max = LF_ENTRY_PAYLOAD_BYTES_HARD,
                                     .records_max = INT32_MAX,
                                     .headers_max = LOG_REWRITE_HEADERS_MAX};
    struct lf_batch_reader *reader;
    struct lf_record record;
    size_t size = 0;
    if (lf_batch_reader_new(batch, &limits, &reader, NULL) != LF_OK)
        return 0;
    while (lf_batch_reader_next(reader, &record) == LF_OK && size + 32 < room)
        size += (size_t)snprintf(text + size, room - size, "%s%lld ", record.value.data ? "" : "*",
                                 (long long)record.offset);
    lf_batch_reader_destroy(&reader);
    return size;
}

const char *rewrite_log_text(const struct rewrite_log *log) {
    static char text[4096];
    size_t size = 0;
    for (size_t i = 0; i < log->count; i++)
        if (log->entries[i] && log->entries[i]->data[5] == LF_ENTRY_BATCH)
            size += text_of(
                lf_bytes(log->entries[i]->data + LF_ENTRY_HEADER_BYTES, log->entries[i]->size - LF_ENTRY_HEADER_BYTES),
                text + size, sizeof text - size);
    text[size > 0 ? size - 1 : 0] = '\0';
    return text;
}
