/** Calls that look at the cluster or change it. */
#include "client.pb-c.h"
#include "edge.h"
#include "lf_health.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- status ------------------------------------------------------------------------------------------------------ */

void lf_cluster_free(struct lf_cluster *cluster) {
    free(cluster->nodes);
    cluster->nodes = NULL;
    cluster->node_count = 0;
}

static void node_fill(struct lf_node *node, const Lf__NodeStatus *said) {
    *node = (struct lf_node){.reachable = said->reachable,
                             .groups_held = said->groups_held,
                             .groups_led = said->groups_led,
                             .state = (enum lf_node_state)said->state,
                             .metadata_kind = (enum lf_replica_kind)said->metadata_replica,
                             .moves_left = said->moves_left};
    if (said->broker) {
        node->id = said->broker->node_id;
        node->client_port = said->broker->client_port;
        snprintf(node->host, sizeof node->host, "%s", said->broker->host);
    }
}

enum lf_status lf_cluster_status(struct lf_client *client, struct lf_cluster *cluster, struct lf_error *error) {
    *cluster = (struct lf_cluster){0};
    Lf__ClientReply *reply;
    enum lf_status status = lf_ask(client, (struct lf_core_call){.type = LF_CALL_CLUSTER_STATUS}, &reply, error);
    if (status != LF_OK)
        return status;
    const Lf__ClusterStatusReply *said = reply->cluster_status;
    cluster->nodes = calloc(said->n_nodes + 1, sizeof *cluster->nodes);
    if (cluster->nodes) {
        snprintf(cluster->name, sizeof cluster->name, "%s", said->cluster_name);
        if (said->cluster_id.len == sizeof cluster->id)
            memcpy(cluster->id, said->cluster_id.data, sizeof cluster->id);
        cluster->controller_node = said->controller_node;
        cluster->controller_term = said->controller_term;
        cluster->answering_node = said->answering_node;
        cluster->topics = said->topics;
        cluster->partitions = said->partitions;
        cluster->partitions_without_leader = said->partitions_without_leader;
        for (size_t i = 0; i < said->n_nodes; i++)
            node_fill(&cluster->nodes[cluster->node_count++], said->nodes[i]);
    } else {
        status = lf_error_set(error, LF_NO_MEMORY, "out of memory");
    }
    lf__client_reply__free_unpacked(reply, NULL);
    return status;
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

enum lf_status lf_cluster_add_node(struct lf_client *client, uint64_t node, const char *host, uint32_t client_port,
                                   uint32_t peer_port, struct lf_error *error) {
    struct lf_core_call what = {
        .type = LF_CALL_NODE_ADD, .node = node, .host = host, .client_port = client_port, .peer_port = peer_port};
    return lf_ask(client, what, NULL, error);
}

enum lf_status lf_cluster_remove_node(struct lf_client *client, uint64_t node, struct lf_error *error) {
    return lf_ask(client, (struct lf_core_call){.type = LF_CALL_NODE_REMOVE, .node = node}, NULL, error);
}

enum lf_status lf_cluster_drain_node(struct lf_client *client, uint64_t node, bool stop, struct lf_error *error) {
    return lf_ask(client, (struct lf_core_call){.type = LF_CALL_NODE_DRAIN, .node = node, .stop = stop}, NULL, error);
}

enum lf_status lf_partition_move(struct lf_client *client, const char *topic, int32_t partition, const uint64_t *nodes,
                                 size_t node_count, uint64_t *epoch, struct lf_error *error) {
    if (partition < 0)
        return lf_error_set(error, LF_INVALID, "partition %d", partition);
    struct lf_core_call what = {.type = LF_CALL_PARTITION_MOVE,
                                .topic = topic,
                                .partitions = (uint32_t)partition,
                                .nodes = nodes,
                                .node_count = node_count};
    Lf__ClientReply *reply;
    enum lf_status status = lf_ask(client, what, &reply, error);
    if (status != LF_OK)
        return status;
    if (epoch)
        *epoch = reply->move_partition->epoch;
    lf__client_reply__free_unpacked(reply, NULL);
    return LF_OK;
}

enum lf_status lf_leader_transfer(struct lf_client *client, const char *topic, int32_t partition, uint64_t to_node,
                                  uint64_t *leader_node, struct lf_error *error) {
    if (partition < 0)
        return lf_error_set(error, LF_INVALID, "partition %d", partition);
    struct lf_core_call what = {
        .type = LF_CALL_LEADER_TRANSFER, .topic = topic, .partitions = (uint32_t)partition, .node = to_node};
    Lf__ClientReply *reply;
    enum lf_status status = lf_ask(client, what, &reply, error);
    if (status != LF_OK)
        return status;
    if (leader_node)
        *leader_node = reply->transfer_leader->leader_node;
    lf__client_reply__free_unpacked(reply, NULL);
    return LF_OK;
}

/* ---- check ------------------------------------------------------------------------------------------------------- */

static enum lf_status ask_all(struct lf_client *client, const Lf__ClusterStatusReply *nodes, uint64_t without_node,
                              struct lf_health **health) {
    size_t count = nodes->n_nodes;
    struct lf_waited_command *commands = calloc(count + 1, sizeof *commands);
    struct lf_health_answer *answers = calloc(count + 1, sizeof *answers);
    enum lf_status status = commands && answers ? LF_OK : LF_NO_MEMORY;
    for (size_t i = 0; status == LF_OK && i < count; i++) {
        struct lf_core_call what = {.type = LF_CALL_CLUSTER_CHECK, .without_node = without_node};
        what.node = answers[i].node = nodes->nodes[i]->broker ? nodes->nodes[i]->broker->node_id : 0;
        lf_ask_begin(client, &commands[i], what);
    }
    for (size_t i = 0; status == LF_OK && i < count; i++) {
        const Lf__ClientReply *reply = lf_ask_end(client, &commands[i]);
        answers[i].reply = reply ? reply->cluster_check : NULL;
        answers[i].error = commands[i].error.text;
    }
    if (status == LF_OK)
        status = lf_health_merge(nodes, answers, count, without_node, health);
    for (size_t i = 0; commands && i < count; i++)
        if (commands[i].reply)
            lf__client_reply__free_unpacked(commands[i].reply, NULL);
    free(commands);
    free(answers);
    return status;
}

enum lf_status lf_cluster_check(struct lf_client *client, uint64_t without_node, struct lf_health **health,
                                struct lf_error *error) {
    *health = NULL;
    Lf__ClientReply *reply;
    enum lf_status status = lf_ask(client, (struct lf_core_call){.type = LF_CALL_CLUSTER_STATUS}, &reply, error);
    if (status != LF_OK)
        return status;
    bool there = without_node == 0;
    for (size_t i = 0; i < reply->cluster_status->n_nodes; i++) {
        const Lf__Broker *broker = reply->cluster_status->nodes[i]->broker;
        there |= broker && broker->node_id == without_node;
    }
    if (!there)
        status = lf_error_set(error, LF_NOT_FOUND, "the cluster has no node %llu", (unsigned long long)without_node);
    else if ((status = ask_all(client, reply->cluster_status, without_node, health)) != LF_OK)
        lf_error_set(error, status, "%s", lf_status_text(status));
    lf__client_reply__free_unpacked(reply, NULL);
    return status;
}
