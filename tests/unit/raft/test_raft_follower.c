/** Facts about following: catalogue B1-B4, B9, B14-B17, C7, E8, H8, rule 4. */
#include "core.h"

#include <string.h>

static struct raft_entry entry_of(uint64_t term) { return (struct raft_entry){.term = term, .bytes = 100}; }

static const struct raft_message *acknowledgement(const struct core *core, uint64_t to) {
    const struct raft_message *reply = core_sent(core, RAFT_APPEND_REPLY, to);
    assert_non_null(reply);
    return reply;
}

static void an_append_is_stored_and_acknowledged_when_durable(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, &(struct log_of){{1}}, NULL);
    struct raft_entry entries[3] = {entry_of(1), entry_of(1), entry_of(1)};
    struct raft_message request = append(&core, 2, 1, 0, 0, entries, 3, 0);
    core_message(&core, &request);
    assert_int_equal(core.effects.persist.first_index, 2);
    assert_int_equal(core.effects.persist.count, 2);
    assert_int_equal(core.effects.persist.message_skip, 1);
    assert_false(core.effects.persist.truncate);
    const struct raft_message *reply = acknowledgement(&core, 2);
    assert_int_equal(reply->append_reply.sequence, request.append_request.sequence);
    assert_int_equal(reply->append_reply.durable, 1);
    assert_int_equal(reply->append_reply.received, 3);
    core_wrote_last(&core);
    assert_int_equal(acknowledgement(&core, 2)->append_reply.durable, 3);
    assert_int_equal(acknowledgement(&core, 2)->append_reply.sequence, 0);
    core_stop(&core);
}

static void b1_a_stale_append_removes_nothing(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    struct raft_entry entry = entry_of(1);
    struct raft_message empty = append(&core, 2, 1, 0, 0, NULL, 0, 0);
    struct raft_message full = append(&core, 2, 1, 0, 0, &entry, 1, 1);
    core_message(&core, &full);
    core_wrote_last(&core);
    core_message(&core, &empty); /* sent first, arrives last */
    assert_int_equal(raft_last_index(core.raft), 1);
    assert_int_equal(core.effects.truncated_from, 0);
    assert_false(core.effects.has_persist);
    core_stop(&core);
}

static void b1_only_a_conflict_of_terms_truncates(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 3, 0, &(struct log_of){{1, 1, 2, 2}}, NULL);
    struct raft_entry entries[2] = {entry_of(1), entry_of(3)};
    struct raft_message request = append(&core, 2, 3, 1, 1, entries, 2, 0);
    core_message(&core, &request);
    assert_int_equal(core.effects.truncated_from, 3);
    assert_true(core.effects.persist.truncate);
    assert_int_equal(core.effects.persist.first_index, 3);
    assert_int_equal(core.effects.persist.count, 1);
    assert_int_equal(core.effects.persist.message_skip, 1);
    assert_int_equal(raft_last_index(core.raft), 3);
    assert_int_equal(raft_entry_term(core.raft, 3), 3);
    assert_int_equal(raft_durable_index(core.raft), 2);
    core_stop(&core);
}

static void b1_a_committed_entry_is_never_replaced(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, &(struct log_of){{1, 1}}, NULL);
    struct raft_message request = append(&core, 2, 1, 2, 1, NULL, 0, 2);
    core_message(&core, &request);
    assert_int_equal(core.effects.commit, 2);
    struct raft_entry wrong = entry_of(5);
    struct raft_message broken = append(&core, 3, 5, 1, 1, &wrong, 1, 0);
    core_message(&core, &broken); /* only a damaged leader can say this */
    assert_int_equal(raft_entry_term(core.raft, 2), 1);
    assert_int_equal(core.effects.truncated_from, 0);
    assert_int_equal(core_sent_count(&core, RAFT_APPEND_REPLY), 0);
    assert_int_equal(core.effects.contradicted_index, 2); /* the owner is told */
    struct raft_message again = append(&core, 3, 5, 1, 1, NULL, 0, 0);
    core_message(&core, &again);
    assert_int_equal(core.effects.contradicted_index, 0);
    core_stop(&core);
}

