/** Publishing: judged at the door, judged by the log end, appended, answered when committed and applied. */
#include "node_internal.h"

#include <stdlib.h>

#include "raft_log.pb-c.h"

static struct lf_batch_limits batch_limits(const struct node *node) {
    struct lf_batch_limits limits = lf_batch_limits_default();
    limits.batch_bytes_max = node->limits.batch_bytes_max;
    limits.records_max = (int32_t)node->limits.records_per_batch_max;
    return limits;
}

/** Bytes were answered: credit goes back. */
static void give_back(struct node *node, uint64_t session_id, uint32_t bytes) {
    struct session *session = node_session(node, session_id);
    if (session)
        session->publish_answered += bytes;
}

static void refuse(struct node *node, const struct session *session, const Lf__ClientRequest *request, uint32_t bytes,
                   enum lf_status status, const char *text) {
    node->counts.refused++;
    give_back(node, session->id, bytes);
    reply_error(node, session->id, request->request_id, status, "%s", text);
}

/** The group that takes writes of this partition, or NULL after an answer. */
static struct group *writable_group(struct node *node, struct session *session, const Lf__ClientRequest *request,
                                    const Lf__TopicRef *topic, uint32_t number, uint32_t bytes) {
    const struct metadata_partition *partition;
    enum lf_status status = topics_find_partition(node, topic, number, &partition);
    if (status != LF_OK) {
        refuse(node, session, request, bytes, status, lf_status_text(status));
        return NULL;
    }
    struct group *group = node_group(node, partition->group);
    if (!group || group->state != GROUP_RUNNING) {
        refuse(node, session, request, bytes, !group ? LF_NOT_LEADER : LF_NOT_READY,
               !group ? "this broker holds no replica of the partition: ask one that does"
                      : "the partition's replica here is not serving");
        return NULL;
    }
    if (node->stopping || !group_leads(group) || !raft_leads_fully(group->raft)) {
        give_back(node, session->id, bytes);
        node->counts.refused++;
        if (node->stopping && group_leads(group))
            reply_error(node, session->id, request->request_id, LF_SHUTTING_DOWN, "%s",
                        lf_status_text(LF_SHUTTING_DOWN));
        else
            reply_not_leader(node, session->id, request->request_id, group);
        return NULL;
    }
    struct lf_error error;
    if (space_refuses(node, group, &error)) {
        refuse(node, session, request, bytes, error.code, error.text);
        return NULL;
    }
    return group;
}

/** Within the credit? Credit above zero allows one batch of any legal size. */
static bool within_credit(struct session *session, uint32_t bytes) {
    bool allowed = session->publish_received < session->publish_granted;
    session->publish_received += bytes;
    return allowed;
}

static void park_refusal(struct node *node, struct session *session, const Lf__ClientRequest *request,
                         struct group *group, uint32_t bytes, const struct partition_verdict *verdict) {
    if (verdict->rests_on_index <= group->applied) {
        publish_refuse(node, session->id, request->request_id, bytes, verdict);
        return;
    }
    struct parked *parked = parked_new(node, PARKED_REFUSAL, group->id, session->id, request->request_id);
    if (!parked) {
        refuse(node, session, request, bytes, LF_OVERLOADED, "parked_answers_max is reached");
        return;
    }
    parked->index = verdict->rests_on_index;
    parked->bytes = bytes;
    parked->verdict = *verdict;
    parked_insert(&group->parked, parked);
}

/** Propose, and park the answer under the entry's index. */
static void append(struct node *node, struct session *session, const Lf__ClientRequest *request, struct group *group,
                   enum parked_kind kind, uint8_t type, struct lf_bytes payload, uint32_t records, uint32_t bytes,
                   int64_t producer_id) {
    struct parked *parked = parked_new(node, kind, group->id, session->id, request->request_id);
    if (!parked) {
        refuse(node, session, request, bytes, LF_OVERLOADED, "parked_answers_max is reached");
        return;
    }
    uint64_t index = 0;
    enum lf_status status = group_propose(node, group, type, LF_ENTRY_MUST_UNDERSTAND, payload, records, &index);
    if (status != LF_OK) {
        parked_free(node, parked);
        if (status == LF_NOT_LEADER) {
            give_back(node, session->id, bytes);
            reply_not_leader(node, session->id, request->request_id, group);
        } else {
            /* The entry may be in the log when the machine stopped on it; else it is surely not. */
            enum lf_status told = status == LF_INTERNAL ? LF_UNKNOWN_OUTCOME : LF_OVERLOADED;
            refuse(node, session, request, bytes, told, lf_status_text(told));
        }
        return;
    }
    parked->index = index;
    parked->bytes = bytes;
    parked->producer_id = producer_id;
    parked_insert(&group->parked, parked);
}

