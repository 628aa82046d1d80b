/** How long is a client without acknowledgements when the leader is killed with SIGKILL?
 *
 *    bench_failover [--kills N] [--rate MESSAGES/S]
 *
 *  From the last acknowledgement before to the first after, for a message published after the kill. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench_cluster.h"

static atomic_long acknowledged, failed;
static atomic_bool stop;
static atomic_llong killed_us, before_us, first_us; /* of the kill under way */

/** context: when it was published. */
static void on_delivery(const struct lf_delivery *delivery) {
    long long now = bench_now_us(), killed = atomic_load(&killed_us);
    if (delivery->status != LF_OK && delivery->status != LF_DUPLICATE) {
        atomic_fetch_add(&failed, 1);
        return;
    }
    atomic_fetch_add(&acknowledged, 1);
    long long published = (long long)(intptr_t)delivery->context;
    if (killed != 0 && published > killed && atomic_load(&first_us) == 0)
        atomic_store(&first_us, now);
    /* What the dead leader had answered may still come in for a moment. */
    if (killed == 0 || (published <= killed && now - killed < 20000))
        atomic_store(&before_us, now);
}

struct publisher {
    lf_client *client;
    long rate;
};

static void *publish(void *context) {
    struct publisher *publisher = context;
    char value[256] = "failover";
    for (int64_t next = bench_now_us(); !atomic_load(&stop); next += 1000000 / publisher->rate) {
        bench_wait_us(next);
        struct lf_message message = {.topic = "bench", .partition = 0, .value = value, .value_size = sizeof value};
        lf_publish(publisher->client, &message, on_delivery, (void *)(intptr_t)bench_now_us(), 10000, NULL);
    }
    return NULL;
}

int main(int argc, char **argv) {
    long kills = bench_option(argc, argv, "--kills", 20), rate = bench_option(argc, argv, "--rate", 1000);
    struct bench_cluster cluster;
    bench_cluster_start(&cluster, 3, NULL, NULL);
    double syncs = bench_fdatasync_rate(cluster.directory);
    lf_client *client = bench_client(cluster.brokers);
    lf_client *observer = bench_client(cluster.brokers);
    bench_topic(client, "bench", 1, 3);
    struct publisher publisher = {client, rate};
    pthread_t thread;
    pthread_create(&thread, NULL, publish, &publisher);
    int64_t *gaps = calloc((size_t)kills, sizeof *gaps);
    for (long i = 0; i < kills; i++) {
        long seen = atomic_load(&acknowledged);
        int64_t deadline = bench_now_us() + 20 * 1000000;
        while (atomic_load(&acknowledged) < seen + rate / 2 + 1 && bench_now_us() < deadline)
            bench_wait_us(bench_now_us() + 5000);
        int leader = bench_leader(observer, "bench", 0);
        atomic_store(&first_us, 0);
        atomic_store(&killed_us, bench_now_us());
        bench_cluster_kill(&cluster, leader);
        while (atomic_load(&first_us) == 0 && bench_now_us() < deadline)
            bench_wait_us(bench_now_us() + 1000);
        if (atomic_load(&first_us) == 0)
            bench_die("kill %ld: no acknowledgement within 20 s", i + 1);
        gaps[i] = atomic_load(&first_us) - atomic_load(&before_us);
        atomic_store(&killed_us, 0);
        bench_cluster_restart(&cluster, leader);
        while (!bench_cluster_serves(&cluster, leader, 1000))
            if (bench_now_us() > deadline + 20 * 1000000)
                bench_die("broker %d does not serve again", leader + 1);
            else
                bench_wait_us(bench_now_us() + 5000);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    lf_flush(client, 20000);
    qsort(gaps, (size_t)kills, sizeof *gaps, bench_compare);
    printf("fdatasync            %.0f /s raw, 4 KB\n", syncs);
    printf("kills                %ld of the leader, %ld messages acknowledged, %ld failed\n", kills,
           atomic_load(&acknowledged), atomic_load(&failed));
    printf("without answer       median %.0f ms, worst %.0f ms\n",
           (double)bench_percentile(gaps, (size_t)kills, 0.5) / 1e3, (double)gaps[kills - 1] / 1e3);
    lf_client_close(&client, 1000);
    lf_client_close(&observer, 1000);
    bench_cluster_stop(&cluster);
    free(gaps);
    return atomic_load(&failed) != 0;
}
