/** Who we are to the brokers: the producer id, and the epochs by which a partition forgets an attempt (C2).
 *
 *  Raising: after a batch was given up with its fate unknown, its numbers cannot be used again and a gap cannot be
 *  left.
 *  1. Nothing is sent in the partition.
 *  2. RaiseProducerEpoch: once that is committed, no attempt of a lower epoch can be appended any more, and the answer
 *     says which sequence was the last accepted.
 *  3. Batches up to it are done; the others certainly are not in the log: they get new numbers, from 0.
 */
#include "core_state.h"

int32_t lf_sequence_add(int32_t base, uint32_t count) { return (int32_t)(((uint32_t)base + count) & 0x7fffffffu); }

/* ---- the id ------------------------------------------------------------------------------------------------------ */

bool lf_producer_identify(struct lf_core *core, struct lf_publisher *publisher) {
    if (publisher->producer_id >= 0)
        return true;
    if (core->producer_id < 0) {
        if (!core->producer_wanted) {
            core->producer_wanted = true;
            core->wake = true;
        }
        return false;
    }
    publisher->producer_id = core->producer_id;
    publisher->epoch = core->producer_epoch;
    publisher->next_sequence = 0;
    return true;
}

static struct lf_broker *whom_to_ask(struct lf_core *core) {
    struct lf_broker *controller =
        core->producer_target ? core->producer_target : lf_broker_by_node(core, core->controller_node);
    if (controller) {
        bool failing = lf_broker_failing(core, controller);
        if (lf_broker_ready(controller) && !failing)
            return controller;
        lf_broker_want(core, controller); /* once its time to retry has come, also one that failed before */
        if (!failing)
            return NULL;
    }
    core->producer_target = NULL;
    return lf_broker_any(core); /* it knows who the controller is, or will */
}

void lf_producer_pump(struct lf_core *core) {
    if (!core->producer_wanted || core->producer_request)
        return;
    if (core->now_ms < core->producer_at_ms) {
        lf_core_look_at(core, core->producer_at_ms);
        return;
    }
    struct lf_broker *broker = whom_to_ask(core);
    if (broker) {
        Lf__InitProducer body = LF__INIT_PRODUCER__INIT;
        Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
        request.body_case = LF__CLIENT_REQUEST__BODY_INIT_PRODUCER;
        request.init_producer = &body;
        core->producer_request = lf_request_send(core, broker, LF_REQUEST_INIT_PRODUCER, core, &request, NULL);
    }
    if (!core->producer_request)
        lf_core_look_at(core, core->now_ms + LF_CORE_LOOK_INTERVAL);
}

void lf_producer_on_reply(struct lf_core *core, struct lf_broker *broker, const Lf__ClientReply *reply) {
    core->producer_target = NULL;
    if (reply && reply->status == LF_OK && reply->body_case == LF__CLIENT_REPLY__BODY_INIT_PRODUCER &&
        reply->init_producer->producer_id >= 0 && reply->init_producer->producer_epoch >= 0 &&
        reply->init_producer->producer_epoch <= INT16_MAX) {
        core->producer_id = reply->init_producer->producer_id;
        core->producer_epoch = (int16_t)reply->init_producer->producer_epoch;
        core->producer_wanted = false;
        core->producer_tries = 0;
        core->wake = true;
        lf_core_trace(core, "producer id=%lld epoch=%d", (long long)core->producer_id, core->producer_epoch);
        return;
    }
    core->producer_tries++;
    struct lf_broker *named = NULL;
    if (reply && (reply->status == LF_NOT_LEADER || reply->status == LF_NO_QUORUM)) {
        named = reply->leader ? lf_broker_learn(core, reply->leader->broker) : NULL;
        if (core->controller_node == broker->node_id)
            core->controller_node = 0;
    }
    bool at_once = named && named != broker && core->producer_tries <= 3;
    core->producer_target = named != broker ? named : NULL;
    core->producer_at_ms =
        at_once ? core->now_ms : core->now_ms + lf_core_backoff(core, core->producer_tries, LF_CORE_LEADER_SEARCH_MAX);
    if (!at_once)
        lf_metadata_want(core, NULL);
    lf_core_look_at(core, core->producer_at_ms);
}

/* ---- after a doubt ----------------------------------------------------------------------------------------------- */

/* The partition does not know us: a new id, once every attempt under the old one is answered. */
static void renew(struct lf_core *core, struct lf_publisher *publisher) {
    for (struct lf_batch *batch = publisher->first; batch; batch = batch->next)
        if (batch->request)
            return;
    for (struct lf_batch *batch = publisher->first; batch; batch = batch->next) {
        if (batch->done || !batch->numbered)
            continue;
        if (batch->maybe)
            lf_batch_done(core, batch, LF_PRODUCER_FORGOTTEN, -1, NULL);
        else
            lf_batch_unnumber(batch);
    }
    lf_request_cancel(&publisher->raising);
    if (core->producer_id == publisher->producer_id)
        core->producer_id = -1;
    publisher->producer_id = -1;
    publisher->renew = publisher->raise = false;
}

