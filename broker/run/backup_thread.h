/** The thread that makes, lists and deletes this node's backups: what waits for disks is not the loop's. One thing at a
 *  time, in the order asked. */
#ifndef BACKUP_THREAD_H
#define BACKUP_THREAD_H

#include "backup_directory.h"
#include "log.h"
#include "node.h"

struct backup_thread_options {
    struct log_store *store; /**< borrowed, as all here, until it is destroyed */
    const char *data;        /**< node.data */
    const char *directory;   /**< backup.directory; empty: DATA/backups */
    const char *cluster_name;
    uint32_t backups_max;
    struct log *log; /**< of the loop's thread */
};

struct backup_thread;

/** Removes what an earlier run left half made. LF_NO_MEMORY, LF_IO (no thread), in words. */
enum lf_status backup_thread_new(const struct backup_thread_options *options, struct backup_thread **thread,
                                 struct lf_error *error);
/** Waits for what is under way; what waits is not done. Before the store is closed. NULL inside is fine. */
void backup_thread_destroy(struct backup_thread **thread);

/** Loop only, like all below. At most NODE_BACKUPS_MAX are under way. */
void backup_thread_ask(struct backup_thread *thread, const struct node_backup_wish *wish);
/** Returns (caller: backup_answer_destroy) the next one that was done, or NULL. */
struct backup_answer *backup_thread_poll(struct backup_thread *thread);
/** Readable when one is there and backup_thread_sleep said true. */
int backup_thread_fd(const struct backup_thread *thread);
bool backup_thread_sleep(struct backup_thread *thread);
void backup_thread_wake(struct backup_thread *thread);

struct backup_answer {
    struct node_backup_done done; /**< for the node; points into the rest */
    struct node_backup_wish wish;
    struct log_store_identity identity; /**< as it was when it was asked for */
    struct lf_error error;
    uint64_t took_ms;
    struct backup_about *list; /**< owned */
    size_t count;
    struct node_backup *backups; /**< owned */
};
void backup_answer_destroy(struct backup_answer **answer);

#endif
