/** Topics and their settings as clients meet them at whole nodes; and how a session ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "node_story.h"

static int setup(void **state) {
    struct world *world = calloc(1, sizeof *world);
    world_init(world, 3);
    *state = world;
    return 0;
}

static int teardown(void **state) {
    world_deinit(*state);
    free(*state);
    return 0;
}

/** "name=value" is set, "name" reset. */
static const struct world_reply *alter(struct world *world, const char *topic, uint64_t id, const char *name,
                                       const char *value) {
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    Lf__TopicSetting set = LF__TOPIC_SETTING__INIT, *pointer = &set;
    Lf__AlterTopic body = LF__ALTER_TOPIC__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    char *reset = (char *)(uintptr_t)name;
    ref.name = (char *)(uintptr_t)topic;
    ref.id = id;
    set.name = reset;
    set.value = (char *)(uintptr_t)value;
    body.topic = &ref;
    body.n_set = value != NULL;
    body.set = &pointer;
    body.n_reset = value == NULL;
    body.reset = &reset;
    request.body_case = LF__CLIENT_REQUEST__BODY_ALTER_TOPIC;
    request.alter_topic = &body;
    const struct world_reply *reply = world_command(world, &request, 3000);
    assert_non_null(reply);
    return reply;
}

/** As any node says, in a session of its own. */
static const Lf__SettingDescription *setting(struct world *world, size_t node, const char *topic, const char *name) {
    static uint64_t session = 500;
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    Lf__DescribeSettings body = LF__DESCRIBE_SETTINGS__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    ref.name = (char *)(uintptr_t)topic;
    body.topic = topic ? &ref : NULL;
    request.protocol_version = 1;
    request.request_id = 2;
    request.body_case = LF__CLIENT_REQUEST__BODY_DESCRIBE_SETTINGS;
    request.describe_settings = &body;
    world_hello(world, node, ++session);
    world_request(world, node, session, &request, NULL);
    const struct world_reply *reply = world_answer(world, session, 2, 3000);
    assert_non_null(reply);
    assert_status((enum lf_status)reply->reply->status, LF_OK);
    const Lf__DescribeSettingsReply *said = reply->reply->describe_settings;
    for (size_t i = 0; i < said->n_settings; i++)
        if (strcmp(said->settings[i]->name, name) == 0)
            return said->settings[i];
    return NULL;
}

static void settings_altered_are_seen_at_once_on_every_node(void **state) {
    struct world *world = *state;
    world_topic(world, "t", 1, 3);
    const struct world_reply *reply = alter(world, "t", 0, "retention.bytes", "1 GiB");
    assert_status((enum lf_status)reply->reply->status, LF_OK);
    for (size_t node = 0; node < 3; node++) {
        const Lf__SettingDescription *said = setting(world, node, "t", "retention.bytes");
        assert_string_equal(said->value, "1073741824");
        assert_string_equal(said->text, "1 GiB");
        assert_string_equal(said->default_text, "unlimited");
        assert_true(said->is_set);
        assert_false(setting(world, node, "t", "segment.ms")->is_set);
    }
    assert_status((enum lf_status)alter(world, "t", 0, "retention.bytes", NULL)->reply->status, LF_OK);
    assert_string_equal(setting(world, 1, "t", "retention.bytes")->value, "-1");
}

static const Lf__ClientReply *create(struct world *world, uint32_t partitions, const char *value) {
    Lf__TopicSetting set = LF__TOPIC_SETTING__INIT, *pointer = &set;
    Lf__CreateTopic body = LF__CREATE_TOPIC__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    set.name = (char *)(uintptr_t) "retention.ms";
    set.value = (char *)(uintptr_t)value;
    body.name = (char *)(uintptr_t) "t";
    body.partitions = partitions;
    body.replicas = 3;
    body.n_settings = value != NULL;
    body.settings = &pointer;
    request.body_case = LF__CLIENT_REQUEST__BODY_CREATE_TOPIC;
    request.create_topic = &body;
    const struct world_reply *reply = world_command(world, &request, 3000);
    assert_non_null(reply);
    return reply->reply;
}

static void a_topic_that_exists_is_compared_with_what_was_asked_for(void **state) {
    struct world *world = *state;
    const Lf__ClientReply *reply = create(world, 1, "1h");
    assert_status((enum lf_status)reply->status, LF_OK);
    uint64_t id = reply->create_topic->topic->id;
    reply = create(world, 1, "60 min");
    assert_status((enum lf_status)reply->status, LF_TOPIC_EXISTS);
    assert_int_equal(reply->create_topic->topic->id, id);
    assert_true(reply->create_topic->same);
    assert_false(create(world, 1, "2h")->create_topic->same);
    assert_false(create(world, 1, NULL)->create_topic->same);
    assert_false(create(world, 2, "1h")->create_topic->same);
    assert_false(create(world, 1, "never")->create_topic->same);
}

