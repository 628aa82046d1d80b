#include "raft_internal.h"

#include <stdlib.h>
#include <string.h>

/** Makes *items hold a copy of `bytes` bytes, in memory of exactly that size. */
static bool copy_items(void *items, const void *from, size_t bytes_before, size_t bytes) {
    void *memory;
    memcpy(&memory, items, sizeof memory); /* a pointer to any kind of pointer */
    if (!memory || bytes_before != bytes) {
        free(memory);
        memory = bytes > 0 ? malloc(bytes) : NULL;
        memcpy(items, &memory, sizeof memory);
        if (!memory)
            return bytes == 0;
    }
    memcpy(memory, from, bytes);
    return true;
}

/** Copies from->items into what `to` had there (capacity `had`), whatever happens leaving to with memory of its own. */
#define COPY_ITEMS(to, had, from, items, capacity)                                                                     \
    copy_items(&(to)->items, (from)->items, (had).items ? (had).capacity * sizeof *(had).items : 0,                    \
               (from)->capacity * sizeof *(from)->items)

bool raft_clone_into(struct raft **where, const struct raft *raft) {
    if (!*where)
        *where = calloc(1, sizeof **where);
    struct raft *clone = *where;
    if (!clone)
        return false;
    struct raft had = *clone;
    *clone = *raft;
    clone->effects = NULL;
    clone->trace = NULL;
    clone->trace_context = NULL;
    clone->log.runs = had.log.runs;
    clone->log.sums = had.log.sums;
    clone->log.configurations = had.log.configurations;
    clone->reads = had.reads;
    if (COPY_ITEMS(&clone->log, had.log, &raft->log, runs, run_capacity) &&
        COPY_ITEMS(&clone->log, had.log, &raft->log, sums, size_capacity) &&
        COPY_ITEMS(&clone->log, had.log, &raft->log, configurations, configuration_capacity) &&
        COPY_ITEMS(clone, had, raft, reads, read_capacity))
        return true;
    raft_destroy(where);
    return false;
}

struct raft *raft_clone(const struct raft *raft) {
    struct raft *clone = NULL;
    raft_clone_into(&clone, raft);
    return clone;
}
