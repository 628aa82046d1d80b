#include "broker.h"

#include "admin.h"
#include "backup_thread.h"
#include "clock.h"
#include "disk_guard.h"
#include "loop.h"
#include "random_bytes.h"
#include "rocks_store.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

/** Answers already queued get this long to leave, in ms. */
#define LINGER_MS 1000
/** ZeroMQ's thread closes sockets in its own time: a port of our own is waited for this long, in ms. */
#define REBIND_MS 5000
/** Between two tries to open a store that meets a full disk, in ms; and how often that is said. */
#define FULL_DISK_RETRY_MS 500
#define FULL_DISK_SAY_MS 10000

struct broker {
    const struct config *config;
    struct log *log;
    int signal_fd;
    struct data_opened data;
    bool create, join;
    struct transport *transport;
    struct node *node;
    struct admin *admin; /**< NULL: admin.enabled is off */
    const char *version;
    struct loop *loop;
    struct backup_thread *backups;
    struct disk_guard disk;
    bool watches_disk;
    bool ran;
    bool again; /**< not the first time in this process: the disk was full */
};

/** Before any thread, so that all of them leave these signals to the loop. */
static enum lf_status take_signals(struct broker *broker, struct lf_error *error) {
    sigset_t signals;
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    broker->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    return broker->signal_fd >= 0 ? LF_OK : lf_error_set(error, LF_IO, "no descriptor for signals");
}

/** As many descriptors as we may have; too few for what is configured is worth a word. */
static void raise_descriptor_limit(const struct broker *broker) {
    const struct config *config = broker->config;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    rlim_t wanted = 2 * (rlim_t)config->limits.sessions_max + config->store.open_files_max + 320;
    if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < wanted)
        log_line(broker->log, LOG_WARN,
                 "this process may open %ju files; %ju are right for client.sessions_max and "
                 "store.open_files_max (ulimit -n)",
                 (uintmax_t)limit.rlim_cur, (uintmax_t)wanted);
}

/** See node.bind in the configuration table. */
static const char *bind_address(const struct config *config) {
    struct in6_addr address;
    const char *host = config_self(config)->address.host;
    if (config->node_bind[0])
        return config->node_bind;
    bool numeric = inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
    return numeric ? host : "*";
}

static enum lf_status open_transport(struct broker *broker, struct lf_error *error) {
    const struct config *config = broker->config;
    struct node_address addresses[NODE_NODES_MAX];
    struct transport_options options = {.bind = bind_address(config),
                                        .node_id = config->node_id,
                                        .nodes = addresses,
                                        .node_count = config_addresses(config, addresses),
                                        .sessions_max = config->limits.sessions_max,
                                        .session_timeout_ms = config->limits.session_timeout_ms,
                                        .queue_messages_max = config->transport_queue_messages_max};
    enum lf_status status = unreliable_parse(config->transport_unreliable, &options.unreliable, error);
    if (status == LF_OK && options.unreliable.on)
        log_line(broker->log, LOG_WARN, "messages to peers misbehave on purpose: %s (seed %" PRIu64 ")",
                 config->transport_unreliable, options.unreliable.seed);
    uint64_t until_ms = clock_now_ms() + (broker->again ? REBIND_MS : 0);
    while (status == LF_OK && (status = transport_new(&options, &broker->transport, error)) == LF_IO &&
           clock_now_ms() < until_ms) {
        poll(NULL, 0, 20);
        status = LF_OK;
    }
    return status;
}

static void watch_disk(struct broker *broker) {
    const struct config_disk *disk = &broker->config->disk;
    struct disk_space_limits limits = {
        .soft_bytes = disk->soft_free_bytes, .hard_bytes = disk->hard_free_bytes, .ballast_bytes = disk->ballast_bytes};
    disk_guard_init(&broker->disk, broker->config->node_data, &limits, broker->log);
    broker->watches_disk = true;
    disk_guard_look(&broker->disk, clock_now_ms(), 0);
}

/** A store is not opened on a full disk: to open it is to write. */
static enum lf_status open_store(struct broker *broker, enum data_start start, enum data_replace replace,
                                 struct lf_error *error) {
    if (!broker->create)
        watch_disk(broker);
    if (!broker->create && broker->disk.orders.hold)
        return lf_error_set(error, LF_NO_SPACE, "%.120s has no room: %" PRIu64 " MiB are free",
                            broker->config->node_data, broker->disk.free_bytes >> 20);
    enum lf_status status =
        data_directory_open(broker->config, start, replace, broker->create, broker->log, &broker->data, error);
    if (status == LF_OK && broker->create)
        watch_disk(broker);
    return status;
}

