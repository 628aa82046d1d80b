/** Publishing: C1 (one outcome each, in order), C3 (not done only when certain), C4 (window and credit), C6. */
#include "fake_cluster.h"

#define PUBLISH LF__CLIENT_REQUEST__BODY_PUBLISH

static int setup(void **state) {
    *state = fake_new();
    return 0;
}
static int teardown(void **state) {
    fake_free(*state);
    return 0;
}

static void publish_many(struct fake *fake, uintptr_t first, int count, size_t size) {
    for (int i = 0; i < count; i++)
        assert_int_equal(fake_publish(fake, "t", 0, first + (uintptr_t)i, size), LF_OK);
}

/* Each batch of its own: size above batch_bytes / 2. */
static void publish_batches(struct fake *fake, uintptr_t first, int count) { publish_many(fake, first, count, 10000); }

static void messages_linger_and_go_to_the_leader_as_one_batch(void **state) {
    struct fake *fake = *state;
    publish_many(fake, 0, 1, 10);
    fake_run(fake, 50); /* connect, metadata, producer id */
    struct fake_request *request = fake_request(fake, 1, PUBLISH, 0);
    assert_non_null(request);
    fake_answer_publish(fake, request, 40, false);
    publish_many(fake, 1, 3, 10);
    fake_run(fake, 4);
    assert_null(fake_request(fake, 0, PUBLISH, 0));
    fake_run(fake, 1);
    request = fake_request(fake, 1, PUBLISH, 0);
    assert_non_null(request);
    assert_int_equal(request->header.record_count, 3);
    assert_int_equal(request->header.producer_id, 100);
    assert_int_equal(request->header.base_sequence, 1);
    assert_int_equal(request->message->publish->topic->id, 7);
    fake_answer_publish(fake, request, 41, false);
    fake_expect_outcomes(fake, 0, 4, LF_OK);
    for (int i = 0; i < 4; i++)
        assert_int_equal(fake->outcomes[i].offset, 40 + i);
    assert_int_equal(lf_core_pending(fake->core), 0);
    assert_int_equal(lf_core_pending_bytes(fake->core), 0);
}

static void flush_ends_lingering(void **state) {
    struct fake *fake = *state;
    publish_many(fake, 0, 1, 10);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    publish_many(fake, 1, 1, 10);
    assert_null(fake_request(fake, 1, PUBLISH, 0));
    fake_flush(fake);
    assert_non_null(fake_request(fake, 1, PUBLISH, 0));
}

static void a_redirect_is_followed_at_once_with_the_same_sequence(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 3);
    fake_wait(fake, 1, PUBLISH, 2);
    uint64_t before = fake->now_ms;
    for (int i = 0; i < 3; i++)
        fake_answer_not_leader(fake, fake_request(fake, 1, PUBLISH, 0), 2, 4);
    for (size_t i = 0; i < 3; i++) {
        struct fake_request *request = fake_wait(fake, 2, PUBLISH, i);
        assert_int_equal(request->header.base_sequence, i);
        assert_int_equal(request->header.producer_epoch, 0);
    }
    assert_true(fake->now_ms - before <= 2);
    for (int i = 0; i < 3; i++)
        fake_answer_publish(fake, fake_request(fake, 2, PUBLISH, 0), i, false);
    fake_expect_outcomes(fake, 0, 3, LF_OK);
}

static void brokers_that_redirect_to_each_other_are_asked_with_pauses(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 1);
    fake_wait(fake, 1, PUBLISH, 0);
    int asked = 0;
    for (uint64_t end = fake->now_ms + 1000; fake->now_ms < end; fake_run(fake, 1)) {
        struct fake_request *request = fake_request(fake, 0, PUBLISH, 0);
        if (!request)
            continue;
        asked++;
        fake_answer_not_leader(fake, request, request->node == 1 ? 2 : 1, 4);
    }
    assert_in_range(asked, 5, 60);
}

