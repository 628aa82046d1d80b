#include "node_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "lf_check.h"
#include "peer_codec.h"

static void trace(void *context, const char *line) {
    const struct world *world = context;
    if (world->verbose)
        fprintf(stderr, "%6llu %s\n", (unsigned long long)world->now_ms, line);
}

/** The founders, and the node itself. Returns how many. */
static size_t addresses(const struct world *world, size_t self, struct node_address *out) {
    size_t count = 0;
    for (size_t i = 0; i < world->count; i++) {
        if (i >= world->founders && i != self)
            continue;
        out[count] = (struct node_address){.node_id = i + 1, .client_port = 7700, .peer_port = 7701};
        snprintf(out[count].host, sizeof out[count].host, "node%zu", i + 1);
        count++;
    }
    return count;
}

void world_start(struct world *world, size_t at) {
    struct node_address nodes[WORLD_NODES_MAX];
    struct log_store_identity identity = {.node_id = at + 1};
    size_t count = addresses(world, at, nodes);
    identity.store_uuid[0] = (uint8_t)(at + 1);
    identity.store_uuid[1] = world->wiped[at];
    if (at < world->founders && (world->wiped[at] == 0 || world->found_again))
        node_founding_hash("unit", nodes, count, identity.founding_hash);
    memset(world->connected[at], 0, sizeof world->connected[at]);
    for (size_t i = 0; i < count; i++)
        world->connected[at][nodes[i].node_id - 1] = true;
    struct lf_error error = {0};
    lf_checkf(mem_store_open(world->disks[at], &identity, world->now_ms, &world->stores[at], &error) == LF_OK, "%s",
              error.text);
    struct node_options options = {.node_id = at + 1,
                                   .cluster_name = world->cluster_names[at] ? world->cluster_names[at] : "unit",
                                   .nodes = nodes,
                                   .node_count = count,
                                   .identity = world->stores[at]->identity,
                                   .groups = world->stores[at]->groups,
                                   .group_count = world->stores[at]->group_count,
                                   .replaces = world->replaces[at],
                                   .incarnation = ++world->incarnation,
                                   .seed = world->incarnation * 7919 + at,
                                   .new_cluster_id = {0xc1, (uint8_t)at},
                                   .limits = world->limits,
                                   .now_ms = world->now_ms,
                                   .wall_ms = 1700000000000 + (int64_t)world->now_ms};
    lf_checkf(node_new(&options, &world->nodes[at], &error) == LF_OK, "%s", error.text);
    node_set_trace(world->nodes[at], trace, world);
    world->fatal[at] = LF_OK;
    world->effects[at].deadline_ms = 0;
}

void world_crash(struct world *world, size_t at, enum mem_disk_crash how) {
    node_destroy(&world->nodes[at]);
    if (world->stores[at])
        mem_store_crash(&world->stores[at], how);
    node_effects_clear(&world->effects[at]);
}

void world_wipe(struct world *world, size_t at) {
    lf_check(!world->nodes[at]);
    mem_disk_destroy(&world->disks[at]);
    world->wiped[at]++;
    world->disks[at] = mem_disk_new(100u * world->wiped[at] + at + 1);
}

void world_init(struct world *world, size_t count) {
    const struct node_limits defaults = {0};
    world_init_limited(world, count, &defaults);
}

void world_init_limited(struct world *world, size_t count, const struct node_limits *limits) {
    *world = (struct world){.count = count, .founders = count, .limits = *limits, .now_ms = 1000, .random = 1};
    for (size_t i = 0; i < count; i++) {
        world->disks[i] = mem_disk_new(i + 1);
        world_start(world, i);
    }
}

size_t world_join(struct world *world) {
    size_t at = world->count++;
    lf_check(world->count <= WORLD_NODES_MAX);
    world->disks[at] = mem_disk_new(at + 1);
    world_start(world, at);
    return at;
}

