/** Writes seeds for the fuzzers whose input is laid out in steps or frames: well-formed examples of every kind.
 *
 *  Usage: write_seeds CORPUS_DIR. Run it when a format changed; what fuzzing finds later is kept beside. */
#include "client.pb-c.h"
#include "lf_check.h"
#include "lf_entry.h"
#include "lf_record_batch.h"
#include "metadata.h"
#include "metadata.pb-c.h"
#include "peer_codec.h"
#include "raft_log.pb-c.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define SEED_BYTES_MAX (64 * 1024)

static const char *corpus;

struct seed {
    uint8_t bytes[SEED_BYTES_MAX];
    size_t size;
};

static void put_u8(struct seed *seed, uint8_t byte) {
    lf_check(seed->size < SEED_BYTES_MAX);
    seed->bytes[seed->size++] = byte;
}

static void put(struct seed *seed, struct lf_bytes bytes) {
    lf_check(bytes.size <= SEED_BYTES_MAX - seed->size);
    if (bytes.size > 0)
        memcpy(seed->bytes + seed->size, bytes.data, bytes.size);
    seed->size += bytes.size;
}

static void put_sized(struct seed *seed, struct lf_bytes bytes) {
    put_u8(seed, (uint8_t)bytes.size);
    put_u8(seed, (uint8_t)(bytes.size >> 8));
    put(seed, bytes);
}

static void write_seed(const char *fuzzer, const char *name, const struct seed *seed) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", corpus, fuzzer);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/%s/%s", corpus, fuzzer, name);
    FILE *out = fopen(path, "wb");
    lf_checkf(out != NULL, "%s", path);
    lf_check(fwrite(seed->bytes, 1, seed->size, out) == seed->size);
    lf_check(fclose(out) == 0);
}

/* ---- batches and entries ---- */

static struct lf_buf *batch(int32_t records, int64_t producer) {
    struct lf_batch_builder *builder = lf_batch_builder_new(LF_CODEC_NONE, NULL);
    struct lf_buf *done = NULL;
    lf_check(builder != NULL);
    for (int32_t i = 0; i < records; i++) {
        struct lf_record_header headers[] = {{lf_bytes_text("trace"), lf_bytes_text("41")},
                                             {lf_bytes_text(""), lf_bytes(NULL, 0)}};
        struct lf_record record = {.timestamp_ms = 1700000000000 + i * 37 % 11,
                                   .key = i % 2 ? lf_bytes_text("river") : lf_bytes(NULL, 0),
                                   .value = i % 3 ? lf_bytes_text("water water water water") : lf_bytes(NULL, 0),
                                   .headers = headers,
                                   .header_count = i % 4 == 1 ? 2 : 0};
        lf_check(lf_batch_builder_add(builder, &record) == LF_OK);
    }
    if (producer >= 0)
        lf_batch_builder_set_producer(builder, producer, 0, 0);
    lf_check(lf_batch_builder_finish(builder, &done) == LF_OK);
    lf_batch_builder_destroy(&builder);
    return done;
}

static struct lf_buf *entry(enum lf_entry_type type, uint64_t group, struct lf_bytes payload, uint64_t end) {
    struct lf_entry_header header = {.type = (uint8_t)type,
                                     .flags = LF_ENTRY_MUST_UNDERSTAND,
                                     .payload_bytes = (uint32_t)payload.size,
                                     .index = 7,
                                     .term = 3,
                                     .log_time_ms = 1700000000000,
                                     .end_offset = end,
                                     .replica_id = 2};
    struct lf_buf *buf = lf_buf_new(LF_ENTRY_HEADER_BYTES + payload.size);
    lf_check(buf != NULL);
    if (payload.size > 0)
        memcpy(buf->data + LF_ENTRY_HEADER_BYTES, payload.data, payload.size);
    lf_entry_encode(&header, group, payload, buf->data);
    return buf;
}

/* ---- clients ---- */

static void put_request(struct seed *seed, Lf__ClientRequest *request, struct lf_bytes batch_bytes) {
    uint8_t packed[4096];
    request->protocol_version = 1;
    request->request_id = 9;
    lf_check(lf__client_request__get_packed_size(request) <= sizeof packed);
    put_u8(seed, batch_bytes.size ? 0x80 : 0);
    put_u8(seed, 0); /* session */
    put_u8(seed, batch_bytes.size ? 2 : 1);
    put_sized(seed, lf_bytes(packed, lf__client_request__pack(request, packed)));
    if (batch_bytes.size)
        put_sized(seed, batch_bytes);
    put_u8(seed, 2); /* time passes */
    put_u8(seed, 20);
}

