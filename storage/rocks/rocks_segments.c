#include "rocks_segments.h"
#include "log_row.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void empty_feeds(struct rocks_segments *segments) {
    for (size_t i = 0; segments->groups && i < segments->groups->count; i++)
        segment_feed_clear(&segments->feeds, &rocks_group_of(segments->groups->items[i])->feed);
}

void rocks_segments_deinit(struct rocks_segments *segments) {
    for (struct segment_job *job; (job = rocks_segments_fail_rewrite(segments)) != NULL;)
        segment_job_destroy(&job);
    segment_thread_deinit(&segments->thread);
    empty_feeds(segments);
    free(segments->waiting);
    free(segments->doomed);
    segments->waiting = NULL;
    segments->doomed = NULL;
}

static void count(struct rocks_segments *segments) {
    struct rocks_segment_counters *counters = &segments->counters;
    uint64_t waiting = segments->waiting_count - segments->waiting_first + segments->building;
    atomic_store_explicit(&counters->waiting, waiting, memory_order_relaxed);
    atomic_store_explicit(&counters->building, segments->building, memory_order_relaxed);
    atomic_store_explicit(&counters->doomed, segments->doomed_count + segments->deleting, memory_order_relaxed);
}

/* ---- what waits ---- */

static enum lf_status add_waiting(struct rocks_segments *segments, const struct log_group *log, uint64_t first_index) {
    if (segments->waiting_first > 0 && segments->waiting_first == segments->waiting_count)
        segments->waiting_first = segments->waiting_count = 0;
    enum lf_status status = log_array_reserve(&segments->waiting, &segments->waiting_capacity, segments->waiting_count,
                                              sizeof segments->waiting[0]);
    if (status == LF_OK)
        segments->waiting[segments->waiting_count++] =
            (struct rocks_unsealed){.group = log->id, .slot = log->slot, .first_index = first_index};
    return status;
}

static enum lf_status add_doomed(struct rocks_segments *segments, const struct log_held *held, uint64_t sequence) {
    if (held->id == 0 || held->segment.entry_count == 0) /* without a table */
        return LF_OK;
    enum lf_status status = log_array_reserve(&segments->doomed, &segments->doomed_capacity, segments->doomed_count,
                                              sizeof segments->doomed[0]);
    if (status == LF_OK)
        segments->doomed[segments->doomed_count++] = (struct rocks_doomed){.held = *held, .sequence = sequence};
    return status;
}

enum lf_status rocks_segments_load(struct rocks_segments *segments) {
    enum lf_status status = LF_OK;
    for (size_t g = 0; g < segments->groups->count; g++) {
        const struct log_group *group = segments->groups->items[g];
        for (size_t i = 0; status == LF_OK && i < group->segment_count; i++)
            if (group->segments[i].id == 0)
                status = add_waiting(segments, group, group->segments[i].segment.first_index);
    }
    count(segments);
    return status;
}

/* Groups that were never sealed may never be: their first segment is built at its seal. */
static bool was_sealed(const struct rocks_group *group) {
    return group->log.segment_count > 0 || group->log.previous_index > 0;
}

/* Many groups that write a little now and then must not keep those that write much from being fed. */
static void feed(struct rocks_segments *segments, struct rocks_group *group, const struct log_store_write *write) {
    if (!was_sealed(group) || segment_feed_write(&segments->feeds, &group->feed, write))
        return;
    if (segments->feeds.bytes > SEGMENT_FEED_BYTES_MAX / 2)
        empty_feeds(segments);
}

static void forget(struct rocks_segments *segments, struct rocks_group *group) {
    segment_feed_clear(&segments->feeds, &group->feed);
    struct segment_job *job = segment_job_new(SEGMENT_JOB_FORGET, group->log.id);
    if (!job)
        return; /* the builder goes when it is in the way, or at the end */
    job->slot = group->log.slot;
    segment_thread_push(&segments->thread, &job);
}

enum lf_status rocks_segments_changed(struct rocks_segments *segments, struct rocks_group *group,
                                      const struct log_store_write *write, const struct log_group_change *change) {
    enum lf_status status = LF_OK;
    for (uint32_t i = 0; status == LF_OK && i < write->seal_count; i++)
        status = add_waiting(segments, &group->log, write->seals[i].first_index);
    for (size_t i = 0; status == LF_OK && i < change->gone_count; i++)
        status = add_doomed(segments, &change->gone[i], 0);
    if (write->install || write->unstage) {
        forget(segments, group);
        group->stage_epoch++;
    }
    for (uint32_t i = 0; i < write->entry_count; i++)
        group->unstreamed_bytes += write->entries[i]->size;
    feed(segments, group, write);
    count(segments);
    return status;
}

