/** Group 0's state machine, one fact each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "commands.h"

static int set_up(void **state) {
    struct log0 *log = calloc(1, sizeof *log);
    log0_open(log,
              &(struct metadata_limits){.topics_max = 5, .partitions_per_topic_max = 3000, .partitions_max = 4000});
    *state = log;
    return log->metadata && log->write ? 0 : -1;
}

static int set_up_founded(void **state) {
    int result = set_up(state);
    struct log0 *log = *state;
    return result == 0 && log0_found(log, 3).founded ? 0 : -1;
}

static int tear_down(void **state) {
    struct log0 *log = *state;
    log0_close(log);
    free(log);
    return 0;
}

#define assert_status(got, wanted) assert_string_equal(lf_status_name(got), lf_status_name(wanted))

static void assert_same_assignment(const struct metadata_assignment *a, const struct metadata_assignment *b) {
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->replica_count, b->replica_count);
    for (size_t i = 0; i < a->replica_count; i++) {
        assert_int_equal(a->replicas[i].replica_id, b->replicas[i].replica_id);
        assert_int_equal(a->replicas[i].node_id, b->replicas[i].node_id);
        assert_int_equal(a->replicas[i].lost, b->replicas[i].lost);
    }
}

static const struct metadata_topic *by_name(const struct log0 *log, const char *name) {
    return metadata_topic_by_name(log->metadata, lf_bytes_text(name));
}

static void topic_names_follow_the_rule(void **state) {
    (void)state;
    char longest[METADATA_TOPIC_NAME_BYTES_MAX + 2];
    memset(longest, 'x', sizeof longest);
    assert_true(metadata_topic_name_valid(lf_bytes(longest, METADATA_TOPIC_NAME_BYTES_MAX)));
    assert_false(metadata_topic_name_valid(lf_bytes(longest, METADATA_TOPIC_NAME_BYTES_MAX + 1)));
    const char *good[] = {"a", "...", "A-z_0.9", ".a", "-"};
    const char *bad[] = {"", ".", "..", "a b", "a/b", "\xc3\xa4", "a\n", "a:b"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(metadata_topic_name_valid(lf_bytes_text(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(metadata_topic_name_valid(lf_bytes_text(bad[i])));
    assert_false(metadata_topic_name_valid(lf_bytes("a\0b", 3)));
}

static void founding_brings_id_name_and_nodes_in_order(void **state) {
    struct log0 *log = *state;
    assert_false(metadata_founded(log->metadata));
    struct metadata_applied applied = log0_found(log, 3);
    assert_status(applied.status, LF_OK);
    assert_true(applied.founded);
    assert_true(metadata_founded(log->metadata));
    assert_string_equal(metadata_cluster_name(log->metadata), "flume");
    assert_memory_equal(metadata_cluster_id(log->metadata), "0123456789abcde", LOG_STORE_ID_BYTES);
    const struct metadata_node *nodes;
    assert_int_equal(metadata_nodes(log->metadata, &nodes), 3);
    for (uint64_t i = 0; i < 3; i++) {
        struct metadata_node wanted = founding_node(i + 1);
        assert_memory_equal(&nodes[i], &wanted, sizeof wanted);
        assert_ptr_equal(metadata_node(log->metadata, i + 1), &nodes[i]);
    }
    assert_null(metadata_node(log->metadata, 4));
    assert_null(metadata_node(log->metadata, 0));
}

static void cluster_is_founded_once(void **state) {
    struct log0 *log = *state;
    struct metadata_applied applied = log0_found(log, 2);
    assert_status(applied.status, LF_EXISTS);
    assert_false(applied.founded);
    const struct metadata_node *nodes;
    assert_int_equal(metadata_nodes(log->metadata, &nodes), 3);
}

static void founding_with_shared_ids_is_invalid(void **state) {
    struct log0 *log = *state;
    static const uint8_t cluster_id[LOG_STORE_ID_BYTES] = {1}, none[LOG_STORE_ID_BYTES];
    struct metadata_node nodes[2] = {founding_node(1), founding_node(2)};
    nodes[1].node_id = 1;
    assert_status(log0_command(log, metadata_command_found(cluster_id, "c", nodes, 2)).status, LF_INVALID);
    nodes[1] = founding_node(2);
    nodes[1].replica_id = 1;
    assert_status(log0_command(log, metadata_command_found(cluster_id, "c", nodes, 2)).status, LF_INVALID);
    nodes[1] = founding_node(2);
    nodes[1].host[0] = '\0';
    assert_status(log0_command(log, metadata_command_found(cluster_id, "c", nodes, 2)).status, LF_INVALID);
    nodes[1] = founding_node(2);
    assert_status(log0_command(log, metadata_command_found(cluster_id, "c", nodes, 0)).status, LF_INVALID);
    assert_status(log0_command(log, metadata_command_found(none, "c", nodes, 2)).status, LF_INVALID);
    assert_false(metadata_founded(log->metadata));
    assert_status(log0_command(log, metadata_command_found(cluster_id, "c", nodes, 2)).status, LF_OK);
}

static void nothing_happens_before_founding(void **state) {
    struct log0 *log = *state;
    assert_status(log0_create(log, "t", 1, 1).status, LF_NOT_READY);
    assert_status(log0_command(log, metadata_command_take_producers(1)).status, LF_NOT_READY);
    assert_int_equal(metadata_applied_index(log->metadata), 2);
    assert_status(metadata_judge_create(log->metadata, lf_bytes_text("t"), 1, 1, NULL), LF_INVALID);
}

static void store_is_pinned_once(void **state) {
    struct log0 *log = *state;
    uint8_t first[LOG_STORE_ID_BYTES] = {7}, second[LOG_STORE_ID_BYTES] = {8}, none[LOG_STORE_ID_BYTES] = {0};
    assert_false(metadata_node(log->metadata, 2)->pinned);
    assert_status(log0_command(log, metadata_command_pin(2, none)).status, LF_INVALID);
    assert_status(log0_command(log, metadata_command_pin(2, first)).status, LF_OK);
    assert_status(log0_command(log, metadata_command_pin(2, first)).status, LF_OK);
    assert_status(log0_command(log, metadata_command_pin(2, second)).status, LF_EXISTS);
    assert_status(log0_command(log, metadata_command_pin(3, first)).status, LF_EXISTS); /* a copied directory */
    assert_status(log0_command(log, metadata_command_pin(9, second)).status, LF_NOT_FOUND);
    assert_true(metadata_node(log->metadata, 2)->pinned);
    assert_memory_equal(metadata_node(log->metadata, 2)->store_uuid, first, sizeof first);
    assert_false(metadata_node(log->metadata, 3)->pinned);
}

