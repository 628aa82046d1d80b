#include "fake_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a broker has sent and the core has not heard yet. */
struct fake_inbox {
    struct fake_inbox *next;
    uint64_t connection;
    bool gone;
    struct lf_frame *frames;
    size_t count;
};

static void inbox_put(struct fake *fake, uint64_t connection, bool gone, struct lf_frame *frames, size_t count) {
    struct fake_inbox *item = calloc(1, sizeof *item);
    assert_non_null(item);
    *item = (struct fake_inbox){.connection = connection, .gone = gone, .frames = frames, .count = count};
    if (fake->inbox_last)
        fake->inbox_last->next = item;
    else
        fake->inbox_first = item;
    fake->inbox_last = item;
}

static void inbox_free(struct fake_inbox *item) {
    for (size_t i = 0; i < item->count; i++)
        lf_buf_unref(&item->frames[i].buf);
    free(item->frames);
    free(item);
}

static void reply_send(struct fake *fake, uint64_t node, uint64_t connection, Lf__ClientReply *reply,
                       struct lf_buf **batches, size_t batch_count) {
    struct fake_node *from = &fake->nodes[node];
    if (from->connection != connection) /* the line is cut: nobody hears it */
        return;
    uint8_t id[16];
    memset(id, from->cluster, sizeof id);
    reply->protocol_version = 1;
    reply->cluster_id = (ProtobufCBinaryData){.len = sizeof id, .data = id};
    reply->publish_credit_total = from->credit;
    struct lf_frame *frames = calloc(batch_count + 1, sizeof *frames);
    struct lf_buf *head = lf_buf_new(lf__client_reply__get_packed_size(reply));
    assert_non_null(frames);
    assert_non_null(head);
    lf__client_reply__pack(reply, head->data);
    frames[0] = (struct lf_frame){.buf = head, .size = head->size};
    for (size_t i = 0; i < batch_count; i++)
        frames[i + 1] = (struct lf_frame){.buf = batches[i], .size = batches[i]->size};
    inbox_put(fake, connection, false, frames, batch_count + 1);
}

/* ---- what the fake answers by itself ----------------------------------------------------------------------------- */

static void answer_hello(struct fake *fake, uint64_t node, const Lf__ClientRequest *request) {
    if (fake->nodes[node].full) {
        Lf__ClientReply refusal = LF__CLIENT_REPLY__INIT; /* to nobody in particular: request 0 */
        refusal.status = LF_OVERLOADED;
        refusal.error = (char *)(uintptr_t) "no room";
        reply_send(fake, node, fake->nodes[node].connection, &refusal, NULL, 0);
        return;
    }
    Lf__HelloReply hello = LF__HELLO_REPLY__INIT;
    hello.version = fake->nodes[node].version;
    hello.node_id = node;
    hello.node_incarnation = 1;
    hello.session_timeout_ms = fake->session_timeout_ms;
    hello.batch_bytes_max = 1152 * 1024;
    hello.publish_inflight_batches = 5;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.request_id = request->request_id;
    reply.body_case = LF__CLIENT_REPLY__BODY_HELLO;
    reply.hello = &hello;
    reply_send(fake, node, fake->nodes[node].connection, &reply, NULL, 0);
}

static struct fake_topic *topic_by_name(struct fake *fake, const char *name) {
    for (size_t i = 0; i < FAKE_TOPICS; i++)
        if (fake->topics[i].name && strcmp(fake->topics[i].name, name) == 0)
            return &fake->topics[i];
    return NULL;
}

