/** Facts about terms, votes and elections: catalogue A, H1-H3, H5. */
#include "core.h"

#include <string.h>

static const struct log_of terms_1_1_2 = {{1, 1, 2}};

static void a_single_voter_leads_and_commits_alone(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 1, 0, 0, NULL, NULL);
    assert_int_equal(core_lead(&core, false), 1);
    assert_int_equal(core.effects.commit, 0);
    core_wrote_last(&core);
    assert_int_equal(core.effects.commit, 1);
    assert_true(raft_leads_fully(core.raft));
    core_stop(&core);
}

static void three_votes_make_a_leader_with_a_noop_for_everybody(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 2, 0, &terms_1_1_2, NULL);
    assert_int_equal(core_lead(&core, false), 4);
    assert_true(core.effects.role_changed);
    assert_int_equal(raft_term(core.raft), 3);
    for (uint64_t peer = 2; peer <= 3; peer++) {
        const struct raft_message *append_request = core_sent(&core, RAFT_APPEND_REQUEST, peer);
        assert_int_equal(append_request->append_request.prev_index, 3);
        assert_int_equal(append_request->append_request.prev_term, 2);
        assert_int_equal(append_request->append_request.count, 1);
    }
    core_stop(&core);
}

static void a1_vote_leaves_only_after_its_write(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 2, 0, &terms_1_1_2, NULL);
    struct raft_message request = vote_request(&core, 2, 5, 3, 2);
    core_message(&core, &request);
    assert_true(core.effects.has_persist);
    assert_true(core.effects.persist.hard_state_changed);
    assert_int_equal(core.effects.persist.term, 5);
    assert_int_equal(core.effects.persist.vote, 2);
    assert_null(core_sent(&core, RAFT_VOTE_REPLY, 2));
    core_wrote_last(&core);
    assert_true(core_sent(&core, RAFT_VOTE_REPLY, 2)->vote_reply.granted);
    assert_int_equal(core_sent(&core, RAFT_VOTE_REPLY, 2)->vote_reply.campaign_term, 5);
    core_stop(&core);
}

static void a1_no_vote_leaves_when_its_write_failed(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 2, 0, &terms_1_1_2, NULL);
    struct raft_message request = vote_request(&core, 2, 5, 3, 2);
    core_message(&core, &request);
    core_wrote_failed(&core, core.effects.persist.token);
    assert_true(core.effects.failed);
    assert_int_equal(core.effects.message_count, 0);
    core_message(&core, &request); /* nor later */
    assert_int_equal(core.effects.message_count, 0);
    assert_false(core.effects.has_persist);
    core_stop(&core);
}

static void a2_no_vote_request_before_the_own_vote_is_durable(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 4, 0, NULL, NULL);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    struct raft_message grant = pre_vote_reply(&core, 2, 4, 5, true);
    core_message(&core, &grant);
    assert_int_equal(raft_role(core.raft), RAFT_CANDIDATE);
    assert_int_equal(core.effects.persist.term, 5);
    assert_int_equal(core.effects.persist.vote, 1);
    assert_int_equal(core_sent_count(&core, RAFT_VOTE_REQUEST), 0);
    uint64_t token = core.effects.persist.token;
    struct raft_message early = vote_reply(&core, 2, 5, true); /* cannot be an answer: nobody was asked */
    core_message(&core, &early);
    assert_int_equal(raft_role(core.raft), RAFT_CANDIDATE);
    core_wrote(&core, token);
    assert_int_equal(core_sent_count(&core, RAFT_VOTE_REQUEST), 2);
    core_stop(&core);
}

