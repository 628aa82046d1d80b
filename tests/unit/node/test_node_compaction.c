/** Key compaction on whole nodes: what survives, equal on all replicas, and what a reader from 0 is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "lf_record_batch.h"
#include "node_metrics.h"
#include "node_story.h"
#include "partition.h"

#define ACTIVE_BYTES_MAX 8192
#define KEYS 40

/** What was acknowledged last of a key. offset -1: nothing. */
struct known {
    int64_t offset;
    bool tombstone;
};

static struct world world;
static uint64_t group, next_request = 100, random_seed = 88172645463325252u;
static size_t leader;
static struct known last[KEYS];
static int64_t published;

static void find_leader(void) {
    int found = world_wait_leader(&world, group, 5000);
    assert_true(found >= 0);
    leader = (size_t)found;
    world_hello(&world, leader, 10);
}

static int set_up(uint32_t append_entries_max) {
    struct node_limits limits = {.active_bytes_max = ACTIVE_BYTES_MAX,
                                 .tail_cache_bytes_max = 4096,
                                 .delivery_bytes_max = 4096,
                                 .raft.append_entries_max = append_entries_max};
    world_init_limited(&world, 3, &limits);
    world.verbose = getenv("VERBOSE") != NULL;
    group = world_topic(&world, "t", 1, 3);
    world_run(&world, 8000); /* the replica that should lead does */
    find_leader();
    for (int i = 0; i < KEYS; i++)
        last[i] = (struct known){.offset = -1};
    published = 0;
    assert_status(world_alter(&world, "t", "cleanup.policy", "compact"), LF_OK);
    assert_status(world_alter(&world, "t", "segment.bytes", "64KiB"), LF_OK);
    return 0;
}

static int setup_three(void **state) {
    (void)state;
    return set_up(0);
}

static int setup_short_messages(void **state) {
    (void)state;
    return set_up(1);
}

static int teardown(void **state) {
    (void)state;
    world_deinit(&world);
    return 0;
}

static uint64_t random_below(uint64_t bound) {
    random_seed ^= random_seed << 13;
    random_seed ^= random_seed >> 7;
    random_seed ^= random_seed << 17;
    return random_seed % bound;
}

/** One batch of ten records; one in `tombstone_in` has no value (0: none). The value is the offset. */
static void publish_batch(uint64_t keys, uint64_t tombstone_in) {
    struct lf_batch_builder *builder = lf_batch_builder_new(random_below(2) ? LF_CODEC_ZSTD : LF_CODEC_NONE, NULL);
    struct lf_buf *batch = NULL;
    for (int i = 0; i < 10; i++) {
        char key[16], value[64];
        uint64_t number = random_below(keys);
        int64_t offset = published++;
        last[number] = (struct known){.offset = offset, .tombstone = tombstone_in && random_below(tombstone_in) == 0};
        struct lf_record record = {.timestamp_ms = 1700000000000};
        record.key = lf_bytes(key, (size_t)snprintf(key, sizeof key, "key %d", (int)number));
        if (!last[number].tombstone)
            record.value = lf_bytes(value, (size_t)snprintf(value, sizeof value, "%040lld", (long long)offset));
        assert_int_equal(lf_batch_builder_add(builder, &record), LF_OK);
    }
    assert_int_equal(lf_batch_builder_finish(builder, &batch), LF_OK);
    lf_batch_builder_destroy(&builder);
    world_publish(&world, leader, 10, ++next_request, "t", batch);
    lf_buf_unref(&batch);
    const struct world_reply *reply = world_answer(&world, 10, next_request, 3000);
    assert_non_null(reply);
    assert_status(reply->reply->status, LF_OK);
    assert_int_equal(reply->reply->publish->base_offset, published - 10);
}

static void publish(int batches, uint64_t keys, uint64_t tombstone_in) {
    find_leader(); /* a silent session ends after a while */
    for (int i = 0; i < batches; i++)
        publish_batch(keys, tombstone_in);
}

