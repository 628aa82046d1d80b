/** The files preflight reads and cuts. */
#ifndef PREFLIGHT_FILE_H
#define PREFLIGHT_FILE_H

#include "lf_bytes.h"
#include "lf_status.h"

#include <stddef.h>
#include <stdint.h>

/** Kept torn ends in a store; the oldest goes when there would be more. */
#define PREFLIGHT_TORN_COPIES_MAX 8u

struct preflight_bytes {
    uint8_t *data;
    size_t size;
};

/** The whole file. LF_DAMAGED when it is absent, LF_IO, LF_NO_MEMORY. */
enum lf_status preflight_file_read(const char *directory, const char *name, struct preflight_bytes *bytes,
                                   struct lf_error *error);
void preflight_bytes_free(struct preflight_bytes *bytes);

/** Copies what lies from byte `keep` on into NAME.torn.N (N rises), then cuts it off; both durably. */
enum lf_status preflight_file_cut(const char *directory, const char *name, size_t keep, size_t *bytes_cut,
                                  struct lf_error *error);
/** Puts a file of these bytes in its place, written beside and renamed: durably, or not at all. */
enum lf_status preflight_file_replace(const char *directory, const char *name, struct lf_bytes bytes,
                                      struct lf_error *error);

#endif
