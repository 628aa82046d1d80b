/** Nodes that lost their store and come back with a new one, because their operator asks for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node_story.h"
#include "raft_configuration.h"

#define N(id) ((size_t)(id)-1)

static void lose(struct story *story, uint64_t node_id) {
    world_crash(&story->world, N(node_id), MEM_DISK_POWER);
    world_wipe(&story->world, N(node_id));
    story->world.replaces[N(node_id)] = true;
    world_start(&story->world, N(node_id));
}

static bool settled(struct world *world, void *context) {
    (void)context;
    int leader = world_leader(world, 0);
    if (leader < 0)
        return false;
    const struct raft_configuration *now = raft_configuration(node_group_raft(world->nodes[leader], 0));
    return now->outgoing_count == 0 && now->learner_count == 0 &&
           now->voter_count == (world->count < 5 ? world->count : 5);
}

/** Runs until the node holds replicas beyond `before`, filled, and every group is at rest. */
static void wait_replaced(struct story *story, uint64_t node_id, uint64_t before) {
    struct world *world = &story->world;
    const uint64_t nodes[] = {1, 2, 3, 0};
    bool there = false;
    for (int i = 0; i < 400 && !there; i++) {
        story_run(story, 50);
        const struct raft *zero = node_group_raft(world->nodes[N(node_id)], 0),
                          *t = node_group_raft(world->nodes[N(node_id)], story->group);
        there = zero && t && raft_self(zero) > before && raft_self(t) > before;
    }
    assert_true(there);
    story_wait_moved(story, nodes, 15000);
    assert_true(world_until(world, settled, NULL, 10000));
    assert_status(world->fatal[N(node_id)], LF_OK);
}

static uint64_t newest_replica(const struct story *story) {
    uint64_t newest = 0;
    for (size_t i = 0; i < story->world.count; i++)
        for (uint64_t group = 0; group <= story->group; group += story->group) {
            const struct raft *raft = story->world.nodes[i] ? node_group_raft(story->world.nodes[i], group) : NULL;
            newest = raft && raft_self(raft) > newest ? raft_self(raft) : newest;
        }
    return newest;
}

static void lost_store_is_replaced_and_filled_under_load(void **state) {
    struct story *story = story_begin(state, 3, 0);
    struct world *world = &story->world;
    story_run(story, 1000);
    for (uint64_t node_id = 1; node_id <= 3; node_id++) { /* in the end all that there is is on new stores */
        uint64_t before = newest_replica(story);
        lose(story, node_id);
        wait_replaced(story, node_id, before);
        story_assert_nothing_lost(story);
        assert_int_equal(node_group_applied_checksum(world->nodes[0], 0),
                         node_group_applied_checksum(world->nodes[2], 0));
    }
}

/** Whatever the moment of the crash, the next start of the new store goes on by itself. */
static void replacement_goes_on_after_a_crash_at_any_time(void **state) {
    for (uint64_t at = 1; at < 900; at += 13) {
        struct story *story = story_begin(state, 3, 0);
        struct world *world = &story->world;
        story_run(story, 100);
        uint64_t before = newest_replica(story);
        lose(story, 2);
        story_run(story, at);
        world_crash(world, N(2), at % 2 ? MEM_DISK_KILL : MEM_DISK_POWER);
        int leader = at % 3 == 0 ? world_leader(world, 0) : -1;
        if (leader >= 0) { /* the controller goes too */
            world_crash(world, (size_t)leader, MEM_DISK_POWER);
            world_run(world, 200);
            world_start(world, (size_t)leader);
        }
        world_start(world, N(2));
        wait_replaced(story, 2, before);
        story_assert_nothing_lost(story);
        story_end(state);
    }
}

static void without_the_operators_word_a_new_store_never_counts(void **state) {
    struct story *story = story_begin(state, 3, 0);
    struct world *world = &story->world;
    story_run(story, 200);
    world_crash(world, N(2), MEM_DISK_POWER);
    world_wipe(world, N(2));
    world_start(world, N(2)); /* as one that joins */
    story_run(story, 3000);
    assert_status(world->fatal[N(2)], LF_WRONG_STORE);
    assert_non_null(strstr(world->fatal_text[N(2)], "another store"));
}

