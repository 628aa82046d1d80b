/** Facts about images and compaction that a scenario cannot say: what is refused, and how the owner is told. */
#include "core.h"

static const struct raft_configuration_at founders = {
    .configuration = {.epoch = 1, .voter_count = 3, .voters = {1, 2, 3}}};

static enum lf_status install(struct core *core, uint64_t index, uint64_t term, uint64_t leader_term,
                              const struct raft_configuration_at *configuration) {
    core_step(core, &(struct raft_event){
                        .type = RAFT_EVENT_INSTALL,
                        .install = {
                            .index = index, .term = term, .leader_term = leader_term, .configuration = configuration}});
    return core->status;
}

static enum lf_status compact(struct core *core, uint64_t index) {
    core_step(core, &(struct raft_event){.type = RAFT_EVENT_COMPACTED, .compacted = {.index = index}});
    return core->status;
}

static struct raft_message offer(const struct core *core, uint64_t from, uint64_t term, uint64_t index,
                                 uint64_t entry_term) {
    return (struct raft_message){
        .type = RAFT_IMAGE_OFFER,
        .from = from,
        .to = raft_self(core->raft),
        .term = term,
        .image_offer = {.index = index, .entry_term = entry_term, .commit = index, .sequence = 5}};
}

static void what_no_image_can_be_is_refused_and_changes_nothing(void **state) {
    (void)state;
    struct core core;
    struct raft_configuration_at later = founders, nobody = {.index = 3};
    later.index = 11;
    core_start(&core, 1, 3, 4, 2, &(struct log_of){{1, 1, 2}}, NULL);
    assert_int_equal(install(&core, 0, 3, 4, &founders), LF_INVALID);
    assert_int_equal(install(&core, 10, 0, 4, &founders), LF_INVALID);
    assert_int_equal(install(&core, 10, 5, 4, &founders), LF_INVALID); /* its maker could not hold that entry */
    assert_int_equal(install(&core, 10, 3, 4, &later), LF_INVALID);
    assert_int_equal(install(&core, 10, 3, 4, &nobody), LF_INVALID);
    assert_int_equal(install(&core, 10, 3, 4, NULL), LF_INVALID);
    assert_false(core.effects.has_persist);
    assert_int_equal(raft_last_index(core.raft), 3);
    core_stop(&core);
}

static void an_offer_or_append_of_another_history_is_told(void **state) {
    (void)state;
    struct core core;
    struct raft_run run = {.first_index = 11, .term = 3};
    struct raft_entry other = {.term = 9, .bytes = 100};
    core_start_from(&core,
                    &(struct raft_start){.self = 1,
                                         .term = 3,
                                         .previous_index = 10,
                                         .previous_term = 2,
                                         .runs = &run,
                                         .run_count = 1,
                                         .last_index = 12,
                                         .commit = 12,
                                         .configurations = &founders,
                                         .configuration_count = 1},
                    NULL);
    const struct {
        uint64_t index, term, told;
    } cases[] = {{12, 3, 0}, {12, 9, 12}, {10, 2, 0}, {10, 9, 10}, {7, 2, 0}, {7, 1, 0}, {7, 9, 7}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct raft_message offered = offer(&core, 2, 9, cases[i].index, cases[i].term);
        core_message(&core, &offered);
        assert_int_equal(core.effects.contradicted_index, cases[i].told);
        assert_int_equal(core.effects.offered_by, 0);
        struct raft_message append = {
            .type = RAFT_APPEND_REQUEST,
            .from = 2,
            .to = 1,
            .term = 9,
            .append_request = {.prev_index = cases[i].index, .prev_term = cases[i].term, .sequence = 6}};
        core_message(&core, &append);
        assert_int_equal(core.effects.contradicted_index, cases[i].told);
    }
    struct raft_message append = {
        .type = RAFT_APPEND_REQUEST,
        .from = 2,
        .to = 1,
        .term = 9,
        .append_request = {.prev_index = 4, .prev_term = 1, .entries = &other, .count = 1, .sequence = 7}};
    core_message(&core, &append); /* where the log cannot tell, its terms do */
    assert_int_equal(core.effects.contradicted_index, 5);
    assert_int_equal(raft_last_index(core.raft), 12);
    core_stop(&core);
}

