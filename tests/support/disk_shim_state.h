/** What the shim keeps in its side directory, and disk_cut reads: both ends of the format, in one place.
 *
 *  STATE/table   one slot per file of the watched tree, mapped by every shimmed process; survives kill -9
 *  STATE/names   one line per change of a directory that no fsync of that directory covers yet:
 *                    C path          created            L path          linked
 *                    U kept path     unlinked           R kept from to  renamed (kept: what `to` was before, or -)
 *                    M path          directory made     D path          directory removed
 *                    S path          this directory was synced: changes in it above this line are durable
 *  STATE/kept-N  a hard link to a file whose name was removed, until that removal is durable
 *  STATE/undo-N  old bytes of slot N's file that were overwritten or cut since its last sync: records of
 *                offset u64, size u64, bytes
 *
 *  Paths are absolute and hold no white space. The side directory is on the watched tree's filesystem.
 */
#ifndef DISK_SHIM_STATE_H
#define DISK_SHIM_STATE_H

#include <stdatomic.h>
#include <stdint.h>

#define DISK_SHIM_MAGIC 0x314d485344u /* "DSHM1" */
#define DISK_SHIM_SLOTS 65536u
#define DISK_SHIM_ROOT_BYTES 4096

/** A file, by where it lies on the filesystem. Free when ino is 0. */
struct disk_shim_slot {
    _Atomic uint64_t ino;
    _Atomic uint64_t synced_bytes; /**< its size when it was last synced; what lies beyond is not on the disk */
    _Atomic uint32_t has_undo;
    uint32_t reserved;
};

struct disk_shim_table {
    uint64_t magic;
    _Atomic uint64_t kept_next;
    char root[DISK_SHIM_ROOT_BYTES];
    struct disk_shim_slot slots[DISK_SHIM_SLOTS];
};

/** Where a slot for this file is, or may be made: the index of its slot, or of the first free one on its way;
 *  DISK_SHIM_SLOTS when the table is full. */
static inline uint32_t disk_shim_find(const struct disk_shim_table *table, uint64_t ino) {
    uint32_t at = (uint32_t)(ino * 0x9e3779b97f4a7c15u >> 40) % DISK_SHIM_SLOTS;
    for (uint32_t step = 0; step < DISK_SHIM_SLOTS; step++, at = (at + 1) % DISK_SHIM_SLOTS) {
        uint64_t found = atomic_load(&table->slots[at].ino);
        if (found == ino || found == 0)
            return at;
    }
    return DISK_SHIM_SLOTS;
}

#endif
