/** C2: a batch keeps its number until its fate is known; doubts are settled by a higher epoch, never by a guess. */
#include "core_state.h"
#include "fake_cluster.h"

#define PUBLISH LF__CLIENT_REQUEST__BODY_PUBLISH
#define RAISE LF__CLIENT_REQUEST__BODY_RAISE_PRODUCER_EPOCH

static int setup(void **state) {
    struct lf_client_options options = fake_options();
    options.delivery_timeout_ms = 3000;
    *state = fake_new_with(&options);
    return 0;
}
static int teardown(void **state) {
    fake_free(*state);
    return 0;
}

static void publish_batches(struct fake *fake, uintptr_t first, int count) {
    for (int i = 0; i < count; i++)
        assert_int_equal(fake_publish(fake, "t", 0, first + (uintptr_t)i, 10000), LF_OK);
}

/* Message 0 is sent and never answered; then, later, 1 and 2 are published and sent too. Time-out of 0 only. */
static void one_given_up_two_unanswered(struct fake *fake) {
    publish_batches(fake, 0, 1);
    fake_wait(fake, 1, PUBLISH, 0);
    fake_run(fake, 2000);
    publish_batches(fake, 1, 2);
    fake_wait(fake, 1, PUBLISH, 2);
    fake_run(fake, 1000);
    assert_int_equal(fake->outcome_count, 1);
    assert_int_equal(fake->outcomes[0].status, LF_UNKNOWN_OUTCOME);
}

static void after_a_doubt_the_epoch_is_raised_before_anything_is_sent(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 1);
    fake_ignore(fake, fake_wait(fake, 1, PUBLISH, 0));
    fake_run(fake, 3000);
    fake_expect_outcomes(fake, 0, 1, LF_UNKNOWN_OUTCOME);
    fake_run(fake, 10000);
    assert_null(fake_request(fake, 0, RAISE, 0)); /* not needed before there is something to send */
    publish_batches(fake, 1, 1);
    struct fake_request *raise = fake_wait(fake, 1, RAISE, 0);
    assert_int_equal(raise->message->raise_producer_epoch->producer_id, 100);
    assert_int_equal(raise->message->raise_producer_epoch->producer_epoch, 1);
    assert_int_equal(fake_request_count(fake, PUBLISH), 0);
    fake_answer_raise(fake, raise, -1, -1, -1);
    struct fake_request *request = fake_wait(fake, 1, PUBLISH, 0);
    assert_int_equal(request->header.producer_epoch, 1);
    assert_int_equal(request->header.base_sequence, 0);
    fake_answer_publish(fake, request, 5, false);
    assert_int_equal(fake->outcomes[1].status, LF_OK);
}

static void what_was_accepted_is_done_and_the_rest_is_renumbered(void **state) {
    struct fake *fake = *state;
    one_given_up_two_unanswered(fake);
    /* Sequences 0 and 1 were accepted, 2 was not. */
    fake_answer_raise(fake, fake_wait(fake, 1, RAISE, 0), 1, 77, 0);
    assert_int_equal(fake->outcome_count, 2);
    assert_int_equal(fake->outcomes[1].status, LF_OK);
    assert_int_equal(fake->outcomes[1].offset, 77);
    /* The late answers to the old attempts mean nothing any more. */
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 0), 1000, false);
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 0), LF_PRODUCER_FENCED);
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 0), LF_PRODUCER_FENCED);
    struct fake_request *request = fake_wait(fake, 1, PUBLISH, 0);
    assert_int_equal(request->header.producer_epoch, 1);
    assert_int_equal(request->header.base_sequence, 0);
    fake_answer_publish(fake, request, 78, false);
    assert_int_equal(fake->outcome_count, 3);
    assert_int_equal(fake->outcomes[2].offset, 78);
}

static void an_accepted_batch_before_the_last_has_no_known_offset(void **state) {
    struct fake *fake = *state;
    one_given_up_two_unanswered(fake);
    fake_answer_raise(fake, fake_wait(fake, 1, RAISE, 0), 2, 90, 0); /* all three */
    assert_int_equal(fake->outcome_count, 3);
    assert_int_equal(fake->outcomes[1].status, LF_DUPLICATE);
    assert_int_equal(fake->outcomes[1].offset, -1);
    assert_int_equal(fake->outcomes[2].status, LF_OK);
    assert_int_equal(fake->outcomes[2].offset, 90);
    publish_batches(fake, 3, 1);
    assert_int_equal(fake_wait(fake, 1, PUBLISH, 3)->header.producer_epoch, 1);
}

