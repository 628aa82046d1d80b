/** Topic settings: given at creation, altered, listed. */
#include "client.pb-c.h"
#include "edge.h"

#include <stdlib.h>

enum lf_status lf_topic_create_with(struct lf_client *client, const char *name, uint32_t partitions, uint32_t replicas,
                                    const struct lf_setting *settings, size_t count, struct lf_error *error) {
    struct lf_core_call what = {.type = LF_CALL_TOPIC_CREATE,
                                .topic = name,
                                .partitions = partitions,
                                .replicas = replicas,
                                .settings = settings,
                                .setting_count = count};
    return lf_ask(client, what, NULL, error);
}

enum lf_status lf_topic_alter(struct lf_client *client, const char *name, const struct lf_setting *settings,
                              size_t count, struct lf_error *error) {
    struct lf_core_call what = {
        .type = LF_CALL_TOPIC_ALTER, .topic = name, .settings = settings, .setting_count = count};
    return lf_ask(client, what, NULL, error);
}

/* Copies the text to *at, which moves behind it. */
static const char *take(char **at, const char *text) {
    const char *copy = *at;
    *at = stpcpy(*at, text) + 1;
    return copy;
}

static size_t text_bytes(const Lf__SettingDescription *said) {
    return strlen(said->name) + strlen(said->value) + strlen(said->text) + strlen(said->default_text) +
           strlen(said->range) + strlen(said->help) + 6;
}

/* One block: the array, and behind it the texts. */
static struct lf_setting_info *infos_make(const Lf__DescribeSettingsReply *said) {
    size_t bytes = (said->n_settings + 1) * sizeof(struct lf_setting_info);
    for (size_t i = 0; i < said->n_settings; i++)
        bytes += text_bytes(said->settings[i]);
    struct lf_setting_info *infos = malloc(bytes);
    char *at = (char *)(infos + said->n_settings + 1);
    for (size_t i = 0; infos && i < said->n_settings; i++) {
        const Lf__SettingDescription *from = said->settings[i];
        infos[i] = (struct lf_setting_info){.name = take(&at, from->name),
                                            .value = take(&at, from->value),
                                            .text = take(&at, from->text),
                                            .is_set = from->is_set,
                                            .default_text = take(&at, from->default_text),
                                            .range = take(&at, from->range),
                                            .help = take(&at, from->help)};
    }
    return infos;
}

enum lf_status lf_topic_settings(struct lf_client *client, const char *name, struct lf_setting_info **settings,
                                 size_t *count, struct lf_error *error) {
    *settings = NULL;
    *count = 0;
    Lf__ClientReply *reply;
    enum lf_status status =
        lf_ask(client, (struct lf_core_call){.type = LF_CALL_TOPIC_SETTINGS, .topic = name}, &reply, error);
    if (status != LF_OK)
        return status;
    *settings = infos_make(reply->describe_settings);
    if (*settings)
        *count = reply->describe_settings->n_settings;
    else
        status = lf_error_set(error, LF_NO_MEMORY, "out of memory");
    lf__client_reply__free_unpacked(reply, NULL);
    return status;
}
