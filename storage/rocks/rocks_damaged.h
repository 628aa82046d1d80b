/** The mark that a running store was found damaged, which opening looks for. */
#ifndef ROCKS_DAMAGED_H
#define ROCKS_DAMAGED_H

#include "lf_status.h"

/** LF_OK; LF_DAMAGED with the words of the mark; LF_IO. Reads only. */
enum lf_status store_condemned(const char *directory, struct lf_error *error);

#endif
