/** The process that is killed: opens the store, finds out how far it got, compares all of it with the history replayed
 *  to there, and goes on writing, telling every acknowledgement. Lines on standard output:
 *    O step           opened, whole, and equal to the history up to this step
 *    A step sync n    acknowledged; n: enum torture_about
 *    R status words   refused to open (torture_check)
 *    S words          opened, but a segment says that it is damaged (torture_check)
 *    F words          failed
 */
#include "torture_child.h"
#include "rocks_store.h"
#include "torture_steps.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    ssize_t written = write(STDOUT_FILENO, line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
    (void)written;
}

static void fail(const char *words, uint64_t group, uint64_t a, uint64_t b) {
    say("F %s: group %llu: %llu, not %llu\n", words, (unsigned long long)group, (unsigned long long)a,
        (unsigned long long)b);
    exit(1);
}

static struct log_store_completion *wait_one(struct log_store *store) {
    for (;;) {
        struct log_store_completion *completion = log_store_poll(store);
        struct pollfd waited = {.fd = log_store_fd(store), .events = POLLIN};
        if (completion)
            return completion;
        poll(&waited, 1, -1);
    }
}

static struct log_store_completion *load(struct log_store *store, uint64_t group) {
    if (log_store_load(store, group, 1) != LF_OK)
        fail("load", group, 0, 0);
    struct log_store_completion *completion = wait_one(store);
    if (completion->status != LF_OK) {
        say("F load group %llu: %s\n", (unsigned long long)group, completion->error.text);
        exit(1);
    }
    return completion;
}

static uint64_t step_of(const struct log_store_loaded *loaded) {
    for (size_t i = 0; i < loaded->row_count; i++)
        if (lf_bytes_equal(loaded->rows[i].key, lf_bytes_text(TORTURE_STEP_ROW))) {
            char text[24] = "";
            snprintf(text, sizeof text, "%.*s", (int)loaded->rows[i].value.size,
                     (const char *)loaded->rows[i].value.data);
            return strtoull(text, NULL, 10);
        }
    return 0;
}

/* The newest step any group tells; then steps that left no row, since their group was destroyed and is gone. */
static void find_step(struct log_store *store, struct torture *torture) {
    uint64_t step = 0, group;
    bool exists[TORTURE_GROUPS];
    for (uint64_t id = 0; id < TORTURE_GROUPS; id++) {
        struct log_store_completion *completion = load(store, id);
        uint64_t told = step_of(completion->loaded);
        exists[id] = completion->loaded->exists;
        step = told > step ? told : step;
        log_store_completion_destroy(&completion);
    }
    torture_replay(torture, step);
    for (uint64_t destroying; (destroying = torture_destroying_step(torture, &group)) != 0 && !exists[group];)
        torture_replay(torture, destroying);
}

static void compare_state(const struct log_store_loaded *a, const struct log_store_loaded *b, uint64_t group) {
    if (a->exists != b->exists)
        fail("exists", group, a->exists, b->exists);
    if (a->replica_id != b->replica_id)
        fail("replica id", group, a->replica_id, b->replica_id);
    if (a->term != b->term || a->vote != b->vote)
        fail("hard state", group, a->term, b->term);
    if (a->last_index != b->last_index)
        fail("last index", group, a->last_index, b->last_index);
    if (a->applied_index != b->applied_index)
        fail("applied index", group, a->applied_index, b->applied_index);
    if (a->first_index != b->first_index)
        fail("first index", group, a->first_index, b->first_index);
    if (a->previous_index != b->previous_index || a->previous_term != b->previous_term)
        fail("previous index", group, a->previous_index, b->previous_index);
    if (a->segment_count != b->segment_count)
        fail("segments", group, a->segment_count, b->segment_count);
    for (size_t i = 0; i < a->segment_count; i++)
        if (!log_segment_equal(&a->segments[i], &b->segments[i]))
            fail("segment", group, a->segments[i].first_index, b->segments[i].first_index);
    if (a->run_count != b->run_count)
        fail("term runs", group, a->run_count, b->run_count);
    for (size_t i = 0; i < a->run_count; i++)
        if (a->runs[i].first_index != b->runs[i].first_index || a->runs[i].term != b->runs[i].term)
            fail("term run", group, a->runs[i].first_index, b->runs[i].first_index);
    if (a->row_count != b->row_count)
        fail("rows", group, a->row_count, b->row_count);
    for (size_t i = 0; i < a->row_count; i++)
        if (!lf_bytes_equal(a->rows[i].key, b->rows[i].key) || !lf_bytes_equal(a->rows[i].value, b->rows[i].value))
            fail("row", group, i, i);
}

