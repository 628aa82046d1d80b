/** Groups, hard state, entries, truncation, order, identity: S1 to S4, S6. */
#include "contract.h"

static void new_store_holds_no_groups(void **state) {
    struct contract *contract = *state;
    assert_int_equal(contract->store->group_count, 0);
    assert_int_equal(contract->store->identity.node_id, 7);
    struct log_store_completion *completion = contract_load(contract, 3);
    assert_false(completion->loaded->exists);
    log_store_completion_destroy(&completion);
}

static void entries_come_back_byte_for_byte(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    contract_add(write, 1, 20, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_expect_entries(contract, 3, 1, 20, 1);
    contract_reopen(contract);
    contract_expect_entries(contract, 3, 1, 20, 1);
    contract_expect_entries(contract, 3, 15, 6, 1);
}

static void load_gives_hard_state_and_runs(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    contract_add(write, 1, 2, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_write(3, 2);
    write->has_hard_state = true;
    write->term = 4;
    write->vote = 9;
    contract_add(write, 3, 1, 2);
    contract_add(write, 4, 2, 4);
    assert_int_equal(contract_do(contract, write), LF_OK);
    for (int round = 0; round < 2; round++) {
        struct log_store_completion *completion = contract_load(contract, 3);
        const struct log_store_loaded *loaded = completion->loaded;
        assert_true(loaded->exists);
        assert_int_equal(loaded->replica_id, 103);
        assert_int_equal(loaded->term, 4);
        assert_int_equal(loaded->vote, 9);
        assert_int_equal(loaded->first_index, 1);
        assert_int_equal(loaded->last_index, 5);
        assert_int_equal(loaded->run_count, 3);
        assert_int_equal(loaded->runs[0].first_index, 1);
        assert_int_equal(loaded->runs[0].term, 1);
        assert_int_equal(loaded->runs[1].first_index, 3);
        assert_int_equal(loaded->runs[1].term, 2);
        assert_int_equal(loaded->runs[2].first_index, 4);
        assert_int_equal(loaded->runs[2].term, 4);
        log_store_completion_destroy(&completion);
        contract_reopen(contract);
    }
}

static void s2_completions_come_in_the_order_submitted(void **state) {
    struct contract *contract = *state;
    uint64_t token = 0;
    for (uint64_t group = 0; group < 4; group++)
        contract_submit(contract, contract_create(group, ++token));
    for (uint64_t index = 1; index <= 50; index++)
        for (uint64_t group = 0; group < 4; group++) {
            struct log_store_write *write = contract_write(group, ++token);
            contract_add(write, index, 1, 1);
            write->sync = index % 3 == 0;
            contract_submit(contract, write);
        }
    for (uint64_t wanted = 1; wanted <= token; wanted++) {
        struct log_store_completion *completion = contract_wait(contract);
        assert_int_equal(completion->id, wanted);
        assert_int_equal(completion->status, LF_OK);
        log_store_completion_destroy(&completion);
    }
    for (uint64_t group = 0; group < 4; group++)
        contract_expect_entries(contract, group, 1, 50, 1);
}

static void s3_a_completed_write_survives_a_kill(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    contract_add(write, 1, 5, 1);
    write->sync = false;
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_write(3, 2);
    contract_add(write, 6, 5, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_kill_and_reopen(contract);
    contract_expect_entries(contract, 3, 1, 10, 1);
    contract_kill_and_reopen(contract);
    contract_expect_entries(contract, 3, 1, 10, 1);
}

static void s4_a_hole_is_refused_and_nothing_of_it_written(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    contract_add(write, 1, 5, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_write(3, 2);
    contract_add(write, 7, 2, 1);
    write->applied_index = 3;
    contract_row(write, "k", "v");
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    contract_expect_entries(contract, 3, 1, 5, 1);
    assert_string_equal(contract_row_of(contract, 3, "k"), "-");
    write = contract_write(3, 3);
    contract_add(write, 6, 1, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_reopen(contract);
    contract_expect_entries(contract, 3, 1, 6, 1);
}

static void s4_a_hole_behind_a_truncation_is_refused(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    contract_add(write, 1, 5, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_write(3, 2);
    write->truncate_from = 3;
    contract_add(write, 4, 2, 1);
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    contract_expect_entries(contract, 3, 1, 5, 1);
}

static void entries_over_entries_without_truncation_are_refused(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    contract_add(write, 1, 5, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_write(3, 2);
    contract_add(write, 5, 1, 1);
    assert_int_equal(contract_do(contract, write), LF_INVALID);
}

static void entries_whose_header_says_another_index_are_refused(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    assert_int_equal(log_store_write_add_entry(write, 1, contract_entry(3, 2, 1, 2, 10)), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    contract_reopen(contract);
    assert_int_equal(contract->store->group_count, 0);
}

static void an_entry_above_the_durable_term_is_refused(void **state) {
    struct contract *contract = *state;
    assert_int_equal(contract_do(contract, contract_create(3, 1)), LF_OK);
    struct log_store_write *write = contract_write(3, 2);
    contract_add(write, 1, 1, 2);
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    write = contract_write(3, 3);
    write->has_hard_state = true;
    write->term = 2;
    contract_add(write, 1, 1, 2);
    assert_int_equal(contract_do(contract, write), LF_OK);
}

static void terms_never_go_back_and_a_term_has_one_vote(void **state) {
    struct contract *contract = *state;
    const struct {
        uint64_t term, vote;
        enum lf_status status;
    } steps[] = {{5, 0, LF_OK},      {4, 0, LF_INVALID}, {5, 8, LF_OK}, {5, 9, LF_INVALID},
                 {5, 0, LF_INVALID}, {5, 8, LF_OK},      {6, 9, LF_OK}};
    assert_int_equal(contract_do(contract, contract_create(3, 1)), LF_OK);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct log_store_write *write = contract_write(3, 2 + i);
        write->has_hard_state = true;
        write->term = steps[i].term;
        write->vote = steps[i].vote;
        assert_int_equal(contract_do(contract, write), steps[i].status);
    }
    contract_reopen(contract);
    struct log_store_completion *completion = contract_load(contract, 3);
    assert_int_equal(completion->loaded->term, 6);
    assert_int_equal(completion->loaded->vote, 9);
    log_store_completion_destroy(&completion);
}

static void truncation_removes_and_new_entries_take_the_place(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    contract_add(write, 1, 10, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_write(3, 2);
    write->has_hard_state = true;
    write->term = 2;
    write->truncate_from = 6;
    contract_add(write, 6, 2, 2);
    assert_int_equal(contract_do(contract, write), LF_OK);
    for (int round = 0; round < 2; round++) {
        contract_expect_entries(contract, 3, 6, 2, 2);
        struct log_store_completion *completion = contract_load(contract, 3);
        assert_int_equal(completion->loaded->last_index, 7);
        assert_int_equal(completion->loaded->run_count, 2);
        assert_int_equal(completion->loaded->runs[1].first_index, 6);
        log_store_completion_destroy(&completion);
        contract_kill_and_reopen(contract);
    }
    write = contract_write(3, 3);
    write->truncate_from = 1;
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_kill_and_reopen(contract);
    contract_expect_entries(contract, 3, 1, 0, 1);
    write = contract_write(3, 4);
    contract_add(write, 1, 3, 2);
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_reopen(contract);
    contract_expect_entries(contract, 3, 1, 3, 2);
}

static void truncation_of_many_entries_leaves_none_behind(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    contract_add(write, 1, 3000, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_write(3, 2);
    write->truncate_from = 2;
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_reopen(contract);
    contract_expect_entries(contract, 3, 1, 1, 1);
    write = contract_write(3, 3);
    contract_add(write, 2, 5, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_reopen(contract);
    contract_expect_entries(contract, 3, 1, 6, 1);
}

static void truncation_of_applied_entries_is_refused(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    contract_add(write, 1, 5, 1);
    write->applied_index = 3;
    assert_int_equal(contract_do(contract, write), LF_OK);
    write = contract_write(3, 2);
    write->truncate_from = 3;
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    write = contract_write(3, 3);
    write->truncate_from = 4;
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_expect_entries(contract, 3, 1, 3, 1);
}

static void groups_are_created_once_and_only_then_written(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_write(3, 1);
    contract_add(write, 1, 1, 1);
    assert_int_equal(contract_do(contract, write), LF_INVALID);
    assert_int_equal(contract_do(contract, contract_create(3, 2)), LF_OK);
    assert_int_equal(contract_do(contract, contract_create(3, 3)), LF_INVALID);
    write = contract_write(4, 4);
    write->destroy = true;
    assert_int_equal(contract_do(contract, write), LF_INVALID);
}

static void a_destroyed_group_is_gone_and_its_successor_starts_empty(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(3, 1);
    contract_add(write, 1, 10, 1);
    write->applied_index = 5;
    contract_row(write, "k", "old");
    assert_int_equal(log_store_write_add_hint(write, (struct log_store_hint){.index = 5, .offset = 4}), LF_OK);
    assert_int_equal(contract_do(contract, write), LF_OK);
    assert_int_equal(contract_do(contract, contract_create(4, 2)), LF_OK);
    write = contract_write(3, 3);
    write->destroy = true;
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_kill_and_reopen(contract);
    assert_int_equal(contract->store->group_count, 1);
    assert_int_equal(contract->store->groups[0], 4);
    write = contract_create(3, 4);
    contract_add(write, 1, 2, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    contract_reopen(contract);
    contract_expect_entries(contract, 3, 1, 2, 1);
    assert_string_equal(contract_row_of(contract, 3, "k"), "-");
    assert_int_equal(contract_find(contract, 3, LOG_STORE_READ_OFFSET, 1, UINT64_MAX), 2);
}

static void groups_present_are_listed_in_order(void **state) {
    struct contract *contract = *state;
    const uint64_t ids[] = {300, 0, 5, UINT64_MAX, 256, 1};
    const uint64_t wanted[] = {0, 1, 5, 256, 300, UINT64_MAX};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(contract_do(contract, contract_create(ids[i], i)), LF_OK);
    contract_reopen(contract);
    assert_int_equal(contract->store->group_count, 6);
    assert_memory_equal(contract->store->groups, wanted, sizeof wanted);
}

static void another_node_may_not_open_the_store(void **state) {
    struct contract *contract = *state;
    log_store_close(&contract->store);
    struct log_store_identity other = contract_identity;
    struct lf_error error = {0};
    struct log_store *store = NULL;
    other.node_id = 8;
    assert_int_equal(contract->backend->open(contract->disk, &other, &store, &error), LF_WRONG_STORE);
    assert_null(store);
    assert_non_null(strstr(error.text, "8"));
    contract_open(contract);
}

static void the_store_keeps_its_uuid(void **state) {
    struct contract *contract = *state;
    log_store_close(&contract->store);
    struct log_store_identity other = contract_identity;
    struct lf_error error = {0};
    memset(other.store_uuid, 0xee, sizeof other.store_uuid);
    assert_int_equal(contract->backend->open(contract->disk, &other, &contract->store, &error), LF_OK);
    assert_memory_equal(contract->store->identity.store_uuid, contract_identity.store_uuid, LOG_STORE_ID_BYTES);
}

static struct log_store_write *pin(uint64_t token, uint8_t byte) {
    struct log_store_write *write = contract_write(0, token);
    write->has_cluster_id = true;
    memset(write->cluster_id, byte, sizeof write->cluster_id);
    return write;
}

static void a_pinned_cluster_id_stays_and_guards_the_store(void **state) {
    struct contract *contract = *state;
    struct log_store_identity other = contract_identity;
    struct lf_error error = {0};
    struct log_store *store = NULL;
    assert_int_equal(contract_do(contract, contract_create(0, 1)), LF_OK);
    assert_int_equal(contract_do(contract, pin(2, 0xaa)), LF_OK);
    assert_int_equal(contract->store->identity.cluster_id[0], 0xaa);
    assert_int_equal(contract_do(contract, pin(3, 0xaa)), LF_OK);
    contract_reopen(contract);
    assert_int_equal(contract->store->identity.cluster_id[3], 0xaa);
    log_store_close(&contract->store);
    memset(other.cluster_id, 0xbb, sizeof other.cluster_id);
    assert_int_equal(contract->backend->open(contract->disk, &other, &store, &error), LF_WRONG_STORE);
    memset(other.cluster_id, 0xaa, sizeof other.cluster_id);
    assert_int_equal(contract->backend->open(contract->disk, &other, &contract->store, &error), LF_OK);
}

static void s6_a_failed_write_fails_all_later_ones(void **state) {
    struct contract *contract = *state;
    struct log_store_write *write = contract_create(0, 1);
    contract_add(write, 1, 1, 1);
    assert_int_equal(contract_do(contract, write), LF_OK);
    assert_int_equal(contract_do(contract, pin(2, 0xaa)), LF_OK);
    contract_submit(contract, pin(3, 0xbb));
    for (uint64_t token = 4; token < 7; token++) {
        write = contract_write(0, token);
        contract_add(write, token - 2, 1, 1);
        contract_submit(contract, write);
    }
    for (uint64_t token = 3; token < 7; token++) {
        struct log_store_completion *completion = contract_wait(contract);
        assert_int_equal(completion->id, token);
        assert_int_equal(completion->status, LF_WRONG_STORE);
        log_store_completion_destroy(&completion);
    }
    contract_expect_entries(contract, 0, 1, 1, 1);
    contract_reopen(contract);
    contract_expect_entries(contract, 0, 1, 1, 1);
    assert_int_equal(contract->store->identity.cluster_id[0], 0xaa);
}

static void submitting_is_bounded_and_one_larger_write_goes_alone(void **state) {
    struct contract *contract = *state;
    assert_int_equal(contract_do(contract, contract_create(3, 1)), LF_OK);
    uint64_t index = 1, token = 1, completed = 1;
    enum lf_status status = LF_OK;
    struct log_store_write *write = NULL;
    for (; status == LF_OK && token < 100; index++) {
        write = contract_write(3, ++token);
        write->sync = false;
        struct lf_buf *entry = contract_entry(3, index, 1, index, 3u << 20);
        assert_int_equal(log_store_write_add_entry(write, index, entry), LF_OK);
        write->bytes += 12u << 20; /* as if it were larger: the bound goes by this figure */
        status = log_store_submit(contract->store, &write);
    }
    assert_int_equal(status, LF_FULL);
    assert_non_null(write);
    for (; completed < token - 1; completed++) {
        struct log_store_completion *completion = contract_wait(contract);
        assert_int_equal(completion->status, LF_OK);
        log_store_completion_destroy(&completion);
    }
    assert_int_equal(log_store_submit(contract->store, &write), LF_OK);
    struct log_store_completion *completion = contract_wait(contract);
    assert_int_equal(completion->status, LF_OK);
    log_store_completion_destroy(&completion);
    write = contract_write(3, 1000);
    write->bytes = 200u << 20;
    assert_int_equal(contract_do(contract, write), LF_OK);
}

static void closing_finishes_what_was_submitted(void **state) {
    struct contract *contract = *state;
    contract_submit(contract, contract_create(3, 1));
    for (uint64_t index = 1; index <= 100; index++) {
        struct log_store_write *write = contract_write(3, index + 1);
        contract_add(write, index, 1, 1);
        contract_submit(contract, write);
    }
    contract_reopen(contract);
    contract_expect_entries(contract, 3, 1, 100, 1);
}

static void figures_tell_what_was_written_and_what_waits(void **state) {
    struct contract *contract = *state;
    struct log_store_stats stats;
    struct log_store_engine_stats engine;
    log_store_stats(contract->store, &stats);
    assert_int_equal(stats.oldest_write_us, 0);
    uint64_t before = stats.writes, synced = lf_histogram_count(&stats.sync_us);
    assert_int_equal(contract_do(contract, contract_create(3, 1)), LF_OK);
    struct log_store_write *write = contract_write(3, 2);
    contract_add(write, 1, 10, 1);
    write->sync = true;
    size_t bytes = write->bytes;
    contract_submit(contract, write);
    log_store_stats(contract->store, &stats);
    assert_int_equal(stats.writes_waiting, 1);
    assert_int_equal(stats.bytes_waiting, bytes);
    assert_true(stats.bytes_waiting <= stats.bytes_waiting_max);
    struct log_store_completion *completion = contract_wait(contract);
    log_store_completion_destroy(&completion);
    log_store_stats(contract->store, &stats);
    assert_int_equal(stats.writes_waiting, 0);
    assert_int_equal(stats.bytes_waiting, 0);
    assert_int_equal(stats.oldest_write_us, 0);
    assert_int_equal(stats.writes - before, 2);
    assert_true(lf_histogram_count(&stats.sync_us) > synced);
    assert_int_equal(lf_histogram_count(&stats.sync_us), stats.syncs);
    assert_int_equal(lf_histogram_count(&stats.write_us), 2);
    assert_true(stats.bytes_written >= bytes);
    log_store_engine_stats(contract->store, &engine);
    assert_int_equal(engine.background_errors, 0);
    assert_false(engine.writes_stopped);
}

const struct CMUnitTest contract_log_tests[] = {
    CONTRACT_TEST(new_store_holds_no_groups),
    CONTRACT_TEST(entries_come_back_byte_for_byte),
    CONTRACT_TEST(load_gives_hard_state_and_runs),
    CONTRACT_TEST(s2_completions_come_in_the_order_submitted),
    CONTRACT_TEST(s3_a_completed_write_survives_a_kill),
    CONTRACT_TEST(s4_a_hole_is_refused_and_nothing_of_it_written),
    CONTRACT_TEST(s4_a_hole_behind_a_truncation_is_refused),
    CONTRACT_TEST(entries_over_entries_without_truncation_are_refused),
    CONTRACT_TEST(entries_whose_header_says_another_index_are_refused),
    CONTRACT_TEST(an_entry_above_the_durable_term_is_refused),
    CONTRACT_TEST(terms_never_go_back_and_a_term_has_one_vote),
    CONTRACT_TEST(truncation_removes_and_new_entries_take_the_place),
    CONTRACT_TEST(truncation_of_many_entries_leaves_none_behind),
    CONTRACT_TEST(truncation_of_applied_entries_is_refused),
    CONTRACT_TEST(groups_are_created_once_and_only_then_written),
    CONTRACT_TEST(a_destroyed_group_is_gone_and_its_successor_starts_empty),
    CONTRACT_TEST(groups_present_are_listed_in_order),
    CONTRACT_TEST(another_node_may_not_open_the_store),
    CONTRACT_TEST(the_store_keeps_its_uuid),
    CONTRACT_TEST(a_pinned_cluster_id_stays_and_guards_the_store),
    CONTRACT_TEST(s6_a_failed_write_fails_all_later_ones),
    CONTRACT_TEST(submitting_is_bounded_and_one_larger_write_goes_alone),
    CONTRACT_TEST(closing_finishes_what_was_submitted),
    CONTRACT_TEST(figures_tell_what_was_written_and_what_waits),
};
const size_t contract_log_test_count = sizeof contract_log_tests / sizeof contract_log_tests[0];
