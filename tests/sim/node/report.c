/** What happened in all seeds together. */
#include "run.h"

#include <stdlib.h>

typedef unsigned long long ull;

/** Fewer seeds than this need not have met every kind of fault. */
#define SEEDS_FOR_TOTALS 100
#define WORLDS_FOR_DECISIONS 50
#define LEADER_CHANGES_MIN 2

static const char *const fault_words[SIM_FAULT_KINDS] = {
#define WORDS(name, words, weight, nodes) words,
    SIM_FAULTS(WORDS)
#undef WORDS
};
static const uint32_t fault_nodes[SIM_FAULT_KINDS] = {
#define NODES(name, words, weight, nodes) nodes,
    SIM_FAULTS(NODES)
#undef NODES
};

void sim_report_add(struct sim_report *report, const struct sim_result *result) {
    report->seeds++;
    report->virtual_us += result->virtual_us;
    if (result->recovery_us > report->recovery_us_max)
        report->recovery_us_max = result->recovery_us;
    report->changes =
        sim_grown(report->changes, &report->change_capacity, report->change_count + 1, sizeof *report->changes);
    report->changes[report->change_count++] = result->totals.leader_changes;
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++) {
        report->seeds_on[kind] += result->faults_on >> kind & 1;
        report->seeds_met[kind] += result->faults_met >> kind & 1;
    }
    for (size_t i = 0; i < SIM_LEADER_BINS; i++)
        report->led[i] += result->liveness.bins[i];
    if (result->liveness.worst_ms > report->led_ms_max)
        report->led_ms_max = result->liveness.worst_ms;
    sim_coverage_add(&report->coverage, &result->coverage);
#define ADD(name, words, required) report->totals.name += result->totals.name;
    SIM_TOTALS(ADD)
#undef ADD
}

void sim_report_deinit(struct sim_report *report) {
    free(report->changes);
    report->changes = NULL;
}

static bool required(int requirement, uint32_t nodes) { return requirement > 0 && nodes >= (uint32_t)requirement; }

static bool print_totals(const struct sim_report *report, uint32_t nodes, bool strict, bool print) {
    bool good = true;
#define PRINT(name, words, requirement)                                                                                \
    if (print)                                                                                                         \
        printf("%14llu %s\n", (ull)report->totals.name, words);                                                        \
    if (report->totals.name == 0 && strict && required(requirement, nodes)) {                                          \
        printf("MISSING: no %s in %llu seeds\n", words, (ull)report->seeds);                                           \
        good = false;                                                                                                  \
    }
    SIM_TOTALS(PRINT)
#undef PRINT
    return good;
}

/** Which part of all seeds had each kind of fault. */
static bool print_kinds(const struct sim_report *report, uint32_t nodes, bool strict, bool print) {
    bool good = true;
    if (print)
        printf(
            "kinds of faults: seeds that may have it; where it happened (those of links and disks happen all along)\n");
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++) {
        if (nodes < fault_nodes[kind])
            continue;
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

static uint64_t sum(const uint64_t *values, size_t count) {
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += values[i];
    return total;
}

/** The time by which so many of a thousand groups had their leader, rounded up to a bin. */
static uint64_t led_within_ms(const struct sim_report *report, uint32_t permille) {
    uint64_t all = sum(report->led, SIM_LEADER_BINS), seen = 0;
    for (size_t i = 0; i < SIM_LEADER_BINS; i++) {
        seen += report->led[i];
        if (seen * 1000 >= all * permille)
            return (i + 1) * SIM_LEADER_BIN_MS;
    }
    return 0;
}

/** Liveness over all seeds. */
static bool print_leaders(const struct sim_report *report, bool strict) {
    uint64_t all = sum(report->led, SIM_LEADER_BINS);
    uint64_t late = all - sum(report->led, SIM_LEADER_MS_MOSTLY / SIM_LEADER_BIN_MS);
    printf("after the faults %llu groups had a leader and a commit: half within %llu ms, 99 %% within %llu, 99.9 %% "
           "within "
           "%llu, the last after %u; %llu later than %u ms\n",
           (ull)all, (ull)led_within_ms(report, 500), (ull)led_within_ms(report, 990), (ull)led_within_ms(report, 999),
           report->led_ms_max, (ull)late, SIM_LEADER_MS_MOSTLY);
    if (!strict || late * 1000 <= all * SIM_LEADER_LATE_PERMILLE)
        return true;
    printf("FAILED: more than %u of a thousand groups had no leader within %u ms\n", SIM_LEADER_LATE_PERMILLE,
           SIM_LEADER_MS_MOSTLY);
    return false;
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t median_changes(struct sim_report *report) {
    if (report->change_count == 0)
        return 0;
    qsort(report->changes, report->change_count, sizeof *report->changes, by_value);
    return report->changes[report->change_count / 2];
}

bool sim_report_print(const struct sim_run_options *options, struct sim_report *report, double seconds,
                      double cpu_seconds) {
    uint32_t nodes = options->world.nodes;
    bool storm = options->world.profile == SIM_PROFILE_STORM, print = !options->quiet;
    bool strict = storm && options->world.without == 0 && report->seeds >= SEEDS_FOR_TOTALS;
    bool good = print_totals(report, nodes, strict, print);
    good &= print_kinds(report, nodes, strict, print);
    good &=
        sim_coverage_report(&report->coverage, nodes, strict && report->coverage.worlds >= WORLDS_FOR_DECISIONS, print);
    good &= print_leaders(report, strict);
    uint64_t changes = median_changes(report);
    double virtual_seconds = (double)report->virtual_us / 1e6;
    printf("nodes=%u seeds=%llu clean: %.0f virtual seconds in %.1f s (%.0f per second, %.0f per second of one core), "
           "%.0f records published per virtual second; leader changes in the median seed: %llu; slowest recovery: %.0f "
           "ms\n",
           nodes, (ull)report->seeds, virtual_seconds, seconds, seconds > 0 ? virtual_seconds / seconds : 0,
           cpu_seconds > 0 ? virtual_seconds / cpu_seconds : 0,
           virtual_seconds > 0 ? (double)report->totals.publishes / virtual_seconds : 0, (ull)changes,
           (double)report->recovery_us_max / 1000);
    if (strict && changes < LEADER_CHANGES_MIN) {
        printf("FAILED: fewer than %d leader changes in the median seed\n", LEADER_CHANGES_MIN);
        good = false;
    }
    return good;
}
