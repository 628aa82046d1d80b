/** sim: whole nodes and clients on virtual time, with everything that can go wrong. */
#include "profile.h"
#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEEDS_MAX 1000000000

static const char help[] =
    "usage: sim [--nodes N] (--seeds COUNT | --minutes M) [--first SEED] [--jobs J] ...\n"
    "       sim [--nodes N] --seed SEED [--trace] ...\n"
    "\n"
    "Runs worlds of whole brokers and clients, the shipped code, in one thread on virtual time, each drawn from its\n"
    "seed, checks them after every step and reads everything back at the end.\n"
    "\n"
    "  --nodes N        brokers, 1 to 7 [3]\n"
    "  --seeds COUNT    how many worlds\n"
    "  --minutes M      new worlds until the time is over\n"
    "  --first SEED     the first of them [1]\n"
    "  --seed SEED      this one only\n"
    "  --trace          print its decision lines\n"
    "  --profile NAME   storm: what the seed says; rate: 8 groups, 200 publishes per second, faults in a fifth of the\n"
    "                   seconds; pause: one node is away for ten minutes; points: one\n"
    "                   commit of node 1 fails, is torn, lost or the last one, seed by seed another [storm]\n"
    "  --seconds S      virtual seconds with faults [20, or as the profile has it]\n"
    "  --publishers P   1 to 3 [3]\n"
    "  --subscribers S  0 to 2 [2]\n"
    "  --without KIND   leave this kind of fault out; may be repeated\n"
    "  --jobs J         processes [1]\n"
    "  --twice          run each seed again, with its trace, and compare\n"
    "  --keep-going     name every seed that fails instead of stopping at the first\n"
    "  --no-shrink      do not look for a smaller world that fails too\n"
    "  --quiet          a line or two at the end instead of the totals\n"
    "\n"
    "Kinds of faults:"
#define KIND(name, words, weight, nodes) " " #name
    SIM_FAULTS(KIND)
#undef KIND
        "\n"
        "\n"
        "Exit: 0 clean; 1 a check failed: the seed, the reason and the last decision lines are printed, and the "
        "smallest\n"
        "world found that fails in the same way; 2 usage.\n";

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

static uint32_t fault_kind(const char *name) {
    for (uint32_t kind = 0; name && kind < SIM_FAULT_KINDS; kind++)
        if (strcmp(sim_fault_names[kind], name) == 0)
            return kind;
    usage("--without takes a kind of fault");
    return 0;
}

/** Options with a value. */
static bool take_value(struct sim_run_options *options, const char *option, const char *value) {
    struct sim_options *world = &options->world;
    if (strcmp(option, "--nodes") == 0)
        world->nodes = (uint32_t)number(option, value, 1, SIM_FOUNDERS_MAX);
    else if (strcmp(option, "--seeds") == 0)
        options->count = number(option, value, 1, SEEDS_MAX);
    else if (strcmp(option, "--minutes") == 0)
        options->minutes = (uint32_t)number(option, value, 1, 100000);
    else if (strcmp(option, "--first") == 0)
        options->first = number(option, value, 0, UINT64_MAX / 2);
    else if (strcmp(option, "--seed") == 0)
        options->first = number(option, value, 0, UINT64_MAX / 2), options->count = 1;
    else if (strcmp(option, "--seconds") == 0)
        world->seconds = (uint32_t)number(option, value, 5, 100000);
    else if (strcmp(option, "--publishers") == 0)
        world->publishers = (uint32_t)number(option, value, 1, SIM_PUBLISHERS);
    else if (strcmp(option, "--subscribers") == 0)
        world->subscribers = (uint32_t)number(option, value, 0, SIM_SUBSCRIBERS);
    else if (strcmp(option, "--without") == 0)
        world->without |= 1u << fault_kind(value);
    else if (strcmp(option, "--jobs") == 0)
        options->jobs = (uint32_t)number(option, value, 1, 64);
    else if (strcmp(option, "--profile") == 0) {
        if (!value || !sim_profile_find(value, &world->profile))
            usage("--profile takes storm, rate, pause or points");
    } else
        return false;
    return true;
}

static bool take_flag(struct sim_run_options *options, const char *option) {
    if (strcmp(option, "--trace") == 0)
        options->trace = true;
    else if (strcmp(option, "--quiet") == 0)
        options->quiet = true;
    else if (strcmp(option, "--twice") == 0)
        options->twice = true;
    else if (strcmp(option, "--keep-going") == 0)
        options->keep_going = true;
    else if (strcmp(option, "--no-shrink") == 0)
        options->no_shrink = true;
    else
        return false;
    return true;
}

int main(int argc, char **argv) {
    struct sim_run_options options = {.jobs = 1, .first = 1};
    options.world = (struct sim_options){.nodes = 3, .publishers = SIM_PUBLISHERS, .subscribers = SIM_SUBSCRIBERS};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0)
            return fputs(help, stdout) < 0 ? 1 : 0;
        if (take_flag(&options, argv[i]))
            continue;
        if (!take_value(&options, argv[i], i + 1 < argc ? argv[i + 1] : NULL))
            usage("unknown option");
        i++;
    }
    if (options.count == 0 && options.minutes == 0)
        usage("say --seeds COUNT, --minutes M or --seed SEED");
    if (options.count == 0)
        options.count = SEEDS_MAX;
    if (options.trace && options.count != 1)
        usage("--trace is for one --seed");
    if (options.world.seconds == 0)
        options.world.seconds = sim_profile_seconds(options.world.profile);
    return sim_run(&options);
}
