/** What brokers may send to a client: the pure core with an application that publishes, subscribes and calls. The input
 *  is a list of steps; its first byte, when odd, leaves hello, metadata and producer ids to the steps too (else brokers
 *  answer those properly, so that the steps reach what comes after).
 *
 *  A step is one byte, of which the low three bits say what:
 *  - 0, 1: a reply: which of the unanswered requests (1 byte), the header (16-bit size and bytes), further frames (1
 * byte, modulo 3, then each as 16-bit size and bytes). Bit 7 fills the request's number and connection in, bit 6
 * repairs the further frames as batches.
 *  - 2: time passes: 10 ms units (1 byte).
 *  - 3: a connection is gone (1 byte).
 *  - 4: publish (1 byte: topic, partition, size). 5: subscribe (1 byte: from where). 6: consumed, or unsubscribe.
 *  - 7: a call, or flush (1 byte).
 *
 *  The library never ends its host: whatever comes, every accepted message gets exactly one outcome by the close, and
 * what is delivered has been verified. */
#include "client.pb-c.h"
#include "fuzz_input.h"
#include "lf_check.h"
#include "lf_core.h"

#include <stdlib.h>

#define STEPS_MAX 64
#define REQUESTS_MAX 64
#define MESSAGES_MAX 256
#define FRAMES_MAX 3
#define CONNECTIONS_MAX 16
#define PARTITIONS 2
#define TICKS_MAX 100

struct request {
    uint64_t connection, id;
};

struct scene {
    struct lf_core *core;
    uint64_t now_ms;
    uint64_t deadline_ms;
    bool mute;
    struct request requests[REQUESTS_MAX]; /**< a ring */
    size_t request_count;
    uint64_t connections[CONNECTIONS_MAX];
    size_t connection_count;
    uint8_t outcomes[MESSAGES_MAX]; /**< by message */
    size_t accepted, ended;
    uint64_t calls;
};

static struct scene *scene; /* what callbacks reach; one input at a time */

static void on_delivery(const struct lf_delivery *delivery) {
    uintptr_t number = (uintptr_t)delivery->context;
    lf_check(number < MESSAGES_MAX);
    lf_check(scene->outcomes[number] == 0);
    lf_check(delivery->error_text != NULL);
    scene->outcomes[number] = 1;
    scene->ended++;
}

static void feed(struct lf_core_event *event);

static void put_cluster(Lf__ClientReply *reply) {
    static uint8_t cluster[16] = "the cluster's id";
    reply->cluster_id = (ProtobufCBinaryData){.len = sizeof cluster, .data = cluster};
}

static void send_reply(uint64_t connection, const Lf__ClientReply *reply, struct lf_frame *more, size_t count) {
    struct lf_frame frames[1 + FRAMES_MAX];
    struct lf_buf *header = lf_buf_new(lf__client_reply__get_packed_size(reply));
    lf_check(header != NULL);
    lf__client_reply__pack(reply, header->data);
    frames[0] = (struct lf_frame){.buf = header, .size = header->size};
    for (size_t i = 0; i < count; i++)
        frames[1 + i] = more[i];
    struct lf_core_event event = {.type = LF_CORE_FRAMES};
    event.frames.connection = connection;
    event.frames.frames = frames;
    event.frames.count = 1 + count;
    feed(&event);
    lf_buf_unref(&header);
}

static void answer_hello(uint64_t connection, Lf__ClientReply *reply) {
    Lf__HelloReply hello = LF__HELLO_REPLY__INIT;
    hello.version = 1;
    hello.node_id = 1 + (connection + 1) % 2;
    hello.node_incarnation = 1;
    hello.session_timeout_ms = 30000;
    hello.batch_bytes_max = 1152 * 1024;
    hello.records_max = 100000;
    hello.publish_inflight_batches = 5;
    reply->publish_credit_total = 1 << 20;
    reply->body_case = LF__CLIENT_REPLY__BODY_HELLO;
    reply->hello = &hello;
    send_reply(connection, reply, NULL, 0);
}

