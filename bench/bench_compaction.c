#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cluster.h"

static const char help[] =
    "How fast do brokers compact a topic by key, in how much memory, and is the result right on each of them?\n"
    "\n"
    "  bench_compaction [--records N] [--keys N] [--value BYTES]\n"
    "\n"
    "Three brokers, one partition with three replicas. Records with keys at random are published and sealed; then the\n"
    "topic gets cleanup.policy=compact. From the log of each broker: how long its rewrites of the log took, all three "
    "at\n"
    "once. Its memory: the most that was resident meanwhile. Then a consumer reads all, the brokers are stopped, and "
    "the\n"
    "store of each is read (`logflumed store export`): every time exactly the last record of each key, at the offset "
    "at\n"
    "which it was acknowledged, with its own value, and nothing else.\n"
    "\n"
    "  --records N    [10000000]\n"
    "  --keys N       [100000]\n"
    "  --value BYTES  of a record, 17 to 1024 [64]\n"
    "\n"
    "Goal: at least 300000 records per second. The stores read no more than store.compaction_bytes_per_s, 128 MiB, "
    "each.\n"
    "Ends with 1 when the result is not right.\n";

enum { NODES = 3, VALUE_BYTES_MAX = 1024, WAIT_S = 900 };
static const double goal_records_per_s = 300000;

struct bench {
    struct bench_cluster cluster;
    lf_client *client;
    int64_t records, keys;
    size_t value_bytes;
    int64_t *last;   /**< offset of each key's last record; -1: it has none */
    uint8_t *seen;   /**< keys found by the reader under way */
    atomic_long bad; /**< answers that were not the offset expected, or no offset */
};
static struct bench bench;

static uint64_t mixed(uint64_t x) {
    x = (x + 1) * 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static int64_t key_of(int64_t offset) { return (int64_t)(mixed((uint64_t)offset) % (uint64_t)bench.keys); }

/** Letters that follow from the offset, after the offset. */
static void make_value(char *value, int64_t offset) {
    int size = snprintf(value, VALUE_BYTES_MAX + 1, "%016" PRIx64, (uint64_t)offset);
    uint64_t random = mixed(~(uint64_t)offset);
    for (size_t i = (size_t)size; i < bench.value_bytes; i++)
        value[i] = (char)('a' + (random >> i % 48) % 26);
}

/* ---- publishing ---- */

static void on_delivery(const struct lf_delivery *delivery) {
    bool right = delivery->status == LF_OK && delivery->offset == (int64_t)(intptr_t)delivery->context;
    if (!right && delivery->status != LF_DUPLICATE)
        atomic_fetch_add(&bench.bad, 1);
}

static double publish_all(void) {
    char value[VALUE_BYTES_MAX + 1], key[24];
    struct lf_error error = {0};
    int64_t began = bench_now_us();
    for (int64_t i = 0; i < bench.records; i++) {
        int64_t number = key_of(i);
        int size = snprintf(key, sizeof key, "%" PRId64, number);
        make_value(value, i);
        bench.last[number] = i;
        struct lf_message message = {.topic = "bench",
                                     .partition = 0,
                                     .key = key,
                                     .key_size = (size_t)size,
                                     .value = value,
                                     .value_size = bench.value_bytes};
        if (lf_publish(bench.client, &message, on_delivery, (void *)(intptr_t)i, 60000, &error) != LF_OK)
            bench_die("publish: %s", error.text);
    }
    if (lf_flush(bench.client, WAIT_S * 1000) != LF_OK || atomic_load(&bench.bad) > 0)
        bench_die("publish: %ld messages without the offset that was theirs", atomic_load(&bench.bad));
    return (double)(bench_now_us() - began) / 1e6;
}

/* ---- waiting ---- */

struct seen_segments {
    size_t sealed, rewritten;
    int64_t sealed_to; /**< offset after the last sealed one */
    uint64_t bytes;
};

static bool look_at_segments(int node, struct seen_segments *seen) {
    struct lf_segments segments = {0};
    *seen = (struct seen_segments){0};
    if (lf_partition_segments(bench.client, "bench", 0, (uint64_t)node + 1, &segments, NULL) != LF_OK)
        return false;
    for (size_t i = 0; i < segments.count; i++) {
        const struct lf_segment *segment = &segments.segments[i];
        if (segment->open)
            continue;
        seen->sealed++;
        seen->rewritten += segment->rewrites > 0;
        seen->bytes += segment->bytes;
        seen->sealed_to = segment->end_offset;
    }
    lf_segments_free(&segments);
    return true;
}

static bool all_sealed(const struct seen_segments *seen) { return seen->sealed_to == bench.records; }
static bool all_compacted(const struct seen_segments *seen) {
    return all_sealed(seen) && seen->rewritten == seen->sealed;
}

/** On every node. */
static void wait_for(const char *what, bool (*condition)(const struct seen_segments *seen)) {
    int64_t deadline = bench_now_us() + (int64_t)WAIT_S * 1000000;
    for (int i = 0; i < NODES; i++) {
        struct seen_segments seen;
        while (!look_at_segments(i, &seen) || !condition(&seen))
            if (bench_now_us() > deadline)
                bench_die("not %s on broker %d within %d s: %zu segments, %zu rewritten, up to offset %" PRId64, what,
                          i + 1, WAIT_S, seen.sealed, seen.rewritten, seen.sealed_to);
            else
                bench_wait_us(bench_now_us() + 50000);
    }
    if (!bench_settle(&bench.cluster, WAIT_S))
        bench_die("the stores are still busy after %d s", WAIT_S);
}

/* ---- the time, from a broker's log ---- */

/** Seconds of the day, of a line that begins with time=YYYY-MM-DDTHH:MM:SS.mmm; -1. */
static double time_of(const char *line) {
    int hours, minutes;
    double seconds;
    const char *at = strchr(line, 'T');
    if (strncmp(line, "time=", 5) != 0 || !at || sscanf(at, "T%d:%d:%lf", &hours, &minutes, &seconds) != 3)
        return -1;
    return hours * 3600.0 + minutes * 60.0 + seconds;
}

struct rewrites {
    int count;
    double seconds;
};

/** From "rewrite=N of segments A-B begins" to "rewrite=N: OK", summed up. */
static struct rewrites rewrites_of(int node) {
    char path[600], line[4096];
    struct rewrites rewrites = {0};
    double began = -1;
    snprintf(path, sizeof path, "%s/%d.log", bench.cluster.directory, node + 1);
    FILE *log = fopen(path, "r");
    while (log && fgets(line, sizeof line, log)) {
        const char *at = strstr(line, " rewrite=");
        if (at && strstr(at, " begins"))
            began = time_of(line);
        else if (at && strstr(at, ": OK") && began >= 0) {
            double took = time_of(line) - began;
            rewrites.count++;
            rewrites.seconds += took < 0 ? took + 86400 : took; /* midnight */
            began = -1;
        }
    }
    if (log)
        fclose(log);
    return rewrites;
}

/** So that VmHWM tells the most from now on. */
static void forget_resident_max(int node) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/clear_refs", (int)bench.cluster.nodes[node].pid);
    FILE *out = fopen(path, "w");
    if (!out || fputs("5", out) < 0)
        fprintf(stderr, "%s: not written, the most that was resident is that since the start\n", path);
    if (out)
        fclose(out);
}