static void a3_vote_requests_wait_for_the_own_log_end(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 3, 3, 4, 0, &(struct log_of){{4, 4}}, NULL);
    struct raft_entry entry = {.term = 4, .bytes = 100};
    struct raft_message request = append(&core, 1, 4, 2, 4, &entry, 1, 0);
    core_message(&core, &request); /* [3:t4] is in memory only */
    uint64_t entry_token = core.effects.persist.token;
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    struct raft_message grant = pre_vote_reply(&core, 2, 4, 5, true);
    core_message(&core, &grant);
    uint64_t vote_token = core.effects.persist.token;
    core_wrote(&core, entry_token);
    assert_int_equal(core_sent_count(&core, RAFT_VOTE_REQUEST), 0);
    core_wrote(&core, vote_token);
    assert_int_equal(core_sent(&core, RAFT_VOTE_REQUEST, 2)->vote_request.last_index, 3);
    assert_int_equal(raft_durable_index(core.raft), 3);
    core_stop(&core);
}

static void a4_log_is_compared_also_when_the_vote_was_given_before(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 5, 2, &terms_1_1_2, NULL); /* the disk says: term 5, vote 2 */
    struct raft_message stale = vote_request(&core, 2, 5, 2, 1);
    core_message(&core, &stale);
    assert_false(core_sent(&core, RAFT_VOTE_REPLY, 2)->vote_reply.granted);
    struct raft_message good = vote_request(&core, 2, 5, 3, 2);
    core_message(&core, &good);
    assert_false(core.effects.has_persist); /* durable already: the answer leaves at once */
    assert_true(core_sent(&core, RAFT_VOTE_REPLY, 2)->vote_reply.granted);
    core_stop(&core);
}

static void a4_term_and_vote_are_one_write(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 3, 3, NULL, NULL);
    struct raft_message request = heartbeat(&core, 2, 5, 0, 1);
    core_message(&core, &request);
    assert_int_equal(core.effects.persist.term, 5);
    assert_int_equal(core.effects.persist.vote, 0); /* term 5 with the vote of term 3 would be vote(5) = 3 */
    core_stop(&core);
}

static void a5_nothing_is_acknowledged_before_the_term_is_durable(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, &(struct log_of){{1}}, NULL);
    struct raft_message request = append(&core, 2, 5, 1, 1, NULL, 0, 0);
    core_message(&core, &request); /* [1:t1] is durable and equal, term 5 is not durable */
    assert_int_equal(core_sent(&core, RAFT_APPEND_REPLY, 2)->append_reply.durable, 0);
    struct raft_message beat = heartbeat(&core, 2, 5, 0, 1);
    uint64_t token = core.effects.persist.token;
    core_message(&core, &beat);
    assert_int_equal(core_sent(&core, RAFT_HEARTBEAT_REPLY, 2)->heartbeat.commit, 0);
    core_wrote(&core, token);
    assert_int_equal(core_sent(&core, RAFT_APPEND_REPLY, 2)->append_reply.durable, 1);
    core_stop(&core);
}

static void a5_term_travels_in_the_same_write_as_its_first_entry(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    struct raft_entry entry = {.term = 5, .bytes = 100};
    struct raft_message request = append(&core, 2, 5, 0, 0, &entry, 1, 0);
    core_message(&core, &request);
    assert_int_equal(core.effects.persist.term, 5);
    assert_int_equal(core.effects.persist.count, 1);
    core_stop(&core);
}

static void a6_vote_of_an_earlier_campaign_does_not_count(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 5, 0, 0, NULL, NULL);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    for (uint64_t voter = 2; voter <= 3; voter++) {
        struct raft_message grant = pre_vote_reply(&core, voter, 0, 1, true);
        core_message(&core, &grant);
    }
    core_wrote_last(&core);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    for (uint64_t voter = 2; voter <= 3; voter++) {
        struct raft_message grant = pre_vote_reply(&core, voter, 1, 2, true);
        core_message(&core, &grant);
    }
    core_wrote_last(&core);
    assert_int_equal(raft_term(core.raft), 2);
    for (uint64_t voter = 2; voter <= 5; voter++) {
        struct raft_message late = vote_reply(&core, voter, 1, true);
        core_message(&core, &late);
        assert_int_equal(raft_role(core.raft), RAFT_CANDIDATE);
    }
    core_stop(&core);
}

