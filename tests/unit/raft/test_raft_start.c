/** Facts about starting, limits and numbers at their edges: catalogue H12, rules 4 and 6. */
#include "core.h"

#include <string.h>

#include "raft_internal.h"

static void a_start_state_that_contradicts_itself_is_refused_in_words(void **state) {
    (void)state;
    struct raft_configuration_at three = {.configuration = voters(3)}, twice = three, late = three;
    twice.configuration.voters[1] = 1;
    late.index = 9;
    struct raft_run runs[2] = {{.first_index = 1, .term = 2}, {.first_index = 3, .term = 2}}, from_two = {2, 1};
#define BASE(id, durable_term, at, count)                                                                              \
    .self = (id), .term = (durable_term), .configurations = (at), .configuration_count = (count)
    const struct raft_start cases[] = {
        {BASE(0, 5, &three, 1)},
        {BASE(1, 5, &three, 0)},
        {BASE(1, 5, &twice, 1)},
        {BASE(1, 5, &late, 1)},
        {BASE(1, 5, &three, 1), .last_index = 3},                                    /* entries without terms */
        {BASE(1, 5, &three, 1), .last_index = 0, .runs = runs, .run_count = 1},      /* terms without entries */
        {BASE(1, 5, &three, 1), .last_index = 4, .runs = runs, .run_count = 2},      /* equal terms in two runs */
        {BASE(1, 5, &three, 1), .last_index = 4, .runs = &from_two, .run_count = 1}, /* a hole */
        {BASE(1, 1, &three, 1), .last_index = 4, .runs = runs, .run_count = 1},      /* entry above the durable term */
        {BASE(1, 5, &three, 1), .last_index = 2, .runs = runs, .run_count = 1, .commit = 3},
        {BASE(1, 5, &three, 1), .previous_index = 7, .previous_term = 1, .last_index = 6},
        {BASE(1, 5, &three, 1), .previous_index = 4, .previous_term = 9, .last_index = 4},
    };
#undef BASE
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raft *raft = (struct raft *)&raft;
        struct lf_error error = {0};
        assert_int_equal(raft_new(&cases[i], NULL, &raft, &error), LF_INVALID);
        assert_null(raft);
        assert_int_equal(error.code, LF_INVALID);
        assert_true(strlen(error.text) > 0);
    }
}

static void impossible_limits_are_refused(void **state) {
    (void)state;
    struct raft_configuration_at three = {.configuration = voters(3)};
    struct raft_start start = {.self = 1, .configurations = &three, .configuration_count = 1};
    const struct raft_limits cases[] = {{.election_timeout_ms_min = 400},
                                        {.heartbeat_ms = 150},
                                        {.inflight_messages_max = 100000},
                                        {.reads_max = UINT32_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raft *raft;
        assert_int_equal(raft_new(&start, &cases[i], &raft, NULL), LF_INVALID);
    }
}

static void a_restart_goes_on_where_the_disk_stopped(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 4, 2, &(struct log_of){{1, 1, 3}}, NULL);
    assert_int_equal(raft_term(core.raft), 4);
    assert_int_equal(raft_vote(core.raft), 2);
    assert_int_equal(raft_last_index(core.raft), 3);
    assert_int_equal(raft_durable_index(core.raft), 3);
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    struct raft_message request = vote_request(&core, 3, 4, 3, 3);
    core_message(&core, &request);
    assert_false(core_sent(&core, RAFT_VOTE_REPLY, 3)->vote_reply.granted);
    core_stop(&core);
}

static void h12_clocks_at_their_edges_change_nothing(void **state) {
    (void)state;
    static const uint64_t edges[] = {1ull << 31, 1ull << 32, 1ull << 63};
    for (size_t i = 0; i < 3; i++) {
        struct core core;
        struct raft_configuration_at at = {.configuration = voters(3)};
        core_start_from(
            &core,
            &(struct raft_start){
                .self = 1, .seed = 5, .now_ms = edges[i] - 200, .configurations = &at, .configuration_count = 1},
            NULL);
        core_lead(&core, true);
        struct raft_message ack = append_ok(&core, 2, 1, 1, 1);
        core_message(&core, &ack);
        for (int step = 0; step < 60; step++) { /* across the edge */
            uint64_t deadline = core.effects.deadline_ms;
            assert_true(deadline > core.now);
            assert_true(deadline - core.now <= 50);
            core_tick(&core, deadline - core.now);
            struct raft_message reply = heartbeat_ok(&core, 2, core.raft->round_sent, 1);
            core_message(&core, &reply);
        }
        assert_true(core.now > edges[i]);
        assert_int_equal(raft_role(core.raft), RAFT_LEADER);
        core_tick_until_role(&core, RAFT_FOLLOWER); /* check-quorum works beyond it */
        core_stop(&core);
    }
}

