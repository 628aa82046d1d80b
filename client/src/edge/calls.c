/** Calls: handed to the core, its answer turned into the caller's structures. */
#include "client.pb-c.h"
#include "edge.h"

#include <stdlib.h>

void lf_ask_begin(struct lf_client *client, struct lf_waited_command *command, struct lf_core_call what) {
    what.id = (uint64_t)(uintptr_t)command;
    *command = (struct lf_waited_command){.event = {.type = LF_CORE_CALL}};
    command->event.call = what;
    lf_command_start(client, command);
}

const Lf__ClientReply *lf_ask_end(struct lf_client *client, struct lf_waited_command *command) {
    lf_command_finish(client, command);
    if (command->status != LF_OK && command->reply) {
        lf__client_reply__free_unpacked(command->reply, NULL);
        command->reply = NULL;
    }
    return command->reply;
}

enum lf_status lf_ask(struct lf_client *client, struct lf_core_call what, Lf__ClientReply **reply,
                      struct lf_error *error) {
    if (reply)
        *reply = NULL;
    if (!client)
        return lf_error_set(error, LF_INVALID, "no client");
    struct lf_waited_command command;
    lf_ask_begin(client, &command, what);
    lf_ask_end(client, &command);
    if (command.status != LF_OK)
        lf_error_set(error, command.status, "%s", command.error.text);
    if (reply)
        *reply = command.reply;
    else if (command.reply)
        lf__client_reply__free_unpacked(command.reply, NULL);
    return command.status;
}

static enum lf_status nonsense(struct lf_error *error) {
    return lf_error_set(error, LF_MALFORMED, "the broker's answer makes no sense");
}

enum lf_status lf_topic_create(struct lf_client *client, const char *name, uint32_t partitions, uint32_t replicas,
                               struct lf_error *error) {
    return lf_topic_create_with(client, name, partitions, replicas, NULL, 0, error);
}

enum lf_status lf_topic_delete(struct lf_client *client, const char *name, struct lf_error *error) {
    return lf_ask(client, (struct lf_core_call){.type = LF_CALL_TOPIC_DELETE, .topic = name}, NULL, error);
}

/* ---- list -------------------------------------------------------------------------------------------------------- */

void lf_topics_free(struct lf_topic *topics, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(topics[i].name);
    free(topics);
}

static bool topic_fill(struct lf_topic *topic, const Lf__TopicSummary *said) {
    *topic = (struct lf_topic){.name = strdup(said->topic->name),
                               .id = said->topic->id,
                               .partitions = said->partitions,
                               .replicas = said->replicas};
    return topic->name != NULL;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct lf_topic *)a)->name, ((const struct lf_topic *)b)->name);
}

enum lf_status lf_topic_list(struct lf_client *client, struct lf_topic **out, size_t *out_count,
                             struct lf_error *error) {
    *out = NULL;
    *out_count = 0;
    Lf__ClientReply *reply;
    enum lf_status status = lf_ask(client, (struct lf_core_call){.type = LF_CALL_TOPIC_LIST}, &reply, error);
    if (status != LF_OK)
        return status;
    const Lf__ListTopicsReply *list = reply->list_topics;
    struct lf_topic *topics = calloc(list->n_topics + 1, sizeof *topics);
    size_t count = 0;
    if (!topics)
        status = lf_error_set(error, LF_NO_MEMORY, "out of memory");
    for (; status == LF_OK && count < list->n_topics; count++) {
        if (!list->topics[count]->topic)
            status = nonsense(error);
        else if (!topic_fill(&topics[count], list->topics[count]))
            status = lf_error_set(error, LF_NO_MEMORY, "out of memory");
    }
    lf__client_reply__free_unpacked(reply, NULL);
    if (status != LF_OK) {
        lf_topics_free(topics, count);
        return status;
    }
    qsort(topics, count, sizeof *topics, by_name);
    *out = topics;
    *out_count = count;
    return LF_OK;
}

/* ---- describe ---------------------------------------------------------------------------------------------------- */

