#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cluster.h"
#include "bench_load.h"
#include "bench_raw.h"

static const char help[] =
    "How fast is a replica filled that has nothing, what do publishers notice, and what of that is the disk's?\n"
    "\n"
    "  bench_history [--megabytes N] [--bytes-per-s B] [--seconds S] [--raw-seconds S] [--kills N] [--seed N]\n"
    "\n"
    "A topic of one partition on two nodes gets N MB; then a third node is to hold it, too, and gets image and "
    "history.\n"
    "From the command to the end of the move: made, sent, staged, installed, caught up, voted in.\n"
    "  1. without load\n"
    "  2. with 256-byte messages published all the while\n"
    "  3. the third node is killed and started again, a few times at random moments\n"
    "Each time all three replicas must hold the same segments; in the end all is read with the third node leading.\n"
    "\n"
    "  4. The same two streams into three stores without brokers: messages at the same rate, in batches as the client\n"
    "     makes them, each a synced entry; a history read from the first store and staged in the third as fast as it "
    "was\n"
    "     in 2. (a) as the brokers do it: the first two write what is published, and it is committed when both have "
    "it,\n"
    "     since the third does not vote yet; (b) all three write it, and two are enough.\n"
    "\n"
    "  --megabytes N    of history [2048]\n"
    "  --bytes-per-s B  of load [a quarter of the most that is measured first]; 0: only 1. and 3.\n"
    "  --seconds S      of load before the replica is filled, for comparison, and of that measurement [10]\n"
    "  --raw-seconds S  of each of the four runs of 4. at most; 0: not [20]\n"
    "  --kills N        [3]; 0: not 3.\n"
    "  --seed N         of the random moments [1]\n"
    "\n"
    "Goals: above 80 MB/s without load; the p99 in 2. at most twice that of 4a. Ends with 1 when a message fails, the\n"
    "replica is not filled, or holds anything else than the others.\n";

static const double goal_mb_per_s = 80, goal_ratio = 2;
enum { NODES = 3, FILL_BYTES = 64 * 1024, LINGER_MS = 5 };

struct bench {
    struct bench_cluster cluster;
    lf_client *client;
    struct bench_stream *stream;
    double took_s; /**< of the move without load */
};

/* ---- moves ---- */

static void move_command(const struct bench *bench, const char *topic, const char *to, char *out, size_t size) {
    snprintf(out, size, "'%s/logflume' partition move %s/0 --to %s --wait=1200 -b %s >'%s/move.log' 2>&1",
             bench->cluster.bin, topic, to, bench->cluster.brokers, bench->cluster.directory);
}

static void move(const struct bench *bench, const char *topic, const char *to) {
    char command[2048];
    move_command(bench, topic, to, command, sizeof command);
    if (system(command) != 0)
        bench_die("the partition did not move to %s", to);
}

/** Seconds. */
static double timed_move(const struct bench *bench, const char *to) {
    int64_t begin = bench_now_us();
    move(bench, "bench", to);
    return (double)(bench_now_us() - begin) / 1e6;
}

static bool equal_segments(const struct bench *bench, uint64_t node) {
    struct lf_segments first = {0}, other = {0};
    bool equal = lf_partition_segments(bench->client, "bench", 0, 1, &first, NULL) == LF_OK &&
                 lf_partition_segments(bench->client, "bench", 0, node, &other, NULL) == LF_OK &&
                 first.count == other.count && first.log_start == other.log_start;
    for (size_t i = 0; equal && i < first.count; i++) {
        const struct lf_segment *a = &first.segments[i], *b = &other.segments[i];
        equal = a->first_index == b->first_index && (a->open ? b->open : !b->open && a->last_index == b->last_index) &&
                a->bytes == b->bytes && a->entries == b->entries && a->checksum == b->checksum;
    }
    lf_segments_free(&first);
    lf_segments_free(&other);
    return equal;
}

static void check_equal(const struct bench *bench) {
    int64_t deadline = bench_now_us() + 60 * 1000000;
    for (uint64_t node = 2; node <= NODES; node++)
        while (!equal_segments(bench, node))
            if (bench_now_us() > deadline)
                bench_die("broker %llu does not hold the same segments as broker 1 after a minute",
                          (unsigned long long)node);
            else
                bench_wait_us(bench_now_us() + 50000);
}

static double history_mb(const struct bench *bench) {
    return bench_metric(&bench->cluster, 0, "partition_bytes") / 1e6;
}

/* ---- the runs ---- */

