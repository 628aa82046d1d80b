/** Calls that change the cluster: to whom they go, how often, and what a repetition after a doubt may find. */
#include "fake_cluster.h"

#define STATUS LF__CLIENT_REQUEST__BODY_CLUSTER_STATUS
#define ADD LF__CLIENT_REQUEST__BODY_ADD_NODE
#define REMOVE LF__CLIENT_REQUEST__BODY_REMOVE_NODE
#define DRAIN LF__CLIENT_REQUEST__BODY_DRAIN_NODE
#define MOVE LF__CLIENT_REQUEST__BODY_MOVE_PARTITION
#define TRANSFER LF__CLIENT_REQUEST__BODY_TRANSFER_LEADER
#define CHECK LF__CLIENT_REQUEST__BODY_CLUSTER_CHECK
#define DESCRIBE LF__CLIENT_REQUEST__BODY_DESCRIBE_TOPIC

static int setup(void **state) {
    *state = fake_new();
    return 0;
}
static int teardown(void **state) {
    fake_free(*state);
    return 0;
}

static const struct lf_core_call add_four = {
    .type = LF_CALL_NODE_ADD, .node = 4, .host = "10.0.0.4", .client_port = 7700, .peer_port = 7701};

static void answer_added(struct fake *fake, struct fake_request *request) {
    Lf__AddNodeReply body = LF__ADD_NODE_REPLY__INIT;
    body.replica_id = 44;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_ADD_NODE;
    reply.add_node = &body;
    fake_answer_reply(fake, request, &reply);
}

static void answer_moved(struct fake *fake, struct fake_request *request, uint64_t epoch) {
    Lf__MovePartitionReply body = LF__MOVE_PARTITION_REPLY__INIT;
    body.epoch = epoch;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_MOVE_PARTITION;
    reply.move_partition = &body;
    fake_answer_reply(fake, request, &reply);
}

static void answer_transferred(struct fake *fake, struct fake_request *request, uint64_t leader) {
    Lf__TransferLeaderReply body = LF__TRANSFER_LEADER_REPLY__INIT;
    body.leader_node = leader;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_TRANSFER_LEADER;
    reply.transfer_leader = &body;
    fake_answer_reply(fake, request, &reply);
}

/* The request at the controller, which may first have to be found. */
static struct fake_request *at_controller(struct fake *fake, Lf__ClientRequest__BodyCase kind) {
    struct fake_request *request = fake_wait(fake, 0, kind, 0);
    for (int i = 0; request->node != fake->controller && i < 10; i++) {
        fake_answer_not_leader(fake, request, fake->controller, 1);
        request = fake_wait(fake, 0, kind, 0);
    }
    assert_int_equal(request->node, fake->controller);
    return request;
}

static void a_node_is_added_at_the_controller(void **state) {
    struct fake *fake = *state;
    fake->controller = 3;
    fake_call_with(fake, add_four);
    struct fake_request *request = at_controller(fake, ADD);
    const Lf__AddNode *said = request->message->add_node;
    assert_int_equal(said->node_id, 4);
    assert_string_equal(said->host, "10.0.0.4");
    assert_int_equal(said->client_port, 7700);
    assert_int_equal(said->peer_port, 7701);
    answer_added(fake, request);
    assert_int_equal(fake->answer_status, LF_OK);
    assert_int_equal(fake->answer->add_node->replica_id, 44);
}

static void an_address_that_is_taken_is_said_in_the_brokers_words(void **state) {
    struct fake *fake = *state;
    fake_call_with(fake, add_four);
    fake_answer(fake, at_controller(fake, ADD), LF_EXISTS);
    assert_int_equal(fake->answer_status, LF_EXISTS);
    assert_string_equal(fake->answer_text, "the test says so");
}

static void a_controller_that_dies_is_followed_by_the_next(void **state) {
    struct fake *fake = *state;
    fake_call_with(fake, add_four);
    struct fake_request *request = at_controller(fake, ADD);
    assert_int_equal(request->node, 1);
    fake->nodes[1].down = true;
    fake->controller = 2;
    fake_cut(fake, 1);
    answer_added(fake, at_controller(fake, ADD));
    assert_int_equal(fake->answer_status, LF_OK);
}