static const struct partition *machine(size_t node) {
    const struct partition *partition = node_group_partition(world.nodes[node], group);
    assert_non_null(partition);
    return partition;
}

static void assert_equal_replicas(void) {
    for (size_t node = 1; node < 3; node++) {
        size_t count, count_b;
        const struct log_segment *left = partition_segments(machine(0), &count),
                                 *right = partition_segments(machine(node), &count_b);
        assert_int_equal(count, count_b);
        for (size_t i = 0; i < count; i++)
            assert_true(log_segment_equal(&left[i], &right[i]));
        assert_true(partition_applied_equal(machine(0), machine(node)));
        assert_int_equal(partition_decisions_waiting(machine(node)), 0);
    }
}

static uint64_t clean_index(void) { return partition_compaction(machine(leader))->clean_index; }

/** The offset before which all is compacted. */
static int64_t clean_offset(size_t node) {
    size_t count;
    const struct log_segment *segments = partition_segments(machine(node), &count);
    int64_t offset = 0;
    for (size_t i = 0; i < count && segments[i].last_index <= clean_index(); i++)
        offset = (int64_t)segments[i].end_offset;
    return offset;
}

/** What a reader of a node was given. */
struct reading {
    int64_t next;          /**< as a client counts: batches, and what it is told is gone */
    struct known of[KEYS]; /**< the last it saw of each key */
    int64_t below;         /**< the clean part ends here: no key twice before it */
    int64_t records;
    int64_t tombstones_clean; /**< seen in the clean part */
};

static void take_record(struct reading *reading, const struct lf_record *record) {
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)record->key.size, (const char *)record->key.data);
    int key = atoi(text + 4);
    assert_in_range(key, 0, KEYS - 1);
    struct known *known = &reading->of[key];
    assert_true(record->offset > known->offset);
    if (record->offset < reading->below)
        assert_int_equal(known->offset, -1);
    if (record->value.data) {
        snprintf(text, sizeof text, "%.*s", (int)record->value.size, (const char *)record->value.data);
        assert_int_equal(atoll(text), record->offset);
    }
    reading->tombstones_clean += !record->value.data && record->offset < reading->below;
    *known = (struct known){.offset = record->offset, .tombstone = !record->value.data};
    reading->records++;
}

static void take_batch(struct reading *reading, struct lf_bytes batch) {
    struct lf_batch_reader *reader;
    struct lf_record record;
    enum lf_status status = lf_batch_reader_new(batch, NULL, &reader, NULL);
    assert_int_equal(status, LF_OK);
    const struct lf_batch_header *header = lf_batch_reader_header(reader);
    assert_in_range(header->base_offset, 0, reading->next); /* nothing is missing that was not said to be gone */
    while ((status = lf_batch_reader_next(reader, &record)) == LF_OK)
        if (record.offset >= reading->next)
            take_record(reading, &record);
    assert_int_equal(status, LF_END);
    reading->next = header->base_offset + header->last_offset_delta + 1;
    lf_batch_reader_destroy(&reader);
}

static void take_delivery(struct reading *reading, const struct world_reply *reply) {
    const Lf__Deliver *deliver = reply->reply->deliver;
    assert_true(deliver->n_gone_below == 0 || deliver->n_gone_below == (size_t)deliver->batch_count + 1);
    for (size_t i = 0; i <= deliver->batch_count; i++) {
        if (deliver->n_gone_below > 0 && deliver->gone_below[i] > reading->next)
            reading->next = deliver->gone_below[i];
        if (i < deliver->batch_count)
            take_batch(reading, lf_buf_bytes(reply->frames[i]));
    }
}

