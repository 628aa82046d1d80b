#include "tiny_settings.h"

#include <stdio.h>
#include <string.h>

static const char *const names[TINY_SETTINGS] = {"retention.ms", "cleanup.policy"};
static const char *const defaults[TINY_SETTINGS] = {"-1", "delete"};

static int find(const char *name) {
    for (int i = 0; i < TINY_SETTINGS; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

bool tiny_settings_change(struct tiny_settings *settings, Lf__TopicSetting **set, size_t set_count, char **reset,
                          size_t reset_count) {
    for (size_t i = 0; i < set_count; i++)
        if (find(set[i]->name) < 0)
            return false;
    for (size_t i = 0; i < reset_count; i++)
        if (find(reset[i]) < 0)
            return false;
    for (size_t i = 0; i < set_count; i++)
        snprintf(settings->values[find(set[i]->name)], sizeof settings->values[0], "%s", set[i]->value);
    for (size_t i = 0; i < reset_count; i++)
        settings->values[find(reset[i])][0] = '\0';
    return true;
}

void tiny_settings_describe(const struct tiny_settings *settings, struct tiny_settings_answer *answer) {
    lf__describe_settings_reply__init(&answer->body);
    lf__topic_ref__init(&answer->topic);
    for (int i = 0; i < TINY_SETTINGS; i++) {
        Lf__SettingDescription *out = &answer->settings[i];
        lf__setting_description__init(out);
        out->is_set = settings && settings->values[i][0];
        out->name = (char *)(uintptr_t)names[i];
        out->value = out->text = (char *)(uintptr_t)(out->is_set ? settings->values[i] : defaults[i]);
        out->default_text = (char *)(uintptr_t)defaults[i];
        out->range = (char *)(uintptr_t) "anything";
        out->help = (char *)(uintptr_t) "Helps.";
        answer->pointers[i] = out;
    }
    answer->body.n_settings = TINY_SETTINGS;
    answer->body.settings = answer->pointers;
}