static enum lf_status open_admin(struct broker *broker, struct lf_error *error) {
    const struct config *config = broker->config;
    struct admin_options options = {.bind = config->admin.bind[0] ? config->admin.bind : bind_address(config),
                                    .port = config_self(config)->admin_port,
                                    .connections_max = config->admin.connections_max,
                                    .timeout_ms = config->admin.timeout_ms,
                                    .lifetime_ms = config->admin.lifetime_ms,
                                    .groups_max = config->admin.metrics_groups_max,
                                    .stuck_ms = config->admin.stuck_ms,
                                    .version = broker->version};
    return config->admin.enabled ? admin_new(&options, &broker->admin, error) : LF_OK;
}

static enum lf_status open_node(struct broker *broker, struct lf_error *error) {
    const struct config *config = broker->config;
    struct node_address addresses[NODE_NODES_MAX];
    struct node_options options = {.node_id = config->node_id,
                                   .cluster_name = config->cluster_name,
                                   .nodes = addresses,
                                   .node_count = config_addresses(config, addresses),
                                   .identity = broker->data.store->identity,
                                   .groups = broker->data.store->groups,
                                   .group_count = broker->data.store->group_count,
                                   .replaces = broker->data.replaces,
                                   .incarnation = broker->data.incarnation,
                                   .seed = random_number(),
                                   .now_ms = clock_now_ms(),
                                   .wall_ms = clock_wall_ms(),
                                   .limits = config->limits};
    random_bytes(options.new_cluster_id, sizeof options.new_cluster_id);
    enum lf_status status = node_new(&options, &broker->node, error);
    if (status == LF_OK && broker->log->level >= LOG_INFO)
        node_set_trace(broker->node, log_decision, broker->log);
    return status;
}

static void describe_store(const struct log_store *store, char *out, size_t size) {
    struct rocks_store_statistics s = {0};
    rocks_store_statistics(store, &s);
    snprintf(out, size,
             " writes=%" PRIu64 " commits=%" PRIu64 " syncs=%" PRIu64 " bytes_written=%" PRIu64 " reads=%" PRIu64
             " commit_us_max=%" PRIu64 " stall_us=%" PRIu64,
             s.writes, s.commits, s.syncs, s.bytes_written, s.reads, s.commit_us_max, s.stall_us);
}

static enum lf_status open_backups(struct broker *broker, struct lf_error *error) {
    struct backup_thread_options options = {.store = broker->data.store,
                                            .data = broker->config->node_data,
                                            .directory = broker->config->backup.directory,
                                            .cluster_name = broker->config->cluster_name,
                                            .backups_max = broker->config->backup.backups_max,
                                            .log = broker->log};
    return backup_thread_new(&options, &broker->backups, error);
}

static enum lf_status open_loop(struct broker *broker, struct lf_error *error) {
    struct loop_options options = {.node = broker->node,
                                   .store = broker->data.store,
                                   .transport = broker->transport,
                                   .log = broker->log,
                                   .admin = broker->admin ? admin_link(broker->admin) : NULL,
                                   .disk = &broker->disk,
                                   .backups = broker->backups,
                                   .replacing_in = broker->data.replaces ? broker->config->node_data : NULL,
                                   .signal_fd = broker->signal_fd,
                                   .queue_messages_max = broker->config->transport_queue_messages_max,
                                   .stats_interval_ms = broker->config->log_stats_interval_ms,
                                   .describe_store = describe_store};
    enum lf_status status = loop_new(&options, &broker->loop);
    if (status != LF_OK)
        return lf_error_set(error, status, "no memory for the loop");
    return broker->admin ? admin_start(broker->admin, broker->data.store, error) : LF_OK;
}

static void say_ready(const struct broker *broker) {
    const struct config *config = broker->config;
    const struct config_node *self = config_self(config);
    log_line(broker->log, LOG_INFO,
             "logflumed ready node=%" PRIu64 " client_port=%u peer_port=%u admin_port=%u bind=%s data=%.400s "
             "groups=%zu incarnation=%" PRIu64 " pid=%d%s",
             config->node_id, self->address.client_port, self->address.peer_port, self->admin_port,
             bind_address(config), config->node_data, broker->data.store->group_count, broker->data.incarnation,
             (int)getpid(),
             broker->data.replaces ? " replacing a lost store"
             : !broker->create     ? ""
             : broker->join        ? " joining"
                                   : " founding");
}

/** Sockets first: a port in use is found out before a store is made. */
static enum lf_status start_and_run(struct broker *broker, enum data_start start, enum data_replace replace,
                                    struct lf_error *error) {
    broker->join = start == DATA_JOIN;
    enum lf_status status = data_directory_judge(broker->config, start, replace, &broker->create, error);
    if (status != LF_OK)
        return status;
    raise_descriptor_limit(broker);
    status = open_transport(broker, error);
    if (status == LF_OK)
        status = open_admin(broker, error);
    if (status == LF_OK)
        status = open_store(broker, start, replace, error);
    if (status == LF_OK)
        status = open_node(broker, error);
    if (status == LF_OK)
        status = open_backups(broker, error);
    if (status == LF_OK)
        status = open_loop(broker, error);
    if (status != LF_OK)
        return status;
    say_ready(broker);
    broker->ran = true;
    return loop_run(broker->loop, error);
}

