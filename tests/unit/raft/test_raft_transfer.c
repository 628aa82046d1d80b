/** Facts about handing leadership over: catalogue E12-E14. */
#include "core.h"

#include "raft_internal.h"

static void ack(struct core *core, uint64_t from, uint64_t durable, uint64_t received) {
    struct raft_message message = append_ok(core, from, core->raft->peers[from - 2].sequence, durable, received);
    core_message(core, &message);
}

static uint64_t lead(struct core *core, uint32_t voter_count) {
    core_start(core, 1, voter_count, 0, 0, NULL, NULL);
    uint64_t noop = core_lead(core, true);
    for (uint64_t peer = 2; peer <= voter_count; peer++)
        ack(core, peer, noop, noop);
    return noop;
}

static void e12_the_target_is_told_when_it_holds_all_durably(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead(&core, 3);
    core_propose(&core, 2, 100); /* next runs ahead: match is what counts */
    assert_int_equal(core_transfer(&core, 2), LF_OK);
    assert_int_equal(core_sent_count(&core, RAFT_TIMEOUT_NOW), 0);
    ack(&core, 2, end + 1, end + 2);
    assert_int_equal(core_sent_count(&core, RAFT_TIMEOUT_NOW), 0);
    ack(&core, 2, end + 2, end + 2);
    const struct raft_message *message = core_sent(&core, RAFT_TIMEOUT_NOW, 2);
    assert_int_equal(message->timeout_now.index, end + 2);
    assert_int_equal(message->timeout_now.entry_term, 1);
    core_stop(&core);
}

static struct raft_message timeout_now(const struct core *core, uint64_t from, uint64_t term, uint64_t index,
                                       uint64_t entry_term) {
    return (struct raft_message){.type = RAFT_TIMEOUT_NOW,
                                 .from = from,
                                 .to = raft_self(core->raft),
                                 .term = term,
                                 .timeout_now = {.index = index, .entry_term = entry_term}};
}

static void e12_a_target_with_another_or_an_unwritten_log_end_does_not_campaign(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 2, 3, 1, 0, &(struct log_of){{1}}, NULL);
    struct raft_entry entry = {.term = 1, .bytes = 10};
    struct raft_message request = append(&core, 1, 1, 1, 1, &entry, 1, 0);
    core_message(&core, &request);
    uint64_t token = core.effects.persist.token;
    struct raft_message early = timeout_now(&core, 1, 1, 2, 1);
    core_message(&core, &early); /* in memory only */
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    core_wrote(&core, token);
    struct raft_message shorter = timeout_now(&core, 1, 1, 1, 1), longer = timeout_now(&core, 1, 1, 3, 1),
                        other = timeout_now(&core, 1, 1, 2, 2), old = timeout_now(&core, 1, 0, 2, 1);
    core_message(&core, &shorter);
    core_message(&core, &longer);
    core_message(&core, &other);
    core_message(&core, &old);
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    core_message(&core, &early);
    assert_int_equal(raft_role(core.raft), RAFT_CANDIDATE);
    core_stop(&core);
}

static void e13_no_proposal_is_taken_from_the_moment_of_the_request(void **state) {
    (void)state;
    struct core core;
    lead(&core, 3);
    assert_int_equal(core_transfer(&core, 2), LF_OK);
    assert_false(raft_leads_fully(core.raft));
    assert_int_equal(core_propose(&core, 1, 10), LF_NOT_LEADER);
    assert_int_equal(core_transfer(&core, 3), LF_AGAIN);
    core_stop(&core);
}

static void e13_the_target_skips_pre_vote_and_is_not_called_back_by_heartbeats(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 2, 3, 1, 0, &(struct log_of){{1}}, NULL);
    struct raft_message now = timeout_now(&core, 1, 1, 1, 1);
    core_message(&core, &now);
    assert_int_equal(raft_role(core.raft), RAFT_CANDIDATE);
    assert_int_equal(raft_term(core.raft), 2);
    uint64_t token = core.effects.persist.token;
    struct raft_message beat = heartbeat(&core, 1, 1, 0, 3);
    core_message(&core, &beat);
    assert_int_equal(raft_role(core.raft), RAFT_CANDIDATE);
    assert_int_equal(core_sent(&core, RAFT_HEARTBEAT_REPLY, 1)->term, 2);
    core_wrote(&core, token);
    assert_true(core_sent(&core, RAFT_VOTE_REQUEST, 3)->vote_request.transfer); /* no one's stickiness applies (E14) */
    core_stop(&core);
}

