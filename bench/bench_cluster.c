#include "bench_cluster.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
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

static const struct bench_cluster *cluster_running; /* the last one started */

/** What the brokers said last. */
static void print_logs(const struct bench_cluster *cluster) {
    char command[700];
    snprintf(command, sizeof command, "tail -n 5 '%s'/*.log >&2", cluster->directory);
    if (system(command) != 0)
        fprintf(stderr, "no logs in %s\n", cluster->directory);
}

void bench_die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fflush(stdout);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    if (cluster_running)
        print_logs(cluster_running);
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

void bench_help(int argc, char **argv, const char *text) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            fputs(text, stdout);
            exit(0);
        }
    for (int i = 1; i < argc; i += 2) {
        size_t size = strlen(argv[i]);
        const char *at = strncmp(argv[i], "--", 2) == 0 ? strstr(text, argv[i]) : NULL;
        while (at && at[size] != ' ')
            at = strstr(at + 1, argv[i]);
        if (!at || i + 1 >= argc)
            bench_die("%s: %s; --help tells", argv[i], at ? "wants a value" : "not an option");
    }
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

/** A process that outlives this one, however it ends, and then removes the data. The brokers end with this one
 * (PR_SET_PDEATHSIG), a moment later perhaps. */
static void leave_janitor(const char *directory) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        bench_die("pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        bench_die("fork: %s", strerror(errno));
    if (pid != 0) {
        close(ends[0]); /* the other end is open while this process lives */
        return;
    }
    char byte, command[700];
    setsid();
    close(ends[1]);
    while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
        ;
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    struct stat there;
    for (int i = 0; i < 100 && stat(directory, &there) == 0; i++) {
        bench_wait_us(bench_now_us() + 50000);
        if (system(command) != 0)
            continue;
    }
    _exit(0);
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
    leave_janitor(cluster->directory);
    cluster_running = cluster;
    choose_ports(cluster);
    for (int i = 0; i < count; i++) {
        write_config(cluster, i, config);
        launch(cluster, i, true);
    }
}

static void end_by(struct bench_cluster *cluster, int node, int how) {
    if (cluster->nodes[node].pid == 0)
        return;
    kill(cluster->nodes[node].pid, how);
    waitpid(cluster->nodes[node].pid, NULL, 0);
    cluster->nodes[node].pid = 0;
}

void bench_cluster_kill(struct bench_cluster *cluster, int node) { end_by(cluster, node, SIGKILL); }
void bench_cluster_quit(struct bench_cluster *cluster, int node) { end_by(cluster, node, SIGTERM); }

void bench_cluster_restart(struct bench_cluster *cluster, int node) { launch(cluster, node, false); }

void bench_cluster_stop(struct bench_cluster *cluster) {
    for (int i = 0; i < cluster->count; i++)
        bench_cluster_kill(cluster, i);
    cluster_running = NULL;
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
    bench_topic_with(client, name, partitions, replicas, NULL, 0);
}

void bench_alter(lf_client *client, const char *topic, const char *setting, const char *value) {
    struct lf_setting settings = {setting, value};
    struct lf_error error = {0};
    if (lf_topic_alter(client, topic, &settings, 1, &error) != LF_OK)
        bench_die("%s: %s: %s", topic, setting, error.text);
}

void bench_topic_with(lf_client *client, const char *name, uint32_t partitions, uint32_t replicas,
                      const struct lf_setting *settings, size_t count) {
    struct lf_error error = {0};
    int64_t deadline = bench_now_us() + 30 * 1000000;
    enum lf_status status;
    while ((status = lf_topic_create_with(client, name, partitions, replicas, settings, count, &error)) != LF_OK &&
           status != LF_TOPIC_EXISTS)
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

/** The number after `key` in /proc/PID/file of a running broker; 0: there is none. */
static double proc_value(const struct bench_cluster *cluster, int node, const char *name, const char *key) {
    char path[64], line[256];
    double value = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)cluster->nodes[node].pid, name);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, key, strlen(key)) == 0)
            value = atof(line + strlen(key));
    if (file)
        fclose(file);
    return value;
}

