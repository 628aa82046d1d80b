/** Running seeds: in processes of their own, so that a check that aborts is a failed seed and no more. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "../coverage.h"
#include "sim.h"

#include <stdio.h>

struct sim_run_options {
    struct sim_options world; /**< but for its seed */
    uint32_t jobs;
    uint64_t first, count;
    uint32_t minutes; /**< 0: until all seeds are through */
    bool quiet;
    bool twice;      /**< every seed again, with and without trace, and compare */
    bool keep_going; /**< name all seeds that fail */
    bool trace;      /**< one seed: print its decision lines */
    bool no_shrink;  /**< do not look for a smaller world that fails too */
};

/** What one seed came to. */
struct sim_result {
    uint64_t seed;
    bool failed;
    char reason[512];
    uint64_t virtual_us, recovery_us;
    uint64_t fingerprint, trace_hash;
    uint32_t faults_on, faults_met;
    struct sim_totals totals;
    struct sim_liveness liveness;
    struct sim_coverage coverage;
};

/** Returns the exit code: 0 clean, 1 a check failed. */
int sim_run(const struct sim_run_options *options);
/** One seed in this process; does not return when a check fails. */
void sim_run_seed(const struct sim_options *options, bool keep_trace, struct sim_result *result);
/** The seed again in a process of its own with its trace; prints why it failed and its last lines. */
void sim_run_explain(const struct sim_options *options, const char *reason);
/** The command that repeats this world. */
void sim_run_print_command(FILE *to, const struct sim_options *options);

struct sim_report;
/** Runs the seeds in processes. Returns how many failed; stops at the first unless keep_going, with *failure. */
uint64_t sim_run_jobs(const struct sim_run_options *options, struct sim_report *report, struct sim_result *failure);

/* shrink.c */
/** Looks for a smaller world (fewer nodes, seconds, clients, kinds of faults) that fails in the same way, and prints
 * the command that repeats it. */
void sim_shrink(const struct sim_run_options *options, const struct sim_result *failure);

/* report.c */
struct sim_report {
    struct sim_totals totals;
    uint64_t seeds, virtual_us, recovery_us_max;
    uint64_t seeds_on[SIM_FAULT_KINDS], seeds_met[SIM_FAULT_KINDS]; /**< with a kind of fault on; where it happened */
    uint64_t led[SIM_LEADER_BINS];                                  /**< groups, by the time to their leader */
    uint32_t led_ms_max;
    struct sim_coverage coverage;
    uint64_t *changes; /**< leader changes by seed */
    size_t change_count, change_capacity;
};
void sim_report_add(struct sim_report *report, const struct sim_result *result);
/** Prints. Returns whether the run is good enough: nothing that must happen never did, leaders changed. */
bool sim_report_print(const struct sim_run_options *options, struct sim_report *report, double seconds,
                      double cpu_seconds);
void sim_report_deinit(struct sim_report *report);

#endif
