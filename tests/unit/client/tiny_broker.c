#include "tiny_broker.h"
#include "tiny_cluster.h"
#include "tiny_settings.h"

#include "client.pb-c.h"
#include "lf_buf.h"
#include "lf_record_batch.h"
#include "lf_status.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define TOPICS 16
#define PARTITIONS 8
#define SUBSCRIPTIONS 64
#define SESSIONS 64
#define DELIVER_BYTES (512 * 1024)

struct tiny_log {
    struct lf_buf **batches;
    int64_t *bases;
    size_t count, capacity;
    int64_t start, end;
};
struct tiny_topic {
    char name[250];
    uint64_t id;
    uint32_t partitions;
    struct tiny_settings settings;
    struct tiny_log logs[PARTITIONS];
};
struct tiny_session {
    uint8_t identity[256];
    size_t identity_size;
    uint64_t bytes_in;
};
struct tiny_subscription {
    struct tiny_session *session;
    uint64_t id;
    struct tiny_log *log;
    size_t next; /* batch */
    uint64_t sent, credit;
};
struct tiny_broker {
    pthread_t thread;
    void *context, *router;
    uint16_t port;
    atomic_bool stop, withhold;
    atomic_uint goodbyes;
    uint64_t ids;
    struct tiny_topic topics[TOPICS];
    struct tiny_session *sessions[SESSIONS];
    struct tiny_subscription subscriptions[SUBSCRIPTIONS];
    struct tiny_cluster cluster;
};

/* ---- sending ----------------------------------------------------------------------------------------------------- */

static void batch_sent(void *data, void *hint) {
    (void)data;
    struct lf_buf *buf = hint;
    lf_buf_unref(&buf);
}

static void say(struct tiny_broker *broker, struct tiny_session *to, Lf__ClientReply *reply, struct lf_buf **batches,
                size_t count) {
    static uint8_t cluster[16] = {1, 2, 3};
    reply->protocol_version = 1;
    reply->cluster_id = (ProtobufCBinaryData){.len = sizeof cluster, .data = cluster};
    reply->publish_credit_total = to->bytes_in + (8 << 20);
    size_t size = lf__client_reply__get_packed_size(reply);
    uint8_t *packed = malloc(size + 1);
    lf__client_reply__pack(reply, packed);
    zmq_send(broker->router, to->identity, to->identity_size, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    zmq_send(broker->router, packed, size, (count ? ZMQ_SNDMORE : 0) | ZMQ_DONTWAIT);
    free(packed);
    for (size_t i = 0; i < count; i++) {
        zmq_msg_t message;
        zmq_msg_init_data(&message, batches[i]->data, batches[i]->size, batch_sent, lf_buf_ref(batches[i]));
        if (zmq_msg_send(&message, broker->router, (i + 1 < count ? ZMQ_SNDMORE : 0) | ZMQ_DONTWAIT) < 0)
            zmq_msg_close(&message);
    }
}

/* ---- topics ------------------------------------------------------------------------------------------------------ */

static struct tiny_topic *topic_find(struct tiny_broker *broker, const char *name) {
    for (int i = 0; i < TOPICS; i++)
        if (broker->topics[i].id && strcmp(broker->topics[i].name, name) == 0)
            return &broker->topics[i];
    return NULL;
}

static enum lf_status topic_create(struct tiny_broker *broker, const char *name, uint32_t partitions) {
    if (topic_find(broker, name))
        return LF_TOPIC_EXISTS;
    if (partitions == 0 || partitions > PARTITIONS)
        return LF_INVALID;
    for (int i = 0; i < TOPICS; i++)
        if (!broker->topics[i].id) {
            snprintf(broker->topics[i].name, sizeof broker->topics[i].name, "%s", name);
            broker->topics[i].id = ++broker->ids;
            broker->topics[i].partitions = partitions;
            return LF_OK;
        }
    return LF_FULL;
}

static void topic_clear(struct tiny_broker *broker, struct tiny_topic *topic) {
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        struct tiny_log *log = &topic->logs[p];
        for (int i = 0; i < SUBSCRIPTIONS; i++)
            if (broker->subscriptions[i].log == log)
                broker->subscriptions[i] = (struct tiny_subscription){0};
        for (size_t i = 0; i < log->count; i++)
            lf_buf_unref(&log->batches[i]);
        free(log->batches);
        free(log->bases);
    }
    memset(topic, 0, sizeof *topic);
}

