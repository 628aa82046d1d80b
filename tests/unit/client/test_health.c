/** Many brokers' answers about the cluster's health, put together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lf_health.h"

#include <string.h>

/* Three nodes, five partitions (six groups with the metadata), and what each node says. */
struct cluster {
    Lf__Broker brokers[3];
    Lf__NodeStatus nodes[3];
    Lf__NodeStatus *node_pointers[3];
    Lf__ClusterStatusReply status;
    Lf__ClusterCheckReply replies[3];
    Lf__GroupProblem problems[3][8];
    Lf__GroupProblem *problem_pointers[3][8];
    struct lf_health_answer answers[3];
    struct lf_health *health;
};

static struct cluster cluster;

static int setup(void **state) {
    struct cluster *c = *state = &cluster;
    memset(c, 0, sizeof *c);
    c->status = (Lf__ClusterStatusReply)LF__CLUSTER_STATUS_REPLY__INIT;
    c->status.partitions = 5;
    c->status.n_nodes = 3;
    c->status.nodes = c->node_pointers;
    for (size_t i = 0; i < 3; i++) {
        c->brokers[i] = (Lf__Broker)LF__BROKER__INIT;
        c->brokers[i].node_id = i + 1;
        c->nodes[i] = (Lf__NodeStatus)LF__NODE_STATUS__INIT;
        c->nodes[i].broker = &c->brokers[i];
        c->node_pointers[i] = &c->nodes[i];
        c->replies[i] = (Lf__ClusterCheckReply)LF__CLUSTER_CHECK_REPLY__INIT;
        c->replies[i].groups_led = 2;
        c->replies[i].problems = c->problem_pointers[i];
        c->answers[i] = (struct lf_health_answer){.node = i + 1, .reply = &c->replies[i]};
    }
    return 0;
}

static int teardown(void **state) {
    lf_health_free(((struct cluster *)*state)->health);
    return 0;
}

static void says(struct cluster *c, uint64_t node, Lf__GroupProblemKind kind, uint64_t group, uint64_t about) {
    static uint64_t abouts[32];
    static size_t used;
    static Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    topic.name = (char *)(uintptr_t) "orders";
    Lf__ClusterCheckReply *reply = &c->replies[node - 1];
    size_t at = reply->n_problems++;
    Lf__GroupProblem *problem = c->problem_pointers[node - 1][at] = &c->problems[node - 1][at];
    *problem = (Lf__GroupProblem)LF__GROUP_PROBLEM__INIT;
    problem->kind = kind;
    problem->group = group;
    problem->topic = group ? &topic : NULL;
    problem->partition = (uint32_t)group;
    problem->text = (char *)(uintptr_t) "a sentence";
    uint64_t *nodes = &abouts[used++ % 32];
    *nodes = about;
    problem->nodes = nodes;
    problem->n_nodes = about != 0;
}

static const struct lf_health *merge(struct cluster *c, uint64_t without) {
    lf_health_free(c->health);
    assert_int_equal(lf_health_merge(&c->status, c->answers, 3, without, &c->health), LF_OK);
    return c->health;
}

static void all_is_well(void **state) {
    const struct lf_health *health = merge(*state, 0);
    assert_true(health->healthy);
    assert_false(health->can_stop); /* nobody asked */
    assert_int_equal(health->groups, 6);
    assert_int_equal(health->groups_judged, 6);
    assert_int_equal(health->nodes_answered, 3);
    assert_int_equal(health->problem_count, 0);
    assert_true(merge(*state, 2)->can_stop);
}

static void a_group_without_a_leader_counts_once(void **state) {
    struct cluster *c = *state;
    c->replies[2].groups_led = 1;
    says(c, 1, LF__GROUP_PROBLEM_KIND__PROBLEM_NO_LEADER, 5, 1);
    says(c, 2, LF__GROUP_PROBLEM_KIND__PROBLEM_NO_LEADER, 5, 2);
    const struct lf_health *health = merge(c, 2);
    assert_false(health->healthy);
    assert_false(health->can_stop);
    assert_int_equal(health->problem_count, 1);
    assert_int_equal(health->groups_judged, 6);
    const struct lf_problem *problem = &health->problems[0];
    assert_string_equal(problem->topic, "orders");
    assert_string_equal(problem->text, "a sentence");
    assert_int_equal(problem->group, 5);
    assert_int_equal(problem->node_count, 2);
    assert_int_equal(problem->nodes[1], 2);
}