static void an_image_is_one_write_with_nothing_beside_it(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 4, 2, &(struct log_of){{1, 1, 2}}, NULL);
    assert_int_equal(install(&core, 10, 3, 4, &founders), LF_OK);
    assert_true(core.effects.persist.install);
    assert_int_equal(core.effects.persist.install_index, 10);
    assert_int_equal(core.effects.persist.install_term, 3);
    assert_int_equal(core.effects.persist.first_index, 11);
    assert_int_equal(core.effects.persist.count, 0);
    assert_false(core.effects.persist.truncate);
    assert_int_equal(core.effects.truncated_from, 1); /* of the caches */
    assert_int_equal(core.effects.persist.term, 4);
    assert_int_equal(core.effects.persist.vote, 2);
    assert_int_equal(core.effects.commit, 10);
    assert_int_equal(raft_previous_index(core.raft), 10);
    core_wrote_last(&core);
    assert_int_equal(raft_durable_index(core.raft), 10);
    core_stop(&core);
}

static void a_leader_installs_nothing(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 4, 0, &(struct log_of){{1, 1, 2}}, NULL);
    core_lead(&core, true);
    assert_int_equal(install(&core, 10, 3, 4, &founders), LF_EXISTS);
    assert_int_equal(raft_role(core.raft), RAFT_LEADER);
    core_stop(&core);
}

static void a_candidate_gives_up_for_an_image(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 4, 0, &(struct log_of){{1, 1, 2}}, NULL);
    core_tick_until_role(&core, RAFT_PRE_CANDIDATE);
    assert_int_equal(install(&core, 10, 3, 4, &founders), LF_OK);
    assert_int_equal(raft_role(core.raft), RAFT_FOLLOWER);
    core_stop(&core);
}

static void what_is_not_committed_is_not_compacted(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 4, 0, &(struct log_of){{1, 1, 2}}, NULL);
    assert_int_equal(compact(&core, 1), LF_INVALID);
    struct raft_message beat = heartbeat(&core, 2, 4, 2, 1);
    core_message(&core, &beat);
    assert_int_equal(compact(&core, 3), LF_INVALID);
    assert_int_equal(compact(&core, 2), LF_OK);
    assert_int_equal(raft_previous_index(core.raft), 2);
    assert_int_equal(raft_entry_term(core.raft, 2), 1);
    assert_int_equal(raft_entry_term(core.raft, 1), 0);
    assert_int_equal(compact(&core, 1), LF_OK); /* said again, late */
    assert_int_equal(raft_previous_index(core.raft), 2);
    core_stop(&core);
}

static void an_offer_that_is_needed_is_told_to_the_owner_and_one_that_is_not_is_acknowledged(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 4, 0, &(struct log_of){{1, 1, 2}}, NULL);
    struct raft_message needed = offer(&core, 2, 4, 9, 3), held = offer(&core, 2, 4, 3, 2);
    core_message(&core, &needed);
    assert_int_equal(core.effects.offered_by, 2);
    assert_int_equal(core.effects.offered_index, 9);
    assert_false(core_sent(&core, RAFT_APPEND_REPLY, 2)->append_reply.accepted);
    core_message(&core, &held);
    assert_int_equal(core.effects.offered_by, 0);
    assert_true(core_sent(&core, RAFT_APPEND_REPLY, 2)->append_reply.accepted);
    assert_int_equal(core_sent(&core, RAFT_APPEND_REPLY, 2)->append_reply.durable, 3);
    assert_int_equal(core.effects.commit, 3);
    core_stop(&core);
}

