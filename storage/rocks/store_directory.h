/** The store's directory: making it, holding it for one process, and what lies in it. */
#ifndef STORE_DIRECTORY_H
#define STORE_DIRECTORY_H

#include "lf_status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What was found damaged while the store ran: no start takes it for whole again (rocks_damaged.h). */
#define STORE_DAMAGED_NAME "DAMAGED"

/** RocksDB's names, by kind; anything else in the directory is not its own. */
enum store_file_kind {
    STORE_FILE_OTHER,
    STORE_FILE_LOCK,    /**< ours */
    STORE_FILE_WITNESS, /**< ours */
    STORE_FILE_DAMAGED, /**< ours */
    STORE_FILE_TORN,    /**< NAME.torn.NUMBER: kept torn ends */
    STORE_FILE_CURRENT,
    STORE_FILE_WAL,     /**< NUMBER.log */
    STORE_FILE_TABLE,   /**< NUMBER.sst */
    STORE_FILE_SEGMENT, /**< segment-NUMBER.building: ours */
    STORE_FILE_MANIFEST,
    STORE_FILE_SMALL, /**< LOCK, LOG, IDENTITY, OPTIONS-*, *.dbtmp: nothing is lost with them */
};

struct store_file {
    enum store_file_kind kind;
    uint64_t number;
    uint64_t bytes;
    char name[64]; /**< longer names are STORE_FILE_OTHER, cut */
};

/** All files of the directory, ordered by kind, then number. Owned: store_files_deinit. */
struct store_files {
    struct store_file *items;
    size_t count, capacity;
};

/** LF_NOT_FOUND when there is no such directory; LF_IO. */
enum lf_status store_files_list(const char *directory, struct store_files *files, struct lf_error *error);
void store_files_deinit(struct store_files *files);
size_t store_files_count(const struct store_files *files, enum store_file_kind kind);

/** Makes the directory (one level), durably. Fine when it exists. */
enum lf_status store_directory_make(const char *directory, struct lf_error *error);
/** Holds the directory for this process until *fd is closed. LF_EXISTS when another holds it. */
enum lf_status store_directory_lock(const char *directory, int *fd, struct lf_error *error);
/** The same beside others who only read; the directory's lock file exists, and nothing is written. */
enum lf_status store_directory_lock_shared(const char *directory, int *fd, struct lf_error *error);
/** fsync of the directory. */
enum lf_status store_directory_sync(const char *directory, struct lf_error *error);

#endif
