#include "log_stage.h"

#include "lf_entry.h"

#include <inttypes.h>

enum lf_status log_stage_begin(struct log_stage *stage, uint64_t group, const struct log_segment *segment,
                               struct lf_error *error) {
    if (!log_segment_consistent(segment))
        return lf_error_set(error, LF_INVALID,
                            "group %" PRIu64 ": the descriptor of the segment %" PRIu64 "-%" PRIu64
                            " contradicts itself",
                            group, segment->first_index, segment->last_index);
    *stage = (struct log_stage){.wanted = *segment, .group = group};
    log_segment_begin(&stage->seen, segment->first_index, segment->base_offset, segment->first_log_time_ms);
    return LF_OK;
}

static enum lf_status damaged(const struct log_stage *stage, struct lf_error *error, const char *what) {
    return lf_error_set(error, LF_DAMAGED,
                        "group %" PRIu64 ": a piece of the segment %" PRIu64 "-%" PRIu64 " after entry %" PRIu64 ": %s",
                        stage->group, stage->wanted.first_index, stage->wanted.last_index, stage->seen.last_index,
                        what);
}

enum lf_status log_stage_add(struct log_stage *stage, struct lf_bytes entry, uint64_t *index, struct lf_error *error) {
    const struct log_segment *wanted = &stage->wanted, *seen = &stage->seen;
    struct lf_entry_header header;
    struct lf_bytes payload;
    struct lf_error detail = {0};
    if (lf_entry_check(entry, stage->group, &header, &payload, &detail) != LF_OK)
        return damaged(stage, error, detail.text);
    if (header.index <= seen->last_index || header.index > wanted->last_index)
        return damaged(stage, error, "an entry outside the range, or out of order");
    if (header.term < stage->term || header.term > wanted->last_term)
        return damaged(stage, error, "an entry of a term that does not fit");
    if (header.end_offset < seen->end_offset || header.end_offset > wanted->end_offset)
        return damaged(stage, error, "an entry with an offset that does not fit");
    if (header.log_time_ms < seen->last_log_time_ms || header.log_time_ms > wanted->last_log_time_ms)
        return damaged(stage, error, "an entry with a log time that does not fit");
    if (seen->entry_count == wanted->entry_count || entry.size > wanted->bytes - seen->bytes)
        return damaged(stage, error, "more than the descriptor says");
    *index = header.index;
    stage->term = header.term;
    log_segment_add(&stage->seen, entry);
    return LF_OK;
}

enum lf_status log_stage_end(const struct log_stage *stage, struct lf_error *error) {
    const struct log_segment *wanted = &stage->wanted, *seen = &stage->seen;
    if (wanted->entry_count != seen->entry_count || wanted->bytes != seen->bytes ||
        wanted->command_bytes != seen->command_bytes)
        return damaged(stage, error, "not the number of entries and bytes that the descriptor says");
    if (wanted->checksum != seen->checksum)
        return damaged(stage, error, "not the checksum that the descriptor says");
    if (wanted->last_index == seen->last_index &&
        (wanted->last_term != seen->last_term || wanted->end_offset != seen->end_offset))
        return damaged(stage, error, "it does not end as the descriptor says");
    if (log_segment_whole(wanted) && wanted->rewrites == 0 && !log_segment_equal(wanted, seen))
        return damaged(stage, error, "not the times that the descriptor says");
    return LF_OK;
}
