/** Commands: judged at the door in words, appended to the log of group 0, answered with what applying made of them. */
#include "node_internal.h"

#include "raft_configuration.h"

/** Would the voters of group 0 that answer still be a majority without this node? Else it could never leave. */
static bool removal_leaves_majority(const struct node *node, uint64_t node_id, struct lf_error *error) {
    const struct group *group = node_group(node, NODE_GROUP_METADATA);
    const struct metadata_node *known = metadata_node(node->metadata, node_id);
    const struct raft_configuration *now = raft_configuration(group->raft);
    if (!known || known->removed || !raft_configuration_votes(now, known->replica_id))
        return true;
    uint32_t left = 0, active = 0;
    for (uint32_t i = 0; i < now->voter_count; i++) {
        left += now->voters[i] != known->replica_id;
        active += now->voters[i] != known->replica_id && group_caught_up(group, now->voters[i]);
    }
    if (left == 0 || active > left / 2)
        return true; /* none left: learners that have caught up take its place, or the command is refused */
    lf_error_set(error, LF_INVALID,
                 "without node %llu only %u of the %u other voters of the cluster's metadata keep up: start them first",
                 (unsigned long long)node_id, active, left);
    return false;
}

/** False: refused in words. */
static bool settings_take(struct topic_settings_change *change, Lf__TopicSetting *const *set, size_t count,
                          struct lf_error *error) {
    for (size_t i = 0; i < count; i++)
        if (topic_settings_change_add(change, set[i]->name, set[i]->value, error) != LF_OK)
            return false;
    return true;
}

static struct lf_buf *build_alter(const struct node *node, const Lf__AlterTopic *alter, struct lf_error *error) {
    const struct metadata_topic *topic;
    struct topic_settings_change change = {0};
    enum lf_status status = topics_find(node, alter->topic, &topic);
    if (status != LF_OK) {
        lf_error_set(error, status, "%s", lf_status_text(status));
        return NULL;
    }
    if (!settings_take(&change, alter->set, alter->n_set, error))
        return NULL;
    for (size_t i = 0; i < alter->n_reset; i++)
        if (topic_settings_change_add(&change, alter->reset[i], NULL, error) != LF_OK)
            return NULL;
    return metadata_command_alter_topic(topic->topic_id, &change);
}

static struct lf_buf *build_command(struct node *node, const Lf__ClientRequest *request, struct lf_error *error) {
    switch (request->body_case) {
    case LF__CLIENT_REQUEST__BODY_CREATE_TOPIC: {
        const Lf__CreateTopic *create = request->create_topic;
        if (metadata_judge_create(node->metadata, lf_bytes_text(create->name), create->partitions, create->replicas,
                                  error) != LF_OK)
            return NULL;
        struct topic_settings_change settings = {0};
        if (!settings_take(&settings, create->settings, create->n_settings, error))
            return NULL;
        return metadata_command_create_topic(create->name, create->partitions, create->replicas, &settings);
    }
    case LF__CLIENT_REQUEST__BODY_ALTER_TOPIC:
        return build_alter(node, request->alter_topic, error);
    case LF__CLIENT_REQUEST__BODY_DELETE_TOPIC: {
        const struct metadata_topic *topic;
        enum lf_status status = topics_find(node, request->delete_topic->topic, &topic);
        if (status != LF_OK) {
            lf_error_set(error, status, "%s", lf_status_text(status));
            return NULL;
        }
        return metadata_command_delete_topic(topic->topic_id);
    }
    case LF__CLIENT_REQUEST__BODY_ADD_NODE: {
        const Lf__AddNode *add = request->add_node;
        const struct metadata_node *known = metadata_node(node->metadata, add->node_id);
        if (known && known->removed && join_in_group_zero(node, known->replica_id)) {
            lf_error_set(error, LF_NOT_READY, "node %llu is still on its way out: retry shortly",
                         (unsigned long long)add->node_id);
            return NULL;
        }
        return metadata_command_add_node(add->node_id, add->host, add->client_port, add->peer_port);
    }
    case LF__CLIENT_REQUEST__BODY_REMOVE_NODE:
        if (!removal_leaves_majority(node, request->remove_node->node_id, error))
            return NULL;
        return metadata_command_remove_node(request->remove_node->node_id, request->remove_node->replica_id);
    case LF__CLIENT_REQUEST__BODY_DRAIN_NODE:
        return metadata_command_drain_node(request->drain_node->node_id, request->drain_node->stop);
    case LF__CLIENT_REQUEST__BODY_MOVE_PARTITION: {
        const Lf__MovePartition *move = request->move_partition;
        const struct metadata_topic *topic;
        enum lf_status status = topics_find(node, move->topic, &topic);
        if (status != LF_OK) {
            lf_error_set(error, status, "%s", lf_status_text(status));
            return NULL;
        }
        return metadata_command_move(topic->topic_id, move->partition, move->nodes, move->n_nodes);
    }
    default:
        return metadata_command_take_producers(1);
    }
}

/** After a doubt the client wants to know whether this is what it asked for. */
static void refuse_existing(struct node *node, struct session *session, const Lf__ClientRequest *request,
                            const struct lf_error *error) {
    const Lf__CreateTopic *create = request->create_topic;
    const struct metadata_topic *topic = metadata_topic_by_name(node->metadata, lf_bytes_text(create->name));
    struct topic_settings_change settings = {.values = topic_settings_default};
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    Lf__CreateTopicReply body = LF__CREATE_TOPIC_REPLY__INIT;
    ref.id = topic->topic_id;
    ref.name = (char *)(uintptr_t)topic->name; /* packed, never written */
    body.topic = &ref;
    body.same = topic->partition_count == create->partitions && topic->replicas == create->replicas &&
                settings_take(&settings, create->settings, create->n_settings, NULL) &&
                settings.set == topic->settings_set &&
                memcmp(&settings.values, &topic->settings, sizeof topic->settings) == 0;
    Lf__ClientReply reply;
    reply_init(node, &reply, request->request_id);
    reply.status = LF_TOPIC_EXISTS;
    reply.error = (char *)(uintptr_t)error->text;
    reply.body_case = LF__CLIENT_REPLY__BODY_CREATE_TOPIC;
    reply.create_topic = &body;
    reply_send(node, session->id, &reply, NULL, 0);
}