static void a_connection_lost_in_flight_means_a_repeat_that_is_told_apart(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 2);
    fake_wait(fake, 1, PUBLISH, 1);
    fake->nodes[1].down = true;
    fake->topics[0].leader[0] = 2;
    fake->topics[0].leader_epoch[0] = 4;
    fake->controller = 2;
    fake_cut(fake, 1);
    assert_int_equal(fake->outcome_count, 0);
    struct fake_request *first = fake_wait(fake, 2, PUBLISH, 0), *second = fake_wait(fake, 2, PUBLISH, 1);
    assert_int_equal(first->header.base_sequence, 0);
    assert_int_equal(second->header.base_sequence, 1);
    assert_int_equal(first->header.producer_id, 100);
    fake_answer_publish(fake, first, 70, true); /* a repeat: the first answer's offset */
    fake_answer(fake, second, LF_DUPLICATE);    /* accepted, offset forgotten */
    assert_int_equal(fake->outcome_count, 2);
    assert_int_equal(fake->outcomes[0].status, LF_OK);
    assert_int_equal(fake->outcomes[0].offset, 70);
    assert_int_equal(fake->outcomes[1].status, LF_DUPLICATE);
    assert_int_equal(fake->outcomes[1].offset, -1);
}

static void the_new_leader_is_found_soon_after_the_old_one_died(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 1);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    publish_batches(fake, 1, 1);
    fake_wait(fake, 1, PUBLISH, 0);
    fake->nodes[1].down = true;
    fake->controller = 2;
    fake_cut(fake, 1);
    uint64_t died = fake->now_ms;
    for (; fake->now_ms < died + 250; fake_run(fake, 1)) { /* nobody leads yet */
        struct fake_request *request = fake_request(fake, 0, PUBLISH, 0);
        if (request)
            fake_answer_not_leader(fake, request, 0, 0);
    }
    fake->topics[0].leader[0] = 3;
    fake->topics[0].leader_epoch[0] = 4;
    while (!fake_request(fake, 3, PUBLISH, 0)) {
        struct fake_request *request = fake_request(fake, 2, PUBLISH, 0);
        if (request)
            fake_answer_not_leader(fake, request, 3, 4);
        fake_run(fake, 1);
    }
    assert_true(fake->now_ms - died < 400);
}

static void not_done_answers_are_retried_with_pauses_and_the_same_sequence(void **state) {
    struct fake *fake = *state;
    static const enum lf_status answers[] = {LF_NO_QUORUM, LF_OVERLOADED,      LF_FULL,     LF_CREDIT_EXCEEDED,
                                             LF_NOT_READY, LF_UNKNOWN_OUTCOME, LF_TIMED_OUT};
    publish_batches(fake, 0, 1);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct fake_request *request = fake_wait(fake, 1, PUBLISH, 0);
        assert_int_equal(request->header.base_sequence, 0);
        fake_answer(fake, request, answers[i]);
        assert_null(fake_request(fake, 1, PUBLISH, 0)); /* not at once */
    }
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 9, false);
    fake_expect_outcomes(fake, 0, 1, LF_OK);
}

static void a_gap_is_closed_by_resending_in_order(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 4);
    fake_wait(fake, 1, PUBLISH, 3);
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 0), 0, false);
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 0), LF_OVERLOADED);
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 0), LF_SEQUENCE_GAP);
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 0), LF_SEQUENCE_GAP);
    for (size_t i = 0; i < 3; i++) {
        struct fake_request *request = fake_wait(fake, 1, PUBLISH, i);
        assert_int_equal(request->header.base_sequence, i + 1);
    }
    assert_int_equal(fake_request_count(fake, PUBLISH), 3);
    for (int i = 0; i < 3; i++)
        fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 0), 1 + i, false);
    fake_expect_outcomes(fake, 0, 4, LF_OK);
    assert_int_equal(fake_request_count(fake, LF__CLIENT_REQUEST__BODY_RAISE_PRODUCER_EPOCH), 0);
}

static void a_gap_told_before_the_earlier_answer_waits_for_it(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 2);
    fake_wait(fake, 1, PUBLISH, 1);
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 1), LF_SEQUENCE_GAP);
    fake_run(fake, 200);
    assert_int_equal(fake_request_count(fake, PUBLISH), 1);
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 0), LF_OVERLOADED);
    assert_int_equal(fake_wait(fake, 1, PUBLISH, 0)->header.base_sequence, 0);
    assert_int_equal(fake_wait(fake, 1, PUBLISH, 1)->header.base_sequence, 1);
}

