/** log_store on RocksDB: all of RocksDB is behind this header. */
#ifndef ROCKS_STORE_H
#define ROCKS_STORE_H

#include "log_store.h"

/** Zeroes mean the default in brackets. */
struct rocks_store_options {
    const char *directory; /**< borrowed for the call */
    /** NULL, or the cluster that the store belongs to from now on, whichever it belonged to: for a restored copy.
     * Borrowed. */
    const uint8_t *adopt_cluster_id;
    bool create;                   /**< create if empty or absent; else an empty directory is LF_NOT_FOUND */
    uint32_t memtable_bytes;       /**< [32 MiB] times a factor that differs by a quarter between nodes */
    uint32_t wal_bytes_max;        /**< [96 MiB] total */
    uint32_t commit_bytes_max;     /**< [1 MiB] */
    uint32_t submit_bytes_max;     /**< [64 MiB] */
    uint32_t reads_max;            /**< [1024] under way */
    uint32_t reader_threads;       /**< [2] */
    uint32_t open_files_max;       /**< [512] */
    uint32_t segment_builders_max; /**< [32] groups whose open segment is written beside the log */
    uint32_t stage_bytes_max;      /**< [16 MiB] of segments that come from elsewhere, handed over and not staged yet */
    uint32_t compaction_memory_bytes; /**< [64 MiB] of the map of keys of a rewrite (log_rewrite.h) */
    uint32_t compaction_bytes_per_s;  /**< [128 MiB] that rewrites read at most */
    uint32_t scrub_bytes_per_s; /**< at which all that is stored is read again and again, to find damage; 0: not */
};

/** Opens or creates. `identity`: node_id must match; cluster_id must match when both are not zero; store_uuid is made
 *  by the caller for a new store and ignored for an old one. Cuts the newest WAL's torn end first, keeping a copy, then
 *  checks hard state and contiguous ends of every group. Errors: LF_NOT_FOUND (empty and not create), LF_WRONG_STORE,
 *  LF_DAMAGED (file named), LF_IO, LF_EXISTS (another process holds it). */
enum lf_status rocks_store_open(const struct rocks_store_options *options, const struct log_store_identity *identity,
                                struct log_store **store, struct lf_error *error);

/** Whether the directory holds a store already (false for absent or empty). LF_IO when it cannot be read; LF_INVALID
 *  when it holds something else. */
enum lf_status rocks_store_present(const char *directory, bool *present, struct lf_error *error);

/** The store was found damaged while it ran, as the words (one line) say: it cannot be opened any more (LF_DAMAGED),
 *  until it is replaced or somebody who knows better removes the file DAMAGED. The store is closed. LF_IO. */
enum lf_status rocks_store_condemn(const char *directory, const char *words, struct lf_error *error);
/** Renames the directory, durably, while nobody uses it. LF_EXISTS: a process holds it, or `aside` is there already;
 *  LF_NOT_FOUND, LF_IO. */
enum lf_status rocks_store_set_aside(const char *directory, const char *aside, struct lf_error *error);

struct rocks_store_statistics {
    uint64_t writes, commits, syncs, bytes_written, reads, commit_us_max;
    uint64_t stall_us; /**< time RocksDB held writes back */
};
/** Any thread. */
void rocks_store_statistics(const struct log_store *store, struct rocks_store_statistics *out);

#endif
