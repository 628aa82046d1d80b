/** The tiny broker's topic settings: two names, values as they are said. */
#ifndef TINY_SETTINGS_H
#define TINY_SETTINGS_H

#include "client.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

#define TINY_SETTINGS 2

struct tiny_settings {
    char values[TINY_SETTINGS][64]; /* "": the default */
};

/* False: no such setting; nothing changed. */
bool tiny_settings_change(struct tiny_settings *settings, Lf__TopicSetting **set, size_t set_count, char **reset,
                          size_t reset_count);
/* Room for an answer, which stays valid with it. */
struct tiny_settings_answer {
    Lf__DescribeSettingsReply body;
    Lf__TopicRef topic;
    Lf__SettingDescription settings[TINY_SETTINGS];
    Lf__SettingDescription *pointers[TINY_SETTINGS];
};
/* settings NULL: of no topic. */
void tiny_settings_describe(const struct tiny_settings *settings, struct tiny_settings_answer *answer);

#endif
