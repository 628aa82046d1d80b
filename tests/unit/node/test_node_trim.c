/** A log that begins later: what the operator is told, and what readers are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "node_story.h"

#define BATCHES 20
#define RECORDS 5 /* in each */

static struct world *world;
static uint64_t group, next_request;
static size_t leader;

static int setup(void **state) {
    (void)state;
    world = calloc(1, sizeof *world);
    world_init_limited(world, 3, &(struct node_limits){.delivery_bytes_max = 300}); /* a few batches at a time */
    group = world_topic(world, "t", 1, 3);
    leader = (size_t)world_wait_leader(world, group, 3000);
    next_request = 2;
    world_hello(world, leader, 10);
    for (int i = 0; i < BATCHES; i++) {
        struct lf_buf *batch = world_batch(RECORDS, -1, -1, -1);
        world_publish(world, leader, 10, next_request, "t", batch);
        lf_buf_unref(&batch);
        assert_status((enum lf_status)world_answer(world, 10, next_request++, 3000)->reply->status, LF_OK);
    }
    return 0;
}

static int teardown(void **state) {
    (void)state;
    world_deinit(world);
    free(world);
    return 0;
}

static Lf__TopicRef *topic(void) {
    static Lf__TopicRef ref;
    lf__topic_ref__init(&ref);
    ref.name = (char *)(uintptr_t) "t";
    return &ref;
}

static const Lf__ClientReply *ask(size_t node, uint64_t session, Lf__ClientRequest *request) {
    request->protocol_version = 1;
    request->request_id = next_request++;
    world_request(world, node, session, request, NULL);
    const struct world_reply *reply = world_answer(world, session, request->request_id, 3000);
    assert_non_null(reply);
    return reply->reply;
}

static const Lf__ClientReply *trim(size_t node, uint64_t session, int64_t before, bool dry_run) {
    Lf__TrimPartition body = LF__TRIM_PARTITION__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    body.topic = topic();
    body.before_offset = before;
    body.dry_run = dry_run;
    request.body_case = LF__CLIENT_REQUEST__BODY_TRIM_PARTITION;
    request.trim_partition = &body;
    return ask(node, session, &request);
}

static const Lf__ClientReply *subscribe(size_t node, uint64_t session, int64_t offset, bool reset, uint64_t credit) {
    Lf__Position position = LF__POSITION__INIT;
    Lf__Subscribe body = LF__SUBSCRIBE__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    position.offset = offset;
    body.subscription = 1;
    body.topic = topic();
    body.from = LF__START_FROM__START_OFFSET;
    body.position = &position;
    body.reset_to_log_start = reset;
    body.credit_total = credit;
    request.body_case = LF__CLIENT_REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &body;
    return ask(node, session, &request);
}

/** The last delivery's first offset on the session; -1: none. */
static int64_t first_delivered(uint64_t session, size_t *batches) {
    int64_t first = -1;
    *batches = 0;
    for (size_t i = 0; i < world->reply_count; i++) {
        const struct world_reply *reply = &world->replies[i];
        if (reply->session != session || reply->reply->body_case != LF__CLIENT_REPLY__BODY_DELIVER)
            continue;
        for (size_t k = 0; k < reply->frame_count; k++) {
            struct lf_batch_header header;
            assert_status(lf_batch_verify(lf_buf_bytes(reply->frames[k]), NULL, &header, NULL), LF_OK);
            if (first < 0)
                first = header.base_offset;
            ++*batches;
        }
    }
    return first;
}

static const Lf__ClientReply *ended(uint64_t session) {
    for (size_t i = 0; i < world->reply_count; i++)
        if (world->replies[i].session == session &&
            world->replies[i].reply->body_case == LF__CLIENT_REPLY__BODY_SUBSCRIPTION_END)
            return world->replies[i].reply;
    return NULL;
}

static void a_dry_run_says_what_would_be_and_changes_nothing(void **state) {
    (void)state;
    const Lf__ClientReply *reply = trim(leader, 10, 42, true);
    assert_status((enum lf_status)reply->status, LF_OK);
    assert_int_equal(reply->trim_partition->old_log_start_offset, 0);
    assert_int_equal(reply->trim_partition->log_start_offset, 42);
    assert_int_equal(reply->trim_partition->high_watermark, BATCHES * RECORDS);
    assert_status((enum lf_status)subscribe(leader, 10, 0, false, 1)->status, LF_OK);
}

static void a_trim_is_answered_when_done_and_is_the_same_on_every_replica(void **state) {
    (void)state;
    const Lf__ClientReply *reply = trim(leader, 10, 42, false);
    assert_status((enum lf_status)reply->status, LF_OK);
    assert_int_equal(reply->trim_partition->log_start_offset, 42);
    world_run(world, 500);
    for (size_t node = 0; node < 3; node++) {
        assert_int_equal(node_group_applied_checksum(world->nodes[node], group),
                         node_group_applied_checksum(world->nodes[leader], group));
        world_hello(world, node, 100 + node);
        reply = subscribe(node, 100 + node, 41, false, 1 << 20);
        assert_status((enum lf_status)reply->status, LF_OFFSET_BELOW_START);
        assert_int_equal(reply->subscribe->log_start_offset, 42);
        size_t batches;
        assert_status((enum lf_status)subscribe(node, 100 + node, 42, false, 1 << 20)->status, LF_OK);
        world_run(world, 100);
        assert_int_equal(first_delivered(100 + node, &batches), 40); /* the batch that holds 42 */
        assert_int_equal(batches, BATCHES - 8);
    }
}

