/** A node whose groups were made to go on alone: what readers see, and what becomes of others that come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "node_world.h"
#include "partition.h"
#include "raft_configuration.h"
#include "recover_group.h"

#define assert_status(got, wanted) assert_string_equal(lf_status_name(got), lf_status_name(wanted))
#define BATCHES 20
#define RECORDS 5 /* in each */
#define KEPT (BATCHES * RECORDS)
#define NEXT (KEPT + LF_OFFSET_JUMP)

static struct world *world;
static uint64_t group, next_request, next_session;

static void publish(size_t node, int batches) {
    uint64_t session = ++next_session;
    world_hello(world, node, session);
    for (int i = 0; i < batches; i++) {
        struct lf_buf *batch = world_batch(RECORDS, -1, -1, -1);
        world_publish(world, node, session, next_request, "t", batch);
        lf_buf_unref(&batch);
        const struct world_reply *reply = world_answer(world, session, next_request++, 3000);
        assert_non_null(reply);
        assert_status((enum lf_status)reply->reply->status, LF_OK);
    }
}

static void start_world(size_t count, const struct node_limits *limits) {
    world = calloc(1, sizeof *world);
    world_init_limited(world, count, limits);
    world->verbose = getenv("VERBOSE") != NULL;
    group = world_topic(world, "t", 1, (uint32_t)count);
    next_request = 2;
    next_session = 10;
    publish((size_t)world_wait_leader(world, group, 3000), BATCHES);
    world_run(world, 2000); /* all applied, and written */
}

static int setup(void **state) {
    (void)state;
    start_world(3, &(struct node_limits){.delivery_bytes_max = 300});
    return 0;
}

static int teardown(void **state) {
    (void)state;
    world_deinit(world);
    free(world);
    return 0;
}

/* ---- the tool, on a disk in memory ------------------------------------------------------------------------------- */

static struct log_store_completion *wait_for(struct log_store *store) {
    struct log_store_completion *completion = NULL;
    while (!(completion = log_store_poll(store)))
        mem_store_advance(store, mem_store_deadline(store));
    return completion;
}

/** What comes after the applied one was never known to be committed. */
static void look_at_the_last(struct log_store *store, struct recover_group *about) {
    const struct log_store_read read = {.group = about->group,
                                        .request = 1,
                                        .from = LOG_STORE_READ_INDEX,
                                        .value = (int64_t)about->last_index,
                                        .last_index = about->last_index,
                                        .bytes_max = 1 << 20,
                                        .entries_max = 1};
    struct lf_entry_header header;
    struct lf_bytes payload;
    assert_status(log_store_read(store, &read), LF_OK);
    struct log_store_completion *completion = wait_for(store);
    assert_int_equal(completion->entry_count, 1);
    assert_status(lf_entry_decode(lf_buf_bytes(completion->entries[0]), &header, &payload), LF_OK);
    about->log_time_ms = header.log_time_ms;
    about->end_offset = about->group == 0 ? 0 : (int64_t)header.end_offset;
    log_store_completion_destroy(&completion);
}

static void recover_one(struct log_store *store, uint64_t id, uint64_t epoch) {
    struct lf_error error;
    assert_status(log_store_load(store, id, 1), LF_OK);
    struct log_store_completion *completion = wait_for(store);
    const struct log_store_loaded *loaded = completion->loaded;
    struct recover_group about = {.group = id,
                                  .replica_id = loaded->replica_id,
                                  .term = loaded->term,
                                  .last_index = loaded->last_index,
                                  .last_term = loaded->runs[loaded->run_count - 1].term,
                                  .applied_index = loaded->applied_index,
                                  .epoch = epoch};
    if (id == 0) {
        struct metadata *metadata = metadata_new(NULL);
        assert_status(metadata_load(metadata, loaded->applied_index, loaded->rows, loaded->row_count, &error), LF_OK);
        about.log_time_ms = metadata_log_time_ms(metadata);
        metadata_destroy(&metadata);
    } else {
        struct partition *partition = partition_new(NULL);
        assert_status(partition_load(partition, loaded->applied_index, loaded->rows, loaded->row_count,
                                     loaded->segments, loaded->segment_count, &error),
                      LF_OK);
        about.log_time_ms = partition_log_time_ms(partition);
        about.committed_offset = about.end_offset = partition_high_watermark(partition);
        partition_destroy(&partition);
    }
    log_store_completion_destroy(&completion);
    if (about.applied_index < about.last_index)
        look_at_the_last(store, &about);
    struct log_store_write *write;
    assert_status(recover_group_write(&about, true, 1, &write, &error), LF_OK);
    assert_status(log_store_submit(store, &write), LF_OK);
    completion = wait_for(store);
    assert_status(completion->status, LF_OK);
    log_store_completion_destroy(&completion);
}

