/** Snapshots to show, made by hand. */
#ifndef SNAPSHOTS_H
#define SNAPSHOTS_H

#include "admin_snapshot.h"
#include "text.h"

/** Returns (caller destroys with admin_snapshot_destroy) node 2 of a founded cluster with `groups` groups, group 0 and
 *  partitions of topic "t", all running; it leads those with even ids, with replicas on nodes 1 and 3. Group g has
 *  appended 1000 * g bytes. */
struct admin_snapshot *snapshot_of(size_t groups);
/** The text, terminated; valid until the next call. */
const char *text_of(const struct text *text);

#endif