enum lf_status rocks_segments_destroyed(struct rocks_segments *segments, struct rocks_group *group) {
    enum lf_status status = LF_OK;
    for (size_t i = 0; status == LF_OK && i < group->log.segment_count; i++)
        status = add_doomed(segments, &group->log.segments[i], 0);
    for (size_t i = 0; status == LF_OK && i < group->log.staged_count; i++)
        status = add_doomed(segments, &group->log.staged[i], 0);
    forget(segments, group);
    count(segments);
    return status;
}

void rocks_segments_written(struct rocks_segments *segments, uint64_t last_sequence) {
    for (size_t i = segments->doomed_count; i > 0 && segments->doomed[i - 1].sequence == 0; i--)
        segments->doomed[i - 1].sequence = last_sequence;
}

/* The group's segment that begins there, sealed and without a table; NULL: not any more. */
static struct log_held *find_unsealed(const struct rocks_segments *segments, uint64_t group, uint64_t first_index,
                                      struct log_group **log) {
    *log = rocks_groups_find(segments->groups, group);
    size_t at = *log ? log_group_segment_at(*log, first_index) : 0;
    if (!*log || at == (*log)->segment_count)
        return NULL;
    struct log_held *held = &(*log)->segments[at];
    return held->id == 0 && held->segment.first_index == first_index ? held : NULL;
}

/* Of the segment that begins at `first`, up to `until`. What waits already is enough: it comes later. */
static void stream(struct rocks_segments *segments, struct rocks_group *group, uint64_t first, uint64_t until) {
    struct segment_job *job =
        segment_thread_has_place(&segments->thread) ? segment_job_new(SEGMENT_JOB_STREAM, group->log.id) : NULL;
    if (!job)
        return;
    job->slot = group->log.slot;
    job->segment.first_index = first;
    job->until = until;
    segment_feed_take(&segments->feeds, &group->feed, first, until, job);
    group->unstreamed_bytes = 0;
    segment_thread_push(&segments->thread, &job);
}

void rocks_segments_stream_sealed(struct rocks_segments *segments, const struct log_store_write *write) {
    struct log_group *log = rocks_groups_find(segments->groups, write->group);
    if (!log)
        return;
    struct rocks_group *group = rocks_group_of(log);
    for (uint32_t i = 0; i < write->seal_count; i++)
        if (group->feed.count > 0 && group->feed.first_index <= write->seals[i].last_index &&
            find_unsealed(segments, write->group, write->seals[i].first_index, &log))
            stream(segments, group, write->seals[i].first_index, write->seals[i].last_index);
}

void rocks_segments_stream(struct rocks_segments *segments, const struct log_store_write *write) {
    struct log_group *log = rocks_groups_find(segments->groups, write->group);
    if (!log || write->applied_index == 0)
        return;
    struct rocks_group *group = rocks_group_of(log);
    if (was_sealed(group) && group->unstreamed_bytes >= ROCKS_STREAM_STEP_BYTES)
        stream(segments, group, log_group_active_index(log), log->applied_index);
}

/* ---- handing out ---- */

/* What was begun of a segment that was dropped before its seal was handed out. */
static void forget_one(struct rocks_segments *segments, const struct rocks_unsealed *unsealed) {
    struct segment_job *job = segment_job_new(SEGMENT_JOB_FORGET, unsealed->group);
    if (!job)
        return;
    job->slot = unsealed->slot;
    job->segment.first_index = unsealed->first_index;
    segment_thread_push(&segments->thread, &job);
}

static enum lf_status hand_out_seals(struct rocks_segments *segments) {
    while (segments->waiting_first < segments->waiting_count && segments->building < ROCKS_SEALS_MAX) {
        const struct rocks_unsealed *next = &segments->waiting[segments->waiting_first];
        struct log_group *log;
        const struct log_held *held = find_unsealed(segments, next->group, next->first_index, &log);
        if (held && log->slot == next->slot) {
            struct segment_job *job = segment_job_new(SEGMENT_JOB_SEAL, log->id);
            if (!job)
                return LF_NO_MEMORY;
            job->slot = log->slot;
            job->segment = held->segment;
            segments->building++;
            segment_thread_push(&segments->thread, &job);
        } else { /* it was dropped meanwhile */
            forget_one(segments, next);
        }
        segments->waiting_first++;
    }
    return LF_OK;
}

