/** Facts about reads: catalogue F1, F2, F7-F9. */
#include "core.h"

#include "raft_internal.h"

static void ack(struct core *core, uint64_t from, uint64_t durable) {
    struct raft_message message = append_ok(core, from, 1, durable, durable);
    core_message(core, &message);
}

static void answer_round(struct core *core, uint64_t from, uint64_t round) {
    struct raft_message message = heartbeat_ok(core, from, round, 0);
    core_message(core, &message);
}

static uint64_t lead(struct core *core, uint32_t voter_count) {
    core_start(core, 1, voter_count, 0, 0, NULL, NULL);
    uint64_t noop = core_lead(core, true);
    for (uint64_t peer = 2; peer <= voter_count; peer++)
        ack(core, peer, noop);
    assert_int_equal(core->effects.commit, noop);
    return noop;
}

static void a_single_voter_answers_at_once(void **state) {
    (void)state;
    struct core core;
    lead(&core, 1);
    assert_int_equal(core_read(&core, 7), LF_OK);
    assert_int_equal(core.effects.read_count, 1);
    assert_int_equal(core.effects.reads[0].id, 7);
    assert_int_equal(core.effects.reads[0].index, 1);
    assert_int_equal(core.effects.reads[0].status, LF_OK);
    core_stop(&core);
}

static void f1_a_read_waits_for_the_first_commit_of_the_own_term(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, &(struct log_of){{1, 1, 1}}, NULL); /* an older leader committed all three */
    core_lead(&core, true);
    assert_false(raft_leads_fully(core.raft));
    assert_int_equal(core_read(&core, 1), LF_OK);
    assert_int_equal(core_sent_count(&core, RAFT_HEARTBEAT_REQUEST), 0);
    core_tick(&core, 50);
    answer_round(&core, 2, 1);
    answer_round(&core, 3, 1);
    assert_int_equal(core.effects.read_count, 0); /* a majority answered, yet commit may lie behind */
    ack(&core, 2, 4);
    assert_int_equal(core.effects.commit, 4);
    assert_int_equal(core.effects.read_count, 0);
    const struct raft_message *beat = core_sent(&core, RAFT_HEARTBEAT_REQUEST, 2);
    answer_round(&core, 2, beat->heartbeat.sequence);
    assert_int_equal(core.effects.reads[0].index, 4);
    core_stop(&core);
}

static void f1_a_single_voter_waits_for_its_own_commit_too(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 1, 1, 0, &(struct log_of){{1, 1}}, NULL);
    core_lead(&core, false);
    uint64_t noop_token = core.effects.persist.token;
    assert_int_equal(core_read(&core, 1), LF_OK);
    assert_int_equal(core.effects.read_count, 0);
    core_wrote(&core, noop_token);
    assert_int_equal(core.effects.reads[0].index, 3);
    core_stop(&core);
}

static void f2_rounds_sent_before_the_read_confirm_nothing(void **state) {
    (void)state;
    struct core core;
    uint64_t noop = lead(&core, 3);
    core_tick(&core, 50);
    uint64_t old = core_sent(&core, RAFT_HEARTBEAT_REQUEST, 2)->heartbeat.sequence;
    assert_int_equal(core_read(&core, 1), LF_OK);
    uint64_t round = core_sent(&core, RAFT_HEARTBEAT_REQUEST, 2)->heartbeat.sequence;
    assert_true(round > old);
    answer_round(&core, 2, old); /* late, and in copies */
    answer_round(&core, 3, old);
    answer_round(&core, 2, old);
    assert_int_equal(core.effects.read_count, 0);
    answer_round(&core, 2, round);
    assert_int_equal(core.effects.reads[0].index, noop);
    core_stop(&core);
}

static void f2_rounds_of_an_earlier_leadership_confirm_nothing(void **state) {
    (void)state;
    struct core core;
    lead(&core, 3);
    for (int i = 0; i < 5; i++) {
        core_tick(&core, 50);
        answer_round(&core, 2, core.raft->round_sent);
    }
    struct raft_message newer = heartbeat(&core, 2, 2, 0, 1);
    core_message(&core, &newer);
    core_wrote_last(&core);
    core_tick(&core, 1000);
    uint64_t noop = core_lead(&core, true);
    ack(&core, 2, noop);
    assert_int_equal(core_read(&core, 1), LF_OK);
    struct raft_message stale = heartbeat_ok(&core, 2, 5, 0);
    stale.term = 1;
    core_message(&core, &stale);
    assert_int_equal(core.effects.read_count, 0);
    answer_round(&core, 2, 100); /* never sent */
    assert_int_equal(core.effects.read_count, 0);
    core_stop(&core);
}