static void final_refusals_are_not_done_and_their_numbers_are_used_again(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 3);
    fake_wait(fake, 1, PUBLISH, 2);
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 0), LF_TOO_LARGE);
    assert_int_equal(fake->outcomes[0].status, LF_TOO_LARGE);
    /* The later two are unanswered: the epoch goes up before anything else is sent. */
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 0), LF_SEQUENCE_GAP);
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 0), LF_SEQUENCE_GAP);
    struct fake_request *raise = fake_wait(fake, 1, LF__CLIENT_REQUEST__BODY_RAISE_PRODUCER_EPOCH, 0);
    assert_int_equal(fake_request_count(fake, PUBLISH), 0);
    fake_answer_raise(fake, raise, -1, -1, -1);
    for (size_t i = 0; i < 2; i++) {
        struct fake_request *request = fake_wait(fake, 1, PUBLISH, i);
        assert_int_equal(request->header.base_sequence, i);
        assert_int_equal(request->header.producer_epoch, 1);
    }
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 0), 0, false);
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 0), LF_MALFORMED);
    assert_int_equal(fake->outcomes[2].status, LF_MALFORMED);
    /* Nothing after it: no new epoch, its sequence is free. */
    publish_batches(fake, 3, 1);
    struct fake_request *request = fake_wait(fake, 1, PUBLISH, 0);
    assert_int_equal(request->header.base_sequence, 1);
    assert_int_equal(request->header.producer_epoch, 1);
}

static void without_any_broker_the_outcome_is_not_done(void **state) {
    struct fake *fake = *state;
    for (int i = 1; i <= FAKE_NODES; i++)
        fake->nodes[i].down = true;
    publish_many(fake, 0, 5, 10);
    fake_run(fake, 119999);
    assert_int_equal(fake->outcome_count, 0);
    fake_run(fake, 1);
    fake_expect_outcomes(fake, 0, 5, LF_CONNECT);
}

static void refused_until_the_time_is_over_is_not_done(void **state) {
    struct fake *fake = *state;
    publish_many(fake, 0, 1, 10);
    while (fake->outcome_count == 0 && fake->now_ms < 200000) {
        struct fake_request *request = fake_request(fake, 0, PUBLISH, 0);
        if (request)
            fake_answer(fake, request, LF_NO_QUORUM);
        fake_run(fake, 100);
    }
    fake_expect_outcomes(fake, 0, 1, LF_NO_QUORUM);
    assert_int_equal(lf_status_action(LF_NO_QUORUM), LF_ACTION_RETRY);
}

static void unanswered_until_the_time_is_over_is_unknown(void **state) {
    struct fake *fake = *state;
    publish_many(fake, 0, 1, 10);
    fake_wait(fake, 1, PUBLISH, 0);
    fake_run(fake, 120000);
    fake_expect_outcomes(fake, 0, 1, LF_UNKNOWN_OUTCOME);
}

/* C3: one attempt without an answer makes it unknown, whatever is said later. */
static void a_refusal_after_a_lost_attempt_does_not_make_it_not_done(void **state) {
    struct fake *fake = *state;
    publish_many(fake, 0, 1, 10);
    fake_wait(fake, 1, PUBLISH, 0);
    fake_cut(fake, 1);
    fake_answer(fake, fake_wait(fake, 1, PUBLISH, 0), LF_TOO_LARGE);
    fake_expect_outcomes(fake, 0, 1, LF_UNKNOWN_OUTCOME);
}

static void outcomes_come_in_order_of_acceptance(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 3);
    fake_wait(fake, 1, PUBLISH, 2);
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 2), 2, false);
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 1), 1, false);
    assert_int_equal(fake->outcome_count, 0);
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 0), 0, false);
    fake_expect_outcomes(fake, 0, 3, LF_OK);
}