static void created_topic_is_found_in_every_way(void **state) {
    struct log0 *log = *state;
    struct metadata_applied applied = log0_create(log, "orders", 4, 3);
    assert_status(applied.status, LF_OK);
    const struct metadata_topic *topic = by_name(log, "orders");
    assert_non_null(topic);
    assert_ptr_equal(applied.created, topic);
    assert_int_equal(topic->topic_id, 1);
    assert_int_equal(topic->partition_count, 4);
    assert_int_equal(topic->replicas, 3);
    assert_ptr_equal(metadata_topic_by_id(log->metadata, 1), topic);
    for (uint32_t i = 0; i < 4; i++) {
        const struct metadata_partition *partition = metadata_partition_by_group(log->metadata, i + 1);
        assert_ptr_equal(partition, &topic->partitions[i]);
        assert_int_equal(partition->partition, i);
        assert_int_equal(partition->topic_id, 1);
        assert_int_equal(partition->wanted.epoch, 1);
        assert_same_assignment(&partition->wanted, &partition->current);
    }
    assert_null(metadata_partition_by_group(log->metadata, 0));
    assert_null(metadata_partition_by_group(log->metadata, 5));
    assert_null(by_name(log, "order"));
    assert_int_equal(metadata_topic_count(log->metadata), 1);
    assert_int_equal(metadata_partition_count(log->metadata), 4);
}

static void replica_ids_are_never_given_twice(void **state) {
    struct log0 *log = *state;
    log0_create(log, "a", 7, 3);
    log0_command(log, metadata_command_delete_topic(1));
    log0_create(log, "b", 7, 2);
    uint64_t next = REPLICAS_OF_GROUP_0 + 1;
    size_t cursor = 0;
    const struct metadata_topic *topic;
    while ((topic = metadata_next_topic(log->metadata, &cursor)))
        for (uint32_t i = 0; i < topic->partition_count; i++)
            for (uint32_t k = 0; k < topic->replicas; k++)
                assert_int_equal(topic->partitions[i].wanted.replicas[k].replica_id, next++);
    assert_int_equal(next, 4 + 7 * 3 + 7 * 2);
}

