/** Partitions that move, leaders that are handed over, nodes that drain; while somebody publishes. One fact each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lf_map.h"
#include "node_world.h"

#define assert_status(got, wanted) assert_string_equal(lf_status_name(got), lf_status_name(wanted))
#define NODES(...) ((const uint64_t[]){__VA_ARGS__, 0})

/** A producer that repeats each batch until it is acknowledged, as the client library does. */
struct producer {
    int32_t sequence; /**< next to be acknowledged */
    uint64_t request; /**< under way; 0: none */
    uint64_t next_request, session, sent_ms, since_ms, gap_ms_max;
    size_t node;
    uint64_t starts; /**< of all nodes, when the session began */
    size_t session_node;
};

struct story {
    struct world world;
    uint64_t group;
    struct producer producer;
    uint32_t random;
};

static int tear_down(void **state) {
    struct story *story = *state;
    if (story) {
        world_deinit(&story->world);
        free(story);
    }
    *state = NULL;
    return 0;
}

static uint32_t next_random(struct story *story) {
    story->random = story->random * 1664525u + 1013904223u;
    return story->random >> 8;
}

/** Founders, nodes that joined, and the topic "t" with three replicas on the first three. */
static struct story *begin(void **state, size_t founders, size_t joined) {
    struct story *story = calloc(1, sizeof *story);
    *state = story;
    story->random = 7;
    world_init(&story->world, founders);
    story->world.verbose = getenv("VERBOSE") != NULL;
    assert_true(world_wait_leader(&story->world, 0, 5000) >= 0);
    story->group = world_topic(&story->world, "t", 1, 3);
    for (size_t i = 0; i < joined; i++) {
        assert_status(world_add(&story->world, founders + i + 1), LF_OK);
        world_join(&story->world);
    }
    world_run(&story->world, 1500);
    return story;
}

static void send_batch(struct story *story) {
    struct producer *producer = &story->producer;
    static uint64_t session = 1000;
    if (producer->starts != story->world.incarnation || producer->session_node != producer->node) {
        producer->starts = story->world.incarnation;
        producer->session_node = producer->node;
        producer->session = ++session;
        producer->next_request = 2;
        world_hello(&story->world, producer->node, producer->session);
    }
    producer->request = producer->next_request++;
    producer->sent_ms = story->world.now_ms;
    struct lf_buf *batch = world_batch(1, 77, 0, producer->sequence);
    world_publish(&story->world, producer->node, producer->session, producer->request, "t", batch);
    lf_buf_unref(&batch);
}

/** To be called every millisecond. */
static void produce(struct story *story) {
    struct world *world = &story->world;
    struct producer *producer = &story->producer;
    if (producer->request != 0) {
        const struct world_reply *reply = world_answer(world, producer->session, producer->request, 0);
        bool up = world->nodes[producer->node] && world->fatal[producer->node] == LF_OK;
        if (!reply && up && world->now_ms - producer->sent_ms < 1500)
            return;
        enum lf_status status = reply ? (enum lf_status)reply->reply->status : LF_TIMED_OUT;
        producer->request = 0;
        if (status == LF_OK || status == LF_DUPLICATE) {
            if (world->now_ms - producer->since_ms > producer->gap_ms_max && producer->sequence > 0)
                producer->gap_ms_max = world->now_ms - producer->since_ms;
            producer->since_ms = world->now_ms;
            producer->sequence++;
        } else if (status != LF_NOT_LEADER && lf_status_action(status) == LF_ACTION_GIVE_UP) {
            fail_msg("publish gave up: %s", lf_status_name(status));
        }
    }
    int leader = world_leader(world, story->group);
    if (leader < 0)
        return;
    producer->node = (size_t)leader;
    send_batch(story);
}

static void run(struct story *story, uint64_t ms) {
    for (uint64_t end = story->world.now_ms + ms; story->world.now_ms < end;) {
        world_run(&story->world, 5);
        produce(story);
    }
}

