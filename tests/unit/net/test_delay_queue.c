/** What the misbehaviour switch holds back goes when it should. */
#include "delay_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct delay_queue *queue;

static int open_queue(void **state) {
    (void)state;
    queue = delay_queue_new(2);
    return queue ? 0 : -1;
}

static int close_queue(void **state) {
    (void)state;
    delay_queue_destroy(&queue);
    return 0;
}

/** A message is known by its one byte. */
static bool put(size_t lane, uint8_t name, struct unreliable_fate fate, uint64_t now_ms) {
    struct peer_frames frames = {.frames = malloc(sizeof(struct lf_buf *)), .count = 1, .bytes = 1};
    frames.frames[0] = lf_buf_copy(lf_bytes(&name, 1));
    bool taken = delay_queue_put(queue, lane, &fate, &frames, now_ms);
    assert_int_equal(frames.count, 0);
    return taken;
}

/** What comes out at now_ms, as text. */
static const char *taken(uint64_t now_ms) {
    static char text[64];
    size_t count = 0, lane;
    struct peer_frames frames = {0};
    while (delay_queue_take(queue, now_ms, &lane, &frames)) {
        text[count++] = (char)frames.frames[0]->data[0];
        peer_frames_deinit(&frames);
    }
    text[count] = '\0';
    return text;
}

static const struct unreliable_fate at_once = {0}, lost = {.drop = true}, held = {.delay_ms = UNRELIABLE_HOLD_MS},
                                    passed = {.delay_ms = UNRELIABLE_REORDER_MS_MAX, .after_next = true},
                                    slow = {.delay_ms = 4, .in_order = true};

static void undelayed_messages_go_at_once_in_order(void **state) {
    (void)state;
    assert_true(delay_queue_deadline(queue) == UINT64_MAX);
    put(0, 'a', at_once, 10), put(1, 'b', at_once, 10), put(0, 'c', at_once, 10);
    assert_int_equal(delay_queue_deadline(queue), 10);
    assert_string_equal(taken(10), "abc");
    assert_string_equal(taken(1000), "");
}

static void what_is_behind_a_delayed_one_waits_on_its_lane_only(void **state) {
    (void)state;
    put(0, 'a', slow, 10), put(0, 'b', at_once, 11), put(1, 'c', at_once, 11);
    assert_string_equal(taken(11), "c");
    assert_int_equal(delay_queue_deadline(queue), 14);
    assert_string_equal(taken(13), "");
    assert_string_equal(taken(14), "ab");
    put(0, 'd', at_once, 14);
    assert_string_equal(taken(14), "d");
}

static void others_pass_a_held_one(void **state) {
    (void)state;
    put(0, 'a', held, 10), put(0, 'b', at_once, 11);
    assert_string_equal(taken(84), "b");
    assert_string_equal(taken(85), "a");
}

static void the_next_one_passes_a_reordered_one(void **state) {
    (void)state;
    put(0, 'a', passed, 10), put(1, 'b', at_once, 11);
    assert_string_equal(taken(11), "b");
    put(0, 'c', at_once, 12), put(0, 'd', at_once, 12);
    assert_string_equal(taken(12), "cad");
    put(0, 'e', passed, 20);
    assert_string_equal(taken(24), "");
    assert_string_equal(taken(25), "e"); /* nothing came */
}

static void lost_ones_never_come(void **state) {
    (void)state;
    assert_false(put(0, 'a', lost, 10));
    assert_string_equal(taken(1000), "");
}

static void it_is_bounded(void **state) {
    (void)state;
    for (int i = 0; i < DELAY_QUEUE_MESSAGES_MAX; i++)
        assert_true(put(0, 'a', held, 10));
    assert_false(put(0, 'b', held, 10));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_queue, close_queue)
    const struct CMUnitTest tests[] = {
        TEST(undelayed_messages_go_at_once_in_order),
        TEST(what_is_behind_a_delayed_one_waits_on_its_lane_only),
        TEST(others_pass_a_held_one),
        TEST(the_next_one_passes_a_reordered_one),
        TEST(lost_ones_never_come),
        TEST(it_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
