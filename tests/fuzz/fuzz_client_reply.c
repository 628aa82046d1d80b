/** What a broker may say to the client's core, which has a session, unanswered batches, a subscription and a call.
 *
 *  The input is a list of steps. A step is one byte, of which the low three bits say what:
 *  - 0, 1: a multipart: connection (1 byte), whose answer it is (1 byte; 0: as the reply says, else the n-th unanswered
 *    request), frames (1 byte, modulo 4), then each as 16-bit size and bytes; the first should be a ClientReply. Bit 7
 *    of the step repairs the other frames as batches.
 *  - 2: time passes: 16 ms times 1 byte.   - 3: a connection is gone (1 byte).   - 4: a message is published.
 *  - 5: the application took bytes (2 bytes).   - 6: flush; with n in bits 3 to 5: the n-th call about the cluster is
 *    made.
 *  - 7: the newest connection's hello is answered well.
 *
 *  Whatever is said: each message and each call gets exactly one outcome, batches are handed on in order without holes,
 *  and after the end nothing is pending. */
#include "client.pb-c.h"
#include "fuzz_input.h"
#include "lf_check.h"
#include "lf_core.h"
#include "lf_health.h"

#include <stdlib.h>

#define STEPS_MAX 64
#define FRAMES_MAX 4
#define IDS_MAX 64

struct said {
    struct lf_core *core;
    struct lf_core_effects effects;
    uint64_t now_ms;
    uint64_t connections[8]; /* the newest ones */
    size_t connection_count;
    uint64_t ids[IDS_MAX]; /* of requests, the newest ones */
    Lf__ClientRequest__BodyCase kinds[IDS_MAX];
    size_t id_count;
    uint64_t accepted, outcomes;
    int64_t expected; /* next offset of the subscription; -1: nothing was delivered yet */
    uint64_t undelivered;
    uint64_t calls, answers;
    bool over;
};

static void on_send(struct said *said, const struct lf_core_effect *effect) {
    const struct lf_frame *head = &effect->frames[0];
    Lf__ClientRequest *request = lf__client_request__unpack(NULL, head->size, head->buf->data + head->offset);
    lf_check(request != NULL);
    said->ids[said->id_count % IDS_MAX] = request->request_id;
    said->kinds[said->id_count++ % IDS_MAX] = request->body_case;
    lf__client_request__free_unpacked(request, NULL);
}

static void on_missed(struct said *said, const struct lf_core_effect *effect) {
    lf_check(!said->over);
    lf_check(effect->diverged ? effect->missed_from != effect->missed_to : effect->missed_from < effect->missed_to);
    lf_check(said->expected < 0 || effect->missed_from >= said->expected); /* above: compaction took some */
    said->expected = effect->missed_to;
}

static void on_batch(struct said *said, const struct lf_core_effect *effect) {
    struct lf_batch_header header;
    lf_check(lf_batch_header_decode(lf_bytes(effect->batch->data + effect->batch_offset, effect->batch_size),
                                    &header) == LF_OK);
    lf_check(!said->over);
    lf_check(said->expected < 0 || effect->skip_below >= said->expected); /* above: only by reset_to_log_start */
    lf_check(header.base_offset <= effect->skip_below);
    said->expected = header.base_offset + header.last_offset_delta + 1;
    lf_check(said->expected > effect->skip_below);
    said->undelivered += effect->batch_size;
}

/* What a broker says of the cluster's health is put together with a silent neighbour's. */
static void on_answer(struct said *said, const struct lf_core_effect *effect) {
    const Lf__ClientReply *answer = effect->reply;
    said->answers++;
    lf_check(effect->call <= said->calls);
    if (effect->status != LF_OK || !answer || answer->body_case != LF__CLIENT_REPLY__BODY_CLUSTER_CHECK)
        return;
    Lf__ClusterStatusReply status = LF__CLUSTER_STATUS_REPLY__INIT;
    struct lf_health_answer answers[] = {
        {.node = 1, .reply = answer->cluster_check}, {.node = 2}, {.node = 3, .reply = answer->cluster_check}};
    struct lf_health *health;
    lf_check(lf_health_merge(&status, answers, 3, 2, &health) == LF_OK);
    lf_check(health->groups_judged <= health->groups);
    lf_check(!health->healthy); /* node 2 is silent */
    lf_health_free(health);
}