static void answer_metadata(struct fake *fake, uint64_t node, const Lf__ClientRequest *request) {
    Lf__Broker brokers[FAKE_NODES_MAX];
    Lf__Broker *broker_pointers[FAKE_NODES_MAX];
    size_t broker_count = 0;
    for (size_t i = 1; i <= FAKE_NODES_MAX; i++) {
        if (!fake->nodes[i].listed)
            continue;
        brokers[broker_count] = (Lf__Broker)LF__BROKER__INIT;
        brokers[broker_count].node_id = i;
        brokers[broker_count].host = (char *)(uintptr_t) "node";
        brokers[broker_count].client_port = (uint32_t)(7700 + i);
        broker_pointers[broker_count] = &brokers[broker_count];
        broker_count++;
    }
    Lf__TopicMetadata topics[FAKE_TOPICS];
    Lf__TopicMetadata *topic_pointers[FAKE_TOPICS];
    Lf__TopicRef refs[FAKE_TOPICS];
    Lf__PartitionMetadata partitions[FAKE_TOPICS][FAKE_PARTITIONS];
    Lf__PartitionMetadata *partition_pointers[FAKE_TOPICS][FAKE_PARTITIONS];
    static uint64_t replicas[FAKE_NODES] = {1, 2, 3};
    size_t count = request->metadata->n_topics;
    assert_true(count <= FAKE_TOPICS);
    for (size_t i = 0; i < count; i++) {
        struct fake_topic *topic = topic_by_name(fake, request->metadata->topics[i]->name);
        if (fake->nodes[node].says_topic_unknown)
            topic = NULL;
        topics[i] = (Lf__TopicMetadata)LF__TOPIC_METADATA__INIT;
        refs[i] = (Lf__TopicRef)LF__TOPIC_REF__INIT;
        refs[i].name = request->metadata->topics[i]->name;
        topics[i].topic = &refs[i];
        topic_pointers[i] = &topics[i];
        if (!topic) {
            topics[i].status = LF_TOPIC_UNKNOWN;
            continue;
        }
        refs[i].id = topic->id;
        topics[i].n_partitions = topic->partitions;
        topics[i].partitions = partition_pointers[i];
        for (uint32_t p = 0; p < topic->partitions; p++) {
            partitions[i][p] = (Lf__PartitionMetadata)LF__PARTITION_METADATA__INIT;
            partitions[i][p].partition = p;
            partitions[i][p].leader_node = topic->leader[p];
            partitions[i][p].leader_epoch = topic->leader_epoch[p];
            partitions[i][p].n_replica_nodes = FAKE_NODES;
            partitions[i][p].replica_nodes = replicas;
            partition_pointers[i][p] = &partitions[i][p];
        }
    }
    Lf__MetadataReply metadata = LF__METADATA_REPLY__INIT;
    metadata.n_brokers = broker_count;
    metadata.brokers = broker_pointers;
    metadata.n_topics = count;
    metadata.topics = topic_pointers;
    metadata.controller_node = fake->nodes[node].says_controller ? fake->nodes[node].says_controller : fake->controller;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.request_id = request->request_id;
    reply.body_case = LF__CLIENT_REPLY__BODY_METADATA;
    reply.metadata = &metadata;
    reply_send(fake, node, fake->nodes[node].connection, &reply, NULL, 0);
}

static void answer_init_producer(struct fake *fake, uint64_t node, const Lf__ClientRequest *request) {
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    Lf__InitProducerReply body = LF__INIT_PRODUCER_REPLY__INIT;
    reply.request_id = request->request_id;
    if (node != fake->controller) {
        reply.status = LF_NOT_LEADER;
    } else {
        body.producer_id = fake->next_producer_id++;
        fake->producers_given++;
        reply.body_case = LF__CLIENT_REPLY__BODY_INIT_PRODUCER;
        reply.init_producer = &body;
    }
    reply_send(fake, node, fake->nodes[node].connection, &reply, NULL, 0);
}

