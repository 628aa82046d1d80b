/** logflume topic create | list | describe | alter | settings | trim | delete */
#include "topic.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "logflume topic create TOPIC [--partitions N] [--replicas R] [--config NAME=VALUE ...]\n"
    "                                     [1 partition; 3 replicas, or one per node if fewer]\n"
    "logflume topic list\n"
    "logflume topic describe TOPIC [-v]   leaders, replicas, offsets of each partition, moves under way, and what is\n"
    "                                     set; -v, --verbose: what each replica has, and all settings\n"
    "logflume topic alter TOPIC NAME=VALUE ... [--reset NAME ...]\n"
    "                                     settings: all of these change, or none; --reset: the default again\n"
    "logflume topic settings [TOPIC]      what can be set, what it does, and what it is\n"
    "logflume topic trim TOPIC/P --before OFFSET | @TIME | end [--dry-run | --execute]\n"
    "                                     the log of partition P begins there: what is older is gone, for ever.\n"
    "                                     TIME as for `sub -o`: nothing as young as it goes. Without --execute: only\n"
    "                                     says what would go\n"
    "logflume topic delete TOPIC          with all its messages, for ever\n"
    "\n"
    "  --json      answers as JSON\n"
    "\n"
    "  logflume topic create orders --partitions 6 --replicas 3 --config retention.ms=30d\n"
    "  logflume topic alter orders retention.ms=7d retention.bytes=20GiB --reset segment.ms\n"
    "  logflume topic describe orders -v\n";

#define REPLICAS_DEFAULT 3

void topic_print_json(json_t *value) {
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(value);
}

static int create(struct topic_command *command) {
    const char *name = command->operands[0];
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
    enum lf_status status = lf_topic_create_with(command->client, name, partitions, command->replicas,
                                                 command->settings, command->setting_count, &error);
    if (status != LF_OK)
        return cli_failed(name, status, error.text);
    char words[1024];
    topic_settings_words(command, words, sizeof words);
    if (!command->common.quiet)
        fprintf(stderr, "created %s: %u partitions, %u replicas%s%s\n", name, partitions, command->replicas,
                words[0] ? ", " : "", words);
    return CLI_OK;
}

static int list(struct topic_command *command) {
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
        topic_print_json(json_pack("{s:o}", "topics", array));
    else
        json_decref(array);
    lf_topics_free(topics, count);
    return CLI_OK;
}

static int delete (struct topic_command *command) {
    const char *name = command->operands[0];
    struct lf_error error = {0};
    enum lf_status status = lf_topic_delete(command->client, name, &error);
    if (status != LF_OK)
        return cli_failed(name, status, error.text);
    if (!command->common.quiet)
        fprintf(stderr, "deleted %s\n", name);
    return CLI_OK;
}

enum {
    OPTION_PARTITIONS = 256,
    OPTION_REPLICAS,
    OPTION_CONFIG,
    OPTION_RESET,
    OPTION_BEFORE,
    OPTION_EXECUTE,
    OPTION_DRY_RUN
};

struct topic_action {
    const char *name;
    int (*run)(struct topic_command *command);
    int operands_min, operands_max;
    bool sets, resets; /* takes --config, --reset */
};
static const struct topic_action actions[] = {{"create", create, 1, 1, true, false},
                                              {"list", list, 0, 0, false, false},
                                              {"describe", topic_describe, 1, 1, false, false},
                                              {"alter", topic_alter, 1, 1 + TOPIC_SETTINGS_MAX, true, true},
                                              {"settings", topic_settings, 0, 1, false, false},
                                              {"trim", topic_trim, 1, 1, false, false},
                                              {"delete", delete, 1, 1, false, false}};
#define ACTION_NAMES "create, list, describe, alter, settings, trim or delete"

/* CLI_OK, or the exit code after words; --help ends the program. */
static int parse(struct topic_command *command, int argc, char **argv) {
    static const struct option table[] = {{"partitions", required_argument, NULL, OPTION_PARTITIONS},
                                          {"replicas", required_argument, NULL, OPTION_REPLICAS},
                                          {"config", required_argument, NULL, OPTION_CONFIG},
                                          {"reset", required_argument, NULL, OPTION_RESET},
                                          {"before", required_argument, NULL, OPTION_BEFORE},
                                          {"execute", no_argument, NULL, OPTION_EXECUTE},
                                          {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
                                          {"verbose", no_argument, NULL, 'v'},
                                          CLI_COMMON_OPTIONS};
    int option;
    while ((option = getopt_long(argc, argv, CLI_COMMON_LETTERS "v", table, NULL)) != -1) {
        if (cli_common_option(&command->common, option, optarg))
            continue;
        if (option == OPTION_PARTITIONS) {
            command->partitions = (uint32_t)cli_number("--partitions", optarg, 1, 1000000);
        } else if (option == OPTION_REPLICAS) {
            command->replicas = (uint32_t)cli_number("--replicas", optarg, 1, LF_REPLICAS_MAX);
        } else if (option == OPTION_CONFIG || option == OPTION_RESET) {
            if (topic_setting_take(command, optarg, option == OPTION_RESET) != CLI_OK)
                return CLI_USAGE;
        } else if (option == OPTION_BEFORE) {
            command->before = optarg;
        } else if (option == OPTION_EXECUTE) {
            command->execute = true;
        } else if (option == OPTION_DRY_RUN) {
            command->dry_run = true;
        } else if (option == 'v') {
            command->verbose = true;
        } else if (option == 'h') {
            fputs(help, stdout);
            exit(CLI_OK);
        } else {
            return cli_usage("topic", "see the line above");
        }
    }
    return CLI_OK;
}

static int run(struct topic_command *command, const struct topic_action *action) {
    if (command->operand_count < action->operands_min || command->operand_count > action->operands_max)
        return cli_usage("topic",
                         action->operands_max == 0   ? "%s wants nothing more"
                         : action->operands_max == 1 ? "%s wants one topic"
                                                     : "%s wants a TOPIC, and settings",
                         action->name);
    if ((command->before || command->execute || command->dry_run) && action->run != topic_trim)
        return cli_usage("topic", "--before, --execute and --dry-run are for trim");
    for (size_t i = 0; i < command->setting_count; i++)
        if (command->settings[i].value ? !action->sets : !action->resets)
            return cli_usage("topic", "%s takes no %s", action->name,
                             command->settings[i].value ? "--config" : "--reset");
    struct lf_client_options options;
    lf_client_options_init(&options);
    command->client = cli_client(&command->common, &options);
    int status = action->run(command);
    lf_client_close(&command->client, 0);
    return status;
}

int cli_topic(int argc, char **argv) {
    struct topic_command command = {0};
    cli_common_init(&command.common);
    int status = parse(&command, argc, argv);
    if (status == CLI_OK && optind >= argc)
        status = cli_usage("topic", ACTION_NAMES "?");
    const struct topic_action *action = NULL;
    for (size_t i = 0; status == CLI_OK && i < sizeof actions / sizeof *actions && !action; i++)
        if (strcmp(argv[optind], actions[i].name) == 0)
            action = &actions[i];
    if (action) {
        command.operands = (const char **)&argv[optind + 1];
        command.operand_count = argc - optind - 1;
        status = run(&command, action);
    } else if (status == CLI_OK) {
        status = cli_usage("topic", "no action \"%s\": " ACTION_NAMES, argv[optind]);
    }
    topic_settings_free(&command);
    return status;
}
