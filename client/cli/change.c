/** What the actions of `cluster` and `partition` share: options, operands, waiting with progress. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The value of each option is the letter by which an action names it. */
static const struct option table[] = {{"host", required_argument, NULL, 'H'},
                                      {"client-port", required_argument, NULL, 'C'},
                                      {"peer-port", required_argument, NULL, 'P'},
                                      {"without", required_argument, NULL, 'W'},
                                      {"to", required_argument, NULL, 'T'},
                                      {"node", required_argument, NULL, 'N'},
                                      {"stop", no_argument, NULL, 'S'},
                                      {"wait", optional_argument, NULL, 'w'},
                                      {"metadata", no_argument, NULL, 'M'},
                                      CLI_COMMON_OPTIONS};

uint64_t cli_node(const char *name, const char *text) { return (uint64_t)cli_number(name, text, 1, 1000000000); }

void cli_topic_partition(const char *text, char topic[256], int32_t *partition) {
    const char *slash = strrchr(text, '/');
    if (!slash || slash == text || slash - text > 255 || !slash[1]) {
        fprintf(stderr, "logflume: \"%s\" is not TOPIC/P, as in orders/0\n", text);
        exit(CLI_USAGE);
    }
    snprintf(topic, 256, "%.*s", (int)(slash - text), text);
    *partition = (int32_t)cli_number("partition", slash + 1, 0, INT32_MAX);
}

static void take_nodes(struct cli_change *change, const char *text) {
    char copy[256];
    if (strlen(text) >= sizeof copy) {
        fprintf(stderr, "logflume: --to: too long\n");
        exit(CLI_USAGE);
    }
    strcpy(copy, text);
    change->to_count = 0;
    char *at = copy;
    for (char *part; (part = strsep(&at, ","));) {
        if (change->to_count == LF_REPLICAS_MAX) {
            fprintf(stderr, "logflume: --to: at most %d nodes\n", LF_REPLICAS_MAX);
            exit(CLI_USAGE);
        }
        uint64_t node = cli_node("--to", part);
        for (size_t i = 0; i < change->to_count; i++)
            if (change->to_nodes[i] == node) {
                fprintf(stderr, "logflume: --to: node %s twice\n", part);
                exit(CLI_USAGE);
            }
        change->to_nodes[change->to_count++] = node;
    }
}

static void take_option(struct cli_change *change, int option, const char *value) {
    switch (option) {
    case 'H':
        change->host = value;
        break;
    case 'C':
        change->client_port = (uint32_t)cli_number("--client-port", value, 1, 65535);
        break;
    case 'P':
        change->peer_port = (uint32_t)cli_number("--peer-port", value, 1, 65535);
        break;
    case 'W':
        change->without = cli_node("--without", value);
        break;
    case 'T':
        take_nodes(change, value);
        break;
    case 'N':
        change->node = cli_node("--node", value);
        break;
    case 'S':
        change->stop = true;
        break;
    case 'w':
        change->wait = true;
        change->wait_ms = value ? 1000 * (uint32_t)cli_number("--wait", value, 1, 1000000) : 0;
        break;
    default:
        change->metadata = true;
        break;
    }
}

static const char *option_name(int letter) {
    for (const struct option *option = table; option->name; option++)
        if (option->val == letter)
            return option->name;
    return "?";
}

static int help_all(const char *command, const struct cli_change_action *actions) {
    for (const struct cli_change_action *action = actions; action->name; action++)
        printf("%s%s", action == actions ? "" : "\n", action->help);
    printf("\nEvery %s command takes -b, -q, --json, --timeout: see `logflume --help`.\n", command);
    return CLI_OK;
}

static int run(struct cli_change *change, const struct cli_change_action *action, const char *letters) {
    char name[64];
    snprintf(name, sizeof name, "%s", change->action);
    for (const char *letter = letters; *letter; letter++)
        if (!strchr(action->options, *letter))
            return cli_usage(name, "--%s is not for this", option_name(*letter));
    if (change->operand_count < action->operands_min)
        return cli_usage(name, "what? One word is missing");
    if (change->operand_count > action->operands_max)
        return cli_usage(name, "\"%s\" is one word too many", change->operands[action->operands_max]);
    int code = action->run(change);
    lf_client_close(&change->client, 0);
    return code;
}

int cli_change_run(const char *command, const struct cli_change_action *actions, int argc, char **argv) {
    struct cli_change change = {0};
    cli_common_init(&change.common);
    char letters[64] = "", words[64];
    bool help = false;
    int option;
    while ((option = getopt_long(argc, argv, CLI_COMMON_LETTERS, table, NULL)) != -1) {
        if (cli_common_option(&change.common, option, optarg))
            continue;
        if (option == '?')
            return cli_usage(command, "see the line above");
        if (option == 'h') {
            help = true;
            continue;
        }
        take_option(&change, option, optarg);
        if (!strchr(letters, option))
            letters[strlen(letters)] = (char)option;
    }
    for (const struct cli_change_action *action = actions; optind < argc && action->name; action++) {
        if (strcmp(argv[optind], action->name) != 0)
            continue;
        if (help) {
            fputs(action->help, stdout);
            return CLI_OK;
        }
        snprintf(words, sizeof words, "%s %s", command, action->name);
        change.action = words;
        change.operands = (const char **)&argv[optind + 1];
        change.operand_count = argc - optind - 1;
        return run(&change, action, letters);
    }
    if (help)
        return help_all(command, actions);
    char names[128] = "";
    for (const struct cli_change_action *action = actions; action->name; action++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", action == actions ? "" : ", ",
                 action->name);
    if (optind < argc)
        return cli_usage(command, "no action \"%s\": %s", argv[optind], names);
    return cli_usage(command, "which action? %s", names);
}

void cli_change_connect(struct cli_change *change) {
    if (change->client)
        return;
    struct lf_client_options options;
    lf_client_options_init(&options);
    change->client = cli_client(&change->common, &options);
}

/* ---- waiting ----------------------------------------------------------------------------------------------------- */

void cli_progress_say(struct cli_progress *progress, const char *format, ...) {
    char words[sizeof progress->last];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    if (strcmp(words, progress->last) == 0)
        return;
    strcpy(progress->last, words);
    if (!progress->quiet)
        fprintf(stderr, "%s\n", words);
}

uint64_t cli_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void cli_pause(uint32_t ms) {
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* ---- words ------------------------------------------------------------------------------------------------------- */

void cli_nodes_words(const uint64_t *nodes, size_t count, char *words, size_t size) {
    words[0] = '\0';
    for (size_t i = 0, used = 0; i < count && used < size; i++)
        used += (size_t)snprintf(words + used, size - used, "%s%llu", i ? "," : "", (unsigned long long)nodes[i]);
}

const char *cli_node_state(enum lf_node_state state) {
    static const char *const names[] = {"active", "joining", "draining", "drained"};
    return (unsigned)state < sizeof names / sizeof *names ? names[state] : "unknown";
}

const char *cli_replica_kind(enum lf_replica_kind kind) {
    static const char *const names[] = {"voter", "learner", "leaving"};
    return (unsigned)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}
