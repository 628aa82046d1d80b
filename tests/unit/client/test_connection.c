/** Sessions: hello first, pings, silence, other clusters, and the list of brokers. */
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

static enum lf_status new_core(const char *brokers, char text[LF_ERROR_TEXT_BYTES]) {
    struct lf_core_options options = {.client = fake_options()};
    options.client.brokers = brokers;
    struct lf_core *core = NULL;
    struct lf_error error = {0};
    enum lf_status status = lf_core_new(&options, 0, &core, &error);
    memcpy(text, error.text, LF_ERROR_TEXT_BYTES);
    assert_true((status == LF_OK) == (core != NULL));
    lf_core_destroy(&core);
    return status;
}

static void broker_lists_are_understood_or_refused_in_words(void **state) {
    (void)state;
    char text[LF_ERROR_TEXT_BYTES];
    static const char *const good[] = {"a", "a:1", "a,b:7700", "127.0.0.1:65535", "[::1]:7700", "[::1]", NULL};
    static const char *const bad[] = {"", "a:", "a:0", "a:65536", "a:b", "a,,b", ":1", "a b:1", "tcp://a:1", "a,"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(new_core(good[i], text), LF_OK);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(new_core(bad[i], text), LF_INVALID);
        assert_non_null(strstr(text, "is not host:port"));
    }
}

static void nothing_is_sent_before_the_answer_to_hello(void **state) {
    struct fake *fake = *state;
    for (int i = 1; i <= FAKE_NODES; i++)
        fake->nodes[i].deaf = true;
    fake_publish(fake, "t", 0, 0, 10);
    fake_run(fake, 2000);
    for (int i = 1; i <= FAKE_NODES; i++)
        assert_int_equal(fake->nodes[i].metadata_requests + fake->nodes[i].pings, 0);
    assert_null(fake->first);
    assert_true(fake->nodes[1].hellos + fake->nodes[2].hellos + fake->nodes[3].hellos >= 3); /* others are tried */
}

static void an_idle_session_is_kept_by_pings(void **state) {
    struct fake *fake = *state;
    fake_publish(fake, "t", 0, 0, 10);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    fake_run(fake, 90000);
    assert_in_range(fake->nodes[1].pings, 29, 31); /* a third of 9 s */
    assert_int_equal(fake->nodes[1].hellos, 1);
}

static void a_broker_silent_for_the_sessions_time_is_gone(void **state) {
    struct fake *fake = *state;
    fake_publish(fake, "t", 0, 0, 10);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    fake->nodes[1].frozen = true;
    fake_run(fake, 8900);
    assert_int_not_equal(fake->nodes[1].connection, 0);
    fake_run(fake, 200);
    assert_int_equal(fake->nodes[1].hellos, 1);
    assert_true(fake->nodes[1].connection == 0 || fake->nodes[1].connection > 1);
}

/* We were stopped ourselves: the broker has forgotten the session, so nothing is sent on it any more. */
static void a_session_that_we_neglected_is_not_used_again(void **state) {
    struct fake *fake = *state;
    fake_publish(fake, "t", 0, 0, 10);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    fake->now_ms += 60000;
    fake_publish(fake, "t", 0, 1, 10);
    fake_wait(fake, 1, PUBLISH, 0);
    assert_int_equal(fake->nodes[1].hellos, 2);
}

/* As the broker heard us, we were silent for too long. */
static void a_session_that_the_broker_ended_is_begun_anew(void **state) {
    struct fake *fake = *state;
    fake_publish(fake, "t", 0, 0, 10);
    fake_answer(fake, fake_wait(fake, 1, PUBLISH, 0), LF_CLOSED);
    assert_int_equal(fake->outcome_count, 0);
    struct fake_request *request = fake_wait(fake, 1, PUBLISH, 0);
    assert_int_equal(fake->nodes[1].hellos, 2);
    fake_answer_publish(fake, request, 0, false);
    fake_expect_outcomes(fake, 0, 1, LF_OK);
}

static void a_broker_without_room_for_a_session_says_why(void **state) {
    struct fake *fake = *state;
    for (int i = 1; i <= FAKE_NODES; i++)
        fake->nodes[i].full = true;
    fake_call(fake, LF_CALL_TOPIC_LIST, NULL, 0, 0);
    fake_run(fake, 6000);
    assert_int_equal(fake->answer_status, LF_CONNECT);
    assert_non_null(strstr(fake->answer_text, "no room"));
    assert_true(fake->nodes[1].hellos >= 3); /* and is asked again */
}