static void create_refuses_in_words(void **state) {
    struct log0 *log = *state;
    const struct {
        const char *name;
        uint32_t partitions, replicas;
        enum lf_status wanted;
    } cases[] = {{"a/b", 1, 1, LF_INVALID},   {"a", 0, 1, LF_INVALID}, {"a", 1, 0, LF_INVALID},
                 {"a", 1, 4, LF_INVALID},     {"a", 1, 8, LF_INVALID}, {"taken", 1, 1, LF_TOPIC_EXISTS},
                 {"a", 100001, 1, LF_INVALID}};
    log0_create(log, "taken", 1, 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lf_error error = {0};
        assert_status(metadata_judge_create(log->metadata, lf_bytes_text(cases[i].name), cases[i].partitions,
                                            cases[i].replicas, &error),
                      cases[i].wanted);
        assert_true(error.text[0] != '\0');
        struct metadata_applied applied = log0_create(log, cases[i].name, cases[i].partitions, cases[i].replicas);
        assert_status(applied.status, cases[i].wanted);
        assert_true(applied.text[0] != '\0');
        assert_null(applied.created);
    }
    assert_int_equal(metadata_topic_count(log->metadata), 1);
    assert_status(log0_create(log, "next", 1, 1).status, LF_OK);
    assert_int_equal(by_name(log, "next")->topic_id, 2); /* refusals take no ids */
}

static void limits_are_judged_before_the_log_and_never_after(void **state) {
    struct log0 *log = *state;
    const struct metadata *metadata = log->metadata;
    assert_status(metadata_judge_create(metadata, lf_bytes_text("a"), 3001, 1, NULL), LF_INVALID);
    assert_status(metadata_judge_create(metadata, lf_bytes_text("a"), 3000, 1, NULL), LF_OK);
    assert_status(log0_create(log, "a", 3000, 1).status, LF_OK);
    assert_status(metadata_judge_create(metadata, lf_bytes_text("b"), 1001, 1, NULL), LF_OVERLOADED);
    assert_status(metadata_judge_create(metadata, lf_bytes_text("b"), 1000, 1, NULL), LF_OK);
    for (int i = 0; i < 4; i++)
        assert_status(log0_create(log, (char[]){(char)('b' + i), 0}, 1, 1).status, LF_OK);
    assert_status(metadata_judge_create(metadata, lf_bytes_text("z"), 1, 1, NULL), LF_OVERLOADED);
    assert_status(log0_create(log, "z", 3001, 1).status, LF_OK); /* another node's limits let it in */
    assert_status(log0_command(log, metadata_command_delete_topic(1)).status, LF_OK);
    assert_status(log0_command(log, metadata_command_delete_topic(2)).status, LF_OK);
    assert_status(metadata_judge_create(metadata, lf_bytes_text("y"), 996, 1, NULL), LF_OK);
}

static void deleted_topic_stays_as_a_tombstone(void **state) {
    struct log0 *log = *state;
    log0_create(log, "t", 3, 2);
    struct metadata_applied applied = log0_command(log, metadata_command_delete_topic(1));
    assert_status(applied.status, LF_OK);
    assert_non_null(applied.deleted);
    assert_int_equal(applied.deleted->topic_id, 1);
    assert_true(metadata_topic_by_id(log->metadata, 1)->deleted);
    assert_null(by_name(log, "t"));
    assert_int_equal(metadata_partition_by_group(log->metadata, 2)->topic_id, 1);
    assert_int_equal(metadata_topic_count(log->metadata), 0);
    assert_int_equal(metadata_partition_count(log->metadata), 0);
    assert_status(log0_command(log, metadata_command_delete_topic(1)).status, LF_TOPIC_DELETED);
    assert_status(log0_command(log, metadata_command_delete_topic(2)).status, LF_TOPIC_UNKNOWN);
    assert_status(log0_command(log, metadata_command_delete_topic(0)).status, LF_TOPIC_UNKNOWN);
}

static void name_may_come_back_under_a_new_id(void **state) {
    struct log0 *log = *state;
    for (uint64_t id = 1; id <= 3; id++) {
        assert_status(log0_create(log, "t", 2, 1).status, LF_OK);
        assert_int_equal(by_name(log, "t")->topic_id, id);
        assert_int_equal(by_name(log, "t")->partitions[0].group, id * 2 - 1);
        assert_status(log0_command(log, metadata_command_delete_topic(id)).status, LF_OK);
    }
    size_t cursor = 0, count = 0;
    while (metadata_next_topic(log->metadata, &cursor))
        count++;
    assert_int_equal(count, 3);
}