static void answer_metadata(uint64_t connection, Lf__ClientReply *reply) {
    Lf__Broker brokers[2] = {LF__BROKER__INIT, LF__BROKER__INIT}, *broker_list[2] = {&brokers[0], &brokers[1]};
    Lf__PartitionMetadata parts[PARTITIONS] = {LF__PARTITION_METADATA__INIT, LF__PARTITION_METADATA__INIT};
    Lf__PartitionMetadata *part_list[PARTITIONS] = {&parts[0], &parts[1]};
    Lf__TopicMetadata topic = LF__TOPIC_METADATA__INIT, *topic_list[1] = {&topic};
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    Lf__MetadataReply metadata = LF__METADATA_REPLY__INIT;
    uint64_t replicas[2] = {1, 2};
    for (uint32_t i = 0; i < 2; i++) {
        brokers[i].node_id = i + 1;
        brokers[i].host = (char *)(uintptr_t) "broker";
        brokers[i].client_port = 7700 + i;
        parts[i].partition = i;
        parts[i].leader_node = i + 1;
        parts[i].leader_epoch = 1;
        parts[i].n_replica_nodes = 2;
        parts[i].replica_nodes = replicas;
    }
    ref.name = (char *)(uintptr_t) "t";
    ref.id = 7;
    topic.topic = &ref;
    topic.n_partitions = PARTITIONS;
    topic.partitions = part_list;
    metadata.n_brokers = 2;
    metadata.brokers = broker_list;
    metadata.n_topics = 1;
    metadata.topics = topic_list;
    metadata.controller_node = 1;
    reply->body_case = LF__CLIENT_REPLY__BODY_METADATA;
    reply->metadata = &metadata;
    send_reply(connection, reply, NULL, 0);
}

static void answer_producer(uint64_t connection, Lf__ClientReply *reply) {
    Lf__InitProducerReply producer = LF__INIT_PRODUCER_REPLY__INIT;
    producer.producer_id = 41;
    reply->body_case = LF__CLIENT_REPLY__BODY_INIT_PRODUCER;
    reply->init_producer = &producer;
    send_reply(connection, reply, NULL, 0);
}

/** What every broker can answer by itself; the rest is kept for the steps. */
static void on_request(uint64_t connection, const struct lf_frame *header) {
    Lf__ClientRequest *request = lf__client_request__unpack(NULL, header->size, header->buf->data + header->offset);
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    lf_check(request != NULL);
    Lf__ClientRequest__BodyCase what = request->body_case;
    reply.request_id = request->request_id;
    put_cluster(&reply);
    lf__client_request__free_unpacked(request, NULL);
    if (!scene->mute && what == LF__CLIENT_REQUEST__BODY_HELLO)
        answer_hello(connection, &reply);
    else if (!scene->mute && what == LF__CLIENT_REQUEST__BODY_METADATA)
        answer_metadata(connection, &reply);
    else if (!scene->mute && what == LF__CLIENT_REQUEST__BODY_INIT_PRODUCER)
        answer_producer(connection, &reply);
    else
        scene->requests[scene->request_count++ % REQUESTS_MAX] = (struct request){connection, reply.request_id};
}

static void carry_out(struct lf_core_effect *effect) {
    struct lf_batch_header header;
    switch (effect->type) {
    case LF_CORE_CONNECT:
        scene->connections[scene->connection_count++ % CONNECTIONS_MAX] = effect->connection;
        break;
    case LF_CORE_SEND:
        lf_check(effect->frame_count >= 1);
        on_request(effect->connection, &effect->frames[0]);
        break;
    case LF_CORE_DELIVERED:
        effect->callback(&effect->delivery);
        break;
    case LF_CORE_BATCH:
        lf_check(lf_batch_verify(lf_bytes(effect->batch->data + effect->batch_offset, effect->batch_size), NULL,
                                 &header, NULL) == LF_OK);
        break;
    case LF_CORE_DISCONNECT:
    case LF_CORE_SUBSCRIPTION_ENDED:
    case LF_CORE_ANSWER:
        break;
    }
}