static void a_move_is_no_harm_and_a_lost_majority_is_about_stopping_only(void **state) {
    struct cluster *c = *state;
    says(c, 1, LF__GROUP_PROBLEM_KIND__PROBLEM_MOVING, 3, 2);
    assert_true(merge(c, 2)->healthy);
    assert_true(c->health->can_stop);
    says(c, 1, LF__GROUP_PROBLEM_KIND__PROBLEM_WOULD_LOSE_MAJORITY, 3, 2);
    says(c, 2, LF__GROUP_PROBLEM_KIND__PROBLEM_WOULD_LOSE_MAJORITY, 0, 2);
    assert_true(merge(c, 2)->healthy);
    assert_false(c->health->can_stop);
    assert_int_equal(c->health->problem_count, 3);
    assert_null(c->health->problems[2].topic); /* the metadata */
}

static void a_full_disk_is_a_brokers_problem(void **state) {
    struct cluster *c = *state;
    c->replies[1].disk = (char *)(uintptr_t) "node 2 has 3 MiB left";
    const struct lf_health *health = merge(c, 3);
    assert_false(health->healthy);
    assert_true(health->can_stop);
    assert_int_equal(health->problem_count, 1);
    assert_int_equal(health->problems[0].kind, LF_PROBLEM_DISK_FULL);
    assert_int_equal(health->problems[0].nodes[0], 2);
    assert_string_equal(health->problems[0].text, "node 2 has 3 MiB left");
}

static void a_silent_replica_does_not_say_that_another_node_may_not_stop(void **state) {
    struct cluster *c = *state;
    says(c, 1, LF__GROUP_PROBLEM_KIND__PROBLEM_REPLICA_SILENT, 3, 2);
    assert_false(merge(c, 2)->healthy);
    assert_true(c->health->can_stop);
}

static void groups_that_nobody_judged_are_not_taken_for_well(void **state) {
    struct cluster *c = *state;
    c->answers[1].reply = NULL;
    c->answers[1].error = "it cannot be reached";
    assert_false(merge(c, 3)->healthy);
    assert_false(c->health->can_stop);
    assert_int_equal(c->health->groups_judged, 4);
    assert_int_equal(c->health->problem_count, 2);
    assert_int_equal(c->health->problems[0].kind, LF_PROBLEM_NODE_SILENT);
    assert_non_null(strstr(c->health->problems[0].text, "it cannot be reached"));
    assert_int_equal(c->health->problems[1].kind, LF_PROBLEM_NOT_JUDGED);
}

static void a_silent_node_on_which_nothing_hangs_is_no_harm(void **state) {
    struct cluster *c = *state;
    c->answers[1].reply = NULL;
    c->replies[0].groups_led = 4;
    assert_false(merge(c, 0)->healthy);
    c->nodes[1].state = LF__NODE_STATE__NODE_JOINING;
    assert_true(merge(c, 0)->healthy);
    c->nodes[1].state = LF__NODE_STATE__NODE_DRAINED;
    assert_true(merge(c, 0)->healthy);
    assert_int_equal(c->health->problem_count, 1);
    c->nodes[1].state = LF__NODE_STATE__NODE_DRAINING;
    assert_false(merge(c, 0)->healthy);
}

static void problems_left_out_may_be_the_worst(void **state) {
    struct cluster *c = *state;
    c->replies[0].problems_left_out = 1;
    assert_false(merge(c, 1)->healthy);
    assert_false(c->health->can_stop);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        FACT(all_is_well),
        FACT(a_group_without_a_leader_counts_once),
        FACT(a_move_is_no_harm_and_a_lost_majority_is_about_stopping_only),
        FACT(a_full_disk_is_a_brokers_problem),
        FACT(a_silent_replica_does_not_say_that_another_node_may_not_stop),
        FACT(groups_that_nobody_judged_are_not_taken_for_well),
        FACT(a_silent_node_on_which_nothing_hangs_is_no_harm),
        FACT(problems_left_out_may_be_the_worst),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
