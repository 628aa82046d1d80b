/** The sockets, over 127.0.0.1. */
#include "transport.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_MS 10000

static struct transport *nodes[2];
static struct node_address addresses[2];
static void *context;
static void *client;

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/** A port that was free a moment ago; all are held until all are known, so that they differ. */
static void free_ports(uint32_t *ports, size_t count) {
    int fds[8];
    for (size_t i = 0; i < count; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof address;
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(fds[i], (struct sockaddr *)&address, size), 0);
        assert_int_equal(getsockname(fds[i], (struct sockaddr *)&address, &size), 0);
        ports[i] = ntohs(address.sin_port);
    }
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static struct transport *open_node(uint64_t id, struct unreliable_options unreliable) {
    struct transport_options options = {.bind = "127.0.0.1",
                                        .node_id = id,
                                        .nodes = addresses,
                                        .node_count = 2,
                                        .sessions_max = 2,
                                        .session_timeout_ms = 30000,
                                        .queue_messages_max = 64,
                                        .unreliable = unreliable};
    struct transport *transport = NULL;
    struct lf_error error = {0};
    uint64_t deadline = now_ms() + DEADLINE_MS;
    while (transport_new(&options, &transport, &error) != LF_OK) /* ZeroMQ's thread may still hold the old socket */
        if (now_ms() > deadline)
            fail_msg("%s", error.text);
    return transport;
}

static int choose_ports(void **state) {
    (void)state;
    uint32_t ports[4];
    free_ports(ports, 4);
    for (uint32_t i = 0; i < 2; i++)
        addresses[i] = (struct node_address){
            .node_id = i + 1, .host = "127.0.0.1", .client_port = ports[2 * i], .peer_port = ports[2 * i + 1]};
    return 0;
}

static int open_both(void **state) {
    choose_ports(state);
    for (uint64_t i = 0; i < 2; i++)
        nodes[i] = open_node(i + 1, (struct unreliable_options){0});
    return 0;
}

static int close_all(void **state) {
    (void)state;
    if (client)
        zmq_close(client);
    client = NULL;
    if (context)
        zmq_ctx_term(context);
    context = NULL;
    for (size_t i = 0; i < 2; i++)
        transport_destroy(&nodes[i], 0);
    return 0;
}

/** A client of node 1, with its own context as real ones have. */
static void connect_client(const char *routing_id) {
    char endpoint[64];
    int linger = 0, timeout = DEADLINE_MS;
    context = zmq_ctx_new();
    client = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(client, ZMQ_LINGER, &linger, sizeof linger);
    zmq_setsockopt(client, ZMQ_RCVTIMEO, &timeout, sizeof timeout);
    if (routing_id)
        zmq_setsockopt(client, ZMQ_ROUTING_ID, routing_id, strlen(routing_id));
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", addresses[0].client_port);
    assert_int_equal(zmq_connect(client, endpoint), 0);
}

static void client_send(const void *data, size_t size, bool more) {
    assert_int_equal(zmq_send(client, data, size, more ? ZMQ_SNDMORE : 0), size);
}

/** Waits for something on the sockets of `transport`, at most until the deadline. */
static void wait_for(struct transport *transport, uint64_t deadline) {
    zmq_pollitem_t items[TRANSPORT_POLL_ITEMS];
    uint64_t now = now_ms();
    if (now >= deadline)
        fail_msg("nothing came before the deadline");
    transport_poll_items(transport, items);
    zmq_poll(items, TRANSPORT_POLL_ITEMS, (long)(deadline - now));
}

static enum lf_status receive_client(struct transport_client_message *message) {
    uint64_t deadline = now_ms() + DEADLINE_MS;
    enum lf_status status;
    while ((status = transport_receive_client(nodes[0], message)) == LF_AGAIN)
        wait_for(nodes[0], deadline);
    return status;
}

static enum lf_status answer(uint64_t session, uint32_t size) {
    struct lf_buf *buf = lf_buf_new(size + 10);
    memset(buf->data, 'x', buf->size);
    struct node_frame frames[] = {{.buf = buf, .offset = 0, .size = 1}, {.buf = buf, .offset = 10, .size = size}};
    struct node_client_send send = {.session = session, .frames = frames, .count = 2};
    enum lf_status status = transport_send_client(nodes[0], &send);
    lf_buf_unref(&buf);
    return status;
}

