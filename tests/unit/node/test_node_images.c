/** Replicas that are filled by images, on whole nodes: what brings them there, what breaks it off, what goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "node_metrics.h"
#include "node_story.h"
#include "partition.h"

/** Small, so that there are many segments soon. */
#define ACTIVE_BYTES_MAX 8192
#define TAIL_BYTES_MAX 4096

static struct world world;
static uint64_t group, next_request = 100;
static size_t leader;

static void begin(uint64_t backlog_bytes) {
    struct node_limits limits = {.active_bytes_max = ACTIVE_BYTES_MAX,
                                 .tail_cache_bytes_max = TAIL_BYTES_MAX,
                                 .image_backlog_bytes = backlog_bytes};
    world_init_limited(&world, 3, &limits);
    world.verbose = getenv("VERBOSE") != NULL;
    group = world_topic(&world, "t", 1, 3);
    int found = world_wait_leader(&world, group, 3000);
    assert_true(found >= 0);
    leader = (size_t)found;
    world_hello(&world, leader, 10);
}

static int setup(void **state) {
    (void)state;
    begin(0);
    return 0;
}

static int setup_small_backlog(void **state) {
    (void)state;
    begin(20000);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    world_deinit(&world);
    return 0;
}

static void publish(int batches) {
    for (int i = 0; i < batches; i++) {
        struct lf_buf *batch = world_batch(50, -1, -1, -1);
        world_publish(&world, leader, 10, ++next_request, "t", batch);
        lf_buf_unref(&batch);
        const struct world_reply *reply = world_answer(&world, 10, next_request, 3000);
        assert_non_null(reply);
        assert_status(reply->reply->status, LF_OK);
    }
}

static const struct partition *machine(size_t node) {
    const struct partition *partition = node_group_partition(world.nodes[node], group);
    assert_non_null(partition);
    return partition;
}

static void assert_equal_replicas(size_t a, size_t b) {
    size_t count, count_b;
    const struct log_segment *left = partition_segments(machine(a), &count),
                             *right = partition_segments(machine(b), &count_b);
    assert_int_equal(partition_applied_index(machine(a)), partition_applied_index(machine(b)));
    assert_true(partition_applied_equal(machine(a), machine(b)));
    assert_int_equal(count, count_b);
    for (size_t i = 0; i < count; i++)
        assert_true(log_segment_equal(&left[i], &right[i]));
}

static bool has_caught_up(struct world *all, void *context) {
    size_t node = *(size_t *)context;
    return node_group_applied(all->nodes[node], group) == node_group_applied(all->nodes[leader], group) &&
           node_group_applied(all->nodes[node], group) > 0;
}

static void wait_caught_up(size_t node) {
    bool caught_up = world_until(&world, has_caught_up, &node, 20000);
    assert_status(world.fatal[node], LF_OK);
    assert_true(caught_up);
}

static size_t follower(void) { return (leader + 1) % 3; }

static void find_leader(void) {
    int found = world_wait_leader(&world, group, 5000);
    assert_true(found >= 0);
    leader = (size_t)found;
    world_hello(&world, leader, 10);
}

/** History goes, so that who was away cannot be brought up to date by the log. */
static void publish_and_trim(const char *retention_bytes, int batches) {
    assert_status(world_alter(&world, "t", "retention.bytes", retention_bytes), LF_OK);
    for (int i = 0; i < 8; i++) {
        publish(batches / 8);
        world_run(&world, 2000);
    }
    world_run(&world, 12000);
    assert_true(partition_previous_index(machine(leader)) > 0);
}

static void who_was_away_while_history_went_gets_an_image(void **state) {
    (void)state;
    size_t away = follower();
    publish(10);
    world_crash(&world, away, MEM_DISK_POWER);
    publish_and_trim("20000", 240);
    world_start(&world, away);
    wait_caught_up(away);
    assert_int_equal(node_metrics(world.nodes[away])->images_installed, 1);
    publish(10);
    world_run(&world, 1000);
    assert_equal_replicas(leader, away);
}

static void what_was_installed_outlives_a_restart(void **state) {
    (void)state;
    size_t away = follower();
    world_crash(&world, away, MEM_DISK_POWER);
    publish_and_trim("20000", 240);
    world_start(&world, away);
    wait_caught_up(away);
    for (int i = 0; i < 3; i++) {
        world_crash(&world, away, MEM_DISK_POWER);
        world_run(&world, 10);
        world_start(&world, away);
        publish(5);
        wait_caught_up(away);
    }
    world_run(&world, 1000);
    assert_equal_replicas(leader, away);
    assert_int_equal(node_metrics(world.nodes[away])->images_installed, 0);
    /* It can lead. */
    world_crash(&world, leader, MEM_DISK_POWER);
    find_leader();
    publish(10);
    world_crash(&world, leader, MEM_DISK_POWER);
}

static void new_replica_of_a_long_log_gets_an_image(void **state) {
    (void)state;
    publish(200);
    size_t joined = world_join(&world);
    assert_status(world_add(&world, joined + 1), LF_OK);
    world_run(&world, 1500);
    uint64_t nodes[] = {leader + 1, follower() + 1, joined + 1, 0};
    assert_status(world_move(&world, "t", 0, nodes), LF_OK);
    for (int i = 0; i < 30; i++) { /* publishing goes on */
        publish(2);
        world_run(&world, 50);
    }
    wait_caught_up(joined);
    assert_int_equal(node_metrics(world.nodes[joined])->images_installed, 1);
    world_run(&world, 1500);
    assert_equal_replicas(leader, joined);
}

