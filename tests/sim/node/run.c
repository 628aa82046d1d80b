#include "run.h"

#include "profile.h"

#include <errno.h>
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
#define TIME_IS_OVER 3 /* exit code of a worker */
/** Of so many seeds one is looked at for the decisions it shows; writing the lines takes time. */
#define COVERAGE_EVERY 8

struct job {
    pid_t process;
    int from;           /**< its results */
    uint64_t next, end; /**< the seed it is at; seeds next, next + jobs, ... below end */
    bool told;          /**< why it ends */
};

static struct sim_result current; /**< of the seed under way in this process */
static int result_pipe = -1;
static double began; /**< in seconds: this run */

/* ---- in the worker ----------------------------------------------------------------------------------------------- */

static void tell(const struct sim_result *result) {
    _Static_assert(sizeof *result <= 4096, "one write to a pipe is whole");
    if (write(result_pipe, result, sizeof *result) != (ssize_t)sizeof *result)
        _exit(2);
}

static void on_failure_in_worker(struct sim_world *world, const char *reason) {
    (void)world;
    current.failed = true;
    snprintf(current.reason, sizeof current.reason, "%s", reason);
    tell(&current);
}

static bool is_looked_at(uint64_t seed) { return seed % COVERAGE_EVERY == 0; }

void sim_run_seed(const struct sim_options *options, bool keep_trace, struct sim_result *result) {
    struct sim_trace *trace = keep_trace ? sim_trace_new(options->print) : NULL;
    bool look = is_looked_at(options->seed);
    result->coverage.worlds = look;
    struct sim_world *world = sim_world_new(options, trace, look ? &result->coverage : NULL);
    sim_world_run(world);
    result->virtual_us = world->now;
    result->recovery_us = world->read_back_began - world->recovery_began;
    result->fingerprint = world->fingerprint;
    result->faults_on = world->faults_on;
    result->faults_met = world->faults_met;
    result->totals = world->totals;
    result->liveness = world->liveness;
    result->trace_hash = trace ? sim_trace_hash(trace) : 0;
    sim_world_destroy(&world);
    free(trace);
}

static void compare(const struct sim_options *options) {
    struct sim_result first = {0}, again = {0};
    sim_run_seed(options, true, &first);
    sim_run_seed(options, true, &again);
    if (first.trace_hash == again.trace_hash && first.fingerprint == again.fingerprint &&
        first.fingerprint == current.fingerprint)
        return;
    current.failed = true;
    snprintf(current.reason, sizeof current.reason, "the seed does not repeat itself: %llx %llx, traced %llx %llx",
             (unsigned long long)current.fingerprint, (unsigned long long)first.fingerprint,
             (unsigned long long)first.trace_hash, (unsigned long long)again.trace_hash);
    tell(&current);
    _exit(1);
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void work(const struct sim_run_options *options, const struct job *job) {
    double until = options->minutes > 0 ? began + 60.0 * options->minutes : 0;
    sim_on_failure = on_failure_in_worker;
    if (freopen("/dev/null", "w", stderr) == NULL) /* a failed seed is run again with all its words */
        _exit(2);
    for (uint64_t seed = job->next; seed < job->end; seed += options->jobs) {
        if (until > 0 && seconds_now() >= until)
            exit(TIME_IS_OVER);
        current = (struct sim_result){.seed = seed};
        struct sim_options world = options->world;
        world.seed = seed;
        sim_run_seed(&world, false, &current);
        if (options->twice)
            compare(&world);
        tell(&current);
    }
    exit(0);
}

/* ---- with words -------------------------------------------------------------------------------------------------- */

static struct sim_world *explained;

void sim_run_print_command(FILE *to, const struct sim_options *options) {
    fprintf(to, "sim --nodes %u --seed %llu --seconds %u", options->nodes, (unsigned long long)options->seed,
            options->seconds);
    if (options->profile != SIM_PROFILE_STORM)
        fprintf(to, " --profile %s", sim_profile_name(options->profile));
    if (options->publishers != SIM_PUBLISHERS)
        fprintf(to, " --publishers %u", options->publishers);
    if (options->subscribers != SIM_SUBSCRIBERS)
        fprintf(to, " --subscribers %u", options->subscribers);
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++)
        if (options->without >> kind & 1)
            fprintf(to, " --without %s", sim_fault_names[kind]);
    fputs(" --trace\n", to);
}

static void print_failure(struct sim_world *world, const char *reason) {
    if (world->trace)
        sim_trace_print_tail(world->trace);
    fflush(stdout);
    fprintf(stderr, "FAILED nodes=%u seed=%llu at %.6f s: %s\nfaults:", world->options.nodes,
            (unsigned long long)world->options.seed, (double)world->now / 1e6, reason);
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++)
        if (sim_fault_on(world, kind))
            fprintf(stderr, " %s", sim_fault_names[kind]);
    fputs("\nrepeat with: ", stderr);
    sim_run_print_command(stderr, &world->options);
}

static void print_death(void) {
    if (explained)
        print_failure(explained, "the program died in a check of its own (see above)");
    explained = NULL;
}

static void on_signal(int number) {
    print_death();
    signal(number, SIG_DFL);
    raise(number);
}

