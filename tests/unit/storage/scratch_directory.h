/** Directories for tests of the real store: made below the working directory, which is on a disk filesystem. */
#ifndef SCRATCH_DIRECTORY_H
#define SCRATCH_DIRECTORY_H

/** Returns (caller frees) the name of a new empty directory; fails the program when it cannot be made. */
char *scratch_directory_new(void);
/** Removes it with all in it. */
void scratch_directory_remove(const char *directory);
/** A copy of every file, as the kernel holds them now: what a killed process leaves. Replaces `to`. */
void scratch_directory_copy(const char *from, const char *to);

#endif
