/** The real program: what it refuses, how it starts, answers and stops. Data under the build's working directory. */
#include "client.pb-c.h"
#include "lf_status.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

#ifndef LOGFLUMED
#define LOGFLUMED NULL
#endif

#define DEADLINE_MS 30000
#define ARGS_MAX 16

static char directory[64];
static char data[128];
static uint32_t ports[3];

struct process {
    pid_t pid;
    int log;          /**< its standard error */
    char text[65536]; /**< all it said so far */
    size_t size;
};
static struct process broker, other;

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void free_ports(void) {
    int fds[3];
    for (size_t i = 0; i < 3; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof address;
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(fds[i], (struct sockaddr *)&address, size), 0);
        assert_int_equal(getsockname(fds[i], (struct sockaddr *)&address, &size), 0);
        ports[i] = ntohs(address.sin_port);
    }
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
}

/** args ends with NULL. */
static void spawn(struct process *process, const char *const *args) {
    int ends[2];
    const char *argv[ARGS_MAX + 1] = {LOGFLUMED};
    for (size_t i = 0; args[i]; i++)
        argv[1 + i] = args[i];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    process->size = 0;
    process->text[0] = '\0';
    process->pid = fork();
    assert_true(process->pid >= 0);
    if (process->pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        execv(LOGFLUMED, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(ends[1]);
    process->log = ends[0];
}
#define SPAWN(process, ...) spawn(process, (const char *const[]){__VA_ARGS__, NULL})

/** Reads more of its log. False: it ended. */
static bool read_log(struct process *process, int64_t deadline) {
    struct pollfd item = {.fd = process->log, .events = POLLIN};
    if (now_ms() >= deadline || poll(&item, 1, (int)(deadline - now_ms())) <= 0)
        fail_msg("nothing more before the deadline, after: %s", process->text);
    ssize_t size = read(process->log, process->text + process->size, sizeof process->text - 1 - process->size);
    if (size > 0)
        process->size += (size_t)size;
    process->text[process->size] = '\0';
    return size > 0;
}

static void wait_for(struct process *process, const char *words) {
    int64_t deadline = now_ms() + DEADLINE_MS;
    while (!strstr(process->text, words))
        if (!read_log(process, deadline))
            fail_msg("it ended without saying \"%s\": %s", words, process->text);
}

/** Its exit code, once its log has ended. */
static int finish(struct process *process) {
    int64_t deadline = now_ms() + DEADLINE_MS;
    int status = 0;
    while (read_log(process, deadline))
        ;
    close(process->log);
    assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
    process->pid = 0;
    if (!WIFEXITED(status))
        fail_msg("it died of signal %d: %s", WTERMSIG(status), process->text);
    return WEXITSTATUS(status);
}

static int stop(struct process *process) {
    kill(process->pid, SIGTERM);
    return finish(process);
}

static int run(struct process *process, const char *const *args) {
    spawn(process, args);
    return finish(process);
}
#define RUN(...) run(&other, (const char *const[]){__VA_ARGS__, NULL})

/** --dev on our ports and directory. */
static void start_dev(struct process *process) {
    char flags[3][32];
    snprintf(flags[0], sizeof flags[0], "--client-port=%u", ports[0]);
    snprintf(flags[1], sizeof flags[1], "--peer-port=%u", ports[1]);
    snprintf(flags[2], sizeof flags[2], "--admin-port=%u", ports[2]);
    SPAWN(process, "--dev", "--data", data, flags[0], flags[1], flags[2]);
}

/** A configuration for node `id` of two; returns its path. */
static const char *write_config(int id) {
    static char paths[3][128];
    snprintf(paths[id], sizeof paths[id], "%s/%d.yaml", directory, id);
    FILE *file = fopen(paths[id], "w");
    assert_non_null(file);
    fprintf(file,
            "node: {id: %d, data: %s}\ncluster:\n  name: t\n  nodes:\n"
            "  - {id: 1, host: 127.0.0.1, client_port: %u, peer_port: %u, admin_port: %u}\n"
            "  - {id: 2, host: 127.0.0.2, client_port: %u, peer_port: %u, admin_port: %u}\n",
            id, data, ports[0], ports[1], ports[2], ports[0], ports[1], ports[2]);
    fclose(file);
    return paths[id];
}

static int make_directory(void **state) {
    (void)state;
    if (!LOGFLUMED)
        skip();
    snprintf(directory, sizeof directory, "test-logflumed-XXXXXX");
    if (!mkdtemp(directory))
        return -1;
    snprintf(data, sizeof data, "%s/data", directory);
    free_ports();
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static int end_all(void **state) {
    (void)state;
    struct process *const all[] = {&broker, &other};
    for (size_t i = 0; i < 2; i++)
        if (all[i]->pid > 0) {
            kill(all[i]->pid, SIGKILL);
            waitpid(all[i]->pid, NULL, 0);
            close(all[i]->log);
            all[i]->pid = 0;
        }
    return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void dev_starts_stops_and_starts_again(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        start_dev(&broker);
        wait_for(&broker, "logflumed ready node=1");
        assert_true((strstr(broker.text, " founding") != NULL) == (i == 0));
        wait_for(&broker, "lead from");
        assert_int_equal(stop(&broker), 0);
        assert_non_null(strstr(broker.text, "logflumed stopped"));
    }
}

static void a_killed_one_starts_again(void **state) {
    (void)state;
    start_dev(&broker);
    wait_for(&broker, "cluster founded");
    kill(broker.pid, SIGKILL);
    waitpid(broker.pid, NULL, 0);
    close(broker.log);
    start_dev(&broker);
    wait_for(&broker, "logflumed ready");
    wait_for(&broker, "lead from");
    assert_int_equal(stop(&broker), 0);
}

static void an_empty_directory_is_refused_and_left_alone(void **state) {
    (void)state;
    assert_int_equal(RUN("-c", write_config(1)), 2);
    assert_non_null(strstr(other.text, "holds no store. --bootstrap founds a cluster, --join joins one"));
    assert_int_equal(access(data, F_OK), -1);
}

static void bootstrap_is_once(void **state) {
    (void)state;
    SPAWN(&broker, "-c", write_config(1), "--bootstrap");
    wait_for(&broker, "logflumed ready");
    assert_int_equal(stop(&broker), 0);
    assert_int_equal(RUN("-c", write_config(1), "--bootstrap"), 2);
    assert_non_null(strstr(other.text, "holds a store already; start without --bootstrap"));
    SPAWN(&broker, "-c", write_config(1));
    wait_for(&broker, "logflumed ready");
    assert_int_equal(stop(&broker), 0);
}

static void a_start_to_join_makes_a_store_that_waits_and_may_be_repeated(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) {
        SPAWN(&broker, "-c", write_config(1), "--join");
        wait_for(&broker, i == 0 ? " joining" : "logflumed ready");
        assert_int_equal(stop(&broker), 0);
    }
    assert_int_equal(RUN("-c", write_config(1), "--bootstrap"), 2); /* it will never found */
}

static void another_nodes_store_is_refused(void **state) {
    (void)state;
    SPAWN(&broker, "-c", write_config(1), "--bootstrap");
    wait_for(&broker, "logflumed ready");
    assert_int_equal(stop(&broker), 0);
    assert_int_equal(RUN("-c", write_config(2)), 7);
    assert_non_null(strstr(other.text, "belongs to node 1, not to node 2"));
}

static void strangers_files_are_left_alone(void **state) {
    (void)state;
    char path[160];
    mkdir(data, 0755);
    snprintf(path, sizeof path, "%s/letter", data);
    close(open(path, O_CREAT | O_WRONLY, 0644));
    assert_int_equal(RUN("-c", write_config(1), "--bootstrap"), 2);
    assert_non_null(strstr(other.text, "holds no store but other files (letter)"));
}

static void put(const char *name) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", data, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0644);
    assert_true(fd >= 0);
    close(fd);
}

/** It has a whole store, of some moment in the past. */
static void a_backup_is_no_nodes_data(void **state) {
    (void)state;
    char path[160];
    const char *config = write_config(1);
    SPAWN(&broker, "-c", config, "--bootstrap");
    wait_for(&broker, "logflumed ready");
    assert_int_equal(stop(&broker), 0);
    put("backup.json");
    static const char *const flags[] = {"--log.level=info", "--join", "--bootstrap", "--replace-store"};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        assert_int_equal(RUN("-c", config, flags[i]), 2);
        assert_non_null(strstr(other.text, "is a backup"));
        assert_non_null(strstr(other.text, "`logflume backup restore`"));
    }
    assert_int_equal(RUN("store", "recover", "--lost-majority", "--execute", data), 1);
    assert_non_null(strstr(other.text, "is a backup"));
    snprintf(path, sizeof path, "%s/store", data);
    assert_int_equal(RUN("store", "recover", "--lost-majority", "--execute", path), 1);
    assert_non_null(strstr(other.text, "is a backup"));
    assert_int_equal(RUN("store", "ls", data), 0); /* to look is fine */
}