static void reply_free(struct world_reply *reply) {
    if (reply->reply)
        lf__client_reply__free_unpacked(reply->reply, NULL);
    for (size_t i = 0; i < reply->frame_count; i++)
        lf_buf_unref(&reply->frames[i]);
}

void world_deinit(struct world *world) {
    for (size_t i = 0; i < world->count; i++) {
        if (world->nodes[i])
            world_crash(world, i, MEM_DISK_KILL);
        node_effects_deinit(&world->effects[i]);
        mem_disk_destroy(&world->disks[i]);
    }
    for (size_t i = 0; i < world->reply_count; i++)
        reply_free(&world->replies[i]);
    free(world->replies);
}

static void feed(struct world *world, size_t at, struct node_event *event);

static void deliver(struct world *world, size_t from, struct peer_envelope *envelope) {
    size_t to = (size_t)envelope->to_node - 1;
    if (to >= world->count || world->cut[from] || world->cut[to] || !world->nodes[to] || world->fatal[to] != LF_OK ||
        !world->connected[from][to])
        return;
    world->random = world->random * 1664525u + 1013904223u;
    if ((world->random >> 8) % 1000 < world->lose_permille)
        return;
    struct peer_frames frames = {0};
    lf_check(peer_codec_encode(envelope, &frames) == LF_OK);
    struct peer_envelope *copy = NULL;
    struct lf_error error = {0};
    lf_checkf(peer_codec_decode(frames.frames, frames.count, &copy, &error) == LF_OK, "%s", error.text);
    peer_frames_deinit(&frames);
    struct node_event event = {.type = NODE_EVENT_PEER, .envelope = copy};
    feed(world, to, &event);
    peer_envelope_destroy(&copy);
}

static void keep_reply(struct world *world, const struct node_client_send *send) {
    if (world->reply_count == world->reply_capacity) {
        world->reply_capacity = world->reply_capacity ? world->reply_capacity * 2 : 64;
        world->replies = realloc(world->replies, world->reply_capacity * sizeof *world->replies);
        lf_check(world->replies != NULL);
    }
    struct world_reply *reply = &world->replies[world->reply_count++];
    *reply = (struct world_reply){.session = send->session, .bytes = node_client_send_bytes(send)};
    const struct node_frame *header = &send->frames[0];
    reply->reply = lf__client_reply__unpack(NULL, header->size, header->buf->data + header->offset);
    lf_check(reply->reply != NULL);
    for (size_t i = 1; i < send->count && reply->frame_count < 64; i++)
        reply->frames[reply->frame_count++] =
            lf_buf_copy(lf_bytes(send->frames[i].buf->data + send->frames[i].offset, send->frames[i].size));
}

static void carry_out(struct world *world, size_t at) {
    struct node_effects effects = world->effects[at];
    world->effects[at] = (struct node_effects){.deadline_ms = effects.deadline_ms, .stopped = effects.stopped};
    if (effects.fatal != LF_OK) { /* the process ends; nothing further is sent */
        if (world->verbose)
            fprintf(stderr, "%6llu node=%zu fatal: %s\n", (unsigned long long)world->now_ms, at + 1,
                    effects.fatal_text);
        world->fatal[at] = effects.fatal;
        memcpy(world->fatal_text[at], effects.fatal_text, sizeof effects.fatal_text);
        node_effects_deinit(&effects);
        return;
    }
    for (size_t i = 0; i < effects.forgotten_count; i++)
        if (effects.forgotten[i] <= WORLD_NODES_MAX)
            world->connected[at][effects.forgotten[i] - 1] = false;
    for (size_t i = 0; i < effects.connect_count; i++)
        if (effects.connects[i].node_id <= WORLD_NODES_MAX)
            world->connected[at][effects.connects[i].node_id - 1] = true;
    for (size_t i = 0; i < effects.write_count; i++)
        lf_check(log_store_submit(world->stores[at], &effects.writes[i]) == LF_OK);
    for (size_t i = 0; i < effects.read_count; i++)
        lf_check(log_store_read(world->stores[at], &effects.reads[i]) == LF_OK);
    for (size_t i = 0; i < effects.stage_count; i++) {
        struct node_stage *stage = &effects.stages[i];
        stage->stage.segment = &stage->segment;
        stage->stage.entries = stage->entries;
        lf_check(log_store_stage(world->stores[at], &stage->stage) == LF_OK);
    }
    for (size_t i = 0; i < effects.rewrite_count; i++)
        lf_check(log_store_rewrite(world->stores[at], &effects.rewrites[i]) == LF_OK);
    for (size_t i = 0; i < effects.load_count; i++)
        lf_check(log_store_load(world->stores[at], effects.loads[i].group, effects.loads[i].request) == LF_OK);
    for (size_t i = 0; i < effects.send_count; i++)
        keep_reply(world, &effects.sends[i]);
    for (size_t i = 0; i < effects.envelope_count; i++)
        deliver(world, at, effects.envelopes[i]);
    for (size_t i = 0; i < effects.watch_count && !world->clients_are_deaf; i++) {
        struct node_event event = {.type = NODE_EVENT_CLIENT_ROOM, .client = {.session = effects.watches[i].session}};
        feed(world, at, &event);
    }
    node_effects_deinit(&effects);
}

