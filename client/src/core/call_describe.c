/** Describing a topic: each partition's end as its leader knows it, so the leaders are asked in turn. Who leads is
 * known by the brokers that hold the partition; where the first one asked does not, these are asked who it is. */
#include "core_state.h"

#include <stdlib.h>

static bool ask_too(struct lf_call *call, uint64_t node) {
    for (size_t i = 0; i < call->ask_count; i++)
        if (call->ask_nodes[i] == node)
            return true;
    uint64_t *nodes = realloc(call->ask_nodes, (call->ask_count + 1) * sizeof *nodes);
    if (!nodes)
        return false;
    call->ask_nodes = nodes;
    nodes[call->ask_count++] = node;
    return true;
}

static void first_answer(struct lf_call *call, const struct lf_broker *broker, Lf__ClientReply **reply) {
    Lf__DescribeTopicReply *body = (*reply)->describe_topic;
    for (size_t i = 0; i < body->n_partitions; i++) {
        Lf__PartitionDescription *partition = body->partitions[i];
        if (!partition->held_here)
            partition->log_start_offset = partition->high_watermark = -1;
        uint64_t leader = partition->metadata ? partition->metadata->leader_node : 0;
        if (leader != 0 && leader != broker->node_id)
            ask_too(call, leader);
        for (size_t k = 0; leader == 0 && partition->metadata && k < partition->metadata->n_replica_nodes; k++)
            if (partition->metadata->replica_nodes[k] != broker->node_id)
                ask_too(call, partition->metadata->replica_nodes[k]);
    }
    call->reply = *reply;
    *reply = NULL;
    call->stage = LF_CALL_GATHERING;
}

#define SWAP(a, b)                                                                                                     \
    do {                                                                                                               \
        __typeof__(a) before_ = (a);                                                                                   \
        (a) = (b);                                                                                                     \
        (b) = before_;                                                                                                 \
    } while (0)

/* Swapped, so that each reply still owns one of each. */
static void swap_replicas(Lf__PartitionDescription *a, Lf__PartitionDescription *b) {
    SWAP(a->n_replicas, b->n_replicas);
    SWAP(a->replicas, b->replicas);
}

static void swap_assignment(Lf__PartitionDescription *a, Lf__PartitionDescription *b) {
    SWAP(a->assignment_epoch, b->assignment_epoch);
    SWAP(a->wanted_epoch, b->wanted_epoch);
    SWAP(a->n_wanted_nodes, b->n_wanted_nodes);
    SWAP(a->wanted_nodes, b->wanted_nodes);
    SWAP(a->metadata->n_replica_nodes, b->metadata->n_replica_nodes);
    SWAP(a->metadata->replica_nodes, b->metadata->replica_nodes);
}

/* What a leader says of the partitions it leads replaces what others said. */
static void merge(struct lf_call *call, const struct lf_broker *broker, const Lf__DescribeTopicReply *said) {
    Lf__DescribeTopicReply *body = call->reply->describe_topic;
    for (size_t i = 0; i < body->n_partitions; i++)
        for (size_t j = 0; j < said->n_partitions; j++) {
            Lf__PartitionDescription *into = body->partitions[i];
            const Lf__PartitionDescription *from = said->partitions[j];
            if (!into->metadata || !from->metadata || !from->held_here ||
                into->metadata->partition != from->metadata->partition)
                continue;
            bool leads = into->metadata->leader_node == broker->node_id;
            if (into->held_here && !leads && into->high_watermark >= from->high_watermark)
                continue;
            into->held_here = true;
            into->log_start_offset = from->log_start_offset;
            into->high_watermark = from->high_watermark;
        }
}

/* Only who leads says something of the replicas; the newer assignment is the true one, whoever tells it. */
static void merge_replicas(struct lf_call *call, Lf__DescribeTopicReply *said) {
    Lf__DescribeTopicReply *body = call->reply->describe_topic;
    for (size_t i = 0; i < body->n_partitions; i++)
        for (size_t j = 0; j < said->n_partitions; j++) {
            Lf__PartitionDescription *into = body->partitions[i], *from = said->partitions[j];
            if (!into->metadata || !from->metadata || into->metadata->partition != from->metadata->partition)
                continue;
            if (from->metadata->leader_epoch > into->metadata->leader_epoch && from->metadata->leader_node) {
                into->metadata->leader_node = from->metadata->leader_node;
                into->metadata->leader_epoch = from->metadata->leader_epoch;
                ask_too(call, into->metadata->leader_node);
            }
            if (from->n_replicas > 0)
                swap_replicas(into, from);
            if (from->assignment_epoch > into->assignment_epoch || from->wanted_epoch > into->wanted_epoch)
                swap_assignment(into, from);
        }
}

void lf_describe_gather(struct lf_core *core, struct lf_call *call, struct lf_broker *broker, Lf__ClientReply **reply) {
    if ((*reply)->body_case != LF__CLIENT_REPLY__BODY_DESCRIBE_TOPIC || !(*reply)->describe_topic->topic ||
        !(*reply)->describe_topic->topic->topic) {
        lf_call_retry(core, call, LF_MALFORMED, "the broker's answer makes no sense");
        return;
    }
    if (!call->reply) {
        first_answer(call, broker, reply);
    } else {
        merge(call, broker, (*reply)->describe_topic);
        merge_replicas(call, (*reply)->describe_topic);
        if (call->ask_next < call->ask_count && call->ask_nodes[call->ask_next] == broker->node_id)
            call->ask_next++;
    }
    core->wake = true;
}

struct lf_broker *lf_describe_next(struct lf_core *core, struct lf_call *call, bool *finished) {
    while (call->ask_next < call->ask_count) {
        struct lf_broker *broker = lf_broker_by_node(core, call->ask_nodes[call->ask_next]);
        if (broker && !lf_broker_failing(core, broker)) {
            *finished = false;
            if (lf_broker_ready(broker))
                return broker;
            lf_broker_want(core, broker);
            return NULL;
        }
        call->ask_next++; /* not reachable: its partitions keep what the others said */
    }
    *finished = true;
    return NULL;
}
