/** Facts about leading: catalogue B5-B9, C1-C5, C7, G1, G2, H6-H9, rules 2, 11 and 12. */
#include "core.h"

#include <stdlib.h>
#include <string.h>

#include "raft_internal.h"

static void ack(struct core *core, uint64_t from, uint64_t sequence, uint64_t durable, uint64_t received) {
    struct raft_message message = append_ok(core, from, sequence, durable, received);
    core_message(core, &message);
}

static void beat_reply(struct core *core, uint64_t from, uint64_t durable) {
    struct raft_message message = heartbeat_ok(core, from, core->raft->round_sent, durable);
    core_message(core, &message);
}

/** Leader of three with both peers replicating and everything committed. Returns the log end. */
static uint64_t lead_three(struct core *core, const struct log_of *log, uint64_t term,
                           const struct raft_limits *limits) {
    core_start(core, 1, 3, term, 0, log, limits);
    uint64_t noop = core_lead(core, true);
    ack(core, 2, 1, noop, noop);
    ack(core, 3, 1, noop, noop);
    assert_int_equal(core->effects.commit, noop);
    return noop;
}

static void beat(struct core *core) {
    uint64_t round = core->raft->round_sent;
    for (int i = 0; i < 1000 && core->raft->round_sent == round; i++)
        core_tick(core, 1);
    assert_true(core->raft->round_sent > round);
}

static void a_proposal_leaves_at_once_beside_the_own_write(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead_three(&core, NULL, 0, NULL);
    assert_int_equal(core_propose(&core, 2, 100), LF_OK);
    assert_int_equal(core.effects.proposed_index, end + 1);
    assert_int_equal(core.effects.proposed_term, 1);
    assert_int_equal(core.effects.persist.count, 2);
    assert_int_equal(core_sent(&core, RAFT_APPEND_REQUEST, 2)->append_request.count, 2);
    assert_int_equal(core_sent(&core, RAFT_APPEND_REQUEST, 3)->append_request.prev_index, end);
    core_stop(&core);
}

static void leaders_beat_at_multiples_of_the_heartbeat(void **state) {
    (void)state;
    struct core core;
    lead_three(&core, NULL, 0, NULL);
    for (int i = 0; i < 5; i++) {
        beat(&core);
        assert_int_equal(core.now % 50, 0);
        assert_int_equal(core_sent_count(&core, RAFT_HEARTBEAT_REQUEST), 2);
        beat_reply(&core, 2, 1);
    }
    core_stop(&core);
}

static void heartbeats_say_no_more_than_the_peer_acknowledged(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead_three(&core, NULL, 0, NULL);
    core_propose(&core, 1, 100);
    core_wrote_last(&core);
    ack(&core, 2, 2, end + 1, end + 1);
    assert_int_equal(core.effects.commit, end + 1);
    beat(&core);
    assert_int_equal(core_sent(&core, RAFT_HEARTBEAT_REQUEST, 2)->heartbeat.commit, end + 1);
    assert_int_equal(core_sent(&core, RAFT_HEARTBEAT_REQUEST, 3)->heartbeat.commit, end);
    core_stop(&core);
}

static void b5_match_does_not_move_back(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead_three(&core, NULL, 0, NULL);
    core_propose(&core, 1, 100);
    core_propose(&core, 1, 100);
    ack(&core, 2, 3, end + 2, end + 2);
    ack(&core, 2, 2, end + 1, end + 1); /* overtaken */
    assert_int_equal(core_peer(&core, 2).match, end + 2);
    assert_int_equal(core_peer(&core, 2).next, end + 3);
    core_stop(&core);
}

