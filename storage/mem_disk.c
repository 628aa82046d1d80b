#include "mem_disk.h"

#include "lf_check.h"

#include <stdlib.h>

/* splitmix64: small, seedable, the same everywhere. Source: Steele, Lea, Flood, OOPSLA 2014. */
static uint64_t next_random(struct mem_disk *disk) {
    uint64_t z = disk->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t mem_disk_between(struct mem_disk *disk, uint32_t low, uint32_t high) {
    return high <= low ? low : low + (uint32_t)(next_random(disk) % ((uint64_t)high - low + 1));
}

bool mem_disk_happens(struct mem_disk *disk, uint32_t per_million) {
    return per_million > 0 && next_random(disk) % 1000000 < per_million;
}

struct mem_disk *mem_disk_new(uint64_t seed) {
    struct mem_disk *disk = calloc(1, sizeof *disk);
    if (!disk)
        return NULL;
    disk->random = seed;
    disk->unsynced_end = &disk->unsynced;
    return disk;
}

static void unsynced_pop(struct mem_disk *disk) {
    struct mem_unsynced *first = disk->unsynced;
    disk->unsynced = first->next;
    if (!disk->unsynced)
        disk->unsynced_end = &disk->unsynced;
    commit_deinit(&first->commit);
    free(first);
}

void mem_disk_destroy(struct mem_disk **where) {
    struct mem_disk *disk = *where;
    *where = NULL;
    if (!disk)
        return;
    lf_check(!disk->open);
    while (disk->unsynced)
        unsynced_pop(disk);
    mem_image_deinit(&disk->synced);
    free(disk);
}

void mem_disk_set_faults(struct mem_disk *disk, const struct mem_disk_faults *faults) { disk->faults = *faults; }

struct mem_disk_counts mem_disk_counts(const struct mem_disk *disk) {
    return disk->counts;
}

void mem_disk_break_commit(struct mem_disk *disk, uint64_t n, enum mem_disk_fate fate) {
    lf_check(n > 0);
    disk->break_after = n - 1;
    disk->fate = fate;
    disk->broken = 0;
    disk->broke = false;
}

bool mem_disk_broke_commit(const struct mem_disk *disk) { return disk->broke; }

enum mem_disk_fate mem_disk_begin_commit(struct mem_disk *disk) {
    if (disk->fate == 0 || disk->break_after-- > 0)
        return 0;
    disk->broke = true;
    disk->broken = disk->fate;
    disk->fate = 0;
    return disk->broken;
}

/* As the live store did: refused writes are passed over, and nothing of a commit is written after a final failure. */
static enum lf_status make_safe(struct mem_disk *disk, const struct commit *commit) {
    for (const struct log_store_write *write = commit->writes; write; write = write->next) {
        enum lf_status status = mem_image_apply(&disk->synced, write, NULL);
        if (status == LF_NO_MEMORY)
            return status;
        if (status != LF_OK && status != LF_INVALID)
            return LF_OK;
    }
    return LF_OK;
}

enum lf_status mem_disk_sync(struct mem_disk *disk) {
    while (disk->unsynced) {
        enum lf_status status = make_safe(disk, &disk->unsynced->commit);
        if (status != LF_OK)
            return status;
        unsynced_pop(disk);
    }
    return LF_OK;
}

enum lf_status mem_disk_hand_over(struct mem_disk *disk, struct commit *commit, bool sync) {
    struct mem_unsynced *last = malloc(sizeof *last);
    if (!last)
        return LF_NO_MEMORY;
    *last = (struct mem_unsynced){.commit = *commit};
    *commit = (struct commit){0};
    *disk->unsynced_end = last;
    disk->unsynced_end = &last->next;
    return sync ? mem_disk_sync(disk) : LF_OK;
}

void mem_disk_power_cut(struct mem_disk *disk) {
    lf_check(!disk->open);
    uint32_t waiting = 0;
    for (const struct mem_unsynced *at = disk->unsynced; at; at = at->next)
        waiting++;
    uint32_t kept = mem_disk_between(disk, 0, waiting);
    for (uint32_t i = 0; i < kept; i++) {
        lf_check(make_safe(disk, &disk->unsynced->commit) == LF_OK);
        unsynced_pop(disk);
    }
    disk->counts.kept += kept;
    if (kept < waiting && mem_disk_between(disk, 0, 1) == 1) {
        disk->counts.torn++; /* its first bytes are there; opening finds it incomplete and cuts it off */
        unsynced_pop(disk);
        kept++;
    }
    disk->counts.lost += waiting - kept;
    while (disk->unsynced)
        unsynced_pop(disk);
}
