#include "file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum lf_status failed(struct lf_error *error, const char *what, const char *path) {
    enum lf_status status = errno == ENOSPC || errno == EDQUOT ? LF_NO_SPACE : LF_IO;
    return lf_error_set(error, status, "%s %.180s: %s", what, path, strerror(errno));
}

static enum lf_status write_synced(const char *path, const void *data, size_t size, struct lf_error *error) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return failed(error, "create", path);
    ssize_t written = write(fd, data, size);
    if (written >= 0 && (size_t)written != size)
        errno = ENOSPC; /* a short write to a regular file */
    enum lf_status status = LF_OK;
    if (written < 0 || (size_t)written != size || fsync(fd) != 0)
        status = failed(error, "write", path);
    close(fd);
    return status;
}

enum lf_status file_write_sync_directory(const char *directory, struct lf_error *error) {
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    enum lf_status status = synced ? LF_OK : failed(error, "sync directory", directory);
    if (fd >= 0)
        close(fd);
    return status;
}

enum lf_status file_write_replace(const char *directory, const char *name, const void *data, size_t size,
                                  struct lf_error *error) {
    char path[PATH_MAX], beside[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    snprintf(beside, sizeof beside, "%s/%s.new", directory, name);
    enum lf_status status = write_synced(beside, data, size, error);
    if (status == LF_OK && rename(beside, path) != 0)
        status = failed(error, "rename", beside);
    return status == LF_OK ? file_write_sync_directory(directory, error) : status;
}