/** What a node says of partition 0 of "t"; NULL: it cannot say. */
static const Lf__PartitionDescription *describe(struct story *story, size_t node) {
    static uint64_t session = 1u << 26;
    struct world *world = &story->world;
    if (!world->nodes[node] || world->fatal[node] != LF_OK)
        return NULL;
    world_hello(world, node, ++session);
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t) "t";
    Lf__DescribeTopic ask = LF__DESCRIBE_TOPIC__INIT;
    ask.topic = &ref;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = 2;
    request.body_case = LF__CLIENT_REQUEST__BODY_DESCRIBE_TOPIC;
    request.describe_topic = &ask;
    world_request(world, node, session, &request, NULL);
    const struct world_reply *reply = world_answer(world, session, 2, 1000);
    return reply && reply->reply->status == LF_OK ? reply->reply->describe_topic->partitions[0] : NULL;
}

static bool is_in(const uint64_t *nodes, uint64_t node_id) {
    for (; *nodes != 0; nodes++)
        if (*nodes == node_id)
            return true;
    return false;
}

/** Runs until this is the assignment, reached, and held by exactly its nodes among those that are up. */
static void wait_moved(struct story *story, const uint64_t *nodes, uint64_t ms) {
    struct world *world = &story->world;
    for (uint64_t end = world->now_ms + ms; world->now_ms < end; run(story, 50)) {
        bool all = true;
        for (size_t i = 0; i < world->count && all; i++) {
            const Lf__PartitionDescription *seen = describe(story, i);
            if (!seen) {
                all = !world->nodes[i];
                continue;
            }
            all = seen->wanted_epoch == seen->assignment_epoch && seen->held_here == is_in(nodes, i + 1);
            for (size_t k = 0; k < seen->metadata->n_replica_nodes && all; k++)
                all = nodes[k] == seen->metadata->replica_nodes[k];
        }
        if (all)
            return;
    }
    fail_msg("the partition did not get there");
}

/** Everything acknowledged is there once, on every replica. */
static void assert_nothing_lost(struct story *story) {
    struct world *world = &story->world;
    for (int i = 0; i < 200 && story->producer.request != 0; i++) { /* the last one is decided */
        world_run(world, 20);
        int32_t before = story->producer.sequence;
        produce(story);
        if (story->producer.sequence != before)
            break;
    }
    world_run(world, 3000);
    int64_t end = -1;
    for (size_t i = 0; i < world->count; i++) {
        const Lf__PartitionDescription *seen = describe(story, i);
        if (!seen || !seen->held_here)
            continue;
        assert_in_range(seen->high_watermark, story->producer.sequence, story->producer.sequence + 1);
        assert_true(end == -1 || end == seen->high_watermark);
        end = seen->high_watermark;
    }
    assert_true(end > 0);
}

static void partition_moves_while_it_is_published_to(void **state) {
    struct story *story = begin(state, 3, 3);
    run(story, 300);
    assert_status(world_move(&story->world, "t", 0, NODES(4, 5, 6)), LF_OK);
    wait_moved(story, NODES(4, 5, 6), 10000);
    run(story, 300);
    assert_true(story->producer.gap_ms_max < 1000);
    assert_nothing_lost(story);
}

static void partition_grows_shrinks_and_changes_its_order(void **state) {
    struct story *story = begin(state, 3, 2);
    const uint64_t steps[][6] = {{1, 2, 3, 4, 5}, {5}, {5, 4}, {4, 5}, {1, 4, 3}, {3}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        assert_status(world_move(&story->world, "t", 0, steps[i]), LF_OK);
        wait_moved(story, steps[i], 10000);
    }
    assert_nothing_lost(story);
}

