/** Wanted, current, put aside, retired: one fact each. */
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

static void move_keeps_the_replicas_of_nodes_that_stay(void **state) {
    struct log0 *log = *state;
    uint64_t two = on(log, 2), three = on(log, 3),
             largest = metadata_partition_by_group(log->metadata, 2)->wanted.replicas[2].replica_id;
    struct metadata_applied applied = log0_move(log, 1, 0, NODES(3, 4, 2));
    assert_status(applied.status, LF_OK);
    assert_int_equal(applied.epoch, 2);
    assert_ptr_equal(applied.partition, p(log));
    assert_int_equal(p(log)->wanted.epoch, 2);
    assert_int_equal(p(log)->current.epoch, 1);
    assert_int_equal(p(log)->wanted.replicas[0].node_id, 3); /* the preferred leader */
    assert_int_equal(on(log, 3), three);
    assert_int_equal(on(log, 2), two);
    assert_true(on(log, 4) > largest);
    assert_int_not_equal(on(log, 1), 0); /* still current */
}

static void repeated_move_changes_nothing(void **state) {
    struct log0 *log = *state;
    assert_int_equal(log0_move(log, 1, 0, NODES(3, 4, 2)).epoch, 2);
    struct metadata_applied again = log0_move(log, 1, 0, NODES(3, 4, 2));
    assert_status(again.status, LF_OK);
    assert_int_equal(again.epoch, 2);
    assert_null(again.partition);
    assert_int_equal(log0_move(log, 1, 0, NODES(4, 3, 2)).epoch, 3); /* another order is another wish */
}

static void move_refuses_in_words(void **state) {
    struct log0 *log = *state;
    const struct {
        uint64_t topic;
        uint32_t partition;
        uint64_t nodes[9];
        enum lf_status wanted;
    } cases[] = {{7, 0, {1}, LF_TOPIC_UNKNOWN}, {1, 2, {1}, LF_PARTITION_UNKNOWN},
                 {1, 0, {0}, LF_INVALID},       {1, 0, {1, 2, 3, 4, 5, 6, 7, 8}, LF_INVALID},
                 {1, 0, {1, 2, 1}, LF_INVALID}, {1, 0, {1, 99}, LF_NOT_FOUND},
                 {1, 0, {1, 7}, LF_INVALID},    {1, 0, {1, 6}, LF_INVALID},
                 {1, 0, {1, 5}, LF_NOT_FOUND}};
    log0_command(log, metadata_command_add_node(7, "host7", 1, 1)); /* has not joined */
    log0_command(log, metadata_command_drain_node(6, false));
    log0_command(log, metadata_command_remove_node(5, 0));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct metadata_applied applied = log0_move(log, cases[i].topic, cases[i].partition, cases[i].nodes);
        assert_status(applied.status, cases[i].wanted);
        assert_true(applied.text[0] != '\0');
    }
    assert_int_equal(p(log)->wanted.epoch, 1);
    log0_command(log, metadata_command_drain_node(3, false)); /* where it is already, it may stay for now */
    assert_status(log0_move(log, 1, 0, NODES(4, 2, 3)).status, LF_OK);
    log0_command(log, metadata_command_delete_topic(1));
    assert_status(log0_move(log, 1, 0, NODES(1)).status, LF_TOPIC_DELETED);
}

static void report_makes_wanted_current_and_retires_the_rest(void **state) {
    struct log0 *log = *state;
    uint64_t one = on(log, 1), two = on(log, 2);
    log0_move(log, 1, 0, NODES(3, 4));
    assert_int_equal(p(log)->former_count, 0);
    struct metadata_applied applied = log0_report(log, 1, 2);
    assert_status(applied.status, LF_OK);
    assert_ptr_equal(applied.partition, p(log));
    assert_int_equal(p(log)->current.epoch, 2);
    assert_int_equal(p(log)->current.replica_count, 2);
    assert_int_equal(p(log)->former_count, 2);
    assert_true(metadata_is_retired(p(log), one));
    assert_true(metadata_is_retired(p(log), two));
    assert_false(metadata_is_retired(p(log), on(log, 3)));
    assert_int_equal(on(log, 1), 0);
    assert_int_equal(metadata_node_of_replica(p(log), one), 1);
    assert_status(log0_report(log, 1, 2).status, LF_OK); /* repeated until it shows */
    assert_int_equal(p(log)->former_count, 2);
}

static void report_of_another_epoch_means_nothing(void **state) {
    struct log0 *log = *state;
    log0_move(log, 1, 0, NODES(3, 4));
    log0_move(log, 1, 0, NODES(3, 5));
    assert_status(log0_report(log, 1, 2).status, LF_INVALID);
    assert_status(log0_report(log, 1, 4).status, LF_INVALID);
    assert_status(log0_report(log, 99, 1).status, LF_NOT_FOUND);
    assert_int_equal(p(log)->current.epoch, 1);
    log0_command(log, metadata_command_delete_topic(1));
    assert_status(log0_report(log, 1, 3).status, LF_TOPIC_DELETED);
}

