/** A group of one store is made in another one, by the contract alone: the engine's files are not looked at.
 *
 *  1. the group, empty, with the term and without the vote
 *  2. its sealed segments, staged piece by piece: the store finds each one true to its descriptor, or refuses it
 *  3. one write that makes them its log; then the entries above, in pieces; then all rows and where they stand
 *
 *  Only the whole of it is a group: who calls keeps others from seeing the store before. */
#include "backup_tool.h"

#include "lf_entry.h"

#include <inttypes.h>
#include <string.h>

struct import {
    struct store_tool *from, *to;
    uint64_t group;
    const struct log_store_loaded *loaded; /**< of the source */
    uint64_t base_index, base_term;        /**< up to where there are sealed segments, or nothing is left */
    struct lf_error *error;
};

static struct log_store_write *new_write(struct import *import) {
    return log_store_write_new(import->group, ++import->to->next_request);
}

/** The write, or its failure so far. Frees it. */
static enum lf_status submit(struct import *import, struct log_store_write *write, enum lf_status status) {
    if (!write || status == LF_NO_MEMORY)
        status = lf_error_set(import->error, LF_NO_MEMORY, "no memory to write");
    if (status == LF_OK)
        status = store_tool_write(import->to, &write, import->error);
    log_store_write_destroy(&write);
    return status;
}

static enum lf_status create(struct import *import, uint64_t replica_id) {
    struct log_store_write *write = new_write(import);
    if (write) {
        write->create = true;
        write->replica_id = replica_id;
        write->has_hard_state = import->loaded->term > 0;
        write->term = import->loaded->term;
    }
    return submit(import, write, LF_OK);
}

/* ---- segments --------------------------------------------------------------------------------------------------- */

/** The next piece of the segment is handed over: *next and *held go on. */
static enum lf_status stage_piece(struct import *import, const struct log_segment *segment, uint64_t *next,
                                  uint64_t *held) {
    struct log_store_completion *completion = NULL;
    struct lf_entry_header header = {0};
    struct lf_bytes payload;
    enum lf_status status = store_tool_read(import->from, import->group, *next, segment->last_index, STORE_READ_BYTES,
                                            &completion, import->error);
    if (status == LF_OK && completion->entry_count == 0)
        status = lf_error_set(import->error, LF_DAMAGED, "entries from %" PRIu64 " on are missing", *next);
    if (status == LF_OK)
        status = lf_entry_check(lf_buf_bytes(completion->entries[completion->entry_count - 1]), import->group, &header,
                                &payload, import->error);
    if (status == LF_OK) {
        struct log_store_stage piece = {.group = import->group,
                                        .request = ++import->to->next_request,
                                        .segment = segment,
                                        .first = *held == 0,
                                        .last = *held + completion->entry_count >= segment->entry_count,
                                        .entries = completion->entries,
                                        .entry_count = completion->entry_count};
        status = store_tool_stage(import->to, &piece, import->error);
        *held += completion->entry_count;
        *next = header.index + 1;
    }
    log_store_completion_destroy(&completion);
    return status;
}

static enum lf_status stage_segment(struct import *import, const struct log_segment *segment) {
    uint64_t next = segment->first_index, held = 0;
    enum lf_status status = LF_OK;
    if (segment->entry_count == 0) { /* a rewrite left nothing in it */
        struct log_store_stage piece = {.group = import->group,
                                        .request = ++import->to->next_request,
                                        .segment = segment,
                                        .first = true,
                                        .last = true};
        status = store_tool_stage(import->to, &piece, import->error);
    }
    while (status == LF_OK && held < segment->entry_count)
        status = stage_piece(import, segment, &next, &held);
    return status == LF_OK ? status
                           : lf_error_context(import->error, "segment %" PRIu64 "-%" PRIu64, segment->first_index,
                                              segment->last_index);
}

static enum lf_status stage_segments(struct import *import) {
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < import->loaded->segment_count; i++) {
        status = stage_segment(import, &import->loaded->segments[i]);
        store_progress(import->to, "restore: group %" PRIu64 ": segment %zu of %zu", import->group, i + 1,
                       import->loaded->segment_count);
    }
    return status;
}