static void f2_a_peers_number_for_its_question_is_only_echoed(void **state) {
    (void)state;
    struct core core;
    uint64_t noop = lead(&core, 3);
    struct raft_message ask = {.type = RAFT_READ_REQUEST, .from = 2, .to = 1, .term = 1, .read = {.id = 55}};
    core_message(&core, &ask);
    uint64_t first = core_sent(&core, RAFT_HEARTBEAT_REQUEST, 2)->heartbeat.sequence;
    answer_round(&core, 3, first);
    const struct raft_message *reply = core_sent(&core, RAFT_READ_REPLY, 2);
    assert_int_equal(reply->read.id, 55);
    assert_int_equal(reply->read.index, noop);
    core_message(&core, &ask); /* the copy needs a round of its own */
    assert_int_equal(core_sent_count(&core, RAFT_READ_REPLY), 0);
    answer_round(&core, 3, first);
    assert_int_equal(core_sent_count(&core, RAFT_READ_REPLY), 0);
    core_stop(&core);
}

static void f2_a_followers_question_has_a_number_never_used_before(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    struct raft_message beat = heartbeat(&core, 2, 1, 0, 1);
    core_message(&core, &beat);
    assert_int_equal(core_read(&core, 7), LF_OK);
    struct raft_message reply = {.type = RAFT_READ_REPLY, .from = 2, .to = 1, .term = 1};
    reply.read.id = core_sent(&core, RAFT_READ_REQUEST, 2)->read.id;
    reply.read.index = 12;
    core_message(&core, &reply);
    assert_int_equal(core.effects.reads[0].id, 7);
    assert_int_equal(core.effects.reads[0].index, 12);
    assert_int_equal(core_read(&core, 7), LF_OK); /* the owner may use its number again, we may not */
    assert_true(core_sent(&core, RAFT_READ_REQUEST, 2)->read.id != reply.read.id);
    core_message(&core, &reply); /* a copy of the old answer */
    assert_int_equal(core.effects.read_count, 0);
    core_stop(&core);
}

static void f7_one_answer_is_no_majority_of_five(void **state) {
    (void)state;
    struct core core;
    uint64_t noop = lead(&core, 5);
    assert_int_equal(core_read(&core, 1), LF_OK);
    uint64_t round = core_sent(&core, RAFT_HEARTBEAT_REQUEST, 2)->heartbeat.sequence;
    answer_round(&core, 2, round);
    answer_round(&core, 2, round); /* nor is the same one twice */
    assert_int_equal(core.effects.read_count, 0);
    answer_round(&core, 4, round);
    assert_int_equal(core.effects.reads[0].index, noop);
    core_stop(&core);
}

static void f8_a_read_index_does_not_raise_the_own_commit(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 2, 0, &(struct log_of){{1, 1, 1}}, NULL); /* [3:t1] is an old leader's */
    struct raft_message beat = heartbeat(&core, 2, 2, 0, 1);
    core_message(&core, &beat);
    core_read(&core, 7);
    struct raft_message reply = {.type = RAFT_READ_REPLY, .from = 2, .to = 1, .term = 2};
    reply.read.id = core_sent(&core, RAFT_READ_REQUEST, 2)->read.id;
    reply.read.index = 3;
    core_message(&core, &reply);
    assert_int_equal(core.effects.reads[0].index, 3);
    assert_int_equal(core.effects.commit, 0);
    core_stop(&core);
}

static void f9_a_restarted_single_voter_never_reads_below_what_it_applied(void **state) {
    (void)state;
    struct core core;
    struct raft_configuration_at at = {.configuration = voters(1)};
    core_start_from(&core,
                    &(struct raft_start){.self = 1,
                                         .term = 3,
                                         .previous_index = 100,
                                         .previous_term = 3,
                                         .last_index = 100,
                                         .configurations = &at,
                                         .configuration_count = 1},
                    NULL);
    assert_int_equal(raft_commit(core.raft), 100);
    core_lead(&core, true);
    assert_int_equal(core_read(&core, 1), LF_OK);
    assert_int_equal(core.effects.reads[0].index, 101);
    core_stop(&core);
}

