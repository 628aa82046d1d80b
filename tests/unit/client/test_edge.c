/** The library with its thread and real sockets, against a tiny broker on 127.0.0.1. Callbacks count; the test's own
 *  thread checks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "logflume.h"
#include "tiny_broker.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct fixture {
    struct tiny_broker *broker;
    lf_client *client;
    atomic_int ok, other, last_status;
    atomic_llong last_offset;
    atomic_int out_of_order;
};

static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static lf_client *client_at(uint16_t port, void (*change)(struct lf_client_options *)) {
    char brokers[64];
    snprintf(brokers, sizeof brokers, "127.0.0.1:%u", port);
    struct lf_client_options options;
    lf_client_options_init(&options);
    options.brokers = brokers;
    options.name = "test_edge";
    if (change)
        change(&options);
    lf_client *client = NULL;
    struct lf_error error = {0};
    if (lf_client_new(&options, &client, &error) != LF_OK)
        fail_msg("%s", error.text);
    return client;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->broker = tiny_broker_start(0);
    assert_non_null(f->broker);
    f->client = client_at(tiny_broker_port(f->broker), NULL);
    atomic_store(&f->last_offset, -1);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    lf_client_close(&f->client, 0);
    tiny_broker_stop(&f->broker);
    free(f);
    return 0;
}

static void told(const struct lf_delivery *delivery) {
    struct fixture *f = delivery->context;
    atomic_store(&f->last_status, delivery->status);
    if (delivery->status != LF_OK) {
        atomic_fetch_add(&f->other, 1);
        return;
    }
    if (delivery->offset != atomic_load(&f->last_offset) + 1)
        atomic_fetch_add(&f->out_of_order, 1);
    atomic_store(&f->last_offset, delivery->offset);
    atomic_fetch_add(&f->ok, 1);
}

static void publish(struct fixture *f, int number) {
    char value[64];
    int size = snprintf(value, sizeof value, "message %d", number);
    struct lf_message message = {.topic = "t", .partition = -1, .value = value, .value_size = (size_t)size};
    struct lf_error error = {0};
    enum lf_status status = lf_publish(f->client, &message, told, f, 10000, &error);
    if (status != LF_OK)
        fail_msg("%s", error.text);
}

static lf_subscription *subscribe(struct fixture *f, enum lf_start start, int64_t value, bool exit_at_end) {
    struct lf_subscribe_options options;
    lf_subscribe_options_init(&options);
    options.topic = "t";
    options.start = start;
    options.value = value;
    options.exit_at_end = exit_at_end;
    lf_subscription *subscription = NULL;
    struct lf_error error = {0};
    if (lf_subscribe(f->client, &options, &subscription, &error) != LF_OK)
        fail_msg("%s", error.text);
    return subscription;
}

/* Reads until the end; every record must be the expected one. Returns how many. */
static int read_all(lf_subscription *subscription, int first) {
    int number = first;
    for (;;) {
        struct lf_records records;
        struct lf_error error = {0};
        enum lf_status status = lf_poll(subscription, 10000, &records, &error);
        if (status == LF_END)
            return number - first;
        if (status != LF_OK)
            fail_msg("%s: %s", lf_status_name(status), error.text);
        for (size_t i = 0; i < records.count; i++) {
            char expected[64];
            int size = snprintf(expected, sizeof expected, "message %d", number);
            assert_int_equal(records.records[i].offset, number);
            assert_int_equal(records.records[i].value_size, size);
            assert_memory_equal(records.records[i].value, expected, (size_t)size);
            number++;
        }
    }
}

static void what_is_published_is_acknowledged_and_read_back(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 20000; i++)
        publish(f, i);
    assert_int_equal(lf_flush(f->client, 20000), LF_OK);
    assert_int_equal(atomic_load(&f->ok), 20000);
    assert_int_equal(atomic_load(&f->other), 0);
    assert_int_equal(atomic_load(&f->out_of_order), 0);
    lf_subscription *subscription = subscribe(f, LF_START_EARLIEST, 0, true);
    assert_int_equal(read_all(subscription, 0), 20000);
    struct lf_records records;
    assert_int_equal(lf_poll(subscription, 0, &records, NULL), LF_END); /* and stays so */
    lf_unsubscribe(&subscription);
    assert_null(subscription);
    subscription = subscribe(f, LF_START_TAIL, 100, true);
    assert_int_equal(read_all(subscription, 19900), 100);
    lf_unsubscribe(&subscription);
}

static void *publisher(void *argument) {
    for (int i = 0; i < 2000; i++)
        publish(argument, i);
    return NULL;
}

