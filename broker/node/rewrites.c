/** Which segments a leader has rewritten: to compact by key (compaction.h), to be rid of commands, and to merge small
 *  neighbours.
 *
 *   W1  one at a time: the next after the REWRITTEN of the one before, which the leader proposes when its own is done
 *   W2  commands go when they exceed a quarter of what is sealed: where most of them are, a bounded range at a time
 *   W3  neighbours become one when there are many, far below segment.bytes, and none was sealed lately: merging writes
 *       all their bytes again, which does not pay while they may be dropped soon */
#include "compaction.h"
#include "node_internal.h"

#include "raft_log.pb-c.h"

/** Bytes of the segments that one rewrite takes. */
#define REWRITE_BYTES_MAX (256u * 1024 * 1024)
/** Not for a handful of entries: for this part of segment.bytes. */
#define COMMAND_DIVISOR 256
/** Small is below this part of segment.bytes. */
#define SMALL_DIVISOR 8
#define SMALL_COUNT_MIN 32
#define SMALL_AGE_MS (10u * 60 * 1000)

bool rewrites_propose(struct node *node, struct group *group, const struct log_store_rewrite *wanted,
                      uint64_t clean_before_ms) {
    Lf__RewriteEntry entry = LF__REWRITE_ENTRY__INIT;
    entry.first_index = wanted->first_index;
    entry.last_index = wanted->last_index;
    entry.segment_bytes = wanted->segment_bytes;
    entry.drop_commands = wanted->drop_commands;
    entry.compact = wanted->compact;
    entry.tombstones_before_ms = wanted->tombstones_before_ms;
    entry.clean_before_ms = clean_before_ms;
    uint8_t bytes[64];
    size_t size = lf__rewrite_entry__pack(&entry, bytes);
    lf_check(size <= sizeof bytes);
    return segments_propose(node, group, LF_ENTRY_REWRITE, lf_bytes(bytes, size));
}

/** A rewrite takes room before it gives some back. */
static bool all_have_room(const struct node *node, const struct group *group) {
    const struct raft_configuration *members = raft_configuration(group->raft);
    bool room = space_of(node, node->id) == NODE_SPACE_ENOUGH;
    for (uint32_t i = 0; i < members->voter_count; i++)
        room &= space_of(node, group_member_node(node, group, members->voters[i])) == NODE_SPACE_ENOUGH;
    for (uint32_t i = 0; i < members->learner_count; i++)
        room &= space_of(node, group_member_node(node, group, members->learners[i])) == NODE_SPACE_ENOUGH;
    return room;
}

bool rewrites_may_begin(const struct node *node, struct group *group, uint64_t last_index) {
    uint64_t index;
    uint32_t checksum;
    return !partition_rewrite_open(group->partition, &index, &checksum) &&
           partition_decisions_waiting(group->partition) == 0 && node->now_ms >= group->history_held_until_ms &&
           all_have_room(node, group) && segments_held_by_members(node, group, last_index);
}

/** W1. True: the last one is not over. */
static bool finish(struct node *node, struct group *group) {
    Lf__RewrittenEntry entry = LF__REWRITTEN_ENTRY__INIT;
    if (!partition_rewrite_open(group->partition, &entry.rewrite_index, &entry.checksum))
        return false;
    if (partition_decisions_waiting(group->partition) > 0)
        return true;
    uint8_t bytes[32];
    size_t size = lf__rewritten_entry__pack(&entry, bytes);
    lf_check(size <= sizeof bytes);
    segments_propose(node, group, LF_ENTRY_REWRITTEN, lf_bytes(bytes, size));
    return true;
}

struct range {
    size_t first, count;
    uint64_t bytes, command_bytes;
};

static void take(struct range *range, const struct log_segment *segment) {
    range->count++;
    range->bytes += segment->bytes;
    range->command_bytes += segment->command_bytes;
}

static bool is_small(const struct log_segment *segment, uint64_t segment_bytes) {
    return segment->bytes < segment_bytes / SMALL_DIVISOR;
}

static bool is_full_of_commands(const struct log_segment *segment) {
    return segment->command_bytes * 4 > segment->bytes;
}