#define REQUEST_SEED(file, member, upper, ...)                                                                         \
    do {                                                                                                               \
        struct seed seed = {.size = 0};                                                                                \
        Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;                                                          \
        request.body_case = LF__CLIENT_REQUEST__BODY_##upper;                                                          \
        request.member = (__VA_ARGS__);                                                                                \
        put_request(&seed, &request, lf_bytes(NULL, 0));                                                               \
        write_seed("fuzz_client_request", file, &seed);                                                                \
    } while (0)

static void simple_requests(Lf__TopicRef *topic) {
    Lf__Hello hello = LF__HELLO__INIT;
    hello.version_min = hello.version_max = 1;
    hello.client_name = (char *)(uintptr_t) "seed";
    Lf__MetadataRequest metadata = LF__METADATA_REQUEST__INIT;
    metadata.n_topics = 1;
    metadata.topics = &topic;
    Lf__CreateTopic create = LF__CREATE_TOPIC__INIT;
    create.name = (char *)(uintptr_t) "u";
    create.partitions = 2;
    create.replicas = 1;
    Lf__DescribeTopic describe = LF__DESCRIBE_TOPIC__INIT;
    describe.topic = topic;
    Lf__DeleteTopic drop = LF__DELETE_TOPIC__INIT;
    drop.topic = topic;
    Lf__RaiseProducerEpoch raise = LF__RAISE_PRODUCER_EPOCH__INIT;
    raise.topic = topic;
    raise.producer_id = 1;
    raise.producer_epoch = 1;
    Lf__Unsubscribe unsubscribe = LF__UNSUBSCRIBE__INIT;
    unsubscribe.subscription = 1;
    Lf__Credit credit = LF__CREDIT__INIT;
    credit.subscription = 1;
    credit.credit_total = 1 << 20;
    Lf__OffsetsLookup lookup = LF__OFFSETS_LOOKUP__INIT;
    lookup.topic = topic;
    lookup.kind = LF__LOOKUP_KIND__LOOKUP_END;
    Lf__Ping ping = LF__PING__INIT;
    Lf__ListTopics list = LF__LIST_TOPICS__INIT;
    Lf__InitProducer init = LF__INIT_PRODUCER__INIT;
    Lf__ClusterStatus status = LF__CLUSTER_STATUS__INIT;
    REQUEST_SEED("hello", hello, HELLO, &hello);
    REQUEST_SEED("ping", ping, PING, &ping);
    REQUEST_SEED("metadata", metadata, METADATA, &metadata);
    REQUEST_SEED("create", create_topic, CREATE_TOPIC, &create);
    REQUEST_SEED("list", list_topics, LIST_TOPICS, &list);
    REQUEST_SEED("describe", describe_topic, DESCRIBE_TOPIC, &describe);
    REQUEST_SEED("delete", delete_topic, DELETE_TOPIC, &drop);
    REQUEST_SEED("init", init_producer, INIT_PRODUCER, &init);
    REQUEST_SEED("raise", raise_producer_epoch, RAISE_PRODUCER_EPOCH, &raise);
    REQUEST_SEED("unsubscribe", unsubscribe, UNSUBSCRIBE, &unsubscribe);
    REQUEST_SEED("credit", credit, CREDIT, &credit);
    REQUEST_SEED("lookup", offsets_lookup, OFFSETS_LOOKUP, &lookup);
    REQUEST_SEED("status", cluster_status, CLUSTER_STATUS, &status);
}

static void setting_requests(Lf__TopicRef *topic) {
    Lf__TopicSetting set = LF__TOPIC_SETTING__INIT, *pointer = &set;
    char *reset = (char *)(uintptr_t) "segment.ms";
    set.name = (char *)(uintptr_t) "retention.ms";
    set.value = (char *)(uintptr_t) "7d";
    Lf__CreateTopic create = LF__CREATE_TOPIC__INIT;
    create.name = (char *)(uintptr_t) "v";
    create.partitions = create.replicas = 1;
    create.n_settings = 1;
    create.settings = &pointer;
    Lf__AlterTopic alter = LF__ALTER_TOPIC__INIT;
    alter.topic = topic;
    alter.n_set = alter.n_reset = 1;
    alter.set = &pointer;
    alter.reset = &reset;
    Lf__DescribeSettings describe = LF__DESCRIBE_SETTINGS__INIT;
    describe.topic = topic;
    Lf__Goodbye goodbye = LF__GOODBYE__INIT;
    Lf__TrimPartition trim = LF__TRIM_PARTITION__INIT;
    trim.topic = topic;
    trim.before_offset = 1;
    Lf__ListSegments segments = LF__LIST_SEGMENTS__INIT;
    segments.topic = topic;
    segments.any_replica = true;
    REQUEST_SEED("trim", trim_partition, TRIM_PARTITION, &trim);
    REQUEST_SEED("segments", list_segments, LIST_SEGMENTS, &segments);
    REQUEST_SEED("create-set", create_topic, CREATE_TOPIC, &create);
    REQUEST_SEED("alter", alter_topic, ALTER_TOPIC, &alter);
    REQUEST_SEED("describe-settings", describe_settings, DESCRIBE_SETTINGS, &describe);
    REQUEST_SEED("goodbye", goodbye, GOODBYE, &goodbye);
    Lf__Backup backup = LF__BACKUP__INIT;
    backup.action = LF__BACKUP_ACTION__BACKUP_CREATE;
    backup.name = (char *)(uintptr_t) "monday";
    REQUEST_SEED("backup", backup, BACKUP, &backup);
}

