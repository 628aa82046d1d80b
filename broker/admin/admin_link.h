/** Between the admin thread and the loop: two rings over which one snapshot goes to and fro, and a sign of life.
 *
 *  1. the admin thread pushes a snapshot to fill into `questions`; 2. the loop pops it, fills it and pushes it into
 *  `answers`; 3. the admin thread reads it, and may ask again. Only one is ever under way, so the rings never fill, and
 *  whoever holds the address is the only one to touch it. A scraper that reads slowly keeps the admin thread's text,
 *  not the loop.
 */
#ifndef ADMIN_LINK_H
#define ADMIN_LINK_H

#include "admin_snapshot.h"
#include "lf_ring.h"

#include <stdatomic.h>

/** Places in each ring; one is used. */
#define ADMIN_LINK_QUESTIONS_MAX 2

struct admin_link {
    struct lf_ring *questions;
    struct lf_ring *answers;
    atomic_ullong turned_ms; /**< monotonic: when the loop last turned; 0: not yet */
};

/** LF_OK, LF_NO_MEMORY. */
enum lf_status admin_link_init(struct admin_link *link);
/** Frees what is still in the rings; both threads are done with it. Fine when never initialised but zeroed. */
void admin_link_deinit(struct admin_link *link);

#endif
