/** raft_sim: consensus cores on virtual time, with everything that can go wrong. */
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS_MAX 1000000000

static const char help[] =
    "usage: raft_sim [--nodes N] (--seeds COUNT | --steps STEPS | --minutes M) [--first SEED] [--jobs J] ...\n"
    "       raft_sim [--nodes N] --seed SEED [--trace] ...\n"
    "\n"
    "Runs worlds of consensus cores over simulated disks, networks and clocks, each drawn from its seed, and checks "
    "them\n"
    "after every step.\n"
    "\n"
    "  --nodes N        founders of the group, 1 to 7 [3]\n"
    "  --seeds COUNT    how many worlds\n"
    "  --steps STEPS    new worlds until the cores took so many steps\n"
    "  --minutes M      new worlds until the time is over\n"
    "  --first SEED     the first of them [1]\n"
    "  --seed SEED      this one only\n"
    "  --trace          print its decision lines\n"
    "  --without KIND   leave this kind of fault out; may be repeated\n"
    "  --outcomes-only  leave out the cores' invariants and what a message promises: are histories bad enough?\n"
    "  --jobs J         processes [1]\n"
    "  --keep-going     name every seed that fails instead of stopping at the first\n"
    "  --no-shrink      do not turn a failure into a scenario\n"
    "  --script FILE    where the scenario goes [standard output]\n"
    "  --quiet          a line or two at the end instead of the totals\n"
    "\n"
    "Kinds of faults:"
#define KIND(name, words, weight) " " #name
    SIM_FAULTS(KIND)
#undef KIND
        "\n"
        "\n"
        "Exit: 0 clean; 1 a check failed: the seed is printed, and a short scenario that fails in the same way; 2 "
        "usage.\n";

static void usage(const char *what) {
    fprintf(stderr, "raft_sim: %s\n\n%s", what, help);
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

static uint32_t fault_kind(const char *name) {
    for (uint32_t kind = 0; name && kind < SIM_FAULT_KINDS; kind++)
        if (strcmp(sim_fault_names[kind], name) == 0)
            return kind;
    usage("--without takes a kind of fault");
    return 0;
}

/** Options with a value. */
static bool take_value(struct sim_run_options *options, const char *option, const char *value) {
    if (strcmp(option, "--nodes") == 0)
        options->world.nodes = (uint32_t)number(option, value, 1, SIM_FOUNDERS_MAX);
    else if (strcmp(option, "--seeds") == 0)
        options->count = number(option, value, 1, SEEDS_MAX);
    else if (strcmp(option, "--steps") == 0)
        options->steps = number(option, value, 1, UINT64_MAX / 2);
    else if (strcmp(option, "--minutes") == 0)
        options->minutes = (uint32_t)number(option, value, 1, 100000);
    else if (strcmp(option, "--first") == 0)
        options->first = number(option, value, 0, UINT64_MAX / 2);
    else if (strcmp(option, "--seed") == 0)
        options->first = number(option, value, 0, UINT64_MAX / 2), options->count = 1;
    else if (strcmp(option, "--without") == 0)
        options->world.without |= 1u << fault_kind(value);
    else if (strcmp(option, "--jobs") == 0)
        options->jobs = (uint32_t)number(option, value, 1, 64);
    else if (strcmp(option, "--script") == 0 && value)
        options->script = value;
    else
        return false;
    return true;
}

static bool take_flag(struct sim_run_options *options, const char *option) {
    if (strcmp(option, "--trace") == 0)
        options->world.trace = true;
    else if (strcmp(option, "--outcomes-only") == 0)
        options->world.outcomes_only = true;
    else if (strcmp(option, "--quiet") == 0)
        options->quiet = true;
    else if (strcmp(option, "--keep-going") == 0)
        options->keep_going = true;
    else if (strcmp(option, "--no-shrink") == 0)
        options->no_shrink = true;
    else
        return false;
    return true;
}

int main(int argc, char **argv) {
    struct sim_run_options options = {.world = {.nodes = 3}, .first = 1, .jobs = 1};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return fputs(help, stdout) < 0 ? 1 : 0;
        if (take_flag(&options, argv[i]))
            continue;
        if (!take_value(&options, argv[i], i + 1 < argc ? argv[i + 1] : NULL))
            usage("unknown option");
        i++;
    }
    if (options.count == 0 && options.steps == 0 && options.minutes == 0)
        usage("say --seeds COUNT, --steps STEPS, --minutes M or --seed SEED");
    if (options.count == 0)
        options.count = SEEDS_MAX;
    if (options.world.trace && options.count != 1)
        usage("--trace is for one --seed");
    options.world.seed = options.first;
    return options.world.trace ? sim_run_traced(&options.world) : sim_run(&options);
}
