/** What no single value shows: what is missing, and pairs that contradict each other. */
#include "config_table.h"

#include "unreliable.h"

#include <inttypes.h>

/** Where to point: the line of the later of two keys that the operator gave himself. */
static int line_of(const struct config *config, const char *name) {
    return config->lines[config_row_find(config_rows, config_row_count, name) - config_rows];
}

static int line_of_pair(const struct config *config, const char *a, const char *b) {
    int line_a = line_of(config, a), line_b = line_of(config, b);
    if (line_a == CONFIG_LINE_FLAG || line_b == CONFIG_LINE_FLAG)
        return CONFIG_LINE_FLAG;
    return line_a > line_b ? line_a : line_b;
}

static enum lf_status check_required(const struct config *config, struct config_error *error) {
    if (config->node_id == 0)
        return config_refuse(config, error, 0, "node.id is missing; give this node's id");
    if (!config->node_data[0])
        return config_refuse(config, error, 0, "node.data is missing; name the data directory here or with --data");
    if (!config->cluster_name[0])
        return config_refuse(config, error, 0, "cluster.name is missing; name the cluster, the same on every node");
    if (config->node_count == 0)
        return config_refuse(config, error, line_of(config, "cluster.nodes"),
                             "cluster.nodes is missing or empty; list every founding node");
    return LF_OK;
}

static enum lf_status check_raft(const struct config *config, struct config_error *error) {
    const struct raft_limits *raft = &config->limits.raft;
    if (raft->election_timeout_ms_min >= raft->election_timeout_ms_max)
        return config_refuse(
            config, error, line_of_pair(config, "raft.election_timeout_ms_min", "raft.election_timeout_ms_max"),
            "raft.election_timeout_ms_min (%u) must be below raft.election_timeout_ms_max (%u); twice as much is right",
            raft->election_timeout_ms_min, raft->election_timeout_ms_max);
    if (raft->heartbeat_ms > raft->election_timeout_ms_min / 2)
        return config_refuse(
            config, error, line_of_pair(config, "raft.heartbeat_ms", "raft.election_timeout_ms_min"),
            "raft.heartbeat_ms (%u) must be at most half of raft.election_timeout_ms_min (%u); a third is right",
            raft->heartbeat_ms, raft->election_timeout_ms_min);
    return LF_OK;
}

static enum lf_status check_disk(const struct config *config, struct config_error *error) {
    const struct config_disk *disk = &config->disk;
    if (disk->soft_free_bytes != 0 && disk->hard_free_bytes > disk->soft_free_bytes)
        return config_refuse(config, error, line_of_pair(config, "disk.soft_free_bytes", "disk.hard_free_bytes"),
                             "disk.hard_free_bytes (%" PRIu64 ") must be at most disk.soft_free_bytes (%" PRIu64
                             "); half is right",
                             disk->hard_free_bytes, disk->soft_free_bytes);
    return LF_OK;
}

static enum lf_status check_limits(const struct config *config, struct config_error *error) {
    const struct node_limits *limits = &config->limits;
    if (limits->subscriptions_per_session_max > limits->subscriptions_max)
        return config_refuse(config, error,
                             line_of_pair(config, "client.subscriptions_per_session_max", "client.subscriptions_max"),
                             "client.subscriptions_per_session_max (%u) must be at most client.subscriptions_max (%u)",
                             limits->subscriptions_per_session_max, limits->subscriptions_max);
    if (limits->raft.uncommitted_bytes_max > limits->uncommitted_bytes_max)
        return config_refuse(
            config, error, line_of_pair(config, "raft.uncommitted_bytes_max", "node.uncommitted_bytes_max"),
            "raft.uncommitted_bytes_max (%u, per group) must be at most node.uncommitted_bytes_max (%" PRIu64 ")",
            limits->raft.uncommitted_bytes_max, limits->uncommitted_bytes_max);
    if (config->store.commit_bytes_max > config->store.submit_bytes_max)
        return config_refuse(config, error, line_of_pair(config, "store.commit_bytes_max", "store.submit_bytes_max"),
                             "store.commit_bytes_max (%u) must be at most store.submit_bytes_max (%u)",
                             config->store.commit_bytes_max, config->store.submit_bytes_max);
    return LF_OK;
}

static enum lf_status check_ports(const struct config *config, const struct config_node *a, const struct config_node *b,
                                  struct config_error *error) {
    const uint32_t of_a[] = {a->address.client_port, a->address.peer_port, a->admin_port};
    const uint32_t of_b[] = {b->address.client_port, b->address.peer_port, b->admin_port};
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++)
            if (of_a[i] == of_b[j] && (a != b || i < j))
                return config_refuse(config, error, b->line,
                                     "port %u of %s is used twice (nodes %" PRIu64 " and %" PRIu64
                                     "); give each its own client_port, peer_port and admin_port",
                                     of_a[i], b->address.host, a->address.node_id, b->address.node_id);
    return LF_OK;
}

static enum lf_status check_nodes(const struct config *config, struct config_error *error) {
    for (size_t i = 0; i < config->node_count; i++)
        for (size_t j = 0; j <= i; j++) {
            const struct config_node *a = &config->nodes[j], *b = &config->nodes[i];
            if (i != j && a->address.node_id == b->address.node_id)
                return config_refuse(config, error, b->line, "node id %" PRIu64 " is here twice in cluster.nodes",
                                     b->address.node_id);
            if (strcmp(a->address.host, b->address.host) == 0 && check_ports(config, a, b, error) != LF_OK)
                return LF_INVALID;
        }
    if (!config_self(config))
        return config_refuse(config, error, line_of(config, "node.id"),
                             "node.id %" PRIu64 " is not in cluster.nodes; add it there or correct it",
                             config->node_id);
    return LF_OK;
}

static enum lf_status check_unreliable(const struct config *config, struct config_error *error) {
    struct unreliable_options options;
    struct lf_error why = {0};
    if (unreliable_parse(config->transport_unreliable, &options, &why) == LF_OK)
        return LF_OK;
    return config_refuse(config, error, line_of(config, "transport.unreliable"), "transport.unreliable: %s", why.text);
}

enum lf_status config_check(const struct config *config, struct config_error *error) {
    enum lf_status (*const checks[])(const struct config *config, struct config_error *error) = {
        check_required, check_nodes, check_raft, check_limits, check_disk, check_unreliable};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i](config, error) != LF_OK)
            return LF_INVALID;
    return LF_OK;
}
