#include "mem_rewrite.h"
#include "log_completion.h"
#include "log_rewrite.h"

#include "lf_check.h"

#include <inttypes.h>
#include <stdlib.h>

static void destroy(struct mem_rewrite *rewrite) {
    log_store_completion_destroy(&rewrite->completion);
    free(rewrite->segments);
    free(rewrite);
}

void mem_rewrites_deinit(struct mem_rewrites *rewrites) {
    while (rewrites->first) {
        struct mem_rewrite *next = rewrites->first->next;
        destroy(rewrites->first);
        rewrites->first = next;
    }
    *rewrites = (struct mem_rewrites){0};
}

/** It is over, with this. */
static void finish(struct mem_rewrite *rewrite, enum lf_status status, const char *words) {
    rewrite->over = true;
    rewrite->serial = 0;
    rewrite->completion->status =
        lf_error_set(&rewrite->completion->error, status, "group %" PRIu64 ": %s", rewrite->request.group, words);
}

enum lf_status mem_rewrites_add(struct mem_rewrites *rewrites, const struct log_store_rewrite *request,
                                uint64_t writes) {
    if (rewrites->count >= MEM_REWRITES_MAX)
        return LF_FULL;
    struct mem_rewrite *rewrite = calloc(1, sizeof *rewrite);
    if (!rewrite)
        return LF_NO_MEMORY;
    *rewrite = (struct mem_rewrite){.request = *request,
                                    .writes = writes,
                                    .completion =
                                        log_completion_new(LOG_STORE_DONE_REWRITE, request->group, request->request)};
    lf_check(rewrite->completion != NULL); /* the simulator does not run out of memory */
    struct mem_rewrite **end = &rewrites->first;
    for (; *end; end = &(*end)->next)
        if ((*end)->request.group == request->group && !(*end)->over)
            finish(rewrite, LF_INVALID, "a rewrite is under way");
    *end = rewrite;
    rewrites->count++;
    return LF_OK;
}

void mem_rewrites_count_write(struct mem_rewrites *rewrites) {
    for (struct mem_rewrite *rewrite = rewrites->first; rewrite; rewrite = rewrite->next) {
        rewrite->later_writes |= rewrite->writes == 0;
        rewrite->writes -= rewrite->writes > 0;
    }
}

/** The old segments: between borders of the range, whatever becomes of the others. NULL: they are none. */
static const struct log_held *find_range(const struct mem_image *image, const struct log_store_rewrite *request,
                                         size_t *count) {
    const struct mem_group *group = mem_image_find(image, request->group);
    if (!group)
        return NULL;
    size_t first = log_group_segment_at(&group->log, request->first_index);
    size_t last = log_group_segment_at(&group->log, request->last_index);
    if (request->first_index > request->last_index || last >= group->log.segment_count ||
        group->log.segments[first].segment.first_index != request->first_index ||
        group->log.segments[last].segment.last_index != request->last_index)
        return NULL;
    *count = last - first + 1;
    return &group->log.segments[first];
}

struct mem_rewrite *mem_rewrites_ready(const struct mem_rewrites *rewrites) {
    struct mem_rewrite *rewrite = rewrites->first;
    while (rewrite && (rewrite->begun || rewrite->over || rewrite->writes > 0))
        rewrite = rewrite->next;
    return rewrite;
}

void mem_rewrite_begin(struct mem_rewrite *rewrite, const struct mem_image *image, uint64_t due_ms) {
    const struct log_held *held = find_range(image, &rewrite->request, &rewrite->segment_count);
    if (!held) {
        bool gone = rewrite->later_writes || !mem_image_find(image, rewrite->request.group);
        finish(rewrite, gone ? LF_CANCELLED : LF_INVALID,
               "the range to rewrite does not go from border to border of segments");
        return;
    }
    rewrite->segments = calloc(rewrite->segment_count, sizeof *rewrite->segments);
    lf_check(rewrite->segments != NULL);
    for (size_t i = 0; i < rewrite->segment_count; i++)
        rewrite->segments[i] = held[i].segment;
    rewrite->begun = true;
    rewrite->due_ms = due_ms;
}

static bool segments_are_the_same(const struct mem_rewrite *rewrite, const struct mem_image *image) {
    size_t count;
    const struct log_held *held = find_range(image, &rewrite->request, &count);
    if (!held || count != rewrite->segment_count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!log_segment_equal(&held[i].segment, &rewrite->segments[i]))
            return false;
    return true;
}

/** What log_rewrite reads from and puts to. */
struct making {
    const struct mem_group *group;
    struct log_store_write *write;
    struct log_segment *made;
    size_t made_count;
};

static enum lf_status read_entry(void *context, uint64_t index, uint64_t last_index, struct lf_bytes *entry,
                                 struct lf_error *error) {
    const struct making *making = context;
    uint64_t found;
    struct lf_buf **at = mem_group_next(making->group, index, &found);
    (void)error;
    if (!at || found > last_index)
        return LF_END;
    *entry = lf_buf_bytes(*at);
    return LF_OK;
}

