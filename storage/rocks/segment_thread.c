#include "segment_thread.h"
#include "rocks_writer.h"

#include "lf_check.h"

#include <stdlib.h>
#include <string.h>

/** Tables of `active` are merged for their dead entries when they have so many bytes, and more than this part of the
 * segments. */
#define TIDY_BYTES_MIN (64u << 20)
#define TIDY_DIVISOR 32
/** ... and nothing was dropped for so long: where drops go on and on, the merges of `active` itself have to do. */
#define TIDY_QUIET_US 2500000u

static void answer(struct segment_thread *thread, struct segment_job *job) {
    bool pushed = lf_ring_push(thread->answers, segment_answer_tag(job));
    lf_check(pushed); /* the writer's ring has room for all jobs that are answered */
}

/* What reads from these tables ends first. */
static void cancel_rewrites(struct segment_thread *thread, const struct segment_job *job) {
    for (size_t i = 0; i < job->made_count; i++)
        for (struct segment_job *cancelled; (cancelled = segment_rewrite_cancel(thread, job->made[i].id)) != NULL;)
            answer(thread, cancelled);
}

static void delete_all(struct segment_thread *thread, struct segment_job *job) {
    cancel_rewrites(thread, job);
    segment_files_hand_over(thread, job);
    job->status = LF_OK;
    for (size_t i = 0; job->status == LF_OK && i < job->made_count; i++)
        job->status = segment_delete(thread->db, job->made[i].id, &job->error);
}

static bool has_no_answer(const struct segment_job *job) {
    return job->kind == SEGMENT_JOB_STREAM || job->kind == SEGMENT_JOB_FORGET || job->kind == SEGMENT_JOB_TIDY;
}

/* Nearly all that is in `active` is sealed and deleted by ranges; merged it is gone. Where there is no room for it the
 * tables stay as they are. */
static void tidy(struct segment_thread *thread) {
    rocksdb_compactoptions_t *options = rocksdb_compactoptions_create();
    rocksdb_compactoptions_set_exclusive_manual_compaction(options, 0);
    rocksdb_compact_range_cf_opt(thread->db->db, thread->db->active, options, NULL, 0, NULL, 0);
    rocksdb_compactoptions_destroy(options);
    atomic_store(&thread->tidies, false);
}

/* After drops: what was dropped, and what was sealed before, may still be in tables of `active`, and these be as large
 * as all that is left. Returns when that is to be looked at, in ms from now; -1: never. */
static int tidy_after_drops(struct segment_thread *thread) {
    if (thread->dropped_us == 0)
        return -1;
    uint64_t now_us = rocks_clock_us(), due_us = thread->dropped_us + TIDY_QUIET_US;
    if (now_us < due_us)
        return (int)((due_us - now_us) / 1000) + 1;
    thread->dropped_us = 0;
    static const char size[] = "rocksdb.total-sst-files-size";
    uint64_t segments = rocks_db_property(thread->db, thread->db->segments, size),
             active = rocks_db_property(thread->db, thread->db->active, size);
    if (active > TIDY_BYTES_MIN && active > segments / TIDY_DIVISOR)
        tidy(thread);
    return -1;
}

static void ingest_finished(struct segment_thread *thread) {
    uint64_t ids[SEGMENT_INGEST_MAX];
    struct lf_error error = {0};
    for (size_t i = 0; i < thread->finished_count; i++)
        ids[i] = thread->finished[i]->made[0].id;
    enum lf_status status = segment_ingest(thread, ids, thread->finished_count, &error);
    for (size_t i = 0; i < thread->finished_count; i++) {
        struct segment_job *job = thread->finished[i];
        job->status = status;
        job->error = error;
        job->made_count = status == LF_OK ? job->made_count : 0;
        answer(thread, job);
    }
    thread->finished_count = 0;
    thread->finished_bytes = 0;
}

/* Its answer comes when it is ingested, with others that wait. */
static void seal(struct segment_thread *thread, struct segment_job *job) {
    segment_seal(thread, job);
    if (job->status != LF_OK) {
        answer(thread, job);
        return;
    }
    thread->finished[thread->finished_count++] = job;
    thread->finished_bytes += job->segment.bytes;
    if (thread->finished_count == SEGMENT_INGEST_MAX || thread->finished_bytes >= SEGMENT_INGEST_BYTES_MAX)
        ingest_finished(thread);
}