void commands_on_request(struct node *node, struct session *session, const Lf__ClientRequest *request) {
    struct group *group = node_group(node, NODE_GROUP_METADATA);
    if (!group || group->state != GROUP_RUNNING || !metadata_founded(node->metadata)) {
        reply_error(node, session->id, request->request_id, LF_NOT_READY, "the cluster is not founded yet");
        return;
    }
    if (!group_leads(group) || !raft_leads_fully(group->raft)) {
        reply_not_leader(node, session->id, request->request_id, group);
        return;
    }
    struct lf_error error = {0};
    struct lf_buf *command = build_command(node, request, &error);
    if (!command && error.code == LF_TOPIC_EXISTS) {
        refuse_existing(node, session, request, &error);
        return;
    }
    if (!command) {
        reply_error(node, session->id, request->request_id, error.code ? error.code : LF_NO_MEMORY, "%s", error.text);
        return;
    }
    struct parked *parked = parked_new(node, PARKED_COMMAND, group->id, session->id, request->request_id);
    uint64_t index;
    enum lf_status status = parked ? group_propose(node, group, LF_ENTRY_METADATA, LF_ENTRY_MUST_UNDERSTAND,
                                                   lf_buf_bytes(command), 0, &index)
                                   : LF_OVERLOADED;
    lf_buf_unref(&command);
    if (status != LF_OK) {
        if (parked)
            parked_free(node, parked);
        reply_error(node, session->id, request->request_id, status == LF_NOT_LEADER ? LF_NOT_READY : LF_OVERLOADED,
                    "%s", lf_status_text(status));
        return;
    }
    parked->index = index;
    parked->command = request->body_case;
    if (request->body_case == LF__CLIENT_REQUEST__BODY_REMOVE_NODE)
        parked->node_id = request->remove_node->node_id;
    parked_insert(&group->parked, parked);
}

void commands_answer(struct node *node, const struct parked *parked, const struct metadata_applied *applied) {
    Lf__ClientReply reply;
    reply_init(node, &reply, parked->request_id);
    Lf__TopicRef ref = LF__TOPIC_REF__INIT;
    Lf__CreateTopicReply created = LF__CREATE_TOPIC_REPLY__INIT;
    Lf__DeleteTopicReply deleted = LF__DELETE_TOPIC_REPLY__INIT;
    Lf__AlterTopicReply altered = LF__ALTER_TOPIC_REPLY__INIT;
    Lf__InitProducerReply producer = LF__INIT_PRODUCER_REPLY__INIT;
    Lf__AddNodeReply added = LF__ADD_NODE_REPLY__INIT;
    Lf__DrainNodeReply drained = LF__DRAIN_NODE_REPLY__INIT;
    Lf__MovePartitionReply moved = LF__MOVE_PARTITION_REPLY__INIT;
    if (applied->status != LF_OK) {
        reply_error(node, parked->session, parked->request_id, applied->status, "%s",
                    applied->text[0] ? applied->text : lf_status_text(applied->status));
        return;
    }
    switch (parked->command) {
    case LF__CLIENT_REQUEST__BODY_CREATE_TOPIC:
        ref.id = applied->created->topic_id;
        ref.name = (char *)(uintptr_t)applied->created->name;
        created.topic = &ref;
        reply.body_case = LF__CLIENT_REPLY__BODY_CREATE_TOPIC;
        reply.create_topic = &created;
        break;
    case LF__CLIENT_REQUEST__BODY_DELETE_TOPIC:
        reply.body_case = LF__CLIENT_REPLY__BODY_DELETE_TOPIC;
        reply.delete_topic = &deleted;
        break;
    case LF__CLIENT_REQUEST__BODY_ALTER_TOPIC:
        reply.body_case = LF__CLIENT_REPLY__BODY_ALTER_TOPIC;
        reply.alter_topic = &altered;
        break;
    case LF__CLIENT_REQUEST__BODY_ADD_NODE:
        added.replica_id = applied->replica_id;
        reply.body_case = LF__CLIENT_REPLY__BODY_ADD_NODE;
        reply.add_node = &added;
        break;
    case LF__CLIENT_REQUEST__BODY_REMOVE_NODE:
        removals_wait(node, parked);
        return;
    case LF__CLIENT_REQUEST__BODY_DRAIN_NODE:
        reply.body_case = LF__CLIENT_REPLY__BODY_DRAIN_NODE;
        reply.drain_node = &drained;
        break;
    case LF__CLIENT_REQUEST__BODY_MOVE_PARTITION:
        moved.epoch = applied->epoch;
        reply.body_case = LF__CLIENT_REPLY__BODY_MOVE_PARTITION;
        reply.move_partition = &moved;
        break;
    default:
        producer.producer_id = applied->first_producer_id;
        producer.producer_epoch = 0;
        reply.body_case = LF__CLIENT_REPLY__BODY_INIT_PRODUCER;
        reply.init_producer = &producer;
    }
    reply_send(node, parked->session, &reply, NULL, 0);
}
