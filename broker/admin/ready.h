/** Does this node serve its groups, and if not, which and why. Pure. */
#ifndef READY_H
#define READY_H

#include "node_view.h"
#include "text.h"

/** Groups named in an answer; of more only the number is said. */
#define READY_LINES_MAX 100

/** Why this group does not serve, in words; NULL: it does, or nobody counts on this replica. Static storage. */
const char *ready_why_not(const struct node_group_view *group);
/** Writes a page: "ready: 12 groups", or what is missing. False: not ready. A disk below its soft limit is said, and
 *  below the hard one it is not ready: its replicas fall behind, so nobody else should stop now. */
bool ready_judge(const struct node_view *view, struct text *text);

#endif