static void a_client_is_heard_and_answered(void **state) {
    (void)state;
    static uint8_t large[100000];
    struct transport_client_message message;
    connect_client(NULL);
    client_send("head", 4, true);
    client_send(large, sizeof large, false);
    assert_int_equal(receive_client(&message), LF_OK);
    assert_int_equal(message.count, 2);
    assert_int_not_equal(message.session, 0);
    assert_memory_equal(message.frames[0].buf->data, "head", 4);
    assert_int_equal(message.frames[1].size, sizeof large);
    assert_non_null(message.frames[1].buf->release); /* not copied */
    uint64_t session = message.session;
    transport_client_message_deinit(&message);
    const uint32_t sizes[] = {0, 1, 511, 512, 8192, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char one;
        static char part[1000001];
        assert_int_equal(answer(session, sizes[i]), LF_OK);
        assert_int_equal(zmq_recv(client, &one, 1, 0), 1);
        assert_int_equal(zmq_recv(client, part, sizeof part, 0), sizes[i]);
        assert_true(sizes[i] == 0 || part[sizes[i] - 1] == 'x');
    }
}

static void a_client_that_left_is_gone(void **state) {
    (void)state;
    struct transport_client_message message;
    connect_client(NULL);
    client_send("head", 4, false);
    assert_int_equal(receive_client(&message), LF_OK);
    uint64_t session = message.session, deadline = now_ms() + DEADLINE_MS;
    transport_client_message_deinit(&message);
    zmq_close(client);
    client = NULL;
    while (answer(session, 1) == LF_OK) /* until ZeroMQ noticed */
        assert_true(now_ms() < deadline);
    assert_int_equal(transport_counts(nodes[0]).client_gone, 1);
    assert_int_equal(answer(session, 1), LF_NOT_FOUND);
}

static void a_closed_session_comes_back_as_a_new_one(void **state) {
    (void)state;
    struct transport_client_message message;
    connect_client(NULL);
    client_send("head", 4, false);
    assert_int_equal(receive_client(&message), LF_OK);
    uint64_t session = message.session;
    transport_client_message_deinit(&message);
    transport_close_session(nodes[0], session);
    assert_int_equal(answer(session, 1), LF_NOT_FOUND);
    client_send("head", 4, false);
    assert_int_equal(receive_client(&message), LF_OK);
    assert_true(message.session > session);
    transport_client_message_deinit(&message);
}

static uint64_t unsent(uint64_t session) {
    struct transport_unsent now;
    transport_unsent(nodes[0], session, &now);
    assert_true(now.session_bytes <= now.total_bytes);
    return now.total_bytes;
}

/** Whatever the sizes: small frames are copied by ZeroMQ, and none is left out. */
static void what_a_client_has_not_read_is_counted(void **state) {
    (void)state;
    static char part[1000001];
    const uint32_t sizes[] = {0, 1, 32, 33, 511, 512, 8192, 1000000};
    struct transport_client_message message;
    connect_client(NULL);
    client_send("head", 4, false);
    assert_int_equal(receive_client(&message), LF_OK);
    uint64_t session = message.session, deadline = now_ms() + DEADLINE_MS, sent = 0, bytes = 0;
    transport_client_message_deinit(&message);
    while (unsent(session) < 20 * 1000 * 1000) { /* the kernel takes some, and so does the client's queue */
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++, sent++) {
            assert_int_equal(answer(session, sizes[i]), LF_OK);
            bytes += sizes[i] + 1 + 2 * NODE_FRAME_COST_BYTES;
        }
        assert_true(sent < 100000 && now_ms() < deadline);
    }
    assert_true(unsent(session) <= bytes);
    transport_close_session(nodes[0], session);
    client_send("more", 4, false); /* refused: it is to read first */
    wait_for(nodes[0], deadline);
    assert_int_equal(transport_receive_client(nodes[0], &message), LF_NOT_FOUND);
    for (; sent > 0; sent--)
        for (int frame = 0; frame < 2; frame++)
            assert_true(zmq_recv(client, part, sizeof part, 0) >= 0);
    while (unsent(session) > 0)
        assert_true(now_ms() < deadline);
    client_send("more", 4, false);
    assert_int_equal(receive_client(&message), LF_OK);
    assert_true(message.session > session);
    transport_client_message_deinit(&message);
}

