/** Facts about what the core remembers of the log, against a plain array. */
#include "core.h"

#include <stdlib.h>

#include "raft_log.h"

#define ENTRIES 400

static const struct raft_limits limits = {.sized_entries_max = 64,
                                          .log_runs_max = 100,
                                          .append_entries_max = 16,
                                          .append_bytes_max = 1000,
                                          .unsized_entries_max = 4};

static void empty(struct raft_log *log, uint64_t previous_index, uint64_t previous_term) {
    struct raft_configuration_at at = {.configuration = voters(3)};
    struct raft_start start = {.previous_index = previous_index,
                               .previous_term = previous_term,
                               .last_index = previous_index,
                               .configurations = &at,
                               .configuration_count = 1};
    assert_int_equal(raft_log_init(log, &start, &limits), LF_OK);
}

static void add(struct raft_log *log, uint64_t term, uint32_t bytes, uint64_t keep_above) {
    struct raft_entry entry = {.term = term, .bytes = bytes};
    assert_int_equal(raft_log_reserve(log, &entry, 1, 0, keep_above), LF_OK);
    raft_log_append(log, term, bytes, NULL);
}

static uint64_t not_above(const uint64_t *terms, uint64_t last, uint64_t index, uint64_t term) {
    for (uint64_t i = index < last ? index : last; i > 0; i--)
        if (terms[i] <= term)
            return i;
    return 0;
}

static void terms_and_bytes_agree_with_a_plain_array_through_appends_and_cuts(void **state) {
    (void)state;
    struct raft_log log;
    uint64_t terms[ENTRIES + 1] = {0};
    uint32_t bytes[ENTRIES + 1] = {0};
    uint32_t random = 1;
    for (int world = 0; world < 40; world++) {
        empty(&log, 0, 0);
        uint64_t last = 0, term = 1, previous = 0;
        for (int step = 0; step < 600; step++) {
            random = random * 1664525u + 1013904223u;
            if (world % 2 == 1 && last > previous && random % 29 == 0) {
                previous += 1 + (random >> 8) % (last - previous);
                raft_log_compact(&log, previous);
            } else if (last > previous && random % 23 == 0) {
                uint64_t first = previous + 1 + (random >> 8) % (last - previous);
                raft_log_truncate(&log, first);
                last = first - 1;
                term = term + 1;
            } else if (last < ENTRIES) {
                term += (random >> 4) % 9 == 0;
                if (log.run_count < limits.log_runs_max) {
                    last++;
                    terms[last] = term;
                    bytes[last] = 1 + (random >> 12) % 400;
                    add(&log, term, bytes[last], last / 2);
                }
            }
            assert_int_equal(log.last_index, last);
            uint64_t index = (random >> 3) % (last + 3);
            assert_int_equal(log.previous_index, previous);
            assert_int_equal(raft_log_term(&log, index), index >= previous && index <= last ? terms[index] : 0);
            uint64_t matching = not_above(terms, last, index, (random >> 9) % (term + 2));
            assert_int_equal(raft_log_not_above(&log, index, (random >> 9) % (term + 2)),
                             matching > previous ? matching : previous);
            index = index > previous ? index : previous;
            uint64_t remembered = index > previous ? raft_log_bytes(&log, index - 1, index) : 0, stretch = 0;
            assert_true(remembered == 0 || remembered == bytes[index]);
            for (uint64_t at = index + 1; at <= last; at++)
                stretch += at >= log.sized_from ? bytes[at] : 0;
            assert_int_equal(raft_log_bytes(&log, index, last), stretch);
            assert_true(log.last_index + 1 - log.sized_from <= log.size_capacity);
        }
        raft_log_deinit(&log);
    }
}

static struct raft_configuration_at epoch_at(uint64_t index, uint64_t epoch) {
    struct raft_configuration_at at = {.index = index, .configuration = voters(3)};
    at.configuration.epoch = epoch;
    return at;
}

static void d11_compaction_keeps_the_configuration_in_force_where_the_log_begins(void **state) {
    (void)state;
    struct raft_log log;
    struct raft_configuration_at at = epoch_at(0, 1);
    empty(&log, 0, 0);
    for (uint64_t index = 1; index <= 9; index++) {
        struct raft_entry entry = {.term = 1, .bytes = 10};
        at.configuration.epoch = index;
        if (index == 3 || index == 7)
            entry.configuration = &at.configuration;
        assert_int_equal(raft_log_reserve(&log, &entry, 1, 0, 0), LF_OK);
        raft_log_append(&log, 1, 10, entry.configuration);
    }
    raft_log_compact(&log, 6);
    assert_int_equal(log.configuration_count, 2);
    assert_int_equal(log.configurations[0].index, 3);
    assert_true(raft_log_truncate(&log, 7));
    assert_int_equal(raft_log_configuration(&log)->index, 3);
    assert_int_equal(raft_log_configuration(&log)->configuration.epoch, 3);
    raft_log_deinit(&log);
}