static void h12_indexes_and_terms_at_their_edges_change_nothing(void **state) {
    (void)state;
    static const uint64_t edges[] = {1ull << 31, 1ull << 32, 1ull << 63};
    for (size_t i = 0; i < 3; i++) {
        struct core core;
        struct raft_configuration_at at = {.configuration = voters(3)};
        struct raft_run run = {.first_index = 1, .term = edges[i] - 2};
        core_start_from(&core,
                        &(struct raft_start){.self = 1,
                                             .seed = 5,
                                             .term = edges[i] - 2,
                                             .runs = &run,
                                             .run_count = 1,
                                             .last_index = edges[i] - 3,
                                             .commit = edges[i] - 5,
                                             .configurations = &at,
                                             .configuration_count = 1},
                        NULL);
        uint64_t end = core_lead(&core, true);
        assert_true(end == edges[i] - 2);
        for (int step = 0; step < 10; step++) {
            struct raft_message ack = append_ok(&core, 2, core.raft->peers[0].sequence, end, end);
            core_message(&core, &ack);
            assert_true(core.effects.commit == end);
            assert_int_equal(core_propose(&core, 1, 10), LF_OK);
            core_wrote_last(&core);
            end++;
        }
        struct raft_message newer = heartbeat(&core, 2, edges[i] + 7, 0, 1);
        core_message(&core, &newer);
        assert_true(raft_term(core.raft) == edges[i] + 7);
        core_stop(&core);
    }
}

static void h12_the_last_term_of_all_is_not_campaigned_beyond(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 1, UINT64_MAX, 0, NULL, NULL);
    core_tick(&core, 10000);
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    assert_true(raft_term(core.raft) == UINT64_MAX);
    core_stop(&core);
}

static void a_clock_that_goes_back_is_not_followed(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    core_tick(&core, 10);
    core.now -= 500;
    core_tick(&core, 0);
    assert_int_equal(core.raft->now_ms, 1010);
    core_stop(&core);
}

static void only_a_tick_looks_at_timers(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    core.now += 10000; /* woke late: what waits in the sockets comes first */
    struct raft_message beat = heartbeat(&core, 2, 1, 0, 1);
    core_message(&core, &beat);
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    core_tick(&core, 0);
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    core_stop(&core);
}

static void a_step_without_news_writes_and_says_nothing(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    core_tick(&core, 1);
    assert_false(core.effects.has_persist);
    assert_int_equal(core.effects.message_count, 0);
    assert_false(core.effects.role_changed);
    assert_int_equal(core.effects.commit, 0);
    core_stop(&core);
}

static void tokens_rise_by_one(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 1, 0, 0, NULL, NULL);
    core_lead(&core, true);
    uint64_t token = core.raft->writes.next_token;
    for (int i = 0; i < 100; i++) {
        core_propose(&core, 1, 10);
        assert_int_equal(core.effects.persist.token, token + (unsigned)i);
    }
    core_stop(&core);
}

static void effects_are_reused_by_many_cores(void **state) {
    (void)state;
    struct core a, b;
    core_start(&a, 1, 1, 0, 0, NULL, NULL);
    core_start(&b, 1, 1, 0, 0, NULL, NULL);
    struct raft_event tick = {.type = RAFT_EVENT_TICK, .now_ms = 5000};
    raft_step(a.raft, &tick, &a.effects);
    assert_true(a.effects.has_persist);
    struct raft_event early = {.type = RAFT_EVENT_TICK, .now_ms = 1000};
    raft_step(b.raft, &early, &a.effects);
    assert_false(a.effects.has_persist); /* nothing of the other is left over */
    core_stop(&a);
    core_stop(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_state_that_contradicts_itself_is_refused_in_words),
        cmocka_unit_test(impossible_limits_are_refused),
        cmocka_unit_test(a_restart_goes_on_where_the_disk_stopped),
        cmocka_unit_test(h12_clocks_at_their_edges_change_nothing),
        cmocka_unit_test(h12_indexes_and_terms_at_their_edges_change_nothing),
        cmocka_unit_test(h12_the_last_term_of_all_is_not_campaigned_beyond),
        cmocka_unit_test(a_clock_that_goes_back_is_not_followed),
        cmocka_unit_test(only_a_tick_looks_at_timers),
        cmocka_unit_test(a_step_without_news_writes_and_says_nothing),
        cmocka_unit_test(tokens_rise_by_one),
        cmocka_unit_test(effects_are_reused_by_many_cores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
