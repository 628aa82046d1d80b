/** Nodes come, go and are drained. */
#include "metadata_outcome.h"

#include <inttypes.h>
#include <stdlib.h>

size_t metadata_live_nodes(const struct metadata *metadata) {
    size_t live = 0;
    for (size_t i = 0; i < metadata->node_count; i++)
        live += !metadata->nodes[i].removed;
    return live;
}

bool metadata_node_takes_replicas(const struct metadata_node *node) {
    return !node->removed && !node->draining && !node->joining;
}

size_t metadata_takers(const struct metadata *metadata, const struct metadata_node *nodes[METADATA_LIVE_NODES_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < metadata->node_count && count < METADATA_LIVE_NODES_MAX; i++)
        if (metadata_node_takes_replicas(&metadata->nodes[i]))
            nodes[count++] = &metadata->nodes[i];
    return count;
}

size_t metadata_held_by(const struct metadata *metadata, uint64_t node_id, const struct metadata_partition **first) {
    size_t held = 0;
    if (first)
        *first = NULL;
    for (size_t i = 0; i < metadata->topic_count; i++) {
        const struct metadata_topic *topic = metadata->topics[i];
        for (uint32_t k = 0; !topic->deleted && k < topic->partition_count; k++)
            if (metadata_replica_on(&topic->partitions[k], node_id) != 0 && held++ == 0 && first)
                *first = &topic->partitions[k];
    }
    return held;
}

const struct metadata_node *metadata_store_owner(const struct metadata *metadata, const uint8_t *store_uuid,
                                                 bool *old) {
    for (size_t i = 0; i < metadata->node_count; i++) {
        const struct metadata_node *node = &metadata->nodes[i];
        *old = false;
        if (node->pinned && memcmp(node->store_uuid, store_uuid, LOG_STORE_ID_BYTES) == 0)
            return node;
        *old = true;
        for (size_t k = 0; k < node->old_store_count; k++)
            if (memcmp(node->old_stores[k], store_uuid, LOG_STORE_ID_BYTES) == 0)
                return node;
    }
    return NULL;
}

enum lf_status metadata_apply_pin(struct metadata *metadata, const Lf__PinStore *pin, struct metadata_applied *applied,
                                  struct metadata_changes *changes) {
    struct metadata_node *node = metadata_find_node(metadata, pin->node_id);
    bool old;
    if (!node || node->removed)
        return metadata_refuse(applied, LF_NOT_FOUND, "there is no node %" PRIu64, pin->node_id);
    if (!metadata_id_valid(pin->store_uuid))
        return metadata_refuse(applied, LF_INVALID, "node %" PRIu64 ": a store UUID of %zu bytes", pin->node_id,
                               pin->store_uuid.len);
    const struct metadata_node *owner = metadata_store_owner(metadata, pin->store_uuid.data, &old);
    if (owner == node && !old)
        return LF_OK;
    if (node->pinned)
        return metadata_refuse(applied, LF_EXISTS, "node %" PRIu64 " has another store", pin->node_id);
    if (owner)
        return metadata_refuse(applied, LF_EXISTS, "the store of node %" PRIu64 " is %s node %" PRIu64 "%s",
                               pin->node_id, old ? "one that was removed with" : "that of", owner->node_id,
                               old ? "" : ": a copy?");
    memcpy(node->store_uuid, pin->store_uuid.data, LOG_STORE_ID_BYTES);
    node->pinned = applied->nodes = true;
    node->joining = false;
    changes->node = node;
    return LF_OK;
}

/** Words when the address cannot be, or is another node's. */
static enum lf_status judge_address(const struct metadata *metadata, const struct metadata_node *wanted,
                                    struct lf_error *error) {
    if (wanted->client_port == 0 || wanted->peer_port == 0)
        return lf_error_set(error, LF_INVALID, "node %" PRIu64 ": a port must not be 0", wanted->node_id);
    if (wanted->node_id > METADATA_NODE_ID_MAX)
        return lf_error_set(error, LF_INVALID, "node %" PRIu64 ": ids go up to %u", wanted->node_id,
                            METADATA_NODE_ID_MAX);
    for (size_t i = 0; i < metadata->node_count; i++) {
        const struct metadata_node *other = &metadata->nodes[i];
        if (other->removed || other->node_id == wanted->node_id || strcmp(other->host, wanted->host) != 0)
            continue;
        bool peers = other->peer_port == wanted->peer_port;
        if (peers || other->client_port == wanted->client_port)
            return lf_error_set(error, LF_INVALID, "%.150s:%" PRIu32 " is node %" PRIu64, wanted->host,
                                peers ? wanted->peer_port : wanted->client_port, other->node_id);
    }
    return LF_OK;
}

static bool same_address(const struct metadata_node *a, const struct metadata_node *b) {
    return strcmp(a->host, b->host) == 0 && a->client_port == b->client_port && a->peer_port == b->peer_port;
}

/** A record for a node that never was, at its place. NULL without memory. */
static struct metadata_node *insert_node(struct metadata *metadata, uint64_t node_id) {
    struct metadata_node *nodes = realloc(metadata->nodes, (metadata->node_count + 1) * sizeof *nodes);
    if (!nodes)
        return NULL;
    metadata->nodes = nodes;
    size_t at = metadata->node_count++;
    for (; at > 0 && nodes[at - 1].node_id > node_id; at--)
        nodes[at] = nodes[at - 1];
    return &nodes[at];
}