/* Which topic has the name, as whoever would change it asks. */
static void answer_settings(struct fake *fake, uint64_t node, const Lf__ClientRequest *request) {
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    Lf__DescribeSettingsReply body = LF__DESCRIBE_SETTINGS_REPLY__INIT;
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    const struct fake_topic *topic = topic_by_name(fake, request->describe_settings->topic->name);
    reply.request_id = request->request_id;
    fake->nodes[node].resolved++;
    if (fake->nodes[node].old) {
        reply.status = LF_UNSUPPORTED;
    } else if (!topic) {
        reply.status = LF_TOPIC_UNKNOWN;
    } else {
        ref.id = topic->id;
        ref.name = (char *)(uintptr_t)topic->name;
        body.topic = &ref;
        reply.body_case = LF__CLIENT_REPLY__BODY_DESCRIBE_SETTINGS;
        reply.describe_settings = &body;
    }
    reply_send(fake, node, fake->nodes[node].connection, &reply, NULL, 0);
}

/* True: answered or not to be kept. */
static bool answer_by_itself(struct fake *fake, uint64_t node, const Lf__ClientRequest *request) {
    struct fake_node *here = &fake->nodes[node];
    switch ((int)request->body_case) {
    case LF__CLIENT_REQUEST__BODY_HELLO:
        here->hellos++;
        if (!here->deaf)
            answer_hello(fake, node, request);
        return true;
    case LF__CLIENT_REQUEST__BODY_PING: {
        here->pings++;
        Lf__PingReply body = LF__PING_REPLY__INIT;
        Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
        reply.request_id = request->request_id;
        reply.body_case = LF__CLIENT_REPLY__BODY_PING;
        reply.ping = &body;
        reply_send(fake, node, here->connection, &reply, NULL, 0);
        return true;
    }
    case LF__CLIENT_REQUEST__BODY_METADATA:
        here->metadata_requests++;
        answer_metadata(fake, node, request);
        return true;
    case LF__CLIENT_REQUEST__BODY_INIT_PRODUCER:
        answer_init_producer(fake, node, request);
        return true;
    case LF__CLIENT_REQUEST__BODY_GOODBYE:
        here->goodbyes++;
        return true;
    case LF__CLIENT_REQUEST__BODY_DESCRIBE_SETTINGS:
        if (request->describe_settings->topic)
            answer_settings(fake, node, request);
        return request->describe_settings->topic != NULL;
    default:
        return false;
    }
}

/* ---- carrying out effects ---------------------------------------------------------------------------------------- */

static void on_send(struct fake *fake, const struct lf_core_effect *effect) {
    uint64_t node = 0;
    for (uint64_t i = 1; i <= FAKE_NODES_MAX; i++)
        if (fake->nodes[i].connection == effect->connection)
            node = i;
    if (node == 0)
        return;
    const struct lf_frame *head = &effect->frames[0];
    Lf__ClientRequest *message = lf__client_request__unpack(NULL, head->size, head->buf->data + head->offset);
    assert_non_null(message);
    assert_int_not_equal(message->request_id, 0);
    assert_int_equal(message->protocol_version, 1);
    if (fake->nodes[node].frozen || answer_by_itself(fake, node, message)) {
        lf__client_request__free_unpacked(message, NULL);
        return;
    }
    if (message->body_case == LF__CLIENT_REQUEST__BODY_CREDIT)
        fake->nodes[node].credits++;
    struct fake_request *request = calloc(1, sizeof *request);
    assert_non_null(request);
    request->node = node;
    request->connection = effect->connection;
    request->message = message;
    if (message->body_case == LF__CLIENT_REQUEST__BODY_PUBLISH) {
        assert_int_equal(effect->frame_count, 2);
        request->batch = lf_buf_ref(effect->frames[1].buf);
        struct lf_error error;
        assert_int_equal(lf_batch_verify(lf_buf_bytes(request->batch), NULL, &request->header, &error), LF_OK);
        /* C4: never more than the broker granted, but for the last batch. */
        assert_true(fake->nodes[node].bytes_in < fake->nodes[node].credit);
        fake->nodes[node].bytes_in += request->batch->size;
    } else {
        assert_int_equal(effect->frame_count, 1);
    }
    if (fake->last)
        fake->last->next = request;
    else
        fake->first = request;
    fake->last = request;
}