static void settings_survive_a_power_cut_of_all_nodes(void **state) {
    struct world *world = *state;
    world_topic(world, "t", 1, 3);
    assert_status((enum lf_status)alter(world, "t", 0, "segment.ms", "2h")->reply->status, LF_OK);
    for (size_t node = 0; node < 3; node++)
        world_crash(world, node, MEM_DISK_POWER);
    for (size_t node = 0; node < 3; node++)
        world_start(world, node);
    assert_true(world_wait_leader(world, 0, 3000) >= 0);
    assert_string_equal(setting(world, 2, "t", "segment.ms")->text, "2 h");
}

static void what_is_wrong_with_a_setting_is_said_and_nothing_changes(void **state) {
    struct world *world = *state;
    world_topic(world, "t", 1, 3);
    const struct world_reply *reply = alter(world, "t", 0, "segment.bytes", "1");
    assert_status((enum lf_status)reply->reply->status, LF_INVALID);
    assert_string_equal(reply->reply->error, "segment.bytes=1 is not right; right is bytes from 64 KiB to 1 GiB");
    reply = alter(world, "t", 0, "segment.byte", "1");
    assert_string_equal(reply->reply->error, "topics have no setting segment.byte: did you mean segment.bytes?");
    assert_status((enum lf_status)alter(world, "none", 0, "segment.ms", "1h")->reply->status, LF_TOPIC_UNKNOWN);
    assert_false(setting(world, 0, "t", "segment.bytes")->is_set);
}

static void a_topic_is_altered_by_its_id_only_while_it_lives(void **state) {
    struct world *world = *state;
    world_topic(world, "t", 1, 3); /* id 1 */
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    Lf__DeleteTopic body = LF__DELETE_TOPIC__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    ref.name = (char *)(uintptr_t) "t";
    ref.id = 1;
    body.topic = &ref;
    request.body_case = LF__CLIENT_REQUEST__BODY_DELETE_TOPIC;
    request.delete_topic = &body;
    assert_status((enum lf_status)world_command(world, &request, 3000)->reply->status, LF_OK);
    assert_status((enum lf_status)alter(world, "t", 1, "segment.ms", "1h")->reply->status, LF_TOPIC_DELETED);
    world_topic(world, "t", 1, 3);
    assert_status((enum lf_status)alter(world, "t", 1, "segment.ms", "1h")->reply->status, LF_TOPIC_RECREATED);
    assert_status((enum lf_status)world_command(world, &request, 3000)->reply->status, LF_TOPIC_RECREATED);
    assert_false(setting(world, 0, "t", "segment.ms")->is_set);
}

static void what_can_be_set_is_told_without_a_topic(void **state) {
    struct world *world = *state;
    assert_true(world_wait_leader(world, 0, 3000) >= 0);
    const Lf__SettingDescription *said = setting(world, 0, NULL, "segment.bytes");
    assert_string_equal(said->text, "16 MiB");
    assert_string_equal(said->range, "bytes from 64 KiB to 1 GiB");
    assert_false(said->is_set);
}

static void goodbye_ends_the_session_at_once(void **state) {
    struct world *world = *state;
    assert_true(world_wait_leader(world, 0, 3000) >= 0);
    world_hello(world, 0, 40);
    size_t sessions = node_counts(world->nodes[0]).sessions;
    Lf__Goodbye body = LF__GOODBYE__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = 2;
    request.body_case = LF__CLIENT_REQUEST__BODY_GOODBYE;
    request.goodbye = &body;
    world_request(world, 0, 40, &request, NULL);
    assert_int_equal(node_counts(world->nodes[0]).sessions, sessions - 1);
    assert_null(world_answer(world, 40, 2, 100));
}

int main(void) {
#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        FACT(settings_altered_are_seen_at_once_on_every_node),
        FACT(a_topic_that_exists_is_compared_with_what_was_asked_for),
        FACT(settings_survive_a_power_cut_of_all_nodes),
        FACT(what_is_wrong_with_a_setting_is_said_and_nothing_changes),
        FACT(a_topic_is_altered_by_its_id_only_while_it_lives),
        FACT(what_can_be_set_is_told_without_a_topic),
        FACT(goodbye_ends_the_session_at_once),
    };
    return cmocka_run_group_tests_name("node_topics", tests, NULL, NULL);
}
