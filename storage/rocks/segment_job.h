/** What the segment thread is asked to do, and how it comes back: the job is its own answer, so answering cannot fail.
 */
#ifndef SEGMENT_JOB_H
#define SEGMENT_JOB_H

#include "log_group.h"
#include "rocks_checkpoint.h"

#include <stdatomic.h>

enum segment_job_kind {
    SEGMENT_JOB_STREAM,  /**< from the writer: the group's entries up to `until` will not change: write on at this
                            segment, which is open, or sealed just now. No answer; may be left out */
    SEGMENT_JOB_FORGET,  /**< from the writer: what was begun of the segment that begins there, or of the group, is not
                            wanted any more. No answer; may be left out, since what is outdated shows */
    SEGMENT_JOB_SEAL,    /**< from the writer: make and ingest the segment, whose entries are in `active` */
    SEGMENT_JOB_DELETE,  /**< from the writer: the segments `made` are in no row any more: free their files */
    SEGMENT_JOB_STAGE,   /**< from the loop: a piece of a segment that comes from elsewhere */
    SEGMENT_JOB_REWRITE, /**< from the loop: make the segments `made` of the segments `old` */
    SEGMENT_JOB_TIDY,    /**< from the loop: merge `active`. No answer; may be left out */
    SEGMENT_JOB_CHECKPOINT, /**< from a thread that waits: copy the store. The answer is in the checkpoint */
};

struct segment_job {
    enum segment_job_kind kind;
    uint64_t group, slot;
    struct log_segment segment; /**< STREAM, FORGET: only where it begins; 0: the whole group */
    uint64_t until;             /**< STREAM */
    bool first, last;           /**< STAGE */
    struct lf_buf **entries;    /**< STAGE, STREAM: owned */
    uint32_t entry_count;
    uint64_t entries_from; /**< STREAM: index of the first; the others follow it. Those that are not here are read */
    atomic_size_t *lent;   /**< STREAM: borrowed; NULL, or counts lent_bytes until the job is destroyed */
    size_t lent_bytes;
    struct log_store_rewrite rewrite;    /**< REWRITE */
    struct rocks_checkpoint *checkpoint; /**< CHECKPOINT: borrowed, until it is ended */
    struct log_held *old;                /**< REWRITE: owned; all with a table, as they were when it was handed on */
    size_t old_count;
    struct log_store_completion *completion; /**< STAGE, REWRITE: owned; handed on by the writer */
    bool handed_on;                          /**< STAGE, REWRITE: the writer has given it to the thread */
    uint64_t epoch;                          /**< STAGE, REWRITE: the group's stage_epoch then */
    bool refused;                            /**< REWRITE: one too many for its group */
    uint64_t after_write;                    /**< STAGE, REWRITE: not before the writer has done so many writes */
    /* the answer: */
    enum lf_status status;
    struct lf_error error;
    bool final; /**< STAGE, REWRITE: the disk failed an ingestion. What the MANIFEST holds is not what RocksDB
                   thinks: the store is finished (S6) */
    struct log_held *made; /**< ingested, not in any row yet; owned */
    size_t made_count, made_capacity;
    struct segment_job *next; /**< of the writer's list of answers */
};

/** Returns (caller destroys) a zeroed job, or NULL without memory. */
struct segment_job *segment_job_new(enum segment_job_kind kind, uint64_t group);
/** With all it owns, also a completion that was not handed on. Leaves NULL. */
void segment_job_destroy(struct segment_job **job);
/** LF_NO_MEMORY. */
enum lf_status segment_job_add_made(struct segment_job *job, const struct log_segment *segment, uint64_t id);

#endif
