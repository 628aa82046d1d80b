#include "contract.h"
#include "rocks_store.h"
#include "scratch_directory.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define WAIT_MS 60000

struct disk {
    char *directory;
};

static void *disk_new(void) {
    struct disk *disk = calloc(1, sizeof *disk);
    assert_non_null(disk);
    disk->directory = scratch_directory_new();
    return disk;
}

static void disk_destroy(void *given) {
    struct disk *disk = given;
    scratch_directory_remove(disk->directory);
    free(disk->directory);
    free(disk);
}

static enum lf_status open_store(void *given, const struct log_store_identity *identity, struct log_store **store,
                                 struct lf_error *error) {
    const struct disk *disk = given;
    struct rocks_store_options options = {.directory = disk->directory, .create = true};
    return rocks_store_open(&options, identity, store, error);
}

/* The files as the kernel has them at this moment, under a new name: closing the old store changes the old ones only.
 */
static void kill_store(void *given, struct log_store **store) {
    struct disk *disk = given;
    char *copy = scratch_directory_new();
    scratch_directory_copy(disk->directory, copy);
    log_store_close(store);
    scratch_directory_remove(disk->directory);
    free(disk->directory);
    disk->directory = copy;
}

static struct log_store_completion *wait_for(struct log_store *store) {
    for (;;) {
        struct log_store_completion *completion = log_store_poll(store);
        if (completion)
            return completion;
        struct pollfd waited = {.fd = log_store_fd(store), .events = POLLIN};
        if (poll(&waited, 1, WAIT_MS) != 1)
            return NULL;
    }
}

int main(void) {
    const struct contract_backend backend = {.name = "rocks_store",
                                             .disk_new = disk_new,
                                             .disk_destroy = disk_destroy,
                                             .open = open_store,
                                             .kill = kill_store,
                                             .wait = wait_for};
    return contract_run(&backend);
}
