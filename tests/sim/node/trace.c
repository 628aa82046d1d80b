/** Decision lines of nodes, clients and the world: the last ones are kept, all are summed up. */
#include "../coverage.h"
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_KEPT 400
#define LINE_BYTES 256

struct sim_trace {
    bool print;
    uint64_t count;
    uint64_t hash;
    char lines[LINES_KEPT][LINE_BYTES];
};

void (*sim_on_failure)(struct sim_world *world, const char *reason);

struct sim_trace *sim_trace_new(bool print) {
    struct sim_trace *trace = sim_alloc(1, sizeof *trace);
    trace->print = print;
    trace->hash = 0xcbf29ce484222325u;
    return trace;
}

uint64_t sim_trace_hash(const struct sim_trace *trace) { return trace->hash; }

void sim_trace_print_tail(const struct sim_trace *trace) {
    uint64_t kept = trace->count < LINES_KEPT ? trace->count : LINES_KEPT;
    for (uint64_t i = trace->count - kept; !trace->print && i < trace->count; i++)
        fprintf(stderr, "%s\n", trace->lines[i % LINES_KEPT]);
}

void sim_trace_line(struct sim_world *world, const char *text) {
    struct sim_trace *trace = world->trace;
    const char *never = world->coverage ? sim_coverage_line(world->coverage, text) : NULL;
    if (never)
        sim_fail(world, "%s: %s", never, text);
    if (!trace)
        return;
    char *line = trace->lines[trace->count++ % LINES_KEPT];
    snprintf(line, LINE_BYTES, "%5llu.%06llu %s", (unsigned long long)(world->now / SIM_SECOND),
             (unsigned long long)(world->now % SIM_SECOND), text);
    for (const char *at = line; *at; at++) /* FNV-1a */
        trace->hash = (trace->hash ^ (uint8_t)*at) * 0x100000001b3u;
    if (trace->print)
        puts(line);
}

void sim_tracef(struct sim_world *world, const char *format, ...) {
    if (!world->trace && !world->coverage)
        return;
    char text[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sim_trace_line(world, text);
}

void sim_fail(struct sim_world *world, const char *format, ...) {
    char reason[512];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    if (sim_on_failure)
        sim_on_failure(world, reason);
    fflush(stdout);
    _Exit(1);
}
