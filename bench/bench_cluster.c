#include "bench_cluster.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void bench_die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

int64_t bench_now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void bench_wait_us(int64_t until_us) {
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

int bench_compare(const void *a, const void *b) {
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

int64_t bench_percentile(const int64_t *sorted, size_t count, double fraction) {
    if (count == 0)
        return 0;
    size_t at = (size_t)(fraction * (double)count);
    return sorted[at < count ? at : count - 1];
}

long bench_option(int argc, char **argv, const char *name, long otherwise) {
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return atol(argv[i + 1]);
    return otherwise;
}

double bench_fdatasync_rate(const char *directory) {
    char path[600], block[4096] = {1};
    snprintf(path, sizeof path, "%s/fdatasync.probe", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        bench_die("%s: %s", path, strerror(errno));
    enum { ROUNDS = 500 };
    int64_t begin = bench_now_us();
    for (int i = 0; i < ROUNDS; i++)
        if (write(fd, block, sizeof block) != sizeof block || fdatasync(fd) != 0)
            bench_die("%s: %s", path, strerror(errno));
    int64_t took = bench_now_us() - begin;
    close(fd);
    unlink(path);
    return ROUNDS * 1e6 / (double)took;
}

static int free_port(int *keep) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *keep = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*keep < 0 || bind(*keep, (struct sockaddr *)&address, size) != 0 ||
        getsockname(*keep, (struct sockaddr *)&address, &size) != 0)
        bench_die("no free port: %s", strerror(errno));
    return ntohs(address.sin_port);
}

static void choose_ports(struct bench_cluster *cluster) {
    int held[BENCH_NODES_MAX * 3];
    for (int i = 0; i < cluster->count; i++) {
        struct bench_node *node = &cluster->nodes[i];
        node->client_port = free_port(&held[3 * i]);
        node->peer_port = free_port(&held[3 * i + 1]);
        node->admin_port = free_port(&held[3 * i + 2]);
        snprintf(node->address, sizeof node->address, "127.0.0.1:%d", node->client_port);
        snprintf(cluster->brokers + strlen(cluster->brokers), sizeof cluster->brokers - strlen(cluster->brokers),
                 "%s%s", i ? "," : "", node->address);
    }
    for (int i = 0; i < 3 * cluster->count; i++)
        close(held[i]);
}

static void write_config(const struct bench_cluster *cluster, int node, const char *config) {
    char path[600];
    snprintf(path, sizeof path, "%s/%d.yaml", cluster->directory, node + 1);
    FILE *out = fopen(path, "w");
    if (!out)
        bench_die("%s: %s", path, strerror(errno));
    fprintf(out, "node:\n  id: %d\n  data: %s/data%d\ncluster:\n  name: bench\n  nodes:\n", node + 1,
            cluster->directory, node + 1);
    for (int i = 0; i < cluster->count; i++)
        fprintf(out, "    - {id: %d, host: 127.0.0.1, client_port: %d, peer_port: %d, admin_port: %d}\n", i + 1,
                cluster->nodes[i].client_port, cluster->nodes[i].peer_port, cluster->nodes[i].admin_port);
    fprintf(out, "%s", config ? config : "log:\n  stats_interval_ms: 1000\n");
    fclose(out);
}

static void launch(struct bench_cluster *cluster, int node, bool bootstrap) {
    char config[600], log[600], program[600];
    snprintf(config, sizeof config, "%s/%d.yaml", cluster->directory, node + 1);
    snprintf(log, sizeof log, "%s/%d.log", cluster->directory, node + 1);
    snprintf(program, sizeof program, "%s/logflumed", cluster->bin);
    pid_t pid = fork();
    if (pid < 0)
        bench_die("fork: %s", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
        dup2(fd, 1);
        dup2(fd, 2);
        execl(program, "logflumed", "-c", config, bootstrap ? "--bootstrap" : NULL, (char *)NULL);
        _exit(127);
    }
    cluster->nodes[node].pid = pid;
}

void bench_cluster_start(struct bench_cluster *cluster, int count, const char *parent, const char *config) {
    *cluster = (struct bench_cluster){.count = count};
    ssize_t size = readlink("/proc/self/exe", cluster->bin, sizeof cluster->bin - 1);
    if (size <= 0)
        bench_die("/proc/self/exe: %s", strerror(errno));
    cluster->bin[size] = '\0';
    *strrchr(cluster->bin, '/') = '\0';
    snprintf(cluster->directory, sizeof cluster->directory, "%.400s/bench.XXXXXX", parent ? parent : cluster->bin);
    if (!mkdtemp(cluster->directory))
        bench_die("%s: %s", cluster->directory, strerror(errno));
    choose_ports(cluster);
    for (int i = 0; i < count; i++) {
        write_config(cluster, i, config);
        launch(cluster, i, true);
    }
}

void bench_cluster_kill(struct bench_cluster *cluster, int node) {
    if (cluster->nodes[node].pid == 0)
        return;
    kill(cluster->nodes[node].pid, SIGKILL);
    waitpid(cluster->nodes[node].pid, NULL, 0);
    cluster->nodes[node].pid = 0;
}

void bench_cluster_restart(struct bench_cluster *cluster, int node) { launch(cluster, node, false); }

void bench_cluster_stop(struct bench_cluster *cluster) {
    for (int i = 0; i < cluster->count; i++)
        bench_cluster_kill(cluster, i);
    char command[700];
    snprintf(command, sizeof command, "rm -rf '%s'", cluster->directory);
    if (system(command) != 0)
        fprintf(stderr, "left behind: %s\n", cluster->directory);
}

lf_client *bench_client(const char *brokers) {
    struct lf_client_options options;
    struct lf_error error;
    lf_client *client;
    lf_client_options_init(&options);
    options.brokers = brokers;
    if (lf_client_new(&options, &client, &error) != LF_OK)
        bench_die("client: %s", error.text);
    return client;
}

bool bench_cluster_serves(const struct bench_cluster *cluster, int node, uint32_t timeout_ms) {
    struct lf_client_options options;
    struct lf_cluster status = {0};
    lf_client *client;
    lf_client_options_init(&options);
    options.brokers = cluster->nodes[node].address;
    options.connect_timeout_ms = options.request_timeout_ms = timeout_ms;
    if (lf_client_new(&options, &client, NULL) != LF_OK)
        return false;
    bool serves = false;
    if (lf_cluster_status(client, &status, NULL) == LF_OK) {
        serves = status.answering_node == (uint64_t)node + 1 && status.controller_node != 0 &&
                 status.partitions_without_leader == 0;
        lf_cluster_free(&status);
    }
    lf_client_close(&client, 0);
    return serves;
}

void bench_cluster_wait(const struct bench_cluster *cluster) {
    int64_t deadline = bench_now_us() + 30 * 1000000;
    for (int i = 0; i < cluster->count; i++)
        while (!bench_cluster_serves(cluster, i, 500))
            if (bench_now_us() > deadline)
                bench_die("broker %d does not serve within 30 s", i + 1);
            else
                bench_wait_us(bench_now_us() + 20000);
}

int bench_leader(lf_client *client, const char *topic, uint32_t partition) {
    int64_t deadline = bench_now_us() + 10 * 1000000;
    while (bench_now_us() < deadline) {
        struct lf_topic described;
        struct lf_partition *partitions = NULL;
        uint64_t leader = 0;
        if (lf_topic_describe(client, topic, &described, &partitions, NULL) == LF_OK) {
            if (partition < described.partitions)
                leader = partitions[partition].leader_node;
            free(described.name);
            free(partitions);
        }
        if (leader != 0)
            return (int)leader - 1;
        bench_wait_us(bench_now_us() + 20000);
    }
    bench_die("no leader of %s/%u within 10 s", topic, partition);
}

static bool all_led(lf_client *client, const char *topic, uint32_t partitions) {
    struct lf_topic described;
    struct lf_partition *list = NULL;
    uint32_t led = 0;
    if (lf_topic_describe(client, topic, &described, &list, NULL) != LF_OK)
        return false;
    for (uint32_t i = 0; i < described.partitions; i++)
        led += list[i].leader_node != 0;
    free(described.name);
    free(list);
    return led >= partitions;
}

void bench_topic(lf_client *client, const char *name, uint32_t partitions, uint32_t replicas) {
    struct lf_error error = {0};
    int64_t deadline = bench_now_us() + 30 * 1000000;
    enum lf_status status;
    while ((status = lf_topic_create(client, name, partitions, replicas, &error)) != LF_OK && status != LF_TOPIC_EXISTS)
        if (bench_now_us() > deadline)
            bench_die("topic create: %s", error.text);
        else
            bench_wait_us(bench_now_us() + 50000);
    while (!all_led(client, name, partitions))
        if (bench_now_us() > deadline)
            bench_die("%s: partitions without a leader after 30 s", name);
        else
            bench_wait_us(bench_now_us() + 20000);
}

double bench_resident_mb(const struct bench_cluster *cluster, int node) {
    char path[64], line[256];
    double kb = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)cluster->nodes[node].pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmRSS:", 6) == 0)
            kb = atof(line + 6);
    if (file)
        fclose(file);
    return kb / 1024;
}

static double scan_logs(const struct bench_cluster *cluster, const char *text, bool value, long *count) {
    double most = 0;
    for (int i = 0; i < cluster->count; i++) {
        char path[600], line[4096];
        snprintf(path, sizeof path, "%s/%d.log", cluster->directory, i + 1);
        FILE *log = fopen(path, "r");
        while (log && fgets(line, sizeof line, log))
            for (char *at = line; (at = strstr(at, text)); at += strlen(text)) {
                ++*count;
                double here = value ? atof(at + strlen(text)) : 0;
                if (here > most)
                    most = here;
            }
        if (log)
            fclose(log);
    }
    return most;
}

double bench_log_max(const struct bench_cluster *cluster, const char *key) {
    long count = 0;
    return scan_logs(cluster, key, true, &count);
}

long bench_log_count(const struct bench_cluster *cluster, const char *text) {
    long count = 0;
    scan_logs(cluster, text, false, &count);
    return count;
}
