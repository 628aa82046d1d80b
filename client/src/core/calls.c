/** Calls about topics and the cluster: asked again, where needed of the controller, until their time is over. */
#include "core_state.h"

#include <stdio.h>
#include <stdlib.h>

#define REDIRECTS_AT_ONCE 3

static void call_free(struct lf_core *core, struct lf_call *call) {
    struct lf_call **link = &core->calls;
    while (*link != call)
        link = &(*link)->next;
    *link = call->next;
    core->call_count--;
    lf_request_cancel(&call->request);
    lf_timer_unregister(&core->timers, &call->timer);
    if (call->reply)
        lf__client_reply__free_unpacked(call->reply, NULL);
    free(call->ask_nodes);
    free(call->topic);
    free(call->settings);
    free(call);
}

void lf_call_finish(struct lf_core *core, struct lf_call *call, enum lf_status status, const char *text,
                    Lf__ClientReply *reply) {
    struct lf_core_effect *effect = lf_effect_add(core, LF_CORE_ANSWER);
    if (effect) {
        effect->call = call->call.id;
        effect->status = status;
        effect->reply = reply;
        if (status != LF_OK)
            snprintf(effect->text, sizeof effect->text, "%s", text && *text ? text : lf_status_text(status));
    } else if (reply) {
        lf__client_reply__free_unpacked(reply, NULL);
    }
    call_free(core, call);
}

void lf_call_retry(struct lf_core *core, struct lf_call *call, enum lf_status status, const char *text) {
    call->tries++;
    call->last_status = status;
    snprintf(call->last_text, sizeof call->last_text, "%s", text && *text ? text : lf_status_text(status));
    call->retry_at_ms = core->now_ms + lf_core_backoff(core, call->tries, LF_CORE_BACKOFF_MAX);
    core->wake = true;
}

void lf_calls_topic_gone(struct lf_core *core, struct lf_topic_state *topic, enum lf_status status) {
    for (struct lf_call *call = core->calls, *next; call; call = next) {
        next = call->next;
        if (lf_call_is_for_partition(call) && strcmp(call->topic, topic->name) == 0)
            lf_call_finish(core, call, status, NULL, NULL);
    }
}

void lf_calls_close(struct lf_core *core) {
    while (core->calls) {
        struct lf_call *call = core->calls;
        bool asked = call->request && call->stage == LF_CALL_ASKING;
        bool unknown = lf_call_changes(call) && (call->maybe || asked);
        lf_call_finish(core, call, unknown ? LF_UNKNOWN_OUTCOME : LF_CANCELLED, "the client was closed", NULL);
    }
}

