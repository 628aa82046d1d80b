/** Power cuts of the real store, one after another, on one directory.
 *
 *  store_torture [--rounds N] [--seed S] [--keep]
 *
 *  Each round starts a process that opens the store, checks all of it against the history (torture_child.c) and writes
 *  on; it is killed after some acknowledgements, or at the n-th write, sync, open, rename or unlink, so also in the
 *  middle of recovery; and then, mostly, the power is cut (disk_cut). What the next process finds must be the history
 *  up to some step, and that step is
 *   - after a power cut: at least every acknowledged step up to the last synced one, and what an opening found
 *   - after a kill: at least every acknowledged step
 *   - never: beyond what was submitted
 */
#include "scratch_directory.h"
#include "shim_run.h"
#include "torture_child.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct torture_run {
    uint64_t random;
    uint64_t seed;
    char *base;
    char store[128], root[64], state[64];
    uint64_t acknowledged; /* the newest step acknowledged; a power cut may take it back to `synced` */
    uint64_t certain;      /* the next opening must reach it */
    uint64_t synced;       /* the newest one that a synced acknowledgement covers */
    /* totals */
    unsigned openings, cuts, kills_while_opening, rounds_with_loss;
    unsigned seals, drops, replacements, installs;
    unsigned long long sectors_lost, sectors_kept, names_lost, names_kept;
};

static uint32_t roll(struct torture_run *run, uint32_t sides) {
    uint64_t z = run->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ (z >> 31)) % sides);
}

static void give_up(const struct torture_run *run, unsigned round, const char *words) {
    printf("store_torture: FAILED in round %u of seed %llu: %s\n  kept in %s\n", round, (unsigned long long)run->seed,
           words, run->base);
    exit(1);
}

static void take_opened(struct torture_run *run, unsigned round, uint64_t step) {
    char words[160];
    run->openings++;
    if (step < run->certain) {
        snprintf(words, sizeof words, "acknowledged steps are lost: found %llu, %llu were safe",
                 (unsigned long long)step, (unsigned long long)run->certain);
        give_up(run, round, words);
    }
    if (step > run->acknowledged + TORTURE_IN_FLIGHT)
        give_up(run, round, "steps are there that were never submitted");
    run->rounds_with_loss += step < run->acknowledged;
    run->acknowledged = run->certain = run->synced = step; /* what an opening found is synced by it */
}

static void take_line(struct torture_run *run, unsigned round, const char *line) {
    unsigned long long step = 0;
    int sync = 0;
    unsigned about = 0;
    if (line[0] == 'F')
        give_up(run, round, line + 2);
    if (sscanf(line, "O %llu", &step) == 1)
        take_opened(run, round, step);
    if (sscanf(line, "A %llu %d %u", &step, &sync, &about) == 3) {
        run->seals += (about & TORTURE_SEALS) != 0;
        run->drops += (about & TORTURE_DROPS) != 0;
        run->replacements += (about & TORTURE_REPLACES) != 0;
        run->installs += (about & TORTURE_INSTALLS) != 0;
        run->acknowledged = run->certain = step;
        run->synced = sync ? step : run->synced;
    }
}

/* Reads the child's lines, kills it after `acknowledgements` of them (0: the rule does), reads what is left. */
static void follow(struct torture_run *run, unsigned round, FILE *lines, pid_t child, uint32_t acknowledgements) {
    char line[600];
    uint32_t seen = 0;
    bool opened = false;
    while (fgets(line, sizeof line, lines)) {
        take_line(run, round, line);
        opened = opened || line[0] == 'O';
        if (line[0] == 'A' && ++seen == acknowledgements)
            kill(child, SIGKILL);
    }
    run->kills_while_opening += !opened;
}

static const char *choose_rule(struct torture_run *run, uint32_t *acknowledgements) {
    static char rule[64];
    static const struct {
        const char *call;
        uint32_t sides;
    } calls[] = {{"fdatasync", 120}, {"fdatasync", 12}, {"write", 300}, {"write", 40},
                 {"open", 30},       {"rename", 4},     {"unlink", 12}, {"fsync", 12}};
    *acknowledgements = 1 + roll(run, 250);
    if (roll(run, 2) == 0)
        return NULL;
    uint32_t which = roll(run, sizeof calls / sizeof calls[0]);
    snprintf(rule, sizeof rule, "%s:%u:kill", calls[which].call, 1 + roll(run, calls[which].sides));
    return rule;
}

