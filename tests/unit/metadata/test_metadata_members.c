/** Nodes that come, go and are drained, one fact each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "commands.h"

static int set_up(void **state) {
    struct log0 *log = calloc(1, sizeof *log);
    log0_open(log, NULL);
    *state = log;
    return log0_found(log, 3).founded ? 0 : -1;
}

static int tear_down(void **state) {
    struct log0 *log = *state;
    log0_close(log);
    free(log);
    return 0;
}

#define assert_status(got, wanted) assert_string_equal(lf_status_name(got), lf_status_name(wanted))

static struct metadata_applied add(struct log0 *log, uint64_t id, const char *host, uint32_t port) {
    return log0_command(log, metadata_command_add_node(id, host, 7700, port));
}
static struct metadata_applied drop(struct log0 *log, uint64_t id) {
    return log0_command(log, metadata_command_remove_node(id, 0));
}
static struct metadata_applied drain(struct log0 *log, uint64_t id, bool stop) {
    return log0_command(log, metadata_command_drain_node(id, stop));
}
static struct metadata_applied pin(struct log0 *log, uint64_t id, uint8_t store) {
    uint8_t uuid[LOG_STORE_ID_BYTES] = {store, 0xee};
    return log0_command(log, metadata_command_pin(id, uuid));
}

static void added_node_has_a_new_replica_and_joins_when_its_store_is_seen(void **state) {
    struct log0 *log = *state;
    struct metadata_applied applied = add(log, 9, "nine", 7701);
    assert_status(applied.status, LF_OK);
    assert_true(applied.nodes);
    assert_int_equal(applied.replica_id, REPLICAS_OF_GROUP_0 + 1);
    const struct metadata_node *node = metadata_node(log->metadata, 9);
    assert_true(node->joining);
    assert_false(node->pinned);
    assert_false(metadata_node_takes_replicas(node));
    assert_status(pin(log, 9, 9).status, LF_OK);
    assert_false(metadata_node(log->metadata, 9)->joining);
    assert_true(metadata_node_takes_replicas(metadata_node(log->metadata, 9)));
}

static void nodes_stay_in_order_wherever_one_is_added(void **state) {
    struct log0 *log = *state;
    add(log, 9, "nine", 7701);
    add(log, 5, "five", 7701);
    const struct metadata_node *nodes;
    assert_int_equal(metadata_nodes(log->metadata, &nodes), 5);
    for (size_t i = 1; i < 5; i++)
        assert_true(nodes[i - 1].node_id < nodes[i].node_id);
}

static void repeated_add_gives_the_same_answer(void **state) {
    struct log0 *log = *state;
    uint64_t first = add(log, 4, "four", 7701).replica_id;
    struct metadata_applied again = add(log, 4, "four", 7701);
    assert_status(again.status, LF_OK);
    assert_int_equal(again.replica_id, first);
    assert_false(again.nodes);
    assert_status(add(log, 4, "elsewhere", 7701).status, LF_EXISTS);
}

static void add_refuses_in_words(void **state) {
    struct log0 *log = *state;
    assert_status(add(log, 0, "h", 1).status, LF_INVALID);
    assert_status(add(log, 1000000001, "h", 1).status, LF_INVALID); /* no configuration could say that it is this one */
    assert_status(add(log, 4, "", 1).status, LF_INVALID);
    assert_status(add(log, 4, "h", 0).status, LF_INVALID);
    assert_status(add(log, 4, "h", 65536).status, LF_INVALID);
    struct metadata_applied taken = add(log, 4, "127.0.0.1", 7701); /* the founders' */
    assert_status(taken.status, LF_INVALID);
    assert_true(taken.text[0] != '\0');
    const struct metadata_node *nodes;
    assert_int_equal(metadata_nodes(log->metadata, &nodes), 3);
}

static void cluster_has_a_largest_size(void **state) {
    struct log0 *log = *state;
    for (uint64_t id = 4; id <= METADATA_LIVE_NODES_MAX; id++)
        assert_status(log0_join(log, id, (uint8_t)id).status, LF_OK);
    assert_status(add(log, 100, "more", 1).status, LF_INVALID);
    assert_status(drop(log, 4).status, LF_OK);
    assert_status(add(log, 100, "more", 1).status, LF_OK);
}

static void removed_node_stays_on_record_and_its_store_counts_for_nothing(void **state) {
    struct log0 *log = *state;
    log0_join(log, 4, 44);
    uint64_t first = metadata_node(log->metadata, 4)->replica_id;
    assert_status(drop(log, 4).status, LF_OK);
    assert_true(metadata_node(log->metadata, 4)->removed);
    assert_false(metadata_node(log->metadata, 4)->pinned);
    assert_status(drop(log, 4).status, LF_OK); /* a repeat */
    assert_status(drop(log, 77).status, LF_NOT_FOUND);
    assert_status(pin(log, 4, 44).status, LF_NOT_FOUND);
    assert_true(add(log, 4, "host4", 7701).replica_id > first);
    assert_status(pin(log, 4, 44).status, LF_EXISTS);
    assert_status(pin(log, 4, 45).status, LF_OK);
    add(log, 5, "host5", 7701);
    assert_status(pin(log, 5, 44).status, LF_EXISTS); /* nor under another node's name */
}