static void b6_a_late_refusal_does_not_move_next_below_match(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 3, 0, &(struct log_of){{1, 1, 2, 3, 3}}, NULL);
    core_lead(&core, true); /* probes after 5 with sequence 1 */
    struct raft_message refusal = append_refused(&core, 2, 1, 5, 3, 3, 2);
    core_message(&core, &refusal);
    assert_int_equal(core_sent(&core, RAFT_APPEND_REQUEST, 2)->append_request.prev_index, 3);
    ack(&core, 2, 2, 6, 6);
    assert_int_equal(core_peer(&core, 2).match, 6);
    core_message(&core, &refusal); /* a copy */
    refusal.append_reply.sequence = 2;
    core_message(&core, &refusal); /* and one that claims to be newer */
    assert_int_equal(core_peer(&core, 2).match, 6);
    assert_int_equal(core_peer(&core, 2).next, 7);
    assert_true(core_peer(&core, 2).replicating);
    core_stop(&core);
}

static void b7_heartbeats_ask_nothing_of_a_peers_log(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead_three(&core, &(struct log_of){{1, 1, 1}}, 1, NULL);
    beat_reply(&core, 2, 0); /* it restarted and knows nothing of us yet: no loss */
    assert_false(core_peer(&core, 2).damaged);
    assert_int_equal(core_peer(&core, 2).match, end);
    core_stop(&core);
}

static void b8_answers_of_an_earlier_session_do_not_count_as_refusals(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead_three(&core, NULL, 0, NULL);
    for (int i = 0; i < 3; i++)
        core_propose(&core, 1, 100); /* sequences 2, 3, 4 */
    struct raft_message lost = append_refused(&core, 2, 3, end + 1, end, end, 1);
    core_message(&core, &lost);
    assert_false(core_peer(&core, 2).replicating);
    assert_int_equal(core_peer(&core, 2).next, end + 1);
    uint64_t probe = core_sent(&core, RAFT_APPEND_REQUEST, 2)->append_request.sequence;
    struct raft_message late = append_refused(&core, 2, 4, end + 2, end, end, 1);
    core_message(&core, &late); /* same reason, known already */
    assert_int_equal(core_sent_count(&core, RAFT_APPEND_REQUEST), 0);
    ack(&core, 2, probe, end + 3, end + 3);
    assert_int_equal(core_peer(&core, 2).match, end + 3);
    assert_true(core_peer(&core, 2).replicating);
    core_stop(&core);
}

static void b8_an_acknowledgement_beyond_the_log_is_dropped(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead_three(&core, NULL, 0, NULL);
    ack(&core, 2, 1, end + 5, end + 5);
    ack(&core, 2, 1, end, end - 1 > end ? 0 : end);
    assert_int_equal(core_peer(&core, 2).match, end);
    struct raft_message unasked = append_ok(&core, 2, 1000, end, end);
    core_message(&core, &unasked);
    assert_int_equal(core_peer(&core, 2).inflight, 0);
    core_stop(&core);
}

static void b9_appends_to_a_peer_are_contiguous_whatever_their_sizes(void **state) {
    (void)state;
    struct core core;
    struct raft_limits limits = {.append_bytes_max = 1000, .append_entries_max = 3, .inflight_messages_max = 50};
    uint64_t end = lead_three(&core, NULL, 0, &limits);
    struct raft_entry entries[7] = {{.bytes = 10},  {.bytes = 5000}, {.bytes = 10}, {.bytes = 900},
                                    {.bytes = 200}, {.bytes = 10},   {.bytes = 10}};
    static const uint32_t expected[] = {1, 1, 2, 3};
    core_step(&core, &(struct raft_event){.type = RAFT_EVENT_PROPOSE, .propose = {.entries = entries, .count = 7}});
    uint64_t next = end + 1;
    for (size_t i = 0; i < 4; i++) {
        const struct raft_message *request = core_sent_nth(&core, RAFT_APPEND_REQUEST, 2, i);
        assert_int_equal(request->append_request.prev_index, next - 1);
        assert_int_equal(request->append_request.count, expected[i]);
        next += request->append_request.count;
    }
    assert_null(core_sent_nth(&core, RAFT_APPEND_REQUEST, 2, 4));
    assert_int_equal(next, end + 8);
    core_stop(&core);
}

