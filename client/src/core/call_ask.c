/** The requests of calls, as they go over the wire. */
#include "core_state.h"

static void send(struct lf_core *core, struct lf_call *call, struct lf_broker *broker, Lf__ClientRequest *request) {
    call->request = lf_request_send(core, broker, LF_REQUEST_CALL, call, request, NULL);
}

/* BODY(member, UPPER, struct): a request with this body, sent. */
#define SEND(member_, upper_, body_)                                                                                   \
    do {                                                                                                               \
        Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;                                                          \
        request.body_case = LF__CLIENT_REQUEST__BODY_##upper_;                                                         \
        request.member_ = &(body_);                                                                                    \
        send(core, call, broker, &request);                                                                            \
    } while (0)

/* Settings as messages: with a value `set`, without `reset`. */
struct asked_settings {
    Lf__TopicSetting messages[LF_CORE_SETTINGS_MAX];
    Lf__TopicSetting *set[LF_CORE_SETTINGS_MAX];
    char *reset[LF_CORE_SETTINGS_MAX];
    size_t set_count, reset_count;
};

static void settings_fill(struct asked_settings *asked, const struct lf_call *call) {
    asked->set_count = asked->reset_count = 0;
    for (size_t i = 0; i < call->call.setting_count; i++) {
        const struct lf_setting *setting = &call->settings[i];
        if (!setting->value) {
            asked->reset[asked->reset_count++] = (char *)(uintptr_t)setting->name; /* packed, never written */
            continue;
        }
        Lf__TopicSetting *message = &asked->messages[asked->set_count];
        lf__topic_setting__init(message);
        message->name = (char *)(uintptr_t)setting->name;
        message->value = (char *)(uintptr_t)setting->value;
        asked->set[asked->set_count++] = message;
    }
}

static void ask_create(struct lf_core *core, struct lf_call *call, struct lf_broker *broker) {
    struct asked_settings settings;
    settings_fill(&settings, call);
    Lf__CreateTopic body = LF__CREATE_TOPIC__INIT;
    body.name = call->topic;
    body.partitions = call->call.partitions;
    body.replicas = call->call.replicas;
    body.n_settings = settings.set_count;
    body.settings = settings.set;
    SEND(create_topic, CREATE_TOPIC, body);
}

static void ask_alter(struct lf_core *core, struct lf_call *call, struct lf_broker *broker, Lf__TopicRef *topic) {
    struct asked_settings settings;
    settings_fill(&settings, call);
    Lf__AlterTopic body = LF__ALTER_TOPIC__INIT;
    body.topic = topic;
    body.n_set = settings.set_count;
    body.set = settings.set;
    body.n_reset = settings.reset_count;
    body.reset = settings.reset;
    SEND(alter_topic, ALTER_TOPIC, body);
}

static void ask_topic(struct lf_core *core, struct lf_call *call, struct lf_broker *broker,
                      enum lf_core_call_type type) {
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    topic.name = call->topic;
    topic.id = call->topic_id;
    if (type == LF_CALL_TOPIC_CREATE) {
        ask_create(core, call, broker);
    } else if (type == LF_CALL_TOPIC_ALTER) {
        ask_alter(core, call, broker, &topic);
    } else if (type == LF_CALL_TOPIC_SETTINGS) {
        Lf__DescribeSettings body = LF__DESCRIBE_SETTINGS__INIT;
        body.topic = call->topic[0] ? &topic : NULL;
        SEND(describe_settings, DESCRIBE_SETTINGS, body);
    } else if (type == LF_CALL_TOPIC_DELETE) {
        Lf__DeleteTopic body = LF__DELETE_TOPIC__INIT;
        body.topic = &topic;
        SEND(delete_topic, DELETE_TOPIC, body);
    } else if (type == LF_CALL_TOPIC_DESCRIBE) {
        Lf__DescribeTopic body = LF__DESCRIBE_TOPIC__INIT;
        body.topic = &topic;
        SEND(describe_topic, DESCRIBE_TOPIC, body);
    } else {
        Lf__ListTopics body = LF__LIST_TOPICS__INIT;
        SEND(list_topics, LIST_TOPICS, body);
    }
}

static void ask_segments(struct lf_core *core, struct lf_call *call, struct lf_broker *broker, Lf__TopicRef *topic) {
    if (call->call.type == LF_CALL_PARTITION_TRIM) {
        Lf__TrimPartition body = LF__TRIM_PARTITION__INIT;
        body.topic = topic;
        body.partition = call->call.partitions;
        body.before_offset = call->call.offset;
        body.dry_run = call->call.dry_run;
        SEND(trim_partition, TRIM_PARTITION, body);
    } else {
        Lf__ListSegments body = LF__LIST_SEGMENTS__INIT;
        body.topic = topic;
        body.partition = call->call.partitions;
        body.from_index = call->call.from_index;
        body.any_replica = call->call.node != 0;
        SEND(list_segments, LIST_SEGMENTS, body);
    }
}

