#include "store_replacement.h"

#include "file_write.h"
#include "rocks_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/** Stores set aside that are looked past for a free name. */
#define ASIDE_MAX 100000

enum lf_status store_replacement_under_way(const char *data, bool *under_way, struct lf_error *error) {
    char path[PATH_MAX];
    struct stat about;
    *under_way = false;
    if (snprintf(path, sizeof path, "%s/" STORE_REPLACEMENT_FILE, data) >= (int)sizeof path)
        return lf_error_set(error, LF_INVALID, "node.data is too long");
    if (lstat(path, &about) == 0)
        *under_way = true;
    else if (errno != ENOENT && errno != ENOTDIR)
        return lf_error_set(error, LF_IO, "%.180s: %s", path, strerror(errno));
    return LF_OK;
}

/** The first name that is free. */
static enum lf_status name_aside(const char *data, char aside[PATH_MAX], struct lf_error *error) {
    struct stat about;
    for (int n = 1; n < ASIDE_MAX; n++) {
        if (snprintf(aside, PATH_MAX, "%s/" STORE_REPLACED_PREFIX "%d", data, n) >= PATH_MAX)
            return lf_error_set(error, LF_INVALID, "node.data is too long");
        if (lstat(aside, &about) != 0)
            return errno == ENOENT ? LF_OK : lf_error_set(error, LF_IO, "%.180s: %s", aside, strerror(errno));
    }
    return lf_error_set(error, LF_IO, "%.150s holds too many stores that were set aside", data);
}

enum lf_status store_replacement_mark(const char *data, const char *why, struct lf_error *error) {
    char text[2 * LF_ERROR_TEXT_BYTES];
    int size = snprintf(text, sizeof text, "a new store takes the lost one's place: %s\n", why);
    return file_write_replace(data, STORE_REPLACEMENT_FILE, text,
                              size < (int)sizeof text ? (size_t)size : sizeof text - 1, error);
}

enum lf_status store_replacement_begin(const char *data, const char *store, const char *why, char aside[PATH_MAX],
                                       struct lf_error *error) {
    enum lf_status status = name_aside(data, aside, error);
    if (status == LF_OK)
        status = store_replacement_mark(data, why, error);
    if (status == LF_OK)
        status = rocks_store_set_aside(store, aside, error);
    if (status == LF_NOT_FOUND) {
        aside[0] = '\0';
        status = LF_OK;
    }
    return status;
}

enum lf_status store_replacement_end(const char *data, struct lf_error *error) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/" STORE_REPLACEMENT_FILE, data);
    if (unlink(path) != 0 && errno != ENOENT)
        return lf_error_set(error, LF_IO, "remove %.180s: %s", path, strerror(errno));
    return file_write_sync_directory(data, error);
}
