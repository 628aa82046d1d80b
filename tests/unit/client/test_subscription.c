/** C5: what is delivered is consecutive from the start position, each record once, whatever the brokers do. */
#include "fake_cluster.h"

#define SUBSCRIBE LF__CLIENT_REQUEST__BODY_SUBSCRIBE
#define LOOKUP LF__CLIENT_REQUEST__BODY_OFFSETS_LOOKUP

static int setup(void **state) {
    *state = fake_new();
    return 0;
}
static int teardown(void **state) {
    fake_free(*state);
    return 0;
}

static struct lf_subscribe_options from(enum lf_start start, int64_t value) {
    return (struct lf_subscribe_options){
        .size = sizeof(struct lf_subscribe_options), .topic = "t", .start = start, .value = value};
}

static uint64_t subscribed(struct fake *fake, uint64_t node, int64_t start, int64_t high_watermark) {
    struct fake_request *request = fake_wait(fake, node, SUBSCRIBE, 0);
    uint64_t wire_id = request->message->subscribe->subscription;
    fake_answer_subscribe(fake, request, start, high_watermark);
    return wire_id;
}

static void expect_consecutive(struct fake *fake, int64_t first, size_t count) {
    assert_int_equal(fake->offset_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fake->offsets[i], first + (int64_t)i);
}

static void starts_are_told_as_asked(void **state) {
    struct fake *fake = *state;
    static const struct {
        enum lf_start start;
        int64_t value;
        Lf__StartFrom wire;
    } cases[] = {{LF_START_EARLIEST, 0, LF__START_FROM__START_EARLIEST},
                 {LF_START_LATEST, 0, LF__START_FROM__START_LATEST},
                 {LF_START_OFFSET, 12, LF__START_FROM__START_OFFSET},
                 {LF_START_TAIL, 13, LF__START_FROM__START_TAIL},
                 {LF_START_TIMESTAMP, 14, LF__START_FROM__START_TIMESTAMP}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct lf_subscribe_options options = from(cases[i].start, cases[i].value);
        fake_subscribe(fake, i + 1, &options);
        struct fake_request *request = fake_wait(fake, 1, SUBSCRIBE, 0);
        Lf__Subscribe *said = request->message->subscribe;
        assert_int_equal(said->from, cases[i].wire);
        assert_int_equal(said->position->offset, cases[i].start == LF_START_OFFSET ? 12 : 0);
        assert_int_equal(said->position->leader_epoch, -1);
        assert_int_equal(said->tail, cases[i].start == LF_START_TAIL ? 13 : 0);
        assert_int_equal(said->timestamp_ms, cases[i].start == LF_START_TIMESTAMP ? 14 : 0);
        assert_int_equal(said->credit_total, 8 << 20);
        fake_answer_subscribe(fake, request, 12, 12);
    }
}

static void a_lost_connection_goes_on_elsewhere_at_the_next_offset(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    fake_deliver(fake, 1, subscribed(fake, 1, 0, 100), 0, 3, 5, 100);
    fake->nodes[1].down = true;
    fake_cut(fake, 1);
    struct fake_request *request = fake_wait(fake, 0, SUBSCRIBE, 0);
    uint64_t node = request->node;
    assert_int_not_equal(node, 1);
    assert_int_equal(request->message->subscribe->from, LF__START_FROM__START_OFFSET);
    assert_int_equal(request->message->subscribe->position->offset, 15);
    assert_int_equal(request->message->subscribe->position->leader_epoch, 3);
    /* The first batch may begin below: those records were seen. */
    fake_deliver(fake, node, subscribed(fake, node, 15, 100), 12, 2, 5, 100);
    expect_consecutive(fake, 0, 22);
    assert_false(fake->has_ended);
}

static void batches_read_before_are_skipped(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_OFFSET, 7);
    fake_subscribe(fake, 1, &options);
    uint64_t wire = subscribed(fake, 1, 7, 100);
    fake_deliver(fake, 1, wire, 0, 1, 5, 100); /* wholly below */
    fake_deliver(fake, 1, wire, 5, 1, 5, 100);
    fake_deliver(fake, 1, wire, 0, 1, 10, 100); /* once more */
    fake_deliver(fake, 1, wire, 10, 1, 5, 100);
    expect_consecutive(fake, 7, 8);
}

