#include "store_tool.h"

#include "rocks_inspect.h"
#include "rocks_store.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int store_exit_of(enum lf_status status) {
    switch (status) {
    case LF_OK:
        return STORE_EXIT_OK;
    case LF_INVALID:
        return STORE_EXIT_USAGE;
    case LF_NOT_FOUND:
    case LF_TOPIC_UNKNOWN:
        return STORE_EXIT_NOT_FOUND;
    case LF_DAMAGED:
    case LF_CORRUPT:
        return STORE_EXIT_DAMAGED;
    case LF_EXISTS:
        return STORE_EXIT_IN_USE;
    default:
        return STORE_EXIT_FAILED;
    }
}

int store_tool_failed(const struct store_tool *tool, enum lf_status status, const char *text) {
    store_say(tool, "%s", text[0] ? text : lf_status_text(status));
    return store_exit_of(status);
}

/** DATA holds DATA/store; the store's own directory may be named as well, as one that was set aside. */
int store_tool_find(struct store_tool *tool) {
    struct stat about;
    const char *named = tool->wish->directory;
    if (snprintf(tool->directory, sizeof tool->directory, "%s/store", named) >= (int)sizeof tool->directory)
        return store_tool_failed(tool, LF_INVALID, "the directory's name is too long");
    if (stat(tool->directory, &about) != 0)
        snprintf(tool->directory, sizeof tool->directory, "%s", named);
    if (stat(tool->directory, &about) != 0 || !S_ISDIR(about.st_mode)) {
        store_say(tool, "%s: there is no such directory", named);
        return STORE_EXIT_NOT_FOUND;
    }
    return STORE_EXIT_OK;
}

/** Names are a help, no more: what lies in the store can be looked at without them. */
static void load_metadata(struct store_tool *tool) {
    struct log_store_completion *completion = NULL;
    struct lf_error error = {0};
    bool here = tool->store->group_count > 0 && tool->store->groups[0] == 0;
    enum lf_status status = here ? store_tool_load(tool, 0, &completion, &error) : LF_NOT_FOUND;
    if (status == LF_OK)
        status = metadata_load(tool->metadata, completion->loaded->applied_index, completion->loaded->rows,
                               completion->loaded->row_count, &error);
    if (status == LF_NOT_FOUND)
        store_say(tool, "the store has no metadata: groups have numbers, not names");
    else if (status != LF_OK)
        store_say(tool, "the metadata cannot be read (%s): groups have numbers, not names", error.text);
    log_store_completion_destroy(&completion);
}

int store_tool_open(struct store_tool *tool) {
    struct rocks_inspect_options options = {.directory = tool->directory, .despite_damage = tool->wish->despite_damage};
    struct lf_error error = {0};
    int code = store_tool_find(tool);
    if (code != STORE_EXIT_OK)
        return code;
    tool->metadata = metadata_new(NULL);
    enum lf_status status = tool->metadata ? rocks_inspect_open(&options, &tool->store, &error) : LF_NO_MEMORY;
    if (status == LF_OK) {
        load_metadata(tool);
        return STORE_EXIT_OK;
    }
    store_tool_failed(tool, status, error.text);
    if (status == LF_DAMAGED && !tool->wish->despite_damage)
        store_say(tool, "--despite-damage goes on with what can be read; what it shows may be incomplete");
    return store_exit_of(status);
}

int store_tool_reopen(struct store_tool *tool) {
    struct log_store_identity identity = {.node_id = tool->store->identity.node_id};
    struct rocks_store_options options = {.directory = tool->directory};
    struct lf_error error = {0};
    log_store_close(&tool->store);
    metadata_destroy(&tool->metadata);
    tool->metadata = metadata_new(NULL);
    enum lf_status status = tool->metadata ? rocks_store_open(&options, &identity, &tool->store, &error) : LF_NO_MEMORY;
    if (status != LF_OK)
        return store_tool_failed(tool, status, error.text);
    load_metadata(tool);
    return STORE_EXIT_OK;
}

void store_tool_close(struct store_tool *tool) {
    lf_output_flush(&tool->output);
    lf_output_deinit(&tool->output);
    metadata_destroy(&tool->metadata);
    log_store_close(&tool->store);
}

static struct log_store_completion *wait_for(struct store_tool *tool) {
    for (;;) {
        struct log_store_completion *completion = log_store_poll(tool->store);
        struct pollfd item = {.fd = log_store_fd(tool->store), .events = POLLIN};
        if (completion && completion->kind != LOG_STORE_DONE_DAMAGE) /* nobody asked for that; who reads it is told */
            return completion;
        log_store_completion_destroy(&completion);
        poll(&item, 1, -1);
    }
}

static enum lf_status finish(struct store_tool *tool, enum lf_status begun, struct log_store_completion **completion,
                             struct lf_error *error) {
    *completion = NULL;
    if (begun != LF_OK)
        return lf_error_set(error, begun, "%s", lf_status_text(begun));
    *completion = wait_for(tool);
    enum lf_status status = (*completion)->status;
    if (status != LF_OK)
        *error = (*completion)->error;
    return status;
}

enum lf_status store_tool_load(struct store_tool *tool, uint64_t group, struct log_store_completion **completion,
                               struct lf_error *error) {
    return finish(tool, log_store_load(tool->store, group, ++tool->next_request), completion, error);
}

enum lf_status store_tool_read(struct store_tool *tool, uint64_t group, uint64_t index, uint64_t last_index,
                               uint32_t bytes_max, struct log_store_completion **completion, struct lf_error *error) {
    struct log_store_read read = {.group = group,
                                  .request = ++tool->next_request,
                                  .from = LOG_STORE_READ_INDEX,
                                  .value = index,
                                  .last_index = last_index,
                                  .bytes_max = bytes_max,
                                  .entries_max = STORE_READ_ENTRIES};
    return finish(tool, log_store_read(tool->store, &read), completion, error);
}

enum lf_status store_tool_write(struct store_tool *tool, struct log_store_write **write, struct lf_error *error) {
    struct log_store_completion *completion = NULL;
    enum lf_status status = finish(tool, log_store_submit(tool->store, write), &completion, error);
    log_store_completion_destroy(&completion);
    return status;
}

enum lf_status store_tool_stage(struct store_tool *tool, const struct log_store_stage *piece, struct lf_error *error) {
    struct log_store_completion *completion = NULL;
    enum lf_status status = finish(tool, log_store_stage(tool->store, piece), &completion, error);
    log_store_completion_destroy(&completion);
    return status;
}
