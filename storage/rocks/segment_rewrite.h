/** Rewrites at the segment thread: one at a time, in steps between its other jobs, so that a long one holds up no seal,
 *  and no faster than its rate. Old segments are read from their tables; new ones are files of their own, ingested when
 *  all are finished. Nothing of it outlives the process: what a crash leaves are files and tables without a row, which
 *  are removed at opening (segment_clean.h), and the rewrite is asked for again. */
#ifndef SEGMENT_REWRITE_H
#define SEGMENT_REWRITE_H

#include "log_rewrite.h"
#include "segment_file.h"
#include "segment_job.h"

/** Rewrites that wait or are under way in a store. */
#define SEGMENT_REWRITES_MAX 64u
/** Read at a time, then other jobs have their turn. */
#define SEGMENT_REWRITE_STEP_BYTES (512u * 1024)

struct segment_thread;

/** Of the thread. Zeroed is empty. */
struct segment_rewrites {
    struct segment_job *waiting, *waiting_last; /**< oldest first */
    struct segment_job *job;                    /**< the one under way; NULL: none */
    struct log_rewrite *work;
    rocksdb_readoptions_t *options;
    rocksdb_iterator_t *entries; /**< over the table of old[reading]; NULL: none is open */
    size_t reading;
    struct segment_file file; /**< the new segment that is being written */
    size_t ingested;          /**< of job->made */
    uint64_t due_us;          /**< no step before */
};

/** Takes the job. */
void segment_rewrite_add(struct segment_rewrites *rewrites, struct segment_job *job);
/** One step, if it is due. Returns (caller answers) the job when that is over, else NULL. */
struct segment_job *segment_rewrite_step(struct segment_thread *thread, uint64_t now_us);
/** In how many ms the next step is due; -1: there is nothing to do. */
int segment_rewrite_timeout_ms(const struct segment_rewrites *rewrites, uint64_t now_us);
/** The table of this id is about to be deleted. Returns (caller answers) a job that reads from it, cancelled; call
 * again until NULL. */
struct segment_job *segment_rewrite_cancel(struct segment_thread *thread, uint64_t id);
/** The thread ends: what was begun is removed. */
void segment_rewrites_abandon(struct segment_thread *thread);

#endif