static void producer_ids_rise_by_what_was_taken(void **state) {
    struct log0 *log = *state;
    assert_int_equal(log0_command(log, metadata_command_take_producers(1)).first_producer_id, 1);
    assert_int_equal(log0_command(log, metadata_command_take_producers(1000)).first_producer_id, 2);
    assert_int_equal(log0_command(log, metadata_command_take_producers(1)).first_producer_id, 1002);
    struct metadata_applied applied = log0_command(log, metadata_command_take_producers(0));
    assert_status(applied.status, LF_INVALID);
    assert_int_equal(applied.first_producer_id, -1);
    assert_int_equal(log0_command(log, metadata_command_take_producers(1)).first_producer_id, 1003);
}

/** How often each node is first, and how often it holds a replica. */
static void count_places(const struct log0 *log, uint32_t *first, uint32_t *any, uint32_t nodes) {
    size_t cursor = 0;
    const struct metadata_topic *topic;
    memset(first, 0, (nodes + 1) * sizeof *first);
    memset(any, 0, (nodes + 1) * sizeof *any);
    while ((topic = metadata_next_topic(log->metadata, &cursor)))
        for (uint32_t i = 0; i < topic->partition_count; i++) {
            const struct metadata_assignment *wanted = &topic->partitions[i].wanted;
            assert_int_equal(wanted->replica_count, topic->replicas);
            first[wanted->replicas[0].node_id]++;
            for (size_t k = 0; k < wanted->replica_count; k++) {
                any[wanted->replicas[k].node_id]++;
                for (size_t j = 0; j < k; j++)
                    assert_int_not_equal(wanted->replicas[j].node_id, wanted->replicas[k].node_id);
            }
        }
}

static void replicas_are_on_different_nodes_and_spread(void **state) {
    (void)state;
    for (uint32_t nodes = 1; nodes <= 9; nodes++)
        for (uint32_t replicas = 1; replicas <= nodes && replicas <= METADATA_REPLICAS_MAX; replicas++) {
            struct log0 log;
            uint32_t first[10], any[10];
            log0_open(&log, NULL);
            log0_found(&log, nodes);
            assert_status(log0_create(&log, "big", 50 * nodes * nodes, replicas).status, LF_OK);
            count_places(&log, first, any, nodes);
            for (uint32_t node = 1; node <= nodes; node++) {
                assert_int_equal(first[node], 50 * nodes);
                assert_in_range(any[node], 45 * nodes * replicas, 55 * nodes * replicas);
            }
            log0_close(&log);
        }
}

static void first_replicas_of_small_topics_go_round_too(void **state) {
    struct log0 *log = *state;
    uint32_t first[4], any[4];
    log0_create(log, "a", 1, 3);
    log0_create(log, "b", 1, 3);
    log0_create(log, "c", 1, 3);
    count_places(log, first, any, 3);
    assert_int_equal(first[1], 1);
    assert_int_equal(first[2], 1);
    assert_int_equal(first[3], 1);
}

static void what_a_lost_node_led_is_shared_by_the_others(void **state) {
    struct log0 *log = *state;
    log0_create(log, "t", 60, 3);
    uint32_t second[4] = {0};
    for (uint32_t i = 0; i < 60; i++) {
        const struct metadata_assignment *wanted = &by_name(log, "t")->partitions[i].wanted;
        if (wanted->replicas[0].node_id == 1)
            second[wanted->replicas[1].node_id]++;
    }
    assert_int_equal(second[2], 10);
    assert_int_equal(second[3], 10);
}

static void entries_that_do_not_belong_are_internal(void **state) {
    struct log0 *log = *state;
    uint32_t sum = metadata_applied_checksum(log->metadata);
    assert_status(log0_apply(log, LF_ENTRY_BATCH, 0, lf_bytes("", 0), NULL), LF_INTERNAL);
    assert_status(log0_apply(log, LF_ENTRY_PRODUCER, 0, lf_bytes("", 0), NULL), LF_INTERNAL);
    assert_status(log0_apply(log, LF_ENTRY_METADATA, 0, lf_bytes("\xff", 1), NULL), LF_INTERNAL);
    log->log_time_ms--;
    assert_status(log0_apply(log, LF_ENTRY_NOOP, 0, lf_bytes("", 0), NULL), LF_INTERNAL);
    struct lf_entry_header header = {.type = LF_ENTRY_NOOP, .index = 3, .log_time_ms = 200};
    assert_status(metadata_apply(log->metadata, &header, lf_bytes("", 0), NULL, NULL, &log->error), LF_INTERNAL);
    assert_int_equal(metadata_applied_checksum(log->metadata), sum);
}

