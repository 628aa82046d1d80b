#include "rocks_backend.h"
#include "rocks_store.h"
#include "scratch_directory.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WAIT_MS 60000
#define WAIT_STEP_MS 2

static void *disk_new(void) {
    struct rocks_disk *disk = calloc(1, sizeof *disk);
    assert_non_null(disk);
    disk->directory = scratch_directory_new();
    return disk;
}

static void disk_destroy(void *given) {
    struct rocks_disk *disk = given;
    scratch_directory_remove(disk->directory);
    free(disk->directory);
    free(disk);
}

static enum lf_status open_store(void *given, const struct log_store_identity *identity, struct log_store **store,
                                 struct lf_error *error) {
    const struct rocks_disk *disk = given;
    struct rocks_store_options options = {
        .directory = disk->directory, .create = true, .scrub_bytes_per_s = disk->scrub_bytes_per_s};
    return rocks_store_open(&options, identity, store, error);
}

void rocks_backend_settle(struct log_store *store) {
    for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms += WAIT_STEP_MS) {
        struct log_store_engine_stats stats;
        log_store_engine_stats(store, &stats);
        if (stats.segments_waiting == 0 && stats.segment_drops_waiting == 0)
            return;
        nanosleep(&(struct timespec){.tv_nsec = WAIT_STEP_MS * 1000000}, NULL);
    }
    fail_msg("the segment thread does not come to rest");
}

/* The files as the kernel has them at this moment, under a new name: closing the old store changes the old ones only.
 */
static void kill_store(void *given, struct log_store **store) {
    struct rocks_disk *disk = given;
    char *copy = scratch_directory_new();
    rocks_backend_settle(*store); /* a copy of files that change is none of one moment */
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

const struct contract_backend rocks_backend = {.name = "rocks_store",
                                               .disk_new = disk_new,
                                               .disk_destroy = disk_destroy,
                                               .open = open_store,
                                               .kill = kill_store,
                                               .wait = wait_for};