static struct tiny_log *log_find(struct tiny_broker *broker, const Lf__TopicRef *ref, uint32_t partition,
                                 enum lf_status *status) {
    struct tiny_topic *topic = ref ? topic_find(broker, ref->name) : NULL;
    *status = !topic ? LF_TOPIC_UNKNOWN : partition >= topic->partitions ? LF_PARTITION_UNKNOWN : LF_OK;
    return *status == LF_OK ? &topic->logs[partition] : NULL;
}

/* ---- streaming --------------------------------------------------------------------------------------------------- */

static void stream(struct tiny_broker *broker, struct tiny_subscription *s) {
    while (s->log && s->next < s->log->count && s->sent < s->credit) {
        size_t first = s->next;
        uint64_t bytes = 0;
        while (s->next < s->log->count && s->next - first < 200 && bytes < DELIVER_BYTES && s->sent < s->credit) {
            bytes += s->log->batches[s->next]->size;
            s->sent += s->log->batches[s->next++]->size;
        }
        Lf__Deliver body = LF__DELIVER__INIT;
        body.subscription = s->id;
        body.batch_count = (uint32_t)(s->next - first);
        body.high_watermark = s->log->end;
        Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
        reply.body_case = LF__CLIENT_REPLY__BODY_DELIVER;
        reply.deliver = &body;
        say(broker, s->session, &reply, &s->log->batches[first], s->next - first);
    }
}

static enum lf_status append(struct tiny_broker *broker, struct tiny_log *log, const uint8_t *data, size_t size,
                             int64_t *base) {
    struct lf_batch_header header;
    enum lf_status status = lf_batch_verify(lf_bytes(data, size), NULL, &header, NULL);
    if (status != LF_OK)
        return status;
    if (log->count == log->capacity) {
        log->capacity = log->capacity ? log->capacity * 2 : 64;
        log->batches = realloc(log->batches, log->capacity * sizeof(struct lf_buf *));
        log->bases = realloc(log->bases, log->capacity * sizeof *log->bases);
    }
    struct lf_buf *batch = lf_buf_copy(lf_bytes(data, size));
    lf_batch_stamp(batch->data, log->end, 1);
    log->bases[log->count] = *base = log->end;
    log->batches[log->count++] = batch;
    log->end += header.record_count;
    for (int i = 0; i < SUBSCRIPTIONS; i++)
        if (broker->subscriptions[i].log == log)
            stream(broker, &broker->subscriptions[i]);
    return LF_OK;
}

