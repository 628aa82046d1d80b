/** A snapshot as JSON: node, cluster, groups, peers, queues. Pure. */
#ifndef STATUS_H
#define STATUS_H

#include "admin_snapshot.h"
#include "text.h"

void status_write(struct text *text, const struct admin_snapshot *snapshot, const char *version);

#endif
