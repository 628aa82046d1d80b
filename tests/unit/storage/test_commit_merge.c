#include "commit_merge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void push(struct commit_queue *queue, uint64_t token, size_t bytes, bool sync) {
    struct log_store_write *write = log_store_write_new(token % 3, token);
    assert_non_null(write);
    write->bytes = bytes;
    write->sync = sync;
    commit_queue_push(queue, &write);
    assert_null(write);
}

static void expect(struct commit_queue *queue, uint64_t first_token, uint32_t count, bool sync) {
    struct commit commit;
    assert_true(commit_queue_take(queue, 1000, &commit));
    assert_int_equal(commit.count, count);
    assert_int_equal(commit.sync, sync);
    size_t bytes = 0;
    for (const struct log_store_write *write = commit.writes; write; write = write->next) {
        assert_int_equal(write->token, first_token++);
        bytes += write->bytes;
    }
    assert_int_equal(commit.bytes, bytes);
    commit_deinit(&commit);
}

static void expect_nothing(struct commit_queue *queue) {
    struct commit commit;
    assert_false(commit_queue_take(queue, 1000, &commit));
    assert_null(commit.writes);
    assert_int_equal(queue->count, 0);
    assert_int_equal(queue->bytes, 0);
}

static void writes_of_all_groups_go_together_oldest_first(void **state) {
    (void)state;
    struct commit_queue queue = {0};
    for (uint64_t token = 1; token <= 7; token++)
        push(&queue, token, 100, true);
    expect(&queue, 1, 7, true);
    expect_nothing(&queue);
}

static void a_commit_stays_within_its_bound(void **state) {
    (void)state;
    struct commit_queue queue = {0};
    push(&queue, 1, 400, true);
    push(&queue, 2, 600, true); /* exactly 1000 */
    push(&queue, 3, 999, true);
    push(&queue, 4, 2, true); /* one too many */
    push(&queue, 5, 998, true);
    expect(&queue, 1, 2, true);
    expect(&queue, 3, 1, true);
    expect(&queue, 4, 2, true);
    expect_nothing(&queue);
}

static void a_larger_write_goes_alone(void **state) {
    (void)state;
    struct commit_queue queue = {0};
    push(&queue, 1, 10, true);
    push(&queue, 2, 5000, true);
    push(&queue, 3, 10, true);
    push(&queue, 4, 6000, true);
    expect(&queue, 1, 1, true);
    expect(&queue, 2, 1, true);
    expect(&queue, 3, 1, true);
    expect(&queue, 4, 1, true);
    expect_nothing(&queue);
}

static void no_younger_write_overtakes_one_that_does_not_fit(void **state) {
    (void)state;
    struct commit_queue queue = {0};
    push(&queue, 1, 600, true);
    push(&queue, 2, 600, true);
    push(&queue, 3, 10, true);
    expect(&queue, 1, 1, true);
    expect(&queue, 2, 2, true);
}

static void a_commit_syncs_only_if_a_write_in_it_wants_that(void **state) {
    (void)state;
    struct commit_queue queue = {0};
    push(&queue, 1, 500, false);
    push(&queue, 2, 500, false);
    push(&queue, 3, 500, false);
    push(&queue, 4, 400, true);
    push(&queue, 5, 100, false);
    expect(&queue, 1, 2, false);
    expect(&queue, 3, 3, true);
    expect_nothing(&queue);
}

static void the_queue_frees_what_still_waits(void **state) {
    (void)state;
    struct commit_queue queue = {0};
    push(&queue, 1, 500, false);
    push(&queue, 2, 500, false);
    commit_queue_deinit(&queue);
    expect_nothing(&queue);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_of_all_groups_go_together_oldest_first),
        cmocka_unit_test(a_commit_stays_within_its_bound),
        cmocka_unit_test(a_larger_write_goes_alone),
        cmocka_unit_test(no_younger_write_overtakes_one_that_does_not_fit),
        cmocka_unit_test(a_commit_syncs_only_if_a_write_in_it_wants_that),
        cmocka_unit_test(the_queue_frees_what_still_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
