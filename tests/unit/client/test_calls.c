/** Calls: to the controller where it must be, again where it may be, and honest about what may have happened. */
#include "fake_cluster.h"

#define CREATE LF__CLIENT_REQUEST__BODY_CREATE_TOPIC
#define DELETE LF__CLIENT_REQUEST__BODY_DELETE_TOPIC
#define ALTER LF__CLIENT_REQUEST__BODY_ALTER_TOPIC
#define TRIM LF__CLIENT_REQUEST__BODY_TRIM_PARTITION
#define SEGMENTS LF__CLIENT_REQUEST__BODY_LIST_SEGMENTS
#define DESCRIBE LF__CLIENT_REQUEST__BODY_DESCRIBE_TOPIC
#define LOOKUP LF__CLIENT_REQUEST__BODY_OFFSETS_LOOKUP

static int setup(void **state) {
    *state = fake_new();
    return 0;
}
static int teardown(void **state) {
    fake_free(*state);
    return 0;
}

static void answer_created(struct fake *fake, struct fake_request *request) {
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    topic.name = request->message->create_topic->name;
    topic.id = 9;
    Lf__CreateTopicReply body = LF__CREATE_TOPIC_REPLY__INIT;
    body.topic = &topic;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_CREATE_TOPIC;
    reply.create_topic = &body;
    fake_answer_reply(fake, request, &reply);
}

/* Three partitions led by 1, 2, 3; the answering node holds those in `held` (a bit each), all with this end. */
static void answer_description(struct fake *fake, struct fake_request *request, unsigned held, int64_t end) {
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = request->message->describe_topic->topic->name;
    ref.id = 8;
    Lf__TopicSummary summary = LF__TOPIC_SUMMARY__INIT;
    summary.topic = &ref;
    summary.partitions = 3;
    summary.replicas = 2;
    Lf__PartitionMetadata metadata[3];
    Lf__PartitionDescription partitions[3];
    Lf__PartitionDescription *pointers[3];
    for (uint32_t i = 0; i < 3; i++) {
        metadata[i] = (Lf__PartitionMetadata)LF__PARTITION_METADATA__INIT;
        metadata[i].partition = i;
        metadata[i].leader_node = i + 1;
        partitions[i] = (Lf__PartitionDescription)LF__PARTITION_DESCRIPTION__INIT;
        partitions[i].metadata = &metadata[i];
        partitions[i].held_here = (held >> i) & 1;
        partitions[i].high_watermark = partitions[i].held_here ? end : 0;
        pointers[i] = &partitions[i];
    }
    Lf__DescribeTopicReply body = LF__DESCRIBE_TOPIC_REPLY__INIT;
    body.topic = &summary;
    body.n_partitions = 3;
    body.partitions = pointers;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_DESCRIBE_TOPIC;
    reply.describe_topic = &body;
    fake_answer_reply(fake, request, &reply);
}

static void a_topic_is_created_at_the_controller(void **state) {
    struct fake *fake = *state;
    fake->controller = 3;
    fake_call(fake, LF_CALL_TOPIC_CREATE, "new", 4, 3);
    struct fake_request *request = fake_wait(fake, 0, CREATE, 0);
    if (request->node != 3) { /* the controller was not known yet */
        fake_answer_not_leader(fake, request, 3, 1);
        request = fake_wait(fake, 3, CREATE, 0);
    }
    assert_int_equal(request->message->create_topic->partitions, 4);
    assert_int_equal(request->message->create_topic->replicas, 3);
    answer_created(fake, request);
    assert_true(fake->answered);
    assert_int_equal(fake->answer_status, LF_OK);
    assert_int_equal(fake->answered_call, 5);
    assert_int_equal(fake->answer->create_topic->topic->id, 9);
}

