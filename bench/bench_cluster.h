/** Brokers for the programs in bench/: started on free ports of 127.0.0.1, data on the disk, killed and started again.
 */
#ifndef BENCH_CLUSTER_H
#define BENCH_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "logflume.h"

#define BENCH_NODES_MAX 7

struct bench_cluster {
    char directory[512];
    char bin[512]; /**< where logflumed and logflume are: beside this program */
    int count;
    struct bench_node {
        pid_t pid; /**< 0: not running */
        int client_port, peer_port, admin_port;
        char address[64];
    } nodes[BENCH_NODES_MAX];
    char brokers[BENCH_NODES_MAX * 64];
};

/** Founds a cluster of `count` nodes under `parent` (NULL: beside the build). `config`: extra YAML at top level, or
 * NULL. Dies in words when it cannot. However this process ends, the brokers end and their data goes. */
void bench_cluster_start(struct bench_cluster *cluster, int count, const char *parent, const char *config);
/** Stops all and removes the data. */
void bench_cluster_stop(struct bench_cluster *cluster);
/** SIGKILL, and wait for the end. node: from 0. */
void bench_cluster_kill(struct bench_cluster *cluster, int node);
/** SIGTERM, and wait for the end in good order. */
void bench_cluster_quit(struct bench_cluster *cluster, int node);
void bench_cluster_restart(struct bench_cluster *cluster, int node);
/** Does this node, asked alone, know the controller and a leader for every group it holds? */
bool bench_cluster_serves(const struct bench_cluster *cluster, int node, uint32_t timeout_ms);
/** Waits (30 s) until every node serves. */
void bench_cluster_wait(const struct bench_cluster *cluster);
/** Creates a topic, waiting for the cluster, and for its leaders. */
void bench_topic(lf_client *client, const char *name, uint32_t partitions, uint32_t replicas);
/** The same with settings. */
void bench_topic_with(lf_client *client, const char *name, uint32_t partitions, uint32_t replicas,
                      const struct lf_setting *settings, size_t count);
/** Changes one setting. */
void bench_alter(lf_client *client, const char *topic, const char *setting, const char *value);
/** Index (from 0) of the node that leads the partition; waits up to 10 s. */
int bench_leader(lf_client *client, const char *topic, uint32_t partition);
/** Bytes of a running broker that are in memory (VmRSS), in MB. */
double bench_resident_mb(const struct bench_cluster *cluster, int node);
/** The most it ever was (VmHWM). */
double bench_resident_max_mb(const struct bench_cluster *cluster, int node);
/** Bytes that a running broker had written to its disk (write_bytes of /proc/PID/io). */
uint64_t bench_written_bytes(const struct bench_cluster *cluster, int node);
/** Sum of the values on the node's page of metrics whose name and labels begin with `name`, without "logflume_"; -1
 * while it does not answer. */
double bench_metric(const struct bench_cluster *cluster, int node, const char *name);
/** Waits until no running broker's store has anything to do behind its writes: segments to make or delete, flushes,
 * compactions, decisions. False: not within so many seconds. */
bool bench_settle(const struct bench_cluster *cluster, double seconds);
/** Bytes of disk (blocks) that a file or a directory with all below it takes. */
uint64_t bench_disk_bytes(const char *path);
/** Of a node's data directory. */
uint64_t bench_data_bytes(const struct bench_cluster *cluster, int node);
/** Longest value of `key=NUMBER` in the log of any broker, and how many lines hold `text`. */
double bench_log_max(const struct bench_cluster *cluster, const char *key);
long bench_log_count(const struct bench_cluster *cluster, const char *text);

lf_client *bench_client(const char *brokers);
/** Monotonic. */
int64_t bench_now_us(void);
void bench_wait_us(int64_t until_us);
/** Raw fdatasync calls per second after a 4 KB write, in the directory. */
double bench_fdatasync_rate(const char *directory);
/** Prints that rate, measured beside the build while no broker of this program runs. */
void bench_print_syncs(void);
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** Value at fraction 0..1 of sorted numbers. */
int64_t bench_percentile(const int64_t *sorted, size_t count, double fraction);
int bench_compare(const void *a, const void *b);
/** `--NAME N` among the arguments, or the default. */
long bench_option(int argc, char **argv, const char *name, long otherwise);

/** --help, alone or among others: prints the text and ends. Anything that is not `--NAME VALUE` with a name that
 * stands in the text ends in words. */
void bench_help(int argc, char **argv, const char *text);

#endif
