#include "rocks_checkpoint.h"

#include "current_file.h"
#include "manifest_scan.h"
#include "preflight.h"
#include "preflight_file.h"
#include "rocks_error.h"
#include "store_directory.h"
#include "wal_scan.h"
#include "witness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the segment thread's part ----------------------------------------------------------------------------------- */

void rocks_checkpoint_make(const struct rocks_db *db, struct rocks_checkpoint *checkpoint) {
    char *failure = NULL;
    struct lf_error error = {0};
    rocksdb_checkpoint_t *maker = rocksdb_checkpoint_object_create(db->db, &failure);
    if (!failure)
        rocksdb_checkpoint_create(maker, checkpoint->directory, UINT64_MAX, &failure); /* without a flush */
    enum lf_status status = rocks_error(&failure, &error, "copy the store");
    if (maker)
        rocksdb_checkpoint_object_destroy(maker);
    rocks_checkpoint_end(checkpoint, status, error.text);
}

void rocks_checkpoint_end(struct rocks_checkpoint *checkpoint, enum lf_status status, const char *words) {
    pthread_mutex_lock(&checkpoint->lock);
    checkpoint->status = status;
    if (status != LF_OK)
        lf_error_set(&checkpoint->error, status, "%s", words);
    checkpoint->done = true;
    pthread_cond_signal(&checkpoint->changed);
    pthread_mutex_unlock(&checkpoint->lock);
}

void rocks_checkpoint_wait(struct rocks_checkpoint *checkpoint) {
    pthread_mutex_lock(&checkpoint->lock);
    while (!checkpoint->done)
        pthread_cond_wait(&checkpoint->changed, &checkpoint->lock);
    pthread_mutex_unlock(&checkpoint->lock);
}

/* ---- cutting ----------------------------------------------------------------------------------------------------- */