double bench_resident_mb(const struct bench_cluster *cluster, int node) {
    return proc_value(cluster, node, "status", "VmRSS:") / 1024;
}

double bench_resident_max_mb(const struct bench_cluster *cluster, int node) {
    return proc_value(cluster, node, "status", "VmHWM:") / 1024;
}

uint64_t bench_written_bytes(const struct bench_cluster *cluster, int node) {
    return (uint64_t)proc_value(cluster, node, "io", "write_bytes:");
}

static uint64_t disk_bytes;
static int add_blocks(const char *path, const struct stat *about, int kind, struct FTW *where) {
    (void)path;
    (void)kind;
    (void)where;
    disk_bytes += (uint64_t)about->st_blocks * 512;
    return 0;
}

uint64_t bench_disk_bytes(const char *path) {
    disk_bytes = 0;
    nftw(path, add_blocks, 16, FTW_PHYS); /* what goes meanwhile counts for nothing */
    return disk_bytes;
}

uint64_t bench_data_bytes(const struct bench_cluster *cluster, int node) {
    char path[600];
    snprintf(path, sizeof path, "%s/data%d", cluster->directory, node + 1);
    return bench_disk_bytes(path);
}

static FILE *ask_for_metrics(const struct bench_cluster *cluster, int node) {
    static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)cluster->nodes[node].admin_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 10};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return NULL;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
        send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t)sizeof request - 1)
        return fdopen(fd, "r");
    close(fd);
    return NULL;
}

/** Sums of several; false while the node does not answer. */
static bool read_metrics(const struct bench_cluster *cluster, int node, const char *const *names, size_t count,
                         double *sums) {
    static const char prefix[] = "logflume_";
    char line[1024];
    bool any = false;
    FILE *page = ask_for_metrics(cluster, node);
    for (size_t i = 0; i < count; i++)
        sums[i] = 0;
    while (page && fgets(line, sizeof line, page)) {
        const char *value = strrchr(line, ' ');
        if (!value || strncmp(line, prefix, sizeof prefix - 1) != 0)
            continue;
        any = true;
        for (size_t i = 0; i < count; i++)
            if (strncmp(line + sizeof prefix - 1, names[i], strlen(names[i])) == 0)
                sums[i] += atof(value);
    }
    if (page)
        fclose(page);
    return any;
}

double bench_metric(const struct bench_cluster *cluster, int node, const char *name) {
    double sum;
    return read_metrics(cluster, node, &name, 1, &sum) ? sum : -1;
}

static bool at_rest(const struct bench_cluster *cluster) {
    static const char *const names[] = {"store_segments_waiting ",      "store_segments_building ",
                                        "store_segment_drops_waiting ", "store_flushes_running ",
                                        "store_compactions_running ",   "store_oldest_write_seconds ",
                                        "partition_decisions_waiting"};
    for (int i = 0; i < cluster->count; i++) {
        double sums[sizeof names / sizeof names[0]];
        if (cluster->nodes[i].pid == 0)
            continue;
        if (!read_metrics(cluster, i, names, sizeof names / sizeof names[0], sums))
            return false;
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
            if (sums[k] > 0)
                return false;
    }
    return true;
}

bool bench_settle(const struct bench_cluster *cluster, double seconds) {
    /* Figures are gathered by the brokers now and then: what they say must hold for longer than that. */
    enum { QUIET_US = 2000000, LOOK_US = 100000 };
    int64_t deadline = bench_now_us() + (int64_t)(seconds * 1e6), since = bench_now_us();
    while (bench_now_us() - since < QUIET_US) {
        bench_wait_us(bench_now_us() + LOOK_US);
        if (at_rest(cluster))
            continue;
        since = bench_now_us();
        if (since > deadline)
            return false;
    }
    return true;
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

void bench_print_syncs(void) {
    struct bench_cluster cluster;
    bench_cluster_start(&cluster, 0, NULL, NULL);
    printf("fdatasync            %.0f /s raw, 4 KB\n", bench_fdatasync_rate(cluster.directory));
    fflush(stdout);
    bench_cluster_stop(&cluster);
}