static void a6_a_repeated_vote_counts_once(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 5, 0, 0, NULL, NULL);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    struct raft_message grant = pre_vote_reply(&core, 2, 0, 1, true);
    core_message(&core, &grant);
    core_message(&core, &grant);
    assert_int_equal(raft_role(core.raft), RAFT_PRE_CANDIDATE);
    grant.from = 4;
    core_message(&core, &grant);
    assert_int_equal(raft_role(core.raft), RAFT_CANDIDATE);
    core_stop(&core);
}

static void a7_pre_vote_is_not_counted_as_a_vote(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    struct raft_message grant = pre_vote_reply(&core, 2, 0, 1, true);
    core_message(&core, &grant);
    core_wrote_last(&core);
    core_message(&core, &grant); /* a copy arrives when we are a candidate */
    grant.term = 1;
    core_message(&core, &grant);
    assert_int_equal(raft_role(core.raft), RAFT_CANDIDATE);
    core_stop(&core);
}

static void a8_asking_for_pre_votes_keeps_the_vote_of_the_term(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 4, 0, NULL, NULL);
    struct raft_message first = vote_request(&core, 2, 5, 0, 0);
    core_message(&core, &first);
    core_wrote_last(&core);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    assert_int_equal(raft_vote(core.raft), 2);
    assert_false(core.effects.has_persist);
    struct raft_message second = vote_request(&core, 3, 5, 0, 0);
    core_message(&core, &second);
    assert_false(core_sent(&core, RAFT_VOTE_REPLY, 3)->vote_reply.granted);
    core_stop(&core);
}

static void who_asks_for_pre_votes_still_votes_for_another(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 4, 0, NULL, NULL);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    struct raft_message request = vote_request(&core, 2, 4, 0, 0); /* of the term we are in, our vote is free */
    core_message(&core, &request);
    assert_int_equal(raft_vote(core.raft), 2);
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    core_wrote_last(&core);
    assert_true(core_sent(&core, RAFT_VOTE_REPLY, 2)->vote_reply.granted);
    core_stop(&core);
}

static void a9_the_transfer_target_gets_no_second_vote_of_a_term(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    core_lead(&core, true);
    struct raft_message ack = append_ok(&core, 2, 1, 1, 1);
    core_message(&core, &ack);
    assert_int_equal(core_transfer(&core, 2), LF_OK);
    struct raft_message other = vote_request(&core, 3, 2, 1, 1), target = vote_request(&core, 2, 2, 1, 1);
    other.vote_request.transfer = target.vote_request.transfer = true;
    core_message(&core, &other);
    assert_int_equal(raft_vote(core.raft), 3);
    core_message(&core, &target);
    assert_false(core_sent(&core, RAFT_VOTE_REPLY, 2)->vote_reply.granted);
    assert_int_equal(raft_vote(core.raft), 3);
    core_stop(&core);
}

