/** Segments that come from elsewhere: written piece by piece, staged when all is there and is what its descriptor says.
 */
#include "segment_thread.h"

#include <inttypes.h>
#include <stdlib.h>

static struct segment_stage *find_stage(const struct segment_thread *thread, uint64_t group) {
    for (uint32_t i = 0; i < SEGMENT_STAGES_MAX; i++)
        if (thread->stages[i].stage.wanted.first_index != 0 && thread->stages[i].group == group)
            return &thread->stages[i];
    return NULL;
}

static void abandon(struct segment_stage *stage) {
    segment_file_abandon(&stage->file);
    *stage = (struct segment_stage){0};
}

void segment_stages_abandon(struct segment_thread *thread) {
    for (uint32_t i = 0; i < SEGMENT_STAGES_MAX; i++)
        abandon(&thread->stages[i]);
}

void segment_stage_forget(struct segment_thread *thread, uint64_t group) {
    struct segment_stage *stage = find_stage(thread, group);
    if (stage)
        abandon(stage);
}

static struct segment_stage *free_stage(const struct segment_thread *thread) {
    for (uint32_t i = 0; i < SEGMENT_STAGES_MAX; i++)
        if (thread->stages[i].stage.wanted.first_index == 0)
            return &thread->stages[i];
    return NULL;
}

static enum lf_status begin(struct segment_thread *thread, struct segment_job *job, struct segment_stage **stage) {
    struct log_stage judged;
    enum lf_status status = log_stage_begin(&judged, job->group, &job->segment, &job->error);
    if (status != LF_OK)
        return status;
    if (*stage)
        abandon(*stage);
    *stage = free_stage(thread);
    if (!*stage)
        return lf_error_set(&job->error, LF_FULL, "segments of %u groups are being staged", SEGMENT_STAGES_MAX);
    **stage = (struct segment_stage){.group = job->group, .slot = job->slot, .epoch = job->epoch, .stage = judged};
    return segment_file_begin(&(*stage)->file, thread->db, thread->directory, atomic_fetch_add(thread->id_next, 1),
                              &judged.seen, &job->error);
}

static enum lf_status add_entry(struct segment_stage *stage, struct lf_bytes entry, struct lf_error *error) {
    uint64_t index;
    enum lf_status status = log_stage_add(&stage->stage, entry, &index, error);
    return status == LF_OK ? segment_file_add(&stage->file, index, entry, error) : status;
}

static enum lf_status finish(struct segment_thread *thread, struct segment_job *job, struct segment_stage *stage) {
    uint64_t id = stage->file.id;
    bool empty = stage->file.running.entry_count == 0;
    enum lf_status status = log_stage_end(&stage->stage, &job->error);
    if (status == LF_OK)
        status = segment_job_add_made(job, &stage->stage.wanted, id);
    if (status == LF_OK)
        status = segment_file_finish(&stage->file, &job->error);
    if (status == LF_OK && !empty) {
        status = segment_ingest(thread, &id, 1, &job->error);
        job->final = status == LF_IO;
    }
    if (status != LF_OK)
        job->made_count = 0;
    return status;
}

/* What was begun before the group was made anew, or what it had staged was given up, is gone. */
static void drop_outdated(struct segment_stage **stage, const struct segment_job *job) {
    if (!*stage || ((*stage)->slot == job->slot && (*stage)->epoch == job->epoch))
        return;
    abandon(*stage);
    *stage = NULL;
}

void segment_stage(struct segment_thread *thread, struct segment_job *job) {
    struct segment_stage *stage = find_stage(thread, job->group);
    if (job->status != LF_OK)
        return;
    drop_outdated(&stage, job);
    if (job->first)
        job->status = begin(thread, job, &stage);
    else if (!stage || !log_segment_equal(&stage->stage.wanted, &job->segment)) {
        job->status = lf_error_set(&job->error, LF_INVALID, "group %" PRIu64 ": no such segment was begun", job->group);
        return;
    }
    for (uint32_t i = 0; job->status == LF_OK && i < job->entry_count; i++)
        job->status = add_entry(stage, lf_buf_bytes(job->entries[i]), &job->error);
    if (job->status == LF_OK && job->last)
        job->status = finish(thread, job, stage);
    if (stage && (job->last || job->status != LF_OK))
        abandon(stage);
}
