/** logflume cluster add | drain | remove: nodes come and go. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#define CLIENT_PORT_DEFAULT 7700
#define PEER_PORT_DEFAULT 7701
#define LOOK_MS 200
#define STUCK_AFTER_MS 5000 /* nothing moves, and something is left */
#define BEHIND_MS 3000      /* a broker may not have heard yet of what was just changed */

/* NODE, or NODE@HOST[:CLIENT_PORT]. */
static uint64_t take_node_at(struct cli_change *change, char *copy, size_t size) {
    snprintf(copy, size, "%s", change->operands[0]);
    char *at = strchr(copy, '@');
    if (!at)
        return cli_node("NODE", copy);
    *at = '\0';
    change->host = at + 1;
    char *colon = strrchr(at + 1, ':');
    if (colon && !strchr(colon, ']')) {
        *colon = '\0';
        change->client_port = (uint32_t)cli_number("client port", colon + 1, 1, 65535);
    }
    return cli_node("NODE", copy);
}

int cli_cluster_add(struct cli_change *change) {
    char copy[512];
    bool host_given = change->host, port_given = change->client_port;
    uint64_t node = take_node_at(change, copy, sizeof copy);
    bool at = strchr(change->operands[0], '@');
    if (at ? host_given || port_given : !host_given)
        return cli_usage(change->action, at ? "NODE@HOST:PORT or --host and --client-port, not both"
                                            : "--host HOST: where will it be reached?");
    uint32_t client_port = change->client_port ? change->client_port : CLIENT_PORT_DEFAULT;
    uint32_t peer_port = change->peer_port ? change->peer_port : PEER_PORT_DEFAULT;
    cli_change_connect(change);
    struct lf_error error = {0};
    enum lf_status status = lf_cluster_add_node(change->client, node, change->host, client_port, peer_port, &error);
    if (status != LF_OK)
        return cli_failed(change->action, status, error.text);
    if (change->common.json)
        printf("{\"node\": %llu, \"state\": \"joining\"}\n", (unsigned long long)node);
    if (!change->common.quiet)
        fprintf(stderr,
                "node %llu is added at %s (client port %u, peer port %u). Now start it, once, with an empty data\n"
                "directory and `logflumed -c FILE --join`; `logflume cluster status` shows when it is in.\n",
                (unsigned long long)node, change->host, client_port, peer_port);
    return CLI_OK;
}

/* Its line of the status; false after words, with the exit code in *code. */
static bool look_at(struct cli_change *change, uint64_t node, struct lf_node *found, int *code) {
    struct lf_cluster cluster;
    struct lf_error error = {0};
    enum lf_status status = lf_cluster_status(change->client, &cluster, &error);
    if (status != LF_OK) {
        *code = cli_failed(change->action, status, error.text);
        return false;
    }
    bool there = false;
    for (size_t i = 0; i < cluster.node_count && !there; i++)
        if ((there = cluster.nodes[i].id == node))
            *found = cluster.nodes[i];
    lf_cluster_free(&cluster);
    if (!there)
        *code = cli_failed(change->action, LF_NOT_FOUND, "the cluster has no such node");
    return there;
}

int cli_cluster_remove(struct cli_change *change) {
    uint64_t node = cli_node("NODE", change->operands[0]);
    cli_change_connect(change);
    struct lf_error error = {0};
    enum lf_status status = lf_cluster_remove_node(change->client, node, &error);
    if (status != LF_OK) {
        int code = cli_failed(change->action, status, error.text);
        struct lf_node found;
        int ignored;
        if (lf_status_action(status) == LF_ACTION_GIVE_UP && status != LF_NOT_FOUND &&
            look_at(change, node, &found, &ignored) && found.state != LF_NODE_DRAINED)
            fprintf(stderr,
                    "A node leaves when nothing is left on it: `logflume cluster drain %llu --wait`, then remove it.\n",
                    (unsigned long long)node);
        return code;
    }
    if (!change->common.quiet)
        fprintf(stderr,
                "node %llu is removed and not needed any more: stop it if it still runs, and delete its data, which "
                "counts for\n"
                "nothing now.\n",
                (unsigned long long)node);
    return CLI_OK;
}

/* ---- drain ------------------------------------------------------------------------------------------------------- */

