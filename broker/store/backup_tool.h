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

/** The cluster of several backups. */
struct backup_cluster {
    bool known;
    uint8_t id[LOG_STORE_ID_BYTES];
};

/** One backup, opened. */
struct backup_source {
    struct backup_about about;
    struct store_tool tool;    /**< its store, read-only */
    struct metadata *metadata; /**< the tool's, and what follows in the log: what the cluster goes on with */
    uint64_t metadata_term, metadata_index; /**< of the last entry of group 0 */
};

/* backup_source.c */
/** Every file of backup.json is there with its size, and its sum where it has one, and no other file is. Says what is
 * not, to `output` too. The exit code. */
int backup_check_files(const char *directory, struct backup_wish *wish, struct backup_about *about,
                       struct lf_output *output);
/** Opens the backup for reading. The exit code; words are said. Close it in any case. */
int backup_source_open(struct backup_source *source, struct backup_wish *wish, const char *directory);
/** The same after its files were checked and its store was verified. */
int backup_source_examine(struct backup_source *source, struct backup_wish *wish, const char *directory,
                          struct lf_output *output);
/** Is it of the cluster of those before it (the first one says which), and of one node? The exit code. */
int backup_source_of_cluster(const struct backup_source *source, const char *directory, struct backup_cluster *cluster);
void backup_source_close(struct backup_source *source);
enum backup_part backup_part_of(const struct metadata *metadata, uint64_t node_id, const struct recover_group *group);

/* The tools: the exit code. */
int backup_verify(struct backup_wish *wish);
int backup_restore(struct backup_wish *wish);

/* restore_plan.c */
/** A replica, in one of the backups that were named. */
struct restore_part {
    uint64_t group, last_term, last_index, bytes;
    uint32_t source; /**< position in wish->sources */
};
/** Of each group the copy that is taken. */
struct restore_plan {
    struct restore_part *parts; /**< by rising group */
    size_t count;
    uint32_t base;                           /**< the backup whose metadata is taken: the newest */
    uint64_t node_ids[BACKUP_SOURCES_MAX];   /**< of the backups */
    uint64_t held_bytes[BACKUP_SOURCES_MAX]; /**< in their whole replicas */
};
/** Examines all backups, one after the other, and chooses. The exit code; words are said. Deinit in any case. */
int restore_plan_make(struct restore_plan *plan, struct backup_wish *wish, struct lf_output *output);
void restore_plan_deinit(struct restore_plan *plan);
/** NULL: no backup has a whole replica. */
const struct restore_part *restore_plan_find(const struct restore_plan *plan, uint64_t group);
/** Those that are in another backup than the base: the parts that `metadata` (the base's) knows and has not deleted
 * stay, others go; how many went because it does not know them. */
size_t restore_plan_keep_known(struct restore_plan *plan, const struct metadata *metadata);
/** Pure. Of all parts (any order), the best of each group is left, the base is chosen. False: none has group 0. */
bool restore_plan_choose(struct restore_plan *plan);

/* restore_files.c */
struct restore_files {
    const struct backup_about *about; /**< of the backup */
    const char *backup, *data;        /**< directories: of the backup, and the new one */
    const char *building;             /**< below data; what is there already goes */
    uint64_t imported_bytes;          /**< for which there has to be room too */
};
/** Durably. LF_NO_SPACE, LF_IO, LF_INVALID, in words. */
enum lf_status restore_files(const struct restore_files *files, struct store_tool *tool, struct lf_error *error);
/** Words for what errno says. */
enum lf_status restore_failed(struct lf_error *error, const char *doing, const char *path);
/** DIRECTORY/NAME. LF_INVALID: too long. */
enum lf_status restore_path(char path[PATH_MAX], const char *directory, const char *name, struct lf_error *error);
enum lf_status restore_sync(const char *path, struct lf_error *error);

/* restore_import.c */
/** Copies the group as it is, by the contract of the store, in bounded memory, under another replica id; without the
 *  vote. In `to` the group must not exist; not atomic. */
enum lf_status restore_import(struct store_tool *from, struct store_tool *to, uint64_t group, uint64_t replica_id,
                              struct lf_error *error);

/* restore_assign.c */
/** Adds to the write of group 0 (recover_group_write) what makes the metadata name `node_id` for every part that comes
 *  from another backup, where it does not yet, and applies the whole write to `metadata`, which is at the entry before.
 */
enum lf_status restore_assign(const struct restore_plan *plan, uint64_t node_id, const struct recover_group *group,
                              struct log_store_write *write, struct metadata *metadata, struct lf_error *error);

/* restore_metadata.c */
/** Group 0 of the tool's store, which is open to write, is written anew: the same history, of a cluster with this id.
 */
enum lf_status restore_metadata(struct store_tool *tool, const uint8_t cluster_id[LOG_STORE_ID_BYTES],
                                struct lf_error *error);
/** An entry of group 0 as it is in a cluster with this id: the same bytes but for the id in what founded it. Returns
 *  (caller's) the entry, or NULL: without memory, or what it holds cannot be read. */
struct lf_buf *restore_metadata_entry(const struct lf_buf *entry, const uint8_t cluster_id[LOG_STORE_ID_BYTES]);

#endif
