/** The log of the metadata under another cluster id: only what founded the cluster is another entry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "backup_tool.h"
#include "lf_entry.h"

static const uint8_t old_id[LOG_STORE_ID_BYTES] = {1, 2, 3}, new_id[LOG_STORE_ID_BYTES] = {9, 8, 7};

static struct lf_buf *entry_of(uint64_t index, uint8_t type, struct lf_bytes payload) {
    struct lf_buf *entry = lf_buf_new(LF_ENTRY_HEADER_BYTES + payload.size);
    struct lf_entry_header header = {.type = type,
                                     .flags = LF_ENTRY_MUST_UNDERSTAND,
                                     .payload_bytes = (uint32_t)payload.size,
                                     .index = index,
                                     .term = 3,
                                     .log_time_ms = 1000 + index,
                                     .replica_id = 2};
    if (payload.size > 0)
        memcpy(entry->data + LF_ENTRY_HEADER_BYTES, payload.data, payload.size);
    lf_entry_encode(&header, 0, payload, entry->data);
    return entry;
}

static struct lf_buf *command_entry(uint64_t index, struct lf_buf *command) {
    struct lf_buf *entry = entry_of(index, LF_ENTRY_METADATA, lf_buf_bytes(command));
    lf_buf_unref(&command);
    return entry;
}

static void apply(struct metadata *metadata, const struct lf_buf *entry) {
    struct lf_entry_header header;
    struct lf_bytes payload;
    struct lf_error error;
    struct metadata_applied applied = {0};
    assert_int_equal(lf_entry_check(lf_buf_bytes(entry), 0, &header, &payload, &error), LF_OK);
    assert_int_equal(metadata_apply(metadata, &header, payload, NULL, &applied, &error), LF_OK);
    assert_int_equal(applied.status, LF_OK);
}

static void what_founded_the_cluster_says_the_new_id_and_all_else_the_same(void **state) {
    (void)state;
    struct metadata_node node = {.node_id = 1,
                                 .host = "h",
                                 .client_port = 1,
                                 .peer_port = 2,
                                 .replica_id = 1,
                                 .pinned = true,
                                 .store_uuid = {5}};
    struct lf_buf *entry = command_entry(1, metadata_command_found(old_id, "test", &node, 1));
    struct lf_buf *made = restore_metadata_entry(entry, new_id);
    struct metadata *before = metadata_new(NULL), *after = metadata_new(NULL);
    struct lf_entry_header old_header, new_header;
    struct lf_bytes payload;
    assert_non_null(made);
    assert_int_equal(lf_entry_check(lf_buf_bytes(entry), 0, &old_header, &payload, NULL), LF_OK);
    assert_int_equal(lf_entry_check(lf_buf_bytes(made), 0, &new_header, &payload, NULL), LF_OK);
    assert_int_equal(new_header.index, old_header.index);
    assert_int_equal(new_header.term, old_header.term);
    assert_int_equal(new_header.log_time_ms, old_header.log_time_ms);
    apply(before, entry);
    apply(after, made);
    assert_memory_equal(metadata_cluster_id(before), old_id, LOG_STORE_ID_BYTES);
    assert_memory_equal(metadata_cluster_id(after), new_id, LOG_STORE_ID_BYTES);
    assert_string_equal(metadata_cluster_name(after), "test");
    assert_memory_equal(metadata_node(after, 1)->store_uuid, node.store_uuid, LOG_STORE_ID_BYTES);
    metadata_destroy(&before);
    metadata_destroy(&after);
    lf_buf_unref(&entry);
    lf_buf_unref(&made);
}

static void other_entries_stay_as_they_are(void **state) {
    (void)state;
    struct lf_buf *entries[] = {command_entry(2, metadata_command_create_topic("t", 2, 1, NULL)),
                                command_entry(3, metadata_command_pin(1, old_id)),
                                entry_of(4, LF_ENTRY_CONFIGURATION, lf_bytes(NULL, 0))};
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        struct lf_buf *made = restore_metadata_entry(entries[i], new_id);
        assert_ptr_equal(made, entries[i]);
        lf_buf_unref(&made);
        lf_buf_unref(&entries[i]);
    }
}

static void what_cannot_be_read_is_refused(void **state) {
    (void)state;
    struct lf_buf *entry = command_entry(2, metadata_command_create_topic("t", 2, 1, NULL));
    entry->data[entry->size - 1] ^= 1; /* its sum is another one now */
    assert_null(restore_metadata_entry(entry, new_id));
    lf_buf_unref(&entry);
    entry = entry_of(2, LF_ENTRY_METADATA, lf_bytes_text("\xff\xff\xff"));
    assert_null(restore_metadata_entry(entry, new_id));
    lf_buf_unref(&entry);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_founded_the_cluster_says_the_new_id_and_all_else_the_same),
        cmocka_unit_test(other_entries_stay_as_they_are),
        cmocka_unit_test(what_cannot_be_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
