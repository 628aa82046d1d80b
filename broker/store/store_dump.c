/** The entries of groups, a line each. */
#include "store_tool.h"

#include "lf_entry.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS_BYTES 4096

static void print_json(struct store_tool *tool, uint64_t group, const struct lf_entry_header *header,
                       const char *words) {
    json_t *line = json_pack("{s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:s}", "group", (json_int_t)group, "index",
                             (json_int_t)header->index, "term", (json_int_t)header->term, "type",
                             entry_type_name(header->type), "log_time_ms", (json_int_t)header->log_time_ms,
                             "end_offset", (json_int_t)header->end_offset, "replica", (json_int_t)header->replica_id,
                             "bytes", (json_int_t)(header->payload_bytes + LF_ENTRY_HEADER_BYTES), "words", words);
    char *text = json_dumps(line, JSON_COMPACT);
    lf_output_text(&tool->output, text ? text : "{}");
    lf_output_text(&tool->output, "\n");
    free(text);
    json_decref(line);
}

static void print_entry(struct store_tool *tool, uint64_t group, const struct lf_buf *entry,
                        struct lf_entry_header *header) {
    char words[WORDS_BYTES], line[WORDS_BYTES + 256];
    struct lf_bytes payload;
    if (lf_entry_decode(lf_buf_bytes(entry), header, &payload) != LF_OK)
        return; /* it was checked when it was read */
    entry_words(payload, header->type, words, sizeof words);
    if (tool->wish->json) {
        print_json(tool, group, header, words);
        return;
    }
    snprintf(line, sizeof line,
             "group=%" PRIu64 " %" PRIu64 "^%" PRIu64 " time=%" PRIu64 " end=%" PRIu64 " by=%" PRIu64 " %s%s%s\n",
             group, header->index, header->term, header->log_time_ms, header->end_offset, header->replica_id,
             entry_type_name(header->type), words[0] ? " " : "", words);
    lf_output_text(&tool->output, line);
}

static enum lf_status dump_group(struct store_tool *tool, uint64_t group, uint64_t *left, struct lf_error *error) {
    struct log_store_completion *completion = NULL;
    enum lf_status status = store_tool_load(tool, group, &completion, error);
    uint64_t next = 1, last = status == LF_OK ? completion->loaded->last_index : 0;
    log_store_completion_destroy(&completion);
    if (tool->wish->has_from && tool->wish->from > 0)
        next = (uint64_t)tool->wish->from;
    while (status == LF_OK && next <= last && *left > 0 && !tool->output.closed) {
        status = store_tool_read(tool, group, next, last, STORE_READ_BYTES, &completion, error);
        struct lf_entry_header header = {.index = last};
        for (uint32_t i = 0; status == LF_OK && i<completion->entry_count && * left> 0; i++, --*left)
            print_entry(tool, group, completion->entries[i], &header);
        next = header.index + 1;
        log_store_completion_destroy(&completion);
        store_progress(tool, "dump: group %" PRIu64 ", entry %" PRIu64 " of %" PRIu64, group, next - 1, last);
    }
    return status;
}

int store_dump(struct store_tool *tool) {
    uint64_t *groups = calloc(tool->store->group_count + 1, sizeof *groups);
    uint64_t left = tool->wish->count ? tool->wish->count : UINT64_MAX;
    size_t count = 0;
    int code = groups ? store_subject_groups(tool, groups, &count) : store_tool_failed(tool, LF_NO_MEMORY, "");
    for (size_t i = 0; i < count && left > 0; i++) {
        struct lf_error error = {0};
        enum lf_status status = dump_group(tool, groups[i], &left, &error);
        if (status == LF_OK)
            continue;
        store_say(tool, "group %" PRIu64 ": %s", groups[i], error.text);
        code = store_exit_of(status);
    }
    free(groups);
    return code;
}
