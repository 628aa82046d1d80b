/** Subscriptions: committed batches pushed to consumers, within the credit they gave, from the tail in memory or,
 * behind it, from the store. Any replica serves them. */
#include "delivery.h"
#include "node_internal.h"

#include <stdlib.h>

static const char diverged_words[] =
    "a majority was lost, and what it had there with it: the position belongs to that history";

/* ---- life ---- */

void subscription_free(struct node *node, struct subscription *subscription) {
    struct session *session = node_session(node, subscription->session);
    struct group *group = node_group(node, subscription->group);
    *(subscription->previous_in_session ? &subscription->previous_in_session->next_in_session
                                        : &session->subscriptions) = subscription->next_in_session;
    if (subscription->next_in_session)
        subscription->next_in_session->previous_in_session = subscription->previous_in_session;
    *(subscription->previous_in_group ? &subscription->previous_in_group->next_in_group : &group->subscriptions) =
        subscription->next_in_group;
    if (subscription->next_in_group)
        subscription->next_in_group->previous_in_group = subscription->previous_in_group;
    session->subscription_count--;
    session->reading_bytes -= subscription->reading ? node->limits.delivery_bytes_max : 0;
    lf_map_remove(&node->subscriptions, subscription->key);
    free(subscription); /* a read under way finds its key gone */
}

static struct subscription *find(const struct session *session, uint64_t id) {
    struct subscription *subscription = session->subscriptions;
    while (subscription && subscription->id != id)
        subscription = subscription->next_in_session;
    return subscription;
}

static struct subscription *add(struct node *node, struct session *session, struct group *group,
                                const Lf__Subscribe *wanted, int64_t offset) {
    struct subscription *subscription = node_alloc(1, sizeof *subscription);
    subscription->session = session->id;
    subscription->id = wanted->subscription;
    subscription->group = group->id;
    subscription->key = ++node->next_key;
    subscription->next_offset = offset;
    subscription->leader_epoch = wanted->from == LF__START_FROM__START_OFFSET ? wanted->position->leader_epoch : -1;
    subscription->credit_total = wanted->credit_total;
    subscription->next_in_session = session->subscriptions;
    if (session->subscriptions)
        session->subscriptions->previous_in_session = subscription;
    session->subscriptions = subscription;
    subscription->next_in_group = group->subscriptions;
    if (group->subscriptions)
        group->subscriptions->previous_in_group = subscription;
    group->subscriptions = subscription;
    session->subscription_count++;
    lf_check(lf_map_put(&node->subscriptions, subscription->key, subscription));
    return subscription;
}

static void end(struct node *node, struct subscription *subscription, enum lf_status status, const char *text,
                int64_t resume) {
    Lf__Position position = LF__POSITION__INIT;
    position.offset = resume;
    position.leader_epoch = -1;
    Lf__SubscriptionEnd body = LF__SUBSCRIPTION_END__INIT;
    body.subscription = subscription->id;
    body.resume = &position;
    Lf__ClientReply reply;
    reply_init(node, &reply, 0);
    reply.status = (uint32_t)status;
    reply.error = (char *)(uintptr_t)text;
    reply.body_case = LF__CLIENT_REPLY__BODY_SUBSCRIPTION_END;
    reply.subscription_end = &body;
    reply_send(node, subscription->session, &reply, NULL, 0);
    subscription_free(node, subscription);
}

void subscriptions_end_group(struct node *node, struct group *group, enum lf_status status, const char *text) {
    while (group->subscriptions)
        end(node, group->subscriptions, status, text, group->subscriptions->next_offset);
}

/* ---- delivery ---- */

static void deliver(struct node *node, struct subscription *subscription, const struct group *group,
                    struct delivery *delivery) {
    Lf__Deliver body = LF__DELIVER__INIT;
    body.subscription = subscription->id;
    body.batch_count = (uint32_t)delivery->count;
    body.high_watermark = partition_high_watermark(group->partition);
    if (delivery->has_gone) {
        body.n_gone_below = delivery->count + 1;
        body.gone_below = delivery->gone_below;
    }
    Lf__ClientReply reply;
    reply_init(node, &reply, 0);
    reply.body_case = LF__CLIENT_REPLY__BODY_DELIVER;
    reply.deliver = &body;
    subscription->next_offset = delivery->next_offset;
    subscription->leader_epoch = -1;
    subscription->delivered_total += delivery->bytes;
    reply_send(node, subscription->session, &reply, delivery->frames, delivery->count);
}

