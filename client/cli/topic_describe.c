/** logflume topic describe */
#include "topic.h"

#include <stdlib.h>

static json_t *nodes_json(const uint64_t *nodes, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_integer((json_int_t)nodes[i]));
    return array;
}

static json_t *members_json(const struct lf_partition *partition) {
    json_t *array = json_array();
    for (size_t i = 0; i < partition->member_count; i++) {
        const struct lf_member *member = &partition->members[i];
        json_array_append_new(array,
                              json_pack("{s:I,s:I,s:s,s:b,s:b,s:I,s:I}", "node", (json_int_t)member->node, "replica",
                                        (json_int_t)member->replica_id, "kind", cli_replica_kind(member->kind),
                                        "active", (int)member->active, "damaged", (int)member->damaged, "match_index",
                                        (json_int_t)member->match_index, "last_index", (json_int_t)member->last_index));
    }
    return array;
}

static json_t *partition_json(const struct lf_partition *partition) {
    char move[256];
    cli_move_words(partition, move, sizeof move);
    return json_pack("{s:i,s:I,s:i,s:o,s:I,s:I,s:I,s:I,s:I,s:o,s:s,s:o}", "partition", (int)partition->partition,
                     "leader", (json_int_t)partition->leader_node, "leader_epoch", (int)partition->leader_epoch,
                     "replicas", nodes_json(partition->replica_nodes, partition->replica_count), "log_start",
                     (json_int_t)partition->log_start_offset, "high_watermark", (json_int_t)partition->high_watermark,
                     "group", (json_int_t)partition->group, "assignment_epoch", (json_int_t)partition->assignment_epoch,
                     "wanted_epoch", (json_int_t)partition->wanted_epoch, "wanted",
                     nodes_json(partition->wanted_nodes, partition->wanted_count), "move", move, "members",
                     members_json(partition));
}

static bool moving(const struct lf_partition *partition) {
    return partition->wanted_epoch > partition->assignment_epoch;
}

static void print_member(const struct lf_member *member) {
    printf("\tnode %llu\t%s\t%llu of %llu entries%s%s\n", (unsigned long long)member->node,
           cli_replica_kind(member->kind), (unsigned long long)member->match_index,
           (unsigned long long)member->last_index, member->active ? "" : "\tnot heard of",
           member->damaged ? "\tdamaged" : "");
}

static void print_partition(const struct lf_partition *partition, bool verbose) {
    char replicas[160], wanted[160], move[256];
    cli_nodes_words(partition->replica_nodes, partition->replica_count, replicas, sizeof replicas);
    printf("%u\t", partition->partition);
    if (partition->leader_node)
        printf("leader %llu\tepoch %d", (unsigned long long)partition->leader_node, (int)partition->leader_epoch);
    else
        printf("leader none\tepoch -");
    printf("\treplicas %s\t", replicas);
    if (partition->high_watermark >= 0)
        printf("offsets %lld to %lld", (long long)partition->log_start_offset, (long long)partition->high_watermark);
    else
        printf("offsets unknown");
    if (moving(partition)) {
        cli_nodes_words(partition->wanted_nodes, partition->wanted_count, wanted, sizeof wanted);
        cli_move_words(partition, move, sizeof move);
        printf("\tmoving to %s: %s", wanted, move);
    }
    putchar('\n');
    for (size_t i = 0; verbose && i < partition->member_count; i++)
        print_member(&partition->members[i]);
}

/* An older broker knows no settings: then there are none to show. */
static void settings_ask(struct topic_command *command, const char *name, struct lf_setting_info **settings,
                         size_t *count) {
    struct lf_error error = {0};
    enum lf_status status = lf_topic_settings(command->client, name, settings, count, &error);
    if (status != LF_OK && status != LF_UNSUPPORTED)
        fprintf(stderr, "logflume: %s: its settings are not known: %s\n", name, error.text);
}

static void print_settings(const struct lf_setting_info *settings, size_t count, bool all) {
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (!all && !settings[i].is_set)
            continue;
        printf("%s%s=%s%s", any ? ", " : "settings\t", settings[i].name, settings[i].text,
               all && !settings[i].is_set ? " (default)" : "");
        any = true;
    }
    if (any)
        putchar('\n');
}

static json_t *set_json(const struct lf_setting_info *settings, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        if (settings[i].is_set)
            json_array_append_new(array, json_string(settings[i].name));
    return array;
}

int topic_describe(struct topic_command *command) {
    const char *name = command->operands[0];
    struct lf_setting_info *settings = NULL;
    size_t setting_count = 0;
    struct lf_topic topic;
    struct lf_partition *partitions;
    struct lf_error error = {0};
    enum lf_status status = lf_topic_describe(command->client, name, &topic, &partitions, &error);
    if (status != LF_OK)
        return cli_failed(name, status, error.text);
    settings_ask(command, name, &settings, &setting_count);
    json_t *array = json_array();
    for (uint32_t i = 0; i < topic.partitions; i++) {
        if (command->common.json)
            json_array_append_new(array, partition_json(&partitions[i]));
        else
            print_partition(&partitions[i], command->verbose);
    }
    if (command->common.json)
        topic_print_json(json_pack("{s:s,s:I,s:i,s:o,s:o,s:o}", "name", topic.name, "id", (json_int_t)topic.id,
                                   "replicas", (int)topic.replicas, "settings",
                                   topic_settings_json(settings, setting_count), "set",
                                   set_json(settings, setting_count), "partitions", array));
    else
        json_decref(array);
    if (!command->common.json)
        print_settings(settings, setting_count, command->verbose);
    free(settings);
    free(topic.name);
    free(partitions);
    return CLI_OK;
}
