/** The segment thread: makes table files of sealed segments beside the writer, and frees those of dropped ones.
 *
 *  A sealed segment's entries are in `active`. While a group grows, what is applied of its open segment is written on
 * to a file (a *builder*), so that little is left to do at the seal; the number of builders is bounded, and a group
 * that has none is built from `active` at its seal. A file is synced, ingested into the family `segments` (which takes
 * its name and entry in the MANIFEST, durably, without a sequence number), and only then does the writer give the
 * segment's row its id and delete the range in `active`. A crash before that leaves a file or a table that no row
 * names: both are removed at opening (segment_clean.h).
 *
 *  What the thread holds is bounded: builders and begun stages, each with RocksDB's buffer of a file that is written
 *  (up to 1 MiB) and its index. */
#ifndef SEGMENT_THREAD_H
#define SEGMENT_THREAD_H

#include "file_reaper.h"
#include "lf_ring.h"
#include "log_stage.h"
#include "segment_file.h"
#include "segment_job.h"
#include "segment_rewrite.h"

#include <pthread.h>
#include <stdatomic.h>

/** Jobs that wait in the ring. */
#define SEGMENT_JOBS_MAX 1024u
/** Of these, streams and forgets that may wait; more are left out. */
#define SEGMENT_HINTS_MAX 256u
/** Files of sealed segments that are ingested together at most. Each ingestion waits for the writer and syncs the
 * MANIFEST twice, so where seals wait for their tables the files made meanwhile share one. */
#define SEGMENT_INGEST_MAX 16u
/** ... and of so many bytes: their entries stay in `active` until then. */
#define SEGMENT_INGEST_BYTES_MAX (32u << 20)
/** Groups with a segment that was begun to be staged. */
#define SEGMENT_STAGES_MAX 64u

struct segment_builder {
    uint64_t slot;            /**< of the group */
    uint64_t used;            /**< tick of the last use */
    struct segment_file file; /**< id 0: free */
};

/** A segment that comes from elsewhere, in pieces. */
struct segment_stage {
    uint64_t group, slot, epoch; /**< as in the jobs */
    struct log_stage stage;      /**< wanted.first_index 0: free */
    struct segment_file file;
};

struct segment_thread {
    const struct rocks_db *db;  /**< borrowed, as the rings, until stopped */
    struct file_reaper *reaper; /**< likewise */
    char *directory;
    struct lf_ring *ring;    /**< struct segment_job; itself: stop */
    struct lf_ring *answers; /**< the writer's ring: jobs go back through it, tagged */
    atomic_ullong *id_next;  /**< shared with the writer, which makes it durable */
    uint32_t builders_max;
    size_t compaction_memory_bytes;
    uint64_t compaction_bytes_per_s;
    atomic_uint hints;  /**< jobs without an answer in the ring */
    atomic_bool tidies; /**< one to tidy is among them, or under way */
    atomic_uint builders_open;
    atomic_ullong entries_fed, entries_read; /**< into files of segments: from memory, out of `active` */
    atomic_bool stopping;
    /* of the thread: */
    struct segment_builder *builders;
    struct segment_stage *stages;
    struct segment_rewrites rewrites;
    struct segment_job *finished[SEGMENT_INGEST_MAX]; /**< SEAL, their files not ingested yet */
    size_t finished_count;
    uint64_t finished_bytes;
    uint64_t tick;
    uint64_t dropped_us; /**< the last drop since `active` was looked at for what drops leave behind; 0: none */
    pthread_t thread;
    bool running;
};

/** Before the writer starts, since it hands over jobs. builders_max is set. LF_NO_MEMORY. */
enum lf_status segment_thread_init(struct segment_thread *thread, const char *directory, struct lf_error *error);
/** All else is set. LF_IO. */
enum lf_status segment_thread_start(struct segment_thread *thread, struct lf_error *error);
/** After the job under way, and with what it has finished; what waits is not done. The writer may still add jobs. */
void segment_thread_stop(struct segment_thread *thread);
/** Once the writer has stopped. */
void segment_thread_deinit(struct segment_thread *thread);

/** Whether one more without an answer would most likely not be destroyed. */
bool segment_thread_has_place(const struct segment_thread *thread);
/** Hands a job over (taken, NULL afterwards). Those without an answer are destroyed when too many wait. */
void segment_thread_push(struct segment_thread *thread, struct segment_job **job);

/* Answers travel in the ring of writes, told apart by the lowest bit of the address. */
static inline void *segment_answer_tag(struct segment_job *job) { return (void *)((uintptr_t)job | 1); }
static inline bool segment_answer_is(const void *item) { return ((uintptr_t)item & 1) != 0; }
static inline struct segment_job *segment_answer_untag(void *item) {
    return (struct segment_job *)((uintptr_t)item & ~(uintptr_t)1);
}

/* What the thread does, by file. */

/** Entries of `active`, checked, from where the file ends up to `last`, into it; none where it ends there already.
 *  LF_DAMAGED when one is missing. */
enum lf_status segment_copy_active(struct segment_thread *thread, uint64_t group, uint64_t slot, uint64_t last,
                                   struct segment_file *file, struct lf_error *error);
/** segment_build.c. A seal's file is made, and is to be ingested; or the job has failed. */
void segment_stream(struct segment_thread *thread, const struct segment_job *job);
void segment_forget(struct segment_thread *thread, const struct segment_job *job);
void segment_seal(struct segment_thread *thread, struct segment_job *job);
void segment_builders_abandon(struct segment_thread *thread);
/** segment_ingest.c: finished files, at most SEGMENT_INGEST_MAX, become tables of the family `segments`: all or none.
 */
enum lf_status segment_ingest(const struct segment_thread *thread, const uint64_t *ids, size_t count,
                              struct lf_error *error);
/** The files of a DELETE job's segments to the reaper, as far as it has place. None where the store has so many tables
 * that looking for them would hold writes up longer than freeing them at once. */
void segment_files_hand_over(const struct segment_thread *thread, const struct segment_job *job);
/** Frees the files of a segment; entries of others share none. */
enum lf_status segment_delete(const struct rocks_db *db, uint64_t id, struct lf_error *error);
/** segment_stage.c */
void segment_stage(struct segment_thread *thread, struct segment_job *job);
void segment_stage_forget(struct segment_thread *thread, uint64_t group);
void segment_stages_abandon(struct segment_thread *thread);

#endif
