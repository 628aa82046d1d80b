#include "rocks_writer.h"
#include "commit_merge.h"
#include "wal_marker.h"

#include "lf_check.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

uint64_t rocks_clock_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void put_marker(struct rocks_writer *writer, rocksdb_writebatch_t *batch) {
    uint8_t bytes[WAL_MARKER_BYTES];
    struct wal_marker marker = {.synced_sequence = writer->synced_sequence};
    memcpy(marker.store_uuid, writer->identity.store_uuid, LOG_STORE_ID_BYTES);
    wal_marker_encode(&marker, bytes);
    rocksdb_writebatch_put_log_data(batch, (const char *)bytes, sizeof bytes);
}

static void set_status(struct log_store_write *write, enum lf_status status, const struct lf_error *error) {
    write->completion->status = status;
    if (status != LF_OK)
        write->completion->error = *error;
}

/* Judges and adds every write of the commit, in order. The first that fails for good ends the store: what comes before
 * it is still written, nothing after it is. */
static void fill(struct rocks_writer *writer, struct rocks_batch *batch, const struct commit *commit) {
    for (struct log_store_write *write = commit->writes; write; write = write->next) {
        struct lf_error error = writer->final;
        enum lf_status status = writer->final.code;
        if (status == LF_OK) {
            char *failure = NULL;
            rocksdb_writebatch_set_save_point(batch->batch);
            status = rocks_batch_add(batch, write, &error);
            if (status != LF_OK)
                rocksdb_writebatch_rollback_to_save_point(batch->batch, &failure);
            else
                rocksdb_writebatch_pop_save_point(batch->batch, &failure);
            lf_checkf(failure == NULL, "save point: %s", failure);
            if (status != LF_OK && status != LF_INVALID)
                writer->final = error;
        }
        set_status(write, status, &error);
    }
}

static void count_commit(struct rocks_writer *writer, const struct commit *commit, uint64_t started_us) {
    struct rocks_counters *counters = writer->counters;
    uint64_t took_us = rocks_clock_us() - started_us;
    atomic_fetch_add_explicit(&counters->commits, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->writes, commit->count, memory_order_relaxed);
    atomic_fetch_add_explicit(&counters->bytes_written, commit->bytes, memory_order_relaxed);
    if (commit->sync) {
        atomic_fetch_add_explicit(&counters->syncs, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&counters->sync_us[lf_histogram_bucket(took_us)], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&counters->sync_us_sum, took_us, memory_order_relaxed);
    }
    if (took_us > atomic_load_explicit(&counters->commit_us_max, memory_order_relaxed))
        atomic_store_explicit(&counters->commit_us_max, took_us, memory_order_relaxed);
}

/* Before the writes are acknowledged: a log that the witness does not list may go missing unseen. */
static enum lf_status tell_witness(struct rocks_writer *writer, bool synced, struct lf_error *error) {
    uint64_t before = writer->last_sequence;
    bool said = false;
    writer->last_sequence = rocksdb_get_latest_sequence_number(writer->db->db);
    enum lf_status status =
        witness_keeper_wrote(&writer->witness, before, writer->last_sequence, synced, rocks_clock_us(), &said, error);
    if (status == LF_OK && (synced || said))
        writer->synced_sequence = writer->last_sequence;
    if (status == LF_OK && said)
        writer->witnessed_sequence = writer->last_sequence;
    return status;
}

/* Nothing waits: the witness catches up, and all that was written without a sync becomes durable. */
static void be_idle(struct rocks_writer *writer) {
    struct lf_error error = {0};
    bool behind = writer->witness.behind && writer->final.code == LF_OK;
    int timeout_ms = behind ? WITNESS_IDLE_MS : -1;
    if (!behind && writer->final.code == LF_OK)
        timeout_ms = rocks_segments_timeout_ms(&writer->segments, rocks_clock_us());
    if (rocks_ring_wait(writer->ring, timeout_ms) || !behind)
        return;
    if (witness_keeper_say(&writer->witness, rocks_clock_us(), &error) == LF_OK)
        writer->synced_sequence = writer->witnessed_sequence = writer->last_sequence;
    else
        writer->final = error;
}

/* A failed write or sync is final: never tried again, since the pages may be marked clean and be lost. */
static enum lf_status write_durably(struct rocks_writer *writer, rocksdb_writebatch_t *batch, bool sync) {
    struct lf_error error = {0};
    enum lf_status status = rocks_db_write(writer->db, batch, sync, &error);
    if (status == LF_OK)
        status = tell_witness(writer, sync, &error);
    if (status == LF_OK)
        rocks_segments_written(&writer->segments, writer->last_sequence);
    else
        writer->final = error;
    return status;
}