static bool preferred_leads(struct world *world, void *context) {
    return world_leader(world, *(uint64_t *)context) == 2;
}
static void first_of_the_assignment_leads_in_the_end(void **state) {
    struct story *story = begin(state, 3, 0);
    assert_status(world_move(&story->world, "t", 0, NODES(3, 1, 2)), LF_OK);
    assert_true(world_until(&story->world, preferred_leads, &story->group, 20000));
    world_crash(&story->world, 2, MEM_DISK_KILL);
    assert_true(world_wait_leader(&story->world, story->group, 5000) >= 0);
    world_start(&story->world, 2);
    assert_true(world_until(&story->world, preferred_leads, &story->group, 60000));
}

static void newer_move_wins_over_one_that_hangs(void **state) {
    struct story *story = begin(state, 3, 3);
    world_crash(&story->world, 4, MEM_DISK_KILL); /* node 5 will not be filled */
    assert_status(world_move(&story->world, "t", 0, NODES(1, 2, 5)), LF_OK);
    run(story, 2000);
    const Lf__PartitionDescription *seen = describe(story, 0);
    assert_non_null(seen);
    assert_int_equal(seen->assignment_epoch, 1);
    assert_int_equal(seen->wanted_epoch, 2);
    assert_status(world_move(&story->world, "t", 0, NODES(1, 2, 6)), LF_OK);
    wait_moved(story, NODES(1, 2, 6), 10000);
    world_start(&story->world, 4); /* nothing is left on it, whatever it had begun */
    wait_moved(story, NODES(1, 2, 6), 10000);
    assert_nothing_lost(story);
}

static void move_that_hangs_is_taken_back(void **state) {
    struct story *story = begin(state, 3, 1);
    world_crash(&story->world, 3, MEM_DISK_KILL);
    assert_status(world_move(&story->world, "t", 0, NODES(4, 2)), LF_OK);
    run(story, 1000);
    assert_status(world_move(&story->world, "t", 0, NODES(1, 2, 3)), LF_OK);
    wait_moved(story, NODES(1, 2, 3), 5000);
    world_start(&story->world, 3);
    wait_moved(story, NODES(1, 2, 3), 5000);
    assert_nothing_lost(story);
}

static void node_away_while_moved_away_and_back_holds_a_new_replica(void **state) {
    struct story *story = begin(state, 3, 1);
    run(story, 300);
    world_crash(&story->world, 2, MEM_DISK_KILL);
    assert_status(world_move(&story->world, "t", 0, NODES(1, 2, 4)), LF_OK);
    wait_moved(story, NODES(1, 2, 4), 10000);
    assert_status(world_move(&story->world, "t", 0, NODES(1, 3)), LF_OK);
    run(story, 1000);
    world_start(&story->world, 2);
    wait_moved(story, NODES(1, 3), 10000);
    assert_nothing_lost(story);
    assert_int_equal(node_group_applied_checksum(story->world.nodes[2], story->group),
                     node_group_applied_checksum(story->world.nodes[0], story->group));
}

static void topic_deleted_during_its_move_is_gone_everywhere(void **state) {
    struct story *story = begin(state, 3, 1);
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
        struct story *story = begin(state, 3, 2);
        struct world *world = &story->world;
        story->random = seed * 2654435761u;
        if (most)
            print_message("seed %u\n", seed);
        uint64_t last[4] = {1, 2, 3, 0};
        for (int round = 0; round < 12; round++) {
            size_t victim = next_random(story) % 5;
            world->lose_permille = next_random(story) % 3 ? 0 : next_random(story) % 300;
            uint64_t first = 1 + next_random(story) % 5, step = 1 + next_random(story) % 2;
            for (uint64_t i = 0; i < 3; i++)
                last[i] = 1 + (first + i * step) % 5;
            world_move(world, "t", 0, last);
            run(story, next_random(story) % 600);
            if (next_random(story) % 3 && world->nodes[victim])
                world_crash(world, victim, next_random(story) % 2 ? MEM_DISK_KILL : MEM_DISK_POWER);
            run(story, next_random(story) % 800);
            if (!world->nodes[victim])
                world_start(world, victim);
        }
        world->lose_permille = 0;
        assert_status(world_move(world, "t", 0, last), LF_OK);
        wait_moved(story, last, 20000);
        assert_nothing_lost(story);
        for (size_t i = 0; i < 5; i++)
            assert_status(world->fatal[i], LF_OK);
        tear_down(state);
    }
}

