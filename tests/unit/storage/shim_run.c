#include "shim_run.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *doing) {
    perror(doing);
    exit(99);
}

static void become(char *const *arguments, const char *root, const char *state, const char *fail, int output_fd) {
    setenv("LD_PRELOAD", DISK_SHIM_FILE, 1);
    setenv("DISK_SHIM_ROOT", root, 1);
    setenv("DISK_SHIM_STATE", state, 1);
    if (fail)
        setenv("DISK_SHIM_FAIL", fail, 1);
    /* a sanitizer's library then is not the first one; the shim does not mind */
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0", 1);
    if (output_fd >= 0)
        dup2(output_fd, STDOUT_FILENO);
    execv(arguments[0], arguments);
    die(arguments[0]);
}

pid_t shim_start(char *const *arguments, const char *root, const char *state, const char *fail, int output_fd) {
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0)
        become(arguments, root, state, fail, output_fd);
    return child;
}

void shim_cut(const char *state, uint64_t seed, char *line, size_t size) {
    char command[512], answer[256] = "";
    snprintf(command, sizeof command, "%s %s %llu", DISK_CUT_FILE, state, (unsigned long long)seed);
    FILE *out = popen(command, "r");
    if (!out)
        die("disk_cut");
    char *got = fgets(answer, sizeof answer, out);
    if (pclose(out) != 0 || !got) {
        fprintf(stderr, "%s failed\n", command);
        exit(99);
    }
    if (line)
        snprintf(line, size, "%s", answer);
}
