/** Running programs under the disk shim, and cutting the power. Paths come from the build (shim_run.c). */
#ifndef SHIM_RUN_H
#define SHIM_RUN_H

#include <stdint.h>
#include <sys/types.h>

/** Starts `arguments` (NULL-terminated) under the shim, watching root, noting in state; fail: rules, or NULL.
 *  Its standard output goes to output_fd, unless -1. */
pid_t shim_start(char *const *arguments, const char *root, const char *state, const char *fail, int output_fd);
/** Plays the power cut; the line that disk_cut prints goes to `line` (size bytes), unless NULL. Fails the program when
 *  disk_cut fails. */
void shim_cut(const char *state, uint64_t seed, char *line, size_t size);

#endif
