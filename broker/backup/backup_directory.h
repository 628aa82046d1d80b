/** A node's backups: directories BACKUPS/NAME, each with backup.json and a copy of the store that shares its tables
 *  with the store and with other backups by hard links.
 *
 *  What is begun has a name with a dot in front (.NAME.making, .NAME.deleting) until it is whole, or gone; a start
 *  removes what is left of one. Nothing in a finished backup is ever written again. */
#ifndef BACKUP_DIRECTORY_H
#define BACKUP_DIRECTORY_H

#include "backup_about.h"

struct backup_place {
    const char *directory; /**< BACKUPS; made when first needed, its parent is there */
    const char *store;     /**< the store's directory: on the same filesystem */
    uint32_t backups_max;
};

/** Removes what was begun and not finished. Fine without the directory. */
enum lf_status backup_clean(const struct backup_place *place, struct lf_error *error);
/** Makes a backup, durably. about: name, time, cluster and node are given, its files are filled in (owned by it). Waits
 *  for the store (log_store_checkpoint). LF_INVALID (bad name, another filesystem, backups_max), LF_EXISTS,
 * LF_NO_SPACE, LF_IO, in words; nothing is left of it then. */
enum lf_status backup_make(const struct backup_place *place, struct log_store *store, struct backup_about *about,
                           struct lf_error *error);
/** All that backups_max counts, by name: directories with a backup.json. One that cannot be read has a name and no
 * files. Returns *list (caller: backup_list_free). */
enum lf_status backup_list(const struct backup_place *place, struct backup_about **list, size_t *count,
                           struct lf_error *error);
void backup_list_free(struct backup_about *list, size_t count);
/** LF_NOT_FOUND; LF_INVALID: a bad name, or what has it is no directory with a backup.json, and is left alone; LF_IO.
 */
enum lf_status backup_delete(const struct backup_place *place, const char *name, struct lf_error *error);

/** DIRECTORY/backup.json. LF_NOT_FOUND; LF_MALFORMED, LF_UNSUPPORTED; LF_IO. Deinit it also after a failure. */
enum lf_status backup_about_read(const char *directory, struct backup_about *about, struct lf_error *error);
/** The sum of a file's bytes, and how many there are. LF_NOT_FOUND, LF_IO. */
enum lf_status backup_file_sum(const char *path, uint32_t *crc32c, uint64_t *bytes, struct lf_error *error);
/** A directory with what is in it, and in the directories two levels down. No link is followed: links go, what they
 * lead to stays. Fine when it is not there. LF_IO. */
enum lf_status backup_remove_tree(const char *path, struct lf_error *error);
/** May backups be made in `directory`? It need not be there yet, nor need `data`, the node's. Returns in `own` the name
 * in `data` that leads to it, "" when it is elsewhere. LF_INVALID in words: it is `data` or holds it, or is in the
 * store. */
enum lf_status backup_place_judge(const char *directory, const char *data, char *own, size_t own_size,
                                  struct lf_error *error);
/** LF_INVALID in words: the directory, which need not be there, is a backup or in one, at whatever depth. LF_IO. */
enum lf_status backup_place_outside(const char *path, struct lf_error *error);

#endif