void publish_on_request(struct node *node, struct session *session, const Lf__ClientRequest *request,
                        struct node_frame *batch) {
    const Lf__Publish *publish = request->publish;
    if (!within_credit(session, batch->size)) {
        refuse(node, session, request, batch->size, LF_CREDIT_EXCEEDED, lf_status_text(LF_CREDIT_EXCEEDED));
        return;
    }
    if (publish->ack_level != LF__ACK_LEVEL__ACK_QUORUM) {
        refuse(node, session, request, batch->size, LF_UNSUPPORTED, "only ack level quorum is served yet");
        return;
    }
    struct lf_bytes bytes = lf_bytes(batch->buf->data + batch->offset, batch->size);
    struct lf_batch_limits limits = batch_limits(node);
    struct lf_batch_header header;
    struct lf_error error = {0};
    enum lf_status status = lf_batch_verify(bytes, &limits, &header, &error);
    if (status == LF_OK && (header.attributes & 0x38) != 0)
        status =
            lf_error_set(&error, LF_UNSUPPORTED, "transactional and control batches and log-append time are not taken");
    if (status != LF_OK) {
        refuse(node, session, request, batch->size, status, error.text);
        return;
    }
    struct group *group = writable_group(node, session, request, publish->topic, publish->partition, batch->size);
    if (!group)
        return;
    struct partition_verdict verdict = partition_judge(group->partition, &header, group_log_time(node, group));
    if (verdict.status != LF_OK) {
        park_refusal(node, session, request, group, batch->size, &verdict);
        return;
    }
    node->counts.publishes++;
    append(node, session, request, group, PARKED_PUBLISH, LF_ENTRY_BATCH, bytes, (uint32_t)header.record_count,
           batch->size, header.producer_id);
}

void publish_on_raise_epoch(struct node *node, struct session *session, const Lf__ClientRequest *request) {
    const Lf__RaiseProducerEpoch *raise = request->raise_producer_epoch;
    if (raise->producer_id < 0 || raise->producer_epoch < 0 || raise->producer_epoch > INT16_MAX) {
        refuse(node, session, request, 0, LF_INVALID, "producer id or epoch is out of range");
        return;
    }
    struct group *group = writable_group(node, session, request, raise->topic, raise->partition, 0);
    if (!group)
        return;
    struct partition_verdict verdict =
        partition_judge_epoch(group->partition, raise->producer_id, (int16_t)raise->producer_epoch);
    if (verdict.status != LF_OK) {
        park_refusal(node, session, request, group, 0, &verdict);
        return;
    }
    Lf__ProducerEntry entry = LF__PRODUCER_ENTRY__INIT;
    entry.producer_id = raise->producer_id;
    entry.producer_epoch = raise->producer_epoch;
    uint8_t bytes[32];
    size_t size = lf__producer_entry__pack(&entry, bytes);
    lf_check(size <= sizeof bytes);
    append(node, session, request, group, PARKED_EPOCH, LF_ENTRY_PRODUCER, lf_bytes(bytes, size), 0, 0,
           raise->producer_id);
}

static void reply_published(struct node *node, uint64_t session, uint64_t request_id, enum lf_status status,
                            int64_t base_offset, int32_t leader_epoch, bool duplicate) {
    Lf__PublishReply body = LF__PUBLISH_REPLY__INIT;
    body.base_offset = base_offset;
    body.leader_epoch = leader_epoch;
    body.duplicate = duplicate;
    Lf__ClientReply reply;
    reply_init(node, &reply, request_id);
    reply.status = (uint32_t)status;
    reply.body_case = LF__CLIENT_REPLY__BODY_PUBLISH;
    reply.publish = &body;
    reply_send(node, session, &reply, NULL, 0);
}

void publish_refuse(struct node *node, uint64_t session, uint64_t request_id, uint32_t bytes,
                    const struct partition_verdict *verdict) {
    give_back(node, session, bytes);
    if (verdict->status == LF_DUPLICATE) { /* a repeat gets the first answer */
        node->counts.duplicates++;
        bool known = verdict->base_offset >= 0;
        reply_published(node, session, request_id, known ? LF_OK : LF_DUPLICATE, verdict->base_offset,
                        verdict->leader_epoch, true);
        return;
    }
    node->counts.refused++;
    reply_error(node, session, request_id, verdict->status, "%s", lf_status_text(verdict->status));
}

void publish_answer(struct node *node, const struct parked *parked, const struct partition_applied *applied,
                    int32_t leader_epoch) {
    give_back(node, parked->session, parked->bytes);
    if (parked->kind == PARKED_PUBLISH) {
        reply_published(node, parked->session, parked->request_id, LF_OK, applied->base_offset, leader_epoch, false);
        return;
    }
    if (applied->status != LF_OK) {
        reply_error(node, parked->session, parked->request_id, applied->status, "%s", lf_status_text(applied->status));
        return;
    }
    Lf__RaiseProducerEpochReply body = LF__RAISE_PRODUCER_EPOCH_REPLY__INIT;
    body.last_sequence = applied->last_sequence;
    body.last_offset = applied->last_offset;
    body.last_epoch = applied->last_epoch;
    Lf__ClientReply reply;
    reply_init(node, &reply, parked->request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_RAISE_PRODUCER_EPOCH;
    reply.raise_producer_epoch = &body;
    reply_send(node, parked->session, &reply, NULL, 0);
}

void publish_fail(struct node *node, const struct parked *parked, enum lf_status status, const struct group *group) {
    give_back(node, parked->session, parked->bytes);
    if (status == LF_NOT_LEADER)
        reply_not_leader(node, parked->session, parked->request_id, group);
    else
        reply_error(node, parked->session, parked->request_id, status, "%s", lf_status_text(status));
}
