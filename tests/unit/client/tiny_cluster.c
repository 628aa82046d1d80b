#include "tiny_cluster.h"

#include "lf_status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void tiny_cluster_init(struct tiny_cluster *cluster, uint32_t port) {
    cluster->nodes[0] = (struct tiny_node){.id = 1, .host = "127.0.0.1", .client_port = port};
    cluster->epochs = 1;
}

static struct tiny_node *node_find(struct tiny_cluster *cluster, uint64_t id) {
    for (int i = 0; i < TINY_NODES; i++)
        if (cluster->nodes[i].id == id)
            return &cluster->nodes[i];
    return NULL;
}

static void refuse(struct tiny_cluster *cluster, Lf__ClientReply *reply, enum lf_status status, const char *format,
                   ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(cluster->error, sizeof cluster->error, format, args);
    va_end(args);
    reply->status = status;
    reply->error = cluster->error;
    reply->body_case = LF__CLIENT_REPLY__BODY__NOT_SET;
}

static void add(struct tiny_cluster *cluster, const Lf__AddNode *said, Lf__ClientReply *reply) {
    struct tiny_node *node = node_find(cluster, said->node_id);
    cluster->added = (Lf__AddNodeReply)LF__ADD_NODE_REPLY__INIT;
    reply->body_case = LF__CLIENT_REPLY__BODY_ADD_NODE;
    reply->add_node = &cluster->added;
    if (node && (strcmp(node->host, said->host) != 0 || node->client_port != said->client_port ||
                 node->peer_port != said->peer_port)) {
        refuse(cluster, reply, LF_EXISTS, "node %d is at %s:%u", (int)node->id, node->host, node->client_port);
    } else if (!node && (node = node_find(cluster, 0))) {
        *node = (struct tiny_node){.id = said->node_id,
                                   .client_port = said->client_port,
                                   .peer_port = said->peer_port,
                                   .state = LF__NODE_STATE__NODE_JOINING};
        snprintf(node->host, sizeof node->host, "%s", said->host);
    }
}

static void remove_node(struct tiny_cluster *cluster, uint64_t id, Lf__ClientReply *reply) {
    struct tiny_node *node = id ? node_find(cluster, id) : NULL;
    cluster->removed = (Lf__RemoveNodeReply)LF__REMOVE_NODE_REPLY__INIT;
    reply->body_case = LF__CLIENT_REPLY__BODY_REMOVE_NODE;
    reply->remove_node = &cluster->removed;
    if (!node)
        refuse(cluster, reply, LF_NOT_FOUND, "no node %d", (int)id);
    else if (node->state != LF__NODE_STATE__NODE_JOINING && node->state != LF__NODE_STATE__NODE_DRAINED)
        refuse(cluster, reply, LF_INVALID, "node %d holds partitions", (int)id);
    else
        *node = (struct tiny_node){0};
}

static void drain(struct tiny_cluster *cluster, const Lf__DrainNode *said, Lf__ClientReply *reply) {
    struct tiny_node *node = said->node_id ? node_find(cluster, said->node_id) : NULL;
    cluster->drained = (Lf__DrainNodeReply)LF__DRAIN_NODE_REPLY__INIT;
    reply->body_case = LF__CLIENT_REPLY__BODY_DRAIN_NODE;
    reply->drain_node = &cluster->drained;
    if (!node) {
        refuse(cluster, reply, LF_NOT_FOUND, "no node %d", (int)said->node_id);
        return;
    }
    node->state = said->stop ? LF__NODE_STATE__NODE_ACTIVE : LF__NODE_STATE__NODE_DRAINING;
    node->moves_left = 3;
}

