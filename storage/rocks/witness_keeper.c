#include "witness_keeper.h"
#include "current_file.h"
#include "preflight_file.h"
#include "store_directory.h"
#include "wal_log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CURRENT_TRIES 5 /* the MANIFEST it names may be replaced and removed before it is opened */

static enum lf_status failed(const char *doing, const char *name, struct lf_error *error) {
    enum lf_status status = errno == ENOSPC ? LF_NO_SPACE : LF_IO;
    return lf_error_set(error, status, "%s %s: %s", doing, name, strerror(errno));
}

static int open_file(const struct witness_keeper *keeper, const char *name, int flags) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/%s", keeper->directory, name);
    if (length >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, flags | O_CLOEXEC, 0640);
}

static void close_file(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static enum lf_status size_of(int fd, const char *name, uint64_t *bytes, struct lf_error *error) {
    struct stat about;
    if (fstat(fd, &about) != 0)
        return failed("read", name, error);
    *bytes = (uint64_t)about.st_size;
    return LF_OK;
}

/* ---- the MANIFEST, which RocksDB's threads write ---- */

/* Moves on over whole edits; one that is being written is not counted. */
static enum lf_status count_edits(struct witness_keeper *keeper, uint64_t bytes, struct lf_error *error) {
    uint64_t from = keeper->said.manifest_bytes - keeper->said.manifest_bytes % WAL_BLOCK_BYTES;
    size_t size = (size_t)(bytes - from);
    uint8_t *data = malloc(size);
    if (!data)
        return lf_error_set(error, LF_NO_MEMORY, "no memory to read the MANIFEST");
    ssize_t got = pread(keeper->manifest_fd, data, size, (off_t)from);
    if (got < 0) {
        free(data);
        return failed("read", "MANIFEST", error);
    }
    struct wal_log log = {.bytes = lf_bytes(data, (size_t)got), .at = (size_t)(keeper->said.manifest_bytes - from)};
    struct wal_record record;
    while (wal_log_next(&log, &record) == WAL_NEXT_RECORD)
        keeper->said.manifest_bytes = from + record.end;
    wal_log_deinit(&log);
    free(data);
    return LF_OK;
}

static enum lf_status open_manifest(struct witness_keeper *keeper, uint64_t number, struct lf_error *error) {
    char name[64];
    snprintf(name, sizeof name, "MANIFEST-%06" PRIu64, number);
    close_file(&keeper->manifest_fd);
    keeper->manifest_fd = open_file(keeper, name, O_RDONLY);
    if (keeper->manifest_fd < 0)
        return errno == ENOENT ? LF_NOT_FOUND : failed("open", name, error);
    keeper->said.manifest_number = number;
    keeper->said.manifest_bytes = 0;
    return store_directory_sync(keeper->directory, error); /* CURRENT as it was read */
}

static enum lf_status find_manifest(struct witness_keeper *keeper, struct lf_error *error) {
    enum lf_status status = LF_NOT_FOUND;
    for (int i = 0; status == LF_NOT_FOUND && i < CURRENT_TRIES; i++) {
        struct preflight_bytes text;
        uint64_t number = 0;
        status = preflight_file_read(keeper->directory, "CURRENT", &text, error);
        if (status != LF_OK)
            return status == LF_DAMAGED ? LF_IO : status;
        bool good = current_file_decode(lf_bytes(text.data, text.size), &number);
        preflight_bytes_free(&text);
        if (!good)
            return lf_error_set(error, LF_IO, "%s/CURRENT does not name a MANIFEST", keeper->directory);
        if (keeper->manifest_fd < 0 || number != keeper->said.manifest_number)
            status = open_manifest(keeper, number, error);
    }
    if (status == LF_NOT_FOUND)
        return lf_error_set(error, LF_IO, "%s/CURRENT names a MANIFEST that is not there", keeper->directory);
    return status;
}

static enum lf_status take_manifest(struct witness_keeper *keeper, struct lf_error *error) {
    uint64_t bytes = 0, before;
    enum lf_status status = find_manifest(keeper, error);
    if (status == LF_OK)
        status = size_of(keeper->manifest_fd, "MANIFEST", &bytes, error);
    before = keeper->said.manifest_bytes;
    if (status == LF_OK && bytes > before)
        status = count_edits(keeper, bytes, error);
    if (status == LF_OK && keeper->said.manifest_bytes > before && fdatasync(keeper->manifest_fd) != 0)
        status = failed("sync", "MANIFEST", error);
    return status;
}

/* ---- the logs, which only our own writes change ---- */

static struct witness_wal *newest_of(struct witness_keeper *keeper) {
    return &keeper->said.wals[keeper->said.wal_count - 1];
}

static enum lf_status sync_wal(struct witness_keeper *keeper, uint64_t last_sequence, struct lf_error *error) {
    if (!keeper->wal_synced && fdatasync(keeper->wal_fd) != 0)
        return failed("sync", "the write-ahead log", error);
    keeper->wal_synced = true;
    newest_of(keeper)->bytes = keeper->wal_bytes;
    newest_of(keeper)->last_sequence = last_sequence;
    return LF_OK;
}

static enum lf_status take_wal(struct witness_keeper *keeper, const struct store_file *file, uint64_t sequence_before,
                               struct lf_error *error) {
    file_reaper_take(keeper->reaper, keeper->wal_fd);
    keeper->wal_fd = open_file(keeper, file->name, O_RDWR); /* which the reaper needs: nothing is written here */
    if (keeper->wal_fd < 0)
        return failed("open", file->name, error);
    witness_add(&keeper->said, &(struct witness_wal){.number = file->number, .last_sequence = sequence_before});
    keeper->wal_synced = false;
    return size_of(keeper->wal_fd, file->name, &keeper->wal_bytes, error);
}

/* Logs that are gone are needed no more: the MANIFEST said so, synced, before RocksDB removed them. */
static void drop_gone(struct witness *witness, const struct store_files *files) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < witness->wal_count; i++) {
        bool there = false;
        for (size_t j = 0; j < files->count && !there; j++)
            there = files->items[j].kind == STORE_FILE_WAL && files->items[j].number == witness->wals[i].number;
        if (there || i + 1 == witness->wal_count)
            witness->wals[kept++] = witness->wals[i];
    }
    witness->wal_count = kept;
}

