/** Start-up checked by us before RocksDB opens: CURRENT, the MANIFEST, the tables it names, the write-ahead logs; all
 *  that the witness saw on disk (witness.h) has to be there.
 *
 *  A torn end, as a power cut leaves it (bytes missing, zeroes, fragments out of place, nothing synced after it), is
 * cut off, the cut bytes kept beside as NAME.torn.N. Anything else that cannot be read is damage: nothing is written or
 *  deleted, and the words name the file and the offset. See docs/storage-format.md for the rules and their reasons. */
#ifndef PREFLIGHT_H
#define PREFLIGHT_H

#include "lf_status.h"

#include <stdbool.h>
#include <stdint.h>

/** What was done. */
struct preflight_report {
    uint32_t wals;    /**< live logs read */
    uint64_t records; /**< whole ones in them */
    uint32_t cuts;    /**< files cut */
    uint64_t bytes_cut;
};

/** The directory is locked by the caller and holds a CURRENT. LF_OK, LF_DAMAGED, LF_IO, LF_NO_MEMORY. */
enum lf_status preflight(const char *directory, struct preflight_report *report, struct lf_error *error);

/** Whether any whole batch with operations is in the logs, or a table or a witness exists: false means that creation
 *  never finished. */
enum lf_status preflight_has_data(const char *directory, bool *has_data, struct lf_error *error);

#endif
