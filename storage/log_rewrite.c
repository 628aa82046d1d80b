#include "log_rewrite.h"
#include "log_rewrite_batch.h"

#include "lf_check.h"

#include <inttypes.h>
#include <stdlib.h>

enum phase { PHASE_KEYS, PHASE_LATER, PHASE_WRITE, PHASE_DONE };

/** A pass over the old segments in order, which finds out whether they hold what they should (W7). */
struct pass {
    uint64_t next_index;
    size_t segment;         /* the one that next_index is in; segment_count at the end */
    struct log_segment sum; /* what of it was seen */
};

struct log_rewrite {
    struct log_store_rewrite request;
    struct log_segment *segments;
    size_t segment_count;
    struct log_rewrite_io io;
    struct key_map map;
    struct batch_survivors survivors;
    enum phase phase;
    struct pass keys, write;
    uint64_t window_begin, window_end; /* the second is outside */
    uint64_t later_index;              /* what PHASE_LATER reads next */
    bool stayed_whole;                 /* W3: a batch did, by W4 */
    size_t reading;                    /* the old segment that was read last */
    struct log_segment made;           /* the new segment under way */
    size_t made_from;                  /* its first old one */
    struct log_rewrite_figures figures;
};

static enum lf_status judge(const struct log_store_rewrite *request, const struct log_segment *segments, size_t count,
                            struct lf_error *error) {
    bool fits = count > 0 && segments[0].first_index == request->first_index &&
                segments[count - 1].last_index == request->last_index;
    for (size_t i = 1; i < count && fits; i++)
        fits = segments[i].first_index == segments[i - 1].last_index + 1;
    if (fits)
        return LF_OK;
    return lf_error_set(error, LF_INVALID,
                        "group %" PRIu64 ": entries %" PRIu64 " to %" PRIu64
                        " are not from border to border of segments",
                        request->group, request->first_index, request->last_index);
}

static void begin_sum(const struct log_rewrite *rewrite, struct pass *pass) {
    if (pass->segment < rewrite->segment_count)
        log_segment_begin(&pass->sum, rewrite->segments[pass->segment].first_index, 0, 0);
}

static void begin_made(struct log_rewrite *rewrite, size_t from) {
    rewrite->made_from = from;
    if (from < rewrite->segment_count)
        log_segment_begin(&rewrite->made, rewrite->segments[from].first_index, 0, 0);
}

enum lf_status log_rewrite_new(const struct log_store_rewrite *request, const struct log_segment *segments,
                               size_t segment_count, size_t memory_bytes, const struct log_rewrite_io *io,
                               struct log_rewrite **out, struct lf_error *error) {
    enum lf_status status = judge(request, segments, segment_count, error);
    if (status != LF_OK)
        return status;
    struct log_rewrite *rewrite = calloc(1, sizeof *rewrite);
    struct log_segment *copy = calloc(segment_count, sizeof *copy);
    if (!rewrite || !copy) {
        free(rewrite);
        free(copy);
        return lf_error_set(error, LF_NO_MEMORY, "no memory to rewrite %zu segments", segment_count);
    }
    memcpy(copy, segments, segment_count * sizeof *copy);
    *rewrite = (struct log_rewrite){.request = *request,
                                    .segments = copy,
                                    .segment_count = segment_count,
                                    .io = *io,
                                    .phase = request->compact ? PHASE_KEYS : PHASE_WRITE,
                                    .keys.next_index = request->first_index,
                                    .write.next_index = request->first_index,
                                    .window_begin = request->first_index,
                                    .window_end = request->last_index + 1};
    key_map_init(&rewrite->map, memory_bytes > 0 ? memory_bytes : LOG_REWRITE_MEMORY_BYTES_DEFAULT);
    begin_sum(rewrite, &rewrite->keys);
    begin_sum(rewrite, &rewrite->write);
    begin_made(rewrite, 0);
    *out = rewrite;
    return LF_OK;
}

void log_rewrite_destroy(struct log_rewrite **where) {
    struct log_rewrite *rewrite = *where;
    *where = NULL;
    if (!rewrite)
        return;
    key_map_deinit(&rewrite->map);
    batch_survivors_deinit(&rewrite->survivors);
    free(rewrite->segments);
    free(rewrite);
}

const struct log_segment *log_rewrite_damaged(const struct log_rewrite *rewrite) {
    return &rewrite->segments[rewrite->reading];
}

void log_rewrite_figures(const struct log_rewrite *rewrite, struct log_rewrite_figures *out) {
    *out = rewrite->figures;
}

static enum lf_status no_memory(const struct log_rewrite *rewrite, struct lf_error *error) {
    return lf_error_set(error, LF_NO_MEMORY, "group %" PRIu64 ": no memory to rewrite entries %" PRIu64 " to %" PRIu64,
                        rewrite->request.group, rewrite->request.first_index, rewrite->request.last_index);
}

/** An entry that was read, checked. */
struct entry {
    struct lf_bytes bytes, payload;
    struct lf_entry_header header;
};