static void store_is_not_replaced_while_another_node_is_needed_for_a_majority(void **state) {
    struct story *story = story_begin(state, 5, 0); /* the topic is on the first three */
    struct world *world = &story->world;
    story_run(story, 500);
    const Lf__PartitionDescription *seen = story_describe(story, N(1));
    assert_non_null(seen);
    uint64_t nodes[4] = {0};
    for (size_t i = 0; i < 3; i++)
        nodes[i] = seen->metadata->replica_nodes[i];
    size_t down = N(nodes[1]);
    world_crash(world, down, MEM_DISK_KILL);
    world_run(world, 1500); /* it is missed */
    lose(story, nodes[2]);
    world_run(world, 4000);
    assert_status(world->fatal[N(nodes[2])], LF_OK); /* it waits, and says what for */
    assert_int_equal(node_groups(world->nodes[N(nodes[2])], NULL, 0), 0);
    world_start(world, down);
    story_wait_moved(story, nodes, 15000);
    story_assert_nothing_lost(story);
}

/** E11 with the operator's word: the new store may not stand in for what the old one acknowledged. */
static void new_store_decides_nothing_before_it_is_filled(void **state) {
    struct story *story = story_begin(state, 3, 0);
    struct world *world = &story->world;
    story_run(story, 500);
    size_t leader = (size_t)world_wait_leader(world, story->group, 3000);
    size_t other = (leader + 1) % 3, behind = (leader + 2) % 3;
    uint64_t before = newest_replica(story);
    world->cut[behind] = true;
    story_run(story, 1500); /* acknowledged by leader and other alone */
    world_crash(world, leader, MEM_DISK_KILL);
    lose(story, other + 1);
    world->cut[behind] = false;
    for (int i = 0; i < 40; i++) {
        world_run(world, 100);
        assert_int_equal(world_leader(world, 0), -1);
        assert_int_equal(world_leader(world, story->group), -1);
    }
    world_start(world, leader);
    wait_replaced(story, other + 1, before);
    story_assert_nothing_lost(story);
}

static void old_store_that_comes_back_counts_for_nothing(void **state) {
    struct story *story = story_begin(state, 3, 0);
    struct world *world = &story->world;
    story_run(story, 500);
    uint64_t before = newest_replica(story);
    struct mem_disk *old = world->disks[N(2)];
    world_crash(world, N(2), MEM_DISK_KILL);
    world->disks[N(2)] = mem_disk_new(555);
    world->wiped[N(2)]++;
    world->replaces[N(2)] = true;
    world_start(world, N(2));
    wait_replaced(story, 2, before);
    struct mem_disk *new = world->disks[N(2)];
    world_crash(world, N(2), MEM_DISK_KILL);
    world->disks[N(2)] = old;
    world->wiped[N(2)]--;
    world_start(world, N(2));
    story_run(story, 3000);
    assert_status(world->fatal[N(2)], LF_WRONG_STORE);
    world_crash(world, N(2), MEM_DISK_KILL);
    mem_disk_destroy(&world->disks[N(2)]);
    world->disks[N(2)] = new;
    world->wiped[N(2)]++;
    world_start(world, N(2));
    story_run(story, 1000);
    assert_status(world->fatal[N(2)], LF_OK);
    story_assert_nothing_lost(story);
}

int main(void) {
#define STORY(name) cmocka_unit_test_teardown(name, story_end)
    const struct CMUnitTest tests[] = {
        STORY(lost_store_is_replaced_and_filled_under_load),
        STORY(replacement_goes_on_after_a_crash_at_any_time),
        STORY(without_the_operators_word_a_new_store_never_counts),
        STORY(store_is_not_replaced_while_another_node_is_needed_for_a_majority),
        STORY(new_store_decides_nothing_before_it_is_filled),
        STORY(old_store_that_comes_back_counts_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
