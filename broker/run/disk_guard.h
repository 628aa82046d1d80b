/** Looks at the data filesystem and keeps the ballast there. Used by the loop's thread. */
#ifndef DISK_GUARD_H
#define DISK_GUARD_H

#include "disk_space.h"
#include "log.h"

/** The filesystem is looked at this often, and sooner under load, but not more often than ..., in ms. */
#define DISK_GUARD_MS 250
#define DISK_GUARD_MS_MIN 5
/** The ballast, a file in the data directory, grows by so many bytes at one look. */
#define DISK_GUARD_BALLAST_STEP_BYTES (16u * 1024 * 1024)
#define DISK_GUARD_BALLAST_FILE "ballast"

struct disk_guard {
    const char *directory; /**< borrowed */
    struct log *log;       /**< borrowed; NULL: nothing is said */
    struct disk_space_limits configured, limits;
    struct disk_space_orders orders; /**< of the last look */
    uint64_t free_bytes, total_bytes, ballast_bytes;
    uint64_t looked_ms, written_bytes; /**< at the last look */
    int ballast_fd;
    bool looked, no_ballast;
    bool said_failure;
};

/** The data directory exists. What it holds of a ballast is taken over. */
void disk_guard_init(struct disk_guard *guard, const char *directory, const struct disk_space_limits *configured,
                     struct log *log);
void disk_guard_deinit(struct disk_guard *guard);
/** Looks, when it is time; `written_bytes`: by the store, since it was opened. True: guard->orders are fresh, and what
 *  they say of the ballast was done. A filesystem that cannot be looked at has enough room. */
bool disk_guard_look(struct disk_guard *guard, uint64_t now_ms, uint64_t written_bytes);
/** When it wants to look next. */
uint64_t disk_guard_deadline(const struct disk_guard *guard);

#endif
