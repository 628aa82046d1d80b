/** Rewrites in the store in memory. Inside of mem_store.
 *
 *  1. handed over: waits for the writes submitted before it; 2. begun: the old segments are noted, and it takes its
 * time;
 *  3. due: unless the segments changed meanwhile, the new ones are made at once and handed to the disk as one write
 * that stages them; 4. that write completed: so does the rewrite. */
#ifndef MEM_REWRITE_H
#define MEM_REWRITE_H

#include "mem_image.h"

/** Rewrites under way in a store, over all groups (rewrites_max). */
#define MEM_REWRITES_MAX 64u

struct mem_rewrite {
    struct log_store_rewrite request;
    uint64_t writes;   /**< to wait for: as many submitted before it are not completed */
    bool later_writes; /**< one after these completed before it was begun */
    bool begun, over;
    uint64_t due_ms;              /**< once begun */
    uint64_t serial;              /**< the token of the write that stages; 0: not submitted */
    struct log_segment *segments; /**< old ones, once begun */
    size_t segment_count;
    struct log_store_completion *completion;
    struct mem_rewrite *next;
};

/** Zeroed is empty. */
struct mem_rewrites {
    struct mem_rewrite *first; /**< oldest first */
    uint32_t count;
};

void mem_rewrites_deinit(struct mem_rewrites *rewrites);
/** writes: submitted and not completed. LF_FULL, LF_NO_MEMORY. One too many for its group is taken, and over at once.
 */
enum lf_status mem_rewrites_add(struct mem_rewrites *rewrites, const struct log_store_rewrite *request,
                                uint64_t writes);
/** A write of somebody else's completed. */
void mem_rewrites_count_write(struct mem_rewrites *rewrites);
/** One that waits for nothing and is not begun; NULL: none. */
struct mem_rewrite *mem_rewrites_ready(const struct mem_rewrites *rewrites);
/** Begin it over what the image holds. */
void mem_rewrite_begin(struct mem_rewrite *rewrite, const struct mem_image *image, uint64_t due_ms);
/** One that is due: make its segments. Returns (caller submits) the write that stages them, which has this token; or
 * NULL: none is due, or it failed. */
struct log_store_write *mem_rewrites_make(struct mem_rewrites *rewrites, const struct mem_image *image, uint64_t now_ms,
                                          uint64_t token);
/** The write with this token completed. False: it is none of these. */
bool mem_rewrites_written(struct mem_rewrites *rewrites, uint64_t token, enum lf_status status,
                          const struct lf_error *error);
/** The store is finished (S6): all end with that. */
void mem_rewrites_fail(struct mem_rewrites *rewrites, const struct lf_error *error);
/** Returns (caller destroys) the completion of one that is over, or NULL. */
struct log_store_completion *mem_rewrites_take(struct mem_rewrites *rewrites);
/** When the next one is due; UINT64_MAX: they wait for writes, or there is none. */
uint64_t mem_rewrites_deadline(const struct mem_rewrites *rewrites);

#endif