void lf_calls_free(struct lf_core *core) {
    while (core->calls)
        call_free(core, core->calls);
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

static struct lf_broker *controller_or_any(struct lf_core *core, struct lf_call *call) {
    struct lf_broker *controller = call->target ? call->target : lf_broker_by_node(core, core->controller_node);
    if (controller) {
        bool failing = lf_broker_failing(core, controller);
        if (lf_broker_ready(controller) && !failing)
            return controller;
        lf_broker_want(core, controller); /* once its time to retry has come, also one that failed before */
        if (!failing)
            return NULL;
    }
    call->target = NULL;
    return lf_broker_any(core); /* it knows who the controller is, or will */
}

static struct lf_broker *partition_leader(struct lf_core *core, struct lf_call *call) {
    enum lf_status status;
    struct lf_topic_state *topic = lf_topic_get(core, call->topic, &status);
    if (!topic)
        return NULL;
    if (topic->known != LF_TOPIC_KNOWN) {
        if (!topic->asked)
            lf_metadata_want(core, topic);
        return NULL;
    }
    if (call->call.partitions >= topic->partition_count) {
        call->last_status = LF_PARTITION_UNKNOWN;
        return NULL;
    }
    bool certain;
    return lf_partition_target(core, topic, call->call.partitions, &certain);
}

/* One certain broker, whose silence is an answer too. NULL: not yet, or *over: the call is finished. */
static struct lf_broker *this_node(struct lf_core *core, struct lf_call *call, bool *over) {
    struct lf_broker *broker = lf_broker_by_node(core, call->call.node);
    if (!broker) {
        snprintf(call->last_text, sizeof call->last_text, "no node %llu is known", (unsigned long long)call->call.node);
        lf_metadata_want(core, NULL);
        return NULL;
    }
    if (call->last_status == LF_OK)
        call->last_text[0] = '\0';
    bool tried = broker->opened_ms >= call->started_ms || broker->link == LF_LINK_READY;
    bool failing = tried && broker->link != LF_LINK_HELLO && lf_broker_failing(core, broker);
    if (failing || (call->maybe && call->tries > 1)) {
        *over = true;
        lf_call_finish(core, call, LF_CONNECT, failing ? "it cannot be reached" : "it does not answer", NULL);
        return NULL;
    }
    lf_broker_want(core, broker);
    return lf_broker_ready(broker) ? broker : NULL;
}

static struct lf_broker *whom_to_ask(struct lf_core *core, struct lf_call *call, bool *over) {
    if (call->call.type == LF_CALL_CLUSTER_CHECK || call->call.type == LF_CALL_BACKUP ||
        (call->call.type == LF_CALL_PARTITION_SEGMENTS && call->call.node))
        return this_node(core, call, over);
    if (lf_call_is_for_partition(call)) {
        struct lf_broker *leader = partition_leader(core, call);
        *over = !leader && call->last_status == LF_PARTITION_UNKNOWN;
        if (*over)
            lf_call_finish(core, call, LF_PARTITION_UNKNOWN, NULL, NULL);
        return leader;
    }
    if (lf_call_changes(call) || call->target)
        return controller_or_any(core, call);
    return lf_broker_any(core);
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

/* With an answer that was put together here. */
static void finish_with(struct lf_core *core, struct lf_call *call, const Lf__ClientReply *made) {
    struct lf_buf *packed = lf_buf_new(lf__client_reply__get_packed_size(made));
    Lf__ClientReply *copy = NULL;
    if (packed) {
        lf__client_reply__pack(made, packed->data);
        copy = lf__client_reply__unpack(NULL, packed->size, packed->data);
        lf_buf_unref(&packed);
    }
    lf_call_finish(core, call, copy ? LF_OK : LF_NO_MEMORY, NULL, copy);
}

/* Repeated after an attempt without an answer, "to anybody else": another leads, so it is done. */
static bool transferred_before(const struct lf_call *call, const Lf__ClientReply *reply) {
    return call->call.type == LF_CALL_LEADER_TRANSFER && call->call.node == 0 && call->maybe && reply->leader &&
           reply->leader->broker;
}

/* Forget that this broker leads, and take up whom it names. */
static struct lf_broker *look_elsewhere(struct lf_core *core, struct lf_broker *broker, struct lf_call *call,
                                        const Lf__ClientReply *reply) {
    if (lf_call_is_for_partition(call)) {
        struct lf_topic_state *topic = lf_topic_find(core, call->topic);
        if (topic)
            lf_metadata_not_leader(core, topic, call->call.partitions, broker, reply->leader);
        return NULL;
    }
    struct lf_broker *named = reply->leader ? lf_broker_learn(core, reply->leader->broker) : NULL;
    if (core->controller_node == broker->node_id)
        core->controller_node = 0;
    if (!named || named == broker)
        lf_metadata_want(core, NULL);
    return named != broker ? named : NULL;
}

static void redirected(struct lf_core *core, struct lf_broker *broker, struct lf_call *call,
                       const Lf__ClientReply *reply) {
    if (transferred_before(call, reply)) {
        Lf__TransferLeaderReply body = LF__TRANSFER_LEADER_REPLY__INIT;
        body.leader_node = reply->leader->broker->node_id;
        Lf__ClientReply made = LF__CLIENT_REPLY__INIT;
        made.body_case = LF__CLIENT_REPLY__BODY_TRANSFER_LEADER;
        made.transfer_leader = &body;
        finish_with(core, call, &made);
        return;
    }
    call->target = look_elsewhere(core, broker, call, reply);
    lf_call_retry(core, call, LF_NOT_READY, reply->error);
    bool named = call->target || lf_call_is_for_partition(call);
    if (named && call->redirects++ < REDIRECTS_AT_ONCE)
        call->retry_at_ms = core->now_ms;
}

/* A topic of that name exists, and we may have made it in an attempt that had no answer: is it as we wanted it? */
static void check_existing(struct lf_core *core, struct lf_call *call, Lf__ClientReply *reply) {
    const Lf__TopicSummary *found =
        reply->body_case == LF__CLIENT_REPLY__BODY_DESCRIBE_TOPIC ? reply->describe_topic->topic : NULL;
    if (!found || !found->topic) {
        lf_call_retry(core, call, LF_TOPIC_EXISTS, NULL);
        return;
    }
    if (found->partitions != call->call.partitions || found->replicas != call->call.replicas) {
        lf_call_finish(core, call, LF_TOPIC_EXISTS, NULL, NULL);
        return;
    }
    Lf__CreateTopicReply body = LF__CREATE_TOPIC_REPLY__INIT;
    body.topic = found->topic;
    Lf__ClientReply made = LF__CLIENT_REPLY__INIT;
    made.body_case = LF__CLIENT_REPLY__BODY_CREATE_TOPIC;
    made.create_topic = &body;
    finish_with(core, call, &made);
}

/* The replica that is to be removed with the node. One that is not there is removed already, at most. */
static bool replica_of(const Lf__ClientReply *reply, uint64_t node, uint64_t *replica) {
    if (reply->body_case != LF__CLIENT_REPLY__BODY_CLUSTER_STATUS)
        return false;
    *replica = UINT64_MAX;
    for (size_t i = 0; i < reply->cluster_status->n_nodes; i++)
        if (reply->cluster_status->nodes[i]->broker && reply->cluster_status->nodes[i]->broker->node_id == node)
            *replica = reply->cluster_status->nodes[i]->replica_id; /* 0: an old broker does not say */
    return true;
}

/* The name is this topic's now (the node this replica); from here on it is named by its id. */
static void resolved(struct lf_core *core, struct lf_call *call, const Lf__ClientReply *reply) {
    const Lf__TopicRef *topic =
        reply->body_case == LF__CLIENT_REPLY__BODY_DESCRIBE_SETTINGS ? reply->describe_settings->topic : NULL;
    bool of_node = call->call.type == LF_CALL_NODE_REMOVE;
    if (of_node ? !replica_of(reply, call->call.node, &call->replica_id) : !topic || topic->id == 0) {
        lf_call_retry(core, call, LF_MALFORMED, "the broker's answer makes no sense");
        return;
    }
    call->topic_id = topic ? topic->id : 0;
    call->stage = LF_CALL_ASKING;
    call->retry_at_ms = core->now_ms;
    core->wake = true;
}

/* The broker says whether the topic that exists is as we wanted it; one that does not say so is asked what it is like.
 */
static void exists(struct lf_core *core, struct lf_call *call, const Lf__ClientReply *reply) {
    const Lf__CreateTopicReply *said =
        reply->body_case == LF__CLIENT_REPLY__BODY_CREATE_TOPIC ? reply->create_topic : NULL;
    if (!said || !said->topic) {
        call->stage = LF_CALL_CHECKING;
        lf_call_retry(core, call, LF_TOPIC_EXISTS, reply->error);
        call->retry_at_ms = core->now_ms;
        return;
    }
    if (!said->same) {
        lf_call_finish(core, call, LF_TOPIC_EXISTS, reply->error, NULL);
        return;
    }
    Lf__CreateTopicReply body = LF__CREATE_TOPIC_REPLY__INIT;
    body.topic = said->topic;
    Lf__ClientReply made = LF__CLIENT_REPLY__INIT;
    made.body_case = LF__CLIENT_REPLY__BODY_CREATE_TOPIC;
    made.create_topic = &body;
    finish_with(core, call, &made);
}

static void answered(struct lf_core *core, struct lf_call *call, struct lf_broker *broker, Lf__ClientReply **reply) {
    if (call->stage == LF_CALL_RESOLVING) {
        resolved(core, call, *reply);
        return;
    }
    if (call->stage == LF_CALL_CHECKING) {
        check_existing(core, call, *reply);
        return;
    }
    if (call->call.type == LF_CALL_TOPIC_DESCRIBE) {
        lf_describe_gather(core, call, broker, reply);
        return;
    }
    static const Lf__ClientReply__BodyCase bodies[] = {
        [LF_CALL_TOPIC_CREATE] = LF__CLIENT_REPLY__BODY_CREATE_TOPIC,
        [LF_CALL_TOPIC_DELETE] = LF__CLIENT_REPLY__BODY_DELETE_TOPIC,
        [LF_CALL_TOPIC_LIST] = LF__CLIENT_REPLY__BODY_LIST_TOPICS,
        [LF_CALL_PARTITION_END] = LF__CLIENT_REPLY__BODY_OFFSETS_LOOKUP,
        [LF_CALL_CLUSTER_STATUS] = LF__CLIENT_REPLY__BODY_CLUSTER_STATUS,
        [LF_CALL_NODE_ADD] = LF__CLIENT_REPLY__BODY_ADD_NODE,
        [LF_CALL_NODE_REMOVE] = LF__CLIENT_REPLY__BODY_REMOVE_NODE,
        [LF_CALL_NODE_DRAIN] = LF__CLIENT_REPLY__BODY_DRAIN_NODE,
        [LF_CALL_PARTITION_MOVE] = LF__CLIENT_REPLY__BODY_MOVE_PARTITION,
        [LF_CALL_LEADER_TRANSFER] = LF__CLIENT_REPLY__BODY_TRANSFER_LEADER,
        [LF_CALL_CLUSTER_CHECK] = LF__CLIENT_REPLY__BODY_CLUSTER_CHECK,
        [LF_CALL_TOPIC_ALTER] = LF__CLIENT_REPLY__BODY_ALTER_TOPIC,
        [LF_CALL_PARTITION_TRIM] = LF__CLIENT_REPLY__BODY_TRIM_PARTITION,
        [LF_CALL_PARTITION_OFFSET_AT] = LF__CLIENT_REPLY__BODY_OFFSETS_LOOKUP,
        [LF_CALL_PARTITION_SEGMENTS] = LF__CLIENT_REPLY__BODY_LIST_SEGMENTS,
        [LF_CALL_BACKUP] = LF__CLIENT_REPLY__BODY_BACKUP,
        [LF_CALL_TOPIC_SETTINGS] = LF__CLIENT_REPLY__BODY_DESCRIBE_SETTINGS,
    };
    if ((*reply)->body_case != bodies[call->call.type]) {
        call->maybe = true;
        lf_call_retry(core, call, LF_MALFORMED, "the broker's answer makes no sense");
        return;
    }
    Lf__ClientReply *taken = *reply;
    *reply = NULL;
    for (size_t i = 0; call->call.type == LF_CALL_CLUSTER_STATUS && i < taken->cluster_status->n_nodes; i++)
        lf_broker_learn(core, taken->cluster_status->nodes[i]->broker);
    lf_call_finish(core, call, LF_OK, NULL, taken);
}

static void refused(struct lf_core *core, struct lf_call *call, struct lf_broker *broker, enum lf_status status,
                    const Lf__ClientReply *reply) {
    bool unknown_topic = status == LF_TOPIC_UNKNOWN || status == LF_TOPIC_DELETED;
    bool gone = unknown_topic || (status == LF_TOPIC_RECREATED && call->topic_id != 0);
    if (call->stage == LF_CALL_RESOLVING && status == LF_UNSUPPORTED) {
        call->stage = LF_CALL_ASKING; /* an old broker: by name */
        lf_call_retry(core, call, status, reply->error);
        call->retry_at_ms = core->now_ms;
    } else if (call->stage == LF_CALL_CHECKING && unknown_topic) { /* it was another's, and is gone again */
        call->stage = LF_CALL_ASKING;
        lf_call_retry(core, call, LF_NOT_READY, reply->error);
    } else if (call->call.type == LF_CALL_TOPIC_CREATE && status == LF_TOPIC_EXISTS && call->maybe) {
        exists(core, call, reply);
    } else if (call->maybe && ((call->call.type == LF_CALL_TOPIC_DELETE && gone) ||
                               (call->call.type == LF_CALL_NODE_REMOVE && status == LF_NOT_FOUND))) {
        lf_call_finish(core, call, LF_OK, NULL, NULL); /* it was done by the attempt without an answer */
    } else if (lf_call_is_for_partition(call) && (unknown_topic || status == LF_PARTITION_UNKNOWN)) {
        struct lf_topic_state *topic = lf_topic_find(core, call->topic);
        if (topic)
            lf_metadata_want(core, topic); /* ends the call if it is so */
        lf_call_retry(core, call, status, reply->error);
    } else if (unknown_topic && !call->confirmed && core->controller_node && broker->node_id != core->controller_node) {
        call->confirmed = true; /* this broker may only be behind */
        call->target = lf_broker_by_node(core, core->controller_node);
        lf_call_retry(core, call, status, reply->error);
        call->retry_at_ms = core->now_ms;
    } else {
        lf_call_finish(core, call, status, reply->error, NULL);
    }
}

void lf_call_on_reply(struct lf_core *core, struct lf_broker *broker, struct lf_call *call, Lf__ClientReply **reply) {
    if (!reply || !*reply) {
        call->maybe = call->maybe || call->stage == LF_CALL_ASKING;
        lf_call_retry(core, call, LF_TIMED_OUT, "a broker went away or did not answer");
        return;
    }
    enum lf_status status = (enum lf_status)(*reply)->status;
    if (status == LF_OK) {
        answered(core, call, broker, reply);
        return;
    }
    switch (lf_status_action(status)) {
    case LF_ACTION_REDIRECT:
        redirected(core, broker, call, *reply);
        break;
    case LF_ACTION_RETRY:
        if (status == LF_NO_QUORUM) /* it is alone, or the group went on without it: others may know */
            look_elsewhere(core, broker, call, *reply);
        lf_call_retry(core, call, status, (*reply)->error);
        call->target = NULL;
        break;
    case LF_ACTION_NONE:
    case LF_ACTION_UNKNOWN:
        call->maybe = call->maybe || call->stage == LF_CALL_ASKING;
        lf_call_retry(core, call, status, (*reply)->error);
        break;
    case LF_ACTION_GIVE_UP:
        refused(core, call, broker, status, *reply);
        break;
    }
}

/* ---- moving ------------------------------------------------------------------------------------------------------ */

static void finish_overdue(struct lf_core *core, struct lf_call *call) {
    if (call->reply) { /* what was gathered is an answer */
        Lf__ClientReply *reply = call->reply;
        call->reply = NULL;
        lf_call_finish(core, call, LF_OK, NULL, reply);
        return;
    }
    enum lf_status status = LF_TIMED_OUT;
    bool asked = call->request && call->stage == LF_CALL_ASKING;
    bool certain = !(lf_call_changes(call) && (call->maybe || asked));
    /* A "no" that was asked about again (a broker that is behind knows no topic) is no answer. */
    enum lf_action last = lf_status_action(call->last_status);
    if (certain && call->last_status != LF_OK && last != LF_ACTION_UNKNOWN && last != LF_ACTION_GIVE_UP)
        status = call->last_status;
    char text[LF_ERROR_TEXT_BYTES];
    snprintf(text, sizeof text, "no answer in time%s%.200s", call->last_text[0] ? "; last: " : "", call->last_text);
    lf_call_finish(core, call, status, text, NULL);
}

/* False: the call is over. */
static bool in_time(struct lf_core *core, struct lf_call *call) {
    if (core->now_ms >= call->deadline_ms) {
        finish_overdue(core, call);
        return false;
    }
    uint64_t next = core->now_ms + LF_CORE_LOOK_INTERVAL;
    if (core->ready_count == 0) {
        uint64_t alone = core->linkless_ms > call->started_ms ? core->linkless_ms : call->started_ms;
        uint64_t end = alone + core->options.connect_timeout_ms;
        bool maybe = lf_call_changes(call) && call->maybe;
        if (core->now_ms >= end) {
            enum lf_status why = core->connect_error.code ? core->connect_error.code : LF_CONNECT;
            lf_call_finish(core, call, maybe ? LF_TIMED_OUT : why, core->connect_error.text, NULL);
            return false;
        }
        next = next < end ? next : end;
    }
    lf_timer_set(&core->timers, &call->timer, next < call->deadline_ms ? next : call->deadline_ms);
    return true;
}

static void call_pump(struct lf_core *core, struct lf_call *call) {
    if (call->request && lf_broker_failing(core, call->request->broker)) {
        lf_request_cancel(&call->request);
        call->maybe = call->maybe || call->stage == LF_CALL_ASKING;
        lf_call_retry(core, call, LF_TIMED_OUT, "a broker does not answer");
    }
    if (!in_time(core, call) || call->request)
        return;
    if (core->now_ms < call->retry_at_ms) {
        if (call->retry_at_ms < call->timer.when_ms)
            lf_timer_set(&core->timers, &call->timer, call->retry_at_ms);
        return;
    }
    struct lf_broker *broker;
    if (call->stage == LF_CALL_GATHERING) {
        bool finished;
        broker = lf_describe_next(core, call, &finished);
        if (finished) {
            finish_overdue(core, call);
            return;
        }
    } else {
        bool over = false;
        broker = whom_to_ask(core, call, &over);
        if (over)
            return;
    }
    if (broker)
        lf_call_ask(core, call, broker);
}

void lf_calls_pump(struct lf_core *core) {
    for (struct lf_call *call = core->calls, *next; call; call = next) {
        next = call->next; /* a pump ends no other call than its own */
        call_pump(core, call);
    }
}
