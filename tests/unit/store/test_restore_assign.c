/** The metadata of a cluster restored from several backups names the one node for everything, by commands in its log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "backup_tool.h"
#include "lf_entry.h"

#define HOME 2 /* the node of the base */
#define NODES 4

struct fixture {
    struct metadata *metadata;
    struct lf_buf *entries[16]; /* what it was made of */
    uint64_t last_index;
    struct restore_part parts[8];
    struct restore_plan plan;
    struct recover_group group;
    struct log_store_write *write;
    struct lf_error error;
};

static void apply(struct metadata *metadata, const struct lf_buf *entry) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    struct lf_error error;
    struct metadata_applied applied = {0};
    assert_int_equal(lf_entry_check(lf_buf_bytes(entry), 0, &header, &payload, &error), LF_OK);
    assert_int_equal(metadata_apply(metadata, &header, payload, NULL, &applied, &error), LF_OK);
    assert_int_equal(applied.status, LF_OK);
}

static void command(struct fixture *f, struct lf_buf *command) {
    struct lf_bytes payload = lf_buf_bytes(command);
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + payload.size);
    struct lf_entry_header header = {.type = LF_ENTRY_METADATA,
                                     .flags = LF_ENTRY_MUST_UNDERSTAND,
                                     .payload_bytes = (uint32_t)payload.size,
                                     .index = f->last_index + 1,
                                     .term = 3,
                                     .log_time_ms = 1000,
                                     .replica_id = 2};
    memcpy(entry->data + LF_ENTRY_HEADER_BYTES, payload.data, payload.size);
    lf_entry_encode(&header, 0, payload, entry->data);
    lf_buf_unref(&command);
    apply(f->metadata, entry);
    f->entries[f->last_index++] = entry;
}

static const struct metadata_partition *partition_of(const struct fixture *f, const char *topic, uint32_t number) {
    return &metadata_topic_by_name(f->metadata, lf_bytes_text(topic))->partitions[number];
}

static int set_up(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    struct metadata_node nodes[NODES];
    const uint8_t id[LOG_STORE_ID_BYTES] = {1};
    for (uint64_t i = 0; i < NODES; i++)
        nodes[i] = (struct metadata_node){.node_id = i + 1,
                                          .host = "h",
                                          .client_port = 1,
                                          .peer_port = 2,
                                          .replica_id = i + 1,
                                          .pinned = true,
                                          .store_uuid = {(uint8_t)(i + 1)}};
    f->metadata = metadata_new(NULL);
    command(f, metadata_command_found(id, "test", nodes, NODES));
    for (uint8_t i = 1; i <= NODES; i++)
        command(f, metadata_command_pin(i, (const uint8_t[LOG_STORE_ID_BYTES]){i}));
    command(f, metadata_command_create_topic("one", 4, 1, NULL));
    command(f, metadata_command_create_topic("three", 4, 3, NULL));
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < f->last_index; i++)
        lf_buf_unref(&f->entries[i]);
    log_store_write_destroy(&f->write);
    metadata_destroy(&f->metadata);
    free(f);
    return 0;
}

/** All partitions of both topics; each from its first replica's node, or from the base where that has it. */
static void plan_all(struct fixture *f) {
    const char *names[] = {"one", "three"};
    f->plan = (struct restore_plan){.parts = f->parts, .base = HOME - 1};
    for (uint64_t i = 0; i < NODES; i++)
        f->plan.node_ids[i] = i + 1;
    for (size_t i = 0; i < 8; i++) {
        const struct metadata_partition *partition = partition_of(f, names[i / 4], i % 4);
        bool here = metadata_replica_on(partition, HOME) != 0;
        f->parts[f->plan.count++] =
            (struct restore_part){.group = partition->group,
                                  .source = here ? f->plan.base : (uint32_t)partition->wanted.replicas[0].node_id - 1};
    }
}

static enum lf_status assign(struct fixture *f) {
    f->group = (struct recover_group){
        .replica_id = HOME, .term = 3, .last_term = 3, .last_index = f->last_index, .log_time_ms = 1000};
    assert_int_equal(recover_group_write(&f->group, true, 1, &f->write, &f->error), LF_OK);
    return restore_assign(&f->plan, HOME, &f->group, f->write, f->metadata, &f->error);
}

static void every_partition_is_wanted_on_the_node_and_keeps_its_count(void **state) {
    struct fixture *f = *state;
    uint64_t had[8], other = 0;
    const char *names[] = {"one", "three"};
    plan_all(f);
    for (size_t i = 0; i < 8; i++)
        had[i] = metadata_replica_on(partition_of(f, names[i / 4], i % 4), HOME);
    assert_int_equal(assign(f), LF_OK);
    for (size_t i = 0; i < 8; i++) {
        const struct metadata_partition *partition = partition_of(f, names[i / 4], i % 4);
        uint64_t replica = metadata_replica_on(partition, HOME);
        assert_int_equal(partition->wanted.replica_count, i / 4 == 0 ? 1 : 3);
        if (had[i] != 0)
            assert_int_equal(replica, had[i]);
        else
            assert_true(replica > LF_OFFSET_JUMP && partition->wanted.epoch == partition->current.epoch + 1);
        other += had[i] == 0;
    }
    assert_true(other >= 3);
    assert_int_equal(f->write->entry_count, 2 + other); /* the configuration, the jump, a move each */
}

static void who_replays_the_log_gets_the_same(void **state) {
    struct fixture *f = *state;
    struct metadata *replayed = metadata_new(NULL);
    plan_all(f);
    assert_int_equal(assign(f), LF_OK);
    for (size_t i = 0; i < f->last_index; i++)
        apply(replayed, f->entries[i]);
    for (uint32_t i = 0; i < f->write->entry_count; i++)
        apply(replayed, f->write->entries[i]);
    assert_int_equal(metadata_applied_checksum(replayed), metadata_applied_checksum(f->metadata));
    metadata_destroy(&replayed);
}

static void a_node_that_was_being_drained_takes_all_again(void **state) {
    struct fixture *f = *state;
    command(f, metadata_command_drain_node(HOME, false));
    plan_all(f);
    assert_int_equal(assign(f), LF_OK);
    assert_false(metadata_node(f->metadata, HOME)->draining);
    for (uint32_t i = 0; i < 4; i++)
        assert_true(metadata_replica_on(partition_of(f, "one", i), HOME) != 0);
}

static void what_the_metadata_does_not_know_or_has_deleted_is_left_out(void **state) {
    struct fixture *f = *state;
    plan_all(f);
    f->parts[7].group = 999;
    command(f, metadata_command_delete_topic(metadata_topic_by_name(f->metadata, lf_bytes_text("one"))->topic_id));
    assert_int_equal(restore_plan_keep_known(&f->plan, f->metadata), 1);
    assert_int_equal(f->plan.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(f->parts[i].group, partition_of(f, "three", (uint32_t)i)->group);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_partition_is_wanted_on_the_node_and_keeps_its_count),
        TEST(who_replays_the_log_gets_the_same),
        TEST(a_node_that_was_being_drained_takes_all_again),
        TEST(what_the_metadata_does_not_know_or_has_deleted_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
