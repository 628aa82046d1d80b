#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_cluster.h"
#include "bench_load.h"

static const char help[] =
    "How long does an acknowledgement take at a steady rate, from the moment each message was meant to be sent?\n"
    "\n"
    "  bench_latency [--seconds N] [--bytes-per-s B] [--linger MS] [--retention BYTES] [--segment BYTES]\n"
    "\n"
    "256-byte messages to one partition of three replicas. Also the brokers' longest pause of the loop (from their "
    "log),\n"
    "and whether any election happened.\n"
    "\n"
    "  --seconds N        [60]\n"
    "  --bytes-per-s B    [5000000]\n"
    "  --linger MS        of the client [1]\n"
    "  --retention BYTES  the topic keeps so much, so that segments are sealed and dropped all the while [0: "
    "everything]\n"
    "  --segment BYTES    segment.bytes [with --retention 1 MiB, else the topic's default]\n"
    "\n"
    "Goals at the defaults: p99 under 5 ms, p99.9 under 20 ms, with --retention, too. Ends with 1 when a message was "
    "not\n"
    "accepted, a leader changed, or nothing was dropped although --retention was given.\n";

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

static void create(lf_client *client, long retention, long segment) {
    char retention_text[32], segment_text[32];
    struct lf_setting settings[2];
    size_t count = 0;
    snprintf(retention_text, sizeof retention_text, "%ld", retention);
    snprintf(segment_text, sizeof segment_text, "%ld", segment);
    if (retention > 0)
        settings[count++] = (struct lf_setting){"retention.bytes", retention_text};
    if (segment > 0)
        settings[count++] = (struct lf_setting){"segment.bytes", segment_text};
    bench_topic_with(client, "bench", 1, 3, settings, count);
}

/** On broker 1. Returns how many segments were dropped. */
static double print_segments(const struct bench_cluster *cluster) {
    if (!bench_settle(cluster, 60))
        bench_die("the stores are still busy after a minute");
    double made = bench_metric(cluster, 0, "store_segments_made_total "),
           held = bench_metric(cluster, 0, "store_segments ");
    printf("segments             %.0f sealed, %.0f dropped; %.0f MB kept; the engine held writes back for %.0f ms\n",
           made, made - held, bench_metric(cluster, 0, "partition_bytes") / 1e6,
           bench_metric(cluster, 0, "store_stall_seconds_total ") * 1e3);
    return made - held;
}

static void print_latencies(struct bench_steady *steady, size_t count) {
    double p99 = bench_steady_ms(steady, 0, count, 0.99), p999 = bench_steady_ms(steady, 0, count, 0.999);
    printf("acknowledged in      p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms, worst %.2f ms; goals 5 and 20 ms: %s\n",
           bench_steady_ms(steady, 0, count, 0.5), p99, p999, bench_steady_ms(steady, 0, count, 1),
           p99 < 5 && p999 < 20 ? "held" : "missed");
}

int main(int argc, char **argv) {
    bench_help(argc, argv, help);
    long seconds = bench_option(argc, argv, "--seconds", 60);
    long rate = bench_option(argc, argv, "--bytes-per-s", 5000000) / BENCH_MESSAGE_BYTES;
    long retention = bench_option(argc, argv, "--retention", 0);
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
    create(client, retention, bench_option(argc, argv, "--segment", retention > 0 ? 1 << 20 : 0));
    uint64_t terms = term_sum(client);
    struct bench_steady *steady = bench_steady_start(client, "bench", 1, NULL, rate, (double)seconds + 1);
    bench_wait_us(bench_now_us() + seconds * 1000000);
    bench_steady_stop(steady);
    uint64_t elections = term_sum(client) - terms;
    long failed = bench_steady_failed(steady);
    printf("fdatasync            %.0f /s raw, 4 KB\n", syncs);
    printf("rate                 %ld messages/s of %d bytes for %ld s, linger %u ms, %ld failed\n", rate,
           BENCH_MESSAGE_BYTES, seconds, options.linger_ms, failed);
    print_latencies(steady, bench_steady_mark(steady));
    double dropped = print_segments(&cluster);
    printf("longest loop pause   %.1f ms\n", bench_log_max(&cluster, "pause_max_ms="));
    printf("elections            %llu\n", (unsigned long long)elections);
    bench_steady_destroy(&steady);
    lf_client_close(&client, 1000);
    bench_cluster_stop(&cluster);
    return elections != 0 || failed != 0 || (retention > 0 && dropped <= 0);
}
