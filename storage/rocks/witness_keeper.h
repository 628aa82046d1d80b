/** Keeps the witness (witness.h) of an open store: watches the write-ahead log grow and change, and says what is on
 *  stable storage. Of one thread at a time: who opens the store, then the writer, then who closes it.
 *
 *  Order: what a slot names was synced before the slot is written (names too: the directory), and the slot is synced
 *  before anything is acknowledged that lies in a log the slot before it did not list. */
#ifndef WITNESS_KEEPER_H
#define WITNESS_KEEPER_H

#include "file_reaper.h"
#include "witness.h"

/** Under load the witness is behind by at most so much, ... */
#define WITNESS_INTERVAL_US 1000000u
/** ... and when nothing more is written for so long it is not behind at all. */
#define WITNESS_IDLE_MS 50

/** Zero-initialise. */
struct witness_keeper {
    char *directory;
    struct file_reaper *reaper;  /**< borrowed; gets the logs that grow no more; NULL: they are closed */
    int fd, wal_fd, manifest_fd; /**< valid when directory is set; -1: none */
    struct witness said;         /**< and what is about to be said */
    uint64_t wal_bytes;          /**< of the newest log, written */
    bool wal_synced;             /**< all of them are on stable storage */
    bool behind;                 /**< something was written since the last slot */
    uint64_t said_us;
};

/** RocksDB is open, has replayed and flushed: only its newest log is in use. Writes the file anew, durably. */
enum lf_status witness_keeper_open(struct witness_keeper *keeper, const char *directory, struct file_reaper *reaper,
                                   const uint8_t store_uuid[LOG_STORE_ID_BYTES], uint64_t last_sequence,
                                   uint64_t now_us, struct lf_error *error);
/** After every write batch: the sequences before and after it, and whether it was synced. Writes a slot when the log
 *  was switched or the last slot is old; *said tells. An error is final, as that of any failed sync. */
enum lf_status witness_keeper_wrote(struct witness_keeper *keeper, uint64_t sequence_before, uint64_t sequence_after,
                                    bool synced, uint64_t now_us, bool *said, struct lf_error *error);
/** Syncs the newest log where it is not, and writes a slot: afterwards all that was written is durable. */
enum lf_status witness_keeper_say(struct witness_keeper *keeper, uint64_t now_us, struct lf_error *error);
void witness_keeper_deinit(struct witness_keeper *keeper);

#endif