/** W2: from the first segment that has too many, small ones before it included, so that emptied ones become one. */
static bool find_commands(const struct log_segment *segments, size_t count, uint64_t segment_bytes,
                          struct range *range) {
    size_t at = 0, first;
    while (at < count && !is_full_of_commands(&segments[at]))
        at++;
    if (at == count)
        return false;
    for (first = at; first > 0 && is_small(&segments[first - 1], segment_bytes);)
        first--;
    *range = (struct range){.first = first};
    for (size_t i = first; i < count && (i <= at || is_full_of_commands(&segments[i])); i++) {
        if (range->count > 0 && i > at && range->bytes + segments[i].bytes > REWRITE_BYTES_MAX)
            break;
        take(range, &segments[i]);
    }
    return range->command_bytes >= segment_bytes / COMMAND_DIVISOR;
}

/** W3: the oldest run. */
static bool find_small(const struct log_segment *segments, size_t count, uint64_t segment_bytes, uint64_t now_ms,
                       struct range *range) {
    *range = (struct range){0};
    for (size_t i = 0; i < count && segments[i].last_log_time_ms + SMALL_AGE_MS < now_ms; i++) {
        if (!is_small(&segments[i], segment_bytes) || range->bytes + segments[i].bytes > REWRITE_BYTES_MAX) {
            if (range->count >= SMALL_COUNT_MIN)
                return true;
            *range = (struct range){.first = i + 1};
        } else {
            take(range, &segments[i]);
        }
    }
    return range->count >= SMALL_COUNT_MIN;
}

/** What is compacted loses its commands too, and its small neighbours become one. True: something was proposed. */
static bool compact(struct node *node, struct group *group) {
    const struct topic_settings *settings = segments_settings(node, group);
    const struct partition_compaction *before = partition_compaction(group->partition);
    if (!(settings->cleanup_policy & TOPIC_CLEANUP_COMPACT))
        return false;
    struct compaction_view view = {.clean_index = before->clean_index,
                                   .clean_before_ms = before->clean_before_ms,
                                   .clean_since_ms = before->clean_since_ms,
                                   .now_ms = group_log_time(node, group),
                                   .taken_index = group->tombstones_index,
                                   .taken_before_ms = group->tombstones_before_ms,
                                   .min_compaction_lag_ms = settings->min_compaction_lag_ms,
                                   .delete_retention_ms = settings->delete_retention_ms,
                                   .segment_bytes = settings->segment_bytes};
    view.segments = partition_segments(group->partition, &view.segment_count);
    struct log_store_rewrite wanted;
    uint64_t clean_before_ms;
    if (!compaction_choose(&view, &wanted, &clean_before_ms) || !rewrites_may_begin(node, group, wanted.last_index) ||
        !rewrites_propose(node, group, &wanted, clean_before_ms))
        return false;
    if (wanted.last_index == view.clean_index) {
        group->tombstones_index = view.clean_index;
        group->tombstones_before_ms = view.clean_before_ms;
    }
    return true;
}

void rewrites_tick(struct node *node, struct group *group) {
    if (finish(node, group) || compact(node, group))
        return;
    const struct topic_settings *settings = segments_settings(node, group);
    const struct partition_bytes bytes = partition_bytes(group->partition);
    size_t count;
    const struct log_segment *segments = partition_segments(group->partition, &count);
    struct range range;
    bool drop_commands = bytes.sealed_commands * 4 > bytes.sealed &&
                         find_commands(segments, count, (uint64_t)settings->segment_bytes, &range);
    if (!drop_commands && (count < SMALL_COUNT_MIN || !find_small(segments, count, (uint64_t)settings->segment_bytes,
                                                                  group_log_time(node, group), &range)))
        return;
    struct log_store_rewrite wanted = {.first_index = segments[range.first].first_index,
                                       .last_index = segments[range.first + range.count - 1].last_index,
                                       .segment_bytes = (uint64_t)settings->segment_bytes,
                                       .drop_commands = drop_commands};
    if (rewrites_may_begin(node, group, wanted.last_index))
        rewrites_propose(node, group, &wanted, 0);
}
