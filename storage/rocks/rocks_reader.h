/** Reader threads: carry out reads and loads on a snapshot each, beside the writer. */
#ifndef ROCKS_READER_H
#define ROCKS_READER_H

#include "rocks_writer.h"

#define ROCKS_READER_THREADS_MAX 16u

struct rocks_task {
    struct log_store_read read;
    struct log_store_completion *completion; /**< its kind says which; owned */
};

struct rocks_reader {
    struct rocks_db *db;
    struct lf_ring *ring;      /**< struct rocks_task; itself: stop */
    struct lf_ring *completed; /**< borrowed */
    struct rocks_counters *counters;
    pthread_t thread;
    bool running;
};

enum lf_status rocks_reader_start(struct rocks_reader *reader, size_t reads_max, struct lf_error *error);
void rocks_reader_stop(struct rocks_reader *reader);
void rocks_reader_deinit(struct rocks_reader *reader);

/** What the threads do, in rocks_read.c and rocks_load.c: fill the completion. */
void rocks_read(const struct rocks_db *db, const struct log_store_read *read, struct log_store_completion *completion);
void rocks_load(const struct rocks_db *db, uint64_t group, struct log_store_completion *completion);

#endif
