/** The writer's side of segments: which are sealed and have no table yet, which tables are in no row any more, what the
 *  segment thread is asked for, and what its answers change. Of the writer thread, after opening. */
#ifndef ROCKS_SEGMENTS_H
#define ROCKS_SEGMENTS_H

#include "rocks_groups.h"
#include "segment_thread.h"

/** Seals that the segment thread is asked for at a time. */
#define ROCKS_SEALS_MAX 64u
/** A group is streamed in steps of so many bytes. */
#define ROCKS_STREAM_STEP_BYTES (256u * 1024)
/** After a seal found no space it is tried again so much later. */
#define ROCKS_SEAL_RETRY_US 1000000u

/** A sealed segment without a table. */
struct rocks_unsealed {
    uint64_t group, slot;
    uint64_t first_index;
};

/** A table without a row. Deleted only once the witness covers the write that took the row away. */
struct rocks_doomed {
    struct log_held held;
    uint64_t sequence; /**< of that write; 0: it is being written */
};

/** Figures for any thread. */
struct rocks_segment_counters {
    atomic_ullong waiting;  /**< sealed, without a table; also those being built */
    atomic_ullong building; /**< of these, at the segment thread */
    atomic_ullong doomed;   /**< tables whose deletion waits */
    atomic_ullong made;     /**< since the store was opened */
};

struct rocks_segments {
    struct segment_thread thread;
    struct rocks_groups *groups; /**< borrowed */
    struct segment_feeds feeds;
    struct rocks_segment_counters counters;
    struct rocks_unsealed *waiting; /**< oldest first, from waiting_first on */
    size_t waiting_first, waiting_count, waiting_capacity;
    struct rocks_doomed *doomed;
    size_t doomed_count, doomed_capacity;
    uint32_t building;
    size_t deleting;                          /**< tables that the thread was asked to delete */
    uint64_t retry_us;                        /**< no seals before; 0: none failed */
    struct segment_job *rewrites;             /**< that wait, oldest first */
    uint64_t rewriting[SEGMENT_REWRITES_MAX]; /**< groups with one that waits or is at the thread */
    uint32_t rewriting_count;
};

void rocks_segments_deinit(struct rocks_segments *segments);
/** At opening: what is sealed and has no table. LF_NO_MEMORY. */
enum lf_status rocks_segments_load(struct rocks_segments *segments);

/** The write was judged and carried out on the group's shape; its batch is not written yet. Notes new seals and what is
 *  gone. LF_NO_MEMORY. */
enum lf_status rocks_segments_changed(struct rocks_segments *segments, struct rocks_group *group,
                                      const struct log_store_write *write, const struct log_group_change *change);
/** The group is about to be removed. LF_NO_MEMORY. */
enum lf_status rocks_segments_destroyed(struct rocks_segments *segments, struct rocks_group *group);
/** A batch was written, with this last sequence. */
void rocks_segments_written(struct rocks_segments *segments, uint64_t last_sequence);
/** After it, for each write in it, and before the seals are handed out: lets the thread have the ends of what is
 * sealed.
 */
void rocks_segments_stream_sealed(struct rocks_segments *segments, const struct log_store_write *write);
/** After that: lets the thread write on at the group's open segment, when there is enough. */
void rocks_segments_stream(struct rocks_segments *segments, const struct log_store_write *write);

/** Hands out what can be done now: all up to witnessed_sequence is durable, and start-up demands it back. A table that
 *  is deleted is in no row of any state that a start may end up with. LF_NO_MEMORY. */
enum lf_status rocks_segments_step(struct rocks_segments *segments, uint64_t witnessed_sequence, uint64_t now_us,
                                   struct lf_error *error);
/** In how many ms a step should be taken though nothing happens; -1: never. */
int rocks_segments_timeout_ms(const struct rocks_segments *segments, uint64_t now_us);

/** A stage comes from the loop: hands it on to the thread. */
void rocks_segments_begin_stage(struct rocks_segments *segments, struct segment_job **job);

/* rocks_rewrites.c. */
/** A rewrite comes from the loop, after so many writes. True: it waits; false: it is refused, and is its own answer. */
bool rocks_segments_add_rewrite(struct rocks_segments *segments, struct segment_job *job, uint64_t after_write);
/** Hands on those that wait for nothing any more. Returns one that cannot be done, as its own answer; call again until
 *  NULL. */
struct segment_job *rocks_segments_step_rewrites(struct rocks_segments *segments, uint64_t writes_done);
/** The store is finished (S6). Returns one that waits, or NULL. */
struct segment_job *rocks_segments_fail_rewrite(struct rocks_segments *segments);
/** It came back: another may come for its group. LF_OK becomes LF_CANCELLED when what it made is not wanted any more.
 */
void rocks_segments_end_rewrite(struct rocks_segments *segments, struct segment_job *job);
/** What was staged, into its completion. LF_NO_MEMORY. */
enum lf_status rocks_segments_tell_made(struct segment_job *job);

/** Changes of the database that an answer asks for. */
struct rocks_answer {
    rocksdb_writebatch_t *batch;
    const struct rocks_db *db;
    bool sync; /**< set when the batch has to be synced */
};
/** Takes in what an answer says; adds to the batch. The job's status and completion tell its owner. Anything but LF_OK
 *  is final for the store. */
enum lf_status rocks_segments_answered(struct rocks_segments *segments, struct segment_job *job,
                                       struct rocks_answer *answer, uint64_t now_us, struct lf_error *error);

/** rocks_segment_rows.c: the rows that a write's changes of segments need, after log_group_apply. */
void rocks_segment_rows_put(rocksdb_writebatch_t *batch, const struct rocks_db *db, const struct log_group *group,
                            const struct log_store_write *write, const struct log_group_change *change);

#endif