static void an_existing_topic_is_an_error_unless_we_may_have_made_it(void **state) {
    struct fake *fake = *state;
    fake_call(fake, LF_CALL_TOPIC_CREATE, "m", 3, 2);
    fake_answer(fake, fake_wait(fake, 0, CREATE, 0), LF_TOPIC_EXISTS);
    assert_int_equal(fake->answer_status, LF_TOPIC_EXISTS);

    fake_call(fake, LF_CALL_TOPIC_CREATE, "m", 3, 2);
    struct fake_request *request = fake_wait(fake, 0, CREATE, 0);
    fake_cut(fake, request->node);
    fake_answer(fake, fake_wait(fake, 0, CREATE, 0), LF_TOPIC_EXISTS);
    assert_false(fake->answered);
    answer_description(fake, fake_wait(fake, 0, DESCRIBE, 0), 7, 0);
    assert_true(fake->answered);
    assert_int_equal(fake->answer_status, LF_OK);
    assert_int_equal(fake->answer->create_topic->topic->id, 8);

    fake_call(fake, LF_CALL_TOPIC_CREATE, "m", 5, 2); /* another's */
    fake_answer(fake, fake_wait(fake, 0, CREATE, 0), LF_UNKNOWN_OUTCOME);
    fake_answer(fake, fake_wait(fake, 0, CREATE, 0), LF_TOPIC_EXISTS);
    answer_description(fake, fake_wait(fake, 0, DESCRIBE, 0), 7, 0);
    assert_int_equal(fake->answer_status, LF_TOPIC_EXISTS);
}

static void answer_exists(struct fake *fake, struct fake_request *request, bool same) {
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    topic.name = request->message->create_topic->name;
    topic.id = 8;
    Lf__CreateTopicReply body = LF__CREATE_TOPIC_REPLY__INIT;
    body.topic = &topic;
    body.same = same;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.status = LF_TOPIC_EXISTS;
    reply.body_case = LF__CLIENT_REPLY__BODY_CREATE_TOPIC;
    reply.create_topic = &body;
    fake_answer_reply(fake, request, &reply);
}

static void a_create_repeated_after_a_doubt_is_told_whether_it_is_what_we_wanted(void **state) {
    struct fake *fake = *state;
    fake_call(fake, LF_CALL_TOPIC_CREATE, "m", 3, 2); /* no doubt: it is another's, however alike */
    answer_exists(fake, fake_wait(fake, 0, CREATE, 0), true);
    assert_int_equal(fake->answer_status, LF_TOPIC_EXISTS);
    for (int same = 0; same < 2; same++) {
        fake_call(fake, LF_CALL_TOPIC_CREATE, "m", 3, 2);
        fake_answer(fake, fake_wait(fake, 0, CREATE, 0), LF_TIMED_OUT);
        answer_exists(fake, fake_wait(fake, 0, CREATE, 0), same);
        assert_int_equal(fake->answer_status, same ? LF_OK : LF_TOPIC_EXISTS);
    }
    assert_int_equal(fake->answer->create_topic->topic->id, 8);
}

static void a_delete_repeated_after_a_doubt_may_find_nothing(void **state) {
    struct fake *fake = *state;
    fake_call(fake, LF_CALL_TOPIC_DELETE, "t", 0, 0);
    fake_answer(fake, fake_wait(fake, 0, DELETE, 0), LF_TOPIC_UNKNOWN);
    if (!fake->answered) /* a broker that is not the controller may be behind */
        fake_answer(fake, fake_wait(fake, 1, DELETE, 0), LF_TOPIC_UNKNOWN);
    assert_int_equal(fake->answer_status, LF_TOPIC_UNKNOWN);
    fake_call(fake, LF_CALL_TOPIC_DELETE, "t", 0, 0);
    fake_answer(fake, fake_wait(fake, 0, DELETE, 0), LF_TIMED_OUT);
    fake_answer(fake, fake_wait(fake, 0, DELETE, 0), LF_TOPIC_UNKNOWN);
    assert_int_equal(fake->answer_status, LF_OK);
}

static void only_the_topic_that_had_the_name_is_deleted_however_late_a_repetition_comes(void **state) {
    struct fake *fake = *state;
    fake_call(fake, LF_CALL_TOPIC_DELETE, "t", 0, 0);
    struct fake_request *request = fake_wait(fake, 0, DELETE, 0);
    assert_int_equal(request->message->delete_topic->topic->id, 7);
    fake_answer(fake, request, LF_TIMED_OUT); /* it was done, and somebody creates the topic again: */
    fake->topics[0].id = 70;
    request = fake_wait(fake, 0, DELETE, 0);
    assert_int_equal(request->message->delete_topic->topic->id, 7);
    fake_answer(fake, request, LF_TOPIC_RECREATED);
    assert_int_equal(fake->answer_status, LF_OK);
    assert_int_equal(fake->nodes[1].resolved + fake->nodes[2].resolved + fake->nodes[3].resolved, 1);
}

