/** What test_rocks_store_faults.c runs under the shim with a rule that fails some call: opens the store, submits synced
 *  writes without waiting, then tells each outcome and ends.
 *
 *  store_faults DIRECTORY     "F STATUS" when it does not open; else "W INDEX STATUS" per write
 */
#include "store_faults.h"
#include "lf_entry.h"
#include "rocks_store.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void submit(struct log_store *store, uint64_t index) {
    struct log_store_write *write = log_store_write_new(1, index);
    if (!write)
        abort();
    write->sync = true;
    if (index == 0) {
        write->create = true;
        write->has_hard_state = true;
        write->term = 1;
    } else if (log_store_write_add_entry(write, index, store_faults_entry(index)) != LF_OK) {
        abort();
    }
    if (log_store_submit(store, &write) != LF_OK)
        abort();
}

static struct log_store_completion *wait_one(struct log_store *store) {
    for (;;) {
        struct log_store_completion *completion = log_store_poll(store);
        struct pollfd waited = {.fd = log_store_fd(store), .events = POLLIN};
        if (completion)
            return completion;
        poll(&waited, 1, -1);
    }
}

int main(int count, char **arguments) {
    struct rocks_store_options options = {
        .directory = count == 2 ? arguments[1] : "", .create = true, .memtable_bytes = 64 * 1024};
    const struct log_store_identity identity = {.node_id = 1};
    struct log_store *store = NULL;
    struct lf_error error = {0};
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was told stays told, also when RocksDB ends the process */
    enum lf_status status = rocks_store_open(&options, &identity, &store, &error);
    if (status != LF_OK) {
        printf("F %d\n", status);
        return 0;
    }
    /* one by one first, so that there are many commits, then all at once */
    for (uint64_t index = 0; index < STORE_FAULTS_WRITES; index++) {
        submit(store, index);
        if (index >= STORE_FAULTS_WRITES / 2)
            continue;
        struct log_store_completion *completion = wait_one(store);
        printf("W %llu %d\n", (unsigned long long)completion->id, completion->status);
        log_store_completion_destroy(&completion);
    }
    for (uint64_t index = STORE_FAULTS_WRITES / 2; index < STORE_FAULTS_WRITES; index++) {
        struct log_store_completion *completion = wait_one(store);
        printf("W %llu %d\n", (unsigned long long)completion->id, completion->status);
        log_store_completion_destroy(&completion);
    }
    log_store_close(&store);
    return 0;
}
