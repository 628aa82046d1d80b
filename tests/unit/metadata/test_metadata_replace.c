/** A node goes on with a new store in place of its lost one: what group 0 makes of it, one fact each. */
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
    if (!log0_found(log, 3).founded)
        return -1;
    for (uint64_t id = 2; id <= 3; id++) {
        uint8_t uuid[LOG_STORE_ID_BYTES] = {(uint8_t)id, 0xee};
        log0_command(log, metadata_command_pin(id, uuid));
    }
    for (uint64_t id = 4; id <= 6; id++)
        log0_join(log, id, (uint8_t)id);
    return log0_create(log, "t", 2, 3).status == LF_OK ? 0 : -1;
}

static int tear_down(void **state) {
    struct log0 *log = *state;
    log0_close(log);
    free(log);
    return 0;
}

#define assert_status(got, wanted) assert_string_equal(lf_status_name(got), lf_status_name(wanted))

/** Group 1: partition 0 of t, on nodes 1, 2, 3. */
static const struct metadata_partition *p(const struct log0 *log) {
    return metadata_partition_by_group(log->metadata, 1);
}
static uint64_t on(const struct log0 *log, uint64_t node) { return metadata_replica_on(p(log), node); }

static struct metadata_applied replace(struct log0 *log, uint64_t node_id, uint8_t store) {
    uint8_t uuid[LOG_STORE_ID_BYTES] = {store, 0xdd};
    return log0_command(log, metadata_command_replace_store(node_id, uuid));
}

static void assert_loads_equal(struct log0 *log) {
    log0_flush(log);
    struct metadata *again = metadata_new(NULL);
    assert_status(metadata_load(again, log->image.applied_index, log->image.rows, log->image.count, &log->error),
                  LF_OK);
    assert_int_equal(metadata_applied_checksum(again), metadata_applied_checksum(log->metadata));
    metadata_destroy(&again);
}

static void new_store_is_pinned_and_every_replica_is_a_new_one(void **state) {
    struct log0 *log = *state;
    uint64_t one = on(log, 1), two = on(log, 2), in_zero = metadata_node(log->metadata, 2)->replica_id;
    struct metadata_applied applied = replace(log, 2, 9);
    assert_status(applied.status, LF_OK);
    assert_true(applied.nodes && applied.partitions);
    const struct metadata_node *node = metadata_node(log->metadata, 2);
    assert_true(node->pinned);
    assert_int_equal(node->store_uuid[0], 9);
    assert_true(node->replica_id > in_zero);
    assert_true(on(log, 2) > node->replica_id); /* M6 */
    assert_int_equal(on(log, 1), one);
    assert_int_equal(p(log)->wanted.epoch, 2);
    assert_int_equal(p(log)->current.epoch, 1);
    assert_int_equal(metadata_node_of_replica(p(log), two), 2); /* it keeps its place in the majority */
    assert_int_equal(p(log)->former_count, 0);
    assert_loads_equal(log);
    assert_status(log0_report(log, 1, 2).status, LF_OK);
    assert_int_equal(metadata_node_of_replica(p(log), two), 0); /* nobody could say that it was destroyed */
    assert_int_equal(p(log)->former_count, 0);
    assert_loads_equal(log);
}

static void repeat_changes_nothing_and_an_old_store_never_counts_again(void **state) {
    struct log0 *log = *state;
    assert_status(replace(log, 2, 9).status, LF_OK);
    uint64_t replica = on(log, 2);
    struct metadata_applied again = replace(log, 2, 9);
    assert_status(again.status, LF_OK);
    assert_false(again.nodes);
    assert_int_equal(on(log, 2), replica);
    log0_report(log, 1, 2);
    log0_report(log, 2, 2);
    assert_status(replace(log, 2, 10).status, LF_OK);
    assert_status(replace(log, 2, 9).status, LF_EXISTS);
    assert_status(replace(log, 3, 10).status, LF_EXISTS); /* another node's */
    uint8_t old[LOG_STORE_ID_BYTES] = {9, 0xdd};
    assert_status(log0_command(log, metadata_command_pin(2, old)).status, LF_EXISTS);
}

static void store_is_not_given_up_while_a_partition_needs_it(void **state) {
    struct log0 *log = *state;
    assert_status(replace(log, 2, 9).status, LF_OK);
    struct metadata_applied applied = replace(log, 3, 10); /* two of three would be lost */
    assert_status(applied.status, LF_NOT_READY);
    assert_non_null(strstr(applied.text, "t/0 has 1 of 3 replicas without node 3"));
    assert_int_equal(metadata_node(log->metadata, 3)->store_uuid[1], 0xee);
    log0_report(log, 1, 2);
    assert_status(replace(log, 3, 10).status, metadata_replica_on(metadata_partition_by_group(log->metadata, 2), 2)
                                                  ? LF_NOT_READY /* its other partition still is filled */
                                                  : LF_OK);
    log0_report(log, 2, 2);
    assert_status(replace(log, 3, 10).status, LF_OK);
    assert_status(log0_create(log, "single", 6, 1).status, LF_OK);
    applied = replace(log, 5, 11);
    assert_status(applied.status, LF_NOT_READY);
    assert_non_null(strstr(applied.text, "delete the topic"));
    assert_status(replace(log, 99, 12).status, LF_INVALID);
    log0_command(log, metadata_command_add_node(7, "host7", 7700, 7701));
    assert_status(replace(log, 7, 12).status, LF_INVALID); /* it has no store yet */
}