/** Messages per second of 256 bytes to a partition on the two nodes, at most. */
static double measure_most(const struct bench *bench, double seconds) {
    struct lf_error error = {0};
    bench_topic(bench->client, "rate", 1, NODES);
    move(bench, "rate", "1,2");
    struct bench_stream *stream = bench_stream_new(bench->client, "rate", 1, BENCH_MESSAGE_BYTES, 64, 0);
    double rate = bench_stream_publish(stream, UINT64_MAX, seconds) / BENCH_MESSAGE_BYTES;
    bench_stream_destroy(&stream);
    if (lf_topic_delete(bench->client, "rate", &error) != LF_OK)
        bench_die("topic delete: %s", error.text);
    return rate;
}

static void without_load(struct bench *bench) {
    bench->took_s = timed_move(bench, "1,2,3");
    check_equal(bench);
    double rate = history_mb(bench) / bench->took_s;
    printf("without load         %.0f MB whole after %.1f s: %.0f MB/s, goal %.0f: %s\n", history_mb(bench),
           bench->took_s, rate, goal_mb_per_s, rate > goal_mb_per_s ? "held" : "missed");
    fflush(stdout);
}

struct loaded {
    double p99_ms;           /**< while the replica was filled */
    double history_mb_per_s; /**< 0: not measured */
};

static struct loaded with_load(struct bench *bench, long rate, double seconds) {
    struct bench_steady *steady = bench_steady_start(bench->client, "bench", 1, bench->stream, rate, seconds + 1200);
    bench_wait_us(bench_now_us() + 1000000);
    size_t first = bench_steady_mark(steady);
    bench_wait_us(bench_now_us() + (int64_t)(seconds * 1e6));
    size_t before = bench_steady_mark(steady);
    double took = timed_move(bench, "1,2,3");
    size_t during = bench_steady_mark(steady);
    bench_steady_stop(steady);
    check_equal(bench);
    struct loaded loaded = {bench_steady_ms(steady, before, during, 0.99), history_mb(bench) / took};
    printf("with load            %ld messages/s (%.1f MB/s): whole after %.1f s, %.0f MB/s, %ld failed\n", rate,
           (double)rate * BENCH_MESSAGE_BYTES / 1e6, took, loaded.history_mb_per_s, bench_steady_failed(steady));
    bench_steady_print(steady, "  published before", first, before);
    bench_steady_print(steady, "  meanwhile", before, during);
    fflush(stdout);
    if (bench_steady_failed(steady) > 0)
        bench_die("%ld messages failed", bench_steady_failed(steady));
    bench_steady_destroy(&steady);
    return loaded;
}

static double fetched_mb(const struct bench *bench) {
    double bytes = bench_metric(&bench->cluster, NODES - 1, "image_bytes_total{what=\"fetched\"");
    return bytes > 0 ? bytes / 1e6 : 0;
}

static void with_kills(struct bench *bench, long kills, unsigned seed) {
    char command[2048];
    double fetched = -fetched_mb(bench), mb = history_mb(bench);
    move_command(bench, "bench", "1,2,3", command, sizeof command);
    int64_t began = bench_now_us();
    FILE *moving = popen(command, "r");
    if (!moving)
        bench_die("%s: cannot be started", command);
    for (long i = 0; i < kills; i++) {
        double wait_s = bench->took_s / (double)(kills + 1) * (0.5 + (double)(rand_r(&seed) % 1000) / 1000);
        bench_wait_us(bench_now_us() + (int64_t)(wait_s * 1e6));
        fetched += fetched_mb(bench);
        bench_cluster_kill(&bench->cluster, NODES - 1);
        bench_cluster_restart(&bench->cluster, NODES - 1);
    }
    if (pclose(moving) != 0)
        bench_die("the replica was not filled");
    double took = (double)(bench_now_us() - began) / 1e6;
    check_equal(bench);
    fetched += fetched_mb(bench);
    printf("with %ld kills         whole after %.1f s; about %.0f MB came for %.0f MB\n", kills, took, fetched, mb);
}

static void read_from_third(const struct bench *bench) {
    uint64_t leader = 0;
    int64_t end = -1;
    struct lf_error error = {0};
    if (lf_leader_transfer(bench->client, "bench", 0, NODES, &leader, &error) != LF_OK || leader != NODES)
        bench_die("broker %d is not the leader: %s", NODES, error.text);
    struct bench_numbers numbers = bench_read(bench->cluster.brokers, "bench", 0, UINT64_MAX);
    if (lf_partition_end(bench->client, "bench", 0, &end, &error) != LF_OK)
        bench_die("end: %s", error.text);
    if (numbers.first != 0 || (int64_t)numbers.count != end)
        bench_die("read %llu messages from %llu on, and the end is %lld", (unsigned long long)numbers.count,
                  (unsigned long long)numbers.first, (long long)end);
    printf("read                 %llu messages with broker 3 leading: all, once and in order\n",
           (unsigned long long)numbers.count);
}