/** The next one at or above index and below `end`. LF_END: none. */
static enum lf_status read_entry(struct log_rewrite *rewrite, uint64_t index, uint64_t end, struct entry *entry,
                                 struct lf_error *error) {
    if (index >= end)
        return LF_END;
    while (rewrite->reading > 0 && rewrite->segments[rewrite->reading].first_index > index)
        rewrite->reading--;
    while (rewrite->segments[rewrite->reading].last_index < index)
        rewrite->reading++;
    enum lf_status status = rewrite->io.read(rewrite->io.context, index, end - 1, &entry->bytes, error);
    if (status != LF_OK)
        return status;
    status = lf_entry_check(entry->bytes, rewrite->request.group, &entry->header, &entry->payload, error);
    if (status != LF_OK) {
        lf_error_context(error, "group %" PRIu64 ": an entry from %" PRIu64 " on", rewrite->request.group, index);
        if (error)
            error->code = LF_DAMAGED;
        return LF_DAMAGED;
    }
    lf_check(entry->header.index >= index);
    lf_check(entry->header.index < end);
    rewrite->figures.entries_read++;
    rewrite->figures.bytes_read += entry->bytes.size;
    return LF_OK;
}

/* ---- new segments ---- */

/** All of the new segment was put; its last old one is segments[last]. What describes the range comes from the old. */
static enum lf_status give_out(struct log_rewrite *rewrite, size_t last, struct lf_error *error) {
    const struct log_segment *old = rewrite->segments;
    struct log_segment made = rewrite->made;
    made.first_index = old[rewrite->made_from].first_index;
    made.base_offset = old[rewrite->made_from].base_offset;
    made.first_log_time_ms = old[rewrite->made_from].first_log_time_ms;
    made.last_index = old[last].last_index;
    made.last_term = old[last].last_term;
    made.end_offset = old[last].end_offset;
    made.last_log_time_ms = old[last].last_log_time_ms;
    made.max_timestamp_ms = -1;
    for (size_t i = rewrite->made_from; i <= last; i++) {
        if (old[i].max_timestamp_ms > made.max_timestamp_ms)
            made.max_timestamp_ms = old[i].max_timestamp_ms;
        if (old[i].rewrites >= made.rewrites)
            made.rewrites = old[i].rewrites + 1;
    }
    begin_made(rewrite, last + 1);
    return rewrite->io.segment(rewrite->io.context, &made, error);
}

/** The pass has left its segment. */
static enum lf_status close_segment(struct log_rewrite *rewrite, struct pass *pass, struct lf_error *error) {
    const struct log_segment *old = &rewrite->segments[pass->segment], *seen = &pass->sum;
    rewrite->reading = pass->segment;
    if (seen->entry_count != old->entry_count || seen->bytes != old->bytes || seen->checksum != old->checksum)
        return lf_error_set(error, LF_DAMAGED,
                            "group %" PRIu64 ": segment %" PRIu64 "-%" PRIu64 " holds %" PRIu64
                            " entries with checksum %08" PRIx64 ", not %" PRIu64 " with %08" PRIx64,
                            rewrite->request.group, old->first_index, old->last_index, seen->entry_count,
                            seen->checksum, old->entry_count, old->checksum);
    bool is_last = pass->segment + 1 == rewrite->segment_count;
    enum lf_status status = LF_OK;
    if (pass == &rewrite->write && (is_last || rewrite->made.bytes >= rewrite->request.segment_bytes))
        status = give_out(rewrite, pass->segment, error);
    pass->segment++;
    begin_sum(rewrite, pass);
    return status;
}

/** Close those that end before index. */
static enum lf_status close_before(struct log_rewrite *rewrite, struct pass *pass, uint64_t index,
                                   struct lf_error *error) {
    enum lf_status status = LF_OK;
    while (status == LF_OK && pass->segment < rewrite->segment_count &&
           rewrite->segments[pass->segment].last_index < index)
        status = close_segment(rewrite, pass, error);
    return status;
}

static void pass_over(struct pass *pass, const struct entry *entry) {
    log_segment_add(&pass->sum, entry->bytes);
    pass->next_index = entry->header.index + 1;
}

/* ---- the three steps. Each takes one entry; LF_END: its phase is over ---- */

static enum lf_status step_keys(struct log_rewrite *rewrite, struct lf_error *error) {
    struct entry entry;
    enum lf_status status =
        read_entry(rewrite, rewrite->keys.next_index, rewrite->request.last_index + 1, &entry, error);
    if (status == LF_END) {
        rewrite->window_end = rewrite->request.last_index + 1;
        status = close_before(rewrite, &rewrite->keys, rewrite->window_end, error);
        return status == LF_OK ? LF_END : status;
    }
    if (status == LF_OK)
        status = close_before(rewrite, &rewrite->keys, entry.header.index, error);
    if (status != LF_OK)
        return status;
    if (entry.header.type == LF_ENTRY_BATCH) {
        status = batch_keys_note(&rewrite->map, entry.payload, true, rewrite->keys.next_index == rewrite->window_begin);
        if (status == LF_FULL) {
            rewrite->window_end = rewrite->later_index = entry.header.index;
            return LF_END;
        }
        if (status != LF_OK)
            return no_memory(rewrite, error);
    }
    pass_over(&rewrite->keys, &entry);
    return LF_OK;
}

