/** scenario [--show] [--rewrite | --outcomes-only] FILE...
 *
 *  Runs scenarios and compares their traces. --rewrite puts the traces they gave into the files; what `expect` demands,
 *  and every safety check, must hold all the same. --outcomes-only leaves out the traces, the core's own invariants and
 *  what a message promises: does the mistake do harm that can be seen from outside? --show prints what happens as it
 *  happens.
 *
 *  Each file runs in a process of its own, so that a check that aborts in one hides no other.
 *  Exit: 0 all as written, 1 one is not, 2 usage or a bad script.
 */
#include "script.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int usage(void) {
    fprintf(stderr, "usage: scenario [--show] [--rewrite | --outcomes-only] FILE...\n");
    return 2;
}

static int run_apart(const char *path, const struct script_options *options) {
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        return 2;
    }
    if (child == 0)
        exit(script_run_file(path, options) ? 0 : 1);
    if (waitpid(child, &status, 0) != child)
        return 2;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv) {
    struct script_options options = {0};
    int first = 1, worst = 0, failed = 0;
    for (; first < argc && strncmp(argv[first], "--", 2) == 0; first++) {
        if (strcmp(argv[first], "--rewrite") == 0)
            options.rewrite = true;
        else if (strcmp(argv[first], "--outcomes-only") == 0)
            options.outcomes_only = true;
        else if (strcmp(argv[first], "--show") == 0)
            options.show = true;
        else
            return usage();
    }
    if (first == argc || (options.rewrite && options.outcomes_only))
        return usage();
    for (int i = first; i < argc; i++) {
        int status = run_apart(argv[i], &options);
        failed += status != 0;
        worst = status > worst ? status : worst;
    }
    if (argc - first > 1)
        printf("%d scenarios, %d failed\n", argc - first, failed);
    return worst;
}