static void late_removal_spares_a_node_that_was_added_again(void **state) {
    struct log0 *log = *state;
    uint64_t former = add(log, 9, "nine", 7701).replica_id;
    assert_status(log0_command(log, metadata_command_remove_node(9, UINT64_MAX)).status, LF_NOT_FOUND);
    assert_status(log0_command(log, metadata_command_remove_node(9, former)).status, LF_OK);
    assert_status(log0_command(log, metadata_command_remove_node(9, former)).status, LF_OK);
    assert_status(log0_command(log, metadata_command_remove_node(9, UINT64_MAX)).status, LF_OK);
    uint64_t now = add(log, 9, "nine", 7701).replica_id;
    assert_status(log0_command(log, metadata_command_remove_node(9, former)).status, LF_NOT_FOUND);
    assert_false(metadata_node(log->metadata, 9)->removed);
    assert_status(log0_command(log, metadata_command_remove_node(9, now)).status, LF_OK);
    assert_true(metadata_node(log->metadata, 9)->removed);
}

static void node_removed_too_often_needs_another_id(void **state) {
    struct log0 *log = *state;
    for (uint8_t i = 0; i < METADATA_OLD_STORES_MAX; i++) {
        assert_status(log0_join(log, 4, (uint8_t)(100 + i)).status, LF_OK);
        assert_status(drop(log, 4).status, LF_OK);
    }
    assert_status(log0_join(log, 4, 200).status, LF_INVALID);
    assert_status(log0_join(log, 5, 200).status, LF_OK);
}

static void node_that_holds_a_partition_is_not_removed(void **state) {
    struct log0 *log = *state;
    pin(log, 2, 2);
    pin(log, 3, 3);
    log0_create(log, "t", 1, 3);
    struct metadata_applied applied = drop(log, 3);
    assert_status(applied.status, LF_INVALID);
    assert_non_null(strstr(applied.text, "t/0"));
    log0_move(log, 1, 0, NODES(1, 2));
    assert_status(drop(log, 3).status, LF_INVALID); /* it is in what is current */
    log0_report(log, 1, 2);
    assert_status(drop(log, 3).status, LF_OK);
    assert_int_equal(metadata_partition_by_group(log->metadata, 1)->former_count, 0); /* nobody has to destroy it */
    assert_status(drop(log, 2).status, LF_INVALID);
    log0_command(log, metadata_command_delete_topic(1));
    assert_status(drop(log, 2).status, LF_OK);
}

static void last_node_is_not_removed(void **state) {
    struct log0 *log = *state;
    pin(log, 2, 2);
    assert_status(drop(log, 3).status, LF_OK);
    assert_status(drop(log, 1).status, LF_OK);
    assert_status(drop(log, 2).status, LF_INVALID);
}

static void new_replicas_avoid_nodes_that_drain_join_or_are_gone(void **state) {
    struct log0 *log = *state;
    for (uint64_t id = 4; id <= 6; id++)
        log0_join(log, id, (uint8_t)id);
    add(log, 7, "host7", 7701);
    drop(log, 5);
    assert_status(drain(log, 2, false).status, LF_OK);
    assert_status(drain(log, 2, false).status, LF_OK);
    assert_status(drain(log, 5, false).status, LF_NOT_FOUND);
    log0_create(log, "t", 60, 3);
    const struct metadata_topic *topic = metadata_topic_by_name(log->metadata, lf_bytes_text("t"));
    uint32_t first[8] = {0};
    for (uint32_t i = 0; i < 60; i++) {
        first[topic->partitions[i].wanted.replicas[0].node_id]++;
        for (size_t k = 0; k < 3; k++) {
            uint64_t node = topic->partitions[i].wanted.replicas[k].node_id;
            assert_true(node == 1 || node == 3 || node == 4 || node == 6);
        }
    }
    assert_int_equal(first[1], 15);
    assert_int_equal(first[6], 15);
    assert_status(log0_create(log, "wide", 1, 5).status, LF_INVALID);
    assert_status(drain(log, 2, true).status, LF_OK);
    assert_status(log0_create(log, "wide", 1, 5).status, LF_OK);
}

int main(void) {
#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FACT(added_node_has_a_new_replica_and_joins_when_its_store_is_seen),
        FACT(nodes_stay_in_order_wherever_one_is_added),
        FACT(repeated_add_gives_the_same_answer),
        FACT(add_refuses_in_words),
        FACT(cluster_has_a_largest_size),
        FACT(removed_node_stays_on_record_and_its_store_counts_for_nothing),
        FACT(late_removal_spares_a_node_that_was_added_again),
        FACT(node_removed_too_often_needs_another_id),
        FACT(node_that_holds_a_partition_is_not_removed),
        FACT(last_node_is_not_removed),
        FACT(new_replicas_avoid_nodes_that_drain_join_or_are_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