static void feed(struct said *said, struct lf_core_event *event) {
    event->now_ms = said->now_ms;
    event->wall_ms = 1700000000000;
    enum lf_status status = lf_core_step(said->core, event, &said->effects, NULL);
    said->accepted += event->type == LF_CORE_PUBLISH && status == LF_OK;
    for (size_t i = 0; i < said->effects.count; i++) {
        const struct lf_core_effect *effect = &said->effects.items[i];
        if (effect->type == LF_CORE_CONNECT)
            said->connections[said->connection_count++ % 8] = effect->connection;
        else if (effect->type == LF_CORE_SEND)
            on_send(said, effect);
        else if (effect->type == LF_CORE_DELIVERED)
            said->outcomes++;
        else if (effect->type == LF_CORE_BATCH)
            on_batch(said, effect);
        else if (effect->type == LF_CORE_MISSED)
            on_missed(said, effect);
        else if (effect->type == LF_CORE_SUBSCRIPTION_ENDED)
            said->over = true;
        else if (effect->type == LF_CORE_ANSWER)
            on_answer(said, effect);
    }
    lf_core_effects_clear(&said->effects);
    lf_check(said->outcomes <= said->accepted);
    lf_check(said->outcomes + lf_core_pending(said->core) == said->accepted);
}

static void multipart(struct said *said, uint64_t connection, struct lf_frame *frames, size_t count) {
    struct lf_core_event event = {.type = LF_CORE_FRAMES};
    event.frames.connection = connection;
    event.frames.frames = frames;
    event.frames.count = count;
    feed(said, &event);
    for (size_t i = 0; i < count; i++)
        lf_buf_unref(&frames[i].buf);
}

static void reply(struct said *said, uint64_t connection, Lf__ClientReply *message) {
    struct lf_buf *buf = lf_buf_new(lf__client_reply__get_packed_size(message));
    lf_check(buf != NULL);
    lf__client_reply__pack(message, buf->data);
    struct lf_frame frame = {.buf = buf, .size = buf->size};
    multipart(said, connection, &frame, 1);
}

static uint64_t connection_at(const struct said *said, uint8_t which) {
    size_t known = said->connection_count < 8 ? said->connection_count : 8;
    return known ? said->connections[which % known] : 0;
}

/* The newest request of a kind; 0: none. */
static uint64_t newest(const struct said *said, Lf__ClientRequest__BodyCase kind) {
    for (size_t i = said->id_count; i > 0 && i + IDS_MAX > said->id_count; i--)
        if (said->kinds[(i - 1) % IDS_MAX] == kind)
            return said->ids[(i - 1) % IDS_MAX];
    return 0;
}

static void hello_well(struct said *said) {
    static uint8_t cluster[16] = {7};
    Lf__HelloReply body = LF__HELLO_REPLY__INIT;
    body.version = 1;
    body.node_id = 1 + said->connection_count % 3;
    body.session_timeout_ms = 9000;
    body.batch_bytes_max = 1152 * 1024;
    Lf__ClientReply message = LF__CLIENT_REPLY__INIT;
    message.request_id = newest(said, LF__CLIENT_REQUEST__BODY_HELLO);
    message.cluster_id = (ProtobufCBinaryData){.len = sizeof cluster, .data = cluster};
    message.publish_credit_total = 1 << 20;
    message.body_case = LF__CLIENT_REPLY__BODY_HELLO;
    message.hello = &body;
    reply(said, said->connections[(said->connection_count - 1) % 8], &message);
}