static void on_batch(struct fake *fake, const struct lf_core_effect *effect) {
    struct lf_batch_reader *reader = NULL;
    struct lf_error error;
    struct lf_bytes bytes = lf_bytes(effect->batch->data + effect->batch_offset, effect->batch_size);
    assert_int_equal(lf_batch_reader_new(bytes, NULL, &reader, &error), LF_OK);
    struct lf_record record;
    while (lf_batch_reader_next(reader, &record) == LF_OK)
        if (record.offset >= effect->skip_below) {
            assert_true(fake->offset_count < FAKE_OUTCOMES_MAX);
            fake->offset_partitions[fake->offset_count] = effect->partition;
            fake->offsets[fake->offset_count++] = record.offset;
        }
    lf_batch_reader_destroy(&reader);
    fake->undelivered_bytes += effect->batch_size;
}

static void on_connect(struct fake *fake, const struct lf_core_effect *effect) {
    assert_string_equal(effect->host, "node");
    uint64_t node = effect->port - 7700;
    assert_true(node >= 1 && node <= FAKE_NODES_MAX);
    if (fake->nodes[node].down) {
        inbox_put(fake, effect->connection, true, NULL, 0);
        return;
    }
    assert_int_equal(fake->nodes[node].connection, 0);
    fake->nodes[node].connection = effect->connection;
    fake->nodes[node].bytes_in = 0;
}

static void carry_out(struct fake *fake, struct lf_core_effect *effect) {
    switch (effect->type) {
    case LF_CORE_CONNECT:
        on_connect(fake, effect);
        break;
    case LF_CORE_DISCONNECT:
        for (uint64_t i = 1; i <= FAKE_NODES_MAX; i++)
            if (fake->nodes[i].connection == effect->connection)
                fake->nodes[i].connection = 0;
        break;
    case LF_CORE_SEND:
        on_send(fake, effect);
        break;
    case LF_CORE_DELIVERED:
        assert_true(fake->outcome_count < FAKE_OUTCOMES_MAX);
        assert_non_null(effect->delivery.error_text);
        fake->outcomes[fake->outcome_count++] = (struct fake_outcome){.status = effect->delivery.status,
                                                                      .partition = effect->delivery.partition,
                                                                      .offset = effect->delivery.offset,
                                                                      .context = (uintptr_t)effect->delivery.context};
        break;
    case LF_CORE_BATCH:
        on_batch(fake, effect);
        break;
    case LF_CORE_MISSED:
        fake->missed++;
        fake->missed_from = effect->missed_from;
        fake->missed_to = effect->missed_to;
        fake->diverged = effect->diverged;
        assert_true(fake->diverged || fake->missed_from < fake->missed_to);
        break;
    case LF_CORE_SUBSCRIPTION_ENDED:
        fake->has_ended = true;
        fake->ended_partition = effect->partition;
        fake->resume = effect->missed_to;
        fake->ended = effect->status;
        snprintf(fake->ended_text, sizeof fake->ended_text, "%s", effect->text);
        break;
    case LF_CORE_ANSWER:
        assert_false(fake->answered);
        fake->answered = true;
        fake->answered_call = effect->call;
        fake->answer_status = effect->status;
        snprintf(fake->answer_text, sizeof fake->answer_text, "%s", effect->text);
        fake->answer = effect->reply;
        effect->reply = NULL;
        break;
    }
}

static enum lf_status step(struct fake *fake, struct lf_core_event *event) {
    struct lf_core_effects effects = {0};
    struct lf_error error = {0};
    event->now_ms = fake->now_ms;
    event->wall_ms = 1700000000000 + (int64_t)fake->now_ms;
    enum lf_status status = lf_core_step(fake->core, event, &effects, &error);
    if (status != LF_OK)
        assert_true(error.text[0] != '\0');
    for (size_t i = 0; i < effects.count; i++)
        carry_out(fake, &effects.items[i]);
    fake->deadline_ms = effects.deadline_ms;
    lf_core_effects_deinit(&effects);
    return status;
}

