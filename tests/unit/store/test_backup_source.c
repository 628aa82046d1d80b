/** What a backup's store says, when the metadata's log is ahead of what is applied of it. */
#include "rocks_backend.h"

#include "backup_tool.h"
#include "lf_entry.h"
#include "raft_log.pb-c.h"
#include "rocks_store.h"
#include "scratch_directory.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NODE 1
#define NODES 3

static const struct log_store_identity identity = {.node_id = NODE, .store_uuid = {1}, .cluster_id = {2}};

static struct lf_buf *entry_of(uint64_t index, uint8_t type, struct lf_bytes payload) {
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + payload.size);
    struct lf_entry_header header = {.type = type,
                                     .flags = LF_ENTRY_MUST_UNDERSTAND,
                                     .payload_bytes = (uint32_t)payload.size,
                                     .index = index,
                                     .term = 3,
                                     .log_time_ms = 1000 + index,
                                     .replica_id = 1};
    memcpy(entry->data + LF_ENTRY_HEADER_BYTES, payload.data, payload.size);
    lf_entry_encode(&header, 0, payload, entry->data);
    return entry;
}

static struct lf_buf *command_entry(uint64_t index, struct lf_buf *command) {
    struct lf_buf *entry = entry_of(index, LF_ENTRY_METADATA, lf_buf_bytes(command));
    lf_buf_unref(&command);
    return entry;
}

static struct lf_buf *members_entry(uint64_t index) {
    uint8_t bytes[32];
    uint64_t voters[NODES] = {1, 2, 3};
    Lf__ConfigurationEntry entry = LF__CONFIGURATION_ENTRY__INIT;
    entry.n_voters = NODES;
    entry.voters = voters;
    return entry_of(index, LF_ENTRY_CONFIGURATION, lf_bytes(bytes, lf__configuration_entry__pack(&entry, bytes)));
}

static void apply(struct metadata *metadata, const struct lf_buf *entry, struct log_store_write *write) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    struct lf_error error;
    struct metadata_applied applied = {0};
    assert_int_equal(lf_entry_check(lf_buf_bytes(entry), 0, &header, &payload, &error), LF_OK);
    assert_int_equal(metadata_apply(metadata, &header, payload, write, &applied, &error), LF_OK);
    assert_int_equal(applied.status, LF_OK);
}

static void submit(struct log_store *store, struct log_store_write *write) {
    struct log_store_completion *completion = NULL;
    write->sync = true;
    assert_int_equal(log_store_submit(store, &write), LF_OK);
    while (!(completion = log_store_poll(store)))
        poll(&(struct pollfd){.fd = log_store_fd(store), .events = POLLIN}, 1, -1);
    if (completion->status != LF_OK)
        fail_msg("%s", completion->error.text);
    log_store_completion_destroy(&completion);
}

static struct log_store_write *new_group(uint64_t group, uint64_t replica) {
    struct log_store_write *write = log_store_write_new(group, 1);
    write->create = write->has_hard_state = true;
    write->replica_id = replica;
    write->term = 3;
    return write;
}

/** The cluster is founded; that topic t was created is in the log, and its partition has just begun. */
static uint64_t make_store(const char *directory) {
    struct rocks_store_options options = {.directory = directory, .create = true};
    struct metadata_node nodes[NODES] = {0};
    for (uint32_t i = 0; i < NODES; i++)
        nodes[i] = (struct metadata_node){.node_id = 1 + i,
                                          .host = "h",
                                          .client_port = 1 + i,
                                          .peer_port = 11 + i,
                                          .replica_id = 1 + i,
                                          .pinned = true,
                                          .store_uuid = {(uint8_t)(1 + i)}};
    struct lf_buf *entries[] = {members_entry(1),
                                command_entry(2, metadata_command_found(identity.cluster_id, "test", nodes, NODES)),
                                command_entry(3, metadata_command_create_topic("t", 1, NODES, NULL))};
    struct metadata *metadata = metadata_new(NULL);
    struct log_store_write *write = new_group(0, 1);
    struct log_store *store;
    struct lf_error error = {0};
    size_t cursor = 0;
    if (rocks_store_open(&options, &identity, &store, &error) != LF_OK)
        fail_msg("%s", error.text);
    apply(metadata, entries[0], write);
    apply(metadata, entries[1], write);
    write->applied_index = 2;
    apply(metadata, entries[2], NULL);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(log_store_write_add_entry(write, i + 1, entries[i]), LF_OK);
    submit(store, write);
    const struct metadata_partition *partition = &metadata_next_topic(metadata, &cursor)->partitions[0];
    uint64_t group = partition->group;
    submit(store, new_group(group, metadata_replica_on(partition, NODE)));
    metadata_destroy(&metadata);
    log_store_close(&store);
    return group;
}

static void a_partition_that_just_began_is_whole(void **state) {
    (void)state;
    char *directory = scratch_directory_new();
    struct backup_wish wish = {.store = {.quiet = true}};
    struct backup_source source = {.about = {.node_id = NODE}};
    struct recover_group look;
    struct lf_error error = {0};
    char name[STORE_NAME_BYTES];
    uint64_t group = make_store(directory);
    assert_int_equal(backup_source_open(&source, &wish, directory), STORE_EXIT_OK);
    assert_null(metadata_partition_by_group(source.tool.metadata, group));
    assert_non_null(metadata_partition_by_group(source.metadata, group));
    if (recover_group_look(&source.tool, group, &look, &error) != LF_OK)
        fail_msg("%s", error.text);
    store_group_name(&source.tool, group, name);
    assert_string_equal(name, "t/0");
    assert_int_equal(look.voter_count, NODES);
    assert_true(look.votes);
    assert_int_equal(backup_part_of(source.metadata, NODE, &look), BACKUP_PART_WHOLE);
    assert_int_equal(recover_group_look(&source.tool, 0, &look, &error), LF_OK); /* which has its own tail */
    assert_int_equal(look.last_index, 3);
    backup_source_close(&source);
    scratch_directory_remove(directory);
    free(directory);
}

static void recover_knows_it_as_well(void **state) {
    (void)state;
    char *directory = scratch_directory_new();
    struct store_wish wish = {.directory = directory, .quiet = true, .lost_majority = true, .execute = true};
    struct store_tool tool = {.wish = &wish};
    struct recover_group look;
    struct lf_error error = {0};
    uint64_t group = make_store(directory);
    assert_int_equal(store_tool_open(&tool), STORE_EXIT_OK);
    assert_int_equal(store_recover(&tool), STORE_EXIT_OK);
    assert_null(metadata_partition_by_group(tool.metadata, group)); /* not applied: the node does that */
    assert_int_equal(recover_group_look(&tool, group, &look, &error), LF_OK);
    assert_true(look.alone);
    store_tool_close(&tool);
    scratch_directory_remove(directory);
    free(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_partition_that_just_began_is_whole),
        cmocka_unit_test(recover_knows_it_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
