#include "coverage.h"

#include <stdio.h>
#include <string.h>

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

const char *sim_coverage_line(struct sim_coverage *coverage, const char *line) {
    const char *said = saying(line);
    for (size_t i = 0; i < sim_decision_count; i++) {
        const struct sim_decision *decision = &sim_decisions[i];
        if (said[0] != decision->first[0] || strncmp(said, decision->first, strlen(decision->first)) != 0)
            continue;
        if (decision->more[0] != '\0' && !strstr(said, decision->more))
            continue;
        coverage->seen[i]++;
        return decision->nodes == SIM_NEVER_SEEN ? decision->words : NULL;
    }
    return NULL;
}

void sim_coverage_add(struct sim_coverage *sum, const struct sim_coverage *more) {
    sum->worlds += more->worlds;
    for (size_t i = 0; i < sim_decision_count; i++)
        sum->seen[i] += more->seen[i];
}

bool sim_coverage_report(const struct sim_coverage *coverage, uint32_t nodes, bool strict, bool print) {
    bool good = true;
    if (print)
        printf("decisions, looked at in %llu seeds:\n", (unsigned long long)coverage->worlds);
    for (size_t i = 0; i < sim_decision_count; i++) {
        const struct sim_decision *decision = &sim_decisions[i];
        unsigned long long seen = coverage->seen[i];
        bool never = decision->nodes == SIM_NEVER_SEEN;
        if (print)
            printf("%14llu %s\n", seen, decision->words);
        if (never ? seen > 0 : strict && seen == 0 && decision->nodes > 0 && nodes >= decision->nodes) {
            printf("%s: %s\n", never ? "WRONG" : "MISSING", decision->words);
            good = false;
        }
    }
    return good;
}
