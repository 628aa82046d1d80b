#include "segment_file.h"
#include "rocks_error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char *segment_file_path(const char *directory, uint64_t id) {
    char *path = NULL;
    if (asprintf(&path, "%s/" SEGMENT_FILE_PREFIX "%" PRIu64 SEGMENT_FILE_SUFFIX, directory, id) < 0)
        return NULL;
    return path;
}

static void close_writer(struct segment_file *file) {
    if (file->writer)
        rocksdb_sstfilewriter_destroy(file->writer);
    if (file->environment)
        rocksdb_envoptions_destroy(file->environment);
    *file = (struct segment_file){0};
}

enum lf_status segment_file_begin(struct segment_file *file, const struct rocks_db *db, const char *directory,
                                  uint64_t id, const struct log_segment *running, struct lf_error *error) {
    char *path = segment_file_path(directory, id);
    char *failure = NULL;
    if (!path)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for a segment's file");
    *file = (struct segment_file){.id = id, .running = *running, .directory = directory};
    file->environment = rocksdb_envoptions_create();
    file->writer = rocksdb_sstfilewriter_create(file->environment, db->segment_options);
    rocksdb_sstfilewriter_open(file->writer, path, &failure);
    enum lf_status status = rocks_error(&failure, error, "create a segment");
    free(path);
    if (status != LF_OK)
        segment_file_abandon(file);
    return status;
}

enum lf_status segment_file_add(struct segment_file *file, uint64_t index, struct lf_bytes entry,
                                struct lf_error *error) {
    struct rocks_key key = rocks_key_entry(file->id, index);
    char *failure = NULL;
    rocksdb_sstfilewriter_put(file->writer, (const char *)key.bytes, key.size, (const char *)entry.data, entry.size,
                              &failure);
    enum lf_status status = rocks_error(&failure, error, "write a segment");
    if (status == LF_OK)
        log_segment_add(&file->running, entry);
    return status;
}

/* RocksDB syncs the file here; its name is made durable by the ingestion, under the name it has then. */
enum lf_status segment_file_finish(struct segment_file *file, struct lf_error *error) {
    char *failure = NULL;
    if (file->running.entry_count == 0) {
        segment_file_abandon(file);
        return LF_OK;
    }
    rocksdb_sstfilewriter_finish(file->writer, &failure);
    enum lf_status status = rocks_error(&failure, error, "finish a segment");
    if (status == LF_OK)
        close_writer(file);
    else
        segment_file_abandon(file);
    return status;
}

void segment_file_abandon(struct segment_file *file) {
    const char *directory = file->directory;
    uint64_t id = file->id;
    if (id == 0)
        return;
    close_writer(file);
    segment_file_remove(directory, id);
}

void segment_file_remove(const char *directory, uint64_t id) {
    char *path = segment_file_path(directory, id);
    if (path)
        unlink(path);
    free(path);
}
