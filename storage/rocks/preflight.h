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
#include <stddef.h>
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

/** What preflight would do to a directory that it accepts. */
struct preflight_plan {
    struct preflight_cut {
        char name[64];
        uint64_t keep; /**< bytes; what is behind them goes */
    } * cuts;
    size_t cut_count;
    char manifest[64];  /**< the one to go on with */
    bool names_current; /**< CURRENT names another one, and would be put right */
};

/** The same judgement, and nothing is written. The directory need not be locked. Owned: preflight_plan_deinit, also
 *  after a failure. */
enum lf_status preflight_judge(const char *directory, struct preflight_report *report, struct preflight_plan *plan,
                               struct lf_error *error);
void preflight_plan_deinit(struct preflight_plan *plan);

/** Whether any whole batch with operations is in the logs, or a table or a witness exists: false means that creation
 *  never finished. */
enum lf_status preflight_has_data(const char *directory, bool *has_data, struct lf_error *error);

#endif
