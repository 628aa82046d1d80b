/** What operators ask about a partition's segments: which there are, and that the log begins later. */
#include "node_internal.h"

#include "reply_arena.h"

#include <inttypes.h>

/** Descriptors in one answer; the client asks for the next page. */
#define SEGMENTS_PER_PAGE 1000u

/** The running group of a partition held here; NULL: refused. */
static struct group *find_group(struct node *node, struct session *session, uint64_t request_id,
                                const Lf__TopicRef *topic, uint32_t number, bool here) {
    const struct metadata_partition *partition;
    enum lf_status status = topics_find_partition(node, topic, number, &partition);
    struct group *group = status == LF_OK ? node_group(node, partition->group) : NULL;
    if (status == LF_OK && !group)
        status = here ? LF_NOT_FOUND : LF_NOT_LEADER;
    else if (status == LF_OK && group->state != GROUP_RUNNING)
        status = LF_NOT_READY;
    if (status == LF_OK)
        return group;
    reply_error(node, session->id, request_id, status, "%s",
                status == LF_NOT_FOUND ? "this broker holds no replica of the partition" : lf_status_text(status));
    return NULL;
}

/* ---- trim ---- */

/** What goes when the log begins at `offset`: whole sealed segments. */
static void count_below(const struct group *group, int64_t offset, Lf__TrimPartitionReply *body) {
    size_t count;
    const struct log_segment *segments = partition_segments(group->partition, &count);
    for (size_t i = 0; i < count && (int64_t)segments[i].end_offset <= offset; i++) {
        body->segments++;
        body->bytes += segments[i].bytes;
    }
}

