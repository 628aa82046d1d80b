/** Topic settings in group 0: kept, changed, loaded again, and left alone by versions that do not know them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commands.h"
#include "metadata.pb-c.h"

static int set_up(void **state) {
    struct log0 *log = calloc(1, sizeof *log);
    log0_open(log, NULL);
    *state = log;
    return log->metadata && log->write && log0_found(log, 3).founded ? 0 : -1;
}

static int tear_down(void **state) {
    struct log0 *log = *state;
    log0_close(log);
    free(log);
    return 0;
}

#define assert_status(got, wanted) assert_string_equal(lf_status_name(got), lf_status_name(wanted))

/** "name=value" texts, NULL ends them; a text without "=" is a reset. */
static struct topic_settings_change change_of(const char *const *texts) {
    struct topic_settings_change change = {0};
    struct lf_error error;
    for (; *texts; texts++) {
        char name[64];
        size_t size = strcspn(*texts, "=");
        memcpy(name, *texts, size);
        name[size] = '\0';
        if (topic_settings_change_add(&change, name, (*texts)[size] ? *texts + size + 1 : NULL, &error) != LF_OK)
            fail_msg("%s", error.text);
    }
    return change;
}
#define CHANGE(...) change_of((const char *const[]){__VA_ARGS__, NULL})

static struct metadata_applied create(struct log0 *log, const char *name, struct topic_settings_change settings) {
    return log0_command(log, metadata_command_create_topic(name, 1, 3, &settings));
}

static struct metadata_applied alter(struct log0 *log, uint64_t topic_id, struct topic_settings_change change) {
    return log0_command(log, metadata_command_alter_topic(topic_id, &change));
}

static const struct metadata_topic *topic(const struct log0 *log, uint64_t id) {
    return metadata_topic_by_id(log->metadata, id);
}

/** The state as it is after a restart, and the machine that ran. */
static void expect_the_same_when_loaded(struct log0 *log) {
    log0_flush(log);
    struct metadata *loaded = metadata_new(NULL);
    assert_status(
        metadata_load(loaded, metadata_applied_index(log->metadata), log->image.rows, log->image.count, &log->error),
        LF_OK);
    assert_int_equal(metadata_applied_checksum(log->metadata), metadata_applied_checksum(loaded));
    size_t cursor = 0;
    const struct metadata_topic *at;
    while ((at = metadata_next_topic(log->metadata, &cursor))) {
        const struct metadata_topic *other = metadata_topic_by_id(loaded, at->topic_id);
        assert_memory_equal(&at->settings, &other->settings, sizeof at->settings);
        assert_int_equal(at->settings_set, other->settings_set);
    }
    metadata_destroy(&loaded);
}

static void a_topic_has_the_defaults_but_for_what_it_was_created_with(void **state) {
    struct log0 *log = *state;
    log0_create(log, "plain", 1, 3);
    assert_memory_equal(&topic(log, 1)->settings, &topic_settings_default, sizeof topic_settings_default);
    assert_int_equal(0, topic(log, 1)->settings_set);
    assert_status(create(log, "set", CHANGE("retention.ms=1h", "cleanup.policy=compact,delete")).status, LF_OK);
    struct topic_settings wanted = topic_settings_default;
    wanted.retention_ms = 3600 * 1000;
    wanted.cleanup_policy = TOPIC_CLEANUP_COMPACT | TOPIC_CLEANUP_DELETE;
    assert_memory_equal(&topic(log, 2)->settings, &wanted, sizeof wanted);
    expect_the_same_when_loaded(log);
}

static void settings_change_one_by_one_and_go_back_to_their_defaults(void **state) {
    struct log0 *log = *state;
    create(log, "t", CHANGE("retention.bytes=1GiB", "segment.bytes=1MiB"));
    struct metadata_applied applied = alter(log, 1, CHANGE("retention.bytes=2GiB", "retention.ms=1d"));
    assert_status(applied.status, LF_OK);
    assert_ptr_equal(topic(log, 1), applied.altered);
    assert_int_equal(2ll << 30, topic(log, 1)->settings.retention_bytes);
    assert_int_equal(1 << 20, topic(log, 1)->settings.segment_bytes);
    assert_int_equal(86400000, topic(log, 1)->settings.retention_ms);
    expect_the_same_when_loaded(log);
    assert_status(alter(log, 1, CHANGE("retention.bytes", "segment.bytes", "retention.ms")).status, LF_OK);
    assert_memory_equal(&topic(log, 1)->settings, &topic_settings_default, sizeof topic_settings_default);
    assert_int_equal(0, topic(log, 1)->settings_set);
    expect_the_same_when_loaded(log);
}