/** Its connection ends, and so does what waited for it. */
static void a_client_that_left_unread_leaves_nothing_behind(void **state) {
    (void)state;
    struct transport_client_message message;
    int few = 1;
    connect_client(NULL);
    zmq_setsockopt(client, ZMQ_RCVHWM, &few, sizeof few);
    client_send("head", 4, false);
    assert_int_equal(receive_client(&message), LF_OK);
    uint64_t session = message.session, deadline = now_ms() + DEADLINE_MS;
    transport_client_message_deinit(&message);
    while (unsent(session) < 4 * 1000 * 1000) {
        assert_int_equal(answer(session, 1000000), LF_OK);
        assert_true(now_ms() < deadline);
    }
    zmq_close(client);
    client = NULL;
    while (unsent(session) > 0) {
        zmq_pollitem_t items[TRANSPORT_POLL_ITEMS];
        transport_poll_items(nodes[0], items);
        zmq_poll(items, TRANSPORT_POLL_ITEMS, 1); /* hears of the end */
        assert_true(now_ms() < deadline);
    }
}

static void too_many_frames_come_as_the_header_alone(void **state) {
    (void)state;
    struct transport_client_message message;
    connect_client(NULL);
    for (int i = 0; i <= TRANSPORT_CLIENT_FRAMES_MAX; i++)
        client_send(i == 0 ? "head" : "more", 4, i < TRANSPORT_CLIENT_FRAMES_MAX);
    assert_int_equal(receive_client(&message), LF_OK);
    assert_int_equal(message.count, 1);
    assert_memory_equal(message.frames[0].buf->data, "head", 4);
    transport_client_message_deinit(&message);
    for (int i = 0; i < TRANSPORT_CLIENT_FRAMES_MAX; i++)
        client_send("head", 4, i < TRANSPORT_CLIENT_FRAMES_MAX - 1);
    assert_int_equal(receive_client(&message), LF_OK);
    assert_int_equal(message.count, TRANSPORT_CLIENT_FRAMES_MAX);
    transport_client_message_deinit(&message);
}

static void a_client_with_a_routing_id_of_its_own_is_refused(void **state) {
    (void)state;
    struct transport_client_message message;
    connect_client("mine");
    client_send("head", 4, false);
    assert_int_equal(receive_client(&message), LF_NOT_FOUND);
    assert_int_equal(transport_counts(nodes[0]).client_refused, 1);
}

/* Peers. */

static struct peer_frames make_frames(uint8_t name, size_t count, uint32_t size) {
    struct peer_frames frames = {.frames = malloc(count * sizeof(struct lf_buf *))};
    for (; frames.count < count; frames.count++) {
        struct lf_buf *buf = lf_buf_new(size);
        memset(buf->data, name, size);
        frames.frames[frames.count] = buf;
        frames.bytes += size;
    }
    return frames;
}

/** Sends until the first one arrives: before the connection stands, messages are dropped. */
static void connect_lane(enum peer_lane lane) {
    uint64_t deadline = now_ms() + DEADLINE_MS;
    struct peer_frames in = {0};
    for (enum lf_status status = LF_AGAIN; status != LF_OK; status = transport_receive_peer(nodes[1], &in)) {
        struct peer_frames out = make_frames('0', 1, 8);
        transport_send_peer(nodes[0], 2, lane, &out, now_ms());
        zmq_pollitem_t items[TRANSPORT_POLL_ITEMS];
        transport_poll_items(nodes[1], items);
        zmq_poll(items, TRANSPORT_POLL_ITEMS, 5);
        if (now_ms() > deadline)
            fail_msg("no connection before the deadline");
    }
    peer_frames_deinit(&in);
}

