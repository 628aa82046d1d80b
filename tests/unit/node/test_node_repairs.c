/** Damaged segments are made anew from the leader's entries, on whole nodes: one fact each. The store's word that one
 * is damaged is enough: that bytes are right again afterwards is for the tests of the stores and of whole brokers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "node_metrics.h"
#include "node_story.h"
#include "partition.h"

#define ACTIVE_BYTES_MAX 8192
#define TAIL_BYTES_MAX 4096

static struct world world;
static uint64_t group, next_request = 100;
static size_t leader;

static void begin(size_t nodes) {
    struct node_limits limits = {.active_bytes_max = ACTIVE_BYTES_MAX, .tail_cache_bytes_max = TAIL_BYTES_MAX};
    world_init_limited(&world, nodes, &limits);
    world.verbose = getenv("VERBOSE") != NULL;
    group = world_topic(&world, "t", 1, (uint32_t)nodes);
    int found = world_wait_leader(&world, group, 3000);
    assert_true(found >= 0);
    leader = (size_t)found;
    world_hello(&world, leader, 10);
    for (int i = 0; i < 60; i++) {
        struct lf_buf *batch = world_batch(50, -1, -1, -1);
        world_publish(&world, leader, 10, ++next_request, "t", batch);
        lf_buf_unref(&batch);
        const struct world_reply *reply = world_answer(&world, 10, next_request, 3000);
        assert_non_null(reply);
        assert_status(reply->reply->status, LF_OK);
    }
    world_run(&world, 300);
}

static int setup(void **state) {
    (void)state;
    begin(3);
    return 0;
}

static int setup_alone(void **state) {
    (void)state;
    begin(1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    world_deinit(&world);
    return 0;
}

static const struct log_segment *segments(size_t node, size_t *count) {
    const struct partition *partition = node_group_partition(world.nodes[node], group);
    assert_non_null(partition);
    return partition_segments(partition, count);
}

/** The store of the node says that one of its segments is damaged. */
static void damage(size_t node, size_t which) {
    size_t count;
    const struct log_segment *all = segments(node, &count);
    assert_true(count > which);
    struct log_store_completion completion = {
        .kind = LOG_STORE_DONE_DAMAGE, .status = LF_DAMAGED, .group = group, .segment = all[which]};
    snprintf(completion.error.text, sizeof completion.error.text, "a checksum does not agree");
    world_event(&world, node, &(struct node_event){.type = NODE_EVENT_STORE, .completion = &completion});
}

static uint64_t repaired(size_t node) { return node_metrics(world.nodes[node])->segments_repaired; }

static bool has_repaired(struct world *of, void *context) {
    const size_t *wanted = context; /* node, segments */
    return of->nodes[wanted[0]] && repaired(wanted[0]) >= wanted[1];
}

static void wait_repaired(size_t node, size_t count) {
    size_t wanted[] = {node, count};
    assert_true(world_until(&world, has_repaired, wanted, 10000));
    assert_int_equal(repaired(node), count);
    assert_status(world.fatal[node], LF_OK);
}

static void follower_repairs_each_damaged_segment_once(void **state) {
    (void)state;
    size_t node = (leader + 1) % 3, count;
    segments(node, &count);
    assert_true(count >= 3);
    uint32_t before = node_group_applied_checksum(world.nodes[node], group);
    damage(node, 1);
    damage(node, 1);
    damage(node, 0);
    damage(node, count - 1);
    wait_repaired(node, 3);
    assert_int_equal(node_group_applied_checksum(world.nodes[node], group), before);
    world_crash(&world, node, MEM_DISK_POWER); /* it is durable, and the store is whole */
    world_start(&world, node);
    world_run(&world, 1000);
    size_t after;
    segments(node, &after);
    assert_int_equal(after, count);
    assert_int_equal(node_group_applied_checksum(world.nodes[node], group),
                     node_group_applied_checksum(world.nodes[leader], group));
}

static void leader_hands_over_before_it_repairs(void **state) {
    (void)state;
    size_t node = leader;
    damage(node, 0);
    world_run(&world, 30);
    wait_repaired(node, 1);
    int next = world_wait_leader(&world, group, 3000);
    assert_true(next >= 0);
}

static void repair_survives_lost_messages(void **state) {
    (void)state;
    size_t node = (leader + 1) % 3;
    world.lose_permille = 200;
    for (size_t i = 0; i < 3; i++)
        damage(node, i);
    wait_repaired(node, 3);
    world.lose_permille = 0;
}

static void repair_goes_on_with_the_next_leader(void **state) {
    (void)state;
    size_t node = (leader + 1) % 3;
    for (size_t i = 0; i < 3; i++)
        damage(node, i);
    world_run(&world, 3);
    world_crash(&world, leader, MEM_DISK_KILL);
    wait_repaired(node, 3);
}

static bool stages(struct world *of, void *context) {
    const struct group *damaged = lf_map_get(&of->nodes[*(size_t *)context]->groups, NODE_MAP_KEY(group));
    return damaged && repairs_stage(damaged);
}

/** The segment is held all the while: put in its own place it would count as repaired. */
static void what_the_store_gave_up_meanwhile_is_pulled_anew(void **state) {
    (void)state;
    size_t node = (leader + 1) % 3;
    damage(node, 0);
    assert_true(world_until(&world, stages, &node, 1000));
    struct group *damaged = lf_map_get(&world.nodes[node]->groups, NODE_MAP_KEY(group));
    image_staged_written(world.nodes[node], damaged, &(struct log_store_write){.unstage = true});
    assert_false(repairs_stage(damaged));
    wait_repaired(node, 1);
}

static void segment_of_a_group_that_is_alone_is_lost_with_its_store(void **state) {
    (void)state;
    damage(0, 0);
    assert_status(world.fatal[0], LF_DAMAGED);
}

static void what_is_in_no_segment_is_lost_with_its_store(void **state) {
    (void)state;
    size_t node = (leader + 1) % 3;
    struct log_store_completion completion = {.kind = LOG_STORE_DONE_DAMAGE, .status = LF_DAMAGED, .group = group};
    world_event(&world, node, &(struct node_event){.type = NODE_EVENT_STORE, .completion = &completion});
    assert_status(world.fatal[node], LF_DAMAGED);
}

int main(void) {
#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        FACT(follower_repairs_each_damaged_segment_once),
        FACT(leader_hands_over_before_it_repairs),
        FACT(repair_survives_lost_messages),
        FACT(repair_goes_on_with_the_next_leader),
        FACT(what_the_store_gave_up_meanwhile_is_pulled_anew),
        cmocka_unit_test_setup_teardown(segment_of_a_group_that_is_alone_is_lost_with_its_store, setup_alone, teardown),
        FACT(what_is_in_no_segment_is_lost_with_its_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