static void drain(struct fake *fake) {
    while (fake->inbox_first) {
        struct fake_inbox *item = fake->inbox_first;
        fake->inbox_first = item->next;
        if (!fake->inbox_first)
            fake->inbox_last = NULL;
        struct lf_core_event event = {.type = item->gone ? LF_CORE_GONE : LF_CORE_FRAMES};
        if (item->gone) {
            event.gone = item->connection;
        } else {
            event.frames.connection = item->connection;
            event.frames.frames = item->frames;
            event.frames.count = item->count;
        }
        step(fake, &event);
        inbox_free(item);
    }
}

enum lf_status fake_event(struct fake *fake, struct lf_core_event *event) {
    enum lf_status status = step(fake, event);
    drain(fake);
    return status;
}

void fake_run(struct fake *fake, uint64_t ms) {
    uint64_t end = fake->now_ms + ms;
    drain(fake);
    for (int steps = 0;; steps++) {
        assert_true(steps < 200000); /* a core that never rests is wrong too */
        if (fake->deadline_ms > end)
            break;
        if (fake->deadline_ms > fake->now_ms)
            fake->now_ms = fake->deadline_ms;
        struct lf_core_event tick = {.type = LF_CORE_TICK};
        fake_event(fake, &tick);
    }
    fake->now_ms = end;
}

/* ---- the test's own doings --------------------------------------------------------------------------------------- */

struct lf_client_options fake_options(void) {
    return (struct lf_client_options){.size = sizeof(struct lf_client_options),
                                      .brokers = "node:7701,node:7702,node:7703",
                                      .name = "unit test",
                                      .linger_ms = 5,
                                      .batch_bytes = 16384,
                                      .inflight_bytes_max = 32 << 20,
                                      .delivery_timeout_ms = 120000,
                                      .request_timeout_ms = 10000,
                                      .connect_timeout_ms = 5000,
                                      .fetch_bytes_max = 8 << 20};
}

static void trace(void *context, const char *line) {
    struct fake *fake = context;
    if (fake->trace)
        fprintf(stderr, "%6llu %s\n", (unsigned long long)fake->now_ms, line);
}

struct fake *fake_new_with(const struct lf_client_options *options) {
    struct fake *fake = calloc(1, sizeof *fake);
    assert_non_null(fake);
    fake->now_ms = 1000;
    fake->controller = 1;
    fake->next_producer_id = 100;
    fake->session_timeout_ms = 9000;
    fake->trace = getenv("FAKE_TRACE") != NULL;
    for (int i = 1; i <= FAKE_NODES_MAX; i++)
        fake->nodes[i] =
            (struct fake_node){.listed = i <= FAKE_NODES, .credit = 8 << 20, .cluster = 0xc1, .version = 1};
    fake->topics[0] = (struct fake_topic){.name = "t", .id = 7, .partitions = 1, .leader = {1}, .leader_epoch = {3}};
    fake->topics[1] =
        (struct fake_topic){.name = "m", .id = 8, .partitions = 3, .leader = {1, 2, 3}, .leader_epoch = {3, 3, 3}};
    struct lf_core_options core = {.client = *options, .seed = 42};
    struct lf_error error = {0};
    assert_int_equal(lf_core_new(&core, fake->now_ms, &fake->core, &error), LF_OK);
    lf_core_set_trace(fake->core, trace, fake);
    return fake;
}

struct fake *fake_new(void) {
    struct lf_client_options options = fake_options();
    return fake_new_with(&options);
}

void fake_free(struct fake *fake) {
    while (fake->first)
        fake_ignore(fake, fake->first);
    while (fake->inbox_first) {
        struct fake_inbox *item = fake->inbox_first;
        fake->inbox_first = item->next;
        inbox_free(item);
    }
    if (fake->answer)
        lf__client_reply__free_unpacked(fake->answer, NULL);
    lf_core_destroy(&fake->core);
    free(fake);
}

