/** Disks that fill up: what a node takes, and who leads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "node_story.h"

#define MIB (1024ull * 1024)
#define SOFT (100 * MIB)
#define HARD (50 * MIB)

static struct world world;
static uint64_t group, next_session;

static void begin(size_t nodes) {
    world_init(&world, nodes);
    world.verbose = getenv("VERBOSE") != NULL;
    next_session = 100;
    group = world_topic(&world, "t", 1, (uint32_t)nodes);
    world_run(&world, 1000);
}

static int end(void **state) {
    (void)state;
    world_deinit(&world);
    return 0;
}

static void give(size_t node, uint64_t room_bytes) {
    struct node_event event = {.type = NODE_EVENT_SPACE,
                               .space = {.room_bytes = room_bytes, .soft_bytes = SOFT, .hard_bytes = HARD}};
    world_event(&world, node, &event);
}

/** Of one batch, told by this node. */
static enum lf_status publish(size_t node) {
    struct lf_buf *batch = world_batch(1, -1, -1, -1);
    world_hello(&world, node, ++next_session);
    world_publish(&world, node, next_session, 2, "t", batch);
    lf_buf_unref(&batch);
    const struct world_reply *reply = world_answer(&world, next_session, 2, 3000);
    return reply ? (enum lf_status)reply->reply->status : LF_TIMED_OUT;
}

static uint64_t last_index(size_t node, uint64_t id) { return raft_last_index(node_group_raft(world.nodes[node], id)); }

/** Leadership at a node, whoever is preferred. */
static void wait_led_by_another_than(size_t node, uint64_t ms) {
    for (uint64_t until = world.now_ms + ms; world.now_ms < until; world_run(&world, 10)) {
        int leader = world_leader(&world, group);
        if (leader >= 0 && (size_t)leader != node)
            return;
    }
    fail_msg("node %zu still leads after %llu ms", node + 1, (unsigned long long)ms);
}

static void publishes_are_refused_below_the_soft_limit_and_taken_again_above_it(void **state) {
    (void)state;
    begin(1);
    assert_status(publish(0), LF_OK);
    give(0, SOFT);
    assert_status(publish(0), LF_OK);
    give(0, SOFT - 1);
    assert_status(publish(0), LF_NO_SPACE);
    give(0, SOFT); /* not for a moment's sake */
    assert_status(publish(0), LF_NO_SPACE);
    give(0, SOFT + SOFT / 4);
    assert_status(publish(0), LF_OK);
    assert_int_equal(node_space_level(world.nodes[0]), NODE_SPACE_ENOUGH);
}

static void leadership_leaves_a_node_with_little_room_and_comes_back(void **state) {
    (void)state;
    begin(3);
    world_run(&world, 15000);
    size_t leader = (size_t)world_wait_leader(&world, group, 3000);
    give(leader, SOFT - 1);
    wait_led_by_another_than(leader, 1000);
    assert_status(publish((size_t)world_leader(&world, group)), LF_OK);
    world_run(&world, 500);
    uint64_t term = raft_term(node_group_raft(world.nodes[leader], group));
    world_run(&world, 30000); /* and it is not handed to it, to be given away again */
    assert_int_equal(raft_term(node_group_raft(world.nodes[leader], group)), term);
    assert_int_not_equal(world_leader(&world, group), leader);
    assert_int_not_equal(world_leader(&world, 0), leader);
    assert_int_equal(last_index(leader, group), last_index((size_t)world_leader(&world, group), group));
    give(leader, 2 * SOFT);
    world_run(&world, 15000);
    assert_int_equal(world_leader(&world, group), leader); /* it is the preferred one */
}

static void where_all_have_little_room_leadership_stays(void **state) {
    (void)state;
    begin(3);
    size_t leader = (size_t)world_wait_leader(&world, group, 3000);
    uint64_t term = raft_term(node_group_raft(world.nodes[leader], group));
    for (size_t i = 0; i < 3; i++)
        give(i, SOFT - 1);
    world_run(&world, 500);
    leader = (size_t)world_leader(&world, group);
    term = raft_term(node_group_raft(world.nodes[leader], group));
    world_run(&world, 20000);
    assert_int_equal(world_leader(&world, group), leader);
    assert_int_equal(raft_term(node_group_raft(world.nodes[leader], group)), term);
    assert_status(publish(leader), LF_NO_SPACE);
}

static void a_full_follower_takes_no_batches_until_it_has_room(void **state) {
    (void)state;
    begin(3);
    size_t leader = (size_t)world_wait_leader(&world, group, 3000), full = (leader + 1) % 3;
    world_run(&world, 500);
    uint64_t last = last_index(full, group);
    give(full, HARD - 1);
    world_run(&world, 100);
    for (int i = 0; i < 20; i++)
        assert_status(publish(leader), LF_OK);
    world_run(&world, 2000);
    assert_int_equal(last_index(full, group), last);
    assert_true(last_index(leader, group) >= last + 20);
    uint64_t before = last_index(full, 0);
    world_topic(&world, "u", 1, 3); /* commands are small: it follows group 0 */
    world_run(&world, 500);
    assert_true(last_index(full, 0) > before);
    assert_int_not_equal(node_find_group(world.nodes[full], "u", 0), 0);
    give(full, HARD + HARD / 4);
    world_run(&world, 1000);
    assert_int_equal(last_index(full, group), last_index(leader, group));
}

/** The leader cannot know yet. */
static void batches_under_way_to_a_node_that_just_became_full_are_not_taken(void **state) {
    (void)state;
    begin(3);
    size_t leader = (size_t)world_wait_leader(&world, group, 3000), full = (leader + 1) % 3;
    world_run(&world, 500);
    uint64_t last = last_index(full, group);
    give(full, HARD - 1);
    struct lf_buf *batch = world_batch(1, -1, -1, -1);
    world_hello(&world, leader, 7);
    world_publish(&world, leader, 7, 2, "t", batch); /* sent in the same step, before it said so */
    lf_buf_unref(&batch);
    assert_int_equal(last_index(full, group), last);
    assert_true(node_counts(world.nodes[full]).peer_dropped_space > 0);
    assert_non_null(world_answer(&world, 7, 2, 1000));
}

static void publishes_that_no_majority_could_take_are_refused(void **state) {
    (void)state;
    begin(3);
    size_t leader = (size_t)world_wait_leader(&world, group, 3000);
    give((leader + 1) % 3, HARD - 1);
    give((leader + 2) % 3, HARD - 1);
    world_run(&world, 500);
    uint64_t last = last_index(leader, group);
    assert_status(publish(leader), LF_NO_SPACE);
    assert_int_equal(last_index(leader, group), last); /* it does not hang in the log */
    give((leader + 1) % 3, SOFT + 50 * MIB);
    world_run(&world, 200);
    assert_status(publish(leader), LF_OK);
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(publishes_are_refused_below_the_soft_limit_and_taken_again_above_it),
        TEST(leadership_leaves_a_node_with_little_room_and_comes_back),
        TEST(where_all_have_little_room_leadership_stays),
        TEST(a_full_follower_takes_no_batches_until_it_has_room),
        TEST(batches_under_way_to_a_node_that_just_became_full_are_not_taken),
        TEST(publishes_that_no_majority_could_take_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