static void read_store(struct node *node, struct subscription *subscription, const struct group *group) {
    if (node->reads.count >= node->limits.reads_max)
        return; /* the next apply, credit or tick pumps again */
    struct pending_read *pending = node_alloc(1, sizeof *pending);
    *pending = (struct pending_read){.kind = READ_SUBSCRIPTION,
                                     .group = group->id,
                                     .subscription_key = subscription->key,
                                     .last_index = group_readable(group)};
    struct log_store_read read = {.group = group->id,
                                  .request = ++node->next_request,
                                  .from = LOG_STORE_READ_OFFSET,
                                  .value = (uint64_t)subscription->next_offset,
                                  .last_index = group_readable(group),
                                  .bytes_max = node->limits.delivery_bytes_max,
                                  .entries_max = DELIVERY_BATCHES_MAX};
    lf_check(lf_map_put(&node->reads, read.request, pending));
    node_add_read(node, &read);
    node_session(node, subscription->session)->reading_bytes += node->limits.delivery_bytes_max;
    subscription->reading = true;
}

/** One delivery, or the read for one. False: nothing more can be done for it now. */
static bool pump_once(struct node *node, struct subscription *subscription, struct group *group) {
    if (subscription->reading || subscription->delivered_total >= subscription->credit_total ||
        subscription->next_offset >= partition_high_watermark(group->partition) || !group_image_is_written(group))
        return false;
    struct session *session = node_session(node, subscription->session);
    if (!room_left(node, session)) {
        if (!session->awaits_room)
            session->turn = subscription->key;
        room_await(node, session);
        return false;
    }
    uint64_t index = tail_find_offset(&group->tail, group->applied, subscription->next_offset);
    if (index == 0) {
        read_store(node, subscription, group);
        return false;
    }
    struct delivery delivery;
    delivery_init(&delivery, subscription->next_offset);
    for (; index <= group->applied; index++)
        if (!delivery_add(&delivery, node->limits.delivery_bytes_max, tail_get(&group->tail, index)))
            break;
    lf_check(delivery.next_offset >
             subscription->next_offset); /* with no batch, it says that what is between is gone */
    deliver(node, subscription, group, &delivery);
    return true;
}

/** The log start may have overtaken it. True: it has ended with that, and with the place to go on from. What is below
 * the log start is not delivered, though it may still be there. */
static bool ends_below_start(struct node *node, struct subscription *subscription, const struct group *group) {
    int64_t start = partition_log_start_offset(group->partition);
    if (subscription->next_offset >= start)
        return false;
    end(node, subscription, LF_OFFSET_BELOW_START, "the log start moved beyond the position: resume there", start);
    return true;
}

/** It may have waited beyond the end for records of another history: true once that is known, and it has ended. */
static bool ends_diverged(struct node *node, struct subscription *subscription, const struct group *group) {
    int64_t resume;
    if (!partition_jumps_diverged(partition_jumps(group->partition), subscription->next_offset,
                                  subscription->leader_epoch, &resume))
        return false;
    end(node, subscription, LF_HISTORY_DIVERGED, diverged_words, resume);
    return true;
}

static void pump(struct node *node, struct subscription *subscription, struct group *group) {
    if (!subscription->reading &&
        (ends_below_start(node, subscription, group) || ends_diverged(node, subscription, group)))
        return;
    while (pump_once(node, subscription, group)) {
    }
}

/** One delivery each in turn, beginning with the one that was first to go without, until the room is used up. */
void subscriptions_pump_session(struct node *node, struct session *session) {
    struct subscription *first = session->turn ? lf_map_get(&node->subscriptions, session->turn) : NULL;
    if (!first || first->session != session->id)
        first = session->subscriptions;
    bool more = first != NULL;
    while (more && !session->awaits_room) {
        struct subscription *subscription = first;
        more = false;
        do {
            more |= pump_once(node, subscription, node_group(node, subscription->group));
            subscription = subscription->next_in_session ? subscription->next_in_session : session->subscriptions;
        } while (subscription != first && !session->awaits_room);
    }
}

void subscriptions_pump_group(struct node *node, struct group *group) {
    struct subscription *next;
    for (struct subscription *subscription = group->subscriptions; subscription; subscription = next) {
        next = subscription->next_in_group;
        pump(node, subscription, group);
    }
}