static void a11_an_image_leaves_an_empty_log_that_ends_with_its_entry(void **state) {
    (void)state;
    struct raft_log log;
    struct raft_configuration_at at = epoch_at(90, 5);
    empty(&log, 0, 0);
    for (uint64_t index = 1; index <= 9; index++)
        add(&log, index, 10, 0);
    raft_log_install(&log, 100, 12, &at);
    assert_int_equal(log.last_index, 100);
    assert_int_equal(raft_log_last_term(&log), 12);
    assert_int_equal(raft_log_term(&log, 100), 12);
    assert_int_equal(raft_log_term(&log, 9), 0);
    assert_int_equal(raft_log_configuration(&log)->index, 90);
    assert_false(raft_log_covered_by(&log, 500, 11));
    add(&log, 12, 33, 0);
    assert_int_equal(raft_log_bytes(&log, 100, 101), 33);
    assert_int_equal(raft_log_fitting(&log, 101, &limits), 1);
    raft_log_deinit(&log);
}

static void wanted_bytes_are_kept_up_to_the_bound(void **state) {
    (void)state;
    struct raft_log log;
    empty(&log, 0, 0);
    for (uint64_t index = 1; index <= 64; index++)
        add(&log, 1, (uint32_t)index, 0);
    for (uint64_t index = 1; index <= 64; index++)
        assert_int_equal(raft_log_bytes(&log, index - 1, index), index);
    add(&log, 1, 65, 0);
    assert_int_equal(raft_log_bytes(&log, 0, 1), 0); /* the bound: the oldest is forgotten */
    assert_int_equal(raft_log_bytes(&log, 64, 65), 65);
    raft_log_deinit(&log);
}

static void a_message_holds_at_least_one_entry_and_no_more_than_its_limits(void **state) {
    (void)state;
    struct raft_log log;
    empty(&log, 0, 0);
    static const uint32_t sizes[] = {5000, 400, 400, 400, 10};
    for (size_t i = 0; i < 5; i++)
        add(&log, 1, sizes[i], 0);
    assert_int_equal(raft_log_fitting(&log, 1, &limits), 1);
    assert_int_equal(raft_log_fitting(&log, 2, &limits), 2);
    assert_int_equal(raft_log_fitting(&log, 4, &limits), 2);
    assert_int_equal(raft_log_fitting(&log, 6, &limits), 0);
    for (int i = 0; i < 30; i++)
        add(&log, 1, 1, 0);
    assert_int_equal(raft_log_fitting(&log, 6, &limits), 16);
    raft_log_deinit(&log);
}

static void more_term_changes_than_the_bound_are_refused(void **state) {
    (void)state;
    struct raft_log log;
    empty(&log, 0, 0);
    for (uint64_t term = 1; term <= 100; term++)
        add(&log, term, 1, 0);
    struct raft_entry same = {.term = 100, .bytes = 1}, next = {.term = 101, .bytes = 1};
    assert_int_equal(raft_log_reserve(&log, &same, 1, 0, 0), LF_OK);
    assert_int_equal(raft_log_reserve(&log, &next, 1, 0, 0), LF_FULL);
    raft_log_deinit(&log);
}

static void what_precedes_the_log_has_its_term(void **state) {
    (void)state;
    struct raft_log log;
    empty(&log, 50, 7);
    assert_int_equal(raft_log_term(&log, 50), 7);
    assert_int_equal(raft_log_term(&log, 49), 0);
    assert_int_equal(raft_log_last_term(&log), 7); /* A11: not 0 because the log is empty */
    assert_false(raft_log_covered_by(&log, 100, 6));
    assert_true(raft_log_covered_by(&log, 50, 7));
    assert_int_equal(raft_log_not_above(&log, 60, 3), 50);
    raft_log_deinit(&log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_and_bytes_agree_with_a_plain_array_through_appends_and_cuts),
        cmocka_unit_test(d11_compaction_keeps_the_configuration_in_force_where_the_log_begins),
        cmocka_unit_test(a11_an_image_leaves_an_empty_log_that_ends_with_its_entry),
        cmocka_unit_test(wanted_bytes_are_kept_up_to_the_bound),
        cmocka_unit_test(a_message_holds_at_least_one_entry_and_no_more_than_its_limits),
        cmocka_unit_test(more_term_changes_than_the_bound_are_refused),
        cmocka_unit_test(what_precedes_the_log_has_its_term),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