static void raise_send(struct lf_core *core, struct lf_publisher *publisher) {
    if (publisher->raising || core->now_ms < publisher->retry_at_ms)
        return;
    if (publisher->raise_epoch <= publisher->epoch) {
        if (publisher->epoch == INT16_MAX) {
            publisher->renew = true;
            lf_publisher_dirty(core, publisher);
            return;
        }
        publisher->raise_epoch = (int16_t)(publisher->epoch + 1);
    }
    bool certain;
    struct lf_broker *broker = lf_partition_target(core, publisher->topic, publisher->partition, &certain);
    if (!broker)
        return;
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    topic.name = publisher->topic->name;
    topic.id = publisher->topic->id;
    Lf__RaiseProducerEpoch body = LF__RAISE_PRODUCER_EPOCH__INIT;
    body.topic = &topic;
    body.partition = publisher->partition;
    body.producer_id = publisher->producer_id;
    body.producer_epoch = publisher->raise_epoch;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_RAISE_PRODUCER_EPOCH;
    request.raise_producer_epoch = &body;
    publisher->raising = lf_request_send(core, broker, LF_REQUEST_RAISE, publisher, &request, NULL);
    if (!publisher->raising)
        publisher->retry_at_ms = core->now_ms + LF_CORE_MEMORY_RETRY;
}

void lf_producer_recover(struct lf_core *core, struct lf_publisher *publisher) {
    if (publisher->producer_id < 0)
        publisher->raise = publisher->renew = false; /* nothing was ever sent under the next id */
    else if (publisher->renew)
        renew(core, publisher);
    else
        raise_send(core, publisher);
}

/* Was the batch among what the broker accepted? Sequences are compared as distances, since they wrap. */
static bool was_accepted(const struct lf_batch *batch, const Lf__RaiseProducerEpochReply *said) {
    if (said->last_sequence < 0 || said->last_epoch != batch->epoch)
        return false;
    int32_t last = lf_sequence_add(batch->sequence, batch->count - 1);
    return (((uint32_t)said->last_sequence - (uint32_t)last) & 0x7fffffffu) < 0x40000000u;
}

static void raised(struct lf_core *core, struct lf_publisher *publisher, const Lf__RaiseProducerEpochReply *said) {
    lf_core_trace(core, "topic=%s partition=%u epoch=%d last_sequence=%d last_epoch=%d", publisher->topic->name,
                  publisher->partition, publisher->raise_epoch, said->last_sequence, said->last_epoch);
    for (struct lf_batch *batch = publisher->first; batch; batch = batch->next) {
        if (batch->done || !batch->numbered)
            continue;
        if (!was_accepted(batch, said)) {
            lf_batch_unnumber(batch);
            continue;
        }
        bool last = lf_sequence_add(batch->sequence, batch->count - 1) == said->last_sequence;
        if (last && said->last_offset >= (int64_t)batch->count - 1)
            lf_batch_done(core, batch, LF_OK, said->last_offset - (batch->count - 1), NULL);
        else
            lf_batch_done(core, batch, LF_DUPLICATE, -1, NULL);
    }
    publisher->epoch = publisher->raise_epoch;
    publisher->next_sequence = 0;
    publisher->raise = false;
    publisher->tries = publisher->redirects = 0;
    publisher->retry_at_ms = 0;
    lf_publisher_dirty(core, publisher);
}

void lf_raise_on_reply(struct lf_core *core, struct lf_broker *broker, struct lf_publisher *publisher,
                       const Lf__ClientReply *reply) {
    enum lf_status status = reply ? (enum lf_status)reply->status : LF_UNKNOWN_OUTCOME;
    if (status == LF_OK && reply->body_case == LF__CLIENT_REPLY__BODY_RAISE_PRODUCER_EPOCH) {
        raised(core, publisher, reply->raise_producer_epoch);
        return;
    }
    lf_core_trace(core, "topic=%s partition=%u raise to %d: %s", publisher->topic->name, publisher->partition,
                  publisher->raise_epoch, lf_status_name(status));
    if (status == LF_NOT_LEADER || status == LF_NO_QUORUM) {
        lf_publisher_redirected(core, broker, publisher, reply);
        return;
    }
    if (status == LF_PRODUCER_FENCED && publisher->raise_epoch < INT16_MAX) {
        publisher->raise_epoch++; /* an earlier try of ours got through without its answer: go above it */
    } else if (status == LF_TOPIC_UNKNOWN || status == LF_PARTITION_UNKNOWN) {
        lf_metadata_want(core, publisher->topic);
    } else if (lf_status_action(status) == LF_ACTION_GIVE_UP || status == LF_PRODUCER_FORGOTTEN) {
        if (status == LF_TOPIC_DELETED || status == LF_TOPIC_RECREATED)
            lf_metadata_want(core, publisher->topic);
        publisher->renew = true;
    }
    lf_publisher_back_off(core, publisher);
}
