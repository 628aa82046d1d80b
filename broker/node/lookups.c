/** Reads that must see everything acknowledged before they began: a ReadIndex round, then wait for apply.
 *
 *  A round may fail or get lost (no leader, leadership moved): it is asked again until request_timeout_ms. */
#include "node_internal.h"

static void fail(struct node *node, struct parked *parked, enum lf_status status, const char *text) {
    reply_error(node, parked->session, parked->request_id, status, "%s", text);
    parked_free(node, parked);
}

static void ask(struct node *node, struct group *group, struct parked *parked) {
    if (parked->read_id)
        lf_map_remove(&node->raft_reads, parked->read_id);
    parked->read_id = ++node->next_request;
    parked->retry_ms = node->now_ms + NODE_LOOKUP_RETRY_MS;
    node_wake_by(node, parked->retry_ms);
    lf_check(lf_map_put(&node->raft_reads, parked->read_id, parked));
    struct raft_event event = {.type = RAFT_EVENT_READ, .now_ms = node->now_ms, .read = {.id = parked->read_id}};
    group_step(node, group, &event); /* refused: asked again at retry_ms */
}

void lookups_start(struct node *node, struct session *session, struct group *group, enum lookup_kind kind,
                   Lf__ClientRequest **request) {
    struct parked *parked = parked_new(node, PARKED_LOOKUP, group->id, session->id, (*request)->request_id);
    if (!parked) {
        reply_error(node, session->id, (*request)->request_id, LF_OVERLOADED, "parked_answers_max is reached");
        return;
    }
    parked->lookup = kind;
    parked->request = *request;
    *request = NULL;
    parked_insert(&node->lookups, parked);
    ask(node, group, parked);
}

void lookups_on_answer(struct node *node, struct group *group, const struct raft_read_answer *answer) {
    struct parked *parked = lf_map_get(&node->raft_reads, answer->id);
    if (!parked || parked->group != group->id || answer->status != LF_OK)
        return; /* an old round, or a failed one that is asked again at its time */
    lf_map_remove(&node->raft_reads, parked->read_id);
    parked->read_id = 0;
    parked->read_done = true;
    parked_remove(&node->lookups, parked);
    parked->index = answer->index;
    if (group->applied >= parked->index && group_image_is_written(group)) {
        lookups_answer(node, parked);
        parked_free(node, parked);
        return;
    }
    parked_insert(&group->parked, parked);
}

void lookups_tick(struct node *node) {
    struct parked *next;
    for (struct parked *parked = node->lookups.head; parked; parked = next) {
        next = parked->next;
        struct group *group = node_group(node, parked->group);
        if (!group || node->now_ms >= parked->deadline_ms || !node_session(node, parked->session)) {
            parked_remove(&node->lookups, parked);
            fail(node, parked, group ? LF_NO_QUORUM : LF_TOPIC_DELETED,
                 group ? "no leader answered in time: are a majority of its replicas up?" : "the topic was deleted");
            continue;
        }
        if (node->now_ms >= parked->retry_ms) {
            node_wake_by(node, node->now_ms);
            ask(node, group, parked);
            /* A single replica answers at once, and then this one and its links are gone: begin again next tick. */
            return;
        }
        node_wake_by(node, parked->retry_ms);
    }
}

void lookups_fail_group(struct node *node, uint64_t group, enum lf_status status) {
    struct parked *next;
    for (struct parked *parked = node->lookups.head; parked; parked = next) {
        next = parked->next;
        if (parked->group != group)
            continue;
        parked_remove(&node->lookups, parked);
        fail(node, parked, status, lf_status_text(status));
    }
}

void lookups_reply_position(struct node *node, uint64_t session, uint64_t request_id, int64_t offset,
                            int64_t timestamp_ms) {
    Lf__Position position = LF__POSITION__INIT;
    position.offset = offset;
    position.leader_epoch = -1;
    Lf__OffsetsLookupReply body = LF__OFFSETS_LOOKUP_REPLY__INIT;
    body.position = &position;
    body.timestamp_ms = timestamp_ms;
    Lf__ClientReply reply;
    reply_init(node, &reply, request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_OFFSETS_LOOKUP;
    reply.offsets_lookup = &body;
    reply_send(node, session, &reply, NULL, 0);
}

void lookups_answer(struct node *node, struct parked *parked) {
    const struct group *group = node_group(node, parked->group);
    switch (parked->lookup) {
    case LOOKUP_OFFSET_END:
        lookups_reply_position(node, parked->session, parked->request_id, partition_high_watermark(group->partition),
                               -1);
        return;
    case LOOKUP_OFFSET_TIME:
    case LOOKUP_SUBSCRIBE:
        subscriptions_answer_lookup(node, parked);
        return;
    case LOOKUP_METADATA:
    case LOOKUP_DESCRIBE:
    case LOOKUP_LIST:
    case LOOKUP_SETTINGS:
    case LOOKUP_STATUS:
        topics_answer_lookup(node, parked);
        return;
    }
}

void lookups_on_offsets(struct node *node, struct session *session, Lf__ClientRequest **where) {
    const Lf__ClientRequest *request = *where;
    const Lf__OffsetsLookup *lookup = request->offsets_lookup;
    const struct metadata_partition *partition;
    enum lf_status status = topics_find_partition(node, lookup->topic, lookup->partition, &partition);
    struct group *group = status == LF_OK ? node_group(node, partition->group) : NULL;
    if (status == LF_OK && (!group || group->state != GROUP_RUNNING))
        status = group ? LF_NOT_READY : LF_NOT_LEADER;
    if (status != LF_OK) {
        reply_error(node, session->id, request->request_id, status, "%s", lf_status_text(status));
        return;
    }
    switch (lookup->kind) {
    case LF__LOOKUP_KIND__LOOKUP_LOG_START:
        lookups_reply_position(node, session->id, request->request_id, partition_log_start_offset(group->partition),
                               -1);
        return;
    case LF__LOOKUP_KIND__LOOKUP_HIGH_WATERMARK:
        lookups_reply_position(node, session->id, request->request_id, partition_high_watermark(group->partition), -1);
        return;
    case LF__LOOKUP_KIND__LOOKUP_END:
        lookups_start(node, session, group, LOOKUP_OFFSET_END, where);
        return;
    case LF__LOOKUP_KIND__LOOKUP_TIMESTAMP:
        lookups_start(node, session, group, LOOKUP_OFFSET_TIME, where);
        return;
    default:
        reply_error(node, session->id, request->request_id, LF_UNSUPPORTED, "unknown kind of lookup");
    }
}
