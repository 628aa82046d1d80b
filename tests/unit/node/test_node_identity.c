/** Who counts as whom: a store is known by its UUID, not by its node's name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "node_internal.h"
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

static const struct metadata_node *known_to(size_t node, size_t other) {
    return metadata_node(world.nodes[node]->metadata, other + 1);
}

/** Runs until the log of another node than the leader has `entries`, and nothing more. Returns the leader. */
static size_t until_followed(uint64_t entries) {
    for (int i = 0; i < 5000; i++) {
        world_run(&world, 1);
        int leader = world_leader(&world, 0);
        for (size_t at = 0; leader >= 0 && at < 3; at++)
            if (at != (size_t)leader && raft_last_index(node_group_raft(world.nodes[at], 0)) >= entries)
                return (size_t)leader;
    }
    fail_msg("no log of %llu entries", (unsigned long long)entries);
    return 0;
}

/** A founder may have voted and acknowledged before anybody wrote down which store it has: whoever leads first does, of
 *  its own, too. */
static void the_controller_pins_its_own_store(void **state) {
    (void)state;
    for (uint64_t entries = 1; entries <= 5; entries++) { /* one of them is the founding */
        size_t founder = until_followed(entries);
        world_crash(&world, founder, MEM_DISK_KILL);
        size_t leader = (size_t)world_wait_leader(&world, 0, 5000);
        assert_int_not_equal(leader, founder);
        world_run(&world, 1500);
        assert_true(known_to(leader, leader)->pinned);
        assert_memory_equal(known_to(leader, leader)->store_uuid, world.nodes[leader]->identity.store_uuid,
                            LOG_STORE_ID_BYTES);
        assert_true(known_to(leader, 3 - leader - founder)->pinned);
        teardown(state);
        setup(state);
    }
}

/** A founder whose store nobody has seen comes with a new one, started to join. */
static size_t lose_an_unseen_store(size_t lost, bool replaces) {
    world.cut[lost] = true;
    size_t leader = (size_t)world_wait_leader(&world, 0, 5000);
    world_run(&world, 500);
    assert_true(metadata_founded(world.nodes[leader]->metadata));
    assert_false(known_to(leader, lost)->pinned);
    world_crash(&world, lost, MEM_DISK_POWER);
    world_wipe(&world, lost);
    world.replaces[lost] = replaces;
    world.cut[lost] = false;
    world_start(&world, lost);
    world_run(&world, 5000);
    return leader;
}

/** E11: what the old one promised nobody knows, so the new one takes none of its replicas over. */
static void new_store_of_an_unseen_founder_gets_new_replicas(void **state) {
    (void)state;
    for (size_t lost = 0; lost < 3; lost++) {
        size_t leader = lose_an_unseen_store(lost, true);
        const struct metadata_node *known = known_to(leader, lost);
        assert_int_equal(world.fatal[lost], LF_OK);
        assert_true(known->pinned);
        assert_memory_equal(known->store_uuid, world.nodes[lost]->identity.store_uuid, LOG_STORE_ID_BYTES);
        assert_true(known->replica_id > 3);
        assert_int_equal(known->old_store_count, 0);
        assert_int_equal(raft_self(node_group_raft(world.nodes[lost], 0)), known->replica_id);
        teardown(state);
        setup(state);
    }
}

static void new_store_of_an_unseen_founder_does_not_join_without_a_word(void **state) {
    (void)state;
    size_t leader = lose_an_unseen_store(1, false);
    assert_int_equal(world.fatal[1], LF_WRONG_STORE);
    assert_non_null(strstr(world.fatal_text[1], "--replace-store"));
    assert_false(known_to(leader, 1)->pinned);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_controller_pins_its_own_store, setup, teardown),
        cmocka_unit_test_setup_teardown(new_store_of_an_unseen_founder_gets_new_replicas, setup, teardown),
        cmocka_unit_test_setup_teardown(new_store_of_an_unseen_founder_does_not_join_without_a_word, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wiped_disk_under_the_old_name_counts_for_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
