#include "coverage.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *words, *first, *more;
    size_t first_bytes;
    uint32_t nodes;
} decisions[SIM_DECISION_COUNT] = {
#define DECISION(name, words, first, more, nodes) {words, first, more, sizeof first - 1, nodes},
    SIM_DECISIONS(DECISION)
#undef DECISION
};

/** What the line says after who and where: words that are not key=value. */
static const char *saying(const char *line) {
    for (;;) {
        size_t word = strcspn(line, " ");
        const char *equals = memchr(line, '=', word);
        if (!equals || line[word] == '\0')
            return line;
        line += word + 1;
    }
}

void sim_coverage_line(struct sim_coverage *coverage, const char *line) {
    const char *said = saying(line);
    for (size_t i = 0; i < SIM_DECISION_COUNT; i++)
        if (strncmp(said, decisions[i].first, decisions[i].first_bytes) == 0 &&
            (decisions[i].more[0] == '\0' || strstr(said, decisions[i].more))) {
            coverage->seen[i]++;
            return;
        }
}

void sim_coverage_add(struct sim_coverage *sum, const struct sim_coverage *more) {
    sum->worlds += more->worlds;
    for (size_t i = 0; i < SIM_DECISION_COUNT; i++)
        sum->seen[i] += more->seen[i];
}

bool sim_coverage_report(const struct sim_coverage *coverage, uint32_t nodes, bool strict, bool print) {
    bool good = true;
    if (print)
        printf("decisions, looked at in %llu seeds:\n", (unsigned long long)coverage->worlds);
    for (size_t i = 0; i < SIM_DECISION_COUNT; i++) {
        unsigned long long seen = coverage->seen[i];
        bool never = decisions[i].nodes == SIM_NEVER_SEEN;
        if (print)
            printf("%14llu %s\n", seen, decisions[i].words);
        if (never ? seen > 0 : strict && seen == 0 && decisions[i].nodes > 0 && nodes >= decisions[i].nodes) {
            printf("%s: %s\n", never ? "WRONG" : "MISSING", decisions[i].words);
            good = false;
        }
    }
    return good;
}
