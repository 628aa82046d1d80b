/** A new cluster of one node, of what one node's backup holds, or several nodes' backups together.
 *
 *  1. the backups are checked as a whole, and of each group the best copy is chosen (restore_plan.c); what none of them
 *     has is said: nothing is written before. The base is the backup with the newest metadata
 *  2. NEWDIR/store.restoring: links to the base's tables, copies of all else in it (restore_files.c)
 *  3. opened there as a store of a cluster with a new random id; the metadata is written anew with it, goes on with
 * this node alone, and names it for what comes from other backups (restore_assign.c)
 *  4. where the best copy is in another backup, it is imported (restore_import.c), in place of the base's, if there is
 *     one; every group goes on with this node's replica alone, partitions 2^32 offsets further on (recover_group.h)
 *  5. closed and renamed to NEWDIR/store
 *
 *  Replicas of a group in different backups are of different moments: started beside each other they could count what
 *  they acknowledged later as lost, and vote for it. Hence one copy of each group, all on one node; other nodes come
 * with empty disks and new replica ids, and learn. A crash before 5 leaves no store; a new run begins anew. */
#include "backup_tool.h"

#include "rocks_store.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define RESTORING "store.restoring"
#define STORE "store"

struct restore {
    struct backup_wish *wish;
    struct restore_plan plan;
    struct backup_source source; /**< the base; what its metadata will be is the tool's from 3. on */
    struct lf_output output;
    char building[PATH_MAX], final[PATH_MAX];
    uint8_t cluster_id[LOG_STORE_ID_BYTES];
    struct store_tool tool; /**< the new store */
    size_t done, left, imported;
    struct lf_error error;
};

/* ---- 1. --------------------------------------------------------------------------------------------------------- */

static const char *base_directory(const struct restore *restore) { return restore->wish->sources[restore->plan.base]; }

/** Says which partitions are in none of the backups; how many. */
static size_t count_missing(struct restore *restore) {
    size_t cursor = 0, missing = 0;
    const struct metadata *metadata = restore->source.metadata;
    for (const struct metadata_topic *topic; (topic = metadata_next_topic(metadata, &cursor)) != NULL;)
        for (uint32_t i = 0; !topic->deleted && i < topic->partition_count; i++) {
            if (restore_plan_find(&restore->plan, topic->partitions[i].group))
                continue;
            missing++;
            store_say(&restore->source.tool, "missing: %s/%" PRIu32 ": no whole replica in %s", topic->name, i,
                      restore->wish->source_count == 1 ? "this backup" : "these backups");
        }
    return missing;
}

/** Opens the base, which was examined as all the others. */
static int open_base(struct restore *restore) {
    struct lf_error error = {0};
    restore->source.tool.wish = &restore->wish->store;
    enum lf_status status = backup_about_read(base_directory(restore), &restore->source.about, &error);
    if (status != LF_OK)
        return store_tool_failed(&restore->source.tool, status, error.text);
    return backup_source_open(&restore->source, restore->wish, base_directory(restore));
}

static int check_backups(struct restore *restore) {
    struct backup_wish *wish = restore->wish;
    int code = restore_plan_make(&restore->plan, wish, &restore->output);
    if (code == STORE_EXIT_OK)
        code = open_base(restore);
    if (code != STORE_EXIT_OK)
        return code;
    if (wish->source_count > 1)
        store_say(&restore->source.tool, "the newest metadata is in %s, of node %" PRIu64 ": that is the base",
                  base_directory(restore), restore->source.about.node_id);
    size_t unknown = restore_plan_keep_known(&restore->plan, restore->source.metadata);
    if (unknown > 0)
        store_say(&restore->source.tool, "%zu groups are left out: the newest metadata does not know them", unknown);
    size_t missing = count_missing(restore);
    if (missing == 0 || wish->without_missing)
        return STORE_EXIT_OK;
    store_say(
        &restore->source.tool,
        wish->source_count == 1
            ? "nothing was restored: this backup lacks %zu partitions. Name the other nodes' backups too (--from, "
              "once for each); --without-missing restores what there is"
            : "nothing was restored: these backups lack %zu partitions. Name the other nodes' too; "
              "--without-missing restores what there is",
        missing);
    return STORE_EXIT_FAILED;
}