static bool is_durable(const struct rocks_doomed *doomed, uint64_t witnessed_sequence) {
    return doomed->sequence != 0 && doomed->sequence <= witnessed_sequence;
}

static bool any_durable(const struct rocks_segments *segments, uint64_t witnessed_sequence) {
    for (size_t i = 0; i < segments->doomed_count; i++)
        if (is_durable(&segments->doomed[i], witnessed_sequence))
            return true;
    return false;
}

static enum lf_status hand_out_deletes(struct rocks_segments *segments, uint64_t witnessed_sequence) {
    size_t kept = 0;
    if (segments->deleting > 0 || !any_durable(segments, witnessed_sequence))
        return LF_OK;
    struct segment_job *job = segment_job_new(SEGMENT_JOB_DELETE, 0);
    if (!job)
        return LF_NO_MEMORY;
    for (size_t i = 0; i < segments->doomed_count; i++) {
        const struct rocks_doomed *doomed = &segments->doomed[i];
        bool taken = is_durable(doomed, witnessed_sequence) &&
                     segment_job_add_made(job, &doomed->held.segment, doomed->held.id) == LF_OK;
        if (!taken)
            segments->doomed[kept++] = *doomed;
    }
    segments->doomed_count = kept;
    segments->deleting = job->made_count;
    segment_thread_push(&segments->thread, &job);
    return LF_OK;
}

enum lf_status rocks_segments_step(struct rocks_segments *segments, uint64_t witnessed_sequence, uint64_t now_us,
                                   struct lf_error *error) {
    enum lf_status status = LF_OK;
    if (now_us >= segments->retry_us)
        status = hand_out_seals(segments);
    if (status == LF_OK)
        status = hand_out_deletes(segments, witnessed_sequence);
    count(segments);
    return status == LF_OK ? status : lf_error_set(error, status, "no memory for segments");
}

int rocks_segments_timeout_ms(const struct rocks_segments *segments, uint64_t now_us) {
    if (segments->waiting_first == segments->waiting_count || segments->building == ROCKS_SEALS_MAX)
        return -1;
    return now_us >= segments->retry_us ? 0 : (int)((segments->retry_us - now_us) / 1000 + 1);
}

void rocks_segments_begin_stage(struct rocks_segments *segments, struct segment_job **job) {
    struct log_group *log = rocks_groups_find(segments->groups, (*job)->group);
    (*job)->handed_on = true;
    if (log) {
        (*job)->slot = log->slot;
        (*job)->epoch = rocks_group_of(log)->stage_epoch;
    } else {
        (*job)->status =
            lf_error_set(&(*job)->error, LF_NOT_FOUND, "group %" PRIu64 ": not in this store", (*job)->group);
    }
    segment_thread_push(&segments->thread, job);
}

/* ---- answers ---- */

static void put_row(const struct rocks_answer *answer, const struct rocks_key *key, const void *value, size_t bytes) {
    rocksdb_writebatch_put_cf(answer->batch, answer->db->meta, (const char *)key->bytes, key->size, value, bytes);
}

/* Above every id that a row names. */
static void put_id_next(const struct rocks_segments *segments, const struct rocks_answer *answer) {
    uint8_t value[8];
    struct rocks_key key = rocks_key_next_slot();
    lf_put_le64(value, atomic_load(&segments->groups->slot_next));
    put_row(answer, &key, value, sizeof value);
}

static enum lf_status take_seal(struct rocks_segments *segments, struct segment_job *job, struct rocks_answer *answer,
                                uint64_t now_us, struct lf_error *error) {
    struct log_group *log;
    const struct log_segment *segment = &job->segment;
    struct log_held *held = find_unsealed(segments, job->group, segment->first_index, &log);
    bool wanted = held && log->slot == job->slot && log_segment_equal(&held->segment, segment);
    segments->building--;
    if (job->status == LF_OK && !wanted)
        return add_doomed(segments, &job->made[0], 0);
    if (!wanted)
        return LF_OK; /* it was dropped meanwhile, and its entries with it */
    if (job->status == LF_NO_SPACE || job->status == LF_NO_MEMORY) {
        segments->retry_us = now_us + ROCKS_SEAL_RETRY_US;
        return add_waiting(segments, log, segment->first_index);
    }
    if (job->status != LF_OK) {
        *error = job->error;
        return job->status;
    }
    segments->retry_us = 0;
    held->id = job->made[0].id;
    atomic_fetch_add_explicit(&segments->counters.made, 1, memory_order_relaxed);
    uint8_t value[ROCKS_SEGMENT_ROW_BYTES];
    struct rocks_key key = rocks_key_at(log->id, ROCKS_KIND_SEGMENT, segment->first_index);
    rocks_segment_row_encode(held, value);
    put_row(answer, &key, value, sizeof value);
    put_id_next(segments, answer);
    struct rocks_key from = rocks_key_entry(log->slot, segment->first_index);
    struct rocks_key end = rocks_key_entry(log->slot, segment->last_index + 1);
    rocksdb_writebatch_delete_range_cf(answer->batch, answer->db->active, (const char *)from.bytes, from.size,
                                       (const char *)end.bytes, end.size);
    return LF_OK;
}

