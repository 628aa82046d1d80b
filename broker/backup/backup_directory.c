#include "backup_directory.h"

#include "lf_crc32c.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAKING ".making"
#define DELETING ".deleting"
#define READ_BYTES (256u * 1024)

static enum lf_status failed(const char *doing, const char *path, struct lf_error *error) {
    enum lf_status status = errno == ENOSPC || errno == EDQUOT ? LF_NO_SPACE : errno == ENOENT ? LF_NOT_FOUND : LF_IO;
    return lf_error_set(error, status, "%s %.300s: %s", doing, path, strerror(errno));
}

static enum lf_status path_of(char path[PATH_MAX], const char *directory, const char *dot, const char *name,
                              const char *end, struct lf_error *error) {
    if (snprintf(path, PATH_MAX, "%s/%s%s%s", directory, dot, name, end) >= PATH_MAX)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    return LF_OK;
}

static bool is_dots(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

static enum lf_status sync_directory(const char *path, struct lf_error *error) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum lf_status status = fd >= 0 && fsync(fd) == 0 ? LF_OK : failed("sync", path, error);
    if (fd >= 0)
        close(fd);
    return status;
}

/** Is there a backup of this name: a directory with a regular backup.json, readable or not? LF_NOT_FOUND: nothing is.
 */
static enum lf_status look(const struct backup_place *place, const char *name, bool *found, struct lf_error *error) {
    char path[PATH_MAX];
    struct stat seen;
    *found = false;
    enum lf_status status = path_of(path, place->directory, "", name, "", error);
    if (status == LF_OK && lstat(path, &seen) != 0)
        status = failed("look at", path, error);
    if (status != LF_OK || !S_ISDIR(seen.st_mode))
        return status;
    status = path_of(path, place->directory, "", name, "/" BACKUP_ABOUT_FILE, error);
    *found = status == LF_OK && lstat(path, &seen) == 0 && S_ISREG(seen.st_mode);
    return status;
}

static bool is_backup(const struct backup_place *place, const char *name) {
    bool found;
    return backup_name_good(name) && look(place, name, &found, NULL) == LF_OK && found;
}

/* ---- removing ---------------------------------------------------------------------------------------------------- */

enum lf_status backup_clean(const struct backup_place *place, struct lf_error *error) {
    DIR *stream = opendir(place->directory);
    char path[PATH_MAX];
    if (!stream)
        return errno == ENOENT ? LF_OK : failed("list", place->directory, error);
    enum lf_status status = LF_OK;
    for (struct dirent *entry; status == LF_OK && (entry = readdir(stream)) != NULL;) {
        const char *name = entry->d_name;
        if (name[0] != '.' || (!ends_with(name, MAKING) && !ends_with(name, DELETING)))
            continue;
        status = path_of(path, place->directory, "", name, "", error);
        if (status == LF_OK)
            status = backup_remove_tree(path, error);
    }
    closedir(stream);
    return status;
}

/* Whatever else somebody put there is not ours to delete. */
static enum lf_status check_is_backup(const struct backup_place *place, const char *name, struct lf_error *error) {
    bool found;
    enum lf_status status = look(place, name, &found, error);
    if (status == LF_NOT_FOUND)
        return lf_error_set(error, LF_NOT_FOUND, "this node has no backup %s", name);
    if (status != LF_OK || found)
        return status;
    return lf_error_set(error, LF_INVALID,
                        "%s in %.200s is no backup (a directory with a file " BACKUP_ABOUT_FILE "), and was left alone",
                        name, place->directory);
}

/* From the moment of the renaming on it is no backup any more. */
enum lf_status backup_delete(const struct backup_place *place, const char *name, struct lf_error *error) {
    char path[PATH_MAX], gone[PATH_MAX];
    if (!backup_name_good(name))
        return lf_error_set(error, LF_INVALID, "\"%.80s\" is no name of a backup", name);
    enum lf_status status = path_of(path, place->directory, "", name, "", error);
    if (status == LF_OK)
        status = path_of(gone, place->directory, ".", name, DELETING, error);
    if (status == LF_OK)
        status = check_is_backup(place, name, error);
    if (status == LF_OK)
        status = backup_remove_tree(gone, error);
    if (status == LF_OK && rename(path, gone) != 0)
        status = failed("rename", path, error);
    if (status == LF_OK)
        status = sync_directory(place->directory, error);
    return status == LF_OK ? backup_remove_tree(gone, error) : status;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

enum lf_status backup_file_sum(const char *path, uint32_t *crc32c, uint64_t *bytes, struct lf_error *error) {
    uint8_t *buffer = malloc(READ_BYTES);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum lf_status status = !buffer ? LF_NO_MEMORY : fd < 0 ? failed("open", path, error) : LF_OK;
    *crc32c = 0;
    *bytes = 0;
    for (ssize_t got = 1; status == LF_OK && got != 0;) {
        got = read(fd, buffer, READ_BYTES);
        if (got < 0 && errno != EINTR)
            status = failed("read", path, error);
        if (got <= 0)
            continue;
        *crc32c = lf_crc32c(*crc32c, buffer, (size_t)got);
        *bytes += (uint64_t)got;
    }
    if (fd >= 0)
        close(fd);
    free(buffer);
    return status;
}

static enum lf_status read_text(const char *path, char **text, size_t *size, struct lf_error *error) {
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &about) != 0) {
        enum lf_status status = failed("open", path, error);
        if (fd >= 0)
            close(fd);
        return status;
    }
    *size = (size_t)about.st_size;
    *text = *size <= BACKUP_ABOUT_BYTES_MAX ? malloc(*size + 1) : NULL;
    enum lf_status status = LF_OK;
    if (!*text)
        status = lf_error_set(error, LF_MALFORMED, "%.300s is larger than a " BACKUP_ABOUT_FILE " can be", path);
    else if (read(fd, *text, *size) != (ssize_t)*size)
        status = lf_error_set(error, LF_IO, "%.300s cannot be read", path);
    close(fd);
    return status;
}

