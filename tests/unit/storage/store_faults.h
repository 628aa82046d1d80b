/** What store_faults writes: group 1, created by write 0, then one entry per write. */
#ifndef STORE_FAULTS_H
#define STORE_FAULTS_H

#include "lf_buf.h"

#define STORE_FAULTS_WRITES 120u

/** Returns (caller unrefs) the entry at this index. */
struct lf_buf *store_faults_entry(uint64_t index);

#endif
