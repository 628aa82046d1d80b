/** What a leader decides about segments: where one ends, and where the log begins. Replicas carry out what is
 * committed.
 *
 *   L1  one decision at a time: the next is proposed when all before it are applied, so that it is judged by what holds
 *   L2  a segment ends at segment.bytes; when its first entry is segment.ms old; when nothing in it is wanted any more;
 *       and sooner while too much is open on this node (active.c)
 *   L3  whole segments go: those beyond the topic's retention, by bytes or by log time, and those below the log start
 *   L4  not before the replicas that are there have them, for a while: they would have to be filled anew. One without
 *       room on its disk is not waited for: dropping gives it some */
#include "node_internal.h"

#include <stdlib.h>

#include "raft_log.pb-c.h"

/** How often retention is looked at. */
#define RETENTION_MS 1000
/** L4. */
#define HOLD_MS 10000

const struct topic_settings *segments_settings(const struct node *node, const struct group *group) {
    const struct metadata_topic *topic = metadata_topic_by_id(node->metadata, group->topic_id);
    return topic ? &topic->settings : &topic_settings_default;
}

bool segments_may_decide(const struct node *node, const struct group *group) {
    return group->partition && group_leads(group) && raft_leads_fully(group->raft) && !node->stopping &&
           group->applied == raft_commit(group->raft) && partition_structure_unapplied(group->partition) == 0;
}

bool segments_propose(struct node *node, struct group *group, uint8_t type, struct lf_bytes payload) {
    uint64_t index;
    return group_propose(node, group, type, LF_ENTRY_MUST_UNDERSTAND, payload, 0, &index) == LF_OK;
}

/* ---- rolls ---- */

/** Has log time passed `since` by more than `limit` (-1: no limit)? */
static bool is_older(uint64_t now_ms, uint64_t since_ms, int64_t limit_ms) {
    return limit_ms >= 0 && now_ms > since_ms && now_ms - since_ms > (uint64_t)limit_ms;
}

static bool roll_is_due(const struct node *node, const struct group *group) {
    const struct topic_settings *settings = segments_settings(node, group);
    const struct log_segment *open = partition_open_segment(group->partition);
    if (open->entry_count == 0)
        return false;
    if (group->roll_wanted || open->bytes >= (uint64_t)settings->segment_bytes)
        return true;
    if (open->end_offset == open->base_offset)
        return false; /* commands alone: they do not get old */
    uint64_t now_ms = group_log_time(node, group);
    bool deletes = settings->cleanup_policy & TOPIC_CLEANUP_DELETE;
    return is_older(now_ms, open->first_log_time_ms, settings->segment_ms) ||
           (deletes && is_older(now_ms, open->last_log_time_ms, settings->retention_ms)) ||
           (uint64_t)partition_log_start_offset(group->partition) >= open->end_offset;
}

bool segments_roll(struct node *node, struct group *group) {
    if (!segments_propose(node, group, LF_ENTRY_SEGMENT_ROLL, lf_bytes(NULL, 0)))
        return false;
    group->roll_wanted = false;
    return true;
}

/* ---- log start ---- */

static bool propose_log_start(struct node *node, struct group *group, int64_t offset, Lf__LogStartReason reason) {
    Lf__LogStartEntry entry = LF__LOG_START_ENTRY__INIT;
    entry.offset = offset;
    entry.reason = reason;
    uint8_t bytes[32];
    size_t size = lf__log_start_entry__pack(&entry, bytes);
    lf_check(size <= sizeof bytes);
    if (!segments_propose(node, group, LF_ENTRY_LOG_START, lf_bytes(bytes, size)))
        return false;
    node_tracef(node, "group=%llu log start %lld (%s)", (unsigned long long)group->id, (long long)offset,
                protobuf_c_enum_descriptor_get_value(&lf__log_start_reason__descriptor, (int)reason)->name);
    return true;
}

bool segments_held_by_members(const struct node *node, struct group *group, uint64_t index) {
    struct raft_peer_view peers[RAFT_MEMBERS_MAX];
    size_t count = raft_peers(group->raft, peers, RAFT_MEMBERS_MAX);
    bool held = true;
    for (size_t i = 0; i < count; i++)
        held &= !peers[i].active || peers[i].damaged || peers[i].match >= index ||
                space_of(node, group_member_node(node, group, peers[i].replica)) != NODE_SPACE_ENOUGH;
    if (held)
        group->hold_since_ms = 0;
    else if (group->hold_since_ms == 0)
        group->hold_since_ms = node->now_ms;
    return held || node->now_ms - group->hold_since_ms >= HOLD_MS;
}

