/** logflume topic trim: a partition's log begins later. */
#include "topic.h"

#include <string.h>

/** "@TIME" or a date: the first offset that is not older. "end": everything committed. Else an offset. CLI_OK, or an
 *  exit code after words. */
static int find_offset(struct topic_command *command, const char *topic, int32_t partition, int64_t *offset) {
    struct lf_error error = {0};
    enum lf_status status;
    const char *text = command->before;
    if (strcmp(text, "end") == 0) {
        status = lf_partition_end(command->client, topic, partition, offset, &error);
    } else if (text[0] == '@' || (text[0] != '-' && strchr(text, '-'))) {
        int64_t ms = cli_time("--before @TIME", text + (text[0] == '@'));
        status = lf_partition_offset_at(command->client, topic, partition, ms, offset, &error);
    } else if (text[0] < '0' || text[0] > '9') {
        return cli_usage("topic", "trim: --before \"%s\": want an offset, @TIME or end", text);
    } else {
        *offset = cli_number("--before", text, 0, INT64_MAX);
        return CLI_OK;
    }
    return status == LF_OK ? CLI_OK : cli_failed(command->operands[0], status, error.text);
}

static json_t *trim_json(const char *topic, int32_t partition, const struct lf_trim *trim, bool executed) {
    return json_pack("{s:s,s:i,s:I,s:I,s:I,s:I,s:I,s:b}", "topic", topic, "partition", (int)partition, "old_log_start",
                     (json_int_t)trim->old_log_start, "log_start", (json_int_t)trim->log_start, "high_watermark",
                     (json_int_t)trim->high_watermark, "segments", (json_int_t)trim->segments, "bytes",
                     (json_int_t)trim->bytes, "executed", (int)executed);
}

static void say(const char *what, const struct lf_trim *trim, bool executed) {
    char bytes[32];
    cli_bytes_words(trim->bytes, bytes, sizeof bytes);
    if (trim->log_start <= trim->old_log_start)
        fprintf(stderr, "%s: the log begins at %lld already: nothing %s\n", what, (long long)trim->old_log_start,
                executed ? "was done" : "would be done");
    else
        fprintf(stderr,
                "%s: the log %s with %lld instead of %lld (of %lld): %lld offsets %s gone, and %u whole segments "
                "with %s\n%s",
                what, executed ? "begins" : "would begin", (long long)trim->log_start, (long long)trim->old_log_start,
                (long long)trim->high_watermark, (long long)(trim->log_start - trim->old_log_start),
                executed ? "are" : "would be", trim->segments, bytes,
                executed ? "" : "Nothing was changed: --execute does it.\n");
}

int topic_trim(struct topic_command *command) {
    char topic[256];
    int32_t partition;
    int64_t offset;
    struct lf_trim trim;
    struct lf_error error = {0};
    cli_topic_partition(command->operands[0], topic, &partition);
    if (!command->before)
        return cli_usage("topic", "trim: --before OFFSET, @TIME or end: up to where?");
    if (command->execute && command->dry_run)
        return cli_usage("topic", "trim: --dry-run or --execute: one of them");
    int code = find_offset(command, topic, partition, &offset);
    if (code != CLI_OK)
        return code;
    enum lf_status status =
        lf_partition_trim(command->client, topic, partition, offset, !command->execute, &trim, &error);
    if (status != LF_OK)
        return cli_failed(command->operands[0], status, error.text);
    if (command->common.json)
        topic_print_json(trim_json(topic, partition, &trim, command->execute));
    if (!command->common.quiet)
        say(command->operands[0], &trim, command->execute);
    return CLI_OK;
}