static void backups_have_a_directory_of_their_own(void **state) {
    (void)state;
    char flag[256];
    const char *config = write_config(1);
    static const char *const bad[] = {"", "/..", "/store", "/store/backups"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(flag, sizeof flag, "--backup.directory=%s%s", data, bad[i]);
        mkdir(data, 0755);
        assert_int_equal(RUN("-c", config, "--bootstrap", flag), 2);
        assert_non_null(strstr(other.text, "name a directory of its own"));
    }
    snprintf(flag, sizeof flag, "%s/copies", data);
    assert_int_equal(mkdir(flag, 0755), 0);
    snprintf(flag, sizeof flag, "--backup.directory=%s/copies", data);
    assert_int_equal(RUN("-c", config, "--bootstrap"), 2);
    assert_non_null(strstr(other.text, "holds no store but other files (copies)"));
    SPAWN(&broker, "-c", config, "--bootstrap", flag); /* its own is no stranger's */
    wait_for(&broker, "logflumed ready");
    assert_int_equal(stop(&broker), 0);
}

static void one_process_per_store(void **state) {
    (void)state;
    start_dev(&broker);
    wait_for(&broker, "logflumed ready");
    free_ports();
    start_dev(&other);
    assert_int_equal(finish(&other), 1);
    assert_int_equal(stop(&broker), 0);
}