static void newer_wish_puts_aside_what_only_the_older_named(void **state) {
    struct log0 *log = *state;
    log0_move(log, 1, 0, NODES(1, 2, 4));
    uint64_t four = on(log, 4);
    log0_move(log, 1, 0, NODES(1, 2, 5));
    assert_int_equal(p(log)->former_count, 1);
    assert_int_equal(p(log)->formers[0].replica.replica_id, four);
    assert_false(p(log)->formers[0].retired);
    assert_int_equal(on(log, 4), four);
    assert_status(log0_command(log, metadata_command_forget(1, four)).status, LF_NOT_FOUND);
    assert_status(log0_command(log, metadata_command_remove_node(4, 0)).status,
                  LF_INVALID); /* it may be in the group */
    log0_report(log, 1, 3);
    assert_true(metadata_is_retired(p(log), four));
}

static void wish_that_returns_takes_up_the_same_replica(void **state) {
    struct log0 *log = *state;
    log0_move(log, 1, 0, NODES(1, 2, 4));
    uint64_t four = on(log, 4), three = on(log, 3);
    log0_move(log, 1, 0, NODES(1, 2, 5));
    log0_move(log, 1, 0, NODES(1, 3, 4));
    assert_int_equal(on(log, 4), four);
    assert_int_equal(on(log, 3), three);
    assert_int_equal(p(log)->former_count, 1); /* the one on node 5 */
}

static void moved_away_and_back_is_another_replica(void **state) {
    struct log0 *log = *state;
    uint64_t three = on(log, 3);
    log0_move(log, 1, 0, NODES(1, 2, 4));
    log0_report(log, 1, 2);
    log0_move(log, 1, 0, NODES(1, 2, 3));
    assert_true(on(log, 3) > three);
    assert_true(metadata_is_retired(p(log), three)); /* still to be destroyed */
    assert_int_equal(metadata_node_of_replica(p(log), three), 3);
    assert_status(log0_command(log, metadata_command_forget(1, three)).status, LF_OK);
    assert_false(metadata_is_retired(p(log), three));
    assert_int_equal(p(log)->former_count, 0);
    assert_status(log0_command(log, metadata_command_forget(1, three)).status, LF_NOT_FOUND);
}

static void moves_wait_for_destruction_when_too_much_is_left(void **state) {
    struct log0 *log = *state;
    struct metadata_applied applied = {.status = LF_OK};
    uint64_t epoch = 1;
    for (int i = 0; i < 40 && applied.status == LF_OK; i++) {
        applied = i % 2 ? log0_move(log, 1, 0, NODES(1, 2, 3)) : log0_move(log, 1, 0, NODES(4, 5, 6));
        if (applied.status == LF_OK)
            assert_status(log0_report(log, 1, ++epoch).status, LF_OK);
        assert_true(p(log)->former_count <= METADATA_FORMERS_MAX);
    }
    assert_status(applied.status, LF_INVALID);
    assert_true(p(log)->former_count > METADATA_FORMERS_MAX / 2);
    while (p(log)->former_count > 0)
        log0_command(log, metadata_command_forget(1, p(log)->formers[0].replica.replica_id));
    assert_status(log0_move(log, 1, 0, NODES(1, 4, 5)).status, LF_OK);
}

static void formers_are_bounded_however_wishes_follow_each_other(void **state) {
    struct log0 *log = *state;
    for (uint32_t i = 0; i < 500; i++) {
        uint64_t nodes[] = {1 + i % 6, 1 + (i + 1 + i / 6 % 3) % 6, 0};
        if (nodes[0] != nodes[1])
            log0_move(log, 1, 0, nodes);
        if (i % 7 == 3)
            log0_report(log, 1, p(log)->wanted.epoch);
        assert_true(p(log)->former_count <= METADATA_FORMERS_MAX);
        if (i % 31 == 30) /* the one row that changed is enough to load from */
            log0_flush(log);
    }
    log0_flush(log);
    struct metadata *again = metadata_new(NULL);
    assert_status(metadata_load(again, log->image.applied_index, log->image.rows, log->image.count, &log->error),
                  LF_OK);
    assert_int_equal(metadata_applied_checksum(again), metadata_applied_checksum(log->metadata));
    metadata_destroy(&again);
}

int main(void) {
#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FACT(move_keeps_the_replicas_of_nodes_that_stay),
        FACT(repeated_move_changes_nothing),
        FACT(move_refuses_in_words),
        FACT(report_makes_wanted_current_and_retires_the_rest),
        FACT(report_of_another_epoch_means_nothing),
        FACT(newer_wish_puts_aside_what_only_the_older_named),
        FACT(wish_that_returns_takes_up_the_same_replica),
        FACT(moved_away_and_back_is_another_replica),
        FACT(moves_wait_for_destruction_when_too_much_is_left),
        FACT(formers_are_bounded_however_wishes_follow_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
