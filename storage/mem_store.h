/** log_store in memory on virtual time, with a disk that can be slow, failing, cut and torn. Deterministic: one thread,
 *  a seed, no clock. For simulation and tests. */
#ifndef MEM_STORE_H
#define MEM_STORE_H

#include "log_store.h"

/** What survives of the process: the disk. Outlives the store that is opened on it. */
struct mem_disk;

struct mem_disk_faults {
    uint32_t write_delay_ms_min; /**< each commit takes this long ... */
    uint32_t write_delay_ms_max; /**< ... to this long, uniformly */
    uint32_t read_delay_ms_max;
    uint32_t rewrite_delay_ms_max;
    uint32_t fail_per_million;  /**< a commit fails with LF_IO (S6: the store is finished until opened again) */
    uint32_t stall_per_million; /**< a commit takes stall_ms */
    uint32_t stall_ms;
};

/** Fate of commits that were under way or not synced when the process ended. */
enum mem_disk_crash {
    MEM_DISK_KILL,  /**< process killed: commits handed to the disk stay, merged or waiting ones are lost */
    MEM_DISK_POWER, /**< power cut: only synced commits stay for sure; of the rest a random prefix, the last one torn,
                       that is: found incomplete and cut off when opened (S1) */
};

struct mem_disk *mem_disk_new(uint64_t seed);
void mem_disk_destroy(struct mem_disk **disk);
void mem_disk_set_faults(struct mem_disk *disk, const struct mem_disk_faults *faults);
/** Power cut also of what an earlier kill left unsynced. Call with no store open on the disk. */
void mem_disk_power_cut(struct mem_disk *disk);
/** What becomes of one commit that the test chose. */
enum mem_disk_fate {
    MEM_DISK_FAIL = 1, /**< it fails with LF_IO, and a crash then finds it by the dice: torn, lost or whole */
    MEM_DISK_TEAR,     /**< it never completes; the crash finds a part of it, which counts for nothing */
    MEM_DISK_LOSE,     /**< it never completes; the crash finds nothing */
    MEM_DISK_KEEP,     /**< it never completes; the crash finds all of it, safe */
};
/** The n-th commit from now on (1: the next one) has this fate. */
void mem_disk_break_commit(struct mem_disk *disk, uint64_t n, enum mem_disk_fate fate);
/** Has a store begun that commit? */
bool mem_disk_broke_commit(const struct mem_disk *disk);

/** Commits lost / kept / torn so far, for the simulator's totals. */
struct mem_disk_counts {
    uint64_t commits, failed, stalled, kept, lost, torn;
};
struct mem_disk_counts mem_disk_counts(const struct mem_disk *disk);

/** One bit of one synced entry turns over, which one the disk's dice say; the store that is open on it (or NULL) reads
 * the damaged bytes too. False: there is no entry. Says which entry it was. */
bool mem_store_damage(struct mem_disk *disk, struct log_store *store, uint64_t *group, uint64_t *index);
/** The same with that entry of the group, or the next one that is there. False: there is none. */
bool mem_store_damage_entry(struct mem_disk *disk, struct log_store *store, uint64_t group, uint64_t *index);

/** Opens the disk; identity is used when the disk is empty, else compared: LF_WRONG_STORE. now_ms: virtual. */
enum lf_status mem_store_open(struct mem_disk *disk, const struct log_store_identity *identity, uint64_t now_ms,
                              struct log_store **store, struct lf_error *error);
/** Virtual time passes: work that is due by now_ms completes. */
void mem_store_advance(struct log_store *store, uint64_t now_ms);
/** When the next work completes; UINT64_MAX when idle. */
uint64_t mem_store_deadline(const struct log_store *store);
/** The process ends here, without close. Frees the store; leaves NULL. */
void mem_store_crash(struct log_store **store, enum mem_disk_crash how);

#endif
