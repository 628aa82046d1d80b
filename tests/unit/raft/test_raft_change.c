/** Facts about members: catalogue B8, C4, C6, E1, E2, E5-E8, E10, E14. */
#include "core.h"

#include "raft_configuration.h"
#include "raft_internal.h"

static void ack(struct core *core, uint64_t from, uint64_t index) {
    uint64_t sequence = raft_peer(core->raft, from)->sequence;
    struct raft_message message = append_ok(core, from, sequence, index, index);
    core_message(core, &message);
}

/** Everything issued so far is durable. */
static void settle_disk(struct core *core) {
    while (core->raft->writes.count > 0)
        core_wrote(core, core->raft->writes.ring[core->raft->writes.head].first_token +
                             core->raft->writes.ring[core->raft->writes.head].finished);
}

static struct raft_configuration members(uint64_t epoch, const uint64_t *voters, uint32_t count) {
    struct raft_configuration configuration = {.epoch = epoch, .voter_count = count};
    for (uint32_t i = 0; i < count; i++)
        configuration.voters[i] = voters[i];
    return configuration;
}
#define MEMBERS(epoch, ...)                                                                                            \
    members((epoch), (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/** Replica 1 leads 1 ... 3, the no-op at index 1 is committed. */
static void lead_three(struct core *core) {
    core_start(core, 1, 3, 0, 0, NULL, NULL);
    uint64_t noop = core_lead(core, true);
    ack(core, 2, noop);
    ack(core, 3, noop);
    assert_int_equal(core->effects.commit, noop);
}

static void voters_change_through_a_joint_configuration_that_is_left_by_itself(void **state) {
    (void)state;
    struct core core;
    lead_three(&core);
    const struct raft_configuration target = MEMBERS(2, 1, 4, 5);
    assert_int_equal(core_change(&core, &target), LF_OK);
    assert_int_equal(core.effects.own_index, 2);
    assert_int_equal(core.effects.own_configuration->outgoing_count, 3);
    assert_int_equal(raft_configuration(core.raft)->voter_count, 3); /* in force when appended */
    assert_non_null(core_sent(&core, RAFT_APPEND_REQUEST, 4));       /* new members hear at once */
    settle_disk(&core);
    ack(&core, 4, 2);
    assert_int_equal(core.effects.commit, 1); /* a majority of the new voters, none of the old ones */
    ack(&core, 2, 2);
    assert_int_equal(core.effects.commit, 2);
    assert_int_equal(core.effects.own_index, 3);
    assert_int_equal(core.effects.own_configuration->outgoing_count, 0);
    assert_null(core_sent(&core, RAFT_APPEND_REQUEST, 2)); /* it left */
    settle_disk(&core);
    ack(&core, 5, 3);
    assert_int_equal(core.effects.commit, 3);
    assert_true(raft_may_change(core.raft));
    core_stop(&core);
}

static void e2_a_joint_configuration_is_left_only_when_it_is_committed(void **state) {
    (void)state;
    struct core core;
    lead_three(&core);
    const struct raft_configuration target = MEMBERS(2, 1);
    assert_int_equal(core_change(&core, &target), LF_OK);
    settle_disk(&core); /* all of the new voters hold it; that is not enough */
    for (int i = 0; i < 3; i++) {
        core_tick(&core, 50);
        assert_int_equal(core.effects.own_index, 0);
        struct raft_message alive = heartbeat_ok(&core, 2, core.raft->round_sent, 1);
        core_message(&core, &alive);
    }
    assert_int_equal(raft_configuration(core.raft)->outgoing_count, 3);
    core_stop(&core);
}

static void e4_a_new_leader_leaves_the_joint_configuration_it_inherited(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    struct raft_configuration joint = MEMBERS(2, 1, 2, 4);
    joint.outgoing_count = 3;
    joint.outgoing[0] = 1, joint.outgoing[1] = 2, joint.outgoing[2] = 3;
    struct raft_entry entry = {.term = 1, .bytes = 100, .configuration = &joint};
    struct raft_message request = append(&core, 3, 1, 0, 0, &entry, 1, 1);
    core_message(&core, &request);
    settle_disk(&core);
    core_lead(&core, true);
    assert_int_equal(raft_configuration(core.raft)->outgoing_count, 3);
    ack(&core, 2, 2);
    assert_int_equal(core.effects.commit, 2);
    assert_int_equal(core.effects.own_index, 3);
    assert_int_equal(raft_configuration(core.raft)->outgoing_count, 0);
    core_stop(&core);
}

static void one_change_at_a_time_of_no_lower_epoch(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    struct raft_configuration target = MEMBERS(5, 1, 2, 3), none = {.epoch = 6}, twice = MEMBERS(6, 1, 1),
                              joint = MEMBERS(6, 1, 2), both = MEMBERS(6, 1, 2);
    joint.outgoing_count = 1, joint.outgoing[0] = 3;
    both.learner_count = 1, both.learners[0] = 2;
    assert_int_equal(core_change(&core, &target), LF_NOT_LEADER);
    core_lead(&core, true);
    assert_int_equal(core_change(&core, &target), LF_AGAIN); /* E1: nothing of the own term is committed */
    ack(&core, 2, 1);
    assert_int_equal(core_change(&core, &none), LF_INVALID);
    assert_int_equal(core_change(&core, &twice), LF_INVALID);
    assert_int_equal(core_change(&core, &joint), LF_INVALID);
    assert_int_equal(core_change(&core, &both), LF_INVALID);
    assert_int_equal(core_change(&core, &target), LF_OK);
    assert_int_equal(core_change(&core, &target), LF_AGAIN);
    settle_disk(&core);
    ack(&core, 2, 2);
    target.epoch = 4;
    assert_int_equal(core_change(&core, &target), LF_INVALID);
    const struct raft_configuration proposed = MEMBERS(9, 1, 2, 3);
    struct raft_entry entry = {.bytes = 100, .configuration = &proposed};
    core_step(&core, &(struct raft_event){.type = RAFT_EVENT_PROPOSE, .propose = {.entries = &entry, .count = 1}});
    assert_int_equal(core.status, LF_INVALID); /* the way from one to the next is the core's */
    core_stop(&core);
}

static void learners_get_everything_and_count_for_nothing(void **state) {
    (void)state;
    struct core core;
    lead_three(&core);
    struct raft_configuration target = MEMBERS(2, 1, 2, 3);
    target.learner_count = 2, target.learners[0] = 8, target.learners[1] = 9;
    assert_int_equal(core_change(&core, &target), LF_OK);
    assert_int_equal(core.effects.own_configuration->outgoing_count, 0); /* the voters stay: no joint one */
    settle_disk(&core);
    ack(&core, 8, 2);
    ack(&core, 9, 2);
    assert_int_equal(core.effects.commit, 1);
    ack(&core, 2, 2);
    assert_int_equal(core.effects.commit, 2);
    assert_false(core_peer(&core, 8).voter);
    assert_int_equal(core_transfer(&core, 8), LF_NOT_FOUND);
    core_tick(&core, 299);
    struct raft_message alive = heartbeat_ok(&core, 8, core.raft->round_sent, 2);
    core_message(&core, &alive);
    core_tick(&core, 60); /* of the voters nobody answers */
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    core_stop(&core);
}

static void e5_a_learner_votes_when_it_is_asked_and_does_not_campaign(void **state) {
    (void)state;
    struct core core;
    struct raft_configuration_at at = {.configuration = MEMBERS(1, 2, 3)};
    at.configuration.learner_count = 1, at.configuration.learners[0] = 1;
    core_start_from(&core, &(struct raft_start){.self = 1, .seed = 1, .configurations = &at, .configuration_count = 1},
                    NULL);
    for (int i = 0; i < 20; i++)
        core_tick(&core, 100);
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    struct raft_message request = vote_request(&core, 3, 1, 0, 0); /* it knows of a promotion that we do not */
    core_message(&core, &request);
    core_wrote_last(&core);
    assert_true(core_sent(&core, RAFT_VOTE_REPLY, 3)->vote_reply.granted);
    core_stop(&core);
}

static void a_voter_that_missed_changes_votes_for_members_it_does_not_know(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 3, 3, 1, 0, NULL, NULL);
    struct raft_message request = vote_request(&core, 5, 2, 7, 2);
    core_message(&core, &request);
    core_wrote_last(&core);
    assert_true(core_sent(&core, RAFT_VOTE_REPLY, 5)->vote_reply.granted);
    core_stop(&core);
}

static void e7_a_leader_that_is_no_voter_any_more_hands_over_when_that_is_committed(void **state) {
    (void)state;
    struct core core;
    lead_three(&core);
    const struct raft_configuration target = MEMBERS(2, 2, 3);
    assert_int_equal(core_change(&core, &target), LF_OK);
    settle_disk(&core);
    ack(&core, 2, 2);
    assert_int_equal(core.effects.commit, 1); /* of 2 and 3 both are needed now, whatever we hold (C4) */
    ack(&core, 3, 2);
    assert_int_equal(core.effects.commit, 2);
    assert_int_equal(core.effects.own_index, 3);
    ack(&core, 2, 3);
    assert_int_equal(raft_role(core.raft), RAFT_LEADER);
    ack(&core, 3, 3);
    assert_int_equal(core.effects.commit, 3);
    assert_int_equal(core_sent(&core, RAFT_HEARTBEAT_REQUEST, 3)->heartbeat.commit, 3); /* they hear of it */
    assert_int_equal(core_sent_count(&core, RAFT_TIMEOUT_NOW), 1);
    assert_int_equal(core_propose(&core, 1, 10), LF_NOT_LEADER);
    for (int i = 0; i < 8; i++) { /* nobody takes over: it goes all the same */
        core_tick(&core, 50);
        for (uint64_t peer = 2; peer <= 3 && raft_role(core.raft) == RAFT_LEADER; peer++) {
            struct raft_message alive = heartbeat_ok(&core, peer, core.raft->round_sent, 3);
            core_message(&core, &alive);
        }
    }
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    for (int i = 0; i < 20; i++)
        core_tick(&core, 100);
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER); /* and does not run again */
    core_stop(&core);
}