/* The batch went to a newer log than the one watched, which grows no more. */
static enum lf_status follow_switch(struct witness_keeper *keeper, uint64_t sequence_before, bool *switched,
                                    struct lf_error *error) {
    struct store_files files;
    uint64_t newest = witness_newest(&keeper->said);
    enum lf_status status = store_files_list(keeper->directory, &files, error);
    if (status != LF_OK)
        return status;
    *switched = false;
    for (size_t i = 0; status == LF_OK && i < files.count; i++) {
        if (files.items[i].kind != STORE_FILE_WAL || files.items[i].number <= newest)
            continue;
        status = sync_wal(keeper, sequence_before, error);
        if (status == LF_OK)
            status = take_wal(keeper, &files.items[i], sequence_before, error);
        *switched = true;
    }
    drop_gone(&keeper->said, &files);
    store_files_deinit(&files);
    if (status == LF_OK && *switched)
        status = store_directory_sync(keeper->directory, error);
    return status;
}

/* ---- the file ---- */

static enum lf_status write_slot(const struct witness_keeper *keeper, struct lf_error *error) {
    uint8_t slot[WITNESS_SLOT_BYTES];
    witness_encode(&keeper->said, slot);
    ssize_t wrote = pwrite(keeper->fd, slot, sizeof slot, (off_t)witness_slot_offset(keeper->said.generation));
    if (wrote != (ssize_t)sizeof slot) {
        errno = wrote < 0 ? errno : EIO;
        return failed("write", WITNESS_NAME, error);
    }
    return fdatasync(keeper->fd) == 0 ? LF_OK : failed("sync", WITNESS_NAME, error);
}

enum lf_status witness_keeper_say(struct witness_keeper *keeper, uint64_t now_us, struct lf_error *error) {
    enum lf_status status = sync_wal(keeper, keeper->said.last_sequence, error);
    if (status == LF_OK)
        status = take_manifest(keeper, error);
    keeper->said.generation++;
    if (status == LF_OK)
        status = write_slot(keeper, error);
    keeper->behind = false;
    keeper->said_us = now_us;
    return status;
}

