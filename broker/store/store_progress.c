#include "store_tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void say(const struct store_tool *tool, const char *format, va_list args) {
    fprintf(stderr, "logflumed %s: ", tool->wish->command ? tool->wish->command : "store");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void store_progress(struct store_tool *tool, const char *format, ...) {
    uint64_t now = now_ms();
    if (tool->said_ms == 0)
        tool->said_ms = now;
    if (tool->wish->quiet || now - tool->said_ms < 1000)
        return;
    tool->said_ms = now;
    va_list args;
    va_start(args, format);
    say(tool, format, args);
    va_end(args);
}

void store_say(const struct store_tool *tool, const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(tool, format, args);
    va_end(args);
}