/** AddressSanitizer's, where it is linked. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void run_with_words(const struct sim_options *given, bool print) {
    sim_on_failure = print_failure;
    signal(SIGABRT, on_signal);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(print_death);
    else
        signal(SIGSEGV, on_signal);
    struct sim_options options = *given;
    options.print = print;
    struct sim_trace *trace = sim_trace_new(print);
    static struct sim_coverage coverage; /* what must never be seen ends it here, too */
    struct sim_world *world = explained = sim_world_new(&options, trace, is_looked_at(options.seed) ? &coverage : NULL);
    sim_world_run(world);
    explained = NULL;
    printf("seed=%llu clean: fingerprint %llx, trace %llx\n", (unsigned long long)options.seed,
           (unsigned long long)world->fingerprint, (unsigned long long)sim_trace_hash(trace));
    sim_world_destroy(&world);
    free(trace);
}

void sim_run_explain(const struct sim_options *options, const char *reason) {
    fflush(stdout);
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)options->seed, reason);
    pid_t process = fork();
    if (process == 0) {
        run_with_words(options, false);
        fprintf(stderr, "seed %llu did not fail again: it does not repeat itself\n", (unsigned long long)options->seed);
        _exit(0);
    }
    waitpid(process, NULL, 0);
}

/* ---- in the parent ----------------------------------------------------------------------------------------------- */

static void start(const struct sim_run_options *options, struct job *job) {
    int ends[2];
    job->told = false;
    if (pipe(ends) != 0)
        exit(2);
    fflush(stdout);
    job->process = fork();
    if (job->process == 0) {
        close(ends[0]);
        result_pipe = ends[1];
        work(options, job);
    }
    close(ends[1]);
    job->from = ends[0];
    if (job->process < 0)
        exit(2);
}

/** Returns false when the job is over. failure: set when a seed failed. */
static bool hear(const struct sim_run_options *options, struct job *job, struct sim_report *report,
                 struct sim_result *failure) {
    struct sim_result result;
    ssize_t got = read(job->from, &result, sizeof result);
    if (got < 0 && errno == EINTR)
        return true;
    if (got == (ssize_t)sizeof result) {
        job->told = result.failed;
        if (result.failed)
            *failure = result;
        else
            sim_report_add(report, &result);
        job->next = result.seed + options->jobs;
        return true;
    }
    int status = 0;
    close(job->from);
    waitpid(job->process, &status, 0);
    job->process = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == TIME_IS_OVER) {
        job->next = job->end;
    } else if (status != 0 && !job->told) {
        *failure = (struct sim_result){.failed = true, .seed = job->next};
        snprintf(failure->reason, sizeof failure->reason, "its process ended with %s %d",
                 WIFSIGNALED(status) ? "signal" : "code", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        if (job->next >= job->end) /* all seeds were clean: what the sanitizer says at the end */
            snprintf(failure->reason, sizeof failure->reason, "a worker ended badly after its last seed: leaks?");
        job->next += options->jobs;
    }
    return false;
}

static void stop_all(struct job *jobs, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (jobs[i].process > 0) {
            kill(jobs[i].process, SIGKILL);
            waitpid(jobs[i].process, NULL, 0);
            close(jobs[i].from);
            jobs[i].process = 0;
        }
}

uint64_t sim_run_jobs(const struct sim_run_options *given, struct sim_report *report, struct sim_result *failure) {
    struct sim_run_options options = *given;
    struct job jobs[JOBS_MAX] = {0};
    uint64_t failures = 0;
    if (options.jobs > JOBS_MAX)
        options.jobs = JOBS_MAX;
    if (options.jobs > options.count)
        options.jobs = (uint32_t)options.count;
    for (uint32_t i = 0; i < options.jobs; i++) {
        jobs[i] = (struct job){.next = options.first + i, .end = options.first + options.count};
        start(&options, &jobs[i]);
    }
    for (uint32_t alive = options.jobs; alive > 0;) {
        struct pollfd polls[JOBS_MAX];
        for (uint32_t i = 0; i < options.jobs; i++)
            polls[i] = (struct pollfd){.fd = jobs[i].process > 0 ? jobs[i].from : -1, .events = POLLIN};
        if (poll(polls, options.jobs, -1) < 0)
            continue;
        for (uint32_t i = 0; i < options.jobs; i++) {
            if (polls[i].revents == 0)
                continue;
            struct sim_result failed = {0};
            bool over = !hear(&options, &jobs[i], report, &failed);
            failures += failed.failed;
            if (failed.failed && options.keep_going) {
                fprintf(stderr, "seed %llu failed: %s\n", (unsigned long long)failed.seed, failed.reason);
            } else if (failed.failed) {
                *failure = failed;
                stop_all(jobs, options.jobs);
                return failures;
            }
            if (over && jobs[i].next < jobs[i].end)
                start(&options, &jobs[i]);
            else if (over)
                alive--;
        }
    }
    return failures;
}

/** Of all processes that ended. */
static double cpu_seconds(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_CHILDREN, &usage) != 0)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int sim_run(const struct sim_run_options *options) {
    if (options->trace) {
        struct sim_options world = options->world;
        world.seed = options->first;
        run_with_words(&world, true);
        return 0;
    }
    struct sim_report report = {0};
    struct sim_result failure = {0};
    began = seconds_now();
    uint64_t failures = sim_run_jobs(options, &report, &failure);
    bool good = failures == 0 && sim_report_print(options, &report, seconds_now() - began, cpu_seconds());
    if (failures > 0)
        fprintf(stderr, "FAILED: %llu of %llu seeds with %u nodes\n", (unsigned long long)failures,
                (unsigned long long)(report.seeds + failures), options->world.nodes);
    sim_report_deinit(&report);
    if (failure.failed) {
        struct sim_options world = options->world;
        world.seed = failure.seed;
        sim_run_explain(&world, failure.reason);
        if (!options->no_shrink)
            sim_shrink(options, &failure);
    }
    return good ? 0 : 1;
}
