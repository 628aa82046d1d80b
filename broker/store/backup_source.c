/** One node's backup: its files against backup.json, its store opened to read, and what its metadata says. */
#include "backup_tool.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- files ------------------------------------------------------------------------------------------------------ */

static void report(const struct backup_wish *wish, struct lf_output *output, const char *directory, const char *file,
                   const char *words) {
    if (wish->store.json) {
        json_t *line =
            json_pack("{s:s, s:s, s:s, s:s}", "verdict", "damaged", "backup", directory, "file", file, "words", words);
        char *text = json_dumps(line, JSON_COMPACT);
        lf_output_text(output, text ? text : "{}");
        free(text);
        json_decref(line);
    } else {
        lf_output_text(output, directory);
        lf_output_text(output, ": DAMAGED: ");
        lf_output_text(output, file);
        lf_output_text(output, ": ");
        lf_output_text(output, words);
    }
    lf_output_text(output, "\n");
}

/** LF_OK; LF_DAMAGED in words. */
static enum lf_status check_file(const char *directory, const struct backup_file *file, struct lf_error *error) {
    char path[PATH_MAX];
    struct stat seen;
    uint32_t sum;
    uint64_t bytes;
    if (snprintf(path, sizeof path, "%s/" BACKUP_STORE_FOLDER "/%s", directory, file->name) >= (int)sizeof path)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    if (stat(path, &seen) != 0 || !S_ISREG(seen.st_mode))
        return lf_error_set(error, LF_DAMAGED, "it is missing");
    if ((uint64_t)seen.st_size != file->bytes)
        return lf_error_set(error, LF_DAMAGED, "it has %" PRIu64 " bytes, not %" PRIu64, (uint64_t)seen.st_size,
                            file->bytes);
    if (!file->has_sum)
        return LF_OK;
    enum lf_status status = backup_file_sum(path, &sum, &bytes, error);
    if (status == LF_OK && sum != file->crc32c)
        status = lf_error_set(error, LF_DAMAGED, "its bytes are not those that were written: another sum");
    return status;
}

/** Without one of these it is no store, and its damage could not be told from a power cut's. */
static size_t check_listed(const char *directory, const struct backup_wish *wish, const struct backup_about *about,
                           struct lf_output *output) {
    static const char *const names[] = {"CURRENT", "WITNESS"};
    size_t missing = 0, manifests = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!backup_about_find(about, names[i])) {
            report(wish, output, directory, names[i], BACKUP_ABOUT_FILE " does not list it");
            missing++;
        }
    for (size_t i = 0; i < about->file_count; i++)
        manifests += strncmp(about->files[i].name, "MANIFEST-", 9) == 0;
    if (manifests == 0)
        report(wish, output, directory, "MANIFEST", BACKUP_ABOUT_FILE " does not list one");
    return missing + (manifests == 0);
}

/** What was put there later, as by a start on it. */
static enum lf_status check_strangers(const char *directory, const struct backup_wish *wish,
                                      const struct backup_about *about, struct lf_output *output, size_t *strangers,
                                      struct lf_error *error) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/" BACKUP_STORE_FOLDER, directory) >= (int)sizeof path)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    DIR *stream = opendir(path);
    if (!stream) /* its files are missing, which was said */
        return errno == ENOENT ? LF_OK : lf_error_set(error, LF_IO, "list %.300s: %s", path, strerror(errno));
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            backup_about_find(about, entry->d_name))
            continue;
        report(wish, output, directory, entry->d_name,
               "it is not of the backup: " BACKUP_ABOUT_FILE " does not list it");
        (*strangers)++;
    }
    closedir(stream);
    return LF_OK;
}

