/** Small files that must be whole and stay: written beside, synced, renamed, directory synced. */
#ifndef FILE_WRITE_H
#define FILE_WRITE_H

#include "lf_status.h"

#include <stddef.h>

/** DIRECTORY/NAME holds exactly these bytes, durably. A crash leaves the old file or the new one. LF_IO, LF_NO_SPACE in
 *  words. */
enum lf_status file_write_replace(const char *directory, const char *name, const void *data, size_t size,
                                  struct lf_error *error);
/** The names in the directory are durable. LF_IO in words. */
enum lf_status file_write_sync_directory(const char *directory, struct lf_error *error);

#endif