/** The wish as a node that is valid in itself. */
static enum lf_status take_wish(const Lf__AddNodeCommand *add, struct metadata_node *wanted, struct lf_error *error) {
    Lf__MetadataNode message = LF__METADATA_NODE__INIT;
    message.node_id = add->node_id;
    message.host = add->host;
    message.client_port = add->client_port;
    message.peer_port = add->peer_port;
    message.replica_id = 1; /* the real one comes from the counter */
    return metadata_node_take(&message, wanted, error);
}

enum lf_status metadata_apply_add(struct metadata *metadata, const Lf__AddNodeCommand *add,
                                  struct metadata_applied *applied, struct metadata_changes *changes) {
    struct metadata_node wanted, *node = metadata_find_node(metadata, add->node_id);
    struct lf_error error;
    if (take_wish(add, &wanted, &error) != LF_OK || judge_address(metadata, &wanted, &error) != LF_OK)
        return metadata_outcome(applied, &error);
    if (node && !node->removed) {
        applied->replica_id = node->replica_id;
        if (same_address(node, &wanted))
            return LF_OK; /* a repeat */
        return metadata_refuse(applied, LF_EXISTS, "node %" PRIu64 " is in the cluster, at %.120s:%" PRIu32,
                               node->node_id, node->host, node->peer_port);
    }
    if (metadata_live_nodes(metadata) >= METADATA_LIVE_NODES_MAX ||
        (!node && metadata->node_count >= METADATA_NODES_MAX))
        return metadata_refuse(applied, LF_INVALID, "a cluster has at most %d nodes, and remembers %d",
                               METADATA_LIVE_NODES_MAX, METADATA_NODES_MAX);
    if (node && node->old_store_count == METADATA_OLD_STORES_MAX)
        return metadata_refuse(applied, LF_INVALID, "node %" PRIu64 " had %d stores before: take another id",
                               node->node_id, METADATA_OLD_STORES_MAX);
    if (node) { /* what its former stores were stays known */
        wanted.old_store_count = node->old_store_count;
        memcpy(wanted.old_stores, node->old_stores, sizeof wanted.old_stores);
    } else if (!(node = insert_node(metadata, add->node_id))) {
        return LF_NO_MEMORY;
    }
    wanted.replica_id = metadata->next_replica++;
    wanted.joining = true;
    *node = wanted;
    applied->nodes = true;
    applied->replica_id = node->replica_id;
    changes->node = node;
    return LF_OK;
}

/** LF_OK, or why the node has to stay. */
static enum lf_status judge_removal(const struct metadata *metadata, const struct metadata_node *node,
                                    struct lf_error *error) {
    const struct metadata_partition *first;
    size_t held = metadata_held_by(metadata, node->node_id, &first), others = 0;
    if (held > 0)
        return lf_error_set(
            error, LF_INVALID,
            "node %" PRIu64 " has a part in %zu partitions (one is %.100s/%" PRIu32 "): drain it, or move them, first",
            node->node_id, held, metadata_topic_by_id(metadata, first->topic_id)->name, first->partition);
    for (size_t i = 0; i < metadata->node_count; i++) {
        const struct metadata_node *other = &metadata->nodes[i];
        others += other != node && !other->removed && other->pinned;
    }
    if (others == 0)
        return lf_error_set(error, LF_INVALID, "without node %" PRIu64 " nobody would hold the cluster's metadata",
                            node->node_id);
    return LF_OK;
}

/** The newest are kept; what is older held replicas that nobody knows any more. */
void metadata_remember_store(struct metadata_node *node) {
    if (node->old_store_count == METADATA_OLD_STORES_MAX) {
        node->old_store_count--;
        memmove(node->old_stores[0], node->old_stores[1], node->old_store_count * LOG_STORE_ID_BYTES);
    }
    memcpy(node->old_stores[node->old_store_count++], node->store_uuid, LOG_STORE_ID_BYTES);
}

enum lf_status metadata_apply_remove(struct metadata *metadata, const Lf__RemoveNodeCommand *remove,
                                     struct metadata_applied *applied, struct metadata_changes *changes) {
    struct metadata_node *node = metadata_find_node(metadata, remove->node_id);
    struct lf_error error;
    if (!node)
        return metadata_refuse(applied, LF_NOT_FOUND, "there is no node %" PRIu64, remove->node_id);
    if (node->removed)
        return LF_OK; /* a repeat */
    if (remove->replica_id != 0 && remove->replica_id != node->replica_id)
        return metadata_refuse(applied, LF_NOT_FOUND,
                               "node %" PRIu64 " was added again since: repeat the removal if the new one is meant",
                               remove->node_id);
    if (judge_removal(metadata, node, &error) != LF_OK)
        return metadata_outcome(applied, &error);
    if (node->pinned)
        metadata_remember_store(node);
    memset(node->store_uuid, 0, LOG_STORE_ID_BYTES);
    node->pinned = node->draining = node->joining = false;
    node->removed = applied->nodes = true;
    for (size_t i = 0; i < metadata->topic_count; i++) /* its store counts for nothing: nobody will say they are gone */
        for (uint32_t k = 0; k < metadata->topics[i]->partition_count; k++)
            changes->all_topics |= metadata_forget_retired_on(&metadata->topics[i]->partitions[k], node->node_id);
    changes->node = node;
    return LF_OK;
}

enum lf_status metadata_apply_drain(struct metadata *metadata, const Lf__DrainNodeCommand *drain,
                                    struct metadata_applied *applied, struct metadata_changes *changes) {
    struct metadata_node *node = metadata_find_node(metadata, drain->node_id);
    if (!node || node->removed)
        return metadata_refuse(applied, LF_NOT_FOUND, "there is no node %" PRIu64, drain->node_id);
    if (node->draining == !drain->stop)
        return LF_OK;
    node->draining = !drain->stop;
    applied->nodes = true;
    changes->node = node;
    return LF_OK;
}
