/** /readyz and /status, and which path is which. */
#include "ready.h"
#include "route.h"
#include "snapshots.h"
#include "status.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct text text;
static struct admin_snapshot *snapshot;

static int setup(void **state) {
    (void)state;
    snapshot = snapshot_of(4);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    text_deinit(&text);
    admin_snapshot_destroy(&snapshot);
    return 0;
}

static void ready_when_every_group_serves(void **state) {
    (void)state;
    assert_true(ready_judge(&snapshot->node, &text));
    assert_string_equal(text_of(&text), "ready: 4 groups\n");
}

static void not_ready_says_which_and_why(void **state) {
    (void)state;
    struct node_group_view *groups = snapshot->node.groups;
    groups[0].leader_node = 0;
    groups[1].state = NODE_GROUP_STOPPED;
    groups[2].state = NODE_GROUP_LOADING;
    groups[2].topic[0] = '\0';
    groups[3].apply_blocked = true;
    assert_false(ready_judge(&snapshot->node, &text));
    assert_string_equal(text_of(&text),
                        "not ready: 4 of 4 groups do not serve\n"
                        "group 0 (metadata) has no leader known here\n"
                        "group 1 (t/0) stopped; the log says why\n"
                        "group 2 is loading from the store\n"
                        "group 3 (t/2) met an entry that only a newer version knows: upgrade this node\n");
}

static void a_disk_that_fills_up_is_said_and_a_full_one_is_not_ready(void **state) {
    (void)state;
    snapshot->node.space_level = NODE_SPACE_SOFT;
    assert_true(ready_judge(&snapshot->node, &text));
    assert_string_equal(text_of(&text), "ready: 4 groups; its disk is nearly full: no publishes are taken\n");
    text_deinit(&text);
    snapshot->node.space_level = NODE_SPACE_HARD;
    assert_false(ready_judge(&snapshot->node, &text));
    assert_string_equal(text_of(&text), "not ready: its disk is full: no batches are taken, consumers are served\n");
}

static void a_replica_nobody_counts_on_is_not_waited_for(void **state) {
    (void)state;
    snapshot->node.groups[1].leader_node = 0;
    snapshot->node.groups[1].removed = true;
    assert_true(ready_judge(&snapshot->node, &text));
}

static void not_ready_while_stopping_loading_or_not_founded(void **state) {
    (void)state;
    snapshot->node.cluster_known = false;
    assert_false(ready_judge(&snapshot->node, &text));
    assert_string_equal(text_of(&text),
                        "not ready: the cluster is not founded yet: a majority of its founders must run\n");
    text_deinit(&text);
    snapshot->node.metadata_ready = false;
    assert_false(ready_judge(&snapshot->node, &text));
    assert_string_equal(text_of(&text), "not ready: the cluster's metadata is loading\n");
    text_deinit(&text);
    snapshot->node.stopping = true;
    assert_false(ready_judge(&snapshot->node, &text));
    assert_string_equal(text_of(&text), "not ready: this node is stopping and hands leadership over\n");
}

static void a_long_list_is_cut_and_counted(void **state) {
    (void)state;
    admin_snapshot_destroy(&snapshot);
    snapshot = snapshot_of(READY_LINES_MAX + 50);
    for (size_t i = 0; i < snapshot->node.group_count; i++)
        snapshot->node.groups[i].leader_node = 0;
    assert_false(ready_judge(&snapshot->node, &text));
    size_t lines = 0;
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    assert_int_equal(lines, READY_LINES_MAX + 2);
    assert_non_null(strstr(text_of(&text), "\nand 50 more\n"));
}

static json_int_t at(json_t *object, const char *name) {
    json_t *value = json_object_get(object, name);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void status_is_json_with_groups_peers_and_queues(void **state) {
    (void)state;
    snapshot->node.groups[3].leader_node = 0;
    status_write(&text, snapshot, "1.2");
    assert_false(text.failed);
    json_t *page = json_loads(text_of(&text), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(page);
    json_t *node = json_object_get(page, "node");
    assert_int_equal(at(node, "id"), 2);
    assert_string_equal(json_string_value(json_object_get(node, "version")), "1.2");
    assert_true(json_is_false(json_object_get(node, "ready")));
    assert_string_equal(json_string_value(json_object_get(json_object_get(page, "cluster"), "id")),
                        "abababababababababababababababab");
    json_t *groups = json_object_get(page, "groups");
    assert_int_equal(json_array_size(groups), 4);
    json_t *led = json_array_get(groups, 2), *orphan = json_array_get(groups, 3);
    assert_int_equal(at(led, "group"), 2);
    assert_int_equal(at(led, "commit_index"), 98);
    assert_int_equal(at(led, "high_watermark"), 50);
    assert_string_equal(json_string_value(json_object_get(led, "role")), "leader");
    assert_int_equal(at(json_object_get(led, "configuration"), "learners"), 1);
    json_t *replica = json_array_get(json_object_get(led, "replicas"), 1);
    assert_int_equal(at(replica, "match_index"), 90);
    assert_string_equal(json_string_value(json_object_get(replica, "state")), "probing");
    assert_true(json_is_null(json_object_get(orphan, "leader")));
    assert_string_equal(json_string_value(json_object_get(orphan, "why_not_ready")), "has no leader known here");
    assert_int_equal(json_array_size(json_object_get(page, "peers")), 2);
    assert_int_equal(json_array_size(json_object_get(page, "queues")), 6);
    json_decref(page);
}

static void paths_and_methods_are_told_apart(void **state) {
    (void)state;
    assert_int_equal(route_of("GET", "/metrics"), ROUTE_METRICS);
    assert_int_equal(route_of("HEAD", "/readyz"), ROUTE_READY);
    assert_int_equal(route_of("GET", "/status"), ROUTE_STATUS);
    assert_int_equal(route_of("GET", "/healthz"), ROUTE_HEALTH);
    assert_int_equal(route_of("POST", "/status"), ROUTE_METHOD);
    assert_int_equal(route_of("get", "/status"), ROUTE_METHOD);
    const char *const strange[] = {"",          "/",           "/metrics/", "/metricsx",
                                   "//metrics", "/../metrics", "/METRICS",  "metrics"};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        assert_int_equal(route_of("GET", strange[i]), ROUTE_UNKNOWN);
    assert_int_equal(route_of("POST", "/nothing"), ROUTE_UNKNOWN);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(ready_when_every_group_serves),
        TEST(not_ready_says_which_and_why),
        TEST(a_disk_that_fills_up_is_said_and_a_full_one_is_not_ready),
        TEST(a_replica_nobody_counts_on_is_not_waited_for),
        TEST(not_ready_while_stopping_loading_or_not_founded),
        TEST(a_long_list_is_cut_and_counted),
        TEST(status_is_json_with_groups_peers_and_queues),
        TEST(paths_and_methods_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
