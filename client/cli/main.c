/** logflume: publish, subscribe, topics, the cluster's state. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "logflume COMMAND ...: the command line client of Logflume\n"
    "\n"
    "  pub TOPIC [FILE...]       publish lines (or whole files) as messages\n"
    "  sub TOPIC                 print messages\n"
    "  topic create TOPIC [--partitions N] [--replicas R] [--config NAME=VALUE ...]\n"
    "  topic list | describe TOPIC | delete TOPIC\n"
    "  topic alter TOPIC NAME=VALUE ...       settings, as retention; `topic settings` lists them\n"
    "  topic trim TOPIC/P --before WHERE      drop the oldest messages: a dry run, or --execute\n"
    "  partition segments TOPIC/P             what a partition's log is made of\n"
    "  partition move TOPIC/P --to NODE,...   which nodes hold a partition\n"
    "  cluster status                         the nodes, and who leads\n"
    "  cluster check [--without NODE]         is everything well? may NODE be stopped?\n"
    "  cluster add | drain | remove NODE      nodes come and go\n"
    "  cluster transfer TOPIC/P | --metadata  another leader\n"
    "  backup create NAME | list | delete NAME   of every node's store, while it runs\n"
    "  backup verify DIR ... | restore           what is done with one that was copied elsewhere\n"
    "  store ls | verify | dump | export DIR  look at the data of a node that is stopped\n"
    "\n"
    "`logflume COMMAND --help` tells more, with examples. Every command takes:\n"
    "  -b, --brokers HOST:PORT,...  any brokers of the cluster [LOGFLUME_BROKERS, else 127.0.0.1:7700]\n"
    "  -q, --quiet                  no summary, no progress\n"
    "      --json                   answers as JSON, where a command has an answer\n"
    "      --timeout MS             how long a request may take [10000]\n"
    "\n"
    "Data goes to stdout, words to stderr. Exit codes: 0 ok, 1 failed, 2 usage, 3 cannot connect,\n"
    "4 outcome unknown or timed out, 5 not found; of store also 6 and 8, see `logflume store --help`.\n";

void cli_common_init(struct cli_common *common) {
    *common = (struct cli_common){.brokers = getenv("LOGFLUME_BROKERS"), .timeout_ms = CLI_TIMEOUT_MS_DEFAULT};
    if (common->brokers && !common->brokers[0])
        common->brokers = NULL;
}

int64_t cli_number(const char *name, const char *text, int64_t min, int64_t max) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end || value < min || value > max) {
        fprintf(stderr, "logflume: %s: \"%s\" is not a whole number from %lld to %lld\n", name, text, (long long)min,
                (long long)max);
        exit(CLI_USAGE);
    }
    return value;
}

bool cli_common_option(struct cli_common *common, int option, const char *value) {
    switch (option) {
    case 'b':
        common->brokers = value;
        return true;
    case 'q':
        common->quiet = true;
        return true;
    case 1000:
        common->json = true;
        return true;
    case 1001:
        common->timeout_ms = (uint32_t)cli_number("--timeout", value, 1, 86400000);
        return true;
    default:
        return false;
    }
}

int cli_usage(const char *command, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "logflume %s: ", command);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\nTry `logflume %s --help`.\n", command);
    va_end(args);
    return CLI_USAGE;
}

int cli_exit_code(enum lf_status status) {
    switch (status) {
    case LF_OK:
    case LF_DUPLICATE:
    case LF_END:
        return CLI_OK;
    case LF_CONNECT:
        return CLI_CONNECT;
    case LF_NOT_FOUND:
    case LF_TOPIC_UNKNOWN:
    case LF_TOPIC_DELETED:
    case LF_PARTITION_UNKNOWN:
        return CLI_NOT_FOUND;
    default:
        return lf_status_action(status) == LF_ACTION_UNKNOWN ? CLI_UNKNOWN : CLI_FAILED;
    }
}

int cli_failed(const char *what, enum lf_status status, const char *text) {
    fprintf(stderr, "logflume: %s: %s\n", what, text && text[0] ? text : lf_status_text(status));
    return cli_exit_code(status);
}

lf_client *cli_client(const struct cli_common *common, struct lf_client_options *options) {
    struct lf_error error;
    lf_client *client;
    options->brokers = common->brokers;
    options->name = "logflume";
    options->request_timeout_ms = common->timeout_ms;
    if (options->connect_timeout_ms >= common->timeout_ms) /* "cannot connect" says more than "no answer" */
        options->connect_timeout_ms = common->timeout_ms - common->timeout_ms / 10;
    enum lf_status status = lf_client_new(options, &client, &error);
    if (status != LF_OK) {
        fprintf(stderr, "logflume: %s\n", error.text);
        exit(status == LF_INVALID ? CLI_USAGE : CLI_FAILED);
    }
    return client;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {{"pub", cli_pub},         {"sub", cli_sub},     {"topic", cli_topic},  {"partition", cli_partition},
                    {"cluster", cli_cluster}, {"store", cli_store}, {"backup", cli_backup}};
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        fputs(help, argc < 2 ? stderr : stdout);
        return argc < 2 ? CLI_USAGE : CLI_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("logflume " LOGFLUME_VERSION);
        return CLI_OK;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    if (argv[1][0] == '-')
        fprintf(stderr, "logflume: options come after the command, as in `logflume topic list -b HOST:PORT`\n");
    else
        fprintf(stderr, "logflume: no command \"%s\": pub, sub, topic, partition, cluster or store\n", argv[1]);
    return CLI_USAGE;
}
