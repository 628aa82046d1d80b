/** Topics and the cluster as seen here: views come from group 0's applied state. What is *not* found here is looked up
 *  again after a read round, since this node may simply be behind. */
#include "node_internal.h"

#include "raft_configuration.h"
#include "reply_arena.h"

#include <stdlib.h>

bool topics_broker(const struct node *node, uint64_t node_id, Lf__Broker *broker) {
    const struct metadata_node *known = metadata_node(node->metadata, node_id);
    const struct node_address *configured = NULL;
    for (size_t i = 0; i < node->founding_count && !known; i++)
        if (node->founding[i].node_id == node_id)
            configured = &node->founding[i];
    if (!known && !configured)
        return false;
    lf__broker__init(broker);
    broker->node_id = node_id;
    broker->host = (char *)(uintptr_t)(known ? known->host : configured->host); /* packed, never written */
    broker->client_port = known ? known->client_port : configured->client_port;
    return true;
}

enum lf_status topics_find(const struct node *node, const Lf__TopicRef *ref, const struct metadata_topic **topic) {
    *topic = NULL;
    if (!ref || (ref->id == 0 && ref->name[0] == '\0'))
        return LF_INVALID;
    if (!node->metadata_ready)
        return LF_NOT_READY; /* group 0 is not loaded yet: nothing can be said of any topic */
    const struct metadata_topic *named =
        ref->name[0] ? metadata_topic_by_name(node->metadata, lf_bytes_text(ref->name)) : NULL;
    if (ref->id == 0) {
        *topic = named;
        return named ? LF_OK : LF_TOPIC_UNKNOWN;
    }
    const struct metadata_topic *found = metadata_topic_by_id(node->metadata, ref->id);
    if (!found)
        return LF_NOT_READY; /* ids are given once and kept for ever: we are only behind */
    if (found->deleted)
        return named ? LF_TOPIC_RECREATED : LF_TOPIC_DELETED;
    *topic = found;
    return LF_OK;
}

enum lf_status topics_find_partition(const struct node *node, const Lf__TopicRef *ref, uint32_t partition,
                                     const struct metadata_partition **found) {
    const struct metadata_topic *topic;
    *found = NULL;
    enum lf_status status = topics_find(node, ref, &topic);
    if (status != LF_OK)
        return status;
    if (partition >= topic->partition_count)
        return LF_PARTITION_UNKNOWN;
    *found = &topic->partitions[partition];
    return LF_OK;
}

/* ---- views ---- */

static Lf__PartitionMetadata *make_partition(const struct node *node, struct reply_arena *arena,
                                             const struct metadata_partition *partition) {
    Lf__PartitionMetadata *out = reply_arena_take(arena, 1, sizeof *out);
    lf__partition_metadata__init(out);
    out->partition = partition->partition;
    out->n_replica_nodes = partition->current.replica_count;
    out->replica_nodes = reply_arena_take(arena, out->n_replica_nodes, sizeof *out->replica_nodes);
    for (size_t i = 0; i < out->n_replica_nodes; i++)
        out->replica_nodes[i] = partition->current.replicas[i].node_id;
    const struct group *group = node_group(node, partition->group);
    out->leader_epoch = -1;
    if (group && group->state == GROUP_RUNNING) {
        out->leader_node = group_leader_node(node, group);
        out->leader_epoch = (int32_t)raft_term(group->raft);
    }
    return out;
}

static Lf__TopicMetadata *make_topic(const struct node *node, struct reply_arena *arena,
                                     const struct metadata_topic *topic) {
    Lf__TopicMetadata *out = reply_arena_take(arena, 1, sizeof *out);
    lf__topic_metadata__init(out);
    out->topic = reply_arena_topic(arena, topic);
    out->n_partitions = topic->partition_count;
    out->partitions = reply_arena_take(arena, topic->partition_count, sizeof(*out->partitions));
    for (uint32_t i = 0; i < topic->partition_count; i++)
        out->partitions[i] = make_partition(node, arena, &topic->partitions[i]);
    return out;
}

