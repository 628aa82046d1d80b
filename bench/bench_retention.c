#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cluster.h"
#include "bench_load.h"

static const char help[] =
    "How soon does the disk get back what retention drops, and what do publishers notice?\n"
    "\n"
    "  bench_retention [--megabytes N] [--nodes N] [--seconds S] [--only 1|2|3]\n"
    "\n"
    "Three runs, each with new brokers and 8 equal partitions of 256-byte messages:\n"
    "  1. all drop half of what they hold (retention.bytes is lowered)\n"
    "  2. seven drop everything, one keeps everything\n"
    "  3. all drop half, and go on dropping, while messages are published at half the rate that was the most before\n"
    "\n"
    "  --megabytes N   of messages in all partitions together [2048]\n"
    "  --nodes N       brokers, each with a replica of every partition [3]\n"
    "  --seconds S     of the steady load before the drop, and from then on [10]\n"
    "  --only N        this run alone [all three]\n"
    "\n"
    "Disk use is that of a node's data directory (blocks), without the ballast file, which is room kept for a full "
    "disk;\n"
    "what remains are the bytes of the entries that are left, sealed or not. The worst node is printed.\n"
    "Goals: disk use within 10 % of what remains in 10 s; p99 while dropping under twice the p99 before.\n"
    "Ends with 1 when nothing is dropped within a minute, or anything that is to remain cannot be read.\n";

enum { PARTITIONS = 8, LOOK_US = 50000 };
static const double goal_s = 10, goal_ratio = 1.1, wait_s = 60;

/* ---- the disk ---- */

struct usage {
    double all, ballast, log, tables; /**< bytes of blocks */
};
static struct usage tally;

static bool ends_with(const char *path, const char *end) {
    size_t size = strlen(path), end_size = strlen(end);
    return size >= end_size && strcmp(path + size - end_size, end) == 0;
}

static int add_file(const char *path, const struct stat *about, int kind, struct FTW *where) {
    double bytes = (double)about->st_blocks * 512;
    (void)where;
    tally.all += bytes;
    if (kind != FTW_F)
        return 0;
    tally.ballast += ends_with(path, "/ballast") ? bytes : 0;
    tally.log += ends_with(path, ".log") ? bytes : 0;
    tally.tables += ends_with(path, ".sst") ? bytes : 0;
    return 0;
}

static struct usage usage_of(const struct bench_cluster *cluster, int node) {
    char path[600];
    snprintf(path, sizeof path, "%s/data%d", cluster->directory, node + 1);
    tally = (struct usage){0};
    nftw(path, add_file, 16, FTW_PHYS);
    return tally;
}

static double remaining(const struct bench_cluster *cluster, int node) {
    return bench_metric(cluster, node, "partition_bytes");
}

static double ratio_of(const struct bench_cluster *cluster, int node) {
    struct usage usage = usage_of(cluster, node);
    double left = remaining(cluster, node);
    return left > 0 ? (usage.all - usage.ballast) / left : 1e9;
}

static void print_usage(const struct bench_cluster *cluster, const char *when, int node) {
    struct usage usage = usage_of(cluster, node);
    double left = remaining(cluster, node), segments = bench_metric(cluster, node, "store_segment_bytes ");
    printf("  %-18s %.1f MB on disk for %.1f MB: %.2f (write-ahead log %.1f, segments %.1f, other tables %.1f; ballast "
           "%.1f MB beside it)\n",
           when, (usage.all - usage.ballast) / 1e6, left / 1e6, left > 0 ? (usage.all - usage.ballast) / left : 0,
           usage.log / 1e6, segments / 1e6, (usage.tables - segments) / 1e6, usage.ballast / 1e6);
}

/* ---- a cluster with 8 partitions: `drop` and, if there are fewer than 8, `keep` ---- */

struct run {
    struct bench_cluster cluster;
    lf_client *client;
    struct bench_stream *drop, *keep;
    uint32_t drop_partitions;
    double bytes_before[BENCH_NODES_MAX];
};

static uint64_t bytes_of_run(void) { return (uint64_t)64 * BENCH_MESSAGE_BYTES; }

static void settle(const struct run *run) {
    if (!bench_settle(&run->cluster, 600))
        bench_die("the stores are still busy after ten minutes");
}