static bool checks_only;

static void compare_entries(struct log_store *store, struct torture *torture, uint64_t group) {
    struct log_store_read read = {
        .group = group, .value = 1, .last_index = UINT64_MAX, .bytes_max = UINT32_MAX, .entries_max = UINT32_MAX};
    struct log_store_completion *model = mem_image_read(&torture->model, &read);
    if (log_store_read(store, &read) != LF_OK)
        fail("read", group, 0, 0);
    struct log_store_completion *real = wait_one(store);
    if (checks_only && real->status == LF_DAMAGED && real->segment.first_index != 0) {
        say("S read group %llu: %s\n", (unsigned long long)group, real->error.text);
        exit(0);
    }
    if (real->status != model->status) {
        say("F read group %llu: %s\n", (unsigned long long)group, real->error.text);
        exit(1);
    }
    if (real->entry_count != model->entry_count)
        fail("entries", group, real->entry_count, model->entry_count);
    for (uint32_t i = 0; i < real->entry_count; i++)
        if (!lf_bytes_equal(lf_buf_bytes(real->entries[i]), lf_buf_bytes(model->entries[i])))
            fail("entry", group, i + 1, i + 1);
    log_store_completion_destroy(&real);
    log_store_completion_destroy(&model);
}

static uint64_t count_tables(const struct log_segment *segments, size_t count) {
    uint64_t tables = 0;
    for (size_t i = 0; i < count; i++)
        tables += segments[i].entry_count > 0;
    return tables;
}

/* At rest there is a table for every segment that holds something, and none besides. */
static void compare_tables(struct log_store *store, uint64_t wanted) {
    struct log_store_engine_stats stats = {.segments_waiting = 1};
    for (int i = 0; i < 10000 && stats.segments_waiting + stats.segment_drops_waiting > 0; i++) {
        poll(NULL, 0, 1);
        log_store_engine_stats(store, &stats);
    }
    if (stats.segment_tables != wanted)
        fail("tables", 0, stats.segment_tables, wanted);
}

static void compare_all(struct log_store *store, struct torture *torture) {
    uint64_t tables = 0;
    for (uint64_t group = 0; group < TORTURE_GROUPS; group++) {
        struct log_store_completion *real = load(store, group);
        struct log_store_completion *model = mem_image_load(&torture->model, group, 1);
        compare_state(real->loaded, model->loaded, group);
        tables += count_tables(real->loaded->segments, real->loaded->segment_count) +
                  count_tables(real->loaded->staged, real->loaded->staged_count);
        log_store_completion_destroy(&real);
        log_store_completion_destroy(&model);
        compare_entries(store, torture, group);
    }
    compare_tables(store, tables);
}

/* How far the writes are. */
struct progress {
    struct log_store *store;
    uint64_t acknowledged;
    bool synced[TORTURE_IN_FLIGHT];
    unsigned about[TORTURE_IN_FLIGHT]; /* of segments: enum torture_about */
};

static unsigned about(const struct log_store_write *write) {
    return (write->seal_count > 0 ? TORTURE_SEALS : 0) | (write->drop_before > 0 ? TORTURE_DROPS : 0) |
           (write->replacement_count > 0 ? TORTURE_REPLACES : 0) | (write->install ? TORTURE_INSTALLS : 0);
}

