/** Damage to the files that start-up checks, over many rounds: a store opens with every acknowledged write, or is
 * refused in words that name the file and with nothing changed in the directory. Opening with less is failure.
 *
 *  store_damage [--rounds N] [--seed S] [--keep]
 *
 *  Three stores of a history (torture_steps.h), which anybody can replay:
 *    closed   by its owner
 *    idle     killed once nothing was under way and the witness had caught up
 *    loaded   killed between acknowledgements, the witness behind
 *  Each round takes a copy of one, changes one file (log, MANIFEST, CURRENT, WITNESS) in one way (flips a bit,
 * truncates, zero-fills, removes), and has a process open it and compare all of it with the history.
 *
 *  What may be missing after opening: of `closed` and `idle` nothing. Of `loaded`, whose newest log is damaged above
 * the witness, what looks like a write that was never synced: with a bit flipped, what no later write shows to have
 * been synced; else what lies above the witness. The floors are found from the undamaged copy.
 */
#include "scratch_directory.h"
#include "store_directory.h"
#include "torture_child.h"
#include "witness.h"

#include "lf_check.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define IDLE_DEADLINE_MS 20000

enum state { STATE_CLOSED, STATE_IDLE, STATE_LOADED, STATES };
enum kind { KIND_WAL, KIND_MANIFEST, KIND_CURRENT, KIND_WITNESS, KINDS };
enum way { WAY_FLIP, WAY_TRUNCATE, WAY_ZERO, WAY_REMOVE, WAYS };
enum outcome { OUTCOME_OPENED, OUTCOME_LESS, OUTCOME_REFUSED, OUTCOME_SEGMENT, OUTCOMES };

static const char *const state_names[] = {"closed", "idle", "loaded"};
static const char *const kind_names[] = {"log", "MANIFEST", "CURRENT", "WITNESS"};
static const char *const way_names[] = {"flip", "truncate", "zero", "remove"};

struct base {
    char *directory;
    uint64_t acknowledged;
    uint64_t proven;    /* the newest synced step that a later, acknowledged write shows to have been synced */
    uint64_t witnessed; /* what opens when the newest log ends where the witness does */
};

struct damage_run {
    uint64_t random, seed;
    struct base bases[STATES];
    unsigned outcomes[STATES][KINDS][OUTCOMES];
    char what[256]; /* this round's damage */
};

struct report {
    bool opened, refused, segment, failed;
    uint64_t step;
    int status;
    char words[600];
};

static uint64_t roll(struct damage_run *run, uint64_t sides) {
    uint64_t z = run->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % sides;
}

static void give_up(const struct damage_run *run, const char *directory, const char *words) {
    printf("store_damage: FAILED with seed %llu: %s: %s\n  kept in %s\n", (unsigned long long)run->seed, run->what,
           words, directory);
    exit(1);
}

/* ---- processes ---- */

static FILE *start(pid_t *child, const char *directory, uint64_t seed, uint64_t until, int end) {
    int pipes[2];
    lf_check(pipe(pipes) == 0);
    fflush(stdout);
    *child = fork();
    if (*child == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        _exit(end < 0 ? torture_check(directory, seed) : torture_child(directory, seed, until, (enum torture_end)end));
    }
    close(pipes[1]);
    return fdopen(pipes[0], "r");
}

static struct report check(const char *directory, uint64_t seed) {
    struct report report = {0};
    char line[600];
    pid_t child;
    int how = 0;
    FILE *lines = start(&child, directory, seed, 0, -1);
    while (fgets(line, sizeof line, lines)) {
        unsigned long long step;
        if (sscanf(line, "O %llu", &step) == 1) {
            report.opened = true;
            report.step = step;
        } else if (sscanf(line, "R %d %599[^\n]", &report.status, report.words) == 2) {
            report.refused = true;
        } else if (sscanf(line, "S %599[^\n]", report.words) == 1) {
            report.segment = true;
        } else if (sscanf(line, "F %599[^\n]", report.words) == 1) {
            report.failed = true;
        }
    }
    fclose(lines);
    waitpid(child, &how, 0);
    if (how != 0 && !report.failed) {
        report.failed = true;
        snprintf(report.words, sizeof report.words, "the process ended with %d", how);
    }
    return report;
}

