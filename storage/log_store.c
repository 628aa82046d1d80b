/** Building and freeing what travels over the contract: writes and completions. */
#include "log_store.h"
#include "log_completion.h"
#include "log_row.h"

#include "lf_check.h"

#include <stdlib.h>

/* What a write counts besides its parts: its own row updates (hard state, tail, applied index) and headers. */
#define WRITE_BYTES_BASE 128u
#define HINT_BYTES 48u
#define ROW_BYTES_BASE 32u
#define ENTRY_BYTES_BASE 32u
#define SEGMENT_BYTES (LOG_SEGMENT_BYTES + 32u)

struct log_store_write *log_store_write_new(uint64_t group, uint64_t token) {
    struct log_store_write *write = calloc(1, sizeof *write);
    if (!write)
        return NULL;
    write->group = group;
    write->token = token;
    write->bytes = WRITE_BYTES_BASE;
    return write;
}

void log_store_write_destroy(struct log_store_write **where) {
    struct log_store_write *write = *where;
    *where = NULL;
    if (!write)
        return;
    for (uint32_t i = 0; i < write->entry_count; i++)
        lf_buf_unref(&write->entries[i]);
    for (uint32_t i = 0; i < write->row_count; i++)
        log_row_deinit(&write->rows[i]);
    free(write->entries);
    free(write->rows);
    free(write->hints);
    free(write->seals);
    free(write->replacements);
    free(write->install_segments);
    free(write);
}

static enum lf_status grow(void *items, uint32_t *capacity, uint32_t count, size_t item_bytes) {
    if (count < *capacity)
        return LF_OK;
    size_t wide = *capacity;
    enum lf_status status = count == UINT32_MAX / 2 ? LF_NO_MEMORY : log_array_reserve(items, &wide, count, item_bytes);
    *capacity = (uint32_t)wide;
    return status;
}

enum lf_status log_store_write_push_entry(struct log_store_write *write, struct lf_buf *entry) {
    enum lf_status status = grow(&write->entries, &write->entry_capacity, write->entry_count, sizeof write->entries[0]);
    if (status != LF_OK) {
        lf_buf_unref(&entry);
        return status;
    }
    write->entries[write->entry_count++] = entry;
    write->bytes += entry->size + ENTRY_BYTES_BASE;
    return LF_OK;
}

enum lf_status log_store_write_add_entry(struct log_store_write *write, uint64_t index, struct lf_buf *entry) {
    if (write->entry_count > 0 && index != write->first_index + write->entry_count) {
        lf_buf_unref(&entry);
        return LF_INVALID;
    }
    if (write->entry_count == 0)
        write->first_index = index;
    return log_store_write_push_entry(write, entry);
}

enum lf_status log_store_write_add_row(struct log_store_write *write, struct lf_bytes key, struct lf_bytes value) {
    if (key.size > LOG_STORE_ROW_KEY_BYTES_MAX)
        return LF_TOO_LARGE;
    if (value.size > LOG_STORE_ROW_VALUE_BYTES_MAX)
        return LF_TOO_LARGE;
    enum lf_status status = grow(&write->rows, &write->row_capacity, write->row_count, sizeof write->rows[0]);
    if (status == LF_OK)
        status = log_row_init(&write->rows[write->row_count], key, value);
    if (status != LF_OK)
        return status;
    write->row_count++;
    write->bytes += key.size + value.size + ROW_BYTES_BASE;
    return LF_OK;
}

enum lf_status log_store_write_add_hint(struct log_store_write *write, struct log_store_hint hint) {
    enum lf_status status = grow(&write->hints, &write->hint_capacity, write->hint_count, sizeof write->hints[0]);
    if (status != LF_OK)
        return status;
    write->hints[write->hint_count++] = hint;
    write->bytes += HINT_BYTES;
    return LF_OK;
}

enum lf_status log_store_write_add_seal(struct log_store_write *write, const struct log_segment *segment) {
    enum lf_status status = grow(&write->seals, &write->seal_capacity, write->seal_count, sizeof write->seals[0]);
    if (status != LF_OK)
        return status;
    write->seals[write->seal_count++] = *segment;
    write->bytes += SEGMENT_BYTES;
    return LF_OK;
}

static enum lf_status copy_segments(const struct log_segment *segments, uint32_t count, struct log_segment **copy) {
    *copy = calloc(count > 0 ? count : 1, sizeof **copy);
    if (!*copy)
        return LF_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        (*copy)[i] = segments[i];
    return LF_OK;
}

enum lf_status log_store_write_set_replacements(struct log_store_write *write, const struct log_segment *segments,
                                                uint32_t count) {
    lf_check(write->replacements == NULL);
    enum lf_status status = copy_segments(segments, count, &write->replacements);
    if (status != LF_OK)
        return status;
    write->replacement_count = count;
    write->bytes += (size_t)count * SEGMENT_BYTES;
    return LF_OK;
}

enum lf_status log_store_write_set_install(struct log_store_write *write, uint64_t index, uint64_t term,
                                           const struct log_segment *segments, uint32_t count) {
    lf_check(!write->install);
    enum lf_status status = copy_segments(segments, count, &write->install_segments);
    if (status != LF_OK)
        return status;
    write->install = true;
    write->install_index = index;
    write->install_term = term;
    write->install_count = count;
    write->bytes += (size_t)count * SEGMENT_BYTES;
    return LF_OK;
}

struct log_store_completion *log_completion_new(enum log_store_done kind, uint64_t group, uint64_t id) {
    struct log_store_completion *completion = calloc(1, sizeof *completion);
    if (!completion)
        return NULL;
    completion->kind = kind;
    completion->group = group;
    completion->id = id;
    return completion;
}

void log_store_loaded_destroy(struct log_store_loaded **where) {
    struct log_store_loaded *loaded = *where;
    *where = NULL;
    if (!loaded)
        return;
    for (size_t i = 0; i < loaded->row_count; i++)
        log_row_deinit(&loaded->rows[i]);
    free(loaded->rows);
    free(loaded->runs);
    free(loaded->segments);
    free(loaded->staged);
    free(loaded);
}

void log_store_completion_destroy(struct log_store_completion **where) {
    struct log_store_completion *completion = *where;
    *where = NULL;
    if (!completion)
        return;
    for (uint32_t i = 0; i < completion->entry_count; i++)
        lf_buf_unref(&completion->entries[i]);
    free(completion->entries);
    free(completion->segments);
    log_store_loaded_destroy(&completion->loaded);
    free(completion);
}
