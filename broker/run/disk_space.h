/** What to do about the room on the data filesystem. Pure.
 *
 *  Steps, by free bytes (less what the ballast still lacks): below soft the node takes no publishes and no leadership,
 *  below hard no batches (broker/node/space.c). The ballast is a file of ours that takes room while there is enough: it
 *  is given up at the hard limit, so that flushes and dropping can finish, and made again first, since what it lacks
 *  does not count as room. Below the floor nothing at all is written: RocksDB must not meet a full disk, from which it
 *  does not recover by itself.
 */
#ifndef DISK_SPACE_H
#define DISK_SPACE_H

#include "node.h"

/** Configured bytes; 0: by the size of the filesystem. */
struct disk_space_limits {
    uint64_t soft_bytes, hard_bytes, ballast_bytes;
};

/** A filesystem's soft limit is an eighth of it, at most this; hard is half of soft, the ballast an eighth of hard. */
#define DISK_SPACE_SOFT_BYTES_MAX (1024ull * 1024 * 1024)
/** The floor is the hard limit divided by this; a start, or writes held back, wait for twice the floor. */
#define DISK_SPACE_FLOOR_DIVISOR 4

struct disk_space_limits disk_space_limits_complete(const struct disk_space_limits *configured, uint64_t total_bytes);

struct disk_space_sample {
    uint64_t free_bytes;    /**< for this process */
    uint64_t ballast_bytes; /**< that the ballast has now */
    bool held;              /**< writes are held back now */
};

struct disk_space_orders {
    struct node_space space;
    enum { DISK_BALLAST_KEEP, DISK_BALLAST_GROW, DISK_BALLAST_RELEASE } ballast;
    bool hold; /**< hand no write to the store */
};
struct disk_space_orders disk_space_judge(const struct disk_space_limits *limits,
                                          const struct disk_space_sample *sample);

/** Bytes after which a sample is too old, however young: they might have used up half of what is left before the hard
 *  limit (three bytes are written for one). */
uint64_t disk_space_written_max(const struct disk_space_orders *orders);

#endif
