/** The contract's functions, called by the loop thread: admission, hand-over, polling, closing. */
#include "rocks_store_inside.h"

#include "rocks_checkpoint.h"

#include "lf_check.h"

#include <stdlib.h>
#include <string.h>

static struct rocks_store *of(struct log_store *store) { return (struct rocks_store *)store; }

/* A completion made at admission, so that nothing can fail for memory afterwards. */
static struct rocks_ticket *ticket_new(enum log_store_done kind, uint64_t group, uint64_t id, size_t bytes) {
    struct rocks_ticket *ticket = calloc(1, sizeof *ticket);
    if (!ticket)
        return NULL;
    ticket->completion.kind = kind;
    ticket->completion.group = group;
    ticket->completion.id = id;
    ticket->bytes = bytes;
    return ticket;
}

static enum lf_status rocks_submit(struct log_store *store, struct log_store_write **write) {
    struct rocks_store *rocks = of(store);
    size_t bytes = (*write)->bytes;
    if (rocks->write_count >= ROCKS_WRITES_MAX)
        return LF_FULL;
    if (rocks->write_bytes > 0 && rocks->write_bytes + bytes > rocks->options.submit_bytes_max)
        return LF_FULL;
    struct rocks_ticket *ticket = ticket_new(LOG_STORE_DONE_WRITE, (*write)->group, (*write)->token, bytes);
    if (!ticket)
        return LF_NO_MEMORY;
    (*write)->completion = &ticket->completion;
    bool pushed = lf_ring_push(rocks->writer.ring, *write);
    lf_check(pushed); /* the ring has room for ROCKS_WRITES_MAX */
    *write = NULL;
    rocks->submitted_us[(rocks->submitted_first + rocks->write_count) % ROCKS_WRITES_MAX] = rocks_clock_us();
    rocks->write_count++;
    rocks->write_bytes += bytes;
    return LF_OK;
}

static enum lf_status add_task(struct rocks_store *rocks, enum log_store_done kind, const struct log_store_read *read) {
    if (rocks->read_count >= rocks->options.reads_max)
        return LF_FULL;
    struct rocks_task *task = malloc(sizeof *task);
    struct rocks_ticket *ticket = ticket_new(kind, read->group, read->request, 0);
    if (!task || !ticket) {
        free(task);
        free(ticket);
        return LF_NO_MEMORY;
    }
    *task = (struct rocks_task){.read = *read, .completion = &ticket->completion};
    struct rocks_reader *reader = &rocks->readers[rocks->reader_next];
    rocks->reader_next = (rocks->reader_next + 1) % rocks->reader_count;
    bool pushed = lf_ring_push(reader->ring, task);
    lf_check(pushed); /* each ring has room for all reads */
    rocks->read_count++;
    return LF_OK;
}

static enum lf_status rocks_store_read(struct log_store *store, const struct log_store_read *read) {
    return add_task(of(store), LOG_STORE_DONE_READ, read);
}

static enum lf_status rocks_store_load(struct log_store *store, uint64_t group, uint64_t request) {
    return add_task(of(store), LOG_STORE_DONE_LOAD, &(struct log_store_read){.group = group, .request = request});
}

static struct log_store_completion *take_completion(struct rocks_store *rocks) {
    if (rocks->asleep)
        lf_ring_wake(rocks->completed);
    rocks->asleep = false;
    struct log_store_completion *completion = lf_ring_pop(rocks->completed);
    if (completion)
        return completion;
    rocks->asleep = lf_ring_sleep(rocks->completed);
    return rocks->asleep ? NULL : lf_ring_pop(rocks->completed);
}

static struct log_store_completion *rocks_poll(struct log_store *store) {
    struct rocks_store *rocks = of(store);
    struct log_store_completion *completion = take_completion(rocks);
    if (!completion)
        return NULL;
    if (completion->kind == LOG_STORE_DONE_STAGE) {
        rocks->stage_count--;
        rocks->stage_bytes -= ((struct rocks_ticket *)completion)->bytes;
        return completion;
    }
    if (completion->kind == LOG_STORE_DONE_REWRITE) {
        rocks->rewrite_count--;
        return completion;
    }
    if (completion->kind == LOG_STORE_DONE_DAMAGE) {
        atomic_fetch_sub_explicit(&rocks->scrub.waiting, 1, memory_order_release);
        return completion;
    }
    if (completion->kind != LOG_STORE_DONE_WRITE) {
        rocks->read_count--;
        return completion;
    }
    lf_histogram_observe(&rocks->write_us, rocks_clock_us() - rocks->submitted_us[rocks->submitted_first]);
    rocks->submitted_first = (rocks->submitted_first + 1) % ROCKS_WRITES_MAX; /* they complete in order (S2) */
    rocks->write_count--;
    rocks->write_bytes -= ((struct rocks_ticket *)completion)->bytes;
    if (atomic_load_explicit(&rocks->writer.pinned, memory_order_acquire))
        memcpy(store->identity.cluster_id, rocks->writer.identity.cluster_id, LOG_STORE_ID_BYTES);
    return completion;
}

static int rocks_fd(const struct log_store *store) {
    return lf_ring_fd(((const struct rocks_store *)store)->completed);
}