enum lf_status fake_publish(struct fake *fake, const char *topic, int32_t partition, uintptr_t number, size_t size) {
    char *value = calloc(1, size + 1);
    assert_non_null(value);
    struct lf_message message = {.topic = topic, .partition = partition, .value = value, .value_size = size};
    struct lf_core_event event = {.type = LF_CORE_PUBLISH};
    event.publish.message = &message;
    event.publish.context = (void *)number;
    enum lf_status status = fake_event(fake, &event);
    free(value);
    return status;
}

void fake_flush(struct fake *fake) {
    struct lf_core_event event = {.type = LF_CORE_FLUSH};
    fake_event(fake, &event);
}

void fake_subscribe(struct fake *fake, uint64_t id, const struct lf_subscribe_options *options) {
    struct lf_core_event event = {.type = LF_CORE_SUBSCRIBE};
    event.subscribe.id = id;
    event.subscribe.options = options;
    assert_int_equal(fake_event(fake, &event), LF_OK);
}

void fake_consume(struct fake *fake, uint64_t id, uint64_t bytes) {
    struct lf_core_event event = {.type = LF_CORE_CONSUMED};
    event.consumed.subscription = id;
    event.consumed.bytes = bytes;
    fake->undelivered_bytes -= bytes;
    fake_event(fake, &event);
}

void fake_call_with(struct fake *fake, struct lf_core_call call) {
    struct lf_core_event event = {.type = LF_CORE_CALL};
    event.call = call;
    event.call.id = 5;
    fake->answered = false;
    if (fake->answer)
        lf__client_reply__free_unpacked(fake->answer, NULL);
    fake->answer = NULL;
    assert_int_equal(fake_event(fake, &event), LF_OK);
}

void fake_call(struct fake *fake, enum lf_core_call_type type, const char *topic, uint32_t partitions,
               uint32_t replicas) {
    fake_call_with(fake,
                   (struct lf_core_call){.type = type, .topic = topic, .partitions = partitions, .replicas = replicas});
}

void fake_close(struct fake *fake) {
    struct lf_core_event event = {.type = LF_CORE_CLOSE};
    fake_event(fake, &event);
}

void fake_cut(struct fake *fake, uint64_t node) {
    uint64_t connection = fake->nodes[node].connection;
    fake->nodes[node].connection = 0;
    for (struct fake_request *request = fake->first, *next; request; request = next) {
        next = request->next;
        if (request->connection == connection)
            fake_ignore(fake, request);
    }
    if (connection == 0)
        return;
    struct lf_core_event event = {.type = LF_CORE_GONE};
    event.gone = connection;
    fake_event(fake, &event);
}

struct fake_request *fake_request(struct fake *fake, uint64_t node, Lf__ClientRequest__BodyCase kind, size_t n) {
    for (struct fake_request *request = fake->first; request; request = request->next)
        if ((node == 0 || request->node == node) && request->message->body_case == kind && n-- == 0)
            return request;
    return NULL;
}

size_t fake_request_count(struct fake *fake, Lf__ClientRequest__BodyCase kind) {
    size_t count = 0;
    while (fake_request(fake, 0, kind, count))
        count++;
    return count;
}

struct fake_request *fake_wait(struct fake *fake, uint64_t node, Lf__ClientRequest__BodyCase kind, size_t n) {
    for (uint64_t end = fake->now_ms + 5000; fake->now_ms < end; fake_run(fake, 1)) {
        struct fake_request *request = fake_request(fake, node, kind, n);
        if (request)
            return request;
    }
    fail_msg("no request of kind %d at node %d within 5 s", (int)kind, (int)node);
    return NULL;
}

void fake_ignore(struct fake *fake, struct fake_request *request) {
    struct fake_request **link = &fake->first, *before = NULL;
    while (*link != request) {
        before = *link;
        link = &(*link)->next;
    }
    *link = request->next;
    if (fake->last == request)
        fake->last = before;
    lf__client_request__free_unpacked(request->message, NULL);
    lf_buf_unref(&request->batch);
    free(request);
}

