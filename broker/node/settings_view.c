/** The table of topic settings as an answer, with a topic's values or the defaults. */
#include "node_internal.h"

#include "reply_arena.h"

/** Room for the texts of one setting. */
struct setting_texts {
    char value[TOPIC_SETTING_TEXT_BYTES], text[TOPIC_SETTING_TEXT_BYTES], default_text[TOPIC_SETTING_TEXT_BYTES],
        range[TOPIC_SETTING_TEXT_BYTES];
};

static Lf__SettingDescription *make_setting(struct reply_arena *arena, const struct topic_settings *settings,
                                            uint32_t set, int row) {
    const struct topic_setting *setting = &topic_setting_rows[row];
    struct setting_texts *texts = reply_arena_take(arena, 1, sizeof *texts);
    Lf__SettingDescription *out = reply_arena_take(arena, 1, sizeof *out);
    lf__setting_description__init(out);
    topic_setting_plain(row, topic_setting_get(settings, row), texts->value, sizeof texts->value);
    topic_setting_pretty(row, topic_setting_get(settings, row), texts->text, sizeof texts->text);
    topic_setting_pretty(row, setting->value, texts->default_text, sizeof texts->default_text);
    topic_setting_range(row, texts->range, sizeof texts->range);
    out->name = (char *)(uintptr_t)setting->name; /* packed, never written */
    out->value = texts->value;
    out->text = texts->text;
    out->is_set = (set >> row) & 1u;
    out->default_text = texts->default_text;
    out->range = texts->range;
    out->help = (char *)(uintptr_t)setting->help;
    return out;
}

void settings_reply(struct node *node, uint64_t session, const Lf__ClientRequest *request) {
    const Lf__TopicRef *asked = request->describe_settings->topic;
    const struct metadata_topic *topic = NULL;
    enum lf_status status = asked ? topics_find(node, asked, &topic) : LF_OK;
    if (status != LF_OK) {
        reply_error(node, session, request->request_id, status, "%s", lf_status_text(status));
        return;
    }
    struct reply_arena arena = {0};
    Lf__DescribeSettingsReply body = LF__DESCRIBE_SETTINGS_REPLY__INIT;
    if (topic)
        body.topic = reply_arena_topic(&arena, topic);
    body.settings = reply_arena_take(&arena, TOPIC_SETTINGS_COUNT, sizeof(*body.settings));
    for (int row = 0; row < TOPIC_SETTINGS_COUNT; row++)
        body.settings[body.n_settings++] = make_setting(&arena, topic ? &topic->settings : &topic_settings_default,
                                                        topic ? topic->settings_set : 0, row);
    Lf__ClientReply reply;
    reply_init(node, &reply, request->request_id);
    reply.body_case = LF__CLIENT_REPLY__BODY_DESCRIBE_SETTINGS;
    reply.describe_settings = &body;
    reply_send(node, session, &reply, NULL, 0);
    reply_arena_free(&arena);
}