static uint64_t epoch_of(size_t node, uint64_t id) {
    return raft_configuration(node_group_raft(world->nodes[node], id))->epoch;
}

/** The node stops, goes on alone, and starts. */
static void recover(size_t node) {
    struct log_store_identity identity = {.node_id = node + 1};
    struct log_store *store;
    struct lf_error error;
    uint64_t epochs[2] = {epoch_of(node, 0), epoch_of(node, group)};
    world_crash(world, node, MEM_DISK_KILL);
    assert_status(mem_store_open(world->disks[node], &identity, world->now_ms, &store, &error), LF_OK);
    recover_one(store, 0, epochs[0]);
    recover_one(store, group, epochs[1]);
    log_store_close(&store);
    world_start(world, node);
}

static void lose(size_t node) {
    world_crash(world, node, MEM_DISK_POWER);
    world->cut[node] = true;
}

static void lead_alone(size_t node) {
    assert_int_equal(world_wait_leader(world, 0, 3000), node);
    assert_int_equal(world_wait_leader(world, group, 3000), node);
    world_run(world, 100);
}

/* ---- readers ----------------------------------------------------------------------------------------------------- */

struct reader {
    uint64_t session;
    enum lf_status status;
    const Lf__SubscribeReply *said;
};

static struct reader subscribe(size_t node, Lf__StartFrom from, int64_t value, int32_t leader_epoch) {
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    Lf__Position position = LF__POSITION__INIT;
    Lf__Subscribe body = LF__SUBSCRIBE__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    struct reader reader = {.session = ++next_session};
    world_hello(world, node, reader.session);
    topic.name = (char *)(uintptr_t) "t";
    position.offset = body.tail = value;
    position.leader_epoch = leader_epoch;
    body.subscription = 1;
    body.topic = &topic;
    body.from = from;
    body.position = &position;
    body.credit_total = 1 << 20;
    request.protocol_version = 1;
    request.request_id = next_request++;
    request.body_case = LF__CLIENT_REQUEST__BODY_SUBSCRIBE;
    request.subscribe = &body;
    world_request(world, node, reader.session, &request, NULL);
    const struct world_reply *reply = world_answer(world, reader.session, request.request_id, 3000);
    assert_non_null(reply);
    reader.status = (enum lf_status)reply->reply->status;
    reader.said = reply->reply->subscribe;
    return reader;
}

static struct reader subscribe_at(size_t node, int64_t offset) {
    return subscribe(node, LF__START_FROM__START_OFFSET, offset, -1);
}

/** Where what it was told of ends; *first: the first offset it got, -1: none. */
static int64_t told_up_to(const struct reader *reader, int64_t *first) {
    int64_t end = -1;
    *first = -1;
    for (size_t i = 0; i < world->reply_count; i++) {
        const struct world_reply *reply = &world->replies[i];
        if (reply->session != reader->session || reply->reply->body_case != LF__CLIENT_REPLY__BODY_DELIVER)
            continue;
        const Lf__Deliver *said = reply->reply->deliver;
        for (size_t k = 0; k < reply->frame_count; k++) {
            struct lf_batch_header header;
            assert_status(lf_batch_verify(lf_buf_bytes(reply->frames[k]), NULL, &header, NULL), LF_OK);
            if (end >= 0 && header.base_offset != end)
                assert_true(said->n_gone_below > k && said->gone_below[k] == header.base_offset);
            *first = *first < 0 ? header.base_offset : *first;
            end = header.base_offset + header.record_count;
        }
        if (said->n_gone_below > reply->frame_count && said->gone_below[reply->frame_count] > end)
            end = said->gone_below[reply->frame_count];
    }
    return end;
}