static void move(struct tiny_cluster *cluster, const Lf__MovePartition *said, uint32_t partitions,
                 Lf__ClientReply *reply) {
    cluster->moved = (Lf__MovePartitionReply)LF__MOVE_PARTITION_REPLY__INIT;
    reply->body_case = LF__CLIENT_REPLY__BODY_MOVE_PARTITION;
    reply->move_partition = &cluster->moved;
    if (partitions == 0 || said->partition >= partitions) {
        refuse(cluster, reply, partitions ? LF_PARTITION_UNKNOWN : LF_TOPIC_UNKNOWN, "not here");
        return;
    }
    for (size_t i = 0; i < said->n_nodes; i++)
        if (!node_find(cluster, said->nodes[i])) {
            refuse(cluster, reply, LF_NOT_FOUND, "no node %d", (int)said->nodes[i]);
            return;
        }
    struct tiny_move *move = &cluster->moves[cluster->epochs % TINY_MOVES];
    *move = (struct tiny_move){
        .partition = said->partition, .node_count = said->n_nodes, .epoch = cluster->moved.epoch = ++cluster->epochs};
    snprintf(move->topic, sizeof move->topic, "%s", said->topic->name);
    memcpy(move->nodes, said->nodes, said->n_nodes * sizeof *said->nodes);
}

static void transfer(struct tiny_cluster *cluster, const Lf__TransferLeader *said, Lf__ClientReply *reply) {
    cluster->transferred = (Lf__TransferLeaderReply)LF__TRANSFER_LEADER_REPLY__INIT;
    cluster->transferred.leader_node = said->to_node ? said->to_node : 1;
    reply->body_case = LF__CLIENT_REPLY__BODY_TRANSFER_LEADER;
    reply->transfer_leader = &cluster->transferred;
    if (said->to_node && !node_find(cluster, said->to_node))
        refuse(cluster, reply, LF_INVALID, "node %d has no replica of it", (int)said->to_node);
}

static bool under_way(const struct tiny_move *move) { return move->topic[0] && move->looks < 4; }

static void check(struct tiny_cluster *cluster, uint64_t without, uint32_t all_partitions, Lf__ClientReply *reply) {
    cluster->check = (Lf__ClusterCheckReply)LF__CLUSTER_CHECK_REPLY__INIT;
    cluster->check.groups_led = cluster->check.groups_held = all_partitions + 1;
    cluster->check.problems = cluster->problem_pointers;
    for (int i = 0; i <= TINY_MOVES; i++) {
        Lf__GroupProblem *problem = &cluster->problems[cluster->check.n_problems];
        if (i == TINY_MOVES ? without != 1 : !under_way(&cluster->moves[i]))
            continue;
        *problem = (Lf__GroupProblem)LF__GROUP_PROBLEM__INIT;
        problem->kind = LF__GROUP_PROBLEM_KIND__PROBLEM_WOULD_LOSE_MAJORITY;
        problem->text = (char *)(uintptr_t) "without node 1 nobody is left";
        if (i < TINY_MOVES) {
            cluster->refs[i] = (Lf__TopicRef)LF__TOPIC_REF__INIT;
            cluster->refs[i].name = cluster->moves[i].topic;
            problem->topic = &cluster->refs[i];
            problem->partition = cluster->moves[i].partition;
            problem->group = 10 + (uint64_t)i;
            problem->kind = LF__GROUP_PROBLEM_KIND__PROBLEM_MOVING;
            problem->text = (char *)(uintptr_t) "a move is under way";
        }
        cluster->problem_pointers[cluster->check.n_problems++] = problem;
    }
    reply->body_case = LF__CLIENT_REPLY__BODY_CLUSTER_CHECK;
    reply->cluster_check = &cluster->check;
}

