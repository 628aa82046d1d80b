/** Whole nodes over a perfect network: what clients are told, and what survives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "node_world.h"

static struct world world;

static int setup_three(void **state) {
    (void)state;
    world_init(&world, 3);
    world.verbose = getenv("VERBOSE") != NULL;
    return 0;
}

static int setup_one(void **state) {
    (void)state;
    world_init(&world, 1);
    world.verbose = getenv("VERBOSE") != NULL;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    world_deinit(&world);
    return 0;
}

/** Publishes and returns the status; *offset the base offset. */
static enum lf_status publish(size_t node, uint64_t session, uint64_t request, const char *topic, int32_t records,
                              int64_t producer, int32_t sequence, int64_t *offset) {
    struct lf_buf *batch = world_batch(records, producer, producer < 0 ? -1 : 0, sequence);
    world_publish(&world, node, session, request, topic, batch);
    lf_buf_unref(&batch);
    const struct world_reply *reply = world_answer(&world, session, request, 3000);
    assert_non_null(reply);
    if (offset && reply->reply->body_case == LF__CLIENT_REPLY__BODY_PUBLISH)
        *offset = reply->reply->publish->base_offset;
    return (enum lf_status)reply->reply->status;
}

static void three_nodes_found_a_cluster_and_acknowledge(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 1, 3);
    int leader = world_wait_leader(&world, group, 3000);
    assert_true(leader >= 0);
    world_hello(&world, (size_t)leader, 10);
    for (int i = 0; i < 20; i++) {
        int64_t offset = -1;
        assert_int_equal(publish((size_t)leader, 10, 2 + (uint64_t)i, "t", 3, -1, -1, &offset), LF_OK);
        assert_int_equal(offset, 3 * i);
    }
    world_run(&world, 200);
    uint64_t applied = node_group_applied(world.nodes[leader], group);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(node_group_applied(world.nodes[i], group), applied);
        assert_int_equal(node_group_applied_checksum(world.nodes[i], group),
                         node_group_applied_checksum(world.nodes[leader], group));
    }
}

static void a_single_node_serves_alone_and_after_a_restart(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 2, 1);
    assert_int_equal(world_wait_leader(&world, group, 3000), 0);
    world_hello(&world, 0, 10);
    int64_t offset = -1;
    assert_int_equal(publish(0, 10, 2, "t", 5, 7, 0, &offset), LF_OK);
    assert_int_equal(offset, 0);
    world_crash(&world, 0, MEM_DISK_POWER);
    world_run(&world, 10);
    world_start(&world, 0);
    assert_int_equal(world_wait_leader(&world, group, 3000), 0);
    world_hello(&world, 0, 11);
    assert_int_equal(publish(0, 11, 2, "t", 5, 7, 0, &offset), LF_OK); /* the repeat gets the first answer */
    assert_int_equal(offset, 0);
    assert_int_equal(publish(0, 11, 3, "t", 1, 7, 5, &offset), LF_OK);
    assert_int_equal(offset, 5);
}

static void the_acknowledged_survives_the_leaders_death(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 1, 3);
    int leader = world_wait_leader(&world, group, 3000);
    world_hello(&world, (size_t)leader, 10);
    int64_t offset = -1;
    for (int i = 0; i < 10; i++)
        assert_int_equal(publish((size_t)leader, 10, 2 + (uint64_t)i, "t", 1, 9, i, &offset), LF_OK);
    world_crash(&world, (size_t)leader, MEM_DISK_KILL);
    int second = world_wait_leader(&world, group, 3000);
    assert_true(second >= 0 && second != leader);
    world_hello(&world, (size_t)second, 11);
    assert_int_equal(publish((size_t)second, 11, 2, "t", 1, 9, 9, &offset), LF_OK);
    assert_int_equal(offset, 9);
    assert_int_equal(publish((size_t)second, 11, 3, "t", 1, 9, 12, &offset), LF_SEQUENCE_GAP);
    assert_int_equal(publish((size_t)second, 11, 4, "t", 1, 9, 10, &offset), LF_OK);
    assert_int_equal(offset, 10);
    world_start(&world, (size_t)leader);
    world_run(&world, 1000);
    assert_int_equal(node_group_applied_checksum(world.nodes[leader], group),
                     node_group_applied_checksum(world.nodes[second], group));
}

