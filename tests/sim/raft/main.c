/** raft_sim --nodes N (--seeds N [--first N] | --seed N [--trace]) [--outcomes-only]
 *
 *  Runs worlds of consensus cores and says what happened in them. Exit: 0 clean, 1 a check failed (the seed is
 * printed), 2 usage.
 */
#include "sim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/** Fewer seeds than this need not have met every kind of fault. */
#define SEEDS_FOR_TOTALS 100

static struct sim_options current;

/** A check inside the core aborts: say which world it was. */
static void on_abort(int number) {
    char line[160];
    int used =
        snprintf(line, sizeof line,
                 "FAILED seed=%llu nodes=%u: a check in the core\nrepeat with: raft_sim --nodes %u --seed %llu "
                 "--trace\n",
                 (unsigned long long)current.seed, current.nodes, current.nodes, (unsigned long long)current.seed);
    (void)!write(STDERR_FILENO, line, (size_t)used);
    (void)number;
    _exit(1);
}

static void usage(void) {
    fprintf(stderr,
            "usage: raft_sim --nodes 1..7 (--seeds COUNT [--first SEED] | --seed SEED [--trace]) [--outcomes-only]\n");
    exit(2);
}

static uint64_t number(const char *text) {
    char *end;
    if (!text)
        usage();
    unsigned long long value = strtoull(text, &end, 10);
    if (*text == '\0' || *end != '\0')
        usage();
    return value;
}

static void add_totals(struct sim_totals *sum, const struct sim_totals *more) {
#define ADD(name, words) sum->name += more->name;
    SIM_TOTALS(ADD)
#undef ADD
}

/** Returns whether one of them is 0. */
static bool print_totals(const struct sim_totals *totals) {
    bool missing = false;
#define PRINT(name, words)                                                                                             \
    printf("%12llu %s\n", (unsigned long long)totals->name, words);                                                    \
    missing |= totals->name == 0;
    SIM_TOTALS(PRINT)
#undef PRINT
    return missing;
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static struct sim_totals run(uint64_t *recovery_us) {
    struct sim_world *world = malloc(sizeof *world);
    if (!world)
        exit(2);
    sim_world_init(world, &current);
    sim_world_run(world);
    struct sim_totals totals = world->totals;
    *recovery_us = world->first_ack_after_faults - world->faults_end;
    sim_world_deinit(world);
    free(world);
    return totals;
}

int main(int argc, char **argv) {
    uint64_t seeds = 0, first = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            current.trace = true;
        else if (strcmp(argv[i], "--outcomes-only") == 0)
            current.outcomes_only = true;
        else if (strcmp(argv[i], "--nodes") == 0)
            current.nodes = (uint32_t)number(argv[++i]);
        else if (strcmp(argv[i], "--seeds") == 0)
            seeds = number(argv[++i]);
        else if (strcmp(argv[i], "--first") == 0)
            first = number(argv[++i]);
        else if (strcmp(argv[i], "--seed") == 0 && seeds == 0)
            first = number(argv[++i]), seeds = 1;
        else
            usage();
    }
    if (seeds == 0 || current.nodes < 1 || current.nodes > SIM_HOSTS_MAX)
        usage();
    signal(SIGABRT, on_abort);

    struct sim_totals sum = {0};
    uint64_t *elections = malloc(seeds * sizeof *elections), slowest = 0;
    if (!elections)
        return 2;
    clock_t began = clock();
    for (uint64_t i = 0; i < seeds; i++) {
        uint64_t recovery;
        current.seed = first + i;
        struct sim_totals totals = run(&recovery);
        elections[i] = totals.elections;
        slowest = recovery > slowest ? recovery : slowest;
        add_totals(&sum, &totals);
    }
    qsort(elections, seeds, sizeof *elections, by_value);
    uint64_t changes = elections[seeds / 2] > 0 ? elections[seeds / 2] - 1 : 0;
    free(elections);
    bool missing = print_totals(&sum);
    printf("%12llu leader changes in the median seed\n%12.1f ms to recover in the slowest seed\n",
           (unsigned long long)changes, (double)slowest / 1000.0);
    printf("nodes=%u seeds=%llu clean, %.1f s\n", current.nodes, (unsigned long long)seeds,
           (double)(clock() - began) / CLOCKS_PER_SEC);
    if (current.nodes >= 3 && seeds >= SEEDS_FOR_TOTALS && (missing || changes < 2)) {
        fprintf(stderr, "FAILED: a kind of fault never happened, or leaders hardly changed\n");
        return 1;
    }
    return 0;
}
