/** The newest entries in memory: one bound over all groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "node_view.h"
#include "node_world.h"

enum { GROUPS = 8, BOUND = 1024 * 1024, RECORDS = 8000 };

static struct world world;
static struct node_view view;
static uint64_t groups[GROUPS], request;

static void topic_name(char name[16], int topic) { snprintf(name, 16, "t%d", topic); }

static int setup(void **state) {
    (void)state;
    const struct node_limits limits = {.tail_cache_bytes_max = BOUND};
    world_init_limited(&world, 1, &limits);
    request = 1000;
    for (int i = 0; i < GROUPS; i++) {
        char name[16];
        topic_name(name, i);
        groups[i] = world_topic(&world, name, 1, 1);
        assert_int_equal(world_wait_leader(&world, groups[i], 3000), 0);
    }
    world_hello(&world, 0, 10);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    node_view_deinit(&view);
    world_deinit(&world);
    return 0;
}

/** Returns the bytes of the batch, acknowledged. */
static uint32_t publish(int topic) {
    char name[16];
    topic_name(name, topic);
    struct lf_buf *batch = world_batch(RECORDS, -1, -1, -1);
    uint32_t bytes = batch->size;
    world_publish(&world, 0, 10, ++request, name, batch);
    lf_buf_unref(&batch);
    const struct world_reply *reply = world_answer(&world, 10, request, 3000);
    assert_non_null(reply);
    assert_int_equal(reply->reply->status, LF_OK);
    return bytes;
}

static uint64_t cached_bytes(void) {
    assert_int_equal(node_view_fill(world.nodes[0], &view), LF_OK);
    for (size_t i = 0; i < view.byte_count; i++)
        if (strcmp(view.bytes[i].name, "tail_cache") == 0)
            return view.bytes[i].used;
    fail();
    return 0;
}

static void all_groups_together_stay_within_the_bound(void **state) {
    (void)state;
    uint64_t published = 0;
    for (int round = 0; round < 10; round++)
        for (int i = 0; i < GROUPS; i++) {
            published += publish(i);
            assert_true(cached_bytes() <= BOUND);
            node_check_invariants(world.nodes[0]);
        }
    assert_true(published > 4 * BOUND);
    assert_true(cached_bytes() > BOUND / 2);
}

static void a_group_uses_what_the_others_leave(void **state) {
    (void)state;
    uint64_t bytes = 0, batches = 0;
    for (; bytes < BOUND / 4 * 3; batches++)
        bytes += publish(0);
    uint64_t last = node_group_applied(world.nodes[0], groups[0]);
    for (uint64_t i = 0; i < batches; i++)
        assert_non_null(node_group_entry(world.nodes[0], groups[0], last - i));
}

static void a_group_that_fell_silent_gives_its_memory_up(void **state) {
    (void)state;
    for (uint64_t bytes = 0; bytes < BOUND / 4 * 3;)
        bytes += publish(0);
    uint64_t silent = node_group_applied(world.nodes[0], groups[0]);
    for (int round = 0; round < 20; round++)
        for (int i = 1; i < GROUPS; i++)
            publish(i);
    assert_null(node_group_entry(world.nodes[0], groups[0], silent - 4));
    assert_true(cached_bytes() <= BOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_groups_together_stay_within_the_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_uses_what_the_others_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(a_group_that_fell_silent_gives_its_memory_up, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