/** Absent, or empty but for what an earlier run left. */
static enum lf_status check_target(struct restore *restore) {
    const char *data = restore->wish->data;
    DIR *stream = opendir(data);
    int why = errno;
    enum lf_status status = backup_place_outside(data, &restore->error);
    if (status == LF_OK)
        status = restore_path(restore->building, data, RESTORING, &restore->error);
    if (status == LF_OK)
        status = restore_path(restore->final, data, STORE, &restore->error);
    if (!stream && status == LF_OK && why != ENOENT) {
        errno = why;
        return restore_failed(&restore->error, "list", data);
    }
    if (!stream)
        return status;
    for (struct dirent *entry; status == LF_OK && (entry = readdir(stream)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            strcmp(entry->d_name, RESTORING) != 0 && strcmp(entry->d_name, "lost+found") != 0)
            status = lf_error_set(&restore->error, LF_INVALID, "%.200s is not empty (%.60s): name a new directory",
                                  data, entry->d_name);
    closedir(stream);
    return status;
}

/* ---- 3. and 4. -------------------------------------------------------------------------------------------------- */

static enum lf_status load_metadata(struct restore *restore) {
    struct log_store_completion *completion = NULL;
    struct store_tool *tool = &restore->tool;
    metadata_destroy(&tool->metadata);
    tool->metadata = metadata_new(NULL);
    enum lf_status status = tool->metadata ? store_tool_load(tool, 0, &completion, &restore->error) : LF_NO_MEMORY;
    if (status == LF_OK)
        status = metadata_load(tool->metadata, completion->loaded->applied_index, completion->loaded->rows,
                               completion->loaded->row_count, &restore->error);
    log_store_completion_destroy(&completion);
    return status;
}

static enum lf_status open_anew(struct restore *restore) {
    struct log_store_identity identity = {.node_id = restore->source.about.node_id};
    struct rocks_store_options options = {.directory = restore->building, .adopt_cluster_id = restore->cluster_id};
    if (getrandom(restore->cluster_id, sizeof restore->cluster_id, 0) != (ssize_t)sizeof restore->cluster_id)
        return restore_failed(&restore->error, "make", "a cluster id");
    restore->tool.wish = &restore->wish->store;
    enum lf_status status = rocks_store_open(&options, &identity, &restore->tool.store, &restore->error);
    if (status == LF_OK)
        status = restore_metadata(&restore->tool, restore->cluster_id, &restore->error);
    return status == LF_OK ? load_metadata(restore) : status;
}

static void print_group(struct restore *restore, const struct recover_group *group, uint32_t source) {
    char name[STORE_NAME_BYTES], line[STORE_NAME_BYTES + PATH_MAX + 256], of[PATH_MAX + 64] = "";
    const char *directory = restore->wish->sources[source];
    uint64_t node = restore->plan.node_ids[source];
    store_group_name(&restore->tool, group->group, name);
    int64_t next = group->group != 0 ? recover_group_next_offset(group) : 0;
    if (restore->wish->store.json) {
        json_t *json =
            json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:I}", "verdict", "restored", "name", name, "group",
                      (json_int_t)group->group, "log_start_offset", (json_int_t)group->log_start_offset, "end_offset",
                      (json_int_t)group->end_offset, "next_offset", (json_int_t)next, "term",
                      (json_int_t)recover_group_term(group), "backup", directory, "node", (json_int_t)node);
        char *text = json_dumps(json, JSON_COMPACT);
        lf_output_text(&restore->output, text ? text : "{}");
        lf_output_text(&restore->output, "\n");
        free(text);
        json_decref(json);
        return;
    }
    if (restore->wish->source_count > 1)
        snprintf(of, sizeof of, "; from node %" PRIu64 "'s backup, %s", node, directory);
    if (group->group == 0)
        snprintf(line, sizeof line, "metadata: restored, %" PRIu64 " entries%s\n", group->last_index, of);
    else
        snprintf(line, sizeof line, "%s: restored, offsets %" PRId64 " to %" PRId64 "; goes on at %" PRId64 "%s\n",
                 name, group->log_start_offset, group->end_offset, next, of);
    lf_output_text(&restore->output, line);
}

static enum lf_status submit(struct restore *restore, struct log_store_write **write, const struct recover_group *group,
                             uint32_t source) {
    enum lf_status status = store_tool_write(&restore->tool, write, &restore->error);
    log_store_write_destroy(write);
    if (status == LF_OK) {
        restore->done++;
        print_group(restore, group, source);
    }
    return status;
}

/** Its ids jump, too: after the backup it gave others, which producers that live on, and the backups of other nodes,
 * know. The tool has the metadata as it will be from then on. */