/* ---- the three stores ---- */

static bool read_witness(const char *directory, struct witness *witness) {
    char path[PATH_MAX];
    uint8_t bytes[WITNESS_FILE_BYTES];
    snprintf(path, sizeof path, "%s/" WITNESS_NAME, directory);
    int fd = open(path, O_RDONLY);
    ssize_t got = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);
    if (fd >= 0)
        close(fd);
    return got > 0 && witness_choose(lf_bytes(bytes, (size_t)got), witness);
}

static struct store_file newest_wal(const char *directory) {
    struct store_files files;
    struct store_file newest = {0};
    lf_check(store_files_list(directory, &files, NULL) == LF_OK);
    for (size_t i = 0; i < files.count; i++)
        if (files.items[i].kind == STORE_FILE_WAL)
            newest = files.items[i];
    store_files_deinit(&files);
    return newest;
}

static void wait_idle(const struct damage_run *run, const char *directory) {
    for (int waited_ms = 0;; waited_ms += 10) {
        struct store_file wal = newest_wal(directory);
        struct witness witness;
        const struct witness_wal *listed =
            read_witness(directory, &witness) ? witness_find(&witness, wal.number) : NULL;
        if (listed && listed->bytes == wal.bytes)
            return;
        if (waited_ms > IDLE_DEADLINE_MS)
            give_up(run, directory, "the witness does not catch up with an idle store");
        poll(NULL, 0, 10);
    }
}

static void follow(struct damage_run *run, struct base *base, FILE *lines, pid_t child, uint64_t until,
                   enum torture_end end) {
    char line[600];
    uint64_t synced[TORTURE_IN_FLIGHT + 1] = {0}; /* the newest synced step at each of the last acknowledgements */
    while (fgets(line, sizeof line, lines)) {
        unsigned long long step;
        int sync;
        if (line[0] == 'F')
            give_up(run, base->directory, line);
        if (sscanf(line, "A %llu %d", &step, &sync) != 2)
            continue;
        base->acknowledged = step;
        memmove(synced, synced + 1, sizeof synced - sizeof synced[0]);
        synced[TORTURE_IN_FLIGHT] = sync ? step : synced[TORTURE_IN_FLIGHT - 1];
        base->proven = synced[0];
        if (step == until && end == TORTURE_BE_IDLE)
            wait_idle(run, base->directory);
        if (step == until && end != TORTURE_CLOSE)
            kill(child, SIGKILL);
    }
}

static void find_floor(struct damage_run *run, struct base *base) {
    char *copy = scratch_directory_new(), path[PATH_MAX];
    struct witness witness;
    struct store_file wal = newest_wal(base->directory);
    scratch_directory_copy(base->directory, copy);
    lf_check(read_witness(copy, &witness));
    const struct witness_wal *listed = witness_find(&witness, wal.number);
    snprintf(path, sizeof path, "%s/%s", copy, wal.name);
    lf_check(truncate(path, listed ? (off_t)listed->bytes : 0) == 0);
    struct report report = check(copy, run->seed);
    if (!report.opened)
        give_up(run, copy, report.words);
    base->witnessed = report.step;
    scratch_directory_remove(copy);
    free(copy);
}

static void make_base(struct damage_run *run, enum state state) {
    static const enum torture_end ends[] = {TORTURE_CLOSE, TORTURE_BE_IDLE, TORTURE_GO_ON};
    struct base *base = &run->bases[state];
    base->directory = scratch_directory_new();
    snprintf(run->what, sizeof run->what, "making the %s store", state_names[state]);
    pid_t child;
    uint64_t until = 400 + roll(run, 200);
    for (int part = 0; part < 2; part++) { /* twice, so that the MANIFEST is not the first */
        bool last = part == 1;
        FILE *lines =
            start(&child, base->directory, run->seed, last ? until : until / 3, last ? ends[state] : TORTURE_CLOSE);
        follow(run, base, lines, child, last ? until : until / 3, last ? ends[state] : TORTURE_CLOSE);
        fclose(lines);
        waitpid(child, NULL, 0);
    }
    find_floor(run, base);
    if (state != STATE_LOADED)
        base->proven = base->witnessed = base->acknowledged;
}