static void at_most_five_batches_are_unanswered(void **state) {
    struct fake *fake = *state;
    publish_many(fake, 0, 9, 200000);
    fake_wait(fake, 1, PUBLISH, 4);
    fake_run(fake, 1000);
    assert_int_equal(fake_request_count(fake, PUBLISH), 5);
    /* A later answer does not make room: the broker keeps the last five of a producer. */
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 1), 1, false);
    fake_run(fake, 10);
    assert_int_equal(fake_request_count(fake, PUBLISH), 4);
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 0), 0, false);
    fake_run(fake, 10);
    assert_int_equal(fake_request_count(fake, PUBLISH), 5);
}

static void while_the_window_is_full_batches_grow(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 1);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    publish_many(fake, 1, 1000, 200);
    fake_wait(fake, 1, PUBLISH, 4);
    size_t told = 1;
    int batches = 0;
    while (told < 1001) {
        struct fake_request *request = fake_wait(fake, 1, PUBLISH, 0);
        told += (size_t)request->header.record_count;
        assert_true(request->batch->size <= 260 * 1024);
        fake_answer_publish(fake, request, batches++, false);
    }
    assert_true(batches < 10); /* 13 of 16 KiB otherwise */
    fake_expect_outcomes(fake, 0, 1001, LF_OK);
}

/* The fake itself asserts that nothing is sent without credit. */
static void publishing_stops_at_the_credit_and_goes_on_with_more(void **state) {
    struct fake *fake = *state;
    fake_credit(fake, 1, 15000);
    publish_batches(fake, 0, 4);
    fake_wait(fake, 1, PUBLISH, 1); /* the second begins below the credit and may exceed it */
    fake_run(fake, 5000);
    assert_int_equal(fake_request_count(fake, PUBLISH), 2);
    fake_credit(fake, 1, 20000);
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 0), 0, false);
    fake_run(fake, 1000);
    assert_int_equal(fake_request_count(fake, PUBLISH), 1);
    fake_credit(fake, 1, 100000);
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 0), 1, false);
    fake_wait(fake, 1, PUBLISH, 1);
}

static void credit_of_a_new_connection_starts_anew(void **state) {
    struct fake *fake = *state;
    fake_credit(fake, 1, 15000);
    publish_batches(fake, 0, 2);
    fake_wait(fake, 1, PUBLISH, 1);
    fake_cut(fake, 1);
    fake_wait(fake, 1, PUBLISH, 1);
}

static void accepted_bytes_are_bounded(void **state) {
    (void)state;
    struct lf_client_options options = fake_options();
    options.inflight_bytes_max = 50000;
    struct fake *fake = fake_new_with(&options);
    publish_batches(fake, 0, 4);
    assert_int_equal(fake_publish(fake, "t", 0, 4, 10000), LF_FULL);
    assert_int_equal(lf_core_pending(fake->core), 4);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    assert_int_equal(fake_publish(fake, "t", 0, 4, 10000), LF_OK);
    fake_free(fake);
}

static void messages_that_cannot_be_are_refused_at_the_door(void **state) {
    struct fake *fake = *state;
    assert_int_equal(fake_publish(fake, "no/slashes", 0, 0, 1), LF_INVALID);
    assert_int_equal(fake_publish(fake, "", 0, 0, 1), LF_INVALID);
    assert_int_equal(fake_publish(fake, "..", 0, 0, 1), LF_INVALID);
    assert_int_equal(fake_publish(fake, "t", -2, 0, 1), LF_INVALID);
    assert_int_equal(fake_publish(fake, "t", 0, 0, 1024 * 1024 + 1), LF_TOO_LARGE);
    assert_int_equal(lf_core_pending(fake->core), 0);
    assert_int_equal(fake_publish(fake, "t", 0, 0, 1024 * 1024), LF_OK);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    fake_expect_outcomes(fake, 0, 1, LF_OK);
}

static void an_unknown_topic_is_final_after_the_controllers_answer(void **state) {
    struct fake *fake = *state;
    fake_publish(fake, "nowhere", -1, 0, 10);
    fake_run(fake, 1000);
    fake_expect_outcomes(fake, 0, 1, LF_TOPIC_UNKNOWN);
    assert_int_equal(fake->outcomes[0].partition, -1);
    assert_int_equal(fake_request_count(fake, LF__CLIENT_REQUEST__BODY_CREATE_TOPIC), 0);
}