static void a_port_in_use_is_found_before_a_store_is_made(void **state) {
    (void)state;
    start_dev(&broker);
    wait_for(&broker, "logflumed ready");
    snprintf(data, sizeof data, "%s/data2", directory);
    start_dev(&other);
    assert_int_equal(finish(&other), 1);
    assert_non_null(strstr(other.text, "Address already in use"));
    assert_int_equal(access(data, F_OK), -1);
    assert_int_equal(stop(&broker), 0);
}

static void mistakes_of_usage_are_told_at_once(void **state) {
    (void)state;
    assert_int_equal(RUN("--raft.hartbeat_ms=1"), 2);
    assert_non_null(strstr(other.text, "did you mean --raft.heartbeat_ms?"));
    assert_int_equal(RUN("-c", write_config(1), "--check-config", "--raft.heartbeat_ms=100"), 2);
    assert_int_equal(RUN("-c", write_config(1), "--check-config"), 0);
    assert_int_equal(RUN("--version"), 0);
    assert_int_equal(RUN("--help"), 0);
}

/** The directory of its only node: nobody could fill a new store. */
static void a_damaged_store_ends_it_with_what_to_do(void **state) {
    (void)state;
    char path[160];
    start_dev(&broker);
    wait_for(&broker, "cluster founded");
    assert_int_equal(stop(&broker), 0);
    snprintf(path, sizeof path, "%s/store/CURRENT", data);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("nothing of the kind\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    start_dev(&broker);
    assert_int_equal(finish(&broker), 6);
    assert_non_null(strstr(broker.text, "exit=6"));
    assert_non_null(strstr(broker.text, "`logflumed store export --despite-damage`"));
    assert_null(strstr(broker.text, "--replace-store"));
}

static void a_damaged_store_of_several_nodes_names_its_replacement(void **state) {
    (void)state;
    char path[160];
    const char *config = write_config(1);
    SPAWN(&broker, "-c", config, "--bootstrap");
    wait_for(&broker, "ask for pre-votes");
    assert_int_equal(stop(&broker), 0);
    snprintf(path, sizeof path, "%s/store/CURRENT", data);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("nothing of the kind\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    SPAWN(&broker, "-c", config);
    assert_int_equal(finish(&broker), 6);
    assert_non_null(strstr(broker.text, "start it with --replace-store"));
}

static void its_own_absence_is_told(void **state) {
    (void)state;
    start_dev(&broker);
    wait_for(&broker, "cluster founded");
    kill(broker.pid, SIGSTOP);
    struct timespec pause = {.tv_nsec = 300 * 1000 * 1000}; /* the absence itself */
    nanosleep(&pause, NULL);
    kill(broker.pid, SIGCONT);
    wait_for(&broker, "the loop did not run for ");
    assert_int_equal(stop(&broker), 0);
}

/** Sends hello on a new connection; the status and version of the answer. */
static void hello(uint32_t *status, uint32_t *version) {
    char endpoint[64];
    uint8_t out[128];
    int timeout = DEADLINE_MS, linger = 0;
    void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", ports[0]);
    assert_int_equal(zmq_connect(socket, endpoint), 0);
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    Lf__Hello body = LF__HELLO__INIT;
    body.version_min = body.version_max = 1;
    request.protocol_version = 1;
    request.request_id = 77;
    request.body_case = LF__CLIENT_REQUEST__BODY_HELLO;
    request.hello = &body;
    size_t size = lf__client_request__pack(&request, out);
    assert_int_equal(zmq_send(socket, out, size, 0), size);
    zmq_msg_t answer;
    zmq_msg_init(&answer);
    assert_true(zmq_msg_recv(&answer, socket, 0) > 0);
    Lf__ClientReply *reply = lf__client_reply__unpack(NULL, zmq_msg_size(&answer), zmq_msg_data(&answer));
    assert_non_null(reply);
    assert_int_equal(reply->request_id, 77);
    assert_int_equal(reply->body_case, LF__CLIENT_REPLY__BODY_HELLO);
    *status = reply->status;
    *version = reply->hello->version;
    lf__client_reply__free_unpacked(reply, NULL);
    zmq_msg_close(&answer);
    zmq_close(socket);
    zmq_ctx_term(context);
}

static void a_client_is_answered(void **state) {
    (void)state;
    uint32_t status = 99, version = 0;
    start_dev(&broker);
    wait_for(&broker, "logflumed ready");
    hello(&status, &version);
    assert_int_equal(status, LF_OK);
    assert_int_equal(version, 1);
    assert_int_equal(stop(&broker), 0);
}

static void two_signals_end_it_at_once(void **state) {
    (void)state;
    SPAWN(&broker, "-c", write_config(1), "--bootstrap"); /* node 2 never comes */
    wait_for(&broker, "logflumed ready");
    kill(broker.pid, SIGINT);
    kill(broker.pid, SIGTERM);
    assert_int_equal(finish(&broker), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_directory, end_all)
    const struct CMUnitTest tests[] = {
        TEST(dev_starts_stops_and_starts_again),
        TEST(a_killed_one_starts_again),
        TEST(an_empty_directory_is_refused_and_left_alone),
        TEST(bootstrap_is_once),
        TEST(a_start_to_join_makes_a_store_that_waits_and_may_be_repeated),
        TEST(another_nodes_store_is_refused),
        TEST(strangers_files_are_left_alone),
        TEST(a_backup_is_no_nodes_data),
        TEST(backups_have_a_directory_of_their_own),
        TEST(one_process_per_store),
        TEST(a_port_in_use_is_found_before_a_store_is_made),
        TEST(mistakes_of_usage_are_told_at_once),
        TEST(a_damaged_store_ends_it_with_what_to_do),
        TEST(a_damaged_store_of_several_nodes_names_its_replacement),
        TEST(its_own_absence_is_told),
        TEST(a_client_is_answered),
        TEST(two_signals_end_it_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