static void step_segments(struct rocks_writer *writer) {
    struct lf_error error = {0};
    if (writer->final.code != LF_OK)
        return;
    if (rocks_segments_step(&writer->segments, writer->witnessed_sequence, rocks_clock_us(), &error) != LF_OK)
        writer->final = error;
}

static void write_batch(struct rocks_writer *writer, rocksdb_writebatch_t *batch, struct commit *commit) {
    uint64_t started_us = rocks_clock_us();
    enum lf_status status = write_durably(writer, batch, commit->sync);
    count_commit(writer, commit, started_us);
    for (const struct log_store_write *write = commit->writes; status == LF_OK && write; write = write->next)
        if (write->completion->status == LF_OK)
            rocks_segments_stream_sealed(&writer->segments, write);
    if (status == LF_OK)
        step_segments(writer); /* seals before what follows them is streamed */
    for (const struct log_store_write *write = commit->writes; status == LF_OK && write; write = write->next)
        rocks_segments_stream(&writer->segments, write);
    if (status == LF_OK)
        return;
    for (struct log_store_write *write = commit->writes; write; write = write->next)
        if (write->completion->status == LF_OK)
            set_status(write, status, &writer->final);
}

static void complete(struct rocks_writer *writer, struct commit *commit) {
    for (struct log_store_write *write = commit->writes; write; write = write->next) {
        bool pushed = lf_ring_push(writer->completed, write->completion);
        lf_check(pushed); /* admission keeps room */
        write->completion = NULL;
        writer->writes_done++;
    }
    commit_deinit(commit);
}

static void carry_out(struct rocks_writer *writer, rocksdb_writebatch_t *scratch, struct commit *commit) {
    uint8_t cluster_id[LOG_STORE_ID_BYTES];
    memcpy(cluster_id, writer->identity.cluster_id, sizeof cluster_id);
    rocksdb_writebatch_clear(scratch);
    put_marker(writer, scratch);
    struct rocks_batch batch = {.batch = scratch,
                                .db = writer->db,
                                .groups = &writer->groups,
                                .segments = &writer->segments,
                                .identity = &writer->identity};
    fill(writer, &batch, commit);
    if (rocksdb_writebatch_count(scratch) > 0 || commit->sync)
        write_batch(writer, scratch, commit);
    if (memcmp(cluster_id, writer->identity.cluster_id, sizeof cluster_id) != 0)
        atomic_store_explicit(&writer->pinned, true, memory_order_release);
    complete(writer, commit);
}

/* ---- the segment thread ---- */

/* Told when what the answer changes is written. */
static void complete_answer(struct rocks_writer *writer, struct segment_job *job) {
    struct log_store_completion *completion = job->completion;
    job->completion = NULL;
    if (completion) {
        completion->status = job->status;
        completion->error = job->error;
        bool pushed = lf_ring_push(writer->completed, completion);
        lf_check(pushed); /* admission keeps room */
    }
    segment_job_destroy(&job);
}

static void fail_answer(struct segment_job *job, const struct lf_error *error) {
    if (job->status != LF_OK)
        return;
    job->status = error->code;
    job->error = *error;
}

/* All answers that came are one batch: rows of tables that are there now, and what in `active` they take the place of.
 * It may be lost by a power cut: then the tables have no rows at the next opening, and are made again. */
static void take_answers(struct rocks_writer *writer, rocksdb_writebatch_t *scratch) {
    struct segment_job *jobs = writer->answers;
    struct rocks_answer answer = {.batch = scratch, .db = writer->db};
    struct lf_error error = {0};
    uint64_t now_us = rocks_clock_us();
    writer->answers = NULL;
    writer->answers_end = &writer->answers;
    rocksdb_writebatch_clear(scratch);
    put_marker(writer, scratch);
    for (struct segment_job *job = jobs; job && writer->final.code == LF_OK; job = job->next)
        if (rocks_segments_answered(&writer->segments, job, &answer, now_us, &error) != LF_OK)
            writer->final = error;
    rocks_segments_written(&writer->segments, writer->last_sequence);
    if (writer->final.code == LF_OK && rocksdb_writebatch_count(scratch) > 0)
        write_durably(writer, scratch, answer.sync);
    for (struct segment_job *next; jobs; jobs = next) {
        next = jobs->next;
        if (writer->final.code != LF_OK)
            fail_answer(jobs, &writer->final);
        complete_answer(writer, jobs);
    }
}

static void add_answer(struct rocks_writer *writer, struct segment_job *job) {
    job->next = NULL;
    *writer->answers_end = job;
    writer->answers_end = &job->next;
}

static void add_piece(struct rocks_writer *writer, struct segment_job *job) {
    job->after_write = writer->writes_taken;
    job->next = NULL;
    *writer->pieces_end = job;
    writer->pieces_end = &job->next;
}