/* ---- damage ---- */

static struct store_file choose_file(struct damage_run *run, const char *directory, enum kind kind) {
    static const enum store_file_kind kinds[] = {STORE_FILE_WAL, STORE_FILE_MANIFEST, STORE_FILE_CURRENT,
                                                 STORE_FILE_WITNESS};
    struct store_files files;
    struct store_file chosen = {0};
    uint64_t seen = 0;
    lf_check(store_files_list(directory, &files, NULL) == LF_OK);
    for (size_t i = 0; i < files.count; i++)
        if (files.items[i].kind == kinds[kind] && files.items[i].bytes > 0 && roll(run, ++seen) == 0)
            chosen = files.items[i];
    store_files_deinit(&files);
    lf_check(seen > 0);
    return chosen;
}

static void flip(struct damage_run *run, const char *path, enum kind kind, uint64_t size) {
    uint64_t at = roll(run, size);
    uint8_t byte, bit = (uint8_t)(1u << roll(run, 8));
    if (kind == KIND_WITNESS) /* most of the file is never read */
        at = roll(run, 2) * WITNESS_SLOT_STRIDE + roll(run, WITNESS_SLOT_BYTES);
    else if (size > 8192 && roll(run, 2) == 0) /* ends are where it is hard */
        at = size - 1 - roll(run, 8192);
    int fd = open(path, O_RDWR);
    lf_check(pread(fd, &byte, 1, (off_t)at) == 1);
    byte ^= bit;
    lf_check(pwrite(fd, &byte, 1, (off_t)at) == 1);
    close(fd);
    size_t length = strlen(run->what);
    snprintf(run->what + length, sizeof run->what - length, " bit %u of byte %llu", bit, (unsigned long long)at);
}

static void zero(struct damage_run *run, const char *path, uint64_t size) {
    static const uint8_t zeroes[512];
    uint64_t from = roll(run, size) / 512 * 512, to = roll(run, 2) ? size : from + 512 * (1 + roll(run, 16));
    int fd = open(path, O_WRONLY);
    for (uint64_t at = from; at < to && at < size; at += 512) {
        size_t bytes = size - at < 512 ? (size_t)(size - at) : 512;
        lf_check(pwrite(fd, zeroes, bytes, (off_t)at) == (ssize_t)bytes);
    }
    close(fd);
    size_t length = strlen(run->what);
    snprintf(run->what + length, sizeof run->what - length, " bytes %llu to %llu", (unsigned long long)from,
             (unsigned long long)to);
}

static void damage(struct damage_run *run, const char *directory, const struct store_file *file, enum kind kind,
                   enum way way) {
    char path[PATH_MAX];
    uint64_t size;
    snprintf(path, sizeof path, "%s/%s", directory, file->name);
    switch (way) {
    case WAY_FLIP:
        flip(run, path, kind, file->bytes);
        return;
    case WAY_TRUNCATE:
        size = roll(run, 2) ? roll(run, file->bytes) : file->bytes - 1 - roll(run, file->bytes < 9000 ? 10 : 9000);
        size = size < file->bytes ? size : 0;
        lf_check(truncate(path, (off_t)size) == 0);
        snprintf(run->what + strlen(run->what), 40, " to %llu", (unsigned long long)size);
        return;
    case WAY_ZERO:
        zero(run, path, file->bytes);
        return;
    default:
        lf_check(unlink(path) == 0);
    }
}

static uint64_t floor_of(const struct base *base, enum kind kind, enum way way) {
    if (kind != KIND_WAL)
        return base->acknowledged;
    return way == WAY_FLIP && base->proven > base->witnessed ? base->proven : base->witnessed;
}

static void expect_unchanged(struct damage_run *run, const char *directory, const char *before) {
    char command[3 * PATH_MAX];
    snprintf(command, sizeof command, "diff -r %s %s >/dev/null", directory, before);
    if (system(command) != 0)
        give_up(run, directory, "refused, but something was written or deleted");
}