static void compact(void) {
    double before_mb[NODES], slowest_s = 0;
    struct seen_segments before, after;
    if (!look_at_segments(0, &before))
        bench_die("broker 1 does not tell its segments");
    for (int i = 0; i < NODES; i++) {
        before_mb[i] = bench_resident_mb(&bench.cluster, i);
        forget_resident_max(i);
    }
    bench_alter(bench.client, "bench", "cleanup.policy", "compact");
    wait_for("compacted", all_compacted);
    if (!look_at_segments(0, &after))
        bench_die("broker 1 does not tell its segments");
    printf("segments             %zu of %.1f MB became %zu of %.1f MB\n", before.sealed, (double)before.bytes / 1e6,
           after.sealed, (double)after.bytes / 1e6);
    for (int i = 0; i < NODES; i++) {
        struct rewrites rewrites = rewrites_of(i);
        if (rewrites.count == 0)
            bench_die("the log of broker %d has no rewrite that ended well", i + 1);
        slowest_s = rewrites.seconds > slowest_s ? rewrites.seconds : slowest_s;
        printf(
            "broker %d             %d rewrites in %.2f s: %.0f records/s; resident %.0f MB before, at most %.0f MB\n",
            i + 1, rewrites.count, rewrites.seconds, (double)bench.records / rewrites.seconds, before_mb[i],
            bench_resident_max_mb(&bench.cluster, i));
    }
    double rate = (double)bench.records / slowest_s;
    printf("compacted            %.0f records/s on the slowest, goal %.0f: %s\n", rate, goal_records_per_s,
           rate >= goal_records_per_s ? "held" : "missed");
    fflush(stdout);
}

/* ---- reading ---- */

static void begin_reading(void) { memset(bench.seen, 0, (size_t)bench.keys); }

static void take(const char *who, int64_t offset, const char *key, const char *value, size_t value_size) {
    char expected[VALUE_BYTES_MAX + 1];
    int64_t number = atoll(key);
    if (offset < 0 || offset >= bench.records || number != key_of(offset))
        bench_die("%s: at offset %" PRId64 " stands key %.20s", who, offset, key);
    make_value(expected, offset);
    if (value_size != bench.value_bytes || memcmp(value, expected, value_size) != 0)
        bench_die("%s: at offset %" PRId64 " stands another value: %.*s", who, offset, (int)value_size, value);
    if (bench.last[number] != offset)
        bench_die("%s: key %" PRId64 " at offset %" PRId64 ", and its last is at %" PRId64, who, number, offset,
                  bench.last[number]);
    if (bench.seen[number]++)
        bench_die("%s: key %" PRId64 " twice", who, number);
}