/** The next message that is not one of connect_lane's. */
static void receive_peer(struct peer_frames *frames) {
    uint64_t deadline = now_ms() + DEADLINE_MS;
    for (;;) {
        transport_advance(nodes[0], now_ms());
        if (transport_receive_peer(nodes[1], frames) != LF_OK) {
            uint64_t by = transport_deadline(nodes[0]);
            if (by != UINT64_MAX)
                usleep(1000);
            else
                wait_for(nodes[1], deadline);
        } else if (frames->frames[0]->data[0] != '0') {
            return;
        } else {
            peer_frames_deinit(frames);
        }
    }
}

static void peers_hear_each_other_on_every_lane(void **state) {
    (void)state;
    for (int lane = PEER_LANE_CONTROL; lane <= PEER_LANE_BULK; lane++) {
        connect_lane((enum peer_lane)lane);
        struct peer_frames out = make_frames('a', 3, 20000), in = {0};
        struct lf_buf *kept = lf_buf_ref(out.frames[2]);
        transport_send_peer(nodes[0], 2, (enum peer_lane)lane, &out, now_ms());
        assert_int_equal(out.count, 0);
        receive_peer(&in);
        assert_int_equal(in.count, 3);
        assert_int_equal(in.bytes, 60000);
        assert_true(lf_bytes_equal(lf_buf_bytes(kept), lf_buf_bytes(in.frames[2])));
        peer_frames_deinit(&in);
        lf_buf_unref(&kept);
    }
}

static void messages_to_an_absent_peer_are_dropped_and_counted(void **state) {
    (void)state;
    transport_destroy(&nodes[1], 0);
    uint64_t deadline = now_ms() + DEADLINE_MS;
    while (transport_counts(nodes[0]).peer_dropped == 0) {
        struct peer_frames out = make_frames('a', 2, 100);
        transport_send_peer(nodes[0], 2, PEER_LANE_DATA, &out, now_ms());
        assert_true(now_ms() < deadline);
    }
    struct peer_frames out = make_frames('a', 2, 100);
    uint64_t before = transport_counts(nodes[0]).peer_dropped;
    transport_send_peer(nodes[0], 77, PEER_LANE_DATA, &out, now_ms()); /* no such node */
    assert_int_equal(transport_counts(nodes[0]).peer_dropped, before + 1);
}

/** Sends until something arrives at node 2. */
static void send_until_heard(void) {
    uint64_t deadline = now_ms() + DEADLINE_MS;
    struct peer_frames in = {0};
    while (transport_receive_peer(nodes[1], &in) != LF_OK) {
        struct peer_frames out = make_frames('0', 1, 100);
        transport_send_peer(nodes[0], 2, PEER_LANE_CONTROL, &out, now_ms());
        assert_true(now_ms() < deadline);
        usleep(1000);
    }
    peer_frames_deinit(&in);
}

static void a_peer_that_is_forgotten_is_not_sent_to_until_it_is_met_again(void **state) {
    (void)state;
    send_until_heard();
    transport_forget_peer(nodes[0], 2);
    transport_forget_peer(nodes[0], 2);
    uint64_t before = transport_counts(nodes[0]).peer_dropped;
    struct peer_frames out = make_frames('a', 2, 100);
    transport_send_peer(nodes[0], 2, PEER_LANE_CONTROL, &out, now_ms());
    assert_int_equal(transport_counts(nodes[0]).peer_dropped, before + 1);
    struct lf_error error;
    assert_int_equal(transport_connect_peer(nodes[0], &addresses[1], &error), LF_OK);
    send_until_heard();
    assert_int_equal(transport_connect_peer(nodes[0], &addresses[1], &error), LF_OK); /* the same, anew */
    send_until_heard();
}

static void there_is_a_place_for_each_of_so_many_peers(void **state) {
    (void)state;
    struct lf_error error;
    struct node_address address = addresses[1];
    for (address.node_id = 3; address.node_id <= NODE_PEERS_MAX + 1; address.node_id++)
        assert_int_equal(transport_connect_peer(nodes[0], &address, &error), LF_OK);
    assert_int_equal(transport_connect_peer(nodes[0], &address, &error), LF_FULL);
    transport_forget_peer(nodes[0], 17);
    assert_int_equal(transport_connect_peer(nodes[0], &address, &error), LF_OK);
    struct transport_lanes lanes[NODE_PEERS_MAX];
    assert_int_equal(transport_lanes(nodes[0], lanes), NODE_PEERS_MAX);
}