static const Lf__ClientReply *ended(const struct reader *reader) {
    for (size_t i = 0; i < world->reply_count; i++)
        if (world->replies[i].session == reader->session &&
            world->replies[i].reply->body_case == LF__CLIENT_REPLY__BODY_SUBSCRIPTION_END)
            return world->replies[i].reply;
    return NULL;
}

/* ---- facts ------------------------------------------------------------------------------------------------------- */

static void it_leads_alone_and_its_offsets_go_on_far_behind(void **state) {
    (void)state;
    int64_t first;
    lose(1);
    lose(2);
    recover(0);
    lead_alone(0);
    assert_int_equal(partition_high_watermark(node_group_partition(world->nodes[0], group)), NEXT);
    struct reader all = subscribe_at(0, 0), across = subscribe_at(0, KEPT);
    world_run(world, 100);
    assert_int_equal(told_up_to(&all, &first), NEXT); /* nothing was published yet: the gap alone is told */
    assert_int_equal(first, 0);
    assert_int_equal(told_up_to(&across, &first), NEXT);
    assert_int_equal(first, -1);
    publish(0, 3);
    world_run(world, 100);
    assert_int_equal(told_up_to(&all, &first), NEXT + 3 * RECORDS);
    assert_int_equal(told_up_to(&across, &first), NEXT + 3 * RECORDS);
    assert_int_equal(first, NEXT);
    assert_null(ended(&all));
    assert_null(ended(&across));
}

static void a_position_in_the_gap_is_answered_with_its_end(void **state) {
    (void)state;
    lose(1);
    lose(2);
    recover(0);
    lead_alone(0);
    publish(0, 3);
    const int64_t positions[] = {KEPT + 1, KEPT + 5, NEXT - 1};
    for (size_t i = 0; i < 3; i++) {
        struct reader reader = subscribe_at(0, positions[i]);
        assert_status(reader.status, LF_HISTORY_DIVERGED);
        assert_int_equal(reader.said->start_offset, NEXT);
    }
    assert_status(subscribe_at(0, NEXT).status, LF_OK);
    assert_status(subscribe_at(0, NEXT + 100).status, LF_OK); /* beyond the end: it waits */
}

static void counting_back_from_the_end_counts_records(void **state) {
    (void)state;
    lose(1);
    lose(2);
    recover(0);
    lead_alone(0);
    publish(0, 1);
    assert_int_equal(subscribe(0, LF__START_FROM__START_TAIL, 3, -1).said->start_offset, NEXT + RECORDS - 3);
    assert_int_equal(subscribe(0, LF__START_FROM__START_TAIL, RECORDS, -1).said->start_offset, NEXT);
    assert_int_equal(subscribe(0, LF__START_FROM__START_TAIL, RECORDS + 7, -1).said->start_offset, KEPT - 7);
    assert_int_equal(subscribe(0, LF__START_FROM__START_TAIL, 5000, -1).said->start_offset, 0);
    assert_int_equal(subscribe(0, LF__START_FROM__START_EARLIEST, 0, -1).said->start_offset, 0);
    assert_int_equal(subscribe(0, LF__START_FROM__START_LATEST, 0, -1).said->start_offset, NEXT + RECORDS);
}

static bool jump_is_rewritten(void) {
    size_t count;
    const struct partition *partition = node_group_partition(world->nodes[0], group);
    const struct log_segment *segments = partition_segments(partition, &count);
    uint64_t jump = partition_jumps(partition)->items[0].index;
    for (size_t i = 0; i < count; i++)
        if (segments[i].first_index <= jump && jump <= segments[i].last_index)
            return segments[i].rewrites > 0 && !log_segment_whole(&segments[i]);
    return false;
}