static void end_reading(const char *who) {
    int64_t found = 0;
    for (int64_t i = 0; i < bench.keys; i++) {
        if (bench.last[i] >= 0 && !bench.seen[i])
            bench_die("%s: key %" PRId64 " is missing", who, i);
        found += bench.seen[i];
    }
    printf("%-20s %" PRId64 " records: exactly the last of each key\n", who, found);
}

static void read_by_consumer(void) {
    struct lf_subscribe_options options;
    struct lf_error error = {0};
    lf_subscription *subscription;
    lf_subscribe_options_init(&options);
    options.topic = "bench";
    options.partition = 0;
    options.start = LF_START_EARLIEST;
    options.exit_at_end = true;
    if (lf_subscribe(bench.client, &options, &subscription, &error) != LF_OK)
        bench_die("subscribe: %s", error.text);
    begin_reading();
    for (;;) {
        struct lf_records records;
        enum lf_status status = lf_poll(subscription, 30000, &records, &error);
        if (status == LF_END)
            break;
        if (status != LF_OK)
            bench_die("a consumer: %s", status == LF_AGAIN ? "nothing for 30 s" : error.text);
        for (size_t i = 0; i < records.count; i++) {
            const struct lf_record_view *record = &records.records[i];
            char key[24] = {0};
            memcpy(key, record->key, record->key_size < sizeof key ? record->key_size : sizeof key - 1);
            take("a consumer", record->offset, key, record->value, record->value_size);
        }
    }
    lf_unsubscribe(&subscription);
    end_reading("a consumer");
}

/** The node is stopped. */
static void read_store(int node) {
    char command[1400], line[VALUE_BYTES_MAX + 64], who[32], key[24];
    snprintf(who, sizeof who, "store of broker %d", node + 1);
    snprintf(command, sizeof command, "'%s/logflumed' store export '%s/data%d' bench/0 -q -f '%%o %%k %%s\\n'",
             bench.cluster.bin, bench.cluster.directory, node + 1);
    FILE *in = popen(command, "r");
    if (!in)
        bench_die("%s: cannot be started", command);
    begin_reading();
    while (fgets(line, sizeof line, in)) {
        long long offset;
        int value_at = 0;
        size_t size = strlen(line);
        if (sscanf(line, "%lld %23s %n", &offset, key, &value_at) != 2 || value_at == 0 || line[size - 1] != '\n')
            bench_die("%s: a line that is no record: %s", who, line);
        take(who, offset, key, line + value_at, size - 1 - (size_t)value_at);
    }
    if (pclose(in) != 0)
        bench_die("%s: %s failed", who, command);
    end_reading(who);
}

int main(int argc, char **argv) {
    bench_help(argc, argv, help);
    bench.records = bench_option(argc, argv, "--records", 10000000);
    bench.keys = bench_option(argc, argv, "--keys", 100000);
    bench.value_bytes = (size_t)bench_option(argc, argv, "--value", 64);
    if (bench.records < 1 || bench.keys < 1 || bench.value_bytes < 17 || bench.value_bytes > VALUE_BYTES_MAX)
        bench_die("at least one record and key, and values of 17 to %d bytes", VALUE_BYTES_MAX);
    bench.last = malloc((size_t)bench.keys * sizeof *bench.last);
    bench.seen = malloc((size_t)bench.keys);
    if (!bench.last || !bench.seen)
        bench_die("no memory");
    memset(bench.last, 0xff, (size_t)bench.keys * sizeof *bench.last);
    bench_cluster_start(&bench.cluster, NODES, NULL, NULL);
    bench_cluster_wait(&bench.cluster);
    printf("fdatasync            %.0f /s raw, 4 KB\n", bench_fdatasync_rate(bench.cluster.directory));
    bench.client = bench_client(bench.cluster.brokers);
    /* Sealed soon after the last record: what is not sealed is not compacted. */
    const struct lf_setting settings[] = {{"segment.ms", "1s"}};
    bench_topic_with(bench.client, "bench", 1, NODES, settings, 1);
    double took = publish_all();
    printf("published            %" PRId64 " records over %" PRId64
           " keys, %zu bytes each, in %.1f s: %.0f records/s\n",
           bench.records, bench.keys, bench.value_bytes, took, (double)bench.records / took);
    fflush(stdout);
    wait_for("sealed", all_sealed);
    compact();
    read_by_consumer();
    lf_client_close(&bench.client, 1000);
    for (int i = 0; i < NODES; i++)
        bench_cluster_quit(&bench.cluster, i);
    for (int i = 0; i < NODES; i++)
        read_store(i);
    bench_cluster_stop(&bench.cluster);
    free(bench.last);
    free(bench.seen);
    return 0;
}