static void many_threads_publish_at_once(void **state) {
    struct fixture *f = *state;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, publisher, f), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(lf_flush(f->client, 20000), LF_OK);
    assert_int_equal(atomic_load(&f->ok), 8000);
    assert_int_equal(atomic_load(&f->out_of_order), 0);
    int64_t end = 0;
    assert_int_equal(lf_partition_end(f->client, "t", 0, &end, NULL), LF_OK);
    assert_int_equal(end, 8000);
}

static void small_room(struct lf_client_options *options) {
    options->inflight_bytes_max = 2000;
    options->fetch_bytes_max = 1000;
    options->compression = LF_COMPRESSION_LZ4;
}

static void lf_publish_waits_for_room_or_says_full(void **state) {
    struct fixture *f = *state;
    lf_client_close(&f->client, 0);
    f->client = client_at(tiny_broker_port(f->broker), small_room);
    for (int i = 0; i < 2000; i++)
        publish(f, i);
    assert_int_equal(lf_flush(f->client, 20000), LF_OK);
    assert_int_equal(atomic_load(&f->ok), 2000);
    lf_subscription *subscription = subscribe(f, LF_START_EARLIEST, 0, true); /* and reading with little credit */
    assert_int_equal(read_all(subscription, 0), 2000);
    lf_unsubscribe(&subscription);
    tiny_broker_withhold_answers(f->broker, true);
    static char big[1500];
    struct lf_message message = {.topic = "t", .partition = 0, .value = big, .value_size = sizeof big};
    assert_int_equal(lf_publish(f->client, &message, told, f, 0, NULL), LF_OK);
    assert_int_equal(lf_publish(f->client, &message, told, f, 0, NULL), LF_FULL);
    uint64_t before = now_ms();
    assert_int_equal(lf_publish(f->client, &message, told, f, 50, NULL), LF_FULL);
    assert_true(now_ms() - before >= 45);
    assert_int_equal(lf_flush(f->client, 20), LF_TIMED_OUT);
}

static atomic_bool hold, holding;

static void hold_thread(const struct lf_delivery *delivery) {
    (void)delivery;
    atomic_store(&holding, true);
    while (atomic_load(&hold))
        poll(NULL, 0, 1);
}

/* The thread is stuck in a callback: the ring fills long before the bytes do. */
static void a_full_ring_is_said_in_time(void **state) {
    struct fixture *f = *state;
    struct lf_message message = {.topic = "t", .partition = 0, .value = "x", .value_size = 1};
    atomic_store(&hold, true);
    atomic_store(&holding, false);
    assert_int_equal(lf_publish(f->client, &message, hold_thread, NULL, 1000, NULL), LF_OK);
    for (uint64_t end = now_ms() + 10000; !atomic_load(&holding) && now_ms() < end;)
        poll(NULL, 0, 1);
    assert_true(atomic_load(&holding));
    int accepted = 0;
    enum lf_status status;
    while ((status = lf_publish(f->client, &message, told, f, 50, NULL)) == LF_OK && accepted < 200000)
        accepted++;
    atomic_store(&hold, false);
    assert_int_equal(status, LF_FULL);
    assert_int_equal(lf_flush(f->client, 20000), LF_OK);
    assert_int_equal(atomic_load(&f->ok), accepted);
}

static atomic_int chain_left;
static lf_client *chain_client;

static void chain(const struct lf_delivery *delivery) {
    if (delivery->status != LF_OK || atomic_fetch_sub(&chain_left, 1) <= 1)
        return;
    struct lf_message message = {.topic = "t", .partition = 0, .value = "next", .value_size = 4};
    if (lf_publish(chain_client, &message, chain, NULL, 1000, NULL) != LF_OK)
        atomic_store(&chain_left, -1000);
}

static void a_callback_may_publish(void **state) {
    struct fixture *f = *state;
    chain_client = f->client;
    atomic_store(&chain_left, 50);
    struct lf_message message = {.topic = "t", .partition = 0, .value = "first", .value_size = 5};
    assert_int_equal(lf_publish(f->client, &message, chain, NULL, 1000, NULL), LF_OK);
    for (uint64_t end = now_ms() + 10000; atomic_load(&chain_left) > 0 && now_ms() < end;)
        assert_int_equal(lf_flush(f->client, 10000), LF_OK);
    assert_int_equal(atomic_load(&chain_left), 0);
}