static void put_publish(struct seed *seed, Lf__TopicRef *topic, int64_t producer) {
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    Lf__Publish publish = LF__PUBLISH__INIT;
    struct lf_buf *records = batch(3, producer);
    publish.topic = topic;
    request.body_case = LF__CLIENT_REQUEST__BODY_PUBLISH;
    request.publish = &publish;
    put_request(seed, &request, lf_buf_bytes(records));
    lf_buf_unref(&records);
}

static void put_subscribe(struct seed *seed, Lf__TopicRef *topic, Lf__Position *position, Lf__StartFrom from) {
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    Lf__Subscribe subscribe = LF__SUBSCRIBE__INIT;
    subscribe.subscription = (uint64_t)from + 1;
    subscribe.topic = topic;
    subscribe.from = from;
    subscribe.position = position;
    subscribe.tail = 2;
    subscribe.timestamp_ms = 1700000000001;
    subscribe.credit_total = 1 << 20;
    request.body_case = LF__CLIENT_REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &subscribe;
    put_request(seed, &request, lf_bytes(NULL, 0));
}

static void clients(void) {
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    Lf__Position position = LF__POSITION__INIT;
    topic.name = (char *)(uintptr_t) "t";
    position.offset = 1;
    position.leader_epoch = -1;
    simple_requests(&topic);
    setting_requests(&topic);
    struct seed all = {.size = 0};
    put_publish(&all, &topic, -1);
    put_publish(&all, &topic, 1);
    for (int from = 0; from <= LF__START_FROM__START_TIMESTAMP; from++) {
        struct seed seed = {.size = 0};
        char name[32];
        put_publish(&seed, &topic, -1);
        put_subscribe(&seed, &topic, &position, (Lf__StartFrom)from);
        put_subscribe(&all, &topic, &position, (Lf__StartFrom)from);
        snprintf(name, sizeof name, "publish-subscribe-%d", from);
        write_seed("fuzz_client_request", name, &seed);
    }
    put_u8(&all, 3); /* gone */
    put_u8(&all, 0);
    write_seed("fuzz_client_request", "publish-subscribe-gone", &all);
}

/* A call about the cluster is made (n as in fuzz_client_reply) and answered on the one connection. */
static void write_reply(const char *name, uint8_t call, Lf__ClientReply *reply) {
    struct seed seed = {.size = 0};
    uint8_t packed[4096];
    reply->protocol_version = 1;
    lf_check(lf__client_reply__get_packed_size(reply) <= sizeof packed);
    put_u8(&seed, (uint8_t)(6 | call << 3));
    put_u8(&seed, 0); /* a multipart: connection, the newest request, frames */
    put_u8(&seed, 0);
    put_u8(&seed, 1);
    put_u8(&seed, 1);
    put_sized(&seed, lf_bytes(packed, lf__client_reply__pack(reply, packed)));
    write_seed("fuzz_client_reply", name, &seed);
}

static void cluster_changes(void) {
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    Lf__AddNodeReply added = LF__ADD_NODE_REPLY__INIT;
    Lf__RemoveNodeReply removed = LF__REMOVE_NODE_REPLY__INIT;
    Lf__DrainNodeReply drained = LF__DRAIN_NODE_REPLY__INIT;
    Lf__MovePartitionReply moved = LF__MOVE_PARTITION_REPLY__INIT;
    Lf__TransferLeaderReply transferred = LF__TRANSFER_LEADER_REPLY__INIT;
    added.replica_id = moved.epoch = transferred.leader_node = 3;
    reply.body_case = LF__CLIENT_REPLY__BODY_ADD_NODE;
    reply.add_node = &added;
    write_reply("add_node", 1, &reply);
    reply.body_case = LF__CLIENT_REPLY__BODY_REMOVE_NODE;
    reply.remove_node = &removed;
    write_reply("remove_node", 2, &reply);
    reply.body_case = LF__CLIENT_REPLY__BODY_DRAIN_NODE;
    reply.drain_node = &drained;
    write_reply("drain_node", 3, &reply);
    reply.body_case = LF__CLIENT_REPLY__BODY_MOVE_PARTITION;
    reply.move_partition = &moved;
    write_reply("move_partition", 4, &reply);
    reply.body_case = LF__CLIENT_REPLY__BODY_TRANSFER_LEADER;
    reply.transfer_leader = &transferred;
    write_reply("transfer_leader", 5, &reply);
}