static void a_hole_is_not_delivered_but_asked_for_again(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    uint64_t wire = subscribed(fake, 1, 0, 100);
    fake_deliver(fake, 1, wire, 0, 1, 5, 100);
    fake_deliver(fake, 1, wire, 6, 1, 5, 100);
    expect_consecutive(fake, 0, 5);
    struct fake_request *request = fake_wait(fake, 0, SUBSCRIBE, 0);
    assert_int_equal(request->message->subscribe->position->offset, 5);
    fake_deliver(fake, 1, wire, 5, 1, 5, 100); /* the old subscription's: too late */
    expect_consecutive(fake, 0, 5);
    uint64_t node = request->node;
    fake_deliver(fake, node, subscribed(fake, node, 5, 100), 5, 1, 5, 100);
    expect_consecutive(fake, 0, 10);
}

static void what_compaction_took_is_passed_over(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    uint64_t wire = subscribed(fake, 1, 0, 100);
    fake_deliver_compacted(fake, 1, wire, (int64_t[]){3, 4, 9}, 3, (int64_t[]){3, 0, 9, 20}, 4);
    fake_deliver_compacted(fake, 1, wire, NULL, 0, (int64_t[]){30}, 1);
    fake_deliver(fake, 1, wire, 30, 1, 2, 100);
    static const int64_t offsets[] = {3, 4, 9, 30, 31};
    assert_int_equal(fake->offset_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(fake->offsets[i], offsets[i]);
    assert_false(fake->has_ended);
}

static void a_hole_beyond_what_compaction_took_is_asked_for_again(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    uint64_t wire = subscribed(fake, 1, 0, 100);
    fake_deliver_compacted(fake, 1, wire, (int64_t[]){3, 5}, 2, (int64_t[]){3, 0, 0}, 3);
    assert_int_equal(fake->offset_count, 1);
    struct fake_request *request = fake_wait(fake, 0, SUBSCRIBE, 0);
    assert_int_equal(request->message->subscribe->position->offset, 4);
}

static void exit_at_end_ends_where_the_last_records_are_gone(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    options.exit_at_end = true;
    fake_subscribe(fake, 1, &options);
    fake_answer_end(fake, fake_wait(fake, 1, LOOKUP, 0), 8);
    uint64_t wire = subscribed(fake, 1, 0, 8);
    fake_deliver_compacted(fake, 1, wire, (int64_t[]){3}, 1, (int64_t[]){3, 0}, 2);
    assert_false(fake->has_ended);
    fake_deliver_compacted(fake, 1, wire, NULL, 0, (int64_t[]){8}, 1);
    assert_true(fake->has_ended);
    assert_int_equal(fake->ended, LF_END);
}

static void a_damaged_batch_is_read_from_another_replica(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    fake_deliver_damaged(fake, 1, subscribed(fake, 1, 0, 100), 0, 5);
    assert_int_equal(fake->offset_count, 0);
    struct fake_request *request = fake_wait(fake, 0, SUBSCRIBE, 0);
    uint64_t node = request->node;
    fake_deliver(fake, node, subscribed(fake, node, 0, 100), 0, 1, 5, 100);
    expect_consecutive(fake, 0, 5);
}

static void damage_on_every_replica_ends_it(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    for (int i = 0; i < 50 && !fake->has_ended; i++) {
        struct fake_request *request = fake_wait(fake, 0, SUBSCRIBE, 0);
        uint64_t node = request->node;
        fake_deliver_damaged(fake, node, subscribed(fake, node, 0, 100), 0, 5);
    }
    assert_true(fake->has_ended);
    assert_int_equal(fake->ended, LF_CORRUPT);
}

static void a_broker_that_stops_sending_is_left(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    fake_deliver(fake, 1, subscribed(fake, 1, 0, 5), 0, 1, 5, 100); /* 100 are there */
    fake_run(fake, 5000);
    assert_int_equal(fake_wait(fake, 0, SUBSCRIBE, 0)->message->subscribe->position->offset, 5);
}

static void a_frozen_broker_is_left_although_nothing_more_is_known(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    fake_deliver(fake, 1, subscribed(fake, 1, 0, 5), 0, 1, 5, 5); /* at the end */
    fake->nodes[1].frozen = true;
    fake_run(fake, 6000);
    struct fake_request *request = fake_wait(fake, 0, SUBSCRIBE, 0);
    assert_int_not_equal(request->node, 1);
}

static void waiting_at_the_end_costs_nothing_but_pings(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_LATEST, 0);
    fake_subscribe(fake, 1, &options);
    subscribed(fake, 1, 5, 5);
    fake_run(fake, 600000);
    assert_int_equal(fake_request_count(fake, SUBSCRIBE), 0);
    assert_in_range(fake->nodes[1].pings, 100, 600);
    assert_int_equal(fake->nodes[1].hellos, 1);
}