/* Topic "t", one partition, led by node 2 (the first connection's, see hello_well); a producer id. */
static void session_well(struct said *said) {
    hello_well(said);
    uint64_t replicas[] = {2, 3};
    Lf__PartitionMetadata partition = LF__PARTITION_METADATA__INIT;
    partition.leader_node = 2;
    partition.n_replica_nodes = 2;
    partition.replica_nodes = replicas;
    Lf__PartitionMetadata *partitions[] = {&partition};
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t) "t";
    ref.id = 5;
    Lf__TopicMetadata topic = LF__TOPIC_METADATA__INIT;
    topic.topic = &ref;
    topic.n_partitions = 1;
    topic.partitions = partitions;
    Lf__TopicMetadata *topics[] = {&topic};
    Lf__MetadataReply metadata = LF__METADATA_REPLY__INIT;
    metadata.n_topics = 1;
    metadata.topics = topics;
    metadata.controller_node = 2;
    Lf__ClientReply message = LF__CLIENT_REPLY__INIT;
    message.request_id = newest(said, LF__CLIENT_REQUEST__BODY_METADATA);
    message.body_case = LF__CLIENT_REPLY__BODY_METADATA;
    message.metadata = &metadata;
    reply(said, said->connections[0], &message);
    Lf__InitProducerReply producer = LF__INIT_PRODUCER_REPLY__INIT;
    producer.producer_id = 9;
    Lf__ClientReply identity = LF__CLIENT_REPLY__INIT;
    identity.request_id = newest(said, LF__CLIENT_REQUEST__BODY_INIT_PRODUCER);
    identity.body_case = LF__CLIENT_REPLY__BODY_INIT_PRODUCER;
    identity.init_producer = &producer;
    reply(said, said->connections[0], &identity);
}

static void publish(struct said *said) {
    struct lf_message message = {.topic = "t", .value = "0123456789", .value_size = 10};
    struct lf_core_event event = {.type = LF_CORE_PUBLISH};
    event.publish.message = &message;
    feed(said, &event);
}

/* Makes the first frame the answer to a request that was really asked. */
static void readdress(const struct said *said, struct lf_frame *frame, uint8_t which) {
    Lf__ClientReply *message = lf__client_reply__unpack(NULL, frame->size, frame->buf->data);
    size_t known = said->id_count < IDS_MAX ? said->id_count : IDS_MAX;
    if (!message || known == 0) {
        if (message)
            lf__client_reply__free_unpacked(message, NULL);
        return;
    }
    message->request_id = said->ids[(said->id_count - 1 - (which - 1u) % known) % IDS_MAX];
    struct lf_buf *buf = lf_buf_new(lf__client_reply__get_packed_size(message));
    lf_check(buf != NULL);
    lf__client_reply__pack(message, buf->data);
    lf__client_reply__free_unpacked(message, NULL);
    lf_buf_unref(&frame->buf);
    *frame = (struct lf_frame){.buf = buf, .size = buf->size};
}

static void step_multipart(struct said *said, struct fuzz_input *input, bool repair) {
    struct lf_frame frames[FRAMES_MAX];
    uint64_t connection = connection_at(said, fuzz_u8(input));
    uint8_t which = fuzz_u8(input);
    size_t count = fuzz_u8(input) % FRAMES_MAX;
    for (size_t i = 0; i < count; i++) {
        struct lf_buf *buf = lf_buf_copy(fuzz_sized(input));
        lf_check(buf != NULL);
        if (i > 0 && repair)
            fuzz_repair_batch(buf->data, buf->size);
        frames[i] = (struct lf_frame){.buf = buf, .size = buf->size};
    }
    if (count > 0 && which > 0)
        readdress(said, &frames[0], which);
    multipart(said, connection, frames, count);
}

/* Some calls first ask which topic has the name: the answer, so that the input is about what follows. */
static void resolve(struct said *said) {
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t) "t";
    ref.id = 5;
    Lf__DescribeSettingsReply body = LF__DESCRIBE_SETTINGS_REPLY__INIT;
    body.topic = &ref;
    Lf__ClientReply message = LF__CLIENT_REPLY__INIT;
    message.request_id = newest(said, LF__CLIENT_REQUEST__BODY_DESCRIBE_SETTINGS);
    message.body_case = LF__CLIENT_REPLY__BODY_DESCRIBE_SETTINGS;
    message.describe_settings = &body;
    if (message.request_id)
        reply(said, said->connections[0], &message);
}