static void the_default_may_be_set_on_purpose(void **state) {
    struct log0 *log = *state;
    create(log, "t", CHANGE("segment.ms=7d"));
    assert_memory_equal(&topic(log, 1)->settings, &topic_settings_default, sizeof topic_settings_default);
    assert_int_equal(UINT32_C(1) << topic_setting_named("segment.ms"), topic(log, 1)->settings_set);
    expect_the_same_when_loaded(log);
}

static void only_a_topic_that_lives_is_altered(void **state) {
    struct log0 *log = *state;
    log0_create(log, "t", 1, 3);
    assert_status(alter(log, 9, CHANGE("segment.ms=1h")).status, LF_TOPIC_UNKNOWN);
    log0_command(log, metadata_command_delete_topic(1));
    assert_status(alter(log, 1, CHANGE("segment.ms=1h")).status, LF_TOPIC_DELETED);
    log0_create(log, "t", 1, 3);
    assert_status(alter(log, 1, CHANGE("segment.ms=1h")).status, LF_TOPIC_DELETED);
    assert_memory_equal(&topic(log, 2)->settings, &topic_settings_default, sizeof topic_settings_default);
}

static void settings_survive_where_partitions_take_many_rows(void **state) {
    struct log0 *log = *state;
    struct topic_settings_change change = CHANGE("retention.bytes=5");
    assert_status(log0_command(log, metadata_command_create_topic("wide", 2500, 1, &change)).status, LF_OK);
    expect_the_same_when_loaded(log);
    assert_status(alter(log, 1, CHANGE("retention.bytes=6")).status, LF_OK);
    expect_the_same_when_loaded(log);
}

/** A command as a later version could make it. */
static enum lf_status apply_setting(struct log0 *log, bool reset, uint32_t number, int64_t value) {
    Lf__TopicSettingValue set = LF__TOPIC_SETTING_VALUE__INIT, *pointer = &set;
    Lf__AlterTopicCommand body = LF__ALTER_TOPIC_COMMAND__INIT;
    Lf__MetadataCommand command = LF__METADATA_COMMAND__INIT;
    set.setting = number;
    set.value = value;
    body.topic_id = 1;
    body.n_set = !reset;
    body.set = &pointer;
    body.n_reset = reset;
    body.reset = &number;
    command.body_case = LF__METADATA_COMMAND__BODY_ALTER_TOPIC;
    command.alter_topic = &body;
    uint8_t bytes[64];
    size_t size = lf__metadata_command__pack(&command, bytes);
    return log0_apply(log, LF_ENTRY_METADATA, LF_ENTRY_MUST_UNDERSTAND, lf_bytes(bytes, size), NULL);
}

static void what_only_a_newer_version_knows_stops_the_applying(void **state) {
    struct log0 *log = *state;
    log0_create(log, "t", 1, 3);
    uint64_t before = metadata_applied_index(log->metadata);
    assert_status(apply_setting(log, false, 9999, 1), LF_UNSUPPORTED);
    assert_status(apply_setting(log, true, 9999, 0), LF_UNSUPPORTED);
    assert_status(apply_setting(log, false, 3, 1), LF_UNSUPPORTED); /* segment.bytes=1 is not within our range */
    assert_int_equal(before, metadata_applied_index(log->metadata));
    assert_status(apply_setting(log, false, 3, 1 << 20), LF_OK);
    assert_int_equal(1 << 20, topic(log, 1)->settings.segment_bytes);
}

static void a_change_names_each_setting_once(void **state) {
    (void)state;
    struct topic_settings_change change = {0};
    struct lf_error error;
    assert_status(topic_settings_change_add(&change, "retention.ms", "1h", &error), LF_OK);
    assert_status(topic_settings_change_add(&change, "retention.ms", NULL, &error), LF_INVALID);
    assert_string_equal("retention.ms is named twice", error.text);
    assert_status(topic_settings_change_add(&change, "segment.ms", NULL, &error), LF_OK);
    assert_status(topic_settings_change_add(&change, "segment.ms", "1h", &error), LF_INVALID);
    assert_status(topic_settings_change_add(&change, "segments", NULL, &error), LF_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_topic_has_the_defaults_but_for_what_it_was_created_with, set_up, tear_down),
        cmocka_unit_test_setup_teardown(settings_change_one_by_one_and_go_back_to_their_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_default_may_be_set_on_purpose, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_a_topic_that_lives_is_altered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(settings_survive_where_partitions_take_many_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_only_a_newer_version_knows_stops_the_applying, set_up, tear_down),
        cmocka_unit_test(a_change_names_each_setting_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