static void feed(struct world *world, size_t at, struct node_event *event) {
    event->now_ms = world->now_ms;
    event->wall_ms = 1700000000000 + (int64_t)world->now_ms;
    if (!world->nodes[at] || world->fatal[at] != LF_OK)
        return;
    node_step(world->nodes[at], event, &world->effects[at]);
    node_check_invariants(world->nodes[at]);
    carry_out(world, at);
}

void world_event(struct world *world, size_t node, struct node_event *event) { feed(world, node, event); }

static void run_node(struct world *world, size_t at) {
    mem_store_advance(world->stores[at], world->now_ms);
    struct log_store_completion *completion;
    while ((completion = log_store_poll(world->stores[at]))) {
        struct node_event event = {.type = NODE_EVENT_STORE, .completion = completion};
        feed(world, at, &event);
        log_store_completion_destroy(&completion);
    }
    if (world->effects[at].deadline_ms <= world->now_ms) {
        struct node_event event = {.type = NODE_EVENT_TICK};
        feed(world, at, &event);
    }
}

void world_run(struct world *world, uint64_t ms) {
    for (uint64_t end = world->now_ms + ms; world->now_ms < end;) {
        world->now_ms++;
        for (size_t i = 0; i < world->count; i++)
            if (world->nodes[i] && world->fatal[i] == LF_OK)
                run_node(world, i);
    }
}

bool world_until(struct world *world, bool (*condition)(struct world *, void *), void *context, uint64_t ms) {
    for (uint64_t end = world->now_ms + ms; world->now_ms < end; world_run(world, 1))
        if (condition(world, context))
            return true;
    return condition(world, context);
}

int world_leader(const struct world *world, uint64_t group) {
    for (size_t i = 0; i < world->count; i++) {
        const struct raft *raft = world->nodes[i] && !world->cut[i] && world->fatal[i] == LF_OK
                                      ? node_group_raft(world->nodes[i], group)
                                      : NULL;
        if (raft && raft_leads_fully(raft))
            return (int)i;
    }
    return -1;
}

int world_wait_leader(struct world *world, uint64_t group, uint64_t ms) {
    for (uint64_t end = world->now_ms + ms; world->now_ms < end && world_leader(world, group) < 0;)
        world_run(world, 1);
    return world_leader(world, group);
}

/** All that was ever sent waits to be read. */
static void say_unread(const struct world *world, struct node_event *event) {
    for (size_t i = 0; i < world->reply_count; i++) {
        const struct world_reply *reply = &world->replies[i];
        event->client.unsent_bytes += reply->session == event->client.session ? reply->bytes : 0;
        event->client.unsent_total_bytes += reply->bytes;
    }
}

