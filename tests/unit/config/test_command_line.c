/** The flags that scripts type, and keys as flags. */
#include "command_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static struct config config;
static struct config_error error;
static struct command_line line;
static char file[] = "/tmp/logflume-test-config-XXXXXX";

static int write_file(void **state) {
    (void)state;
    static const char text[] = "node: {id: 1, data: /from/file}\nlog.level: warn\n"
                               "cluster: {name: a, nodes: [{id: 1, host: 127.0.0.1}]}\n";
    int fd = mkstemp(file);
    bool done = fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1;
    return done && close(fd) == 0 ? 0 : -1;
}

static int remove_file(void **state) {
    (void)state;
    return unlink(file);
}

#define PARSE_WITH(environment, ...)                                                                                   \
    command_line_parse((int)(sizeof((const char *const[]){"logflumed", __VA_ARGS__}) / sizeof(char *)),                \
                       (const char *const[]){"logflumed", __VA_ARGS__}, environment, &line, &config, &error)
#define PARSE(...) PARSE_WITH(NULL, __VA_ARGS__)

static void a_file_alone_is_enough(void **state) {
    (void)state;
    assert_int_equal(PARSE("-c", file), LF_OK);
    assert_int_equal(line.command, COMMAND_RUN);
    assert_false(line.bootstrap);
    assert_false(line.dev);
    assert_string_equal(config.node_data, "/from/file");
    assert_int_equal(config.log_level, CONFIG_LOG_WARN);
}

static void flags_win_over_the_file_in_any_order(void **state) {
    (void)state;
    assert_int_equal(PARSE("--data", "/from/flag", "--log.level=debug", "-c", file, "--bootstrap",
                           "--raft.heartbeat_ms", "20", "--store.memtable_bytes=16MiB"),
                     LF_OK);
    assert_true(line.bootstrap);
    assert_string_equal(config.node_data, "/from/flag");
    assert_int_equal(config.log_level, CONFIG_LOG_DEBUG);
    assert_int_equal(config.limits.raft.heartbeat_ms, 20);
    assert_int_equal(config.store.memtable_bytes, 16 << 20);
    assert_int_equal(config.node_count, 1);
}

static void dev_needs_nothing(void **state) {
    (void)state;
    assert_int_equal(PARSE("--dev"), LF_OK);
    assert_true(line.dev);
    assert_string_equal(config.node_data, "./logflume-dev");
    assert_int_equal(config.node_id, 1);
    assert_int_equal(config_self(&config)->address.client_port, 7700);
    assert_int_equal(config_self(&config)->address.peer_port, 7701);
    assert_string_equal(config_self(&config)->address.host, "127.0.0.1");
    assert_int_equal(PARSE("--dev", "--client-port=9000", "--data=x", "--log.level=error"), LF_OK);
    assert_int_equal(config_self(&config)->address.client_port, 9000);
    assert_int_equal(config_self(&config)->admin_port, 7702);
    assert_string_equal(config.node_data, "x");
    assert_int_equal(config.log_level, CONFIG_LOG_ERROR);
}

static void a_start_may_join(void **state) {
    (void)state;
    assert_int_equal(PARSE("-c", file, "--join"), LF_OK);
    assert_true(line.join);
    assert_false(line.bootstrap);
    assert_int_equal(PARSE("-c", file), LF_OK);
    assert_false(line.join);
}

static void the_environment_wins_over_the_key(void **state) {
    (void)state;
    assert_int_equal(PARSE_WITH("drop=0.5", "--dev", "--transport.unreliable=1"), LF_OK);
    assert_string_equal(config.transport_unreliable, "drop=0.5");
    assert_int_equal(PARSE_WITH("nonsense", "--dev"), LF_INVALID);
    assert_string_equal(error.text, "transport.unreliable: unknown term nonsense; right is "
                                    "seed=N,delay=P,hold=P,drop=P,duplicate=P,reorder=P, or 1");
}

static void questions_need_no_configuration(void **state) {
    (void)state;
    assert_int_equal(PARSE("--help"), LF_OK);
    assert_int_equal(line.command, COMMAND_HELP);
    assert_int_equal(PARSE("--version"), LF_OK);
    assert_int_equal(line.command, COMMAND_VERSION);
    assert_int_equal(PARSE("-c", "/nonexistent", "-h"), LF_OK);
    assert_int_equal(line.command, COMMAND_HELP);
    assert_int_equal(PARSE("-c", file, "--check-config"), LF_OK);
    assert_int_equal(line.command, COMMAND_CHECK_CONFIG);
}

#define REFUSED(words, ...)                                                                                            \
    do {                                                                                                               \
        assert_int_not_equal(PARSE(__VA_ARGS__), LF_OK);                                                               \
        assert_string_equal(error.text, words);                                                                        \
    } while (0)

static void mistakes_are_refused_in_words(void **state) {
    (void)state;
    REFUSED("no configuration: start with -c FILE, or with --dev for a single node", "--bootstrap");
    REFUSED("--dev needs no configuration: leave out -c x, or leave out --dev", "--dev", "-c", "x");
    REFUSED("--dev founds its own cluster: leave out --bootstrap", "--dev", "--bootstrap");
    REFUSED("--dev is a cluster of its own: leave out --join", "--dev", "--join");
    REFUSED("--replace-store is for a node that was in a cluster: leave out --join", "-c", file, "--join",
            "--replace-store");
    REFUSED("--bootstrap founds a cluster, --join joins one: leave one of them out", "-c", file, "--bootstrap",
            "--join");
    REFUSED("--peer-port goes with --dev; with -c, ports are in cluster.nodes", "-c", file, "--peer-port=1");
    REFUSED("--peer-port: 0 is not right; right is a whole number from 1 to 65535", "--dev", "--peer-port=0");
    REFUSED("--raft.hartbeat_ms: unknown flag; did you mean --raft.heartbeat_ms?", "--raft.hartbeat_ms=1");
    REFUSED("--cluster.nodes: only the configuration file can give this one", "--cluster.nodes=1");
    REFUSED("--raft.heartbeat_ms: a value must follow", "--raft.heartbeat_ms");
    REFUSED("--node.data: given twice", "--dev", "--data=x", "--node.data=y");
    REFUSED("-c: given twice", "-c", "x", "-c", "y");
    REFUSED("start: not a flag; see `logflumed --help`", "start");
    REFUSED("--log.level: loud is not right; right is one of error|warn|info|debug", "--dev", "--log.level=loud");
    REFUSED("raft.heartbeat_ms (100) must be at most half of raft.election_timeout_ms_min (150); a third is right",
            "--dev", "--raft.heartbeat_ms=100");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_alone_is_enough),
        cmocka_unit_test(flags_win_over_the_file_in_any_order),
        cmocka_unit_test(dev_needs_nothing),
        cmocka_unit_test(a_start_may_join),
        cmocka_unit_test(the_environment_wins_over_the_key),
        cmocka_unit_test(questions_need_no_configuration),
        cmocka_unit_test(mistakes_are_refused_in_words),
    };
    return cmocka_run_group_tests(tests, write_file, remove_file);
}