static void who_stands_before_a_gap_crosses_it_without_the_entry_that_made_it(void **state) {
    (void)state;
    int64_t first;
    lose(1);
    lose(2);
    recover(0);
    lead_alone(0);
    assert_status(world_alter(world, "t", "cleanup.policy", "compact"), LF_OK);
    assert_status(world_alter(world, "t", "segment.ms", "1s"), LF_OK);
    for (int i = 0; i < 40 && !jump_is_rewritten(); i++) {
        publish(0, 1);
        world_run(world, 2000);
    }
    assert_true(jump_is_rewritten());
    struct reader all = subscribe_at(0, 0), across = subscribe_at(0, KEPT);
    world_run(world, 500);
    int64_t end = partition_high_watermark(node_group_partition(world->nodes[0], group));
    assert_int_equal(told_up_to(&all, &first), end);
    assert_int_equal(first, 0);
    assert_int_equal(told_up_to(&across, &first), end);
    assert_int_equal(first, NEXT);
    assert_status(subscribe_at(0, KEPT + 1).status, LF_HISTORY_DIVERGED);
    world_crash(world, 0, MEM_DISK_KILL); /* nor does a start need it */
    world_start(world, 0);
    lead_alone(0);
    struct reader again = subscribe_at(0, KEPT);
    world_run(world, 500);
    assert_int_equal(told_up_to(&again, &first), end);
    assert_status(subscribe_at(0, NEXT - 1).status, LF_HISTORY_DIVERGED);
}

static void a_trim_into_the_gap_takes_what_is_before_it_and_no_more(void **state) {
    (void)state;
    Lf__TopicRef topic = LF__TOPIC_REF__INIT;
    Lf__TrimPartition body = LF__TRIM_PARTITION__INIT;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    lose(1);
    lose(2);
    recover(0);
    lead_alone(0);
    publish(0, 1);
    uint64_t session = ++next_session;
    world_hello(world, 0, session);
    topic.name = (char *)(uintptr_t) "t";
    body.topic = &topic;
    body.before_offset = KEPT + 50;
    request.protocol_version = 1;
    request.request_id = next_request++;
    request.body_case = LF__CLIENT_REQUEST__BODY_TRIM_PARTITION;
    request.trim_partition = &body;
    world_request(world, 0, session, &request, NULL);
    const struct world_reply *reply = world_answer(world, session, request.request_id, 3000);
    assert_non_null(reply);
    assert_status((enum lf_status)reply->reply->status, LF_OK);
    assert_int_equal(reply->reply->trim_partition->log_start_offset, KEPT);
    assert_status(subscribe_at(0, KEPT).status, LF_OK);
    assert_status(subscribe_at(0, KEPT - 1).status, LF_OFFSET_BELOW_START);
    assert_status(subscribe_at(0, KEPT + 50).status, LF_HISTORY_DIVERGED);
}

static void a_reader_of_a_term_that_was_lost_goes_back_to_what_is_certain(void **state) {
    (void)state;
    lose(1);
    lose(2);
    recover(0);
    lead_alone(0);
    struct reader reader = subscribe(0, LF__START_FROM__START_OFFSET, KEPT, 1); /* what is here is of term 1 */
    assert_status(reader.status, LF_OK);
    reader = subscribe(0, LF__START_FROM__START_OFFSET, KEPT, 77);
    assert_status(reader.status, LF_OK); /* all of it was known to be committed: the same everywhere */
    reader = subscribe(0, LF__START_FROM__START_OFFSET, KEPT + 1, 77);
    assert_status(reader.status, LF_HISTORY_DIVERGED);
    assert_int_equal(reader.said->start_offset, NEXT);
}

