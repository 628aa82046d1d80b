/** Every crash point of the real store: in each operation of several writes the n-th call of each kind on its files is
 *  the last one of the process, with or without the power, or fails; for every n.
 *
 *  store_points [--stride N] [--seed S] [OPERATION...]   every N-th point, beginning with S
 *
 *  After each: what is there is the state after some number of the operation's steps, none of it halfway, at least
 * those that were acknowledged; the other group is as it was; and the operation goes on from there to its end. The
 * calls of opening and closing the store are among those visited, and those that make tables behind the seals.
 */
#include "crash_operations.h"
#include "rocks_backend.h"
#include "rocks_store.h"
#include "scratch_directory.h"
#include "shim_run.h"
#include "witness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* How often it is looked whether the store has come to rest, and after how many looks it is asked to write something.
 */
#define SETTLE_STEP_US 2000
#define SETTLE_ROUNDS 250

/* What may happen at a point. */
enum fate { KILL, POWER, FAIL, TORN, FATES };
static const char *const fates[] = {"kill", "kill", "EIO", "torn"};
static const char *const calls[] = {"write",  "pwrite", "fdatasync", "fsync",     "open",
                                    "rename", "unlink", "link",      "ftruncate", "fallocate"};
#define CALLS (sizeof calls / sizeof calls[0])
/* A call that fails: not where it is asked only, or where the store may do without. */
static bool may_fail(size_t call) { return call <= 3; }
static bool may_be_torn(size_t call) { return call == 0; }

struct points {
    const struct crash_operation *operation;
    uint32_t states[CRASH_STEPS_MAX + 1];
    uint32_t step_count, beside;
    uint32_t stride, seed;
    char *base;
    char filled[96], root[64], store[96], state[64];
    uint32_t visited, failed_in_words, aborted;
};

static enum lf_status try_open(const char *directory, struct crash_store *store, struct lf_error *error) {
    struct rocks_store_options options = {.directory = directory, .create = true};
    *store = (struct crash_store){.wait = rocks_backend.wait};
    return rocks_store_open(&options, &contract_identity, &store->store, error);
}

static void say_refused(const char *directory, const char *when, enum lf_status status, const struct lf_error *error) {
    printf("store_points: FAILED: %s: %s does not open: %s (%s)\n", when, directory, error->text,
           lf_status_name(status));
    exit(1);
}

static struct crash_store open_store(const char *directory, const char *when) {
    struct crash_store store;
    struct lf_error error = {0};
    enum lf_status status = try_open(directory, &store, &error);
    if (status != LF_OK)
        say_refused(directory, when, status, &error);
    return store;
}

/* ---- the child ---- */

static void tell(uint32_t step) { printf("S %u\n", step); }

/* Until tables are made and dropped ones are gone. False: the store failed at it, as a write of it says then. */
static bool settle(struct crash_store *store) {
    for (uint32_t round = 1;; round++) {
        struct log_store_engine_stats stats;
        log_store_engine_stats(store->store, &stats);
        if (stats.segments_waiting == 0 && stats.segment_drops_waiting == 0)
            return true;
        usleep(SETTLE_STEP_US);
        struct crash_step nothing = {.write = round % SETTLE_ROUNDS == 0 ? contract_write(CRASH_OTHER, 0) : NULL};
        if (nothing.write && crash_run_steps(store, &nothing, 0, 1, false) != 1)
            return false;
    }
}

static int child(const char *directory, const char *name) {
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was told stays told */
    struct rocks_store_options options = {.directory = directory};
    struct crash_store store = {.wait = rocks_backend.wait, .told = tell};
    struct lf_error error = {0};
    struct crash_step steps[CRASH_STEPS_MAX];
    if (rocks_store_open(&options, &contract_identity, &store.store, &error) != LF_OK)
        return 3;
    for (size_t i = 0; i < crash_operation_count; i++) {
        if (strcmp(crash_operations[i].name, name) != 0)
            continue;
        uint32_t count = crash_make_steps(&crash_operations[i], steps);
        bool done = crash_run_steps(&store, steps, 0, count, false) == count;
        store.told = NULL;
        done = done && settle(&store);
        log_store_close(&store.store);
        return done ? 0 : 4;
    }
    return 5;
}

/* ---- the parent ---- */

static void fill(struct points *points) {
    mkdir(points->filled, 0755);
    struct crash_store store = open_store(points->filled, "to begin with");
    crash_fill(&store);
    rocks_backend_settle(store.store);
    points->beside = crash_digest(&store, CRASH_OTHER);
    log_store_close(&store.store);
}

static void fresh_store(const struct points *points) {
    scratch_directory_remove(points->root);
    scratch_directory_remove(points->state);
    mkdir(points->root, 0755);
    scratch_directory_copy(points->filled, points->store);
    char witness[128];
    snprintf(witness, sizeof witness, "%s/" WITNESS_NAME, points->store);
    if (points->operation->upgrades && unlink(witness) != 0) {
        printf("store_points: FAILED: no %s to take away\n", witness);
        exit(1);
    }
}

static void find_states(struct points *points) {
    fresh_store(points);
    struct crash_store store = open_store(points->store, points->operation->name);
    points->step_count = crash_clean_states(&store, points->operation, points->states);
    log_store_close(&store.store);
}

/* How the child ended; *done: its acknowledged steps. */
static int run_child(const struct points *points, const char *rule, uint32_t *done) {
    int pipes[2], how = 0;
    char line[64];
    char *arguments[] = {(char *)"/proc/self/exe", (char *)"--child", (char *)(uintptr_t)points->store,
                         (char *)(uintptr_t)points->operation->name, NULL};
    if (pipe(pipes) != 0)
        exit(1);
    pid_t process = shim_start(arguments, points->root, points->state, rule, pipes[1]);
    close(pipes[1]);
    FILE *lines = fdopen(pipes[0], "r");
    for (*done = 0; fgets(line, sizeof line, lines);)
        *done += line[0] == 'S';
    fclose(lines);
    waitpid(process, &how, 0);
    return how;
}

