/** logflume cluster status */
#include "cli.h"

#include <getopt.h>
#include <jansson.h>
#include <string.h>

static const char help[] = "logflume cluster status: the nodes, who leads, what lacks a leader; as one broker sees it\n"
                           "\n"
                           "  --json      the same as JSON\n"
                           "  -b HOST:PORT with a single broker asks that one\n";

static void print_json(const struct lf_cluster *cluster) {
    char id[33];
    for (size_t i = 0; i < sizeof cluster->id; i++)
        snprintf(id + 2 * i, 3, "%02x", cluster->id[i]);
    json_t *nodes = json_array();
    for (size_t i = 0; i < cluster->node_count; i++) {
        const struct lf_node *node = &cluster->nodes[i];
        json_array_append_new(nodes, json_pack("{s:I,s:s,s:i,s:b,s:i}", "id", (json_int_t)node->id, "host", node->host,
                                               "client_port", (int)node->client_port, "reachable", (int)node->reachable,
                                               "groups", (int)node->groups_held));
    }
    json_t *all = json_pack("{s:s,s:s,s:I,s:I,s:i,s:i,s:i,s:o}", "name", cluster->name, "id", id, "answering_node",
                            (json_int_t)cluster->answering_node, "controller", (json_int_t)cluster->controller_node,
                            "topics", (int)cluster->topics, "partitions", (int)cluster->partitions,
                            "partitions_without_leader", (int)cluster->partitions_without_leader, "nodes", nodes);
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
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
        printf("node %llu\t%s:%u\t%s\t%u groups\n", (unsigned long long)cluster->nodes[i].id, cluster->nodes[i].host,
               cluster->nodes[i].client_port, cluster->nodes[i].reachable ? "reachable" : "unreachable",
               cluster->nodes[i].groups_held);
}

int cli_cluster(int argc, char **argv) {
    static const struct option table[] = {CLI_COMMON_OPTIONS};
    struct cli_common common;
    cli_common_init(&common);
    int option;
    while ((option = getopt_long(argc, argv, CLI_COMMON_LETTERS, table, NULL)) != -1) {
        if (cli_common_option(&common, option, optarg))
            continue;
        if (option == 'h') {
            fputs(help, stdout);
            return CLI_OK;
        }
        return cli_usage("cluster", "see the line above");
    }
    if (optind + 1 != argc || strcmp(argv[optind], "status") != 0)
        return cli_usage("cluster", "the one action is: status");
    struct lf_client_options options;
    struct lf_cluster cluster;
    struct lf_error error = {0};
    lf_client_options_init(&options);
    lf_client *client = cli_client(&common, &options);
    enum lf_status status = lf_cluster_status(client, &cluster, &error);
    if (status == LF_OK) {
        if (common.json)
            print_json(&cluster);
        else
            print_words(&cluster);
        lf_cluster_free(&cluster);
    }
    lf_client_close(&client, 0);
    return status == LF_OK ? CLI_OK : cli_failed("cluster status", status, error.text);
}