static void cut_power(struct torture_run *run) {
    char line[256];
    unsigned long long names_kept, names_lost, files, kept, lost;
    shim_cut(run->state, run->random, line, sizeof line);
    if (sscanf(line, "disk_cut: names kept %llu lost %llu, files %llu, sectors kept %llu lost %llu", &names_kept,
               &names_lost, &files, &kept, &lost) == 5) {
        run->names_kept += names_kept;
        run->names_lost += names_lost;
        run->sectors_kept += kept;
        run->sectors_lost += lost;
    }
    run->cuts++;
}

static void play_round(struct torture_run *run, unsigned round, const char *self) {
    char seed[24];
    int pipes[2];
    uint32_t acknowledgements;
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)run->seed);
    char *arguments[] = {(char *)self, (char *)"--child", run->store, seed, NULL};
    const char *rule = choose_rule(run, &acknowledgements);
    if (pipe(pipes) != 0)
        give_up(run, round, "pipe");
    pid_t child = shim_start(arguments, run->root, run->state, rule, pipes[1]);
    close(pipes[1]);
    FILE *lines = fdopen(pipes[0], "r");
    follow(run, round, lines, child, acknowledgements);
    fclose(lines);
    int how = 0;
    waitpid(child, &how, 0);
    if (!WIFSIGNALED(how) || WTERMSIG(how) != SIGKILL)
        give_up(run, round, "the process ended by itself");
    if (roll(run, 4) == 0)
        return; /* killed only: all that was handed to the kernel stays */
    run->certain = run->synced;
    cut_power(run);
}

int main(int count, char **arguments) {
    struct torture_run run = {.seed = 1};
    unsigned rounds = 50;
    bool keep = false;
    if (count == 4 && strcmp(arguments[1], "--child") == 0)
        return torture_child(arguments[2], strtoull(arguments[3], NULL, 10), 0, TORTURE_GO_ON);
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--rounds") == 0 && i + 1 < count)
            rounds = (unsigned)strtoul(arguments[++i], NULL, 10);
        else if (strcmp(arguments[i], "--seed") == 0 && i + 1 < count)
            run.seed = strtoull(arguments[++i], NULL, 10);
        else if (strcmp(arguments[i], "--keep") == 0)
            keep = true;
        else {
            fprintf(stderr, "usage: store_torture [--rounds N] [--seed S] [--keep]\n");
            return 2;
        }
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    run.random = run.seed;
    run.base = scratch_directory_new();
    snprintf(run.root, sizeof run.root, "%s/root", run.base);
    snprintf(run.state, sizeof run.state, "%s/state", run.base);
    snprintf(run.store, sizeof run.store, "%s/root/store", run.base);
    for (unsigned round = 1; round <= rounds; round++)
        play_round(&run, round, "/proc/self/exe");
    printf("store_torture: seed %llu, %u rounds, %u openings, %u power cuts, %u killed while opening, %llu steps, "
           "%u with unsynced steps lost, %u seals, %u drops, %u replacements, %u installs, sectors kept %llu lost "
           "%llu, names kept %llu lost %llu\n",
           (unsigned long long)run.seed, rounds, run.openings, run.cuts, run.kills_while_opening,
           (unsigned long long)run.acknowledged, run.rounds_with_loss, run.seals, run.drops, run.replacements,
           run.installs, run.sectors_kept, run.sectors_lost, run.names_kept, run.names_lost);
    if (!keep)
        scratch_directory_remove(run.base);
    free(run.base);
    bool shaped = run.seals > 0 && run.drops > 0 && run.replacements > 0 && run.installs > 0;
    return run.sectors_lost > 0 && run.names_lost > 0 && run.openings > rounds / 2 && shaped ? 0 : 1;
}