static void topic_answers(void) {
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    topic.name = (char *)(uintptr_t) "t";
    topic.id = 5;
    Lf__AlterTopicReply altered = LF__ALTER_TOPIC_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_ALTER_TOPIC;
    reply.alter_topic = &altered;
    write_reply("alter_topic", 8, &reply);
    Lf__SettingDescription setting = LF__SETTING_DESCRIPTION__INIT, *settings = &setting;
    setting.name = (char *)(uintptr_t) "retention.ms";
    setting.value = (char *)(uintptr_t) "-1";
    Lf__DescribeSettingsReply described = LF__DESCRIBE_SETTINGS_REPLY__INIT;
    described.n_settings = 1;
    described.settings = &settings;
    reply.body_case = LF__CLIENT_REPLY__BODY_DESCRIBE_SETTINGS;
    reply.describe_settings = &described;
    write_reply("describe_settings", 9, &reply);
    Lf__TrimPartitionReply trimmed = LF__TRIM_PARTITION_REPLY__INIT;
    trimmed.log_start_offset = 7;
    reply.body_case = LF__CLIENT_REPLY__BODY_TRIM_PARTITION;
    reply.trim_partition = &trimmed;
    write_reply("trim_partition", 10, &reply);
    Lf__SegmentDescription segment = LF__SEGMENT_DESCRIPTION__INIT, *segments = &segment;
    segment.last_index = segment.bytes = 9;
    Lf__ListSegmentsReply listed = LF__LIST_SEGMENTS_REPLY__INIT;
    listed.n_segments = 1;
    listed.segments = &segments;
    listed.next_index = 10;
    reply.body_case = LF__CLIENT_REPLY__BODY_LIST_SEGMENTS;
    reply.list_segments = &listed;
    write_reply("list_segments", 12, &reply);
    Lf__CreateTopicReply existing = LF__CREATE_TOPIC_REPLY__INIT;
    existing.topic = &topic;
    existing.same = true;
    reply.status = LF_TOPIC_EXISTS;
    reply.body_case = LF__CLIENT_REPLY__BODY_CREATE_TOPIC;
    reply.create_topic = &existing;
    write_reply("create_exists", 14, &reply);
    Lf__SubscribeReply late = LF__SUBSCRIBE_REPLY__INIT;
    late.log_start_offset = 7;
    reply.status = LF_OFFSET_BELOW_START;
    reply.body_case = LF__CLIENT_REPLY__BODY_SUBSCRIBE;
    reply.subscribe = &late;
    write_reply("below_start", 0, &reply);
    late.start_offset = (INT64_C(1) << 32) + 7;
    reply.status = LF_HISTORY_DIVERGED;
    write_reply("diverged", 0, &reply);
}

static void cluster_views(void) {
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    uint64_t about = 2;
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    topic.name = (char *)(uintptr_t) "t";
    Lf__GroupProblem leaderless = LF__GROUP_PROBLEM__INIT, moving = LF__GROUP_PROBLEM__INIT;
    Lf__GroupProblem *problems[] = {&leaderless, &moving};
    moving.topic = &topic;
    moving.group = 5;
    moving.kind = LF__GROUP_PROBLEM_KIND__PROBLEM_MOVING;
    moving.nodes = leaderless.nodes = &about;
    moving.n_nodes = leaderless.n_nodes = 1;
    moving.text = leaderless.text = (char *)(uintptr_t) "a sentence";
    Lf__ClusterCheckReply check = LF__CLUSTER_CHECK_REPLY__INIT;
    check.problems = problems;
    check.n_problems = 2;
    reply.body_case = LF__CLIENT_REPLY__BODY_CLUSTER_CHECK;
    reply.cluster_check = &check;
    write_reply("cluster_check", 6, &reply);
    Lf__Broker broker = LF__BROKER__INIT;
    broker.node_id = 7;
    broker.host = (char *)(uintptr_t) "d";
    broker.client_port = 4;
    Lf__NodeStatus node = LF__NODE_STATUS__INIT, *nodes[] = {&node};
    node.broker = &broker;
    node.state = LF__NODE_STATE__NODE_DRAINING;
    node.moves_left = 2;
    Lf__ClusterStatusReply status = LF__CLUSTER_STATUS_REPLY__INIT;
    status.nodes = nodes;
    status.n_nodes = 1;
    reply.body_case = LF__CLIENT_REPLY__BODY_CLUSTER_STATUS;
    reply.cluster_status = &status;
    write_reply("cluster_status", 7, &reply);
}

