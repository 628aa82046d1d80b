/** CURRENT: the file that names the MANIFEST in use. RocksDB writes it beside, syncs it and renames it, so it is never
 *  torn. Pure. */
#ifndef CURRENT_FILE_H
#define CURRENT_FILE_H

#include "lf_bytes.h"

#include <stdbool.h>

/** "MANIFEST-", the number with at least six digits, a line end, and nothing else. */
bool current_file_decode(struct lf_bytes text, uint64_t *manifest_number);

#endif
