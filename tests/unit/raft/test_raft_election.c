/** Facts about elections: catalogue A, H1-H3, H5. */
#include "core.h"

static const struct log_of terms_1_1_2 = {{1, 1, 2}};

static void a_single_voter_leads_and_commits_alone(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 1, 0, 0, NULL, NULL);
    uint64_t noop = core_lead(&core, false);
    assert_int_equal(noop, 1);
    assert_int_equal(core.effects.commit, 0);
    core_wrote_last(&core);
    assert_int_equal(core.effects.commit, 1);
    core_stop(&core);
}

static void a1_vote_leaves_only_after_its_write(void **state) {
    (void)state;
    struct core core;
    core_start(&core, 1, 3, 2, 0, &terms_1_1_2, NULL);
    struct raft_message request = vote_request(&core, 2, 5, 3, 2);
    core_message(&core, &request);
    assert_true(core.effects.has_persist);
    assert_int_equal(core.effects.persist.term, 5);
    assert_int_equal(core.effects.persist.vote, 2);
    assert_null(core_sent(&core, RAFT_VOTE_REPLY, 2));
    core_wrote_last(&core);
    assert_true(core_sent(&core, RAFT_VOTE_REPLY, 2)->vote_reply.granted);
    core_stop(&core);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_voter_leads_and_commits_alone),
        cmocka_unit_test(a1_vote_leaves_only_after_its_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
