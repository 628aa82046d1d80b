#include "command_line.h"

#include "config_table.h"

#include <stdarg.h>
#include <stdlib.h>

/** Flags are collected first, since they win over the file, whose name is one of them. */
struct flags {
    const char *file;
    bool has_port[3];
    uint32_t ports[3];
};

static const char *const port_names[3] = {"client-port", "peer-port", "admin-port"};

static enum lf_status usage(struct config_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
static enum lf_status usage(struct config_error *error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return LF_INVALID;
}

/** A flag without a value. */
static bool take_switch(const char *name, struct command_line *line) {
    static const struct {
        const char *name;
        enum command command;
    } commands[] = {{"check-config", COMMAND_CHECK_CONFIG},
                    {"version", COMMAND_VERSION},
                    {"help", COMMAND_HELP},
                    {"help-config-markdown", COMMAND_CONFIG_MARKDOWN}};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(name, commands[i].name) == 0) {
            if (line->command < commands[i].command) /* help and version win, whatever else is there */
                line->command = commands[i].command;
            return true;
        }
    if (strcmp(name, "bootstrap") == 0)
        return line->bootstrap = true;
    if (strcmp(name, "join") == 0)
        return line->join = true;
    if (strcmp(name, "replace-store") == 0)
        return line->replace = true;
    if (strcmp(name, "dev") == 0)
        return line->dev = true;
    return false;
}

static enum lf_status take_port(struct flags *flags, size_t which, const char *value, struct config_error *error) {
    char why[256];
    struct config_node node;
    static const char *const keys[3] = {"client_port", "peer_port", "admin_port"};
    const struct config_row *row = config_row_find(config_node_rows, config_node_row_count, keys[which]);
    if (flags->has_port[which])
        return usage(error, "--%s: given twice", port_names[which]);
    if (config_value_set(&node, row, value, strlen(value), false, why, sizeof why) != LF_OK)
        return usage(error, "--%s: %s", port_names[which], why);
    flags->has_port[which] = true;
    memcpy(&flags->ports[which], (const char *)&node + row->offset, sizeof flags->ports[which]);
    return LF_OK;
}

static enum lf_status take_value(const char *name, const char *value, struct flags *flags, struct config *config,
                                 struct config_error *error) {
    if (strcmp(name, "config") == 0) {
        if (flags->file)
            return usage(error, "-c: given twice");
        flags->file = value;
        return LF_OK;
    }
    for (size_t i = 0; i < 3; i++)
        if (strcmp(name, port_names[i]) == 0)
            return take_port(flags, i, value, error);
    return config_set_flag(config, strcmp(name, "data") == 0 ? "node.data" : name, value, error);
}

static enum lf_status take_flags(int argc, const char *const *argv, struct command_line *line, struct flags *flags,
                                 struct config *config, struct config_error *error) {
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        char name[128];
        if (strcmp(arg, "-h") == 0)
            arg = "--help";
        if (strncmp(arg, "--", 2) != 0 && strcmp(arg, "-c") != 0)
            return usage(error, "%.100s: not a flag; see `logflumed --help`", arg);
        const char *equals = arg[1] == '-' ? strchr(arg, '=') : NULL;
        size_t size = equals ? (size_t)(equals - arg) - 2 : strlen(arg) - 2;
        if (arg[1] == '-' && size >= sizeof name)
            return usage(error, "%.100s...: unknown flag; see `logflumed --help`", arg);
        if (arg[1] == '-')
            snprintf(name, sizeof name, "%.*s", (int)size, arg + 2);
        else
            snprintf(name, sizeof name, "config");
        if (!equals && take_switch(name, line))
            continue;
        if (!equals && i + 1 == argc)
            return usage(error, "%.100s: a value must follow", arg);
        enum lf_status status = take_value(name, equals ? equals + 1 : argv[++i], flags, config, error);
        if (status != LF_OK)
            return status;
    }
    return LF_OK;
}

