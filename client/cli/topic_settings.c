/** logflume topic alter | settings, and --config */
#include "topic.h"

#include <stdlib.h>
#include <string.h>

int topic_setting_take(struct topic_command *command, const char *text, bool reset) {
    const char *equals = strchr(text, '=');
    if (reset ? equals != NULL || !text[0] : !equals || equals == text)
        return cli_usage("topic", "\"%s\" is not %s", text, reset ? "NAME, as in retention.ms" : "NAME=VALUE");
    if (command->setting_count == TOPIC_SETTINGS_MAX)
        return cli_usage("topic", "more than %d settings", TOPIC_SETTINGS_MAX);
    size_t size = equals ? (size_t)(equals - text) : strlen(text);
    char *name = strndup(text, size);
    if (!name)
        return cli_usage("topic", "out of memory");
    command->texts[command->setting_count] = name;
    command->settings[command->setting_count++] =
        (struct lf_setting){.name = name, .value = equals ? equals + 1 : NULL};
    return CLI_OK;
}

void topic_settings_free(struct topic_command *command) {
    while (command->setting_count > 0)
        free(command->texts[--command->setting_count]);
}

void topic_settings_words(const struct topic_command *command, char *words, size_t size) {
    words[0] = '\0';
    for (size_t i = 0, used = 0; i < command->setting_count && used < size; i++) {
        const struct lf_setting *setting = &command->settings[i];
        used += (size_t)snprintf(words + used, size - used, "%s%s%s%s", i ? ", " : "", setting->name,
                                 setting->value ? "=" : " again by default", setting->value ? setting->value : "");
    }
}

int topic_alter(struct topic_command *command) {
    const char *name = command->operands[0];
    struct lf_error error = {0};
    for (int i = 1; i < command->operand_count; i++)
        if (topic_setting_take(command, command->operands[i], false) != CLI_OK)
            return CLI_USAGE;
    if (command->setting_count == 0)
        return cli_usage("topic", "alter what? NAME=VALUE, or --reset NAME; `logflume topic settings` lists them");
    enum lf_status status = lf_topic_alter(command->client, name, command->settings, command->setting_count, &error);
    if (status != LF_OK)
        return cli_failed(name, status, error.text);
    char words[1024];
    topic_settings_words(command, words, sizeof words);
    if (!command->common.quiet)
        fprintf(stderr, "altered %s: %s\n", name, words);
    return CLI_OK;
}

static json_t *value_json(const char *value) {
    char *end;
    long long number = strtoll(value, &end, 10);
    return end != value && *end == '\0' ? json_integer((json_int_t)number) : json_string(value);
}

json_t *topic_settings_json(const struct lf_setting_info *settings, size_t count) {
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, settings[i].name, value_json(settings[i].value));
    return object;
}

static json_t *info_json(const struct lf_setting_info *info) {
    return json_pack("{s:s,s:o,s:s,s:b,s:s,s:s,s:s}", "name", info->name, "value", value_json(info->value), "text",
                     info->text, "set", (int)info->is_set, "default", info->default_text, "range", info->range, "help",
                     info->help);
}

static void print_info(const struct lf_setting_info *info) {
    printf("%-22s %s%s%s%s\n", info->name, info->text, info->is_set ? " (default: " : "",
           info->is_set ? info->default_text : "", info->is_set ? ")" : "");
    printf("    %s\n    %s\n", info->help, info->range);
}

int topic_settings(struct topic_command *command) {
    const char *name = command->operand_count ? command->operands[0] : NULL;
    struct lf_setting_info *settings;
    size_t count;
    struct lf_error error = {0};
    enum lf_status status = lf_topic_settings(command->client, name, &settings, &count, &error);
    if (status != LF_OK)
        return cli_failed(name ? name : "topic settings", status, error.text);
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        if (command->common.json)
            json_array_append_new(array, info_json(&settings[i]));
        else
            print_info(&settings[i]);
    }
    if (command->common.json)
        topic_print_json(json_pack("{s:o}", "settings", array));
    else
        json_decref(array);
    free(settings);
    return CLI_OK;
}
