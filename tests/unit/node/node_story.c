#include "node_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lf_map.h"

int story_end(void **state) {
    struct story *story = *state;
    if (story) {
        world_deinit(&story->world);
        free(story);
    }
    *state = NULL;
    return 0;
}

uint32_t story_random(struct story *story) {
    story->random = story->random * 1664525u + 1013904223u;
    return story->random >> 8;
}

/** Founders, nodes that joined, and the topic "t" with three replicas on the first three. */
struct story *story_begin(void **state, size_t founders, size_t joined) {
    struct story *story = calloc(1, sizeof *story);
    *state = story;
    story->random = 7;
    world_init(&story->world, founders);
    story->world.verbose = getenv("VERBOSE") != NULL;
    assert_true(world_wait_leader(&story->world, 0, 5000) >= 0);
    story->group = world_topic(&story->world, "t", 1, 3);
    for (size_t i = 0; i < joined; i++) {
        assert_status(world_add(&story->world, founders + i + 1), LF_OK);
        world_join(&story->world);
    }
    world_run(&story->world, 1500);
    return story;
}

static void send_batch(struct story *story) {
    struct producer *producer = &story->producer;
    static uint64_t session = 1000;
    if (producer->starts != story->world.incarnation || producer->session_node != producer->node) {
        producer->starts = story->world.incarnation;
        producer->session_node = producer->node;
        producer->session = ++session;
        producer->next_request = 2;
        world_hello(&story->world, producer->node, producer->session);
    }
    producer->request = producer->next_request++;
    producer->sent_ms = story->world.now_ms;
    struct lf_buf *batch = world_batch(1, 77, 0, producer->sequence);
    world_publish(&story->world, producer->node, producer->session, producer->request, "t", batch);
    lf_buf_unref(&batch);
}

/** To be called every millisecond. */
static void produce(struct story *story) {
    struct world *world = &story->world;
    struct producer *producer = &story->producer;
    if (producer->request != 0) {
        const struct world_reply *reply = world_answer(world, producer->session, producer->request, 0);
        bool up = world->nodes[producer->node] && world->fatal[producer->node] == LF_OK;
        if (!reply && up && world->now_ms - producer->sent_ms < 1500)
            return;
        enum lf_status status = reply ? (enum lf_status)reply->reply->status : LF_TIMED_OUT;
        producer->request = 0;
        if (status == LF_OK || status == LF_DUPLICATE) {
            if (world->now_ms - producer->since_ms > producer->gap_ms_max && producer->sequence > 0)
                producer->gap_ms_max = world->now_ms - producer->since_ms;
            producer->since_ms = world->now_ms;
            producer->sequence++;
        } else if (status != LF_NOT_LEADER && lf_status_action(status) == LF_ACTION_GIVE_UP) {
            fail_msg("publish gave up: %s", lf_status_name(status));
        }
    }
    int leader = world_leader(world, story->group);
    if (leader < 0)
        return;
    producer->node = (size_t)leader;
    send_batch(story);
}

void story_run(struct story *story, uint64_t ms) {
    for (uint64_t end = story->world.now_ms + ms; story->world.now_ms < end;) {
        world_run(&story->world, 5);
        produce(story);
    }
}

/** What a node says of partition 0 of "t"; NULL: it cannot say. */
const Lf__PartitionDescription *story_describe(struct story *story, size_t node) {
    static uint64_t session = 1u << 26;
    struct world *world = &story->world;
    if (!world->nodes[node] || world->fatal[node] != LF_OK)
        return NULL;
    world_hello(world, node, ++session);
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t) "t";
    Lf__DescribeTopic ask = LF__DESCRIBE_TOPIC__INIT;
    ask.topic = &ref;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = 2;
    request.body_case = LF__CLIENT_REQUEST__BODY_DESCRIBE_TOPIC;
    request.describe_topic = &ask;
    world_request(world, node, session, &request, NULL);
    const struct world_reply *reply = world_answer(world, session, 2, 1000);
    return reply && reply->reply->status == LF_OK ? reply->reply->describe_topic->partitions[0] : NULL;
}

static bool is_in(const uint64_t *nodes, uint64_t node_id) {
    for (; *nodes != 0; nodes++)
        if (*nodes == node_id)
            return true;
    return false;
}

/** Runs until this is the assignment, reached, and held by exactly its nodes among those that are up. */
void story_wait_moved(struct story *story, const uint64_t *nodes, uint64_t ms) {
    struct world *world = &story->world;
    for (uint64_t end = world->now_ms + ms; world->now_ms < end; story_run(story, 50)) {
        bool all = true;
        for (size_t i = 0; i < world->count && all; i++) {
            const Lf__PartitionDescription *seen = story_describe(story, i);
            if (!seen) {
                all = !world->nodes[i] || world->fatal[i] != LF_OK || node_groups(world->nodes[i], NULL, 0) == 0;
                continue;
            }
            all = seen->wanted_epoch == seen->assignment_epoch && seen->held_here == is_in(nodes, i + 1);
            for (size_t k = 0; k < seen->metadata->n_replica_nodes && all; k++)
                all = nodes[k] == seen->metadata->replica_nodes[k];
        }
        if (all)
            return;
    }
    fail_msg("the partition did not get there");
}

/** Everything acknowledged is there once, on every replica. */
void story_assert_nothing_lost(struct story *story) {
    struct world *world = &story->world;
    for (int i = 0; i < 200 && story->producer.request != 0; i++) { /* the last one is decided */
        world_run(world, 20);
        int32_t before = story->producer.sequence;
        produce(story);
        if (story->producer.sequence != before)
            break;
    }
    world_run(world, 3000);
    int64_t end = -1;
    for (size_t i = 0; i < world->count; i++) {
        const Lf__PartitionDescription *seen = story_describe(story, i);
        if (!seen || !seen->held_here)
            continue;
        assert_in_range(seen->high_watermark, story->producer.sequence, story->producer.sequence + 1);
        assert_true(end == -1 || end == seen->high_watermark);
        end = seen->high_watermark;
    }
    assert_true(end > 0);
}
