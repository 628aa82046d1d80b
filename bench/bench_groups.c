/** What does a cluster with many groups cost when nobody uses it, and how fast do its leaders move?
 *
 *    bench_groups [--partitions N] [--seconds S] [--node N]
 *
 *  Three brokers, one topic of N [1000] partitions with three replicas.
 *  1. Creation: from the call until every partition acknowledged a message (it has a leader that committed).
 *  2. At rest, no client connected: CPU of each broker over S [60] seconds (utime + stime of /proc/PID/stat), resident
 *     bytes after them (VmRSS of /proc/PID/status).
 *  3. The broker that leads most (or node N, from 1) is killed with SIGKILL: until every group it led has another
 *     leader, and until each of them acknowledged a message.
 *  4. It is started again: until it knows the controller and a leader for every group it holds.
 *  5. All three are killed and started again: until each of them does.
 *
 *  Limits (for 1000 partitions): 10 % of a core, 300 MB, created in 60 s, moved in 3 s. Exit 1 when one is missed. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_cluster.h"

enum { NODES = 3, WAIT_S = 120 };
static const double core_limit = 10, resident_limit_mb = 300, create_limit_s = 60, moved_limit_s = 3;

static atomic_long answered, failed;

static void on_delivery(const struct lf_delivery *delivery) {
    bool ok = delivery->status == LF_OK || delivery->status == LF_DUPLICATE;
    atomic_fetch_add(ok ? &answered : &failed, 1);
}

/** One message to each partition that `chosen` (NULL: all) names; returns when all are acknowledged. */
static void write_to_each(lf_client *client, const char *topic, uint32_t partitions, const bool *chosen) {
    long sent = 0;
    atomic_store(&answered, 0);
    for (uint32_t i = 0; i < partitions; i++) {
        struct lf_message message = {.topic = topic, .partition = (int32_t)i, .value = "here", .value_size = 4};
        if (chosen && !chosen[i])
            continue;
        if (lf_publish(client, &message, on_delivery, NULL, 10000, NULL) != LF_OK)
            bench_die("partition %u: not accepted", i);
        sent++;
    }
    if (lf_flush(client, WAIT_S * 1000) != LF_OK || atomic_load(&answered) != sent)
        bench_die("%ld of %ld partitions acknowledged within %d s, %ld failed", atomic_load(&answered), sent, WAIT_S,
                  atomic_load(&failed));
}

static double create(lf_client *client, const char *topic, uint32_t partitions) {
    struct lf_error error = {0};
    int64_t begin = bench_now_us();
    enum lf_status status = lf_topic_create(client, topic, partitions, NODES, &error);
    if (status != LF_OK)
        bench_die("topic create: %s", error.text);
    write_to_each(client, topic, partitions, NULL);
    return (double)(bench_now_us() - begin) / 1e6;
}

/** Leader of each partition, by node (from 0; -1: none), as the asked broker sees it. Returns how many have none. */
static uint32_t leaders(lf_client *client, const char *topic, uint32_t partitions, int *out) {
    struct lf_topic described;
    struct lf_partition *list = NULL;
    uint32_t without = 0;
    for (uint32_t i = 0; i < partitions; i++)
        out[i] = -1;
    if (lf_topic_describe(client, topic, &described, &list, NULL) != LF_OK)
        return partitions;
    for (uint32_t i = 0; i < partitions && i < described.partitions; i++)
        out[i] = (int)list[i].leader_node - 1;
    for (uint32_t i = 0; i < partitions; i++)
        without += out[i] < 0;
    free(described.name);
    free(list);
    return without;
}

/** CPU time in seconds. */
static double cpu_s(pid_t pid) {
    char path[64], text[1024] = {0};
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(text, sizeof text, file))
        bench_die("%s cannot be read", path);
    fclose(file);
    const char *rest = strrchr(text, ')'); /* the name may hold anything */
    if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        bench_die("%s is not understood", path);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static bool at_rest(const struct bench_cluster *cluster, long seconds) {
    double before[NODES], begin_s = (double)bench_now_us() / 1e6;
    bool ok = true;
    for (int i = 0; i < NODES; i++)
        before[i] = cpu_s(cluster->nodes[i].pid);
    bench_wait_us(bench_now_us() + seconds * 1000000);
    double took_s = (double)bench_now_us() / 1e6 - begin_s;
    for (int i = 0; i < NODES; i++) {
        double percent = 100 * (cpu_s(cluster->nodes[i].pid) - before[i]) / took_s;
        double mb = bench_resident_mb(cluster, i);
        printf("broker %d at rest     %.1f %% of a core over %.0f s, %.0f MB resident\n", i + 1, percent, took_s, mb);
        ok &= percent < core_limit && mb < resident_limit_mb;
    }
    fflush(stdout);
    return ok;
}

struct kill {
    int node;
    uint32_t led;
    double moved_s, writing_s;
};

/** The dead broker's groups: others must lead them, and take writes. The writer is a thread of its own, so that neither
 *  waits for the other. */