int backup_check_files(const char *directory, struct backup_wish *wish, struct backup_about *about,
                       struct lf_output *output) {
    struct lf_error error = {0};
    struct store_tool tool = {.wish = &wish->store};
    enum lf_status status = backup_about_read(directory, about, &error);
    size_t damaged = 0, strangers = 0;
    if (status != LF_OK) {
        store_tool_failed(&tool, status, error.text);
        return status == LF_NOT_FOUND ? STORE_EXIT_NOT_FOUND : STORE_EXIT_DAMAGED;
    }
    for (size_t i = 0; i < about->file_count; i++) {
        if (check_file(directory, &about->files[i], &error) == LF_OK)
            continue;
        damaged++;
        report(wish, output, directory, about->files[i].name, error.text);
    }
    damaged += check_listed(directory, wish, about, output);
    status = check_strangers(directory, wish, about, output, &strangers, &error);
    lf_output_flush(output);
    if (status != LF_OK)
        return store_tool_failed(&tool, status, error.text);
    return damaged + strangers > 0 ? STORE_EXIT_DAMAGED : STORE_EXIT_OK;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static int read_metadata(struct backup_source *source) {
    struct lf_error error = {0};
    enum lf_status status =
        store_metadata_ahead(&source->tool, &source->metadata, &source->metadata_term, &source->metadata_index, &error);
    if (status == LF_OK && !metadata_founded(source->metadata))
        status = lf_error_set(&error, LF_INVALID, "the cluster was not founded yet when the backup was made");
    source->tool.metadata_ahead = source->metadata;
    return status == LF_OK ? STORE_EXIT_OK : store_tool_failed(&source->tool, status, error.text);
}

int backup_source_open(struct backup_source *source, struct backup_wish *wish, const char *directory) {
    wish->store.directory = directory;
    source->tool.wish = &wish->store;
    int code = source->tool.store ? STORE_EXIT_OK : store_tool_open(&source->tool);
    return code == STORE_EXIT_OK ? read_metadata(source) : code;
}

int backup_source_examine(struct backup_source *source, struct backup_wish *wish, const char *directory,
                          struct lf_output *output) {
    wish->store.directory = directory;
    source->tool.wish = &wish->store;
    int code = backup_check_files(directory, wish, &source->about, output);
    if (code == STORE_EXIT_OK)
        code = store_verify(&source->tool);
    return code == STORE_EXIT_OK ? backup_source_open(source, wish, directory) : code;
}

int backup_source_of_cluster(const struct backup_source *source, const char *directory,
                             struct backup_cluster *cluster) {
    const uint8_t *id = source->about.cluster_id;
    if (cluster->known && memcmp(cluster->id, id, LOG_STORE_ID_BYTES) != 0) {
        store_say(&source->tool, "%s is of another cluster than the backups before it", directory);
        return STORE_EXIT_FAILED;
    }
    memcpy(cluster->id, id, LOG_STORE_ID_BYTES);
    cluster->known = true;
    if (memcmp(metadata_cluster_id(source->metadata), id, LOG_STORE_ID_BYTES) == 0 &&
        source->tool.store->identity.node_id == source->about.node_id &&
        memcmp(source->tool.store->identity.store_uuid, source->about.store_uuid, LOG_STORE_ID_BYTES) == 0)
        return STORE_EXIT_OK;
    store_say(&source->tool, "%s: " BACKUP_ABOUT_FILE " and the store are not of one node of one cluster", directory);
    return STORE_EXIT_DAMAGED;
}

void backup_source_close(struct backup_source *source) {
    source->tool.metadata_ahead = NULL;
    metadata_destroy(&source->metadata);
    store_tool_close(&source->tool);
    backup_about_deinit(&source->about);
}

enum backup_part backup_part_of(const struct metadata *metadata, uint64_t node_id, const struct recover_group *group) {
    const struct metadata_partition *partition = metadata_partition_by_group(metadata, group->group);
    if (group->group != 0 && partition && metadata_topic_by_id(metadata, partition->topic_id)->deleted)
        return BACKUP_PART_DELETED;
    if (group->group != 0 && (!partition || metadata_replica_on(partition, node_id) != group->replica_id))
        return BACKUP_PART_NOT_OURS;
    return group->votes ? BACKUP_PART_WHOLE : BACKUP_PART_LEARNER;
}
