/** Partitions that move, leaders that are handed over, nodes that drain; while somebody publishes. One fact each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node_story.h"

static void partition_moves_while_it_is_published_to(void **state) {
    struct story *story = story_begin(state, 3, 3);
    story_run(story, 300);
    assert_status(world_move(&story->world, "t", 0, NODES(4, 5, 6)), LF_OK);
    story_wait_moved(story, NODES(4, 5, 6), 10000);
    story_run(story, 300);
    assert_true(story->producer.gap_ms_max < 1000);
    story_assert_nothing_lost(story);
}

static void partition_grows_shrinks_and_changes_its_order(void **state) {
    struct story *story = story_begin(state, 3, 2);
    const uint64_t steps[][6] = {{1, 2, 3, 4, 5}, {5}, {5, 4}, {4, 5}, {1, 4, 3}, {3}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_status(world_move(&story->world, "t", 0, steps[i]), LF_OK);
        story_wait_moved(story, steps[i], 10000);
    }
    story_assert_nothing_lost(story);
}

static bool preferred_leads(struct world *world, void *context) {
    return world_leader(world, *(uint64_t *)context) == 2;
}
static void first_of_the_assignment_leads_in_the_end(void **state) {
    struct story *story = story_begin(state, 3, 0);
    assert_status(world_move(&story->world, "t", 0, NODES(3, 1, 2)), LF_OK);
    assert_true(world_until(&story->world, preferred_leads, &story->group, 20000));
    world_crash(&story->world, 2, MEM_DISK_KILL);
    assert_true(world_wait_leader(&story->world, story->group, 5000) >= 0);
    world_start(&story->world, 2);
    assert_true(world_until(&story->world, preferred_leads, &story->group, 60000));
}

static void newer_move_wins_over_one_that_hangs(void **state) {
    struct story *story = story_begin(state, 3, 3);
    world_crash(&story->world, 4, MEM_DISK_KILL); /* node 5 will not be filled */
    assert_status(world_move(&story->world, "t", 0, NODES(1, 2, 5)), LF_OK);
    story_run(story, 2000);
    const Lf__PartitionDescription *seen = story_describe(story, 0);
    assert_non_null(seen);
    assert_int_equal(seen->assignment_epoch, 1);
    assert_int_equal(seen->wanted_epoch, 2);
    assert_status(world_move(&story->world, "t", 0, NODES(1, 2, 6)), LF_OK);
    story_wait_moved(story, NODES(1, 2, 6), 10000);
    world_start(&story->world, 4); /* nothing is left on it, whatever it had begun */
    story_wait_moved(story, NODES(1, 2, 6), 10000);
    story_assert_nothing_lost(story);
}

static void move_that_hangs_is_taken_back(void **state) {
    struct story *story = story_begin(state, 3, 1);
    world_crash(&story->world, 3, MEM_DISK_KILL);
    assert_status(world_move(&story->world, "t", 0, NODES(4, 2)), LF_OK);
    story_run(story, 1000);
    assert_status(world_move(&story->world, "t", 0, NODES(1, 2, 3)), LF_OK);
    story_wait_moved(story, NODES(1, 2, 3), 5000);
    world_start(&story->world, 3);
    story_wait_moved(story, NODES(1, 2, 3), 5000);
    story_assert_nothing_lost(story);
}

static void node_away_while_moved_away_and_back_holds_a_new_replica(void **state) {
    struct story *story = story_begin(state, 3, 1);
    story_run(story, 300);
    world_crash(&story->world, 2, MEM_DISK_KILL);
    assert_status(world_move(&story->world, "t", 0, NODES(1, 2, 4)), LF_OK);
    story_wait_moved(story, NODES(1, 2, 4), 10000);
    assert_status(world_move(&story->world, "t", 0, NODES(1, 3)), LF_OK);
    story_run(story, 1000);
    world_start(&story->world, 2);
    story_wait_moved(story, NODES(1, 3), 10000);
    story_assert_nothing_lost(story);
    assert_int_equal(node_group_applied_checksum(story->world.nodes[2], story->group),
                     node_group_applied_checksum(story->world.nodes[0], story->group));
}

static void wait_assignment(struct story *story, uint64_t epoch) {
    for (int i = 0; i < 1000; i++) {
        const Lf__PartitionDescription *seen = story_describe(story, 0);
        if (seen && seen->assignment_epoch == epoch)
            return;
        story_run(story, 10);
    }
    fail_msg("epoch %llu is not reached", (unsigned long long)epoch);
}