static enum lf_status feed_for_status(struct lf_core_event *event) {
    struct lf_core_effects effects = {0};
    struct lf_error error = {0};
    event->now_ms = scene->now_ms;
    event->wall_ms = 1700000000000 + (int64_t)scene->now_ms;
    enum lf_status status = lf_core_step(scene->core, event, &effects, &error);
    scene->deadline_ms = effects.deadline_ms;
    for (size_t i = 0; i < effects.count; i++)
        carry_out(&effects.items[i]);
    lf_core_effects_deinit(&effects);
    return status;
}

static void feed(struct lf_core_event *event) { feed_for_status(event); }

static void pass_time(uint64_t ms) {
    uint64_t end = scene->now_ms + ms;
    struct lf_core_event tick = {.type = LF_CORE_TICK};
    for (int ticks = 0; scene->now_ms < end && ticks < TICKS_MAX; ticks++) {
        uint64_t next = scene->deadline_ms > scene->now_ms ? scene->deadline_ms : scene->now_ms + 1;
        scene->now_ms = next < end ? next : end;
        feed(&tick);
    }
    scene->now_ms = end;
}

/* ---- the steps ---- */

static void reply_step(struct fuzz_input *input, uint8_t how) {
    struct lf_frame frames[FRAMES_MAX];
    size_t kept = scene->request_count < REQUESTS_MAX ? scene->request_count : REQUESTS_MAX;
    size_t which = fuzz_u8(input);
    struct request request =
        kept ? scene->requests[(scene->request_count - 1 - which % kept) % REQUESTS_MAX] : (struct request){1, 1};
    struct lf_bytes header = fuzz_sized(input);
    size_t count = fuzz_u8(input) % FRAMES_MAX;
    for (size_t i = 0; i < count; i++) {
        struct lf_buf *buf = lf_buf_copy(fuzz_sized(input));
        lf_check(buf != NULL);
        if (how & 0x40)
            fuzz_repair_batch(buf->data, buf->size);
        frames[i] = (struct lf_frame){.buf = buf, .size = buf->size};
    }
    Lf__ClientReply *reply = how & 0x80 ? lf__client_reply__unpack(NULL, header.size, header.data) : NULL;
    if (reply) {
        ProtobufCBinaryData cluster = reply->cluster_id;
        reply->request_id = reply->request_id ? request.id : 0;
        if (cluster.len == 0)
            put_cluster(reply);
        send_reply(request.connection, reply, frames, count);
        reply->cluster_id = cluster;
        lf__client_reply__free_unpacked(reply, NULL);
    } else {
        struct lf_buf *raw = lf_buf_copy(header);
        struct lf_frame all[1 + FRAMES_MAX] = {{.buf = raw, .size = raw->size}};
        struct lf_core_event event = {.type = LF_CORE_FRAMES};
        for (size_t i = 0; i < count; i++)
            all[1 + i] = frames[i];
        event.frames.connection = request.connection;
        event.frames.frames = all;
        event.frames.count = how & 0x20 ? 0 : 1 + count;
        feed(&event);
        lf_buf_unref(&raw);
    }
    for (size_t i = 0; i < count; i++)
        lf_buf_unref(&frames[i].buf);
}

static void publish_step(uint8_t what) {
    static const char value[4096];
    struct lf_message message = {.topic = what & 0x40 ? "u" : "t",
                                 .partition = (int32_t)(what & 3) - 1,
                                 .key = what & 4 ? "key" : NULL,
                                 .key_size = what & 4 ? 3 : 0,
                                 .value = what & 0x80 ? NULL : value,
                                 .value_size = what & 0x80 ? 0 : (size_t)(what >> 3 & 7) * 500};
    struct lf_core_event event = {.type = LF_CORE_PUBLISH};
    if (scene->accepted == MESSAGES_MAX)
        return;
    event.publish.message = &message;
    event.publish.callback = on_delivery;
    event.publish.context = (void *)(uintptr_t)scene->accepted; // NOLINT: the message's number
    scene->accepted++;                                          /* its outcome may come before the step returns */
    if (feed_for_status(&event) != LF_OK)
        scene->accepted--;
}

