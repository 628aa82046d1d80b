/** Where backups may be: no directory of which a name could be the store's, or the node's. And where nothing else may
 * be: in one of them. */
#include "backup_directory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/** Without links and dots, as far as it is there; the rest as it is named. */
static enum lf_status resolve(const char *path, char real[PATH_MAX], struct lf_error *error) {
    char rest[PATH_MAX] = "", head[PATH_MAX], joined[PATH_MAX];
    if (snprintf(head, sizeof head, "%s", path) >= (int)sizeof head)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    while (!realpath(head[0] ? head : ".", real)) {
        char *slash = strrchr(head, '/'), *name = slash ? slash + 1 : head;
        if (errno != ENOENT || !head[0])
            return lf_error_set(error, LF_IO, "%.300s: %s", path, strerror(errno));
        if (strcmp(name, "..") == 0)
            return lf_error_set(error, LF_INVALID, "%.300s: there is no such directory", path);
        if (name[0] && strcmp(name, ".") != 0 &&
            snprintf(joined, sizeof joined, "/%s%s", name, rest) < (int)sizeof joined)
            memcpy(rest, joined, sizeof rest);
        if (slash == head)
            head[1] = '\0'; /* below the root */
        else
            *(slash ? slash : head) = '\0';
    }
    size_t length = strcmp(real, "/") == 0 ? 0 : strlen(real);
    if (length + strlen(rest) >= PATH_MAX)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    strcpy(real + length, rest[0] || length > 0 ? rest : "/");
    return LF_OK;
}

/** NULL: `path` is not below `above`; else what of it is, "" when they are one. */
static const char *below(const char *path, const char *above) {
    size_t length = strcmp(above, "/") == 0 ? 0 : strlen(above);
    if (strncmp(path, above, length) != 0 || (path[length] != '/' && path[length] != '\0'))
        return NULL;
    return path[length] == '/' ? path + length + 1 : path + length;
}

enum lf_status backup_place_judge(const char *directory, const char *data, char *own, size_t own_size,
                                  struct lf_error *error) {
    char place[PATH_MAX], node[PATH_MAX];
    own[0] = '\0';
    enum lf_status status = resolve(directory, place, error);
    if (status == LF_OK)
        status = resolve(data, node, error);
    if (status != LF_OK)
        return lf_error_context(error, "backup.directory");
    if (below(node, place))
        return lf_error_set(error, LF_INVALID,
                            "backup.directory (%.150s) is node.data, or holds it: name a directory of its own", place);
    const char *inside = below(place, node);
    if (!inside)
        return LF_OK;
    size_t length = strcspn(inside, "/");
    if (length == strlen(BACKUP_STORE_FOLDER) && strncmp(inside, BACKUP_STORE_FOLDER, length) == 0)
        return lf_error_set(error, LF_INVALID,
                            "backup.directory (%.150s) is the store, or in it: name a directory of its own", place);
    if (length < own_size)
        snprintf(own, own_size, "%.*s", (int)length, inside);
    return LF_OK;
}

enum lf_status backup_place_outside(const char *path, struct lf_error *error) {
    char above[PATH_MAX], about[PATH_MAX];
    struct stat seen;
    enum lf_status status = resolve(path, above, error);
    while (status == LF_OK) {
        int used = snprintf(about, sizeof about, "%s/" BACKUP_ABOUT_FILE, above);
        if (used < (int)sizeof about && lstat(about, &seen) == 0)
            return lf_error_set(error, LF_INVALID, "%.200s is in a backup, where nothing is written: %.200s", path,
                                above);
        char *slash = strrchr(above, '/');
        if (!slash || !above[0])
            return LF_OK;
        *slash = '\0';
    }
    return status;
}
