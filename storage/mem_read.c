#include "log_completion.h"
#include "log_row.h"
#include "log_scan.h"
#include "mem_image.h"

#include <inttypes.h>
#include <stdlib.h>

static enum lf_status segment_of(void *context, uint64_t index, bool *found, struct log_held *segment,
                                 struct lf_error *error) {
    (void)error;
    const struct log_group *log = &((const struct mem_group *)context)->log;
    size_t at = log_group_segment_at(log, index);
    *found = at < log->segment_count;
    if (*found)
        *segment = log->segments[at];
    return LF_OK;
}

static enum lf_status next_of(void *context, const struct log_held *segment, uint64_t index, uint64_t *found,
                              struct lf_bytes *entry, struct lf_error *error) {
    (void)segment; /* mem_group_next goes on in the next one; log_scan sees by the index that this one has no more */
    (void)error;
    struct lf_buf *const *at = mem_group_next(context, index, found);
    if (at)
        *entry = lf_buf_bytes(*at);
    else
        *found = 0;
    return LF_OK;
}

static bool hint_of(void *context, uint64_t index, struct log_store_hint *hint) {
    const struct mem_group *group = context;
    size_t low = 0, high = group->hint_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (group->hints[middle].index <= index)
            low = middle + 1;
        else
            high = middle;
    }
    if (low > 0)
        *hint = group->hints[low - 1];
    return low > 0;
}

struct log_store_completion *mem_image_read(const struct mem_image *image, const struct log_store_read *read) {
    struct log_store_completion *completion = log_completion_new(LOG_STORE_DONE_READ, read->group, read->request);
    if (!completion)
        return NULL;
    struct mem_group *group = mem_image_find(image, read->group);
    if (!group) {
        completion->status =
            lf_error_set(&completion->error, LF_NOT_FOUND, "group %" PRIu64 ": not in this store", read->group);
        return completion;
    }
    struct log_scan_source source = {.context = group,
                                     .group = read->group,
                                     .first_index = log_group_first_index(&group->log),
                                     .last_index = group->log.last_index,
                                     .segment = segment_of,
                                     .next = next_of,
                                     .hint = hint_of};
    log_scan_read(&source, read, completion);
    return completion;
}

static enum lf_status list_segments(const struct log_held *held, size_t count, struct log_segment **segments,
                                    size_t *segment_count) {
    *segments = calloc(count + 1, sizeof **segments);
    if (!*segments)
        return LF_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        (*segments)[i] = held[i].segment;
    *segment_count = count;
    return LF_OK;
}

static enum lf_status load_group(const struct mem_group *group, struct log_store_loaded *loaded) {
    loaded->exists = true;
    loaded->replica_id = group->log.replica_id;
    loaded->term = group->log.term;
    loaded->vote = group->log.vote;
    loaded->first_index = log_group_first_index(&group->log);
    loaded->previous_index = group->log.previous_index;
    loaded->previous_term = group->log.previous_term;
    loaded->last_index = group->log.last_index;
    loaded->applied_index = group->log.applied_index;
    loaded->runs = calloc(group->log.run_count + 1, sizeof loaded->runs[0]);
    loaded->rows = calloc(group->row_count + 1, sizeof loaded->rows[0]);
    if (!loaded->runs || !loaded->rows)
        return LF_NO_MEMORY;
    loaded->run_count = group->log.run_count;
    if (loaded->run_count > 0)
        memcpy(loaded->runs, group->log.runs, loaded->run_count * sizeof loaded->runs[0]);
    enum lf_status status =
        list_segments(group->log.segments, group->log.segment_count, &loaded->segments, &loaded->segment_count);
    if (status == LF_OK)
        status = list_segments(group->log.staged, group->log.staged_count, &loaded->staged, &loaded->staged_count);
    for (; status == LF_OK && loaded->row_count < group->row_count; loaded->row_count++) {
        const struct log_store_row *row = &group->rows[loaded->row_count];
        status = log_row_init(&loaded->rows[loaded->row_count], row->key, row->value);
    }
    return status;
}

struct log_store_completion *mem_image_load(const struct mem_image *image, uint64_t id, uint64_t request) {
    struct log_store_completion *completion = log_completion_new(LOG_STORE_DONE_LOAD, id, request);
    struct log_store_loaded *loaded = calloc(1, sizeof *loaded);
    if (!completion || !loaded)
        goto cleanup;
    loaded->first_index = LOG_GROUP_FIRST_INDEX;
    const struct mem_group *group = mem_image_find(image, id);
    if (group && load_group(group, loaded) != LF_OK)
        goto cleanup;
    completion->loaded = loaded;
    return completion;
cleanup:
    log_store_loaded_destroy(&loaded);
    log_store_completion_destroy(&completion);
    return NULL;
}
