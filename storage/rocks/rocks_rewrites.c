/** The writer's side of rewrites: which wait, and for what; who is one too many; whether what was made is still wanted.
 *
 *  A rewrite waits until the writes submitted before it are done, and until all segments of its range have tables. */
#include "rocks_segments.h"

#include <inttypes.h>
#include <stdlib.h>

static bool is_under_way(const struct rocks_segments *segments, uint64_t group) {
    for (uint32_t i = 0; i < segments->rewriting_count; i++)
        if (segments->rewriting[i] == group)
            return true;
    return false;
}

static void end(struct rocks_segments *segments, uint64_t group) {
    for (uint32_t i = 0; i < segments->rewriting_count; i++)
        if (segments->rewriting[i] == group) {
            segments->rewriting[i] = segments->rewriting[--segments->rewriting_count];
            return;
        }
}

bool rocks_segments_add_rewrite(struct rocks_segments *segments, struct segment_job *job, uint64_t after_write) {
    job->handed_on = true;
    job->next = NULL;
    job->after_write = after_write;
    if (is_under_way(segments, job->group)) {
        job->refused = true;
        job->status = lf_error_set(&job->error, LF_INVALID, "group %" PRIu64 ": a rewrite is under way", job->group);
        return false;
    }
    segments->rewriting[segments->rewriting_count++] = job->group; /* the loop bounds how many */
    struct segment_job **last = &segments->rewrites;
    while (*last)
        last = &(*last)->next;
    *last = job;
    return true;
}

/** LF_OK: old and what goes with it are set; LF_AGAIN: a segment has no table yet; LF_INVALID in words, or, if a write
 *  after it may have changed that, LF_CANCELLED; LF_NO_MEMORY. */
static enum lf_status find_range(const struct rocks_segments *segments, struct segment_job *job, bool later_writes) {
    const struct log_store_rewrite *rewrite = &job->rewrite;
    struct log_group *log = rocks_groups_find(segments->groups, job->group);
    if (!log)
        return lf_error_set(&job->error, LF_CANCELLED, "group %" PRIu64 ": not in this store", job->group);
    size_t first = log_group_segment_at(log, rewrite->first_index),
           last = log_group_segment_at(log, rewrite->last_index);
    if (rewrite->first_index > rewrite->last_index || last >= log->segment_count ||
        log->segments[first].segment.first_index != rewrite->first_index ||
        log->segments[last].segment.last_index != rewrite->last_index)
        return lf_error_set(&job->error, later_writes ? LF_CANCELLED : LF_INVALID,
                            "group %" PRIu64 ": entries %" PRIu64 " to %" PRIu64
                            " are not from border to border of segments",
                            job->group, rewrite->first_index, rewrite->last_index);
    for (size_t i = first; i <= last; i++)
        if (log->segments[i].id == 0)
            return LF_AGAIN;
    job->old_count = last - first + 1;
    job->old = calloc(job->old_count, sizeof *job->old);
    if (!job->old)
        return lf_error_set(&job->error, LF_NO_MEMORY, "no memory for a rewrite of %zu segments", job->old_count);
    memcpy(job->old, &log->segments[first], job->old_count * sizeof *job->old);
    job->slot = log->slot;
    job->epoch = rocks_group_of(log)->stage_epoch;
    return LF_OK;
}

struct segment_job *rocks_segments_step_rewrites(struct rocks_segments *segments, uint64_t writes_done) {
    struct segment_job **at = &segments->rewrites;
    while (*at) {
        struct segment_job *job = *at;
        enum lf_status status = LF_AGAIN;
        if (job->after_write <= writes_done)
            status = find_range(segments, job, job->after_write < writes_done);
        if (status == LF_AGAIN) {
            at = &job->next;
            continue;
        }
        *at = job->next;
        job->next = NULL;
        job->status = status;
        if (status != LF_OK)
            return job;
        segment_thread_push(&segments->thread, &job);
    }
    return NULL;
}

struct segment_job *rocks_segments_fail_rewrite(struct rocks_segments *segments) {
    struct segment_job *job = segments->rewrites;
    if (job)
        segments->rewrites = job->next;
    return job;
}

/** Are the old segments still what they were? */
static bool is_wanted(const struct rocks_segments *segments, const struct segment_job *job) {
    const struct log_group *log = rocks_groups_find(segments->groups, job->group);
    size_t first = log ? log_group_segment_at(log, job->rewrite.first_index) : 0;
    if (!log || job->old_count > log->segment_count - first)
        return false;
    for (size_t i = 0; i < job->old_count; i++)
        if (log->segments[first + i].id != job->old[i].id)
            return false;
    return true;
}

void rocks_segments_end_rewrite(struct rocks_segments *segments, struct segment_job *job) {
    if (job->refused)
        return;
    end(segments, job->group);
    if (job->status == LF_OK && !is_wanted(segments, job))
        job->status = lf_error_set(&job->error, LF_CANCELLED,
                                   "group %" PRIu64 ": the segments changed while they were rewritten", job->group);
}

enum lf_status rocks_segments_tell_made(struct segment_job *job) {
    struct log_store_completion *completion = job->completion;
    if (job->status != LF_OK)
        return LF_OK;
    completion->segments = calloc(job->made_count + 1, sizeof *completion->segments);
    if (!completion->segments)
        return LF_NO_MEMORY;
    for (size_t i = 0; i < job->made_count; i++)
        completion->segments[i] = job->made[i].segment;
    completion->segment_count = (uint32_t)job->made_count;
    return LF_OK;
}