static void a_survivor_with_no_more_than_that_comes_back(void **state) {
    (void)state;
    int64_t first;
    lose(1);
    lose(2);
    recover(0);
    lead_alone(0);
    publish(0, 3);
    world_start(world, 1); /* with its old disk, and cut off still */
    world_run(world, 200);
    struct reader waits = subscribe_at(1, KEPT + 5), end = subscribe_at(1, KEPT);
    assert_status(waits.status, LF_OK); /* as far as it knows, that is to come */
    world->cut[1] = false;
    world_run(world, 3000);
    assert_status(world->fatal[1], LF_OK);
    assert_int_equal(node_group_applied(world->nodes[1], group), node_group_applied(world->nodes[0], group));
    assert_int_equal(node_group_applied_checksum(world->nodes[1], group),
                     node_group_applied_checksum(world->nodes[0], group));
    assert_int_equal(node_group_applied_checksum(world->nodes[1], 0), node_group_applied_checksum(world->nodes[0], 0));
    assert_non_null(ended(&waits));
    assert_status((enum lf_status)ended(&waits)->status, LF_HISTORY_DIVERGED);
    assert_int_equal(ended(&waits)->subscription_end->resume->offset, NEXT);
    assert_null(ended(&end));
    assert_int_equal(told_up_to(&end, &first), NEXT + 3 * RECORDS);
}

enum then { KEEP, MOVE_OFF, LOG_BEGINS_LATER };

/** The one that went on drops what it had when it did. */
static void drop_everything(size_t node) {
    assert_status(world_alter(world, "t", "segment.ms", "1s"), LF_OK);
    assert_status(world_alter(world, "t", "retention.ms", "1s"), LF_OK);
    uint64_t jump = partition_jumps(node_group_partition(world->nodes[node], group))->items[0].index;
    for (int i = 0; i < 40 && raft_previous_index(node_group_raft(world->nodes[node], group)) < jump + 10; i++) {
        publish(node, 1);
        world_run(world, 2000);
    }
    assert_true(raft_previous_index(node_group_raft(world->nodes[node], group)) >= jump + 10);
}

static void survivor_has_more(enum then then) {
    lose(0); /* it misses what comes now */
    publish((size_t)world_wait_leader(world, group, 5000), 4);
    world_run(world, 1000);
    uint64_t last = raft_last_index(node_group_raft(world->nodes[1], group));
    lose(1);
    lose(2);
    world->cut[0] = false;
    world_start(world, 0);
    world_run(world, 1000);
    recover(0);
    lead_alone(0);
    publish(0, 3);
    if (then == LOG_BEGINS_LATER)
        drop_everything(0);
    world->cut[1] = false;
    world_start(world, 1);
    world_run(world, 3000);
    assert_status(world->fatal[1], LF_OK);
    assert_null(node_group_raft(world->nodes[1], group)); /* stopped, visibly */
    assert_non_null(node_group_raft(world->nodes[0], group));
    publish(0, 1);          /* who went on is not held up */
    if (then == MOVE_OFF) { /* and then its replica goes, because a record says so */
        assert_status(world_move(world, "t", 0, (const uint64_t[]){1, 0}), LF_OK);
        world_run(world, 3000);
        assert_status(world->fatal[1], LF_OK);
        assert_status(world_move(world, "t", 0, (const uint64_t[]){1, 2, 0}), LF_OK);
        world_run(world, 5000);
        assert_int_equal(node_group_applied_checksum(world->nodes[1], group),
                         node_group_applied_checksum(world->nodes[0], group));
        return;
    }
    const struct log_store_identity identity = {.node_id = 2};
    struct log_store *store;
    struct lf_error error;
    world_crash(world, 1, MEM_DISK_KILL);
    assert_status(mem_store_open(world->disks[1], &identity, world->now_ms, &store, &error), LF_OK);
    assert_status(log_store_load(store, group, 1), LF_OK);
    struct log_store_completion *completion = wait_for(store);
    assert_int_equal(completion->loaded->last_index, last); /* nothing of it was given up */
    assert_true(completion->loaded->runs[completion->loaded->run_count - 1].term < RECOVER_TERM_STEP);
    log_store_completion_destroy(&completion);
    log_store_close(&store);
}

static void a_survivor_that_has_committed_more_stops_and_keeps_it(void **state) {
    (void)state;
    survivor_has_more(KEEP);
}