/** Reads a node's replica from 0 to its end. */
static void read_all(size_t node, struct reading *reading) {
    uint64_t session = 20 + node, id = ++next_request;
    world_hello(&world, node, session);
    size_t seen = world.reply_count;
    *reading = (struct reading){.below = clean_offset(node)};
    for (int i = 0; i < KEYS; i++)
        reading->of[i].offset = -1;
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t) "t";
    Lf__Subscribe body = LF__SUBSCRIBE__INIT;
    body.subscription = id;
    body.topic = &ref;
    body.from = LF__START_FROM__START_EARLIEST;
    body.credit_total = 1 << 24;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = ++next_request;
    request.body_case = LF__CLIENT_REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &body;
    world_request(&world, node, session, &request, NULL);
    world_run(&world, 2000);
    for (size_t i = seen; i < world.reply_count; i++)
        if (world.replies[i].reply->body_case == LF__CLIENT_REPLY__BODY_DELIVER &&
            world.replies[i].reply->deliver->subscription == id)
            take_delivery(reading, &world.replies[i]);
    assert_int_equal(reading->next, published);
}

/** Every node gives the last record of each key; a tombstone may be gone. */
static void expect_last_values(void) {
    for (size_t node = 0; node < 3; node++) {
        struct reading reading;
        read_all(node, &reading);
        for (int i = 0; i < KEYS; i++) {
            if (last[i].tombstone && reading.of[i].offset == -1)
                continue;
            assert_int_equal(reading.of[i].offset, last[i].offset);
            assert_int_equal(reading.of[i].tombstone, last[i].tombstone);
        }
    }
}

static void every_replica_keeps_the_last_record_of_each_key(void **state) {
    (void)state;
    publish(100, KEYS, 0);
    world_run(&world, 5000);
    assert_true(clean_index() > 0);
    assert_true(clean_offset(leader) > 500);
    assert_in_range(partition_bytes(machine(leader)).sealed, 1, 16000); /* of 70 kB */
    assert_equal_replicas();
    expect_last_values();
    uint64_t before = clean_index();
    publish(100, KEYS, 0);
    world_run(&world, 5000);
    assert_true(clean_index() > before);
    assert_equal_replicas();
    expect_last_values();
}

static void figures_say_what_was_rewritten(void **state) {
    (void)state;
    publish(100, KEYS, 0);
    world_run(&world, 5000);
    for (size_t node = 0; node < 3; node++) {
        const struct node_metrics *metrics = node_metrics(world.nodes[node]);
        assert_in_range(metrics->rewrites_finished, 1, metrics->rewrites_started);
        assert_int_equal(metrics->rewrites_finished + metrics->rewrites_failed, metrics->rewrites_started);
        assert_int_equal(lf_histogram_count(&metrics->rewrite_us), metrics->rewrites_finished);
        assert_in_range(metrics->rewrite_bytes_out, 1, metrics->rewrite_bytes_in - 1);
        assert_in_range(metrics->rewrite_bytes_in, 10000, 1000000);
        assert_in_range(metrics->rewrite_records_in, 500, 10000);
        assert_in_range(metrics->rewrite_records_out, 1, metrics->rewrite_records_in - 1);
        assert_int_equal(node_counts(world.nodes[node]).rewrites_waiting, 0);
    }
}

static void what_is_not_sealed_is_not_compacted(void **state) {
    (void)state;
    publish(100, KEYS, 0);
    world_run(&world, 5000);
    assert_true(clean_index() < partition_open_segment(machine(leader))->first_index);
    struct reading reading;
    read_all(leader, &reading);
    /* All records of the open segment are there, also superseded ones. */
    assert_true(reading.records >= published - (int64_t)partition_open_segment(machine(leader))->base_offset);
}

static void what_is_younger_than_the_lag_stays(void **state) {
    (void)state;
    assert_status(world_alter(&world, "t", "min.compaction.lag.ms", "60s"), LF_OK);
    publish(100, KEYS, 0);
    world_run(&world, 20000);
    assert_int_equal(clean_index(), 0);
    struct reading reading;
    read_all(leader, &reading);
    assert_int_equal(reading.records, 1000);
    world_run(&world, 60000);
    assert_true(clean_index() > 0);
    expect_last_values();
}

