/** How long does an acknowledgement take at a steady rate, from the moment each message was meant to be sent?
 *
 *    bench_latency [--seconds N] [--bytes-per-s B]
 *
 *  256-byte messages to one partition of three replicas, linger as small as a message's own time. Also the brokers'
 *  longest pause of the loop (from their log), and whether any election happened. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cluster.h"

enum { MESSAGE_BYTES = 256 };

static int64_t *latency_us;
static atomic_long answered, failed;

static void on_delivery(const struct lf_delivery *delivery) {
    int64_t took = bench_now_us() - (int64_t)(intptr_t)delivery->context;
    if (delivery->status != LF_OK && delivery->status != LF_DUPLICATE)
        atomic_fetch_add(&failed, 1);
    else
        latency_us[atomic_fetch_add(&answered, 1)] = took;
}

static uint64_t term_sum(lf_client *client) {
    struct lf_topic topic;
    struct lf_partition *partitions = NULL;
    struct lf_error error;
    if (lf_topic_describe(client, "bench", &topic, &partitions, &error) != LF_OK)
        bench_die("describe: %s", error.text);
    uint64_t sum = (uint64_t)partitions[0].leader_epoch;
    free(topic.name);
    free(partitions);
    return sum;
}

int main(int argc, char **argv) {
    long seconds = bench_option(argc, argv, "--seconds", 60);
    long rate = bench_option(argc, argv, "--bytes-per-s", 5000000) / MESSAGE_BYTES;
    struct bench_cluster cluster;
    bench_cluster_start(&cluster, 3, NULL, NULL);
    double syncs = bench_fdatasync_rate(cluster.directory);
    struct lf_client_options options;
    lf_client *client;
    struct lf_error error;
    lf_client_options_init(&options);
    options.brokers = cluster.brokers;
    options.linger_ms = (uint32_t)bench_option(argc, argv, "--linger", 1);
    if (lf_client_new(&options, &client, &error) != LF_OK)
        bench_die("client: %s", error.text);
    bench_topic(client, "bench", 1, 3);
    long total = seconds * rate;
    latency_us = calloc((size_t)total, sizeof *latency_us);
    uint64_t terms = term_sum(client);
    uint64_t value[MESSAGE_BYTES / 8] = {0};
    unsigned seed = 1;
    int64_t begin = bench_now_us() + 100000;
    for (long i = 0; i < total; i++) {
        int64_t intended = begin + (int64_t)((double)i * 1e6 / (double)rate);
        if (intended > bench_now_us() + 200)
            bench_wait_us(intended); /* the sleep's own lateness counts: it is from the intended time */
        for (size_t k = 0; k < MESSAGE_BYTES / 8; k++)
            value[k] = (uint64_t)rand_r(&seed) << 32 | (uint64_t)rand_r(&seed);
        struct lf_message message = {.topic = "bench", .partition = 0, .value = value, .value_size = sizeof value};
        if (lf_publish(client, &message, on_delivery, (void *)(intptr_t)intended, 10000, &error) != LF_OK)
            bench_die("publish: %s", error.text);
    }
    if (lf_flush(client, 30000) != LF_OK)
        bench_die("not all answered after 30 s");
    size_t count = (size_t)atomic_load(&answered);
    qsort(latency_us, count, sizeof *latency_us, bench_compare);
    uint64_t elections = term_sum(client) - terms;
    printf("fdatasync            %.0f /s raw, 4 KB\n", syncs);
    printf("rate                 %ld messages/s of %d bytes for %ld s, linger %u ms, %ld failed\n", rate, MESSAGE_BYTES,
           seconds, options.linger_ms, atomic_load(&failed));
    printf("acknowledged in      p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, worst %.2f ms\n",
           (double)bench_percentile(latency_us, count, 0.5) / 1e3,
           (double)bench_percentile(latency_us, count, 0.99) / 1e3,
           (double)bench_percentile(latency_us, count, 0.999) / 1e3, (double)latency_us[count - 1] / 1e3);
    printf("longest loop pause   %.1f ms\n", bench_log_max(&cluster, "pause_max_ms="));
    printf("elections            %llu\n", (unsigned long long)elections);
    lf_client_close(&client, 1000);
    bench_cluster_stop(&cluster);
    free(latency_us);
    return elections != 0 || atomic_load(&failed) != 0;
}