/* Takes in one completion, which is good; its kind. */
static enum log_store_done take_one(struct progress *progress) {
    struct log_store_completion *completion = wait_one(progress->store);
    enum log_store_done kind = completion->kind;
    if (completion->status != LF_OK) {
        say("F %s %llu: %s\n", kind == LOG_STORE_DONE_STAGE ? "stage" : "step", (unsigned long long)completion->id,
            completion->error.text);
        exit(1);
    }
    if (kind == LOG_STORE_DONE_WRITE) {
        if (completion->id != progress->acknowledged + 1)
            fail("order", completion->group, completion->id, progress->acknowledged + 1);
        progress->acknowledged = completion->id;
        unsigned at = completion->id % TORTURE_IN_FLIGHT;
        say("A %llu %d %u\n", (unsigned long long)completion->id, progress->synced[at], progress->about[at]);
    }
    log_store_completion_destroy(&completion);
    return kind;
}

/* In two pieces, durable before the write that needs it is handed over. */
static void stage(struct progress *progress, uint64_t group, struct torture_pile *pile) {
    uint32_t half = pile->count / 2;
    for (int piece = 0; piece < 2; piece++) {
        struct log_store_stage given = {.group = group,
                                        .request = piece,
                                        .segment = &pile->segment,
                                        .first = piece == 0,
                                        .last = piece == 1,
                                        .entries = pile->entries + (piece == 0 ? 0 : half),
                                        .entry_count = piece == 0 ? half : pile->count - half};
        if (log_store_stage(progress->store, &given) != LF_OK)
            fail("stage", group, 0, 0);
    }
    for (int left = 2; left > 0;)
        left -= take_one(progress) == LOG_STORE_DONE_STAGE;
}

static void write_on(struct log_store *store, struct torture *torture, uint64_t until) {
    struct progress progress = {.store = store, .acknowledged = torture->step};
    while (progress.acknowledged < until) {
        while (torture->step < progress.acknowledged + TORTURE_IN_FLIGHT && torture->step < until) {
            torture_pile_clear(&torture->pile);
            struct log_store_write *write = torture_next(torture);
            progress.synced[write->token % TORTURE_IN_FLIGHT] = write->sync;
            progress.about[write->token % TORTURE_IN_FLIGHT] = about(write);
            if (torture->pile.used)
                stage(&progress, write->group, &torture->pile);
            if (log_store_submit(store, &write) != LF_OK)
                fail("submit", 0, torture->step, 0);
        }
        take_one(&progress);
    }
}

static enum lf_status open_store(const char *directory, bool create, struct log_store **store, struct lf_error *error) {
    const struct log_store_identity identity = {.store_uuid = {9, 9, 1}, .node_id = 1};
    struct rocks_store_options options = {
        .directory = directory, .create = create, .memtable_bytes = 256 * 1024, .wal_bytes_max = 2u << 20};
    return rocks_store_open(&options, &identity, store, error);
}

int torture_child(const char *directory, uint64_t seed, uint64_t until, enum torture_end end) {
    static struct torture torture; /* large */
    struct log_store *store = NULL;
    torture.seed = seed;
    struct lf_error error = {0};
    if (open_store(directory, true, &store, &error) != LF_OK) {
        say("F %s\n", error.text);
        return 1;
    }
    find_step(store, &torture);
    compare_all(store, &torture);
    say("O %llu\n", (unsigned long long)torture.step);
    write_on(store, &torture, end == TORTURE_GO_ON ? UINT64_MAX : until);
    while (end == TORTURE_BE_IDLE)
        pause();
    log_store_close(&store);
    return 0;
}

int torture_check(const char *directory, uint64_t seed) {
    static struct torture torture; /* large */
    struct log_store *store = NULL;
    torture.seed = seed;
    struct lf_error error = {0};
    enum lf_status status = open_store(directory, false, &store, &error);
    if (status != LF_OK) {
        say("R %d %s\n", (int)status, error.text);
        return 0;
    }
    checks_only = true;
    find_step(store, &torture);
    compare_all(store, &torture);
    say("O %llu\n", (unsigned long long)torture.step);
    log_store_close(&store);
    return 0;
}
