/** Judging a write against a group's shape: every rule of the contract that can be seen from the shape alone. */
#include "log_group.h"

#include "lf_entry.h"

#include <inttypes.h>

static enum lf_status refuse(const struct log_store_write *write, struct lf_error *error, const char *why, uint64_t got,
                             uint64_t have) {
    return lf_error_set(error, LF_INVALID, "group %" PRIu64 ": %s (%" PRIu64 ", have %" PRIu64 ")", write->group, why,
                        got, have);
}

/* The end of the log once the write has truncated or installed, before its entries are put. */
static uint64_t end_after_truncation(const struct log_group *group, const struct log_store_write *write) {
    if (write->install)
        return write->install_index;
    if (write->truncate_from == 0 || write->truncate_from > group->last_index)
        return group->last_index;
    return write->truncate_from - 1;
}

static uint64_t end_after(const struct log_group *group, const struct log_store_write *write) {
    return end_after_truncation(group, write) + write->entry_count;
}

static uint64_t applied_after(const struct log_group *group, const struct log_store_write *write) {
    return write->applied_index != 0 ? write->applied_index : group->applied_index;
}

static bool touches_log(const struct log_store_write *write) {
    return write->truncate_from || write->entry_count || write->seal_count || write->drop_before ||
           write->replacement_count;
}

static enum lf_status judge_existence(const struct log_group *group, const struct log_store_write *write,
                                      struct lf_error *error) {
    if (write->create && write->destroy)
        return refuse(write, error, "create and destroy in one write", 0, 0);
    if (write->create && group)
        return refuse(write, error, "the group to create exists", write->replica_id, group->replica_id);
    if (!write->create && !group)
        return refuse(write, error, "no such group", 0, 0);
    if (write->has_cluster_id && write->group != 0)
        return refuse(write, error, "only group 0 pins the cluster id", 0, 0);
    bool more = write->has_hard_state || touches_log(write) || write->applied_index || write->row_count ||
                write->hint_count || write->has_cluster_id || write->install || write->unstage;
    if (write->destroy && more)
        return refuse(write, error, "a write that destroys carries more", write->entry_count, 0);
    if (write->install && (write->truncate_from || write->seal_count || write->drop_before || write->replacement_count))
        return refuse(write, error, "a write that installs touches the old log too", write->install_index, 0);
    return LF_OK;
}

static enum lf_status judge_hard_state(const struct log_group *group, const struct log_store_write *write,
                                       struct lf_error *error) {
    if (!write->has_hard_state)
        return LF_OK;
    if (write->term < group->term)
        return refuse(write, error, "the term would go back", write->term, group->term);
    if (write->term == group->term && group->vote != 0 && write->vote != group->vote)
        return refuse(write, error, "a second vote in one term", write->vote, group->vote);
    return LF_OK;
}

static enum lf_status judge_entries(const struct log_group *group, const struct log_store_write *write,
                                    struct lf_error *error) {
    uint64_t end = end_after_truncation(group, write);
    if (write->entry_count > 0 && write->first_index != end + 1)
        return refuse(write, error, "entries do not follow the log's end: first", write->first_index, end);
    uint64_t term = write->install ? write->install_term : log_group_term_at(group, end);
    uint64_t term_max = write->has_hard_state ? write->term : group->term;
    for (uint32_t i = 0; i < write->entry_count; i++) {
        struct lf_entry_header header;
        struct lf_bytes payload;
        if (lf_entry_decode(lf_buf_bytes(write->entries[i]), &header, &payload) != LF_OK)
            return refuse(write, error, "malformed entry", write->first_index + i, 0);
        if (header.index != write->first_index + i)
            return refuse(write, error, "the entry's own index differs", header.index, write->first_index + i);
        if (header.term < term || header.term == 0)
            return refuse(write, error, "the entry's term is below the one before it", header.term, term);
        if (header.term > term_max)
            return refuse(write, error, "the entry's term is above the durable term", header.term, term_max);
        term = header.term;
    }
    return LF_OK;
}

static enum lf_status judge_applied(const struct log_group *group, const struct log_store_write *write,
                                    struct lf_error *error) {
    uint64_t end = end_after(group, write);
    if (write->truncate_from != 0 && write->truncate_from <= group->applied_index)
        return refuse(write, error, "truncation of applied entries from", write->truncate_from, group->applied_index);
    if (write->applied_index != 0 && write->applied_index < group->applied_index)
        return refuse(write, error, "the applied index would go back", write->applied_index, group->applied_index);
    if (write->applied_index > end)
        return refuse(write, error, "the applied index is beyond the log's end", write->applied_index, end);
    for (uint32_t i = 0; i < write->hint_count; i++)
        if (write->hints[i].index < LOG_GROUP_FIRST_INDEX || write->hints[i].index > end + 1)
            return refuse(write, error, "a hint is outside the log", write->hints[i].index, end);
    return LF_OK;
}

