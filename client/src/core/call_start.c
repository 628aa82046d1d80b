/** A call begins: is it well-formed, and what kind of call is it? */
#include "core_state.h"

#include <stdlib.h>

bool lf_call_is_for_partition(const struct lf_call *call) {
    switch (call->call.type) {
    case LF_CALL_PARTITION_END:
    case LF_CALL_PARTITION_OFFSET_AT:
        return true;
    case LF_CALL_PARTITION_TRIM:
        return call->stage != LF_CALL_RESOLVING;
    case LF_CALL_PARTITION_SEGMENTS:
        return call->call.node == 0;
    case LF_CALL_LEADER_TRANSFER:
        return call->topic[0] != '\0';
    default:
        return false;
    }
}

bool lf_call_changes(const struct lf_call *call) {
    switch (call->call.type) {
    case LF_CALL_TOPIC_CREATE:
    case LF_CALL_TOPIC_DELETE:
    case LF_CALL_NODE_ADD:
    case LF_CALL_NODE_REMOVE:
    case LF_CALL_NODE_DRAIN:
    case LF_CALL_PARTITION_MOVE:
    case LF_CALL_LEADER_TRANSFER:
    case LF_CALL_TOPIC_ALTER:
    case LF_CALL_PARTITION_TRIM:
        return true;
    case LF_CALL_PARTITION_OFFSET_AT:
    case LF_CALL_PARTITION_SEGMENTS:
    case LF_CALL_TOPIC_LIST:
    case LF_CALL_TOPIC_SETTINGS:
    case LF_CALL_TOPIC_DESCRIBE:
    case LF_CALL_PARTITION_END:
    case LF_CALL_CLUSTER_STATUS:
    case LF_CALL_CLUSTER_CHECK:
        break;
    case LF_CALL_BACKUP:
        return call->call.backup_action != LF_BACKUP_LIST;
    }
    return false;
}

bool lf_call_needs_id(const struct lf_call *call) {
    return call->call.type == LF_CALL_TOPIC_DELETE || call->call.type == LF_CALL_TOPIC_ALTER ||
           call->call.type == LF_CALL_PARTITION_MOVE || call->call.type == LF_CALL_PARTITION_TRIM ||
           call->call.type == LF_CALL_NODE_REMOVE;
}

static bool takes_topic(const struct lf_core_call *call) {
    switch (call->type) {
    case LF_CALL_TOPIC_CREATE:
    case LF_CALL_TOPIC_DELETE:
    case LF_CALL_TOPIC_DESCRIBE:
    case LF_CALL_TOPIC_ALTER:
    case LF_CALL_PARTITION_END:
    case LF_CALL_PARTITION_MOVE:
    case LF_CALL_PARTITION_TRIM:
    case LF_CALL_PARTITION_OFFSET_AT:
    case LF_CALL_PARTITION_SEGMENTS:
        return true;
    case LF_CALL_LEADER_TRANSFER:
    case LF_CALL_TOPIC_SETTINGS:
        return call->topic != NULL;
    case LF_CALL_TOPIC_LIST:
    case LF_CALL_CLUSTER_STATUS:
    case LF_CALL_NODE_ADD:
    case LF_CALL_NODE_REMOVE:
    case LF_CALL_NODE_DRAIN:
    case LF_CALL_CLUSTER_CHECK:
    case LF_CALL_BACKUP: /* the broker judges the name */
        break;
    }
    return false;
}

static enum lf_status check_topic(const struct lf_core_call *call, struct lf_error *error) {
    if (takes_topic(call) && (!call->topic || !lf_topic_name_ok(call->topic)))
        return lf_error_set(error, LF_INVALID, "topic name: 1 to %d of a-z A-Z 0-9 . _ -, not \".\" or \"..\"",
                            LF_CORE_TOPIC_NAME_MAX);
    return LF_OK;
}

static enum lf_status check_address(const struct lf_core_call *call, struct lf_error *error) {
    size_t size = call->host ? strlen(call->host) : 0;
    if (size == 0 || size >= LF_HOST_BYTES || strcspn(call->host, " ,;/\t\n") != size)
        return lf_error_set(error, LF_INVALID, "host: a name or a numeric address of 1 to %d bytes", LF_HOST_BYTES - 1);
    if (call->client_port == 0 || call->client_port > 65535 || call->peer_port == 0 || call->peer_port > 65535)
        return lf_error_set(error, LF_INVALID, "ports: 1 to 65535");
    if (call->client_port == call->peer_port)
        return lf_error_set(error, LF_INVALID, "client port and peer port are the same (%u)", call->client_port);
    return LF_OK;
}

static enum lf_status check_nodes(const struct lf_core_call *call, struct lf_error *error) {
    if (call->node_count == 0 || call->node_count > LF_REPLICAS_MAX || !call->nodes)
        return lf_error_set(error, LF_INVALID, "nodes: 1 to %d of them", LF_REPLICAS_MAX);
    for (size_t i = 0; i < call->node_count; i++) {
        if (call->nodes[i] == 0)
            return lf_error_set(error, LF_INVALID, "nodes: 0 is no node");
        for (size_t j = 0; j < i; j++)
            if (call->nodes[j] == call->nodes[i])
                return lf_error_set(error, LF_INVALID, "nodes: %llu twice", (unsigned long long)call->nodes[i]);
    }
    return LF_OK;
}