struct drain {
    uint64_t node;
    struct cli_progress progress;
    uint64_t since_ms; /* of the last change */
    uint32_t held, moves;
    bool advised;
    uint64_t not_draining_ms; /* since when brokers say so; 0: they do not */
};

/* One of the groups it holds is the metadata, which it leaves when it is removed. */
static uint32_t partitions_left(const struct lf_node *node) { return node->groups_held ? node->groups_held - 1 : 0; }

static void advise(struct drain *drain) {
    if (drain->advised || drain->progress.quiet)
        return;
    drain->advised = true;
    fprintf(stderr, "Nothing moves. Is there another node for each replica, and do they run? `logflume cluster check` "
                    "tells more.\n");
}

static bool stuck(struct drain *drain, const struct lf_node *node) {
    uint64_t now = cli_now_ms();
    if (node->groups_held != drain->held || node->moves_left != drain->moves) {
        drain->held = node->groups_held;
        drain->moves = node->moves_left;
        drain->since_ms = now;
    }
    return now - drain->since_ms >= STUCK_AFTER_MS;
}

static bool stopped_draining(struct drain *drain, const struct lf_node *node) {
    uint64_t now = cli_now_ms();
    if (node->state != LF_NODE_ACTIVE)
        drain->not_draining_ms = 0;
    else if (drain->not_draining_ms == 0)
        drain->not_draining_ms = now;
    return drain->not_draining_ms != 0 && now - drain->not_draining_ms >= BEHIND_MS;
}

static int wait_until_drained(struct cli_change *change, struct drain *drain) {
    uint64_t end = change->wait_ms ? cli_now_ms() + change->wait_ms : UINT64_MAX;
    drain->since_ms = cli_now_ms();
    for (;;) {
        struct lf_node node;
        int code;
        if (!look_at(change, drain->node, &node, &code))
            return code;
        if (node.state == LF_NODE_DRAINED)
            return CLI_OK;
        if (stopped_draining(drain, &node))
            return cli_failed(change->action, LF_CANCELLED, "its draining was stopped");
        if (drain->not_draining_ms == 0)
            cli_progress_say(&drain->progress, "node %llu: %u partitions left, %u of them moving",
                             (unsigned long long)drain->node, partitions_left(&node), node.moves_left);
        if (stuck(drain, &node))
            advise(drain);
        if (cli_now_ms() >= end) {
            if (node.moves_left == 0 && partitions_left(&node) > 0)
                advise(drain);
            fprintf(stderr, "logflume: node %llu is not drained yet; it goes on. Do not stop it yet.\n",
                    (unsigned long long)drain->node);
            return CLI_UNKNOWN;
        }
        cli_pause(LOOK_MS);
    }
}

int cli_cluster_drain(struct cli_change *change) {
    struct drain drain = {.node = cli_node("NODE", change->operands[0]), .progress = {.quiet = change->common.quiet}};
    unsigned long long node = drain.node;
    if (change->stop && change->wait)
        return cli_usage(change->action, "--stop waits for nothing");
    cli_change_connect(change);
    struct lf_error error = {0};
    enum lf_status status = lf_cluster_drain_node(change->client, drain.node, change->stop, &error);
    if (status != LF_OK)
        return cli_failed(change->action, status, error.text);
    int code = change->wait ? wait_until_drained(change, &drain) : CLI_OK;
    if (change->common.json && (code == CLI_OK || code == CLI_UNKNOWN))
        printf("{\"node\": %llu, \"state\": \"%s\"}\n", node,
               change->stop                     ? "active"
               : change->wait && code == CLI_OK ? "drained"
                                                : "draining");
    if (change->common.quiet || code != CLI_OK)
        return code;
    if (change->stop)
        fprintf(stderr, "node %llu takes leaders and replicas again\n", node);
    else if (change->wait)
        fprintf(
            stderr,
            "node %llu is drained: it holds no partition and leads nothing, and it is safe to stop it for a while.\n"
            "To be rid of it, `logflume cluster remove %llu` first, then stop it; to use it again,\n"
            "`logflume cluster drain %llu --stop`.\n",
            node, node, node);
    else
        fprintf(stderr,
                "node %llu is draining. Do not stop it before `logflume cluster status` says \"drained\"\n"
                "(`logflume cluster drain %llu --wait` waits for that).\n",
                node, node);
    return CLI_OK;
}
