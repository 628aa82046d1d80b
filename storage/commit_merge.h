/** Which waiting writes go to the disk together: the pure part of the writer, the same code in both stores.
 *
 *  Rules: oldest first, of all groups; at most commit_bytes_max bytes in one commit, a larger write alone; one commit
 *  is one write batch with one sync, and it syncs only if a write in it wants that. No clock, thread or file here.
 */
#ifndef COMMIT_MERGE_H
#define COMMIT_MERGE_H

#include "log_store.h"

/** What waits, oldest first. Zeroed is empty. Owns its writes. */
struct commit_queue {
    struct log_store_write *head;
    struct log_store_write *tail;
    size_t bytes;
    uint32_t count;
};

/** What goes together. Owns its writes, linked by `next`, oldest first. */
struct commit {
    struct log_store_write *writes;
    uint32_t count;
    size_t bytes;
    bool sync;
};

/** Takes *write. */
void commit_queue_push(struct commit_queue *queue, struct log_store_write **write);
/** Moves the next commit into *commit (overwritten). False, and an empty commit, when nothing waits. */
bool commit_queue_take(struct commit_queue *queue, size_t commit_bytes_max, struct commit *commit);
void commit_queue_deinit(struct commit_queue *queue);
void commit_deinit(struct commit *commit);

#endif
