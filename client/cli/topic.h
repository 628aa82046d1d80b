/** What the files of `logflume topic` share: topic.c (the command), topic_describe.c, topic_settings.c, topic_trim.c.
 */
#ifndef TOPIC_H
#define TOPIC_H

#include "cli.h"

#include <jansson.h>

/** Of --config, k=v operands and --reset, as the library takes them. */
#define TOPIC_SETTINGS_MAX 32

struct topic_command {
    struct cli_common common;
    uint32_t partitions, replicas; /* 0: default */
    bool verbose;
    const char *before; /* trim; NULL: not given */
    bool execute, dry_run;
    struct lf_setting settings[TOPIC_SETTINGS_MAX];
    char *texts[TOPIC_SETTINGS_MAX]; /* the names' copies */
    size_t setting_count;
    lf_client *client;
    const char **operands;
    int operand_count;
};

/** "NAME=VALUE", or with `reset` "NAME". CLI_OK, or CLI_USAGE after words. */
int topic_setting_take(struct topic_command *command, const char *text, bool reset);
void topic_settings_free(struct topic_command *command);
/** "retention.ms=1h, segment.bytes again by default". */
void topic_settings_words(const struct topic_command *command, char *words, size_t size);
/** Numbers as numbers, words as strings, by name. */
json_t *topic_settings_json(const struct lf_setting_info *settings, size_t count);
void topic_print_json(json_t *value); /**< takes it */

int topic_describe(struct topic_command *command);
int topic_alter(struct topic_command *command);
int topic_settings(struct topic_command *command);
int topic_trim(struct topic_command *command);

#endif