static void b10_history_the_log_does_not_hold_is_not_sent_with_term_0(void **state) {
    (void)state;
    struct core core;
    struct raft_configuration_at at = {.configuration = voters(3)};
    core_start_from(&core,
                    &(struct raft_start){.self = 1,
                                         .seed = 3,
                                         .term = 2,
                                         .previous_index = 10,
                                         .previous_term = 2,
                                         .last_index = 10,
                                         .configurations = &at,
                                         .configuration_count = 1},
                    NULL);
    core_lead(&core, true);
    struct raft_message refusal = append_refused(&core, 2, 1, 10, 4, 4, 1);
    core_message(&core, &refusal);
    assert_int_equal(core_sent_count(&core, RAFT_APPEND_REQUEST), 0);
    beat(&core);
    beat_reply(&core, 2, 0);
    assert_int_equal(core_sent_count(&core, RAFT_APPEND_REQUEST), 0);
    core_stop(&core);
}

static void c1_an_entry_of_an_older_term_is_not_committed_by_counting(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 5, 3, 0, &(struct log_of){{1, 2}}, NULL); /* figure 8 (c): leads t4 with [2:t2] */
    core_lead(&core, true);
    struct raft_message refusal = append_refused(&core, 3, 1, 2, 1, 1, 1);
    core_message(&core, &refusal);
    ack(&core, 2, 1, 2, 2);
    ack(&core, 3, 2, 2, 2);
    ack(&core, 4, 1, 2, 2); /* [2:t2] is on four of five */
    assert_int_equal(core.effects.commit, 0);
    ack(&core, 2, 1, 3, 3);
    assert_int_equal(core.effects.commit, 0);
    ack(&core, 3, 2, 3, 3);
    assert_int_equal(core.effects.commit, 3);
    core_stop(&core);
}

static void c2_entries_of_older_terms_commit_with_the_first_of_the_own(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 3, 0, &(struct log_of){{1, 2, 2, 3}}, NULL);
    core_lead(&core, true);
    ack(&core, 2, 1, 5, 5);
    assert_int_equal(core.effects.commit, 5);
    core_stop(&core);
}

static uint64_t by_brute_force(const uint64_t *values, uint32_t count) {
    uint64_t best = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t reach = 0;
        for (uint32_t k = 0; k < count; k++)
            reach += values[k] >= values[i];
        if (2 * reach > count && values[i] > best)
            best = values[i];
    }
    return best;
}

static void c3_quorum_arithmetic_agrees_with_brute_force(void **state) {
    (void)state;
    uint64_t random = 88172645463325252u;
    for (uint32_t count = 1; count <= RAFT_VOTERS_MAX; count++) {
        for (int round = 0; round < 20000; round++) {
            uint64_t values[RAFT_VOTERS_MAX];
            for (uint32_t i = 0; i < count; i++) {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                values[i] = round % 2 ? random % 5 : random;
            }
            assert_true(raft_quorum_of(values, count) == by_brute_force(values, count));
        }
    }
}

static void c3_commit_agrees_with_brute_force_for_1_to_7_voters(void **state) {
    (void)state;
    for (uint32_t count = 1; count <= RAFT_VOTERS_MAX; count++) {
        struct core core;
        core_start(&core, 1, count, 0, 0, NULL, NULL);
        core_lead(&core, true);
        for (int i = 0; i < 30; i++)
            core_propose(&core, 1, 10);
        uint64_t held[RAFT_VOTERS_MAX] = {1}, random = count * 7919u;
        for (int i = 0; i < 300; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            uint32_t voter = (uint32_t)(random >> 33) % count;
            uint64_t to = held[voter] + (random >> 50) % 4;
            if (to > 31)
                continue;
            if (voter > 0)
                ack(&core, voter + 1, core_peer(&core, voter + 1).inflight ? 1 : 0, to, to);
            else
                for (uint64_t index = held[0] + 1; index <= to; index++)
                    core_wrote(&core, index + 1); /* token 1 was term and vote, 2 the no-op at 1 */
            held[voter] = to;
            uint64_t commit = by_brute_force(held, count);
            assert_int_equal(core.effects.commit, commit);
        }
        core_stop(&core);
    }
}

