/** Segments on their way into the store in memory. Inside of mem_store. */
#ifndef MEM_STAGE_H
#define MEM_STAGE_H

#include "log_stage.h"
#include "log_store.h"

/** A segment of which some pieces came. */
struct mem_begun {
    struct log_stage stage;
    struct log_store_write *write; /**< with the entries that came: what will make them staged */
    struct mem_begun *next;
};

/** A piece handed over whose completion was not given yet. */
struct mem_piece {
    uint64_t group, request;
    uint64_t serial; /**< the token of the write that has to complete first */
    bool waits;      /**< for that write */
    uint64_t due_ms;
    size_t bytes;
    enum lf_status status;
    struct lf_error error;
    struct mem_piece *next;
};

/** Zeroed is empty. */
struct mem_stages {
    struct mem_begun *begun;
    struct mem_piece *pieces; /**< oldest first */
    size_t bytes;             /**< of the pieces */
    uint64_t serial;
};

void mem_stages_deinit(struct mem_stages *stages);
/** A piece came: appended to the pieces, with the status as it is judged. Returns (caller submits) the write that
 * stages the segment, if it was the last piece and all is well; *piece then waits for it. LF_FULL, LF_NO_MEMORY:
 * nothing happened. */
enum lf_status mem_stages_add(struct mem_stages *stages, const struct log_store_stage *stage, uint64_t due_ms,
                              struct log_store_write **write);
/** Refuse the piece added last. */
void mem_stages_refuse(struct mem_stages *stages, enum lf_status status, const char *words);
/** The write with this token completed. */
void mem_stages_written(struct mem_stages *stages, uint64_t serial, enum lf_status status,
                        const struct lf_error *error);
/** What was begun for the group is forgotten. */
void mem_stages_forget(struct mem_stages *stages, uint64_t group);
/** Returns (caller destroys) the completion of the oldest piece if that is due, else NULL. */
struct log_store_completion *mem_stages_take(struct mem_stages *stages, uint64_t now_ms);
/** When the oldest piece is due; UINT64_MAX: it waits for a write, or there is none. */
uint64_t mem_stages_deadline(const struct mem_stages *stages);

#endif