static void nothing_accepted_means_all_are_sent_again_from_zero(void **state) {
    struct fake *fake = *state;
    one_given_up_two_unanswered(fake);
    while (fake_request(fake, 1, PUBLISH, 0))
        fake_ignore(fake, fake_request(fake, 1, PUBLISH, 0));
    fake_answer_raise(fake, fake_wait(fake, 1, RAISE, 0), -1, -1, -1);
    for (size_t i = 0; i < 2; i++) {
        struct fake_request *request = fake_wait(fake, 1, PUBLISH, i);
        assert_int_equal(request->header.base_sequence, i);
        assert_int_equal(request->header.producer_epoch, 1);
    }
}

/* The second doubt: what the broker accepted last was under the first epoch, so nothing of the second was, although the
 * numbers would fit. */
static void sequences_of_an_older_epoch_do_not_count(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 2);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 1, false);
    publish_batches(fake, 2, 1);
    fake_ignore(fake, fake_wait(fake, 1, PUBLISH, 0)); /* sequence 2 of epoch 0 */
    fake_run(fake, 3000);
    publish_batches(fake, 3, 1);
    fake_answer_raise(fake, fake_wait(fake, 1, RAISE, 0), 1, 1, 0);
    fake_ignore(fake, fake_wait(fake, 1, PUBLISH, 0)); /* sequence 0 of epoch 1 */
    fake_run(fake, 1000);
    publish_batches(fake, 4, 1);
    fake_ignore(fake, fake_wait(fake, 1, PUBLISH, 0)); /* sequence 1 of epoch 1 */
    fake_run(fake, 2000);
    struct fake_request *raise = fake_wait(fake, 1, RAISE, 0);
    assert_int_equal(raise->message->raise_producer_epoch->producer_epoch, 2);
    fake_answer_raise(fake, raise, 1, 1, 0); /* last: sequence 1 of epoch 0, of message 1 */
    assert_int_equal(fake->outcome_count, 4);
    struct fake_request *request = fake_wait(fake, 1, PUBLISH, 0);
    assert_int_equal(request->header.producer_epoch, 2);
    fake_answer_publish(fake, request, 9, false);
    assert_int_equal(fake->outcomes[4].status, LF_OK);
    assert_int_equal(fake->outcomes[4].offset, 9);
}

static void a_raise_is_repeated_with_its_epoch_and_goes_above_when_fenced(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 1);
    fake_ignore(fake, fake_wait(fake, 1, PUBLISH, 0));
    fake_run(fake, 3000);
    publish_batches(fake, 1, 1);
    fake_wait(fake, 1, RAISE, 0);
    fake_cut(fake, 1);
    struct fake_request *raise = fake_wait(fake, 0, RAISE, 0);
    assert_int_equal(raise->message->raise_producer_epoch->producer_epoch, 1);
    fake_answer(fake, raise, LF_UNKNOWN_OUTCOME);
    raise = fake_wait(fake, 0, RAISE, 0);
    assert_int_equal(raise->message->raise_producer_epoch->producer_epoch, 1);
    fake_answer_not_leader(fake, raise, 2, 9);
    raise = fake_wait(fake, 2, RAISE, 0);
    assert_int_equal(raise->message->raise_producer_epoch->producer_epoch, 1);
    fake_answer(fake, raise, LF_PRODUCER_FENCED);
    raise = fake_wait(fake, 2, RAISE, 0);
    assert_int_equal(raise->message->raise_producer_epoch->producer_epoch, 2);
    fake_answer_raise(fake, raise, -1, -1, -1);
    assert_int_equal(fake_wait(fake, 2, PUBLISH, 0)->header.producer_epoch, 2);
}

static void sequences_count_records_and_wrap_to_zero(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 1);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    struct lf_publisher *publisher = lf_topic_find(fake->core, "t")->partitions[0].publisher;
    assert_int_equal(publisher->next_sequence, 1);
    publisher->next_sequence = INT32_MAX - 1;
    for (uintptr_t i = 1; i <= 4; i++)
        fake_publish(fake, "t", 0, i, 10);
    struct fake_request *request = fake_wait(fake, 1, PUBLISH, 0);
    assert_int_equal(request->header.record_count, 4);
    assert_int_equal(request->header.base_sequence, INT32_MAX - 1);
    fake_answer_publish(fake, request, 1, false);
    publish_batches(fake, 5, 1);
    request = fake_wait(fake, 1, PUBLISH, 0);
    assert_int_equal(request->header.base_sequence, 2); /* ...646, ...647, 0, 1 were used */
    fake_answer_publish(fake, request, 5, false);
    fake_expect_outcomes(fake, 0, 6, LF_OK);
}