static void a_trim_done_before_is_fine_and_one_beyond_the_end_is_refused(void **state) {
    (void)state;
    assert_status((enum lf_status)trim(leader, 10, 42, false)->status, LF_OK);
    const Lf__ClientReply *reply = trim(leader, 10, 40, false);
    assert_status((enum lf_status)reply->status, LF_OK);
    assert_int_equal(reply->trim_partition->log_start_offset, 42);
    assert_int_equal(reply->trim_partition->old_log_start_offset, 42);
    reply = trim(leader, 10, BATCHES * RECORDS + 1, false);
    assert_status((enum lf_status)reply->status, LF_INVALID);
    assert_non_null(strstr(reply->error, "right is 0 to 100"));
    assert_status((enum lf_status)trim(leader, 10, -1, false)->status, LF_INVALID);
    assert_status((enum lf_status)trim(leader, 10, BATCHES * RECORDS, false)->status, LF_OK);
}

static void only_the_leader_trims(void **state) {
    (void)state;
    size_t follower = (leader + 1) % 3;
    world_run(world, 300);
    world_hello(world, follower, 20);
    const Lf__ClientReply *reply = trim(follower, 20, 42, false);
    assert_status((enum lf_status)reply->status, LF_NOT_LEADER);
    assert_int_equal(reply->leader->broker->node_id, leader + 1);
}

static void a_trim_that_cannot_commit_is_unknown(void **state) {
    (void)state;
    world->cut[(leader + 1) % 3] = world->cut[(leader + 2) % 3] = true;
    assert_status((enum lf_status)trim(leader, 10, 42, false)->status, LF_UNKNOWN_OUTCOME);
}

static void a_reader_overtaken_in_mid_stream_is_told_where_to_go_on(void **state) {
    (void)state;
    size_t batches;
    assert_status((enum lf_status)subscribe(leader, 10, 0, true, 1)->status, LF_OK);
    world_run(world, 50);
    first_delivered(10, &batches);
    assert_in_range(batches, 1, BATCHES - 1);
    assert_null(ended(10));
    assert_status((enum lf_status)trim(leader, 10, BATCHES * RECORDS - 1, false)->status, LF_OK);
    world_run(world, 50);
    const Lf__ClientReply *end = ended(10);
    assert_non_null(end);
    assert_status((enum lf_status)end->status, LF_OFFSET_BELOW_START);
    assert_int_equal(end->subscription_end->resume->offset, BATCHES * RECORDS - 1);
}

static void who_begins_below_and_wants_to_go_on_begins_at_the_log_start(void **state) {
    (void)state;
    assert_status((enum lf_status)trim(leader, 10, 42, false)->status, LF_OK);
    const Lf__ClientReply *reply = subscribe(leader, 10, 7, true, 1 << 20);
    assert_status((enum lf_status)reply->status, LF_OK);
    assert_int_equal(reply->subscribe->start_offset, 42);
}

static void the_log_start_survives_a_power_cut_of_all_nodes(void **state) {
    (void)state;
    assert_status((enum lf_status)trim(leader, 10, 42, false)->status, LF_OK);
    for (size_t node = 0; node < 3; node++)
        world_crash(world, node, MEM_DISK_POWER);
    for (size_t node = 0; node < 3; node++)
        world_start(world, node);
    leader = (size_t)world_wait_leader(world, group, 3000);
    world_hello(world, leader, 30);
    const Lf__ClientReply *reply = subscribe(leader, 30, 0, false, 1);
    assert_status((enum lf_status)reply->status, LF_OFFSET_BELOW_START);
    assert_int_equal(reply->subscribe->log_start_offset, 42);
}

static const Lf__ClientReply *list(size_t node, uint64_t session, bool any_replica) {
    Lf__ListSegments body = LF__LIST_SEGMENTS__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    body.topic = topic();
    body.any_replica = any_replica;
    request.body_case = LF__CLIENT_REQUEST__BODY_LIST_SEGMENTS;
    request.list_segments = &body;
    return ask(node, session, &request);
}

static void the_open_segment_is_listed_on_any_replica_that_is_asked(void **state) {
    (void)state;
    world_run(world, 300);
    for (size_t node = 0; node < 3; node++) {
        world_hello(world, node, 100 + node);
        const Lf__ClientReply *reply = list(node, 100 + node, true);
        assert_status((enum lf_status)reply->status, LF_OK);
        const Lf__ListSegmentsReply *said = reply->list_segments;
        assert_int_equal(said->node_id, node + 1);
        assert_int_equal(said->next_index, 0);
        assert_int_equal(said->n_segments, 1);
        assert_true(said->segments[0]->open);
        assert_int_equal(said->segments[0]->end_offset, BATCHES * RECORDS);
        assert_true(said->segments[0]->bytes > said->segments[0]->command_bytes);
        enum lf_status status = node == leader ? LF_OK : LF_NOT_LEADER;
        assert_status((enum lf_status)list(node, 100 + node, false)->status, status);
    }
}

int main(void) {
#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        FACT(a_dry_run_says_what_would_be_and_changes_nothing),
        FACT(a_trim_is_answered_when_done_and_is_the_same_on_every_replica),
        FACT(a_trim_done_before_is_fine_and_one_beyond_the_end_is_refused),
        FACT(only_the_leader_trims),
        FACT(a_trim_that_cannot_commit_is_unknown),
        FACT(a_reader_overtaken_in_mid_stream_is_told_where_to_go_on),
        FACT(who_begins_below_and_wants_to_go_on_begins_at_the_log_start),
        FACT(the_log_start_survives_a_power_cut_of_all_nodes),
        FACT(the_open_segment_is_listed_on_any_replica_that_is_asked),
    };
    return cmocka_run_group_tests_name("node_trim", tests, NULL, NULL);
}
