/** From a world that fails to a smaller one that fails in the same way: fewer nodes, less time, fewer clients, fewer
 * kinds of faults. Whatever is taken away changes everything that follows, so each smaller world is tried with a
 * handful of seeds, and kept when one of them fails with the same words. */
#include "run.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/** Seeds for each smaller world, and seconds for all. */
#define TRIES 24
#define SECONDS_MAX 90
#define SECONDS_MIN 5
#define WORDS_COMPARED 6

struct shrinking {
    struct sim_run_options options;
    struct sim_result failure; /**< of the smallest so far */
    time_t until;
};

/** The first words of both reasons are the same, numbers aside. */
static bool same_reason(const char *a, const char *b) {
    for (int words = 0; *a && *b && words < WORDS_COMPARED;) {
        while (isdigit((unsigned char)*a))
            a++;
        while (isdigit((unsigned char)*b))
            b++;
        if (*a != *b)
            return false;
        if (*a == '\0')
            return true;
        words += *a == ' ';
        a++;
        b++;
    }
    return true;
}

/** Keeps it when it fails too. */
static bool keep(struct shrinking *shrinking, const struct sim_options *smaller) {
    if (time(NULL) >= shrinking->until)
        return false;
    struct sim_run_options options = shrinking->options;
    options.world = *smaller;
    options.first = shrinking->failure.seed;
    options.count = TRIES;
    struct sim_report report = {0};
    struct sim_result failure = {0};
    sim_run_jobs(&options, &report, &failure);
    sim_report_deinit(&report);
    if (!failure.failed || !same_reason(failure.reason, shrinking->failure.reason))
        return false;
    shrinking->options.world = *smaller;
    shrinking->failure = failure;
    return true;
}

static void fewer_nodes(struct shrinking *shrinking) {
    struct sim_options smaller = shrinking->options.world;
    for (smaller.nodes = 1; smaller.nodes < shrinking->options.world.nodes; smaller.nodes++)
        if (keep(shrinking, &smaller))
            return;
}

static void less_time(struct shrinking *shrinking) {
    struct sim_options smaller = shrinking->options.world;
    for (smaller.seconds = SECONDS_MIN; smaller.seconds < shrinking->options.world.seconds; smaller.seconds *= 2)
        if (keep(shrinking, &smaller))
            return;
}

static void fewer_clients(struct shrinking *shrinking) {
    struct sim_options smaller = shrinking->options.world;
    smaller.subscribers = 0;
    keep(shrinking, &smaller);
    smaller = shrinking->options.world;
    smaller.publishers = 1;
    keep(shrinking, &smaller);
}

/** First one half of them, then one by one. */
static void fewer_faults(struct shrinking *shrinking) {
    uint32_t all = (1u << SIM_FAULT_KINDS) - 1, half = 0;
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind += 2)
        half |= 1u << kind;
    const uint32_t groups[] = {half, all & ~half};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        struct sim_options smaller = shrinking->options.world;
        smaller.without |= groups[i];
        keep(shrinking, &smaller);
    }
    for (uint32_t kind = 0; kind < SIM_FAULT_KINDS; kind++) {
        struct sim_options smaller = shrinking->options.world;
        smaller.without |= 1u << kind;
        if (smaller.without != shrinking->options.world.without)
            keep(shrinking, &smaller);
    }
}

void sim_shrink(const struct sim_run_options *options, const struct sim_result *failure) {
    struct shrinking shrinking = {.options = *options, .failure = *failure, .until = time(NULL) + SECONDS_MAX};
    shrinking.options.keep_going = shrinking.options.twice = false;
    shrinking.options.minutes = 0;
    fewer_nodes(&shrinking);
    less_time(&shrinking);
    fewer_faults(&shrinking);
    fewer_clients(&shrinking);
    less_time(&shrinking);
    struct sim_options smallest = shrinking.options.world;
    smallest.seed = shrinking.failure.seed;
    fprintf(stderr, "the smallest world found that fails so: %s\n", shrinking.failure.reason);
    sim_run_print_command(stderr, &smallest);
}
