#include "run.h"

#include "record.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64
/** Of so many seeds one is looked at for the decisions it shows; writing the lines takes time. */
#define COVERAGE_EVERY 8

static struct sim_result current; /**< of the seed under way in this process */
static int result_pipe = -1;

/* ---- one seed ---------------------------------------------------------------------------------------------------- */

static void note_decision(struct sim_world *world, const char *line) {
    const char *never = sim_coverage_line(world->coverage, line);
    if (never)
        sim_fail(world, "%s: %s", never, line);
}

static void note_op(struct sim_world *world, const struct sim_op *op) {
    struct sim_recording *recording = world->recording;
    recording->ops = sim_grown(recording->ops, &recording->capacity, recording->count + 1, sizeof *recording->ops);
    recording->ops[recording->count++] = *op;
}

void sim_run_seed(const struct sim_options *options, struct sim_recording *recording, struct sim_result *result) {
    struct sim_world *world = malloc(sizeof *world);
    if (!world)
        exit(2);
    sim_world_init(world, options);
    if (recording) {
        world->recording = recording;
        world->on_op = note_op;
    }
    if (options->seed % COVERAGE_EVERY == 0) {
        result->coverage.worlds = 1;
        world->coverage = &result->coverage;
        world->on_decision = note_decision;
    }
    sim_world_run(world);
    result->faults_on = world->faults_on;
    result->faults_met = world->faults_met;
    result->recovery_us = world->longest_gap_us;
    result->acknowledged_us = world->first_ack_after_faults - world->faults_end;
    result->virtual_us = world->now;
    result->totals = world->totals;
    sim_world_deinit(world);
    free(world);
}

static void print_failure(const struct sim_world *world, const char *reason) {
    fprintf(stderr, "FAILED seed=%llu nodes=%u at %.3f ms: %s\n", (unsigned long long)world->options.seed,
            sim_configuration(world, 1)->voter_count, (double)world->now / 1000.0, reason);
}

int sim_run_traced(const struct sim_options *options) {
    struct sim_result result = {0};
    struct sim_options traced = *options;
    traced.trace = true;
    sim_on_failure = print_failure;
    sim_run_seed(&traced, NULL, &result);
    printf("seed=%llu clean\n", (unsigned long long)options->seed);
    return 0;
}

/* ---- in a worker ------------------------------------------------------------------------------------------------- */

static void tell(void) {
    _Static_assert(sizeof current <= 4096, "one write to a pipe is whole");
    if (write(result_pipe, &current, sizeof current) != (ssize_t)sizeof current)
        _exit(2);
}

static void on_failure(const struct sim_world *world, const char *reason) {
    (void)world;
    current.failed = true;
    snprintf(current.reason, sizeof current.reason, "%s", reason);
    tell();
}

static void on_abort(int number) {
    (void)number;
    on_failure(NULL, "a check inside the core (see --trace)");
    _exit(1);
}

static void work(const struct sim_run_options *options, uint64_t first) {
    struct timespec now, began;
    uint64_t steps = 0;
    clock_gettime(CLOCK_MONOTONIC, &began);
    sim_on_failure = on_failure;
    signal(SIGABRT, on_abort);
    for (uint64_t seed = first; seed < options->first + options->count; seed += options->jobs) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        if ((options->minutes > 0 && now.tv_sec - began.tv_sec >= 60 * (time_t)options->minutes) ||
            (options->steps > 0 && steps >= options->steps / options->jobs))
            break;
        current = (struct sim_result){.seed = seed};
        struct sim_options world = options->world;
        world.seed = seed;
        sim_run_seed(&world, NULL, &current);
        steps += current.totals.steps;
        tell();
    }
    exit(0);
}

/* ---- in the parent ----------------------------------------------------------------------------------------------- */

struct job {
    pid_t process;
    int from;
    uint64_t seed; /**< it is at */
    bool told;
};

