/** logflume topic create | list | describe | delete */
#include "cli.h"

#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "logflume topic create TOPIC [--partitions N] [--replicas R]   [1 partition; 3 replicas, or "
    "one per node if fewer]\n"
    "logflume topic list\n"
    "logflume topic describe TOPIC [-v]   leaders, replicas, offsets of each partition, moves under way;\n"
    "                                     -v, --verbose: what each replica has\n"
    "logflume topic delete TOPIC          with all its messages, for ever\n"
    "\n"
    "  --json      answers as JSON\n"
    "\n"
    "  logflume topic create orders --partitions 6 --replicas 3\n"
    "  logflume topic describe orders -v\n";

#define REPLICAS_DEFAULT 3

struct topic_command {
    struct cli_common common;
    uint32_t partitions, replicas; /* 0: default */
    bool verbose;
    lf_client *client;
};

static void print_json(json_t *value) {
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(value);
}

static int create(struct topic_command *command, const char *name) {
    struct lf_error error = {0};
    if (command->replicas == 0) {
        struct lf_cluster cluster;
        enum lf_status status = lf_cluster_status(command->client, &cluster, &error);
        if (status != LF_OK)
            return cli_failed("topic create", status, error.text);
        command->replicas = cluster.node_count < REPLICAS_DEFAULT ? (uint32_t)cluster.node_count : REPLICAS_DEFAULT;
        lf_cluster_free(&cluster);
    }
    uint32_t partitions = command->partitions ? command->partitions : 1;
    enum lf_status status = lf_topic_create(command->client, name, partitions, command->replicas, &error);
    if (status != LF_OK)
        return cli_failed(name, status, error.text);
    if (!command->common.quiet)
        fprintf(stderr, "created %s: %u partitions, %u replicas\n", name, partitions, command->replicas);
    return CLI_OK;
}

static int list(struct topic_command *command, const char *name) {
    (void)name;
    struct lf_topic *topics;
    size_t count;
    struct lf_error error = {0};
    enum lf_status status = lf_topic_list(command->client, &topics, &count, &error);
    if (status != LF_OK)
        return cli_failed("topic list", status, error.text);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        if (command->common.json)
            json_array_append_new(array, json_pack("{s:s,s:I,s:i,s:i}", "name", topics[i].name, "id",
                                                   (json_int_t)topics[i].id, "partitions", (int)topics[i].partitions,
                                                   "replicas", (int)topics[i].replicas));
        else
            printf("%s\t%u partitions\t%u replicas\n", topics[i].name, topics[i].partitions, topics[i].replicas);
    }
    if (command->common.json)
        print_json(json_pack("{s:o}", "topics", array));
    else
        json_decref(array);
    lf_topics_free(topics, count);
    return CLI_OK;
}

static json_t *nodes_json(const uint64_t *nodes, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_integer((json_int_t)nodes[i]));
    return array;
}

static json_t *members_json(const struct lf_partition *partition) {
    json_t *array = json_array();
    for (size_t i = 0; i < partition->member_count; i++) {
        const struct lf_member *member = &partition->members[i];
        json_array_append_new(array,
                              json_pack("{s:I,s:I,s:s,s:b,s:b,s:I,s:I}", "node", (json_int_t)member->node, "replica",
                                        (json_int_t)member->replica_id, "kind", cli_replica_kind(member->kind),
                                        "active", (int)member->active, "damaged", (int)member->damaged, "match_index",
                                        (json_int_t)member->match_index, "last_index", (json_int_t)member->last_index));
    }
    return array;
}

static json_t *partition_json(const struct lf_partition *partition) {
    char move[256];
    cli_move_words(partition, move, sizeof move);
    return json_pack("{s:i,s:I,s:i,s:o,s:I,s:I,s:I,s:I,s:I,s:o,s:s,s:o}", "partition", (int)partition->partition,
                     "leader", (json_int_t)partition->leader_node, "leader_epoch", (int)partition->leader_epoch,
                     "replicas", nodes_json(partition->replica_nodes, partition->replica_count), "log_start",
                     (json_int_t)partition->log_start_offset, "high_watermark", (json_int_t)partition->high_watermark,
                     "group", (json_int_t)partition->group, "assignment_epoch", (json_int_t)partition->assignment_epoch,
                     "wanted_epoch", (json_int_t)partition->wanted_epoch, "wanted",
                     nodes_json(partition->wanted_nodes, partition->wanted_count), "move", move, "members",
                     members_json(partition));
}

static bool moving(const struct lf_partition *partition) {
    return partition->wanted_epoch > partition->assignment_epoch;
}

