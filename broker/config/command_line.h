/** What the command line asks for. The flags that scripts type are fixed; every scalar key of the table is one more. */
#ifndef COMMAND_LINE_H
#define COMMAND_LINE_H

#include "config.h"

enum command { COMMAND_RUN, COMMAND_CHECK_CONFIG, COMMAND_VERSION, COMMAND_HELP, COMMAND_CONFIG_MARKDOWN };

struct command_line {
    enum command command;
    bool bootstrap; /**< found a new cluster in an empty data directory */
    bool join;      /**< join a cluster, if the data directory is empty */
    bool replace;   /**< set a damaged or lost store aside, and come back with a new one */
    bool dev;       /**< a single node, no configuration file */
};

/** Reads flags and, if one is named, the file; leaves the checked configuration in `config` (COMMAND_RUN and
 *  COMMAND_CHECK_CONFIG only). `unreliable` is LOGFLUME_UNRELIABLE_RPC or NULL; it wins over transport.unreliable.
 *  LF_OK; LF_INVALID, LF_NOT_FOUND, LF_IO, LF_NO_MEMORY with words: a mistake of usage or configuration. */
enum lf_status command_line_parse(int argc, const char *const *argv, const char *unreliable, struct command_line *line,
                                  struct config *config, struct config_error *error);

void command_line_print_help(FILE *stream);

#endif
