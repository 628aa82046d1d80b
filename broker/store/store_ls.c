/** What is in the store: a line per group. */
#include "store_tool.h"

#include "lf_entry.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

struct listed {
    uint64_t group, replica, term, first_index, last_index, applied_index;
    bool has_offsets;
    int64_t start_offset, applied_offset, end_offset;
    uint64_t sealed_bytes, active_bytes; /**< active: only when asked for */
    size_t segments, staged;
};

/** The end of the log may lie beyond what is applied. */
static enum lf_status look_at_end(struct store_tool *tool, struct listed *listed, struct lf_error *error) {
    struct log_store_completion *completion = NULL;
    struct lf_entry_header header;
    struct lf_bytes payload;
    if (listed->last_index == 0)
        return LF_OK;
    enum lf_status status =
        store_tool_read(tool, listed->group, listed->last_index, listed->last_index, 1, &completion, error);
    if (status == LF_OK && completion->entry_count == 1 &&
        lf_entry_decode(lf_buf_bytes(completion->entries[0]), &header, &payload) == LF_OK)
        listed->end_offset = (int64_t)header.end_offset;
    log_store_completion_destroy(&completion);
    return status;
}

static enum lf_status count_active(struct store_tool *tool, struct listed *listed, uint64_t from,
                                   struct lf_error *error) {
    enum lf_status status = LF_OK;
    while (status == LF_OK && from <= listed->last_index) {
        struct log_store_completion *completion;
        status = store_tool_read(tool, listed->group, from, listed->last_index, STORE_READ_BYTES, &completion, error);
        if (status == LF_OK && completion->entry_count == 0)
            from = listed->last_index + 1;
        for (uint32_t i = 0; status == LF_OK && i < completion->entry_count; i++)
            listed->active_bytes += completion->entries[i]->size;
        if (status == LF_OK && completion->entry_count > 0)
            from = completion->first_index + completion->entry_count;
        log_store_completion_destroy(&completion);
        store_progress(tool, "ls: group %" PRIu64 ", entry %" PRIu64 " of %" PRIu64, listed->group, from,
                       listed->last_index);
    }
    return status;
}

static void take_offsets(struct listed *listed, const struct log_store_loaded *loaded) {
    struct partition *partition = partition_new(NULL);
    struct lf_error error = {0};
    if (partition && partition_load(partition, loaded->applied_index, loaded->rows, loaded->row_count, loaded->segments,
                                    loaded->segment_count, &error) == LF_OK) {
        listed->has_offsets = true;
        listed->start_offset = partition_log_start_offset(partition);
        listed->applied_offset = partition_high_watermark(partition);
    }
    partition_destroy(&partition);
}

static enum lf_status look_at(struct store_tool *tool, uint64_t group, struct listed *listed, struct lf_error *error) {
    struct log_store_completion *completion = NULL;
    *listed = (struct listed){.group = group};
    enum lf_status status = store_tool_load(tool, group, &completion, error);
    if (status == LF_OK) {
        const struct log_store_loaded *loaded = completion->loaded;
        listed->replica = loaded->replica_id;
        listed->term = loaded->term;
        listed->first_index = loaded->first_index;
        listed->last_index = loaded->last_index;
        listed->applied_index = loaded->applied_index;
        listed->segments = loaded->segment_count;
        listed->staged = loaded->staged_count;
        uint64_t active_from = loaded->first_index;
        for (size_t i = 0; i < loaded->segment_count; i++) {
            listed->sealed_bytes += loaded->segments[i].bytes;
            active_from = loaded->segments[i].last_index + 1;
        }
        if (group != 0)
            take_offsets(listed, loaded);
        status = look_at_end(tool, listed, error);
        if (status == LF_OK && tool->wish->bytes)
            status = count_active(tool, listed, active_from, error);
    }
    log_store_completion_destroy(&completion);
    return status;
}

