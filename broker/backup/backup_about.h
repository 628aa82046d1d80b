/** backup.json: what a backup of one node is, beside the copy of its store. What is in the store (groups, ends of logs)
 *  is not said here again: it is read from the store.
 *
 *      {"format": 1, "name": "monday", "made_ms": 1764150000000, "cluster_name": "orders", "cluster_id": "32 hex
 * digits", "node": 2, "store_uuid": "32 hex digits", "files": [{"name": "CURRENT", "bytes": 16, "crc32c": "0a1b2c3d"},
 * {"name": "000012.sst", "bytes": 81234}, ...]}
 *
 *  Tables have sums of their own inside; every other file has one here. Unknown members are ignored; another format is
 *  refused. */
#ifndef BACKUP_ABOUT_H
#define BACKUP_ABOUT_H

#include "log_store.h"

#define BACKUP_ABOUT_FILE "backup.json"
#define BACKUP_STORE_FOLDER "store"
#define BACKUP_FORMAT 1
#define BACKUP_NAME_BYTES_MAX 64
#define BACKUP_CLUSTER_NAME_BYTES 128
/** Hard limit of the file's size. */
#define BACKUP_ABOUT_BYTES_MAX (64u * 1024 * 1024)

struct backup_file {
    char name[64];
    uint64_t bytes;
    bool has_sum;
    uint32_t crc32c;
};

struct backup_about {
    char name[BACKUP_NAME_BYTES_MAX + 1];
    int64_t made_ms; /**< Unix time */
    char cluster_name[BACKUP_CLUSTER_NAME_BYTES];
    uint8_t cluster_id[LOG_STORE_ID_BYTES];
    uint64_t node_id;
    uint8_t store_uuid[LOG_STORE_ID_BYTES];
    struct backup_file *files; /**< owned; by name, each once */
    size_t file_count;
};

/** 1 to BACKUP_NAME_BYTES_MAX of a-z A-Z 0-9 . _ -, not beginning with a dot: a file's name, and nothing else. */
bool backup_name_good(const char *name);
uint64_t backup_about_bytes(const struct backup_about *about);
/** NULL: it is not listed. */
const struct backup_file *backup_about_find(const struct backup_about *about, const char *name);
/** Returns (caller frees) the text, or NULL without memory. */
char *backup_about_encode(const struct backup_about *about);
/** LF_OK; LF_MALFORMED, LF_UNSUPPORTED (another format), LF_NO_MEMORY, in words. Deinit also after a failure. */
enum lf_status backup_about_decode(struct lf_bytes text, struct backup_about *about, struct lf_error *error);
void backup_about_deinit(struct backup_about *about);

#endif
