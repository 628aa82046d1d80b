/** One broker from configuration to exit: sockets, store, node, loop. */
#ifndef BROKER_H
#define BROKER_H

#include "config.h"
#include "data_directory.h"
#include "log.h"

/** Fixed, because scripts look at them. */
enum broker_exit {
    BROKER_EXIT_OK = 0,
    BROKER_EXIT_FAILED = 1,
    BROKER_EXIT_USAGE = 2,       /**< command line, configuration, or a data directory that does not fit them */
    BROKER_EXIT_DAMAGED = 6,     /**< the store is damaged: the log names the file */
    BROKER_EXIT_WRONG_STORE = 7, /**< the store belongs to another node or cluster */
};

/** Runs until SIGTERM or SIGINT, which are taken over for the whole process (call before any thread is started), or
 * until it fails. Says why on the log. `version`: of
 * this program, static. */
enum broker_exit broker_run(const struct config *config, enum data_start start, enum data_replace replace,
                            const char *version, struct log *log);

#endif
