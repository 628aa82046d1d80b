/** Gives the room of large files back a little at a time.
 *
 *  When the last name of a file goes, the filesystem frees its blocks in as few transactions of its journal as it can,
 * and every fdatasync in it waits meanwhile: on ext4 20 to 30 ms for a write-ahead log of 32 MB. So whoever made or
 *  watched such a file hands its descriptor over here. Once no name is left it is truncated step by step, and closed.
 *  While it has a name nothing is done to it: a backup may hold a link. */
#ifndef FILE_REAPER_H
#define FILE_REAPER_H

#include "lf_status.h"

/** Descriptors held at once; for one more the oldest is closed, and its room freed in one go. */
#define FILE_REAPER_HELD_MAX 64u
#define FILE_REAPER_STEP_BYTES (1024u * 1024)
#define FILE_REAPER_STEP_GAP_US 2000u

struct file_reaper;

/** Starts its thread. NULL, with words, when there is no memory or thread for it. */
struct file_reaper *file_reaper_new(struct lf_error *error);
/** Takes an open, writable descriptor of a regular file over. Any thread. NULL: closes it. */
void file_reaper_take(struct file_reaper *reaper, int fd);
/** Ends the thread; what is held is closed. */
void file_reaper_destroy(struct file_reaper **reaper);

#endif
