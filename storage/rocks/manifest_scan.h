/** What start-up needs of RocksDB's MANIFEST: from which log on each column family still needs the write-ahead logs,
 * and which tables there have to be. Pure. The MANIFEST is a log file (wal_log.h) of version edits: tagged fields,
 * numbers as varints. Source: RocksDB wiki, "MANIFEST"; the tags of 7.8 (db/version_edit.h). */
#ifndef MANIFEST_SCAN_H
#define MANIFEST_SCAN_H

#include "wal_log.h"

#include <stdbool.h>

#define MANIFEST_FAMILIES_MAX 64u

enum manifest_verdict { MANIFEST_WHOLE, MANIFEST_TORN, MANIFEST_DAMAGED, MANIFEST_UNKNOWN, MANIFEST_NO_MEMORY };

struct manifest_family {
    uint32_t id;
    uint64_t log_number; /**< logs below it are not needed for this family */
    bool told;           /**< an edit gave its log number: its part of the first records is there */
};

struct manifest_table {
    uint64_t number;
    uint64_t bytes;
    uint64_t order; /**< of the edit's field that said so; the last one counts */
    size_t offset;  /**< of that edit */
    bool deleted;
};

struct manifest_scan {
    enum manifest_verdict verdict; /**< UNKNOWN: an edit with a field this code does not know */
    size_t whole_bytes;            /**< TORN: cut here */
    size_t bad_offset;
    struct manifest_family families[MANIFEST_FAMILIES_MAX];
    size_t family_count;
    uint64_t last_sequence;
    uint64_t family_max;           /**< the highest number ever given to one; 0: not said */
    uint64_t log_keep_min;         /**< RocksDB's own word on the oldest log to keep; 0 when it gave none */
    struct manifest_table *tables; /**< that belong to the store after the last whole edit, by number; owned */
    size_t table_count, table_capacity;
    size_t edit_offset; /* of the edit that is taken */
};

/** The caller frees what it owns with manifest_scan_deinit. */
struct manifest_scan manifest_scan(struct lf_bytes bytes);
void manifest_scan_deinit(struct manifest_scan *scan);
/** Whether every family's first records are whole: a MANIFEST that takes the place of another one counts (is named by
 *  CURRENT) only once they are synced. */
bool manifest_is_begun(const struct manifest_scan *scan);
/** Logs below it are not needed by any family. */
uint64_t manifest_log_min(const struct manifest_scan *scan);
/** Some family has flushed all logs below it; they were synced before that. */
uint64_t manifest_log_max(const struct manifest_scan *scan);

#endif
