/** `logflumed store ...`: tools on the directory of a node that is stopped. They read only, unless they say otherwise;
 *  data goes to stdout, words and progress to stderr. */
#ifndef STORE_COMMAND_H
#define STORE_COMMAND_H

/** Fixed, because scripts look at them. */
enum store_exit {
    STORE_EXIT_OK = 0,
    STORE_EXIT_FAILED = 1,
    STORE_EXIT_USAGE = 2,
    STORE_EXIT_NOT_FOUND = 5, /**< no store there, or no such topic or group in it */
    STORE_EXIT_DAMAGED = 6,
    STORE_EXIT_IN_USE = 8, /**< a process has the store */
};

/** argv[0] is "store". Returns the exit code. */
int store_command(int argc, char **argv);

#endif
