/** A whole broker: creation and the step. */
#include "node.h"

#include <stdlib.h>

#include "images.h"
#include "lf_crc32c.h"

#define OR_DEFAULT(field, value) ((field) = (field) ? (field) : (value))

void node_limits_default(struct node_limits *limits) {
    OR_DEFAULT(limits->raft.election_timeout_ms_min, 150);
    OR_DEFAULT(limits->raft.election_timeout_ms_max, 300);
    OR_DEFAULT(limits->raft.heartbeat_ms, 50);
    OR_DEFAULT(limits->raft.inflight_messages_max, 64);
    OR_DEFAULT(limits->raft.append_entries_max, 256);
    OR_DEFAULT(limits->raft.append_bytes_max, 1024 * 1024);
    OR_DEFAULT(limits->raft.uncommitted_bytes_max, 16 * 1024 * 1024);
    OR_DEFAULT(limits->raft.reads_max, 1024);
    OR_DEFAULT(limits->raft.sized_entries_max, 65536);
    OR_DEFAULT(limits->raft.unsized_entries_max, 16);
    OR_DEFAULT(limits->raft.log_runs_max, 65536);
    OR_DEFAULT(limits->sessions_max, 1000);
    OR_DEFAULT(limits->session_timeout_ms, 30000);
    OR_DEFAULT(limits->subscriptions_per_session_max, 1000);
    OR_DEFAULT(limits->subscriptions_max, 10000);
    OR_DEFAULT(limits->publish_credit_bytes, 8 * 1024 * 1024);
    OR_DEFAULT(limits->publish_inflight_batches, PARTITION_PRODUCER_BATCHES);
    OR_DEFAULT(limits->batch_bytes_max, 1152 * 1024);
    OR_DEFAULT(limits->records_per_batch_max, 100000);
    OR_DEFAULT(limits->uncommitted_bytes_max, 256u * 1024 * 1024);
    OR_DEFAULT(limits->tail_cache_bytes_max, 128u * 1024 * 1024);
    OR_DEFAULT(limits->active_bytes_max, 8u * 1024 * 1024);
    OR_DEFAULT(limits->reads_max, 512);
    OR_DEFAULT(limits->delivery_bytes_max, 512 * 1024);
    OR_DEFAULT(limits->session_unsent_bytes_max, 16 * 1024 * 1024);
    OR_DEFAULT(limits->unsent_bytes_max, 256u * 1024 * 1024);
    OR_DEFAULT(limits->parked_answers_max, 65536);
    OR_DEFAULT(limits->groups_max, 4096);
    OR_DEFAULT(limits->topics_max, 10000);
    OR_DEFAULT(limits->partitions_per_topic_max, 10000);
    OR_DEFAULT(limits->producers_per_partition_max, 10000);
    OR_DEFAULT(limits->producer_retention_ms, 3600000);
    OR_DEFAULT(limits->request_timeout_ms, 10000);
    OR_DEFAULT(limits->handover_timeout_ms, 5000);
    OR_DEFAULT(limits->drain_moves_max, 2);
    OR_DEFAULT(limits->images_max, 4);
    OR_DEFAULT(limits->image_fetches_max, 2);
    OR_DEFAULT(limits->image_bytes_per_s_max, 128u * 1024 * 1024);
    OR_DEFAULT(limits->image_backlog_bytes, 64u * 1024 * 1024);
    OR_DEFAULT(limits->image_hold_ms_max, 600000);
    OR_DEFAULT(limits->image_hold_bytes_max, 1024u * 1024 * 1024);
}

static int by_id(const void *a, const void *b) {
    uint64_t left = ((const struct node_address *)a)->node_id, right = ((const struct node_address *)b)->node_id;
    return left < right ? -1 : left > right;
}

void node_founding_hash(const char *cluster_name, const struct node_address *nodes, size_t count,
                        uint8_t hash[LOG_STORE_ID_BYTES]) {
    struct node_address sorted[NODE_NODES_MAX];
    lf_check(count >= 1 && count <= NODE_NODES_MAX);
    memcpy(sorted, nodes, count * sizeof *nodes);
    qsort(sorted, count, sizeof *sorted, by_id);
    /* Four sums with different beginnings: told apart by accident only, which is all it has to do. */
    for (uint32_t part = 0; part < 4; part++) {
        uint32_t sum = lf_crc32c(part * 0x9E3779B9u + 1, cluster_name, strlen(cluster_name) + 1);
        for (size_t i = 0; i < count; i++) {
            uint8_t numbers[16];
            lf_put_le64(numbers, sorted[i].node_id);
            lf_put_le32(numbers + 8, sorted[i].client_port);
            lf_put_le32(numbers + 12, sorted[i].peer_port);
            sum = lf_crc32c(sum, numbers, sizeof numbers);
            sum = lf_crc32c(sum, sorted[i].host, strlen(sorted[i].host) + 1);
        }
        lf_put_le32(hash + 4 * part, sum);
    }
    hash[0] |= 1; /* never all zeroes: that means "no founder" */
}