/** The file below, what flags gave on top. */
static enum lf_status merge(struct flags *flags, const struct command_line *line, struct config *config,
                            struct config_error *error) {
    if (line->dev) {
        const uint32_t defaults[3] = {7700, 7701, 7702};
        for (size_t i = 0; i < 3; i++)
            flags->ports[i] = flags->has_port[i] ? flags->ports[i] : defaults[i];
        config_make_dev(config, flags->ports[0], flags->ports[1], flags->ports[2]);
        return LF_OK;
    }
    struct config *loaded = malloc(sizeof *loaded);
    if (!loaded)
        return usage(error, "out of memory");
    config_init(loaded);
    enum lf_status status = config_load_file(loaded, flags->file, error);
    if (status == LF_OK) {
        config_overlay(loaded, config);
        *config = *loaded;
    }
    free(loaded);
    return status;
}

static enum lf_status check_together(const struct flags *flags, const struct command_line *line,
                                     struct config_error *error) {
    if (line->dev && flags->file)
        return usage(error, "--dev needs no configuration: leave out -c %.200s, or leave out --dev", flags->file);
    if (line->dev && line->bootstrap)
        return usage(error, "--dev founds its own cluster: leave out --bootstrap");
    if (line->dev && line->join)
        return usage(error, "--dev is a cluster of its own: leave out --join");
    if (line->bootstrap && line->join)
        return usage(error, "--bootstrap founds a cluster, --join joins one: leave one of them out");
    if (line->replace && (line->dev || line->bootstrap || line->join))
        return usage(error, "--replace-store is for a node that was in a cluster: leave out --%s",
                     line->dev         ? "dev"
                     : line->bootstrap ? "bootstrap"
                                       : "join");
    if (!line->dev && !flags->file)
        return usage(error, "no configuration: start with -c FILE, or with --dev for a single node");
    for (size_t i = 0; i < 3; i++)
        if (flags->has_port[i] && !line->dev)
            return usage(error, "--%s goes with --dev; with -c, ports are in cluster.nodes", port_names[i]);
    return LF_OK;
}

enum lf_status command_line_parse(int argc, const char *const *argv, const char *unreliable, struct command_line *line,
                                  struct config *config, struct config_error *error) {
    struct flags flags = {0};
    *line = (struct command_line){0};
    error->text[0] = '\0';
    config_init(config);
    enum lf_status status = take_flags(argc, argv, line, &flags, config, error);
    if (status != LF_OK || line->command > COMMAND_CHECK_CONFIG)
        return status;
    status = check_together(&flags, line, error);
    if (status == LF_OK)
        status = merge(&flags, line, config, error);
    if (status == LF_OK && unreliable)
        status = config_set_environment(config, "transport.unreliable", "LOGFLUME_UNRELIABLE_RPC", unreliable, error);
    return status == LF_OK ? config_check(config, error) : status;
}

static const char usage_text[] =
    "logflumed: a broker of a Logflume cluster\n"
    "\n"
    "  logflumed -c FILE [--data DIR] [--bootstrap | --join | --replace-store] [--KEY=VALUE ...]\n"
    "  logflumed --dev [--data DIR] [--client-port N] [--peer-port N] [--admin-port N] [--KEY=VALUE ...]\n"
    "\n"
    "  -c FILE, --config FILE  the configuration, in YAML\n"
    "  --data DIR              the data directory (the key node.data)\n"
    "  --bootstrap             found a new cluster: once per founding node, on an empty data directory\n"
    "  --join                  join a cluster that `logflume cluster add` told of this node, on an empty data "
    "directory;\n"
    "                          may be repeated\n"
    "  --replace-store         if the store is damaged or gone: set it aside as store.replaced.N, and come back with a "
    "new\n"
    "                          one, which the other nodes fill; may be repeated, and does no harm to a store that is "
    "well\n"
    "  --dev                   a single node in ./logflume-dev, without a configuration; may be repeated\n"
    "  --check-config          judge the configuration and end\n"
    "  --version, --help       print the version, or this\n"
    "\n"
    "Exit codes: 0 ok, 1 failed, 2 usage or configuration, 6 the store is damaged, 7 the store belongs to another "
    "node\n"
    "or cluster. Stop with SIGTERM.\n"
    "\n"
    "Keys of the configuration file, and flags as --KEY=VALUE or --KEY VALUE:\n";

void command_line_print_help(FILE *stream) {
    fputs(usage_text, stream);
    config_print_help(stream);
}