/** It is not wanted, and wanted again, while writes of what it held are still on their way to its disk. */
static void new_replica_takes_no_completions_of_the_one_before(void **state) {
    for (uint32_t delay_ms = 50; delay_ms <= 800; delay_ms *= 2) {
        struct story *story = story_begin(state, 3, 1);
        const struct mem_disk_faults slow = {.write_delay_ms_min = delay_ms, .write_delay_ms_max = delay_ms};
        story_run(story, 300);
        mem_disk_set_faults(story->world.disks[2], &slow);
        story_run(story, 100);
        assert_status(world_move(&story->world, "t", 0, NODES(1, 2, 4)), LF_OK);
        wait_assignment(story, 2);
        assert_status(world_move(&story->world, "t", 0, NODES(1, 2, 3)), LF_OK);
        story_wait_moved(story, NODES(1, 2, 3), 60000);
        story_assert_nothing_lost(story);
        story_end(state);
        *state = NULL;
    }
}

static void topic_deleted_during_its_move_is_gone_everywhere(void **state) {
    struct story *story = story_begin(state, 3, 1);
    assert_status(world_move(&story->world, "t", 0, NODES(1, 2, 4)), LF_OK);
    world_run(&story->world, 120);
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t) "t";
    Lf__DeleteTopic drop = LF__DELETE_TOPIC__INIT;
    drop.topic = &ref;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_DELETE_TOPIC;
    request.delete_topic = &drop;
    const struct world_reply *reply = world_command(&story->world, &request, 5000);
    assert_true(reply && reply->reply->status == LF_OK);
    world_run(&story->world, 2000);
    for (size_t i = 0; i < story->world.count; i++) {
        uint64_t groups[8];
        assert_int_equal(node_groups(story->world.nodes[i], groups, 8), 1);
        assert_int_equal(groups[0], 0);
    }
    world_topic(&story->world, "t", 1, 3); /* again, under a new id */
}

/** Nodes end and start, messages get lost, wishes follow each other: in the end it is as it was wished last. */
static void moves_survive_crashes_and_losses(void **state) {
    const char *only = getenv("SEED"), *most = getenv("SEEDS");
    uint32_t last_seed = only ? (uint32_t)atoi(only) : most ? (uint32_t)atoi(most) : 12;
    for (uint32_t seed = only ? last_seed : 1; seed <= last_seed; seed++) {
        struct story *story = story_begin(state, 3, 2);
        struct world *world = &story->world;
        story->random = seed * 2654435761u;
        if (most)
            print_message("seed %u\n", seed);
        uint64_t last[4] = {1, 2, 3, 0};
        for (int round = 0; round < 12; round++) {
            size_t victim = story_random(story) % 5;
            world->lose_permille = story_random(story) % 3 ? 0 : story_random(story) % 300;
            uint64_t first = 1 + story_random(story) % 5, step = 1 + story_random(story) % 2;
            for (uint64_t i = 0; i < 3; i++)
                last[i] = 1 + (first + i * step) % 5;
            world_move(world, "t", 0, last);
            story_run(story, story_random(story) % 600);
            if (story_random(story) % 3 && world->nodes[victim])
                world_crash(world, victim, story_random(story) % 2 ? MEM_DISK_KILL : MEM_DISK_POWER);
            story_run(story, story_random(story) % 800);
            if (!world->nodes[victim])
                world_start(world, victim);
        }
        world->lose_permille = 0;
        assert_status(world_move(world, "t", 0, last), LF_OK);
        story_wait_moved(story, last, 20000);
        story_assert_nothing_lost(story);
        for (size_t i = 0; i < 5; i++)
            assert_status(world->fatal[i], LF_OK);
        story_end(state);
    }
}

/* ---- draining ---- */

/** Asks as request 2 of a session of its own; returns the session. */
static uint64_t ask_status(struct story *story, size_t node, bool current) {
    static uint64_t session = 1u << 27;
    world_hello(&story->world, node, ++session);
    Lf__ClusterStatus ask = LF__CLUSTER_STATUS__INIT;
    ask.current = current;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = 2;
    request.body_case = LF__CLIENT_REQUEST__BODY_CLUSTER_STATUS;
    request.cluster_status = &ask;
    world_request(&story->world, node, session, &request, NULL);
    return session;
}