static void c4_only_voters_of_the_configuration_in_force_count(void **state) {
    (void)state;
    struct core core;
    struct raft_configuration_at at = {.configuration = {.epoch = 1, .voter_count = 3, .voters = {1, 5, 9}}};
    core_start_from(&core, &(struct raft_start){.self = 5, .seed = 2, .configurations = &at, .configuration_count = 1},
                    NULL);
    core_lead(&core, true);
    ack(&core, 2, 1, 1, 1);
    ack(&core, 3, 1, 1, 1);
    assert_int_equal(core.effects.commit, 0);
    ack(&core, 9, 1, 1, 1);
    assert_int_equal(core.effects.commit, 1);
    core_stop(&core);
}

static void c5_a_leader_counts_itself_only_when_its_write_is_durable(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead_three(&core, NULL, 0, NULL);
    core_propose(&core, 1, 100);
    uint64_t token = core.effects.persist.token;
    ack(&core, 2, 2, end + 1, end + 1);
    assert_int_equal(core.effects.commit, end); /* one durable copy of three */
    core_wrote(&core, token);
    assert_int_equal(core.effects.commit, end + 1); /* looked at again when the write completes */
    core_propose(&core, 1, 100);
    ack(&core, 2, 3, end + 2, end + 2);
    ack(&core, 3, 3, end + 2, end + 2);
    assert_int_equal(core.effects.commit, end + 2); /* the others are a majority without it */
    core_stop(&core);
}

static void received_is_not_durable(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead_three(&core, NULL, 0, NULL);
    core_propose(&core, 1, 100);
    core_wrote_last(&core);
    ack(&core, 2, 2, end, end + 1);
    ack(&core, 3, 2, end, end + 1);
    assert_int_equal(core.effects.commit, end);
    assert_int_equal(core_peer(&core, 2).received, end + 1);
    assert_int_equal(core_peer(&core, 2).inflight, 0);
    core_stop(&core);
}

static void c7_quotas_and_windows_do_not_move_commit(void **state) {
    (void)state;
    struct core core;
    struct raft_limits limits = {.append_entries_max = 1, .inflight_messages_max = 2};
    uint64_t end = lead_three(&core, NULL, 0, &limits), before = end;
    core_propose(&core, 20, 100);
    core_wrote_last(&core);
    for (uint64_t i = 1; i <= 20; i++) {
        ack(&core, 2, i + 1, end + i, end + i);
        assert_int_equal(core.effects.commit, before + 1);
        before = core.effects.commit;
    }
    core_stop(&core);
}

static void g1_a_stalled_disk_ends_a_leadership_the_others_can_do_without(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead_three(&core, NULL, 0, NULL);
    core_propose(&core, 1, 100);
    ack(&core, 2, 2, end + 1, end + 1);
    for (int i = 0; i < 150; i++) {
        core_tick(&core, 10);
        beat_reply(&core, 2, end + 1);
        beat_reply(&core, 3, end);
    }
    assert_int_equal(raft_role(core.raft), RAFT_LEADER); /* one other is no majority: nobody could do better */
    ack(&core, 3, 2, end + 1, end + 1);
    core_tick(&core, 50);
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    core_stop(&core);
}

static void g2_a_leaders_failed_write_ends_its_part(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead_three(&core, NULL, 0, NULL);
    core_read(&core, 5);
    core_propose(&core, 1, 100);
    uint64_t first = core.effects.persist.token;
    core_propose(&core, 1, 100);
    uint64_t second = core.effects.persist.token;
    core_wrote_failed(&core, first);
    assert_true(core.effects.failed);
    assert_true(core.effects.role_changed);
    assert_int_equal(core.effects.reads[0].status, LF_NO_QUORUM);
    core_wrote(&core, second); /* later ones "succeed": never trusted */
    ack(&core, 2, 3, end + 2, end + 2);
    ack(&core, 3, 3, end + 2, end + 2);
    assert_int_equal(core.effects.commit, end);
    assert_int_equal(core_propose(&core, 1, 10), LF_NOT_LEADER);
    assert_int_equal(core_read(&core, 6), LF_NOT_LEADER);
    core_stop(&core);
}