static void a10_logs_are_compared_by_term_and_then_by_index(void **state) {
    (void)state;
    static const struct {
        struct log_of own;
        uint64_t last_index, last_term;
        bool granted;
    } cases[] = {
        {{{1, 1}}, 1, 2, true}, {{{2}}, 2, 1, false},      {{{1, 2}}, 2, 2, true},
        {{{1, 2}}, 3, 2, true}, {{{1, 2}}, 1, 2, false},   {{{0}}, 0, 0, true},
        {{{1}}, 0, 0, false},   {{{1, 1, 1}}, 1, 2, true}, {{{3}}, 100, 2, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct core core;
        core_start(&core, 1, 3, 3, 0, &cases[i].own, NULL);
        struct raft_message ask = pre_vote_request(&core, 2, 4, cases[i].last_index, cases[i].last_term);
        core_message(&core, &ask);
        assert_int_equal(core_sent(&core, RAFT_PRE_VOTE_REPLY, 2)->vote_reply.granted, cases[i].granted);
        struct raft_message request = vote_request(&core, 2, 4, cases[i].last_index, cases[i].last_term);
        core_message(&core, &request);
        core_wrote_last(&core);
        assert_int_equal(core_sent_count(&core, RAFT_VOTE_REPLY) == 1 && raft_vote(core.raft) == 2, cases[i].granted);
        core_stop(&core);
    }
}

static void a13_a_leader_that_votes_counts_no_acknowledgement_after_it(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    core_lead(&core, true);
    struct raft_message ack = append_ok(&core, 3, 1, 1, 1);
    struct raft_message request = vote_request(&core, 2, 2, 1, 1);
    request.vote_request.transfer = true;
    core_message(&core, &request);
    assert_int_equal(raft_vote(core.raft), 2);
    core_message(&core, &ack);
    assert_int_equal(core.effects.commit, 0);
    core_stop(&core);
}

static void a14_who_learns_of_a_newer_term_appends_nothing_in_it(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    core_lead(&core, true);
    struct raft_message refusal = append_refused(&core, 2, 1, 0, 0, 0, 0);
    refusal.term = 78;
    core_message(&core, &refusal);
    assert_int_equal(core_propose(&core, 1, 100), LF_NOT_LEADER);
    assert_int_equal(raft_last_index(core.raft), 1);
    assert_int_equal(core_sent_count(&core, RAFT_APPEND_REQUEST), 0);
    core_stop(&core);
}

static void h1_pre_vote_answer_carries_both_terms(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL); /* was cut off at term 1, the others are at 5 */
    struct raft_message ask = pre_vote_request(&core, 2, 6, 0, 0);
    core_message(&core, &ask);
    const struct raft_message *reply = core_sent(&core, RAFT_PRE_VOTE_REPLY, 2);
    assert_true(reply->vote_reply.granted);
    assert_int_equal(reply->term, 1);
    assert_int_equal(reply->vote_reply.campaign_term, 6);
    assert_int_equal(raft_term(core.raft), 1); /* a pre-vote moves no term */
    core_stop(&core);
}

static void h1_a_lower_terms_pre_vote_counts_for_the_campaign_it_answers(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 5, 0, NULL, NULL);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    struct raft_message grant = pre_vote_reply(&core, 2, 1, 6, true);
    core_message(&core, &grant);
    assert_int_equal(raft_role(core.raft), RAFT_CANDIDATE);
    assert_int_equal(raft_term(core.raft), 6);
    core_stop(&core);
}

static void h2_a_refusal_propagates_the_higher_term(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 9, 0, &(struct log_of){{1}}, NULL); /* higher term, shorter log */
    struct raft_message ask = pre_vote_request(&core, 2, 6, 5, 5);
    core_message(&core, &ask);
    const struct raft_message *reply = core_sent(&core, RAFT_PRE_VOTE_REPLY, 2);
    assert_false(reply->vote_reply.granted);
    assert_int_equal(reply->term, 9);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    struct raft_message refusal = pre_vote_reply(&core, 2, 12, 10, false);
    core_message(&core, &refusal);
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    assert_int_equal(raft_term(core.raft), 12);
    core_stop(&core);
}

static void h3_a_pre_candidate_has_no_leader_to_stick_to(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    struct raft_message beat = heartbeat(&core, 2, 1, 0, 1);
    core_message(&core, &beat);
    struct raft_message ask = pre_vote_request(&core, 3, 2, 0, 0);
    core_message(&core, &ask);
    assert_false(core_sent(&core, RAFT_PRE_VOTE_REPLY, 3)->vote_reply.granted); /* the leader lives */
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    assert_int_equal(raft_leader(core.raft), 0);
    core_message(&core, &ask);
    assert_true(core_sent(&core, RAFT_PRE_VOTE_REPLY, 3)->vote_reply.granted);
    core_stop(&core);
}

