/** What the simulator's functions say and decide through, in a scenario: a trace per command, failures by file and
 * line, no chance at all. */
#include "script.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void say(struct script *script, const char *format, va_list args) {
    char line[512];
    vsnprintf(line, sizeof line, format, args);
    if (script->options.show)
        printf("    %s\n", line);
    if (!script->silent)
        fprintf(script->trace, "%s\n", line);
}

void script_say(struct script *script, bool detail, const char *format, ...) {
    va_list args;
    if (detail && script->brief)
        return;
    va_start(args, format);
    say(script, format, args);
    va_end(args);
}

void sim_trace(const struct sim_world *world, const char *format, ...) {
    va_list args;
    va_start(args, format);
    say(script_of(world), format, args);
    va_end(args);
}

void sim_fail(const struct sim_world *world, const char *format, ...) {
    char words[512];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    script_failed(script_of(world), "%s", words);
}

/** Election timeouts need a seed; otherwise nothing is drawn. */
uint64_t sim_random(struct sim_world *world) {
    uint64_t z = world->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    return z ^ z >> 31;
}

uint64_t sim_between(struct sim_world *world, uint64_t low, uint64_t high) {
    (void)world;
    (void)high;
    return low;
}

bool sim_chance(struct sim_world *world, uint32_t permille) {
    (void)world;
    (void)permille;
    return false;
}

void *sim_grown(void *items, size_t *capacity, size_t wanted, size_t item_bytes) {
    if (wanted <= *capacity)
        return items;
    size_t doubled = *capacity * 2 > wanted ? *capacity * 2 : wanted + 16;
    void *grown = realloc(items, doubled * item_bytes);
    if (!grown)
        exit(2);
    memset((char *)grown + *capacity * item_bytes, 0, (doubled - *capacity) * item_bytes);
    *capacity = doubled;
    return grown;
}