enum lf_status backup_about_read(const char *directory, struct backup_about *about, struct lf_error *error) {
    char path[PATH_MAX], *text = NULL;
    size_t size = 0;
    *about = (struct backup_about){0};
    enum lf_status status = path_of(path, directory, "", BACKUP_ABOUT_FILE, "", error);
    if (status == LF_OK)
        status = read_text(path, &text, &size, error);
    if (status == LF_OK && (status = backup_about_decode(lf_bytes(text, size), about, error)) != LF_OK)
        lf_error_context(error, "%.300s", path);
    free(text);
    return status;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct backup_about *)a)->name, ((const struct backup_about *)b)->name);
}

/* What cannot be read takes room, too: of that there is the name, so that it can be deleted. */
static enum lf_status add_listed(const struct backup_place *place, const char *name, struct backup_about **list,
                                 size_t *count, struct lf_error *error) {
    char path[PATH_MAX];
    struct backup_about about;
    enum lf_status status = path_of(path, place->directory, "", name, "", error);
    if (status != LF_OK)
        return status;
    if (backup_about_read(path, &about, NULL) != LF_OK)
        backup_about_deinit(&about);
    snprintf(about.name, sizeof about.name, "%s", name); /* under which it can be deleted */
    struct backup_about *grown = realloc(*list, (*count + 1) * sizeof **list);
    if (!grown) {
        backup_about_deinit(&about);
        return lf_error_set(error, LF_NO_MEMORY, "no memory");
    }
    *list = grown;
    grown[(*count)++] = about;
    return LF_OK;
}

enum lf_status backup_list(const struct backup_place *place, struct backup_about **list, size_t *count,
                           struct lf_error *error) {
    *list = NULL;
    *count = 0;
    DIR *stream = opendir(place->directory);
    if (!stream)
        return errno == ENOENT ? LF_OK : failed("list", place->directory, error);
    enum lf_status status = LF_OK;
    for (struct dirent *entry; status == LF_OK && (entry = readdir(stream)) != NULL;)
        if (is_backup(place, entry->d_name))
            status = add_listed(place, entry->d_name, list, count, error);
    closedir(stream);
    if (*count > 0)
        qsort(*list, *count, sizeof **list, by_name);
    return status;
}