static void a_candidacy_of_ones_own_does_not_claim_to_be_asked_for(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 2, 3, 1, 0, &(struct log_of){{1}}, NULL);
    struct raft_message now = timeout_now(&core, 1, 1, 1, 1);
    core_message(&core, &now);
    core_wrote_last(&core);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE); /* the transfer came to nothing */
    assert_false(core_sent(&core, RAFT_PRE_VOTE_REQUEST, 3)->vote_request.transfer);
    struct raft_message grant = pre_vote_reply(&core, 3, 2, 3, true);
    core_message(&core, &grant);
    core_wrote_last(&core);
    assert_false(core_sent(&core, RAFT_VOTE_REQUEST, 3)->vote_request.transfer);
    core_stop(&core);
}

static void e14_a_transfer_that_leads_to_nothing_ends_within_an_election_timeout(void **state) {
    (void)state;
    struct core core;
    lead(&core, 3);
    assert_int_equal(core_transfer(&core, 2), LF_OK);
    uint64_t began = core.now;
    for (int i = 0; i < 400 && core_propose(&core, 1, 10) != LF_OK; i++) {
        struct raft_message reply = heartbeat_ok(&core, 3, core.raft->round_sent, 0); /* 2 is dead */
        core_message(&core, &reply);
        core_tick(&core, 1);
    }
    assert_int_equal(core.status, LF_OK);
    assert_int_equal(core.now - began, 300);
    assert_int_equal(core_transfer(&core, 3), LF_OK); /* and another may begin */
    core_stop(&core);
}

static void a_lost_order_to_take_over_is_repeated_with_the_beat(void **state) {
    (void)state;
    struct core core;
    lead(&core, 3);
    core_transfer(&core, 2);
    assert_int_equal(core_sent_count(&core, RAFT_TIMEOUT_NOW), 1);
    core_tick(&core, 1);
    assert_int_equal(core_sent_count(&core, RAFT_TIMEOUT_NOW), 0);
    core_tick(&core, 50);
    assert_int_equal(core_sent_count(&core, RAFT_TIMEOUT_NOW), 1);
    core_stop(&core);
}

static void nobody_named_means_the_most_caught_up_voter(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead(&core, 5);
    core_propose(&core, 1, 10);
    ack(&core, 4, end + 1, end + 1);
    assert_int_equal(core_transfer(&core, 0), LF_OK);
    assert_non_null(core_sent(&core, RAFT_TIMEOUT_NOW, 4));
    core_stop(&core);
}

static void only_a_leader_hands_over_and_only_to_another_voter(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    assert_int_equal(core_transfer(&core, 2), LF_NOT_LEADER);
    core_stop(&core);
    lead(&core, 3);
    assert_int_equal(core_transfer(&core, 9), LF_NOT_FOUND);
    assert_int_equal(core_transfer(&core, 1), LF_NOT_FOUND);
    assert_int_equal(core_propose(&core, 1, 10), LF_OK);
    core_stop(&core);
    lead(&core, 1);
    assert_int_equal(core_transfer(&core, 0), LF_NOT_FOUND);
    core_stop(&core);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(e12_the_target_is_told_when_it_holds_all_durably),
        cmocka_unit_test(e12_a_target_with_another_or_an_unwritten_log_end_does_not_campaign),
        cmocka_unit_test(e13_no_proposal_is_taken_from_the_moment_of_the_request),
        cmocka_unit_test(e13_the_target_skips_pre_vote_and_is_not_called_back_by_heartbeats),
        cmocka_unit_test(a_candidacy_of_ones_own_does_not_claim_to_be_asked_for),
        cmocka_unit_test(e14_a_transfer_that_leads_to_nothing_ends_within_an_election_timeout),
        cmocka_unit_test(a_lost_order_to_take_over_is_repeated_with_the_beat),
        cmocka_unit_test(nobody_named_means_the_most_caught_up_voter),
        cmocka_unit_test(only_a_leader_hands_over_and_only_to_another_voter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
