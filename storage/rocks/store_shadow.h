/** A stopped store as its next start would see it, without touching it: a directory elsewhere that holds links to its
 *  files, and copies of those that a start would cut or put right. RocksDB can be opened there for reading; what it
 *  writes beside (its info log) stays there too. */
#ifndef STORE_SHADOW_H
#define STORE_SHADOW_H

#include "lf_status.h"
#include "preflight.h"

#include <limits.h>

struct store_shadow {
    char directory[PATH_MAX]; /**< empty: none */
};

/** Below TMPDIR, else /tmp. `plan` may be NULL: all files as they are. LF_IO, LF_NO_MEMORY, LF_NO_SPACE. */
enum lf_status store_shadow_make(const char *store, const struct preflight_plan *plan, struct store_shadow *shadow,
                                 struct lf_error *error);
/** Removes it; fine when there is none. */
void store_shadow_remove(struct store_shadow *shadow);

#endif