struct writer {
    lf_client *client;
    const char *topic;
    uint32_t partitions;
    const bool *chosen;
    int64_t done_us;
};

static void *write_on(void *context) {
    struct writer *writer = context;
    write_to_each(writer->client, writer->topic, writer->partitions, writer->chosen);
    writer->done_us = bench_now_us();
    return NULL;
}

static int leads_most(const int *led_by, uint32_t partitions) {
    uint32_t led[NODES] = {0};
    int most = 0;
    for (uint32_t i = 0; i < partitions; i++)
        if (led_by[i] >= 0)
            led[led_by[i]]++;
    for (int i = 0; i < NODES; i++)
        most = led[i] > led[most] ? i : most;
    return most;
}

static bool all_moved(const int *now, const bool *chosen, uint32_t partitions, int from) {
    for (uint32_t i = 0; i < partitions; i++)
        if (chosen[i] && (now[i] < 0 || now[i] == from))
            return false;
    return true;
}

static struct kill kill_leader(struct bench_cluster *cluster, const char *topic, uint32_t partitions, int node) {
    struct kill kill = {.node = node};
    int *led_by = calloc(partitions, sizeof *led_by);
    bool *chosen = calloc(partitions, sizeof *chosen);
    lf_client *client = bench_client(cluster->brokers);
    leaders(client, topic, partitions, led_by);
    if (kill.node < 0)
        kill.node = leads_most(led_by, partitions);
    for (uint32_t i = 0; i < partitions; i++)
        kill.led += chosen[i] = led_by[i] == kill.node;
    write_to_each(client, topic, partitions, NULL); /* the client knows every leader, as one at work does */
    lf_client *observer = bench_client(cluster->nodes[(kill.node + 1) % NODES].address);
    leaders(observer, topic, partitions, led_by);

    struct writer writer = {.client = client, .topic = topic, .partitions = partitions, .chosen = chosen};
    pthread_t thread;
    bench_cluster_kill(cluster, kill.node);
    int64_t begin = bench_now_us();
    pthread_create(&thread, NULL, write_on, &writer);
    while (leaders(observer, topic, partitions, led_by), !all_moved(led_by, chosen, partitions, kill.node))
        if (bench_now_us() > begin + WAIT_S * 1000000ll)
            bench_die("groups of broker %d have no new leaders within %d s", kill.node + 1, WAIT_S);
        else
            bench_wait_us(bench_now_us() + 10000);
    kill.moved_s = (double)(bench_now_us() - begin) / 1e6;
    pthread_join(thread, NULL);
    kill.writing_s = (double)(writer.done_us - begin) / 1e6;
    lf_client_close(&observer, 0);
    lf_client_close(&client, 1000);
    free(chosen);
    free(led_by);
    return kill;
}

static double start_again(struct bench_cluster *cluster, int first, int count) {
    int64_t begin = bench_now_us();
    for (int i = first; i < first + count; i++)
        bench_cluster_restart(cluster, i);
    for (int i = first; i < first + count; i++)
        while (!bench_cluster_serves(cluster, i, 1000))
            if (bench_now_us() > begin + WAIT_S * 1000000ll)
                bench_die("broker %d does not serve within %d s of its start", i + 1, WAIT_S);
            else
                bench_wait_us(bench_now_us() + 10000);
    return (double)(bench_now_us() - begin) / 1e6;
}

int main(int argc, char **argv) {
    uint32_t partitions = (uint32_t)bench_option(argc, argv, "--partitions", 1000);
    long seconds = bench_option(argc, argv, "--seconds", 60);
    int node = (int)bench_option(argc, argv, "--node", 0) - 1;
    const char *topic = "bench";
    struct bench_cluster cluster;
    if (partitions == 0 || node >= NODES)
        bench_die("--partitions is at least 1, --node from 1 to %d", NODES);
    bench_cluster_start(&cluster, NODES, NULL, NULL);
    printf("fdatasync            %.0f /s raw, 4 KB\n", bench_fdatasync_rate(cluster.directory));
    bench_cluster_wait(&cluster);
    lf_client *client = bench_client(cluster.brokers);
    double created_s = create(client, topic, partitions);
    lf_client_close(&client, 1000);
    printf("created              %u partitions in %.2f s, each with a leader that committed\n", partitions, created_s);
    fflush(stdout);
    bool ok = at_rest(&cluster, seconds) && created_s < create_limit_s;
    struct kill kill = kill_leader(&cluster, topic, partitions, node);
    printf("killed               broker %d, which led %u groups: other leaders in %.2f s, all writing in %.2f s\n",
           kill.node + 1, kill.led, kill.moved_s, kill.writing_s);
    printf("started again        serves its groups after %.2f s\n", start_again(&cluster, kill.node, 1));
    for (int i = 0; i < NODES; i++)
        bench_cluster_kill(&cluster, i);
    printf("all started again    every group has a leader after %.2f s\n", start_again(&cluster, 0, NODES));
    bench_cluster_stop(&cluster);
    ok &= kill.writing_s < moved_limit_s;
    return !ok;
}
