#include "log_completion.h"
#include "log_row.h"
#include "log_scan.h"
#include "mem_image.h"

#include <inttypes.h>
#include <stdlib.h>

static enum lf_status entry_of(void *context, uint64_t index, struct lf_bytes *entry, struct lf_error *error) {
    const struct mem_group *group = context;
    if (index < LOG_GROUP_FIRST_INDEX || index > group->log.last_index)
        return lf_error_set(error, LF_DAMAGED, "group %" PRIu64 ": entry %" PRIu64 " is missing", group->log.id, index);
    *entry = lf_buf_bytes(group->entries[index - 1]);
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
                                     .first_index = LOG_GROUP_FIRST_INDEX,
                                     .last_index = group->log.last_index,
                                     .entry = entry_of,
                                     .hint = hint_of};
    log_scan_read(&source, read, completion);
    return completion;
}

static enum lf_status load_group(const struct mem_group *group, struct log_store_loaded *loaded) {
    loaded->exists = true;
    loaded->replica_id = group->log.replica_id;
    loaded->term = group->log.term;
    loaded->vote = group->log.vote;
    loaded->last_index = group->log.last_index;
    loaded->applied_index = group->log.applied_index;
    loaded->runs = calloc(group->log.run_count + 1, sizeof loaded->runs[0]);
    loaded->rows = calloc(group->row_count + 1, sizeof loaded->rows[0]);
    if (!loaded->runs || !loaded->rows)
        return LF_NO_MEMORY;
    loaded->run_count = group->log.run_count;
    if (loaded->run_count > 0)
        memcpy(loaded->runs, group->log.runs, loaded->run_count * sizeof loaded->runs[0]);
    enum lf_status status = LF_OK;
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
