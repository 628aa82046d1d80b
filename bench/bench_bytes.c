#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cluster.h"
#include "bench_load.h"

static const char help[] =
    "How many bytes go to the disk for a byte appended?\n"
    "\n"
    "  bench_bytes [--megabytes N] [--nodes N] [--in-flight N] [--few N] [--many N] [--once-megabytes N]\n"
    "\n"
    "256-byte records, in batches of 16 KB and of 64 KB, to a few and to many partitions in turn: N batches [4] are "
    "not\n"
    "answered at any moment; and once more to the few with one in flight. Each is a run of its own with new brokers.\n"
    "\n"
    "  --megabytes N       of records in each run [4096]\n"
    "  --once-megabytes N  in those with one in flight, which are slow [1024]\n"
    "  --nodes N           brokers, each with a replica of every partition [3]: 1 is less work for the machine\n"
    "  --in-flight N       batches [4]\n"
    "  --few N, --many N   partitions [8], [200]; 0: not\n"
    "\n"
    "Counted is what the whole broker wrote (write_bytes of /proc/PID/io), from before the first record until its "
    "store\n"
    "had nothing more to do: all segments made, no flush or compaction. Divided by the bytes of the entries that "
    "joined\n"
    "its logs; the second number is for a byte of the records' values. The worst replica is printed, and the mean.\n"
    "Goals: at most 2.6 with up to 8 busy partitions, 3.3 with 200. Ends with 1 when something was lost.\n";

enum { SETTLE_S = 600 };

struct run {
    uint32_t partitions, batch_bytes, in_flight;
    uint64_t bytes;
    double goal; /* 0: none */
};

static double appended_bytes(const struct bench_cluster *cluster, int node) {
    double bytes = bench_metric(cluster, node, "group_appended_bytes_total");
    if (bytes < 0)
        bench_die("broker %d does not tell what it appended", node + 1);
    return bytes;
}

static void settle(const struct bench_cluster *cluster) {
    if (!bench_settle(cluster, SETTLE_S))
        bench_die("the stores are still busy after %d s", SETTLE_S);
}

static void check_ends(lf_client *client, const struct bench_stream *stream, uint32_t partitions) {
    for (uint32_t p = 0; p < partitions; p++) {
        int64_t end = -1;
        struct lf_error error = {0};
        if (lf_partition_end(client, "bench", (int32_t)p, &end, &error) != LF_OK)
            bench_die("end of partition %u: %s", p, error.text);
        if (end != (int64_t)bench_stream_count(stream, p))
            bench_die("partition %u: %llu messages were acknowledged, and its end is %lld", p,
                      (unsigned long long)bench_stream_count(stream, p), (long long)end);
    }
}

static void print(const struct run *run, int nodes, const double *written, const double *appended, double rate) {
    double values = (double)run->bytes, worst = 0, mean = 0, per_value = 0;
    for (int i = 0; i < nodes; i++) {
        double factor = written[i] / appended[i];
        worst = factor > worst ? factor : worst;
        per_value = written[i] / values > per_value ? written[i] / values : per_value;
        mean += factor / nodes;
    }
    printf(
        "%3u partitions, %2u KB batches, %2u in flight: %.2f per byte appended (mean %.2f; %.2f per byte of values), "
        "%.1f MB/s",
        run->partitions, run->batch_bytes / 1024, run->in_flight, worst, mean, per_value, rate / 1e6);
    if (run->goal > 0)
        printf(", goal %.1f: %s", run->goal, worst <= run->goal ? "held" : "missed");
    putchar('\n');
    fflush(stdout);
}

static void run_one(const struct run *run, int nodes) {
    struct bench_cluster cluster;
    double written[BENCH_NODES_MAX], appended[BENCH_NODES_MAX];
    bench_cluster_start(&cluster, nodes, NULL, NULL);
    bench_cluster_wait(&cluster);
    lf_client *client = bench_stream_client(cluster.brokers, run->batch_bytes);
    bench_topic(client, "bench", run->partitions, (uint32_t)nodes);
    uint32_t records = (run->batch_bytes - 61) / (BENCH_MESSAGE_BYTES + 10); /* what else a batch and a record hold */
    struct bench_stream *stream =
        bench_stream_new(client, "bench", run->partitions, BENCH_MESSAGE_BYTES, records, run->in_flight);
    settle(&cluster);
    for (int i = 0; i < nodes; i++) {
        written[i] = -(double)bench_written_bytes(&cluster, i);
        appended[i] = -appended_bytes(&cluster, i);
    }
    double rate = bench_stream_publish(stream, run->bytes, 0);
    settle(&cluster);
    for (int i = 0; i < nodes; i++) {
        written[i] += (double)bench_written_bytes(&cluster, i);
        appended[i] += appended_bytes(&cluster, i);
        if (appended[i] < (double)run->bytes)
            bench_die("broker %d appended %.0f of %llu bytes", i + 1, appended[i], (unsigned long long)run->bytes);
    }
    check_ends(client, stream, run->partitions);
    print(run, nodes, written, appended, rate);
    bench_stream_destroy(&stream);
    lf_client_close(&client, 1000);
    bench_cluster_stop(&cluster);
}

int main(int argc, char **argv) {
    bench_help(argc, argv, help);
    uint64_t bytes = (uint64_t)bench_option(argc, argv, "--megabytes", 4096) << 20;
    uint64_t once = (uint64_t)bench_option(argc, argv, "--once-megabytes", 1024) << 20;
    uint32_t few = (uint32_t)bench_option(argc, argv, "--few", 8);
    uint32_t many = (uint32_t)bench_option(argc, argv, "--many", 200);
    uint32_t in_flight = (uint32_t)bench_option(argc, argv, "--in-flight", 4);
    int nodes = (int)bench_option(argc, argv, "--nodes", 3);
    const struct run runs[] = {{few, 16384, in_flight, bytes, 2.6},
                               {few, 65536, in_flight, bytes, 2.6},
                               {many, 16384, in_flight, bytes, 3.3},
                               {many, 65536, in_flight, bytes, 3.3},
                               {few, 16384, 1, once, 0},
                               {few, 65536, 1, once, 0}};
    if (nodes < 1 || nodes > BENCH_NODES_MAX || few > BENCH_PARTITIONS_MAX || many > BENCH_PARTITIONS_MAX ||
        in_flight < 1)
        bench_die("between 1 and %d nodes, and at most %d partitions", BENCH_NODES_MAX, BENCH_PARTITIONS_MAX);
    bench_print_syncs();
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++)
        if (runs[i].partitions > 0 && runs[i].bytes > 0)
            run_one(&runs[i], nodes);
    return 0;
}
