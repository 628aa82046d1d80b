/** The YAML file: what is taken, and the words for what is not. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct config config;
static struct config_error error;

static enum lf_status load(const char *text) {
    config_init(&config);
    memset(&error, 0, sizeof error);
    return config_load_text(&config, "f.yaml", lf_bytes_text(text), &error);
}

#define GOOD                                                                                                           \
    "node: {id: 2, data: /tmp/d}\n"                                                                                    \
    "cluster:\n"                                                                                                       \
    "  name: three\n"                                                                                                  \
    "  nodes:\n"                                                                                                       \
    "    - {id: 1, host: 10.0.0.1}\n"                                                                                  \
    "    - {id: 2, host: 10.0.0.2}\n"                                                                                  \
    "    - {id: 3, host: 10.0.0.2, client_port: 1, peer_port: 2, admin_port: 3}\n"

/** Loading or judging `text` fails with exactly these words. */
static void assert_refused(const char *text, const char *words) {
    enum lf_status status = load(text);
    if (status == LF_OK)
        status = config_check(&config, &error);
    assert_int_equal(status, LF_INVALID);
    assert_string_equal(error.text, words);
}

static void a_whole_file_is_taken(void **state) {
    (void)state;
    assert_int_equal(load(GOOD "raft.heartbeat_ms: 60 # whole names work too\n"
                               "raft:\n  append_bytes_max: 2 MiB\nlog: {level: debug}\nstore:\n"),
                     LF_OK);
    assert_int_equal(config_check(&config, &error), LF_OK);
    assert_int_equal(config.node_id, 2);
    assert_string_equal(config.node_data, "/tmp/d");
    assert_string_equal(config.cluster_name, "three");
    assert_int_equal(config.node_count, 3);
    assert_string_equal(config.nodes[0].address.host, "10.0.0.1");
    assert_int_equal(config.nodes[1].address.client_port, 7700);
    assert_int_equal(config.nodes[1].address.peer_port, 7701);
    assert_int_equal(config.nodes[1].admin_port, 7702);
    assert_int_equal(config.nodes[2].address.peer_port, 2);
    assert_ptr_equal(config_self(&config), &config.nodes[1]);
    assert_int_equal(config.limits.raft.heartbeat_ms, 60);
    assert_int_equal(config.limits.raft.append_bytes_max, 2 * 1024 * 1024);
    assert_int_equal(config.limits.raft.election_timeout_ms_min, 150);
    assert_int_equal(config.log_level, CONFIG_LOG_DEBUG);
    struct node_address addresses[NODE_NODES_MAX];
    assert_int_equal(config_addresses(&config, addresses), 3);
    assert_int_equal(addresses[2].node_id, 3);
}

static void unknown_keys_are_refused_with_the_nearest(void **state) {
    (void)state;
    assert_refused("raft:\n  hartbeat_ms: 3\n",
                   "f.yaml:2: unknown key raft.hartbeat_ms; did you mean raft.heartbeat_ms?");
    assert_refused("\nheartbeat_ms: 3\n", "f.yaml:2: unknown key heartbeat_ms; did you mean raft.heartbeat_ms?");
    assert_refused("zzz: 3\n", "f.yaml:1: unknown key zzz; see `logflumed --help` for all keys");
    assert_refused("node: {id: {x: 1}}\n",
                   "f.yaml:1: node.id: a map stands here; right is a whole number from 1 to 1000000000");
    assert_refused("cluster:\n  nodes:\n  - {id: 1,\n     hots: b}\n",
                   "f.yaml:4: unknown key hots; did you mean host?");
    assert_refused("{? [a] : b}\n", "f.yaml:1: a key must be a plain name");
}

static void repeated_keys_are_refused(void **state) {
    (void)state;
    assert_refused("node:\n  id: 1\n  id: 1\n", "f.yaml:3: key node.id is here twice; the first is in line 2");
    assert_refused("node.id: 1\nnode:\n  id: 1\n", "f.yaml:3: key node.id is here twice; the first is in line 1");
    assert_refused("node: {id: 1}\nnode: {data: x}\n", "f.yaml:2: key node is here twice; put all under one");
    assert_refused("cluster.nodes:\n- {id: 1, id: 2, host: b}\n", "f.yaml:2: key id is here twice in one node");
}

