#include "preflight_file.h"
#include "store_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum lf_status failed(const char *doing, const char *path, struct lf_error *error) {
    enum lf_status status = errno == ENOENT ? LF_DAMAGED : errno == ENOSPC ? LF_NO_SPACE : LF_IO;
    return lf_error_set(error, status, "%s %s: %s", doing, path, strerror(errno));
}

static enum lf_status path_of(char path[PATH_MAX], const char *directory, const char *name, struct lf_error *error) {
    int length = snprintf(path, PATH_MAX, "%s/%s", directory, name);
    return length < PATH_MAX ? LF_OK : lf_error_set(error, LF_INVALID, "the directory's name is too long");
}

static enum lf_status read_all(int fd, const char *path, struct preflight_bytes *bytes, struct lf_error *error) {
    struct stat about;
    if (fstat(fd, &about) != 0)
        return failed("read", path, error);
    bytes->data = malloc((size_t)about.st_size + 1);
    if (!bytes->data)
        return lf_error_set(error, LF_NO_MEMORY, "no memory to read %s", path);
    while (bytes->size < (size_t)about.st_size) {
        ssize_t got = pread(fd, bytes->data + bytes->size, (size_t)about.st_size - bytes->size, (off_t)bytes->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return failed("read", path, error);
        if (got == 0)
            break; /* shorter than it said: someone else is at work, or it never was longer */
        bytes->size += (size_t)got;
    }
    return LF_OK;
}

enum lf_status preflight_file_read(const char *directory, const char *name, struct preflight_bytes *bytes,
                                   struct lf_error *error) {
    char path[PATH_MAX];
    *bytes = (struct preflight_bytes){0};
    enum lf_status status = path_of(path, directory, name, error);
    if (status != LF_OK)
        return status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return failed("open", path, error);
    status = read_all(fd, path, bytes, error);
    close(fd);
    if (status != LF_OK)
        preflight_bytes_free(bytes);
    return status;
}

void preflight_bytes_free(struct preflight_bytes *bytes) {
    free(bytes->data);
    *bytes = (struct preflight_bytes){0};
}

/* Numbers rise over all kept ends of a store, so that names tell the order and the oldest can go. */
static enum lf_status copy_name(char path[PATH_MAX], const char *directory, const char *name, struct lf_error *error) {
    struct store_files files;
    char text[96];
    uint64_t number = 1;
    enum lf_status status = store_files_list(directory, &files, error);
    if (status != LF_OK)
        return status;
    for (size_t i = 0; i < files.count; i++)
        if (files.items[i].kind == STORE_FILE_TORN && files.items[i].number >= number)
            number = files.items[i].number + 1;
    for (size_t i = 0; i < files.count; i++)
        if (files.items[i].kind == STORE_FILE_TORN && files.items[i].number + PREFLIGHT_TORN_COPIES_MAX <= number &&
            path_of(path, directory, files.items[i].name, NULL) == LF_OK)
            unlink(path);
    store_files_deinit(&files);
    snprintf(text, sizeof text, "%s.torn.%" PRIu64, name, number);
    return path_of(path, directory, text, error);
}

static enum lf_status write_copy(const char *path, const uint8_t *data, size_t size, struct lf_error *error) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return failed("create", path, error);
    enum lf_status status = LF_OK;
    for (size_t done = 0; status == LF_OK && done < size;) {
        ssize_t wrote = write(fd, data + done, size - done);
        if (wrote >= 0)
            done += (size_t)wrote;
        else if (errno != EINTR)
            status = failed("write", path, error);
    }
    if (status == LF_OK && fdatasync(fd) != 0)
        status = failed("sync", path, error);
    close(fd);
    return status;
}

static enum lf_status cut(const char *path, size_t keep, struct lf_error *error) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return failed("open", path, error);
    enum lf_status status = LF_OK;
    if (ftruncate(fd, (off_t)keep) != 0)
        status = failed("cut", path, error);
    else if (fsync(fd) != 0)
        status = failed("sync", path, error);
    close(fd);
    return status;
}

enum lf_status preflight_file_cut(const char *directory, const char *name, size_t keep, size_t *bytes_cut,
                                  struct lf_error *error) {
    struct preflight_bytes bytes;
    char path[PATH_MAX], copy[PATH_MAX];
    enum lf_status status = preflight_file_read(directory, name, &bytes, error);
    if (status != LF_OK)
        return status;
    *bytes_cut = bytes.size > keep ? bytes.size - keep : 0;
    status = path_of(path, directory, name, error);
    if (status == LF_OK)
        status = copy_name(copy, directory, name, error);
    if (status == LF_OK)
        status = write_copy(copy, bytes.data + keep, *bytes_cut, error);
    if (status == LF_OK)
        status = store_directory_sync(directory, error);
    if (status == LF_OK)
        status = cut(path, keep, error);
    preflight_bytes_free(&bytes);
    return status;
}

enum lf_status preflight_file_replace(const char *directory, const char *name, struct lf_bytes bytes,
                                      struct lf_error *error) {
    char path[PATH_MAX], beside[PATH_MAX], beside_name[96];
    snprintf(beside_name, sizeof beside_name, "%s.new", name);
    enum lf_status status = path_of(path, directory, name, error);
    if (status == LF_OK)
        status = path_of(beside, directory, beside_name, error);
    if (status == LF_OK && unlink(beside) != 0 && errno != ENOENT)
        status = failed("remove", beside, error);
    if (status == LF_OK)
        status = write_copy(beside, bytes.data, bytes.size, error);
    if (status == LF_OK && rename(beside, path) != 0)
        status = failed("rename", beside, error);
    return status == LF_OK ? store_directory_sync(directory, error) : status;
}