static void a_broker_that_is_behind_does_not_make_a_topic_unknown(void **state) {
    struct fake *fake = *state;
    fake->controller = 3;
    fake->nodes[1].says_topic_unknown = fake->nodes[2].says_topic_unknown = true;
    publish_batches(fake, 0, 1);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    /* The leader may be behind as well. */
    publish_batches(fake, 1, 1);
    fake_answer(fake, fake_wait(fake, 1, PUBLISH, 0), LF_TOPIC_UNKNOWN);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 1, false);
    fake_expect_outcomes(fake, 0, 2, LF_OK);
}

static void a_partition_beyond_the_topics_is_unknown(void **state) {
    struct fake *fake = *state;
    fake_publish(fake, "m", 3, 0, 10);
    fake_run(fake, 1000);
    fake_expect_outcomes(fake, 0, 1, LF_PARTITION_UNKNOWN);
    fake_publish(fake, "m", 3, 1, 10); /* also once the topic is known */
    fake_run(fake, 1000);
    assert_int_equal(fake->outcome_count, 2);
    assert_int_equal(fake->outcomes[1].status, LF_PARTITION_UNKNOWN);
}

static void a_topic_created_again_is_another_one(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 1);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    publish_batches(fake, 1, 2);
    fake_wait(fake, 1, PUBLISH, 1);
    fake->topics[0].id = 70;
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 0), LF_TOPIC_RECREATED);
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 0), LF_TOPIC_RECREATED);
    fake_run(fake, 100);
    assert_int_equal(fake->outcomes[1].status, LF_TOPIC_RECREATED);
    assert_int_equal(fake->outcomes[2].status, LF_TOPIC_RECREATED);
    publish_batches(fake, 3, 1);
    struct fake_request *request = fake_wait(fake, 1, PUBLISH, 0);
    assert_int_equal(request->message->publish->topic->id, 70);
    assert_int_equal(request->header.base_sequence, 0);
}

static void a_leader_that_falls_silent_is_left_when_another_leads(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 2);
    fake_wait(fake, 1, PUBLISH, 1);
    fake->nodes[1].frozen = true; /* the connection stays */
    fake->topics[0].leader[0] = 2;
    fake->topics[0].leader_epoch[0] = 4;
    fake->controller = 2;
    uint64_t froze = fake->now_ms;
    struct fake_request *request = fake_wait(fake, 2, PUBLISH, 0);
    assert_true(fake->now_ms - froze < 2500);
    assert_int_equal(request->header.base_sequence, 0);
    fake_answer_publish(fake, request, 0, false);
    fake_answer_publish(fake, fake_wait(fake, 2, PUBLISH, 0), 1, false);
    fake_expect_outcomes(fake, 0, 2, LF_OK);
}

static void close_gives_every_message_its_outcome(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 7); /* five sent, two not */
    fake_wait(fake, 1, PUBLISH, 4);
    fake_publish(fake, "not-asked-yet", 0, 7, 10);
    fake_close(fake);
    assert_int_equal(fake->outcome_count, 8);
    for (int i = 0; i < 8; i++)
        assert_int_equal(fake->outcomes[i].status, fake->outcomes[i].context < 5 ? LF_UNKNOWN_OUTCOME : LF_CANCELLED);
    assert_int_equal(lf_core_pending(fake->core), 0);
    assert_int_equal(fake_publish(fake, "t", 0, 9, 1), LF_CLOSED);
    for (int i = 1; i <= FAKE_NODES; i++)
        assert_int_equal(fake->nodes[i].connection, 0);
}

static void the_oldest_pending_number_follows_the_outcomes(void **state) {
    struct fake *fake = *state;
    publish_batches(fake, 0, 3);
    assert_int_equal(lf_core_accepted(fake->core), 3);
    fake_wait(fake, 1, PUBLISH, 2);
    assert_int_equal(lf_core_oldest_pending(fake->core), 0);
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 0), 0, false);
    assert_int_equal(lf_core_oldest_pending(fake->core), 1);
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 0), 1, false);
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 0), 2, false);
    assert_int_equal(lf_core_oldest_pending(fake->core), 3);
}

