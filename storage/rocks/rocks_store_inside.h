/** The store's one structure, shared by rocks_open.c and rocks_store.c only. */
#ifndef ROCKS_STORE_INSIDE_H
#define ROCKS_STORE_INSIDE_H

#include "rocks_reader.h"
#include "rocks_scrub.h"

/** Writes submitted and not yet polled, beside their bytes (submit_bytes_max). */
#define ROCKS_WRITES_MAX 8192u
/** Pieces of segments to be staged that are under way, beside their bytes (stage_bytes_max). */
#define ROCKS_STAGES_MAX 256u

struct rocks_store {
    struct log_store store;             /* first */
    struct rocks_store_options options; /**< complete; directory is gone */
    int lock_fd;
    struct rocks_db db;
    struct rocks_writer writer;
    bool witness_kept; /**< the store was opened whole */
    struct rocks_reader readers[ROCKS_READER_THREADS_MAX];
    uint32_t reader_count;
    uint32_t reader_next;
    struct rocks_scrub scrub;
    struct file_reaper *reaper;
    struct lf_ring *completed;
    struct rocks_counters counters;
    atomic_bool copies; /**< a checkpoint is being made */
    /* of the loop thread: */
    uint32_t write_count;
    size_t write_bytes;
    uint64_t submitted_us[ROCKS_WRITES_MAX]; /**< ring: the write_count writes under way, oldest at submitted_first */
    uint32_t submitted_first;
    struct lf_histogram write_us;
    uint32_t read_count;
    uint32_t stage_count;
    size_t stage_bytes;
    uint32_t rewrite_count;
    bool asleep; /**< lf_ring_sleep said so, and the loop may be polling */
};

struct rocks_ticket {
    struct log_store_completion completion; /* first: destroying it frees the ticket */
    size_t bytes;
};

extern const struct log_store_ops rocks_store_ops;

/* rocks_stats.c */
void rocks_stats(const struct log_store *store, struct log_store_stats *out);
void rocks_engine_stats(const struct log_store *store, struct log_store_engine_stats *out);

/** Stops the threads after what was submitted, closes, frees; leaves NULL. Fine for a half-opened one. */
void rocks_store_free(struct rocks_store **store);

#endif