static void bad_values_are_refused_with_what_is_right(void **state) {
    (void)state;
    assert_refused("node.id: 0\n", "f.yaml:1: node.id: 0 is not right; right is a whole number from 1 to 1000000000");
    assert_refused("node.id: two\n",
                   "f.yaml:1: node.id: two is not right; right is a whole number from 1 to 1000000000");
    assert_refused("node.id: \"2\"\n",
                   "f.yaml:1: node.id: the text \"2\" is not right; right is a whole number from 1 to 1000000000");
    assert_refused("node.id: 99999999999999999999999\n",
                   "f.yaml:1: node.id: 99999999999999999999999 is not right; right is a whole number from 1 to "
                   "1000000000");
    assert_refused("node.id:\n", "f.yaml:1: node.id: has no value; right is a whole number from 1 to 1000000000");
    assert_refused("raft.heartbeat_ms: -5\n",
                   "f.yaml:1: raft.heartbeat_ms: -5 is not right; right is a whole number of ms from 5 to 60000");
    assert_refused("batch.bytes_max: 5 MiB\n",
                   "f.yaml:1: batch.bytes_max: 5 MiB is not right; right is bytes from 1 KiB to 4 MiB (a whole number; "
                   "KiB, MiB or GiB may follow)");
    assert_refused("log.level: loud\n",
                   "f.yaml:1: log.level: loud is not right; right is one of error|warn|info|debug");
    assert_refused("cluster.name: a b\n",
                   "f.yaml:1: cluster.name: a b is not right; right is 1 to 64 letters, digits or any of ._-");
    assert_refused("node.data: [a, b]\n",
                   "f.yaml:1: node.data: a list stands here; right is 1 to 4032 printable characters");
    assert_refused("cluster.nodes: 3\n",
                   "f.yaml:1: cluster.nodes: a list of maps is right, as - {id: 1, host: 127.0.0.1}");
    assert_refused("cluster.nodes: [3]\n", "f.yaml:1: cluster.nodes: each entry is a map, as {id: 1, host: 127.0.0.1}");
    assert_refused("cluster.nodes:\n- id: 1\n", "f.yaml:2: this node of cluster.nodes has no host");
    assert_refused("cluster.nodes:\n- {id: 1, host: a, peer_port: 70000}\n",
                   "f.yaml:2: cluster.nodes: peer_port: 70000 is not right; right is a whole number from 1 to 65535");
    assert_refused("node: 5\n", "f.yaml:1: node: keys must follow, as node: {KEY: VALUE}");
    assert_refused("transport.unreliable: drop=2\n", "f.yaml: node.id is missing; give this node's id");
    assert_refused(GOOD "transport.unreliable: drop=2\n",
                   "f.yaml:8: transport.unreliable: drop=2: a probability is a number from 0 to 1, as 0.02");
}

static void what_is_missing_is_named(void **state) {
    (void)state;
    assert_refused("", "f.yaml: node.id is missing; give this node's id");
    assert_refused("node.id: 1\n", "f.yaml: node.data is missing; name the data directory here or with --data");
    assert_refused("node: {id: 1, data: x}\n",
                   "f.yaml: cluster.name is missing; name the cluster, the same on every node");
    assert_refused("node: {id: 1, data: x}\ncluster:\n  name: a\n  nodes: []\n",
                   "f.yaml:4: cluster.nodes is missing or empty; list every founding node");
}