static void the_descriptor_is_readable_when_records_wait(void **state) {
    struct fixture *f = *state;
    lf_subscription *subscription = subscribe(f, LF_START_LATEST, 0, false);
    struct lf_records records;
    assert_int_equal(lf_poll(subscription, 50, &records, NULL), LF_AGAIN);
    struct pollfd item = {.fd = lf_subscription_fd(subscription), .events = POLLIN};
    assert_int_equal(poll(&item, 1, 0), 0);
    for (int seen = 0, tries = 0; !seen && tries < 200; tries++) { /* "latest" begins when the broker says so */
        publish(f, 0);
        seen = poll(&item, 1, 50);
    }
    assert_int_equal(poll(&item, 1, 0), 1);
    assert_int_equal(lf_poll(subscription, 0, &records, NULL), LF_OK);
    assert_true(records.count > 0);
    lf_unsubscribe(&subscription);
}

static void a_broker_that_comes_back_is_found_again(void **state) {
    struct fixture *f = *state;
    publish(f, 0);
    assert_int_equal(lf_flush(f->client, 10000), LF_OK);
    uint16_t port = tiny_broker_port(f->broker);
    tiny_broker_stop(&f->broker);
    publish(f, 1);
    assert_int_equal(lf_flush(f->client, 100), LF_TIMED_OUT);
    f->broker = tiny_broker_start(port);
    assert_non_null(f->broker);
    assert_int_equal(lf_flush(f->client, 20000), LF_OK);
    assert_int_equal(atomic_load(&f->ok), 2);
}

static void topics_are_created_listed_described_and_deleted(void **state) {
    struct fixture *f = *state;
    struct lf_error error = {0};
    assert_int_equal(lf_topic_create(f->client, "b", 3, 1, &error), LF_OK);
    assert_int_equal(lf_topic_create(f->client, "b", 3, 1, &error), LF_TOPIC_EXISTS);
    assert_int_equal(lf_topic_create(f->client, "c", 99, 1, &error), LF_INVALID);
    assert_non_null(strstr(error.text, "1 to 8"));
    assert_int_equal(lf_topic_create(f->client, "a/b", 1, 1, &error), LF_INVALID);
    struct lf_topic *topics;
    size_t count;
    assert_int_equal(lf_topic_list(f->client, &topics, &count, &error), LF_OK);
    assert_int_equal(count, 2);
    assert_string_equal(topics[0].name, "b");
    assert_int_equal(topics[0].partitions, 3);
    lf_topics_free(topics, count);
    struct lf_topic topic;
    struct lf_partition *partitions;
    assert_int_equal(lf_topic_describe(f->client, "b", &topic, &partitions, &error), LF_OK);
    assert_int_equal(topic.partitions, 3);
    assert_int_equal(partitions[2].partition, 2);
    assert_int_equal(partitions[2].high_watermark, 0);
    assert_int_equal(partitions[2].replica_count, 1);
    free(topic.name);
    free(partitions);
    struct lf_cluster cluster;
    assert_int_equal(lf_cluster_status(f->client, &cluster, &error), LF_OK);
    assert_string_equal(cluster.name, "tiny");
    assert_int_equal(cluster.partitions, 4);
    assert_int_equal(cluster.node_count, 1);
    assert_true(cluster.nodes[0].reachable);
    lf_cluster_free(&cluster);
    assert_int_equal(lf_topic_delete(f->client, "b", &error), LF_OK);
    assert_int_equal(lf_topic_delete(f->client, "b", &error), LF_TOPIC_UNKNOWN);
    assert_int_equal(lf_topic_describe(f->client, "b", &topic, &partitions, &error), LF_TOPIC_UNKNOWN);
}

static void an_unknown_topic_is_told_by_lf_poll(void **state) {
    struct fixture *f = *state;
    struct lf_subscribe_options options;
    lf_subscribe_options_init(&options);
    options.topic = "nowhere";
    lf_subscription *subscription = NULL;
    assert_int_equal(lf_subscribe(f->client, &options, &subscription, NULL), LF_OK);
    struct lf_records records;
    assert_int_equal(lf_poll(subscription, 10000, &records, NULL), LF_TOPIC_UNKNOWN);
    lf_unsubscribe(&subscription);
    options.topic = "no good";
    assert_int_equal(lf_subscribe(f->client, &options, &subscription, NULL), LF_INVALID);
    assert_null(subscription);
}