/** Answers the question for the nodes: 2 and 3, whose replicas of group 0 are 22 and 33. */
static void say_nodes(struct fake *fake) {
    Lf__Broker brokers[2] = {LF__BROKER__INIT, LF__BROKER__INIT};
    Lf__NodeStatus nodes[2] = {LF__NODE_STATUS__INIT, LF__NODE_STATUS__INIT};
    Lf__NodeStatus *pointers[2] = {&nodes[0], &nodes[1]};
    for (uint64_t i = 0; i < 2; i++) {
        brokers[i].node_id = i + 2;
        nodes[i].broker = &brokers[i];
        nodes[i].replica_id = (i + 2) * 11;
    }
    Lf__ClusterStatusReply body = LF__CLUSTER_STATUS_REPLY__INIT;
    body.n_nodes = 2;
    body.nodes = pointers;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_CLUSTER_STATUS;
    reply.cluster_status = &body;
    struct fake_request *request = fake_wait(fake, 0, STATUS, 0);
    assert_true(request->message->cluster_status->current); /* not what it was some time ago */
    fake_answer_reply(fake, request, &reply);
}

/** A repeat that comes late must not remove a node that was added again meanwhile. */
static void a_node_is_removed_by_the_replica_that_it_had_when_asked(void **state) {
    struct fake *fake = *state;
    fake_call_with(fake, (struct lf_core_call){.type = LF_CALL_NODE_REMOVE, .node = 3});
    say_nodes(fake);
    for (int i = 0; i < 3; i++) { /* each repeat says the same */
        struct fake_request *request = at_controller(fake, REMOVE);
        assert_int_equal(request->message->remove_node->node_id, 3);
        assert_int_equal(request->message->remove_node->replica_id, 33);
        fake_answer(fake, request, i < 2 ? LF_UNKNOWN_OUTCOME : LF_NOT_FOUND);
    }
    assert_int_equal(fake->answer_status, LF_OK);

    fake_call_with(fake, (struct lf_core_call){.type = LF_CALL_NODE_REMOVE, .node = 4});
    say_nodes(fake);
    struct fake_request *request = at_controller(fake, REMOVE); /* maybe its removal is not through yet: it is asked */
    assert_true(request->message->remove_node->replica_id == UINT64_MAX);
    fake_answer(fake, request, LF_NOT_FOUND);
    assert_int_equal(fake->answer_status, LF_NOT_FOUND);
}

static void a_node_removed_before_is_removed(void **state) {
    struct fake *fake = *state;
    struct lf_core_call call = {.type = LF_CALL_NODE_REMOVE, .node = 3};
    fake_call_with(fake, call);
    say_nodes(fake);
    fake_answer(fake, at_controller(fake, REMOVE), LF_NOT_FOUND);
    assert_int_equal(fake->answer_status, LF_NOT_FOUND); /* nothing was in doubt */

    fake_call_with(fake, call);
    say_nodes(fake);
    fake_answer(fake, at_controller(fake, REMOVE), LF_UNKNOWN_OUTCOME);
    fake_answer(fake, at_controller(fake, REMOVE), LF_NOT_FOUND);
    assert_int_equal(fake->answer_status, LF_OK);

    fake_call_with(fake, call);
    say_nodes(fake);
    fake_answer(fake, at_controller(fake, REMOVE), LF_INVALID); /* it holds partitions */
    assert_int_equal(fake->answer_status, LF_INVALID);
    assert_string_equal(fake->answer_text, "the test says so");
}

static void draining_begins_and_stops(void **state) {
    struct fake *fake = *state;
    Lf__DrainNodeReply body = LF__DRAIN_NODE_REPLY__INIT;
    for (int stop = 0; stop <= 1; stop++) {
        fake_call_with(fake, (struct lf_core_call){.type = LF_CALL_NODE_DRAIN, .node = 2, .stop = stop});
        struct fake_request *request = at_controller(fake, DRAIN);
        assert_int_equal(request->message->drain_node->node_id, 2);
        assert_int_equal(request->message->drain_node->stop, stop);
        Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
        reply.body_case = LF__CLIENT_REPLY__BODY_DRAIN_NODE;
        reply.drain_node = &body;
        fake_answer_reply(fake, request, &reply);
        assert_true(fake->answered);
        assert_int_equal(fake->answer_status, LF_OK);
    }
}

