#include "metadata_node.h"

#include <inttypes.h>

bool metadata_id_valid(ProtobufCBinaryData bytes) {
    static const uint8_t zeroes[LOG_STORE_ID_BYTES];
    return bytes.len == LOG_STORE_ID_BYTES && memcmp(bytes.data, zeroes, LOG_STORE_ID_BYTES) != 0;
}

enum lf_status metadata_node_take(const Lf__MetadataNode *message, struct metadata_node *node, struct lf_error *error) {
    *node = (struct metadata_node){.node_id = message->node_id,
                                   .client_port = message->client_port,
                                   .peer_port = message->peer_port,
                                   .replica_id = message->replica_id,
                                   .pinned = message->store_uuid.len > 0,
                                   .removed = message->removed,
                                   .draining = message->draining,
                                   .joining = message->joining};
    size_t host = strlen(message->host);
    if (node->node_id == 0 || node->replica_id == 0)
        return lf_error_set(error, LF_INVALID, "node %" PRIu64 " with replica %" PRIu64 ": neither can be 0",
                            node->node_id, node->replica_id);
    if (host == 0 || host >= METADATA_HOST_BYTES_MAX)
        return lf_error_set(error, LF_INVALID, "node %" PRIu64 ": a host name of %zu bytes", node->node_id, host);
    if (node->client_port > METADATA_PORT_MAX || node->peer_port > METADATA_PORT_MAX)
        return lf_error_set(error, LF_INVALID, "node %" PRIu64 ": ports %" PRIu32 " and %" PRIu32, node->node_id,
                            node->client_port, node->peer_port);
    if (node->pinned && !metadata_id_valid(message->store_uuid))
        return lf_error_set(error, LF_INVALID, "node %" PRIu64 ": a store UUID of %zu bytes", node->node_id,
                            message->store_uuid.len);
    bool two = (node->removed && (node->pinned || node->draining || node->joining)) || (node->pinned && node->joining);
    if (two || message->n_old_stores > METADATA_OLD_STORES_MAX)
        return lf_error_set(error, LF_INVALID, "node %" PRIu64 " is two things at once", node->node_id);
    for (size_t i = 0; i < message->n_old_stores; i++) {
        if (!metadata_id_valid(message->old_stores[i]))
            return lf_error_set(error, LF_INVALID, "node %" PRIu64 ": an old store's UUID of %zu bytes", node->node_id,
                                message->old_stores[i].len);
        memcpy(node->old_stores[node->old_store_count++], message->old_stores[i].data, LOG_STORE_ID_BYTES);
    }
    memcpy(node->host, message->host, host);
    if (node->pinned)
        memcpy(node->store_uuid, message->store_uuid.data, LOG_STORE_ID_BYTES);
    return LF_OK;
}