enum lf_status witness_keeper_wrote(struct witness_keeper *keeper, uint64_t sequence_before, uint64_t sequence_after,
                                    bool synced, uint64_t now_us, bool *said, struct lf_error *error) {
    uint64_t bytes = 0;
    bool switched = false;
    *said = false;
    enum lf_status status = size_of(keeper->wal_fd, "the write-ahead log", &bytes, error);
    if (status == LF_OK && bytes <= keeper->wal_bytes)
        status = follow_switch(keeper, sequence_before, &switched, error);
    if (status != LF_OK)
        return status;
    if (!switched)
        keeper->wal_bytes = bytes;
    keeper->wal_synced = synced;
    keeper->said.last_sequence = sequence_after;
    keeper->behind = true;
    if (!switched && now_us - keeper->said_us < WITNESS_INTERVAL_US)
        return LF_OK;
    *said = true;
    return witness_keeper_say(keeper, now_us, error);
}

static enum lf_status find_wal(struct witness_keeper *keeper, uint64_t last_sequence, struct lf_error *error) {
    struct store_files files;
    const struct store_file *newest = NULL;
    enum lf_status status = store_files_list(keeper->directory, &files, error);
    if (status != LF_OK)
        return status;
    for (size_t i = 0; i < files.count; i++)
        if (files.items[i].kind == STORE_FILE_WAL)
            newest = &files.items[i];
    status = newest ? take_wal(keeper, newest, last_sequence, error)
                    : lf_error_set(error, LF_IO, "%s has no write-ahead log", keeper->directory);
    store_files_deinit(&files);
    return status;
}

/* Made beside and renamed, so that a file of this name always has a readable slot, unless it is damaged. */
static enum lf_status create_file(struct witness_keeper *keeper, struct lf_error *error) {
    char from[PATH_MAX + 32], to[PATH_MAX + 32];
    snprintf(from, sizeof from, "%s/" WITNESS_NAME ".dbtmp", keeper->directory);
    snprintf(to, sizeof to, "%s/" WITNESS_NAME, keeper->directory);
    keeper->fd = open_file(keeper, WITNESS_NAME ".dbtmp", O_RDWR | O_CREAT | O_TRUNC);
    if (keeper->fd < 0 || ftruncate(keeper->fd, WITNESS_FILE_BYTES) != 0)
        return failed("create", from, error);
    keeper->said.generation++;
    enum lf_status status = write_slot(keeper, error);
    if (status == LF_OK && rename(from, to) != 0)
        status = failed("rename", from, error);
    return status == LF_OK ? store_directory_sync(keeper->directory, error) : status;
}

enum lf_status witness_keeper_open(struct witness_keeper *keeper, const char *directory, struct file_reaper *reaper,
                                   const uint8_t store_uuid[LOG_STORE_ID_BYTES], uint64_t last_sequence,
                                   uint64_t now_us, struct lf_error *error) {
    *keeper = (struct witness_keeper){
        .directory = strdup(directory), .reaper = reaper, .fd = -1, .wal_fd = -1, .manifest_fd = -1};
    if (!keeper->directory)
        return lf_error_set(error, LF_NO_MEMORY, "no memory for the witness");
    memcpy(keeper->said.store_uuid, store_uuid, LOG_STORE_ID_BYTES);
    keeper->said.last_sequence = last_sequence;
    enum lf_status status = find_wal(keeper, last_sequence, error);
    if (status == LF_OK)
        status = sync_wal(keeper, last_sequence, error);
    if (status == LF_OK)
        status = take_manifest(keeper, error);
    if (status == LF_OK)
        status = create_file(keeper, error);
    keeper->said_us = now_us;
    return status;
}

void witness_keeper_deinit(struct witness_keeper *keeper) {
    if (!keeper->directory)
        return;
    close_file(&keeper->fd);
    close_file(&keeper->wal_fd);
    close_file(&keeper->manifest_fd);
    free(keeper->directory);
    *keeper = (struct witness_keeper){0};
}
