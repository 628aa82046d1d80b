/** Running seeds: in processes of their own, so that a check that aborts is a failed seed and no more. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "../coverage.h"
#include "sim.h"

#define SIM_RECOVERY_BIN_MS 20
#define SIM_RECOVERY_BINS 128

struct sim_run_options {
    struct sim_options world; /**< but for its seed */
    uint64_t first, count;
    uint64_t steps;   /**< 0: all seeds; else until so many steps of cores were taken */
    uint32_t minutes; /**< 0: all seeds */
    uint32_t jobs;
    bool quiet, keep_going, no_shrink;
    const char *script; /**< where the shrunk scenario goes; NULL: printed */
};

/** What one seed came to. */
struct sim_result {
    uint64_t seed;
    bool failed;
    char reason[512];
    uint32_t faults_on, faults_met;
    uint64_t recovery_us;     /**< the longest without a commit, from the end of the faults to ... */
    uint64_t acknowledged_us; /**< the first acknowledgement of a proposal made after it */
    uint64_t virtual_us;
    struct sim_totals totals;
    struct sim_coverage coverage;
};

struct sim_report {
    uint64_t seeds, virtual_us;
    struct sim_totals totals;
    uint64_t seeds_on[SIM_FAULT_KINDS], seeds_met[SIM_FAULT_KINDS];
    uint64_t recovered[SIM_RECOVERY_BINS]; /**< seeds, by that longest time; the last: later */
    uint64_t recovery_us_max, acknowledged_us_max;
    uint64_t changes[64]; /**< seeds, by changes of leaders; the last: more */
    struct sim_coverage coverage;
};

/** Returns the exit code: 0 clean, 1 a check failed. */
int sim_run(const struct sim_run_options *options);
/** One seed with its decision lines. */
int sim_run_traced(const struct sim_options *options);
/** One seed in this process; does not return when a check fails. recording: NULL, or where operations are noted. */
void sim_run_seed(const struct sim_options *options, struct sim_recording *recording, struct sim_result *result);

/* report.c */
void sim_report_add(struct sim_report *report, const struct sim_result *result);
bool sim_report_print(const struct sim_run_options *options, const struct sim_report *report, double seconds,
                      double cpu_seconds);

/* shrink.c */
/** Finds few operations that end in the same failure and writes them as a scenario. */
void sim_shrink(const struct sim_run_options *options, const struct sim_result *failure);

#endif
