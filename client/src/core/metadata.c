/** What is known of topics: who leads which partition, asked of any broker, in doubt of the controller. */
#include "core_state.h"

#include <stdlib.h>

#define TOPICS_PER_REQUEST_MAX 500
#define ABSENT_ANSWERS_ENOUGH 3

static size_t bucket_of(const char *name) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash % LF_CORE_BUCKETS;
}

bool lf_topic_name_ok(const char *name) {
    size_t size = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return size > 0 && size <= LF_CORE_TOPIC_NAME_MAX && name[size] == '\0' && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

struct lf_topic_state *lf_topic_find(struct lf_core *core, const char *name) {
    if (core->last_topic && strcmp(core->last_topic->name, name) == 0)
        return core->last_topic;
    struct lf_topic_state *topic = core->buckets[bucket_of(name)];
    while (topic && strcmp(topic->name, name) != 0)
        topic = topic->next_in_bucket;
    if (topic)
        core->last_topic = topic;
    return topic;
}

struct lf_topic_state *lf_topic_get(struct lf_core *core, const char *name, enum lf_status *status) {
    struct lf_topic_state *topic = lf_topic_find(core, name);
    *status = LF_OK;
    if (topic)
        return topic;
    if (core->topic_count == LF_CORE_TOPICS_MAX) {
        *status = LF_FULL;
        return NULL;
    }
    topic = calloc(1, sizeof *topic);
    if (topic)
        topic->name = strdup(name);
    if (!topic || !topic->name || !lf_timer_register(&core->timers, &topic->timer, LF_TIMER_TOPIC, topic)) {
        if (topic)
            free(topic->name);
        free(topic);
        *status = LF_NO_MEMORY;
        return NULL;
    }
    size_t bucket = bucket_of(name);
    topic->next_in_bucket = core->buckets[bucket];
    core->buckets[bucket] = topic;
    core->topic_count++;
    return topic;
}

static void partitions_free(struct lf_core *core, struct lf_topic_state *topic) {
    for (uint32_t i = 0; i < topic->partition_count; i++)
        if (topic->partitions[i].publisher)
            lf_publisher_free(core, topic->partitions[i].publisher);
    free(topic->partitions);
    topic->partitions = NULL;
    topic->partition_count = 0;
}

void lf_topic_states_free(struct lf_core *core) {
    for (size_t bucket = 0; bucket < LF_CORE_BUCKETS; bucket++)
        while (core->buckets[bucket]) {
            struct lf_topic_state *topic = core->buckets[bucket];
            core->buckets[bucket] = topic->next_in_bucket;
            while (topic->waiting_first) {
                struct lf_waiting *waiting = topic->waiting_first;
                topic->waiting_first = waiting->next;
                free(waiting);
            }
            partitions_free(core, topic);
            lf_timer_unregister(&core->timers, &topic->timer);
            free(topic->name);
            free(topic);
        }
}

/* ---- asking ------------------------------------------------------------------------------------------------------ */

void lf_metadata_want(struct lf_core *core, struct lf_topic_state *topic) {
    core->metadata_wanted = true;
    if (topic)
        topic->wanted = true;
    lf_core_look_at(core, core->metadata_at_ms > core->now_ms ? core->metadata_at_ms : core->now_ms);
}

static size_t gather(struct lf_core *core, Lf__TopicRef *refs, Lf__TopicRef **pointers, bool *confirm) {
    size_t count = 0;
    for (size_t bucket = 0; bucket < LF_CORE_BUCKETS; bucket++)
        for (struct lf_topic_state *topic = core->buckets[bucket]; topic; topic = topic->next_in_bucket) {
            if (!topic->wanted || count == TOPICS_PER_REQUEST_MAX)
                continue;
            refs[count] = (Lf__TopicRef)LF__TOPIC_REF__INIT;
            refs[count].name = topic->name;
            pointers[count] = &refs[count];
            count++;
            *confirm |= topic->confirm;
            topic->asked = true;
        }
    return count;
}

static struct lf_broker *whom_to_ask(struct lf_core *core, bool confirm) {
    struct lf_broker *controller = confirm ? lf_broker_by_node(core, core->controller_node) : NULL;
    if (controller && lf_broker_ready(controller) && !lf_broker_failing(core, controller))
        return controller;
    if (controller)
        lf_broker_want(core, controller);
    if (core->metadata_tries > 2 && core->broker_count > 1) { /* those asked so far do not know: hear others too */
        struct lf_broker *other = core->brokers[lf_core_random(core) % core->broker_count];
        if (!other->retired)
            lf_broker_want(core, other);
    }
    return lf_broker_any(core);
}

/* What was asked and has no answer is asked again. */
static void ask_again(struct lf_core *core) {
    for (size_t bucket = 0; bucket < LF_CORE_BUCKETS; bucket++)
        for (struct lf_topic_state *topic = core->buckets[bucket]; topic; topic = topic->next_in_bucket) {
            core->metadata_wanted |= topic->asked;
            topic->wanted |= topic->asked;
            topic->asked = false;
        }
}

/* All of them may be replaced by others while nothing else gives a reason to ask. */
static void refresh(struct lf_core *core) {
    if (core->ready_count == 0 || core->metadata_wanted || core->metadata_request)
        return;
    uint64_t at = core->metadata_heard_ms + LF_CORE_METADATA_REFRESH;
    if (core->now_ms >= at)
        lf_metadata_want(core, NULL);
    else
        lf_core_look_at(core, at);
}

void lf_metadata_pump(struct lf_core *core) {
    refresh(core);
    if (!core->metadata_wanted || core->metadata_request)
        return;
    if (core->now_ms < core->metadata_at_ms) {
        lf_core_look_at(core, core->metadata_at_ms);
        return;
    }
    Lf__TopicRef refs[TOPICS_PER_REQUEST_MAX];
    Lf__TopicRef *pointers[TOPICS_PER_REQUEST_MAX];
    bool confirm = false;
    size_t count = gather(core, refs, pointers, &confirm);
    struct lf_broker *broker = whom_to_ask(core, confirm);
    if (broker) {
        Lf__MetadataRequest body = LF__METADATA_REQUEST__INIT;
        body.n_topics = count;
        body.topics = pointers;
        Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
        request.body_case = LF__CLIENT_REQUEST__BODY_METADATA;
        request.metadata = &body;
        core->metadata_request = lf_request_send(core, broker, LF_REQUEST_METADATA, core, &request, NULL);
    }
    if (!core->metadata_request) {
        ask_again(core); /* a link that comes wakes us */
        lf_core_look_at(core, core->now_ms + LF_CORE_LOOK_INTERVAL);
        return;
    }
    bool rest = false;
    for (size_t bucket = 0; bucket < LF_CORE_BUCKETS; bucket++)
        for (struct lf_topic_state *topic = core->buckets[bucket]; topic; topic = topic->next_in_bucket) {
            topic->wanted &= !topic->asked;
            rest |= topic->wanted;
        }
    core->metadata_wanted = rest;
    if (core->now_ms - core->metadata_at_ms > LF_CORE_BACKOFF_MAX)
        core->metadata_tries = 0;
    uint64_t factor = core->metadata_tries < 10 ? 1 : 5;
    core->metadata_tries++;
    core->metadata_at_ms = core->now_ms + lf_core_jitter(core, LF_CORE_METADATA_INTERVAL * factor);
}

/* ---- hearing ----------------------------------------------------------------------------------------------------- */

static void topic_absent(struct lf_core *core, struct lf_topic_state *topic, enum lf_status status) {
    lf_core_trace(core, "topic %s: %s", topic->name, lf_status_name(status));
    for (uint32_t i = 0; i < topic->partition_count; i++)
        if (topic->partitions[i].publisher)
            lf_publisher_fail_all(core, topic->partitions[i].publisher, status, NULL);
    lf_waiting_fail(core, topic, status, NULL);
    partitions_free(core, topic);
    topic->known = LF_TOPIC_NOT_KNOWN;
    topic->id = 0;
    topic->confirm = false;
    topic->absent_answers = 0;
    lf_subscriptions_topic_gone(core, topic, status);
    lf_calls_topic_gone(core, topic, status);
}

static void heard_absent(struct lf_core *core, struct lf_broker *broker, struct lf_topic_state *topic,
                         enum lf_status status) {
    bool from_controller = core->controller_node != 0 && broker->node_id == core->controller_node;
    if (from_controller || ++topic->absent_answers >= ABSENT_ANSWERS_ENOUGH) {
        topic_absent(core, topic, status);
        return;
    }
    topic->confirm = true; /* it may only be behind */
    lf_metadata_want(core, topic);
}

static void partition_update(struct lf_core *core, struct lf_topic_state *topic, const Lf__PartitionMetadata *said) {
    struct lf_partition_state *partition = &topic->partitions[said->partition];
    partition->replica_count = 0;
    for (size_t i = 0; i < said->n_replica_nodes && i < LF_REPLICAS_MAX; i++)
        partition->replica_nodes[partition->replica_count++] = said->replica_nodes[i];
    if (said->leader_node == 0)
        return;
    if (said->leader_epoch > partition->leader_epoch) {
        if (said->leader_node != partition->leader_node)
            lf_core_trace(core, "topic=%s partition=%u leader=%llu epoch=%d", topic->name, said->partition,
                          (unsigned long long)said->leader_node, said->leader_epoch);
    } else {
        struct lf_broker *broker = lf_broker_by_node(core, said->leader_node);
        if (said->leader_epoch < partition->leader_epoch || partition->leader_node != 0 ||
            (broker && lf_broker_failing(core, broker)))
            return; /* older news, or the leader that we just lost */
    }
    partition->leader_node = said->leader_node;
    partition->leader_epoch = said->leader_epoch;
}

static bool partitions_resize(struct lf_topic_state *topic, size_t count) {
    if (count <= topic->partition_count)
        return true; /* partitions do not go away while the topic's id stays */
    struct lf_partition_state *partitions = realloc(topic->partitions, count * sizeof *partitions);
    if (!partitions)
        return false;
    for (size_t i = topic->partition_count; i < count; i++)
        partitions[i] = (struct lf_partition_state){.leader_epoch = -1};
    topic->partitions = partitions;
    topic->partition_count = (uint32_t)count;
    return true;
}

static void heard_topic(struct lf_core *core, struct lf_topic_state *topic, const Lf__TopicMetadata *said) {
    uint64_t id = said->topic->id;
    bool sane = said->n_partitions > 0 && said->n_partitions <= LF_CORE_PARTITIONS_MAX;
    for (size_t i = 0; sane && i < said->n_partitions; i++)
        sane = said->partitions[i]->partition < said->n_partitions;
    if (sane && topic->id != 0 && id > topic->id)
        topic_absent(core, topic, LF_TOPIC_RECREATED);
    /* Ids only grow: one below ours comes from a broker that is behind. */
    if (!sane || id < topic->id || !partitions_resize(topic, said->n_partitions)) {
        lf_metadata_want(core, topic);
        return;
    }
    topic->id = id;
    topic->absent_answers = 0;
    topic->confirm = false;
    for (size_t i = 0; i < said->n_partitions; i++)
        partition_update(core, topic, said->partitions[i]);
    if (topic->known != LF_TOPIC_KNOWN) {
        topic->known = LF_TOPIC_KNOWN;
        topic->sticky = (uint32_t)(lf_core_random(core) % topic->partition_count);
    }
    lf_waiting_route(core, topic);
}

void lf_metadata_on_reply(struct lf_core *core, struct lf_broker *broker, const Lf__ClientReply *reply) {
    if (!reply || reply->status != LF_OK || reply->body_case != LF__CLIENT_REPLY__BODY_METADATA) {
        ask_again(core);
        return;
    }
    const Lf__MetadataReply *metadata = reply->metadata;
    core->metadata_heard_ms = core->now_ms;
    for (size_t i = 0; i < metadata->n_brokers; i++)
        lf_broker_learn(core, metadata->brokers[i]);
    if (metadata->controller_node != 0 && metadata->controller_node == broker->node_id)
        lf_brokers_listed(core, broker, metadata->brokers, metadata->n_brokers);
    if (metadata->controller_node)
        core->controller_node = metadata->controller_node;
    for (size_t i = 0; i < metadata->n_topics; i++) {
        const Lf__TopicMetadata *said = metadata->topics[i];
        struct lf_topic_state *topic = said->topic ? lf_topic_find(core, said->topic->name) : NULL;
        if (!topic)
            continue;
        bool asked = topic->asked;
        topic->asked = false;
        if (said->status == LF_OK)
            heard_topic(core, topic, said);
        else if ((said->status == LF_TOPIC_UNKNOWN || said->status == LF_TOPIC_DELETED) && asked)
            heard_absent(core, broker, topic, (enum lf_status)said->status);
        else if (asked)
            topic->asked = true; /* an answer that does not help: again */
    }
    ask_again(core);
    core->wake = true;
}

void lf_metadata_not_leader(struct lf_core *core, struct lf_topic_state *topic, uint32_t number,
                            const struct lf_broker *said_by, const Lf__Leader *leader) {
    if (number >= topic->partition_count)
        return;
    struct lf_partition_state *partition = &topic->partitions[number];
    if (partition->leader_node == said_by->node_id)
        partition->leader_node = 0;
    struct lf_broker *named = leader ? lf_broker_learn(core, leader->broker) : NULL;
    if (named && named != said_by && named->node_id == leader->broker->node_id &&
        leader->leader_epoch >= partition->leader_epoch) {
        if (partition->leader_node != named->node_id)
            lf_core_trace(core, "topic=%s partition=%u leader=%llu epoch=%d (said node %llu)", topic->name, number,
                          (unsigned long long)named->node_id, leader->leader_epoch,
                          (unsigned long long)said_by->node_id);
        partition->leader_node = named->node_id;
        partition->leader_epoch = leader->leader_epoch;
        return;
    }
    partition->probe++;
    lf_metadata_want(core, topic);
}

struct lf_broker *lf_partition_target(struct lf_core *core, struct lf_topic_state *topic, uint32_t number,
                                      bool *certain) {
    struct lf_partition_state *partition = &topic->partitions[number];
    struct lf_broker *leader = lf_broker_by_node(core, partition->leader_node);
    *certain = true;
    if (leader && !lf_broker_failing(core, leader)) {
        if (lf_broker_ready(leader))
            return leader;
        lf_broker_want(core, leader);
        return NULL;
    }
    if (leader)
        lf_broker_want(core, leader);
    lf_metadata_want(core, topic);
    *certain = false;
    for (size_t i = 0; i < partition->replica_count; i++) {
        uint64_t node = partition->replica_nodes[(partition->probe + i) % partition->replica_count];
        struct lf_broker *broker = lf_broker_by_node(core, node);
        if (!broker || broker == leader)
            continue;
        if (lf_broker_ready(broker) && !lf_broker_failing(core, broker))
            return broker;
        lf_broker_want(core, broker);
    }
    return NULL;
}
