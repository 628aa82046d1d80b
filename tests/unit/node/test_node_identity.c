/** Who counts as whom: a store is known by its UUID, not by its node's name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "node_world.h"

static struct world world;

static int setup(void **state) {
    (void)state;
    world_init(&world, 3);
    world.verbose = getenv("VERBOSE") != NULL;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    world_deinit(&world);
    return 0;
}

static enum lf_status publish(size_t node, uint64_t session, uint64_t request) {
    struct lf_buf *batch = world_batch(1, -1, -1, -1);
    world_publish(&world, node, session, request, "t", batch);
    lf_buf_unref(&batch);
    const struct world_reply *reply = world_answer(&world, session, request, 3000);
    assert_non_null(reply);
    return (enum lf_status)reply->reply->status;
}

/** E11: acknowledged by two of three; the disk of one of them is replaced by an empty one under the old name, and the
 *  other dies. What is left must not decide anything: it does not know what was acknowledged. */
static void a_wiped_disk_under_the_old_name_counts_for_nothing(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 1, 3);
    size_t leader = (size_t)world_wait_leader(&world, group, 3000);
    size_t other = (leader + 1) % 3, behind = (leader + 2) % 3;
    world_run(&world, 300); /* everybody's store is pinned everywhere */
    world.cut[behind] = true;
    world_hello(&world, leader, 10);
    assert_int_equal(publish(leader, 10, 2), LF_OK);

    world_crash(&world, other, MEM_DISK_POWER);
    world_wipe(&world, other);
    world.found_again = true;
    world_start(&world, other);
    world_crash(&world, leader, MEM_DISK_KILL);
    world.cut[behind] = false;
    const struct raft *raft = node_group_raft(world.nodes[behind], 0);
    uint64_t term = raft_term(raft);
    for (int i = 0; i < 50; i++) {
        world_run(&world, 100);
        assert_int_equal(world_leader(&world, 0), -1);
        assert_int_equal(world_leader(&world, group), -1);
        assert_int_equal(raft_term(raft), term); /* no vote, not even a word that it might get one */
    }
    /* With one who knows there is a majority again, of the two stores that are the pinned ones. */
    world_start(&world, leader);
    int next = world_wait_leader(&world, group, 5000);
    assert_true(next >= 0);
    world_run(&world, 500);
    assert_int_equal(node_group_applied_checksum(world.nodes[behind], group),
                     node_group_applied_checksum(world.nodes[leader], group));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_wiped_disk_under_the_old_name_counts_for_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