static void h6_a_lost_window_is_found_by_the_next_heartbeat(void **state) {
    (void)state;
    struct core core;
    struct raft_limits limits = {.inflight_messages_max = 3, .append_entries_max = 1};
    uint64_t end = lead_three(&core, NULL, 0, &limits);
    core_propose(&core, 5, 100); /* three leave and get lost */
    assert_int_equal(core_peer(&core, 2).inflight, 3);
    beat(&core);
    assert_int_equal(core_sent_count(&core, RAFT_APPEND_REQUEST), 0);
    beat_reply(&core, 2, end);
    const struct raft_message *empty = core_sent(&core, RAFT_APPEND_REQUEST, 2);
    assert_int_equal(empty->append_request.count, 0);
    assert_int_equal(empty->append_request.prev_index, end + 3);
    assert_int_equal(core_peer(&core, 2).inflight, 3); /* the window is not overrun */
    struct raft_message refusal = append_refused(&core, 2, empty->append_request.sequence, end + 3, end, end, 1);
    core_message(&core, &refusal);
    assert_int_equal(core_sent(&core, RAFT_APPEND_REQUEST, 2)->append_request.prev_index, end);
    for (uint64_t index = end + 1; index <= end + 5; index++) { /* all of it arrives, in a window that opens again */
        ack(&core, 2, core.raft->peers[0].answered + 1, index, index);
        assert_in_range(core_peer(&core, 2).inflight, index < end + 5, 3);
    }
    assert_int_equal(core_peer(&core, 2).match, end + 5);
    assert_int_equal(core_peer(&core, 2).inflight, 0);
    core_stop(&core);
}

static void refusals_narrow_the_window_and_arrivals_widen_it(void **state) {
    (void)state;
    struct core core;
    struct raft_limits limits = {.inflight_messages_max = 8, .append_entries_max = 1};
    uint64_t end = lead_three(&core, NULL, 0, &limits);
    core_propose(&core, 100, 100);
    assert_int_equal(core_sent_count(&core, RAFT_APPEND_REQUEST), 16); /* eight to each */
    for (int i = 0; i < 4; i++) { /* the second of each window overtakes the first */
        const struct raft_peer *peer = &core.raft->peers[0];
        struct raft_message early =
            append_refused(&core, 2, peer->session + 2, peer->match + 1, peer->match, peer->match, 1);
        core_message(&core, &early);
        ack(&core, 2, core.raft->peers[0].sequence, core.raft->peers[0].match + 1, core.raft->peers[0].match + 1);
    }
    assert_in_range(core.raft->peers[0].window, 1, 3);
    uint64_t before = core.raft->peers[0].match;
    for (uint64_t index = before + 1; index < before + 10; index++)
        ack(&core, 2, core.raft->peers[0].answered + 1, index, index);
    assert_int_equal(core.raft->peers[0].window, 8);
    assert_int_equal(core_peer(&core, 2).inflight, 8);
    assert_true(before > end);
    core_stop(&core);
}

static void h6_a_lost_probe_is_repeated_after_the_next_heartbeat(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 0, 0, NULL, NULL);
    core_lead(&core, true);
    beat(&core);
    beat_reply(&core, 2, 0);
    assert_int_equal(core_sent_count(&core, RAFT_APPEND_REQUEST), 1);
    beat_reply(&core, 2, 0); /* a copy of the same answer asks for nothing more */
    assert_int_equal(core_sent_count(&core, RAFT_APPEND_REQUEST), 0);
    core_stop(&core);
}

static void h6_a_lost_acknowledgement_comes_with_the_heartbeats_answer(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead_three(&core, NULL, 0, NULL);
    core_propose(&core, 1, 100);
    core_wrote_last(&core);
    beat(&core);
    beat_reply(&core, 2, end + 1);
    assert_int_equal(core.effects.commit, end + 1);
    assert_int_equal(core_peer(&core, 2).inflight, 0);
    core_stop(&core);
}