static enum lf_status put_entry(void *context, uint64_t index, struct lf_bytes entry, struct lf_error *error) {
    struct making *making = context;
    struct lf_buf *copy = lf_buf_copy(entry);
    (void)index;
    (void)error;
    lf_check(copy != NULL);
    lf_check(log_store_write_push_entry(making->write, copy) == LF_OK);
    return LF_OK;
}

static enum lf_status put_segment(void *context, const struct log_segment *segment, struct lf_error *error) {
    struct making *making = context;
    (void)error;
    making->made[making->made_count++] = *segment; /* never more than there were */
    return LF_OK;
}

static enum lf_status make(struct mem_rewrite *rewrite, struct making *making) {
    struct log_rewrite_io io = {.context = making, .read = read_entry, .put = put_entry, .segment = put_segment};
    struct log_store_completion *completion = rewrite->completion;
    struct log_rewrite *work;
    enum lf_status status = log_rewrite_new(&rewrite->request, rewrite->segments, rewrite->segment_count, 0, &io, &work,
                                            &completion->error);
    lf_check(status == LF_OK); /* the range was judged */
    while ((status = log_rewrite_step(work, SIZE_MAX / 2, &completion->error)) == LF_AGAIN)
        ;
    if (status == LF_DAMAGED)
        completion->segment = *log_rewrite_damaged(work);
    struct log_rewrite_figures figures;
    log_rewrite_figures(work, &figures);
    completion->records = figures.records;
    completion->records_kept = figures.records_kept;
    log_rewrite_destroy(&work);
    return status;
}

struct log_store_write *mem_rewrites_make(struct mem_rewrites *rewrites, const struct mem_image *image, uint64_t now_ms,
                                          uint64_t token) {
    struct mem_rewrite *rewrite = rewrites->first;
    while (rewrite && (!rewrite->begun || rewrite->over || rewrite->serial != 0 || rewrite->due_ms > now_ms))
        rewrite = rewrite->next;
    if (!rewrite)
        return NULL;
    if (!segments_are_the_same(rewrite, image)) {
        finish(rewrite, LF_CANCELLED, "the segments changed while they were rewritten");
        return NULL;
    }
    struct making making = {.group = mem_image_find(image, rewrite->request.group),
                            .write = log_store_write_new(rewrite->request.group, token),
                            .made = calloc(rewrite->segment_count, sizeof *making.made)};
    lf_check(making.write && making.made);
    enum lf_status status = make(rewrite, &making);
    if (status != LF_OK) {
        log_store_write_destroy(&making.write);
        free(making.made);
        rewrite->over = true;
        rewrite->completion->status = status;
        return NULL;
    }
    lf_check(log_store_write_set_replacements(making.write, making.made, (uint32_t)making.made_count) == LF_OK);
    making.write->stages = true;
    making.write->sync = true;
    rewrite->completion->segments = making.made;
    rewrite->completion->segment_count = (uint32_t)making.made_count;
    rewrite->serial = token;
    return making.write;
}

bool mem_rewrites_written(struct mem_rewrites *rewrites, uint64_t token, enum lf_status status,
                          const struct lf_error *error) {
    for (struct mem_rewrite *rewrite = rewrites->first; rewrite; rewrite = rewrite->next) {
        if (rewrite->serial != token || token == 0)
            continue;
        if (status == LF_INVALID)
            finish(rewrite, LF_CANCELLED, "destroyed while it was rewritten");
        else if (status != LF_OK)
            finish(rewrite, status, error->text);
        rewrite->over = true;
        return true;
    }
    return false;
}

void mem_rewrites_fail(struct mem_rewrites *rewrites, const struct lf_error *error) {
    for (struct mem_rewrite *rewrite = rewrites->first; rewrite; rewrite = rewrite->next)
        if (!rewrite->over)
            finish(rewrite, error->code, error->text);
}

struct log_store_completion *mem_rewrites_take(struct mem_rewrites *rewrites) {
    struct mem_rewrite **at = &rewrites->first;
    while (*at && !(*at)->over)
        at = &(*at)->next;
    struct mem_rewrite *rewrite = *at;
    if (!rewrite)
        return NULL;
    struct log_store_completion *completion = rewrite->completion;
    if (completion->status != LF_OK) {
        free(completion->segments);
        completion->segments = NULL;
        completion->segment_count = 0;
    }
    rewrite->completion = NULL;
    *at = rewrite->next;
    destroy(rewrite);
    rewrites->count--;
    return completion;
}

uint64_t mem_rewrites_deadline(const struct mem_rewrites *rewrites) {
    uint64_t deadline_ms = UINT64_MAX;
    for (const struct mem_rewrite *rewrite = rewrites->first; rewrite; rewrite = rewrite->next) {
        bool now = rewrite->over || (!rewrite->begun && rewrite->writes == 0);
        bool waits = !now && (!rewrite->begun || rewrite->serial != 0);
        uint64_t at_ms = now ? 0 : rewrite->due_ms;
        if (!waits && at_ms < deadline_ms)
            deadline_ms = at_ms;
    }
    return deadline_ms;
}