static void credit_follows_what_the_application_takes(void **state) {
    (void)state;
    struct lf_client_options client = fake_options();
    client.fetch_bytes_max = 1000;
    struct fake *fake = fake_new_with(&client);
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    struct fake_request *request = fake_wait(fake, 1, SUBSCRIBE, 0);
    assert_int_equal(request->message->subscribe->credit_total, 1000);
    fake_deliver(fake, 1, subscribed(fake, 1, 0, 1000), 0, 10, 5, 1000);
    uint64_t bytes = fake->undelivered_bytes;
    assert_true(bytes > 1000);
    fake_run(fake, 10000); /* no credit left: silence is no fault */
    assert_int_equal(fake_request_count(fake, SUBSCRIBE), 0);
    assert_int_equal(fake->nodes[1].credits, 0);
    fake_consume(fake, 1, bytes - 600);
    request = fake_wait(fake, 1, LF__CLIENT_REQUEST__BODY_CREDIT, 0);
    assert_int_equal(request->message->credit->credit_total, bytes + 400);
    fake_consume(fake, 1, 100); /* too little to be worth a message */
    assert_int_equal(fake->nodes[1].credits, 1);
    fake_consume(fake, 1, 500);
    assert_int_equal(fake->nodes[1].credits, 2);
    /* A new subscription elsewhere grants no more than what is free. */
    fake_cut(fake, 1);
    assert_int_equal(fake_wait(fake, 0, SUBSCRIBE, 0)->message->subscribe->credit_total, 1000);
    fake_free(fake);
}

static void exit_at_end_ends_at_what_was_the_end(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    options.exit_at_end = true;
    fake_subscribe(fake, 1, &options);
    struct fake_request *lookup = fake_wait(fake, 1, LOOKUP, 0);
    assert_int_equal(lookup->message->offsets_lookup->kind, LF__LOOKUP_KIND__LOOKUP_END);
    assert_int_equal(fake_request_count(fake, SUBSCRIBE), 0);
    fake_answer_end(fake, lookup, 10);
    uint64_t wire = subscribed(fake, 1, 0, 10);
    fake_deliver(fake, 1, wire, 0, 1, 5, 20);
    assert_false(fake->has_ended);
    fake_deliver(fake, 1, wire, 5, 3, 5, 20); /* more came meanwhile */
    expect_consecutive(fake, 0, 10);
    assert_true(fake->has_ended);
    assert_int_equal(fake->ended, LF_END);
}

static void exit_at_end_of_an_empty_partition_ends_at_once(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    options.exit_at_end = true;
    fake_subscribe(fake, 1, &options);
    fake_answer_end(fake, fake_wait(fake, 1, LOOKUP, 0), 0);
    subscribed(fake, 1, 0, 0);
    assert_true(fake->has_ended);
    assert_int_equal(fake->ended, LF_END);
}

static void all_partitions_are_read_and_end_together(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    options.topic = "m";
    options.partition = -1;
    options.exit_at_end = true;
    fake_subscribe(fake, 1, &options);
    for (uint64_t node = 1; node <= 3; node++)
        fake_answer_end(fake, fake_wait(fake, node, LOOKUP, 0), 5);
    for (uint64_t node = 1; node <= 3; node++) {
        assert_false(fake->has_ended);
        fake_deliver(fake, node, subscribed(fake, node, 0, 5), 0, 1, 5, 5);
    }
    assert_int_equal(fake->offset_count, 15);
    assert_true(fake->has_ended);
    assert_int_equal(fake->ended, LF_END);
}

static void an_end_lookup_follows_the_leader(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    options.exit_at_end = true;
    fake_subscribe(fake, 1, &options);
    fake_answer_not_leader(fake, fake_wait(fake, 1, LOOKUP, 0), 2, 9);
    fake_answer(fake, fake_wait(fake, 2, LOOKUP, 0), LF_NO_QUORUM);
    fake_answer_end(fake, fake_wait(fake, 0, LOOKUP, 0), 0);
    fake_wait(fake, 0, SUBSCRIBE, 0);
}