static void begin(struct run *run, int nodes, uint32_t drop_partitions, uint64_t bytes) {
    memset(run, 0, sizeof *run);
    run->drop_partitions = drop_partitions;
    bench_cluster_start(&run->cluster, nodes, NULL, NULL);
    bench_cluster_wait(&run->cluster);
    run->client = bench_client(run->cluster.brokers);
    bench_topic(run->client, "drop", drop_partitions, (uint32_t)nodes);
    run->drop = bench_stream_new(run->client, "drop", drop_partitions, BENCH_MESSAGE_BYTES, 64, 0);
    uint64_t each = bytes / PARTITIONS / bytes_of_run() * bytes_of_run();
    bench_stream_publish(run->drop, each * drop_partitions, 0);
    if (drop_partitions < PARTITIONS) {
        bench_topic(run->client, "keep", PARTITIONS - drop_partitions, (uint32_t)nodes);
        run->keep = bench_stream_new(run->client, "keep", PARTITIONS - drop_partitions, BENCH_MESSAGE_BYTES, 64, 0);
        bench_stream_publish(run->keep, each * (PARTITIONS - drop_partitions), 0);
    }
    settle(run);
    for (int i = 0; i < nodes; i++)
        run->bytes_before[i] = remaining(&run->cluster, i);
}

static void check_topic(const struct run *run, const char *topic, uint32_t partitions, bool whole) {
    for (uint32_t p = 0; p < partitions; p++) {
        int64_t end = -1;
        struct lf_error error = {0};
        struct bench_numbers numbers = bench_read(run->cluster.brokers, topic, (int32_t)p, UINT64_MAX);
        if (lf_partition_end(run->client, topic, (int32_t)p, &end, &error) != LF_OK)
            bench_die("end of %s/%u: %s", topic, p, error.text);
        if (numbers.count == 0 || (int64_t)(numbers.first + numbers.count) != end || (whole && numbers.first != 0))
            bench_die("%s/%u: read %llu messages from %llu on, and its end is %lld", topic, p,
                      (unsigned long long)numbers.count, (unsigned long long)numbers.first, (long long)end);
    }
}

static void finish(struct run *run) {
    bench_stream_destroy(&run->drop);
    bench_stream_destroy(&run->keep);
    lf_client_close(&run->client, 1000);
    bench_cluster_stop(&run->cluster);
}

static void lower(const struct run *run, double bytes) {
    char value[32];
    snprintf(value, sizeof value, "%.0f", bytes);
    bench_alter(run->client, "drop", "retention.bytes", value);
}

/** What remains is at most this part of what was, on every node. */
static bool has_dropped(const struct run *run, double part) {
    for (int i = 0; i < run->cluster.count; i++) {
        double left = remaining(&run->cluster, i);
        if (left < 0 || left > run->bytes_before[i] * part)
            return false;
    }
    return true;
}

static double worst_ratio(const struct run *run, int *node) {
    double worst = 0;
    for (int i = 0; i < run->cluster.count; i++) {
        double ratio = ratio_of(&run->cluster, i);
        if (ratio > worst) {
            worst = ratio;
            *node = i;
        }
    }
    return worst;
}

/** 1. and 2. From the change of the setting until the disk has followed. */
static void drop_at_rest(struct run *run, const char *name, double retention, double part) {
    int node = 0, dropped_node = 0;
    double dropped_s = -1, held_s = -1, late_s = 0, ratio_at_goal = 0;
    printf("%s\n", name);
    worst_ratio(run, &node);
    print_usage(&run->cluster, "before", node);
    int64_t began = bench_now_us();
    lower(run, retention);
    while (held_s < 0 && late_s < wait_s) {
        bench_wait_us(bench_now_us() + LOOK_US);
        late_s = (double)(bench_now_us() - began) / 1e6;
        if (dropped_s < 0 && !has_dropped(run, part))
            continue;
        if (dropped_s < 0)
            dropped_s = late_s;
        double ratio = worst_ratio(run, &dropped_node);
        if (ratio <= goal_ratio)
            held_s = late_s;
        if (held_s >= 0 || late_s <= goal_s)
            ratio_at_goal = ratio;
    }
    if (dropped_s < 0)
        bench_die("%s: not dropped within %.0f s", name, wait_s);
    print_usage(&run->cluster, "after", dropped_node);
    printf("  log starts moved after %.2f s; ", dropped_s);
    if (held_s >= 0)
        printf("disk use within 10 %% of what remains after %.2f s", held_s);
    else
        printf("disk use not within 10 %% of what remains in %.0f s (%.2f after %.0f s)", wait_s, ratio_at_goal,
               goal_s);
    printf(", goal %.0f s: %s\n", goal_s, held_s >= 0 && held_s <= goal_s ? "held" : "missed");
    fflush(stdout);
}

