#include "partition_segments.h"

#include "lf_check.h"
#include "log_row.h"

#include <inttypes.h>
#include <stdlib.h>

void partition_segments_deinit(struct partition_segments *segments) {
    free(segments->sealed);
    free(segments->decisions);
    *segments = (struct partition_segments){0};
}

enum lf_status partition_segments_reserve(struct partition_segments *segments) {
    enum lf_status status =
        log_array_reserve(&segments->sealed, &segments->capacity, segments->count, sizeof *segments->sealed);
    if (status == LF_OK)
        status = log_array_reserve(&segments->decisions, &segments->decision_capacity, segments->decision_count,
                                   sizeof *segments->decisions);
    return status;
}

void partition_segments_begin(struct partition_segments *segments, uint64_t index, int64_t offset,
                              uint64_t log_time_ms) {
    log_segment_begin(&segments->open, index + 1, (uint64_t)offset, log_time_ms);
}

static void count(struct partition_segments *segments, const struct log_segment *segment) {
    segments->bytes += segment->bytes;
    segments->command_bytes += segment->command_bytes;
}

static void discount(struct partition_segments *segments, size_t at, size_t removed) {
    for (size_t i = at; i < at + removed; i++) {
        segments->bytes -= segments->sealed[i].bytes;
        segments->command_bytes -= segments->sealed[i].command_bytes;
    }
}

enum lf_status partition_segments_load(struct partition_segments *segments, const struct log_segment *sealed,
                                       size_t sealed_count, struct lf_error *error) {
    for (size_t i = 1; i < sealed_count; i++)
        if (sealed[i].first_index != sealed[i - 1].last_index + 1 || sealed[i].base_offset != sealed[i - 1].end_offset)
            return lf_error_set(error, LF_DAMAGED, "the segment %" PRIu64 "-%" PRIu64 " does not follow %" PRIu64,
                                sealed[i].first_index, sealed[i].last_index, sealed[i - 1].last_index);
    segments->sealed = calloc(sealed_count + 1, sizeof *segments->sealed);
    if (!segments->sealed)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for %zu segments", sealed_count);
    segments->capacity = sealed_count + 1;
    segments->count = sealed_count;
    for (size_t i = 0; i < sealed_count; i++) {
        segments->sealed[i] = sealed[i];
        count(segments, &sealed[i]);
    }
    return LF_OK;
}

