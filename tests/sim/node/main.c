/** sim: whole nodes and clients on virtual time, with everything that can go wrong. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: sim --nodes N (--seeds COUNT [--first SEED] | --seed SEED [--trace])\n"
    "\n"
    "Runs worlds of whole brokers and clients, the shipped code, in one thread on virtual time, each drawn from its\n"
    "seed, checks them after every step and reads everything back at the end.\n"
    "\n"
    "  --nodes N      brokers, 1 to 7 [3]\n"
    "  --seeds COUNT  how many worlds\n"
    "  --first SEED   the first of them [1]\n"
    "  --seed SEED    this one only\n"
    "  --trace        print its decision lines\n"
    "  --seconds S    virtual seconds with faults [20]\n"
    "  --jobs J       processes [1]\n"
    "  --twice        run each seed again, with its trace, and compare\n"
    "  --keep-going   name every seed that fails instead of stopping at the first\n"
    "  --quiet        one line at the end instead of the totals\n"
    "\n"
    "Exit: 0 clean; 1 a check failed: the seed, the reason and the last decision lines are printed; 2 usage.\n";

static void usage(const char *what) {
    fprintf(stderr, "sim: %s\n\n%s", what, help);
    exit(2);
}

static uint64_t number(const char *option, const char *text, uint64_t low, uint64_t high) {
    char *end = NULL;
    char what[160];
    unsigned long long value = text ? strtoull(text, &end, 10) : 0;
    if (!text || *text == '\0' || *text == '-' || *end != '\0' || value < low || value > high) {
        snprintf(what, sizeof what, "%s takes a number from %llu to %llu", option, (unsigned long long)low,
                 (unsigned long long)high);
        usage(what);
    }
    return value;
}

int main(int argc, char **argv) {
    struct sim_run_options options = {.nodes = 3, .seconds = SIM_FAULTS_SECONDS, .jobs = 1, .first = 1};
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        bool takes = true;
        if (strcmp(option, "--nodes") == 0)
            options.nodes = (uint32_t)number(option, value, 1, SIM_NODES_MAX);
        else if (strcmp(option, "--seeds") == 0)
            options.count = number(option, value, 1, 1000000000);
        else if (strcmp(option, "--first") == 0)
            options.first = number(option, value, 0, UINT64_MAX / 2);
        else if (strcmp(option, "--seed") == 0)
            options.first = number(option, value, 0, UINT64_MAX / 2), options.count = 1;
        else if (strcmp(option, "--seconds") == 0)
            options.seconds = (uint32_t)number(option, value, 5, 100000);
        else if (strcmp(option, "--jobs") == 0)
            options.jobs = (uint32_t)number(option, value, 1, 64);
        else
            takes = false;
        if (takes)
            i++;
        else if (strcmp(option, "--trace") == 0)
            options.trace = true;
        else if (strcmp(option, "--quiet") == 0)
            options.quiet = true;
        else if (strcmp(option, "--twice") == 0)
            options.twice = true;
        else if (strcmp(option, "--keep-going") == 0)
            options.keep_going = true;
        else if (strcmp(option, "--help") == 0)
            return fputs(help, stdout) < 0 ? 1 : 0;
        else
            usage("unknown option");
    }
    if (options.count == 0)
        usage("say --seeds COUNT or --seed SEED");
    if (options.trace && options.count != 1)
        usage("--trace is for one --seed");
    return sim_run(&options);
}
