/** Gives the room of large files back a little at a time.
 *
 *  When the last name of a file goes, the filesystem frees its blocks in as few transactions of its journal as it can,
 * and every fdatasync in it waits meanwhile: on ext4 20 to 30 ms for a write-ahead log of 32 MB. So whoever made or
 *  watched such a file hands its descriptor over here, before it is removed. Once no name is left it is truncated step
 * by step, and closed. While it has a name nothing is done to it: a backup may hold a link. */
#ifndef FILE_REAPER_H
#define FILE_REAPER_H

#include <stdbool.h>
#include <stddef.h>

#include "lf_status.h"

/** Descriptors held at once. */
#define FILE_REAPER_HELD_MAX 64u
#define FILE_REAPER_STEP_BYTES (1024u * 1024)
#define FILE_REAPER_STEP_GAP_US 2000u
/** A file that still has a name after so long is closed as it is. */
#define FILE_REAPER_PATIENCE_US (600u * 1000 * 1000)

struct file_reaper;

/** Starts its thread. NULL, with words, when there is no memory or thread for it. */
struct file_reaper *file_reaper_new(struct lf_error *error);
/** Takes an open, writable descriptor of a regular file over (-1: none). Any thread; nothing is waited for. It is
 * closed at once, and the file freed in one go when its name goes, without a reaper or place, and when the filesystem
 * does not count its name, which it must have still: then it cannot be told when it has none. */
void file_reaper_take(struct file_reaper *reaper, int fd);
/** How many more it could hold. */
size_t file_reaper_places(struct file_reaper *reaper);
/** Ends the thread; what is held is closed. */
void file_reaper_destroy(struct file_reaper **reaper);

#endif
