#include "store_directory.h"
#include "log_row.h"
#include "segment_file.h"
#include "witness.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "STORE-LOCK"

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

static bool starts_with(const char *name, const char *start) { return strncmp(name, start, strlen(start)) == 0; }

static bool number_of(const char *text, uint64_t *number, const char *end) {
    char *rest;
    if (*text < '0' || *text > '9')
        return false;
    *number = strtoull(text, &rest, 10);
    return strcmp(rest, end) == 0;
}

static enum store_file_kind kind_of(const char *name, uint64_t *number) {
    *number = 0;
    const char *torn = strstr(name, ".torn.");
    if (strcmp(name, LOCK_NAME) == 0)
        return STORE_FILE_LOCK;
    if (strcmp(name, STORE_DAMAGED_NAME) == 0)
        return STORE_FILE_DAMAGED;
    if (torn && number_of(torn + strlen(".torn."), number, ""))
        return STORE_FILE_TORN;
    if (strcmp(name, WITNESS_NAME) == 0)
        return STORE_FILE_WITNESS;
    if (strcmp(name, "CURRENT") == 0)
        return STORE_FILE_CURRENT;
    if (number_of(name, number, ".log"))
        return STORE_FILE_WAL;
    if (number_of(name, number, ".sst"))
        return STORE_FILE_TABLE;
    if (starts_with(name, SEGMENT_FILE_PREFIX) &&
        number_of(name + strlen(SEGMENT_FILE_PREFIX), number, SEGMENT_FILE_SUFFIX))
        return STORE_FILE_SEGMENT;
    if (starts_with(name, "MANIFEST-") && number_of(name + strlen("MANIFEST-"), number, ""))
        return STORE_FILE_MANIFEST;
    if (strcmp(name, "LOCK") == 0 || strcmp(name, "IDENTITY") == 0 || strcmp(name, "LOG") == 0 ||
        starts_with(name, "LOG.old.") || starts_with(name, "OPTIONS-") || ends_with(name, ".dbtmp"))
        return STORE_FILE_SMALL;
    return STORE_FILE_OTHER;
}

static int compare(const void *a, const void *b) {
    const struct store_file *left = a, *right = b;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return strcmp(left->name, right->name);
}

static enum lf_status add_file(struct store_files *files, int directory, const char *name) {
    struct stat about;
    if (fstatat(directory, name, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return LF_OK; /* gone since it was listed */
    enum lf_status status = log_array_reserve(&files->items, &files->capacity, files->count, sizeof files->items[0]);
    if (status != LF_OK)
        return status;
    struct store_file *file = &files->items[files->count++];
    *file = (struct store_file){.bytes = (uint64_t)about.st_size};
    int length = snprintf(file->name, sizeof file->name, "%s", name);
    file->kind = length < (int)sizeof file->name ? kind_of(name, &file->number) : STORE_FILE_OTHER;
    return LF_OK;
}

enum lf_status store_files_list(const char *directory, struct store_files *files, struct lf_error *error) {
    *files = (struct store_files){0};
    DIR *stream = opendir(directory);
    if (!stream)
        return lf_error_set(error, errno == ENOENT ? LF_NOT_FOUND : LF_IO, "list %s: %s", directory, strerror(errno));
    enum lf_status status = LF_OK;
    errno = 0;
    for (struct dirent *entry; status == LF_OK && (entry = readdir(stream)) != NULL; errno = 0)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            status = add_file(files, dirfd(stream), entry->d_name);
    if (status == LF_OK && errno != 0)
        status = lf_error_set(error, LF_IO, "list %s: %s", directory, strerror(errno));
    closedir(stream);
    if (status == LF_NO_MEMORY)
        lf_error_set(error, status, "list %s: no memory", directory);
    if (status != LF_OK)
        store_files_deinit(files);
    else if (files->count > 0)
        qsort(files->items, files->count, sizeof files->items[0], compare);
    return status;
}

void store_files_deinit(struct store_files *files) {
    free(files->items);
    *files = (struct store_files){0};
}

size_t store_files_count(const struct store_files *files, enum store_file_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < files->count; i++)
        count += files->items[i].kind == kind;
    return count;
}

enum lf_status store_directory_sync(const char *directory, struct lf_error *error) {
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0;
    if (failed)
        lf_error_set(error, LF_IO, "sync %s: %s", directory, strerror(errno));
    if (fd >= 0)
        close(fd);
    return failed ? LF_IO : LF_OK;
}

enum lf_status store_directory_make(const char *directory, struct lf_error *error) {
    char parent[PATH_MAX];
    if (mkdir(directory, 0750) != 0)
        return errno == EEXIST ? LF_OK : lf_error_set(error, LF_IO, "make %s: %s", directory, strerror(errno));
    int length = snprintf(parent, sizeof parent, "%s/..", directory);
    if (length >= (int)sizeof parent)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    return store_directory_sync(parent, error);
}

/* flock belongs to the open file: it also keeps a second store of the same process out, and closing some other
 * descriptor of the file does not drop it, as it would RocksDB's own lock (taken as well, later). */
static enum lf_status take_lock(const char *directory, int flags, int how, int *fd, struct lf_error *error) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", directory, LOCK_NAME);
    if (length >= (int)sizeof path)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    *fd = open(path, flags | O_CLOEXEC, 0640);
    if (*fd < 0)
        return lf_error_set(error, LF_IO, "open %s: %s", path, strerror(errno));
    if (flock(*fd, how | LOCK_NB) == 0)
        return LF_OK;
    enum lf_status status = errno == EWOULDBLOCK
                                ? lf_error_set(error, LF_EXISTS, "another process holds the store: %s is locked", path)
                                : lf_error_set(error, LF_IO, "lock %s: %s", path, strerror(errno));
    close(*fd);
    *fd = -1;
    return status;
}

enum lf_status store_directory_lock(const char *directory, int *fd, struct lf_error *error) {
    return take_lock(directory, O_RDWR | O_CREAT, LOCK_EX, fd, error);
}

enum lf_status store_directory_lock_shared(const char *directory, int *fd, struct lf_error *error) {
    return take_lock(directory, O_RDONLY, LOCK_SH, fd, error);
}