static void e7_who_appended_its_own_removal_still_runs_until_that_is_committed(void **state) {
    (void)state;
    struct core core;
    struct raft_configuration_at at[2] = {{.configuration = MEMBERS(1, 1, 2, 3)},
                                          {.index = 2, .configuration = MEMBERS(2, 2, 3)}};
    struct raft_run run = {.first_index = 1, .term = 1};
    struct raft_start start = {.self = 1,
                               .seed = 3,
                               .term = 1,
                               .runs = &run,
                               .run_count = 1,
                               .last_index = 2,
                               .commit = 1,
                               .configurations = at,
                               .configuration_count = 2};
    core_start_from(&core, &start, NULL);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    core_stop(&core);
    start.commit = 2;
    core_start_from(&core, &start, NULL);
    for (int i = 0; i < 20; i++)
        core_tick(&core, 100);
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER); /* E6 */
    core_stop(&core);
}

static void e8_a_truncated_joint_configuration_rolls_back(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    struct raft_configuration joint = MEMBERS(2, 4, 5);
    joint.outgoing_count = 3;
    joint.outgoing[0] = 1, joint.outgoing[1] = 2, joint.outgoing[2] = 3;
    struct raft_entry entry = {.term = 1, .bytes = 100, .configuration = &joint}, other = {.term = 2, .bytes = 10};
    struct raft_message request = append(&core, 2, 1, 0, 0, &entry, 1, 0);
    core_message(&core, &request);
    assert_int_equal(raft_configuration(core.raft)->outgoing_count, 3);
    struct raft_message cut = append(&core, 3, 2, 0, 0, &other, 1, 0);
    core_message(&core, &cut);
    assert_int_equal(raft_configuration(core.raft)->outgoing_count, 0);
    assert_int_equal(raft_configuration(core.raft)->voter_count, 3);
    core_stop(&core);
}