void subscriptions_on_read(struct node *node, uint64_t key, uint64_t last_index,
                           struct log_store_completion *completion) {
    struct subscription *subscription = lf_map_get(&node->subscriptions, key);
    if (!subscription)
        return;
    struct group *group = node_group(node, subscription->group);
    subscription->reading = false;
    node_session(node, subscription->session)->reading_bytes -= node->limits.delivery_bytes_max;
    if (completion->status != LF_DAMAGED &&
        (ends_below_start(node, subscription, group) || ends_diverged(node, subscription, group)))
        return; /* whatever the read made of what is going */
    if (completion->status != LF_OK) {
        if (completion->status == LF_DAMAGED)
            node_fail(node, LF_DAMAGED, "group %llu: %.200s", (unsigned long long)group->id, completion->error.text);
        end(node, subscription, completion->status, completion->error.text, subscription->next_offset);
        return;
    }
    struct delivery delivery;
    delivery_init(&delivery, subscription->next_offset);
    for (uint32_t i = 0; i < completion->entry_count; i++) {
        struct lf_buf *entry = completion->entries[i];
        if ((int64_t)lf_get_le64(entry->data + 40) <= delivery.next_offset)
            continue;
        if (!delivery_add(&delivery, node->limits.delivery_bytes_max, entry))
            break;
    }
    if (delivery.next_offset == subscription->next_offset && last_index < raft_previous_index(group->raft)) {
        pump(node, subscription, group); /* an image came between the question and the answer */
        return;
    }
    if (delivery.next_offset == subscription->next_offset) {
        node_fail(node, LF_DAMAGED, "group %llu: offset %lld is committed but the store does not hold it",
                  (unsigned long long)group->id, (long long)subscription->next_offset);
        return;
    }
    deliver(node, subscription, group, &delivery);
    pump(node, subscription, group);
}

/* ---- requests ---- */