static void carry_out(struct segment_thread *thread, struct segment_job *job) {
    bool hint = has_no_answer(job);
    if (job->kind != SEGMENT_JOB_SEAL && job->kind != SEGMENT_JOB_STREAM)
        ingest_finished(thread);
    switch (job->kind) {
    case SEGMENT_JOB_STREAM:
        segment_stream(thread, job);
        break;
    case SEGMENT_JOB_FORGET:
        segment_forget(thread, job);
        break;
    case SEGMENT_JOB_SEAL:
        seal(thread, job);
        return;
    case SEGMENT_JOB_DELETE:
        delete_all(thread, job);
        thread->dropped_us = rocks_clock_us();
        break;
    case SEGMENT_JOB_STAGE:
        segment_stage(thread, job);
        break;
    case SEGMENT_JOB_TIDY:
        tidy(thread);
        break;
    case SEGMENT_JOB_CHECKPOINT:
        rocks_checkpoint_make(thread->db, job->checkpoint);
        job->checkpoint = NULL;
        segment_job_destroy(&job);
        return;
    case SEGMENT_JOB_REWRITE:
        segment_rewrite_add(&thread->rewrites, job);
        return;
    }
    if (hint) {
        atomic_fetch_sub_explicit(&thread->hints, 1, memory_order_relaxed);
        segment_job_destroy(&job);
    } else {
        answer(thread, job);
    }
}

/* A step of what takes long, between two jobs or while there is none. */
static void go_on(struct segment_thread *thread) {
    struct segment_job *job = segment_rewrite_step(thread, rocks_clock_us());
    if (job)
        answer(thread, job);
}

/* At most `tidy_ms` (-1: no matter how long), nor beyond when a rewrite is to go on. */
static void wait_for_more(struct segment_thread *thread, int tidy_ms) {
    int timeout_ms = segment_rewrite_timeout_ms(&thread->rewrites, rocks_clock_us());
    if (timeout_ms < 0 || (tidy_ms >= 0 && tidy_ms < timeout_ms))
        timeout_ms = tidy_ms;
    rocks_ring_wait(thread->ring, timeout_ms);
}

static void *thread_main(void *argument) {
    struct segment_thread *thread = argument;
    for (;;) {
        void *item = lf_ring_pop(thread->ring);
        if (item == thread)
            break;
        struct segment_job *job = item;
        if (item && atomic_load_explicit(&thread->stopping, memory_order_relaxed))
            segment_job_destroy(&job);
        else if (item)
            carry_out(thread, job);
        else if (thread->finished_count > 0)
            ingest_finished(thread);
        else
            wait_for_more(thread, tidy_after_drops(thread));
        go_on(thread);
    }
    ingest_finished(thread);
    segment_rewrites_abandon(thread);
    segment_builders_abandon(thread);
    segment_stages_abandon(thread);
    return NULL;
}

enum lf_status segment_thread_init(struct segment_thread *thread, const char *directory, struct lf_error *error) {
    thread->directory = strdup(directory);
    thread->ring = lf_ring_new(SEGMENT_JOBS_MAX + SEGMENT_HINTS_MAX + 2); /* a checkpoint, the end */
    thread->builders = calloc(thread->builders_max, sizeof thread->builders[0]);
    thread->stages = calloc(SEGMENT_STAGES_MAX, sizeof thread->stages[0]);
    if (!thread->directory || !thread->ring || !thread->builders || !thread->stages)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for the segment thread");
    return LF_OK;
}

enum lf_status segment_thread_start(struct segment_thread *thread, struct lf_error *error) {
    int failed = rocks_thread_start(&thread->thread, thread_main, thread);
    if (failed)
        return lf_error_set(error, LF_IO, "start the segment thread: %s", strerror(failed));
    thread->running = true;
    return LF_OK;
}

void segment_thread_stop(struct segment_thread *thread) {
    if (!thread->running)
        return;
    atomic_store(&thread->stopping, true);
    bool pushed = lf_ring_push(thread->ring, thread);
    lf_check(pushed);
    pthread_join(thread->thread, NULL);
    thread->running = false;
}

void segment_thread_deinit(struct segment_thread *thread) {
    for (void *item; thread->ring && (item = lf_ring_pop(thread->ring)) != NULL;) {
        struct segment_job *job = item;
        segment_job_destroy(&job);
    }
    lf_ring_destroy(&thread->ring);
    free(thread->builders);
    free(thread->stages);
    free(thread->directory);
    thread->builders = NULL;
    thread->stages = NULL;
    thread->directory = NULL;
}

bool segment_thread_has_place(const struct segment_thread *thread) {
    return atomic_load_explicit(&thread->hints, memory_order_relaxed) < SEGMENT_HINTS_MAX;
}

void segment_thread_push(struct segment_thread *thread, struct segment_job **where) {
    struct segment_job *job = *where;
    *where = NULL;
    if (job->kind == SEGMENT_JOB_TIDY && atomic_exchange(&thread->tidies, true)) {
        segment_job_destroy(&job);
        return;
    }
    bool hint = has_no_answer(job);
    if (hint && atomic_fetch_add_explicit(&thread->hints, 1, memory_order_relaxed) >= SEGMENT_HINTS_MAX) {
        atomic_fetch_sub_explicit(&thread->hints, 1, memory_order_relaxed);
        if (job->kind == SEGMENT_JOB_TIDY)
            atomic_store(&thread->tidies, false);
        segment_job_destroy(&job);
        return;
    }
    bool pushed = lf_ring_push(thread->ring, job);
    lf_check(pushed); /* who asks for an answer counts how many he waits for */
}