/** Waits for the answer; what it says of the node, NULL: nothing. */
static const Lf__NodeStatus *told_status(struct story *story, uint64_t session, uint64_t node_id) {
    const struct world_reply *reply = world_answer(&story->world, session, 2, 1000);
    assert_non_null(reply);
    assert_int_equal(reply->reply->status, LF_OK);
    const Lf__ClusterStatusReply *body = reply->reply->cluster_status;
    for (size_t i = 0; i < body->n_nodes; i++)
        if (body->nodes[i]->broker->node_id == node_id)
            return body->nodes[i];
    return NULL;
}

static const Lf__NodeStatus *node_status(struct story *story, uint64_t node_id) {
    int controller = world_wait_leader(&story->world, 0, 5000);
    assert_true(controller >= 0);
    return told_status(story, ask_status(story, (size_t)controller, false), node_id);
}

/** Who removes a node asks first which replica it has: an answer of some time ago would name one of before. */
static void node_that_is_behind_tells_no_current_status(void **state) {
    struct story *story = story_begin(state, 3, 0);
    size_t behind = (size_t)(world_leader(&story->world, 0) + 1) % 3;
    story->world.cut[behind] = true;
    assert_status(world_add(&story->world, 7), LF_OK);
    assert_null(told_status(story, ask_status(story, behind, false), 7));
    uint64_t session = ask_status(story, behind, true);
    assert_null(world_answer(&story->world, session, 2, 1000));
    story->world.cut[behind] = false;
    const Lf__NodeStatus *status = told_status(story, session, 7);
    assert_non_null(status);
    assert_int_equal(status->state, LF__NODE_STATE__NODE_JOINING);
}

static void drained_node_is_empty_leads_nothing_and_can_go(void **state) {
    struct story *story = story_begin(state, 3, 1);
    world_topic(&story->world, "many", 30, 3);
    story_run(story, 500);
    int controller = world_leader(&story->world, 0);
    assert_true(controller >= 0);
    uint64_t gone = (uint64_t)controller + 1; /* the controller itself */
    assert_status(world_remove(&story->world, gone), LF_INVALID);
    assert_status(world_drain(&story->world, gone, false), LF_OK);
    const Lf__NodeStatus *status = NULL;
    for (int i = 0; i < 400; i++) {
        story_run(story, 100);
        status = node_status(story, gone);
        if (status->state == LF__NODE_STATE__NODE_DRAINED)
            break;
        assert_int_equal(status->state, LF__NODE_STATE__NODE_DRAINING);
    }
    assert_int_equal(status->state, LF__NODE_STATE__NODE_DRAINED);
    assert_int_not_equal(world_leader(&story->world, 0), controller);
    world_run(&story->world, 1000);
    uint64_t groups[64];
    assert_int_equal(node_groups(story->world.nodes[controller], groups, 64), 1);
    assert_int_equal(node_counts(story->world.nodes[controller]).groups_led, 0);
    assert_status(world_remove(&story->world, gone), LF_OK);
    story_run(story, 1000);
    assert_null(node_status(story, gone));
    story_assert_nothing_lost(story);
}

static void node_without_a_place_for_its_replicas_is_not_called_drained(void **state) {
    struct story *story = story_begin(state, 3, 0);
    assert_status(world_drain(&story->world, 2, false), LF_OK);
    story_run(story, 3000);
    assert_int_equal(node_status(story, 2)->state, LF__NODE_STATE__NODE_DRAINING);
    assert_int_equal(node_counts(story->world.nodes[1]).groups_led, 0); /* leaders leave at once */
    assert_status(world_drain(&story->world, 2, true), LF_OK);
    story_run(story, 300);
    assert_int_equal(node_status(story, 2)->state, LF__NODE_STATE__NODE_ACTIVE);
}

