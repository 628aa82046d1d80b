/** Replacing a store that is lost as a whole: the old one is set aside, never deleted, and a new one takes its place.
 *
 *  DATA/replacement says that this is under way, from before the old store is touched until the cluster has taken the
 *  new one; so any later start goes on with it by itself:
 *   1. DATA/replacement is written
 *   2. DATA/store, if it is there, is renamed to DATA/store.replaced.N
 *   3. a new store is made, and greets the cluster as one that replaces a lost one
 *   4. once it holds its part of the metadata, DATA/replacement is removed: by the running broker, or by the next start
 */
#ifndef STORE_REPLACEMENT_H
#define STORE_REPLACEMENT_H

#include "lf_status.h"

#include <limits.h>
#include <stdbool.h>

#define STORE_REPLACEMENT_FILE "replacement"
#define STORE_REPLACED_PREFIX "store.replaced."

/** LF_OK, LF_IO. */
enum lf_status store_replacement_under_way(const char *data, bool *under_way, struct lf_error *error);
/** 1 alone: the store that is there holds nothing, and is the new one. LF_IO. */
enum lf_status store_replacement_mark(const char *data, const char *why, struct lf_error *error);
/** 1 and 2. `why`: for whoever looks into the file. `aside`: where the old store is now; empty when there was none.
 *  LF_OK; LF_EXISTS when a process still has the store; LF_IO. May be repeated after a crash. */
enum lf_status store_replacement_begin(const char *data, const char *store, const char *why, char aside[PATH_MAX],
                                       struct lf_error *error);
/** 4. */
enum lf_status store_replacement_end(const char *data, struct lf_error *error);

#endif