static void judge(struct damage_run *run, enum state state, enum kind kind, enum way way, const char *name,
                  const char *directory, const char *before) {
    const struct base *base = &run->bases[state];
    struct report report = check(directory, run->seed);
    char words[900];
    enum outcome outcome = OUTCOME_OPENED;
    if (report.failed)
        give_up(run, directory, report.words);
    if (report.refused) {
        outcome = OUTCOME_REFUSED;
        snprintf(words, sizeof words, "refused with %d: %s", report.status, report.words);
        if (report.status != LF_DAMAGED || !strstr(report.words, name))
            give_up(run, directory, words);
        expect_unchanged(run, directory, before);
    } else if (report.segment) { /* what named its table was above the witness and is lost: it says so */
        outcome = OUTCOME_SEGMENT;
        if (kind != KIND_MANIFEST)
            give_up(run, directory, report.words);
    } else if (report.step < base->acknowledged) {
        outcome = OUTCOME_LESS;
        snprintf(words, sizeof words, "SILENT: opened with step %llu of %llu, %llu had to be there",
                 (unsigned long long)report.step, (unsigned long long)base->acknowledged,
                 (unsigned long long)floor_of(base, kind, way));
        if (report.step < floor_of(base, kind, way))
            give_up(run, directory, words);
    }
    run->outcomes[state][kind][outcome]++;
}

static void play_round(struct damage_run *run) {
    enum state state = (enum state)roll(run, STATES);
    enum kind kind = (enum kind)roll(run, KINDS);
    enum way way = (enum way)roll(run, WAYS);
    const struct base *base = &run->bases[state];
    struct store_file file = choose_file(run, base->directory, kind);
    char *directory = scratch_directory_new(), *before = scratch_directory_new();
    snprintf(run->what, sizeof run->what, "%s %s of the %s store: %s", way_names[way], file.name, state_names[state],
             kind_names[kind]);
    scratch_directory_copy(base->directory, directory);
    damage(run, directory, &file, kind, way);
    scratch_directory_copy(directory, before);
    judge(run, state, kind, way, file.name, directory, before);
    scratch_directory_remove(directory);
    scratch_directory_remove(before);
    free(directory);
    free(before);
}

static void print_counts(const struct damage_run *run, unsigned rounds) {
    printf("store_damage: seed %llu, %u rounds\n", (unsigned long long)run->seed, rounds);
    for (int state = 0; state < STATES; state++) {
        const struct base *base = &run->bases[state];
        printf("  %s: %llu steps acknowledged, %llu proven, %llu witnessed\n", state_names[state],
               (unsigned long long)base->acknowledged, (unsigned long long)base->proven,
               (unsigned long long)base->witnessed);
        for (int kind = 0; kind < KINDS; kind++)
            printf("    %-8s opened with all %3u, without an unproven end %3u, a segment says it is damaged %3u, "
                   "refused and named %3u, silent 0\n",
                   kind_names[kind], run->outcomes[state][kind][OUTCOME_OPENED],
                   run->outcomes[state][kind][OUTCOME_LESS], run->outcomes[state][kind][OUTCOME_SEGMENT],
                   run->outcomes[state][kind][OUTCOME_REFUSED]);
    }
}

int main(int count, char **arguments) {
    struct damage_run run = {.seed = 1};
    unsigned rounds = 300;
    bool keep = false;
    for (int i = 1; i < count; i++) {
        if (strcmp(arguments[i], "--rounds") == 0 && i + 1 < count)
            rounds = (unsigned)strtoul(arguments[++i], NULL, 10);
        else if (strcmp(arguments[i], "--seed") == 0 && i + 1 < count)
            run.seed = strtoull(arguments[++i], NULL, 10);
        else if (strcmp(arguments[i], "--keep") == 0)
            keep = true;
        else {
            fprintf(stderr, "usage: store_damage [--rounds N] [--seed S] [--keep]\n");
            return 2;
        }
    }
    run.random = run.seed;
    for (int state = 0; state < STATES; state++)
        make_base(&run, (enum state)state);
    for (unsigned round = 0; round < rounds; round++)
        play_round(&run);
    print_counts(&run, rounds);
    for (int state = 0; state < STATES; state++) {
        if (!keep)
            scratch_directory_remove(run.bases[state].directory);
        free(run.bases[state].directory);
    }
    return 0;
}