static enum lf_status install(struct import *import) {
    struct log_store_write *write = import->base_index > 0 ? new_write(import) : NULL;
    if (import->base_index == 0) /* a log that is whole, and has no segment yet */
        return LF_OK;
    enum lf_status status = LF_OK;
    if (write)
        status = log_store_write_set_install(write, import->base_index, import->base_term, import->loaded->segments,
                                             (uint32_t)import->loaded->segment_count);
    return submit(import, write, status);
}

/* ---- what is above ---------------------------------------------------------------------------------------------- */

static enum lf_status copy_piece(struct import *import, uint64_t *next) {
    struct log_store_completion *completion = NULL;
    enum lf_status status = store_tool_read(import->from, import->group, *next, import->loaded->last_index,
                                            STORE_READ_BYTES, &completion, import->error);
    if (status == LF_OK && (completion->entry_count == 0 || completion->first_index != *next))
        status = lf_error_set(import->error, LF_DAMAGED, "entry %" PRIu64 " is missing", *next);
    if (status == LF_OK) {
        struct log_store_write *write = new_write(import);
        for (uint32_t i = 0; write && status == LF_OK && i < completion->entry_count; i++)
            status = log_store_write_add_entry(write, (*next)++, lf_buf_ref(completion->entries[i]));
        status = submit(import, write, status);
    }
    log_store_completion_destroy(&completion);
    return status;
}

static enum lf_status copy_entries(struct import *import) {
    enum lf_status status = LF_OK;
    for (uint64_t next = import->base_index + 1; status == LF_OK && next <= import->loaded->last_index;) {
        status = copy_piece(import, &next);
        store_progress(import->to, "restore: group %" PRIu64 ": entry %" PRIu64 " of %" PRIu64, import->group, next - 1,
                       import->loaded->last_index);
    }
    return status;
}

static enum lf_status copy_rows(struct import *import) {
    const struct log_store_loaded *loaded = import->loaded;
    struct log_store_write *write = new_write(import);
    enum lf_status status = LF_OK;
    for (size_t i = 0; write && status == LF_OK && i < loaded->row_count; i++)
        status = log_store_write_add_row(write, loaded->rows[i].key, loaded->rows[i].value);
    if (status == LF_TOO_LARGE)
        lf_error_set(import->error, status, "a row of its state is too large");
    if (write) {
        write->applied_index = loaded->applied_index;
        write->sync = true;
    }
    return submit(import, write, status);
}

/* ---- all of it -------------------------------------------------------------------------------------------------- */

static void find_base(struct import *import) {
    const struct log_store_loaded *loaded = import->loaded;
    const struct log_segment *last = loaded->segment_count > 0 ? &loaded->segments[loaded->segment_count - 1] : NULL;
    import->base_index = last ? last->last_index : loaded->previous_index;
    import->base_term = last ? last->last_term : loaded->previous_term;
}

enum lf_status restore_import(struct store_tool *from, struct store_tool *to, uint64_t group, uint64_t replica_id,
                              struct lf_error *error) {
    struct log_store_completion *completion = NULL;
    struct import import = {.from = from, .to = to, .group = group, .error = error};
    enum lf_status status = store_tool_load(from, group, &completion, error);
    if (status == LF_OK && !completion->loaded->exists)
        status = lf_error_set(error, LF_NOT_FOUND, "it is not in the backup any more");
    if (status == LF_OK) {
        import.loaded = completion->loaded;
        find_base(&import);
        status = create(&import, replica_id);
    }
    if (status == LF_OK)
        status = stage_segments(&import);
    if (status == LF_OK)
        status = install(&import);
    if (status == LF_OK)
        status = copy_entries(&import);
    if (status == LF_OK)
        status = copy_rows(&import);
    log_store_completion_destroy(&completion);
    return status == LF_OK ? LF_OK : lf_error_context(error, "group %" PRIu64, group);
}