static void b2_acknowledges_no_further_than_the_append_reached(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 2, 0, &(struct log_of){{1, 1, 1, 1}}, NULL); /* [3:t1][4:t1] are leftovers */
    struct raft_message request = append(&core, 2, 2, 2, 1, NULL, 0, 0);
    core_message(&core, &request);
    assert_int_equal(acknowledgement(&core, 2)->append_reply.durable, 2);
    assert_int_equal(acknowledgement(&core, 2)->append_reply.received, 2);
    assert_int_equal(acknowledgement(&core, 2)->append_reply.last_index, 4);
    struct raft_message beat = heartbeat(&core, 2, 2, 0, 1);
    core_message(&core, &beat);
    assert_int_equal(core_sent(&core, RAFT_HEARTBEAT_REPLY, 2)->heartbeat.commit, 2);
    core_stop(&core);
}

static void b3_follower_commit_is_capped_at_prev_plus_count(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 2, 0, &(struct log_of){{1, 1, 1}}, NULL); /* [3:t1] was never committed */
    struct raft_message request = append(&core, 2, 2, 2, 1, NULL, 0, 4);
    core_message(&core, &request);
    assert_int_equal(core.effects.commit, 2);
    core_stop(&core);
}

static void b4_commit_does_not_move_back(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, &(struct log_of){{1, 1, 1}}, NULL);
    struct raft_message request = append(&core, 2, 1, 3, 1, NULL, 0, 2);
    core_message(&core, &request);
    assert_int_equal(core.effects.commit, 2);
    struct raft_message behind = heartbeat(&core, 3, 2, 1, 1);
    core_message(&core, &behind);
    assert_int_equal(core.effects.commit, 2);
    struct raft_message stale = append(&core, 3, 2, 1, 1, NULL, 0, 1);
    core_message(&core, &stale);
    assert_int_equal(core.effects.commit, 2);
    core_stop(&core);
}

static void a_heartbeats_commit_beyond_the_log_is_not_taken(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, &(struct log_of){{1}}, NULL);
    struct raft_message beat = heartbeat(&core, 2, 1, 7, 1);
    core_message(&core, &beat);
    assert_int_equal(core.effects.commit, 0);
    core_stop(&core);
}

static void b9_malformed_appends_are_dropped(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 5, 0, &(struct log_of){{1, 2}}, NULL);
    struct raft_entry falling[2] = {entry_of(4), entry_of(3)}, future = entry_of(6), zero = entry_of(0);
    struct raft_configuration twice = {.voter_count = 2, .voters = {1, 1}};
    struct raft_entry configured = {.term = 5, .bytes = 1, .configuration = &twice};
    struct raft_message cases[] = {
        append(&core, 2, 5, 2, 2, falling, 2, 0),     append(&core, 2, 5, 2, 2, &future, 1, 0),
        append(&core, 2, 5, 2, 2, &zero, 1, 0),       append(&core, 2, 5, 2, 2, NULL, 1, 0),
        append(&core, 2, 5, 2, 2, &configured, 1, 0), append(&core, 2, 5, UINT64_MAX - 1, 2, falling, 2, 0),
        append(&core, 2, 5, 2, 6, NULL, 0, 0),
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        core_message(&core, &cases[i]);
        assert_int_equal(raft_last_index(core.raft), 2);
        assert_int_equal(core.effects.message_count, 0);
        assert_false(core.effects.has_persist);
    }
    core_stop(&core);
}

static void b9_an_append_beyond_the_log_end_leaves_no_hole(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, &(struct log_of){{1}}, NULL);
    struct raft_entry entry = entry_of(1);
    struct raft_message request = append(&core, 2, 1, 2, 1, &entry, 1, 3);
    core_message(&core, &request);
    const struct raft_message *reply = acknowledgement(&core, 2);
    assert_false(reply->append_reply.accepted);
    assert_int_equal(reply->append_reply.hint_index, 1);
    assert_int_equal(reply->append_reply.hint_term, 1);
    assert_int_equal(raft_last_index(core.raft), 1);
    assert_int_equal(core.effects.commit, 0);
    core_stop(&core);
}

