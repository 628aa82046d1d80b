#include "mem_stage.h"
#include "log_completion.h"

#include "lf_check.h"

#include <inttypes.h>
#include <stdlib.h>

static struct mem_begun **find(struct mem_stages *stages, uint64_t group) {
    struct mem_begun **at = &stages->begun;
    while (*at && (*at)->stage.group != group)
        at = &(*at)->next;
    return at;
}

void mem_stages_forget(struct mem_stages *stages, uint64_t group) {
    struct mem_begun **at = find(stages, group), *begun = *at;
    if (!begun)
        return;
    *at = begun->next;
    log_store_write_destroy(&begun->write);
    free(begun);
}

void mem_stages_deinit(struct mem_stages *stages) {
    while (stages->begun)
        mem_stages_forget(stages, stages->begun->stage.group);
    while (stages->pieces) {
        struct mem_piece *next = stages->pieces->next;
        free(stages->pieces);
        stages->pieces = next;
    }
    *stages = (struct mem_stages){0};
}

static enum lf_status begin(struct mem_stages *stages, const struct log_store_stage *stage, struct lf_error *error) {
    struct log_stage state;
    enum lf_status status = log_stage_begin(&state, stage->group, stage->segment, error);
    if (status != LF_OK)
        return status;
    mem_stages_forget(stages, stage->group);
    struct mem_begun *begun = calloc(1, sizeof *begun);
    struct log_store_write *write = log_store_write_new(stage->group, ++stages->serial);
    lf_check(begun && write); /* the simulator does not run out of memory */
    lf_check(log_store_write_set_replacements(write, stage->segment, 1) == LF_OK);
    write->stages = true;
    write->sync = true;
    *begun = (struct mem_begun){.stage = state, .write = write, .next = stages->begun};
    stages->begun = begun;
    return LF_OK;
}

static enum lf_status add_entries(struct mem_begun *begun, const struct log_store_stage *stage,
                                  struct lf_error *error) {
    for (uint32_t i = 0; i < stage->entry_count; i++) {
        uint64_t index;
        enum lf_status status = log_stage_add(&begun->stage, lf_buf_bytes(stage->entries[i]), &index, error);
        if (status != LF_OK)
            return status;
        lf_check(log_store_write_push_entry(begun->write, lf_buf_ref(stage->entries[i])) == LF_OK);
    }
    return stage->last ? log_stage_end(&begun->stage, error) : LF_OK;
}

static enum lf_status take_piece(struct mem_stages *stages, const struct log_store_stage *stage,
                                 struct log_store_write **write, struct lf_error *error) {
    enum lf_status status = stage->first ? begin(stages, stage, error) : LF_OK;
    struct mem_begun *begun = *find(stages, stage->group);
    if (status != LF_OK)
        return status;
    if (!begun || !log_segment_equal(&begun->stage.wanted, stage->segment))
        return lf_error_set(error, LF_INVALID, "group %" PRIu64 ": a piece of a segment that was not begun",
                            stage->group);
    status = add_entries(begun, stage, error);
    if (status == LF_OK && stage->last) {
        *write = begun->write;
        begun->write = NULL;
    }
    if (status != LF_OK || stage->last)
        mem_stages_forget(stages, stage->group);
    return status;
}

static struct mem_piece *newest(struct mem_stages *stages) {
    struct mem_piece *piece = stages->pieces;
    while (piece->next)
        piece = piece->next;
    return piece;
}

enum lf_status mem_stages_add(struct mem_stages *stages, const struct log_store_stage *stage, uint64_t due_ms,
                              struct log_store_write **write) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < stage->entry_count; i++)
        bytes += stage->entries[i]->size;
    *write = NULL;
    if (stages->bytes > 0 && stages->bytes + bytes > LOG_STORE_STAGE_BYTES_MAX_DEFAULT)
        return LF_FULL;
    struct mem_piece *piece = calloc(1, sizeof *piece);
    if (!piece)
        return LF_NO_MEMORY;
    *piece = (struct mem_piece){.group = stage->group, .request = stage->request, .due_ms = due_ms, .bytes = bytes};
    struct mem_piece **end = &stages->pieces;
    while (*end)
        end = &(*end)->next;
    *end = piece;
    stages->bytes += bytes;
    piece->status = take_piece(stages, stage, write, &piece->error);
    piece->waits = *write != NULL;
    piece->serial = *write ? (*write)->token : 0;
    return LF_OK;
}

void mem_stages_refuse(struct mem_stages *stages, enum lf_status status, const char *words) {
    struct mem_piece *piece = newest(stages);
    mem_stages_forget(stages, piece->group);
    piece->waits = false;
    piece->status = lf_error_set(&piece->error, status, "%s", words);
}

void mem_stages_written(struct mem_stages *stages, uint64_t serial, enum lf_status status,
                        const struct lf_error *error) {
    for (struct mem_piece *piece = stages->pieces; piece; piece = piece->next)
        if (piece->waits && piece->serial == serial) {
            piece->waits = false;
            piece->status = status;
            piece->error = *error;
        }
}

uint64_t mem_stages_deadline(const struct mem_stages *stages) {
    return stages->pieces && !stages->pieces->waits ? stages->pieces->due_ms : UINT64_MAX;
}

struct log_store_completion *mem_stages_take(struct mem_stages *stages, uint64_t now_ms) {
    struct mem_piece *piece = stages->pieces;
    if (!piece || piece->waits || piece->due_ms > now_ms)
        return NULL;
    struct log_store_completion *completion = log_completion_new(LOG_STORE_DONE_STAGE, piece->group, piece->request);
    lf_check(completion != NULL);
    completion->status = piece->status;
    if (piece->status != LF_OK)
        completion->error = piece->error;
    stages->pieces = piece->next;
    stages->bytes -= piece->bytes;
    free(piece);
    return completion;
}