static void impossible_pairs_are_refused_at_the_later_line(void **state) {
    (void)state;
    assert_refused(GOOD "raft:\n  election_timeout_ms_max: 100\n  heartbeat_ms: 10\n",
                   "f.yaml:9: raft.election_timeout_ms_min (150) must be below raft.election_timeout_ms_max (100); "
                   "twice as much is right");
    assert_refused(
        GOOD "raft:\n  election_timeout_ms_min: 90\n  heartbeat_ms: 46\n",
        "f.yaml:10: raft.heartbeat_ms (46) must be at most half of raft.election_timeout_ms_min (90); a third "
        "is right");
    assert_refused("node: {id: 9, data: x}\ncluster: {name: a, nodes: [{id: 1, host: b}]}\n",
                   "f.yaml:1: node.id 9 is not in cluster.nodes; add it there or correct it");
    assert_refused(
        "node: {id: 1, data: x}\ncluster:\n  name: a\n  nodes:\n  - {id: 1, host: b}\n  - {id: 1, host: c}\n",
        "f.yaml:6: node id 1 is here twice in cluster.nodes");
    assert_refused(
        "node: {id: 1, data: x}\ncluster:\n  name: a\n  nodes:\n  - {id: 1, host: b}\n"
        "  - {id: 2, host: b, client_port: 7701, peer_port: 5, admin_port: 6}\n",
        "f.yaml:6: port 7701 of b is used twice (nodes 1 and 2); give each its own client_port, peer_port and "
        "admin_port");
    assert_refused(
        "node: {id: 1, data: x}\ncluster:\n  name: a\n  nodes:\n  - {id: 1, host: b, peer_port: 7700}\n",
        "f.yaml:5: port 7700 of b is used twice (nodes 1 and 1); give each its own client_port, peer_port and "
        "admin_port");
    assert_refused(GOOD "raft.uncommitted_bytes_max: 2 MiB\nnode.uncommitted_bytes_max: 1 MiB\n",
                   "f.yaml:9: raft.uncommitted_bytes_max (2097152, per group) must be at most "
                   "node.uncommitted_bytes_max (1048576)");
    assert_refused(
        GOOD "client.subscriptions_max: 10\n",
        "f.yaml:8: client.subscriptions_per_session_max (1000) must be at most client.subscriptions_max (10)");
}

static void what_no_configuration_needs_is_refused(void **state) {
    (void)state;
    assert_refused("node: &a {id: 1}\n",
                   "f.yaml:1: anchors, aliases and tags are not used here; write the value itself");
    assert_refused("node.data: *a\n", "f.yaml:1: anchors, aliases and tags are not used here; write the value itself");
    assert_refused("node.data: !!str a\n",
                   "f.yaml:1: anchors, aliases and tags are not used here; write the value itself");
    assert_refused("--- {}\n--- {}\n", "f.yaml:2: a second document; only one is right");
    assert_refused("- a\n", "f.yaml:1: KEY: VALUE lines are right");
    assert_refused("node.id: 1\ncluster: {\n", "f.yaml:3: this is not YAML: did not find expected node content");
    assert_refused("node:\x01\n", "f.yaml:1: this is not YAML: control characters are not allowed");
}

static void endless_files_are_refused(void **state) {
    (void)state;
    char *text = malloc(CONFIG_FILE_BYTES_MAX + 2);
    memset(text, '[', CONFIG_FILE_BYTES_MAX + 1);
    text[CONFIG_FILE_BYTES_MAX + 1] = '\0';
    assert_refused(text, "f.yaml:1: the file is larger than 262144 bytes");
    text[CONFIG_FILE_BYTES_MAX] = '\0';
    assert_refused(text, "f.yaml:1: KEY: VALUE lines are right");
    memcpy(text, "cluster.nodes: ", 15);
    assert_refused(text, "f.yaml:1: cluster.nodes: each entry is a map, as {id: 1, host: 127.0.0.1}");
    for (size_t i = 0; i < NODE_NODES_MAX + 1; i++)
        memcpy(text + 15 + 20 * i, i == 0 ? "\n- {id: 1, host: aa}" : "\n- {id: 2, host: ab}", 20);
    text[15 + 20 * (NODE_NODES_MAX + 1)] = '\0';
    assert_refused(text, "f.yaml:18: cluster.nodes: at most 16 nodes");
    free(text);
}

static void control_characters_do_not_reach_the_terminal(void **state) {
    (void)state;
    assert_refused("\"a\\e[31m\": 1\n", "f.yaml:1: unknown key a?[31m; see `logflumed --help` for all keys");
}

static void an_absent_file_is_named(void **state) {
    (void)state;
    config_init(&config);
    assert_int_equal(config_load_file(&config, "/nonexistent/x.yaml", &error), LF_IO);
    assert_string_equal(error.text, "/nonexistent/x.yaml: cannot be read: No such file or directory");
    assert_int_equal(config_load_file(&config, "/", &error), LF_IO);
    assert_string_equal(error.text, "/: cannot be read: Is a directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file_is_taken),
        cmocka_unit_test(unknown_keys_are_refused_with_the_nearest),
        cmocka_unit_test(repeated_keys_are_refused),
        cmocka_unit_test(bad_values_are_refused_with_what_is_right),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(impossible_pairs_are_refused_at_the_later_line),
        cmocka_unit_test(what_no_configuration_needs_is_refused),
        cmocka_unit_test(endless_files_are_refused),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(an_absent_file_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