static enum lf_status go_on_with_metadata(struct restore *restore) {
    struct recover_group group;
    struct log_store_write *write = NULL;
    enum lf_status status = recover_group_look(&restore->tool, 0, &group, &restore->error);
    if (status == LF_OK)
        status = recover_group_write(&group, true, ++restore->tool.next_request, &write, &restore->error);
    if (status == LF_OK)
        status = restore_assign(&restore->plan, restore->source.about.node_id, &group, write, restore->source.metadata,
                                &restore->error);
    if (status == LF_OK)
        return submit(restore, &write, &group, restore->plan.base);
    log_store_write_destroy(&write);
    return status;
}

static void take_metadata_ahead(struct restore *restore) {
    metadata_destroy(&restore->tool.metadata);
    restore->tool.metadata = restore->source.metadata;
    restore->source.metadata = NULL;
}

static enum lf_status write_alone(struct restore *restore, const struct recover_group *group, uint32_t source) {
    struct log_store_write *write = NULL;
    enum lf_status status = recover_group_write(group, true, ++restore->tool.next_request, &write, &restore->error);
    return status == LF_OK ? submit(restore, &write, group, source) : status;
}

/** A group of the base. */
static enum lf_status go_on_alone(struct restore *restore, uint64_t id) {
    struct recover_group group;
    enum lf_status status = recover_group_look(&restore->tool, id, &group, &restore->error);
    if (status == LF_INVALID) { /* nobody knows it any more */
        restore->left++;
        return LF_OK;
    }
    if (status != LF_OK)
        return status;
    if (backup_part_of(restore->tool.metadata, restore->source.about.node_id, &group) != BACKUP_PART_WHOLE) {
        restore->left++;
        return LF_OK;
    }
    return write_alone(restore, &group, restore->plan.base);
}

static enum lf_status destroy(struct restore *restore, uint64_t group) {
    struct log_store_write *write = log_store_write_new(group, ++restore->tool.next_request);
    if (!write)
        return lf_error_set(&restore->error, LF_NO_MEMORY, "no memory to write");
    write->destroy = true;
    enum lf_status status = store_tool_write(&restore->tool, &write, &restore->error);
    log_store_write_destroy(&write);
    return status;
}

/** What the base has the best copy of goes on; what another backup has the best copy of goes. */
static enum lf_status go_on_with_base(struct restore *restore) {
    enum lf_status status = LF_OK;
    const struct log_store *store = restore->tool.store;
    for (size_t i = 0; status == LF_OK && i < store->group_count; i++) {
        const struct restore_part *part = restore_plan_find(&restore->plan, store->groups[i]);
        if (store->groups[i] == 0)
            continue;
        status = part && part->source != restore->plan.base ? destroy(restore, store->groups[i])
                                                            : go_on_alone(restore, store->groups[i]);
        store_progress(&restore->tool, "restore: group %zu of %zu", i + 1, store->group_count);
    }
    return status;
}

static enum lf_status import_part(struct restore *restore, struct store_tool *from, const struct restore_part *part) {
    struct recover_group group;
    const struct metadata_partition *partition = metadata_partition_by_group(restore->tool.metadata, part->group);
    uint64_t replica = metadata_replica_on(partition, restore->source.about.node_id);
    enum lf_status status = restore_import(from, &restore->tool, part->group, replica, &restore->error);
    if (status == LF_OK)
        status = recover_group_look(&restore->tool, part->group, &group, &restore->error);
    if (status == LF_OK && (group.last_term != part->last_term || group.last_index != part->last_index))
        status = lf_error_set(&restore->error, LF_INTERNAL, "group %" PRIu64 " does not end where its backup ends",
                              part->group);
    if (status == LF_OK)
        status = write_alone(restore, &group, part->source);
    restore->imported += status == LF_OK;
    return status;
}

static bool has_parts(const struct restore_plan *plan, uint32_t source) {
    for (size_t i = 0; i < plan->count; i++)
        if (plan->parts[i].source == source)
            return true;
    return false;
}

