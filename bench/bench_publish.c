/** How fast does one client publish to one partition (or several) with 3 replicas at quorum fsync, and read it back?
 *
 *    bench_publish [--messages N] [--bytes B] [--nodes N] [--partitions N] [--read 0|1]
 *
 *  Random payloads, codec none; several partitions take turns, 64 messages each. Reading back is done by `logflume sub
 *  -o start -c N >/dev/null`. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cluster.h"

static atomic_long acknowledged, failed;

static void on_delivery(const struct lf_delivery *delivery) {
    if (delivery->status == LF_OK || delivery->status == LF_DUPLICATE)
        atomic_fetch_add(&acknowledged, 1);
    else if (atomic_fetch_add(&failed, 1) == 0)
        fprintf(stderr, "first failure: %s\n", delivery->error_text);
}

static double read_back(const struct bench_cluster *cluster, long messages) {
    char command[1200];
    snprintf(command, sizeof command, "'%s/logflume' sub bench -b %s -o start -c %ld >/dev/null", cluster->bin,
             cluster->brokers, messages);
    int64_t begin = bench_now_us();
    if (system(command) != 0)
        bench_die("reading back failed: %s", command);
    return (double)messages * 1e6 / (double)(bench_now_us() - begin);
}

int main(int argc, char **argv) {
    long messages = bench_option(argc, argv, "--messages", 1000000), bytes = bench_option(argc, argv, "--bytes", 256);
    uint32_t partitions = (uint32_t)bench_option(argc, argv, "--partitions", 1);
    struct bench_cluster cluster;
    bench_cluster_start(&cluster, (int)bench_option(argc, argv, "--nodes", 3), NULL, NULL);
    double syncs = bench_fdatasync_rate(cluster.directory);
    lf_client *client = bench_client(cluster.brokers);
    bench_topic(client, "bench", partitions, (uint32_t)cluster.count);
    enum { POOL = 1 << 20, RUN = 64 };
    uint8_t *pool = malloc((size_t)POOL + (size_t)bytes);
    FILE *random = fopen("/dev/urandom", "r");
    if (!pool || !random || fread(pool, 1, (size_t)POOL + (size_t)bytes, random) != (size_t)POOL + (size_t)bytes)
        bench_die("no random bytes");
    fclose(random);
    int64_t begin = bench_now_us();
    for (long i = 0; i < messages; i++) {
        struct lf_message message = {.topic = "bench",
                                     .partition = (int32_t)(i / RUN % partitions),
                                     .value = pool + (size_t)(i * 61) % POOL,
                                     .value_size = (size_t)bytes};
        struct lf_error error;
        if (lf_publish(client, &message, on_delivery, NULL, 60000, &error) != LF_OK)
            bench_die("publish %ld: %s", i, error.text);
    }
    if (lf_flush(client, 120000) != LF_OK)
        bench_die("not all acknowledged after two minutes");
    int64_t took = bench_now_us() - begin;
    printf("fdatasync            %.0f /s raw, 4 KB\n", syncs);
    printf("published            %ld messages of %ld bytes, %u partitions, %d replicas, quorum\n", messages, bytes,
           partitions, cluster.count);
    printf("acknowledged         %ld (%ld failed) in %.2f s: %.0f messages/s, %.1f MB/s\n", atomic_load(&acknowledged),
           atomic_load(&failed), (double)took / 1e6, (double)atomic_load(&acknowledged) * 1e6 / (double)took,
           (double)atomic_load(&acknowledged) * (double)bytes / (double)took);
    printf("resident             %.0f MB of broker 1\n", bench_resident_mb(&cluster, 0));
    if (bench_option(argc, argv, "--read", 1))
        printf("read back            %.0f messages/s\n", read_back(&cluster, messages));
    lf_client_close(&client, 1000);
    bench_cluster_stop(&cluster);
    free(pool);
    return atomic_load(&failed) != 0 || atomic_load(&acknowledged) != messages;
}
