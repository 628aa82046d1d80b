/** A thread that reads everything the store holds, again and again, at a low rate: so that damage is found before a
 * reader meets it, and while other replicas are whole. Entries are checked as every read checks them; rows by RocksDB's
 * sums. */
#ifndef ROCKS_SCRUB_H
#define ROCKS_SCRUB_H

#include "rocks_db.h"

#include "lf_ring.h"

#include <pthread.h>
#include <stdatomic.h>

/** Damages told of and still there, and of those that nobody polled: at most so many. Each segment once, and again when
 * a round between found it whole; what is not in a segment ends the scrub. */
#define ROCKS_DAMAGES_MAX 64u

struct rocks_scrub {
    struct rocks_db db;        /**< a copy that does not fill the cache; borrows all it points to */
    struct lf_ring *completed; /**< borrowed; has room for ROCKS_DAMAGES_MAX */
    uint64_t bytes_per_s;      /**< 0: off */
    atomic_ullong bytes, passes, damages;
    atomic_uint waiting; /**< told, not polled: the loop takes from it */
    /* of the thread: */
    struct rocks_scrubbed {
        uint64_t group, first_index;
        bool again; /**< in this round, too */
    } found[ROCKS_DAMAGES_MAX];
    uint32_t found_count;
    struct lf_ring *wake; /**< itself: stop */
    pthread_t thread;
    bool running, lost;
};

/** LF_OK also when it is off; LF_NO_MEMORY, LF_IO. */
enum lf_status rocks_scrub_start(struct rocks_scrub *scrub, const struct rocks_db *db, struct lf_ring *completed,
                                 uint64_t bytes_per_s, struct lf_error *error);
/** Fine when it never started. */
void rocks_scrub_stop(struct rocks_scrub *scrub);

#endif
