#include "contract.h"
#include "mem_store.h"

static uint64_t now_ms; /* virtual, over all stores of this program */

static void *disk_new(void) { return mem_disk_new(1); }

static void disk_destroy(void *disk) {
    struct mem_disk *mem = disk;
    mem_disk_destroy(&mem);
}

static enum lf_status open_store(void *disk, const struct log_store_identity *identity, struct log_store **store,
                                 struct lf_error *error) {
    const struct mem_disk_faults faults = {
        .write_delay_ms_min = 1, .write_delay_ms_max = 3, .read_delay_ms_max = 2, .rewrite_delay_ms_max = 10};
    mem_disk_set_faults(disk, &faults);
    return mem_store_open(disk, identity, now_ms, store, error);
}

static void kill_store(void *disk, struct log_store **store) {
    (void)disk;
    mem_store_crash(store, MEM_DISK_KILL);
}

static struct log_store_completion *wait_for(struct log_store *store) {
    for (;;) {
        struct log_store_completion *completion = log_store_poll(store);
        uint64_t deadline_ms = mem_store_deadline(store);
        if (completion || deadline_ms == UINT64_MAX)
            return completion;
        now_ms = deadline_ms;
        mem_store_advance(store, now_ms);
    }
}

int main(void) {
    const struct contract_backend backend = {.name = "mem_store",
                                             .disk_new = disk_new,
                                             .disk_destroy = disk_destroy,
                                             .open = open_store,
                                             .kill = kill_store,
                                             .wait = wait_for};
    return contract_run(&backend);
}