static void trim(int64_t before_offset) {
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    Lf__TrimPartition body = LF__TRIM_PARTITION__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    topic.name = (char *)(uintptr_t) "t";
    body.topic = &topic;
    body.before_offset = before_offset;
    request.protocol_version = 1;
    request.request_id = ++next_request;
    request.body_case = LF__CLIENT_REQUEST__BODY_TRIM_PARTITION;
    request.trim_partition = &body;
    world_request(&world, leader, 10, &request, NULL);
    const struct world_reply *reply = world_answer(&world, 10, next_request, 3000);
    assert_non_null(reply);
    assert_status((enum lf_status)reply->reply->status, LF_OK);
}

/** A trim waits for nobody: what an image that is still fresh is of may be dropped before the next replica asks. */
static void image_whose_history_was_dropped_is_made_anew(void **state) {
    (void)state;
    size_t count, away = follower(), joined = world_join(&world);
    assert_status(world_add(&world, joined + 1), LF_OK);
    world_run(&world, 1500);
    world_crash(&world, away, MEM_DISK_POWER);
    publish_and_trim("50000", 240);
    world_start(&world, away);
    wait_caught_up(away);
    assert_int_equal(node_metrics(world.nodes[leader])->images_made, 1);
    const struct log_segment *segments = partition_segments(machine(leader), &count);
    assert_true(count >= 3);
    trim((int64_t)segments[count / 2].base_offset);
    uint64_t nodes[] = {leader + 1, away + 1, joined + 1, 0};
    assert_status(world_move(&world, "t", 0, nodes), LF_OK);
    assert_true(world_until(&world, has_caught_up, &joined, 4000));
    assert_int_equal(node_metrics(world.nodes[leader])->images_made, 2);
    assert_int_equal(node_metrics(world.nodes[joined])->images_installed, 1);
    world_run(&world, 1000);
    assert_equal_replicas(leader, joined);
}

static void short_log_needs_no_image(void **state) {
    (void)state;
    publish(100);
    size_t joined = world_join(&world);
    assert_status(world_add(&world, joined + 1), LF_OK);
    world_run(&world, 1500);
    uint64_t nodes[] = {leader + 1, follower() + 1, joined + 1, 0};
    assert_status(world_move(&world, "t", 0, nodes), LF_OK);
    wait_caught_up(joined);
    assert_int_equal(node_metrics(world.nodes[joined])->images_installed, 0);
}

static uint64_t fetched(size_t node) { return node_metrics(world.nodes[node])->image_bytes_fetched; }

/** Runs until some pieces have arrived, and not all. */
static void run_into_the_middle(size_t node, uint64_t bytes) {
    for (int i = 0; i < 20000 && fetched(node) < bytes; i++)
        world_run(&world, 1);
    assert_true(fetched(node) >= bytes);
    assert_int_equal(node_metrics(world.nodes[node])->images_installed, 0);
}

static void d9_fetch_goes_on_after_a_restart_with_what_is_staged(void **state) {
    (void)state;
    size_t away = follower();
    world_crash(&world, away, MEM_DISK_POWER);
    publish_and_trim("100000", 400);
    uint64_t all = partition_bytes(machine(leader)).sealed;
    world_start(&world, away);
    run_into_the_middle(away, all / 2);
    world_run(&world, 3);
    world_crash(&world, away, MEM_DISK_KILL);
    world_start(&world, away);
    wait_caught_up(away);
    assert_int_equal(node_metrics(world.nodes[away])->images_installed, 1);
    assert_in_range(fetched(away), 1, all * 3 / 4);
    assert_equal_replicas(leader, away);
}

static void d9_fetch_goes_on_with_another_leader(void **state) {
    (void)state;
    size_t away = follower();
    world_crash(&world, away, MEM_DISK_POWER);
    publish_and_trim("100000", 400);
    uint64_t all = partition_bytes(machine(leader)).sealed;
    world_start(&world, away);
    run_into_the_middle(away, all / 2);
    world_run(&world, 3);
    uint64_t before = fetched(away);
    size_t gone = leader;
    world_crash(&world, leader, MEM_DISK_POWER);
    find_leader();
    assert_true(leader != away); /* its log is far behind */
    wait_caught_up(away);
    assert_in_range(fetched(away) - before, 1, all * 3 / 4);
    world_start(&world, gone);
    wait_caught_up(gone);
    publish(10);
    world_run(&world, 1000);
    assert_equal_replicas(leader, away);
    assert_equal_replicas(leader, gone);
}

static void fetch_survives_a_bad_network(void **state) {
    (void)state;
    size_t away = follower();
    world_crash(&world, away, MEM_DISK_POWER);
    publish_and_trim("50000", 240);
    world.lose_permille = 200;
    world_start(&world, away);
    world_run(&world, 5000);
    world.lose_permille = 0;
    find_leader();
    wait_caught_up(away);
    publish(10);
    world_run(&world, 1000);
    assert_equal_replicas(leader, away);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_was_away_while_history_went_gets_an_image, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_installed_outlives_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(new_replica_of_a_long_log_gets_an_image, setup_small_backlog, teardown),
        cmocka_unit_test_setup_teardown(image_whose_history_was_dropped_is_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(short_log_needs_no_image, setup, teardown),
        cmocka_unit_test_setup_teardown(d9_fetch_goes_on_after_a_restart_with_what_is_staged, setup, teardown),
        cmocka_unit_test_setup_teardown(d9_fetch_goes_on_with_another_leader, setup, teardown),
        cmocka_unit_test_setup_teardown(fetch_survives_a_bad_network, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
