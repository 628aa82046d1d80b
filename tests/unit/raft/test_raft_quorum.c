/** Majorities against brute force, over all small cases (C3): 1 to 7 voters, and joint pairs. */
#include "raft_configuration.h"
#include "raft_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define NODES 7

static uint64_t values[NODES + 1]; /**< of node 1 ... */

static uint64_t value_of(const void *context, uint64_t voter) {
    (void)context;
    return values[voter];
}

/** The nodes whose bit is set; bit 0 is node 1. */
static uint32_t members_of(uint32_t set, uint64_t *voters) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < NODES; i++)
        if (set >> i & 1u)
            voters[count++] = i + 1;
    return count;
}

static struct raft_configuration configuration_of(uint32_t voters, uint32_t outgoing) {
    struct raft_configuration configuration = {.epoch = 1};
    configuration.voter_count = members_of(voters, configuration.voters);
    configuration.outgoing_count = members_of(outgoing, configuration.outgoing);
    return configuration;
}

static uint32_t size_of(uint32_t set) { return (uint32_t)__builtin_popcount(set); }

static bool is_majority(uint32_t some, uint32_t of) { return 2 * size_of(some & of) > size_of(of); }

/** The definition: the largest value that a majority of the voters, and of the outgoing ones, reaches. */
static uint64_t by_definition(uint32_t voters, uint32_t outgoing, uint64_t most) {
    for (uint64_t wanted = most; wanted > 0; wanted--) {
        uint32_t reaching = 0;
        for (uint32_t i = 0; i < NODES; i++)
            reaching |= (uint32_t)(values[i + 1] >= wanted) << i;
        if (is_majority(reaching, voters) && (outgoing == 0 || is_majority(reaching, outgoing)))
            return wanted;
    }
    return 0;
}

/** All ways to give each of `nodes` nodes a value from 0 to `most`; more nodes have 0. */
static void set_values(uint32_t number, uint32_t nodes, uint32_t most) {
    for (uint32_t i = 0; i < NODES; i++) {
        values[i + 1] = i < nodes ? number % (most + 1) : 0;
        number /= most + 1;
    }
}

static void compare(uint32_t voters, uint32_t outgoing, uint32_t nodes, uint32_t most) {
    const struct raft_configuration configuration = configuration_of(voters, outgoing);
    uint32_t cases = 1;
    for (uint32_t i = 0; i < nodes; i++)
        cases *= most + 1;
    for (uint32_t number = 0; number < cases; number++) {
        set_values(number, nodes, most);
        uint64_t is = raft_quorum(&configuration, value_of, NULL), wanted = by_definition(voters, outgoing, most);
        if (is != wanted)
            fail_msg("voters %#x outgoing %#x case %u: %llu, by definition %llu", voters, outgoing, number, raft_u(is),
                     raft_u(wanted));
    }
}

static void one_to_seven_voters_reach_what_a_majority_reaches(void **state) {
    (void)state;
    for (uint32_t voters = 1; voters < 1u << NODES; voters++)
        compare(voters, 0, NODES, 2);
}

static void joint_halves_of_five_nodes_reach_what_both_majorities_reach(void **state) {
    (void)state;
    for (uint32_t voters = 1; voters < 1u << 5; voters++)
        for (uint32_t outgoing = 1; outgoing < 1u << 5; outgoing++)
            compare(voters, outgoing, 5, 2);
}

static void joint_halves_of_seven_nodes_grant_what_both_majorities_grant(void **state) {
    (void)state;
    for (uint32_t voters = 1; voters < 1u << NODES; voters++)
        for (uint32_t outgoing = 1; outgoing < 1u << NODES; outgoing++)
            compare(voters, outgoing, NODES, 1);
}

static void extreme_values_are_told_apart(void **state) {
    (void)state;
    const struct raft_configuration configuration = configuration_of(7, 0);
    values[1] = UINT64_MAX;
    values[2] = UINT64_MAX - 1;
    values[3] = 0;
    assert_true(raft_quorum(&configuration, value_of, NULL) == UINT64_MAX - 1);
}

static bool decides(const struct raft_configuration *configuration, uint32_t nodes) {
    for (uint32_t i = 0; i < NODES; i++)
        values[i + 1] = nodes >> i & 1u;
    return raft_quorum(configuration, value_of, NULL) == 1;
}

/** Nothing is decided twice: who can decide before a step of a change, and who can after it, have a node in common. */
static void check_step(const struct raft_configuration *before, const struct raft_configuration *after) {
    bool after_decides[1u << 5];
    for (uint32_t nodes = 0; nodes < 1u << 5; nodes++)
        after_decides[nodes] = decides(after, nodes);
    for (uint32_t some = 0; some < 1u << 5; some++) {
        if (!decides(before, some))
            continue;
        for (uint32_t others = 0; others < 1u << 5; others++)
            assert_true(!after_decides[others] || (some & others) != 0);
    }
}

static void both_steps_of_every_change_share_a_node_between_majorities(void **state) {
    (void)state;
    for (uint32_t from = 1; from < 1u << 5; from++) {
        for (uint32_t to = 1; to < 1u << 5; to++) {
            const struct raft_configuration now = configuration_of(from, 0), target = configuration_of(to, 0);
            const struct raft_configuration joint = raft_configuration_towards(&now, &target);
            const struct raft_configuration left = raft_configuration_left(&joint);
            assert_true((joint.outgoing_count > 0) == (from != to));
            check_step(&now, &joint);
            check_step(&joint, &left);
            assert_true(raft_configuration_same_voters(&left, &target));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_to_seven_voters_reach_what_a_majority_reaches),
        cmocka_unit_test(joint_halves_of_five_nodes_reach_what_both_majorities_reach),
        cmocka_unit_test(joint_halves_of_seven_nodes_grant_what_both_majorities_grant),
        cmocka_unit_test(extreme_values_are_told_apart),
        cmocka_unit_test(both_steps_of_every_change_share_a_node_between_majorities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
