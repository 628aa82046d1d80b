/** logflumed: a broker of a Logflume cluster. */
#include "backup_command.h"
#include "broker.h"
#include "command_line.h"
#include "store_command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert((int)LOG_ERROR == (int)CONFIG_LOG_ERROR && (int)LOG_DEBUG == (int)CONFIG_LOG_DEBUG, "log.level");
_Static_assert((int)LOG_LOGFMT == (int)CONFIG_LOG_LOGFMT && (int)LOG_JSON == (int)CONFIG_LOG_JSON, "log.format");

static int run(const struct command_line *line, const struct config *config) {
    struct log log = {.fd = log_descriptor(STDERR_FILENO),
                      .level = (enum log_level)config->log_level,
                      .format = (enum log_format)config->log_format};
    enum data_start start = line->dev         ? DATA_DEV
                            : line->bootstrap ? DATA_BOOTSTRAP
                            : line->join      ? DATA_JOIN
                                              : DATA_OPEN;
    enum data_replace replace = line->replace                                  ? DATA_REPLACE_LOST
                                : config->store.replace == CONFIG_REPLACE_AUTO ? DATA_REPLACE_DAMAGED
                                                                               : DATA_REPLACE_NEVER;
    enum broker_exit code = broker_run(config, start, replace, LOGFLUME_VERSION, &log);
    log_close(&log);
    return (int)code;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "store") == 0)
        return store_command(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "backup") == 0)
        return backup_command(argc - 1, argv + 1);
    static struct config config;
    static struct config_error error;
    struct command_line line;
    enum lf_status status =
        command_line_parse(argc, (const char *const *)argv, getenv("LOGFLUME_UNRELIABLE_RPC"), &line, &config, &error);
    if (status != LF_OK) {
        fprintf(stderr, "logflumed: %s\n", error.text);
        return BROKER_EXIT_USAGE;
    }
    switch (line.command) {
    case COMMAND_HELP:
        command_line_print_help(stdout);
        return BROKER_EXIT_OK;
    case COMMAND_VERSION:
        printf("logflumed %s\n", LOGFLUME_VERSION);
        return BROKER_EXIT_OK;
    case COMMAND_CONFIG_MARKDOWN:
        config_print_markdown(stdout);
        return BROKER_EXIT_OK;
    case COMMAND_CHECK_CONFIG:
        printf("the configuration is right\n");
        return BROKER_EXIT_OK;
    case COMMAND_RUN:
        break;
    }
    return run(&line, &config);
}