static void reply_trimmed(struct node *node, uint64_t session, uint64_t request_id, Lf__TrimPartitionReply *body) {
    Lf__ClientReply reply;
    reply_init(node, &reply, request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_TRIM_PARTITION;
    reply.trim_partition = body;
    reply_send(node, session, &reply, NULL, 0);
}

static void propose_trim(struct node *node, struct session *session, const Lf__ClientRequest *request,
                         struct group *group, int64_t offset, const Lf__TrimPartitionReply *body) {
    struct parked *parked = parked_new(node, PARKED_TRIM, group->id, session->id, request->request_id);
    struct partition_verdict verdict;
    enum lf_status status = parked ? segments_trim(node, group, offset, &parked->index, &verdict) : LF_OVERLOADED;
    if (status == LF_OK) {
        parked->trim = (struct trim_figures){.old_start = body->old_log_start_offset,
                                             .new_start = offset,
                                             .segments = body->segments,
                                             .bytes = body->bytes};
        parked_insert(&group->parked, parked);
        return;
    }
    if (parked)
        parked_free(node, parked);
    if (status == LF_NOT_LEADER)
        reply_not_leader(node, session->id, request->request_id, group);
    else
        reply_error(node, session->id, request->request_id, status == LF_DUPLICATE ? LF_NOT_READY : status,
                    "another change of the partition's segments is under way: retry shortly");
}

void segments_on_trim(struct node *node, struct session *session, const Lf__ClientRequest *request) {
    const Lf__TrimPartition *trim = request->trim_partition;
    struct group *group = find_group(node, session, request->request_id, trim->topic, trim->partition, false);
    if (!group)
        return;
    if (!group_leads(group) || !raft_leads_fully(group->raft)) {
        reply_not_leader(node, session->id, request->request_id, group);
        return;
    }
    int64_t start = partition_log_start_offset(group->partition), end = partition_high_watermark(group->partition);
    if (trim->before_offset < 0 || trim->before_offset > end) {
        reply_error(node, session->id, request->request_id, LF_INVALID,
                    "before offset %" PRId64 ": right is 0 to %" PRId64 ", the first offset that is not committed yet",
                    trim->before_offset, end);
        return;
    }
    Lf__TrimPartitionReply body = LF__TRIM_PARTITION_REPLY__INIT;
    int64_t offset = partition_jumps_floor(partition_jumps(group->partition), trim->before_offset);
    body.old_log_start_offset = start;
    body.log_start_offset = offset > start ? offset : start;
    body.high_watermark = end;
    if (offset > start)
        count_below(group, offset, &body);
    if (trim->dry_run || offset <= start) /* done before: that is fine */
        reply_trimmed(node, session->id, request->request_id, &body);
    else
        propose_trim(node, session, request, group, offset, &body);
}

void segments_answer_trim(struct node *node, const struct parked *parked) {
    const struct group *group = node_group(node, parked->group);
    Lf__TrimPartitionReply body = LF__TRIM_PARTITION_REPLY__INIT;
    body.old_log_start_offset = parked->trim.old_start;
    body.log_start_offset = partition_log_start_offset(group->partition);
    body.high_watermark = partition_high_watermark(group->partition);
    body.segments = parked->trim.segments;
    body.bytes = parked->trim.bytes;
    lf_check(body.log_start_offset >= parked->trim.new_start);
    reply_trimmed(node, parked->session, parked->request_id, &body);
}

/* ---- list ---- */

static Lf__SegmentDescription *make_segment(struct reply_arena *arena, const struct log_segment *segment, bool open) {
    Lf__SegmentDescription *out = reply_arena_take(arena, 1, sizeof *out);
    lf__segment_description__init(out);
    out->first_index = segment->first_index;
    out->last_index = segment->last_index;
    out->last_term = segment->last_term;
    out->base_offset = (int64_t)segment->base_offset;
    out->end_offset = (int64_t)segment->end_offset;
    out->entries = segment->entry_count;
    out->bytes = segment->bytes;
    out->command_bytes = segment->command_bytes;
    out->first_log_time_ms = segment->first_log_time_ms;
    out->last_log_time_ms = segment->last_log_time_ms;
    out->max_timestamp_ms = segment->max_timestamp_ms;
    out->checksum = segment->checksum;
    out->rewrites = segment->rewrites;
    out->open = open;
    return out;
}

/** Sealed ones from the index on, one page, and the open one behind the last of them. */
static void list(struct reply_arena *arena, const struct group *group, uint64_t from_index,
                 Lf__ListSegmentsReply *body) {
    size_t count;
    const struct log_segment *segments = partition_segments(group->partition, &count);
    const struct log_segment *open = partition_open_segment(group->partition);
    body->segments = reply_arena_take(arena, SEGMENTS_PER_PAGE + 1, sizeof(*body->segments));
    size_t at = 0;
    while (at < count && segments[at].first_index < from_index)
        at++;
    for (; at < count && body->n_segments < SEGMENTS_PER_PAGE; at++)
        body->segments[body->n_segments++] = make_segment(arena, &segments[at], false);
    if (at < count)
        body->next_index = segments[at].first_index;
    else if (open->entry_count > 0)
        body->segments[body->n_segments++] = make_segment(arena, open, true);
}

void segments_on_list(struct node *node, struct session *session, const Lf__ClientRequest *request) {
    const Lf__ListSegments *asked = request->list_segments;
    struct group *group =
        find_group(node, session, request->request_id, asked->topic, asked->partition, asked->any_replica);
    if (!group)
        return;
    if (!asked->any_replica && !group_leads(group)) {
        reply_not_leader(node, session->id, request->request_id, group);
        return;
    }
    struct reply_arena arena = {0};
    Lf__ListSegmentsReply body = LF__LIST_SEGMENTS_REPLY__INIT;
    body.node_id = node->id;
    body.log_start_offset = partition_log_start_offset(group->partition);
    body.high_watermark = partition_high_watermark(group->partition);
    body.previous_index = partition_previous_index(group->partition);
    list(&arena, group, asked->from_index, &body);
    Lf__ClientReply reply;
    reply_init(node, &reply, request->request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_LIST_SEGMENTS;
    reply.list_segments = &body;
    reply_send(node, session->id, &reply, NULL, 0);
    reply_arena_free(&arena);
}