static void b14_the_first_writes_completion_does_not_make_a_rewritten_entry_durable(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 7, 1, 0, NULL, NULL);
    struct raft_entry t1 = entry_of(1), t2 = entry_of(2);
    struct raft_message original = append(&core, 2, 1, 0, 0, &t1, 1, 0);
    core_message(&core, &original);
    uint64_t first = core.effects.persist.token;
    struct raft_message overwrite = append(&core, 3, 2, 0, 0, &t2, 1, 0);
    core_message(&core, &overwrite);
    uint64_t second = core.effects.persist.token;
    struct raft_message again = append(&core, 4, 3, 0, 0, &t1, 1, 0); /* t3's leader holds the original */
    core_message(&core, &again);
    uint64_t third = core.effects.persist.token;
    core_wrote(&core, first);
    assert_int_equal(raft_durable_index(core.raft), 0);
    assert_int_equal(core.effects.message_count, 0);
    core_wrote(&core, second);
    assert_int_equal(raft_durable_index(core.raft), 0);
    assert_int_equal(core.effects.message_count, 0);
    core_wrote(&core, third);
    assert_int_equal(raft_durable_index(core.raft), 1);
    assert_int_equal(acknowledgement(&core, 4)->append_reply.durable, 1);
    core_stop(&core);
}

static void b15_a_completion_is_not_acknowledged_to_the_next_leader(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, &(struct log_of){{1}}, NULL);
    struct raft_entry t1 = entry_of(1);
    struct raft_message old = append(&core, 2, 1, 1, 1, &t1, 1, 0);
    core_message(&core, &old);
    uint64_t token = core.effects.persist.token;
    struct raft_message next = append(&core, 3, 2, 1, 1, NULL, 0, 0); /* it knows of [1] alone */
    core_message(&core, &next);
    uint64_t term_token = core.effects.persist.token;
    core_wrote(&core, token);
    assert_int_equal(core.effects.message_count, 0);
    core_wrote(&core, term_token);
    assert_int_equal(raft_durable_index(core.raft), 2);
    assert_int_equal(acknowledgement(&core, 3)->append_reply.durable, 1);
    assert_null(core_sent(&core, RAFT_APPEND_REPLY, 2));
    core_stop(&core);
}

static void b16_after_a_failed_write_the_replica_takes_part_in_nothing(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    struct raft_entry t1 = entry_of(1);
    struct raft_message request = append(&core, 2, 1, 0, 0, &t1, 1, 0);
    core_message(&core, &request);
    uint64_t first = core.effects.persist.token;
    struct raft_message more = append(&core, 2, 1, 1, 1, &t1, 1, 0);
    core_message(&core, &more);
    uint64_t second = core.effects.persist.token;
    core_wrote_failed(&core, first);
    assert_true(core.effects.failed);
    core_wrote(&core, second); /* a later token cannot bring it back */
    assert_int_equal(raft_durable_index(core.raft), 0);
    assert_true(core.effects.failed);
    struct raft_message again = append(&core, 2, 1, 1, 1, NULL, 0, 1);
    core_message(&core, &again);
    assert_int_equal(core.effects.message_count, 0);
    assert_int_equal(core.effects.commit, 0);
    core_tick(&core, 100000);
    assert_int_equal(core.effects.message_count, 0);
    assert_int_equal(core.effects.deadline_ms, UINT64_MAX);
    core_stop(&core);
}

static void b17_completions_out_of_order_lose_nothing(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 1, 0, 0, NULL, NULL);
    core_lead(&core, true);
    core_propose(&core, 1, 100);
    uint64_t first = core.effects.persist.token;
    core_propose(&core, 1, 100);
    uint64_t second = core.effects.persist.token;
    core_wrote(&core, second);
    assert_int_equal(core.effects.commit, 1); /* what lies before it is not known to be durable */
    core_wrote(&core, first);
    assert_int_equal(core.effects.commit, 3);
    core_stop(&core);
}

static void more_writes_under_way_than_are_told_apart_become_durable_together(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 1, 0, 0, NULL, NULL);
    core_lead(&core, true);
    uint64_t tokens[200];
    for (int i = 0; i < 200; i++) {
        core_propose(&core, 1, 10);
        tokens[i] = core.effects.persist.token;
    }
    uint64_t before = 1;
    for (int i = 0; i < 200; i++) {
        core_wrote(&core, tokens[i]);
        assert_true(core.effects.commit >= before);
        assert_true(core.effects.commit <= 2u + (unsigned)i);
        before = core.effects.commit;
    }
    assert_int_equal(before, 201);
    core_stop(&core);
}

