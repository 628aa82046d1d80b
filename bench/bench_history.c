/** How fast is a replica filled that has nothing, and what do publishers notice?
 *
 *    bench_history [--megabytes N] [--bytes-per-s B] [--seconds S]
 *
 *  A topic of one partition on two nodes gets N MB; then a third node is to hold it, too, and gets image and history.
 *  Once without load; once more, with 256-byte messages published at B bytes per second all the while, and S seconds
 * before for comparison. From the command to the end of the move: made, sent, staged, installed, caught up, voted in.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cluster.h"

enum { MESSAGE_BYTES = 256, FILL_BYTES = 64 * 1024 };

static int64_t *latency_us;
static size_t latency_room;
static atomic_size_t answered;
static atomic_long failed;
static atomic_bool stop;

static void on_delivery(const struct lf_delivery *delivery) {
    int64_t took = bench_now_us() - (int64_t)(intptr_t)delivery->context;
    if (delivery->status != LF_OK && delivery->status != LF_DUPLICATE)
        atomic_fetch_add(&failed, 1);
    else if (delivery->context && atomic_load(&answered) < latency_room)
        latency_us[atomic_fetch_add(&answered, 1)] = took;
}

static void publish(lf_client *client, const void *value, size_t bytes, int64_t intended) {
    struct lf_error error;
    struct lf_message message = {.topic = "bench", .partition = 0, .value = value, .value_size = bytes};
    if (lf_publish(client, &message, on_delivery, (void *)(intptr_t)intended, 60000, &error) != LF_OK)
        bench_die("publish: %s", error.text);
}

static void fill(lf_client *client, long megabytes) {
    static uint64_t value[FILL_BYTES / 8];
    uint64_t random = 1;
    for (long i = 0; i < megabytes * (1 << 20) / FILL_BYTES; i++) {
        for (size_t k = 0; k < FILL_BYTES / 8; k++)
            value[k] = random = random * 6364136223846793005u + 1442695040888963407u;
        publish(client, value, sizeof value, 0);
    }
    if (lf_flush(client, 600000) != LF_OK)
        bench_die("not all answered after ten minutes");
}

struct load {
    lf_client *client;
    long rate; /**< messages per second */
};

static void *publish_steadily(void *context) {
    const struct load *load = context;
    uint64_t value[MESSAGE_BYTES / 8] = {0};
    int64_t begin = bench_now_us();
    for (long i = 0; !atomic_load(&stop); i++) {
        int64_t intended = begin + (int64_t)((double)i * 1e6 / (double)load->rate);
        if (intended > bench_now_us() + 200)
            bench_wait_us(intended);
        value[0] = (uint64_t)i * 0x9E3779B97F4A7C15u;
        publish(load->client, value, sizeof value, intended);
    }
    return NULL;
}

static void move(const struct bench_cluster *cluster, const char *to) {
    char command[2048];
    snprintf(command, sizeof command, "%s/logflume partition move bench/0 --to %s --wait=1200 -b %s >/dev/null",
             cluster->bin, to, cluster->brokers);
    if (system(command) != 0)
        bench_die("the partition did not move to %s", to);
}

/** Seconds. */
static double timed_move(const struct bench_cluster *cluster, const char *to) {
    int64_t begin = bench_now_us();
    move(cluster, to);
    return (double)(bench_now_us() - begin) / 1e6;
}

static void print_latencies(const char *when, size_t from, size_t to) {
    if (to == from)
        return;
    qsort(latency_us + from, to - from, sizeof *latency_us, bench_compare);
    printf("%-20s p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, worst %.2f ms (%zu messages)\n", when,
           (double)bench_percentile(latency_us + from, to - from, 0.5) / 1e3,
           (double)bench_percentile(latency_us + from, to - from, 0.99) / 1e3,
           (double)bench_percentile(latency_us + from, to - from, 0.999) / 1e3, (double)latency_us[to - 1] / 1e3,
           to - from);
}

static void with_load(struct bench_cluster *cluster, lf_client *client, long megabytes, long rate, long seconds) {
    latency_room = (size_t)rate * (size_t)(seconds + 1200);
    latency_us = calloc(latency_room, sizeof *latency_us);
    struct load load = {.client = client, .rate = rate};
    pthread_t thread;
    pthread_create(&thread, NULL, publish_steadily, &load);
    bench_wait_us(bench_now_us() + 1000000);
    size_t first = atomic_load(&answered);
    bench_wait_us(bench_now_us() + seconds * 1000000);
    size_t before = atomic_load(&answered);
    double took = timed_move(cluster, "1,2,3");
    size_t during = atomic_load(&answered);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    if (lf_flush(client, 60000) != LF_OK)
        bench_die("not all answered after a minute");
    printf("with %ld messages/s  whole after %.1f s: %.0f MB/s, %ld failed\n", rate, took, (double)megabytes / took,
           atomic_load(&failed));
    print_latencies("published before", first, before);
    print_latencies("published meanwhile", before, during);
    free(latency_us);
}

int main(int argc, char **argv) {
    long megabytes = bench_option(argc, argv, "--megabytes", 2048);
    long rate = bench_option(argc, argv, "--bytes-per-s", 5000000) / MESSAGE_BYTES;
    long seconds = bench_option(argc, argv, "--seconds", 10);
    struct bench_cluster cluster;
    bench_cluster_start(&cluster, 3, NULL, NULL);
    double syncs = bench_fdatasync_rate(cluster.directory);
    lf_client *client = bench_client(cluster.brokers);
    bench_topic(client, "bench", 1, 3);
    move(&cluster, "1,2");
    fill(client, megabytes);
    printf("fdatasync            %.0f /s raw, 4 KB\n", syncs);
    printf("history              %ld MB\n", megabytes);
    double took = timed_move(&cluster, "1,2,3");
    printf("without load         whole after %.1f s: %.0f MB/s\n", took, (double)megabytes / took);
    fflush(stdout);
    if (rate > 0) {
        move(&cluster, "1,2");
        with_load(&cluster, client, megabytes, rate, seconds);
    }
    lf_client_close(&client, 1000);
    bench_cluster_stop(&cluster);
    return 0;
}