static void a_slow_peer_has_a_bounded_queue(void **state) {
    (void)state;
    connect_lane(PEER_LANE_DATA);
    uint64_t before = transport_counts(nodes[0]).peer_dropped;
    while (transport_counts(nodes[0]).peer_dropped == before) { /* nobody receives */
        struct peer_frames out = make_frames('a', 2, 1000);
        transport_send_peer(nodes[0], 2, PEER_LANE_DATA, &out, now_ms());
        if (transport_counts(nodes[0]).peer_out > 50000) /* kernel buffers of some MB, 1024 and 64 messages */
            fail_msg("a queue without a bound");
    }
}

static void a_peer_that_comes_back_is_met_again(void **state) {
    (void)state;
    connect_lane(PEER_LANE_CONTROL);
    transport_destroy(&nodes[1], 0);
    nodes[1] = open_node(2, (struct unreliable_options){0});
    connect_lane(PEER_LANE_CONTROL);
}

static void what_the_switch_holds_arrives_later(void **state) {
    (void)state;
    struct unreliable_options options = {.on = true, .seed = 1};
    transport_destroy(&nodes[0], 0);
    options.hold = UNRELIABLE_CERTAIN;
    options.duplicate = UNRELIABLE_CERTAIN;
    nodes[0] = open_node(1, options);
    connect_lane(PEER_LANE_CONTROL);
    struct peer_frames out = make_frames('a', 1, 10), in = {0};
    uint64_t sent = now_ms();
    transport_send_peer(nodes[0], 2, PEER_LANE_CONTROL, &out, sent);
    for (int copy = 0; copy < 2; copy++) {
        receive_peer(&in);
        assert_int_equal(in.frames[0]->data[0], 'a');
        assert_true(now_ms() - sent >= UNRELIABLE_HOLD_MS);
        peer_frames_deinit(&in);
    }
}

static void an_address_in_use_is_named(void **state) {
    (void)state;
    struct transport_options options = {.bind = "127.0.0.1",
                                        .node_id = 1,
                                        .nodes = addresses,
                                        .node_count = 2,
                                        .sessions_max = 2,
                                        .session_timeout_ms = 30000,
                                        .queue_messages_max = 64};
    struct transport *second = NULL;
    struct lf_error error = {0};
    char words[128];
    assert_int_equal(transport_new(&options, &second, &error), LF_IO);
    assert_null(second);
    snprintf(words, sizeof words, "cannot listen on tcp://127.0.0.1:%u: Address already in use",
             addresses[0].client_port);
    assert_string_equal(error.text, words);
}

static void signals_are_left_alone(void **state) {
    (void)state;
    struct sigaction action;
    const int signals[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(sigaction(signals[i], NULL, &action), 0);
        assert_true(action.sa_handler == SIG_DFL);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_both, close_all)
    const struct CMUnitTest tests[] = {
        TEST(a_client_is_heard_and_answered),
        TEST(a_client_that_left_is_gone),
        TEST(a_closed_session_comes_back_as_a_new_one),
        TEST(what_a_client_has_not_read_is_counted),
        TEST(a_client_that_left_unread_leaves_nothing_behind),
        TEST(too_many_frames_come_as_the_header_alone),
        TEST(a_client_with_a_routing_id_of_its_own_is_refused),
        TEST(peers_hear_each_other_on_every_lane),
        TEST(messages_to_an_absent_peer_are_dropped_and_counted),
        TEST(a_peer_that_is_forgotten_is_not_sent_to_until_it_is_met_again),
        TEST(there_is_a_place_for_each_of_so_many_peers),
        TEST(a_slow_peer_has_a_bounded_queue),
        TEST(a_peer_that_comes_back_is_met_again),
        TEST(what_the_switch_holds_arrives_later),
        TEST(an_address_in_use_is_named),
        TEST(signals_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