static void below_the_log_start_ends_unless_reset_was_chosen(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_OFFSET, 3);
    fake_subscribe(fake, 1, &options);
    fake_answer(fake, fake_wait(fake, 1, SUBSCRIBE, 0), LF_OFFSET_BELOW_START);
    assert_true(fake->has_ended);
    assert_int_equal(fake->ended, LF_OFFSET_BELOW_START);
    assert_non_null(strstr(fake->ended_text, "the test says so"));

    fake->has_ended = false;
    options.reset_to_log_start = true;
    fake_subscribe(fake, 2, &options);
    struct fake_request *request = fake_wait(fake, 1, SUBSCRIBE, 0);
    assert_true(request->message->subscribe->reset_to_log_start);
    uint64_t wire = subscribed(fake, 1, 50, 60);
    fake_deliver(fake, 1, wire, 50, 1, 5, 60);
    expect_consecutive(fake, 50, 5);
    fake_end_subscription(fake, 1, wire, LF_OFFSET_BELOW_START, 58); /* retention overtook the reader */
    request = fake_wait(fake, 0, SUBSCRIBE, 0);
    assert_int_equal(request->message->subscribe->position->offset, 58);
}

static void who_is_too_late_is_told_the_first_offset_that_exists(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_OFFSET, 3);
    fake_subscribe(fake, 1, &options);
    fake_answer_below_start(fake, fake_wait(fake, 1, SUBSCRIBE, 0), 40);
    assert_true(fake->has_ended);
    assert_int_equal(fake->ended, LF_OFFSET_BELOW_START);
    assert_int_equal(fake->ended_partition, 0);
    assert_int_equal(fake->resume, 40);
    assert_string_equal(fake->ended_text,
                        "partition 0: offset 3 is below the log start: the first offset that exists is 40");
    assert_int_equal(fake->missed, 0);
}

static void a_slow_reader_that_is_overtaken_is_told_the_first_offset_that_exists(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    uint64_t wire = subscribed(fake, 1, 0, 100);
    fake_deliver(fake, 1, wire, 0, 1, 5, 100);
    fake_end_subscription(fake, 1, wire, LF_OFFSET_BELOW_START, 60);
    assert_true(fake->has_ended);
    assert_int_equal(fake->ended, LF_OFFSET_BELOW_START);
    assert_int_equal(fake->resume, 60);
    expect_consecutive(fake, 0, 5);
}

static void who_asked_to_go_on_hears_what_it_missed_wherever_it_was_overtaken(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_OFFSET, 3);
    options.reset_to_log_start = true;
    fake_subscribe(fake, 1, &options);
    uint64_t wire = subscribed(fake, 1, 50, 60); /* at the beginning */
    assert_int_equal(fake->missed, 1);
    assert_int_equal(fake->missed_from, 3);
    assert_int_equal(fake->missed_to, 50);
    fake_deliver(fake, 1, wire, 50, 1, 5, 60);
    fake_end_subscription(fake, 1, wire, LF_OFFSET_BELOW_START, 70); /* in mid-stream */
    assert_int_equal(fake->missed, 2);
    assert_int_equal(fake->missed_from, 55);
    assert_int_equal(fake->missed_to, 70);
    struct fake_request *request = fake_request(fake, 0, SUBSCRIBE, 0); /* without a pause */
    assert_non_null(request);
    assert_int_equal(request->message->subscribe->position->offset, 70);
    fake_answer_below_start(fake, request, 80); /* overtaken once more, at another replica */
    assert_int_equal(fake->missed, 3);
    assert_int_equal(fake->missed_from, 70);
    assert_int_equal(fake->missed_to, 80);
    request = fake_wait(fake, 0, SUBSCRIBE, 0);
    uint64_t node = request->node;
    wire = request->message->subscribe->subscription;
    fake_answer_subscribe(fake, request, 80, 90);
    fake_deliver(fake, node, wire, 78, 1, 5, 90); /* begins below: records before 80 are not for us */
    static const int64_t offsets[] = {50, 51, 52, 53, 54, 80, 81, 82};
    assert_int_equal(fake->offset_count, 8);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(fake->offsets[i], offsets[i]);
    assert_int_equal(fake->missed, 3);
    assert_false(fake->has_ended);
}

static void a_reader_that_missed_everything_up_to_its_end_has_reached_it(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    options.exit_at_end = options.reset_to_log_start = true;
    fake_subscribe(fake, 1, &options);
    fake_answer_end(fake, fake_wait(fake, 1, LOOKUP, 0), 8);
    uint64_t wire = subscribed(fake, 1, 0, 8);
    fake_end_subscription(fake, 1, wire, LF_OFFSET_BELOW_START, 8);
    assert_int_equal(fake->missed_from, 0);
    assert_int_equal(fake->missed_to, 8);
    assert_int_equal(fake->ended, LF_END);
}