/* The segments as they are once the seals of the write are added. */
static size_t sealed_count(const struct log_group *group, const struct log_store_write *write) {
    return group->segment_count + write->seal_count;
}

static const struct log_segment *sealed_at(const struct log_group *group, const struct log_store_write *write,
                                           size_t at) {
    return at < group->segment_count ? &group->segments[at].segment : &write->seals[at - group->segment_count];
}

/* Term of an entry once the entries of the write are put; 0 outside. */
static uint64_t term_after(const struct log_group *group, const struct log_store_write *write, uint64_t index) {
    if (index <= end_after_truncation(group, write))
        return log_group_term_at(group, index);
    struct lf_entry_header header;
    struct lf_bytes payload;
    if (index > end_after(group, write) ||
        lf_entry_decode(lf_buf_bytes(write->entries[index - write->first_index]), &header, &payload) != LF_OK)
        return 0;
    return header.term;
}

static enum lf_status judge_seals(const struct log_group *group, const struct log_store_write *write,
                                  struct lf_error *error) {
    uint64_t next = log_group_active_index(group);
    for (uint32_t i = 0; i < write->seal_count; i++) {
        const struct log_segment *seal = &write->seals[i];
        size_t at = group->segment_count + i;
        if (!log_segment_consistent(seal))
            return refuse(write, error, "a sealed segment's descriptor contradicts itself", seal->first_index, next);
        if (seal->first_index != next)
            return refuse(write, error, "a segment is not sealed where the one before it ends", seal->first_index,
                          next);
        if (at > 0 && !log_segment_follows(seal, sealed_at(group, write, at - 1)))
            return refuse(write, error, "a sealed segment does not follow the one before it", seal->first_index, next);
        if (!log_segment_whole(seal) || seal->rewrites != 0)
            return refuse(write, error, "a segment is sealed that lacks entries", seal->entry_count,
                          seal->last_index - seal->first_index + 1);
        if (seal->last_index > applied_after(group, write))
            return refuse(write, error, "a segment is sealed beyond what is applied", seal->last_index,
                          applied_after(group, write));
        if (seal->last_term != term_after(group, write, seal->last_index))
            return refuse(write, error, "a sealed segment's last term is not the log's", seal->last_term,
                          term_after(group, write, seal->last_index));
        next = seal->last_index + 1;
    }
    return LF_OK;
}

static bool is_staged(const struct log_group *group, const struct log_segment *segment) {
    for (size_t i = 0; i < group->staged_count; i++)
        if (log_held_compare(&group->staged[i].segment, segment) == 0)
            return true;
    return false;
}

static bool is_held(const struct log_group *group, const struct log_store_write *write,
                    const struct log_segment *segment) {
    for (size_t i = 0; i < sealed_count(group, write); i++)
        if (log_held_compare(sealed_at(group, write, i), segment) == 0)
            return true;
    return false;
}

/* Segments that come in place of others: consistent, one behind the other, their contents here. */
static enum lf_status judge_arrivals(const struct log_group *group, const struct log_store_write *write,
                                     const struct log_segment *segments, uint32_t count, struct lf_error *error) {
    for (uint32_t i = 0; i < count; i++) {
        if (!log_segment_consistent(&segments[i]))
            return refuse(write, error, "a new segment's descriptor contradicts itself", segments[i].first_index, i);
        if (i > 0 && !log_segment_follows(&segments[i], &segments[i - 1]))
            return refuse(write, error, "a new segment does not follow the one before it", segments[i].first_index,
                          segments[i - 1].last_index);
        if (!is_staged(group, &segments[i]) && !is_held(group, write, &segments[i]))
            return refuse(write, error, "a new segment is neither staged nor held", segments[i].first_index, i);
    }
    return LF_OK;
}