static void close_tells_all_outcomes_within_its_time(void **state) {
    struct fixture *f = *state;
    publish(f, 0);
    assert_int_equal(lf_flush(f->client, 10000), LF_OK);
    tiny_broker_withhold_answers(f->broker, true);
    for (int i = 0; i < 100; i++)
        publish(f, i);
    uint64_t before = now_ms();
    lf_client_close(&f->client, 200);
    uint64_t took = now_ms() - before;
    assert_null(f->client);
    assert_in_range(took, 200, 1200);
    assert_int_equal(atomic_load(&f->other), 100);
    assert_int_equal(atomic_load(&f->last_status), LF_UNKNOWN_OUTCOME);
}

static void close_waits_for_what_was_published(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 1000; i++)
        publish(f, i);
    lf_client_close(&f->client, 20000);
    assert_int_equal(atomic_load(&f->ok), 1000);
}

static void a_closed_client_has_said_goodbye(void **state) {
    struct fixture *f = *state;
    publish(f, 0);
    lf_client_close(&f->client, 20000);
    for (int i = 0; i < 5000 && tiny_broker_goodbyes(f->broker) == 0; i++)
        poll(NULL, 0, 1);
    assert_int_equal(tiny_broker_goodbyes(f->broker), 1);
}

static void settings_are_given_altered_and_listed(void **state) {
    struct fixture *f = *state;
    struct lf_error error = {0};
    struct lf_setting_info *settings;
    size_t count;
    const struct lf_setting given[] = {{"retention.ms", "1h"}};
    assert_int_equal(lf_topic_create_with(f->client, "set", 1, 1, given, 1, &error), LF_OK);
    assert_int_equal(lf_topic_settings(f->client, "set", &settings, &count, &error), LF_OK);
    assert_int_equal(count, 2);
    assert_string_equal(settings[0].name, "retention.ms");
    assert_string_equal(settings[0].value, "1h");
    assert_true(settings[0].is_set);
    assert_string_equal(settings[0].default_text, "-1");
    assert_string_equal(settings[1].help, "Helps.");
    assert_false(settings[1].is_set);
    free(settings);
    const struct lf_setting changed[] = {{"retention.ms", NULL}, {"cleanup.policy", "compact"}};
    assert_int_equal(lf_topic_alter(f->client, "set", changed, 2, &error), LF_OK);
    assert_int_equal(lf_topic_settings(f->client, "set", &settings, &count, &error), LF_OK);
    assert_false(settings[0].is_set);
    assert_string_equal(settings[1].text, "compact");
    free(settings);
    const struct lf_setting wrong[] = {{"colour", "red"}};
    assert_int_equal(lf_topic_alter(f->client, "set", wrong, 1, &error), LF_INVALID);
    assert_string_equal(error.text, "no such setting");
    assert_int_equal(lf_topic_settings(f->client, NULL, &settings, &count, &error), LF_OK);
    assert_int_equal(count, 2);
    free(settings);
    assert_int_equal(lf_topic_settings(f->client, "nosuch", &settings, &count, &error), LF_TOPIC_UNKNOWN);
    assert_null(settings);
}

static void who_is_too_late_is_told(void **state) {
    struct fixture *f = *state;
    struct lf_error error = {0};
    struct lf_trim trim;
    struct lf_records records;
    int32_t partition = -1;
    int64_t offset = -1;
    for (int i = 0; i < 10; i++)
        publish(f, i);
    assert_int_equal(lf_flush(f->client, 20000), LF_OK);
    assert_int_equal(lf_partition_trim(f->client, "t", 0, 4, true, &trim, &error), LF_OK);
    assert_int_equal(trim.log_start, 4);
    assert_int_equal(lf_partition_offset_at(f->client, "t", 0, 1, &offset, &error), LF_OK);
    assert_int_equal(offset, 0); /* a dry run changes nothing */
    assert_int_equal(lf_partition_trim(f->client, "t", 0, 4, false, &trim, &error), LF_OK);
    assert_int_equal(trim.old_log_start, 0);
    assert_int_equal(trim.high_watermark, 10);
    assert_int_equal(lf_partition_trim(f->client, "t", 0, 11, false, NULL, &error), LF_INVALID);

    lf_subscription *subscription = subscribe(f, LF_START_OFFSET, 1, true);
    enum lf_status status;
    while ((status = lf_poll(subscription, 20000, &records, &error)) == LF_OK)
        assert_int_equal(records.count, 0);
    assert_int_equal(status, LF_OFFSET_BELOW_START);
    assert_true(lf_subscription_resume(subscription, &partition, &offset));
    assert_int_equal(partition, 0);
    assert_int_equal(offset, 4);
    lf_unsubscribe(&subscription);

    struct lf_subscribe_options options;
    lf_subscribe_options_init(&options);
    options.topic = "t";
    options.start = LF_START_OFFSET;
    options.value = 1;
    options.exit_at_end = options.reset_to_log_start = true;
    assert_int_equal(lf_subscribe(f->client, &options, &subscription, &error), LF_OK);
    assert_int_equal(lf_poll(subscription, 20000, &records, &error), LF_OK);
    assert_int_equal(records.count, 0);
    assert_int_equal(records.missed_from, 1);
    assert_int_equal(records.missed_to, 4);
    assert_int_equal(records.missed_partition, 0);
    int64_t next = 4;
    while ((status = lf_poll(subscription, 20000, &records, &error)) == LF_OK)
        for (size_t i = 0; i < records.count; i++)
            assert_int_equal(records.records[i].offset, next++);
    assert_int_equal(status, LF_END);
    assert_int_equal(next, 10);
    assert_false(lf_subscription_resume(subscription, &partition, &offset));
    lf_unsubscribe(&subscription);
}