static void leader_stickiness_ignores_a_higher_term_unless_the_leader_asked_for_it(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    struct raft_message beat = heartbeat(&core, 2, 1, 0, 1);
    core_message(&core, &beat);
    struct raft_message request = vote_request(&core, 3, 7, 0, 0);
    core_message(&core, &request);
    assert_int_equal(raft_term(core.raft), 1);
    assert_int_equal(core.effects.message_count, 0);
    request.vote_request.transfer = true;
    core_message(&core, &request);
    assert_int_equal(raft_vote(core.raft), 3);
    assert_int_equal(raft_term(core.raft), 7);
    core_stop(&core);
}

static void check_quorum_ends_a_leadership_nobody_answers(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 5, 0, 0, NULL, NULL);
    core_lead(&core, true);
    uint64_t led_at = core.now;
    while (core.now < led_at + 280) {
        core_tick(&core, 10);
        struct raft_message reply = heartbeat_ok(&core, 2, 0, 0); /* one of four is no majority */
        core_message(&core, &reply);
    }
    assert_int_equal(raft_role(core.raft), RAFT_LEADER);
    core_tick_until_role(&core, RAFT_FOLLOWER);
    assert_in_range(core.now - led_at, 300, 301);
    assert_int_equal(raft_leader(core.raft), 0);
    core_stop(&core);
}

static void own_absence_is_not_the_others_silence(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    struct raft_message beat = heartbeat(&core, 2, 1, 0, 1);
    core_message(&core, &beat);
    core.now += 5000;
    core_step(&core, &(struct raft_event){.type = RAFT_EVENT_TICK, .tick = {.absent_ms = 5000}});
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    core_stop(&core);

    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    core_lead(&core, true);
    core.now += 5000;
    core_step(&core, &(struct raft_event){.type = RAFT_EVENT_TICK, .tick = {.absent_ms = 5000}});
    assert_int_equal(raft_role(core.raft), RAFT_LEADER);
    core_stop(&core);
}

/* A core that is made, or hears of its leader, between waking up and the tick that tells of the absence. */
static void an_absence_that_is_over_does_not_put_off_elections(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    core_step(&core, &(struct raft_event){.type = RAFT_EVENT_TICK, .tick = {.absent_ms = 5000}});
    core_tick(&core, 301);
    assert_int_equal(raft_role(core.raft), RAFT_PRE_CANDIDATE);
    core_stop(&core);
}

static void h5_a_vote_not_granted_does_not_reset_the_timer(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 2, 0, &terms_1_1_2, NULL);
    core_tick(&core, 0);
    uint64_t deadline = core.effects.deadline_ms;
    for (uint64_t term = 3; term < 20; term++) {
        struct raft_message behind = vote_request(&core, 2, term, 1, 1);
        core_message(&core, &behind);
        assert_int_equal(core.effects.deadline_ms, deadline);
    }
    struct raft_message good = vote_request(&core, 2, 20, 3, 2);
    core.now += 50;
    core_message(&core, &good);
    assert_int_not_equal(core.effects.deadline_ms, deadline);
    core_stop(&core);
}

static void h5_a_pre_vote_request_is_no_sign_of_a_leader(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    core_tick(&core, 0);
    uint64_t deadline = core.effects.deadline_ms;
    core.now += 20;
    struct raft_message ask = pre_vote_request(&core, 2, 1, 0, 0);
    core_message(&core, &ask);
    assert_true(core_sent(&core, RAFT_PRE_VOTE_REPLY, 2)->vote_reply.granted);
    assert_int_equal(core.effects.deadline_ms, deadline);
    core_stop(&core);
}