static void tombstones_stay_their_time_and_go(void **state) {
    (void)state;
    struct reading reading;
    assert_status(world_alter(&world, "t", "delete.retention.ms", "30s"), LF_OK);
    publish(100, KEYS, 2);
    world_run(&world, 5000);
    publish(100, 10, 0); /* what the others' tombstones are about is gone now */
    world_run(&world, 5000);
    read_all(leader, &reading);
    int64_t early = reading.tombstones_clean;
    assert_true(early > 5);
    publish(100, 10, 0);
    world_run(&world, 5000);
    read_all(leader, &reading);
    assert_int_equal(reading.tombstones_clean, early);
    world_run(&world, 30000);
    publish(100, 10, 0);
    world_run(&world, 5000);
    read_all(leader, &reading);
    assert_true(reading.tombstones_clean < early);
    assert_equal_replicas();
    expect_last_values();
}

static void tombstones_go_though_nobody_writes_any_more(void **state) {
    (void)state;
    struct reading reading;
    assert_status(world_alter(&world, "t", "delete.retention.ms", "30s"), LF_OK);
    publish(100, KEYS, 2);
    world_run(&world, 5000);
    publish(100, 10, 0);
    world_run(&world, 5000);
    read_all(leader, &reading);
    assert_true(reading.tombstones_clean > 5);
    world_run(&world, 100000);
    find_leader();
    read_all(leader, &reading);
    assert_int_equal(reading.tombstones_clean, 0);
    assert_equal_replicas();
    expect_last_values();
    uint64_t finished = node_metrics(world.nodes[leader])->rewrites_finished;
    world_run(&world, 100000); /* once is enough */
    assert_int_equal(node_metrics(world.nodes[leader])->rewrites_finished, finished);
}

static void it_goes_on_after_restarts_and_changes_of_the_leader(void **state) {
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        publish(60, KEYS, 5);
        world_run(&world, 600 + 300 * i); /* somewhere in it */
        world_crash(&world, i % 2 ? leader : i % 3, i % 2 ? MEM_DISK_POWER : MEM_DISK_KILL);
        for (size_t node = 0; node < 3; node++)
            if (!world.nodes[node]) {
                world_run(&world, 10);
                world_start(&world, node);
            }
        world_run(&world, 2000);
        find_leader();
    }
    world_run(&world, 8000);
    find_leader();
    for (size_t node = 0; node < 3; node++)
        assert_int_equal(world.fatal[node], LF_OK);
    assert_true(clean_index() > 0);
    assert_equal_replicas();
    expect_last_values();
}

/** One bit of a sealed entry of the follower turns over, which notices when it is to rewrite it. */
static size_t damage_a_follower(void) {
    size_t node = (leader + 1) % 3, count;
    const struct log_segment *segments = partition_segments(machine(node), &count);
    assert_true(count >= 3);
    uint64_t index = segments[1].first_index;
    assert_true(mem_store_damage_entry(world.disks[node], world.stores[node], group, &index));
    assert_true(index <= segments[1].last_index);
    return node;
}

static void expect_cured(size_t node) {
    assert_status(world.fatal[node], LF_OK);
    assert_non_null(world.nodes[node]);
    assert_int_equal(node_metrics(world.nodes[node])->segments_repaired, 1);
    find_leader();
    assert_true(clean_index() > 0);
    assert_equal_replicas();
    expect_last_values();
    world_crash(&world, node, MEM_DISK_POWER); /* it is durable, and the store is whole */
    world_start(&world, node);
    world_run(&world, 2000);
    assert_equal_replicas();
    expect_last_values();
}

/** It cannot rewrite what is damaged, and nobody has that any more: they have what came of it. */
static void damaged_segment_is_replaced_by_what_its_leader_made_of_it(void **state) {
    (void)state;
    assert_status(world_alter(&world, "t", "min.compaction.lag.ms", "60s"), LF_OK);
    publish(100, KEYS, 0);
    world_run(&world, 1000);
    size_t node = damage_a_follower();
    assert_status(world_alter(&world, "t", "min.compaction.lag.ms", "0s"), LF_OK);
    world_run(&world, 40000);
    expect_cured(node);
}

