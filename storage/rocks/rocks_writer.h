/** The writer thread: takes writes of all groups from a ring, merges what waits (commit_merge.h), writes one batch with
 *  one sync, and hands the completions back in order. The only thread that writes. */
#ifndef ROCKS_WRITER_H
#define ROCKS_WRITER_H

#include "lf_ring.h"
#include "rocks_batch.h"
#include "witness_keeper.h"

#include <pthread.h>
#include <stdatomic.h>

struct rocks_counters {
    atomic_ullong writes, commits, syncs, bytes_written, reads, commit_us_max;
    atomic_ullong sync_us[LF_HISTOGRAM_BOUNDS + 1], sync_us_sum; /**< as an lf_histogram */
};

struct rocks_writer {
    struct rocks_db *db;
    struct lf_ring *ring;      /**< struct log_store_write, each with its completion; struct segment_job, tagged;
                                    itself: stop */
    struct lf_ring *completed; /**< borrowed: where completions go; has room for all that were admitted */
    struct rocks_counters *counters;
    struct rocks_groups groups;
    struct rocks_segments segments;
    struct segment_job *answers, **answers_end; /**< of the segment thread, to be taken in; oldest first */
    struct segment_job *pieces, **pieces_end;   /**< to be staged, behind the writes that came before; oldest first */
    struct log_store_identity identity;
    atomic_bool pinned; /**< identity.cluster_id was set by a write; read by the loop after that */
    uint32_t commit_bytes_max;
    uint64_t last_sequence, synced_sequence;
    uint64_t witnessed_sequence;        /**< start-up demands all up to here back */
    uint64_t writes_taken, writes_done; /**< since it was started */
    struct witness_keeper witness;      /**< opened by who opens the store */
    struct lf_error final;              /**< S6 */
    pthread_t thread;
    bool running;
};

/** groups and identity are set, from the disk. The thread blocks all signals. LF_NO_MEMORY, LF_IO. */
enum lf_status rocks_writer_start(struct rocks_writer *writer, size_t writes_max, struct lf_error *error);
/** Finishes what is in the ring, joins. Fine when never started. */
void rocks_writer_stop(struct rocks_writer *writer);
void rocks_writer_deinit(struct rocks_writer *writer);

/** Monotonic. */
uint64_t rocks_clock_us(void);
/** Start a thread with all signals blocked; they belong to the loop. */
int rocks_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);
/** Consumer: sleep until the ring has an item, but no longer than timeout_ms (-1: for ever). False: time is up. */
bool rocks_ring_wait(struct lf_ring *ring, int timeout_ms);

#endif
