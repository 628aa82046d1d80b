/** What happened in all seeds together. */
#include "run.h"

#include <stdio.h>

typedef unsigned long long ull;

/** Fewer seeds than this need not have met every kind of fault. */
#define SEEDS_FOR_TOTALS 100
#define WORLDS_FOR_DECISIONS 30
#define LEADER_CHANGES_MIN 2
/** After the faults: an acknowledgement within 4 of the longest election timeouts, but for one seed in a thousand. */
#define MOSTLY_MS (4 * 300)

static const char *const fault_words[SIM_FAULT_KINDS] = {
#define WORDS(name, words, weight) words,
    SIM_FAULTS(WORDS)
#undef WORDS
};

void sim_report_add(struct sim_report *report, const struct sim_result *result) {
    report->seeds++;
    report->virtual_us += result->virtual_us;
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++) {
        report->seeds_on[kind] += result->faults_on >> kind & 1;
        report->seeds_met[kind] += result->faults_met >> kind & 1;
    }
    uint64_t bin = result->recovery_us / 1000 / SIM_RECOVERY_BIN_MS;
    report->recovered[bin < SIM_RECOVERY_BINS ? bin : SIM_RECOVERY_BINS - 1]++;
    if (result->recovery_us > report->recovery_us_max)
        report->recovery_us_max = result->recovery_us;
    if (result->acknowledged_us > report->acknowledged_us_max)
        report->acknowledged_us_max = result->acknowledged_us;
    uint64_t changes = result->totals.elections > 0 ? result->totals.elections - 1 : 0;
    report->changes[changes < 64 ? changes : 63]++;
    sim_coverage_add(&report->coverage, &result->coverage);
#define ADD(name, words) report->totals.name += result->totals.name;
    SIM_TOTALS(ADD)
#undef ADD
}

static bool print_totals(const struct sim_report *report, bool strict, bool print) {
    bool good = true;
#define PRINT(name, words)                                                                                             \
    if (print)                                                                                                         \
        printf("%14llu %s\n", (ull)report->totals.name, words);                                                        \
    if (strict && report->totals.name == 0) {                                                                          \
        printf("MISSING: no %s in %llu seeds\n", words, (ull)report->seeds);                                           \
        good = false;                                                                                                  \
    }
    SIM_TOTALS(PRINT)
#undef PRINT
    return good;
}

static bool print_kinds(const struct sim_report *report, bool strict, bool print) {
    bool good = true;
    if (print)
        printf("kinds of faults: seeds that may have it; where it had a moment of its own\n");
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++) {
        if (print)
            printf("%14llu %7llu %s\n", (ull)report->seeds_on[kind], (ull)report->seeds_met[kind], fault_words[kind]);
        if (strict && (report->seeds_on[kind] == 0 || report->seeds_on[kind] == report->seeds)) {
            printf("MISSING: %s in %s of %llu seeds\n", fault_words[kind], report->seeds_on[kind] ? "all" : "none",
                   (ull)report->seeds);
            good = false;
        }
    }
    return good;
}

static uint64_t sum_to(const uint64_t *values, size_t count) {
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += values[i];
    return total;
}

static size_t place_of(const uint64_t *values, size_t count, uint32_t permille) {
    uint64_t all = sum_to(values, count);
    for (size_t i = 0; i < count; i++)
        if (sum_to(values, i + 1) * 1000 >= all * permille)
            return i;
    return 0;
}

static uint64_t within_ms(const struct sim_report *report, uint32_t permille) {
    return (place_of(report->recovered, SIM_RECOVERY_BINS, permille) + 1) * SIM_RECOVERY_BIN_MS;
}

static bool print_recovery(const struct sim_report *report, bool strict) {
    uint64_t late = report->seeds - sum_to(report->recovered, MOSTLY_MS / SIM_RECOVERY_BIN_MS);
    printf(
        "after the faults a leader and a commit: half within %llu ms, 99 %% within %llu, 99.9 %% within %llu, the last "
        "after %.0f; %llu later than %u ms; a new proposal acknowledged within %.0f ms\n",
        (ull)within_ms(report, 500), (ull)within_ms(report, 990), (ull)within_ms(report, 999),
        (double)report->recovery_us_max / 1000, (ull)late, MOSTLY_MS, (double)report->acknowledged_us_max / 1000);
    if (!strict || late * 1000 <= report->seeds)
        return true;
    printf("FAILED: more than one seed in a thousand had no commit within %u ms\n", MOSTLY_MS);
    return false;
}

bool sim_report_print(const struct sim_run_options *options, const struct sim_report *report, double seconds,
                      double cpu_seconds) {
    uint32_t nodes = options->world.nodes;
    bool print = !options->quiet;
    bool strict = options->world.without == 0 && nodes >= 3 && report->seeds >= SEEDS_FOR_TOTALS;
    bool good = print_totals(report, strict, print);
    good &= print_kinds(report, strict, print);
    good &=
        sim_coverage_report(&report->coverage, nodes, strict && report->coverage.worlds >= WORLDS_FOR_DECISIONS, print);
    good &= print_recovery(report, strict);
    size_t changes = place_of(report->changes, 64, 500);
    printf(
        "nodes=%u seeds=%llu clean: %llu steps of cores in %.1f s (%.0f per second of one core); leader changes in the "
        "median seed: %zu\n",
        nodes, (ull)report->seeds, (ull)report->totals.steps, seconds,
        cpu_seconds > 0 ? (double)report->totals.steps / cpu_seconds : 0, changes);
    if (strict && changes < LEADER_CHANGES_MIN) {
        printf("FAILED: fewer than %d leader changes in the median seed\n", LEADER_CHANGES_MIN);
        good = false;
    }
    return good;
}