static void whose_history_is_lost_is_told_where_this_one_goes_on(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_OFFSET, 103);
    fake_subscribe(fake, 1, &options);
    fake_answer_diverged(fake, fake_wait(fake, 1, SUBSCRIBE, 0), (INT64_C(1) << 32) + 100);
    assert_true(fake->has_ended);
    assert_int_equal(fake->ended, LF_HISTORY_DIVERGED);
    assert_int_equal(fake->resume, (INT64_C(1) << 32) + 100);
    assert_string_equal(fake->ended_text,
                        "partition 0: offset 103 belongs to a history that was lost with a majority of "
                        "the brokers: this one goes on at 4294967396");
    assert_int_equal(fake->missed, 0);
}

static void whose_history_is_lost_may_go_on_there_and_hears_it(void **state) {
    struct fake *fake = *state;
    const int64_t resume = (INT64_C(1) << 32) + 100;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    options.reset_to_log_start = true;
    fake_subscribe(fake, 1, &options);
    uint64_t wire = subscribed(fake, 1, 100, 105);
    fake_deliver(fake, 1, wire, 100, 1, 5, 105);
    fake_end_subscription(fake, 1, wire, LF_HISTORY_DIVERGED, resume); /* in mid-stream */
    assert_int_equal(fake->missed, 1);
    assert_true(fake->diverged);
    assert_int_equal(fake->missed_from, 105);
    assert_int_equal(fake->missed_to, resume);
    struct fake_request *request = fake_request(fake, 0, SUBSCRIBE, 0); /* without a pause */
    assert_non_null(request);
    assert_int_equal(request->message->subscribe->position->offset, resume);
    assert_int_equal(request->message->subscribe->position->leader_epoch, -1);
    fake_answer_diverged(fake, request, 90); /* what it read before was others' as well: it goes back */
    assert_int_equal(fake->missed, 2);
    assert_int_equal(fake->missed_from, resume);
    assert_int_equal(fake->missed_to, 90);
    request = fake_wait(fake, 0, SUBSCRIBE, 0);
    uint64_t node = request->node;
    wire = request->message->subscribe->subscription;
    assert_int_equal(request->message->subscribe->position->offset, 90);
    fake_answer_subscribe(fake, request, 90, 110);
    fake_deliver(fake, node, wire, 90, 1, 3, 110);
    assert_int_equal(fake->offset_count, 8);
    assert_int_equal(fake->offsets[5], 90);
    assert_false(fake->has_ended);
}

static void an_end_with_a_reason_to_try_again_is_tried_again(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    uint64_t wire = subscribed(fake, 1, 0, 10);
    fake_deliver(fake, 1, wire, 0, 1, 5, 10);
    fake_end_subscription(fake, 1, wire, LF_SHUTTING_DOWN, -1);
    struct fake_request *request = fake_wait(fake, 0, SUBSCRIBE, 0);
    assert_int_equal(request->message->subscribe->position->offset, 5);
    wire = request->message->subscribe->subscription;
    uint64_t node = request->node;
    fake_answer_subscribe(fake, request, 5, 10);
    fake_end_subscription(fake, node, wire, LF_TOPIC_DELETED, -1);
    assert_true(fake->has_ended);
    assert_int_equal(fake->ended, LF_TOPIC_DELETED);
}

static void an_unknown_topic_ends_it(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    options.topic = "nowhere";
    fake_subscribe(fake, 1, &options);
    fake_run(fake, 1000);
    assert_true(fake->has_ended);
    assert_int_equal(fake->ended, LF_TOPIC_UNKNOWN);
    options.topic = "t";
    options.partition = 9;
    fake->has_ended = false;
    fake_subscribe(fake, 2, &options);
    fake_run(fake, 1000);
    assert_int_equal(fake->ended, LF_PARTITION_UNKNOWN);
}

static void without_any_broker_it_ends_as_cannot_connect(void **state) {
    struct fake *fake = *state;
    for (int i = 1; i <= FAKE_NODES; i++)
        fake->nodes[i].down = true;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    fake_run(fake, 5000);
    assert_true(fake->has_ended);
    assert_int_equal(fake->ended, LF_CONNECT);
}

