#include "store_shadow.h"

#include "preflight_file.h"
#include "store_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum lf_status path_of(char path[PATH_MAX], const char *directory, const char *name, struct lf_error *error) {
    if (snprintf(path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    return LF_OK;
}

static enum lf_status write_file(const char *path, const uint8_t *data, size_t size, struct lf_error *error) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    enum lf_status status = fd < 0 ? lf_error_set(error, LF_IO, "create %s: %s", path, strerror(errno)) : LF_OK;
    for (size_t done = 0; status == LF_OK && done < size;) {
        ssize_t wrote = write(fd, data + done, size - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (wrote < 0 && errno != EINTR)
            status = lf_error_set(error, errno == ENOSPC ? LF_NO_SPACE : LF_IO, "write %s: %s", path, strerror(errno));
    }
    if (fd >= 0)
        close(fd);
    return status;
}

/* The beginning of a file. */
static enum lf_status copy(const char *store, const char *name, uint64_t keep, const char *path,
                           struct lf_error *error) {
    struct preflight_bytes bytes;
    enum lf_status status = preflight_file_read(store, name, &bytes, error);
    if (status != LF_OK)
        return status;
    status = write_file(path, bytes.data, keep < bytes.size ? (size_t)keep : bytes.size, error);
    preflight_bytes_free(&bytes);
    return status;
}

static const struct preflight_cut *cut_of(const struct preflight_plan *plan, const char *name) {
    for (size_t i = 0; plan && i < plan->cut_count; i++)
        if (strcmp(plan->cuts[i].name, name) == 0)
            return &plan->cuts[i];
    return NULL;
}

static enum lf_status add(const char *store, const struct store_file *file, const struct preflight_plan *plan,
                          const struct store_shadow *shadow, struct lf_error *error) {
    char from[PATH_MAX], to[PATH_MAX];
    const struct preflight_cut *cut = cut_of(plan, file->name);
    enum lf_status status = path_of(from, store, file->name, error);
    if (status == LF_OK)
        status = path_of(to, shadow->directory, file->name, error);
    if (status != LF_OK)
        return status;
    if (cut)
        return copy(store, file->name, cut->keep, to, error);
    if (file->kind == STORE_FILE_CURRENT && plan && plan->names_current) {
        char text[80];
        int size = snprintf(text, sizeof text, "%s\n", plan->manifest);
        return write_file(to, (const uint8_t *)text, (size_t)size, error);
    }
    if (symlink(from, to) != 0)
        return lf_error_set(error, LF_IO, "link %s: %s", to, strerror(errno));
    return LF_OK;
}

static bool belongs(enum store_file_kind kind) {
    return kind == STORE_FILE_CURRENT || kind == STORE_FILE_MANIFEST || kind == STORE_FILE_WAL ||
           kind == STORE_FILE_TABLE;
}

static enum lf_status fill(const char *store, const struct preflight_plan *plan, const struct store_shadow *shadow,
                           struct lf_error *error) {
    struct store_files files;
    enum lf_status status = store_files_list(store, &files, error);
    for (size_t i = 0; status == LF_OK && i < files.count; i++)
        if (belongs(files.items[i].kind))
            status = add(store, &files.items[i], plan, shadow, error);
    store_files_deinit(&files);
    return status;
}

enum lf_status store_shadow_make(const char *store, const struct preflight_plan *plan, struct store_shadow *shadow,
                                 struct lf_error *error) {
    char whole[PATH_MAX];
    const char *base = getenv("TMPDIR");
    shadow->directory[0] = '\0';
    if (!realpath(store, whole))
        return lf_error_set(error, errno == ENOENT ? LF_NOT_FOUND : LF_IO, "%s: %s", store, strerror(errno));
    enum lf_status status = path_of(shadow->directory, base && base[0] ? base : "/tmp", "logflume-store.XXXXXX", error);
    if (status == LF_OK && !mkdtemp(shadow->directory)) {
        status = lf_error_set(error, LF_IO, "make %s: %s", shadow->directory, strerror(errno));
        shadow->directory[0] = '\0';
    }
    if (status == LF_OK)
        status = fill(whole, plan, shadow, error);
    if (status != LF_OK)
        store_shadow_remove(shadow);
    return status;
}

/* All in it is ours: links, copies, and RocksDB's info log. */
void store_shadow_remove(struct store_shadow *shadow) {
    char path[PATH_MAX];
    DIR *stream = shadow->directory[0] ? opendir(shadow->directory) : NULL;
    for (struct dirent *entry; stream && (entry = readdir(stream)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            path_of(path, shadow->directory, entry->d_name, NULL) == LF_OK)
            unlink(path);
    if (stream)
        closedir(stream);
    if (shadow->directory[0])
        rmdir(shadow->directory);
    shadow->directory[0] = '\0';
}
