/** What nodes count and show of themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node_view.h"
#include "node_world.h"

static struct world world;
static struct node_view view;

static int setup_three(void **state) {
    (void)state;
    world_init(&world, 3);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    node_view_deinit(&view);
    world_deinit(&world);
    return 0;
}

static enum lf_status publish(size_t node, uint64_t request, int32_t sequence) {
    struct lf_buf *batch = world_batch(1, 9, 0, sequence);
    world_publish(&world, node, 10, request, "t", batch);
    lf_buf_unref(&batch);
    const struct world_reply *reply = world_answer(&world, 10, request, 3000);
    assert_non_null(reply);
    return (enum lf_status)reply->reply->status;
}

static const struct node_group_view *group_of(uint64_t id) {
    for (size_t i = 0; i < view.group_count; i++)
        if (view.groups[i].group == id)
            return &view.groups[i];
    return NULL;
}

static void elections_are_counted_from_campaign_to_outcome(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 1, 3), won = 0, started = 0, ended = 0;
    assert_true(world_wait_leader(&world, group, 3000) >= 0);
    for (size_t i = 0; i < 3; i++) {
        const struct node_metrics *metrics = node_metrics(world.nodes[i]);
        assert_int_equal(metrics->elections_won, node_counts(world.nodes[i]).elections_won);
        won += metrics->elections_won;
        started += metrics->elections_started;
        ended += lf_histogram_count(&metrics->election_us);
        assert_int_equal(lf_histogram_count(&metrics->election_us), metrics->elections_won + metrics->elections_lost);
    }
    assert_true(won >= 2); /* metadata and the partition */
    assert_true(started >= ended && ended >= won);
}

static void an_isolated_replica_campaigns_once_and_loses_when_it_hears_a_leader(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 1, 3);
    size_t leader = (size_t)world_wait_leader(&world, group, 3000), away = (leader + 1) % 3;
    world_run(&world, 1000);
    struct node_metrics before = *node_metrics(world.nodes[away]);
    world.cut[away] = true;
    world_run(&world, 2000);
    const struct node_metrics *after = node_metrics(world.nodes[away]);
    assert_int_equal(after->elections_started - before.elections_started, 2); /* group 0 and the partition, once each */
    assert_int_equal(after->elections_lost, before.elections_lost);
    world.cut[away] = false;
    world_run(&world, 1000);
    after = node_metrics(world.nodes[away]);
    assert_int_equal(after->elections_started, after->elections_won + after->elections_lost);
    assert_true(after->election_us.sum_us - before.election_us.sum_us > 1000000);
}

static void each_answered_publish_is_one_commit_latency(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "t", 1, 3);
    size_t leader = (size_t)world_wait_leader(&world, group, 3000);
    world_hello(&world, leader, 10);
    uint64_t before = lf_histogram_count(&node_metrics(world.nodes[leader])->commit_us);
    uint64_t ok = node_metrics(world.nodes[leader])->answers[LF_OK];
    for (int32_t i = 0; i < 5; i++)
        assert_int_equal(publish(leader, 20 + (uint64_t)i, i), LF_OK);
    assert_int_equal(publish(leader, 30, 4), LF_OK);           /* a repeat waits for nothing */
    assert_int_equal(publish(leader, 31, 9), LF_SEQUENCE_GAP); /* nor does a refusal */
    const struct node_metrics *metrics = node_metrics(world.nodes[leader]);
    assert_int_equal(lf_histogram_count(&metrics->commit_us) - before, 5);
    assert_int_equal(metrics->answers[LF_OK] - ok, 6);
    assert_int_equal(metrics->answers[LF_SEQUENCE_GAP], 1);
    assert_true(metrics->entries_applied >= 5 && metrics->bytes_appended > 0);
}

static void a_view_shows_groups_replicas_peers_and_queues(void **state) {
    (void)state;
    uint64_t group = world_topic(&world, "orders", 2, 3);
    size_t leader = (size_t)world_wait_leader(&world, group, 3000);
    world_run(&world, 500);
    for (int again = 0; again < 2; again++) { /* its memory is used again */
        assert_int_equal(node_view_fill(world.nodes[leader], &view), LF_OK);
        assert_int_equal(view.node_id, leader + 1);
        assert_int_equal(view.group_count, 3);
        assert_int_equal(view.peer_count, 2);
        assert_true(view.cluster_known && view.metadata_ready && !view.stopping);
    }
    const struct node_group_view *seen = group_of(group);
    assert_non_null(seen);
    assert_string_equal(seen->topic, "orders");
    assert_int_equal(seen->partition, 0);
    assert_int_equal(seen->state, NODE_GROUP_RUNNING);
    assert_int_equal(seen->role, RAFT_LEADER);
    assert_int_equal(seen->leader_node, leader + 1);
    assert_int_equal(seen->applied, node_group_applied(world.nodes[leader], group));
    assert_true(seen->voters == 3 && seen->learners == 0 && seen->votes && !seen->joint && !seen->removed);
    assert_int_equal(seen->replica_count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct node_replica_view *replica = &view.replicas[seen->first_replica + i];
        assert_int_equal(replica->match, seen->last_index);
        assert_int_equal(replica->next, seen->last_index + 1);
        assert_true(replica->replicating && replica->active && replica->node != leader + 1);
        assert_true(view.peers[i].reachable && view.peers[i].appended_entries > 0);
        assert_true(view.peers[i].appended_bytes >= 64 * view.peers[i].appended_entries);
    }
    for (size_t i = 0; i < view.item_count; i++)
        assert_true(view.items[i].used <= view.items[i].bound && view.items[i].bound > 0);
    for (size_t i = 0; i < view.byte_count; i++)
        assert_true(view.bytes[i].used <= view.bytes[i].bound && view.bytes[i].bound > 0);
    assert_int_equal(node_view_fill(world.nodes[(leader + 1) % 3], &view), LF_OK);
    assert_int_equal(group_of(group)->replica_count, 0); /* followers have no view of others */
    assert_int_equal(group_of(group)->leader_node, leader + 1);
}

static void nodes_that_have_nothing_to_say_still_hear_each_other(void **state) {
    (void)state;
    assert_true(world_wait_leader(&world, 0, 3000) >= 0);
    world_run(&world, 2000);
    for (int moment = 0; moment < 100; moment++) { /* two of them follow: neither leads anything */
        world_run(&world, 37);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(node_view_fill(world.nodes[i], &view), LF_OK);
            assert_int_equal(view.peer_count, 2);
            for (size_t k = 0; k < 2; k++)
                assert_true(view.peers[k].reachable && view.peers[k].silent_ms <= 500);
        }
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_three, teardown)
    const struct CMUnitTest tests[] = {
        TEST(elections_are_counted_from_campaign_to_outcome),
        TEST(an_isolated_replica_campaigns_once_and_loses_when_it_hears_a_leader),
        TEST(each_answered_publish_is_one_commit_latency),
        TEST(nodes_that_have_nothing_to_say_still_hear_each_other),
        TEST(a_view_shows_groups_replicas_peers_and_queues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
