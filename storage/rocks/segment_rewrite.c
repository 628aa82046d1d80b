#include "segment_rewrite.h"
#include "rocks_error.h"
#include "segment_thread.h"

#include <inttypes.h>
#include <stdlib.h>

void segment_rewrite_add(struct segment_rewrites *rewrites, struct segment_job *job) {
    job->next = NULL;
    if (rewrites->waiting)
        rewrites->waiting_last->next = job;
    else
        rewrites->waiting = job;
    rewrites->waiting_last = job;
}

/* ---- reading the old segments ---- */

static void close_table(struct segment_rewrites *rewrites) {
    if (rewrites->entries)
        rocksdb_iter_destroy(rewrites->entries);
    if (rewrites->options)
        rocksdb_readoptions_destroy(rewrites->options);
    rewrites->entries = NULL;
    rewrites->options = NULL;
}

static void open_table(struct segment_thread *thread, size_t at, uint64_t index) {
    struct segment_rewrites *rewrites = &thread->rewrites;
    uint64_t id = rewrites->job->old[at].id;
    struct rocks_key from = rocks_key_entry(id, index);
    close_table(rewrites);
    rewrites->reading = at;
    rewrites->options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(rewrites->options, 0);
    rocksdb_readoptions_set_readahead_size(rewrites->options, SEGMENT_REWRITE_STEP_BYTES);
    rewrites->entries = rocksdb_create_iterator_cf(thread->db->db, rewrites->options, thread->db->segments);
    rocksdb_iter_seek(rewrites->entries, (const char *)from.bytes, from.size);
}

/** Where the open table's iterator stands. False: at its end. */
static bool table_at(const struct segment_rewrites *rewrites, uint64_t *index) {
    uint64_t id;
    size_t size;
    if (!rocksdb_iter_valid(rewrites->entries))
        return false;
    const char *key = rocksdb_iter_key(rewrites->entries, &size);
    return rocks_key_parse_entry(lf_bytes(key, size), &id, index) && id == rewrites->job->old[rewrites->reading].id;
}

/** The first entry at or above index in old segment `at`. LF_END: none. */
static enum lf_status read_table(struct segment_thread *thread, size_t at, uint64_t index, struct lf_bytes *entry,
                                 struct lf_error *error) {
    struct segment_rewrites *rewrites = &thread->rewrites;
    uint64_t found = 0;
    bool there = rewrites->entries && rewrites->reading == at && table_at(rewrites, &found);
    if (there && found < index) { /* mostly the one that was read last */
        rocksdb_iter_next(rewrites->entries);
        there = table_at(rewrites, &found) && found >= index;
    } else {
        there = there && found == index;
    }
    if (!there) {
        open_table(thread, at, index);
        there = table_at(rewrites, &found);
    }
    char *failure = NULL;
    rocksdb_iter_get_error(rewrites->entries, &failure);
    enum lf_status status = rocks_error(&failure, error, "read a segment");
    if (status != LF_OK || !there)
        return status != LF_OK ? status : LF_END;
    size_t size;
    const char *value = rocksdb_iter_value(rewrites->entries, &size);
    *entry = lf_bytes(value, size);
    return LF_OK;
}

static enum lf_status read_entry(void *context, uint64_t index, uint64_t last_index, struct lf_bytes *entry,
                                 struct lf_error *error) {
    struct segment_thread *thread = context;
    const struct segment_job *job = thread->rewrites.job;
    size_t at = 0;
    while (at < job->old_count && job->old[at].segment.last_index < index)
        at++;
    for (; at < job->old_count && job->old[at].segment.first_index <= last_index; at++) {
        if (job->old[at].segment.entry_count == 0)
            continue; /* has no table */
        enum lf_status status = read_table(thread, at, index, entry, error);
        if (status != LF_END)
            return status;
    }
    return LF_END;
}

/* ---- writing the new ones ---- */

static enum lf_status begin_file(struct segment_thread *thread, uint64_t first_index, struct lf_error *error) {
    struct log_segment running;
    log_segment_begin(&running, first_index, 0, 0);
    return segment_file_begin(&thread->rewrites.file, thread->db, thread->directory,
                              atomic_fetch_add(thread->id_next, 1), &running, error);
}

static enum lf_status put_entry(void *context, uint64_t index, struct lf_bytes entry, struct lf_error *error) {
    struct segment_thread *thread = context;
    enum lf_status status = thread->rewrites.file.id == 0 ? begin_file(thread, index, error) : LF_OK;
    return status == LF_OK ? segment_file_add(&thread->rewrites.file, index, entry, error) : status;
}

static enum lf_status put_segment(void *context, const struct log_segment *segment, struct lf_error *error) {
    struct segment_thread *thread = context;
    struct segment_rewrites *rewrites = &thread->rewrites;
    uint64_t id = rewrites->file.id;
    enum lf_status status = LF_OK;
    if (id == 0)
        id = atomic_fetch_add(thread->id_next, 1); /* nothing survived */
    else
        status = segment_file_finish(&rewrites->file, error);
    if (status == LF_OK && segment_job_add_made(rewrites->job, segment, id) != LF_OK) {
        segment_file_remove(thread->directory, id);
        status = lf_error_set(error, LF_NO_MEMORY, "no memory for a rewritten segment");
    }
    return status;
}

/* ---- from beginning to end ---- */