static void a_survivor_that_stopped_is_filled_anew_when_moved_off_and_back(void **state) {
    (void)state;
    survivor_has_more(MOVE_OFF);
}

static void it_stops_as_well_where_the_log_of_who_went_on_begins_later(void **state) {
    (void)state;
    survivor_has_more(LOG_BEGINS_LATER);
}

/** The leader wrote more than it could tell anybody, and others acknowledged less, at the same offsets. */
static void it_stops_as_well_where_what_it_committed_lies_at_the_same_offsets(void **state) {
    (void)state;
    char words[64];
    size_t chosen = (size_t)world_wait_leader(world, group, 5000), survivor = (chosen + 1) % 3;
    world->cut[chosen] = true;
    uint64_t session = ++next_session;
    world_hello(world, chosen, session);
    struct lf_buf *batch = world_batch(5 * RECORDS, -1, -1, -1);
    world_publish(world, chosen, session, next_request++, "t", batch);
    lf_buf_unref(&batch);
    world_run(world, 50);
    world_crash(world, chosen, MEM_DISK_KILL);
    publish((size_t)world_wait_leader(world, group, 5000), 4);
    world_run(world, 1000);
    uint64_t commit = raft_commit(node_group_raft(world->nodes[survivor], group));
    assert_int_equal(partition_high_watermark(node_group_partition(world->nodes[survivor], group)), KEPT + 4 * RECORDS);
    lose(survivor);
    lose((chosen + 2) % 3);
    world->cut[chosen] = false;
    world_start(world, chosen);
    world_run(world, 1000);
    recover(chosen);
    lead_alone(chosen);
    const struct partition_jumps *jumps = partition_jumps(node_group_partition(world->nodes[chosen], group));
    assert_int_equal(jumps->items[0].from, KEPT + 5 * RECORDS);
    drop_everything(chosen);
    world_start(world, survivor);
    world_run(world, 200);
    struct reader reader = subscribe_at(survivor, KEPT);
    world->cut[survivor] = false;
    world_run(world, 3000);
    assert_status(world->fatal[survivor], LF_OK);
    assert_null(node_group_raft(world->nodes[survivor], group)); /* stopped, visibly */
    snprintf(words, sizeof words, "entry %llu, committed here,", (unsigned long long)commit);
    assert_non_null(ended(&reader));
    if (!strstr(ended(&reader)->error, words))
        fail_msg("not about entry %llu: %s", (unsigned long long)commit, ended(&reader)->error);
}

static struct log_store *open_disk(size_t node) {
    const struct log_store_identity identity = {.node_id = node + 1};
    struct log_store *store;
    struct lf_error error;
    assert_status(mem_store_open(world->disks[node], &identity, world->now_ms, &store, &error), LF_OK);
    return store;
}

/** Of a node that is down. Caller's. */
static struct lf_buf *entry_on_disk(size_t node, uint64_t index) {
    const struct log_store_read read = {.group = group,
                                        .request = 1,
                                        .from = LOG_STORE_READ_INDEX,
                                        .value = (int64_t)index,
                                        .last_index = index,
                                        .bytes_max = 1 << 20,
                                        .entries_max = 1};
    struct log_store *store = open_disk(node);
    assert_status(log_store_read(store, &read), LF_OK);
    struct log_store_completion *completion = wait_for(store);
    assert_int_equal(completion->entry_count, 1);
    struct lf_buf *entry = lf_buf_ref(completion->entries[0]);
    log_store_completion_destroy(&completion);
    log_store_close(&store);
    return entry;
}