/* ---- peers ---- */

static void put_envelope(struct seed *seed, uint8_t how, enum raft_message_type type) {
    struct peer_envelope *envelope = peer_envelope_new();
    struct lf_buf *records = batch(2, -1);
    struct peer_message message = {.group = 1, .raft = {.type = type, .from = 2, .to = 1, .term = 1}};
    struct peer_frames frames = {0};
    envelope->protocol_version = 1;
    envelope->lane = type == RAFT_APPEND_REQUEST ? PEER_LANE_DATA : PEER_LANE_CONTROL;
    envelope->from_node = 2;
    envelope->to_node = 1;
    envelope->from_incarnation = 2;
    envelope->to_incarnation = 1;
    if (type == RAFT_APPEND_REQUEST) {
        message.raft.append_request.sequence = 1;
        message.raft.append_request.commit = 2;
        message.raft.append_request.count = 2;
        message.entries = calloc(2, sizeof *message.entries);
        lf_check(message.entries != NULL);
        message.entries[0] = entry(LF_ENTRY_NOOP, 1, lf_bytes(NULL, 0), 0);
        message.entries[1] = entry(LF_ENTRY_BATCH, 1, lf_buf_bytes(records), 2);
    } else if (type == RAFT_VOTE_REPLY || type == RAFT_PRE_VOTE_REPLY) {
        message.raft.vote_reply.granted = true;
        message.raft.vote_reply.campaign_term = 2;
    } else if (type == RAFT_HEARTBEAT_REQUEST || type == RAFT_HEARTBEAT_REPLY) {
        message.raft.heartbeat.commit = 2;
        message.raft.heartbeat.sequence = 3;
    } else if (type == RAFT_APPEND_REPLY) {
        message.raft.append_reply.accepted = true;
        message.raft.append_reply.sequence = 1;
        message.raft.append_reply.durable = message.raft.append_reply.received = 3;
        message.raft.append_reply.last_index = 3;
    } else if (type == RAFT_IMAGE_OFFER) {
        message.raft.image_offer.index = message.raft.image_offer.commit = 3;
        message.raft.image_offer.entry_term = message.raft.image_offer.sequence = 1;
    } else {
        message.raft.vote_request.last_index = message.raft.vote_request.last_term = 9;
    }
    if (type != 0)
        lf_check(peer_envelope_add(envelope, &message) == LF_OK);
    lf_check(peer_codec_encode(envelope, &frames) == LF_OK);
    put_u8(seed, how);
    if (how)
        put_u8(seed, (uint8_t)frames.count);
    else
        seed->size--; /* the codec's fuzzer has frames only */
    for (size_t i = 0; i < frames.count; i++)
        put_sized(seed, lf_buf_bytes(frames.frames[i]));
    peer_frames_deinit(&frames);
    peer_envelope_destroy(&envelope);
    lf_buf_unref(&records);
}

/** Greetings of every kind (a bare one, with a membership, each refusal), then reports. */
static void greetings(void) {
    struct seed story = {.size = 0};
    for (int kind = 0; kind < 8; kind++) {
        struct peer_envelope *envelope = peer_envelope_new();
        struct peer_frames frames = {0};
        envelope->protocol_version = 1;
        envelope->lane = PEER_LANE_CONTROL;
        envelope->from_node = kind == 6 ? 9 : 2; /* a stranger */
        envelope->to_node = 1;
        envelope->from_incarnation = 2;
        envelope->to_incarnation = 1;
        struct peer_report reports[] = {{.group = 1, .value = 2},
                                        {.group = 1, .kind = PEER_REPORT_DESTROYED, .value = 4},
                                        {.group = 2, .kind = PEER_REPORT_LOG_START, .value = 9}};
        for (size_t i = 0; kind == 7 && i < sizeof reports / sizeof *reports; i++)
            lf_check(peer_envelope_add_report(envelope, &reports[i]) == LF_OK);
        struct peer_greeting *greeting = kind < 7 ? calloc(1, sizeof *greeting) : NULL;
        if (greeting) {
            struct peer_member member = {.node_id = envelope->from_node, .replica_id = 2, .host = "h", .peer_port = 1};
            *greeting = (struct peer_greeting){.cluster_name = "unit", .self = member, .joining = kind == 6};
            greeting->refusal = kind < 5 ? (enum peer_refusal)kind : PEER_REFUSAL_NONE;
            greeting->member_count = kind == 5;
            greeting->members[0] = member;
            greeting->voters[0] = greeting->voter_count = 1;
            greeting->metadata_index = kind == 5 ? 100 : 0;
        }
        envelope->greeting = greeting;
        lf_check(peer_codec_encode(envelope, &frames) == LF_OK);
        put_u8(&story, kind == 6 ? 0 : 0x80);
        put_u8(&story, 1);
        put_sized(&story, lf_buf_bytes(frames.frames[0]));
        put_u8(&story, 2);
        put_u8(&story, 100);
        struct seed codec = {.size = 0};
        char name[32];
        put_sized(&codec, lf_buf_bytes(frames.frames[0]));
        snprintf(name, sizeof name, "greeting-%d", kind);
        write_seed("fuzz_peer_codec", name, &codec);
        peer_frames_deinit(&frames);
        peer_envelope_destroy(&envelope);
    }
    write_seed("fuzz_node_peer", "greetings", &story);
}

