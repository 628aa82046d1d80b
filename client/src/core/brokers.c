/** The list of brokers: configured ones, and those that brokers name. */
#include "core_state.h"

#include <stdlib.h>

static struct lf_broker *broker_add(struct lf_core *core, const char *host, uint32_t port) {
    if (core->broker_count == LF_CORE_BROKERS_MAX)
        return NULL;
    struct lf_broker *broker = calloc(1, sizeof *broker);
    if (!broker || !lf_timer_register(&core->timers, &broker->timer, LF_TIMER_BROKER, broker)) {
        free(broker);
        return NULL;
    }
    strcpy(broker->host, host); /* callers checked its length */
    broker->port = port;
    core->brokers[core->broker_count++] = broker;
    return broker;
}

/* "host", "host:port", "[v6]" or "[v6]:port". */
static bool parse_one(const char *text, size_t size, char host[LF_HOST_BYTES], uint32_t *port) {
    const char *colon = NULL;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == ']')
            colon = NULL;
        else if (text[i] == ':')
            colon = &text[i];
        else if (text[i] == '/' || text[i] == ' ' || text[i] == ';' || text[i] == '\0')
            return false;
    }
    *port = LF_PORT_DEFAULT;
    size_t host_size = size;
    if (colon && text[0] == '[' && colon[-1] != ']')
        colon = NULL; /* a colon of the address itself */
    if (colon) {
        host_size = (size_t)(colon - text);
        uint32_t value = 0;
        size_t digits = size - host_size - 1;
        if (digits == 0 || digits > 5)
            return false;
        for (const char *p = colon + 1; p < text + size; p++) {
            if (*p < '0' || *p > '9')
                return false;
            value = value * 10 + (uint32_t)(*p - '0');
        }
        if (value == 0 || value > 65535)
            return false;
        *port = value;
    }
    if (host_size == 0 || host_size >= LF_HOST_BYTES)
        return false;
    memcpy(host, text, host_size);
    host[host_size] = '\0';
    return true;
}

enum lf_status lf_brokers_parse(struct lf_core *core, const char *list, struct lf_error *error) {
    for (const char *at = list;;) {
        size_t size = strcspn(at, ",");
        char host[LF_HOST_BYTES];
        uint32_t port;
        if (!parse_one(at, size, host, &port))
            return lf_error_set(error, LF_INVALID, "brokers: \"%.*s\" is not host:port (list: \"%.100s\")",
                                (int)(size < 80 ? size : 80), at, list);
        struct lf_broker *broker = lf_broker_by_address(core, host, port);
        if (!broker && core->broker_count == LF_CORE_BROKERS_MAX)
            return lf_error_set(error, LF_INVALID, "brokers: more than %d", LF_CORE_BROKERS_MAX);
        if (!broker && !(broker = broker_add(core, host, port)))
            return lf_error_set(error, LF_NO_MEMORY, "out of memory");
        broker->configured = true;
        if (at[size] == '\0')
            return LF_OK;
        at += size + 1;
    }
}

struct lf_broker *lf_broker_by_address(struct lf_core *core, const char *host, uint32_t port) {
    for (size_t i = 0; i < core->broker_count; i++)
        if (core->brokers[i]->port == port && strcmp(core->brokers[i]->host, host) == 0)
            return core->brokers[i];
    return NULL;
}

struct lf_broker *lf_broker_by_node(struct lf_core *core, uint64_t node_id) {
    struct lf_broker *best = NULL;
    for (size_t i = 0; node_id && i < core->broker_count; i++) {
        struct lf_broker *broker = core->brokers[i];
        if (broker->node_id == node_id && (!best || broker->link > best->link))
            best = broker;
    }
    return best;
}

/* A node id belongs to one node: whoever else carried it under an older address does not any more, unless connected. */
static void node_id_claim(struct lf_core *core, struct lf_broker *owner, uint64_t node_id) {
    for (size_t i = 0; i < core->broker_count; i++) {
        struct lf_broker *other = core->brokers[i];
        if (other != owner && other->node_id == node_id && other->link == LF_LINK_NONE)
            other->node_id = 0;
    }
    owner->node_id = node_id;
}

struct lf_broker *lf_broker_learn(struct lf_core *core, const Lf__Broker *said) {
    if (!said || said->node_id == 0 || said->client_port == 0 || said->client_port > 65535)
        return NULL;
    size_t size = strlen(said->host);
    char host[LF_HOST_BYTES];
    uint32_t port;
    if (!parse_one(said->host, size, host, &port) || strcmp(host, said->host) != 0)
        return NULL;
    struct lf_broker *broker = lf_broker_by_node(core, said->node_id);
    if (broker && broker->link == LF_LINK_READY)
        return broker; /* it told its own id there: nothing is better known */
    if (broker && broker->port == said->client_port && strcmp(broker->host, host) == 0)
        return broker;
    struct lf_broker *there = lf_broker_by_address(core, host, said->client_port);
    if (!there && broker && !broker->configured && broker->link == LF_LINK_NONE) {
        strcpy(broker->host, host); /* it moved */
        broker->port = said->client_port;
        return broker;
    }
    if (there && there->link == LF_LINK_READY && there->node_id != said->node_id)
        return NULL; /* hearsay against what that broker says itself */
    if (!there && !(there = broker_add(core, host, said->client_port)))
        return NULL;
    node_id_claim(core, there, said->node_id);
    return there;
}

/* ---- who is gone ------------------------------------------------------------------------------------------------- */

static bool listed(const struct lf_broker *broker, Lf__Broker *const *said, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (said[i]->node_id == broker->node_id)
            return true;
    return false;
}

static void broker_forget(struct lf_core *core, size_t place) {
    struct lf_broker *broker = core->brokers[place];
    for (struct lf_call *call = core->calls; call; call = call->next)
        if (call->target == broker)
            call->target = NULL;
    if (core->producer_target == broker)
        core->producer_target = NULL;
    lf_timer_unregister(&core->timers, &broker->timer);
    free(broker);
    core->brokers[place] = core->brokers[--core->broker_count];
    core->broker_turn %= core->broker_count;
}

/* A broker of the options stays, whatever is said: the list may come from the wrong cluster's remains. */
void lf_brokers_listed(struct lf_core *core, const struct lf_broker *said_by, Lf__Broker *const *said, size_t count) {
    for (size_t i = core->broker_count; i-- > 0;) {
        struct lf_broker *broker = core->brokers[i];
        bool gone = broker != said_by && broker->node_id != 0 && !listed(broker, said, count);
        if (gone && !broker->retired)
            lf_core_trace(core, "node=%llu is not of the cluster any more", (unsigned long long)broker->node_id);
        broker->retired = gone;
        if (gone && broker->link == LF_LINK_READY && !broker->first && broker->readers == 0)
            lf_broker_drop(core, broker, "it is not of the cluster any more");
        else if (gone && !broker->configured && broker->link == LF_LINK_NONE)
            broker_forget(core, i);
    }
}

void lf_brokers_free(struct lf_core *core) {
    for (size_t i = 0; i < core->broker_count; i++) {
        struct lf_broker *broker = core->brokers[i];
        while (broker->first) {
            struct lf_request *request = broker->first;
            lf_request_cancel(&request);
        }
        lf_timer_unregister(&core->timers, &broker->timer);
        free(broker);
    }
    core->broker_count = 0;
}