static void e10_promotion_keeps_what_is_known_of_the_learner(void **state) {
    (void)state;
    struct core core;
    lead_three(&core);
    struct raft_configuration target = MEMBERS(2, 1, 2, 3), promoted = MEMBERS(3, 1, 2, 4);
    target.learner_count = 1, target.learners[0] = 4;
    assert_int_equal(core_change(&core, &target), LF_OK);
    settle_disk(&core);
    ack(&core, 2, 2);
    ack(&core, 4, 2);
    assert_int_equal(core_change(&core, &promoted), LF_OK);
    assert_int_equal(core_peer(&core, 4).match, 2);
    assert_true(core_peer(&core, 4).voter);
    core_stop(&core);
}

static void b8_an_answer_to_a_peer_that_left_does_not_count_when_it_is_back(void **state) {
    (void)state;
    struct core core;
    lead_three(&core);
    core_propose(&core, 1, 10);
    core_propose(&core, 1, 10);
    uint64_t late = raft_peer(core.raft, 3)->sequence;
    const struct raft_configuration without = MEMBERS(2, 1, 2), with = MEMBERS(3, 1, 2, 3);
    assert_int_equal(core_change(&core, &without), LF_OK);
    settle_disk(&core);
    ack(&core, 2, 4);
    ack(&core, 2, 5);
    settle_disk(&core);
    ack(&core, 2, 5);
    assert_int_equal(core.effects.commit, 5);
    assert_int_equal(core_change(&core, &with), LF_OK);
    assert_true(raft_peer(core.raft, 3)->session >= late);
    struct raft_message old = append_refused(&core, 3, late, 1, 1, 1, 1);
    core_message(&core, &old); /* it is from before: proves no loss, moves nothing */
    assert_false(core_peer(&core, 3).damaged);
    core_stop(&core);
}