static enum lf_status stage_one(struct rocks_segments *segments, struct log_group *log, const struct log_held *made,
                                struct rocks_answer *answer) {
    bool replaced;
    struct log_held gone;
    enum lf_status status = log_group_stage(log, &made->segment, made->id, &replaced, &gone);
    if (status != LF_OK)
        return status;
    uint8_t value[LOG_SEGMENT_BYTES];
    struct rocks_key key = rocks_key_at(log->id, ROCKS_KIND_STAGED, made->id);
    log_segment_encode(&made->segment, value);
    put_row(answer, &key, value, sizeof value);
    if (!replaced)
        return LF_OK;
    key = rocks_key_at(log->id, ROCKS_KIND_STAGED, gone.id);
    rocksdb_writebatch_delete_cf(answer->batch, answer->db->meta, (const char *)key.bytes, key.size);
    return add_doomed(segments, &gone, 0);
}

/* Is the group still as it was when the work was begun? */
static bool is_current(const struct rocks_segments *segments, const struct segment_job *job, struct log_group **log) {
    *log = rocks_groups_find(segments->groups, job->group);
    return *log && (*log)->slot == job->slot && rocks_group_of(*log)->stage_epoch == job->epoch;
}

static enum lf_status take_made(struct rocks_segments *segments, struct segment_job *job, struct rocks_answer *answer) {
    struct log_group *log;
    bool current = is_current(segments, job, &log);
    enum lf_status status = LF_OK;
    if (job->kind == SEGMENT_JOB_REWRITE)
        rocks_segments_end_rewrite(segments, job);
    if (job->status == LF_OK && !current)
        job->status = lf_error_set(&job->error,
                                   job->kind == SEGMENT_JOB_REWRITE || (log && log->slot == job->slot) ? LF_CANCELLED
                                                                                                       : LF_NOT_FOUND,
                                   "the group was destroyed, or what it had staged was given up");
    for (size_t i = 0; status == LF_OK && i < job->made_count; i++)
        status = job->status == LF_OK ? stage_one(segments, log, &job->made[i], answer)
                                      : add_doomed(segments, &job->made[i], 0);
    if (job->status == LF_OK && job->made_count > 0) {
        put_id_next(segments, answer);
        answer->sync = true;
    }
    if (status == LF_OK && job->kind == SEGMENT_JOB_REWRITE)
        status = rocks_segments_tell_made(job);
    return status;
}

/* What was not freed for lack of space for the MANIFEST is tried again; it is in no row, so it is not urgent. */
static enum lf_status take_deletes(struct rocks_segments *segments, struct segment_job *job, struct lf_error *error) {
    enum lf_status status = LF_OK;
    segments->deleting = 0;
    if (job->status == LF_OK)
        return LF_OK;
    if (job->status != LF_NO_SPACE) {
        *error = job->error;
        return job->status;
    }
    for (size_t i = 0; status == LF_OK && i < job->made_count; i++)
        status = add_doomed(segments, &job->made[i], 0);
    return status;
}

enum lf_status rocks_segments_answered(struct rocks_segments *segments, struct segment_job *job,
                                       struct rocks_answer *answer, uint64_t now_us, struct lf_error *error) {
    enum lf_status status = LF_OK;
    if (job->kind == SEGMENT_JOB_SEAL)
        status = take_seal(segments, job, answer, now_us, error);
    else if (job->kind == SEGMENT_JOB_DELETE)
        status = take_deletes(segments, job, error);
    else
        status = take_made(segments, job, answer);
    if (status == LF_NO_MEMORY)
        lf_error_set(error, status, "no memory for segments");
    if (status == LF_OK && job->final) {
        *error = job->error;
        status = job->status;
    }
    count(segments);
    return status;
}