/** 3. */
static void drop_under_load(struct run *run, double seconds) {
    double most = bench_stream_publish(run->drop, UINT64_MAX, seconds) / BENCH_MESSAGE_BYTES;
    settle(run);
    for (int i = 0; i < run->cluster.count; i++)
        run->bytes_before[i] = remaining(&run->cluster, i);
    struct bench_steady *steady =
        bench_steady_start(run->client, "drop", PARTITIONS, run->drop, (long)(most / 2), 4 * seconds + wait_s);
    bench_wait_us(bench_now_us() + 2000000); /* warm */
    size_t first = bench_steady_mark(steady);
    bench_wait_us(bench_now_us() + (int64_t)(seconds * 1e6));
    size_t lowered = bench_steady_mark(steady);
    double log_start = bench_metric(&run->cluster, 0, "partition_log_start_offset");
    int64_t began = bench_now_us();
    lower(run, run->bytes_before[0] / PARTITIONS / 2);
    bench_wait_us(began + (int64_t)(seconds * 1e6));
    size_t last = bench_steady_mark(steady);
    double dropped = bench_metric(&run->cluster, 0, "partition_log_start_offset") - log_start;
    double dropped_bytes = dropped * run->bytes_before[0] / (double)(bench_stream_count(run->drop, 0) * PARTITIONS);
    bench_steady_stop(steady);
    printf("all drop half under load: the most was %.0f messages/s (%.1f MB/s), now at half of it, %ld failed\n", most,
           most * BENCH_MESSAGE_BYTES / 1e6, bench_steady_failed(steady));
    bench_steady_print(steady, "  before", first, lowered);
    bench_steady_print(steady, "  dropping", lowered, last);
    double before_ms = bench_steady_ms(steady, first, lowered, 0.99),
           while_ms = bench_steady_ms(steady, lowered, last, 0.99);
    printf("  dropped about %.0f MB in %.0f s; p99 %.2f times the one before, goal 2: %s\n", dropped_bytes / 1e6,
           seconds, before_ms > 0 ? while_ms / before_ms : 0, while_ms <= 2 * before_ms ? "held" : "missed");
    if (dropped <= 0 || bench_steady_failed(steady) > 0)
        bench_die("%.0f messages dropped, %ld failed", dropped, bench_steady_failed(steady));
    bench_steady_destroy(&steady);
}

int main(int argc, char **argv) {
    static struct run run;
    bench_help(argc, argv, help);
    uint64_t bytes = (uint64_t)bench_option(argc, argv, "--megabytes", 2048) << 20;
    int nodes = (int)bench_option(argc, argv, "--nodes", 3);
    double seconds = (double)bench_option(argc, argv, "--seconds", 10);
    long only = bench_option(argc, argv, "--only", 0);
    if (nodes < 1 || nodes > BENCH_NODES_MAX || seconds < 1)
        bench_die("between 1 and %d nodes, at least a second", BENCH_NODES_MAX);
    bench_print_syncs();
    if (only == 0 || only == 1) {
        begin(&run, nodes, PARTITIONS, bytes);
        drop_at_rest(&run, "all drop half", run.bytes_before[0] / PARTITIONS / 2, 0.6);
        check_topic(&run, "drop", PARTITIONS, false);
        finish(&run);
    }
    if (only == 0 || only == 2) {
        begin(&run, nodes, PARTITIONS - 1, bytes);
        drop_at_rest(&run, "seven drop everything, one keeps everything", 0, 0.2);
        check_topic(&run, "keep", 1, true);
        finish(&run);
    }
    if (only == 0 || only == 3) {
        begin(&run, nodes, PARTITIONS, bytes);
        drop_under_load(&run, seconds);
        check_topic(&run, "drop", PARTITIONS, false);
        finish(&run);
    }
    return 0;
}
