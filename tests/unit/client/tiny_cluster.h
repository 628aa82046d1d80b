/** What a tiny broker says of a cluster around it: nodes that are only names, and moves that go a step further each
 * time somebody looks. */
#ifndef TINY_CLUSTER_H
#define TINY_CLUSTER_H

#include "client.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

#define TINY_NODES 8
#define TINY_MOVES 4

struct tiny_node {
    uint64_t id; /* 0: free */
    char host[64];
    uint32_t client_port, peer_port;
    Lf__NodeState state;
    uint32_t moves_left; /* one less with each look */
};
struct tiny_move {
    char topic[250]; /* "": free */
    uint32_t partition;
    uint64_t nodes[8];
    size_t node_count;
    uint64_t epoch;
    unsigned looks;
};
/** The bodies of answers point into here, until the next one. */
struct tiny_cluster {
    struct tiny_node nodes[TINY_NODES];
    struct tiny_move moves[TINY_MOVES];
    uint64_t epochs;
    char error[128];
    Lf__Broker brokers[TINY_NODES];
    Lf__NodeStatus statuses[TINY_NODES];
    Lf__NodeStatus *status_pointers[TINY_NODES];
    Lf__ReplicaProgress progress[TINY_MOVES][9];
    Lf__ReplicaProgress *progress_pointers[TINY_MOVES][9];
    Lf__AddNodeReply added;
    Lf__RemoveNodeReply removed;
    Lf__DrainNodeReply drained;
    Lf__MovePartitionReply moved;
    Lf__TransferLeaderReply transferred;
    Lf__GroupProblem problems[TINY_MOVES + 1];
    Lf__GroupProblem *problem_pointers[TINY_MOVES + 1];
    Lf__TopicRef refs[TINY_MOVES];
    Lf__ClusterCheckReply check;
};

/** Node 1 is the broker itself. */
void tiny_cluster_init(struct tiny_cluster *cluster, uint32_t port);
/** True when the request was one of these, and `reply` is filled. partitions: of the topic it names, 0 without one. */
bool tiny_cluster_answer(struct tiny_cluster *cluster, const Lf__ClientRequest *request, uint32_t partitions,
                         uint32_t all_partitions, Lf__ClientReply *reply);
/** Adds the nodes, a look older. */
void tiny_cluster_status(struct tiny_cluster *cluster, Lf__ClusterStatusReply *body);
/** Adds the move of the partition, if one is under way, a look older. */
void tiny_cluster_describe(struct tiny_cluster *cluster, const char *topic, Lf__PartitionDescription *partition);

#endif