static void a_partition_moves_to_nodes_in_order(void **state) {
    struct fake *fake = *state;
    const uint64_t nodes[] = {4, 2, 3};
    fake_call_with(fake,
                   (struct lf_core_call){
                       .type = LF_CALL_PARTITION_MOVE, .topic = "m", .partitions = 2, .nodes = nodes, .node_count = 3});
    struct fake_request *request = at_controller(fake, MOVE);
    const Lf__MovePartition *said = request->message->move_partition;
    assert_string_equal(said->topic->name, "m");
    assert_int_equal(said->partition, 2);
    assert_int_equal(said->n_nodes, 3);
    assert_memory_equal(said->nodes, nodes, sizeof nodes);
    fake_cut(fake, request->node); /* no answer: the same again */
    answer_moved(fake, at_controller(fake, MOVE), 12);
    assert_int_equal(fake->answer_status, LF_OK);
    assert_int_equal(fake->answer->move_partition->epoch, 12);
}

static void a_transfer_goes_to_the_partitions_leader(void **state) {
    struct fake *fake = *state;
    fake_call_with(fake,
                   (struct lf_core_call){.type = LF_CALL_LEADER_TRANSFER, .topic = "m", .partitions = 1, .node = 3});
    struct fake_request *request = fake_wait(fake, 2, TRANSFER, 0);
    assert_string_equal(request->message->transfer_leader->topic->name, "m");
    assert_int_equal(request->message->transfer_leader->partition, 1);
    assert_int_equal(request->message->transfer_leader->to_node, 3);
    fake_answer(fake, request, LF_UNKNOWN_OUTCOME);
    fake_answer_not_leader(fake, fake_wait(fake, 2, TRANSFER, 0), 3, 8);
    answer_transferred(fake, fake_wait(fake, 3, TRANSFER, 0), 3); /* it leads already: ok */
    assert_int_equal(fake->answer_status, LF_OK);
    assert_int_equal(fake->answer->transfer_leader->leader_node, 3);

    fake_call_with(fake, (struct lf_core_call){.type = LF_CALL_LEADER_TRANSFER, .topic = "m", .partitions = 9});
    fake_run(fake, 100);
    assert_int_equal(fake->answer_status, LF_PARTITION_UNKNOWN);
    fake_call_with(fake, (struct lf_core_call){.type = LF_CALL_LEADER_TRANSFER, .topic = "nowhere"});
    fake_run(fake, 1000);
    assert_int_equal(fake->answer_status, LF_TOPIC_UNKNOWN);
}

static void a_transfer_to_anybody_is_not_made_twice(void **state) {
    struct fake *fake = *state;
    fake_call_with(fake, (struct lf_core_call){.type = LF_CALL_LEADER_TRANSFER, .topic = "m", .partitions = 1});
    fake_answer(fake, fake_wait(fake, 2, TRANSFER, 0), LF_TIMED_OUT);
    fake_answer_not_leader(fake, fake_wait(fake, 2, TRANSFER, 0), 1, 9);
    assert_true(fake->answered);
    assert_int_equal(fake->answer_status, LF_OK);
    assert_int_equal(fake->answer->transfer_leader->leader_node, 1);
}

static void the_metadatas_leader_is_transferred_at_the_controller(void **state) {
    struct fake *fake = *state;
    fake->controller = 2;
    fake_call_with(fake, (struct lf_core_call){.type = LF_CALL_LEADER_TRANSFER, .node = 1});
    struct fake_request *request = at_controller(fake, TRANSFER);
    assert_null(request->message->transfer_leader->topic);
    answer_transferred(fake, request, 1);
    assert_int_equal(fake->answer_status, LF_OK);
}

