/** Segments on whole nodes: when leaders end and drop them, what replicas make of it, and what readers are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "node_story.h"
#include "partition.h"

#define ACTIVE_BYTES_MAX 8192

static struct world world;
static uint64_t group, next_request = 100;
static size_t leader;

static void begin(size_t nodes) {
    struct node_limits limits = {.active_bytes_max = ACTIVE_BYTES_MAX, .tail_cache_bytes_max = 4096};
    world_init_limited(&world, nodes, &limits);
    world.verbose = getenv("VERBOSE") != NULL;
    group = world_topic(&world, "t", 1, (uint32_t)nodes);
    world_run(&world, nodes > 1 ? 8000 : 0); /* the replica that should lead does */
    int found = world_wait_leader(&world, group, 3000);
    assert_true(found >= 0);
    leader = (size_t)found;
    world_hello(&world, leader, 10);
}

static int setup_three(void **state) {
    (void)state;
    begin(3);
    return 0;
}

static int setup_one(void **state) {
    (void)state;
    begin(1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    world_deinit(&world);
    return 0;
}

/** `batches` of 50 records each, one after the other. */
static void publish(int batches) {
    for (int i = 0; i < batches; i++) {
        struct lf_buf *batch = world_batch(50, -1, -1, -1);
        world_publish(&world, leader, 10, ++next_request, "t", batch);
        lf_buf_unref(&batch);
        const struct world_reply *reply = world_answer(&world, 10, next_request, 3000);
        assert_non_null(reply);
        assert_status(reply->reply->status, LF_OK);
    }
}

static const struct partition *machine(size_t node) {
    const struct partition *partition = node_group_partition(world.nodes[node], group);
    assert_non_null(partition);
    return partition;
}

static size_t sealed(size_t node) {
    size_t count;
    partition_segments(machine(node), &count);
    return count;
}

static void assert_equal_segments(size_t a, size_t b) {
    size_t count, count_b;
    const struct log_segment *left = partition_segments(machine(a), &count),
                             *right = partition_segments(machine(b), &count_b);
    assert_int_equal(count, count_b);
    for (size_t i = 0; i < count; i++)
        assert_true(log_segment_equal(&left[i], &right[i]));
    assert_true(partition_applied_equal(machine(a), machine(b)));
}

static void restart(size_t node) {
    world_crash(&world, node, MEM_DISK_POWER);
    world_run(&world, 10);
    world_start(&world, node);
    int found = world_wait_leader(&world, group, 5000);
    assert_true(found >= 0);
    leader = (size_t)found;
    world_run(&world, 1500);
    assert_int_equal(world.fatal[node], LF_OK);
    world_hello(&world, leader, 10);
}

static void what_is_open_stays_below_its_bound(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        publish(10);
        world_run(&world, 30);
        assert_in_range(partition_bytes(machine(leader)).open, 0, ACTIVE_BYTES_MAX + 4096);
    }
    assert_in_range(sealed(leader), 2, 20);
}

static void segments_are_equal_on_all_replicas(void **state) {
    (void)state;
    publish(100);
    world_run(&world, 1000);
    assert_true(sealed(0) >= 2);
    assert_equal_segments(0, 1);
    assert_equal_segments(0, 2);
}

static void segments_outlive_a_restart(void **state) {
    (void)state;
    publish(100);
    world_run(&world, 1000);
    size_t before = sealed(0);
    restart(0);
    assert_true(sealed(0) >= before);
    publish(20);
    world_run(&world, 1000);
    for (size_t i = 0; i < 3; i++)
        restart(i);
    publish(20);
    world_run(&world, 1000);
    assert_equal_segments(0, 1);
    assert_equal_segments(0, 2);
}

static void retention_by_bytes_keeps_what_it_should(void **state) {
    (void)state;
    assert_status(world_alter(&world, "t", "retention.bytes", "30000"), LF_OK);
    for (int i = 0; i < 10; i++) {
        publish(30);
        world_run(&world, 200);
    }
    world_run(&world, 3000);
    struct partition_bytes bytes = partition_bytes(machine(leader));
    assert_in_range(bytes.sealed + bytes.open, 30000, 30000 + 2 * ACTIVE_BYTES_MAX);
    size_t count;
    assert_int_equal(partition_log_start_offset(machine(leader)),
                     partition_segments(machine(leader), &count)[0].base_offset);
    assert_true(partition_log_start_offset(machine(leader)) > 0);
    for (size_t i = 0; i < 3; i++) { /* the cores know */
        assert_equal_segments(0, i);
        assert_int_equal(raft_previous_index(node_group_raft(world.nodes[i], group)),
                         partition_first_index(machine(i)) - 1);
    }
}

