/** At opening, before anything is written: what a crash, or a lost row, left of segments is removed. */
#ifndef SEGMENT_CLEAN_H
#define SEGMENT_CLEAN_H

#include "rocks_groups.h"

/** Files being built go; so do tables of the family `segments` that no row names (asked of the MANIFEST: no table is
 *  opened, since one may be damaged). Raises slot_next above all ids seen.
 *  LF_IO, LF_NO_SPACE, LF_NO_MEMORY. */
enum lf_status segment_clean(struct rocks_groups *groups, const struct rocks_db *db, const char *directory,
                             struct lf_error *error);

#endif