static void rocks_close(struct log_store *store) {
    struct rocks_store *rocks = of(store);
    rocks_store_free(&rocks);
}

static enum lf_status fill_stage(struct segment_job *job, const struct log_store_stage *stage, size_t bytes) {
    struct rocks_ticket *ticket = ticket_new(LOG_STORE_DONE_STAGE, stage->group, stage->request, bytes);
    job->entries = calloc((size_t)stage->entry_count + 1, sizeof job->entries[0]);
    job->completion = ticket ? &ticket->completion : NULL;
    if (!ticket || !job->entries)
        return LF_NO_MEMORY;
    job->segment = *stage->segment;
    job->first = stage->first;
    job->last = stage->last;
    for (; job->entry_count < stage->entry_count; job->entry_count++)
        job->entries[job->entry_count] = lf_buf_ref(stage->entries[job->entry_count]);
    return LF_OK;
}

/* By way of the writer, so that it takes effect in order with the writes. */
static enum lf_status rocks_stage(struct log_store *store, const struct log_store_stage *stage) {
    struct rocks_store *rocks = of(store);
    size_t bytes = 0;
    for (uint32_t i = 0; i < stage->entry_count; i++)
        bytes += stage->entries[i]->size;
    if (rocks->stage_count >= ROCKS_STAGES_MAX)
        return LF_FULL;
    if (rocks->stage_bytes > 0 && rocks->stage_bytes + bytes > rocks->options.stage_bytes_max)
        return LF_FULL;
    struct segment_job *job = segment_job_new(SEGMENT_JOB_STAGE, stage->group);
    if (!job || fill_stage(job, stage, bytes) != LF_OK) {
        segment_job_destroy(&job);
        return LF_NO_MEMORY;
    }
    bool pushed = lf_ring_push(rocks->writer.ring, segment_answer_tag(job));
    lf_check(pushed); /* the ring has room for all jobs */
    rocks->stage_count++;
    rocks->stage_bytes += bytes;
    return LF_OK;
}

/* By way of the writer, which keeps it until the writes before it are done. */
static enum lf_status rocks_rewrite(struct log_store *store, const struct log_store_rewrite *rewrite) {
    struct rocks_store *rocks = of(store);
    if (rocks->rewrite_count >= SEGMENT_REWRITES_MAX)
        return LF_FULL;
    struct segment_job *job = segment_job_new(SEGMENT_JOB_REWRITE, rewrite->group);
    struct rocks_ticket *ticket = ticket_new(LOG_STORE_DONE_REWRITE, rewrite->group, rewrite->request, 0);
    if (!job || !ticket) {
        segment_job_destroy(&job);
        free(ticket);
        return LF_NO_MEMORY;
    }
    job->rewrite = *rewrite;
    job->completion = &ticket->completion;
    bool pushed = lf_ring_push(rocks->writer.ring, segment_answer_tag(job));
    lf_check(pushed); /* the ring has room for all jobs */
    rocks->rewrite_count++;
    return LF_OK;
}

static void rocks_tidy(struct log_store *store) {
    struct segment_job *job = segment_job_new(SEGMENT_JOB_TIDY, 0);
    if (job)
        segment_thread_push(&of(store)->writer.segments.thread, &job);
}

static enum lf_status ask_for_copy(struct rocks_store *rocks, const char *directory, struct lf_error *error) {
    struct rocks_checkpoint checkpoint = {.directory = directory};
    struct segment_job *job = segment_job_new(SEGMENT_JOB_CHECKPOINT, 0);
    if (!job)
        return lf_error_set(error, LF_NO_MEMORY, "no memory to copy the store");
    pthread_mutex_init(&checkpoint.lock, NULL);
    pthread_cond_init(&checkpoint.changed, NULL);
    job->checkpoint = &checkpoint;
    segment_thread_push(&rocks->writer.segments.thread, &job);
    rocks_checkpoint_wait(&checkpoint);
    pthread_cond_destroy(&checkpoint.changed);
    pthread_mutex_destroy(&checkpoint.lock);
    if (checkpoint.status != LF_OK && error)
        *error = checkpoint.error;
    return checkpoint.status;
}

static enum lf_status rocks_checkpoint(struct log_store *store, const char *directory, struct lf_error *error) {
    struct rocks_store *rocks = of(store);
    if (atomic_exchange(&rocks->copies, true))
        return lf_error_set(error, LF_FULL, "a copy of the store is being made already");
    enum lf_status status = ask_for_copy(rocks, directory, error);
    if (status == LF_OK)
        status = rocks_checkpoint_finish(directory, store->identity.store_uuid, error);
    atomic_store(&rocks->copies, false);
    return status;
}

const struct log_store_ops rocks_store_ops = {.submit = rocks_submit,
                                              .read = rocks_store_read,
                                              .load = rocks_store_load,
                                              .stage = rocks_stage,
                                              .rewrite = rocks_rewrite,
                                              .tidy = rocks_tidy,
                                              .checkpoint = rocks_checkpoint,
                                              .poll = rocks_poll,
                                              .fd = rocks_fd,
                                              .stats = rocks_stats,
                                              .engine_stats = rocks_engine_stats,
                                              .close = rocks_close};