static void retention_by_age_ends_and_drops_all_that_is_old(void **state) {
    (void)state;
    assert_status(world_alter(&world, "t", "retention.ms", "3s"), LF_OK);
    publish(50);
    assert_int_equal(partition_log_start_offset(machine(leader)), 0);
    world_run(&world, 8000);
    assert_int_equal(sealed(leader), 0);
    assert_int_equal(partition_log_start_offset(machine(leader)), 2500);
    assert_int_equal(partition_high_watermark(machine(leader)), 2500);
    assert_in_range(partition_bytes(machine(leader)).open, 0, 500); /* the decision itself */
    publish(1);
    assert_int_equal(partition_high_watermark(machine(leader)), 2550);
}

static void without_the_policy_to_delete_nothing_is_dropped(void **state) {
    (void)state;
    assert_status(world_alter(&world, "t", "retention.ms", "1s"), LF_OK);
    assert_status(world_alter(&world, "t", "cleanup.policy", "compact"), LF_OK);
    publish(50);
    world_run(&world, 5000);
    assert_int_equal(partition_log_start_offset(machine(leader)), 0);
}

static void idle_partitions_do_not_roll(void **state) {
    (void)state;
    assert_status(world_alter(&world, "t", "segment.ms", "1s"), LF_OK);
    world_run(&world, 20000);
    assert_int_equal(sealed(leader), 0);
    publish(1);
    world_run(&world, 20000);
    assert_int_equal(sealed(leader), 1); /* by age; not again */
}

static void dropped_history_stays_dropped_after_a_restart(void **state) {
    (void)state;
    assert_status(world_alter(&world, "t", "retention.bytes", "10000"), LF_OK);
    publish(150);
    world_run(&world, 3000);
    int64_t start = partition_log_start_offset(machine(leader));
    assert_true(start > 0);
    for (size_t i = 0; i < 3; i++)
        restart(i);
    publish(10);
    world_run(&world, 3000);
    assert_true(partition_log_start_offset(machine(leader)) >= start);
    assert_true(partition_first_index(machine(leader)) > 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(raft_previous_index(node_group_raft(world.nodes[i], group)),
                         partition_first_index(machine(i)) - 1);
    assert_equal_segments(0, 1);
    assert_equal_segments(0, 2);
}

/** Subscribes at the offset; the answer's status. */
static enum lf_status subscribe(uint64_t id, int64_t offset, bool reset, uint64_t credit) {
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t) "t";
    Lf__Position position = LF__POSITION__INIT;
    position.offset = offset;
    Lf__Subscribe body = LF__SUBSCRIBE__INIT;
    body.subscription = id;
    body.topic = &ref;
    body.from = LF__START_FROM__START_OFFSET;
    body.position = &position;
    body.reset_to_log_start = reset;
    body.credit_total = credit;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = ++next_request;
    request.body_case = LF__CLIENT_REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &body;
    world_request(&world, leader, 10, &request, NULL);
    const struct world_reply *reply = world_answer(&world, 10, next_request, 1000);
    assert_non_null(reply);
    if (reply->reply->status == LF_OK)
        assert_int_equal(reply->reply->subscribe->start_offset,
                         reset ? reply->reply->subscribe->log_start_offset : offset);
    return (enum lf_status)reply->reply->status;
}

/** The end of that subscription, or NULL. */
static const Lf__ClientReply *end_of(uint64_t id) {
    for (size_t i = 0; i < world.reply_count; i++)
        if (world.replies[i].reply->body_case == LF__CLIENT_REPLY__BODY_SUBSCRIPTION_END &&
            world.replies[i].reply->subscription_end->subscription == id)
            return world.replies[i].reply;
    return NULL;
}

static void reader_that_the_log_start_overtakes_is_told_where_to_go_on(void **state) {
    (void)state;
    publish(100);
    assert_status(subscribe(1, 0, false, 0), LF_OK); /* waits for credit, below what is dropped */
    assert_status(subscribe(2, 4999, false, 0), LF_OK);
    assert_status(world_alter(&world, "t", "retention.bytes", "10000"), LF_OK);
    world_run(&world, 3000);
    int64_t start = partition_log_start_offset(machine(leader));
    assert_in_range(start, 1, 4999);
    assert_non_null(end_of(1));
    assert_status(end_of(1)->status, LF_OFFSET_BELOW_START);
    assert_int_equal(end_of(1)->subscription_end->resume->offset, start);
    assert_null(end_of(2));
    assert_status(subscribe(3, start - 1, false, 0), LF_OFFSET_BELOW_START);
    assert_status(subscribe(4, start - 1, true, 0), LF_OK);
    assert_status(subscribe(5, start, false, 1 << 20), LF_OK);
}

/** Commands that nobody reads: raised epochs. */
static void raise_epochs(int count) {
    static int32_t epoch = 0;
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t) "t";
    for (int i = 0; i < count; i++) {
        Lf__RaiseProducerEpoch body = LF__RAISE_PRODUCER_EPOCH__INIT;
        body.topic = &ref;
        body.producer_id = 7;
        body.producer_epoch = ++epoch;
        Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
        request.protocol_version = 1;
        request.request_id = ++next_request;
        request.body_case = LF__CLIENT_REQUEST__BODY_RAISE_PRODUCER_EPOCH;
        request.raise_producer_epoch = &body;
        world_request(&world, leader, 10, &request, NULL);
        const struct world_reply *reply = world_answer(&world, 10, next_request, 3000);
        assert_non_null(reply);
        assert_status(reply->reply->status, LF_OK);
    }
}