static enum lf_status check_settings(const struct lf_core_call *call, struct lf_error *error) {
    if (call->setting_count > LF_CORE_SETTINGS_MAX)
        return lf_error_set(error, LF_INVALID, "%zu settings: at most %d at a time", call->setting_count,
                            LF_CORE_SETTINGS_MAX);
    for (size_t i = 0; i < call->setting_count; i++) {
        const struct lf_setting *setting = &call->settings[i];
        if (!setting->name || (!setting->value && call->type == LF_CALL_TOPIC_CREATE))
            return lf_error_set(error, LF_INVALID, "a setting without %s", setting->name ? "a value" : "a name");
        if (strlen(setting->name) > LF_CORE_SETTING_BYTES_MAX ||
            (setting->value && strlen(setting->value) > LF_CORE_SETTING_BYTES_MAX))
            return lf_error_set(error, LF_INVALID, "setting %.60s...: longer than %d bytes", setting->name,
                                LF_CORE_SETTING_BYTES_MAX);
    }
    if (call->type == LF_CALL_TOPIC_ALTER && call->setting_count == 0)
        return lf_error_set(error, LF_INVALID, "no setting is named");
    return LF_OK;
}

static enum lf_status check(const struct lf_core_call *call, struct lf_error *error) {
    if ((unsigned)call->type - 1 >= LF_CALL_TYPE_LAST)
        return lf_error_set(error, LF_INVALID, "unknown call %d", (int)call->type);
    enum lf_status status = check_topic(call, error);
    bool node = call->type == LF_CALL_NODE_ADD || call->type == LF_CALL_NODE_REMOVE ||
                call->type == LF_CALL_NODE_DRAIN || call->type == LF_CALL_CLUSTER_CHECK || call->type == LF_CALL_BACKUP;
    if (status == LF_OK && node && call->node == 0)
        status = lf_error_set(error, LF_INVALID, "node: 0 is no node");
    if (status == LF_OK && call->type == LF_CALL_NODE_ADD)
        status = check_address(call, error);
    if (status == LF_OK && call->type == LF_CALL_PARTITION_MOVE)
        status = check_nodes(call, error);
    if (status == LF_OK && (call->offset < 0 || call->timestamp_ms < 0))
        status = lf_error_set(error, LF_INVALID, "an offset or a time below 0");
    return status == LF_OK ? check_settings(call, error) : status;
}

/* To *at, which moves behind it. */
static const char *copy_text(char **at, const char *text) {
    char *copy = *at;
    size_t size = strlen(text) + 1;
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

/* The array, and behind it the texts. */
static bool copy_settings(struct lf_call *call, const struct lf_core_call *wanted) {
    size_t bytes = 0, count = wanted->setting_count;
    for (size_t i = 0; i < count; i++)
        bytes += strlen(wanted->settings[i].name) + 1 +
                 (wanted->settings[i].value ? strlen(wanted->settings[i].value) + 1 : 0);
    call->call.settings = NULL;
    if (count == 0)
        return true;
    call->settings = malloc(count * sizeof *call->settings + bytes);
    if (!call->settings)
        return false;
    char *at = (char *)(call->settings + count);
    for (size_t i = 0; i < count; i++) {
        call->settings[i].name = copy_text(&at, wanted->settings[i].name);
        call->settings[i].value = wanted->settings[i].value ? copy_text(&at, wanted->settings[i].value) : NULL;
    }
    call->call.settings = call->settings;
    return true;
}

/* What the caller only lent. */
static bool copy(struct lf_call *call, const struct lf_core_call *wanted) {
    call->call = *wanted;
    call->topic = strdup(wanted->topic ? wanted->topic : "");
    call->call.topic = call->topic;
    if (wanted->host)
        strcpy(call->host, wanted->host); /* its length was checked */
    call->call.host = call->host;
    if (wanted->nodes)
        memcpy(call->nodes, wanted->nodes, wanted->node_count * sizeof *wanted->nodes);
    call->call.nodes = call->nodes;
    call->stage = lf_call_needs_id(call) ? LF_CALL_RESOLVING : LF_CALL_ASKING;
    return call->topic != NULL && copy_settings(call, wanted);
}

enum lf_status lf_call_start(struct lf_core *core, const struct lf_core_call *wanted, struct lf_error *error) {
    enum lf_status status = check(wanted, error);
    if (status != LF_OK)
        return status;
    if (core->closed)
        return lf_error_set(error, LF_CLOSED, "the client is closed");
    if (core->call_count == LF_CORE_CALLS_MAX)
        return lf_error_set(error, LF_FULL, "%d calls are under way", LF_CORE_CALLS_MAX);
    struct lf_call *call = calloc(1, sizeof *call);
    if (!call || !copy(call, wanted) || !lf_timer_register(&core->timers, &call->timer, LF_TIMER_CALL, call)) {
        if (call) {
            free(call->topic);
            free(call->settings);
        }
        free(call);
        return lf_error_set(error, LF_NO_MEMORY, "out of memory");
    }
    call->started_ms = core->now_ms;
    call->deadline_ms = core->now_ms + core->options.request_timeout_ms;
    call->next = core->calls;
    core->calls = call;
    core->call_count++;
    core->wake = true;
    return LF_OK;
}