static void check(struct points *points, const char *rule, uint32_t done) {
    struct crash_store store;
    struct lf_error error = {0};
    enum lf_status status = try_open(points->store, &store, &error);
    if (status != LF_OK)
        say_refused(points->store, rule, status, &error);
    struct crash_step steps[CRASH_STEPS_MAX];
    uint32_t digest = crash_digest(&store, CRASH_GROUP), found = done;
    while (found <= points->step_count && points->states[found] != digest)
        found++;
    if (found > points->step_count || crash_digest(&store, CRASH_OTHER) != points->beside) {
        printf("store_points: FAILED: %s, %s: after %u acknowledged steps a state that no step leaves\n  kept in %s\n",
               points->operation->name, rule, done, points->base);
        exit(1);
    }
    uint32_t count = crash_make_steps(points->operation, steps);
    bool well = crash_run_steps(&store, steps, found, count, false) == count;
    rocks_backend_settle(store.store);
    log_store_close(&store.store);
    crash_free_steps(steps, count);
    store = open_store(points->store, "when it was closed");
    well = well && crash_digest(&store, CRASH_GROUP) == points->states[count];
    log_store_close(&store.store);
    if (well)
        return;
    printf("store_points: FAILED: %s, %s: it does not go on after %u steps\n  kept in %s\n", points->operation->name,
           rule, found, points->base);
    exit(1);
}

/* False: there is no such call. */
static bool visit(struct points *points, size_t call, uint32_t n, enum fate fate) {
    char rule[64];
    uint32_t done;
    snprintf(rule, sizeof rule, "%s:%u:%s", calls[call], n, fates[fate]);
    fresh_store(points);
    int how = run_child(points, rule, &done);
    if (how == 0 && fate <= POWER)
        return false;
    bool aborted = WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT; /* an assertion of RocksDB */
    if (how != 0 && !aborted && !(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL) &&
        !(fate >= FAIL && WIFEXITED(how) && (WEXITSTATUS(how) == 3 || WEXITSTATUS(how) == 4))) {
        printf("store_points: FAILED: %s, %s: the process ended with %d\n", points->operation->name, rule, how);
        exit(1);
    }
    if (fate == POWER)
        shim_cut(points->state, points->seed + n, NULL, 0);
    check(points, rule, done);
    points->visited++;
    points->aborted += aborted;
    points->failed_in_words += WIFEXITED(how);
    return true;
}

static void visit_operation(struct points *points) {
    find_states(points);
    for (size_t call = 0; call < CALLS; call++) {
        uint32_t last = 0; /* the last of these calls that was met; later ones cannot be told from none */
        for (uint32_t n = 1 + points->seed % points->stride; visit(points, call, n, KILL); n += points->stride)
            last = n;
        for (int fate = POWER; fate < FATES; fate++) {
            if ((fate == FAIL && !may_fail(call)) || (fate == TORN && !may_be_torn(call)))
                continue;
            for (uint32_t n = 1 + (points->seed + (uint32_t)fate) % points->stride; n <= last; n += points->stride)
                visit(points, call, n, (enum fate)fate);
        }
    }
    printf("%-13s %u crash points\n", points->operation->name, points->visited);
    if (points->visited > 0)
        return;
    printf("store_points: FAILED: %s: nothing was visited: is the shim there?\n", points->operation->name);
    exit(1);
}

static bool is_named(int count, char **names, const char *name) {
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return count == 0;
}

int main(int count, char **arguments) {
    if (count == 4 && strcmp(arguments[1], "--child") == 0)
        return child(arguments[2], arguments[3]);
    struct points points = {.stride = 1};
    int at = 1;
    for (; at + 1 < count && arguments[at][0] == '-'; at += 2) {
        uint32_t value = (uint32_t)strtoul(arguments[at + 1], NULL, 10);
        if (strcmp(arguments[at], "--stride") == 0 && value > 0)
            points.stride = value;
        else if (strcmp(arguments[at], "--seed") == 0)
            points.seed = value;
        else
            break;
    }
    if (at < count && arguments[at][0] == '-') {
        fprintf(stderr, "usage: store_points [--stride N] [--seed S] [OPERATION...]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    points.base = scratch_directory_new();
    snprintf(points.filled, sizeof points.filled, "%s/filled", points.base);
    snprintf(points.root, sizeof points.root, "%s/root", points.base);
    snprintf(points.store, sizeof points.store, "%s/root/store", points.base);
    snprintf(points.state, sizeof points.state, "%s/state", points.base);
    fill(&points);
    uint32_t sum = 0, aborted = 0, words = 0;
    for (size_t i = 0; i < crash_operation_count; i++) {
        if (!is_named(count - at, arguments + at, crash_operations[i].name))
            continue;
        points.operation = &crash_operations[i];
        points.visited = points.aborted = points.failed_in_words = 0;
        visit_operation(&points);
        sum += points.visited;
        aborted += points.aborted;
        words += points.failed_in_words;
    }
    printf("%-13s %u crash points: %u processes killed, %u ended by themselves, %u by an assertion of RocksDB\n", "all",
           sum, sum - words - aborted, words, aborted);
    scratch_directory_remove(points.base);
    free(points.base);
    if (sum > 0)
        return 0;
    fprintf(stderr, "store_points: no such operation\n");
    return 2;
}
