/** The files of a backup become a store that is being built: links to its tables, which never change, copies of all
 * else. Whether there is room for it, and for what comes after it, is asked before. */
#include "backup_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define COPY_BYTES (1024u * 1024)
/** Room that is asked for beside what is copied: logs of the new store, and what tables take beside entries. */
#define ROOM_BYTES (64u * 1024 * 1024)
#define ROOM_DIVISOR 8

enum lf_status restore_failed(struct lf_error *error, const char *doing, const char *path) {
    enum lf_status status = errno == ENOSPC || errno == EDQUOT ? LF_NO_SPACE : LF_IO;
    return lf_error_set(error, status, "%s %.300s: %s", doing, path, strerror(errno));
}

enum lf_status restore_path(char path[PATH_MAX], const char *directory, const char *name, struct lf_error *error) {
    if (snprintf(path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    return LF_OK;
}

enum lf_status restore_sync(const char *path, struct lf_error *error) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum lf_status status = fd >= 0 && fsync(fd) == 0 ? LF_OK : restore_failed(error, "sync", path);
    if (fd >= 0)
        close(fd);
    return status;
}

static enum lf_status make_directories(const struct restore_files *files, struct lf_error *error) {
    char parent[PATH_MAX];
    const char *data = files->data;
    enum lf_status status = backup_remove_tree(files->building, error);
    if (status == LF_OK && mkdir(data, 0755) != 0 && errno != EEXIST)
        status = restore_failed(error, "make", data);
    if (status == LF_OK)
        status = restore_path(parent, data, "..", error);
    if (status == LF_OK)
        status = restore_sync(parent, error);
    if (status == LF_OK && mkdir(files->building, 0750) != 0)
        status = restore_failed(error, "make", files->building);
    return status;
}

static enum lf_status copy_bytes(int from, int to, const char *path, struct lf_error *error) {
    char *buffer = malloc(COPY_BYTES);
    enum lf_status status = buffer ? LF_OK : lf_error_set(error, LF_NO_MEMORY, "no memory to copy");
    for (ssize_t got = 1; status == LF_OK && got != 0;) {
        got = read(from, buffer, COPY_BYTES);
        if (got < 0 && errno != EINTR)
            status = restore_failed(error, "read", path);
        for (ssize_t done = 0; status == LF_OK && done < got;) {
            ssize_t wrote = write(to, buffer + done, (size_t)(got - done));
            if (wrote > 0)
                done += wrote;
            else if (errno != EINTR)
                status = restore_failed(error, "write", path);
        }
    }
    free(buffer);
    if (status == LF_OK && fsync(to) != 0)
        status = restore_failed(error, "sync", path);
    return status;
}

static enum lf_status copy_file(const char *from_path, const char *to_path, struct lf_error *error) {
    int from = open(from_path, O_RDONLY | O_CLOEXEC);
    int to = open(to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    enum lf_status status = from < 0 ? restore_failed(error, "open", from_path)
                            : to < 0 ? restore_failed(error, "create", to_path)
                                     : copy_bytes(from, to, to_path, error);
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return status;
}

static bool is_table(const struct backup_file *file) {
    size_t length = strlen(file->name);
    return length > 4 && strcmp(file->name + length - 4, ".sst") == 0;
}

/** What is copied from the base, where links cannot be made; and what is imported. */
static uint64_t bytes_needed(const struct restore_files *files, bool links) {
    const struct backup_about *about = files->about;
    uint64_t bytes = ROOM_BYTES + files->imported_bytes + files->imported_bytes / ROOM_DIVISOR;
    for (size_t i = 0; i < about->file_count; i++)
        if (!links || !is_table(&about->files[i]))
            bytes += about->files[i].bytes;
    return bytes;
}

static enum lf_status check_room(const struct restore_files *files, struct lf_error *error) {
    struct stat from, to;
    struct statvfs room;
    if (stat(files->backup, &from) != 0 || stat(files->building, &to) != 0 || statvfs(files->building, &room) != 0)
        return restore_failed(error, "look at", files->building);
    uint64_t needed = bytes_needed(files, from.st_dev == to.st_dev);
    uint64_t there = (uint64_t)room.f_bavail * room.f_frsize;
    if (there >= needed)
        return LF_OK;
    rmdir(files->building);
    return lf_error_set(error, LF_NO_SPACE, "%.200s: %" PRIu64 " MiB are free, and about %" PRIu64 " MiB are needed",
                        files->data, there >> 20, (needed >> 20) + 1);
}

/* Tables never change; everything else does. */
static enum lf_status take_file(const struct restore_files *files, const struct backup_file *file,
                                struct lf_error *error) {
    char store[PATH_MAX], from[PATH_MAX], to[PATH_MAX];
    bool table = is_table(file);
    enum lf_status status = restore_path(store, files->backup, BACKUP_STORE_FOLDER, error);
    if (status == LF_OK)
        status = restore_path(from, store, file->name, error);
    if (status == LF_OK)
        status = restore_path(to, files->building, file->name, error);
    if (status != LF_OK || (table && link(from, to) == 0))
        return status;
    return copy_file(from, to, error);
}

enum lf_status restore_files(const struct restore_files *files, struct store_tool *tool, struct lf_error *error) {
    const struct backup_about *about = files->about;
    enum lf_status status = make_directories(files, error);
    if (status == LF_OK)
        status = check_room(files, error);
    for (size_t i = 0; status == LF_OK && i < about->file_count; i++) {
        status = take_file(files, &about->files[i], error);
        store_progress(tool, "restore: file %zu of %zu", i + 1, about->file_count);
    }
    return status == LF_OK ? restore_sync(files->building, error) : status;
}