bool tiny_cluster_answer(struct tiny_cluster *cluster, const Lf__ClientRequest *request, uint32_t partitions,
                         uint32_t all_partitions, Lf__ClientReply *reply) {
    switch (request->body_case) {
    case LF__CLIENT_REQUEST__BODY_ADD_NODE:
        add(cluster, request->add_node, reply);
        return true;
    case LF__CLIENT_REQUEST__BODY_REMOVE_NODE:
        remove_node(cluster, request->remove_node->node_id, reply);
        return true;
    case LF__CLIENT_REQUEST__BODY_DRAIN_NODE:
        drain(cluster, request->drain_node, reply);
        return true;
    case LF__CLIENT_REQUEST__BODY_MOVE_PARTITION:
        move(cluster, request->move_partition, partitions, reply);
        return true;
    case LF__CLIENT_REQUEST__BODY_TRANSFER_LEADER:
        transfer(cluster, request->transfer_leader, reply);
        return true;
    case LF__CLIENT_REQUEST__BODY_CLUSTER_CHECK:
        check(cluster, request->cluster_check->without_node, all_partitions, reply);
        return true;
    default:
        return false;
    }
}

void tiny_cluster_status(struct tiny_cluster *cluster, Lf__ClusterStatusReply *body) {
    body->nodes = cluster->status_pointers;
    for (int i = 0; i < TINY_NODES; i++) {
        struct tiny_node *node = &cluster->nodes[i];
        if (node->id == 0)
            continue;
        if (node->state == LF__NODE_STATE__NODE_DRAINING && node->moves_left > 0 && --node->moves_left == 0)
            node->state = LF__NODE_STATE__NODE_DRAINED;
        cluster->brokers[i] = (Lf__Broker)LF__BROKER__INIT;
        cluster->brokers[i].node_id = node->id;
        cluster->brokers[i].host = node->host;
        cluster->brokers[i].client_port = node->client_port;
        Lf__NodeStatus *status = &cluster->statuses[i];
        *status = (Lf__NodeStatus)LF__NODE_STATUS__INIT;
        status->broker = &cluster->brokers[i];
        status->reachable = node->id == 1;
        status->state = node->state;
        status->metadata_replica = node->id == 1 ? LF__REPLICA_KIND__REPLICA_VOTER : LF__REPLICA_KIND__REPLICA_LEARNER;
        status->groups_held = 1 + node->moves_left;
        status->moves_left = node->moves_left;
        cluster->status_pointers[body->n_nodes++] = status;
    }
}

/* Look 1: nothing yet. 2: learners are half filled. 3: the group changes over. 4: it is done. */
void tiny_cluster_describe(struct tiny_cluster *cluster, const char *topic, Lf__PartitionDescription *partition) {
    partition->assignment_epoch = partition->wanted_epoch = 1;
    for (int i = 0; i < TINY_MOVES; i++) {
        struct tiny_move *move = &cluster->moves[i];
        if (strcmp(move->topic, topic) != 0 || move->partition != partition->metadata->partition)
            continue;
        move->looks++;
        partition->wanted_epoch = move->epoch;
        partition->wanted_nodes = move->nodes;
        partition->n_wanted_nodes = move->node_count;
        partition->replicas = cluster->progress_pointers[i];
        for (size_t j = 0; j <= move->node_count; j++) {
            Lf__ReplicaProgress *progress = cluster->progress_pointers[i][j] = &cluster->progress[i][j];
            *progress = (Lf__ReplicaProgress)LF__REPLICA_PROGRESS__INIT;
            progress->node_id = j == 0 ? 1 : move->nodes[j - 1];
            progress->active = true;
            progress->last_index = 1000;
            progress->match_index = j > 0 && move->looks == 2 ? 500 : 1000;
            if (j > 0 && move->looks == 2)
                progress->kind = LF__REPLICA_KIND__REPLICA_LEARNER;
            if (j == 0 && move->looks == 3)
                progress->kind = LF__REPLICA_KIND__REPLICA_LEAVING;
        }
        partition->n_replicas = move->looks == 1 ? 1 : move->node_count + 1;
        if (move->looks >= 4) {
            partition->assignment_epoch = move->epoch;
            partition->metadata->replica_nodes = move->nodes;
            partition->metadata->n_replica_nodes = move->node_count;
        }
    }
}