static void it_is_so_with_lost_messages_and_another_leader(void **state) {
    (void)state;
    assert_status(world_alter(&world, "t", "min.compaction.lag.ms", "60s"), LF_OK);
    publish(100, KEYS, 0);
    world_run(&world, 1000);
    size_t node = damage_a_follower(), first = leader;
    assert_status(world_alter(&world, "t", "min.compaction.lag.ms", "0s"), LF_OK);
    world.lose_permille = 200;
    world_run(&world, 1500);
    world_crash(&world, first, MEM_DISK_KILL);
    world_run(&world, 1500);
    world_start(&world, first);
    world_run(&world, 10000);
    world.lose_permille = 0;
    world_run(&world, 30000);
    expect_cured(node);
}

static void compacted_history_is_also_dropped(void **state) {
    (void)state;
    assert_status(world_alter(&world, "t", "cleanup.policy", "compact,delete"), LF_OK);
    assert_status(world_alter(&world, "t", "retention.ms", "30s"), LF_OK);
    publish(100, KEYS, 0);
    world_run(&world, 5000);
    assert_true(clean_index() > 0);
    assert_int_equal(partition_log_start_offset(machine(leader)), 0);
    world_run(&world, 120000); /* rolls and moves of the start are entries, with a log time of their own */
    assert_int_equal(partition_log_start_offset(machine(leader)), 1000);
    assert_int_equal(partition_bytes(machine(leader)).sealed, 0);
    assert_equal_replicas();
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

static bool all_are_equal(struct world *all, void *context) {
    (void)context;
    for (size_t node = 0; node < 3; node++)
        if (!node_group_partition(all->nodes[node], group) ||
            node_group_applied(all->nodes[node], group) != node_group_applied(all->nodes[leader], group) ||
            partition_decisions_waiting(machine(node)) > 0)
            return false;
    return true;
}

/** Of a replica that was away: it asks its store for the rewrite in the step in which the drop goes there. */
static void a_rewrite_and_the_drop_that_makes_it_void_are_applied_in_one_step(void **state) {
    (void)state;
    size_t away = (leader + 1) % 3;
    publish(40, KEYS, 0);
    world_run(&world, 300);
    world_crash(&world, away, MEM_DISK_KILL);
    publish(3, KEYS, 0); /* the first message after an absence goes alone */
    for (int i = 0; i < 100 && clean_index() == 0; i++)
        world_run(&world, 100);
    assert_true(clean_index() > 0);
    find_leader();
    trim(clean_offset(leader));
    world_start(&world, away);
    assert_true(world_until(&world, all_are_equal, NULL, 5000));
    assert_equal_replicas();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_replica_keeps_the_last_record_of_each_key, setup_three, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_sealed_is_not_compacted, setup_three, teardown),
        cmocka_unit_test_setup_teardown(what_is_younger_than_the_lag_stays, setup_three, teardown),
        cmocka_unit_test_setup_teardown(tombstones_stay_their_time_and_go, setup_three, teardown),
        cmocka_unit_test_setup_teardown(it_goes_on_after_restarts_and_changes_of_the_leader, setup_three, teardown),
        cmocka_unit_test_setup_teardown(damaged_segment_is_replaced_by_what_its_leader_made_of_it, setup_three,
                                        teardown),
        cmocka_unit_test_setup_teardown(it_is_so_with_lost_messages_and_another_leader, setup_three, teardown),
        cmocka_unit_test_setup_teardown(compacted_history_is_also_dropped, setup_three, teardown),
        cmocka_unit_test_setup_teardown(a_rewrite_and_the_drop_that_makes_it_void_are_applied_in_one_step,
                                        setup_short_messages, teardown),
        cmocka_unit_test_setup_teardown(tombstones_go_though_nobody_writes_any_more, setup_three, teardown),
        cmocka_unit_test_setup_teardown(figures_say_what_was_rewritten, setup_three, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