void world_request(struct world *world, size_t node, uint64_t session, const Lf__ClientRequest *request,
                   struct lf_buf *batch) {
    struct lf_buf *header = lf_buf_new(lf__client_request__get_packed_size(request));
    lf__client_request__pack(request, header->data);
    struct node_frame frames[2] = {{.buf = header, .size = header->size}};
    if (batch)
        frames[1] = (struct node_frame){.buf = batch, .size = batch->size};
    struct node_event event = {.type = NODE_EVENT_CLIENT};
    event.client.session = session;
    event.client.frames = frames;
    event.client.count = batch ? 2 : 1;
    if (world->clients_are_deaf)
        say_unread(world, &event);
    feed(world, node, &event);
    lf_buf_unref(&header);
}

void world_hello(struct world *world, size_t node, uint64_t session) {
    Lf__Hello hello = LF__HELLO__INIT;
    hello.version_min = hello.version_max = 1;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = 1;
    request.body_case = LF__CLIENT_REQUEST__BODY_HELLO;
    request.hello = &hello;
    world_request(world, node, session, &request, NULL);
    const struct world_reply *reply = world_answer(world, session, 1, 0);
    lf_check(reply && reply->reply->status == LF_OK);
}

static const struct world_reply *find(const struct world *world, uint64_t session, uint64_t request_id) {
    for (size_t i = 0; i < world->reply_count; i++)
        if (world->replies[i].session == session && world->replies[i].reply->request_id == request_id)
            return &world->replies[i];
    return NULL;
}

const struct world_reply *world_answer(struct world *world, uint64_t session, uint64_t request_id, uint64_t ms) {
    for (uint64_t end = world->now_ms + ms; world->now_ms < end && !find(world, session, request_id);)
        world_run(world, 1);
    return find(world, session, request_id);
}

const struct world_reply *world_command(struct world *world, Lf__ClientRequest *request, uint64_t ms) {
    static uint64_t session = 1u << 24;
    request->protocol_version = 1;
    request->request_id = 2;
    for (uint64_t end = world->now_ms + ms; world->now_ms < end; world_run(world, 20)) {
        int controller = world_leader(world, 0);
        if (controller < 0)
            continue;
        world_hello(world, (size_t)controller, ++session);
        world_request(world, (size_t)controller, session, request, NULL);
        const struct world_reply *reply = world_answer(world, session, 2, 1000);
        if (reply && lf_status_action(reply->reply->status) != LF_ACTION_RETRY &&
            lf_status_action(reply->reply->status) != LF_ACTION_REDIRECT &&
            lf_status_action(reply->reply->status) != LF_ACTION_UNKNOWN)
            return reply;
    }
    return NULL;
}

static enum lf_status command_status(struct world *world, Lf__ClientRequest *request) {
    const struct world_reply *reply = world_command(world, request, 10000);
    if (reply && reply->reply->status != LF_OK && world->verbose)
        fprintf(stderr, "%6llu refused: %s\n", (unsigned long long)world->now_ms, reply->reply->error);
    return reply ? (enum lf_status)reply->reply->status : LF_TIMED_OUT;
}

enum lf_status world_add(struct world *world, uint64_t node_id) {
    char host[32];
    snprintf(host, sizeof host, "node%llu", (unsigned long long)node_id);
    Lf__AddNode add = LF__ADD_NODE__INIT;
    add.node_id = node_id;
    add.host = host;
    add.client_port = 7700;
    add.peer_port = 7701;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_ADD_NODE;
    request.add_node = &add;
    return command_status(world, &request);
}

enum lf_status world_alter(struct world *world, const char *topic, const char *setting, const char *value) {
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t)topic;
    Lf__TopicSetting one = LF__TOPIC_SETTING__INIT, *all[] = {&one};
    one.name = (char *)(uintptr_t)setting;
    one.value = (char *)(uintptr_t)value;
    Lf__AlterTopic alter = LF__ALTER_TOPIC__INIT;
    alter.topic = &ref;
    alter.n_set = 1;
    alter.set = all;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_ALTER_TOPIC;
    request.alter_topic = &alter;
    return command_status(world, &request);
}