void fake_answer_reply(struct fake *fake, struct fake_request *request, Lf__ClientReply *reply) {
    reply->request_id = request->message->request_id;
    reply_send(fake, request->node, request->connection, reply, NULL, 0);
    fake_ignore(fake, request);
    drain(fake);
}

void fake_answer(struct fake *fake, struct fake_request *request, enum lf_status status) {
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.status = status;
    reply.error = (char *)(uintptr_t) "the test says so";
    fake_answer_reply(fake, request, &reply);
}

void fake_answer_not_leader(struct fake *fake, struct fake_request *request, uint64_t node, int32_t epoch) {
    Lf__Broker broker = LF__BROKER__INIT;
    broker.node_id = node;
    broker.host = (char *)(uintptr_t) "node";
    broker.client_port = (uint32_t)(7700 + node);
    Lf__Leader leader = LF__LEADER__INIT;
    leader.broker = &broker;
    leader.leader_epoch = epoch;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.status = LF_NOT_LEADER;
    reply.leader = node ? &leader : NULL;
    fake_answer_reply(fake, request, &reply);
}

void fake_answer_publish(struct fake *fake, struct fake_request *request, int64_t base_offset, bool duplicate) {
    Lf__PublishReply body = LF__PUBLISH_REPLY__INIT;
    body.base_offset = base_offset;
    body.duplicate = duplicate;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_PUBLISH;
    reply.publish = &body;
    fake_answer_reply(fake, request, &reply);
}

void fake_answer_raise(struct fake *fake, struct fake_request *request, int32_t last_sequence, int64_t last_offset,
                       int32_t last_epoch) {
    Lf__RaiseProducerEpochReply body = LF__RAISE_PRODUCER_EPOCH_REPLY__INIT;
    body.last_sequence = last_sequence;
    body.last_offset = last_offset;
    body.last_epoch = last_epoch;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_RAISE_PRODUCER_EPOCH;
    reply.raise_producer_epoch = &body;
    fake_answer_reply(fake, request, &reply);
}

void fake_answer_subscribe(struct fake *fake, struct fake_request *request, int64_t start, int64_t high_watermark) {
    Lf__SubscribeReply body = LF__SUBSCRIBE_REPLY__INIT;
    body.subscription = request->message->subscribe->subscription;
    body.start_offset = start;
    body.high_watermark = high_watermark;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_SUBSCRIBE;
    reply.subscribe = &body;
    fake_answer_reply(fake, request, &reply);
}

void fake_answer_end(struct fake *fake, struct fake_request *request, int64_t end) {
    Lf__Position position = LF__POSITION__INIT;
    position.offset = end;
    Lf__OffsetsLookupReply body = LF__OFFSETS_LOOKUP_REPLY__INIT;
    body.position = &position;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_OFFSETS_LOOKUP;
    reply.offsets_lookup = &body;
    fake_answer_reply(fake, request, &reply);
}

static struct lf_buf *batch_make(int64_t base_offset, int records) {
    struct lf_batch_builder *builder = lf_batch_builder_new(LF_CODEC_NONE, NULL);
    assert_non_null(builder);
    for (int i = 0; i < records; i++) {
        char value[32];
        int size = snprintf(value, sizeof value, "record %lld", (long long)base_offset + i);
        struct lf_record record = {.timestamp_ms = 1700000000000, .value = lf_bytes(value, (size_t)size)};
        assert_int_equal(lf_batch_builder_add(builder, &record), LF_OK);
    }
    struct lf_buf *batch = NULL;
    assert_int_equal(lf_batch_builder_finish(builder, &batch), LF_OK);
    lf_batch_builder_destroy(&builder);
    lf_batch_stamp(batch->data, base_offset, 3);
    return batch;
}

