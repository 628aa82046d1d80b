/** How long until a broker killed at a random moment under load serves every group it holds again?
 *
 *    bench_restart [--kills N] [--bytes-per-s B] [--seed N]
 *
 *  256-byte messages; at the end everything acknowledged is read back and counted. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cluster.h"
#include "bench_load.h"

enum { MESSAGE_BYTES = 256, PARTITIONS = 3 };

static atomic_long acknowledged[PARTITIONS], failed;
static atomic_bool stop;

static void on_delivery(const struct lf_delivery *delivery) {
    if (delivery->status == LF_OK || delivery->status == LF_DUPLICATE)
        atomic_fetch_add(&acknowledged[delivery->partition], 1);
    else
        atomic_fetch_add(&failed, 1);
}

struct publisher {
    lf_client *client;
    long rate;
    long published[PARTITIONS];
};

/** Each value begins with its number in its partition. */
static void *publish(void *context) {
    struct publisher *publisher = context;
    uint64_t value[MESSAGE_BYTES / 8];
    for (size_t i = 0; i < MESSAGE_BYTES / 8; i++)
        value[i] = 0x9E3779B97F4A7C15u * (i + 1);
    int64_t begin = bench_now_us();
    for (long sent = 0; !atomic_load(&stop); sent++) {
        if (sent % 64 == 0)
            bench_wait_us(begin + (int64_t)((double)sent * 1e6 / (double)publisher->rate));
        int32_t partition = (int32_t)(sent % PARTITIONS);
        value[0] = (uint64_t)publisher->published[partition];
        struct lf_message message = {
            .topic = "bench", .partition = partition, .value = value, .value_size = sizeof value};
        if (lf_publish(publisher->client, &message, on_delivery, NULL, 10000, NULL) == LF_OK)
            publisher->published[partition]++;
    }
    return NULL;
}

int main(int argc, char **argv) {
    long kills = bench_option(argc, argv, "--kills", 50);
    long rate = bench_option(argc, argv, "--bytes-per-s", 5000000) / MESSAGE_BYTES;
    unsigned seed = (unsigned)bench_option(argc, argv, "--seed", 1);
    struct bench_cluster cluster;
    bench_cluster_start(&cluster, 3, NULL, NULL);
    double syncs = bench_fdatasync_rate(cluster.directory);
    lf_client *client = bench_client(cluster.brokers);
    bench_topic(client, "bench", PARTITIONS, 3);
    struct publisher publisher = {.client = client, .rate = rate};
    pthread_t thread;
    pthread_create(&thread, NULL, publish, &publisher);
    int64_t *times = calloc((size_t)kills, sizeof *times);
    for (long i = 0; i < kills; i++) {
        bench_wait_us(bench_now_us() + 300000 + (int64_t)(rand_r(&seed) % 1000000));
        int node = (int)(rand_r(&seed) % 3);
        bench_cluster_kill(&cluster, node);
        bench_wait_us(bench_now_us() + 100000);
        int64_t begin = bench_now_us();
        bench_cluster_restart(&cluster, node);
        while (!bench_cluster_serves(&cluster, node, 500))
            if (bench_now_us() > begin + 60 * 1000000)
                bench_die("kill %ld: broker %d does not serve after 60 s", i + 1, node + 1);
            else
                bench_wait_us(bench_now_us() + 5000);
        times[i] = bench_now_us() - begin;
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    if (lf_flush(client, 60000) != LF_OK)
        bench_die("not all answered after a minute");
    qsort(times, (size_t)kills, sizeof *times, bench_compare);
    long all = 0, lost = 0;
    for (int32_t p = 0; p < PARTITIONS; p++) {
        long there = (long)bench_read(cluster.brokers, "bench", p, UINT64_MAX).count,
             acked = atomic_load(&acknowledged[p]);
        all += acked;
        if (there < acked)
            lost += acked - there;
    }
    printf("fdatasync            %.0f /s raw, 4 KB\n", syncs);
    printf("kills                %ld of random brokers under %ld messages/s of %d bytes\n", kills, rate, MESSAGE_BYTES);
    printf("serving again        median %.0f ms, worst %.0f ms\n",
           (double)bench_percentile(times, (size_t)kills, 0.5) / 1e3, (double)times[kills - 1] / 1e3);
    printf("acknowledged         %ld, %ld failed, %ld lost, order and numbers checked\n", all, atomic_load(&failed),
           lost);
    lf_client_close(&client, 1000);
    bench_cluster_stop(&cluster);
    free(times);
    return lost != 0;
}