static void newer_types_and_commands_stop_applying(void **state) {
    struct log0 *log = *state;
    uint32_t sum = metadata_applied_checksum(log->metadata);
    assert_status(log0_apply(log, 99, LF_ENTRY_MUST_UNDERSTAND, lf_bytes("", 0), NULL), LF_UNSUPPORTED);
    assert_status(log0_apply(log, LF_ENTRY_METADATA, LF_ENTRY_MUST_UNDERSTAND, lf_bytes("\xfa\x01\x00", 3), NULL),
                  LF_UNSUPPORTED); /* field 31 */
    assert_int_equal(metadata_applied_checksum(log->metadata), sum);
    assert_status(log0_apply(log, 99, 0, lf_bytes("", 0), NULL), LF_OK);
    assert_int_equal(metadata_applied_index(log->metadata), 2);
}

static void ids_of_producers_and_replicas_go_on_behind_after_a_lost_majority(void **state) {
    struct log0 *log = *state;
    assert_int_equal(log0_command(log, metadata_command_take_producers(1)).first_producer_id, 1);
    uint64_t before = log0_command(log, metadata_command_add_node(8, "h8", 7700, 7701)).replica_id;
    assert_status(log0_apply(log, LF_ENTRY_OFFSET_JUMP, LF_ENTRY_MUST_UNDERSTAND, lf_bytes(NULL, 0), NULL), LF_OK);
    assert_int_equal(log0_command(log, metadata_command_take_producers(1)).first_producer_id, 2 + LF_OFFSET_JUMP);
    assert_int_equal(log0_command(log, metadata_command_add_node(9, "h9", 7700, 7701)).replica_id,
                     before + 1 + (uint64_t)LF_OFFSET_JUMP);
}

static void configuration_is_kept(void **state) {
    struct log0 *log = *state;
    uint64_t index;
    struct lf_bytes payload;
    assert_false(metadata_configuration(log->metadata, &index, &payload));
    assert_status(log0_apply(log, LF_ENTRY_CONFIGURATION, 0, lf_bytes_text("voters"), NULL), LF_OK);
    assert_true(metadata_configuration(log->metadata, &index, &payload));
    assert_int_equal(index, 2);
    assert_true(lf_bytes_equal(payload, lf_bytes_text("voters")));
}

static void same_state(const struct metadata *a, const struct metadata *b) {
    assert_int_equal(metadata_applied_checksum(a), metadata_applied_checksum(b));
    assert_int_equal(metadata_topic_count(a), metadata_topic_count(b));
    assert_int_equal(metadata_partition_count(a), metadata_partition_count(b));
    const struct metadata_node *x, *y;
    size_t nodes = metadata_nodes(a, &x);
    assert_int_equal(nodes, metadata_nodes(b, &y));
    if (nodes > 0)
        assert_memory_equal(x, y, nodes * sizeof *x);
    size_t cursor = 0, other_cursor = 0;
    const struct metadata_topic *topic, *other;
    while ((topic = metadata_next_topic(a, &cursor))) {
        other = metadata_next_topic(b, &other_cursor);
        assert_non_null(other);
        assert_string_equal(topic->name, other->name);
        assert_int_equal(topic->deleted, other->deleted);
        assert_int_equal(topic->partition_count, other->partition_count);
        for (uint32_t i = 0; i < topic->partition_count; i++) {
            struct metadata_partition x_partition = topic->partitions[i], y_partition = other->partitions[i];
            assert_int_equal(x_partition.former_count, y_partition.former_count);
            if (x_partition.former_count > 0)
                for (size_t k = 0; k < x_partition.former_count; k++) {
                    assert_int_equal(x_partition.formers[k].replica.replica_id,
                                     y_partition.formers[k].replica.replica_id);
                    assert_int_equal(x_partition.formers[k].replica.node_id, y_partition.formers[k].replica.node_id);
                    assert_int_equal(x_partition.formers[k].retired, y_partition.formers[k].retired);
                }
            assert_int_equal(x_partition.partition, y_partition.partition);
            assert_int_equal(x_partition.group, y_partition.group);
            assert_int_equal(x_partition.topic_id, y_partition.topic_id);
            assert_same_assignment(&x_partition.wanted, &y_partition.wanted);
            assert_same_assignment(&x_partition.current, &y_partition.current);
        }
        if (!topic->deleted)
            assert_ptr_equal(metadata_topic_by_name(b, lf_bytes_text(topic->name)), other);
        assert_ptr_equal(metadata_topic_by_id(b, topic->topic_id), other);
        for (uint32_t i = 0; i < other->partition_count; i++)
            assert_ptr_equal(metadata_partition_by_group(b, other->partitions[i].group), &other->partitions[i]);
    }
    assert_null(metadata_next_topic(b, &other_cursor));
}