static void leadership_is_transferred_by_request(void **state) {
    struct story *story = story_begin(state, 3, 0);
    for (int i = 0; i < 6; i++) {
        int leader = world_wait_leader(&story->world, story->group, 5000);
        uint64_t to = 1 + ((uint64_t)leader + 1) % 3;
        Lf__TopicRef ref = LF__TOPIC_REF__INIT;
        ref.name = (char *)(uintptr_t) "t";
        Lf__TransferLeader transfer = LF__TRANSFER_LEADER__INIT;
        transfer.topic = &ref;
        transfer.to_node = i == 5 ? 9 : to;
        Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
        request.protocol_version = 1;
        request.request_id = 2;
        request.body_case = LF__CLIENT_REQUEST__BODY_TRANSFER_LEADER;
        request.transfer_leader = &transfer;
        uint64_t session = 500u + (uint64_t)i;
        world_hello(&story->world, (size_t)leader, session);
        world_request(&story->world, (size_t)leader, session, &request, NULL);
        const struct world_reply *reply = world_answer(&story->world, session, 2, 3000);
        assert_non_null(reply);
        assert_status((enum lf_status)reply->reply->status, i == 5 ? LF_INVALID : LF_OK);
        if (i < 5)
            assert_int_equal(reply->reply->transfer_leader->leader_node, to);
        story_run(story, 200);
    }
    story_assert_nothing_lost(story);
}

static const Lf__ClusterCheckReply *check(struct story *story, size_t node, uint64_t without) {
    static uint64_t session = 1u << 28;
    world_hello(&story->world, node, ++session);
    Lf__ClusterCheck ask = LF__CLUSTER_CHECK__INIT;
    ask.without_node = without;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = 2;
    request.body_case = LF__CLIENT_REQUEST__BODY_CLUSTER_CHECK;
    request.cluster_check = &ask;
    world_request(&story->world, node, session, &request, NULL);
    const struct world_reply *reply = world_answer(&story->world, session, 2, 1000);
    assert_non_null(reply);
    return reply->reply->cluster_check;
}

static size_t problems(struct story *story, uint64_t without, Lf__GroupProblemKind kind) {
    size_t found = 0;
    for (size_t i = 0; i < story->world.count; i++) {
        const Lf__ClusterCheckReply *reply = story->world.nodes[i] ? check(story, i, without) : NULL;
        for (size_t k = 0; reply && k < reply->n_problems; k++)
            found += reply->problems[k]->kind == kind;
    }
    return found;
}

static void check_tells_what_is_wrong_and_what_would_be(void **state) {
    struct story *story = story_begin(state, 3, 0);
    world_run(&story->world, 500);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(check(story, i, 1 + i)->n_problems, 0);
    world_crash(&story->world, 2, MEM_DISK_KILL);
    world_run(&story->world, 2000);
    assert_int_equal(problems(story, 0, LF__GROUP_PROBLEM_KIND__PROBLEM_REPLICA_SILENT), 2); /* group 0 and t/0 */
    assert_int_equal(problems(story, 0, LF__GROUP_PROBLEM_KIND__PROBLEM_WOULD_LOSE_MAJORITY), 0);
    assert_int_equal(problems(story, 2, LF__GROUP_PROBLEM_KIND__PROBLEM_WOULD_LOSE_MAJORITY), 2);
    assert_int_equal(problems(story, 3, LF__GROUP_PROBLEM_KIND__PROBLEM_WOULD_LOSE_MAJORITY), 0);
    world_crash(&story->world, 1, MEM_DISK_KILL);
    world_run(&story->world, 2000);
    assert_int_equal(problems(story, 0, LF__GROUP_PROBLEM_KIND__PROBLEM_NO_LEADER), 2);
}

int main(void) {
#define FACT(name) cmocka_unit_test_teardown(name, story_end)
    const struct CMUnitTest tests[] = {
        FACT(partition_moves_while_it_is_published_to),
        FACT(partition_grows_shrinks_and_changes_its_order),
        FACT(first_of_the_assignment_leads_in_the_end),
        FACT(newer_move_wins_over_one_that_hangs),
        FACT(move_that_hangs_is_taken_back),
        FACT(node_away_while_moved_away_and_back_holds_a_new_replica),
        FACT(new_replica_takes_no_completions_of_the_one_before),
        FACT(topic_deleted_during_its_move_is_gone_everywhere),
        FACT(moves_survive_crashes_and_losses),
        FACT(node_that_is_behind_tells_no_current_status),
        FACT(drained_node_is_empty_leads_nothing_and_can_go),
        FACT(node_without_a_place_for_its_replicas_is_not_called_drained),
        FACT(leadership_is_transferred_by_request),
        FACT(check_tells_what_is_wrong_and_what_would_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