static void segments_are_listed_page_by_page(void **state) {
    struct fixture *f = *state;
    struct lf_error error = {0};
    struct lf_segments segments;
    assert_int_equal(lf_partition_segments(f->client, "t", 0, 0, &segments, &error), LF_OK);
    assert_int_equal(segments.count, 2);
    assert_int_equal(segments.node, 1);
    assert_false(segments.segments[0].open);
    assert_int_equal(segments.segments[0].checksum, 0xabcdef);
    assert_true(segments.segments[1].open);
    lf_segments_free(&segments);
    assert_int_equal(lf_partition_segments(f->client, "t", 3, 0, &segments, &error), LF_PARTITION_UNKNOWN);
    assert_int_equal(lf_partition_segments(f->client, "nosuch", 0, 0, &segments, &error), LF_TOPIC_UNKNOWN);
    assert_null(segments.segments);
}

static void a_subscription_outlives_its_client(void **state) {
    struct fixture *f = *state;
    lf_subscription *subscription = subscribe(f, LF_START_EARLIEST, 0, false);
    lf_client_close(&f->client, 0);
    struct lf_records records;
    assert_int_equal(lf_poll(subscription, 1000, &records, NULL), LF_CLOSED);
    lf_unsubscribe(&subscription);
}

static void two_fast(struct lf_client_options *options) { options->connect_timeout_ms = 300; }

static void nobody_there_is_cannot_connect(void **state) {
    struct fixture *f = *state;
    lf_client_close(&f->client, 0);
    uint16_t port = tiny_broker_port(f->broker);
    tiny_broker_stop(&f->broker);
    f->client = client_at(port, two_fast);
    struct lf_topic *topics;
    size_t count;
    struct lf_error error = {0};
    assert_int_equal(lf_topic_list(f->client, &topics, &count, &error), LF_CONNECT);
    assert_non_null(strstr(error.text, "127.0.0.1"));
}

static void options_are_checked_in_words(void **state) {
    (void)state;
    struct lf_client_options options;
    struct lf_error error = {0};
    lf_client *client = NULL;
    lf_client_options_init(&options);
    options.brokers = "no:port:at all";
    assert_int_equal(lf_client_new(&options, &client, &error), LF_INVALID);
    assert_true(strlen(error.text) > 10);
    lf_client_options_init(&options);
    options.batch_bytes = 1;
    assert_int_equal(lf_client_new(&options, &client, &error), LF_INVALID);
    assert_non_null(strstr(error.text, "batch_bytes"));
    assert_null(client);
    lf_client_close(&client, 0);
    lf_subscription *none = NULL;
    lf_unsubscribe(&none);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        FACT(what_is_published_is_acknowledged_and_read_back),
        FACT(many_threads_publish_at_once),
        FACT(lf_publish_waits_for_room_or_says_full),
        FACT(a_full_ring_is_said_in_time),
        FACT(a_callback_may_publish),
        FACT(the_descriptor_is_readable_when_records_wait),
        FACT(a_broker_that_comes_back_is_found_again),
        FACT(topics_are_created_listed_described_and_deleted),
        FACT(an_unknown_topic_is_told_by_lf_poll),
        FACT(close_tells_all_outcomes_within_its_time),
        FACT(close_waits_for_what_was_published),
        FACT(a_closed_client_has_said_goodbye),
        FACT(settings_are_given_altered_and_listed),
        FACT(who_is_too_late_is_told),
        FACT(segments_are_listed_page_by_page),
        FACT(a_subscription_outlives_its_client),
        FACT(nobody_there_is_cannot_connect),
        cmocka_unit_test(options_are_checked_in_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