static void ask_partition(struct lf_core *core, struct lf_call *call, struct lf_broker *broker) {
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    topic.name = call->topic;
    topic.id = call->topic_id;
    if (call->call.type == LF_CALL_PARTITION_TRIM || call->call.type == LF_CALL_PARTITION_SEGMENTS) {
        ask_segments(core, call, broker, &topic);
    } else if (call->call.type == LF_CALL_PARTITION_END || call->call.type == LF_CALL_PARTITION_OFFSET_AT) {
        bool end = call->call.type == LF_CALL_PARTITION_END;
        Lf__OffsetsLookup body = LF__OFFSETS_LOOKUP__INIT;
        body.topic = &topic;
        body.partition = call->call.partitions;
        body.kind = end ? LF__LOOKUP_KIND__LOOKUP_END : LF__LOOKUP_KIND__LOOKUP_TIMESTAMP;
        body.timestamp_ms = call->call.timestamp_ms;
        SEND(offsets_lookup, OFFSETS_LOOKUP, body);
    } else if (call->call.type == LF_CALL_PARTITION_MOVE) {
        Lf__MovePartition body = LF__MOVE_PARTITION__INIT;
        body.topic = &topic;
        body.partition = call->call.partitions;
        body.n_nodes = call->call.node_count;
        body.nodes = call->nodes;
        SEND(move_partition, MOVE_PARTITION, body);
    } else {
        Lf__TransferLeader body = LF__TRANSFER_LEADER__INIT;
        body.topic = call->topic[0] ? &topic : NULL;
        body.partition = call->call.partitions;
        body.to_node = call->call.node;
        SEND(transfer_leader, TRANSFER_LEADER, body);
    }
}

static void ask_node(struct lf_core *core, struct lf_call *call, struct lf_broker *broker) {
    if (call->call.type == LF_CALL_NODE_ADD) {
        Lf__AddNode body = LF__ADD_NODE__INIT;
        body.node_id = call->call.node;
        body.host = call->host;
        body.client_port = call->call.client_port;
        body.peer_port = call->call.peer_port;
        SEND(add_node, ADD_NODE, body);
    } else if (call->call.type == LF_CALL_NODE_REMOVE) {
        Lf__RemoveNode body = LF__REMOVE_NODE__INIT;
        body.node_id = call->call.node;
        body.replica_id = call->replica_id;
        SEND(remove_node, REMOVE_NODE, body);
    } else {
        Lf__DrainNode body = LF__DRAIN_NODE__INIT;
        body.node_id = call->call.node;
        body.stop = call->call.stop;
        SEND(drain_node, DRAIN_NODE, body);
    }
}

void lf_call_ask(struct lf_core *core, struct lf_call *call, struct lf_broker *broker) {
    Lf__ClusterStatus status = LF__CLUSTER_STATUS__INIT;
    Lf__ClusterCheck check = LF__CLUSTER_CHECK__INIT;
    Lf__Backup backup = LF__BACKUP__INIT;
    enum lf_core_call_type resolver =
        call->call.type == LF_CALL_NODE_REMOVE ? LF_CALL_CLUSTER_STATUS : LF_CALL_TOPIC_SETTINGS;
    enum lf_core_call_type type = call->stage == LF_CALL_ASKING      ? call->call.type
                                  : call->stage == LF_CALL_RESOLVING ? resolver
                                                                     : LF_CALL_TOPIC_DESCRIBE;
    switch (type) {
    case LF_CALL_TOPIC_ALTER:
    case LF_CALL_TOPIC_SETTINGS:
    case LF_CALL_TOPIC_CREATE:
    case LF_CALL_TOPIC_DELETE:
    case LF_CALL_TOPIC_LIST:
    case LF_CALL_TOPIC_DESCRIBE:
        ask_topic(core, call, broker, type);
        break;
    case LF_CALL_PARTITION_END:
    case LF_CALL_PARTITION_OFFSET_AT:
    case LF_CALL_PARTITION_TRIM:
    case LF_CALL_PARTITION_SEGMENTS:
    case LF_CALL_PARTITION_MOVE:
    case LF_CALL_LEADER_TRANSFER:
        ask_partition(core, call, broker);
        break;
    case LF_CALL_NODE_ADD:
    case LF_CALL_NODE_REMOVE:
    case LF_CALL_NODE_DRAIN:
        ask_node(core, call, broker);
        break;
    case LF_CALL_CLUSTER_STATUS:
        status.current = call->stage == LF_CALL_RESOLVING; /* a broker behind would name a replica of before */
        SEND(cluster_status, CLUSTER_STATUS, status);
        break;
    case LF_CALL_CLUSTER_CHECK:
        check.without_node = call->call.without_node;
        SEND(cluster_check, CLUSTER_CHECK, check);
        break;
    case LF_CALL_BACKUP:
        backup.action = (Lf__BackupAction)call->call.backup_action;
        backup.name = call->topic;
        SEND(backup, BACKUP, backup);
        break;
    }
}