static enum lf_status path_of(char path[PATH_MAX], const char *directory, const char *name, struct lf_error *error) {
    if (snprintf(path, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX)
        return lf_error_set(error, LF_INVALID, "the directory's name is too long");
    return LF_OK;
}

/* Only copies: what is linked is the running store's as well. */
static enum lf_status check_is_copy(const char *directory, const char *name, struct lf_error *error) {
    char path[PATH_MAX];
    struct stat about;
    enum lf_status status = path_of(path, directory, name, error);
    if (status == LF_OK && stat(path, &about) != 0)
        status = lf_error_set(error, LF_IO, "%s: %s", path, strerror(errno));
    if (status == LF_OK && about.st_nlink != 1)
        status = lf_error_set(error, LF_INTERNAL, "%s cannot be read to its end, and is not a copy", path);
    return status;
}

/* A batch that was half written when its log was copied. Nobody was told of it yet. */
static enum lf_status cut_ends(const char *directory, struct lf_error *error) {
    struct preflight_report report;
    struct preflight_plan plan;
    struct store_files files;
    char path[PATH_MAX];
    enum lf_status status = preflight_judge(directory, &report, &plan, error);
    for (size_t i = 0; status == LF_OK && i < plan.cut_count; i++)
        status = check_is_copy(directory, plan.cuts[i].name, error);
    preflight_plan_deinit(&plan);
    if (status == LF_OK)
        status = preflight(directory, &report, error);
    if (status != LF_OK || report.cuts == 0)
        return status;
    status = store_files_list(directory, &files, error);
    for (size_t i = 0; status == LF_OK && i < files.count; i++)
        if (files.items[i].kind == STORE_FILE_TORN && path_of(path, directory, files.items[i].name, NULL) == LF_OK)
            unlink(path);
    store_files_deinit(&files);
    return status;
}

/* ---- syncing ----------------------------------------------------------------------------------------------------- */

static enum lf_status sync_file(const char *directory, const char *name, struct lf_error *error) {
    char path[PATH_MAX];
    enum lf_status status = path_of(path, directory, name, error);
    if (status != LF_OK)
        return status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        status = lf_error_set(error, LF_IO, "sync %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return status;
}

/* Tables were synced before the MANIFEST named them. */
static enum lf_status sync_files(const char *directory, struct lf_error *error) {
    struct store_files files;
    enum lf_status status = store_files_list(directory, &files, error);
    for (size_t i = 0; status == LF_OK && i < files.count; i++)
        if (files.items[i].kind != STORE_FILE_TABLE)
            status = sync_file(directory, files.items[i].name, error);
    store_files_deinit(&files);
    return status == LF_OK ? store_directory_sync(directory, error) : status;
}

/* ---- the witness ------------------------------------------------------------------------------------------------- */

static enum lf_status witness_manifest(const char *directory, struct witness *witness, struct manifest_scan *scan,
                                       struct lf_error *error) {
    struct preflight_bytes bytes;
    char name[64];
    enum lf_status status = preflight_file_read(directory, "CURRENT", &bytes, error);
    if (status != LF_OK)
        return status;
    bool good = current_file_decode(lf_bytes(bytes.data, bytes.size), &witness->manifest_number);
    preflight_bytes_free(&bytes);
    if (!good)
        return lf_error_set(error, LF_DAMAGED, "%s/CURRENT does not name a MANIFEST", directory);
    snprintf(name, sizeof name, "MANIFEST-%06" PRIu64, witness->manifest_number);
    status = preflight_file_read(directory, name, &bytes, error);
    if (status != LF_OK)
        return status;
    *scan = manifest_scan(lf_bytes(bytes.data, bytes.size));
    witness->manifest_bytes = bytes.size;
    witness->last_sequence = scan->last_sequence;
    preflight_bytes_free(&bytes);
    return scan->verdict == MANIFEST_WHOLE ? LF_OK : lf_error_set(error, LF_DAMAGED, "%s/%s", directory, name);
}

static enum lf_status witness_wals(const char *directory, uint64_t needed, struct witness *witness,
                                   struct lf_error *error) {
    struct wal_stream stream = {0};
    struct store_files files;
    enum lf_status status = store_files_list(directory, &files, error);
    for (size_t i = 0; status == LF_OK && i < files.count; i++) {
        struct preflight_bytes bytes;
        const struct store_file *file = &files.items[i];
        if (file->kind != STORE_FILE_WAL || file->number < needed)
            continue;
        status = preflight_file_read(directory, file->name, &bytes, error);
        if (status != LF_OK)
            break;
        struct wal_judgement judgement = wal_scan(&stream, lf_bytes(bytes.data, bytes.size));
        if (judgement.verdict != WAL_WHOLE)
            status = lf_error_set(error, LF_DAMAGED, "%s/%s at byte %zu", directory, file->name, judgement.bad_offset);
        uint64_t end = stream.records > 0 ? stream.sequence_next - 1 : 0;
        if (end > witness->last_sequence)
            witness->last_sequence = end;
        witness_add(witness, &(struct witness_wal){
                                 .number = file->number, .bytes = judgement.whole_bytes, .last_sequence = end});
        preflight_bytes_free(&bytes);
    }
    store_files_deinit(&files);
    return status;
}

static enum lf_status write_witness(const char *directory, const uint8_t store_uuid[LOG_STORE_ID_BYTES],
                                    struct lf_error *error) {
    struct witness witness = {.generation = 1};
    struct manifest_scan scan = {0};
    uint8_t file[WITNESS_FILE_BYTES] = {0};
    memcpy(witness.store_uuid, store_uuid, LOG_STORE_ID_BYTES);
    enum lf_status status = witness_manifest(directory, &witness, &scan, error);
    if (status == LF_OK)
        status = witness_wals(directory, manifest_log_min(&scan), &witness, error);
    manifest_scan_deinit(&scan);
    if (status != LF_OK)
        return status;
    witness_encode(&witness, file + witness_slot_offset(witness.generation));
    return preflight_file_replace(directory, WITNESS_NAME, lf_bytes(file, sizeof file), error);
}

enum lf_status rocks_checkpoint_finish(const char *directory, const uint8_t store_uuid[LOG_STORE_ID_BYTES],
                                       struct lf_error *error) {
    enum lf_status status = cut_ends(directory, error);
    if (status == LF_OK)
        status = sync_files(directory, error);
    return status == LF_OK ? write_witness(directory, store_uuid, error) : status;
}