static enum lf_status step_later(struct log_rewrite *rewrite, struct lf_error *error) {
    struct entry entry;
    enum lf_status status = read_entry(rewrite, rewrite->later_index, rewrite->request.last_index + 1, &entry, error);
    if (status != LF_OK)
        return status;
    rewrite->later_index = entry.header.index + 1;
    if (entry.header.type == LF_ENTRY_BATCH && batch_keys_note(&rewrite->map, entry.payload, false, false) != LF_OK)
        return no_memory(rewrite, error);
    return LF_OK;
}

static enum lf_status put_batch(struct log_rewrite *rewrite, const struct entry *entry, struct lf_bytes *left,
                                struct lf_error *error) {
    struct batch_survivors *survivors = &rewrite->survivors;
    enum batch_fate fate;
    survivors->tombstones_before_ms = rewrite->stayed_whole ? 0 : rewrite->request.tombstones_before_ms;
    if (batch_survivors_of(survivors, &rewrite->map, rewrite->request.group, &entry->header, entry->payload, &fate) !=
        LF_OK)
        return no_memory(rewrite, error);
    rewrite->figures.records += survivors->records;
    rewrite->figures.records_kept += survivors->records_kept;
    if (fate == BATCH_UNSOUND) {
        rewrite->figures.batches_whole++;
        rewrite->stayed_whole = true;
    }
    if (fate == BATCH_GOES)
        *left = lf_bytes(NULL, 0);
    else if (fate == BATCH_THINNED)
        *left = survivors->entry;
    return LF_OK;
}

static enum lf_status step_write(struct log_rewrite *rewrite, struct lf_error *error) {
    struct entry entry;
    enum lf_status status = read_entry(rewrite, rewrite->write.next_index, rewrite->window_end, &entry, error);
    if (status == LF_END) {
        rewrite->write.next_index = rewrite->window_end;
        status = close_before(rewrite, &rewrite->write, rewrite->window_end, error);
        return status == LF_OK ? LF_END : status;
    }
    if (status == LF_OK)
        status = close_before(rewrite, &rewrite->write, entry.header.index, error);
    if (status != LF_OK)
        return status;
    struct lf_bytes left = entry.bytes;
    if (entry.header.type != LF_ENTRY_BATCH && rewrite->request.drop_commands)
        left = lf_bytes(NULL, 0);
    else if (entry.header.type == LF_ENTRY_BATCH && rewrite->request.compact)
        status = put_batch(rewrite, &entry, &left, error);
    if (status == LF_OK && left.size > 0) {
        log_segment_add(&rewrite->made, left);
        status = rewrite->io.put(rewrite->io.context, entry.header.index, left, error);
    }
    pass_over(&rewrite->write, &entry);
    return status;
}

static void begin_next_window(struct log_rewrite *rewrite) {
    if (rewrite->window_end > rewrite->request.last_index) {
        rewrite->phase = PHASE_DONE;
        return;
    }
    key_map_clear(&rewrite->map);
    rewrite->window_begin = rewrite->keys.next_index = rewrite->window_end;
    rewrite->phase = PHASE_KEYS;
}

static void end_phase(struct log_rewrite *rewrite) {
    if (rewrite->phase == PHASE_WRITE) {
        begin_next_window(rewrite);
        return;
    }
    if (rewrite->phase == PHASE_KEYS) {
        size_t bytes = rewrite->map.slot_count * sizeof rewrite->map.slots[0];
        if (bytes > rewrite->figures.memory_bytes_max)
            rewrite->figures.memory_bytes_max = bytes;
        rewrite->figures.windows++;
        if (rewrite->window_end <= rewrite->request.last_index) {
            rewrite->phase = PHASE_LATER;
            return;
        }
    }
    rewrite->phase = PHASE_WRITE;
}

enum lf_status log_rewrite_step(struct log_rewrite *rewrite, size_t bytes, struct lf_error *error) {
    uint64_t until = rewrite->figures.bytes_read + (bytes > 0 ? bytes : 1);
    while (rewrite->phase != PHASE_DONE && rewrite->figures.bytes_read < until) {
        enum lf_status status = rewrite->phase == PHASE_KEYS    ? step_keys(rewrite, error)
                                : rewrite->phase == PHASE_LATER ? step_later(rewrite, error)
                                                                : step_write(rewrite, error);
        if (status == LF_END)
            end_phase(rewrite);
        else if (status != LF_OK)
            return status;
    }
    return rewrite->phase == PHASE_DONE ? LF_OK : LF_AGAIN;
}
