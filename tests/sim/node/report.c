/** What happened in all seeds together. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>

/** Fewer seeds than this need not have met every kind of fault. */
#define SEEDS_FOR_TOTALS 100
#define LEADER_CHANGES_MIN 2

void sim_report_add(struct sim_report *report, const struct sim_result *result) {
    report->seeds++;
    report->virtual_us += result->virtual_us;
    if (result->recovery_us > report->recovery_us_max)
        report->recovery_us_max = result->recovery_us;
    report->changes =
        sim_grown(report->changes, &report->change_capacity, report->change_count + 1, sizeof *report->changes);
    report->changes[report->change_count++] = result->totals.leader_changes;
#define ADD(name, words, required) report->totals.name += result->totals.name;
    SIM_TOTALS(ADD)
#undef ADD
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool required(int requirement, uint32_t nodes) { return requirement > 0 && nodes >= (uint32_t)requirement; }

bool sim_report_print(const struct sim_run_options *options, struct sim_report *report, double seconds) {
    bool missing = false;
#define PRINT(name, words, requirement)                                                                                \
    if (!options->quiet)                                                                                               \
        printf("%14llu %s\n", (unsigned long long)report->totals.name, words);                                         \
    if (report->totals.name == 0 && required(requirement, options->nodes) && report->seeds >= SEEDS_FOR_TOTALS) {      \
        printf("MISSING: no %s in %llu seeds\n", words, (unsigned long long)report->seeds);                            \
        missing = true;                                                                                                \
    }
    SIM_TOTALS(PRINT)
#undef PRINT
    uint64_t median = 0;
    if (report->change_count > 0) {
        qsort(report->changes, report->change_count, sizeof *report->changes, by_value);
        median = report->changes[report->change_count / 2];
    }
    free(report->changes);
    double virtual_seconds = (double)report->virtual_us / 1e6;
    printf("nodes=%u seeds=%llu clean: %.0f virtual seconds in %.1f s (%.0f per second); leader changes in the median "
           "seed: %llu; slowest recovery: %.0f ms\n",
           options->nodes, (unsigned long long)report->seeds, virtual_seconds, seconds,
           seconds > 0 ? virtual_seconds / seconds : 0, (unsigned long long)median,
           (double)report->recovery_us_max / 1000);
    if (median < LEADER_CHANGES_MIN)
        printf("FAILED: fewer than %d leader changes in the median seed\n", LEADER_CHANGES_MIN);
    return !missing && median >= LEADER_CHANGES_MIN;
}