/** As if the node, which is down, had got it, heard that it is committed, and applied it. Takes the entry. */
static void apply_on_disk(size_t node, struct lf_buf *entry) {
    struct lf_error error;
    struct lf_entry_header header;
    struct lf_bytes payload;
    struct log_store *store = open_disk(node);
    struct partition *partition = partition_new(NULL);
    struct log_store_write *write = log_store_write_new(group, 1);
    assert_status(lf_entry_decode(lf_buf_bytes(entry), &header, &payload), LF_OK);
    assert_status(log_store_load(store, group, 1), LF_OK);
    struct log_store_completion *completion = wait_for(store);
    const struct log_store_loaded *loaded = completion->loaded;
    assert_int_equal(loaded->applied_index, header.index - 1);
    assert_int_equal(loaded->last_index, header.index - 1);
    assert_status(partition_load(partition, loaded->applied_index, loaded->rows, loaded->row_count, loaded->segments,
                                 loaded->segment_count, &error),
                  LF_OK);
    log_store_completion_destroy(&completion);
    assert_status(partition_append(partition, &header, payload, &error), LF_OK);
    assert_status(partition_apply(partition, lf_buf_bytes(entry), write, NULL, &error), LF_OK);
    assert_status(log_store_write_add_entry(write, header.index, entry), LF_OK);
    write->has_hard_state = write->sync = true;
    write->term = header.term;
    write->applied_index = header.index;
    assert_status(log_store_submit(store, &write), LF_OK);
    completion = wait_for(store);
    assert_status(completion->status, LF_OK);
    log_store_completion_destroy(&completion);
    log_store_close(&store);
    partition_destroy(&partition);
}

/** It followed who went on, and was killed between the two entries of the recovery. */
static void who_has_the_members_of_a_recovery_and_not_its_jump_takes_an_image(void **state) {
    (void)state;
    lose(2);
    world->cut[1] = true;
    world_crash(world, 1, MEM_DISK_KILL); /* what it applied is written, and not synced */
    recover(0);
    lead_alone(0);
    uint64_t jump = partition_jumps(node_group_partition(world->nodes[0], group))->items[0].index;
    world_crash(world, 0, MEM_DISK_KILL);
    apply_on_disk(1, entry_on_disk(0, jump - 1));
    world_start(world, 0);
    lead_alone(0);
    drop_everything(0);
    world->cut[1] = false;
    world_start(world, 1);
    world_run(world, 5000);
    assert_status(world->fatal[1], LF_OK);
    assert_non_null(node_group_raft(world->nodes[1], group));
    assert_int_equal(node_group_applied_checksum(world->nodes[1], group),
                     node_group_applied_checksum(world->nodes[0], group));
}

/* ---- several survivors of five ----------------------------------------------------------------------------------- */

#define FIVE 5
#define SURVIVORS 2

static uint32_t chance;

static uint32_t below(uint32_t limit) {
    chance = chance * 1664525u + 1013904223u;
    return (chance >> 8) % limit;
}

/** Each node that takes itself for the leader gets a batch, and may lose it. */
static void publish_to_whoever_leads(void) {
    for (size_t i = 0; i < FIVE; i++) {
        const struct raft *raft = world->nodes[i] ? node_group_raft(world->nodes[i], group) : NULL;
        if (!raft || !raft_leads_fully(raft))
            continue;
        struct lf_buf *batch = world_batch((int32_t)(1 + below(2 * RECORDS)), -1, -1, -1);
        world_hello(world, i, ++next_session);
        world_publish(world, i, next_session, next_request++, "t", batch);
        lf_buf_unref(&batch);
    }
}

/** Up to two nodes at a time hear nothing: logs grow apart, in several terms. */
static void live_in_unrest(void) {
    for (int round = 0; round < 8; round++) {
        memset(world->cut, 0, sizeof world->cut);
        world->cut[below(FIVE)] = true;
        world->cut[below(FIVE)] = true;
        for (int i = 0; i < 3; i++) {
            publish_to_whoever_leads();
            world_run(world, 5 + below(600));
        }
    }
}

struct survivor {
    size_t node;
    uint64_t last_term, last_index;
    uint64_t commit, commit_term; /* as it knows after a start */
};

/** All are killed; those that are left start alone, each for itself. */
static void lose_all_but(struct survivor survivors[SURVIVORS]) {
    for (size_t i = 0; i < FIVE; i++)
        lose(i);
    for (size_t i = 0; i < SURVIVORS; i++) {
        struct survivor *one = &survivors[i];
        world_start(world, one->node);
        world_run(world, 100);
        const struct raft *raft = node_group_raft(world->nodes[one->node], group);
        one->last_index = raft_last_index(raft);
        one->last_term = raft_entry_term(raft, one->last_index);
        one->commit = raft_commit(raft);
        one->commit_term = raft_entry_term(raft, one->commit);
    }
}

