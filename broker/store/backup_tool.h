/** Shared by the files of `logflumed backup` only. */
#ifndef BACKUP_TOOL_H
#define BACKUP_TOOL_H

#include "backup_directory.h"
#include "recover_group.h"

#define BACKUP_SOURCES_MAX 64

struct backup_wish {
    const char *sources[BACKUP_SOURCES_MAX]; /**< directories with a backup.json */
    size_t source_count;
    const char *data; /**< restore: the new data directory */
    bool without_missing;
    struct store_wish store; /**< json, quiet; and the directory that is at work */
};

/** What a replica in a backup is good for. */
enum backup_part {
    BACKUP_PART_WHOLE,    /**< a voter: all that it holds may go on from it */
    BACKUP_PART_LEARNER,  /**< being filled when the backup was made */
    BACKUP_PART_NOT_OURS, /**< moved away, or replaced */
    BACKUP_PART_DELETED,  /**< of a deleted topic */
};

/** One backup, opened. */
struct backup_source {
    struct backup_about about;
    struct store_tool tool;    /**< its store, read-only */
    struct metadata *metadata; /**< the tool's, and what follows in the log: what the cluster goes on with */
    uint64_t metadata_term, metadata_index; /**< of the last entry of group 0 */
};

/* backup_source.c */
/** Every file of backup.json is there with its size, and its sum where it has one. Says what is not, to `output` too.
 *  The exit code. */
int backup_check_files(const char *directory, struct backup_wish *wish, struct backup_about *about,
                       struct lf_output *output);
/** Opens the backup for reading. The exit code; words are said. Close it in any case. */
int backup_source_open(struct backup_source *source, struct backup_wish *wish, const char *directory);
/** The metadata of a store whose group 0 has these rows, with the entries behind them applied. */
int backup_metadata_ahead(struct store_tool *tool, struct metadata **metadata, uint64_t *last_term,
                          uint64_t *last_index);
void backup_source_close(struct backup_source *source);
enum backup_part backup_part_of(const struct metadata *metadata, uint64_t node_id, const struct recover_group *group);

/* The tools: the exit code. */
int backup_verify(struct backup_wish *wish);
int backup_restore(struct backup_wish *wish);

/* restore_metadata.c */
/** Group 0 of the tool's store, which is open to write, is written anew: the same history, of a cluster with this id.
 */
enum lf_status restore_metadata(struct store_tool *tool, const uint8_t cluster_id[LOG_STORE_ID_BYTES],
                                struct lf_error *error);
/** An entry of group 0 as it is in a cluster with this id: the same bytes but for the id in what founded it. Returns
 *  (caller's) the entry, or NULL: without memory, or what it holds cannot be read. */
struct lf_buf *restore_metadata_entry(const struct lf_buf *entry, const uint8_t cluster_id[LOG_STORE_ID_BYTES]);

#endif