static void what_was_accepted_is_known_across_the_wrap(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 1);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    lf_topic_find(fake->core, "t")->partitions[0].publisher->next_sequence = INT32_MAX;
    publish_batches(fake, 1, 1);
    fake_ignore(fake, fake_wait(fake, 1, PUBLISH, 0)); /* sequence 2^31 - 1 */
    fake_run(fake, 2000);
    publish_batches(fake, 2, 2);
    fake_ignore(fake, fake_wait(fake, 1, PUBLISH, 0)); /* 0 */
    fake_ignore(fake, fake_wait(fake, 1, PUBLISH, 0)); /* 1 */
    fake_run(fake, 1000);
    fake_answer_raise(fake, fake_wait(fake, 1, RAISE, 0), 0, 44, 0);
    assert_int_equal(fake->outcome_count, 3);
    assert_int_equal(fake->outcomes[2].status, LF_OK);
    assert_int_equal(fake->outcomes[2].offset, 44);
    assert_int_equal(fake_wait(fake, 1, PUBLISH, 0)->header.base_sequence, 0);
}

static void a_forgotten_producer_takes_a_new_id(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 1);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    publish_batches(fake, 1, 2);
    fake_wait(fake, 1, PUBLISH, 1);
    /* The first was tried twice, so it may have been accepted long ago; the second was not. */
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 0), LF_UNKNOWN_OUTCOME);
    struct fake_request *second = fake_request(fake, 1, PUBLISH, 0), *first = fake_wait(fake, 1, PUBLISH, 1);
    fake_answer(fake, first, LF_PRODUCER_FORGOTTEN);
    assert_int_equal(fake->producers_given, 1); /* not before the other attempt is answered */
    fake_answer(fake, second, LF_PRODUCER_FORGOTTEN);
    struct fake_request *request = fake_wait(fake, 1, PUBLISH, 0);
    assert_int_equal(fake->outcome_count, 2);
    assert_int_equal(fake->outcomes[1].status, LF_PRODUCER_FORGOTTEN);
    assert_int_equal(lf_status_action(fake->outcomes[1].status), LF_ACTION_UNKNOWN);
    assert_int_equal(request->header.producer_id, 101);
    assert_int_equal(request->header.base_sequence, 0);
    fake_answer_publish(fake, request, 8, false);
    assert_int_equal(fake->outcomes[2].status, LF_OK);
    assert_int_equal(fake->outcomes[2].context, 2);
}

static void epochs_that_run_out_are_followed_by_a_new_id(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 1);
    fake_ignore(fake, fake_wait(fake, 1, PUBLISH, 0));
    fake_run(fake, 3000);
    lf_topic_find(fake->core, "t")->partitions[0].publisher->epoch = INT16_MAX;
    publish_batches(fake, 1, 1);
    struct fake_request *request = fake_wait(fake, 1, PUBLISH, 0);
    assert_int_equal(request->header.producer_id, 101);
    assert_int_equal(request->header.producer_epoch, 0);
    assert_int_equal(fake_request_count(fake, RAISE), 0);
}

static void the_producer_id_comes_from_the_controller_once_for_all_partitions(void **state) {
    struct fake *fake = *state;
    fake->controller = 3;
    for (int32_t p = 0; p < 3; p++)
        fake_publish(fake, "m", p, (uintptr_t)p, 10);
    for (uint64_t node = 1; node <= 3; node++)
        assert_int_equal(fake_wait(fake, node, PUBLISH, 0)->header.producer_id, 100);
    assert_int_equal(fake->producers_given, 1);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        FACT(after_a_doubt_the_epoch_is_raised_before_anything_is_sent),
        FACT(what_was_accepted_is_done_and_the_rest_is_renumbered),
        FACT(an_accepted_batch_before_the_last_has_no_known_offset),
        FACT(nothing_accepted_means_all_are_sent_again_from_zero),
        FACT(sequences_of_an_older_epoch_do_not_count),
        FACT(a_raise_is_repeated_with_its_epoch_and_goes_above_when_fenced),
        FACT(sequences_count_records_and_wrap_to_zero),
        FACT(what_was_accepted_is_known_across_the_wrap),
        FACT(a_forgotten_producer_takes_a_new_id),
        FACT(epochs_that_run_out_are_followed_by_a_new_id),
        FACT(the_producer_id_comes_from_the_controller_once_for_all_partitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