static size_t lower_bound(const struct partition_segments *segments, uint64_t first_index) {
    size_t low = 0, high = segments->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (segments->sealed[middle].first_index < first_index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t partition_segments_find(const struct partition_segments *segments, uint64_t first_index, uint64_t last_index,
                               size_t *at) {
    *at = lower_bound(segments, first_index);
    size_t end = lower_bound(segments, last_index + 1);
    bool borders = *at < end && segments->sealed[*at].first_index == first_index &&
                   segments->sealed[end - 1].last_index == last_index;
    return borders ? end - *at : 0;
}

uint32_t partition_segments_checksum(const struct log_segment *segments, size_t segment_count) {
    uint32_t checksum = 0;
    for (size_t i = 0; i < segment_count; i++)
        checksum = log_segment_sum(checksum, &segments[i]);
    return checksum ? checksum : 1;
}

static uint64_t first_index(const struct partition_segments *segments) {
    return segments->count > 0 ? segments->sealed[0].first_index : segments->open.first_index;
}

/** Is nothing of its range here any more, since it was dropped ahead of the decision to drop it? */
static bool is_gone(const struct partition_segments *segments, const struct partition_decision *decision) {
    return segments->heard_start > 0 && decision->type == LF_ENTRY_REWRITE &&
           decision->rewrite.last_index < first_index(segments);
}

enum lf_status partition_segments_check(const struct partition_segments *segments,
                                        const struct partition_decision *decision, struct lf_error *error) {
    size_t at;
    if (decision->type != LF_ENTRY_REWRITE || is_gone(segments, decision))
        return LF_OK;
    if (segments->decision_count + 1 >= PARTITION_DECISIONS_MAX)
        return lf_error_set(error, LF_FULL, "%zu decisions about segments wait to be carried out",
                            segments->decision_count);
    /* Behind another one it can be told only when that one is done. */
    if (segments->decision_count == 0 &&
        partition_segments_find(segments, decision->rewrite.first_index, decision->rewrite.last_index, &at) == 0)
        return lf_error_set(error, LF_INTERNAL,
                            "entry %" PRIu64 ": %" PRIu64 " and %" PRIu64 " are no borders of segments",
                            decision->index, decision->rewrite.first_index, decision->rewrite.last_index);
    return LF_OK;
}

/* ---- rows of waiting decisions ---- */

static enum lf_status put_row(const struct partition_decision *decision, bool there, struct log_store_write *write) {
    uint8_t key[PARTITION_DECISION_KEY_BYTES], row[PARTITION_DECISION_ROW_BYTES_MAX];
    if (!write)
        return LF_OK;
    partition_decision_key(decision->index, key);
    size_t bytes = partition_decision_encode(decision, row);
    return log_store_write_add_row(write, lf_bytes(key, sizeof key),
                                   there ? lf_bytes(row, bytes) : (struct lf_bytes){0});
}

/* ---- effects ---- */

enum lf_status partition_segments_roll(struct partition_segments *segments, struct log_store_write *write) {
    const struct log_segment *open = &segments->open;
    lf_check(open->entry_count > 0);
    lf_check(segments->count < segments->capacity);
    if (write && log_store_write_add_seal(write, open) != LF_OK)
        return LF_NO_MEMORY;
    segments->seals_checksum = log_segment_sum(segments->seals_checksum, open);
    count(segments, open);
    segments->sealed[segments->count++] = *open;
    partition_segments_begin(segments, open->last_index, (int64_t)open->end_offset, open->last_log_time_ms);
    return LF_OK;
}

static bool drop(struct partition_segments *segments, uint64_t sealed_before, int64_t offset,
                 struct log_store_write *write) {
    size_t gone = 0;
    while (gone < segments->count && segments->sealed[gone].last_index < sealed_before &&
           segments->sealed[gone].end_offset <= (uint64_t)offset)
        gone++;
    if (gone == 0)
        return false;
    if (write)
        write->drop_before = segments->sealed[gone - 1].last_index + 1;
    discount(segments, 0, gone);
    segments->count -= gone;
    memmove(segments->sealed, segments->sealed + gone, segments->count * sizeof *segments->sealed);
    return true;
}

bool partition_segments_drop_ahead(struct partition_segments *segments, int64_t offset, struct log_store_write *write) {
    if (segments->decision_count > 0 || offset <= segments->heard_start || !drop(segments, UINT64_MAX, offset, write))
        return false;
    segments->heard_start = offset;
    return true;
}

/** Would nothing be left of what the waiting decisions are about? Then it does not matter what they would have made.
 *  Rewrites only take borders away, so that a border of a later one is one in the list as it stands. */
static bool makes_void(const struct partition_segments *segments, const struct partition_decision *decision) {
    for (size_t i = 0; i < segments->decision_count; i++) {
        const struct partition_decision *waiting = &segments->decisions[i];
        if (waiting->type != LF_ENTRY_REWRITE)
            continue;
        size_t end = lower_bound(segments, waiting->rewrite.last_index + 1);
        if (end == 0 || segments->sealed[end - 1].last_index != waiting->rewrite.last_index ||
            segments->sealed[end - 1].end_offset > (uint64_t)decision->offset)
            return false;
    }
    return true;
}

static enum lf_status forget_waiting(struct partition_segments *segments, struct log_store_write *write) {
    for (size_t i = 0; i < segments->decision_count; i++)
        if (put_row(&segments->decisions[i], false, write) != LF_OK)
            return LF_NO_MEMORY;
    if (write && segments->decision_count > 0)
        write->unstage = true;
    segments->decision_count = 0;
    return LF_OK;
}

/** Behind a rewrite. Of drops that wait together the last one says it all. */
static enum lf_status wait(struct partition_segments *segments, const struct partition_decision *decision,
                           struct log_store_write *write) {
    struct partition_decision *last =
        segments->decision_count > 0 ? &segments->decisions[segments->decision_count - 1] : NULL;
    if (last && last->type == LF_ENTRY_LOG_START && decision->type == LF_ENTRY_LOG_START) {
        if (put_row(last, false, write) != LF_OK)
            return LF_NO_MEMORY;
        segments->decision_count--;
    }
    if (put_row(decision, true, write) != LF_OK)
        return LF_NO_MEMORY;
    lf_check(segments->decision_count < segments->decision_capacity);
    segments->decisions[segments->decision_count++] = *decision;
    return LF_OK;
}

enum lf_status partition_segments_decide(struct partition_segments *segments, const struct partition_decision *decision,
                                         struct log_store_write *write) {
    if (decision->type == LF_ENTRY_REWRITE) {
        segments->expected = 0;
        segments->own = 0;
        if (segments->decision_count == 0 && is_gone(segments, decision))
            return LF_OK;
        return wait(segments, decision, write);
    }
    if (!makes_void(segments, decision))
        return wait(segments, decision, write);
    enum lf_status status = forget_waiting(segments, write);
    if (status == LF_OK)
        drop(segments, decision->index, decision->offset, write);
    return status;
}

enum lf_status partition_segments_expect(struct partition_segments *segments, uint64_t rewrite_index, uint32_t checksum,
                                         struct log_store_write *write) {
    segments->expected = checksum;
    for (size_t i = 0; i < segments->decision_count; i++) {
        if (segments->decisions[i].index != rewrite_index)
            continue;
        segments->decisions[i].expected = checksum;
        return put_row(&segments->decisions[i], true, write);
    }
    return LF_OK;
}

/* ---- carrying out what waited ---- */

static enum lf_status judge_result(const struct partition_decision *decision, const struct log_segment *old,
                                   size_t old_count, const struct log_segment *made, size_t made_count,
                                   struct lf_error *error) {
    const struct log_segment *last = &old[old_count - 1];
    bool good = made_count > 0 && made[0].first_index == old[0].first_index &&
                made[0].base_offset == old[0].base_offset && made[made_count - 1].last_index == last->last_index &&
                made[made_count - 1].last_term == last->last_term &&
                made[made_count - 1].end_offset == last->end_offset;
    for (size_t i = 1; i < made_count && good; i++)
        good = made[i].first_index == made[i - 1].last_index + 1 && made[i].base_offset == made[i - 1].end_offset;
    if (!good)
        return lf_error_set(error, LF_INTERNAL,
                            "the rewrite %" PRIu64 " of the segments from %" PRIu64 " to %" PRIu64
                            " left %zu that do not stand for the same",
                            decision->index, old[0].first_index, last->last_index, made_count);
    uint32_t checksum = partition_segments_checksum(made, made_count);
    if (decision->expected != 0 && decision->expected != checksum)
        return lf_error_set(error, LF_INTERNAL,
                            "the rewrite %" PRIu64 " of the segments from %" PRIu64 " to %" PRIu64
                            " came out as %08" PRIx32 " here and as %08" PRIx32 " where the leader was",
                            decision->index, old[0].first_index, last->last_index, checksum, decision->expected);
    return LF_OK;
}

static void put_in_place(struct partition_segments *segments, size_t at, size_t old_count,
                         const struct log_segment *made, size_t made_count) {
    discount(segments, at, old_count);
    memmove(&segments->sealed[at + made_count], &segments->sealed[at + old_count],
            (segments->count - at - old_count) * sizeof *segments->sealed);
    memcpy(&segments->sealed[at], made, made_count * sizeof *made);
    segments->count = segments->count - old_count + made_count;
    for (size_t i = 0; i < made_count; i++)
        count(segments, &made[i]);
}

static void pop(struct partition_segments *segments) {
    segments->decision_count--;
    memmove(segments->decisions, segments->decisions + 1, segments->decision_count * sizeof *segments->decisions);
}

enum lf_status partition_segments_rewritten(struct partition_segments *segments, bool is_last,
                                            const struct log_segment *made, size_t made_count,
                                            struct log_store_write *write, struct lf_error *error) {
    const struct partition_decision *decision = &segments->decisions[0];
    lf_check(segments->decision_count > 0 && decision->type == LF_ENTRY_REWRITE);
    size_t at,
        old_count = partition_segments_find(segments, decision->rewrite.first_index, decision->rewrite.last_index, &at);
    if (old_count == 0 || made_count > old_count)
        return lf_error_set(
            error, LF_INTERNAL, "the rewrite %" PRIu64 " of %zu segments from %" PRIu64 " to %" PRIu64 " left %zu",
            decision->index, old_count, decision->rewrite.first_index, decision->rewrite.last_index, made_count);
    enum lf_status status = judge_result(decision, &segments->sealed[at], old_count, made, made_count, error);
    if (status == LF_OK && write &&
        (put_row(decision, false, write) != LF_OK ||
         log_store_write_set_replacements(write, made, (uint32_t)made_count) != LF_OK))
        status = lf_error_set(error, LF_NO_MEMORY, "no memory for the rewrite %" PRIu64, decision->index);
    if (status != LF_OK)
        return status;
    if (is_last)
        segments->own = partition_segments_checksum(made, made_count);
    put_in_place(segments, at, old_count, made, made_count);
    pop(segments);
    return LF_OK;
}

enum lf_status partition_segments_carry_out(struct partition_segments *segments, struct log_store_write *write) {
    lf_check(segments->decision_count > 0 && segments->decisions[0].type == LF_ENTRY_LOG_START);
    if (put_row(&segments->decisions[0], false, write) != LF_OK)
        return LF_NO_MEMORY;
    drop(segments, segments->decisions[0].index, segments->decisions[0].offset, write);
    pop(segments);
    return LF_OK;
}
