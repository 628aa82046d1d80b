/** A copy of an open store that costs next to nothing: links to the tables, copies of the MANIFEST and of the newest
 *  log, and a witness of its own, so that a start finds out what is missing of it.
 *
 *  The segment thread lets RocksDB make it: nothing is ingested meanwhile. So no row in the copied logs names a table
 * that the copied MANIFEST, which RocksDB takes first, does not have. What else happens in between (flushes, merges, a
 * batch that is being written) is what a killed process may leave, too. Nothing is flushed for it. */
#ifndef ROCKS_CHECKPOINT_H
#define ROCKS_CHECKPOINT_H

#include "rocks_db.h"

#include <pthread.h>

/** One wish, handed to the segment thread by whoever waits for it. Zero-initialise; of one thread, the waiting one. */
struct rocks_checkpoint {
    const char *directory; /**< borrowed */
    enum lf_status status;
    struct lf_error error;
    bool done;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

/** On the segment thread: RocksDB's part. */
void rocks_checkpoint_make(const struct rocks_db *db, struct rocks_checkpoint *checkpoint);
/** Ends the wait. */
void rocks_checkpoint_end(struct rocks_checkpoint *checkpoint, enum lf_status status, const char *words);
void rocks_checkpoint_wait(struct rocks_checkpoint *checkpoint);
/** On the waiting thread: cuts what was being written when it was copied, syncs all, writes the witness. */
enum lf_status rocks_checkpoint_finish(const char *directory, const uint8_t store_uuid[LOG_STORE_ID_BYTES],
                                       struct lf_error *error);

#endif
