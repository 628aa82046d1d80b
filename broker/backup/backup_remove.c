/** Removing what backups are made of. No link is followed: a directory is opened by its name in the one above, and what
 *  is not a directory loses its name only. */
#include "backup_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static enum lf_status failed(const char *doing, const char *name, struct lf_error *error) {
    return lf_error_set(error, LF_IO, "%s %.300s: %s", doing, name, strerror(errno));
}

static bool is_dots(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

static enum lf_status remove_at(int above, const char *name, int depth, struct lf_error *error);

/** Takes fd. */
static enum lf_status empty(int fd, const char *name, int depth, struct lf_error *error) {
    enum lf_status status = LF_OK;
    DIR *stream = fdopendir(fd);
    if (!stream) {
        status = failed("list", name, error);
        close(fd);
        return status;
    }
    for (struct dirent *entry; status == LF_OK && (entry = readdir(stream)) != NULL;)
        if (!is_dots(entry->d_name))
            status = remove_at(fd, entry->d_name, depth, error);
    closedir(stream);
    return status;
}

/** depth: of the directories that may be in it. */
static enum lf_status remove_at(int above, const char *name, int depth, struct lf_error *error) {
    if (unlinkat(above, name, 0) == 0 || errno == ENOENT)
        return LF_OK;
    if (errno != EISDIR || depth == 0)
        return failed("remove", name, error);
    int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    enum lf_status status = fd < 0 ? failed("open", name, error) : empty(fd, name, depth - 1, error);
    if (status == LF_OK && unlinkat(above, name, AT_REMOVEDIR) != 0)
        status = failed("remove", name, error);
    return status;
}

enum lf_status backup_remove_tree(const char *path, struct lf_error *error) {
    return remove_at(AT_FDCWD, path, 3, error); /* RocksDB begins its copy in a directory of its own */
}