static void h7_the_quota_returns_to_0(void **state) {
    (void)state;
    struct core core;
    struct raft_limits limits = {.uncommitted_bytes_max = 1000, .sized_entries_max = 8};
    uint64_t end = lead_three(&core, &(struct log_of){{1, 1, 1}}, 1, &limits);
    for (int round = 0; round < 50; round++) {
        assert_int_equal(core_propose(&core, 3, 300), LF_OK);
        assert_int_equal(raft_uncommitted_bytes(core.raft), 900);
        assert_int_equal(core_propose(&core, 1, 300), LF_FULL);
        assert_int_equal(core.effects.proposed_index, 0);
        uint64_t token = core.raft->writes.next_token - 1;
        core_wrote(&core, token);
        end += 3;
        if (round % 3 == 0) { /* through probe and back */
            struct raft_message lost = append_refused(&core, 2, core.raft->peers[0].sequence, end - 1, end - 3, end - 3,
                                                      raft_entry_term(core.raft, end - 3));
            core_message(&core, &lost);
        }
        ack(&core, 2, core.raft->peers[0].sequence, end, end);
        assert_int_equal(core.effects.commit, end);
        assert_int_equal(raft_uncommitted_bytes(core.raft), 0);
        assert_int_equal(core_peer(&core, 2).inflight, 0);
    }
    core_stop(&core);
}

static void h7_one_larger_than_the_quota_goes_alone(void **state) {
    (void)state;
    struct core core;
    struct raft_limits limits = {.uncommitted_bytes_max = 1000};
    lead_three(&core, NULL, 0, &limits);
    assert_int_equal(core_propose(&core, 1, 5000), LF_OK);
    assert_int_equal(core_propose(&core, 1, 1), LF_FULL);
    core_stop(&core);
}

static void h7_losing_leadership_gives_the_quota_back(void **state) {
    (void)state;
    struct core core;
    lead_three(&core, NULL, 0, NULL);
    core_propose(&core, 3, 300);
    struct raft_message newer = heartbeat(&core, 2, 9, 0, 1);
    core_message(&core, &newer);
    assert_int_equal(raft_uncommitted_bytes(core.raft), 0);
    core_stop(&core);
}

/** Two logs of 100 entries each after a common one, their terms interleaved: how many probes until they agree? */
static void h8_backtracking_takes_one_probe_per_term(void **state) {
    (void)state;
    struct log_of leader_log = {{1}}, follower_log = {{1}};
    for (uint64_t i = 1; i < 61; i++) {
        leader_log.terms[i] = 2 + i / 6 * 2;   /* 2, 4, 6 ... 22 */
        follower_log.terms[i] = 3 + i / 6 * 2; /* 3, 5, 7 ... 23 */
    }
    struct core leader, follower;
    core_start(&leader, 1, 3, 40, 0, &leader_log, NULL);
    core_start(&follower, 2, 3, 40, 0, &follower_log, NULL);
    core_lead(&leader, true);
    beat(&leader);
    struct raft_message hello = *core_sent(&leader, RAFT_HEARTBEAT_REQUEST, 2);
    core_message(&follower, &hello);
    core_wrote_last(&follower);
    int probes = 0;
    struct raft_message request = append(&leader, 1, 41, 61, 22, NULL, 0, 0);
    request.to = 2;
    request.append_request.sequence = 1;
    struct raft_entry entries[256] = {{0}};
    for (;;) {
        probes++;
        for (uint32_t i = 0; i < request.append_request.count; i++)
            entries[i] = (struct raft_entry){
                .term = raft_entry_term(leader.raft, request.append_request.prev_index + 1 + i), .bytes = 10};
        request.append_request.entries = entries;
        core_message(&follower, &request);
        struct raft_message reply = *core_sent(&follower, RAFT_APPEND_REPLY, 1);
        if (reply.append_reply.accepted)
            break;
        core_message(&leader, &reply);
        struct raft_message nack = heartbeat_ok(&leader, 2, 1, 0); /* between probes: must not reset anything */
        request = *core_sent(&leader, RAFT_APPEND_REQUEST, 2);
        core_message(&leader, &nack);
    }
    assert_int_equal(request.append_request.prev_index, 1);
    assert_in_range(probes, 2, 12); /* eleven terms of its own above the common entry */
    core_stop(&leader);
    core_stop(&follower);
}