static uint32_t next_random(uint32_t *random) {
    *random ^= *random << 13;
    *random ^= *random >> 17;
    return *random ^= *random << 5;
}

static struct lf_buf *random_member_command(uint32_t *random) {
    uint64_t node = next_random(random) % 8, group = next_random(random) % 60, nodes[4];
    char host[8];
    snprintf(host, sizeof host, "h%u", next_random(random) % 9);
    size_t count = next_random(random) % 5;
    for (size_t i = 0; i < 4; i++)
        nodes[i] = next_random(random) % 7;
    uint8_t uuid[LOG_STORE_ID_BYTES] = {(uint8_t)(1 + next_random(random) % 200), 1};
    switch (next_random(random) % 11) {
    case 10:
        return metadata_command_replace_store(node, uuid);
    case 0:
        return metadata_command_add_node(node, host, 1 + next_random(random) % 3, 1);
    case 1:
        return metadata_command_remove_node(node, 0);
    case 2:
        return metadata_command_drain_node(node, next_random(random) % 4 != 0);
    case 3:
        return metadata_command_forget(group, next_random(random) % 200);
    case 4:
    case 5:
        return metadata_command_report(group, 1 + next_random(random) % 4);
    default:
        return metadata_command_move(next_random(random) % 20, next_random(random) % 3, nodes, count);
    }
}

static void random_settings(uint32_t *random, struct topic_settings_change *change) {
    *change = (struct topic_settings_change){0};
    for (int row = 0; row < TOPIC_SETTINGS_COUNT; row++)
        if (next_random(random) % 3 == 0) {
            change->set |= UINT32_C(1) << row;
            topic_setting_put(&change->values, row, topic_setting_rows[row].min + next_random(random) % 3);
        } else if (next_random(random) % 3 == 0) {
            change->reset |= UINT32_C(1) << row;
        }
}

static struct lf_buf *random_topic_command(uint32_t *random) {
    char name[8];
    uint8_t uuid[LOG_STORE_ID_BYTES] = {(uint8_t)(1 + next_random(random) % 9)};
    snprintf(name, sizeof name, "t%u", next_random(random) % 40);
    uint32_t what = next_random(random) % 20;
    struct topic_settings_change change;
    random_settings(random, &change);
    if (what < 8)
        return metadata_command_create_topic(
            name, next_random(random) % 20 == 0 ? 990 + next_random(random) % 1020 : next_random(random) % 6,
            next_random(random) % 5, what < 4 ? &change : NULL);
    if (what < 11)
        return metadata_command_alter_topic(next_random(random) % 50, &change);
    if (what < 13)
        return metadata_command_delete_topic(next_random(random) % 50);
    if (what < 15)
        return metadata_command_take_producers(next_random(random) % 100);
    return metadata_command_pin(next_random(random) % 8, uuid);
}