static void c6_commit_is_looked_at_again_when_the_quorum_shrinks(void **state) {
    (void)state;
    struct core core;
    lead_three(&core);
    core_propose(&core, 1, 10);
    const struct raft_configuration target = MEMBERS(2, 1);
    assert_int_equal(core_change(&core, &target), LF_OK);
    core_propose(&core, 1, 10);
    settle_disk(&core);
    assert_int_equal(core.effects.commit, 1);
    ack(&core, 2, 3); /* the joint one commits; the only voter left holds 4 alone */
    assert_int_equal(core.effects.own_index, 5);
    settle_disk(&core);
    assert_int_equal(core.effects.commit, 5);
    core_stop(&core);
}

static void e14_a_transfer_ends_when_its_target_is_no_voter_any_more(void **state) {
    (void)state;
    struct core core;
    lead_three(&core);
    core_propose(&core, 1, 10);
    const struct raft_configuration target = MEMBERS(2, 1, 2);
    assert_int_equal(core_change(&core, &target), LF_OK);
    assert_int_equal(core_transfer(&core, 3), LF_NOT_FOUND); /* already on its way out */
    assert_int_equal(core_transfer(&core, 2), LF_OK);
    assert_int_equal(core_change(&core, &target), LF_NOT_LEADER);
    core_stop(&core);
}

/* ---- who should lead ---- */

static void prefer(struct core *core, uint64_t replica) {
    core_step(core, &(struct raft_event){.type = RAFT_EVENT_PREFER, .prefer = {.replica = replica}});
}

static void beat_and_answer(struct core *core) {
    core_tick(core, 50);
    for (uint64_t peer = 2; peer <= 3; peer++) {
        struct raft_message alive = heartbeat_ok(core, peer, core->raft->round_sent, core->raft->log.last_index);
        core_message(core, &alive);
    }
}

/** Time passes, the peers answer; returns after how long leadership was offered to replica 2, 0: not within `ms`. */
static uint64_t offered_after(struct core *core, uint64_t ms) {
    for (uint64_t passed = 0; passed < ms; passed += 50) {
        beat_and_answer(core);
        if (core->raft->transfer_to == 2)
            return passed + 50;
    }
    return 0;
}

static void a_preferred_replica_gets_leadership_once_it_was_ready_for_a_while(void **state) {
    (void)state;
    struct core core;
    lead_three(&core);
    prefer(&core, 1);
    assert_int_equal(offered_after(&core, 20000), 0); /* it is the one */
    prefer(&core, 2);
    assert_in_range(offered_after(&core, 20000), 4900, 5200);
    core_stop(&core);
}