static int64_t start_of(const struct tiny_log *log, const Lf__Subscribe *said) {
    switch (said->from) {
    case LF__START_FROM__START_LATEST:
        return log->end;
    case LF__START_FROM__START_OFFSET:
        return said->position ? said->position->offset : 0;
    case LF__START_FROM__START_TAIL:
        return said->tail > log->end ? 0 : log->end - said->tail;
    case LF__START_FROM__START_TIMESTAMP:
        for (size_t i = 0; i < log->count; i++) {
            struct lf_batch_header header;
            lf_batch_header_decode(lf_buf_bytes(log->batches[i]), &header);
            if (header.max_timestamp_ms >= said->timestamp_ms)
                return log->bases[i];
        }
        return log->end;
    default:
        return 0;
    }
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

static void do_metadata(struct tiny_broker *broker, struct tiny_session *session, const Lf__ClientRequest *request,
                        Lf__ClientReply *reply) {
    Lf__Broker node = LF__BROKER__INIT;
    Lf__Broker *nodes[] = {&node};
    node.node_id = 1;
    node.host = (char *)(uintptr_t) "127.0.0.1";
    node.client_port = broker->port;
    static uint64_t replicas[] = {1};
    Lf__TopicMetadata topics[TOPICS];
    Lf__TopicMetadata *topic_pointers[TOPICS];
    Lf__TopicRef refs[TOPICS];
    Lf__PartitionMetadata partitions[TOPICS][PARTITIONS];
    Lf__PartitionMetadata *partition_pointers[TOPICS][PARTITIONS];
    size_t count = request->metadata->n_topics < TOPICS ? request->metadata->n_topics : TOPICS;
    for (size_t i = 0; i < count; i++) {
        struct tiny_topic *topic = topic_find(broker, request->metadata->topics[i]->name);
        topics[i] = (Lf__TopicMetadata)LF__TOPIC_METADATA__INIT;
        refs[i] = (Lf__TopicRef)LF__TOPIC_REF__INIT;
        refs[i].name = request->metadata->topics[i]->name;
        refs[i].id = topic ? topic->id : 0;
        topics[i].topic = &refs[i];
        topics[i].status = topic ? LF_OK : LF_TOPIC_UNKNOWN;
        topics[i].n_partitions = topic ? topic->partitions : 0;
        topics[i].partitions = partition_pointers[i];
        for (uint32_t p = 0; p < topics[i].n_partitions; p++) {
            partitions[i][p] = (Lf__PartitionMetadata)LF__PARTITION_METADATA__INIT;
            partitions[i][p].partition = p;
            partitions[i][p].leader_node = 1;
            partitions[i][p].leader_epoch = 1;
            partitions[i][p].n_replica_nodes = 1;
            partitions[i][p].replica_nodes = replicas;
            partition_pointers[i][p] = &partitions[i][p];
        }
        topic_pointers[i] = &topics[i];
    }
    Lf__MetadataReply body = LF__METADATA_REPLY__INIT;
    body.n_brokers = 1;
    body.brokers = nodes;
    body.n_topics = count;
    body.topics = topic_pointers;
    body.controller_node = 1;
    reply->body_case = LF__CLIENT_REPLY__BODY_METADATA;
    reply->metadata = &body;
    say(broker, session, reply, NULL, 0);
}

static void do_list(struct tiny_broker *broker, struct tiny_session *session, Lf__ClientReply *reply) {
    Lf__TopicRef refs[TOPICS];
    Lf__TopicSummary summaries[TOPICS];
    Lf__TopicSummary *pointers[TOPICS];
    Lf__ListTopicsReply body = LF__LIST_TOPICS_REPLY__INIT;
    for (int i = 0; i < TOPICS; i++)
        if (broker->topics[i].id) {
            size_t at = body.n_topics++;
            refs[at] = (Lf__TopicRef)LF__TOPIC_REF__INIT;
            refs[at].name = broker->topics[i].name;
            refs[at].id = broker->topics[i].id;
            summaries[at] = (Lf__TopicSummary)LF__TOPIC_SUMMARY__INIT;
            summaries[at].topic = &refs[at];
            summaries[at].partitions = broker->topics[i].partitions;
            summaries[at].replicas = 1;
            pointers[at] = &summaries[at];
        }
    body.topics = pointers;
    reply->body_case = LF__CLIENT_REPLY__BODY_LIST_TOPICS;
    reply->list_topics = &body;
    say(broker, session, reply, NULL, 0);
}

static void do_describe(struct tiny_broker *broker, struct tiny_session *session, const Lf__ClientRequest *request,
                        Lf__ClientReply *reply) {
    struct tiny_topic *topic = topic_find(broker, request->describe_topic->topic->name);
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    Lf__TopicSummary summary = LF__TOPIC_SUMMARY__INIT;
    Lf__PartitionMetadata metadata[PARTITIONS];
    Lf__PartitionDescription partitions[PARTITIONS];
    Lf__PartitionDescription *pointers[PARTITIONS];
    static uint64_t replicas[] = {1};
    Lf__DescribeTopicReply body = LF__DESCRIBE_TOPIC_REPLY__INIT;
    if (topic) {
        ref.name = topic->name;
        ref.id = topic->id;
        summary.topic = &ref;
        summary.partitions = topic->partitions;
        summary.replicas = 1;
        body.topic = &summary;
        for (uint32_t p = 0; p < topic->partitions; p++) {
            metadata[p] = (Lf__PartitionMetadata)LF__PARTITION_METADATA__INIT;
            metadata[p].partition = p;
            metadata[p].leader_node = 1;
            metadata[p].leader_epoch = 1;
            metadata[p].n_replica_nodes = 1;
            metadata[p].replica_nodes = replicas;
            partitions[p] = (Lf__PartitionDescription)LF__PARTITION_DESCRIPTION__INIT;
            partitions[p].metadata = &metadata[p];
            partitions[p].held_here = true;
            partitions[p].high_watermark = topic->logs[p].end;
            tiny_cluster_describe(&broker->cluster, topic->name, &partitions[p]);
            pointers[p] = &partitions[p];
        }
        body.n_partitions = topic->partitions;
        body.partitions = pointers;
        reply->body_case = LF__CLIENT_REPLY__BODY_DESCRIBE_TOPIC;
        reply->describe_topic = &body;
    } else {
        reply->status = LF_TOPIC_UNKNOWN;
    }
    say(broker, session, reply, NULL, 0);
}

static void do_status(struct tiny_broker *broker, struct tiny_session *session, Lf__ClientReply *reply) {
    static uint8_t id[16] = {1, 2, 3};
    Lf__ClusterStatusReply body = LF__CLUSTER_STATUS_REPLY__INIT;
    body.cluster_name = (char *)(uintptr_t) "tiny";
    body.cluster_id = (ProtobufCBinaryData){.len = sizeof id, .data = id};
    body.answering_node = body.controller_node = 1;
    tiny_cluster_status(&broker->cluster, &body);
    for (int i = 0; i < TOPICS; i++) {
        body.topics += broker->topics[i].id != 0;
        body.partitions += broker->topics[i].partitions;
    }
    reply->body_case = LF__CLIENT_REPLY__BODY_CLUSTER_STATUS;
    reply->cluster_status = &body;
    say(broker, session, reply, NULL, 0);
}

static void do_subscribe(struct tiny_broker *broker, struct tiny_session *session, const Lf__Subscribe *said,
                         Lf__ClientReply *reply) {
    enum lf_status status;
    struct tiny_log *log = log_find(broker, said->topic, said->partition, &status);
    struct tiny_subscription *free_one = NULL;
    for (int i = 0; i < SUBSCRIPTIONS; i++)
        if (!broker->subscriptions[i].log)
            free_one = &broker->subscriptions[i];
    reply->status = log && !free_one ? LF_FULL : status;
    Lf__SubscribeReply body = LF__SUBSCRIBE_REPLY__INIT;
    int64_t start = log ? start_of(log, said) : 0;
    if (log && free_one && start < log->start && said->from == LF__START_FROM__START_OFFSET &&
        !said->reset_to_log_start) {
        reply->status = LF_OFFSET_BELOW_START;
        reply->body_case = LF__CLIENT_REPLY__BODY_SUBSCRIBE;
        reply->subscribe = &body;
        body.log_start_offset = log->start;
        free_one = NULL;
    }
    if (log && free_one) {
        if (start < log->start)
            start = log->start;
        size_t next = 0;
        while (next < log->count && (next + 1 < log->count ? log->bases[next + 1] : log->end) <= start)
            next++;
        *free_one = (struct tiny_subscription){
            .session = session, .id = said->subscription, .log = log, .next = next, .credit = said->credit_total};
        body.subscription = said->subscription;
        body.start_offset = start;
        body.high_watermark = log->end;
        reply->body_case = LF__CLIENT_REPLY__BODY_SUBSCRIBE;
        reply->subscribe = &body;
    }
    say(broker, session, reply, NULL, 0);
    if (log && free_one)
        stream(broker, free_one);
}

static struct tiny_subscription *subscription_find(struct tiny_broker *broker, struct tiny_session *session,
                                                   uint64_t id) {
    for (int i = 0; i < SUBSCRIPTIONS; i++)
        if (broker->subscriptions[i].log && broker->subscriptions[i].session == session &&
            broker->subscriptions[i].id == id)
            return &broker->subscriptions[i];
    return NULL;
}

static void do_publish(struct tiny_broker *broker, struct tiny_session *session, const Lf__Publish *said,
                       zmq_msg_t *batch, Lf__ClientReply *reply) {
    enum lf_status status;
    struct tiny_log *log = log_find(broker, said->topic, said->partition, &status);
    Lf__PublishReply body = LF__PUBLISH_REPLY__INIT;
    session->bytes_in += zmq_msg_size(batch);
    if (log)
        status = append(broker, log, zmq_msg_data(batch), zmq_msg_size(batch), &body.base_offset);
    reply->status = status;
    if (status == LF_OK) {
        reply->body_case = LF__CLIENT_REPLY__BODY_PUBLISH;
        reply->publish = &body;
    }
    if (!atomic_load(&broker->withhold))
        say(broker, session, reply, NULL, 0);
}

static void do_lookup(struct tiny_broker *broker, struct tiny_session *session, const Lf__OffsetsLookup *said,
                      Lf__ClientReply *reply) {
    enum lf_status status;
    struct tiny_log *log = log_find(broker, said->topic, said->partition, &status);
    Lf__Position position = LF__POSITION__INIT;
    Lf__OffsetsLookupReply body = LF__OFFSETS_LOOKUP_REPLY__INIT;
    reply->status = status;
    if (log) {
        bool early = said->kind == LF__LOOKUP_KIND__LOOKUP_LOG_START ||
                     (said->kind == LF__LOOKUP_KIND__LOOKUP_TIMESTAMP && said->timestamp_ms <= 1000);
        position.offset = early ? log->start : log->end;
        body.position = &position;
        reply->body_case = LF__CLIENT_REPLY__BODY_OFFSETS_LOOKUP;
        reply->offsets_lookup = &body;
    }
    say(broker, session, reply, NULL, 0);
}

/* A segment per log: what is below the end is open. */
static void do_segments(struct tiny_broker *broker, struct tiny_session *session, const Lf__ClientRequest *request,
                        Lf__ClientReply *reply) {
    bool trim = request->body_case == LF__CLIENT_REQUEST__BODY_TRIM_PARTITION;
    const Lf__TrimPartition *cut = request->trim_partition;
    const Lf__ListSegments *asked = request->list_segments;
    enum lf_status status;
    struct tiny_log *log =
        log_find(broker, trim ? cut->topic : asked->topic, trim ? cut->partition : asked->partition, &status);
    Lf__TrimPartitionReply trimmed = LF__TRIM_PARTITION_REPLY__INIT;
    Lf__ListSegmentsReply listed = LF__LIST_SEGMENTS_REPLY__INIT;
    Lf__SegmentDescription open = LF__SEGMENT_DESCRIPTION__INIT, *pointer = &open;
    if (log && trim && cut->before_offset > log->end)
        status = LF_INVALID;
    reply->status = status;
    if (status == LF_OK && trim) {
        trimmed.old_log_start_offset = log->start;
        trimmed.log_start_offset = cut->before_offset > log->start ? cut->before_offset : log->start;
        trimmed.high_watermark = log->end;
        if (!cut->dry_run)
            log->start = trimmed.log_start_offset;
        reply->body_case = LF__CLIENT_REPLY__BODY_TRIM_PARTITION;
        reply->trim_partition = &trimmed;
    } else if (status == LF_OK) {
        listed.node_id = 1;
        listed.log_start_offset = log->start;
        listed.high_watermark = open.end_offset = log->end;
        open.open = asked->from_index > 0;
        open.first_index = asked->from_index + 1;
        listed.next_index = asked->from_index > 0 ? 0 : 2; /* in two pages */
        open.checksum = 0xabcdef;
        listed.n_segments = 1;
        listed.segments = &pointer;
        reply->body_case = LF__CLIENT_REPLY__BODY_LIST_SEGMENTS;
        reply->list_segments = &listed;
    }
    say(broker, session, reply, NULL, 0);
}

static void do_topic_change(struct tiny_broker *broker, struct tiny_session *session, const Lf__ClientRequest *request,
                            Lf__ClientReply *reply) {
    Lf__CreateTopicReply created = LF__CREATE_TOPIC_REPLY__INIT;
    Lf__DeleteTopicReply deleted = LF__DELETE_TOPIC_REPLY__INIT;
    if (request->body_case == LF__CLIENT_REQUEST__BODY_CREATE_TOPIC) {
        const Lf__CreateTopic *said = request->create_topic;
        struct tiny_settings settings = {0};
        bool fine = tiny_settings_change(&settings, said->settings, said->n_settings, NULL, 0);
        reply->status = fine ? topic_create(broker, said->name, said->partitions) : LF_INVALID;
        if (reply->status == LF_INVALID)
            reply->error = (char *)(uintptr_t)(fine ? "partitions: 1 to 8" : "no such setting");
        if (reply->status == LF_OK)
            topic_find(broker, said->name)->settings = settings;
        reply->body_case = LF__CLIENT_REPLY__BODY_CREATE_TOPIC;
        reply->create_topic = &created;
    } else {
        const Lf__TopicRef *ref = request->delete_topic->topic;
        struct tiny_topic *topic = topic_find(broker, ref->name);
        bool another = topic && ref->id && ref->id != topic->id;
        reply->status = another ? LF_TOPIC_RECREATED : topic ? LF_OK : LF_TOPIC_UNKNOWN;
        topic = another ? NULL : topic;
        if (topic)
            topic_clear(broker, topic);
        reply->body_case = LF__CLIENT_REPLY__BODY_DELETE_TOPIC;
        reply->delete_topic = &deleted;
    }
    if (reply->status != LF_OK)
        reply->body_case = LF__CLIENT_REPLY__BODY__NOT_SET;
    say(broker, session, reply, NULL, 0);
}

static void do_settings(struct tiny_broker *broker, struct tiny_session *session, const Lf__ClientRequest *request,
                        Lf__ClientReply *reply) {
    bool alter = request->body_case == LF__CLIENT_REQUEST__BODY_ALTER_TOPIC;
    const Lf__TopicRef *ref = alter ? request->alter_topic->topic : request->describe_settings->topic;
    struct tiny_topic *topic = ref ? topic_find(broker, ref->name) : NULL;
    struct tiny_settings_answer answer;
    Lf__AlterTopicReply altered = LF__ALTER_TOPIC_REPLY__INIT;
    if (ref && !topic) {
        reply->status = LF_TOPIC_UNKNOWN;
    } else if (alter) {
        const Lf__AlterTopic *said = request->alter_topic;
        bool fine = tiny_settings_change(&topic->settings, said->set, said->n_set, said->reset, said->n_reset);
        reply->status = fine ? LF_OK : LF_INVALID;
        reply->error = (char *)(uintptr_t)(fine ? "" : "no such setting");
        reply->body_case = LF__CLIENT_REPLY__BODY_ALTER_TOPIC;
        reply->alter_topic = &altered;
    } else {
        tiny_settings_describe(topic ? &topic->settings : NULL, &answer);
        if (topic) {
            answer.topic.id = topic->id;
            answer.topic.name = topic->name;
            answer.body.topic = &answer.topic;
        }
        reply->body_case = LF__CLIENT_REPLY__BODY_DESCRIBE_SETTINGS;
        reply->describe_settings = &answer.body;
    }
    if (reply->status != LF_OK)
        reply->body_case = LF__CLIENT_REPLY__BODY__NOT_SET;
    say(broker, session, reply, NULL, 0);
}

static bool do_cluster(struct tiny_broker *broker, const Lf__ClientRequest *request, Lf__ClientReply *reply) {
    const Lf__TopicRef *ref =
        request->body_case == LF__CLIENT_REQUEST__BODY_MOVE_PARTITION ? request->move_partition->topic : NULL;
    const struct tiny_topic *topic = ref ? topic_find(broker, ref->name) : NULL;
    uint32_t all = 0;
    for (int i = 0; i < TOPICS; i++)
        all += broker->topics[i].partitions;
    return tiny_cluster_answer(&broker->cluster, request, topic ? topic->partitions : 0, all, reply);
}

static void handle(struct tiny_broker *broker, struct tiny_session *session, const Lf__ClientRequest *request,
                   zmq_msg_t *batch) {
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.request_id = request->request_id;
    Lf__HelloReply hello = LF__HELLO_REPLY__INIT;
    Lf__PingReply pong = LF__PING_REPLY__INIT;
    Lf__InitProducerReply producer = LF__INIT_PRODUCER_REPLY__INIT;
    struct tiny_subscription *subscription;
    switch (request->body_case) {
    case LF__CLIENT_REQUEST__BODY_HELLO:
        hello.version = 1;
        hello.node_id = 1;
        hello.session_timeout_ms = 9000;
        hello.batch_bytes_max = 1152 * 1024;
        hello.publish_inflight_batches = 5;
        reply.body_case = LF__CLIENT_REPLY__BODY_HELLO;
        reply.hello = &hello;
        say(broker, session, &reply, NULL, 0);
        break;
    case LF__CLIENT_REQUEST__BODY_PING:
        reply.body_case = LF__CLIENT_REPLY__BODY_PING;
        reply.ping = &pong;
        say(broker, session, &reply, NULL, 0);
        break;
    case LF__CLIENT_REQUEST__BODY_METADATA:
        do_metadata(broker, session, request, &reply);
        break;
    case LF__CLIENT_REQUEST__BODY_INIT_PRODUCER:
        producer.producer_id = (int64_t)++broker->ids;
        reply.body_case = LF__CLIENT_REPLY__BODY_INIT_PRODUCER;
        reply.init_producer = &producer;
        say(broker, session, &reply, NULL, 0);
        break;
    case LF__CLIENT_REQUEST__BODY_PUBLISH:
        do_publish(broker, session, request->publish, batch, &reply);
        break;
    case LF__CLIENT_REQUEST__BODY_SUBSCRIBE:
        do_subscribe(broker, session, request->subscribe, &reply);
        break;
    case LF__CLIENT_REQUEST__BODY_UNSUBSCRIBE:
        subscription = subscription_find(broker, session, request->unsubscribe->subscription);
        if (subscription)
            *subscription = (struct tiny_subscription){0};
        break;
    case LF__CLIENT_REQUEST__BODY_CREDIT:
        subscription = subscription_find(broker, session, request->credit->subscription);
        if (subscription && subscription->credit < request->credit->credit_total)
            subscription->credit = request->credit->credit_total;
        if (subscription)
            stream(broker, subscription);
        break;
    case LF__CLIENT_REQUEST__BODY_OFFSETS_LOOKUP:
        do_lookup(broker, session, request->offsets_lookup, &reply);
        break;
    case LF__CLIENT_REQUEST__BODY_CREATE_TOPIC:
    case LF__CLIENT_REQUEST__BODY_DELETE_TOPIC:
        do_topic_change(broker, session, request, &reply);
        break;
    case LF__CLIENT_REQUEST__BODY_ALTER_TOPIC:
    case LF__CLIENT_REQUEST__BODY_DESCRIBE_SETTINGS:
        do_settings(broker, session, request, &reply);
        break;
    case LF__CLIENT_REQUEST__BODY_TRIM_PARTITION:
    case LF__CLIENT_REQUEST__BODY_LIST_SEGMENTS:
        do_segments(broker, session, request, &reply);
        break;
    case LF__CLIENT_REQUEST__BODY_GOODBYE:
        atomic_fetch_add(&broker->goodbyes, 1);
        break;
    case LF__CLIENT_REQUEST__BODY_LIST_TOPICS:
        do_list(broker, session, &reply);
        break;
    case LF__CLIENT_REQUEST__BODY_DESCRIBE_TOPIC:
        do_describe(broker, session, request, &reply);
        break;
    case LF__CLIENT_REQUEST__BODY_CLUSTER_STATUS:
        do_status(broker, session, &reply);
        break;
    default:
        if (!do_cluster(broker, request, &reply))
            reply.status = LF_INVALID;
        say(broker, session, &reply, NULL, 0);
        break;
    }
}

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static struct tiny_session *session_of(struct tiny_broker *broker, zmq_msg_t *identity) {
    for (int i = 0; i < SESSIONS; i++) {
        struct tiny_session *session = broker->sessions[i];
        if (!session) {
            session = broker->sessions[i] = calloc(1, sizeof *session);
            session->identity_size = zmq_msg_size(identity);
            memcpy(session->identity, zmq_msg_data(identity), session->identity_size);
            return session;
        }
        if (session->identity_size == zmq_msg_size(identity) &&
            memcmp(session->identity, zmq_msg_data(identity), session->identity_size) == 0)
            return session;
    }
    return broker->sessions[0];
}

static void receive(struct tiny_broker *broker) {
    zmq_msg_t frames[3];
    int count = 0;
    for (int more = 1; more;) {
        zmq_msg_t *frame = &frames[count < 3 ? count : 2];
        if (count >= 3)
            zmq_msg_close(frame);
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, broker->router, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(frame);
            break;
        }
        more = zmq_msg_more(frame);
        count++;
    }
    int kept = count < 3 ? count : 3;
    Lf__ClientRequest *request =
        kept >= 2 ? lf__client_request__unpack(NULL, zmq_msg_size(&frames[1]), zmq_msg_data(&frames[1])) : NULL;
    bool publish = request && request->body_case == LF__CLIENT_REQUEST__BODY_PUBLISH;
    if (request && publish == (count == 3))
        handle(broker, session_of(broker, &frames[0]), request, &frames[2]);
    if (request)
        lf__client_request__free_unpacked(request, NULL);
    for (int i = 0; i < kept; i++)
        zmq_msg_close(&frames[i]);
}