/** A pull of a page, one of a segment, a page with a segment and a row, a piece with an entry, and one that is gone. */
static struct image_message *image_of(int kind) {
    struct image_message *image = peer_image_new(kind < 2 ? IMAGE_PULL : kind == 2 ? IMAGE_PAGE : IMAGE_PIECE);
    lf_check(image != NULL);
    image->image = kind == 0 ? 0 : 3;
    image->session = 5;
    if (kind == 1) {
        image->pull.first_index = image->pull.from_index = 1;
        image->pull.last_index = 3;
        image->pull.credit_bytes = 1 << 20;
    } else if (kind == 2) {
        struct log_segment segment;
        struct lf_buf *noop = entry(LF_ENTRY_NOOP, 1, lf_bytes(NULL, 0), 0);
        struct log_store_row row = {lf_bytes("m", 1), lf_bytes("row", 3)};
        log_segment_begin(&segment, 1, 0, 0);
        log_segment_add(&segment, lf_buf_bytes(noop));
        image->page.entry_term = image->page.base_term = image->page.page_count = 1;
        image->page.base_index = 1;
        lf_check(peer_image_fill_page(image, &segment, 1, &row, 1) == LF_OK);
        lf_buf_unref(&noop);
    } else if (kind > 2) {
        image->piece.sequence = image->piece.first_index = 1;
        image->piece.last_index = 3;
        image->piece.count = kind == 3;
        image->piece.gone = kind == 4;
    }
    return image;
}

static void images(void) {
    struct seed story = {.size = 0};
    for (int kind = 0; kind < 5; kind++) {
        struct peer_envelope *envelope = peer_envelope_new();
        struct peer_message message = {.group = 1, .raft = {.from = 2, .to = 1, .term = 1}, .image = image_of(kind)};
        struct peer_frames frames = {0};
        struct seed codec = {.size = 0};
        char name[32];
        envelope->protocol_version = 1;
        envelope->lane = PEER_LANE_BULK;
        envelope->from_node = envelope->from_incarnation = 2;
        envelope->to_node = envelope->to_incarnation = 1;
        if (kind == 3) {
            message.entries = calloc(1, sizeof *message.entries);
            message.entries[0] = entry(LF_ENTRY_NOOP, 1, lf_bytes(NULL, 0), 0);
        }
        lf_check(peer_envelope_add(envelope, &message) == LF_OK);
        lf_check(peer_codec_encode(envelope, &frames) == LF_OK);
        put_u8(&story, 0xe0);
        put_u8(&story, (uint8_t)frames.count);
        for (size_t i = 0; i < frames.count; i++) {
            put_sized(&codec, lf_buf_bytes(frames.frames[i]));
            put_sized(&story, lf_buf_bytes(frames.frames[i]));
        }
        snprintf(name, sizeof name, "image-%d", kind);
        write_seed("fuzz_peer_codec", name, &codec);
        peer_frames_deinit(&frames);
        peer_envelope_destroy(&envelope);
    }
    write_seed("fuzz_node_peer", "images", &story);
}

static void peers(void) {
    struct seed story = {.size = 0};
    for (int type = 0; type <= RAFT_IMAGE_OFFER; type++) {
        struct seed node = {.size = 0}, codec = {.size = 0};
        char name[32];
        put_envelope(&codec, 0, (enum raft_message_type)type);
        put_envelope(&node, 0xe0, (enum raft_message_type)type);
        put_envelope(&story, 0xe0, (enum raft_message_type)type);
        put_u8(&story, 2);
        put_u8(&story, 100);
        snprintf(name, sizeof name, "message-%d", type);
        write_seed("fuzz_peer_codec", name, &codec);
        write_seed("fuzz_node_peer", name, &node);
    }
    write_seed("fuzz_node_peer", "story", &story);
}

/* ---- state machines ---- */

static void put_entry(struct seed *seed, enum lf_entry_type type, struct lf_bytes payload) {
    put_u8(seed, (uint8_t)type);
    put_u8(seed, LF_ENTRY_MUST_UNDERSTAND);
    put_u8(seed, 10);
    put_sized(seed, payload);
}

