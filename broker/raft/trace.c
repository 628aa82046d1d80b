#include "raft_internal.h"

#include <stdarg.h>
#include <stdio.h>

/** Longest decision line in bytes, NUL included. */
#define LINE_BYTES 256

void raft_tracef(const struct raft *raft, const char *format, ...) {
    char line[LINE_BYTES];
    int used = snprintf(line, sizeof line, "term=%llu ", raft_u(raft->term));
    va_list args;
    va_start(args, format);
    vsnprintf(line + used, sizeof line - (size_t)used, format, args);
    va_end(args);
    raft->trace(raft->trace_context, line);
}
