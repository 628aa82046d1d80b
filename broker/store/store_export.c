/** The records of a topic, in the forms of `logflume sub`. What is not known to be committed here is left out unless it
 * is asked for: another replica may have committed something else in its place. So is what is below the log start, and
 * is there since its segment or batch holds more: it comes when an offset to begin with is named. */
#include "store_tool.h"

#include "lf_entry.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct export {
    struct store_tool *tool;
    const char *topic;
    uint32_t partition;
    struct lf_record_format *format;
    struct lf_header_text *headers; /**< scratch */
    size_t header_capacity;
    int64_t from; /**< the first offset */
    uint64_t left, records;
};

static void print_record(struct export *export, const struct lf_record *record) {
    if ((size_t)record->header_count > export->header_capacity) {
        free(export->headers);
        export->headers = calloc((size_t)record->header_count, sizeof *export->headers);
        export->header_capacity = export->headers ? (size_t)record->header_count : 0;
    }
    size_t count = record->header_count > 0 && export->headers ? (size_t)record->header_count : 0;
    for (size_t i = 0; i < count; i++)
        export->headers[i] =
            (struct lf_header_text){(const char *)record->headers[i].key.data, record->headers[i].key.size,
                                    record->headers[i].value.data, record->headers[i].value.size};
    struct lf_record_text text = {.topic = export->topic,
                                  .partition = (int32_t) export->partition,
                                  .offset = record->offset,
                                  .timestamp_ms = record->timestamp_ms,
                                  .key = record->key.data,
                                  .key_size = record->key.size,
                                  .value = record->value.data,
                                  .value_size = record->value.size,
                                  .headers = export->headers,
                                  .header_count = count};
    struct lf_output *output = &export->tool->output;
    if (export->tool->wish->json) {
        lf_record_json_print(output, &text);
    } else if (export->format) {
        lf_record_format_print(export->format, output, &text);
    } else {
        lf_output_bytes(output, text.value, text.value ? text.value_size : 0);
        lf_output_bytes(output, "\n", 1);
    }
    export->records++;
    export->left--;
}

static enum lf_status print_batch(struct export *export, struct lf_bytes batch, struct lf_error *error) {
    struct lf_batch_reader *reader = NULL;
    struct lf_record record;
    enum lf_status status = lf_batch_reader_new(batch, NULL, &reader, error);
    while (status == LF_OK && export->left > 0 && (status = lf_batch_reader_next(reader, &record)) == LF_OK)
        if (record.offset >= export->from)
            print_record(export, &record);
    lf_batch_reader_destroy(&reader);
    return status == LF_END ? LF_OK : status;
}

/** A batch that lies about its insides does not hide the others. */
static void print_entry(struct export *export, const struct lf_buf *entry, struct lf_entry_header *header) {
    struct lf_bytes payload;
    struct lf_error error = {0};
    if (lf_entry_decode(lf_buf_bytes(entry), header, &payload) != LF_OK || header->type != LF_ENTRY_BATCH)
        return;
    if ((int64_t)header->end_offset <= export->from)
        return;
    enum lf_status status = print_batch(export, payload, &error);
    if (status != LF_OK)
        store_say(export->tool, "%s/%" PRIu32 ": the batch before offset %" PRIu64 " cannot be read: %s", export->topic,
                  export->partition, header->end_offset, error.text[0] ? error.text : lf_status_text(status));
}

static enum lf_status read_group(struct export *export, uint64_t group, uint64_t next, uint64_t last,
                                 struct lf_error *error) {
    struct store_tool *tool = export->tool;
    enum lf_status status = LF_OK;
    while (status == LF_OK && next <= last && export->left > 0 && !tool->output.closed && !tool->output.failed) {
        struct log_store_completion *completion;
        struct lf_entry_header header = {.index = last};
        status = store_tool_read(tool, group, next, last, STORE_READ_BYTES, &completion, error);
        for (uint32_t i = 0; status == LF_OK && i<completion->entry_count &&export->left> 0; i++)
            print_entry(export, completion->entries[i], &header);
        next = header.index + 1;
        log_store_completion_destroy(&completion);
        store_progress(tool, "export: %s/%" PRIu32 ": entry %" PRIu64 " of %" PRIu64 ", %" PRIu64 " records",
                       export->topic, export->partition, next - 1, last, export->records);
    }
    return status;
}

/* As far as this node had applied it; 0 where the store does not tell. */
static int64_t log_start(const struct log_store_loaded *loaded) {
    struct partition *partition = partition_new(NULL);
    struct lf_error error = {0};
    int64_t start = 0;
    if (partition && partition_load(partition, loaded->applied_index, loaded->rows, loaded->row_count, loaded->segments,
                                    loaded->segment_count, &error) == LF_OK)
        start = partition_log_start_offset(partition);
    partition_destroy(&partition);
    return start;
}

static enum lf_status export_group(struct export *export, uint64_t group, struct lf_error *error) {
    struct store_tool *tool = export->tool;
    struct log_store_completion *completion = NULL;
    enum lf_status status = store_tool_load(tool, group, &completion, error);
    if (status == LF_OK) {
        const struct log_store_loaded *loaded = completion->loaded;
        export->from = tool->wish->has_from ? tool->wish->from : log_start(loaded);
        uint64_t last = tool->wish->all ? loaded->last_index : loaded->applied_index;
        if (loaded->last_index > loaded->applied_index)
            store_say(tool, "%s/%" PRIu32 ": the last %" PRIu64 " entries are not known to be committed here%s",
                      export->topic, export->partition, loaded->last_index - loaded->applied_index,
                      tool->wish->all ? "" : ": left out (--all exports them)");
        status = read_group(export, group, loaded->first_index, last, error);
    }
    log_store_completion_destroy(&completion);
    return status;
}

int store_export(struct store_tool *tool) {
    struct export export = {.tool = tool, .left = tool->wish->count ? tool->wish->count : UINT64_MAX};
    struct lf_error error = {0};
    size_t count = 0;
    uint64_t *groups = calloc(tool->store->group_count + 1, sizeof *groups);
    int code = groups ? store_subject_groups(tool, groups, &count) : store_tool_failed(tool, LF_NO_MEMORY, "");
    if (code == STORE_EXIT_OK && tool->wish->format &&
        !(export.format = lf_record_format_new(tool->wish->format, &error)))
        code = store_tool_failed(tool, LF_INVALID, error.text);
    bool formatted = code == STORE_EXIT_OK;
    for (size_t i = 0; formatted && i<count &&export.left> 0; i++) {
        if (!store_group_topic(tool, groups[i], &export.topic, &export.partition)) {
            store_say(tool, "group %" PRIu64 " is no partition of a topic", groups[i]);
            code = STORE_EXIT_NOT_FOUND;
            continue;
        }
        enum lf_status status = export_group(&export, groups[i], &error);
        if (status == LF_OK)
            continue;
        store_say(tool, "%s/%" PRIu32 ": %s; what came before it is whole", export.topic, export.partition, error.text);
        code = store_exit_of(status);
    }
    lf_output_flush(&tool->output);
    if (!tool->wish->quiet)
        store_say(tool, "export: %" PRIu64 " records", export.records);
    lf_record_format_destroy(&export.format);
    free(export.headers);
    free(groups);
    return code;
}