/** How many of the oldest segments are to go (L3), and why. */
static size_t expired(const struct node *node, const struct group *group, Lf__LogStartReason *reason) {
    const struct topic_settings *settings = segments_settings(node, group);
    const struct partition_bytes bytes = partition_bytes(group->partition);
    uint64_t left = bytes.sealed + bytes.open, now_ms = group_log_time(node, group);
    int64_t start = partition_log_start_offset(group->partition);
    bool deletes = settings->cleanup_policy & TOPIC_CLEANUP_DELETE;
    size_t count, gone = 0;
    const struct log_segment *segments = partition_segments(group->partition, &count);
    *reason = LF__LOG_START_REASON__LOG_START_SEALED;
    for (; gone < count; gone++) {
        const struct log_segment *segment = &segments[gone];
        bool below = segment->end_offset <= (uint64_t)start;
        bool by_bytes =
            deletes && settings->retention_bytes >= 0 && left - segment->bytes >= (uint64_t)settings->retention_bytes;
        bool by_age = deletes && is_older(now_ms, segment->last_log_time_ms, settings->retention_ms);
        if (!below && !by_bytes && !by_age)
            break;
        if (!below && *reason == LF__LOG_START_REASON__LOG_START_SEALED)
            *reason = by_bytes ? LF__LOG_START_REASON__LOG_START_RETENTION_BYTES
                               : LF__LOG_START_REASON__LOG_START_RETENTION_MS;
        left -= segment->bytes;
    }
    return gone;
}

/** True: something was proposed. */
static bool drop_expired(struct node *node, struct group *group) {
    Lf__LogStartReason reason;
    size_t count, gone = expired(node, group, &reason);
    const struct log_segment *segments = partition_segments(group->partition, &count);
    if (gone == 0 || node->now_ms < group->history_held_until_ms || partition_decisions_waiting(group->partition) > 0 ||
        !segments_held_by_members(node, group, segments[gone - 1].last_index))
        return false;
    int64_t end = (int64_t)segments[gone - 1].end_offset, start = partition_log_start_offset(group->partition);
    return propose_log_start(node, group, end > start ? end : start, reason);
}

enum lf_status segments_trim(struct node *node, struct group *group, int64_t offset, uint64_t *index,
                             struct partition_verdict *verdict) {
    if (!group_leads(group) || !raft_leads_fully(group->raft))
        return LF_NOT_LEADER;
    *verdict = partition_judge_log_start(group->partition, offset);
    *index = 0;
    if (verdict->status != LF_OK)
        return verdict->status;
    if (!propose_log_start(node, group, offset, LF__LOG_START_REASON__LOG_START_TRIM))
        return LF_OVERLOADED;
    *index = raft_last_index(group->raft);
    return LF_OK;
}

/** A member without room takes no batches, so it never comes to the entry that moves the log start: it is told. */
static void tell_full_members(struct node *node, const struct group *group) {
    struct raft_peer_view peers[RAFT_MEMBERS_MAX];
    int64_t start = partition_log_start_offset(group->partition);
    size_t count = start > 0 ? raft_peers(group->raft, peers, RAFT_MEMBERS_MAX) : 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t to = group_member_node(node, group, peers[i].replica);
        struct peer_report report = {.group = group->id, .kind = PEER_REPORT_LOG_START, .value = (uint64_t)start};
        if (space_of(node, to) == NODE_SPACE_HARD)
            peers_send_report(node, to, &report);
    }
}

/* ---- the beat ---- */

void segments_tick(struct node *node) {
    bool due = node->now_ms >= node->retention_due_ms;
    if (due)
        node->retention_due_ms = node->now_ms + RETENTION_MS;
    node_wake_by(node, node->retention_due_ms);
    if (!due && !node->rolls_due)
        return;
    node->rolls_due = false;
    size_t count = 0, cursor = 0;
    struct group *group, **groups = node_alloc(node->groups.count + 1, sizeof(*groups));
    while ((group = lf_map_next(&node->groups, &cursor)))
        groups[count++] = group;
    for (size_t i = 0; i < count; i++) {
        if (due && groups[i]->partition && group_leads(groups[i]))
            tell_full_members(node, groups[i]);
        if (!segments_may_decide(node, groups[i]))
            continue;
        if (roll_is_due(node, groups[i]))
            segments_roll(node, groups[i]);
        else if (due && !drop_expired(node, groups[i]))
            rewrites_tick(node, groups[i]);
    }
    free(groups);
    active_relieve(node);
}

void segments_on_applied(struct node *node, const struct group *group) {
    if (node->rolls_due || !group_leads(group) || partition_structure_unapplied(group->partition) > 0)
        return;
    node->rolls_due =
        group->open_bytes >= (uint64_t)segments_settings(node, group)->segment_bytes || active_is_too_much(node);
    if (node->rolls_due)
        node_wake_by(node, node->now_ms);
}