static enum lf_status judge(const struct node_options *options, struct lf_error *error) {
    bool self = false;
    if (options->node_count < 1 || options->node_count > NODE_NODES_MAX)
        return lf_error_set(error, LF_INVALID, "cluster.nodes names %zu nodes; 1 to %d are possible",
                            options->node_count, NODE_NODES_MAX);
    for (size_t i = 0; i < options->node_count; i++)
        self |= options->nodes[i].node_id == options->node_id;
    if (!self)
        return lf_error_set(error, LF_INVALID, "node %llu is not among cluster.nodes",
                            (unsigned long long)options->node_id);
    if (!options->cluster_name[0] || strlen(options->cluster_name) > METADATA_CLUSTER_NAME_BYTES_MAX)
        return lf_error_set(error, LF_INVALID, "cluster.name must have 1 to %d bytes", METADATA_CLUSTER_NAME_BYTES_MAX);
    if (options->incarnation == 0)
        return lf_error_set(error, LF_INVALID, "incarnation must not be 0");
    return LF_OK;
}

static bool any_set(const uint8_t id[LOG_STORE_ID_BYTES]) {
    for (size_t i = 0; i < LOG_STORE_ID_BYTES; i++)
        if (id[i])
            return true;
    return false;
}

static void set_addresses(struct node *node, const struct node_options *options) {
    node->founding_count = options->node_count;
    memcpy(node->founding, options->nodes, options->node_count * sizeof *options->nodes);
    qsort(node->founding, node->founding_count, sizeof *node->founding, by_id);
    for (size_t i = 0; i < node->founding_count; i++)
        if (node->founding[i].node_id != node->id)
            node->peers[node->peer_count++].address = node->founding[i];
}

enum lf_status node_new(const struct node_options *options, struct node **out, struct lf_error *error) {
    enum lf_status status = judge(options, error);
    if (status != LF_OK)
        return status;
    struct node *node = calloc(1, sizeof *node);
    if (!node)
        return lf_error_set(error, LF_NO_MEMORY, "out of memory");
    node->id = options->node_id;
    node->incarnation = options->incarnation;
    node->seed = options->seed;
    node->replaces = options->replaces;
    memcpy(node->cluster_name, options->cluster_name, strlen(options->cluster_name));
    memcpy(node->new_cluster_id, options->new_cluster_id, LOG_STORE_ID_BYTES);
    node->identity = options->identity;
    node->founder = any_set(options->identity.founding_hash);
    node->cluster_known = any_set(options->identity.cluster_id);
    memcpy(node->cluster_id, options->identity.cluster_id, LOG_STORE_ID_BYTES);
    node->limits = options->limits;
    node_limits_default(&node->limits);
    node->now_ms = node->started_ms = options->now_ms;
    node->wall_ms = options->wall_ms;
    set_addresses(node, options);
    struct metadata_limits limits = {.topics_max = node->limits.topics_max,
                                     .partitions_per_topic_max = node->limits.partitions_per_topic_max};
    node->metadata = metadata_new(&limits);
    node->scratch_entries = calloc(PEER_ENVELOPE_ENTRIES_MAX, sizeof *node->scratch_entries);
    bool ok =
        node->metadata && node->scratch_entries && raft_effects_init(&node->raft_effects, &node->limits.raft) == LF_OK;
    for (size_t i = 0; ok && i < options->group_count; i++)
        ok = lf_map_put(&node->stored_groups, NODE_MAP_KEY(options->groups[i]), node);
    if (!ok) {
        node_destroy(&node);
        return lf_error_set(error, LF_NO_MEMORY, "out of memory");
    }
    *out = node;
    return LF_OK;
}