static void print_member(const struct lf_member *member) {
    printf("\tnode %llu\t%s\t%llu of %llu entries%s%s\n", (unsigned long long)member->node,
           cli_replica_kind(member->kind), (unsigned long long)member->match_index,
           (unsigned long long)member->last_index, member->active ? "" : "\tnot heard of",
           member->damaged ? "\tdamaged" : "");
}

static void print_partition(const struct lf_partition *partition, bool verbose) {
    char replicas[160], wanted[160], move[256];
    cli_nodes_words(partition->replica_nodes, partition->replica_count, replicas, sizeof replicas);
    printf("%u\t", partition->partition);
    if (partition->leader_node)
        printf("leader %llu\tepoch %d", (unsigned long long)partition->leader_node, (int)partition->leader_epoch);
    else
        printf("leader none\tepoch -");
    printf("\treplicas %s\t", replicas);
    if (partition->high_watermark >= 0)
        printf("offsets %lld to %lld", (long long)partition->log_start_offset, (long long)partition->high_watermark);
    else
        printf("offsets unknown");
    if (moving(partition)) {
        cli_nodes_words(partition->wanted_nodes, partition->wanted_count, wanted, sizeof wanted);
        cli_move_words(partition, move, sizeof move);
        printf("\tmoving to %s: %s", wanted, move);
    }
    putchar('\n');
    for (size_t i = 0; verbose && i < partition->member_count; i++)
        print_member(&partition->members[i]);
}

static int describe(struct topic_command *command, const char *name) {
    struct lf_topic topic;
    struct lf_partition *partitions;
    struct lf_error error = {0};
    enum lf_status status = lf_topic_describe(command->client, name, &topic, &partitions, &error);
    if (status != LF_OK)
        return cli_failed(name, status, error.text);
    json_t *array = json_array();
    for (uint32_t i = 0; i < topic.partitions; i++) {
        if (command->common.json)
            json_array_append_new(array, partition_json(&partitions[i]));
        else
            print_partition(&partitions[i], command->verbose);
    }
    if (command->common.json)
        print_json(json_pack("{s:s,s:I,s:i,s:o}", "name", topic.name, "id", (json_int_t)topic.id, "replicas",
                             (int)topic.replicas, "partitions", array));
    else
        json_decref(array);
    free(topic.name);
    free(partitions);
    return CLI_OK;
}

static int delete (struct topic_command *command, const char *name) {
    struct lf_error error = {0};
    enum lf_status status = lf_topic_delete(command->client, name, &error);
    if (status != LF_OK)
        return cli_failed(name, status, error.text);
    if (!command->common.quiet)
        fprintf(stderr, "deleted %s\n", name);
    return CLI_OK;
}

enum { OPTION_PARTITIONS = 256, OPTION_REPLICAS };

int cli_topic(int argc, char **argv) {
    static const struct option table[] = {{"partitions", required_argument, NULL, OPTION_PARTITIONS},
                                          {"replicas", required_argument, NULL, OPTION_REPLICAS},
                                          {"verbose", no_argument, NULL, 'v'},
                                          CLI_COMMON_OPTIONS};
    static const struct {
        const char *name;
        int (*run)(struct topic_command *command, const char *name);
        int names;
    } actions[] = {{"create", create, 1}, {"list", list, 0}, {"describe", describe, 1}, {"delete", delete, 1}};
    struct topic_command command = {0};
    cli_common_init(&command.common);
    int option;
    while ((option = getopt_long(argc, argv, CLI_COMMON_LETTERS "v", table, NULL)) != -1) {
        if (cli_common_option(&command.common, option, optarg))
            continue;
        if (option == OPTION_PARTITIONS) {
            command.partitions = (uint32_t)cli_number("--partitions", optarg, 1, 1000000);
        } else if (option == OPTION_REPLICAS) {
            command.replicas = (uint32_t)cli_number("--replicas", optarg, 1, LF_REPLICAS_MAX);
        } else if (option == 'v') {
            command.verbose = true;
        } else if (option == 'h') {
            fputs(help, stdout);
            return CLI_OK;
        } else {
            return cli_usage("topic", "see the line above");
        }
    }
    if (optind >= argc)
        return cli_usage("topic", "create, list, describe or delete?");
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(argv[optind], actions[i].name) != 0)
            continue;
        if (argc - optind - 1 != actions[i].names)
            return cli_usage("topic", actions[i].names ? "%s wants one TOPIC" : "%s wants nothing more",
                             actions[i].name);
        struct lf_client_options options;
        lf_client_options_init(&options);
        command.client = cli_client(&command.common, &options);
        int status = actions[i].run(&command, actions[i].names ? argv[optind + 1] : NULL);
        lf_client_close(&command.client, 0);
        return status;
    }
    return cli_usage("topic", "no action \"%s\": create, list, describe or delete", argv[optind]);
}
