/** Compaction of hostile batches. The input: a byte of options, then batches, each with a byte of what it is
 *  (bit 1: its counts are made to agree, bit 2: a command instead, bit 3: a segment ends with it) and its own bytes. It
 * is rewritten with much and with little memory: equal results, every entry whole, nothing that was read is lost but
 * for a later record of its key. */
#include "fuzz_input.h"

#include "lf_check.h"
#include "lf_entry.h"
#include "log_rewrite.h"

#include <stdlib.h>

#define GROUP 3
#define ENTRIES_MAX 64

struct log {
    struct lf_buf *entries[ENTRIES_MAX]; /* entries[i] has index i + 1; NULL: not there */
    uint64_t last_index, end_offset;
    struct log_segment segments[ENTRIES_MAX];
    size_t segment_count;
};

static void add(struct log *log, uint8_t type, const uint8_t *payload, size_t size) {
    struct lf_entry_header header = {.type = type,
                                     .payload_bytes = (uint32_t)size,
                                     .index = ++log->last_index,
                                     .term = 1,
                                     .log_time_ms = log->last_index,
                                     .end_offset = log->end_offset,
                                     .replica_id = 1};
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + size);
    lf_entry_encode(&header, GROUP, lf_bytes(payload, size), entry->data);
    if (size > 0)
        memcpy(entry->data + LF_ENTRY_HEADER_BYTES, payload, size);
    log->entries[log->last_index - 1] = entry;
}

static void add_batch(struct log *log, uint8_t repair, struct lf_bytes bytes) {
    size_t size = bytes.size > LF_BATCH_HEADER_BYTES ? bytes.size : LF_BATCH_HEADER_BYTES;
    uint8_t *batch = calloc(size, 1);
    if (bytes.size > 0)
        memcpy(batch, bytes.data, bytes.size);
    lf_put_be64(batch, log->end_offset);
    batch[16] = LF_BATCH_MAGIC;
    if (repair & 2)
        lf_put_be32(batch + 23, lf_get_be32(batch + 57) - 1);
    if ((int32_t)lf_get_be32(batch + 23) < 0) /* the door sees to that much, and that all fits into offsets */
        lf_put_be32(batch + 23, 0);
    log->end_offset += lf_get_be32(batch + 23) + 1;
    fuzz_repair_batch(batch, size); /* else no store would hold it */
    add(log, LF_ENTRY_BATCH, batch, size);
    free(batch);
}

static void seal(struct log *log) {
    uint64_t first = log->segment_count > 0 ? log->segments[log->segment_count - 1].last_index + 1 : 1;
    if (first > log->last_index)
        return;
    struct log_segment *segment = &log->segments[log->segment_count++];
    log_segment_begin(segment, first, 0, 0);
    for (uint64_t index = first; index <= log->last_index; index++)
        log_segment_add(segment, lf_buf_bytes(log->entries[index - 1]));
}

struct run {
    const struct log *from;
    struct log *to;
};

static enum lf_status read(void *context, uint64_t index, uint64_t last_index, struct lf_bytes *entry,
                           struct lf_error *error) {
    const struct log *log = ((struct run *)context)->from;
    (void)error;
    for (; index <= last_index; index++)
        if (log->entries[index - 1]) {
            *entry = lf_buf_bytes(log->entries[index - 1]);
            return LF_OK;
        }
    return LF_END;
}

static enum lf_status put(void *context, uint64_t index, struct lf_bytes entry, struct lf_error *error) {
    struct log *log = ((struct run *)context)->to;
    struct lf_entry_header header;
    struct lf_bytes payload;
    enum lf_status status = lf_entry_check(entry, GROUP, &header, &payload, error);
    lf_check(status == LF_OK);
    lf_check(header.index == index);
    lf_check(index > log->last_index);
    log->last_index = index;
    log->entries[index - 1] = lf_buf_copy(entry);
    return LF_OK;
}

static enum lf_status segment_made(void *context, const struct log_segment *segment, struct lf_error *error) {
    struct log *log = ((struct run *)context)->to;
    (void)error;
    lf_check(segment->first_index ==
             (log->segment_count > 0 ? log->segments[log->segment_count - 1].last_index + 1 : 1));
    lf_check(log->last_index <= segment->last_index);
    log->segments[log->segment_count++] = *segment;
    return LF_OK;
}

static void rewrite(const struct log *from, const struct log_store_rewrite *request, size_t memory, struct log *to) {
    struct run run = {.from = from, .to = to};
    struct log_rewrite_io io = {.context = &run, .read = read, .put = put, .segment = segment_made};
    struct log_rewrite *work;
    *to = (struct log){0};
    enum lf_status status = log_rewrite_new(request, from->segments, from->segment_count, memory, &io, &work, NULL);
    lf_check(status == LF_OK);
    while ((status = log_rewrite_step(work, 100, NULL)) == LF_AGAIN)
        ;
    lf_check(status == LF_OK);
    log_rewrite_destroy(&work);
}

static void expect_equal(const struct log *a, const struct log *b) {
    lf_check(a->segment_count == b->segment_count);
    for (size_t i = 0; i < a->segment_count; i++)
        lf_check(log_segment_equal(&a->segments[i], &b->segments[i]));
    for (size_t i = 0; i < ENTRIES_MAX; i++) {
        lf_check(!a->entries[i] == !b->entries[i]);
        if (a->entries[i])
            lf_check(lf_bytes_equal(lf_buf_bytes(a->entries[i]), lf_buf_bytes(b->entries[i])));
    }
}

static void free_log(struct log *log) {
    for (size_t i = 0; i < ENTRIES_MAX; i++)
        lf_buf_unref(&log->entries[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    struct log log = {0}, much, little, again;
    uint8_t options = fuzz_u8(&input);
    while (input.left > 0 && log.last_index < ENTRIES_MAX) {
        uint8_t kind = fuzz_u8(&input);
        struct lf_bytes bytes = fuzz_sized(&input);
        if (kind & 4)
            add(&log, LF_ENTRY_NOOP, NULL, 0);
        else
            add_batch(&log, kind, bytes);
        if (kind & 8)
            seal(&log);
    }
    seal(&log);
    if (log.segment_count == 0)
        return 0;
    struct log_store_rewrite request = {.group = GROUP,
                                        .first_index = 1,
                                        .last_index = log.last_index,
                                        .compact = options & 1,
                                        .drop_commands = options & 2,
                                        .tombstones_before_ms = options & 4 ? 1000 : 0,
                                        .segment_bytes = (uint64_t)(options >> 3) * 100};
    rewrite(&log, &request, 0, &much);
    rewrite(&log, &request, 1, &little);
    expect_equal(&much, &little);
    rewrite(&much, &request, 0, &again); /* nothing more to take but for merging */
    for (size_t i = 0; i < ENTRIES_MAX; i++)
        lf_check(!again.entries[i] == !much.entries[i]);
    free_log(&log);
    free_log(&much);
    free_log(&little);
    free_log(&again);
    return 0;
}