enum lf_status world_remove(struct world *world, uint64_t node_id) {
    Lf__RemoveNode remove = LF__REMOVE_NODE__INIT;
    remove.node_id = node_id;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_REMOVE_NODE;
    request.remove_node = &remove;
    return command_status(world, &request);
}

enum lf_status world_drain(struct world *world, uint64_t node_id, bool stop) {
    Lf__DrainNode drain = LF__DRAIN_NODE__INIT;
    drain.node_id = node_id;
    drain.stop = stop;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_DRAIN_NODE;
    request.drain_node = &drain;
    return command_status(world, &request);
}

enum lf_status world_move(struct world *world, const char *topic, uint32_t partition, const uint64_t *nodes) {
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t)topic;
    Lf__MovePartition move = LF__MOVE_PARTITION__INIT;
    move.topic = &ref;
    move.partition = partition;
    while (nodes[move.n_nodes] != 0)
        move.n_nodes++;
    move.nodes = (uint64_t *)(uintptr_t)nodes;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.body_case = LF__CLIENT_REQUEST__BODY_MOVE_PARTITION;
    request.move_partition = &move;
    return command_status(world, &request);
}

uint64_t world_topic(struct world *world, const char *name, uint32_t partitions, uint32_t replicas) {
    static uint64_t session = 1u << 20;
    for (int attempt = 0; attempt < 50; attempt++) {
        int controller = world_wait_leader(world, 0, 5000);
        lf_check(controller >= 0);
        world_hello(world, (size_t)controller, ++session);
        Lf__CreateTopic create = LF__CREATE_TOPIC__INIT;
        create.name = (char *)(uintptr_t)name;
        create.partitions = partitions;
        create.replicas = replicas;
        Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
        request.protocol_version = 1;
        request.request_id = 2;
        request.body_case = LF__CLIENT_REQUEST__BODY_CREATE_TOPIC;
        request.create_topic = &create;
        world_request(world, (size_t)controller, session, &request, NULL);
        const struct world_reply *reply = world_answer(world, session, 2, 2000);
        if (reply && reply->reply->status == LF_OK) {
            uint64_t group = node_find_group(world->nodes[controller], name, 0);
            lf_check(group != 0);
            return group;
        }
        world_run(world, 50);
    }
    lf_checkf(false, "topic %s could not be created", name);
    return 0;
}

struct lf_buf *world_batch(int32_t records, int64_t producer_id, int16_t epoch, int32_t sequence) {
    struct lf_batch_builder *builder = lf_batch_builder_new(LF_CODEC_NONE, NULL);
    for (int32_t i = 0; i < records; i++) {
        struct lf_record record = {.timestamp_ms = 1700000000000 + i, .value = lf_bytes("x", 1)};
        lf_check(lf_batch_builder_add(builder, &record) == LF_OK);
    }
    lf_batch_builder_set_producer(builder, producer_id, epoch, sequence);
    struct lf_buf *batch;
    lf_check(lf_batch_builder_finish(builder, &batch) == LF_OK);
    lf_batch_builder_destroy(&builder);
    return batch;
}

void world_publish(struct world *world, size_t node, uint64_t session, uint64_t request_id, const char *topic,
                   struct lf_buf *batch) {
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    ref.name = (char *)(uintptr_t)topic;
    Lf__Publish publish = LF__PUBLISH__INIT;
    publish.topic = &ref;
    Lf__ClientRequest request = LF__CLIENT_REQUEST__INIT;
    request.protocol_version = 1;
    request.request_id = request_id;
    request.body_case = LF__CLIENT_REQUEST__BODY_PUBLISH;
    request.publish = &publish;
    world_request(world, node, session, &request, batch);
}