static void a_leader_without_a_quorum_says_unknown_then_not_done(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 1, 3);
    int leader = world_wait_leader(&world, group, 3000);
    world_hello(&world, (size_t)leader, 10);
    assert_int_equal(publish((size_t)leader, 10, 2, "t", 1, 9, 0, NULL), LF_OK);
    world.cut[(leader + 1) % 3] = world.cut[(leader + 2) % 3] = true;
    assert_int_equal(publish((size_t)leader, 10, 3, "t", 1, 9, 1, NULL), LF_UNKNOWN_OUTCOME);
    assert_int_equal(publish((size_t)leader, 10, 4, "t", 1, 9, 1, NULL), LF_NO_QUORUM);
}

static void a_follower_names_the_leader(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 1, 3);
    int leader = world_wait_leader(&world, group, 3000);
    world_run(&world, 200);
    size_t follower = (size_t)(leader + 1) % 3;
    world_hello(&world, follower, 10);
    assert_int_equal(publish(follower, 10, 2, "t", 1, 9, 0, NULL), LF_NOT_LEADER);
    const struct world_reply *reply = world_answer(&world, 10, 2, 0);
    assert_non_null(reply->reply->leader);
    assert_int_equal(reply->reply->leader->broker->node_id, leader + 1);
}

static size_t delivered(uint64_t session, int64_t *records) {
    size_t batches = 0;
    *records = 0;
    for (size_t i = 0; i < world.reply_count; i++) {
        const struct world_reply *reply = &world.replies[i];
        if (reply->session != session || reply->reply->body_case != LF__CLIENT_REPLY__BODY_DELIVER)
            continue;
        for (size_t k = 0; k < reply->frame_count; k++) {
            struct lf_batch_header header;
            assert_int_equal(lf_batch_verify(lf_buf_bytes(reply->frames[k]), NULL, &header, NULL), LF_OK);
            assert_int_equal(header.base_offset, *records);
            *records += header.record_count;
            batches++;
        }
    }
    return batches;
}

static void subscribe(size_t node, uint64_t session, Lf__StartFrom from, uint64_t credit) {
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t) "t";
    Lf__Subscribe body = LF__SUBSCRIBE__INIT;
    body.subscription = 1;
    body.topic = &ref;
    body.from = from;
    body.credit_total = credit;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = 50;
    request.body_case = LF__CLIENT_REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &body;
    world_request(&world, node, session, &request, NULL);
    const struct world_reply *reply = world_answer(&world, session, 50, 3000);
    assert_non_null(reply);
    assert_int_equal(reply->reply->status, LF_OK);
}

static void every_replica_delivers_within_credit(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 1, 3);
    int leader = world_wait_leader(&world, group, 3000);
    world_hello(&world, (size_t)leader, 10);
    for (int i = 0; i < 30; i++)
        assert_int_equal(publish((size_t)leader, 10, 2 + (uint64_t)i, "t", 2, -1, -1, NULL), LF_OK);
    world_run(&world, 300);
    for (size_t i = 0; i < 3; i++) {
        int64_t records;
        world_hello(&world, i, 100 + i);
        subscribe(i, 100 + i, LF__START_FROM__START_EARLIEST, 1);
        world_run(&world, 50);
        size_t before = 30 + i;
        assert_int_equal(delivered(100 + i, &records), before); /* one message, however large */
        assert_int_equal(records, 2 * before);
        assert_int_equal(publish((size_t)leader, 10, 200 + i, "t", 2, -1, -1, NULL), LF_OK);
        world_run(&world, 200);
        delivered(100 + i, &records);
        assert_int_equal(records, 2 * before); /* no credit left */
    }
}

static void a_restarted_follower_reads_what_is_no_longer_in_memory(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 1, 3);
    int leader = world_wait_leader(&world, group, 3000);
    world_hello(&world, (size_t)leader, 10);
    for (int i = 0; i < 30; i++)
        assert_int_equal(publish((size_t)leader, 10, 2 + (uint64_t)i, "t", 2, -1, -1, NULL), LF_OK);
    size_t follower = (size_t)(leader + 1) % 3;
    world_run(&world, 1000); /* its applied state is written */
    world_crash(&world, follower, MEM_DISK_KILL);
    world_start(&world, follower);
    world_run(&world, 1000);
    int64_t records;
    world_hello(&world, follower, 77);
    subscribe(follower, 77, LF__START_FROM__START_EARLIEST, 1 << 20);
    world_run(&world, 100);
    delivered(77, &records);
    assert_int_equal(records, 60);
}

