/** A new cluster of one node, of what this node's backup holds.
 *
 *  1. the backup is checked as a whole, and what it lacks is said: nothing is written before
 *  2. NEWDIR/store.restoring: links to its tables, copies of all else
 *  3. opened there as a store of a cluster with a new random id; the metadata is written anew with it
 *  4. every group goes on with this node's replica alone, partitions 2^32 offsets further on (recover_group.h)
 *  5. closed and renamed to NEWDIR/store
 *
 *  Replicas of a group in different backups are of different moments: started beside each other they could count what
 *  they acknowledged later as lost, and vote for it. Hence one backup only; other nodes come with empty disks and new
 *  replica ids, and learn. A crash before 5 leaves no store; a new run begins anew. */
#include "backup_tool.h"

#include "rocks_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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
#define COPY_BYTES (1024u * 1024)

struct restore {
    struct backup_wish *wish;
    struct backup_source source;
    struct lf_output output;
    char building[PATH_MAX], final[PATH_MAX];
    uint8_t cluster_id[LOG_STORE_ID_BYTES];
    struct store_tool tool; /**< the new store */
    size_t done, left;
    struct lf_error error;
};

static enum lf_status failed(struct restore *restore, const char *doing, const char *path) {
    enum lf_status status = errno == ENOSPC || errno == EDQUOT ? LF_NO_SPACE : LF_IO;
    return lf_error_set(&restore->error, status, "%s %.300s: %s", doing, path, strerror(errno));
}

