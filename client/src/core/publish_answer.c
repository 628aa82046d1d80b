/** What a broker said about a batch, and what follows from it. */
#include "core_state.h"

static const struct lf_batch *first_undone(const struct lf_publisher *publisher) {
    const struct lf_batch *batch = publisher->first;
    while (batch && batch->done)
        batch = batch->next;
    return batch;
}

static void accepted(struct lf_core *core, struct lf_batch *batch, enum lf_status status, int64_t base_offset) {
    struct lf_publisher *publisher = batch->publisher;
    publisher->tries = publisher->redirects = 0;
    publisher->retry_at_ms = 0;
    lf_batch_done(core, batch, status, base_offset, NULL);
}

void lf_publisher_redirected(struct lf_core *core, struct lf_broker *broker, struct lf_publisher *publisher,
                             const Lf__ClientReply *reply) {
    lf_metadata_not_leader(core, publisher->topic, publisher->partition, broker, reply->leader);
    bool known = publisher->partition < publisher->topic->partition_count &&
                 publisher->topic->partitions[publisher->partition].leader_node != 0;
    if (known && publisher->redirects++ < 3)
        lf_publisher_dirty(core, publisher); /* at once */
    else
        lf_publisher_back_off(core, publisher);
}

/* The front is still out there, and need not be answered soon by one who does not lead any more: look for who does, so
 * that it can be sent there. */
static void heard_behind_the_front(struct lf_core *core, struct lf_broker *broker, struct lf_publisher *publisher,
                                   const Lf__ClientReply *reply) {
    struct lf_topic_state *topic = publisher->topic;
    bool believed = publisher->partition < topic->partition_count &&
                    topic->partitions[publisher->partition].leader_node == broker->node_id;
    if (believed || reply->leader)
        lf_metadata_not_leader(core, topic, publisher->partition, broker, reply->leader);
}

/* This attempt did not append it, another may. Only the front of the queue slows the queue down. */
static void refused(struct lf_core *core, struct lf_broker *broker, struct lf_batch *batch,
                    const Lf__ClientReply *reply) {
    struct lf_publisher *publisher = batch->publisher;
    enum lf_status status = (enum lf_status)reply->status;
    const struct lf_batch *first = first_undone(publisher);
    bool front = batch == first;
    batch->held = !front && first->request && first->request->broker == broker;
    lf_publisher_dirty(core, publisher);
    batch->refused =
        status == LF_NOT_LEADER || status == LF_TOPIC_UNKNOWN || status == LF_PARTITION_UNKNOWN ? LF_NOT_READY : status;
    /* Without a majority it may be alone, or the group went on without it: others may know who leads. */
    if (status == LF_NOT_LEADER || status == LF_NO_QUORUM) {
        if (front)
            lf_publisher_redirected(core, broker, publisher, reply);
        else
            heard_behind_the_front(core, broker, publisher, reply);
        return;
    }
    if (status == LF_TOPIC_UNKNOWN || status == LF_PARTITION_UNKNOWN || status == LF_SHUTTING_DOWN)
        lf_metadata_want(core, publisher->topic); /* gone, or this broker has not heard of it yet */
    if (front)
        lf_publisher_back_off(core, publisher);
}

static void gap(struct lf_core *core, struct lf_batch *batch) {
    struct lf_publisher *publisher = batch->publisher;
    batch->held = true;
    if (batch == first_undone(publisher)) {
        /* All before it were accepted, says what we heard; the broker says otherwise: agree on it by a new epoch. */
        publisher->raise = true;
        lf_publisher_back_off(core, publisher);
    }
    lf_publisher_dirty(core, publisher);
}

void lf_publish_on_reply(struct lf_core *core, struct lf_broker *broker, struct lf_batch *batch,
                         const Lf__ClientReply *reply) {
    struct lf_publisher *publisher = batch->publisher;
    enum lf_status status = reply ? (enum lf_status)reply->status : LF_UNKNOWN_OUTCOME;
    if (status == LF_OK && reply->body_case != LF__CLIENT_REPLY__BODY_PUBLISH)
        status = LF_UNKNOWN_OUTCOME;
    if (status != LF_OK)
        lf_core_trace(core, "topic=%s partition=%u sequence=%d epoch=%d answer %s from node=%llu",
                      publisher->topic->name, publisher->partition, batch->sequence, batch->epoch,
                      lf_status_name(status), (unsigned long long)broker->node_id);
    switch (status) {
    case LF_OK:
        accepted(core, batch, reply->publish->base_offset < 0 ? LF_DUPLICATE : LF_OK, reply->publish->base_offset);
        return;
    case LF_DUPLICATE: {
        bool known = reply->body_case == LF__CLIENT_REPLY__BODY_PUBLISH && reply->publish->base_offset >= 0;
        accepted(core, batch, known ? LF_OK : LF_DUPLICATE, known ? reply->publish->base_offset : -1);
        return;
    }
    case LF_SEQUENCE_GAP:
        gap(core, batch);
        return;
    case LF_PRODUCER_FORGOTTEN:
    case LF_PRODUCER_FENCED: /* nobody else has our id, so this is an answer from a log without us */
        publisher->renew = true;
        lf_publisher_dirty(core, publisher);
        return;
    case LF_TOPIC_UNKNOWN:
    case LF_PARTITION_UNKNOWN:
        refused(core, broker, batch, reply);
        return;
    case LF_TOPIC_DELETED:
    case LF_TOPIC_RECREATED:
        lf_metadata_want(core, publisher->topic);
        lf_batch_give_up(core, batch, status, reply->error);
        return;
    default:
        break;
    }
    switch (lf_status_action(status)) {
    case LF_ACTION_RETRY:
    case LF_ACTION_REDIRECT:
        refused(core, broker, batch, reply);
        break;
    case LF_ACTION_GIVE_UP:
        lf_batch_give_up(core, batch, status, reply->error);
        break;
    case LF_ACTION_NONE:
    case LF_ACTION_UNKNOWN:
        batch->maybe = true;
        if (batch == first_undone(publisher))
            lf_publisher_back_off(core, publisher);
        else
            lf_publisher_dirty(core, publisher);
        break;
    }
}
