#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_cluster.h"
#include "bench_load.h"

static const char help[] =
    "How long until a broker with much data serves again after it was killed, with nothing of it in memory?\n"
    "\n"
    "  bench_cold [--gigabytes N] [--megabytes N] [--nodes N] [--record-bytes N] [--read 0|1]\n"
    "\n"
    "8 partitions are filled; all brokers are killed (SIGKILL), the system's page cache is dropped (as root), and "
    "they\n"
    "are started again. Then a message to every partition is acknowledged, and the first one of each is read.\n"
    "\n"
    "  --gigabytes N      of messages in all partitions together [10]\n"
    "  --megabytes N      the same, for less\n"
    "  --nodes N          brokers [1]: with one, all there is must come from it; with more, they start at the same "
    "moment\n"
    "  --record-bytes N   [1024]\n"
    "  --read 0|1         at the end read everything and check it [1]\n"
    "\n"
    "Goals: under 2 s, resident memory under 300 MB. Ends with 1 when something acknowledged is not there.\n";

enum { PARTITIONS = 8, RUN = 64 };
static const double goal_s = 2, goal_mb = 300;

/** In words whether it did. */
static const char *drop_caches(void) {
    sync();
    int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
    bool dropped = fd >= 0 && write(fd, "3", 1) == 1;
    if (fd >= 0)
        close(fd);
    return dropped ? "dropped" : "NOT dropped (that takes root): this start is warm";
}

static double since_s(int64_t began_us) { return (double)(bench_now_us() - began_us) / 1e6; }

static void wait_for(const struct bench_cluster *cluster, int64_t began_us) {
    for (int i = 0; i < cluster->count; i++)
        while (!bench_cluster_serves(cluster, i, 500))
            if (since_s(began_us) > 120)
                bench_die("broker %d does not serve after 120 s", i + 1);
            else
                bench_wait_us(bench_now_us() + 5000);
}

static void print_resident(const struct bench_cluster *cluster, const char *when) {
    double now = 0, most = 0;
    for (int i = 0; i < cluster->count; i++) {
        double here = bench_resident_mb(cluster, i), most_here = bench_resident_max_mb(cluster, i);
        now = here > now ? here : now;
        most = most_here > most ? most_here : most;
    }
    printf("resident %-11s %.0f MB, at most %.0f MB", when, now, most);
    if (strcmp(when, "serving") == 0)
        printf(", goal %.0f MB: %s", goal_mb, most < goal_mb ? "held" : "missed");
    putchar('\n');
}

static void start_cold(struct bench_cluster *cluster, struct bench_stream *stream, size_t record_bytes) {
    for (int i = 0; i < cluster->count; i++)
        bench_cluster_kill(cluster, i);
    printf("page cache           %s\n", drop_caches());
    int64_t began = bench_now_us();
    for (int i = 0; i < cluster->count; i++)
        bench_cluster_restart(cluster, i);
    wait_for(cluster, began);
    double serving = since_s(began);
    lf_client *client = bench_client(cluster->brokers);
    bench_stream_use(stream, client);
    bench_stream_publish(stream, PARTITIONS * record_bytes, 0); /* one to each */
    double published = since_s(began);
    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct bench_numbers numbers = bench_read(cluster->brokers, "bench", p, 1);
        if (numbers.count != 1 || numbers.first != 0)
            bench_die("partition %d: its first message is not there", p);
    }
    double read = since_s(began);
    printf("started again        every group known to be led after %.2f s, published to every partition after %.2f s, "
           "read "
           "from the start of each after %.2f s, goal %.0f s: %s\n",
           serving, published, read, goal_s, read < goal_s ? "held" : "missed");
    print_resident(cluster, "serving");
    lf_client_close(&client, 1000);
}

static void check_all(const struct bench_cluster *cluster, const struct bench_stream *stream) {
    int64_t began = bench_now_us();
    uint64_t bytes = 0;
    for (int32_t p = 0; p < PARTITIONS; p++) {
        struct bench_numbers numbers = bench_read(cluster->brokers, "bench", p, UINT64_MAX);
        if (numbers.first != 0 || numbers.count != bench_stream_count(stream, (uint32_t)p))
            bench_die("partition %d: %llu messages acknowledged, %llu there from %llu on", p,
                      (unsigned long long)bench_stream_count(stream, (uint32_t)p), (unsigned long long)numbers.count,
                      (unsigned long long)numbers.first);
        bytes += numbers.bytes;
    }
    printf("read                 all that was acknowledged is there, once and in order: %.0f MB/s\n",
           (double)bytes / 1e6 / since_s(began));
    print_resident(cluster, "reading");
}

int main(int argc, char **argv) {
    bench_help(argc, argv, help);
    uint64_t bytes = (uint64_t)bench_option(argc, argv, "--gigabytes", 10) << 30;
    long megabytes = bench_option(argc, argv, "--megabytes", 0);
    size_t record_bytes = (size_t)bench_option(argc, argv, "--record-bytes", 1024);
    int nodes = (int)bench_option(argc, argv, "--nodes", 1);
    if (nodes < 1 || nodes > BENCH_NODES_MAX)
        bench_die("between 1 and %d nodes", BENCH_NODES_MAX);
    if (megabytes > 0)
        bytes = (uint64_t)megabytes << 20;
    struct bench_cluster cluster;
    bench_cluster_start(&cluster, nodes, NULL, NULL);
    bench_cluster_wait(&cluster);
    printf("fdatasync            %.0f /s raw, 4 KB\n", bench_fdatasync_rate(cluster.directory));
    lf_client *client = bench_client(cluster.brokers);
    bench_topic(client, "bench", PARTITIONS, (uint32_t)nodes);
    struct bench_stream *stream = bench_stream_new(client, "bench", PARTITIONS, record_bytes, RUN, 0);
    double rate = bench_stream_publish(stream, bytes, 0);
    lf_client_close(&client, 1000);
    printf("filled               %.1f GB in %d partitions on %d node(s) at %.0f MB/s; %.1f GB on disk\n",
           (double)bytes / 1e9, PARTITIONS, nodes, rate / 1e6, (double)bench_data_bytes(&cluster, 0) / 1e9);
    fflush(stdout);
    start_cold(&cluster, stream, record_bytes);
    fflush(stdout);
    if (bench_option(argc, argv, "--read", 1))
        check_all(&cluster, stream);
    bench_stream_destroy(&stream);
    bench_cluster_stop(&cluster);
    return 0;
}