void node_destroy(struct node **where) {
    struct node *node = *where;
    *where = NULL;
    if (!node)
        return;
    size_t cursor = 0;
    struct session *session;
    while ((session = lf_map_next(&node->sessions, &cursor))) {
        session_close(node, session);
        cursor = 0;
    }
    while (node->lookups.head) {
        struct parked *parked = node->lookups.head;
        parked_remove(&node->lookups, parked);
        parked_free(node, parked);
    }
    cursor = 0;
    struct pending_read *pending;
    while ((pending = lf_map_next(&node->reads, &cursor))) {
        if (pending->parked)
            parked_free(node, pending->parked);
        free(pending);
    }
    cursor = 0;
    struct group *group;
    while ((group = lf_map_next(&node->groups, &cursor))) {
        group_free(node, group);
        cursor = 0;
    }
    lf_map_deinit(&node->groups);
    lf_map_deinit(&node->stored_groups);
    lf_map_deinit(&node->destroying);
    lf_map_deinit(&node->chores);
    lf_map_deinit(&node->sessions);
    lf_map_deinit(&node->subscriptions);
    lf_map_deinit(&node->reads);
    lf_map_deinit(&node->raft_reads);
    for (size_t i = 0; i < node->peer_count; i++)
        for (int lane = 0; lane < PEER_LANE_COUNT; lane++)
            peer_envelope_destroy(&node->peers[i].out[lane]);
    free(node->welcome);
    metadata_destroy(&node->metadata);
    raft_effects_deinit(&node->raft_effects);
    free(node->scratch_entries);
    free(node->scratch_configurations);
    free(node);
}

void node_set_trace(struct node *node, void (*trace)(void *context, const char *line), void *context) {
    node->trace = trace;
    node->trace_context = context;
}

/* ---- the step ---- */

/** A segment is repaired; anything else means that the store is lost as a whole. */
static void on_damage(struct node *node, struct group *group, const struct log_store_completion *completion) {
    if (!group && completion->segment.first_index != 0)
        return; /* it is going */
    if (!group || !repairs_found(node, group, &completion->segment, &completion->error))
        node_fail(node, LF_DAMAGED, "group %llu: %.200s", (unsigned long long)completion->group,
                  completion->error.text);
}

static void on_store(struct node *node, struct log_store_completion *completion) {
    struct group *group = node_group(node, completion->group);
    if (completion->kind == LOG_STORE_DONE_LOAD) {
        group_on_load(node, completion);
        return;
    }
    if (completion->kind == LOG_STORE_DONE_WRITE) {
        if (completion->status != LF_OK)
            node_fail(node, completion->status, "a write of group %llu failed: %.180s",
                      (unsigned long long)completion->group, completion->error.text);
        if (completion->id == NODE_REPAIR_TOKEN) {
            if (group)
                repairs_on_wrote(node, group);
        } else if (completion->id == NODE_DESTROY_TOKEN) {
            lf_map_remove(&node->destroying, NODE_MAP_KEY(completion->group));
            reconcile_destroyed(node, completion->group);
        } else if (group && completion->id != 0) {
            struct raft_event event = {.type = RAFT_EVENT_WROTE,
                                       .now_ms = node->now_ms,
                                       .wrote = {.token = completion->id, .status = completion->status}};
            group_step(node, group, &event);
        }
        return;
    }
    if (completion->kind == LOG_STORE_DONE_REWRITE) {
        if (completion->status == LF_DAMAGED && completion->segment.first_index != 0)
            on_damage(node, group, completion);
        if (group)
            group_on_rewrite(node, group, completion);
        return;
    }
    if (completion->kind == LOG_STORE_DONE_STAGE) {
        if (group && !repairs_on_stage(node, group, completion))
            image_fetch_on_stage(node, group, completion);
        return;
    }
    if (completion->kind == LOG_STORE_DONE_DAMAGE) {
        on_damage(node, group, completion);
        return;
    }
    if (completion->kind != LOG_STORE_DONE_READ)
        return;
    struct pending_read *pending = lf_map_remove(&node->reads, completion->id);
    if (!pending)
        return;
    if (completion->status == LF_DAMAGED) { /* whoever asked, and though it may not wait any more */
        on_damage(node, group, completion);
        completion->status = LF_NOT_LEADER; /* readers go elsewhere */
    }
    switch (pending->kind) {
    case READ_SUBSCRIPTION:
        subscriptions_on_read(node, pending->subscription_key, pending->last_index, completion);
        break;
    case READ_COLD:
        if (group)
            cold_on_read(node, group, completion->id, completion);
        break;
    case READ_LOAD:
        if (group && group->state == GROUP_LOADING)
            group_on_load_read(node, group, completion);
        break;
    case READ_IMAGE:
        node->image_tokens += IMAGE_PIECE_BYTES; /* as much as was taken for it */
        if (group)
            image_source_on_read(node, group, completion->id, completion);
        break;
    case READ_TIME:
        subscriptions_on_time(node, pending->parked, completion);
        parked_free(node, pending->parked);
        break;
    }
    free(pending);
}

/** Nobody could take its leadership. */
static bool group_is_alone(const struct group *group) {
    const struct raft_configuration *now = raft_configuration(group->raft);
    return now->voter_count == 1 && now->outgoing_count == 0 && now->voters[0] == group->self;
}