static void a_topic_recreated_by_others_before_our_delete_stays_and_is_told(void **state) {
    struct fake *fake = *state;
    fake_call(fake, LF_CALL_TOPIC_DELETE, "t", 0, 0);
    fake_answer(fake, fake_wait(fake, 0, DELETE, 0), LF_TOPIC_RECREATED);
    assert_int_equal(fake->answer_status, LF_TOPIC_RECREATED);
}

static void an_old_broker_is_asked_to_delete_by_name(void **state) {
    struct fake *fake = *state;
    for (uint64_t node = 1; node <= FAKE_NODES; node++)
        fake->nodes[node].old = true;
    fake_call(fake, LF_CALL_TOPIC_DELETE, "t", 0, 0);
    struct fake_request *request = fake_wait(fake, 0, DELETE, 0);
    assert_int_equal(request->message->delete_topic->topic->id, 0);
    assert_string_equal(request->message->delete_topic->topic->name, "t");
    Lf__DeleteTopicReply body = LF__DELETE_TOPIC_REPLY__INIT;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_DELETE_TOPIC;
    reply.delete_topic = &body;
    fake_answer_reply(fake, request, &reply);
    assert_int_equal(fake->answer_status, LF_OK);
}

static void a_topic_is_created_with_settings(void **state) {
    struct fake *fake = *state;
    const struct lf_setting settings[] = {{"retention.ms", "1h"}, {"segment.bytes", "1 MiB"}};
    fake_call_with(fake, (struct lf_core_call){.type = LF_CALL_TOPIC_CREATE,
                                               .topic = "new",
                                               .partitions = 1,
                                               .replicas = 1,
                                               .settings = settings,
                                               .setting_count = 2});
    struct fake_request *request = fake_wait(fake, 0, CREATE, 0);
    const Lf__CreateTopic *said = request->message->create_topic;
    assert_int_equal(said->n_settings, 2);
    assert_string_equal(said->settings[0]->name, "retention.ms");
    assert_string_equal(said->settings[1]->value, "1 MiB");
    answer_created(fake, request);
    assert_int_equal(fake->answer_status, LF_OK);
}

static void settings_are_altered_by_the_topics_id(void **state) {
    struct fake *fake = *state;
    const struct lf_setting settings[] = {{"retention.ms", "1h"}, {"segment.bytes", NULL}};
    fake_call_with(fake, (struct lf_core_call){
                             .type = LF_CALL_TOPIC_ALTER, .topic = "t", .settings = settings, .setting_count = 2});
    for (int attempt = 0; attempt < 2; attempt++) { /* and repeated after a doubt */
        struct fake_request *request = fake_wait(fake, 0, ALTER, 0);
        const Lf__AlterTopic *said = request->message->alter_topic;
        assert_int_equal(said->topic->id, 7);
        assert_int_equal(said->n_set, 1);
        assert_string_equal(said->set[0]->name, "retention.ms");
        assert_string_equal(said->set[0]->value, "1h");
        assert_int_equal(said->n_reset, 1);
        assert_string_equal(said->reset[0], "segment.bytes");
        if (attempt == 0) {
            fake_cut(fake, request->node);
            continue;
        }
        Lf__AlterTopicReply body = LF__ALTER_TOPIC_REPLY__INIT;
        Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
        reply.body_case = LF__CLIENT_REPLY__BODY_ALTER_TOPIC;
        reply.alter_topic = &body;
        fake_answer_reply(fake, request, &reply);
    }
    assert_int_equal(fake->answer_status, LF_OK);
}