/** All that comes from this backup. */
static enum lf_status import_from(struct restore *restore, uint32_t source) {
    const struct restore_plan *plan = &restore->plan;
    struct store_wish wish = restore->wish->store;
    struct store_tool *from = calloc(1, sizeof *from);
    wish.directory = restore->wish->sources[source];
    enum lf_status status = from ? LF_OK : lf_error_set(&restore->error, LF_NO_MEMORY, "no memory");
    if (from)
        from->wish = &wish;
    if (from && store_tool_open(from) != STORE_EXIT_OK)
        status = lf_error_set(&restore->error, LF_DAMAGED, "%.200s cannot be read any more", wish.directory);
    for (size_t i = 0; status == LF_OK && i < plan->count; i++)
        if (plan->parts[i].source == source)
            status = import_part(restore, from, &plan->parts[i]);
    if (from)
        store_tool_close(from);
    free(from);
    return status;
}

static enum lf_status import_all(struct restore *restore) {
    enum lf_status status = LF_OK;
    for (uint32_t i = 0; status == LF_OK && i < restore->wish->source_count; i++)
        if (i != restore->plan.base && has_parts(&restore->plan, i))
            status = import_from(restore, i);
    return status;
}

/* ---- 5. --------------------------------------------------------------------------------------------------------- */

static enum lf_status finish(struct restore *restore) {
    log_store_close(&restore->tool.store);
    enum lf_status status = restore_sync(restore->building, &restore->error);
    if (status == LF_OK && rename(restore->building, restore->final) != 0)
        status = restore_failed(&restore->error, "rename", restore->building);
    return status == LF_OK ? restore_sync(restore->wish->data, &restore->error) : status;
}

static void say_what_next(struct restore *restore) {
    char id[2 * LOG_STORE_ID_BYTES + 1], imported[64] = "";
    if (restore->imported > 0)
        snprintf(imported, sizeof imported, ", %zu of them from other nodes' backups,", restore->imported);
    for (size_t i = 0; i < LOG_STORE_ID_BYTES; i++)
        snprintf(id + 2 * i, 3, "%02x", restore->cluster_id[i]);
    store_say(
        &restore->tool,
        "%zu groups restored%s%s into %s, as node %" PRIu64 " of cluster \"%s\" with the new id %s.\n"
        "  Start it plainly, with this node id and cluster.name in its configuration. It leads everything alone;\n"
        "  then let other nodes join with ids that the old cluster did not have (`logflume cluster add`, --join),\n"
        "  and drain and remove the old ones: docs/operations.md, \"Backups\".\n"
        "  Restore no backup of the old cluster beside it.",
        restore->done, imported, restore->left ? " (others were left as they are)" : "", restore->wish->data,
        restore->source.about.node_id, restore->source.about.cluster_name, id);
}

static uint64_t imported_bytes(const struct restore_plan *plan) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < plan->count; i++)
        if (plan->parts[i].source != plan->base)
            bytes += plan->parts[i].bytes;
    return bytes;
}

static enum lf_status run(struct restore *restore) {
    const struct restore_files files = {.about = &restore->source.about,
                                        .backup = base_directory(restore),
                                        .data = restore->wish->data,
                                        .building = restore->building,
                                        .imported_bytes = imported_bytes(&restore->plan)};
    enum lf_status status = restore_files(&files, &restore->source.tool, &restore->error);
    if (status == LF_OK)
        status = open_anew(restore);
    if (status == LF_OK)
        status = go_on_with_metadata(restore);
    if (status == LF_OK) {
        take_metadata_ahead(restore);
        status = go_on_with_base(restore);
    }
    if (status == LF_OK)
        status = import_all(restore);
    return status == LF_OK ? finish(restore) : status;
}

int backup_restore(struct backup_wish *wish) {
    struct restore *restore = calloc(1, sizeof *restore);
    const struct store_tool tool = {.wish = &wish->store};
    if (!restore)
        return store_tool_failed(&tool, LF_NO_MEMORY, "");
    restore->wish = wish;
    int code = STORE_EXIT_OK;
    enum lf_status status = check_target(restore);
    if (status == LF_OK)
        code = check_backups(restore);
    if (status == LF_OK && code == STORE_EXIT_OK) {
        status = run(restore);
        lf_output_flush(&restore->output);
        if (status == LF_OK)
            say_what_next(restore);
    }
    if (status != LF_OK)
        code = store_tool_failed(&tool, status, restore->error.text);
    if (status != LF_OK && restore->building[0])
        store_say(&tool, "nothing was restored");
    metadata_destroy(&restore->tool.metadata);
    log_store_close(&restore->tool.store);
    backup_source_close(&restore->source);
    restore_plan_deinit(&restore->plan);
    lf_output_deinit(&restore->output);
    free(restore);
    return code;
}
