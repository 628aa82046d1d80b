#include "rocks_reader.h"

#include "lf_check.h"

#include <stdlib.h>
#include <string.h>

static void carry_out(struct rocks_reader *reader, struct rocks_task *task) {
    struct log_store_completion *completion = task->completion;
    if (completion->kind == LOG_STORE_DONE_LOAD)
        rocks_load(reader->db, task->read.group, completion);
    else
        rocks_read(reader->db, &task->read, completion);
    free(task);
    atomic_fetch_add_explicit(&reader->counters->reads, 1, memory_order_relaxed);
    bool pushed = lf_ring_push(reader->completed, completion);
    lf_check(pushed); /* admission keeps room */
}

static void *reader_main(void *argument) {
    struct rocks_reader *reader = argument;
    for (;;) {
        void *item = lf_ring_pop(reader->ring);
        if (item == reader)
            return NULL;
        if (item)
            carry_out(reader, item);
        else
            rocks_ring_wait(reader->ring, -1);
    }
}

enum lf_status rocks_reader_start(struct rocks_reader *reader, size_t reads_max, struct lf_error *error) {
    reader->ring = lf_ring_new(reads_max + 1);
    if (!reader->ring)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for a reader's ring");
    int failed = rocks_thread_start(&reader->thread, reader_main, reader);
    if (failed)
        return lf_error_set(error, LF_IO, "start a reader thread: %s", strerror(failed));
    reader->running = true;
    return LF_OK;
}

void rocks_reader_stop(struct rocks_reader *reader) {
    if (!reader->running)
        return;
    bool pushed = lf_ring_push(reader->ring, reader);
    lf_check(pushed);
    pthread_join(reader->thread, NULL);
    reader->running = false;
}

void rocks_reader_deinit(struct rocks_reader *reader) { lf_ring_destroy(&reader->ring); }