static void put_command(struct seed *seed, Lf__MetadataCommand *command) {
    uint8_t packed[4096];
    lf_check(lf__metadata_command__get_packed_size(command) <= sizeof packed);
    put_entry(seed, LF_ENTRY_METADATA, lf_bytes(packed, lf__metadata_command__pack(command, packed)));
}

static void group_zero(void) {
    struct seed seed = {.size = 0};
    uint8_t id[16] = "an id of 16 byte";
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    Lf__MetadataNode node = LF__METADATA_NODE__INIT, *nodes[] = {&node};
    Lf__FoundCluster found = LF__FOUND_CLUSTER__INIT;
    Lf__PinStore pin = LF__PIN_STORE__INIT;
    Lf__CreateTopicCommand create = LF__CREATE_TOPIC_COMMAND__INIT;
    Lf__DeleteTopicCommand drop = LF__DELETE_TOPIC_COMMAND__INIT;
    Lf__TakeProducerIds take = LF__TAKE_PRODUCER_IDS__INIT;
    put_u8(&seed, 1); /* group 0, nothing applied, no rows */
    put_u8(&seed, 0);
    put_u8(&seed, 0);
    node.node_id = node.replica_id = 1;
    node.host = (char *)(uintptr_t) "host";
    node.client_port = 7700;
    node.peer_port = 7701;
    found.cluster_id = (ProtobufCBinaryData){.len = sizeof id, .data = id};
    found.cluster_name = (char *)(uintptr_t) "cluster";
    found.n_nodes = 1;
    found.nodes = nodes;
    command.body_case = LF__METADATA_COMMAND__BODY_FOUND_CLUSTER;
    command.found_cluster = &found;
    put_command(&seed, &command);
    pin.node_id = 1;
    pin.store_uuid = found.cluster_id;
    command.body_case = LF__METADATA_COMMAND__BODY_PIN_STORE;
    command.pin_store = &pin;
    put_command(&seed, &command);
    create.name = (char *)(uintptr_t) "t";
    create.partitions = 3;
    create.replicas = 1;
    command.body_case = LF__METADATA_COMMAND__BODY_CREATE_TOPIC;
    command.create_topic = &create;
    put_command(&seed, &command);
    take.count = 100;
    command.body_case = LF__METADATA_COMMAND__BODY_TAKE_PRODUCER_IDS;
    command.take_producer_ids = &take;
    put_command(&seed, &command);
    drop.topic_id = 1;
    command.body_case = LF__METADATA_COMMAND__BODY_DELETE_TOPIC;
    command.delete_topic = &drop;
    put_command(&seed, &command);
    write_seed("fuzz_machine", "group-zero", &seed);
}

/** A founded cluster of one with a topic, which a second node joins and takes over. */
static void membership(void) {
    struct seed seed = {.size = 0};
    uint8_t id[16] = {1}, other[16] = {2};
    struct metadata_node node = {.node_id = 1, .host = "host", .client_port = 1, .peer_port = 2, .replica_id = 1};
    put_u8(&seed, 1);
    put_u8(&seed, 0);
    put_u8(&seed, 0);
    struct topic_settings_change set = {0}, altered = {0};
    topic_settings_change_add(&set, "retention.bytes", "1GiB", NULL);
    topic_settings_change_add(&set, "cleanup.policy", "compact,delete", NULL);
    topic_settings_change_add(&altered, "segment.bytes", "64KiB", NULL);
    topic_settings_change_add(&altered, "retention.bytes", NULL, NULL);
    struct lf_buf *commands[] = {
        metadata_command_found(id, "cluster", &node, 1),
        metadata_command_pin(1, id),
        metadata_command_create_topic("t", 2, 1, &set),
        metadata_command_alter_topic(1, &altered),
        metadata_command_add_node(2, "other", 1, 2),
        metadata_command_pin(2, other),
        metadata_command_move(1, 0, (uint64_t[]){2, 1}, 2),
        metadata_command_move(1, 0, (uint64_t[]){2}, 1),
        metadata_command_report(1, 3),
        metadata_command_drain_node(1, false),
        metadata_command_move(1, 1, (uint64_t[]){2}, 1),
        metadata_command_report(2, 2),
        metadata_command_forget(1, 2),
        metadata_command_remove_node(1, 0),
        metadata_command_add_node(1, "host", 1, 2),
    };
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        put_entry(&seed, LF_ENTRY_METADATA, lf_buf_bytes(commands[i]));
        lf_buf_unref(&commands[i]);
    }
    write_seed("fuzz_machine", "membership", &seed);
}

