/** Segments made of a group's entries: streamed while it grows, as the writer lends them or out of `active`; or at once
 *  at the seal. */
#include "rocks_error.h"
#include "segment_thread.h"

#include "lf_check.h"
#include "lf_entry.h"

#include <inttypes.h>

/* A builder that got nothing while so many rounds of all builders went by gives way to another group. What it wrote was
 * written in vain, so it has to be a group that has fallen silent, not one of many busy ones. */
#define BUILDER_STALE_ROUNDS 64u

/* ---- reading `active` ---- */

static enum lf_status add_entry(uint64_t group, uint64_t index, struct lf_bytes entry, struct segment_file *file,
                                struct lf_error *error) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    struct lf_error detail = {0};
    if (lf_entry_check(entry, group, &header, &payload, &detail) != LF_OK)
        return lf_error_set(error, LF_DAMAGED, "group %" PRIu64 " entry %" PRIu64 ": %s", group, index, detail.text);
    if (header.index != index)
        return lf_error_set(error, LF_DAMAGED, "group %" PRIu64 " entry %" PRIu64 ": says it is %" PRIu64, group, index,
                            header.index);
    return segment_file_add(file, index, entry, error);
}

static enum lf_status take_entry(rocksdb_iterator_t *entries, uint64_t group, uint64_t slot, uint64_t index,
                                 struct segment_file *file, struct lf_error *error) {
    struct rocks_key wanted = rocks_key_entry(slot, index);
    size_t key_bytes = 0, bytes = 0;
    const char *key = rocksdb_iter_valid(entries) ? rocksdb_iter_key(entries, &key_bytes) : NULL;
    if (!key || key_bytes != wanted.size || memcmp(key, wanted.bytes, key_bytes) != 0) {
        char *failure = NULL;
        rocksdb_iter_get_error(entries, &failure);
        enum lf_status status = rocks_error(&failure, error, "read entries");
        return status != LF_OK
                   ? status
                   : lf_error_set(error, LF_DAMAGED, "group %" PRIu64 ": entry %" PRIu64 " is missing", group, index);
    }
    const void *value = rocksdb_iter_value(entries, &bytes);
    return add_entry(group, index, lf_bytes(value, bytes), file, error);
}

enum lf_status segment_copy_active(struct segment_thread *thread, uint64_t group, uint64_t slot, uint64_t last,
                                   struct segment_file *file, struct lf_error *error) {
    uint64_t index = file->running.last_index + 1;
    if (index > last)
        return LF_OK;
    atomic_fetch_add_explicit(&thread->entries_read, last + 1 - index, memory_order_relaxed);
    struct rocks_key from = rocks_key_entry(slot, index), end = rocks_key_entry(slot, last + 1);
    enum lf_status status = LF_OK;
    rocksdb_readoptions_t *options = rocksdb_readoptions_create();
    rocksdb_readoptions_set_fill_cache(options, 0);
    rocksdb_readoptions_set_iterate_upper_bound(options, (const char *)end.bytes, end.size);
    rocksdb_iterator_t *entries = rocksdb_create_iterator_cf(thread->db->db, options, thread->db->active);
    rocksdb_iter_seek(entries, (const char *)from.bytes, from.size);
    for (; status == LF_OK && index <= last; index++) {
        status = take_entry(entries, group, slot, index, file, error);
        if (status == LF_OK)
            rocksdb_iter_next(entries);
    }
    rocksdb_iter_destroy(entries);
    rocksdb_readoptions_destroy(options);
    return status;
}

/* ---- builders ---- */

/* By where it begins too: a seal may still wait when the entries behind it are streamed already. */
static struct segment_builder *find_builder(const struct segment_thread *thread, uint64_t slot, uint64_t first_index) {
    for (uint32_t i = 0; i < thread->builders_max; i++) {
        struct segment_builder *builder = &thread->builders[i];
        if (builder->file.id != 0 && builder->slot == slot && builder->file.running.first_index == first_index)
            return builder;
    }
    return NULL;
}

static void abandon(struct segment_thread *thread, struct segment_builder *builder) {
    if (builder->file.id != 0)
        atomic_fetch_sub_explicit(&thread->builders_open, 1, memory_order_relaxed);
    segment_file_abandon(&builder->file);
    *builder = (struct segment_builder){0};
}

/* A free one, or one whose group has gone silent; NULL: all are in use. */
static struct segment_builder *free_builder(struct segment_thread *thread) {
    struct segment_builder *oldest = &thread->builders[0];
    for (uint32_t i = 0; i < thread->builders_max; i++) {
        struct segment_builder *builder = &thread->builders[i];
        if (builder->file.id == 0)
            return builder;
        if (builder->used < oldest->used)
            oldest = builder;
    }
    if (thread->tick - oldest->used < BUILDER_STALE_ROUNDS * (uint64_t)thread->builders_max)
        return NULL;
    abandon(thread, oldest);
    return oldest;
}