static void random_command(struct log0 *log, uint32_t *random, struct metadata *twin) {
    struct lf_buf *command = next_random(random) % 2 ? random_member_command(random) : random_topic_command(random);
    log->log_time_ms += next_random(random) % 10;
    struct lf_entry_header header = {
        .type = LF_ENTRY_METADATA, .index = metadata_applied_index(log->metadata) + 1, .log_time_ms = log->log_time_ms};
    struct metadata_applied a, b;
    assert_status(metadata_apply(twin, &header, lf_buf_bytes(command), NULL, &b, &log->error), LF_OK);
    assert_status(log0_apply(log, LF_ENTRY_METADATA, 0, lf_buf_bytes(command), &a), LF_OK);
    assert_status(a.status, b.status);
    assert_string_equal(a.text, b.text);
    assert_int_equal(a.first_producer_id, b.first_producer_id);
    assert_int_equal(a.created ? a.created->topic_id : 0, b.created ? b.created->topic_id : 0);
    assert_int_equal(a.deleted ? a.deleted->topic_id : 0, b.deleted ? b.deleted->topic_id : 0);
    assert_int_equal(a.partition ? a.partition->group : 0, b.partition ? b.partition->group : 0);
    assert_int_equal(a.epoch, b.epoch);
    assert_int_equal(a.replica_id, b.replica_id);
    assert_int_equal(a.nodes, b.nodes);
    lf_buf_unref(&command);
}

static void random_commands_survive_loading_from_rows(void **state) {
    (void)state;
    for (uint32_t seed = 1; seed <= 60; seed++) {
        struct log0 log, twin;
        uint32_t random = seed * 2654435761u;
        log0_open(&log, NULL);
        log0_open(&twin, NULL);
        log0_found(&log, 4);
        log0_found(&twin, 4);
        for (int i = 0; i < 240; i++) {
            random_command(&log, &random, twin.metadata);
            if (next_random(&random) % 15 != 0)
                continue;
            log0_flush(&log);
            metadata_destroy(&log.metadata);
            log.metadata = metadata_new(NULL);
            if (metadata_load(log.metadata, log.image.applied_index, log.image.rows, log.image.count, &log.error) !=
                LF_OK)
                fail_msg("%s", log.error.text);
            same_state(twin.metadata, log.metadata);
        }
        log0_close(&log);
        log0_close(&twin);
    }
}

static void large_topic_goes_into_several_rows(void **state) {
    struct log0 *log = *state;
    log0_create(log, "wide", 2500, 3);
    log0_flush(log);
    size_t rows = 0, largest = 0;
    for (size_t i = 0; i < log->image.count; i++) {
        rows += log->image.rows[i].key.data[0] == 't';
        largest = log->image.rows[i].value.size > largest ? log->image.rows[i].value.size : largest;
    }
    assert_int_equal(rows, 3);
    assert_true(largest < LOG_STORE_ROW_VALUE_BYTES_MAX / 4);
    struct metadata *again = metadata_new(NULL);
    assert_status(metadata_load(again, 2, log->image.rows, log->image.count, &log->error), LF_OK);
    same_state(log->metadata, again);
    metadata_destroy(&again);
    for (size_t i = 0; i < log->image.count; i++) { /* not one row may be missing */
        struct log_store_row left[16];
        size_t count = 0;
        for (size_t k = 0; k < log->image.count; k++)
            if (k != i)
                left[count++] = log->image.rows[k];
        again = metadata_new(NULL);
        enum lf_status status = metadata_load(again, 2, left, count, &log->error);
        if (log->image.rows[i].key.data[0] != 'n')
            assert_status(status, LF_DAMAGED);
        metadata_destroy(&again);
    }
}

static void spoilt_rows_are_damage_or_a_sound_state(void **state) {
    struct log0 *log = *state;
    log0_create(log, "a", 3, 3);
    log0_create(log, "b", 1, 1);
    log0_command(log, metadata_command_delete_topic(2));
    log0_apply(log, LF_ENTRY_CONFIGURATION, 0, lf_bytes_text("voters"), NULL);
    log0_join(log, 4, 4);
    log0_move(log, 1, 0, NODES(4, 1));
    log0_report(log, 1, 2);
    log0_move(log, 1, 1, NODES(2, 4));
    log0_command(log, metadata_command_drain_node(3, false));
    log0_flush(log);
    uint64_t applied = metadata_applied_index(log->metadata);
    uint32_t random = 99, refused = 0;
    for (int round = 0; round < 20000; round++) {
        struct log_store_row rows[16];
        uint8_t copy[1024];
        memcpy(rows, log->image.rows, log->image.count * sizeof *rows);
        struct log_store_row *row = &rows[next_random(&random) % log->image.count];
        memcpy(copy, row->key.data, row->key.size);
        memcpy(copy + row->key.size, row->value.data, row->value.size);
        copy[next_random(&random) % (row->key.size + row->value.size)] ^= (uint8_t)(1u << next_random(&random) % 8);
        size_t size = next_random(&random) % 8 ? row->value.size : next_random(&random) % row->value.size;
        row->value = lf_bytes(copy + row->key.size, size);
        row->key.data = copy;
        struct metadata *again = metadata_new(NULL);
        enum lf_status status = metadata_load(again, applied, rows, log->image.count, &log->error);
        /* LF_UNSUPPORTED: a setting's number or value that a newer version might know */
        assert_true(status == LF_OK || status == LF_DAMAGED || status == LF_UNSUPPORTED);
        refused += status != LF_OK;
        if (status == LF_OK) {
            struct lf_entry_header header = {
                .type = LF_ENTRY_METADATA, .index = applied + 1, .log_time_ms = UINT64_MAX};
            struct lf_buf *command = metadata_command_create_topic("new", 3, 3, NULL);
            assert_status(metadata_apply(again, &header, lf_buf_bytes(command), NULL, NULL, &log->error), LF_OK);
            lf_buf_unref(&command);
        }
        metadata_destroy(&again);
    }
    assert_in_range(refused, 5000, 19999);
}