static void partition(void) {
    struct seed seed = {.size = 0};
    uint8_t packed[256];
    struct lf_buf *plain = batch(3, -1), *first = batch(2, 7);
    Lf__ProducerEntry raise = LF__PRODUCER_ENTRY__INIT;
    put_u8(&seed, 0);
    put_u8(&seed, 0);
    put_u8(&seed, 0);
    put_entry(&seed, LF_ENTRY_NOOP, lf_bytes(NULL, 0));
    put_entry(&seed, LF_ENTRY_BATCH, lf_buf_bytes(plain));
    put_entry(&seed, LF_ENTRY_BATCH, lf_buf_bytes(first));
    write_seed("fuzz_machine", "partition-batches", &seed);
    raise.producer_id = 7;
    raise.producer_epoch = 1;
    put_entry(&seed, LF_ENTRY_PRODUCER, lf_bytes(packed, lf__producer_entry__pack(&raise, packed)));
    put_entry(&seed, LF_ENTRY_LEVEL, lf_bytes_text("?"));
    write_seed("fuzz_machine", "partition-raise", &seed);
    put_entry(&seed, LF_ENTRY_SEGMENT_ROLL, lf_bytes(NULL, 0));
    Lf__LogStartEntry start = LF__LOG_START_ENTRY__INIT;
    start.offset = 4;
    put_entry(&seed, LF_ENTRY_LOG_START, lf_bytes(packed, lf__log_start_entry__pack(&start, packed)));
    put_entry(&seed, LF_ENTRY_SEGMENT_ROLL, lf_bytes(NULL, 0));
    write_seed("fuzz_machine", "partition-roll", &seed);
    Lf__RewriteEntry rewrite = LF__REWRITE_ENTRY__INIT;
    rewrite.first_index = 1;
    rewrite.last_index = 8;
    rewrite.drop_commands = true;
    put_entry(&seed, LF_ENTRY_REWRITE, lf_bytes(packed, lf__rewrite_entry__pack(&rewrite, packed)));
    start.offset = 5;
    put_entry(&seed, LF_ENTRY_LOG_START, lf_bytes(packed, lf__log_start_entry__pack(&start, packed)));
    Lf__RewrittenEntry done = LF__REWRITTEN_ENTRY__INIT;
    done.rewrite_index = 9;
    done.checksum = 1;
    put_entry(&seed, LF_ENTRY_REWRITTEN, lf_bytes(packed, lf__rewritten_entry__pack(&done, packed)));
    write_seed("fuzz_machine", "partition-rewrite", &seed);
    seed.size = 0;
    put_u8(&seed, 0);
    put_u8(&seed, 0);
    put_u8(&seed, 0);
    Lf__OffsetJumpEntry jump = LF__OFFSET_JUMP_ENTRY__INIT;
    jump.last_term = 4;
    put_entry(&seed, LF_ENTRY_OFFSET_JUMP, lf_bytes(packed, lf__offset_jump_entry__pack(&jump, packed)));
    put_entry(&seed, LF_ENTRY_BATCH, lf_buf_bytes(plain));
    write_seed("fuzz_machine", "partition-jump", &seed);
    lf_buf_unref(&plain);
    lf_buf_unref(&first);
}

/** Keyed records in plain and compressed batches, a command, a tombstone; two segments. */
static void rewriting(void) {
    struct seed seed = {.size = 0};
    static const enum lf_codec codecs[] = {LF_CODEC_NONE, LF_CODEC_ZSTD, LF_CODEC_LZ4, LF_CODEC_NONE};
    put_u8(&seed, 7);
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++) {
        struct lf_batch_builder *builder = lf_batch_builder_new(codecs[i], NULL);
        struct lf_buf *done = NULL;
        static const char *const keys[] = {"a", "b", "c"};
        for (size_t k = 0; k < 3; k++) {
            struct lf_record record = {.key = lf_bytes_text(keys[(i + k) % 3]), .value = lf_bytes_text("a value")};
            if (i == 3 && k == 0)
                record.value = lf_bytes(NULL, 0);
            if (i == 1 && k == 1)
                record.key = lf_bytes(NULL, 0);
            lf_check(lf_batch_builder_add(builder, &record) == LF_OK);
        }
        lf_check(lf_batch_builder_finish(builder, &done) == LF_OK);
        lf_batch_builder_destroy(&builder);
        put_u8(&seed, (uint8_t)(1 | (i == 1 ? 8 : 0)));
        put_sized(&seed, lf_buf_bytes(done));
        lf_buf_unref(&done);
    }
    put_u8(&seed, 4);
    put_sized(&seed, lf_bytes(NULL, 0));
    write_seed("fuzz_log_rewrite", "keys", &seed);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: write_seeds CORPUS_DIR\n");
        return 2;
    }
    corpus = argv[1];
    mkdir(corpus, 0755);
    clients();
    cluster_changes();
    cluster_views();
    topic_answers();
    peers();
    images();
    greetings();
    group_zero();
    membership();
    partition();
    rewriting();
    return 0;
}