void backup_list_free(struct backup_about *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        backup_about_deinit(&list[i]);
    free(list);
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

static enum lf_status check_filesystem(const struct backup_place *place, struct lf_error *error) {
    struct stat here, there;
    if (stat(place->directory, &here) != 0)
        return failed("look at", place->directory, error);
    if (stat(place->store, &there) != 0)
        return failed("look at", place->store, error);
    if (here.st_dev == there.st_dev)
        return LF_OK;
    return lf_error_set(error, LF_INVALID,
                        "%.200s is on another filesystem than the store: a backup shares files with it by hard links; "
                        "correct backup.directory, and copy finished backups elsewhere",
                        place->directory);
}

static enum lf_status check_count(const struct backup_place *place, struct lf_error *error) {
    uint32_t count = 0;
    DIR *stream = opendir(place->directory);
    if (!stream)
        return failed("list", place->directory, error);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        count += is_backup(place, entry->d_name);
    closedir(stream);
    if (count < place->backups_max)
        return LF_OK;
    return lf_error_set(error, LF_INVALID,
                        "this node has %u backups, as many as backup.backups_max allows: delete some", count);
}

static enum lf_status prepare(const struct backup_place *place, const char *name, char final[PATH_MAX],
                              char making[PATH_MAX], struct lf_error *error) {
    struct stat about;
    if (!backup_name_good(name))
        return lf_error_set(error, LF_INVALID,
                            "a backup's name is 1 to %d of a-z A-Z 0-9 . _ -, and does not begin with a dot",
                            BACKUP_NAME_BYTES_MAX);
    if (mkdir(place->directory, 0750) != 0 && errno != EEXIST)
        return failed("make", place->directory, error);
    enum lf_status status = check_filesystem(place, error);
    if (status == LF_OK)
        status = path_of(final, place->directory, "", name, "", error);
    if (status == LF_OK)
        status = path_of(making, place->directory, ".", name, MAKING, error);
    if (status == LF_OK && lstat(final, &about) == 0)
        return lf_error_set(error, LF_EXISTS, "this node has a backup %s already", name);
    if (status == LF_OK)
        status = check_count(place, error);
    return status == LF_OK ? backup_remove_tree(making, error) : status;
}

static enum lf_status describe_file(const char *store, const char *name, struct backup_about *about,
                                    struct lf_error *error) {
    char path[PATH_MAX];
    struct stat seen;
    struct backup_file file = {.has_sum = !ends_with(name, ".sst")};
    if (snprintf(file.name, sizeof file.name, "%s", name) >= (int)sizeof file.name)
        return lf_error_set(error, LF_INTERNAL, "a file of the store has a long name: %.100s", name);
    enum lf_status status = path_of(path, store, "", name, "", error);
    if (status == LF_OK && file.has_sum)
        status = backup_file_sum(path, &file.crc32c, &file.bytes, error);
    else if (status == LF_OK && stat(path, &seen) != 0)
        status = failed("look at", path, error);
    else if (status == LF_OK)
        file.bytes = (uint64_t)seen.st_size;
    struct backup_file *grown = status == LF_OK ? realloc(about->files, (about->file_count + 1) * sizeof *grown) : NULL;
    if (status != LF_OK)
        return status;
    if (!grown)
        return lf_error_set(error, LF_NO_MEMORY, "no memory");
    about->files = grown;
    grown[about->file_count++] = file;
    return LF_OK;
}

static int by_file(const void *a, const void *b) {
    return strcmp(((const struct backup_file *)a)->name, ((const struct backup_file *)b)->name);
}

static enum lf_status describe(const char *store, struct backup_about *about, struct lf_error *error) {
    DIR *stream = opendir(store);
    if (!stream)
        return failed("list", store, error);
    enum lf_status status = LF_OK;
    for (struct dirent *entry; status == LF_OK && (entry = readdir(stream)) != NULL;)
        if (!is_dots(entry->d_name))
            status = describe_file(store, entry->d_name, about, error);
    closedir(stream);
    if (about->file_count > 0)
        qsort(about->files, about->file_count, sizeof about->files[0], by_file);
    return status;
}

static enum lf_status write_about(const char *directory, const struct backup_about *about, struct lf_error *error) {
    char path[PATH_MAX];
    enum lf_status status = path_of(path, directory, "", BACKUP_ABOUT_FILE, "", error);
    if (status != LF_OK)
        return status;
    char *text = backup_about_encode(about);
    if (!text)
        return lf_error_set(error, LF_NO_MEMORY, "no memory");
    size_t size = strlen(text), done = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        status = failed("create", path, error);
    while (status == LF_OK && done < size) {
        ssize_t wrote = write(fd, text + done, size - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (errno != EINTR)
            status = failed("write", path, error);
    }
    if (status == LF_OK && fsync(fd) != 0)
        status = failed("sync", path, error);
    if (fd >= 0)
        close(fd);
    free(text);
    return status == LF_OK ? sync_directory(directory, error) : status;
}

static enum lf_status fill(const char *making, struct log_store *store, struct backup_about *about,
                           struct lf_error *error) {
    char copy[PATH_MAX];
    if (mkdir(making, 0750) != 0)
        return failed("make", making, error);
    enum lf_status status = path_of(copy, making, "", BACKUP_STORE_FOLDER, "", error);
    if (status == LF_OK)
        status = log_store_checkpoint(store, copy, error);
    if (status == LF_OK)
        status = describe(copy, about, error);
    return status == LF_OK ? write_about(making, about, error) : status;
}

enum lf_status backup_make(const struct backup_place *place, struct log_store *store, struct backup_about *about,
                           struct lf_error *error) {
    char final[PATH_MAX], making[PATH_MAX];
    enum lf_status status = prepare(place, about->name, final, making, error);
    if (status != LF_OK)
        return status;
    status = fill(making, store, about, error);
    if (status == LF_OK && rename(making, final) != 0)
        status = failed("rename", making, error);
    if (status != LF_OK) {
        backup_remove_tree(making, NULL);
        return status;
    }
    return sync_directory(place->directory, error);
}