static void an_offer_of_an_older_leader_or_of_nothing_is_none(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 4, 0, &(struct log_of){{1, 1, 2}}, NULL);
    struct raft_message old = offer(&core, 2, 3, 9, 3), nothing = offer(&core, 2, 4, 0, 3),
                        ahead = offer(&core, 2, 4, 9, 5);
    core_message(&core, &old);
    assert_int_equal(core.effects.offered_by, 0);
    assert_int_equal(core_sent(&core, RAFT_APPEND_REPLY, 2)->append_reply.sequence, 0); /* our term alone (B8) */
    core_message(&core, &nothing);
    assert_int_equal(core.effects.message_count, 0);
    core_message(&core, &ahead);
    assert_int_equal(core.effects.message_count, 0);
    core_stop(&core);
}

static void offers_go_out_at_once_and_with_every_beat(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 4, 0, &(struct log_of){{1, 1, 2}}, NULL);
    uint64_t noop = core_lead(&core, true);
    struct raft_message reply = append_ok(&core, 2, 1, noop, noop);
    core_message(&core, &reply);
    assert_int_equal(raft_commit(core.raft), noop);
    reply = append_refused(&core, 3, 1, noop - 1, 0, 0, 0);
    core_message(&core, &reply);
    compact(&core, noop);
    assert_true(core_peer(&core, 3).needs_image);
    assert_int_equal(core_sent_count(&core, RAFT_IMAGE_OFFER), 1);
    assert_int_equal(core_sent(&core, RAFT_IMAGE_OFFER, 3)->image_offer.index, noop);
    core_tick(&core, 50);
    assert_int_equal(core_sent_count(&core, RAFT_IMAGE_OFFER), 1);
    assert_int_equal(core_sent_count(&core, RAFT_APPEND_REQUEST), 0);
    core_stop(&core);
}

static void an_owner_offers_only_what_is_committed_and_lacking(void **state) {
    (void)state;
    struct core core;
    struct raft_event event = {.type = RAFT_EVENT_OFFER, .offer = {.replica = 3, .index = 4}};
    core_start(&core, 1, 3, 4, 0, &(struct log_of){{1, 1, 2}}, NULL);
    core_step(&core, &event);
    assert_int_equal(core.status, LF_NOT_LEADER);
    uint64_t noop = core_lead(&core, true);
    core_step(&core, &event);
    assert_int_equal(core.status, LF_INVALID);
    struct raft_message reply = append_ok(&core, 2, 1, noop, noop);
    core_message(&core, &reply);
    event.offer.replica = 2;
    core_step(&core, &event);
    assert_int_equal(core.status, LF_EXISTS);
    event.offer.replica = 9;
    core_step(&core, &event);
    assert_int_equal(core.status, LF_NOT_FOUND);
    event.offer.replica = 3;
    core_step(&core, &event);
    assert_int_equal(core.status, LF_OK);
    assert_int_equal(core_sent(&core, RAFT_IMAGE_OFFER, 3)->image_offer.index, 4);
    core_stop(&core);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_image_can_be_is_refused_and_changes_nothing),
        cmocka_unit_test(an_offer_or_append_of_another_history_is_told),
        cmocka_unit_test(an_image_is_one_write_with_nothing_beside_it),
        cmocka_unit_test(a_leader_installs_nothing),
        cmocka_unit_test(a_candidate_gives_up_for_an_image),
        cmocka_unit_test(what_is_not_committed_is_not_compacted),
        cmocka_unit_test(an_offer_that_is_needed_is_told_to_the_owner_and_one_that_is_not_is_acknowledged),
        cmocka_unit_test(an_offer_of_an_older_leader_or_of_nothing_is_none),
        cmocka_unit_test(offers_go_out_at_once_and_with_every_beat),
        cmocka_unit_test(an_owner_offers_only_what_is_committed_and_lacking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