static enum lf_status path_of(struct restore *restore, char path[PATH_MAX], const char *directory, const char *name) {
    if (snprintf(path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
        return lf_error_set(&restore->error, LF_INVALID, "the directory's name is too long");
    return LF_OK;
}

static enum lf_status sync_path(struct restore *restore, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum lf_status status = fd >= 0 && fsync(fd) == 0 ? LF_OK : failed(restore, "sync", path);
    if (fd >= 0)
        close(fd);
    return status;
}

/* ---- 1. --------------------------------------------------------------------------------------------------------- */

static bool holds(struct restore *restore, uint64_t group) {
    struct recover_group look;
    struct lf_error error = {0};
    const struct log_store *store = restore->source.tool.store;
    for (size_t i = 0; i < store->group_count; i++)
        if (store->groups[i] == group)
            return recover_group_look(&restore->source.tool, group, &look, &error) == LF_OK &&
                   backup_part_of(restore->source.metadata, restore->source.about.node_id, &look) == BACKUP_PART_WHOLE;
    return false;
}

/** Says which partitions it lacks; how many. */
static size_t count_missing(struct restore *restore) {
    size_t cursor = 0, missing = holds(restore, 0) ? 0 : 1;
    const struct metadata *metadata = restore->source.metadata;
    if (missing > 0)
        store_say(&restore->source.tool, "missing: the metadata: this node was no voter there");
    for (const struct metadata_topic *topic; (topic = metadata_next_topic(metadata, &cursor)) != NULL;)
        for (uint32_t i = 0; !topic->deleted && i < topic->partition_count; i++) {
            if (holds(restore, topic->partitions[i].group))
                continue;
            missing++;
            store_say(&restore->source.tool, "missing: %s/%" PRIu32 ": no whole replica in this backup", topic->name,
                      i);
        }
    return missing;
}

static int check_backup(struct restore *restore) {
    struct backup_wish *wish = restore->wish;
    const char *directory = wish->sources[0];
    wish->store.directory = directory;
    restore->source.tool.wish = &wish->store;
    int code = backup_check_files(directory, wish, &restore->source.about, &restore->output);
    if (code == STORE_EXIT_OK)
        code = store_verify(&restore->source.tool);
    if (code == STORE_EXIT_OK)
        code = backup_source_open(&restore->source, wish, directory);
    if (code != STORE_EXIT_OK) {
        store_say(&restore->source.tool, "nothing was restored: %s is not whole", directory);
        return code;
    }
    if (!holds(restore, 0)) {
        store_say(&restore->source.tool,
                  "nothing was restored: this node was no voter of the metadata; take another's");
        return STORE_EXIT_FAILED;
    }
    size_t missing = count_missing(restore);
    if (missing == 0 || wish->without_missing)
        return STORE_EXIT_OK;
    store_say(
        &restore->source.tool,
        "nothing was restored: this backup lacks %zu partitions. `verify` with the other nodes' backups shows which "
        "holds the most; --without-missing restores the others",
        missing);
    return STORE_EXIT_FAILED;
}

/** Absent, or empty but for what an earlier run left. */
static enum lf_status check_target(struct restore *restore) {
    const char *data = restore->wish->data;
    DIR *stream = opendir(data);
    enum lf_status status = path_of(restore, restore->building, data, RESTORING);
    if (status == LF_OK)
        status = path_of(restore, restore->final, data, STORE);
    if (!stream)
        return status != LF_OK || errno == ENOENT ? status : failed(restore, "list", data);
    for (struct dirent *entry; status == LF_OK && (entry = readdir(stream)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            strcmp(entry->d_name, RESTORING) != 0 && strcmp(entry->d_name, "lost+found") != 0)
            status = lf_error_set(&restore->error, LF_INVALID, "%.200s is not empty (%.60s): name a new directory",
                                  data, entry->d_name);
    closedir(stream);
    return status;
}

/* ---- 2. --------------------------------------------------------------------------------------------------------- */

static enum lf_status make_directories(struct restore *restore) {
    char parent[PATH_MAX];
    const char *data = restore->wish->data;
    enum lf_status status = backup_remove_tree(restore->building, &restore->error);
    if (status == LF_OK && mkdir(data, 0755) != 0 && errno != EEXIST)
        status = failed(restore, "make", data);
    if (status == LF_OK)
        status = path_of(restore, parent, data, "..");
    if (status == LF_OK)
        status = sync_path(restore, parent);
    if (status == LF_OK && mkdir(restore->building, 0750) != 0)
        status = failed(restore, "make", restore->building);
    return status;
}

static enum lf_status copy_bytes(struct restore *restore, int from, int to, const char *path) {
    char *buffer = malloc(COPY_BYTES);
    enum lf_status status = buffer ? LF_OK : lf_error_set(&restore->error, LF_NO_MEMORY, "no memory to copy");
    for (ssize_t got = 1; status == LF_OK && got != 0;) {
        got = read(from, buffer, COPY_BYTES);
        if (got < 0 && errno != EINTR)
            status = failed(restore, "read", path);
        for (ssize_t done = 0; status == LF_OK && done < got;) {
            ssize_t wrote = write(to, buffer + done, (size_t)(got - done));
            if (wrote > 0)
                done += wrote;
            else if (errno != EINTR)
                status = failed(restore, "write", path);
        }
    }
    free(buffer);
    if (status == LF_OK && fsync(to) != 0)
        status = failed(restore, "sync", path);
    return status;
}

static enum lf_status copy_file(struct restore *restore, const char *from_path, const char *to_path) {
    int from = open(from_path, O_RDONLY | O_CLOEXEC);
    int to = open(to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    enum lf_status status = from < 0 ? failed(restore, "open", from_path)
                            : to < 0 ? failed(restore, "create", to_path)
                                     : copy_bytes(restore, from, to, to_path);
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return status;
}

/* Tables never change; everything else does. */
static enum lf_status take_file(struct restore *restore, const struct backup_file *file) {
    char store[PATH_MAX], from[PATH_MAX], to[PATH_MAX];
    size_t length = strlen(file->name);
    bool table = length > 4 && strcmp(file->name + length - 4, ".sst") == 0;
    enum lf_status status = path_of(restore, store, restore->wish->sources[0], BACKUP_STORE_FOLDER);
    if (status == LF_OK)
        status = path_of(restore, from, store, file->name);
    if (status == LF_OK)
        status = path_of(restore, to, restore->building, file->name);
    if (status != LF_OK || (table && link(from, to) == 0))
        return status;
    return copy_file(restore, from, to);
}

static enum lf_status take_files(struct restore *restore) {
    const struct backup_about *about = &restore->source.about;
    enum lf_status status = make_directories(restore);
    for (size_t i = 0; status == LF_OK && i < about->file_count; i++) {
        status = take_file(restore, &about->files[i]);
        store_progress(&restore->source.tool, "restore: file %zu of %zu", i + 1, about->file_count);
    }
    return status == LF_OK ? sync_path(restore, restore->building) : status;
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
        return failed(restore, "make", "a cluster id");
    restore->tool.wish = &restore->wish->store;
    enum lf_status status = rocks_store_open(&options, &identity, &restore->tool.store, &restore->error);
    if (status == LF_OK)
        status = restore_metadata(&restore->tool, restore->cluster_id, &restore->error);
    return status == LF_OK ? load_metadata(restore) : status;
}

static void print_group(struct restore *restore, const struct recover_group *group) {
    char name[STORE_NAME_BYTES], line[STORE_NAME_BYTES + 256];
    store_group_name(&restore->tool, group->group, name);
    int64_t next = group->group != 0 ? recover_group_next_offset(group) : 0;
    if (restore->wish->store.json) {
        json_t *json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "verdict", "restored", "name", name, "group",
                                 (json_int_t)group->group, "log_start_offset", (json_int_t)group->log_start_offset,
                                 "end_offset", (json_int_t)group->end_offset, "next_offset", (json_int_t)next, "term",
                                 (json_int_t)recover_group_term(group));
        char *text = json_dumps(json, JSON_COMPACT);
        lf_output_text(&restore->output, text ? text : "{}");
        lf_output_text(&restore->output, "\n");
        free(text);
        json_decref(json);
        return;
    }
    if (group->group == 0)
        snprintf(line, sizeof line, "metadata: restored, %" PRIu64 " entries\n", group->last_index);
    else
        snprintf(line, sizeof line, "%s: restored, offsets %" PRId64 " to %" PRId64 "; goes on at %" PRId64 "\n", name,
                 group->log_start_offset, group->end_offset, next);
    lf_output_text(&restore->output, line);
}

static enum lf_status go_on_alone(struct restore *restore, uint64_t id) {
    struct recover_group group;
    struct log_store_write *write = NULL;
    enum lf_status status = recover_group_look(&restore->tool, id, &group, &restore->error);
    if (status == LF_INVALID && id != 0) { /* nobody knows it any more */
        restore->left++;
        return LF_OK;
    }
    if (status != LF_OK)
        return status;
    if (backup_part_of(restore->source.metadata, restore->source.about.node_id, &group) != BACKUP_PART_WHOLE) {
        restore->left++;
        return LF_OK;
    }
    status = recover_group_write(&group, id != 0, ++restore->tool.next_request, &write, &restore->error);
    if (status == LF_OK)
        status = store_tool_write(&restore->tool, &write, &restore->error);
    log_store_write_destroy(&write);
    if (status == LF_OK) {
        restore->done++;
        print_group(restore, &group);
    }
    return status;
}

/* ---- 5. --------------------------------------------------------------------------------------------------------- */

static enum lf_status finish(struct restore *restore) {
    log_store_close(&restore->tool.store);
    enum lf_status status = sync_path(restore, restore->building);
    if (status == LF_OK && rename(restore->building, restore->final) != 0)
        status = failed(restore, "rename", restore->building);
    return status == LF_OK ? sync_path(restore, restore->wish->data) : status;
}

static void say_what_next(struct restore *restore) {
    char id[2 * LOG_STORE_ID_BYTES + 1];
    for (size_t i = 0; i < LOG_STORE_ID_BYTES; i++)
        snprintf(id + 2 * i, 3, "%02x", restore->cluster_id[i]);
    store_say(
        &restore->tool,
        "%zu groups restored%s into %s, as node %" PRIu64 " of cluster \"%s\" with the new id %s.\n"
        "  Start it plainly, with this node id and cluster.name in its configuration. It leads everything alone;\n"
        "  then let other nodes join with ids that the old cluster did not have (`logflume cluster add`, --join),\n"
        "  and drain and remove the old ones: docs/operations.md, \"Backups\".\n"
        "  Restore no other node's backup of this cluster beside it.",
        restore->done, restore->left ? " (others were left as they are)" : "", restore->wish->data,
        restore->source.about.node_id, restore->source.about.cluster_name, id);
}

static enum lf_status run(struct restore *restore) {
    enum lf_status status = take_files(restore);
    if (status == LF_OK)
        status = open_anew(restore);
    for (size_t i = 0; status == LF_OK && i < restore->tool.store->group_count; i++) {
        status = go_on_alone(restore, restore->tool.store->groups[i]);
        store_progress(&restore->tool, "restore: group %zu of %zu", i + 1, restore->tool.store->group_count);
    }
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
        code = check_backup(restore);
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
    lf_output_deinit(&restore->output);
    free(restore);
    return code;
}