static void a_lower_terms_append_gets_the_term_and_nothing_else(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 5, 0, &(struct log_of){{1}}, NULL);
    struct raft_message old = append(&core, 2, 4, 1, 1, NULL, 0, 1), old_beat = heartbeat(&core, 2, 4, 1, 9);
    core_message(&core, &old);
    /* Its sender may lead term 5 by now: the answer must not look like one to an append, or a round, of term 5. */
    assert_false(acknowledgement(&core, 2)->append_reply.accepted);
    assert_int_equal(acknowledgement(&core, 2)->append_reply.sequence, 0);
    assert_int_equal(acknowledgement(&core, 2)->term, 5);
    core_message(&core, &old_beat);
    assert_int_equal(core_sent(&core, RAFT_HEARTBEAT_REPLY, 2)->heartbeat.sequence, 0);
    assert_int_equal(core_sent(&core, RAFT_HEARTBEAT_REPLY, 2)->heartbeat.commit, 0);
    assert_int_equal(core.effects.commit, 0);
    core_stop(&core);
}

static void e8_a_truncated_configuration_rolls_back(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, &(struct log_of){{1}}, NULL);
    struct raft_configuration five = voters(5), seven = voters(7);
    five.epoch = 2;
    seven.epoch = 3;
    struct raft_entry entries[3] = {{.term = 1, .bytes = 10, .configuration = &five},
                                    {.term = 1, .bytes = 10},
                                    {.term = 1, .bytes = 10, .configuration = &seven}};
    struct raft_message request = append(&core, 2, 1, 1, 1, entries, 3, 0);
    core_message(&core, &request);
    assert_int_equal(raft_configuration(core.raft)->epoch, 3); /* in force when appended */
    struct raft_entry t2 = entry_of(2);
    struct raft_message cut_one = append(&core, 3, 2, 3, 1, &t2, 1, 0);
    core_message(&core, &cut_one);
    assert_int_equal(raft_configuration(core.raft)->epoch, 2);
    struct raft_entry t3 = entry_of(3);
    struct raft_message cut_both = append(&core, 3, 3, 1, 1, &t3, 1, 0);
    core_message(&core, &cut_both);
    assert_int_equal(raft_configuration(core.raft)->epoch, 1); /* the one from before the log */
    assert_int_equal(raft_configuration(core.raft)->voter_count, 3);
    core_stop(&core);
}

static void e8_a_committed_configuration_stays_what_rollback_returns_to(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    struct raft_configuration next = voters(3);
    for (uint64_t epoch = 2; epoch < 40; epoch++) {
        next.epoch = epoch;
        struct raft_entry entry = {.term = 1, .bytes = 10, .configuration = &next};
        struct raft_message request = append(&core, 2, 1, epoch - 2, epoch > 2 ? 1 : 0, &entry, 1, epoch - 2);
        core_message(&core, &request);
    }
    assert_int_equal(core.effects.commit, 37);
    struct raft_entry t2 = entry_of(2);
    struct raft_message cut = append(&core, 3, 2, 37, 1, &t2, 1, 0);
    core_message(&core, &cut);
    assert_int_equal(raft_configuration(core.raft)->epoch, 38);
    core_stop(&core);
}

static void h8_a_refusal_names_the_end_of_the_last_term_not_above(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 9, 0, &(struct log_of){{1, 1, 3, 3, 3, 5, 5, 5}}, NULL);
    static const struct {
        uint64_t prev_index, prev_term, hint_index, hint_term;
    } cases[] = {{8, 4, 5, 3}, {7, 9, 7, 5}, {8, 2, 2, 1}, {20, 5, 8, 5}, {20, 4, 5, 3}, {4, 2, 2, 1}, {6, 3, 5, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raft_message request = append(&core, 2, 9, cases[i].prev_index, cases[i].prev_term, NULL, 0, 0);
        core_message(&core, &request);
        const struct raft_message *reply = acknowledgement(&core, 2);
        assert_false(reply->append_reply.accepted);
        assert_int_equal(reply->append_reply.hint_index, cases[i].hint_index);
        assert_int_equal(reply->append_reply.hint_term, cases[i].hint_term);
        assert_int_equal(reply->append_reply.last_index, 8);
    }
    core_stop(&core);
}