static void answer_checked(struct fake *fake, struct fake_request *request, uint32_t led) {
    Lf__ClusterCheckReply body = LF__CLUSTER_CHECK_REPLY__INIT;
    body.groups_led = led;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_CLUSTER_CHECK;
    reply.cluster_check = &body;
    fake_answer_reply(fake, request, &reply);
}

static void a_check_is_asked_of_the_one_node(void **state) {
    struct fake *fake = *state;
    for (uint64_t node = 1; node <= 3; node++) {
        fake_call_with(fake, (struct lf_core_call){.type = LF_CALL_CLUSTER_CHECK, .node = node, .without_node = 2});
        struct fake_request *request = fake_wait(fake, node, CHECK, 0);
        assert_int_equal(request->message->cluster_check->without_node, 2);
        assert_int_equal(fake_request_count(fake, CHECK), 1);
        answer_checked(fake, request, 4);
        assert_int_equal(fake->answer_status, LF_OK);
        assert_int_equal(fake->answer->cluster_check->groups_led, 4);
    }
}

static void a_node_that_cannot_be_checked_is_told_within_seconds(void **state) {
    struct fake *fake = *state;
    fake->nodes[3].down = true;
    fake_call_with(fake, (struct lf_core_call){.type = LF_CALL_CLUSTER_CHECK, .node = 3});
    fake_run(fake, 1500);
    assert_true(fake->answered);
    assert_int_equal(fake->answer_status, LF_CONNECT);

    fake->nodes[2].deaf = true; /* accepts, and says nothing */
    fake_call_with(fake, (struct lf_core_call){.type = LF_CALL_CLUSTER_CHECK, .node = 2});
    fake_run(fake, 4000);
    assert_true(fake->answered);
    assert_int_equal(fake->answer_status, LF_CONNECT);

    fake_call_with(fake, (struct lf_core_call){.type = LF_CALL_CLUSTER_CHECK, .node = 1});
    fake_wait(fake, 1, CHECK, 0);
    fake->nodes[1].frozen = true; /* stopped while asked */
    fake_run(fake, 4000);
    assert_true(fake->answered);
    assert_int_equal(fake->answer_status, LF_CONNECT);

    fake->nodes[3].down = false; /* what failed before is tried anew */
    fake_call_with(fake, (struct lf_core_call){.type = LF_CALL_CLUSTER_CHECK, .node = 3});
    answer_checked(fake, fake_wait(fake, 3, CHECK, 0), 1);
    assert_int_equal(fake->answer_status, LF_OK);
}