/* Where the log stands before the segment is the seal's knowledge: the descriptor begins at 0 and gets it then. */
static enum lf_status begin_builder(struct segment_thread *thread, struct segment_builder *builder, uint64_t slot,
                                    uint64_t first_index, struct lf_error *error) {
    struct log_segment running;
    log_segment_begin(&running, first_index, 0, 0);
    enum lf_status status = segment_file_begin(&builder->file, thread->db, thread->directory,
                                               atomic_fetch_add(thread->id_next, 1), &running, error);
    builder->slot = slot;
    if (status == LF_OK)
        atomic_fetch_add_explicit(&thread->builders_open, 1, memory_order_relaxed);
    return status;
}

/* From the job's own entries, and where it lacks some, from `active`. */
static enum lf_status write_on(struct segment_thread *thread, const struct segment_job *job, struct segment_file *file,
                               struct lf_error *error) {
    enum lf_status status = LF_OK;
    if (job->entry_count > 0)
        status = segment_copy_active(thread, job->group, job->slot, job->entries_from - 1, file, error);
    for (uint32_t i = 0; status == LF_OK && i < job->entry_count; i++)
        if (job->entries_from + i == file->running.last_index + 1) {
            atomic_fetch_add_explicit(&thread->entries_fed, 1, memory_order_relaxed);
            status = add_entry(job->group, job->entries_from + i, lf_buf_bytes(job->entries[i]), file, error);
        }
    return status == LF_OK ? segment_copy_active(thread, job->group, job->slot, job->until, file, error) : status;
}

/* What fails here is tried again at the seal, and said then. */
void segment_stream(struct segment_thread *thread, const struct segment_job *job) {
    struct lf_error error = {0};
    struct segment_builder *builder = find_builder(thread, job->slot, job->segment.first_index);
    thread->tick++;
    if (!builder) {
        builder = free_builder(thread);
        if (!builder || begin_builder(thread, builder, job->slot, job->segment.first_index, &error) != LF_OK)
            return;
    }
    builder->used = thread->tick;
    if (write_on(thread, job, &builder->file, &error) != LF_OK)
        abandon(thread, builder);
}

void segment_forget(struct segment_thread *thread, const struct segment_job *job) {
    uint64_t first_index = job->segment.first_index;
    for (uint32_t i = 0; i < thread->builders_max; i++) {
        struct segment_builder *builder = &thread->builders[i];
        if (builder->slot == job->slot && (first_index == 0 || builder->file.running.first_index == first_index))
            abandon(thread, builder);
    }
    if (first_index == 0)
        segment_stage_forget(thread, job->group);
}

void segment_builders_abandon(struct segment_thread *thread) {
    for (uint32_t i = 0; i < thread->builders_max; i++)
        abandon(thread, &thread->builders[i]);
}

/* ---- the seal ---- */

/* Is what was written what the log says it is? */
static bool agrees(const struct log_segment *wanted, const struct log_segment *running) {
    struct log_segment made = *running;
    made.base_offset = wanted->base_offset;
    return log_segment_equal(wanted, &made);
}

/* The streamed file, when it goes on to be the segment; else nothing is begun. */
static void finish_streamed(struct segment_thread *thread, struct segment_job *job, struct segment_file *file) {
    struct lf_error error = {0};
    struct segment_builder *builder = find_builder(thread, job->slot, job->segment.first_index);
    if (!builder)
        return;
    bool fits = builder->file.running.last_index <= job->segment.last_index;
    if (fits &&
        segment_copy_active(thread, job->group, job->slot, job->segment.last_index, &builder->file, &error) != LF_OK)
        fits = false;
    if (!fits || !agrees(&job->segment, &builder->file.running)) {
        abandon(thread, builder);
        return;
    }
    *file = builder->file;
    *builder = (struct segment_builder){0};
    atomic_fetch_sub_explicit(&thread->builders_open, 1, memory_order_relaxed);
}

static enum lf_status build_at_once(struct segment_thread *thread, struct segment_job *job, struct segment_file *file) {
    struct log_segment running;
    log_segment_begin(&running, job->segment.first_index, 0, 0);
    enum lf_status status = segment_file_begin(file, thread->db, thread->directory,
                                               atomic_fetch_add(thread->id_next, 1), &running, &job->error);
    if (status == LF_OK)
        status = segment_copy_active(thread, job->group, job->slot, job->segment.last_index, file, &job->error);
    if (status == LF_OK && !agrees(&job->segment, &file->running))
        status = lf_error_set(&job->error, LF_DAMAGED,
                              "group %" PRIu64 ": the entries %" PRIu64 "-%" PRIu64 " are not those that were sealed",
                              job->group, job->segment.first_index, job->segment.last_index);
    if (status != LF_OK)
        segment_file_abandon(file);
    return status;
}

void segment_seal(struct segment_thread *thread, struct segment_job *job) {
    struct segment_file file = {0};
    job->status = LF_OK;
    finish_streamed(thread, job, &file);
    if (file.id == 0)
        job->status = build_at_once(thread, job, &file);
    uint64_t id = file.id;
    if (job->status == LF_OK)
        job->status = segment_job_add_made(job, &job->segment, id);
    if (job->status == LF_OK)
        job->status = segment_file_finish(&file, &job->error);
    else
        segment_file_abandon(&file);
    if (job->status != LF_OK)
        job->made_count = 0;
}
