/** Brokers that come and go: the cluster may be replaced node by node under a client. */
#include "fake_cluster.h"

#define PUBLISH LF__CLIENT_REQUEST__BODY_PUBLISH

static int setup(void **state) {
    *state = fake_new();
    return 0;
}
static int teardown(void **state) {
    fake_free(*state);
    return 0;
}

/* Nodes 1 to 3 leave for ever, 4 to 6 are the cluster. */
static void replace_all(struct fake *fake) {
    fake->controller = 4;
    for (uint64_t node = 1; node <= FAKE_NODES_MAX; node++)
        fake->nodes[node].listed = node > FAKE_NODES;
}

static void stop_founders(struct fake *fake) {
    for (uint64_t node = 1; node <= FAKE_NODES; node++) {
        fake->nodes[node].down = true;
        fake_cut(fake, node);
    }
}

static void a_leader_that_is_not_among_the_given_brokers_is_followed(void **state) {
    struct fake *fake = *state;
    fake_publish(fake, "t", 0, 0, 10);
    fake_answer_not_leader(fake, fake_wait(fake, 1, PUBLISH, 0), 5, 9);
    uint64_t asked = fake->now_ms;
    fake_answer_publish(fake, fake_wait(fake, 5, PUBLISH, 0), 0, false);
    assert_true(fake->now_ms - asked <= 5);
    fake_expect_outcomes(fake, 0, 1, LF_OK);
}

static void brokers_are_learned_before_they_are_needed(void **state) {
    struct fake *fake = *state;
    fake_publish(fake, "t", 0, 0, 10);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    replace_all(fake); /* while nothing happens that would make the client ask */
    fake_run(fake, 40000);
    stop_founders(fake);
    fake->topics[0].leader[0] = 6;
    fake->topics[0].leader_epoch[0] = 9;
    fake_publish(fake, "t", 0, 1, 10);
    fake_answer_publish(fake, fake_wait(fake, 6, PUBLISH, 0), 1, false);
    fake_expect_outcomes(fake, 0, 2, LF_OK);
}

static void a_node_that_left_is_let_go(void **state) {
    struct fake *fake = *state;
    fake->nodes[4].listed = true;
    fake->topics[0].leader[0] = 4;
    fake_publish(fake, "t", 0, 0, 10);
    fake_answer_publish(fake, fake_wait(fake, 4, PUBLISH, 0), 0, false);
    fake->nodes[4].listed = false; /* it runs on, and is idle */
    fake->topics[0].leader[0] = 1;
    fake->topics[0].leader_epoch[0] = 4;
    fake_run(fake, 200000);
    assert_int_equal(fake->nodes[4].connection, 0);
    uint64_t hellos = fake->nodes[4].hellos;
    fake_publish(fake, "t", 0, 1, 10);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 1, false);
    fake_run(fake, 100000);
    assert_int_equal(fake->nodes[4].hellos, hellos);
    fake_expect_outcomes(fake, 0, 2, LF_OK);
}

/* It was removed with a batch in its hands: the batch is not forgotten with it. */
static void an_unanswered_batch_at_a_node_that_left_is_sent_to_the_new_leader(void **state) {
    struct fake *fake = *state;
    fake->nodes[4].listed = true;
    fake->topics[0].leader[0] = 4;
    fake_publish(fake, "t", 0, 0, 10);
    struct fake_request *request = fake_wait(fake, 4, PUBLISH, 0);
    int32_t sequence = request->header.base_sequence;
    fake->nodes[4].listed = false;
    fake->topics[0].leader[0] = 2;
    fake->topics[0].leader_epoch[0] = 5;
    fake->nodes[4].down = true;
    fake_cut(fake, 4);
    request = fake_wait(fake, 2, PUBLISH, 0);
    assert_int_equal(request->header.base_sequence, sequence);
    fake_answer_publish(fake, request, 7, true);
    fake_expect_outcomes(fake, 0, 1, LF_OK);
}

/* It left the group that it led, and does not hear who leads now. */
static void a_leader_that_lost_its_group_is_not_waited_for(void **state) {
    struct fake *fake = *state;
    fake_publish(fake, "t", 0, 0, 10);
    fake->topics[0].leader[0] = 0; /* whoever is asked does not know */
    fake_answer(fake, fake_wait(fake, 1, PUBLISH, 0), LF_NO_QUORUM);
    uint64_t begin = fake->now_ms;
    for (int asked = 0; asked < 10; asked++) {
        struct fake_request *request = fake_wait(fake, 0, PUBLISH, 0);
        if (request->node == 1) {
            fake_answer(fake, request, LF_NO_QUORUM);
            continue;
        }
        fake_answer_not_leader(fake, request, 5, 4); /* a replica that is still in the group */
        fake_answer_publish(fake, fake_wait(fake, 5, PUBLISH, 0), 0, false);
        break;
    }
    fake_expect_outcomes(fake, 0, 1, LF_OK);
    assert_true(fake->now_ms - begin < 100);
}

static void given_brokers_are_never_forgotten(void **state) {
    struct fake *fake = *state;
    fake_run(fake, 10);
    replace_all(fake);
    fake_publish(fake, "t", 0, 0, 10);
    fake_answer_not_leader(fake, fake_wait(fake, 1, PUBLISH, 0), 4, 9);
    fake_answer_publish(fake, fake_wait(fake, 4, PUBLISH, 0), 0, false);
    fake_run(fake, 200000);
    for (uint64_t node = FAKE_NODES + 1; node <= FAKE_NODES_MAX; node++) { /* the new ones go, the old ones return */
        fake->nodes[node].down = true;
        fake_cut(fake, node);
    }
    fake->topics[0].leader[0] = 3;
    fake->topics[0].leader_epoch[0] = 11;
    fake_publish(fake, "t", 0, 1, 10);
    fake_answer_publish(fake, fake_wait(fake, 3, PUBLISH, 0), 1, false);
    fake_expect_outcomes(fake, 0, 2, LF_OK);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        FACT(a_leader_that_is_not_among_the_given_brokers_is_followed),
        FACT(brokers_are_learned_before_they_are_needed),
        FACT(a_node_that_left_is_let_go),
        FACT(an_unanswered_batch_at_a_node_that_left_is_sent_to_the_new_leader),
        FACT(a_leader_that_lost_its_group_is_not_waited_for),
        FACT(given_brokers_are_never_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
