#include "store_tool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** Names are given before what gives them is applied. */
static const struct metadata *names_of(const struct store_tool *tool) {
    return tool->metadata_ahead ? tool->metadata_ahead : tool->metadata;
}

bool store_group_topic(const struct store_tool *tool, uint64_t group, const char **topic, uint32_t *partition) {
    const struct metadata_partition *found = metadata_partition_by_group(names_of(tool), group);
    if (!found)
        return false;
    *topic = metadata_topic_by_id(names_of(tool), found->topic_id)->name;
    *partition = found->partition;
    return true;
}

void store_group_name(const struct store_tool *tool, uint64_t group, char name[STORE_NAME_BYTES]) {
    const char *topic;
    uint32_t partition;
    if (group == 0) {
        snprintf(name, STORE_NAME_BYTES, "metadata");
    } else if (store_group_topic(tool, group, &topic, &partition)) {
        const struct metadata_partition *found = metadata_partition_by_group(names_of(tool), group);
        bool deleted = metadata_topic_by_id(names_of(tool), found->topic_id)->deleted;
        snprintf(name, STORE_NAME_BYTES, "%s/%" PRIu32 "%s", topic, partition, deleted ? " (deleted)" : "");
    } else {
        snprintf(name, STORE_NAME_BYTES, "?");
    }
}

/** A number, "metadata", TOPIC or TOPIC/P. */
static bool means(const struct store_tool *tool, const char *subject, uint64_t group) {
    const char *topic;
    uint32_t partition;
    char *end;
    unsigned long long number = strtoull(subject, &end, 10);
    if (end != subject && *end == '\0' && number == group)
        return true;
    if (strcmp(subject, "metadata") == 0)
        return group == 0;
    if (!store_group_topic(tool, group, &topic, &partition))
        return false;
    const char *slash = strrchr(subject, '/');
    if (strcmp(subject, topic) == 0)
        return true;
    if (!slash || strlen(topic) != (size_t)(slash - subject) || memcmp(topic, subject, strlen(topic)) != 0)
        return false;
    number = strtoull(slash + 1, &end, 10);
    return end != slash + 1 && *end == '\0' && number == partition;
}

int store_subject_groups(struct store_tool *tool, uint64_t *groups, size_t *count) {
    const char *subject = tool->wish->subject;
    *count = 0;
    for (size_t i = 0; i < tool->store->group_count; i++)
        if (!subject || means(tool, subject, tool->store->groups[i]))
            groups[(*count)++] = tool->store->groups[i];
    if (subject && *count == 0) {
        store_say(tool, "%s: not in this store; `logflumed store ls` says what is", subject);
        return STORE_EXIT_NOT_FOUND;
    }
    return STORE_EXIT_OK;
}
