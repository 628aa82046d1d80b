/** The disk under the store in memory: what is synced, what was only handed over, and the dice. Inside of mem_store. */
#ifndef MEM_DISK_H
#define MEM_DISK_H

#include "commit_merge.h"
#include "mem_image.h"
#include "mem_store.h"

/** A commit handed to the disk and not synced yet. */
struct mem_unsynced {
    struct commit commit;
    struct mem_unsynced *next;
};

struct mem_disk {
    uint64_t random;
    struct mem_disk_faults faults;
    struct mem_disk_counts counts;
    struct mem_image synced;
    struct mem_unsynced *unsynced; /**< oldest first */
    struct mem_unsynced **unsynced_end;
    bool open;                 /**< a store is open on it */
    uint64_t break_after;      /**< so many commits on, one has the fate `fate`; 0: the next one, if fate is set */
    enum mem_disk_fate fate;   /**< not met yet; 0: none */
    enum mem_disk_fate broken; /**< of the commit under way; 0: as the dice say */
    bool broke;                /**< that commit was begun */
};

/** A number in low..high, both possible. */
uint32_t mem_disk_between(struct mem_disk *disk, uint32_t low, uint32_t high);
bool mem_disk_happens(struct mem_disk *disk, uint32_t per_million);
/** A commit begins: the fate that was chosen for it; 0: none. */
enum mem_disk_fate mem_disk_begin_commit(struct mem_disk *disk);
/** Takes the commit (emptied): it is handed over, and when it syncs, it and all before it are safe. */
enum lf_status mem_disk_hand_over(struct mem_disk *disk, struct commit *commit, bool sync);
/** What is handed over becomes safe: a sync, or an opening, which writes anew what it found. */
enum lf_status mem_disk_sync(struct mem_disk *disk);

#endif