static void h9_an_election_does_not_read_the_log(void **state) {
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
                                         .last_index = 1ull << 40, /* a scan would not end */
                                         .configurations = &at,
                                         .configuration_count = 1},
                    NULL);
    uint64_t noop = core_lead(&core, true);
    assert_int_equal(noop, (1ull << 40) + 1);
    ack(&core, 2, 1, noop, noop);
    assert_int_equal(core.effects.commit, noop);
    core_stop(&core);
}

static void entries_of_unknown_size_go_a_few_at_a_time(void **state) {
    (void)state;
    struct core core;
    struct log_of log = {{0}};
    for (int i = 0; i < 60; i++)
        log.terms[i] = 1;
    core_start(&core, 1, 3, 1, 0, &log, &(struct raft_limits){.unsized_entries_max = 7});
    core_lead(&core, true);
    struct raft_message refusal = append_refused(&core, 2, 1, 60, 10, 10, 1);
    core_message(&core, &refusal);
    assert_int_equal(core_sent(&core, RAFT_APPEND_REQUEST, 2)->append_request.prev_index, 10);
    assert_int_equal(core_sent(&core, RAFT_APPEND_REQUEST, 2)->append_request.count, 7);
    core_stop(&core);
}

static void rule_11_a_log_end_below_what_was_acknowledged_is_damage(void **state) {
    (void)state;
    struct core core;
    uint64_t end = lead_three(&core, &(struct log_of){{1, 1, 1}}, 1, NULL);
    core_propose(&core, 1, 100);
    uint64_t sequence = core_sent(&core, RAFT_APPEND_REQUEST, 2)->append_request.sequence;
    struct raft_message lost = append_refused(&core, 2, sequence, end, 2, 2, 1);
    core_message(&core, &lost);
    assert_int_equal(core.effects.damaged_peer, 2);
    assert_true(core_peer(&core, 2).damaged);
    core_wrote(&core, core.raft->writes.next_token - 1);
    ack(&core, 2, sequence, end + 1, end + 1); /* whatever it says now does not count */
    assert_int_equal(core.effects.commit, end);
    assert_int_equal(core.effects.damaged_peer, 0); /* said once */
    core_stop(&core);
}

static void rule_11_an_old_short_answer_is_no_damage(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 1, 0, &(struct log_of){{1, 1, 1}}, NULL);
    core_lead(&core, true);
    struct raft_message old = append_refused(&core, 2, 1, 3, 1, 1, 1); /* held back on its way */
    struct raft_message copy = old;
    core_message(&core, &old);
    ack(&core, 2, 2, 4, 4);
    core_message(&core, &copy); /* answers an append from before the acknowledgement */
    assert_false(core_peer(&core, 2).damaged);
    assert_int_equal(core_peer(&core, 2).match, 4);
    core_stop(&core);
}

static void rule_12_everything_due_fits_the_effects(void **state) {
    (void)state;
    struct core core;
    struct raft_limits limits = {.inflight_messages_max = 4, .append_entries_max = 1, .reads_max = 8};
    core_start(&core, 1, 7, 0, 0, NULL, &limits);
    core_lead(&core, true);
    for (uint64_t peer = 2; peer <= 7; peer++)
        ack(&core, peer, 1, 1, 1);
    for (uint64_t i = 0; i < 8; i++) {
        struct raft_message ask = {.type = RAFT_READ_REQUEST, .from = 2 + i % 6, .to = 1, .term = 1, .read = {.id = i}};
        core_message(&core, &ask);
    }
    assert_int_equal(core_read(&core, 99), LF_FULL); /* a read may be refused */
    core_propose(&core, 30, 10);
    assert_int_equal(core_sent_count(&core, RAFT_APPEND_REQUEST), 24);
    core_tick(&core, 5000); /* check-quorum: all reads fail in one step */
    assert_int_equal(core_sent_count(&core, RAFT_READ_REPLY), 8);
    core_stop(&core);
}

