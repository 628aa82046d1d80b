/** Running seeds: in processes of their own, so that a check that aborts is a failed seed and no more. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "sim.h"

struct sim_run_options {
    uint32_t nodes, seconds, jobs;
    uint64_t first, count;
    bool quiet;
    bool twice;      /**< every seed again, with and without trace, and compare */
    bool keep_going; /**< name all seeds that fail */
    bool trace;      /**< one seed: print its decision lines */
};

/** What one seed came to. */
struct sim_result {
    uint64_t seed;
    bool failed;
    char reason[512];
    uint64_t virtual_us, recovery_us;
    uint64_t fingerprint, trace_hash;
    struct sim_totals totals;
};

/** Returns the exit code: 0 clean, 1 a check failed. */
int sim_run(const struct sim_run_options *options);
/** One seed in this process; does not return when a check fails. */
void sim_run_seed(const struct sim_options *options, bool keep_trace, struct sim_result *result);
/** The seed again in a process of its own with its trace; prints why it failed and its last lines. */
void sim_run_explain(const struct sim_run_options *options, uint64_t seed, const char *reason);

/* report.c */
struct sim_report {
    struct sim_totals totals;
    uint64_t seeds, virtual_us, recovery_us_max;
    uint64_t *changes; /**< leader changes by seed */
    size_t change_count, change_capacity;
};
void sim_report_add(struct sim_report *report, const struct sim_result *result);
/** Prints. Returns whether the run is good enough: nothing that must happen never did, leaders changed. */
bool sim_report_print(const struct sim_run_options *options, struct sim_report *report, double seconds);

#endif