static void who_does_not_keep_leadership_waits_longer_each_time(void **state) {
    (void)state;
    struct core core;
    lead_three(&core);
    prefer(&core, 2);
    uint64_t wait = 5000;
    for (int round = 0; round < 4; round++) {
        assert_in_range(offered_after(&core, 100000), wait - 100, wait + 300);
        while (core.raft->transfer_to != 0) /* it does not take it */
            beat_and_answer(&core);
        wait *= 2;
    }
    core_stop(&core);
}

/* ---- windows ---- */

static void what_does_not_fill_an_append_waits_for_the_next_answer_and_goes_together(void **state) {
    (void)state;
    struct core core;
    struct raft_limits limits = {.pipeline_messages = 2, .append_bytes_max = 1000};
    core_start(&core, 1, 3, 0, 0, NULL, &limits);
    core_lead(&core, true);
    ack(&core, 2, 1);
    for (int i = 0; i < 6; i++)
        core_propose(&core, 1, 100);
    assert_int_equal(core_peer(&core, 2).inflight, 2); /* two left alone, four wait */
    assert_int_equal(core_peer(&core, 2).next, 4);
    struct raft_message first = append_ok(&core, 2, raft_peer(core.raft, 2)->sequence - 1, 1, 2);
    core_message(&core, &first);
    assert_int_equal(core_sent(&core, RAFT_APPEND_REQUEST, 2)->append_request.count, 4);
    core_propose(&core, 11, 100); /* that fills one: no waiting */
    assert_int_equal(core_sent(&core, RAFT_APPEND_REQUEST, 2)->append_request.count, 10);
    core_stop(&core);
}

static void bytes_in_flight_are_bounded_and_one_larger_entry_goes_alone(void **state) {
    (void)state;
    struct core core;
    struct raft_limits limits = {.inflight_bytes_max = 1000, .append_bytes_max = 500, .pipeline_messages = 64};
    core_start(&core, 1, 3, 0, 0, NULL, &limits);
    core_lead(&core, true);
    ack(&core, 2, 1);
    for (int i = 0; i < 10; i++)
        core_propose(&core, 1, 300);
    assert_int_equal(core_peer(&core, 2).inflight_bytes, 900);
    ack(&core, 2, 4);
    assert_int_equal(core_peer(&core, 2).inflight_bytes, 900);
    ack(&core, 2, 11);
    assert_int_equal(core_peer(&core, 2).inflight_bytes, 0); /* H7 */
    core_propose(&core, 1, 5000);
    assert_int_equal(core_peer(&core, 2).inflight_bytes, 5000);
    core_stop(&core);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(voters_change_through_a_joint_configuration_that_is_left_by_itself),
        cmocka_unit_test(e2_a_joint_configuration_is_left_only_when_it_is_committed),
        cmocka_unit_test(e4_a_new_leader_leaves_the_joint_configuration_it_inherited),
        cmocka_unit_test(one_change_at_a_time_of_no_lower_epoch),
        cmocka_unit_test(learners_get_everything_and_count_for_nothing),
        cmocka_unit_test(e5_a_learner_votes_when_it_is_asked_and_does_not_campaign),
        cmocka_unit_test(a_voter_that_missed_changes_votes_for_members_it_does_not_know),
        cmocka_unit_test(e7_a_leader_that_is_no_voter_any_more_hands_over_when_that_is_committed),
        cmocka_unit_test(e7_who_appended_its_own_removal_still_runs_until_that_is_committed),
        cmocka_unit_test(e8_a_truncated_joint_configuration_rolls_back),
        cmocka_unit_test(e10_promotion_keeps_what_is_known_of_the_learner),
        cmocka_unit_test(b8_an_answer_to_a_peer_that_left_does_not_count_when_it_is_back),
        cmocka_unit_test(c6_commit_is_looked_at_again_when_the_quorum_shrinks),
        cmocka_unit_test(e14_a_transfer_ends_when_its_target_is_no_voter_any_more),
        cmocka_unit_test(a_preferred_replica_gets_leadership_once_it_was_ready_for_a_while),
        cmocka_unit_test(who_does_not_keep_leadership_waits_longer_each_time),
        cmocka_unit_test(what_does_not_fill_an_append_waits_for_the_next_answer_and_goes_together),
        cmocka_unit_test(bytes_in_flight_are_bounded_and_one_larger_entry_goes_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