static void an_append_from_before_the_logs_beginning_touches_only_what_follows(void **state) {
    (void)state;
    struct core core;
    struct raft_configuration_at at = {.configuration = voters(3)};
    struct raft_run run = {.first_index = 11, .term = 3};
    core_start_from(&core,
                    &(struct raft_start){.self = 1,
                                         .term = 3,
                                         .previous_index = 10,
                                         .previous_term = 2,
                                         .runs = &run,
                                         .run_count = 1,
                                         .last_index = 12,
                                         .commit = 0,
                                         .configurations = &at,
                                         .configuration_count = 1},
                    NULL);
    assert_int_equal(raft_commit(core.raft), 10); /* what the log does not hold any more was applied (B13) */
    struct raft_entry entries[8];
    for (int i = 0; i < 8; i++)
        entries[i] = entry_of(i < 5 ? 2 : 3);
    struct raft_message request = append(&core, 2, 3, 5, 1, entries, 8, 12);
    core_message(&core, &request);
    assert_int_equal(core.effects.truncated_from, 0);
    assert_int_equal(core.effects.persist.first_index, 13);
    assert_int_equal(core.effects.persist.message_skip, 7);
    assert_int_equal(core.effects.commit, 12);
    assert_int_equal(core.effects.contradicted_index, 0);
    entries[4] = entry_of(3); /* where the log begins, that is another entry */
    request = append(&core, 2, 3, 5, 1, entries, 8, 12);
    core_message(&core, &request);
    assert_int_equal(core.effects.contradicted_index, 10);
    core_stop(&core);
}

static void messages_for_others_or_from_strangers_are_dropped(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, NULL, NULL);
    struct raft_message to_other = heartbeat(&core, 2, 9, 0, 1), stranger = vote_reply(&core, 77, 9, true),
                        myself = vote_request(&core, 1, 9, 9, 9);
    to_other.to = 3;
    core_message(&core, &to_other);
    core_message(&core, &stranger);
    core_message(&core, &myself);
    assert_int_equal(raft_term(core.raft), 1);
    assert_int_equal(core.effects.message_count, 0);
    core_stop(&core);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_append_is_stored_and_acknowledged_when_durable),
        cmocka_unit_test(b1_a_stale_append_removes_nothing),
        cmocka_unit_test(b1_only_a_conflict_of_terms_truncates),
        cmocka_unit_test(b1_a_committed_entry_is_never_replaced),
        cmocka_unit_test(b2_acknowledges_no_further_than_the_append_reached),
        cmocka_unit_test(b3_follower_commit_is_capped_at_prev_plus_count),
        cmocka_unit_test(b4_commit_does_not_move_back),
        cmocka_unit_test(a_heartbeats_commit_beyond_the_log_is_not_taken),
        cmocka_unit_test(b9_malformed_appends_are_dropped),
        cmocka_unit_test(b9_an_append_beyond_the_log_end_leaves_no_hole),
        cmocka_unit_test(b14_the_first_writes_completion_does_not_make_a_rewritten_entry_durable),
        cmocka_unit_test(b15_a_completion_is_not_acknowledged_to_the_next_leader),
        cmocka_unit_test(b16_after_a_failed_write_the_replica_takes_part_in_nothing),
        cmocka_unit_test(b17_completions_out_of_order_lose_nothing),
        cmocka_unit_test(more_writes_under_way_than_are_told_apart_become_durable_together),
        cmocka_unit_test(a_lower_terms_append_gets_the_term_and_nothing_else),
        cmocka_unit_test(e8_a_truncated_configuration_rolls_back),
        cmocka_unit_test(e8_a_committed_configuration_stays_what_rollback_returns_to),
        cmocka_unit_test(h8_a_refusal_names_the_end_of_the_last_term_not_above),
        cmocka_unit_test(an_append_from_before_the_logs_beginning_touches_only_what_follows),
        cmocka_unit_test(messages_for_others_or_from_strangers_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