static void deliver(struct fake *fake, uint64_t node, uint64_t wire_id, struct lf_buf **batches, int count,
                    int64_t high_watermark, int64_t *gone_below, size_t gone_count) {
    Lf__Deliver body = LF__DELIVER__INIT;
    body.n_gone_below = gone_count;
    body.gone_below = gone_below;
    body.subscription = wire_id;
    body.batch_count = (uint32_t)count;
    body.high_watermark = high_watermark;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_DELIVER;
    reply.deliver = &body;
    reply_send(fake, node, fake->nodes[node].connection, &reply, batches, (size_t)count);
    drain(fake);
}

void fake_deliver(struct fake *fake, uint64_t node, uint64_t wire_id, int64_t base_offset, int batches, int records,
                  int64_t high_watermark) {
    struct lf_buf *made[16];
    assert_true(batches <= 16);
    for (int i = 0; i < batches; i++)
        made[i] = batch_make(base_offset + (int64_t)i * records, records);
    deliver(fake, node, wire_id, made, batches, high_watermark, NULL, 0);
}

void fake_deliver_compacted(struct fake *fake, uint64_t node, uint64_t wire_id, const int64_t *base_offsets,
                            int batches, int64_t *gone_below, size_t gone_count) {
    struct lf_buf *made[16];
    assert_true(batches <= 16);
    for (int i = 0; i < batches; i++)
        made[i] = batch_make(base_offsets[i], 1);
    deliver(fake, node, wire_id, made, batches, 100, gone_below, gone_count);
}

void fake_deliver_damaged(struct fake *fake, uint64_t node, uint64_t wire_id, int64_t base_offset, int records) {
    struct lf_buf *batch = batch_make(base_offset, records);
    batch->data[batch->size - 1] ^= 1;
    deliver(fake, node, wire_id, &batch, 1, base_offset + records, NULL, 0);
}

void fake_answer_below_start(struct fake *fake, struct fake_request *request, int64_t log_start) {
    Lf__SubscribeReply body = LF__SUBSCRIBE_REPLY__INIT;
    body.log_start_offset = log_start;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.status = LF_OFFSET_BELOW_START;
    reply.body_case = LF__CLIENT_REPLY__BODY_SUBSCRIBE;
    reply.subscribe = &body;
    fake_answer_reply(fake, request, &reply);
}

void fake_answer_diverged(struct fake *fake, struct fake_request *request, int64_t resume) {
    Lf__SubscribeReply body = LF__SUBSCRIBE_REPLY__INIT;
    body.start_offset = resume;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.status = LF_HISTORY_DIVERGED;
    reply.body_case = LF__CLIENT_REPLY__BODY_SUBSCRIBE;
    reply.subscribe = &body;
    fake_answer_reply(fake, request, &reply);
}

void fake_end_subscription(struct fake *fake, uint64_t node, uint64_t wire_id, enum lf_status status,
                           int64_t resume_offset) {
    Lf__Position position = LF__POSITION__INIT;
    position.offset = resume_offset;
    Lf__SubscriptionEnd body = LF__SUBSCRIPTION_END__INIT;
    body.subscription = wire_id;
    body.resume = resume_offset >= 0 ? &position : NULL;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.status = status;
    reply.error = (char *)(uintptr_t) "the test says so";
    reply.body_case = LF__CLIENT_REPLY__BODY_SUBSCRIPTION_END;
    reply.subscription_end = &body;
    reply_send(fake, node, fake->nodes[node].connection, &reply, NULL, 0);
    drain(fake);
}

void fake_credit(struct fake *fake, uint64_t node, uint64_t total) { fake->nodes[node].credit = total; }

void fake_expect_outcomes(struct fake *fake, size_t from, size_t count, enum lf_status status) {
    assert_int_equal(fake->outcome_count, from + count);
    for (size_t i = from; i < from + count; i++) {
        assert_int_equal(fake->outcomes[i].context, i);
        assert_string_equal(lf_status_name(fake->outcomes[i].status), lf_status_name(status));
    }
}