static enum lf_status begin(struct segment_thread *thread) {
    struct segment_rewrites *rewrites = &thread->rewrites;
    struct segment_job *job = rewrites->waiting;
    struct log_rewrite_io io = {.context = thread, .read = read_entry, .put = put_entry, .segment = put_segment};
    rewrites->waiting = job->next;
    rewrites->job = job;
    rewrites->ingested = 0;
    struct log_segment *segments = calloc(job->old_count, sizeof *segments);
    if (!segments)
        return lf_error_set(&job->error, LF_NO_MEMORY, "no memory for a rewrite");
    for (size_t i = 0; i < job->old_count; i++)
        segments[i] = job->old[i].segment;
    enum lf_status status = log_rewrite_new(&job->rewrite, segments, job->old_count, thread->compaction_memory_bytes,
                                            &io, &rewrites->work, &job->error);
    free(segments);
    return status;
}

static enum lf_status ingest_next(struct segment_thread *thread) {
    struct segment_rewrites *rewrites = &thread->rewrites;
    struct segment_job *job = rewrites->job;
    const struct log_held *made = &job->made[rewrites->ingested];
    enum lf_status status = made->segment.entry_count > 0 ? segment_ingest(thread, &made->id, 1, &job->error) : LF_OK;
    if (status == LF_OK)
        rewrites->ingested++;
    job->final = status == LF_IO;
    return status;
}

/** The job is over, one way or the other. Tables that were made in vain have no row: the writer has them deleted. */
static struct segment_job *finish(struct segment_thread *thread, enum lf_status status) {
    struct segment_rewrites *rewrites = &thread->rewrites;
    struct segment_job *job = rewrites->job;
    if (status == LF_DAMAGED && rewrites->work)
        job->completion->segment = *log_rewrite_damaged(rewrites->work);
    if (status == LF_OK) {
        struct log_rewrite_figures figures;
        log_rewrite_figures(rewrites->work, &figures);
        job->completion->records = figures.records;
        job->completion->records_kept = figures.records_kept;
    }
    for (size_t i = rewrites->ingested; i < job->made_count; i++) /* its file went where the ingestion failed */
        if (job->made[i].segment.entry_count > 0)
            segment_file_remove(thread->directory, job->made[i].id);
    job->made_count = rewrites->ingested;
    job->status = status;
    close_table(rewrites);
    segment_file_abandon(&rewrites->file);
    log_rewrite_destroy(&rewrites->work);
    rewrites->job = NULL;
    return job;
}

struct segment_job *segment_rewrite_step(struct segment_thread *thread, uint64_t now_us) {
    struct segment_rewrites *rewrites = &thread->rewrites;
    struct log_rewrite_figures before, after;
    if ((!rewrites->job && !rewrites->waiting) || now_us < rewrites->due_us)
        return NULL;
    enum lf_status status = rewrites->job ? LF_OK : begin(thread);
    if (status != LF_OK)
        return finish(thread, status);
    log_rewrite_figures(rewrites->work, &before);
    status = log_rewrite_step(rewrites->work, SEGMENT_REWRITE_STEP_BYTES, &rewrites->job->error);
    log_rewrite_figures(rewrites->work, &after);
    uint64_t from_us = rewrites->due_us > 0 && now_us - rewrites->due_us < 1000000 ? rewrites->due_us : now_us;
    rewrites->due_us = from_us + (after.bytes_read - before.bytes_read) * 1000000 / thread->compaction_bytes_per_s;
    if (status == LF_OK && rewrites->ingested < rewrites->job->made_count)
        status = ingest_next(thread);
    if (status == LF_AGAIN || (status == LF_OK && rewrites->ingested < rewrites->job->made_count))
        return NULL;
    return finish(thread, status);
}

int segment_rewrite_timeout_ms(const struct segment_rewrites *rewrites, uint64_t now_us) {
    if (!rewrites->job && !rewrites->waiting)
        return -1;
    return now_us >= rewrites->due_us ? 0 : (int)((rewrites->due_us - now_us) / 1000 + 1);
}

static bool reads_from(const struct segment_job *job, uint64_t id) {
    for (size_t i = 0; i < job->old_count; i++)
        if (job->old[i].id == id)
            return true;
    return false;
}

struct segment_job *segment_rewrite_cancel(struct segment_thread *thread, uint64_t id) {
    struct segment_rewrites *rewrites = &thread->rewrites;
    if (rewrites->job && reads_from(rewrites->job, id)) {
        struct segment_job *job = finish(thread, LF_CANCELLED);
        lf_error_set(&job->error, LF_CANCELLED, "group %" PRIu64 ": a segment was dropped while it was rewritten",
                     job->group);
        return job;
    }
    struct segment_job *before = NULL, *job = rewrites->waiting;
    for (; job && !reads_from(job, id); job = job->next)
        before = job;
    if (!job)
        return NULL;
    if (before)
        before->next = job->next;
    else
        rewrites->waiting = job->next;
    if (rewrites->waiting_last == job)
        rewrites->waiting_last = before;
    job->status = lf_error_set(&job->error, LF_CANCELLED,
                               "group %" PRIu64 ": a segment was dropped before it was rewritten", job->group);
    return job;
}

void segment_rewrites_abandon(struct segment_thread *thread) {
    struct segment_rewrites *rewrites = &thread->rewrites;
    struct segment_job *job = rewrites->job ? finish(thread, LF_CANCELLED) : NULL;
    segment_job_destroy(&job);
    while ((job = rewrites->waiting)) {
        rewrites->waiting = job->next;
        segment_job_destroy(&job);
    }
}