static void subscribe_step(uint8_t what) {
    struct lf_subscribe_options options;
    struct lf_core_event event = {.type = LF_CORE_SUBSCRIBE};
    options = (struct lf_subscribe_options){.size = sizeof options};
    options.topic = what & 0x80 ? "u" : "t";
    options.partition = (int32_t)(what & 3) - 1;
    options.start = (enum lf_start)((what >> 2 & 7) % 5);
    options.value = 3;
    options.reset_to_log_start = what & 0x20;
    options.exit_at_end = what & 0x40;
    event.subscribe.id = 1 + (what & 3);
    event.subscribe.options = &options;
    feed(&event);
}

static void consume_step(uint8_t what) {
    struct lf_core_event event = {.type = what & 0x80 ? LF_CORE_UNSUBSCRIBE : LF_CORE_CONSUMED};
    if (what & 0x80) {
        event.unsubscribe = 1 + (what & 3);
    } else {
        event.consumed.subscription = 1 + (what & 3);
        event.consumed.bytes = (uint64_t)(what & 0x7c) << 6;
    }
    feed(&event);
}

static void call_step(uint8_t what) {
    struct lf_core_event event = {.type = what & 0x80 ? LF_CORE_FLUSH : LF_CORE_CALL};
    if (!(what & 0x80))
        event.call = (struct lf_core_call){.type = (enum lf_core_call_type)(1 + what % LF_CALL_CLUSTER_STATUS),
                                           .id = ++scene->calls,
                                           .topic = "t",
                                           .partitions = 1,
                                           .replicas = 1};
    feed(&event);
}

static void step(struct fuzz_input *input) {
    uint8_t what = fuzz_u8(input);
    switch (what & 7) {
    case 0:
    case 1:
        reply_step(input, what);
        break;
    case 2:
        pass_time(fuzz_u8(input) * 10u);
        break;
    case 3: {
        struct lf_core_event event = {.type = LF_CORE_GONE};
        event.gone = scene->connections[fuzz_u8(input) % CONNECTIONS_MAX];
        feed(&event);
        break;
    }
    case 4:
        publish_step(fuzz_u8(input));
        break;
    case 5:
        subscribe_step(fuzz_u8(input));
        break;
    case 6:
        consume_step(fuzz_u8(input));
        break;
    default:
        call_step(fuzz_u8(input));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    struct scene here = {.now_ms = 1000, .mute = fuzz_u8(&input) & 1};
    struct lf_core_options options = {.seed = 7};
    struct lf_core_event tick = {.type = LF_CORE_TICK}, close = {.type = LF_CORE_CLOSE};
    scene = &here;
    options.client = (struct lf_client_options){.size = sizeof options.client,
                                                .brokers = "broker:7700,broker:7701",
                                                .linger_ms = 5,
                                                .batch_bytes = 4096,
                                                .inflight_bytes_max = 64 * 1024,
                                                .delivery_timeout_ms = 3000,
                                                .request_timeout_ms = 1000,
                                                .connect_timeout_ms = 500,
                                                .fetch_bytes_max = 64 * 1024};
    lf_check(lf_core_new(&options, here.now_ms, &here.core, NULL) == LF_OK);
    feed(&tick);
    for (int steps = 0; input.left > 0 && steps < STEPS_MAX; steps++)
        step(&input);
    lf_check(lf_core_accepted(here.core) == here.accepted);
    feed(&close);
    lf_check(lf_core_pending(here.core) == 0);
    lf_check(here.ended == here.accepted);
    lf_core_destroy(&here.core);
    return 0;
}
