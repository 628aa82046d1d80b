/** logflume cluster: its actions, and status. */
#include "cli.h"

#include <jansson.h>
#include <string.h>

static void print_json(const struct lf_cluster *cluster) {
    char id[33];
    for (size_t i = 0; i < sizeof cluster->id; i++)
        snprintf(id + 2 * i, 3, "%02x", cluster->id[i]);
    json_t *nodes = json_array();
    for (size_t i = 0; i < cluster->node_count; i++) {
        const struct lf_node *node = &cluster->nodes[i];
        json_array_append_new(nodes,
                              json_pack("{s:I,s:s,s:i,s:b,s:i,s:i,s:s,s:s,s:i}", "id", (json_int_t)node->id, "host",
                                        node->host, "client_port", (int)node->client_port, "reachable",
                                        (int)node->reachable, "groups", (int)node->groups_held, "groups_led",
                                        (int)node->groups_led, "state", cli_node_state(node->state), "metadata",
                                        cli_replica_kind(node->metadata_kind), "moves_left", (int)node->moves_left));
    }
    json_t *all = json_pack("{s:s,s:s,s:I,s:I,s:I,s:i,s:i,s:i,s:o}", "name", cluster->name, "id", id, "answering_node",
                            (json_int_t)cluster->answering_node, "controller", (json_int_t)cluster->controller_node,
                            "controller_term", (json_int_t)cluster->controller_term, "topics", (int)cluster->topics,
                            "partitions", (int)cluster->partitions, "partitions_without_leader",
                            (int)cluster->partitions_without_leader, "nodes", nodes);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

static void print_node(const struct lf_node *node) {
    printf("node %llu\t%s:%u\t%s\t%s\tmetadata %s\t%u groups", (unsigned long long)node->id, node->host,
           node->client_port, node->reachable ? "reachable" : "unreachable", cli_node_state(node->state),
           cli_replica_kind(node->metadata_kind), node->groups_held);
    if (node->moves_left)
        printf("\t%u moving", node->moves_left);
    putchar('\n');
}

static void print_words(const struct lf_cluster *cluster) {
    printf("cluster %s, asked node %llu\n", cluster->name, (unsigned long long)cluster->answering_node);
    if (cluster->controller_node)
        printf("controller: node %llu\n", (unsigned long long)cluster->controller_node);
    else
        printf("controller: none known (is a majority of the nodes up?)\n");
    printf("%u topics, %u partitions, %u without a leader\n", cluster->topics, cluster->partitions,
           cluster->partitions_without_leader);
    for (size_t i = 0; i < cluster->node_count; i++)
        print_node(&cluster->nodes[i]);
}

int cli_cluster_status(struct cli_change *change) {
    struct lf_cluster cluster;
    struct lf_error error = {0};
    cli_change_connect(change);
    enum lf_status status = lf_cluster_status(change->client, &cluster, &error);
    if (status != LF_OK)
        return cli_failed(change->action, status, error.text);
    if (change->common.json)
        print_json(&cluster);
    else
        print_words(&cluster);
    lf_cluster_free(&cluster);
    return CLI_OK;
}

int cli_cluster(int argc, char **argv) {
    static const struct cli_change_action actions[] = {
        {"status", cli_cluster_status, 0, 0, "",
         "logflume cluster status\n"
         "\n"
         "The nodes, who leads the metadata, what lacks a leader; as one broker sees it. A node is active, joining\n"
         "(added, not seen yet), draining, or drained (safe to stop and remove).\n"
         "\n"
         "  logflume cluster status -b 10.0.0.2:7700     asks that broker\n"},
        {"check", cli_cluster_check, 0, 0, "W",
         "logflume cluster check [--without NODE]\n"
         "\n"
         "Asks every broker what is wrong. Exit 0: healthy (a move under way is no harm), 1: not, or not known.\n"
         "With --without: would every group keep a majority of caught-up replicas if NODE stopped now? Exit 0: yes.\n"
         "\n"
         "  logflume cluster check --without 2 && systemctl restart logflumed     on node 2, in a rolling restart\n"},
        {"add", cli_cluster_add, 1, 1, "HCP",
         "logflume cluster add NODE --host HOST [--client-port N] [--peer-port N]     [7700, 7701]\n"
         "logflume cluster add NODE@HOST[:CLIENT_PORT] [--peer-port N]\n"
         "\n"
         "The node may join: start it afterwards with --join and an empty data directory. Adding it again is fine.\n"
         "\n"
         "  logflume cluster add 4 --host 10.0.0.4\n"},
        {"drain", cli_cluster_drain, 1, 1, "Sw",
         "logflume cluster drain NODE [--wait[=SECONDS] | --stop]\n"
         "\n"
         "Leaders and replicas move away from the node, a few at a time; clients notice nothing.\n"
         "\n"
         "  --wait[=SECONDS]   until it is safe to stop it, with progress (exit 4 after SECONDS: it goes on)\n"
         "  --stop             no more: place things on it again\n"
         "\n"
         "  logflume cluster drain 3 --wait && ssh node3 systemctl stop logflumed\n"},
        {"remove", cli_cluster_remove, 1, 1, "",
         "logflume cluster remove NODE\n"
         "\n"
         "The node leaves; its data counts for nothing from then on. Refused while anything is left on it: drain it\n"
         "first. A node that is lost can be drained too: what it held is filled from the other replicas.\n"
         "\n"
         "  logflume cluster drain 3 --wait && logflume cluster remove 3\n"},
        {"transfer", cli_cluster_transfer, 0, 1, "MT",
         "logflume cluster transfer TOPIC/P | --metadata [--to NODE]\n"
         "\n"
         "Another replica leads: NODE, or the one that has the most. Answered when it does.\n"
         "\n"
         "  logflume cluster transfer orders/0 --to 2\n"
         "  logflume cluster transfer --metadata\n"},
        {0}};
    return cli_change_run("cluster", actions, argc, argv);
}