/* ---- draining ---- */

static const Lf__NodeStatus *node_status(struct story *story, uint64_t node_id) {
    static uint64_t session = 1u << 27;
    int controller = world_wait_leader(&story->world, 0, 5000);
    assert_true(controller >= 0);
    world_hello(&story->world, (size_t)controller, ++session);
    Lf__ClusterStatus ask = LF__CLUSTER_STATUS__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = 2;
    request.body_case = LF__CLIENT_REQUEST__BODY_CLUSTER_STATUS;
    request.cluster_status = &ask;
    world_request(&story->world, (size_t)controller, session, &request, NULL);
    const struct world_reply *reply = world_answer(&story->world, session, 2, 1000);
    assert_non_null(reply);
    const Lf__ClusterStatusReply *body = reply->reply->cluster_status;
    for (size_t i = 0; i < body->n_nodes; i++)
        if (body->nodes[i]->broker->node_id == node_id)
            return body->nodes[i];
    return NULL;
}

static void drained_node_is_empty_leads_nothing_and_can_go(void **state) {
    struct story *story = begin(state, 3, 1);
    world_topic(&story->world, "many", 30, 3);
    run(story, 500);
    int controller = world_leader(&story->world, 0);
    assert_true(controller >= 0);
    uint64_t gone = (uint64_t)controller + 1; /* the controller itself */
    assert_status(world_remove(&story->world, gone), LF_INVALID);
    assert_status(world_drain(&story->world, gone, false), LF_OK);
    const Lf__NodeStatus *status = NULL;
    for (int i = 0; i < 400; i++) {
        run(story, 100);
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
    run(story, 1000);
    assert_null(node_status(story, gone));
    assert_nothing_lost(story);
}

static void node_without_a_place_for_its_replicas_is_not_called_drained(void **state) {
    struct story *story = begin(state, 3, 0);
    assert_status(world_drain(&story->world, 2, false), LF_OK);
    run(story, 3000);
    assert_int_equal(node_status(story, 2)->state, LF__NODE_STATE__NODE_DRAINING);
    assert_int_equal(node_counts(story->world.nodes[1]).groups_led, 0); /* leaders leave at once */
    assert_status(world_drain(&story->world, 2, true), LF_OK);
    run(story, 300);
    assert_int_equal(node_status(story, 2)->state, LF__NODE_STATE__NODE_ACTIVE);
}

static void leadership_is_transferred_by_request(void **state) {
    struct story *story = begin(state, 3, 0);
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
        run(story, 200);
    }
    assert_nothing_lost(story);
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
    struct story *story = begin(state, 3, 0);
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
#define FACT(name) cmocka_unit_test_teardown(name, tear_down)
    const struct CMUnitTest tests[] = {
        FACT(partition_moves_while_it_is_published_to),
        FACT(partition_grows_shrinks_and_changes_its_order),
        FACT(first_of_the_assignment_leads_in_the_end),
        FACT(newer_move_wins_over_one_that_hangs),
        FACT(move_that_hangs_is_taken_back),
        FACT(node_away_while_moved_away_and_back_holds_a_new_replica),
        FACT(topic_deleted_during_its_move_is_gone_everywhere),
        FACT(moves_survive_crashes_and_losses),
        FACT(drained_node_is_empty_leads_nothing_and_can_go),
        FACT(node_without_a_place_for_its_replicas_is_not_called_drained),
        FACT(leadership_is_transferred_by_request),
        FACT(check_tells_what_is_wrong_and_what_would_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