static void h5_a_candidate_with_a_slow_disk_does_not_raise_its_term_again(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    struct raft_message grant = pre_vote_reply(&core, 2, 0, 1, true);
    core_message(&core, &grant);
    uint64_t token = core.effects.persist.token;
    for (int i = 0; i < 500; i++) {
        core_tick(&core, 10);
        assert_int_equal(raft_term(core.raft), 1);
        assert_int_equal(raft_role(core.raft), RAFT_CANDIDATE);
    }
    core_wrote(&core, token);
    assert_int_equal(core_sent_count(&core, RAFT_VOTE_REQUEST), 2);
    assert_true(core.effects.deadline_ms >= core.now + 150); /* the voters' time begins now */
    core_stop(&core);
}

static void h5_a_candidate_gives_voters_as_long_as_its_own_disk_took(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    struct raft_message grant = pre_vote_reply(&core, 2, 0, 1, true);
    core_message(&core, &grant);
    uint64_t token = core.effects.persist.token;
    core_tick(&core, 400);
    core_wrote(&core, token);
    assert_true(core.effects.deadline_ms >= core.now + 400 + 150);
    assert_true(core.effects.deadline_ms <= core.now + 400 + 300);
    core_stop(&core);
}

static void h5_a_voter_with_a_slow_disk_does_not_campaign_against_its_candidate(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    struct raft_message request = vote_request(&core, 2, 1, 0, 0);
    core_message(&core, &request);
    uint64_t token = core.effects.persist.token;
    for (int i = 0; i < 500; i++) {
        core_tick(&core, 10);
        assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
        assert_int_equal(core_sent_count(&core, RAFT_PRE_VOTE_REQUEST), 0);
    }
    core_wrote(&core, token);
    assert_true(core_sent(&core, RAFT_VOTE_REPLY, 2)->vote_reply.granted);
    assert_true(core.effects.deadline_ms >= core.now + 150); /* the candidate hears of it now */
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);         /* and when nothing comes of it, it is our turn */
    core_stop(&core);
}

static void h5_timeouts_stay_within_their_bounds_and_differ(void **state) {
    (void)state;
    uint64_t least = UINT64_MAX, most = 0;
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct core core;
        struct raft_configuration_at at = {.configuration = voters(3)};
        core_start_from(
            &core,
            &(struct raft_start){
                .self = 1 + seed % 3, .seed = seed, .now_ms = 5, .configurations = &at, .configuration_count = 1},
            NULL);
        core_tick(&core, 0);
        uint64_t timeout = core.effects.deadline_ms - 5;
        least = timeout < least ? timeout : least;
        most = timeout > most ? timeout : most;
        core_stop(&core);
    }
    assert_in_range(least, 150, 155);
    assert_in_range(most, 295, 300);
}

static void a_damaged_replica_neither_votes_nor_campaigns_nor_acknowledges(void **state) {
    (void)state;
    struct core core;
    struct raft_configuration_at at = {.configuration = voters(3)};
    struct raft_run run = {.first_index = 1, .term = 1};
    core_start_from(&core,
                    &(struct raft_start){.self = 1,
                                         .seed = 1,
                                         .term = 1,
                                         .runs = &run,
                                         .run_count = 1,
                                         .last_index = 1,
                                         .configurations = &at,
                                         .configuration_count = 1,
                                         .vote_disabled = true},
                    NULL);
    core_tick(&core, 100000);
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    struct raft_message ask = pre_vote_request(&core, 2, 9, 5, 5), request = vote_request(&core, 2, 9, 5, 5);
    core_message(&core, &ask);
    assert_false(core_sent(&core, RAFT_PRE_VOTE_REPLY, 2)->vote_reply.granted);
    core_message(&core, &request);
    assert_false(core_sent(&core, RAFT_VOTE_REPLY, 2)->vote_reply.granted);
    core_wrote(&core, 1); /* term 9 */
    struct raft_entry entry = {.term = 9, .bytes = 10};
    struct raft_message more = append(&core, 2, 9, 1, 1, &entry, 1, 2);
    core_message(&core, &more);
    assert_int_equal(core.effects.commit, 2); /* it still follows */
    assert_int_equal(core_sent(&core, RAFT_APPEND_REPLY, 2)->append_reply.durable, 0);
    core_wrote_last(&core);
    assert_int_equal(core.effects.message_count, 0);
    core_stop(&core);
}