static void start(const struct sim_run_options *options, struct job *job, uint64_t first) {
    int ends[2];
    fflush(stdout);
    if (pipe(ends) != 0)
        exit(2);
    *job = (struct job){.process = fork(), .from = ends[0], .seed = first};
    if (job->process == 0) {
        close(ends[0]);
        result_pipe = ends[1];
        work(options, first);
    }
    close(ends[1]);
    if (job->process < 0)
        exit(2);
}

/** Hears one result, or the end of the job. Returns whether it goes on. */
static bool hear(const struct sim_run_options *options, struct job *job, struct sim_result *result) {
    if (read(job->from, result, sizeof *result) == (ssize_t)sizeof *result) {
        job->told |= result->failed;
        job->seed = result->seed + options->jobs;
        return true;
    }
    int status = 0;
    close(job->from);
    waitpid(job->process, &status, 0);
    job->process = 0;
    *result = (struct sim_result){.seed = job->seed};
    if (status != 0 && !job->told) {
        result->failed = true;
        snprintf(result->reason, sizeof result->reason, "its process ended with status %x", (unsigned)status);
        job->seed += options->jobs;
    }
    return false;
}

static void stop_all(struct job *jobs, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (jobs[i].process > 0) {
            kill(jobs[i].process, SIGKILL);
            waitpid(jobs[i].process, NULL, 0);
            close(jobs[i].from);
        }
}

/** Returns how many failed; *failure is the last of them. */
static uint64_t run_jobs(const struct sim_run_options *options, struct sim_report *report, struct sim_result *failure) {
    struct job jobs[JOBS_MAX] = {0};
    struct pollfd polls[JOBS_MAX];
    uint64_t failures = 0;
    uint32_t alive = options->jobs;
    for (uint32_t i = 0; i < options->jobs; i++)
        start(options, &jobs[i], options->first + i);
    while (alive > 0) {
        for (uint32_t i = 0; i < options->jobs; i++)
            polls[i] = (struct pollfd){.fd = jobs[i].process > 0 ? jobs[i].from : -1, .events = POLLIN};
        if (poll(polls, options->jobs, -1) < 0)
            continue;
        for (uint32_t i = 0; i < options->jobs; i++) {
            struct sim_result result;
            if (polls[i].revents == 0)
                continue;
            bool goes_on = hear(options, &jobs[i], &result);
            if (result.failed) {
                failures++;
                *failure = result;
                fprintf(stderr, "FAILED seed=%llu nodes=%u: %s\n", (unsigned long long)result.seed,
                        options->world.nodes, result.reason);
            } else if (goes_on) {
                sim_report_add(report, &result);
            }
            if (failures > 0 && !options->keep_going) {
                stop_all(jobs, options->jobs);
                return failures;
            }
            if (!goes_on && jobs[i].told && jobs[i].seed < options->first + options->count)
                start(options, &jobs[i], jobs[i].seed);
            else if (!goes_on)
                alive--;
        }
    }
    return failures;
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_CHILDREN, &usage) != 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int sim_run(const struct sim_run_options *given) {
    struct sim_run_options options = *given;
    struct sim_report report = {0};
    struct sim_result failure = {0};
    double began = seconds_now();
    if (options.jobs > options.count)
        options.jobs = (uint32_t)options.count;
    uint64_t failures = run_jobs(&options, &report, &failure);
    if (failures == 0)
        return sim_report_print(&options, &report, seconds_now() - began, cpu_seconds()) ? 0 : 1;
    fprintf(stderr, "FAILED: %llu of %llu seeds with %u nodes\nrepeat with: raft_sim --nodes %u --seed %llu --trace\n",
            (unsigned long long)failures, (unsigned long long)(report.seeds + failures), options.world.nodes,
            options.world.nodes, (unsigned long long)failure.seed);
    if (!options.no_shrink && !options.keep_going)
        sim_shrink(&options, &failure);
    return 1;
}
