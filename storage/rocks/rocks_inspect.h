/** A stopped store opened to look at: nothing in its directory is written, whatever state it is in.
 *
 *  What a start would cut is left out (store_shadow.h); a start's further checks, of the ends of the logs, are left to
 *  whoever reads. The store takes reads and loads only: submit, stage and rewrite are LF_UNSUPPORTED. */
#ifndef ROCKS_INSPECT_H
#define ROCKS_INSPECT_H

#include "log_store.h"
#include "preflight.h"

struct rocks_inspect_options {
    const char *directory; /**< borrowed for the call */
    bool despite_damage;   /**< go on, as far as RocksDB can, although the start-up check refuses it */
};

/** What the start-up check says of the files. */
struct rocks_inspect_verdict {
    struct preflight_report report;
    uint64_t bytes_torn;   /**< that a start would cut off */
    struct lf_error error; /**< LF_OK, or what is damaged, in words: file and byte */
};

/** Only the start-up check, without opening. LF_OK (the verdict may be damage); LF_NOT_FOUND, LF_EXISTS (a process has
 *  the store), LF_IO, LF_NO_MEMORY. */
enum lf_status rocks_inspect_judge(const char *directory, struct rocks_inspect_verdict *verdict,
                                   struct lf_error *error);
/** Besides these LF_DAMAGED in words, unless despite_damage. The store is closed with log_store_close. */
enum lf_status rocks_inspect_open(const struct rocks_inspect_options *options, struct log_store **store,
                                  struct lf_error *error);

#endif