/** Whichever read meets it, here the one that looks up a time. */
static void a_node_that_reads_other_bytes_than_it_wrote_ends(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 1, 3), damaged_group, index;
    int leader = world_wait_leader(&world, group, 3000);
    world_hello(&world, (size_t)leader, 10);
    for (int i = 0; i < 30; i++)
        assert_int_equal(publish((size_t)leader, 10, 2 + (uint64_t)i, "t", 2, -1, -1, NULL), LF_OK);
    size_t follower = (size_t)(leader + 1) % 3;
    world_run(&world, 1000); /* its applied state is written */
    world_crash(&world, follower, MEM_DISK_KILL);
    world_start(&world, follower);
    world_run(&world, 1000);
    for (int i = 0; i < 1000; i++)
        assert_true(mem_store_damage(world.disks[follower], world.stores[follower], &damaged_group, &index));
    world_hello(&world, follower, 77);
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t) "t";
    Lf__Subscribe body = LF__SUBSCRIBE__INIT;
    body.subscription = 1;
    body.topic = &ref;
    body.from = LF__START_FROM__START_TIMESTAMP;
    body.timestamp_ms = 1;
    body.credit_total = 1 << 20;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = 50;
    request.body_case = LF__CLIENT_REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &body;
    world_request(&world, follower, 77, &request, NULL);
    world_run(&world, 100);
    assert_int_equal(world.fatal[follower], LF_DAMAGED);
}

static void a_deleted_topic_is_gone_everywhere(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 3, 3);
    assert_true(world_wait_leader(&world, group, 3000) >= 0);
    int controller = world_wait_leader(&world, 0, 3000);
    world_hello(&world, (size_t)controller, 10);
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t) "t";
    Lf__DeleteTopic body = LF__DELETE_TOPIC__INIT;
    body.topic = &ref;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = 2;
    request.body_case = LF__CLIENT_REQUEST__BODY_DELETE_TOPIC;
    request.delete_topic = &body;
    world_request(&world, (size_t)controller, 10, &request, NULL);
    const struct world_reply *reply = world_answer(&world, 10, 2, 3000);
    assert_non_null(reply);
    assert_int_equal(reply->reply->status, LF_OK);
    world_run(&world, 500);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(node_groups(world.nodes[i], NULL, 0), 1);
        world_crash(&world, i, MEM_DISK_KILL);
        world_start(&world, i);
        assert_int_equal(world.stores[i]->group_count, 1);
    }
    uint64_t again = world_topic(&world, "t", 1, 3);
    assert_int_not_equal(again, group);
}

static void leadership_is_handed_over_at_a_stop(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 1, 3);
    int leader = world_wait_leader(&world, group, 3000);
    world_run(&world, 300);
    uint64_t begin = world.now_ms;
    struct node_event event = {.type = NODE_EVENT_STOP, .now_ms = world.now_ms, .wall_ms = 1700000000000};
    node_step(world.nodes[leader], &event, &world.effects[leader]);
    while (!world.effects[leader].stopped && world.now_ms < begin + 5000)
        world_run(&world, 1);
    assert_true(world.effects[leader].stopped);
    assert_true(world.now_ms - begin < 500);
    int second = world_wait_leader(&world, group, 100);
    assert_true(second >= 0 && second != leader);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(three_nodes_found_a_cluster_and_acknowledge, setup_three, teardown),
        cmocka_unit_test_setup_teardown(a_single_node_serves_alone_and_after_a_restart, setup_one, teardown),
        cmocka_unit_test_setup_teardown(the_acknowledged_survives_the_leaders_death, setup_three, teardown),
        cmocka_unit_test_setup_teardown(a_leader_without_a_quorum_says_unknown_then_not_done, setup_three, teardown),
        cmocka_unit_test_setup_teardown(a_follower_names_the_leader, setup_three, teardown),
        cmocka_unit_test_setup_teardown(every_replica_delivers_within_credit, setup_three, teardown),
        cmocka_unit_test_setup_teardown(a_restarted_follower_reads_what_is_no_longer_in_memory, setup_three, teardown),
        cmocka_unit_test_setup_teardown(a_node_that_reads_other_bytes_than_it_wrote_ends, setup_three, teardown),
        cmocka_unit_test_setup_teardown(a_deleted_topic_is_gone_everywhere, setup_three, teardown),
        cmocka_unit_test_setup_teardown(leadership_is_handed_over_at_a_stop, setup_three, teardown),
    };
    return cmocka_run_group_tests_name("node_cluster", tests, NULL, NULL);
}