static void reconnecting_backs_off_with_jitter_up_to_a_second(void **state) {
    struct fake *fake = *state;
    for (int i = 2; i <= FAKE_NODES; i++)
        fake->nodes[i].down = true;
    fake_publish(fake, "t", 0, 0, 10);
    fake_wait(fake, 1, PUBLISH, 0);
    fake->nodes[1].down = true;
    fake_cut(fake, 1);
    fake_run(fake, 60000);
    fake->nodes[1].down = false;
    uint64_t back = fake->now_ms;
    fake_wait(fake, 1, PUBLISH, 0);
    assert_true(fake->now_ms - back <= 1100);
}

static void a_broker_of_another_cluster_is_not_used(void **state) {
    struct fake *fake = *state;
    fake_publish(fake, "t", 0, 0, 10);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, false);
    fake->nodes[2].cluster = 0xee;
    fake->topics[0].leader[0] = 2;
    fake_publish(fake, "t", 0, 1, 10);
    fake_answer_not_leader(fake, fake_wait(fake, 1, PUBLISH, 0), 2, 9);
    for (uint64_t end = fake->now_ms + 3000; fake->now_ms < end; fake_run(fake, 1)) {
        struct fake_request *request = fake_request(fake, 0, PUBLISH, 0);
        assert_true(!request || request->node != 2);
        if (request)
            fake_answer_not_leader(fake, request, 2, 9);
    }
    assert_true(fake->nodes[2].hellos >= 2);
}

static void an_unknown_version_is_said_in_words(void **state) {
    struct fake *fake = *state;
    for (int i = 1; i <= FAKE_NODES; i++)
        fake->nodes[i].version = 9;
    fake_call(fake, LF_CALL_TOPIC_LIST, NULL, 0, 0);
    fake_run(fake, 6000);
    assert_true(fake->answered);
    assert_int_equal(fake->answer_status, LF_VERSION);
}

static void nonsense_ends_the_connection_not_the_client(void **state) {
    struct fake *fake = *state;
    fake_publish(fake, "t", 0, 0, 10);
    fake_wait(fake, 1, PUBLISH, 0);
    struct lf_buf *junk = lf_buf_copy(lf_bytes("\xff\xff\xff\xff", 4));
    struct lf_frame frame = {.buf = junk, .size = 4};
    struct lf_core_event event = {.type = LF_CORE_FRAMES};
    event.frames.connection = fake->nodes[1].connection;
    event.frames.frames = &frame;
    event.frames.count = 1;
    fake_event(fake, &event);
    lf_buf_unref(&junk);
    assert_int_equal(fake->nodes[1].connection, 0);
    assert_int_equal(fake->outcome_count, 0);
    while (fake->first)
        fake_ignore(fake, fake->first);
    fake_answer_publish(fake, fake_wait(fake, 1, PUBLISH, 0), 0, true);
    fake_expect_outcomes(fake, 0, 1, LF_OK);
}

static void an_idle_client_connects_to_nobody(void **state) {
    struct fake *fake = *state;
    struct lf_core_event tick = {.type = LF_CORE_TICK};
    fake_event(fake, &tick);
    fake_run(fake, 60000);
    for (int i = 1; i <= FAKE_NODES; i++)
        assert_int_equal(fake->nodes[i].hellos, 0);
    assert_true(fake->deadline_ms == UINT64_MAX);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broker_lists_are_understood_or_refused_in_words),
        FACT(nothing_is_sent_before_the_answer_to_hello),
        FACT(an_idle_session_is_kept_by_pings),
        FACT(a_broker_silent_for_the_sessions_time_is_gone),
        FACT(a_session_that_we_neglected_is_not_used_again),
        FACT(a_session_that_the_broker_ended_is_begun_anew),
        FACT(a_broker_without_room_for_a_session_says_why),
        FACT(reconnecting_backs_off_with_jitter_up_to_a_second),
        FACT(a_broker_of_another_cluster_is_not_used),
        FACT(an_unknown_version_is_said_in_words),
        FACT(nonsense_ends_the_connection_not_the_client),
        FACT(an_idle_client_connects_to_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