static enum lf_status judge_replacements(const struct log_group *group, const struct log_store_write *write,
                                         struct lf_error *error) {
    if (write->replacement_count == 0)
        return write->replacements ? refuse(write, error, "a replacement by nothing", 0, 0) : LF_OK;
    const struct log_segment *first = &write->replacements[0];
    const struct log_segment *last = &write->replacements[write->replacement_count - 1];
    const struct log_segment *old_first = NULL, *old_last = NULL;
    for (size_t i = 0; i < sealed_count(group, write); i++) {
        const struct log_segment *old = sealed_at(group, write, i);
        old_first = old->first_index == first->first_index ? old : old_first;
        old_last = old->last_index == last->last_index ? old : old_last;
    }
    if (!old_first)
        return refuse(write, error, "no segment begins where the new ones begin", first->first_index, 0);
    if (!old_last || old_last->last_index < old_first->last_index)
        return refuse(write, error, "no segment ends where the new ones end", last->last_index, 0);
    if (first->base_offset != old_first->base_offset)
        return refuse(write, error, "the new segments begin at another offset", first->base_offset,
                      old_first->base_offset);
    if (last->end_offset != old_last->end_offset)
        return refuse(write, error, "the new segments end at another offset", last->end_offset, old_last->end_offset);
    if (last->last_term != old_last->last_term)
        return refuse(write, error, "the new segments end in another term", last->last_term, old_last->last_term);
    if (first->first_log_time_ms < old_first->first_log_time_ms || last->last_log_time_ms > old_last->last_log_time_ms)
        return refuse(write, error, "the new segments' log times lie outside the old ones'", first->first_log_time_ms,
                      old_first->first_log_time_ms);
    return judge_arrivals(group, write, write->replacements, write->replacement_count, error);
}

/* Does a segment begin at `index`, or the last one end before it, once seals and replacements are done? */
static bool is_border(const struct log_group *group, const struct log_store_write *write, uint64_t index) {
    uint32_t count = write->replacement_count;
    for (uint32_t i = 0; i < count; i++)
        if (write->replacements[i].first_index == index || write->replacements[i].last_index + 1 == index)
            return true;
    if (count > 0 && index > write->replacements[0].first_index && index <= write->replacements[count - 1].last_index)
        return false;
    for (size_t i = 0; i < sealed_count(group, write); i++)
        if (sealed_at(group, write, i)->first_index == index || sealed_at(group, write, i)->last_index + 1 == index)
            return true;
    return false;
}

static enum lf_status judge_drop(const struct log_group *group, const struct log_store_write *write,
                                 struct lf_error *error) {
    if (write->drop_before <= log_group_first_index(group) || is_border(group, write, write->drop_before))
        return LF_OK;
    return refuse(write, error, "no segment begins or ends where the log is to begin", write->drop_before,
                  log_group_first_index(group));
}

/* Term of the last entry of what is installed. */
static uint64_t installed_term(const struct log_store_write *write) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    if (write->entry_count == 0 ||
        lf_entry_decode(lf_buf_bytes(write->entries[write->entry_count - 1]), &header, &payload) != LF_OK)
        return write->install_term;
    return header.term;
}

static enum lf_status judge_install(const struct log_group *group, const struct log_store_write *write,
                                    struct lf_error *error) {
    uint64_t index = write->install_index, term = write->install_term;
    if (!write->install)
        return LF_OK;
    uint64_t end = end_after(group, write), end_term = installed_term(write);
    if (end <= group->applied_index)
        return refuse(write, error, "an image of what is applied already", end, group->applied_index);
    if (index == UINT64_MAX)
        return refuse(write, error, "an image at no index", index, group->last_index);
    if (end != index ? write->applied_index != end : write->applied_index != 0 && write->applied_index != end)
        return refuse(write, error, "an image at another index than is applied", end, write->applied_index);
    if (end_term < log_group_term_at(group, group->applied_index) || term == 0)
        return refuse(write, error, "the image's term is below the applied one", end_term, group->term);
    if (term > (write->has_hard_state ? write->term : group->term))
        return refuse(write, error, "the image's term is above the durable term", term, group->term);
    if (group->last_index > end && log_group_term_at(group, end) == end_term)
        return refuse(write, error, "an image over entries that follow its last one", end, group->last_index);
    const struct log_segment *last =
        write->install_count > 0 ? &write->install_segments[write->install_count - 1] : NULL;
    if (last && (last->last_index != index || last->last_term != term))
        return refuse(write, error, "the last segment does not end where the image is", last->last_index, index);
    return judge_arrivals(group, write, write->install_segments, write->install_count, error);
}

enum lf_status log_group_judge(const struct log_group *group, const struct log_store_write *write,
                               struct lf_error *error) {
    const struct log_group none = {0};
    enum lf_status status = judge_existence(group, write, error);
    if (status != LF_OK || write->destroy)
        return status;
    enum lf_status (*const rules[])(const struct log_group *, const struct log_store_write *, struct lf_error *) = {
        judge_hard_state, judge_entries, judge_applied, judge_seals, judge_replacements, judge_drop, judge_install};
    for (size_t i = 0; status == LF_OK && i < sizeof rules / sizeof rules[0]; i++)
        status = rules[i](group ? group : &none, write, error);
    return status;
}
