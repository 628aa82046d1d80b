#include "metadata_settings.h"

#include "metadata_outcome.h"

#include <inttypes.h>

bool metadata_settings_known(Lf__TopicSettingValue *const *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int row = topic_setting_numbered(values[i]->setting);
        if (row < 0 || !topic_setting_fits(row, values[i]->value))
            return false;
    }
    return true;
}

bool metadata_settings_known_in(const Lf__MetadataCommand *command) {
    if (command->body_case == LF__METADATA_COMMAND__BODY_CREATE_TOPIC)
        return metadata_settings_known(command->create_topic->settings, command->create_topic->n_settings);
    if (command->body_case != LF__METADATA_COMMAND__BODY_ALTER_TOPIC)
        return true;
    const Lf__AlterTopicCommand *alter = command->alter_topic;
    for (size_t i = 0; i < alter->n_reset; i++)
        if (topic_setting_numbered(alter->reset[i]) < 0)
            return false;
    return metadata_settings_known(alter->set, alter->n_set);
}

void metadata_settings_take(struct metadata_topic *topic, Lf__TopicSettingValue *const *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int row = topic_setting_numbered(values[i]->setting);
        topic_setting_put(&topic->settings, row, values[i]->value);
        topic->settings_set |= UINT32_C(1) << row;
    }
}

enum lf_status metadata_apply_alter(struct metadata *metadata, const Lf__AlterTopicCommand *alter,
                                    struct metadata_applied *applied, struct metadata_changes *changes) {
    struct metadata_topic *topic = metadata_find_topic(metadata, alter->topic_id);
    if (!topic)
        return metadata_refuse(applied, LF_TOPIC_UNKNOWN, "there never was a topic with id %" PRIu64, alter->topic_id);
    if (topic->deleted)
        return metadata_refuse(applied, LF_TOPIC_DELETED, "topic %.200s was deleted", topic->name);
    for (size_t i = 0; i < alter->n_reset; i++) {
        int row = topic_setting_numbered(alter->reset[i]);
        topic_setting_put(&topic->settings, row, topic_setting_rows[row].value);
        topic->settings_set &= ~(UINT32_C(1) << row);
    }
    metadata_settings_take(topic, alter->set, alter->n_set);
    applied->altered = changes->topic = topic;
    changes->one_row = true; /* the first one has them */
    return LF_OK;
}

void metadata_settings_pack(const struct topic_settings *settings, uint32_t set,
                            struct metadata_settings_packed *packed) {
    packed->count = 0;
    for (int row = 0; row < TOPIC_SETTINGS_COUNT; row++) {
        if (!(set & (UINT32_C(1) << row)))
            continue;
        Lf__TopicSettingValue *message = &packed->messages[packed->count];
        lf__topic_setting_value__init(message);
        message->setting = topic_setting_rows[row].number;
        message->value = topic_setting_get(settings, row);
        packed->pointers[packed->count++] = message;
    }
}
