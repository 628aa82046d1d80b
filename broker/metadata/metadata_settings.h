/** Topic settings as they stand in commands and rows. */
#ifndef METADATA_SETTINGS_H
#define METADATA_SETTINGS_H

#include "metadata_internal.h"

#include "metadata.pb-c.h"

/** Does this version know these settings and their values? If not, they come from a newer one. */
bool metadata_settings_known(Lf__TopicSettingValue *const *values, size_t count);
/** The same for all that the command names. */
bool metadata_settings_known_in(const Lf__MetadataCommand *command);
/** What is set becomes the topic's; all known. */
void metadata_settings_take(struct metadata_topic *topic, Lf__TopicSettingValue *const *values, size_t count);

/** Messages of what is set, by rising number, to be packed. */
struct metadata_settings_packed {
    Lf__TopicSettingValue messages[TOPIC_SETTINGS_COUNT];
    Lf__TopicSettingValue *pointers[TOPIC_SETTINGS_COUNT];
    size_t count;
};
void metadata_settings_pack(const struct topic_settings *settings, uint32_t set,
                            struct metadata_settings_packed *packed);

#endif