/** All nodes of the cluster; until it is founded, those configured. Returns how many. */
static size_t list_nodes(const struct node *node, uint64_t ids[NODE_PEERS_MAX]) {
    const struct metadata_node *nodes;
    size_t known = metadata_nodes(node->metadata, &nodes), count = 0;
    for (size_t i = 0; i < known && count < NODE_PEERS_MAX; i++)
        if (!nodes[i].removed)
            ids[count++] = nodes[i].node_id;
    for (size_t i = 0; known == 0 && i < node->founding_count; i++)
        ids[count++] = node->founding[i].node_id;
    return count;
}

static Lf__Broker *make_broker(const struct node *node, struct reply_arena *arena, uint64_t node_id) {
    Lf__Broker *broker = reply_arena_take(arena, 1, sizeof *broker);
    lf_check(topics_broker(node, node_id, broker));
    return broker;
}

static Lf__ReplicaKind replica_kind(const struct raft_configuration *now, uint64_t replica) {
    return raft_configuration_is_voter(now, replica) ? LF__REPLICA_KIND__REPLICA_VOTER
           : raft_configuration_votes(now, replica)  ? LF__REPLICA_KIND__REPLICA_LEAVING
                                                     : LF__REPLICA_KIND__REPLICA_LEARNER;
}

static uint64_t controller(const struct node *node) {
    const struct group *group = node_group(node, NODE_GROUP_METADATA);
    return group && group->state == GROUP_RUNNING ? group_leader_node(node, group) : 0;
}