/** What was submitted is finished; what was answered leaves, unless the node died: then nothing further is sent. */
static void close_all(struct broker *broker, bool failed) {
    loop_destroy(&broker->loop);
    admin_destroy(&broker->admin);
    transport_destroy(&broker->transport, failed ? 0 : LINGER_MS);
    node_destroy(&broker->node);
    backup_thread_destroy(&broker->backups);
    log_store_close(&broker->data.store);
    if (broker->watches_disk)
        disk_guard_deinit(&broker->disk);
    broker->watches_disk = false;
}

/** False: told to stop meanwhile. */
static bool wait_a_while(const struct broker *broker) {
    struct pollfd signals = {.fd = broker->signal_fd, .events = POLLIN};
    return poll(&signals, 1, FULL_DISK_RETRY_MS) == 0;
}

/** A full disk ends nothing: a store that met one is opened anew, and one that cannot be opened is tried again. */
static enum lf_status run_until_done(struct broker *broker, enum data_start start, enum data_replace replace,
                                     struct lf_error *error) {
    uint64_t said_ms = 0;
    for (;;) {
        enum lf_status status = start_and_run(broker, start, replace, error);
        bool opened = broker->loop != NULL; /* it is left when there is room */
        if (status != LF_NO_SPACE || (broker->create && !opened))
            return status;
        close_all(broker, true);
        if (opened || clock_now_ms() - said_ms >= FULL_DISK_SAY_MS) {
            said_ms = clock_now_ms();
            log_line(broker->log, LOG_WARN, "%s%s", opened ? "" : "waiting for room on the disk: ", error->text);
        }
        if (!opened && !wait_a_while(broker))
            return LF_OK;
        if (opened && replace == DATA_REPLACE_LOST) /* that was for a start */
            replace = DATA_REPLACE_NEVER;
        start = opened ? DATA_OPEN : start;
        broker->again = true;
    }
}

/** `ran`: it had started, so it is not the operator's mistake. */
static enum broker_exit exit_of(enum lf_status status, bool ran) {
    switch (status) {
    case LF_OK:
        return BROKER_EXIT_OK;
    case LF_INVALID:
        return ran ? BROKER_EXIT_FAILED : BROKER_EXIT_USAGE;
    case LF_DAMAGED:
    case LF_CORRUPT:
        return BROKER_EXIT_DAMAGED;
    case LF_WRONG_STORE:
    case LF_WRONG_CLUSTER:
        return BROKER_EXIT_WRONG_STORE;
    default:
        return BROKER_EXIT_FAILED;
    }
}

/** What was found while it ran a start would not find: it must not come back and vote. */
static void condemn(const struct config *config, const char *words, struct log *log) {
    struct lf_error error = {0};
    if (data_directory_condemn(config->node_data, words, &error) != LF_OK)
        log_line(log, LOG_ERROR, "the store cannot be marked as damaged (%s): do not start it again", error.text);
}

/** What its operator can do, behind the words that name the damage. */
static const char *advice_for(const struct config *config, enum broker_exit code) {
    if (code != BROKER_EXIT_DAMAGED)
        return "";
    return config->node_count > 1
               ? ". What to do: keep the directory and look at the disk; while the other nodes are well, start it with "
                 "--replace-store, which sets this store aside and has the others fill a new one"
               : ". What to do: keep the directory and look at the disk; no other node could fill a new store, but "
                 "`logflumed store export --despite-damage` gives what can still be read";
}

enum broker_exit broker_run(const struct config *config, enum data_start start, enum data_replace replace,
                            const char *version, struct log *log) {
    struct broker broker = {.config = config, .log = log, .version = version, .signal_fd = -1};
    struct lf_error error = {0};
    enum lf_status status = take_signals(&broker, &error);
    if (status == LF_OK)
        status = run_until_done(&broker, start, replace, &error);
    enum broker_exit code = exit_of(status, broker.ran);
    close_all(&broker, status != LF_OK);
    if (broker.signal_fd >= 0)
        close(broker.signal_fd);
    if (broker.ran && code == BROKER_EXIT_DAMAGED)
        condemn(config, error.text, log);
    if (status == LF_OK)
        log_line(log, LOG_INFO, "logflumed stopped node=%" PRIu64, config->node_id);
    else
        log_line(log, LOG_ERROR, "logflumed failed node=%" PRIu64 " status=%s exit=%d: %s%s", config->node_id,
                 lf_status_name(status), code, error.text, advice_for(config, code));
    return code;
}