static void nonsense_is_refused_at_the_door(void **state) {
    struct fake *fake = *state;
    const uint64_t nodes[] = {1, 2, 1}, zero[] = {0}, many[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    const struct lf_core_call wrong[] = {
        {.type = LF_CALL_NODE_ADD, .node = 0, .host = "h", .client_port = 1, .peer_port = 2},
        {.type = LF_CALL_NODE_ADD, .node = 4, .host = NULL, .client_port = 1, .peer_port = 2},
        {.type = LF_CALL_NODE_ADD, .node = 4, .host = "a b", .client_port = 1, .peer_port = 2},
        {.type = LF_CALL_NODE_ADD, .node = 4, .host = "h", .client_port = 0, .peer_port = 2},
        {.type = LF_CALL_NODE_ADD, .node = 4, .host = "h", .client_port = 70000, .peer_port = 2},
        {.type = LF_CALL_NODE_ADD, .node = 4, .host = "h", .client_port = 2, .peer_port = 2},
        {.type = LF_CALL_NODE_REMOVE},
        {.type = LF_CALL_NODE_DRAIN},
        {.type = LF_CALL_CLUSTER_CHECK},
        {.type = LF_CALL_PARTITION_MOVE, .topic = "m"},
        {.type = LF_CALL_PARTITION_MOVE, .nodes = nodes, .node_count = 2},
        {.type = LF_CALL_PARTITION_MOVE, .topic = "m", .nodes = nodes, .node_count = 3},
        {.type = LF_CALL_PARTITION_MOVE, .topic = "m", .nodes = zero, .node_count = 1},
        {.type = LF_CALL_PARTITION_MOVE, .topic = "m", .nodes = many, .node_count = 8},
        {.type = LF_CALL_LEADER_TRANSFER, .topic = "a b"},
        {.type = (enum lf_core_call_type)99},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct lf_core_event event = {.type = LF_CORE_CALL};
        event.call = wrong[i];
        assert_int_equal(fake_event(fake, &event), LF_INVALID);
    }
}

/* One partition led by node 2, as a node says that has this much to say of it. */
static void answer_description(struct fake *fake, struct fake_request *request, uint64_t epoch, uint64_t wanted,
                               size_t members) {
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = request->message->describe_topic->topic->name;
    Lf__TopicSummary summary = LF__TOPIC_SUMMARY__INIT;
    summary.topic = &ref;
    Lf__PartitionMetadata metadata = LF__PARTITION_METADATA__INIT;
    metadata.leader_node = 2;
    uint64_t nodes[] = {1, 2, 3};
    metadata.replica_nodes = nodes;
    metadata.n_replica_nodes = 3;
    Lf__ReplicaProgress progress[3];
    Lf__ReplicaProgress *pointers[3];
    for (size_t i = 0; i < 3; i++) {
        progress[i] = (Lf__ReplicaProgress)LF__REPLICA_PROGRESS__INIT;
        progress[i].node_id = i + 1;
        pointers[i] = &progress[i];
    }
    Lf__PartitionDescription partition = LF__PARTITION_DESCRIPTION__INIT;
    partition.metadata = &metadata;
    partition.assignment_epoch = epoch;
    partition.wanted_epoch = wanted;
    partition.wanted_nodes = nodes;
    partition.n_wanted_nodes = 2;
    partition.replicas = pointers;
    partition.n_replicas = members;
    Lf__PartitionDescription *partitions[] = {&partition};
    Lf__DescribeTopicReply body = LF__DESCRIBE_TOPIC_REPLY__INIT;
    body.topic = &summary;
    body.n_partitions = 1;
    body.partitions = partitions;
    Lf__ClientReply reply = LF__CLIENT_REPLY__INIT;
    reply.body_case = LF__CLIENT_REPLY__BODY_DESCRIBE_TOPIC;
    reply.describe_topic = &body;
    fake_answer_reply(fake, request, &reply);
}

static void the_leader_tells_of_replicas_and_whoever_knows_more_of_the_assignment(void **state) {
    struct fake *fake = *state;
    fake_call(fake, LF_CALL_TOPIC_DESCRIBE, "t", 0, 0);
    struct fake_request *request = fake_wait(fake, 0, DESCRIBE, 0);
    if (request->node == 2) { /* ask again until another one is asked first */
        fake_answer(fake, request, LF_NOT_READY);
        request = fake_wait(fake, 0, DESCRIBE, 0);
    }
    assert_int_not_equal(request->node, 2);
    answer_description(fake, request, 4, 5, 0);
    answer_description(fake, fake_wait(fake, 2, DESCRIBE, 0), 3, 3, 3);
    assert_true(fake->answered);
    const Lf__PartitionDescription *partition = fake->answer->describe_topic->partitions[0];
    assert_int_equal(partition->assignment_epoch, 4);
    assert_int_equal(partition->wanted_epoch, 5);
    assert_int_equal(partition->n_replicas, 3);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        FACT(a_node_is_added_at_the_controller),
        FACT(an_address_that_is_taken_is_said_in_the_brokers_words),
        FACT(a_controller_that_dies_is_followed_by_the_next),
        FACT(a_node_is_removed_by_the_replica_that_it_had_when_asked),
        FACT(a_node_removed_before_is_removed),
        FACT(draining_begins_and_stops),
        FACT(a_partition_moves_to_nodes_in_order),
        FACT(a_transfer_goes_to_the_partitions_leader),
        FACT(a_transfer_to_anybody_is_not_made_twice),
        FACT(the_metadatas_leader_is_transferred_at_the_controller),
        FACT(a_check_is_asked_of_the_one_node),
        FACT(a_node_that_cannot_be_checked_is_told_within_seconds),
        FACT(nonsense_is_refused_at_the_door),
        FACT(the_leader_tells_of_replicas_and_whoever_knows_more_of_the_assignment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