/** What was applied is on the disk when the process ends in good order: the next start, and the tools for a stopped
 * node's store, need not do without it. */
static void flush_all(struct node *node) {
    size_t cursor = 0;
    struct group *group;
    while ((group = lf_map_next(&node->groups, &cursor)))
        if (group->state == GROUP_RUNNING)
            group_flush_applied(node, group);
}

/** Give leadership away; stopped when nothing is led, or nobody is there to take it, or the time is over. */
static void hand_over(struct node *node) {
    bool led = false;
    size_t cursor = 0;
    struct group *group;
    bool again = node->now_ms >= node->handover_retry_ms;
    while ((group = lf_map_next(&node->groups, &cursor))) {
        if (!group_leads(group) || group_is_alone(group)) {
            led |= group_leads(group) && group->parked.head != NULL; /* let it finish what it took */
            continue;
        }
        led = true;
        struct raft_event event = {.type = RAFT_EVENT_TRANSFER, .now_ms = node->now_ms};
        if (again)
            group_step(node, group, &event);
    }
    if (again)
        node->handover_retry_ms = node->now_ms + NODE_HANDOVER_RETRY_MS;
    node->stopped = !led || node->now_ms >= node->stop_deadline_ms;
    if (node->stopped)
        flush_all(node);
    node_wake_by(node, node->handover_retry_ms);
}

static void on_tick(struct node *node, uint64_t absent_ms) {
    if (!node->started) {
        node->started = true;
        cluster_start(node);
    }
    node->deadline_ms = node->now_ms + node->limits.session_timeout_ms / 4;
    size_t cursor = 0;
    struct group *group;
    images_refill(node);
    while ((group = lf_map_next(&node->groups, &cursor))) {
        if (group->state == GROUP_RUNNING && (group->deadline_ms <= node->now_ms || absent_ms > 0))
            group_tick(node, group, absent_ms);
        group_segments_tick(node, group);
        images_group_tick(node, group);
        repairs_tick(node, group);
        if (group->applied_write && node->now_ms - group->applied_write_since_ms >= NODE_APPLIED_LAZY_MS)
            group_flush_applied(node, group);
        if (group->applied_write)
            node_wake_by(node, group->applied_write_since_ms + NODE_APPLIED_LAZY_MS);
        node_wake_by(node, group->deadline_ms);
        if (group->subscriptions && group->state == GROUP_RUNNING)
            subscriptions_pump_group(node, group);
    }
    peers_greet(node);
    join_tick(node);
    sessions_tick(node);
    lookups_tick(node);
    if (node->metadata_ready) {
        cluster_found_if_leader(node);
        cluster_pin_stores(node);
        replacements_tick(node);
        membership_tick(node);
        chores_tick(node);
        segments_tick(node);
        drain_tick(node);
        transfers_tick(node);
        removals_tick(node);
    }
    if (node->stopping && !node->stopped)
        hand_over(node);
}

void node_step(struct node *node, const struct node_event *event, struct node_effects *effects) {
    node->effects = effects;
    node->now_ms = event->now_ms > node->now_ms ? event->now_ms : node->now_ms;
    node->wall_ms = event->wall_ms;
    node->now_us = event->now_us ? event->now_us : 1000 * node->now_ms;
    if (node->fatal == LF_OK) {
        switch (event->type) {
        case NODE_EVENT_TICK:
            on_tick(node, event->absent_ms);
            break;
        case NODE_EVENT_PEER:
            peers_on_envelope(node, event->envelope);
            break;
        case NODE_EVENT_CLIENT:
            sessions_on_frames(node, event);
            break;
        case NODE_EVENT_CLIENT_ROOM:
            room_on_event(node, event);
            break;
        case NODE_EVENT_CLIENT_GONE:
            if (node_session(node, event->session))
                session_close(node, node_session(node, event->session));
            break;
        case NODE_EVENT_BACKUP:
            backups_on_done(node, event->backup);
            break;
        case NODE_EVENT_SPACE:
            space_on_event(node, &event->space);
            break;
        case NODE_EVENT_STORE:
            on_store(node, event->completion);
            break;
        case NODE_EVENT_STOP:
            if (!node->stopping)
                node->stop_deadline_ms = node->now_ms + node->limits.handover_timeout_ms;
            node->stopping = true;
            node->deadline_ms = node->now_ms;
            break;
        }
    }
    if (node->peers_stale)
        peers_refresh(node);
    peers_flush(node);
    effects->fatal = node->fatal;
    effects->stopped = node->stopped;
    effects->deadline_ms = node->deadline_ms;
    node->effects = NULL;
}