static void equal_cores_and_equal_events_have_equal_effects(void **state) {
    (void)state;
    struct core core;
    lead_three(&core, NULL, 0, NULL);
    struct raft *twin = raft_clone(core.raft);
    struct raft_effects effects;
    assert_int_equal(raft_effects_init(&effects, &core.limits), LF_OK);
    struct raft_entry entry = {.bytes = 10};
    struct raft_event event = {
        .type = RAFT_EVENT_PROPOSE, .now_ms = core.now, .propose = {.entries = &entry, .count = 1}};
    raft_step(core.raft, &event, &core.effects);
    raft_step(twin, &event, &effects);
    assert_int_equal(effects.message_count, core.effects.message_count);
    assert_memory_equal(effects.messages, core.effects.messages, effects.message_count * sizeof *effects.messages);
    assert_int_equal(effects.persist.token, core.effects.persist.token);
    raft_destroy(&twin);
    raft_effects_deinit(&effects);
    core_stop(&core);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proposal_leaves_at_once_beside_the_own_write),
        cmocka_unit_test(leaders_beat_at_multiples_of_the_heartbeat),
        cmocka_unit_test(heartbeats_say_no_more_than_the_peer_acknowledged),
        cmocka_unit_test(b5_match_does_not_move_back),
        cmocka_unit_test(b6_a_late_refusal_does_not_move_next_below_match),
        cmocka_unit_test(b7_heartbeats_ask_nothing_of_a_peers_log),
        cmocka_unit_test(b8_answers_of_an_earlier_session_do_not_count_as_refusals),
        cmocka_unit_test(b8_an_acknowledgement_beyond_the_log_is_dropped),
        cmocka_unit_test(b9_appends_to_a_peer_are_contiguous_whatever_their_sizes),
        cmocka_unit_test(b10_history_the_log_does_not_hold_is_not_sent_with_term_0),
        cmocka_unit_test(c1_an_entry_of_an_older_term_is_not_committed_by_counting),
        cmocka_unit_test(c2_entries_of_older_terms_commit_with_the_first_of_the_own),
        cmocka_unit_test(c3_quorum_arithmetic_agrees_with_brute_force),
        cmocka_unit_test(c3_commit_agrees_with_brute_force_for_1_to_7_voters),
        cmocka_unit_test(c4_only_voters_of_the_configuration_in_force_count),
        cmocka_unit_test(c5_a_leader_counts_itself_only_when_its_write_is_durable),
        cmocka_unit_test(received_is_not_durable),
        cmocka_unit_test(c7_quotas_and_windows_do_not_move_commit),
        cmocka_unit_test(g1_a_stalled_disk_ends_a_leadership_the_others_can_do_without),
        cmocka_unit_test(g2_a_leaders_failed_write_ends_its_part),
        cmocka_unit_test(h6_a_lost_window_is_found_by_the_next_heartbeat),
        cmocka_unit_test(refusals_narrow_the_window_and_arrivals_widen_it),
        cmocka_unit_test(h6_a_lost_probe_is_repeated_after_the_next_heartbeat),
        cmocka_unit_test(h6_a_lost_acknowledgement_comes_with_the_heartbeats_answer),
        cmocka_unit_test(h7_the_quota_returns_to_0),
        cmocka_unit_test(h7_one_larger_than_the_quota_goes_alone),
        cmocka_unit_test(h7_losing_leadership_gives_the_quota_back),
        cmocka_unit_test(h8_backtracking_takes_one_probe_per_term),
        cmocka_unit_test(h9_an_election_does_not_read_the_log),
        cmocka_unit_test(entries_of_unknown_size_go_a_few_at_a_time),
        cmocka_unit_test(rule_11_a_log_end_below_what_was_acknowledged_is_damage),
        cmocka_unit_test(rule_11_an_old_short_answer_is_no_damage),
        cmocka_unit_test(rule_12_everything_due_fits_the_effects),
        cmocka_unit_test(equal_cores_and_equal_events_have_equal_effects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
