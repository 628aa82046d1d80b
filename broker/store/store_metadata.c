/** What a stopped node's metadata becomes: its state, and the entries behind what is applied of them. */
#include "store_tool.h"

#include "lf_entry.h"

#include <inttypes.h>

static enum lf_status apply_entry(struct metadata *metadata, const struct lf_buf *entry, struct lf_error *error) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    struct metadata_applied applied = {0};
    enum lf_status status = lf_entry_check(lf_buf_bytes(entry), 0, &header, &payload, error);
    return status == LF_OK ? metadata_apply(metadata, &header, payload, NULL, &applied, error) : status;
}

static enum lf_status apply_tail(struct store_tool *tool, struct metadata *metadata, uint64_t next, uint64_t last,
                                 struct lf_error *error) {
    enum lf_status status = LF_OK;
    while (status == LF_OK && next <= last) {
        struct log_store_completion *completion;
        status = store_tool_read(tool, 0, next, last, STORE_READ_BYTES, &completion, error);
        if (status == LF_OK && completion->entry_count == 0)
            status = lf_error_set(error, LF_DAMAGED, "metadata: entry %" PRIu64 " is missing", next);
        for (uint32_t i = 0; status == LF_OK && i < completion->entry_count; i++, next++)
            status = apply_entry(metadata, completion->entries[i], error);
        log_store_completion_destroy(&completion);
    }
    return status;
}

enum lf_status store_metadata_ahead(struct store_tool *tool, struct metadata **metadata, uint64_t *last_term,
                                    uint64_t *last_index, struct lf_error *error) {
    struct log_store_completion *completion = NULL;
    *metadata = metadata_new(NULL);
    enum lf_status status = *metadata ? store_tool_load(tool, 0, &completion, error) : LF_NO_MEMORY;
    if (status == LF_OK && !completion->loaded->exists)
        status = lf_error_set(error, LF_NOT_FOUND, "there is no metadata: the node had not joined its cluster");
    if (status == LF_OK) {
        const struct log_store_loaded *loaded = completion->loaded;
        status = metadata_load(*metadata, loaded->applied_index, loaded->rows, loaded->row_count, error);
        if (status == LF_OK)
            status = apply_tail(tool, *metadata, loaded->applied_index + 1, loaded->last_index, error);
        *last_index = loaded->last_index;
        *last_term = loaded->run_count > 0 ? loaded->runs[loaded->run_count - 1].term : loaded->previous_term;
    }
    log_store_completion_destroy(&completion);
    return status;
}