static void *run(void *argument) {
    struct tiny_broker *broker = argument;
    while (!atomic_load(&broker->stop)) {
        zmq_pollitem_t item = {.socket = broker->router, .events = ZMQ_POLLIN};
        if (zmq_poll(&item, 1, 5) > 0)
            for (int i = 0; i < 100; i++)
                receive(broker);
    }
    zmq_close(broker->router);
    return NULL;
}

/* Before the thread runs. */
static bool ready(struct tiny_broker *broker, const char *address) {
    broker->port = (uint16_t)atoi(strrchr(address, ':') + 1);
    tiny_cluster_init(&broker->cluster, broker->port);
    return true;
}

struct tiny_broker *tiny_broker_start(uint16_t port) {
    struct tiny_broker *broker = calloc(1, sizeof *broker);
    if (!broker)
        return NULL;
    topic_create(broker, "t", 1);
    broker->context = zmq_ctx_new();
    broker->router = zmq_socket(broker->context, ZMQ_ROUTER);
    int zero = 0;
    zmq_setsockopt(broker->router, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(broker->router, ZMQ_SNDHWM, &zero, sizeof zero);
    zmq_setsockopt(broker->router, ZMQ_RCVHWM, &zero, sizeof zero);
    char address[64];
    if (port)
        snprintf(address, sizeof address, "tcp://127.0.0.1:%u", port);
    else
        snprintf(address, sizeof address, "tcp://127.0.0.1:*");
    size_t size = sizeof address;
    if (zmq_bind(broker->router, address) != 0 ||
        zmq_getsockopt(broker->router, ZMQ_LAST_ENDPOINT, address, &size) != 0 || !ready(broker, address) ||
        pthread_create(&broker->thread, NULL, run, broker) != 0) {
        zmq_close(broker->router);
        zmq_ctx_term(broker->context);
        free(broker);
        return NULL;
    }
    return broker;
}

uint16_t tiny_broker_port(const struct tiny_broker *broker) { return broker->port; }

unsigned tiny_broker_goodbyes(const struct tiny_broker *broker) { return atomic_load(&broker->goodbyes); }

void tiny_broker_withhold_answers(struct tiny_broker *broker, bool withhold) {
    atomic_store(&broker->withhold, withhold);
}

void tiny_broker_stop(struct tiny_broker **where) {
    struct tiny_broker *broker = *where;
    *where = NULL;
    if (!broker)
        return;
    atomic_store(&broker->stop, true);
    pthread_join(broker->thread, NULL);
    zmq_ctx_term(broker->context);
    for (int i = 0; i < TOPICS; i++)
        topic_clear(broker, &broker->topics[i]);
    for (int i = 0; i < SESSIONS; i++)
        free(broker->sessions[i]);
    free(broker);
}