static bool is_behind(const struct survivor *one, const struct survivor *other) {
    return one->last_term < other->last_term ||
           (one->last_term == other->last_term && one->last_index < other->last_index);
}

/** One goes on, the other comes back. Returns whether that one stopped. */
static bool one_goes_on(const struct survivor *chosen, const struct survivor *other, bool drops) {
    const struct raft *raft = node_group_raft(world->nodes[chosen->node], group);
    bool has_all = raft_entry_term(raft, other->commit) == other->commit_term;
    recover(chosen->node);
    world->cut[chosen->node] = false;
    lead_alone(chosen->node);
    publish(chosen->node, 2);
    if (drops)
        drop_everything(chosen->node);
    world->cut[other->node] = false;
    world_run(world, 8000);
    assert_status(world->fatal[other->node], LF_OK);
    bool stopped = !node_group_raft(world->nodes[other->node], group);
    assert_int_equal(stopped, !has_all); /* nothing that is known to be committed is ever taken back */
    if (!stopped)
        assert_int_equal(node_group_applied_checksum(world->nodes[other->node], group),
                         node_group_applied_checksum(world->nodes[chosen->node], group));
    return stopped;
}

static int of_two_survivors_of_five(bool best, bool drops) {
    int stopped = 0;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        chance = seed;
        start_world(FIVE, &(struct node_limits){0});
        live_in_unrest();
        struct survivor two[SURVIVORS] = {{.node = below(FIVE)}};
        two[1].node = (two[0].node + 1 + below(FIVE - 1)) % FIVE;
        lose_all_but(two);
        size_t chosen = is_behind(&two[0], &two[1]) == best ? 1 : 0;
        stopped += one_goes_on(&two[chosen], &two[1 - chosen], drops);
        world_deinit(world);
        free(world);
    }
    return stopped;
}

static void behind_the_one_with_the_last_entry_the_other_survivor_follows(void **state) {
    (void)state;
    assert_int_equal(of_two_survivors_of_five(true, false), 0);
    assert_int_equal(of_two_survivors_of_five(true, true), 0);
}

static void behind_the_wrong_one_the_other_survivor_stops_if_it_knows_of_more(void **state) {
    (void)state;
    int stopped = of_two_survivors_of_five(false, false);
    assert_true(stopped > 0);
    assert_int_equal(of_two_survivors_of_five(false, true), stopped); /* an image is judged as entries are */
}

int main(void) {
#define FACT(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        FACT(it_leads_alone_and_its_offsets_go_on_far_behind),
        FACT(a_position_in_the_gap_is_answered_with_its_end),
        FACT(counting_back_from_the_end_counts_records),
        FACT(who_stands_before_a_gap_crosses_it_without_the_entry_that_made_it),
        FACT(a_trim_into_the_gap_takes_what_is_before_it_and_no_more),
        FACT(a_reader_of_a_term_that_was_lost_goes_back_to_what_is_certain),
        FACT(a_survivor_with_no_more_than_that_comes_back),
        FACT(a_survivor_that_has_committed_more_stops_and_keeps_it),
        FACT(a_survivor_that_stopped_is_filled_anew_when_moved_off_and_back),
        FACT(it_stops_as_well_where_the_log_of_who_went_on_begins_later),
        FACT(it_stops_as_well_where_what_it_committed_lies_at_the_same_offsets),
        FACT(who_has_the_members_of_a_recovery_and_not_its_jump_takes_an_image),
        cmocka_unit_test(behind_the_one_with_the_last_entry_the_other_survivor_follows),
        cmocka_unit_test(behind_the_wrong_one_the_other_survivor_stops_if_it_knows_of_more),
    };
    return cmocka_run_group_tests_name("recovered_node", tests, NULL, NULL);
}
