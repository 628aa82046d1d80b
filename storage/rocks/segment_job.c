#include "segment_job.h"
#include "log_row.h"

#include <stdlib.h>

struct segment_job *segment_job_new(enum segment_job_kind kind, uint64_t group) {
    struct segment_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->kind = kind;
    job->group = group;
    return job;
}

void segment_job_destroy(struct segment_job **where) {
    struct segment_job *job = *where;
    *where = NULL;
    if (!job)
        return;
    if (job->checkpoint)
        rocks_checkpoint_end(job->checkpoint, LF_CANCELLED, "the store is closed");
    for (uint32_t i = 0; i < job->entry_count; i++)
        lf_buf_unref(&job->entries[i]);
    free(job->entries);
    if (job->lent)
        atomic_fetch_sub_explicit(job->lent, job->lent_bytes, memory_order_relaxed);
    free(job->made);
    free(job->old);
    log_store_completion_destroy(&job->completion);
    free(job);
}

enum lf_status segment_job_add_made(struct segment_job *job, const struct log_segment *segment, uint64_t id) {
    enum lf_status status = log_array_reserve(&job->made, &job->made_capacity, job->made_count, sizeof job->made[0]);
    if (status == LF_OK)
        job->made[job->made_count++] = (struct log_held){.segment = *segment, .id = id};
    return status;
}