static void ten_thousand_topics_are_found_at_once(void **state) {
    (void)state;
    struct log0 log;
    log0_open(&log, NULL);
    log0_found(&log, 5);
    char name[32];
    for (uint32_t i = 0; i < 10000; i++) {
        snprintf(name, sizeof name, "topic-%u", i);
        assert_status(log0_create(&log, name, 10, 3).status, LF_OK);
        if (i % 100 == 0)
            log0_flush(&log);
    }
    assert_int_equal(metadata_partition_count(log.metadata), 100000);
    for (int round = 0; round < 20; round++)
        for (uint32_t i = 0; i < 10000; i++) {
            snprintf(name, sizeof name, "topic-%u", i);
            assert_int_equal(by_name(&log, name)->topic_id, i + 1);
            assert_int_equal(metadata_partition_by_group(log.metadata, i * 10 + 5)->topic_id, i + 1);
        }
    assert_status(log0_create(&log, "one-more", 1, 1).status, LF_OK);
    assert_status(metadata_judge_create(log.metadata, lf_bytes_text("too-many"), 1, 1, NULL), LF_OVERLOADED);
    log0_flush(&log);
    struct metadata *again = metadata_new(NULL);
    assert_status(metadata_load(again, log.image.applied_index, log.image.rows, log.image.count, &log.error), LF_OK);
    assert_int_equal(metadata_applied_checksum(again), metadata_applied_checksum(log.metadata));
    metadata_destroy(&again);
    log0_close(&log);
}

int main(void) {
#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define FOUNDED_FACT(name) cmocka_unit_test_setup_teardown(name, set_up_founded, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topic_names_follow_the_rule),
        FACT(founding_brings_id_name_and_nodes_in_order),
        FOUNDED_FACT(cluster_is_founded_once),
        FACT(founding_with_shared_ids_is_invalid),
        FACT(nothing_happens_before_founding),
        FOUNDED_FACT(store_is_pinned_once),
        FOUNDED_FACT(created_topic_is_found_in_every_way),
        FOUNDED_FACT(replica_ids_are_never_given_twice),
        FOUNDED_FACT(create_refuses_in_words),
        FOUNDED_FACT(limits_are_judged_before_the_log_and_never_after),
        FOUNDED_FACT(deleted_topic_stays_as_a_tombstone),
        FOUNDED_FACT(name_may_come_back_under_a_new_id),
        FOUNDED_FACT(producer_ids_rise_by_what_was_taken),
        cmocka_unit_test(replicas_are_on_different_nodes_and_spread),
        FOUNDED_FACT(first_replicas_of_small_topics_go_round_too),
        FOUNDED_FACT(what_a_lost_node_led_is_shared_by_the_others),
        FOUNDED_FACT(entries_that_do_not_belong_are_internal),
        FOUNDED_FACT(newer_types_and_commands_stop_applying),
        FOUNDED_FACT(ids_of_producers_and_replicas_go_on_behind_after_a_lost_majority),
        FOUNDED_FACT(configuration_is_kept),
        cmocka_unit_test(random_commands_survive_loading_from_rows),
        FOUNDED_FACT(large_topic_goes_into_several_rows),
        FOUNDED_FACT(spoilt_rows_are_damage_or_a_sound_state),
        cmocka_unit_test(ten_thousand_topics_are_found_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
