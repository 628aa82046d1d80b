/** What the witness demands of the files that preflight reads. Each check returns LF_OK, or LF_DAMAGED with the file's
 *  name and what is missing of it in `error`. */
#ifndef PREFLIGHT_WITNESS_H
#define PREFLIGHT_WITNESS_H

#include "manifest_scan.h"
#include "store_directory.h"
#include "wal_scan.h"
#include "witness.h"

enum witness_presence {
    WITNESS_ABSENT, /**< a store from before there were witnesses; or damage that took the whole file */
    WITNESS_UNREADABLE,
    WITNESS_READ,
};

struct preflight_witness {
    const char *directory; /**< borrowed */
    enum witness_presence presence;
    struct witness witness; /**< all zeroes unless READ, and then nothing is demanded */
};

/** LF_OK, also when it is absent or unreadable; LF_IO, LF_NO_MEMORY. */
enum lf_status preflight_witness_read(struct preflight_witness *demands, const char *directory, struct lf_error *error);

/** CURRENT names a MANIFEST at least as new. */
enum lf_status preflight_witness_current(const struct preflight_witness *demands, uint64_t manifest_number,
                                         struct lf_error *error);
/** The same MANIFEST is as long as it was durable; a newer one counts from its first records on. */
enum lf_status preflight_witness_manifest(const struct preflight_witness *demands, uint64_t manifest_number,
                                          const struct manifest_scan *scan, struct lf_error *error);
/** Every log listed is there, or the MANIFEST needs it no more (numbers below log_min). */
enum lf_status preflight_witness_present(const struct preflight_witness *demands, const struct store_files *files,
                                         uint64_t manifest_number, uint64_t log_min, struct lf_error *error);
/** A log that was read and judged: no less of it is whole than was durable. */
enum lf_status preflight_witness_wal(const struct preflight_witness *demands, const struct store_file *file,
                                     const struct wal_judgement *judgement, const struct wal_stream *stream,
                                     struct lf_error *error);
/** After all of them: nothing durable is missing at the end; logs and witness are of one store; what is to be cut may
 *  be. */
enum lf_status preflight_witness_end(const struct preflight_witness *demands, const struct manifest_scan *scan,
                                     uint64_t manifest_number, const struct wal_stream *stream, bool cuts,
                                     struct lf_error *error);

#endif