static void an_established_one_outlives_any_outage(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    fake_deliver(fake, 1, subscribed(fake, 1, 0, 5), 0, 1, 5, 5);
    for (uint64_t i = 1; i <= FAKE_NODES; i++) {
        fake->nodes[i].down = true;
        fake_cut(fake, i);
    }
    fake_run(fake, 600000);
    assert_false(fake->has_ended);
    for (int i = 1; i <= FAKE_NODES; i++)
        fake->nodes[i].down = false;
    assert_int_equal(fake_wait(fake, 0, SUBSCRIBE, 0)->message->subscribe->position->offset, 5);
}

static void a_subscription_accepted_too_late_is_ended(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_LATEST, 0);
    fake_subscribe(fake, 1, &options);
    struct fake_request *late = fake_wait(fake, 1, SUBSCRIBE, 0);
    fake_run(fake, 6000); /* no answer in time: it is tried elsewhere */
    assert_true(fake_request_count(fake, SUBSCRIBE) >= 2);
    while (fake_request(fake, 1, LF__CLIENT_REQUEST__BODY_UNSUBSCRIBE, 0))
        fake_ignore(fake, fake_request(fake, 1, LF__CLIENT_REQUEST__BODY_UNSUBSCRIBE, 0));
    uint64_t wire = late->message->subscribe->subscription;
    fake_answer_subscribe(fake, late, 0, 0);
    struct fake_request *end = fake_request(fake, 1, LF__CLIENT_REQUEST__BODY_UNSUBSCRIBE, 0);
    assert_non_null(end);
    assert_int_equal(end->message->unsubscribe->subscription, wire);
}

static void unsubscribing_tells_the_broker_and_ends_deliveries(void **state) {
    struct fake *fake = *state;
    struct lf_subscribe_options options = from(LF_START_EARLIEST, 0);
    fake_subscribe(fake, 1, &options);
    uint64_t wire = subscribed(fake, 1, 0, 50);
    struct lf_core_event event = {.type = LF_CORE_UNSUBSCRIBE};
    event.unsubscribe = 1;
    fake_event(fake, &event);
    assert_int_equal(fake_wait(fake, 1, LF__CLIENT_REQUEST__BODY_UNSUBSCRIBE, 0)->message->unsubscribe->subscription,
                     wire);
    fake_deliver(fake, 1, wire, 0, 1, 5, 50);
    assert_int_equal(fake->offset_count, 0);
    assert_false(fake->has_ended);
}

#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        FACT(starts_are_told_as_asked),
        FACT(a_lost_connection_goes_on_elsewhere_at_the_next_offset),
        FACT(batches_read_before_are_skipped),
        FACT(a_hole_is_not_delivered_but_asked_for_again),
        FACT(what_compaction_took_is_passed_over),
        FACT(a_hole_beyond_what_compaction_took_is_asked_for_again),
        FACT(exit_at_end_ends_where_the_last_records_are_gone),
        FACT(a_damaged_batch_is_read_from_another_replica),
        FACT(damage_on_every_replica_ends_it),
        FACT(a_broker_that_stops_sending_is_left),
        FACT(a_frozen_broker_is_left_although_nothing_more_is_known),
        FACT(waiting_at_the_end_costs_nothing_but_pings),
        FACT(credit_follows_what_the_application_takes),
        FACT(exit_at_end_ends_at_what_was_the_end),
        FACT(exit_at_end_of_an_empty_partition_ends_at_once),
        FACT(all_partitions_are_read_and_end_together),
        FACT(an_end_lookup_follows_the_leader),
        FACT(below_the_log_start_ends_unless_reset_was_chosen),
        FACT(who_is_too_late_is_told_the_first_offset_that_exists),
        FACT(a_slow_reader_that_is_overtaken_is_told_the_first_offset_that_exists),
        FACT(who_asked_to_go_on_hears_what_it_missed_wherever_it_was_overtaken),
        FACT(a_reader_that_missed_everything_up_to_its_end_has_reached_it),
        FACT(whose_history_is_lost_is_told_where_this_one_goes_on),
        FACT(whose_history_is_lost_may_go_on_there_and_hears_it),
        FACT(an_end_with_a_reason_to_try_again_is_tried_again),
        FACT(an_unknown_topic_ends_it),
        FACT(without_any_broker_it_ends_as_cannot_connect),
        FACT(an_established_one_outlives_any_outage),
        FACT(a_subscription_accepted_too_late_is_ended),
        FACT(unsubscribing_tells_the_broker_and_ends_deliveries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
