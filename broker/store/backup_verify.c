/** Are the backups whole, and what do they hold together?
 *
 *  1. each: its files against backup.json, then its store as `store verify` does
 *  2. each: which partitions it holds, and up to where
 *  3. together: by the newest metadata among them, which partitions does none hold? */
#include "backup_tool.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cover {
    uint64_t node;
    struct recover_group group;
    enum backup_part part;
};

struct verify {
    struct backup_wish *wish;
    struct lf_output output;
    struct cover *covers;
    size_t count;
    struct metadata *metadata; /**< the newest */
    uint64_t term, index;      /**< of it */
    struct backup_cluster cluster;
    size_t missing;
};

static void line_json(struct verify *verify, json_t *line) {
    char *text = json_dumps(line, JSON_COMPACT);
    lf_output_text(&verify->output, text ? text : "{}");
    lf_output_text(&verify->output, "\n");
    free(text);
    json_decref(line);
}

/* ---- one backup ------------------------------------------------------------------------------------------------- */

static enum lf_status add_covers(struct verify *verify, struct backup_source *source, struct lf_error *error) {
    const struct log_store *store = source->tool.store;
    struct cover *grown = realloc(verify->covers, (verify->count + store->group_count + 1) * sizeof *grown);
    if (!grown)
        return lf_error_set(error, LF_NO_MEMORY, "no memory");
    verify->covers = grown;
    for (size_t i = 0; i < store->group_count; i++) {
        struct cover *cover = &grown[verify->count];
        *cover = (struct cover){.node = source->about.node_id};
        enum lf_status status = recover_group_look(&source->tool, store->groups[i], &cover->group, error);
        if (status == LF_INVALID) /* nobody knows it any more */
            continue;
        if (status != LF_OK)
            return status;
        cover->part = backup_part_of(source->metadata, cover->node, &cover->group);
        verify->count++;
    }
    return LF_OK;
}

static void take_metadata(struct verify *verify, struct backup_source *source) {
    bool newer = source->metadata_term > verify->term ||
                 (source->metadata_term == verify->term && source->metadata_index > verify->index);
    if (verify->metadata && !newer)
        return;
    metadata_destroy(&verify->metadata);
    verify->metadata = source->metadata;
    verify->term = source->metadata_term;
    verify->index = source->metadata_index;
    source->metadata = NULL;
}

static int verify_one(struct verify *verify, const char *directory) {
    struct backup_source *source = calloc(1, sizeof *source);
    struct lf_error error = {0};
    if (!source)
        return STORE_EXIT_FAILED;
    int code = backup_source_examine(source, verify->wish, directory, &verify->output);
    if (code == STORE_EXIT_OK)
        code = backup_source_of_cluster(source, directory, &verify->cluster);
    if (code == STORE_EXIT_OK && add_covers(verify, source, &error) != LF_OK)
        code = store_tool_failed(&source->tool, error.code, error.text);
    if (code == STORE_EXIT_OK)
        take_metadata(verify, source);
    backup_source_close(source);
    free(source);
    return code;
}

/* ---- all of them ------------------------------------------------------------------------------------------------ */

static void print_cover(struct verify *verify, const char *name, const struct cover *cover) {
    const struct recover_group *group = &cover->group;
    bool learner = cover->part == BACKUP_PART_LEARNER;
    char line[STORE_NAME_BYTES + 256], offsets[96] = "";
    if (verify->wish->store.json) {
        line_json(verify, json_pack("{s:s, s:s, s:I, s:I, s:b, s:I, s:I, s:I, s:I}", "verdict", "covered", "name", name,
                                    "group", (json_int_t)group->group, "node", (json_int_t)cover->node, "learner",
                                    (int)learner, "log_start_offset", (json_int_t)group->log_start_offset, "end_offset",
                                    (json_int_t)group->end_offset, "last_term", (json_int_t)group->last_term,
                                    "last_index", (json_int_t)group->last_index));
        return;
    }
    if (group->group != 0)
        snprintf(offsets, sizeof offsets, "offsets %" PRId64 " to %" PRId64 ", ", group->log_start_offset,
                 group->end_offset);
    snprintf(line, sizeof line, "%s: node %" PRIu64 ": %slast entry of term %" PRIu64 " index %" PRIu64 "%s\n", name,
             cover->node, offsets, group->last_term, group->last_index,
             learner ? "; a learner: it was being filled" : "");
    lf_output_text(&verify->output, line);
}

static void print_group(struct verify *verify, uint64_t group, const char *name) {
    size_t whole = 0;
    for (size_t i = 0; i < verify->count; i++) {
        const struct cover *cover = &verify->covers[i];
        if (cover->group.group != group || cover->part == BACKUP_PART_DELETED || cover->part == BACKUP_PART_NOT_OURS)
            continue;
        whole += cover->part == BACKUP_PART_WHOLE;
        print_cover(verify, name, cover);
    }
    if (whole > 0)
        return;
    verify->missing++;
    if (verify->wish->store.json) {
        line_json(verify, json_pack("{s:s, s:s, s:I}", "verdict", "missing", "name", name, "group", (json_int_t)group));
        return;
    }
    lf_output_text(&verify->output, name);
    lf_output_text(&verify->output, ": MISSING: none of these backups has a whole replica\n");
}

static void print_all(struct verify *verify) {
    size_t cursor = 0;
    char name[STORE_NAME_BYTES];
    print_group(verify, 0, "metadata");
    for (const struct metadata_topic *topic; (topic = metadata_next_topic(verify->metadata, &cursor)) != NULL;)
        for (uint32_t i = 0; !topic->deleted && i < topic->partition_count; i++) {
            snprintf(name, sizeof name, "%s/%" PRIu32, topic->name, i);
            print_group(verify, topic->partitions[i].group, name);
        }
}

int backup_verify(struct backup_wish *wish) {
    struct verify verify = {.wish = wish};
    const struct store_tool tool = {.wish = &wish->store};
    int code = STORE_EXIT_OK;
    for (size_t i = 0; i < wish->source_count; i++) {
        int one = verify_one(&verify, wish->sources[i]);
        code = one > code ? one : code;
        if (one != STORE_EXIT_OK)
            store_say(&tool, "%s: not whole", wish->sources[i]);
    }
    if (verify.metadata)
        print_all(&verify);
    lf_output_flush(&verify.output);
    if (verify.missing > 0)
        store_say(&tool, "%zu partitions are in none of these backups", verify.missing);
    if (code == STORE_EXIT_OK && verify.missing > 0)
        code = STORE_EXIT_FAILED;
    lf_output_deinit(&verify.output);
    metadata_destroy(&verify.metadata);
    free(verify.covers);
    return code;
}
