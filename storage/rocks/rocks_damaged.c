/** A store that is lost as a whole: it is marked so that no later start takes it for whole, and set aside, never
 * deleted. */
#include "rocks_damaged.h"

#include "rocks_store.h"
#include "store_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum lf_status write_whole(const char *path, const char *words, struct lf_error *error) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return lf_error_set(error, LF_IO, "open %s: %s", path, strerror(errno));
    size_t size = strlen(words);
    bool done = write(fd, words, size) == (ssize_t)size && write(fd, "\n", 1) == 1 && fdatasync(fd) == 0;
    if (!done)
        lf_error_set(error, LF_IO, "write %s: %s", path, strerror(errno));
    close(fd);
    return done ? LF_OK : LF_IO;
}

enum lf_status rocks_store_condemn(const char *directory, const char *words, struct lf_error *error) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", directory, STORE_DAMAGED_NAME) >= (int)sizeof path)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    if (access(path, F_OK) == 0)
        return LF_OK; /* the first words are the cause */
    enum lf_status status = write_whole(path, words, error);
    return status == LF_OK ? store_directory_sync(directory, error) : status;
}

enum lf_status store_condemned(const char *directory, struct lf_error *error) {
    char path[PATH_MAX], words[LF_ERROR_TEXT_BYTES - 64];
    if (snprintf(path, sizeof path, "%s/%s", directory, STORE_DAMAGED_NAME) >= (int)sizeof path)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? LF_OK : lf_error_set(error, LF_IO, "open %s: %s", path, strerror(errno));
    ssize_t size = read(fd, words, sizeof words - 1);
    close(fd);
    words[size > 0 ? size : 0] = '\0';
    words[strcspn(words, "\n")] = '\0';
    return lf_error_set(error, LF_DAMAGED, "found damaged while it ran (%s): %s", STORE_DAMAGED_NAME, words);
}

enum lf_status rocks_store_set_aside(const char *directory, const char *aside, struct lf_error *error) {
    char parent[PATH_MAX];
    int lock = -1;
    struct stat about;
    if (lstat(directory, &about) != 0)
        return errno == ENOENT ? lf_error_set(error, LF_NOT_FOUND, "there is no %s", directory)
                               : lf_error_set(error, LF_IO, "%s: %s", directory, strerror(errno));
    if (snprintf(parent, sizeof parent, "%s/..", directory) >= (int)sizeof parent)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    if (lstat(aside, &about) == 0)
        return lf_error_set(error, LF_EXISTS, "%s is there already", aside);
    enum lf_status status = store_directory_lock(directory, &lock, error); /* nobody uses it */
    if (status != LF_OK)
        return status;
    if (rename(directory, aside) != 0)
        status = lf_error_set(error, LF_IO, "rename %s: %s", directory, strerror(errno));
    if (status == LF_OK)
        status = store_directory_sync(aside, error);
    if (status == LF_OK) {
        snprintf(parent, sizeof parent, "%s/..", aside);
        status = store_directory_sync(parent, error);
    }
    close(lock);
    return status;
}