/* What is to be staged takes effect in order with the writes. */
static void hand_on_pieces(struct rocks_writer *writer) {
    while (writer->pieces && writer->pieces->after_write <= writer->writes_done) {
        struct segment_job *piece = writer->pieces;
        writer->pieces = piece->next;
        rocks_segments_begin_stage(&writer->segments, &piece);
    }
    if (!writer->pieces)
        writer->pieces_end = &writer->pieces;
}

static void take_job(struct rocks_writer *writer, struct segment_job *job) {
    if (job->kind == SEGMENT_JOB_STAGE && !job->handed_on)
        add_piece(writer, job);
    else if (job->kind != SEGMENT_JOB_REWRITE || job->handed_on ||
             !rocks_segments_add_rewrite(&writer->segments, job, writer->writes_taken))
        add_answer(writer, job);
}

static void step_rewrites(struct rocks_writer *writer) {
    struct segment_job *job;
    if (writer->final.code != LF_OK) {
        while ((job = rocks_segments_fail_rewrite(&writer->segments)) != NULL)
            add_answer(writer, job);
        return;
    }
    while ((job = rocks_segments_step_rewrites(&writer->segments, writer->writes_done)) != NULL)
        add_answer(writer, job);
}

/* ---- the thread ---- */

bool rocks_ring_wait(struct lf_ring *ring, int timeout_ms) {
    if (!lf_ring_sleep(ring))
        return true;
    struct pollfd waited = {.fd = lf_ring_fd(ring), .events = POLLIN};
    int ready = poll(&waited, 1, timeout_ms);
    lf_checkf(ready >= 0 || errno == EINTR, "poll: %s", strerror(errno));
    lf_ring_wake(ring);
    return ready != 0;
}

/* Moves all that waits into the queue. False once told to stop. */
static bool drain(struct rocks_writer *writer, struct commit_queue *queue) {
    for (void *item; (item = lf_ring_pop(writer->ring)) != NULL;) {
        if (item == writer)
            return false;
        if (segment_answer_is(item)) {
            take_job(writer, segment_answer_untag(item));
            continue;
        }
        struct log_store_write *write = item;
        commit_queue_push(queue, &write);
        writer->writes_taken++;
    }
    return true;
}

static void *writer_main(void *argument) {
    struct rocks_writer *writer = argument;
    struct commit_queue queue = {0};
    struct commit commit;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    bool stopping = false;
    for (;;) {
        stopping = stopping || !drain(writer, &queue);
        hand_on_pieces(writer);
        step_rewrites(writer);
        if (writer->answers)
            take_answers(writer, batch);
        step_segments(writer);
        if (commit_queue_take(&queue, writer->commit_bytes_max, &commit))
            carry_out(writer, batch, &commit);
        else if (stopping)
            break;
        else
            be_idle(writer);
    }
    rocksdb_writebatch_destroy(batch);
    return NULL;
}

int rocks_thread_start(pthread_t *thread, void *(*run)(void *), void *argument) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

enum lf_status rocks_writer_start(struct rocks_writer *writer, size_t writes_max, struct lf_error *error) {
    writer->ring = lf_ring_new(writes_max + SEGMENT_JOBS_MAX + 1);
    writer->answers_end = &writer->answers;
    writer->pieces_end = &writer->pieces;
    if (!writer->ring)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for the writer's ring");
    writer->last_sequence = rocksdb_get_latest_sequence_number(writer->db->db);
    writer->synced_sequence = writer->witnessed_sequence = writer->last_sequence;
    int failed = rocks_thread_start(&writer->thread, writer_main, writer);
    if (failed)
        return lf_error_set(error, LF_IO, "start the writer thread: %s", strerror(failed));
    writer->running = true;
    return LF_OK;
}

void rocks_writer_stop(struct rocks_writer *writer) {
    if (!writer->running)
        return;
    bool pushed = lf_ring_push(writer->ring, writer);
    lf_check(pushed);
    pthread_join(writer->thread, NULL);
    writer->running = false;
}

void rocks_writer_deinit(struct rocks_writer *writer) {
    for (struct segment_job *next; writer->pieces; writer->pieces = next) {
        next = writer->pieces->next;
        segment_job_destroy(&writer->pieces);
    }
    for (void *item; writer->ring && (item = lf_ring_pop(writer->ring)) != NULL;) {
        struct segment_job *job = segment_answer_untag(item); /* all writes were finished */
        segment_job_destroy(&job);
    }
    lf_ring_destroy(&writer->ring);
    rocks_segments_deinit(&writer->segments);
    rocks_groups_deinit(&writer->groups);
}