#define CALLS 16
static void call(struct said *said, unsigned which) {
    static const uint64_t nodes[] = {3, 2};
    static const struct lf_setting settings[] = {{"retention.ms", "1h"}, {"segment.ms", NULL}};
    const struct lf_core_call calls[CALLS] = {
        {.type = LF_CALL_TOPIC_DESCRIBE, .topic = "t"},
        {.type = LF_CALL_NODE_ADD, .node = 4, .host = "h", .client_port = 1, .peer_port = 2},
        {.type = LF_CALL_NODE_REMOVE, .node = 3},
        {.type = LF_CALL_NODE_DRAIN, .node = 3},
        {.type = LF_CALL_PARTITION_MOVE, .topic = "t", .nodes = nodes, .node_count = 2},
        {.type = LF_CALL_LEADER_TRANSFER, .topic = "t"},
        {.type = LF_CALL_CLUSTER_CHECK, .node = 2, .without_node = 1},
        {.type = LF_CALL_CLUSTER_STATUS},
        {.type = LF_CALL_TOPIC_ALTER, .topic = "t", .settings = settings, .setting_count = 2},
        {.type = LF_CALL_TOPIC_SETTINGS},
        {.type = LF_CALL_PARTITION_TRIM, .topic = "t", .offset = 7},
        {.type = LF_CALL_PARTITION_OFFSET_AT, .topic = "t", .timestamp_ms = 7},
        {.type = LF_CALL_PARTITION_SEGMENTS, .topic = "t"},
        {.type = LF_CALL_PARTITION_SEGMENTS, .topic = "t", .node = 2, .from_index = 9},
        {.type = LF_CALL_TOPIC_CREATE,
         .topic = "t",
         .partitions = 1,
         .replicas = 2,
         .settings = settings,
         .setting_count = 1},
        {.type = LF_CALL_TOPIC_DELETE, .topic = "t"},
    };
    struct lf_core_event event = {.type = LF_CORE_CALL};
    event.call = calls[which];
    event.call.id = ++said->calls;
    feed(said, &event);
    if (event.call.topic && event.call.type != LF_CALL_TOPIC_SETTINGS)
        resolve(said);
}

static void step(struct said *said, struct fuzz_input *input) {
    uint8_t what = fuzz_u8(input);
    struct lf_core_event event = {.type = LF_CORE_TICK};
    switch (what & 7) {
    case 0:
    case 1:
        step_multipart(said, input, what & 0x80);
        return;
    case 2:
        said->now_ms += 16u * fuzz_u8(input);
        feed(said, &event);
        return;
    case 3:
        event.type = LF_CORE_GONE;
        event.gone = connection_at(said, fuzz_u8(input));
        feed(said, &event);
        return;
    case 4:
        publish(said);
        return;
    case 5:
        event.type = LF_CORE_CONSUMED;
        event.consumed.subscription = 1;
        event.consumed.bytes = fuzz_le16(input);
        feed(said, &event);
        return;
    case 6:
        if ((what >> 3) % CALLS) {
            call(said, (what >> 3) % CALLS);
            return;
        }
        event.type = LF_CORE_FLUSH;
        feed(said, &event);
        return;
    default:
        hello_well(said);
        return;
    }
}

static void begin(struct said *said) {
    struct lf_core_options options = {.client = {.size = sizeof options.client,
                                                 .brokers = "a:1,b:2,c:3",
                                                 .batch_bytes = 16384,
                                                 .inflight_bytes_max = 1 << 20,
                                                 .delivery_timeout_ms = 5000,
                                                 .request_timeout_ms = 3000,
                                                 .connect_timeout_ms = 1000,
                                                 .fetch_bytes_max = 10000},
                                      .seed = 1};
    lf_check(lf_core_new(&options, said->now_ms, &said->core, NULL) == LF_OK);
    publish(said);
    struct lf_subscribe_options subscribe = {.size = sizeof subscribe, .topic = "t", .reset_to_log_start = true};
    struct lf_core_event event = {.type = LF_CORE_SUBSCRIBE};
    event.subscribe.id = 1;
    event.subscribe.options = &subscribe;
    feed(said, &event);
    call(said, 0);
    session_well(said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    struct said said = {.now_ms = 1000, .expected = -1};
    begin(&said);
    for (int steps = 0; input.left > 0 && steps < STEPS_MAX; steps++)
        step(&said, &input);
    struct lf_core_event close = {.type = LF_CORE_CLOSE};
    feed(&said, &close);
    lf_check(said.outcomes == said.accepted);
    lf_check(said.answers == said.calls && said.over);
    lf_core_destroy(&said.core);
    lf_core_effects_deinit(&said.effects);
    return 0;
}
