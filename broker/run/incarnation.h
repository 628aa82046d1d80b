/** The number of this start of this node: larger than that of every earlier one. Kept in DATA/incarnation. */
#ifndef INCARNATION_H
#define INCARNATION_H

#include "lf_status.h"

#include <stdint.h>

#define INCARNATION_FILE "incarnation"

/** max(wall clock, stored + 1), durable when this returns. Call while holding the store's lock. LF_OK; LF_IO, or
 *  LF_DAMAGED when the file holds something else, in words. */
enum lf_status incarnation_next(const char *data, int64_t wall_ms, uint64_t *incarnation, struct lf_error *error);

#endif