/* Its leader is on the way out, and says so only of what came later. */
static void what_is_refused_behind_an_unanswered_batch_is_not_sent_in_a_loop(void **state) {
    struct fake *fake = *state;
    for (uintptr_t i = 0; i < 3; i++) {
        fake_publish(fake, "t", 0, i, 10);
        fake_flush(fake);
        fake_wait(fake, 1, PUBLISH, i);
    }
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 2), LF_NOT_READY);
    fake_answer(fake, fake_request(fake, 1, PUBLISH, 1), LF_NOT_READY);
    fake_run(fake, 200);
    assert_int_equal(fake_request_count(fake, PUBLISH), 1);
    fake_answer_publish(fake, fake_request(fake, 1, PUBLISH, 0), 0, false);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 1, false);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 2, false);
    fake_expect_outcomes(fake, 0, 3, LF_OK);
}

/* The old leader keeps the first one and never hears of its fate: the second one's refusal tells who leads. */
static void an_unanswered_batch_follows_the_leader_that_a_later_one_heard_of(void **state) {
    struct fake *fake = *state;
    for (uintptr_t i = 0; i < 2; i++) {
        fake_publish(fake, "t", 0, i, 10);
        fake_flush(fake);
        fake_wait(fake, 1, PUBLISH, i);
    }
    fake_answer_not_leader(fake, fake_request(fake, 1, PUBLISH, 1), 2, 9);
    uint64_t begin = fake->now_ms;
    struct fake_request *first = fake_wait(fake, 2, PUBLISH, 0);
    assert_true(fake->now_ms - begin <= 350);
    assert_int_equal(first->header.base_sequence, 0);
    fake_answer_publish(fake, first, 0, true);
    fake_answer_publish(fake, fake_wait(fake, 2, PUBLISH, 0), 1, false);
    fake_expect_outcomes(fake, 0, 2, LF_OK);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        FACT(messages_linger_and_go_to_the_leader_as_one_batch),
        FACT(flush_ends_lingering),
        FACT(a_redirect_is_followed_at_once_with_the_same_sequence),
        FACT(brokers_that_redirect_to_each_other_are_asked_with_pauses),
        FACT(a_connection_lost_in_flight_means_a_repeat_that_is_told_apart),
        FACT(the_new_leader_is_found_soon_after_the_old_one_died),
        FACT(not_done_answers_are_retried_with_pauses_and_the_same_sequence),
        FACT(a_gap_is_closed_by_resending_in_order),
        FACT(a_gap_told_before_the_earlier_answer_waits_for_it),
        FACT(final_refusals_are_not_done_and_their_numbers_are_used_again),
        FACT(without_any_broker_the_outcome_is_not_done),
        FACT(refused_until_the_time_is_over_is_not_done),
        FACT(unanswered_until_the_time_is_over_is_unknown),
        FACT(a_refusal_after_a_lost_attempt_does_not_make_it_not_done),
        FACT(outcomes_come_in_order_of_acceptance),
        FACT(at_most_five_batches_are_unanswered),
        FACT(while_the_window_is_full_batches_grow),
        FACT(publishing_stops_at_the_credit_and_goes_on_with_more),
        FACT(credit_of_a_new_connection_starts_anew),
        FACT(accepted_bytes_are_bounded),
        FACT(messages_that_cannot_be_are_refused_at_the_door),
        FACT(an_unknown_topic_is_final_after_the_controllers_answer),
        FACT(a_broker_that_is_behind_does_not_make_a_topic_unknown),
        FACT(a_partition_beyond_the_topics_is_unknown),
        FACT(a_topic_created_again_is_another_one),
        FACT(a_leader_that_falls_silent_is_left_when_another_leads),
        FACT(close_gives_every_message_its_outcome),
        FACT(the_oldest_pending_number_follows_the_outcomes),
        FACT(what_is_refused_behind_an_unanswered_batch_is_not_sent_in_a_loop),
        FACT(an_unanswered_batch_follows_the_leader_that_a_later_one_heard_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