/* ---- raw stores ---- */

static void print_raw(const char *name, const struct bench_raw_result *result) {
    printf("  %-18s p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, longest %.2f ms (%zu messages)", name, result->p50_ms,
           result->p99_ms, result->p999_ms, result->longest_ms, result->messages);
    if (result->history_bytes > 0)
        printf("; history %.0f MB at %.0f MB/s", result->history_bytes / 1e6,
               result->history_bytes / 1e6 / result->history_seconds);
    putchar('\n');
    fflush(stdout);
}

static void raw_stores(const char *directory, long rate, double seconds, const struct loaded *loaded,
                       double history_mb_max) {
    double mb = loaded->history_mb_per_s * seconds;
    struct bench_raw *raw = bench_raw_open(directory, (uint64_t)((mb < history_mb_max ? mb : history_mb_max) * 1e6));
    printf("raw stores           %ld messages/s, history at %.0f MB/s\n", rate, loaded->history_mb_per_s);
    for (int three = 0; three < 2; three++) {
        struct bench_raw_load load = {
            .messages_per_s = rate, .linger_ms = LINGER_MS, .three_write = three != 0, .seconds = seconds};
        struct bench_raw_result before = bench_raw_run(raw, &load);
        load.history_bytes_per_s = loaded->history_mb_per_s * 1e6;
        struct bench_raw_result meanwhile = bench_raw_run(raw, &load);
        print_raw(three ? "(b) before" : "(a) before", &before);
        print_raw(three ? "(b) meanwhile" : "(a) meanwhile", &meanwhile);
        double ratio = meanwhile.p99_ms > 0 ? loaded->p99_ms / meanwhile.p99_ms : 0;
        printf("  p99 of publishers is %.2f times that of the raw stores", ratio);
        if (!three)
            printf(", goal %.0f: %s", goal_ratio, ratio <= goal_ratio ? "held" : "missed");
        putchar('\n');
        fflush(stdout);
    }
    bench_raw_close(&raw);
}

int main(int argc, char **argv) {
    static struct bench bench;
    bench_help(argc, argv, help);
    long megabytes = bench_option(argc, argv, "--megabytes", 2048);
    long bytes_per_s = bench_option(argc, argv, "--bytes-per-s", -1);
    double seconds = (double)bench_option(argc, argv, "--seconds", 10);
    double raw_seconds = (double)bench_option(argc, argv, "--raw-seconds", 20);
    long kills = bench_option(argc, argv, "--kills", 3);
    struct loaded loaded = {0};
    bench_cluster_start(&bench.cluster, NODES, NULL, NULL);
    bench_cluster_wait(&bench.cluster);
    printf("fdatasync            %.0f /s raw, 4 KB\n", bench_fdatasync_rate(bench.cluster.directory));
    bench.client = bench_client(bench.cluster.brokers);
    long rate = bytes_per_s / BENCH_MESSAGE_BYTES;
    if (bytes_per_s < 0) {
        double most = measure_most(&bench, seconds);
        rate = (long)(most / 4);
        printf("most                 %.0f messages/s of %d bytes: %.1f MB/s\n", most, BENCH_MESSAGE_BYTES,
               most * BENCH_MESSAGE_BYTES / 1e6);
    }
    bench_topic(bench.client, "bench", 1, NODES);
    move(&bench, "bench", "1,2");
    bench.stream = bench_stream_new(bench.client, "bench", 1, FILL_BYTES, 1, 0);
    bench_stream_publish(bench.stream, (uint64_t)megabytes << 20, 0);
    without_load(&bench);
    if (kills > 0) {
        move(&bench, "bench", "1,2");
        with_kills(&bench, kills, (unsigned)bench_option(argc, argv, "--seed", 1));
    }
    if (rate > 0) {
        move(&bench, "bench", "1,2");
        loaded = with_load(&bench, rate, seconds);
    }
    read_from_third(&bench);
    bench_stream_destroy(&bench.stream);
    lf_client_close(&bench.client, 1000);
    for (int i = 0; i < NODES; i++)
        bench_cluster_quit(&bench.cluster, i); /* the machine is the raw stores' alone */
    if (rate > 0 && raw_seconds > 0)
        raw_stores(bench.cluster.directory, rate, raw_seconds, &loaded, (double)megabytes);
    bench_cluster_stop(&bench.cluster);
    return 0;
}