static void reply_subscribed(struct node *node, struct session *session, uint64_t request_id,
                             const struct subscription *subscription, const struct group *group) {
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    const struct metadata_topic *topic = metadata_topic_by_id(node->metadata, group->topic_id);
    ref.id = group->topic_id;
    if (topic)
        ref.name = (char *)(uintptr_t)topic->name;
    Lf__SubscribeReply body = LF__SUBSCRIBE_REPLY__INIT;
    body.subscription = subscription->id;
    body.topic = &ref;
    body.start_offset = subscription->next_offset;
    body.log_start_offset = partition_log_start_offset(group->partition);
    body.high_watermark = partition_high_watermark(group->partition);
    Lf__ClientReply reply;
    reply_init(node, &reply, request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_SUBSCRIBE;
    reply.subscribe = &body;
    reply_send(node, session->id, &reply, NULL, 0);
}

/** With the first offset that exists. */
static void refuse_below_start(struct node *node, struct session *session, uint64_t request_id, int64_t offset,
                               int64_t start) {
    struct lf_error error;
    Lf__SubscribeReply body = LF__SUBSCRIBE_REPLY__INIT;
    body.log_start_offset = start;
    Lf__ClientReply reply;
    reply_init(node, &reply, request_id);
    reply.status = LF_OFFSET_BELOW_START;
    lf_error_set(&error, LF_OFFSET_BELOW_START, "offset %lld is below the log start %lld", (long long)offset,
                 (long long)start);
    reply.error = error.text;
    reply.body_case = LF__CLIENT_REPLY__BODY_SUBSCRIBE;
    reply.subscribe = &body;
    reply_send(node, session->id, &reply, NULL, 0);
}

/** With the offset where this history goes on. */
static void refuse_diverged(struct node *node, struct session *session, uint64_t request_id, int64_t start,
                            int64_t resume) {
    Lf__SubscribeReply body = LF__SUBSCRIBE_REPLY__INIT;
    body.start_offset = resume;
    body.log_start_offset = start;
    Lf__ClientReply reply;
    reply_init(node, &reply, request_id);
    reply.status = LF_HISTORY_DIVERGED;
    reply.error = (char *)(uintptr_t)diverged_words;
    reply.body_case = LF__CLIENT_REPLY__BODY_SUBSCRIBE;
    reply.subscribe = &body;
    reply_send(node, session->id, &reply, NULL, 0);
}

static void begin(struct node *node, struct session *session, struct group *group, const Lf__ClientRequest *request,
                  int64_t offset) {
    const Lf__Subscribe *wanted = request->subscribe;
    int64_t start = partition_log_start_offset(group->partition);
    if (find(session, wanted->subscription)) { /* it may have come while this one waited for a read round */
        reply_error(node, session->id, request->request_id, LF_EXISTS, "subscription number is in use");
        return;
    }
    if (offset < start && !wanted->reset_to_log_start) {
        refuse_below_start(node, session, request->request_id, offset, start);
        return;
    }
    int64_t resume;
    int32_t leader_epoch = wanted->from == LF__START_FROM__START_OFFSET ? wanted->position->leader_epoch : -1;
    if (offset >= start && partition_jumps_diverged(partition_jumps(group->partition), offset, leader_epoch, &resume)) {
        refuse_diverged(node, session, request->request_id, start, resume);
        return;
    }
    struct subscription *subscription = add(node, session, group, wanted, offset < start ? start : offset);
    reply_subscribed(node, session, request->request_id, subscription, group);
    pump(node, subscription, group);
}

static enum lf_status judge(const struct node *node, const struct session *session, const Lf__Subscribe *wanted,
                            struct group **group, struct lf_error *error) {
    const struct metadata_partition *partition;
    enum lf_status status = topics_find_partition(node, wanted->topic, wanted->partition, &partition);
    if (status != LF_OK)
        return lf_error_set(error, status, "%s", lf_status_text(status));
    *group = node_group(node, partition->group);
    if (!*group)
        return lf_error_set(error, LF_NOT_LEADER, "this broker holds no replica of the partition: ask one that does");
    if ((*group)->state != GROUP_RUNNING)
        return lf_error_set(error, LF_NOT_READY, "the partition's replica here is not serving");
    if (wanted->subscription == 0)
        return lf_error_set(error, LF_INVALID, "subscription must not be 0");
    if (find(session, wanted->subscription))
        return lf_error_set(error, LF_EXISTS, "subscription number is in use");
    if (session->subscription_count >= node->limits.subscriptions_per_session_max ||
        node->subscriptions.count >= node->limits.subscriptions_max)
        return lf_error_set(error, LF_OVERLOADED, "too many subscriptions");
    return LF_OK;
}

void subscriptions_on_subscribe(struct node *node, struct session *session, Lf__ClientRequest **where) {
    const Lf__ClientRequest *request = *where;
    const Lf__Subscribe *wanted = request->subscribe;
    struct group *group = NULL;
    struct lf_error error = {0};
    if (judge(node, session, wanted, &group, &error) != LF_OK) {
        reply_error(node, session->id, request->request_id, error.code, "%s", error.text);
        return;
    }
    switch (wanted->from) {
    case LF__START_FROM__START_EARLIEST:
        begin(node, session, group, request, partition_log_start_offset(group->partition));
        return;
    case LF__START_FROM__START_OFFSET:
        if (!wanted->position || wanted->position->offset < 0)
            reply_error(node, session->id, request->request_id, LF_INVALID, "a start offset must be 0 or more");
        else
            begin(node, session, group, request, wanted->position->offset);
        return;
    case LF__START_FROM__START_LATEST:
    case LF__START_FROM__START_TAIL:
    case LF__START_FROM__START_TIMESTAMP:
        lookups_start(node, session, group, LOOKUP_SUBSCRIBE, where);
        return;
    default:
        reply_error(node, session->id, request->request_id, LF_UNSUPPORTED, "unknown way to start");
    }
}

static int64_t wanted_ms(const struct parked *parked) {
    return parked->lookup == LOOKUP_OFFSET_TIME ? parked->request->offsets_lookup->timestamp_ms
                                                : parked->request->subscribe->timestamp_ms;
}

/** Ask the store for the first batch that reaches a time; the answer continues what waits in `parked`. */
static void find_time(struct node *node, const struct group *group, struct parked *parked, int64_t timestamp_ms) {
    struct parked *kept = parked_new(node, PARKED_LOOKUP, group->id, parked->session, parked->request_id);
    if (!kept || node->reads.count >= node->limits.reads_max) {
        if (kept)
            parked_free(node, kept);
        reply_error(node, parked->session, parked->request_id, LF_OVERLOADED, "reads_max is reached");
        return;
    }
    kept->lookup = parked->lookup;
    kept->request = parked->request;
    kept->index = group_readable(group); /* above it the tail is asked, when the store answered */
    parked->request = NULL;              /* moves on with it */
    struct pending_read *pending = node_alloc(1, sizeof *pending);
    *pending = (struct pending_read){.kind = READ_TIME, .group = group->id, .parked = kept};
    struct log_store_read read = {.group = group->id,
                                  .request = ++node->next_request,
                                  .from = LOG_STORE_READ_TIME,
                                  .value = (uint64_t)timestamp_ms,
                                  .last_index = group_readable(group),
                                  .bytes_max = 1,
                                  .entries_max = 1};
    lf_check(lf_map_put(&node->reads, read.request, pending));
    node_add_read(node, &read);
}

void subscriptions_answer_lookup(struct node *node, struct parked *parked) {
    struct session *session = node_session(node, parked->session);
    struct group *group = node_group(node, parked->group);
    if (!session)
        return;
    if (parked->lookup == LOOKUP_OFFSET_TIME) {
        find_time(node, group, parked, parked->request->offsets_lookup->timestamp_ms);
        return;
    }
    const Lf__Subscribe *wanted = parked->request->subscribe;
    int64_t end_offset = partition_high_watermark(group->partition);
    int64_t start = partition_log_start_offset(group->partition);
    if (wanted->from == LF__START_FROM__START_LATEST) {
        begin(node, session, group, parked->request, end_offset);
    } else if (wanted->from == LF__START_FROM__START_TAIL) {
        int64_t back = wanted->tail < 0 ? 0 : wanted->tail;
        begin(node, session, group, parked->request,
              partition_jumps_back(partition_jumps(group->partition), start, end_offset, back));
    } else {
        find_time(node, group, parked, wanted->timestamp_ms);
    }
}

void subscriptions_on_time(struct node *node, struct parked *parked, struct log_store_completion *completion) {
    struct session *session = node_session(node, parked->session);
    struct group *group = node_group(node, parked->group);
    if (!session)
        return;
    if (!group || completion->status != LF_OK) {
        reply_error(node, parked->session, parked->request_id, group ? completion->status : LF_TOPIC_DELETED, "%s",
                    group ? completion->error.text : lf_status_text(LF_TOPIC_DELETED));
        return;
    }
    if (completion->entry_count == 0 && parked->index < raft_previous_index(group->raft)) {
        reply_error(node, parked->session, parked->request_id, LF_NOT_READY, "an image was installed meanwhile: retry");
        return;
    }
    /* Nothing reaches that time: the end. */
    int64_t offset = partition_high_watermark(group->partition), timestamp_ms = -1;
    struct lf_batch_header header;
    const struct lf_buf *found = completion->entry_count > 0 ? completion->entries[0]
                                                             : tail_find_time(&group->tail, parked->index + 1,
                                                                              group->applied, wanted_ms(parked));
    if (found &&
        lf_batch_header_decode(lf_bytes(found->data + LF_ENTRY_HEADER_BYTES, found->size - LF_ENTRY_HEADER_BYTES),
                               &header) == LF_OK) {
        offset = header.base_offset;
        if (offset < partition_log_start_offset(group->partition)) /* trimmed, and not dropped yet */
            offset = partition_log_start_offset(group->partition);
        timestamp_ms = header.max_timestamp_ms;
    }
    if (parked->lookup == LOOKUP_SUBSCRIBE)
        begin(node, session, group, parked->request, offset);
    else
        lookups_reply_position(node, parked->session, parked->request_id, offset, timestamp_ms);
}

void subscriptions_on_unsubscribe(struct node *node, struct session *session, const Lf__ClientRequest *request) {
    struct subscription *subscription = find(session, request->unsubscribe->subscription);
    if (subscription)
        subscription_free(node, subscription);
    Lf__UnsubscribeReply body = LF__UNSUBSCRIBE_REPLY__INIT;
    Lf__ClientReply reply;
    reply_init(node, &reply, request->request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_UNSUBSCRIBE;
    reply.unsubscribe = &body;
    reply_send(node, session->id, &reply, NULL, 0);
}

void subscriptions_on_credit(struct node *node, struct session *session, const Lf__Credit *credit) {
    struct subscription *subscription = find(session, credit->subscription);
    if (!subscription || credit->credit_total <= subscription->credit_total)
        return; /* ended meanwhile, or an old one */
    subscription->credit_total = credit->credit_total;
    pump(node, subscription, node_group(node, subscription->group));
}