static void members_fill(struct lf_partition *partition, struct lf_member *members,
                         const Lf__PartitionDescription *said) {
    for (size_t i = 0; i < said->n_replicas; i++) {
        const Lf__ReplicaProgress *from = said->replicas[i];
        members[i] = (struct lf_member){.node = from->node_id,
                                        .replica_id = from->replica_id,
                                        .kind = (enum lf_replica_kind)from->kind,
                                        .active = from->active,
                                        .damaged = from->damaged,
                                        .match_index = from->match_index,
                                        .last_index = from->last_index};
    }
    partition->members = members;
    partition->member_count = said->n_replicas;
}

static void partition_fill(struct lf_partition *partition, const Lf__PartitionDescription *said) {
    const Lf__PartitionMetadata *metadata = said->metadata;
    *partition = (struct lf_partition){.partition = metadata->partition,
                                       .leader_node = metadata->leader_node,
                                       .leader_epoch = metadata->leader_epoch,
                                       .log_start_offset = said->held_here ? said->log_start_offset : -1,
                                       .high_watermark = said->held_here ? said->high_watermark : -1,
                                       .group = said->group,
                                       .assignment_epoch = said->assignment_epoch,
                                       .wanted_epoch = said->wanted_epoch};
    for (size_t i = 0; i < metadata->n_replica_nodes && i < LF_REPLICAS_MAX; i++)
        partition->replica_nodes[partition->replica_count++] = metadata->replica_nodes[i];
    for (size_t i = 0; i < said->n_wanted_nodes && i < LF_REPLICAS_MAX; i++)
        partition->wanted_nodes[partition->wanted_count++] = said->wanted_nodes[i];
}

/* One block: the partitions, and behind them the members of all. */
static enum lf_status description_fill(const Lf__DescribeTopicReply *said, struct lf_topic *topic,
                                       struct lf_partition **out, struct lf_error *error) {
    size_t members = 0;
    for (size_t i = 0; i < said->n_partitions; i++) {
        if (!said->partitions[i]->metadata)
            return nonsense(error);
        members += said->partitions[i]->n_replicas;
    }
    _Static_assert(_Alignof(struct lf_member) <= _Alignof(struct lf_partition), "members follow partitions");
    struct lf_partition *partitions =
        calloc(1, (said->n_partitions + 1) * sizeof *partitions + members * sizeof(struct lf_member));
    if (!partitions || !topic_fill(topic, said->topic)) {
        free(partitions);
        return lf_error_set(error, LF_NO_MEMORY, "out of memory");
    }
    topic->partitions = (uint32_t)said->n_partitions;
    struct lf_member *at = (struct lf_member *)(partitions + said->n_partitions + 1);
    for (size_t i = 0; i < said->n_partitions; i++) {
        partition_fill(&partitions[i], said->partitions[i]);
        members_fill(&partitions[i], at, said->partitions[i]);
        at += said->partitions[i]->n_replicas;
    }
    *out = partitions;
    return LF_OK;
}

enum lf_status lf_topic_describe(struct lf_client *client, const char *name, struct lf_topic *topic,
                                 struct lf_partition **partitions, struct lf_error *error) {
    *topic = (struct lf_topic){0};
    *partitions = NULL;
    Lf__ClientReply *reply;
    enum lf_status status =
        lf_ask(client, (struct lf_core_call){.type = LF_CALL_TOPIC_DESCRIBE, .topic = name}, &reply, error);
    if (status != LF_OK)
        return status;
    status = description_fill(reply->describe_topic, topic, partitions, error);
    lf__client_reply__free_unpacked(reply, NULL);
    return status;
}

enum lf_status lf_partition_end(struct lf_client *client, const char *topic, int32_t partition, int64_t *end_offset,
                                struct lf_error *error) {
    *end_offset = -1;
    if (partition < 0)
        return lf_error_set(error, LF_INVALID, "partition %d", partition);
    Lf__ClientReply *reply;
    struct lf_core_call what = {.type = LF_CALL_PARTITION_END, .topic = topic, .partitions = (uint32_t)partition};
    enum lf_status status = lf_ask(client, what, &reply, error);
    if (status != LF_OK)
        return status;
    const Lf__Position *position = reply->offsets_lookup->position;
    if (position)
        *end_offset = position->offset;
    lf__client_reply__free_unpacked(reply, NULL);
    return position ? LF_OK : nonsense(error);
}