static void reply_metadata(struct node *node, uint64_t session, const Lf__ClientRequest *request) {
    const Lf__MetadataRequest *asked = request->metadata;
    struct reply_arena arena = {0};
    Lf__MetadataReply body = LF__METADATA_REPLY__INIT;
    uint64_t nodes[NODE_PEERS_MAX];
    size_t node_count = list_nodes(node, nodes);
    body.brokers = reply_arena_take(&arena, node_count, sizeof(*body.brokers));
    for (size_t i = 0; i < node_count; i++)
        body.brokers[body.n_brokers++] = make_broker(node, &arena, nodes[i]);
    body.controller_node = controller(node);
    body.cluster_name = node->cluster_name;
    size_t max = asked->all_topics ? metadata_topic_count(node->metadata) : asked->n_topics;
    body.topics = reply_arena_take(&arena, max, sizeof(*body.topics));
    size_t cursor = 0;
    const struct metadata_topic *topic;
    while (asked->all_topics && (topic = metadata_next_topic(node->metadata, &cursor)))
        if (!topic->deleted && body.n_topics < max)
            body.topics[body.n_topics++] = make_topic(node, &arena, topic);
    for (size_t i = 0; !asked->all_topics && i < asked->n_topics; i++) {
        enum lf_status status = topics_find(node, asked->topics[i], &topic);
        Lf__TopicMetadata *out;
        if (status == LF_OK) {
            out = make_topic(node, &arena, topic);
        } else {
            out = reply_arena_take(&arena, 1, sizeof *out);
            lf__topic_metadata__init(out);
            out->topic = asked->topics[i];
            out->status = (uint32_t)status;
        }
        body.topics[body.n_topics++] = out;
    }
    Lf__ClientReply reply;
    reply_init(node, &reply, request->request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_METADATA;
    reply.metadata = &body;
    reply_send(node, session, &reply, NULL, 0);
    reply_arena_free(&arena);
}

static Lf__TopicSummary *make_summary(struct reply_arena *arena, const struct metadata_topic *topic) {
    Lf__TopicSummary *summary = reply_arena_take(arena, 1, sizeof *summary);
    lf__topic_summary__init(summary);
    summary->topic = reply_arena_topic(arena, topic);
    summary->partitions = topic->partition_count;
    summary->replicas = topic->replicas;
    return summary;
}

static void reply_list(struct node *node, uint64_t session, uint64_t request_id) {
    struct reply_arena arena = {0};
    Lf__ListTopicsReply body = LF__LIST_TOPICS_REPLY__INIT;
    body.topics = reply_arena_take(&arena, metadata_topic_count(node->metadata), sizeof(*body.topics));
    size_t cursor = 0;
    const struct metadata_topic *topic;
    while ((topic = metadata_next_topic(node->metadata, &cursor)))
        if (!topic->deleted)
            body.topics[body.n_topics++] = make_summary(&arena, topic);
    Lf__ClientReply reply;
    reply_init(node, &reply, request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_LIST_TOPICS;
    reply.list_topics = &body;
    reply_send(node, session, &reply, NULL, 0);
    reply_arena_free(&arena);
}

/** How far the leader has brought each member. */
static void describe_replicas(const struct node *node, struct reply_arena *arena, const struct group *group,
                              Lf__PartitionDescription *out) {
    struct raft_peer_view peers[RAFT_MEMBERS_MAX];
    const struct raft_configuration *now = raft_configuration(group->raft);
    size_t count = raft_peers(group->raft, peers, RAFT_MEMBERS_MAX);
    out->replicas = reply_arena_take(arena, count + 1, sizeof(*out->replicas));
    for (size_t i = 0; i <= count; i++) {
        bool self = i == count;
        uint64_t replica = self ? group->self : peers[i].replica;
        Lf__ReplicaProgress *progress = reply_arena_take(arena, 1, sizeof *progress);
        lf__replica_progress__init(progress);
        progress->replica_id = replica;
        progress->node_id = group_member_node(node, group, replica);
        progress->kind = replica_kind(now, replica);
        progress->match_index = self ? raft_durable_index(group->raft) : peers[i].match;
        progress->last_index = raft_last_index(group->raft);
        progress->active = self || peers[i].active;
        progress->damaged = !self && peers[i].damaged;
        out->replicas[out->n_replicas++] = progress;
    }
}

static void describe_move(const struct node *node, struct reply_arena *arena,
                          const struct metadata_partition *partition, const struct group *group,
                          Lf__PartitionDescription *out) {
    out->wanted_epoch = partition->wanted.epoch;
    out->n_wanted_nodes = partition->wanted.replica_count;
    out->wanted_nodes = reply_arena_take(arena, out->n_wanted_nodes, sizeof *out->wanted_nodes);
    for (size_t i = 0; i < out->n_wanted_nodes; i++)
        out->wanted_nodes[i] = partition->wanted.replicas[i].node_id;
    if (group && group_leads(group))
        describe_replicas(node, arena, group, out);
}

static void reply_describe(struct node *node, uint64_t session, const Lf__ClientRequest *request) {
    const struct metadata_topic *topic;
    enum lf_status status = topics_find(node, request->describe_topic->topic, &topic);
    if (status != LF_OK) {
        reply_error(node, session, request->request_id, status, "%s", lf_status_text(status));
        return;
    }
    struct reply_arena arena = {0};
    Lf__DescribeTopicReply body = LF__DESCRIBE_TOPIC_REPLY__INIT;
    body.topic = make_summary(&arena, topic);
    body.partitions = reply_arena_take(&arena, topic->partition_count, sizeof(*body.partitions));
    for (uint32_t i = 0; i < topic->partition_count; i++) {
        Lf__PartitionDescription *out = reply_arena_take(&arena, 1, sizeof *out);
        lf__partition_description__init(out);
        out->metadata = make_partition(node, &arena, &topic->partitions[i]);
        out->group = topic->partitions[i].group;
        out->assignment_epoch = topic->partitions[i].current.epoch;
        const struct group *group = node_group(node, out->group);
        out->held_here = group && group->state == GROUP_RUNNING;
        describe_move(node, &arena, &topic->partitions[i], group, out);
        if (out->held_here) {
            out->log_start_offset = partition_log_start_offset(group->partition);
            out->high_watermark = partition_high_watermark(group->partition);
        }
        body.partitions[body.n_partitions++] = out;
    }
    Lf__ClientReply reply;
    reply_init(node, &reply, request->request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_DESCRIBE_TOPIC;
    reply.describe_topic = &body;
    reply_send(node, session, &reply, NULL, 0);
    reply_arena_free(&arena);
}

/** Everything asked for is known here? Then this node's view will do. */
static bool all_known(const struct node *node, const Lf__MetadataRequest *asked) {
    const struct metadata_topic *topic;
    for (size_t i = 0; i < asked->n_topics; i++)
        if (topics_find(node, asked->topics[i], &topic) != LF_OK)
            return false;
    return !asked->all_topics;
}

static enum lookup_kind kind_of(const Lf__ClientRequest *request) {
    switch (request->body_case) {
    case LF__CLIENT_REQUEST__BODY_METADATA:
        return LOOKUP_METADATA;
    case LF__CLIENT_REQUEST__BODY_LIST_TOPICS:
        return LOOKUP_LIST;
    case LF__CLIENT_REQUEST__BODY_DESCRIBE_SETTINGS:
        return LOOKUP_SETTINGS;
    case LF__CLIENT_REQUEST__BODY_CLUSTER_STATUS:
        return LOOKUP_STATUS;
    default:
        return LOOKUP_DESCRIBE;
    }
}

/** Answered once what was committed before now is applied here. */
static void ask_current(struct node *node, struct session *session, Lf__ClientRequest **where) {
    struct group *group = node_group(node, NODE_GROUP_METADATA);
    if (!group || group->state != GROUP_RUNNING)
        reply_error(node, session->id, (*where)->request_id, LF_NOT_READY, "this broker is still starting");
    else
        lookups_start(node, session, group, kind_of(*where), where);
}

void topics_on_metadata(struct node *node, struct session *session, Lf__ClientRequest **where) {
    const Lf__ClientRequest *request = *where;
    bool metadata = request->body_case == LF__CLIENT_REQUEST__BODY_METADATA;
    if (metadata && all_known(node, request->metadata)) {
        reply_metadata(node, session->id, request);
        return;
    }
    if (request->body_case == LF__CLIENT_REQUEST__BODY_DESCRIBE_SETTINGS && !request->describe_settings->topic) {
        settings_reply(node, session->id, request); /* of no topic: the same everywhere */
        return;
    }
    ask_current(node, session, where);
}

static uint32_t groups_assigned(const struct node *node, uint64_t node_id, const struct metadata_topic *topic) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < topic->partition_count; i++)
        for (size_t k = 0; k < topic->partitions[i].current.replica_count; k++)
            count += topic->partitions[i].current.replicas[k].node_id == node_id;
    (void)node;
    return count;
}

static void describe_membership(const struct node *node, const struct metadata_node *known, Lf__NodeStatus *out) {
    const struct group *metadata = node_group(node, NODE_GROUP_METADATA);
    bool empty = known->draining && metadata_held_by(node->metadata, known->node_id, NULL) == 0 &&
                 controller(node) != known->node_id;
    out->state = empty             ? LF__NODE_STATE__NODE_DRAINED
                 : known->draining ? LF__NODE_STATE__NODE_DRAINING
                 : known->joining  ? LF__NODE_STATE__NODE_JOINING
                                   : LF__NODE_STATE__NODE_ACTIVE;
    if (metadata && metadata->state == GROUP_RUNNING)
        out->metadata_replica = replica_kind(raft_configuration(metadata->raft), known->replica_id);
    size_t cursor = 0;
    const struct metadata_topic *topic;
    while ((topic = metadata_next_topic(node->metadata, &cursor)))
        for (uint32_t i = 0; !topic->deleted && i < topic->partition_count; i++)
            out->moves_left += topic->partitions[i].wanted.epoch != topic->partitions[i].current.epoch &&
                               metadata_replica_on(&topic->partitions[i], known->node_id) != 0;
}

static Lf__NodeStatus *make_node_status(struct node *node, struct reply_arena *arena, uint64_t node_id) {
    Lf__NodeStatus *out = reply_arena_take(arena, 1, sizeof *out);
    lf__node_status__init(out);
    out->broker = make_broker(node, arena, node_id);
    const struct metadata_node *known = metadata_node(node->metadata, node_id);
    if (known && known->pinned) {
        out->store_uuid.data = (uint8_t *)(uintptr_t)known->store_uuid;
        out->store_uuid.len = LOG_STORE_ID_BYTES;
    }
    out->replica_id = known ? known->replica_id : 0;
    if (known)
        describe_membership(node, known, out);
    const struct peer *peer = node_peer(node, node_id);
    bool self = node_id == node->id;
    out->incarnation = self ? node->incarnation : peer ? peer->incarnation : 0;
    out->reachable = self || (peer && peer->heard_ms != 0 && node->now_ms - peer->heard_ms <= NODE_PEER_ALIVE_MS);
    out->groups_held = 1; /* group 0 */
    size_t cursor = 0;
    const struct metadata_topic *topic;
    while ((topic = metadata_next_topic(node->metadata, &cursor)))
        if (!topic->deleted)
            out->groups_held += groups_assigned(node, node_id, topic);
    if (self)
        out->groups_led = (uint32_t)node_counts(node).groups_led;
    return out;
}

static void reply_status(struct node *node, uint64_t session, uint64_t request_id) {
    struct reply_arena arena = {0};
    Lf__ClusterStatusReply body = LF__CLUSTER_STATUS_REPLY__INIT;
    body.cluster_name = node->cluster_name;
    if (node->cluster_known) {
        body.cluster_id.data = node->cluster_id;
        body.cluster_id.len = LOG_STORE_ID_BYTES;
    }
    body.answering_node = node->id;
    body.controller_node = controller(node);
    const struct group *metadata = node_group(node, NODE_GROUP_METADATA);
    body.controller_term = metadata && metadata->raft ? raft_term(metadata->raft) : 0;
    uint64_t nodes[NODE_PEERS_MAX];
    size_t node_count = list_nodes(node, nodes);
    body.nodes = reply_arena_take(&arena, node_count, sizeof(*body.nodes));
    for (size_t i = 0; i < node_count; i++)
        body.nodes[body.n_nodes++] = make_node_status(node, &arena, nodes[i]);
    body.topics = (uint32_t)metadata_topic_count(node->metadata);
    body.partitions = (uint32_t)metadata_partition_count(node->metadata);
    size_t cursor = 0;
    const struct group *group;
    while ((group = lf_map_next(&node->groups, &cursor)))
        body.partitions_without_leader +=
            group->partition && (group->state != GROUP_RUNNING || !group_leader_node(node, group));
    Lf__ClientReply reply;
    reply_init(node, &reply, request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_CLUSTER_STATUS;
    reply.cluster_status = &body;
    reply_send(node, session, &reply, NULL, 0);
    reply_arena_free(&arena);
}

void topics_on_status(struct node *node, struct session *session, Lf__ClientRequest **where) {
    if ((*where)->cluster_status->current)
        ask_current(node, session, where);
    else
        reply_status(node, session->id, (*where)->request_id);
}

void topics_answer_lookup(struct node *node, const struct parked *parked) {
    switch (parked->lookup) {
    case LOOKUP_METADATA:
        reply_metadata(node, parked->session, parked->request);
        return;
    case LOOKUP_LIST:
        reply_list(node, parked->session, parked->request_id);
        return;
    case LOOKUP_SETTINGS:
        settings_reply(node, parked->session, parked->request);
        return;
    case LOOKUP_STATUS:
        reply_status(node, parked->session, parked->request_id);
        return;
    default:
        reply_describe(node, parked->session, parked->request);
    }
}