static bool all_but_three(const void *context, uint64_t node_id) {
    (void)context;
    return node_id != 3;
}

static void nodes_that_do_not_run_are_no_majority(void **state) {
    struct log0 *log = *state;
    struct lf_error error;
    assert_status(metadata_judge_replacement(log->metadata, 2, NULL, NULL, &error), LF_OK);
    assert_status(metadata_judge_replacement(log->metadata, 2, all_but_three, NULL, &error), LF_NOT_READY);
    assert_non_null(strstr(error.text, "start the other nodes"));
}

static void only_node_of_a_cluster_keeps_its_store(void **state) {
    (void)state;
    struct log0 log;
    log0_open(&log, NULL);
    assert_true(log0_found(&log, 1).founded);
    assert_status(replace(&log, 1, 9).status, LF_NOT_READY);
    log0_close(&log);
}

static void replica_that_was_wanted_or_put_aside_is_forgotten_with_its_store(void **state) {
    struct log0 *log = *state;
    log0_move(log, 1, 0, NODES(1, 2, 4));
    uint64_t four = on(log, 4);
    log0_move(log, 1, 0, NODES(1, 2, 5));
    assert_int_equal(on(log, 4), four);
    assert_status(replace(log, 4, 9).status, LF_OK); /* put aside there */
    log0_report(log, 2, 2);                          /* the other partition is whole again */
    assert_int_equal(on(log, 4), 0);
    assert_int_equal(p(log)->wanted.epoch, 3);
    uint64_t five = on(log, 5);
    assert_status(replace(log, 5, 10).status, LF_OK); /* wanted, never current */
    assert_true(on(log, 5) > five);
    assert_int_equal(metadata_node_of_replica(p(log), five), 0);
    assert_int_equal(p(log)->wanted.epoch, 4);
    assert_loads_equal(log);
    assert_status(replace(log, 3, 11).status, LF_OK); /* current, wanted no more */
    assert_int_equal(on(log, 3), 0);
    log0_move(log, 1, 0, NODES(1, 2, 3)); /* wanted again: another replica */
    assert_int_not_equal(on(log, 3), 0);
    assert_loads_equal(log);
    assert_status(log0_report(log, 1, p(log)->wanted.epoch).status, LF_OK);
    for (size_t i = 0; i < p(log)->former_count; i++)
        assert_int_equal(p(log)->formers[i].replica.node_id, 5);
    assert_loads_equal(log);
}

static void retired_replicas_go_with_the_store_that_held_them(void **state) {
    struct log0 *log = *state;
    log0_move(log, 1, 0, NODES(1, 2, 4));
    log0_report(log, 1, 2);
    assert_int_equal(p(log)->former_count, 1);
    assert_status(replace(log, 3, 9).status, LF_OK);
    assert_int_equal(p(log)->former_count, 0);
    assert_loads_equal(log);
}

static void node_may_lose_any_number_of_stores(void **state) {
    struct log0 *log = *state;
    for (uint8_t i = 0; i < 3 * METADATA_OLD_STORES_MAX; i++) {
        assert_status(replace(log, 2, (uint8_t)(20 + i)).status, LF_OK);
        log0_report(log, 1, p(log)->wanted.epoch);
        log0_report(log, 2, metadata_partition_by_group(log->metadata, 2)->wanted.epoch);
    }
    assert_int_equal(metadata_node(log->metadata, 2)->old_store_count, METADATA_OLD_STORES_MAX);
    assert_loads_equal(log);
}

/** Nodes that hold no partition are only pinned anew. */
static void node_that_lost_many_stores_is_removed(void **state) {
    struct log0 *log = *state;
    assert_status(log0_join(log, 9, 90).status, LF_OK);
    for (uint8_t i = 0; i < METADATA_OLD_STORES_MAX; i++)
        assert_status(replace(log, 9, (uint8_t)(100 + i)).status, LF_OK);
    assert_int_equal(metadata_node(log->metadata, 9)->old_store_count, METADATA_OLD_STORES_MAX);
    assert_status(log0_command(log, metadata_command_remove_node(9, 0)).status, LF_OK);
    const struct metadata_node *node = metadata_node(log->metadata, 9);
    assert_true(node->removed);
    assert_int_equal(node->old_store_count, METADATA_OLD_STORES_MAX);
    assert_loads_equal(log);
}

int main(void) {
#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FACT(new_store_is_pinned_and_every_replica_is_a_new_one),
        FACT(node_that_lost_many_stores_is_removed),
        FACT(repeat_changes_nothing_and_an_old_store_never_counts_again),
        FACT(store_is_not_given_up_while_a_partition_needs_it),
        FACT(nodes_that_do_not_run_are_no_majority),
        FACT(only_node_of_a_cluster_keeps_its_store),
        FACT(replica_that_was_wanted_or_put_aside_is_forgotten_with_its_store),
        FACT(retired_replicas_go_with_the_store_that_held_them),
        FACT(node_may_lose_any_number_of_stores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