static void settings_that_cannot_be_sent_are_refused_at_the_door(void **state) {
    struct fake *fake = *state;
    char longest[LF_CORE_SETTING_BYTES_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    const struct lf_setting bad[] = {{"retention.ms", NULL}, {NULL, "1"}, {longest, "1"}, {"retention.ms", longest}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct lf_core_event event = {.type = LF_CORE_CALL};
        event.call = (struct lf_core_call){.type = LF_CALL_TOPIC_CREATE,
                                           .id = 1,
                                           .topic = "a",
                                           .partitions = 1,
                                           .replicas = 1,
                                           .settings = &bad[i],
                                           .setting_count = 1};
        assert_int_equal(fake_event(fake, &event), LF_INVALID);
    }
    struct lf_core_event event = {.type = LF_CORE_CALL};
    event.call = (struct lf_core_call){.type = LF_CALL_TOPIC_ALTER, .id = 1, .topic = "a"};
    assert_int_equal(fake_event(fake, &event), LF_INVALID);
}

static void a_topic_that_is_gone_is_not_altered(void **state) {
    struct fake *fake = *state;
    const struct lf_setting setting = {"retention.ms", "1h"};
    struct lf_core_call call = {.type = LF_CALL_TOPIC_ALTER, .topic = "none", .settings = &setting, .setting_count = 1};
    fake_call_with(fake, call);
    fake_run(fake, 1000);
    assert_int_equal(fake->answer_status, LF_TOPIC_UNKNOWN);
    call.topic = "t";
    fake_call_with(fake, call);
    fake_answer(fake, fake_wait(fake, 0, ALTER, 0), LF_TOPIC_DELETED);
    if (!fake->answered)
        fake_answer(fake, fake_wait(fake, 0, ALTER, 0), LF_TOPIC_DELETED);
    assert_int_equal(fake->answer_status, LF_TOPIC_DELETED);
}

static void a_trim_goes_to_the_leader_and_names_the_topic_it_was_for(void **state) {
    struct fake *fake = *state;
    fake_call_with(fake,
                   (struct lf_core_call){
                       .type = LF_CALL_PARTITION_TRIM, .topic = "m", .partitions = 1, .offset = 40, .dry_run = true});
    struct fake_request *request = fake_wait(fake, 2, TRIM, 0);
    const Lf__TrimPartition *said = request->message->trim_partition;
    assert_int_equal(said->topic->id, 8);
    assert_int_equal(said->partition, 1);
    assert_int_equal(said->before_offset, 40);
    assert_true(said->dry_run);
    fake_answer_not_leader(fake, request, 3, 8);
    request = fake_wait(fake, 3, TRIM, 0);
    fake_cut(fake, 3); /* it may be done */
    request = fake_wait(fake, 0, TRIM, 0);
    assert_int_equal(request->message->trim_partition->topic->id, 8);
    Lf__TrimPartitionReply body = LF__TRIM_PARTITION_REPLY__INIT;
    body.log_start_offset = 40;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_TRIM_PARTITION;
    reply.trim_partition = &body;
    fake_answer_reply(fake, request, &reply);
    assert_int_equal(fake->answer_status, LF_OK);
    assert_int_equal(fake->answer->trim_partition->log_start_offset, 40);
}

static void a_trim_of_a_topic_that_is_gone_or_another_is_not_done(void **state) {
    struct fake *fake = *state;
    struct lf_core_call call = {.type = LF_CALL_PARTITION_TRIM, .topic = "none", .offset = 1};
    fake_call_with(fake, call);
    fake_run(fake, 1000);
    assert_int_equal(fake->answer_status, LF_TOPIC_UNKNOWN);
    call.topic = "t";
    fake_call_with(fake, call);
    fake_answer(fake, fake_wait(fake, 1, TRIM, 0), LF_TOPIC_RECREATED);
    assert_int_equal(fake->answer_status, LF_TOPIC_RECREATED);
    call.partitions = 5;
    fake_call_with(fake, call);
    fake_run(fake, 1000);
    assert_int_equal(fake->answer_status, LF_PARTITION_UNKNOWN);
}

static void an_unanswered_trim_is_unknown_and_one_that_waits_its_turn_is_asked_again(void **state) {
    struct fake *fake = *state;
    struct lf_core_call call = {.type = LF_CALL_PARTITION_TRIM, .topic = "t", .offset = 1};
    fake_call_with(fake, call);
    fake_answer(fake, fake_wait(fake, 1, TRIM, 0), LF_OVERLOADED);
    fake_wait(fake, 1, TRIM, 0);
    fake_run(fake, 10000);
    assert_int_equal(fake->answer_status, LF_TIMED_OUT);
}

static void segments_are_asked_of_the_leader_or_of_the_node_named(void **state) {
    struct fake *fake = *state;
    struct lf_core_call call = {.type = LF_CALL_PARTITION_SEGMENTS, .topic = "m", .partitions = 1, .from_index = 9};
    fake_call_with(fake, call);
    struct fake_request *request = fake_wait(fake, 2, SEGMENTS, 0);
    assert_false(request->message->list_segments->any_replica);
    assert_int_equal(request->message->list_segments->from_index, 9);
    Lf__ListSegmentsReply body = LF__LIST_SEGMENTS_REPLY__INIT;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_LIST_SEGMENTS;
    reply.list_segments = &body;
    fake_answer_reply(fake, request, &reply);
    assert_int_equal(fake->answer_status, LF_OK);
    call.node = 3;
    fake_call_with(fake, call);
    request = fake_wait(fake, 3, SEGMENTS, 0);
    assert_true(request->message->list_segments->any_replica);
    fake_answer(fake, request, LF_NOT_FOUND);
    assert_int_equal(fake->answer_status, LF_NOT_FOUND);
}

static void the_offset_at_a_time_is_asked_of_the_leader(void **state) {
    struct fake *fake = *state;
    fake_call_with(fake, (struct lf_core_call){
                             .type = LF_CALL_PARTITION_OFFSET_AT, .topic = "m", .partitions = 2, .timestamp_ms = 1234});
    struct fake_request *request = fake_wait(fake, 3, LOOKUP, 0);
    assert_int_equal(request->message->offsets_lookup->kind, LF__LOOKUP_KIND__LOOKUP_TIMESTAMP);
    assert_int_equal(request->message->offsets_lookup->timestamp_ms, 1234);
    fake_answer_end(fake, request, 17);
    assert_int_equal(fake->answer->offsets_lookup->position->offset, 17);
}

static void a_closing_client_says_goodbye_to_every_broker_it_speaks_with(void **state) {
    struct fake *fake = *state;
    fake_call(fake, LF_CALL_PARTITION_END, "m", 1, 0);
    fake_wait(fake, 2, LOOKUP, 0);
    uint64_t spoken = 0;
    for (uint64_t node = 1; node <= FAKE_NODES; node++)
        spoken += fake->nodes[node].connection != 0;
    fake_close(fake);
    uint64_t goodbyes = 0;
    for (uint64_t node = 1; node <= FAKE_NODES; node++) {
        goodbyes += fake->nodes[node].goodbyes;
        assert_int_equal(fake->nodes[node].connection, 0);
    }
    assert_true(spoken > 0);
    assert_int_equal(goodbyes, spoken);
}

static void a_description_asks_each_leader(void **state) {
    struct fake *fake = *state;
    fake_call(fake, LF_CALL_TOPIC_DESCRIBE, "m", 0, 0);
    for (int i = 0; i < 3; i++) {
        struct fake_request *request = fake_wait(fake, 0, DESCRIBE, 0);
        assert_false(fake->answered);
        answer_description(fake, request, 1u << (request->node - 1), 100 * (int64_t)request->node);
    }
    assert_true(fake->answered);
    assert_int_equal(fake->answer_status, LF_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(fake->answer->describe_topic->partitions[i]->high_watermark, 100 * (i + 1));
}

/* One partition, on nodes 2 and 3, as a node says that takes this one for its leader (0: it does not know). */
static void answer_led_by(struct fake *fake, struct fake_request *request, uint64_t leader, bool held) {
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = request->message->describe_topic->topic->name;
    Lf__TopicSummary summary = LF__TOPIC_SUMMARY__INIT;
    summary.topic = &ref;
    uint64_t holders[] = {2, 3};
    Lf__PartitionMetadata metadata = LF__PARTITION_METADATA__INIT;
    metadata.leader_node = leader;
    metadata.leader_epoch = leader ? 5 : -1;
    metadata.replica_nodes = holders;
    metadata.n_replica_nodes = 2;
    Lf__PartitionDescription partition = LF__PARTITION_DESCRIPTION__INIT;
    partition.metadata = &metadata;
    partition.held_here = held;
    partition.high_watermark = held ? 70 : 0;
    Lf__PartitionDescription *partitions[] = {&partition};
    Lf__DescribeTopicReply body = LF__DESCRIBE_TOPIC_REPLY__INIT;
    body.topic = &summary;
    body.n_partitions = 1;
    body.partitions = partitions;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_DESCRIBE_TOPIC;
    reply.describe_topic = &body;
    fake_answer_reply(fake, request, &reply);
}

static void a_description_asks_the_holders_who_leads_when_a_broker_that_holds_nothing_is_asked_first(void **state) {
    struct fake *fake = *state;
    fake_call(fake, LF_CALL_TOPIC_DESCRIBE, "m", 0, 0);
    struct fake_request *request = fake_wait(fake, 0, DESCRIBE, 0);
    while (request->node != 1) { /* ask again until the one without a replica is asked first */
        fake_answer(fake, request, LF_NOT_READY);
        request = fake_wait(fake, 0, DESCRIBE, 0);
    }
    answer_led_by(fake, request, 0, false);
    assert_false(fake->answered);
    answer_led_by(fake, fake_wait(fake, 2, DESCRIBE, 0), 3, true);
    answer_led_by(fake, fake_wait(fake, 3, DESCRIBE, 0), 3, true);
    assert_true(fake->answered);
    const Lf__PartitionDescription *partition = fake->answer->describe_topic->partitions[0];
    assert_int_equal(partition->metadata->leader_node, 3);
    assert_int_equal(partition->high_watermark, 70);
}

static void a_description_without_a_leader_keeps_what_is_known(void **state) {
    struct fake *fake = *state;
    fake_call(fake, LF_CALL_TOPIC_DESCRIBE, "m", 0, 0);
    struct fake_request *request = fake_wait(fake, 0, DESCRIBE, 0);
    uint64_t first = request->node;
    for (uint64_t node = 1; node <= 3; node++)
        fake->nodes[node].down = node != first;
    answer_description(fake, request, 1u << (first - 1), 100);
    for (uint64_t node = 1; node <= 3; node++)
        if (node != first)
            fake_cut(fake, node);
    fake_run(fake, 10000);
    assert_true(fake->answered);
    assert_int_equal(fake->answer_status, LF_OK);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(fake->answer->describe_topic->partitions[i]->high_watermark, i + 1 == first ? 100 : -1);
}

static void the_end_is_asked_of_the_leader(void **state) {
    struct fake *fake = *state;
    fake_call(fake, LF_CALL_PARTITION_END, "m", 1, 0);
    struct fake_request *request = fake_wait(fake, 2, LOOKUP, 0);
    assert_int_equal(request->message->offsets_lookup->kind, LF__LOOKUP_KIND__LOOKUP_END);
    fake_answer_not_leader(fake, request, 3, 8);
    fake_answer_end(fake, fake_wait(fake, 3, LOOKUP, 0), 55);
    assert_int_equal(fake->answer_status, LF_OK);
    assert_int_equal(fake->answer->offsets_lookup->position->offset, 55);
    fake_call(fake, LF_CALL_PARTITION_END, "m", 3, 0);
    fake_run(fake, 100);
    assert_int_equal(fake->answer_status, LF_PARTITION_UNKNOWN);
    fake_call(fake, LF_CALL_PARTITION_END, "nowhere", 0, 0);
    fake_run(fake, 1000);
    assert_int_equal(fake->answer_status, LF_TOPIC_UNKNOWN);
}

static void without_any_broker_a_call_cannot_connect(void **state) {
    struct fake *fake = *state;
    for (int i = 1; i <= FAKE_NODES; i++)
        fake->nodes[i].down = true;
    fake_call(fake, LF_CALL_TOPIC_LIST, NULL, 0, 0);
    fake_run(fake, 4999);
    assert_false(fake->answered);
    fake_run(fake, 1);
    assert_int_equal(fake->answer_status, LF_CONNECT);
    assert_non_null(strstr(fake->answer_text, "node:770"));
}

static void an_unanswered_create_is_timed_out_and_a_refused_one_says_why(void **state) {
    struct fake *fake = *state;
    fake_call(fake, LF_CALL_TOPIC_CREATE, "new", 1, 1);
    fake_run(fake, 10000);
    assert_true(fake->answered);
    assert_int_equal(fake->answer_status, LF_TIMED_OUT);
    while (fake->first)
        fake_ignore(fake, fake->first);
    fake_call(fake, LF_CALL_TOPIC_CREATE, "new", 1, 1);
    for (uint64_t end = fake->now_ms + 10001; fake->now_ms < end; fake_run(fake, 1)) {
        struct fake_request *request = fake_request(fake, 0, CREATE, 0);
        if (request)
            fake_answer(fake, request, LF_NO_QUORUM);
    }
    assert_int_equal(fake->answer_status, LF_NO_QUORUM);
}

static void an_invalid_call_is_refused_at_the_door_and_by_the_broker(void **state) {
    struct fake *fake = *state;
    struct lf_core_event event = {.type = LF_CORE_CALL};
    event.call = (struct lf_core_call){.type = LF_CALL_TOPIC_CREATE, .id = 1, .topic = "a b"};
    assert_int_equal(fake_event(fake, &event), LF_INVALID);
    fake_call(fake, LF_CALL_TOPIC_CREATE, "new", 0, 1);
    fake_answer(fake, fake_wait(fake, 0, CREATE, 0), LF_INVALID);
    assert_int_equal(fake->answer_status, LF_INVALID);
    assert_string_equal(fake->answer_text, "the test says so");
}

static void close_ends_calls(void **state) {
    struct fake *fake = *state;
    fake_call(fake, LF_CALL_TOPIC_CREATE, "new", 1, 1);
    fake_wait(fake, 0, CREATE, 0);
    fake_close(fake);
    assert_int_equal(fake->answer_status, LF_UNKNOWN_OUTCOME);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        FACT(a_topic_is_created_at_the_controller),
        FACT(an_existing_topic_is_an_error_unless_we_may_have_made_it),
        FACT(a_create_repeated_after_a_doubt_is_told_whether_it_is_what_we_wanted),
        FACT(a_delete_repeated_after_a_doubt_may_find_nothing),
        FACT(only_the_topic_that_had_the_name_is_deleted_however_late_a_repetition_comes),
        FACT(a_topic_recreated_by_others_before_our_delete_stays_and_is_told),
        FACT(an_old_broker_is_asked_to_delete_by_name),
        FACT(a_topic_is_created_with_settings),
        FACT(settings_are_altered_by_the_topics_id),
        FACT(settings_that_cannot_be_sent_are_refused_at_the_door),
        FACT(a_topic_that_is_gone_is_not_altered),
        FACT(a_trim_goes_to_the_leader_and_names_the_topic_it_was_for),
        FACT(a_trim_of_a_topic_that_is_gone_or_another_is_not_done),
        FACT(an_unanswered_trim_is_unknown_and_one_that_waits_its_turn_is_asked_again),
        FACT(segments_are_asked_of_the_leader_or_of_the_node_named),
        FACT(the_offset_at_a_time_is_asked_of_the_leader),
        FACT(a_closing_client_says_goodbye_to_every_broker_it_speaks_with),
        FACT(a_description_asks_each_leader),
        FACT(a_description_asks_the_holders_who_leads_when_a_broker_that_holds_nothing_is_asked_first),
        FACT(a_description_without_a_leader_keeps_what_is_known),
        FACT(the_end_is_asked_of_the_leader),
        FACT(without_any_broker_a_call_cannot_connect),
        FACT(an_unanswered_create_is_timed_out_and_a_refused_one_says_why),
        FACT(an_invalid_call_is_refused_at_the_door_and_by_the_broker),
        FACT(close_ends_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