static void losing_leadership_fails_own_reads_and_tells_askers(void **state) {
    (void)state;
    struct core core;
    lead(&core, 3);
    core_read(&core, 1);
    struct raft_message ask = {.type = RAFT_READ_REQUEST, .from = 3, .to = 1, .term = 1, .read = {.id = 55}};
    core_message(&core, &ask);
    struct raft_message newer = heartbeat(&core, 2, 5, 0, 1);
    core_message(&core, &newer);
    assert_int_equal(core.effects.read_count, 1);
    assert_int_equal(core.effects.reads[0].status, LF_NO_QUORUM);
    assert_int_equal(core_sent(&core, RAFT_READ_REPLY, 3)->read.status, LF_NOT_LEADER);
    core_stop(&core);
}

static void a_followers_question_ends_with_the_leader_or_with_time(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    assert_int_equal(core_read(&core, 1), LF_NOT_LEADER); /* nobody to ask */
    struct raft_message beat = heartbeat(&core, 2, 1, 0, 1), other = heartbeat(&core, 3, 2, 0, 1);
    core_message(&core, &beat);
    assert_int_equal(core_read(&core, 2), LF_OK);
    core_message(&core, &other);
    assert_int_equal(core.effects.reads[0].id, 2);
    assert_int_equal(core.effects.reads[0].status, LF_NOT_LEADER);
    assert_int_equal(core_read(&core, 3), LF_OK);
    uint64_t asked_at = core.now;
    for (int i = 0; i < 1000; i++) {
        other.heartbeat.sequence++;
        core_message(&core, &other);
        core_tick(&core, 1);
        if (core.effects.read_count > 0)
            break;
    }
    assert_int_equal(core.effects.reads[0].id, 3);
    assert_int_equal(core.effects.reads[0].status, LF_NOT_LEADER);
    assert_int_equal(core.now - asked_at, 300);
    core_stop(&core);
}

static void who_does_not_lead_says_so(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    struct raft_message ask = {.type = RAFT_READ_REQUEST, .from = 2, .to = 1, .term = 1, .read = {.id = 9}};
    core_message(&core, &ask);
    assert_int_equal(core_sent(&core, RAFT_READ_REPLY, 2)->read.status, LF_NOT_LEADER);
    assert_int_equal(core_sent(&core, RAFT_READ_REPLY, 2)->read.id, 9);
    core_stop(&core);
}

static void many_reads_share_few_rounds(void **state) {
    (void)state;
    struct core core;
    uint64_t noop = lead(&core, 3), before = core.raft->round_sent;
    for (uint64_t id = 0; id < 1024; id++)
        assert_int_equal(core_read(&core, id), LF_OK);
    assert_int_equal(core_read(&core, 1024), LF_FULL);
    assert_true(core.raft->round_sent - before <= 2);
    uint64_t answered = 0;
    for (int i = 0; i < 10 && answered < 1024; i++) {
        answer_round(&core, 2, core.raft->round_sent);
        for (size_t k = 0; k < core.effects.read_count; k++) {
            assert_int_equal(core.effects.reads[k].id, answered++);
            assert_int_equal(core.effects.reads[k].index, noop);
        }
    }
    assert_int_equal(answered, 1024);
    core_stop(&core);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_voter_answers_at_once),
        cmocka_unit_test(f1_a_read_waits_for_the_first_commit_of_the_own_term),
        cmocka_unit_test(f1_a_single_voter_waits_for_its_own_commit_too),
        cmocka_unit_test(f2_rounds_sent_before_the_read_confirm_nothing),
        cmocka_unit_test(f2_rounds_of_an_earlier_leadership_confirm_nothing),
        cmocka_unit_test(f2_a_peers_number_for_its_question_is_only_echoed),
        cmocka_unit_test(f2_a_followers_question_has_a_number_never_used_before),
        cmocka_unit_test(f7_one_answer_is_no_majority_of_five),
        cmocka_unit_test(f8_a_read_index_does_not_raise_the_own_commit),
        cmocka_unit_test(f9_a_restarted_single_voter_never_reads_below_what_it_applied),
        cmocka_unit_test(losing_leadership_fails_own_reads_and_tells_askers),
        cmocka_unit_test(a_followers_question_ends_with_the_leader_or_with_time),
        cmocka_unit_test(who_does_not_lead_says_so),
        cmocka_unit_test(many_reads_share_few_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