static void decisions_are_traced_in_the_domains_words(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 6, 0, &terms_1_1_2, NULL);
    struct raft_message request = vote_request(&core, 3, 7, 3, 2);
    core_message(&core, &request);
    assert_non_null(strstr(core.trace, "term=7 grant vote to=3 (log end 3^2, own 3^2)\n"));
    core_stop(&core);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_voter_leads_and_commits_alone),
        cmocka_unit_test(three_votes_make_a_leader_with_a_noop_for_everybody),
        cmocka_unit_test(a1_vote_leaves_only_after_its_write),
        cmocka_unit_test(a1_no_vote_leaves_when_its_write_failed),
        cmocka_unit_test(a2_no_vote_request_before_the_own_vote_is_durable),
        cmocka_unit_test(a3_vote_requests_wait_for_the_own_log_end),
        cmocka_unit_test(a4_log_is_compared_also_when_the_vote_was_given_before),
        cmocka_unit_test(a4_term_and_vote_are_one_write),
        cmocka_unit_test(a5_nothing_is_acknowledged_before_the_term_is_durable),
        cmocka_unit_test(a5_term_travels_in_the_same_write_as_its_first_entry),
        cmocka_unit_test(a6_vote_of_an_earlier_campaign_does_not_count),
        cmocka_unit_test(a6_a_repeated_vote_counts_once),
        cmocka_unit_test(a7_pre_vote_is_not_counted_as_a_vote),
        cmocka_unit_test(a8_asking_for_pre_votes_keeps_the_vote_of_the_term),
        cmocka_unit_test(who_asks_for_pre_votes_still_votes_for_another),
        cmocka_unit_test(a9_the_transfer_target_gets_no_second_vote_of_a_term),
        cmocka_unit_test(a10_logs_are_compared_by_term_and_then_by_index),
        cmocka_unit_test(a13_a_leader_that_votes_counts_no_acknowledgement_after_it),
        cmocka_unit_test(a14_who_learns_of_a_newer_term_appends_nothing_in_it),
        cmocka_unit_test(h1_pre_vote_answer_carries_both_terms),
        cmocka_unit_test(h1_a_lower_terms_pre_vote_counts_for_the_campaign_it_answers),
        cmocka_unit_test(h2_a_refusal_propagates_the_higher_term),
        cmocka_unit_test(h3_a_pre_candidate_has_no_leader_to_stick_to),
        cmocka_unit_test(leader_stickiness_ignores_a_higher_term_unless_the_leader_asked_for_it),
        cmocka_unit_test(check_quorum_ends_a_leadership_nobody_answers),
        cmocka_unit_test(own_absence_is_not_the_others_silence),
        cmocka_unit_test(an_absence_that_is_over_does_not_put_off_elections),
        cmocka_unit_test(h5_a_vote_not_granted_does_not_reset_the_timer),
        cmocka_unit_test(h5_a_pre_vote_request_is_no_sign_of_a_leader),
        cmocka_unit_test(h5_a_candidate_with_a_slow_disk_does_not_raise_its_term_again),
        cmocka_unit_test(h5_a_candidate_gives_voters_as_long_as_its_own_disk_took),
        cmocka_unit_test(h5_a_voter_with_a_slow_disk_does_not_campaign_against_its_candidate),
        cmocka_unit_test(h5_timeouts_stay_within_their_bounds_and_differ),
        cmocka_unit_test(a_damaged_replica_neither_votes_nor_campaigns_nor_acknowledges),
        cmocka_unit_test(decisions_are_traced_in_the_domains_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
