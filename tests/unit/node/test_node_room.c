/** Clients that do not read: what waits for them is bounded, in bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "node_world.h"

#define SESSION 10
#define PART (64u * 1024)
#define SLACK (256u * 1024)

static struct world world;

static int setup(void **state) {
    (void)state;
    const struct node_limits limits = {.session_unsent_bytes_max = PART, .delivery_bytes_max = 4096};
    world_init_limited(&world, 1, &limits);
    world_topic(&world, "t", 1, 1);
    world_hello(&world, 0, SESSION);
    world_run(&world, 1000);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    world_deinit(&world);
    return 0;
}

static uint64_t unread(uint64_t session) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < world.reply_count; i++)
        bytes += world.replies[i].session == session ? world.replies[i].bytes : 0;
    return bytes;
}

static size_t count_status(uint64_t session, enum lf_status status) {
    size_t count = 0;
    for (size_t i = 0; i < world.reply_count; i++)
        count += world.replies[i].session == session && world.replies[i].reply->status == status;
    return count;
}

static size_t deliveries(uint64_t session, uint64_t subscription) {
    size_t count = 0;
    for (size_t i = 0; i < world.reply_count; i++) {
        const Lf__ClientReply *reply = world.replies[i].reply;
        count += world.replies[i].session == session && reply->body_case == LF__CLIENT_REPLY__BODY_DELIVER &&
                 reply->deliver->subscription == subscription;
    }
    return count;
}

static void list(uint64_t session, uint64_t request_id) {
    Lf__ListTopics body = LF__LIST_TOPICS__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = request_id;
    request.body_case = LF__CLIENT_REQUEST__BODY_LIST_TOPICS;
    request.list_topics = &body;
    world_request(&world, 0, session, &request, NULL);
    world_run(&world, 2);
}

static void subscribe(uint64_t session, uint64_t number) {
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t) "t";
    Lf__Subscribe body = LF__SUBSCRIBE__INIT;
    body.subscription = number;
    body.topic = &ref;
    body.credit_total = UINT64_MAX;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = 100 + number;
    request.body_case = LF__CLIENT_REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &body;
    world_request(&world, 0, session, &request, NULL);
}

static void publish(size_t batches) {
    world_hello(&world, 0, 99);
    for (size_t i = 0; i < batches; i++) {
        struct lf_buf *batch = world_batch(100, -1, -1, -1);
        world_publish(&world, 0, 99, 2 + i, "t", batch);
        lf_buf_unref(&batch);
        const struct world_reply *reply = world_answer(&world, 99, 2 + i, 1000);
        assert_true(reply && reply->reply->status == LF_OK);
    }
}

static void long_answers_are_refused_when_many_are_unread(void **state) {
    (void)state;
    char name[200];
    memset(name, 'n', sizeof name);
    for (int i = 0; i < 40; i++) {
        snprintf(name + 190, sizeof name - 190, "%d", i);
        world_topic(&world, name, 1, 1);
    }
    world.clients_are_deaf = true;
    for (uint64_t i = 2; i < 100; i++)
        list(SESSION, i);
    assert_in_range(count_status(SESSION, LF_OK), 5, 20);
    assert_true(count_status(SESSION, LF_OVERLOADED) > 50);
    assert_in_range(unread(SESSION), PART, PART + SLACK);
    world_hello(&world, 0, 11); /* others are served as ever */
    list(11, 2);
    assert_int_equal(count_status(11, LF_OK), 2);
}

static void a_session_that_asks_on_is_closed_in_words(void **state) {
    (void)state;
    world.clients_are_deaf = true;
    uint64_t asked = 2;
    for (; asked < 5000 && node_counts(world.nodes[0]).unread == 0; asked++)
        list(SESSION, asked);
    assert_int_equal(node_counts(world.nodes[0]).unread, 1);
    const struct world_reply *last = NULL;
    for (size_t i = 0; i < world.reply_count; i++)
        if (world.replies[i].session == SESSION && world.replies[i].reply->status == LF_OVERLOADED)
            last = &world.replies[i];
    assert_non_null(last);
    assert_non_null(strstr(last->reply->error, "this session is closed"));
    assert_in_range(unread(SESSION), PART + SLACK, PART + SLACK + 8192);
}

static void deliveries_wait_until_the_client_has_read(void **state) {
    (void)state;
    publish(300); /* far more than its part */
    world.clients_are_deaf = true;
    subscribe(SESSION, 1);
    world_run(&world, 200);
    size_t before = deliveries(SESSION, 1);
    assert_in_range(unread(SESSION), PART, PART + 8192);
    subscribe(SESSION, 2); /* has to wait as well */
    world_run(&world, 200);
    assert_int_equal(deliveries(SESSION, 1), before);
    assert_int_equal(deliveries(SESSION, 2), 0);

    world.clients_are_deaf = false;
    struct node_event event = {.type = NODE_EVENT_CLIENT_ROOM, .client = {.session = SESSION}};
    world_event(&world, 0, &event);
    world_run(&world, 500);
    assert_true(deliveries(SESSION, 1) > before);
    assert_int_equal(deliveries(SESSION, 2), deliveries(SESSION, 1));
}

static void those_who_do_not_read_leave_room_for_others(void **state) {
    (void)state;
    teardown(NULL);
    const struct node_limits limits = {
        .session_unsent_bytes_max = 1024 * 1024, .unsent_bytes_max = 1024 * 1024, .delivery_bytes_max = 4096};
    world_init_limited(&world, 1, &limits);
    world_topic(&world, "t", 1, 1);
    world_run(&world, 1000);
    publish(600);
    world.clients_are_deaf = true;
    uint64_t all = 0;
    for (uint64_t session = 20; session < 40; session++) {
        world_hello(&world, 0, session);
        subscribe(session, 1);
        world_run(&world, 100);
        all += unread(session);
    }
    assert_in_range(all, 512 * 1024, 1024 * 1024 + 8192);
    assert_true(unread(20) > 8 * unread(30) && unread(30) > 4096);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(long_answers_are_refused_when_many_are_unread, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_that_asks_on_is_closed_in_words, setup, teardown),
        cmocka_unit_test_setup_teardown(deliveries_wait_until_the_client_has_read, setup, teardown),
        cmocka_unit_test_setup_teardown(those_who_do_not_read_leave_room_for_others, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
