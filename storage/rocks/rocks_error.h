/** RocksDB's errptr becomes a status here, and is freed here, and nowhere else. */
#ifndef ROCKS_ERROR_H
#define ROCKS_ERROR_H

#include "lf_status.h"

/** Takes *failure, the string a RocksDB call left (NULL: it went well); leaves NULL. `doing` goes in front of the
 * words. LF_OK; LF_DAMAGED (corruption, a file missing); LF_NO_SPACE; LF_EXISTS (locked by another); LF_IO for the
 * rest. */
enum lf_status rocks_error(char **failure, struct lf_error *error, const char *doing);

#endif