/** All batches are delivered from the offset on, one after the other. Returns the offset after the last. */
static int64_t read_from(uint64_t id, int64_t offset) {
    world_run(&world, 10);
    size_t seen = world.reply_count;
    assert_status(subscribe(id, offset, false, 1 << 24), LF_OK);
    world_run(&world, 2000);
    for (size_t i = seen; i < world.reply_count; i++) {
        const struct world_reply *reply = &world.replies[i];
        if (reply->reply->body_case != LF__CLIENT_REPLY__BODY_DELIVER || reply->reply->deliver->subscription != id)
            continue;
        assert_int_equal(reply->reply->deliver->n_gone_below, 0);
        for (size_t k = 0; k < reply->frame_count; k++) {
            assert_in_range(lf_get_be64(reply->frames[k]->data), 0, (uint64_t)offset);
            offset =
                (int64_t)lf_get_be64(reply->frames[k]->data) + (int64_t)lf_get_be32(reply->frames[k]->data + 23) + 1;
        }
    }
    return offset;
}

static void commands_do_not_pile_up(void **state) {
    (void)state;
    assert_status(world_alter(&world, "t", "segment.bytes", "64KiB"), LF_OK);
    publish(20);
    for (int i = 0; i < 20; i++) {
        raise_epochs(100);
        world_run(&world, 1200);
    }
    world_run(&world, 5000);
    for (size_t i = 0; i < 3; i++) {
        struct partition_bytes bytes = partition_bytes(machine(i));
        assert_in_range(bytes.sealed + bytes.open, 1, 40000); /* of 150 kB of commands */
        assert_int_equal(partition_decisions_waiting(machine(i)), 0);
        assert_true(partition_previous_index(machine(i)) > 100);
        assert_equal_segments(0, i);
    }
    assert_int_equal(partition_log_start_offset(machine(leader)), 0);
    assert_int_equal(read_from(1, 0), 1000); /* every record is there */
    for (size_t i = 0; i < 3; i++)
        restart(i);
    publish(1);
    assert_int_equal(read_from(2, 0), 1050);
    world_run(&world, 3000);
    assert_equal_segments(0, 1);
    assert_equal_segments(0, 2);
}

static void give(size_t node, uint64_t room_bytes) {
    struct node_event event = {.type = NODE_EVENT_SPACE,
                               .space = {.room_bytes = room_bytes, .soft_bytes = 2000, .hard_bytes = 1000}};
    world_event(&world, node, &event);
}

static void replica_without_room_drops_what_the_others_drop(void **state) {
    (void)state;
    size_t full = (leader + 1) % 3;
    publish(100);
    world_run(&world, 1000);
    assert_int_equal(partition_log_start_offset(machine(full)), 0);
    give(full, 500);
    world_run(&world, 500);
    int64_t end = partition_high_watermark(machine(full));
    assert_status(world_alter(&world, "t", "retention.bytes", "10000"), LF_OK);
    publish(60);
    world_run(&world, 4000);
    int64_t start = partition_log_start_offset(machine(leader));
    assert_in_range(start, 1, partition_high_watermark(machine(leader)));
    assert_int_equal(partition_high_watermark(machine(full)), end); /* it took nothing */
    assert_int_equal(partition_log_start_offset(machine(full)), start);
    struct partition_bytes bytes = partition_bytes(machine(full));
    assert_in_range(bytes.sealed + bytes.open, 0, 2 * ACTIVE_BYTES_MAX + 10000);
    restart(full);
    assert_int_equal(world.fatal[full], LF_OK);
    assert_true(partition_log_start_offset(machine(full)) >= start);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_open_stays_below_its_bound, setup_one, teardown),
        cmocka_unit_test_setup_teardown(segments_are_equal_on_all_replicas, setup_three, teardown),
        cmocka_unit_test_setup_teardown(segments_outlive_a_restart, setup_three, teardown),
        cmocka_unit_test_setup_teardown(retention_by_bytes_keeps_what_it_should, setup_three, teardown),
        cmocka_unit_test_setup_teardown(retention_by_age_ends_and_drops_all_that_is_old, setup_one, teardown),
        cmocka_unit_test_setup_teardown(without_the_policy_to_delete_nothing_is_dropped, setup_one, teardown),
        cmocka_unit_test_setup_teardown(idle_partitions_do_not_roll, setup_one, teardown),
        cmocka_unit_test_setup_teardown(dropped_history_stays_dropped_after_a_restart, setup_three, teardown),
        cmocka_unit_test_setup_teardown(replica_without_room_drops_what_the_others_drop, setup_three, teardown),
        cmocka_unit_test_setup_teardown(commands_do_not_pile_up, setup_three, teardown),
        cmocka_unit_test_setup_teardown(reader_that_the_log_start_overtakes_is_told_where_to_go_on, setup_one,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
