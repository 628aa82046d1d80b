/** From a seed that fails to a short scenario.
 *
 *  1. The seed again without fast and slow clocks, damaged starts and jumps, which a scenario has no words for; when it
 *     does not fail so, other seeds, until one fails in the same way.
 *  2. Its operations are written down, and replayed: they must fail too.
 *  3. Halves, quarters, ... of them are left out as long as the rest fails in the same way (Zeller, Hildebrandt:
 *     Simplifying and Isolating Failure-Inducing Input, 2002).
 *  4. What is left is written as a scenario.
 */
#include "replay.h"
#include "run.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SEEDS_TRIED 3000
#define SECONDS_MAX 120
/** Words of the reason that have to be the same, numbers aside. */
#define WORDS_COMPARED 4
#define REASON_BYTES 512

/** Where a process that fails leaves its last words: shared with its parent. */
struct last_words {
    char reason[REASON_BYTES];
    uint64_t used;
};
static struct last_words *last_words;
static struct sim_recording *kept; /**< of the seed under way, to be handed over when it fails */
static int recording_pipe = -1;

static bool same_reason(const char *a, const char *b) {
    for (int words = 0; words < WORDS_COMPARED;) {
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

static void say_reason(const struct sim_world *world, const char *reason) {
    (void)world;
    snprintf(last_words->reason, REASON_BYTES, "%s", reason);
}

static void on_abort(int number) {
    (void)number;
    snprintf(last_words->reason, REASON_BYTES, "a check inside the core (see --trace)");
    _exit(1);
}

static void in_child(void (*on_failure)(const struct sim_world *world, const char *reason)) {
    sim_on_failure = on_failure;
    signal(SIGABRT, on_abort);
    if (!freopen("/dev/null", "w", stderr))
        _exit(2);
}

/* ---- 1, 2: a seed and its operations ----------------------------------------------------------------------------- */

static void hand_over(const struct sim_world *world, const char *reason) {
    say_reason(world, reason);
    const char *at = (const char *)kept->ops;
    for (size_t left = kept->count * sizeof *kept->ops; left > 0;) {
        ssize_t written = write(recording_pipe, at, left);
        if (written <= 0)
            _exit(2);
        at += written;
        left -= (size_t)written;
    }
}

static void on_abort_hand_over(int number) {
    (void)number;
    hand_over(NULL, "a check inside the core (see --trace)");
    _exit(1);
}

static void take_over(struct sim_recording *recording, int from) {
    size_t bytes = 0, capacity = 0;
    char *all = NULL;
    for (;;) {
        all = sim_grown(all, &capacity, bytes + (1u << 16), 1);
        ssize_t got = read(from, all + bytes, 1u << 16);
        if (got <= 0)
            break;
        bytes += (size_t)got;
    }
    *recording = (struct sim_recording){.ops = (struct sim_op *)(void *)all, .count = bytes / sizeof *recording->ops};
}

/** Runs the seed; true when it fails for that reason, with what its cores were fed. */
static bool seed_fails(const struct sim_options *options, const char *reason, struct sim_recording *recording) {
    int ends[2];
    if (pipe(ends) != 0)
        exit(2);
    last_words->reason[0] = '\0';
    pid_t process = fork();
    if (process == 0) {
        struct sim_recording own = {0};
        struct sim_result result = {0};
        kept = &own;
        recording_pipe = ends[1];
        in_child(hand_over);
        signal(SIGABRT, on_abort_hand_over);
        sim_run_seed(options, &own, &result);
        _exit(0);
    }
    close(ends[1]);
    take_over(recording, ends[0]);
    close(ends[0]);
    waitpid(process, NULL, 0);
    if (last_words->reason[0] != '\0' && same_reason(last_words->reason, reason) && recording->count > 0)
        return true;
    free(recording->ops);
    return false;
}

/* ---- 3: fewer of them -------------------------------------------------------------------------------------------- */

struct shrinking {
    struct sim_options options;
    struct sim_recording recording;
    char reason[REASON_BYTES];
    bool *chosen;
    time_t until;
};

static bool fails(const struct shrinking *shrinking, const bool *chosen, FILE *script) {
    struct sim_replay replay = {
        .recording = &shrinking->recording, .chosen = chosen, .script = script, .title = shrinking->reason};
    last_words->reason[0] = '\0';
    fflush(NULL);
    pid_t process = fork();
    if (process == 0) {
        in_child(say_reason);
        if (script)
            setvbuf(script, NULL, _IOLBF, 0);
        alarm(20);
        sim_replay_run(&replay, &shrinking->options);
        _exit(0);
    }
    waitpid(process, NULL, 0);
    return last_words->reason[0] != '\0' && same_reason(last_words->reason, shrinking->reason);
}

static size_t count_chosen(const struct shrinking *shrinking) {
    size_t count = 0;
    for (size_t i = 0; i < shrinking->recording.count; i++)
        count += shrinking->chosen[i];
    return count;
}

/** Leaves out each piece of `size` chosen operations in turn, the last first. Returns whether one could go. */
static bool leave_out(struct shrinking *shrinking, size_t size) {
    size_t count = shrinking->recording.count;
    bool any = false, *fewer = malloc(count);
    if (!fewer)
        exit(2);
    for (size_t end = count; end > 0 && time(NULL) < shrinking->until;) {
        size_t left = size, at = end;
        memcpy(fewer, shrinking->chosen, count);
        while (at > 0 && left > 0) {
            at--;
            left -= fewer[at];
            fewer[at] = false;
        }
        if (left < size && fails(shrinking, fewer, NULL)) {
            memcpy(shrinking->chosen, fewer, count);
            any = true;
        }
        end = at;
    }
    free(fewer);
    return any;
}

static void shrink(struct shrinking *shrinking) {
    size_t size = count_chosen(shrinking) / 2;
    while (size > 0 && time(NULL) < shrinking->until) {
        bool any = leave_out(shrinking, size);
        if (size == 1 && !any)
            return;
        if (size > 1)
            size = (size + 1) / 2;
    }
}

/* ------------------------------------------------------------------------------------------------------------------ */

static bool find_seed(struct shrinking *shrinking, const struct sim_run_options *options,
                      const struct sim_result *failure) {
    shrinking->options = options->world;
    shrinking->options.trace = false;
    shrinking->options.without |= 1u << SIM_FAULT_clock_rate | 1u << SIM_FAULT_mute;
    for (uint64_t i = 0; i < SEEDS_TRIED && time(NULL) < shrinking->until; i++) {
        shrinking->options.seed = i == 0 ? failure->seed : i;
        if (seed_fails(&shrinking->options, failure->reason, &shrinking->recording))
            return true;
    }
    return false;
}

static void write_scenario(struct shrinking *shrinking, const char *path) {
    FILE *script = path ? fopen(path, "w") : stdout;
    if (!script) {
        perror(path);
        return;
    }
    fprintf(stderr, "%zu operations of %zu end so:\n", count_chosen(shrinking), shrinking->recording.count);
    fails(shrinking, shrinking->chosen, script);
    fprintf(script, "# Here: %s. Now say in the title what it is about, and expect what has to hold.\n",
            last_words->reason);
    if (path)
        fclose(script);
}

void sim_shrink(const struct sim_run_options *options, const struct sim_result *failure) {
    struct shrinking shrinking = {.until = time(NULL) + SECONDS_MAX};
    last_words = mmap(NULL, sizeof *last_words, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (last_words == MAP_FAILED)
        return;
    snprintf(shrinking.reason, REASON_BYTES, "%s", failure->reason);
    if (!find_seed(&shrinking, options, failure)) {
        fprintf(stderr, "no seed without fast and slow clocks fails in the same way: no scenario\n");
        return;
    }
    shrinking.chosen = malloc(shrinking.recording.count + 1);
    if (!shrinking.chosen)
        exit(2);
    memset(shrinking.chosen, 1, shrinking.recording.count);
    fprintf(stderr, "seed %llu without clock_rate and mute fails in the same way, after %zu operations\n",
            (unsigned long long)shrinking.options.seed, shrinking.recording.count);
    if (!fails(&shrinking, shrinking.chosen, NULL)) {
        fprintf(stderr, "replayed they do not fail (%s): no scenario\n", last_words->reason);
    } else {
        shrink(&shrinking);
        write_scenario(&shrinking, options->script);
    }
    free(shrinking.chosen);
    free(shrinking.recording.ops);
}