static void print_json(struct store_tool *tool, const struct listed *listed, const char *name) {
    const char *topic;
    uint32_t partition;
    json_t *line =
        json_pack("{s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "group", (json_int_t)listed->group, "name",
                  name, "replica", (json_int_t)listed->replica, "term", (json_int_t)listed->term, "first_index",
                  (json_int_t)listed->first_index, "last_index", (json_int_t)listed->last_index, "applied_index",
                  (json_int_t)listed->applied_index, "segments", (json_int_t)listed->segments, "staged",
                  (json_int_t)listed->staged, "sealed_bytes", (json_int_t)listed->sealed_bytes);
    if (store_group_topic(tool, listed->group, &topic, &partition)) {
        json_object_set_new(line, "topic", json_string(topic));
        json_object_set_new(line, "partition", json_integer(partition));
    }
    if (listed->has_offsets) {
        json_object_set_new(line, "log_start_offset", json_integer(listed->start_offset));
        json_object_set_new(line, "applied_offset", json_integer(listed->applied_offset));
        json_object_set_new(line, "end_offset", json_integer(listed->end_offset));
    }
    if (tool->wish->bytes)
        json_object_set_new(line, "active_bytes", json_integer((json_int_t)listed->active_bytes));
    char *text = json_dumps(line, JSON_COMPACT);
    lf_output_text(&tool->output, text ? text : "{}");
    lf_output_text(&tool->output, "\n");
    free(text);
    json_decref(line);
}

static void print_line(struct store_tool *tool, const struct listed *listed, const char *name) {
    char line[512], offsets[96] = "", active[48] = "";
    if (listed->has_offsets)
        snprintf(offsets, sizeof offsets, " offsets=%" PRId64 "..%" PRId64 " (applied to %" PRId64 ")",
                 listed->start_offset, listed->end_offset, listed->applied_offset);
    if (tool->wish->bytes)
        snprintf(active, sizeof active, " active_bytes=%" PRIu64, listed->active_bytes);
    snprintf(line, sizeof line,
             "group=%" PRIu64 " %s replica=%" PRIu64 " term=%" PRIu64 " entries=%" PRIu64 "..%" PRIu64
             " applied=%" PRIu64 "%s segments=%zu sealed_bytes=%" PRIu64 "%s%s\n",
             listed->group, name, listed->replica, listed->term, listed->first_index, listed->last_index,
             listed->applied_index, offsets, listed->segments, listed->sealed_bytes, active,
             listed->staged > 0 ? " staged" : "");
    lf_output_text(&tool->output, line);
}

static void hex(const uint8_t id[LOG_STORE_ID_BYTES], char out[2 * LOG_STORE_ID_BYTES + 1]) {
    for (size_t i = 0; i < LOG_STORE_ID_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", id[i]);
}

static void print_store(struct store_tool *tool) {
    const struct log_store_identity *identity = &tool->store->identity;
    char store[33], cluster[33], line[256];
    hex(identity->store_uuid, store);
    hex(identity->cluster_id, cluster);
    snprintf(line, sizeof line,
             tool->wish->json ? "{\"node\":%" PRIu64 ",\"store\":\"%s\",\"cluster\":\"%s\",\"groups\":%zu}\n"
                              : "node=%" PRIu64 " store=%s cluster=%s groups=%zu\n",
             identity->node_id, store, cluster, tool->store->group_count);
    lf_output_text(&tool->output, line);
}

int store_ls(struct store_tool *tool) {
    int code = STORE_EXIT_OK;
    uint64_t *groups = calloc(tool->store->group_count + 1, sizeof *groups);
    size_t count = 0;
    if (!groups)
        return store_tool_failed(tool, LF_NO_MEMORY, "");
    code = store_subject_groups(tool, groups, &count);
    if (code == STORE_EXIT_OK && !tool->wish->subject)
        print_store(tool);
    for (size_t i = 0; i < count; i++) {
        struct listed listed;
        struct lf_error error = {0};
        char name[STORE_NAME_BYTES];
        store_group_name(tool, groups[i], name);
        store_progress(tool, "ls: group %zu of %zu", i + 1, count);
        enum lf_status status = look_at(tool, groups[i], &listed, &error);
        if (status != LF_OK) {
            store_say(tool, "group %" PRIu64 " %s: %s", groups[i], name, error.text);
            code = store_exit_of(status);
        } else if (tool->wish->json) {
            print_json(tool, &listed, name);
        } else {
            print_line(tool, &listed, name);
        }
    }
    free(groups);
    return code;
}
